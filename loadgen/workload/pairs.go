package workload

import (
	"bufio"
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
}

// ReadPairs reads pairs of lengths, input and output, a pair a line with a comma or space between; a first line of names
// is left out. A pair is drawn as a whole, each as likely as another: long prompts keep their short answers. The error
// is a [*DatasetError] with the line.
func ReadPairs(r io.Reader, name string) (Lengths, error) {
	l := Lengths{name: name}
	in := bufio.NewScanner(r)
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
	return l, nil
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
	return nil
}
