package source

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// How the files of sysfs and procfs that hold one value are read.

// Integer reads a file that holds one whole number.
func (c *Reader) Integer(name, unit string, scope fact.Scope) fact.Value[int64] {
	b, err := c.File(name, SmallFile)
	if err != nil {
		return fact.Unknown[int64](unit, scope, err.Error())
	}
	n, err := strconv.ParseInt(trim(b), 10, 64)
	if err != nil {
		return fact.Unknown[int64](unit, scope, fmt.Sprintf("%s: %q is not a number", Abs(name), fact.Clip(string(b))))
	}
	return fact.Known(n, unit, scope, Abs(name))
}

// Flag reads a file that holds 0 or 1.
func (c *Reader) Flag(name string, scope fact.Scope) fact.Value[bool] {
	b, err := c.File(name, SmallFile)
	if err != nil {
		return fact.Unknown[bool]("", scope, err.Error())
	}
	s := trim(b)
	if s != "0" && s != "1" {
		return fact.Unknown[bool]("", scope, fmt.Sprintf("%s: %q is neither 0 nor 1", Abs(name), fact.Clip(s)))
	}
	return fact.Known(s == "1", "", scope, Abs(name))
}

// Chosen reads a file that lists choices with the one in force in brackets: "always [madvise] never".
func (c *Reader) Chosen(name string, scope fact.Scope) fact.Value[string] {
	b, err := c.File(name, SmallFile)
	if err != nil {
		return fact.Unknown[string]("", scope, err.Error())
	}
	choice, err := parseChoice(b)
	if err != nil {
		return fact.Unknown[string]("", scope, Abs(name)+": "+err.Error())
	}
	return fact.Known(choice, "", scope, Abs(name))
}

// parseChoice returns the choice in brackets, of which there is exactly one.
func parseChoice(b []byte) (string, error) {
	var found []string
	for _, f := range strings.Fields(string(b)) {
		if len(f) > 2 && f[0] == '[' && f[len(f)-1] == ']' {
			found = append(found, f[1:len(f)-1])
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%q does not have one choice in brackets", fact.Clip(string(b)))
	}
	return found[0], nil
}

// trim takes away what is around a value in a file: white space, and the NUL with which some files end.
func trim(b []byte) string { return strings.Trim(string(b), "\x00 \t\r\n\v\f") }

// List is a list of processors or nodes that was read from the file name.
func (c *Reader) List(name string, b []byte, err error, scope fact.Scope) fact.Value[string] {
	if err != nil {
		return fact.Unknown[string]("", scope, err.Error())
	}
	s, err := ListOf(name, b)
	if err != nil {
		return fact.Unknown[string]("", scope, Abs(name)+": "+err.Error())
	}
	return fact.Known(s, "", scope, Abs(name))
}

// ListOf is the list in a file: as it stands there, or of a mask in a file without "list" in its name,
// "00000000,0000ff01" for 0,8-15. Masks are in words of 32 bits, the highest first.
func ListOf(name string, b []byte) (string, error) {
	s := trim(b)
	if !isMask(path.Base(name)) {
		_, err := ParseList(s)
		return s, err
	}
	var members []int64
	words := strings.Split(s, ",")
	for i, word := range words {
		n, err := strconv.ParseUint(word, 16, 32)
		if err != nil || len(words) > maxProcessor/32 {
			return "", fmt.Errorf("%q is not a mask", fact.Clip(s))
		}
		for bit := range 32 {
			if n>>bit&1 == 1 {
				members = append(members, int64(len(words)-1-i)*32+int64(bit))
			}
		}
	}
	slices.Sort(members)
	return FormatList(members), nil
}

// isMask tells whether a file of the name is one of those that hold a mask of processors.
func isMask(base string) bool {
	switch base {
	case "cpumap", "core_cpus", "thread_siblings", "package_cpus", "core_siblings", "die_cpus", "local_cpus":
		return true
	}
	return false
}

// FormatList writes ascending numbers as the kernel does: "0-3,8".
func FormatList(numbers []int64) string {
	var out []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if j == i {
			out = append(out, strconv.FormatInt(numbers[i], 10))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(out, ",")
}

const maxProcessor = 1 << 20 // above what any kernel is built for (CONFIG_NR_CPUS)

// Ranges returns the ranges in a list as the kernel writes it, "0-3,8": ascending, without overlaps. An empty list is
// one.
func Ranges(s string) ([][2]int64, error) {
	s = trim([]byte(s))
	if s == "" {
		return nil, nil
	}
	bad := fmt.Errorf("%q is not a list of ranges", fact.Clip(s))
	var out [][2]int64
	last := int64(-1)
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.ParseInt(from, 10, 64)
		if err != nil {
			return nil, bad
		}
		b := a
		if isRange {
			if b, err = strconv.ParseInt(to, 10, 64); err != nil {
				return nil, bad
			}
		}
		if a <= last || b < a || b > maxProcessor {
			return nil, bad
		}
		last = b
		out = append(out, [2]int64{a, b})
	}
	return out, nil
}

// ParseList returns how many a list names.
func ParseList(s string) (n int64, err error) {
	rs, err := Ranges(s)
	for _, r := range rs {
		n += r[1] - r[0] + 1
	}
	return n, err
}

// Numbered returns the numbers of the names that are the prefix and a number, ascending.
func Numbered(names []string, prefix string) []int {
	var out []int
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, prefix)
		if n, err := strconv.Atoi(rest); ok && err == nil && n >= 0 && strconv.Itoa(n) == rest {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// ParseNumbers returns the first n numbers of a line; none of them is negative.
func ParseNumbers(b []byte, n int) ([]float64, error) {
	f := strings.Fields(string(b))
	bad := fmt.Errorf("%q does not begin with %d numbers", fact.Clip(string(b)), n)
	if len(f) < n {
		return nil, bad
	}
	out := make([]float64, n)
	for i := range out {
		x, err := strconv.ParseFloat(f[i], 64)
		if err != nil || !(x >= 0) || math.IsInf(x, 0) {
			return nil, bad
		}
		out[i] = x
	}
	return out, nil
}
