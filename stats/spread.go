package stats

import (
	"math"
	"slices"
)

// SDInterval returns the two-sided interval for the standard deviation of the normal population that x is a sample of:
// from s√(ν/χ²) with the upper (1 − confidence)/2 quantile of χ² on ν = n − 1 degrees of freedom to that with the
// lower. Estimate is s, as [Summarize] has it; all three are in the unit of x. unit names what each x is, see
// [Interval].
//
// It is wide: from five runs the upper bound is 4.8 times the lower. And it is not centred: s is below the middle of
// its own distribution, so that the intervals of a few per cent of confidence lie above it. Unlike an interval for a
// mean it rests on the shape of the population at every n, so for skewed quantities use [LogSDInterval]. At a nominal
// 95 % it covers 95.0 % for normal x; for lognormal x whose logarithms have an SD of 0.12 it covers 94.7 / 94.5 / 94.1
// % at n = 3 / 5 / 10.
//
// One sample gives an undefined interval around an undefined estimate. Identical samples give the estimate 0, the
// warning ResolutionLimited and an undefined interval: that the spread is below the resolution does not show it to be
// below anything else, which an interval of zero width would. Where more than half of the samples are one value, or all
// are one of two, the spread may be that of rounding: both bounds are then further out by what half a step of the
// measurement does to an SD, with the same warning. Errors are those of [Summarize], ErrOutOfRange for a
// confidence not strictly between 0 and 1, and ErrOverflow for a bound beyond the largest float64.
func SDInterval(x []float64, confidence float64, unit string) (Interval, error) {
	v, err := spread(x, confidence, unit)
	if err != nil {
		return Interval{}, err
	}
	if math.IsInf(v.High, 1) {
		return Interval{}, overflowError(x)
	}
	v.Method = "χ²"
	v.Assumptions = assumptions("they are normal")
	return v, nil
}

// LogSDInterval is [SDInterval] on ln x, for skewed quantities such as latencies: Estimate, Low and High are standard
// deviations of ln x, which have no unit. Their exponentials are geometric standard deviations, the factor by which x
// typically varies; below 0.2 the numbers themselves are within about 1 % of the CoV of a lognormal x, √(exp(σ²) − 1).
//
// At a nominal 95 % it covers 95.0 % for lognormal x, at any n. One sample, identical samples and ties are treated as
// by SDInterval. The errors are its too, and ErrOutOfRange with its index for a sample that is not positive.
func LogSDInterval(x []float64, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	logs, err := logarithms("x", x)
	if err != nil {
		return Interval{}, err
	}
	over(x[0], x, logs)
	v, err := spread(logs, confidence, unit)
	if err != nil {
		return Interval{}, err
	}
	v.Method = "χ² on logarithms"
	v.Assumptions = assumptions("their logarithms are normal")
	return v, nil
}

// spread is SDInterval without its name.
func spread(x []float64, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	s, err := Summarize(x)
	if err != nil {
		return Interval{}, err
	}
	v := Interval{
		Estimate: s.SD, Low: math.NaN(), High: math.NaN(),
		N: s.N, DF: float64(s.N - 1), Confidence: confidence, Unit: unit, Warnings: unitWarning(s.Warnings, unit),
	}
	if !(s.SD > 0) {
		return v, nil
	}
	tail := (1 - confidence) / 2
	upper, err := chiSquareQuantile(tail, true, v.DF)
	if err != nil {
		return Interval{}, err
	}
	lower, err := chiSquareQuantile(tail, false, v.DF)
	if err != nil {
		return Interval{}, err
	}
	a, b := s.SD*math.Sqrt(v.DF/upper), s.SD*math.Sqrt(v.DF/lower)
	v.Low, v.High = min(a, b), max(a, b) // a confidence next to 0 makes both tails ½, and the order is rounding's
	v.needWidth()
	if step := stepOf(x); step > 0 && v.Defined() {
		// What is rounded by half a step at most has its SD changed by no more than that, times √(n/(n − 1)).
		off := step / 2 * math.Sqrt(float64(s.N)/v.DF)
		v.Low, v.High = max(v.Low-off, 0), v.High+off
		v.Warnings = append(v.Warnings, Warning{ResolutionLimited,
			"the samples are so few different values that their spread may be that of rounding: half a step of the " +
				"measurement is allowed for on either side"})
	}
	return v, nil
}

// stepOf returns the step of samples whose spread may be that of their rounding, and 0 for others: of those that are
// coarse, and of four or more that have two values, whose SD is half a step whatever there was to be rounded.
func stepOf(x []float64) float64 {
	if half := coarseness(x); half > 0 {
		return 2 * half
	}
	lo, hi := extremes(x)
	if len(x) < 4 || slices.ContainsFunc(x, func(v float64) bool { return v != lo && v != hi }) {
		return 0
	}
	return hi - lo
}
