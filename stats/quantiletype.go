package stats

import (
	"math"
	"strconv"
)

// QuantileType is a definition of the sample quantile, by its number in Hyndman & Fan (1996). They differ visibly at
// the sizes of a benchmark, so the type belongs beside the figure: its String is "type 7 (Hyndman & Fan 1996)". The
// zero QuantileType is none of them, and refused.
type QuantileType int

// The types that this package computes. With the samples in order x₁ ≤ … ≤ xₙ:
const (
	// Type1 is the smallest sample that at least the fraction p of the samples do not exceed: x at the rank ⌈np⌉,
	// always a value that was measured, and what is meant by "nearest rank".
	Type1 QuantileType = 1
	// Type7 interpolates at the rank 1 + (n − 1)p. It is the default of numpy, R and this package.
	Type7 QuantileType = 7
	// Type8 interpolates at the rank (n + ⅓)p + ⅓, kept within 1 and n: about as often too high as too low whatever the
	// distribution, and what Hyndman & Fan recommend. In tails it lies further out than type 7.
	Type8 QuantileType = 8
)

// String names the definition as it is to be printed.
func (q QuantileType) String() string {
	return "type " + strconv.Itoa(int(q)) + " (Hyndman & Fan 1996)"
}

// QuantileByType returns the p-quantile of s by the given type, in constant time and without allocating; Type7 is what
// [Sorted.Quantile] returns. The result is in the unit of s, lies within its extremes, and never decreases in p. One
// sample is every quantile of itself. Errors are those of Sorted.Quantile, and ErrOutOfRange for another type.
func (s Sorted) QuantileByType(p float64, q QuantileType) (float64, error) {
	if !(p >= 0 && p <= 1) {
		return 0, fractionError("p", p)
	}
	if len(s) == 0 {
		return 0, checkSample("s", s)
	}
	n := float64(len(s))
	switch q {
	case Type1:
		return s.interpolate(float64(rankOf(p, len(s)) - 1))
	case Type7:
		return s.interpolate(float64(p * (n - 1))) // the conversion: no fusing into h − ⌊h⌋
	case Type8:
		return s.interpolate(min(max((float64((float64(3*n)+1)*p)-2)/3, 0), n-1))
	}
	return 0, &ValueError{Arg: "q", Value: float64(q), Err: ErrOutOfRange, Remedy: "give Type1, Type7 or Type8"}
}

// rankOf is the lowest rank k, from 1, of which k/n as a float64 is at least p, and 1 for p = 0. Comparing k/n makes p
// = 0.07 of n = 100 the seventh, where n·p rounds to more than 7.
func rankOf(p float64, n int) int {
	k := int(math.Ceil(float64(p * float64(n))))
	k = min(max(k, 1), n)
	for k > 1 && float64(k-1)/float64(n) >= p {
		k--
	}
	for k < n && float64(k)/float64(n) < p {
		k++
	}
	return k
}

// interpolate returns the value at the index h, which is within 0 and n − 1 and need not be whole.
func (s Sorted) interpolate(h float64) (float64, error) {
	below := int(h)
	above := min(below+1, len(s)-1)
	if err := s.check(0, below, above, len(s)-1); err != nil {
		return 0, err
	}
	a, b := s[below], s[above]
	g := h - float64(below)
	if width := b - a; !math.IsInf(width, 1) {
		return a + float64(g*width), nil // never beyond b, as g < 1 takes off more than the width was rounded up by
	}
	return float64((1-g)*a) + float64(g*b), nil // the signs differ, so this cannot overflow
}

func fractionError(arg string, p float64) error {
	return &ValueError{Arg: arg, Value: p, Err: ErrOutOfRange,
		Remedy: "give a fraction from 0 to 1: the 99th percentile is 0.99"}
}
