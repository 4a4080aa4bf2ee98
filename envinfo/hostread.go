package envinfo

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// How the files of sysfs and procfs that hold one value are read.

// integer reads a file that holds one whole number.
func (c *reader) integer(name, unit string, scope Scope) Value[int64] {
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[int64](unit, scope, err.Error())
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return Unknown[int64](unit, scope, fmt.Sprintf("%s: %q is not a number", abs(name), clip(string(b))))
	}
	return Known(n, unit, scope, abs(name))
}

// flag reads a file that holds 0 or 1.
func (c *reader) flag(name string, scope Scope) Value[bool] {
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[bool]("", scope, err.Error())
	}
	s := strings.TrimSpace(string(b))
	if s != "0" && s != "1" {
		return Unknown[bool]("", scope, fmt.Sprintf("%s: %q is neither 0 nor 1", abs(name), clip(s)))
	}
	return Known(s == "1", "", scope, abs(name))
}

// chosen reads a file that lists choices with the one in force in brackets: "always [madvise] never".
func (c *reader) chosen(name string, scope Scope) Value[string] {
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[string]("", scope, err.Error())
	}
	choice, err := parseChoice(b)
	if err != nil {
		return Unknown[string]("", scope, abs(name)+": "+err.Error())
	}
	return Known(choice, "", scope, abs(name))
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
		return "", fmt.Errorf("%q does not have one choice in brackets", clip(string(b)))
	}
	return found[0], nil
}

// list is a list of processors or nodes that was read from the file name.
func (c *reader) list(name string, b []byte, err error, scope Scope) Value[string] {
	if err != nil {
		return Unknown[string]("", scope, err.Error())
	}
	s := strings.TrimSpace(string(b))
	if _, err := parseList(s); err != nil {
		return Unknown[string]("", scope, abs(name)+": "+err.Error())
	}
	return Known(s, "", scope, abs(name))
}

const maxProcessor = 1 << 20 // above what any kernel is built for (CONFIG_NR_CPUS)

// ranges returns the ranges in a list as the kernel writes it, "0-3,8": ascending, without overlaps. An empty list is one.
func ranges(s string) ([][2]int64, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	bad := fmt.Errorf("%q is not a list of ranges", clip(s))
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

// parseList returns how many a list names.
func parseList(s string) (n int64, err error) {
	rs, err := ranges(s)
	for _, r := range rs {
		n += r[1] - r[0] + 1
	}
	return n, err
}

// numbered returns the numbers of the names that are the prefix and a number, ascending.
func numbered(names []string, prefix string) []int {
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

// parseNumbers returns the first n numbers of a line; none of them is negative.
func parseNumbers(b []byte, n int) ([]float64, error) {
	f := strings.Fields(string(b))
	bad := fmt.Errorf("%q does not begin with %d numbers", clip(string(b)), n)
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
