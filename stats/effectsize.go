package stats

import "math"

// HedgesG returns the standardised mean difference (b̄ − ā)/s, s being the pooled standard deviation, in units of that
// deviation. The estimate is Hedges' g, which J = Γ(ν/2)/(√(ν/2)·Γ((ν − 1)/2)), ν = n_a + n_b − 2, frees of its bias
// (Hedges 1981). The bounds are those for the true difference δ, by inverting the noncentral t distribution (Steiger &
// Fouladi 1997); they are not multiplied by J. unit names the replicate.
//
// At a nominal 95 % they cover between 94.8 and 95.2 % for normal samples with equal variances, which it assumes. It
// says how large a difference is beside the noise, and not whether it matters: for that see [Compare].
//
// One sample on a side leaves estimate and bounds undefined with the warning SingleSample, and no spread on either side
// does with ResolutionLimited: there is then no deviation to measure in. Errors are those of [Welch] and of
// [MeanInterval].
func HedgesG(a, b []float64, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	if err := checkSample("a", a); err != nil {
		return Interval{}, err
	}
	if err := checkSample("b", b); err != nil {
		return Interval{}, err
	}
	v := Interval{
		Estimate: math.NaN(), Low: math.NaN(), High: math.NaN(),
		Method: "Hedges' g, bounds by noncentral t", N: len(a) + len(b), DF: math.NaN(), Confidence: confidence,
		Unit: unit,
		Assumptions: []string{
			"the replicates are independent",
			"each side is drawn from one normal population, without drift",
			"both populations have the same variance",
		},
	}
	v.Warnings = unitWarning(nil, unit)
	if len(a) == 1 || len(b) == 1 {
		v.Warnings = append(v.Warnings, singleSample())
		return v, nil
	}
	t, err := welch("", a, b, rawScale(a, b))
	if err != nil {
		return Interval{}, err
	}
	v.Warnings = append(v.Warnings, t.Warnings...)
	if math.IsNaN(t.T) {
		return v, nil
	}
	v.DF = float64(len(a) + len(b) - 2)
	root := math.Sqrt(1/float64(len(a)) + 1/float64(len(b)))
	d := t.Difference / t.SD
	v.Estimate = hedgesJ(v.DF) * d
	tail := (1 - confidence) / 2
	rounding := t.Rounding / t.SD // of coarse samples
	low, err := noncentrality((d-rounding)/root, v.DF, tail)
	if err != nil {
		return Interval{}, err
	}
	high, err := noncentrality(-(d+rounding)/root, v.DF, tail)
	if err != nil {
		return Interval{}, err
	}
	v.Low, v.High = low*root, -high*root
	v.needWidth()
	return v, nil
}

// hedgesJ is the factor by which the standardised difference overstates, for df ≥ 2.
func hedgesJ(df float64) float64 {
	upper, _ := math.Lgamma(df / 2)
	lower, _ := math.Lgamma((df - 1) / 2)
	return math.Exp(upper-lower) / math.Sqrt(df/2)
}

// noncentrality returns the δ for which a noncentral t of df degrees of freedom exceeds t with probability tail. The
// probability rises with δ, so that bisection between brackets found by doubling cannot fail.
func noncentrality(t, df, tail float64) (float64, error) {
	reach := max(1, math.Abs(t)/2)
	low, high := t-reach, t+reach
	for {
		p, err := noncentralTail(t, df, low)
		if err != nil {
			return 0, err
		}
		if p < tail {
			break
		}
		reach *= 2
		low = t - reach
	}
	reach = max(1, math.Abs(t)/2)
	for {
		p, err := noncentralTail(t, df, high)
		if err != nil {
			return 0, err
		}
		if p > tail {
			break
		}
		reach *= 2
		high = t + reach
	}
	for range 200 {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			break
		}
		p, err := noncentralTail(t, df, middle)
		if err != nil {
			return 0, err
		}
		if p < tail {
			low = middle
		} else {
			high = middle
		}
	}
	return low + (high-low)/2, nil
}
