package stats

import (
	"errors"
	"math"
	"testing"
)

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind error
		want string
	}{
		{&ValueError{Arg: "runs", Index: []int{2, 0}, Value: math.Inf(-1), Err: ErrNotFinite,
			Remedy: "measure it again"},
			ErrNotFinite, "stats: runs[2][0] = -Inf: not a finite number: measure it again"},
		{&ValueError{Arg: "confidence", Value: 95, Err: ErrOutOfRange, Remedy: "give 0.95"},
			ErrOutOfRange, "stats: confidence = 95: out of range: give 0.95"},
		{&LengthError{Arg: "runs", Index: []int{1}, Len: 3, Err: ErrLengthMismatch, Remedy: "give 4"},
			ErrLengthMismatch, "stats: runs[1] has length 3: lengths differ: give 4"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if !errors.Is(c.err, c.kind) || errors.Is(c.err, ErrEmpty) {
			t.Errorf("%v is not of the kind %v alone", c.err, c.kind)
		}
	}
}
