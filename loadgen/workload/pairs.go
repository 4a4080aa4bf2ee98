package workload

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// Lengths are how long prompts and answers are, where that is neither fixed nor uniform: each drawn by itself, or both
// together from pairs that were read with [ReadPairs]. The zero Lengths are none.
type Lengths struct {
	Input, Output Distribution

	pairs [][2]int
	name  string
	sum   string // SHA-256 of the file
}

// ReadPairs reads pairs of lengths, input and output, a pair a line with a comma or space between; a first line of names
// is left out. A pair is drawn as a whole, each as likely as another: long prompts keep their short answers. The error
// is a [*DatasetError] with the line.
func ReadPairs(r io.Reader, name string) (Lengths, error) {
	l := Lengths{name: name}
	sum := sha256.New()
	in := bufio.NewScanner(io.TeeReader(r, sum))
	for n := 1; in.Scan(); n++ {
		fields := strings.FieldsFunc(in.Text(), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == ';' })
		if len(fields) == 0 {
			continue
		}
		var pair [2]int
		ok := len(fields) == 2
		for i := range min(len(fields), 2) {
			x, err := strconv.Atoi(fields[i])
			pair[i] = x
			ok = ok && err == nil && x >= 1 && x <= MaxTokens
		}
		switch {
		case ok && len(l.pairs) < 10_000_000:
			l.pairs = append(l.pairs, pair)
		case n == 1 && len(fields) == 2 && pair == [2]int{}:
			// names
		default:
			return Lengths{}, &DatasetError{n, fmt.Errorf("want two numbers of tokens, input and output, not %.60q", in.Text())}
		}
	}
	if err := in.Err(); err != nil {
		return Lengths{}, &DatasetError{0, err}
	}
	if len(l.pairs) == 0 {
		return Lengths{}, &DatasetError{0, errors.New("it has no pairs")}
	}
	l.sum = hex.EncodeToString(sum.Sum(nil))
	return l, nil
}

// Or is l with fixed lengths in the place of those that it has no distribution of.
func (l Lengths) Or(input, output int) Lengths {
	if len(l.pairs) > 0 {
		return l
	}
	if l.Input.IsZero() {
		l.Input = Fixed(float64(input))
	}
	if l.Output.IsZero() {
		l.Output = Fixed(float64(output))
	}
	return l
}

// Mean is that of the lengths; NaN where it is not known without drawing them ([Distribution.Mean]).
func (l Lengths) Mean() (input, output float64) {
	if n := float64(len(l.pairs)); n > 0 {
		for _, p := range l.pairs {
			input, output = input+float64(p[0])/n, output+float64(p[1])/n
		}
		return input, output
	}
	return l.Input.Mean(), l.Output.Mean()
}

// files are those that they were read from.
func (l Lengths) files() []File {
	if len(l.pairs) > 0 {
		return []File{{Name: l.name, SHA256: l.sum, Prompts: len(l.pairs)}}
	}
	return append(l.Input.files(), l.Output.files()...)
}

// IsZero reports whether there are none.
func (l Lengths) IsZero() bool { return len(l.pairs) == 0 && l.Input.IsZero() && l.Output.IsZero() }

// Draw draws the lengths of a prompt and of its answer, 1 or more each.
func (l Lengths) Draw(from rand.Source) (input, output int) {
	if len(l.pairs) > 0 {
		p := l.pairs[int(unit(from)*float64(len(l.pairs)))]
		return p[0], p[1]
	}
	return l.Input.tokens(from), l.Output.tokens(from)
}

// String says what they are: "input lognormal:300,0.8, output 64", "pairs of FILE".
func (l Lengths) String() string {
	if len(l.pairs) > 0 {
		return fmt.Sprintf("%d pairs of %s", len(l.pairs), l.name)
	}
	return fmt.Sprintf("input %v, output %v", l.Input, l.Output)
}

func (l Lengths) validate() error {
	if len(l.pairs) == 0 && (l.Input.IsZero() || l.Output.IsZero()) {
		return &loadgen.InvalidError{Field: "lengths", Value: l, Want: "distributions of both, or pairs"}
	}
	return cmp.Or(l.Input.Counts(), l.Output.Counts())
}
