package stats

import (
	"math"
	"slices"
)

// Quantile returns the p-quantile of x by type 7 of Hyndman & Fan (1996), which is numpy's and R's default: with the
// samples in order x₀ ≤ … ≤ xₙ₋₁ and h = (n − 1)p, it is x⌊h⌋ + (h − ⌊h⌋)(x⌊h⌋₊₁ − x⌊h⌋). p is a fraction, so the 99th
// percentile is 0.99; p = 0 is the minimum and p = 1 the maximum. The result is in the unit of x and never decreases in
// p.
//
// x may be in any order and is not changed; ties count as often as they occur. One sample is every quantile of itself.
// No samples is ErrEmpty, NaN or an infinity ErrNotFinite with its index, p outside [0, 1] ErrOutOfRange. For several
// quantiles of one sample sort it once, with [NewSorted]; for other types see [Sorted.QuantileByType].
func Quantile(x []float64, p float64) (float64, error) {
	s, err := NewSorted(x)
	if err != nil {
		return 0, err
	}
	return s.Quantile(p)
}

// Sorted is a sample of finite values in increasing order. Samples that are already so convert without a copy, as
// Sorted(x); [NewSorted] makes one of any others.
type Sorted []float64

// NewSorted checks x and returns its samples in order. It sorts a copy, never x itself. No samples is ErrEmpty, NaN or
// an infinity is ErrNotFinite with its index in x.
func NewSorted(x []float64) (Sorted, error) {
	if err := checkSample("x", x); err != nil {
		return nil, err
	}
	s := slices.Clone(x)
	slices.Sort(s)
	return s, nil
}

// Quantile returns the p-quantile of s by type 7, as the function [Quantile] does, in constant time and without
// allocating.
//
// It therefore cannot look at every sample of a Sorted that was converted rather than made by [NewSorted]. It checks
// the ends, where sorting leaves NaNs and infinities, and the samples it uses: the result is never NaN, and what those
// show to be out of order is ErrNotSorted.
func (s Sorted) Quantile(p float64) (float64, error) {
	return s.QuantileByType(p, Type7)
}

// check looks at the given indices, which do not decrease.
func (s Sorted) check(indices ...int) error {
	for k, i := range indices {
		switch {
		case math.IsNaN(s[i]) || math.IsInf(s[i], 0):
			return checkSample("s", s) // names the first such sample
		case k > 0 && s[i] < s[indices[k-1]]:
			return &ValueError{Arg: "s", Index: []int{i}, Value: s[i], Err: ErrNotSorted,
				Remedy: "sort the samples, or let NewSorted do it"}
		}
	}
	return nil
}
