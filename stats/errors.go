package stats

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The kinds of error. Every error about samples or arguments is a [*ValueError] or a [*LengthError] (for errors.As) and
// wraps exactly one of these (for errors.Is), so a program can tell a hole in its data from a mistake in its own call.
var (
	// ErrEmpty: there is nothing to compute from.
	ErrEmpty = errors.New("no samples")
	// ErrNotFinite: a sample is NaN or infinite.
	ErrNotFinite = errors.New("not a finite number")
	// ErrOutOfRange: a finite value, or an argument, is outside the range that the computation is defined on.
	ErrOutOfRange = errors.New("out of range")
	// ErrNotSorted: values that must increase do not.
	ErrNotSorted = errors.New("not in increasing order")
	// ErrLengthMismatch: two arguments that belong together differ in length.
	ErrLengthMismatch = errors.New("lengths differ")
	// ErrOverflow: the result is too large for a float64, although every sample is finite.
	ErrOverflow = errors.New("result overflows float64")
	// ErrTooFew: there are samples, but fewer than the method needs.
	ErrTooFew = errors.New("too few samples")
	// ErrNotMeasured: a level that a comparison needs is not among those measured.
	ErrNotMeasured = errors.New("level not measured")
)

// ValueError reports one value that cannot be used. Nothing is ever dropped in its place: a sample that is left out
// silently changes what the remaining ones mean.
type ValueError struct {
	Arg    string  // the argument, by its name in the signature
	Index  []int   // where in Arg: nil for a scalar, {i} for a slice, {run, level} for a table
	Value  float64 // what was found there
	Remedy string  // what to do about it
	// the kind: ErrNotFinite, ErrOutOfRange, ErrNotSorted, ErrOverflow or ErrNotMeasured, ErrEmpty for a count of 0
	Err error
}

// Error names the place, the value, what is wrong with it and what to do.
func (e *ValueError) Error() string {
	value := strconv.FormatFloat(e.Value, 'g', -1, 64)
	return fmt.Sprintf("stats: %s = %s: %v: %s", place(e.Arg, e.Index), value, e.Err, e.Remedy)
}

// Unwrap returns the kind of the error.
func (e *ValueError) Unwrap() error { return e.Err }

// LengthError reports an argument that has the wrong number of elements.
type LengthError struct {
	Arg    string // the argument, by its name in the signature
	Index  []int  // which part of Arg, nil for all of it
	Len    int    // how many elements it has
	Remedy string // what to do about it
	Err    error  // the kind: ErrEmpty, ErrTooFew, ErrLengthMismatch or ErrOutOfRange
}

// Error names the argument, its length, what is wrong with it and what to do.
func (e *LengthError) Error() string {
	return fmt.Sprintf("stats: %s has length %d: %v: %s", place(e.Arg, e.Index), e.Len, e.Err, e.Remedy)
}

// Unwrap returns the kind of the error.
func (e *LengthError) Unwrap() error { return e.Err }

// place writes "runs[2][0]".
func place(arg string, index []int) string {
	var b strings.Builder
	b.WriteString(arg)
	for _, i := range index {
		fmt.Fprintf(&b, "[%d]", i)
	}
	return b.String()
}
