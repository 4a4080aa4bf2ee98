package stats

import (
	"fmt"
	"math"
	"slices"
)

// MedianInterval is [QuantileInterval] for the median. Of the ways to bound a centre it assumes the least, and at a
// nominal 95 % it needs n ≥ 6: the smallest and the largest of five samples have the median between them with 93.75 %,
// of three with 75 %. Below six the interval is undefined, and the warning says so. At n = 6 it covers 96.875 %, at n =
// 10 97.85 %.
func MedianInterval(x []float64, confidence float64, unit string) (Interval, error) {
	return QuantileInterval(x, 0.5, confidence, unit)
}

// QuantileInterval returns the two-sided interval for the p-quantile of the population that x is a sample of, by order
// statistics: the bounds are two of the samples, the innermost pair for which on either side the quantile lies beyond
// with probability (1 − confidence)/2 at most. How many of n samples lie below the quantile is binomial, whatever the
// population, so the coverage is known exactly: it is in Coverage, and not below confidence. Method gives the ranks, 1
// for the smallest: for the p90 of 100 they are 84 and 96, and the coverage is 95.57 %. p is a fraction, the 99th
// percentile 0.99. All three numbers are in the unit of x; unit names what each x is, see [Interval]: requests of one
// level are rarely independent, and then the coverage is less.
//
// Where even the extreme sample does not bound the quantile well enough, that side is unbounded, an infinity, with the
// warning TailUndersampled: a p99 of 100 has no upper bound at 95 %, which takes 368 (see [QuantileFloor]). With
// neither side bounded the interval is undefined, Coverage is 0, and the warning gives the coverage of the samples'
// whole range.
//
// Estimate is the quantile of type 7, which lies between samples. Where the bound is the extreme sample itself, as for
// the p99.5 of five, it may therefore fall a little short of the interval.
//
// In a population with ties (times read off a coarse clock) the coverage is at least the one given. Where both bounds
// are the same value, they are moved out to the next different samples, between which what was read as that value lies,
// with the warning ResolutionLimited; identical samples leave the interval undefined, with a Coverage of 0. x may be in
// any order and is not changed. Errors: ErrEmpty for no samples, ErrNotFinite with its index for NaN or an infinity,
// ErrOutOfRange for a confidence or a p not strictly between 0 and 1: the extremes of a population, p = 0 and 1, have
// no interval.
func QuantileInterval(x []float64, p, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	if !(p > 0 && p < 1) {
		return Interval{}, &ValueError{Arg: "p", Value: p, Err: ErrOutOfRange,
			Remedy: "give a fraction between 0 and 1, both excluded: the 99th percentile is 0.99"}
	}
	sorted, err := NewSorted(x)
	if err != nil {
		return Interval{}, err
	}
	estimate, err := sorted.Quantile(p)
	if err != nil {
		return Interval{}, err
	}
	n := len(sorted)
	v := Interval{
		Estimate: estimate, Low: math.NaN(), High: math.NaN(),
		N: n, DF: math.NaN(), Confidence: confidence, Unit: unit,
		Assumptions: assumptions(), Warnings: unitWarning(nil, unit),
	}
	tail := (1 - confidence) / 2
	low, high, below, above := ranks(n, p, tail)
	v.Method = fmt.Sprintf("order statistics %s and %s of %d", rank(low, n), rank(high, n), n)
	if low == 0 || high > n {
		v.Warnings = append(v.Warnings, noFiniteBound(n, p, confidence, low > 0, high <= n))
	}
	if low == 0 && high > n {
		return v, nil
	}
	v.Low, v.High = math.Inf(-1), math.Inf(1)
	v.Coverage = 1
	if low > 0 {
		v.Low = sorted[low-1]
		v.Coverage -= below
	}
	if high <= n {
		v.High = sorted[high-1]
		v.Coverage -= above
	}
	if v.Low == v.High {
		if v.Low, v.High = sorted.around(v.Low); math.IsNaN(v.Low) {
			v.Coverage = 0 // of no interval
		}
		v.Warnings = append(v.Warnings, tiedBounds())
		if !v.Defined() { // all are the same
			v.Coverage = 0
		}
	}
	return v, nil
}

// around returns the samples next to those of value v, between which what was read as v lies; as far on the other side
// where one has none, and NaN where all are v.
func (s Sorted) around(v float64) (low, high float64) {
	low, high = math.NaN(), math.NaN()
	first, _ := slices.BinarySearch(s, v)
	last, _ := slices.BinarySearch(s, math.Nextafter(v, math.Inf(1)))
	if first > 0 {
		low = s[first-1]
	}
	if last < len(s) {
		high = s[last]
	}
	switch {
	case math.IsNaN(low):
		low = v - (high - v)
	case math.IsNaN(high):
		high = v + (v - low)
	}
	return low, high
}

// ranks returns the ranks of the order statistics between which the p-quantile lies, with a probability on either side
// of being beyond that is at most tail: below that of being under the low one, above that of being over the high one.
// low is 0 and high n + 1 where there is none.
//
// The binomial probabilities come by their ratios outwards from the mode, where each is exact to a few bits. The
// incomplete beta function was rejected, because it needs logarithms, which are not the same bits on every machine.
func ranks(n int, p, tail float64) (low, high int, below, above float64) {
	// The slack is for a confidence that is itself one of the coverages: rounding must not lose the rank. Under ½ on
	// either side, no two ranks coincide.
	tail = min(tail*(1+1e-12), 0.5-1e-12)
	odds := p / (1 - p)
	mode := min(int(float64(float64(n)+1)*p), n)

	// The weights of mode − 1, mode − 2, … and of mode + 1, mode + 2, …, that of the mode being 1.
	var under, over []float64
	for w, k := 1.0, mode; k > 0; k-- {
		if w = w * (float64(k) / float64(n-k+1)) / odds; w < 1e-300 {
			break
		}
		under = append(under, w)
	}
	for w, k := 1.0, mode; k < n; k++ {
		if w = w * (float64(n-k) / float64(k+1)) * odds; w < 1e-300 {
			break
		}
		over = append(over, w)
	}
	var sum compensated
	for i := len(under) - 1; i >= 0; i-- {
		sum.add(under[i])
	}
	sum.add(1)
	for _, w := range over {
		sum.add(w)
	}
	total := sum.value()

	// The weight of k samples below the quantile, which is 0 where it underflowed.
	weight := func(k int) float64 {
		switch d := k - mode; {
		case d == 0:
			return 1
		case d < 0 && -d <= len(under):
			return under[-d-1]
		case d > 0 && d <= len(over):
			return over[d-1]
		}
		return 0
	}
	// The quantile is under the sample of rank r if fewer than r samples are below it, over it if r or more are.
	var beyond compensated
	for k := max(mode-len(under), 0); k < n; k++ {
		beyond.add(weight(k))
		if got := beyond.value() / total; got > tail {
			low = k
			break
		} else {
			below = got
		}
		low = k + 1
	}
	beyond, high = compensated{}, n+1
	for k := min(mode+len(over), n); k > 0; k-- {
		beyond.add(weight(k))
		if got := beyond.value() / total; got > tail {
			break
		} else {
			above = got
		}
		high = k
	}
	return low, high, below, above
}

// rank writes "84", or "none".
func rank(r, n int) string {
	if r == 0 || r > n {
		return "none"
	}
	return fmt.Sprint(r)
}

// samplesBounding returns how many samples it takes for one at least to lie beyond a quantile with a probability of 1 −
// tail, where each does with probability beyond: the smallest n with (1 − beyond)ⁿ ≤ tail. Unlike [QuantileFloor] it is
// for a text, of either side, and has an answer where that is larger than an int.
func samplesBounding(beyond, tail float64) float64 {
	return max(1, math.Ceil(math.Log(tail)/math.Log1p(-beyond)-1e-9))
}
