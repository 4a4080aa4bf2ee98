package fact

import (
	"fmt"
	"math"
)

// What follows from several values: none of it is known where one that it needs is not.

// Each is f of each of in.
func Each[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// Sum adds values of the same unit and scope; with one of them unknown, so is the sum. There must be one at least.
func Sum[T int64 | float64](values []Value[T]) Value[T] {
	if len(values) == 1 {
		return values[0]
	}
	var s T
	for i, v := range values {
		x, ok := v.Get()
		if !ok {
			return Unknown[T](v.Unit(), v.Scope(), fmt.Sprintf("%d of %d: %s", i+1, len(values), v.Reason()))
		}
		s += x
		if s < 0 {
			return Unknown[T](v.Unit(), v.Scope(),
				fmt.Sprintf("the sum of %d is out of range: %s", len(values), v.Source()))
		}
	}
	// Sums of decimal fractions such as 5.3 would end in …9999 otherwise.
	if f, ok := any(s).(float64); ok {
		s = T(math.Round(f*1e6) / 1e6)
	}
	return Known(s, values[0].Unit(), values[0].Scope(),
		fmt.Sprintf("sum of %d, the first from %s", len(values), values[0].Source()))
}

// Agree is the value that all have, and unknown when one is or two differ. There must be one at least.
func Agree[T Scalar](values []Value[T]) Value[T] {
	first, _ := values[0].Get()
	for _, v := range values {
		x, ok := v.Get()
		if !ok {
			return v
		}
		if x != first {
			return Unknown[T](v.Unit(), v.Scope(),
				fmt.Sprintf("nodes differ: %s is %v, %s is %v", values[0].Source(), first, v.Source(), x))
		}
	}
	return values[0]
}

// FirstKnown is the first of several values that is known, and else the first.
func FirstKnown[T Scalar](all ...Value[T]) Value[T] {
	for _, v := range all {
		if _, ok := v.Get(); ok {
			return v
		}
	}
	return all[0]
}

// Parsed is what parse makes of a text that was read, with the same scope and source.
func Parsed[T Scalar](text Value[string], unit string, parse func(string) (T, error)) Value[T] {
	s, ok := text.Get()
	if !ok {
		return Unknown[T](unit, text.Scope(), text.Reason())
	}
	v, err := parse(s)
	if err != nil {
		return Unknown[T](unit, text.Scope(), text.Source()+": "+err.Error())
	}
	return Known(v, unit, text.Scope(), text.Source())
}

// KnownCount is a count as the kernel writes it, without a sign.
func KnownCount(v uint64, unit, source string) Value[int64] {
	if v > math.MaxInt64 {
		return Unknown[int64](unit, ScopeHost, fmt.Sprintf("%s: %d is out of range", source, v))
	}
	return Known(int64(v), unit, ScopeHost, source)
}
