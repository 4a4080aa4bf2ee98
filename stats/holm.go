package stats

import (
	"cmp"
	"math"
	"slices"
)

// Holm returns the p values of a family of tests adjusted so that rejecting every hypothesis whose adjusted p is at
// most α rejects any true one with probability α at most, whatever the dependence between the tests (Holm 1979). The
// k-th smallest of m is multiplied by m − k + 1, is not below the one before it, and is 1 at most. The order is that of
// p, which is not changed; ties stay ties.
//
// No p values are ErrEmpty. A p outside [0, 1], or NaN, is an error with its index: a test that could not be made is to
// be given as 1, because leaving it out would make the family smaller than it was.
func Holm(p []float64) ([]float64, error) {
	if len(p) == 0 {
		return nil, &LengthError{Arg: "p", Err: ErrEmpty, Remedy: "give at least one p value"}
	}
	for i, v := range p {
		kind := ErrOutOfRange
		if math.IsNaN(v) {
			kind = ErrNotFinite
		}
		if !(v >= 0 && v <= 1) {
			return nil, &ValueError{Arg: "p", Index: []int{i}, Value: v, Err: kind,
				Remedy: "give probabilities, and 1 for a test that could not be made"}
		}
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	adjusted := make([]float64, len(p))
	last := 0.0
	for k, i := range order {
		last = max(last, min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = last
	}
	return adjusted, nil
}
