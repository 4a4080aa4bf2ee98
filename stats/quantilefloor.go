package stats

import "math"

// QuantileFloor returns the smallest number of samples from which the p-quantile has a finite bound on its outer side
// (above for p ≥ ½, below otherwise) at the given one-sided confidence, when the spare most extreme samples are not to
// be used. For a two-sided interval of confidence c, of which each side may fail with half of the rest, give (1 + c)/2.
//
// The bound is an order statistic. The largest of n independent samples, whatever their distribution, lies above the
// p-quantile unless all n fall below, with probability pⁿ; the (spare + 1)-th largest unless at most spare fall above,
// so the floor is the least n with P(Binomial(n, 1 − p) ≤ spare) ≤ 1 − confidence. For p = 0.99 and spare = 0 that is
// 299 at 0.95, and 368 for the two-sided 95 %: no number from fewer samples bounds their p99. MLPerf's early stopping
// has spare = 1 at 0.99: 64 samples for p90, 130 for p95, 662 for p99, 6636 for p99.9.
//
// p and confidence not strictly between 0 and 1, a negative spare, and a floor that an int cannot hold are
// ErrOutOfRange.
func QuantileFloor(p, confidence float64, spare int) (int, error) {
	if !(p > 0 && p < 1) {
		return 0, &ValueError{Arg: "p", Value: p, Err: ErrOutOfRange,
			Remedy: "give a fraction between 0 and 1, both excluded: no number of samples bounds the extremes"}
	}
	if err := checkConfidence(confidence); err != nil {
		return 0, err
	}
	if spare < 0 {
		return 0, &ValueError{Arg: "spare", Value: float64(spare), Err: ErrOutOfRange, Remedy: "give 0 or more"}
	}
	beyond := min(p, 1-p)
	// A little slack, so that a decimal confidence does not cost a sample where powers of p meet it exactly.
	risk := (1 - confidence) * (1 + 1e-12)
	enough := func(n int) bool { return n > spare && atMost(spare, n, beyond) <= risk }
	high := spare + 1
	for !enough(high) {
		if high > math.MaxInt/4 {
			return 0, &ValueError{Arg: "p", Value: p, Err: ErrOutOfRange,
				Remedy: "no number of samples reaches so far out"}
		}
		high *= 2
	}
	low := high / 2 // not enough, or there are none below
	for low+1 < high {
		if middle := low + (high-low)/2; enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}

// atMost is the probability that of n > k independent events, each of the given probability, at most k occur.
func atMost(k, n int, probability float64) float64 {
	if k == 0 {
		return math.Exp(float64(n) * math.Log1p(-probability))
	}
	// That the (k+1)-th smallest of n uniform variables, a beta variable, exceeds probability.
	a, b := float64(k+1), float64(n-k)
	return betaPoint(probability/(1-probability)*b/a, a, b).tail(true)
}
