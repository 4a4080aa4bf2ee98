package stats

import (
	"math"
	"strings"
)

// LogRatioInterval returns the interval for the ratio of the geometric means, that of b over that of a: Welch's on the
// logarithms ([WelchLogs]), transformed back. The ratio has no unit; unit names the replicate.
//
// At a nominal 95 % it covers between 94.5 and 96.6 % for lognormal samples of 3 to 10, and down to 94.3 % at n = 3
// where one SD is four times the other. Where the sizes differ, the degrees of freedom are bounded by those of the
// smaller side.
//
// One sample on a side gives the estimate and an undefined interval with the warning SingleSample, and no spread on
// either side the same with ResolutionLimited. Ties do not matter. A bound beyond the largest float64 is +Inf, one
// below the smallest is 0; a ratio that is itself beyond either, which different units give, is ErrOverflow. A value
// that is not above 0 is ErrOutOfRange with its index, other errors are those of [Welch] and of [MeanInterval].
func LogRatioInterval(a, b []float64, confidence float64, unit string) (Interval, error) {
	t, err := logTest(a, b, false)
	if err != nil {
		return Interval{}, err
	}
	return t.ratio(confidence, unit)
}

// PairedLogRatioInterval is [LogRatioInterval] for pairs, b[i] measured side by side with a[i]: the interval for the
// geometric mean of b[i]/a[i], by Student's t on the logarithms. It covers 95.0 % at a nominal 95 % for lognormal
// ratios. Unequal lengths are ErrLengthMismatch.
func PairedLogRatioInterval(a, b []float64, confidence float64, unit string) (Interval, error) {
	t, err := logTest(a, b, true)
	if err != nil {
		return Interval{}, err
	}
	return t.ratio(confidence, unit)
}

// ratio is the interval of a test on logarithms, as a ratio.
func (t TTest) ratio(confidence float64, unit string) (Interval, error) {
	v, err := t.Interval(confidence, unit)
	if err != nil {
		return Interval{}, err
	}
	v.Estimate, v.Low, v.High = math.Exp(v.Estimate), math.Exp(v.Low), math.Exp(v.High)
	if v.Defined() {
		v.needWidth()
	}
	v.Assumptions[2] = strings.Replace(v.Assumptions[2], "the estimate", "the difference of mean logarithms", 1)
	v.Assumptions[2] = strings.Replace(v.Assumptions[2], "differences", "logarithms of ratios", 1)
	return v, nil
}

// logTest is WelchLogs or PairedLogs, but where a side has a single sample it is a test that knows nothing but the
// difference. And the ratio must be a float64 to full precision: as 0 or +Inf it would have bounds of no width.
func logTest(a, b []float64, pairs bool) (TTest, error) {
	t, err := anyLogTest(a, b, pairs)
	if ratio := math.Exp(t.Difference); err == nil && !(ratio >= 0x1p-1022 && ratio <= math.MaxFloat64) {
		return TTest{}, &ValueError{Arg: "b", Index: []int{0}, Value: b[0], Err: ErrOverflow,
			Remedy: "the ratio of b to a is beyond what a float64 holds; give both in one unit"}
	}
	return t, err
}

func anyLogTest(a, b []float64, pairs bool) (TTest, error) {
	if pairs && len(a) != len(b) {
		return TTest{}, pairsError(b)
	}
	switch {
	case len(a) != 1 && len(b) != 1 && pairs:
		return PairedLogs(a, b)
	case len(a) != 1 && len(b) != 1:
		t, err := WelchLogs(a, b)
		if err != nil {
			return TTest{}, err
		}
		return t.guarded(len(a), len(b))
	}
	nan := math.NaN()
	t := TTest{Method: "Welch's t on logarithms", SE: nan, T: nan, DF: nan, P: nan, N: len(a) + len(b), SD: nan,
		Warnings: []Warning{singleSample()}}
	if pairs {
		t.Method, t.N = "paired t on logarithms", 1
	}
	logA, logB, _, err := logsOfTwo(a, b)
	if err != nil {
		return TTest{}, err
	}
	_, _, meanA, _ := moments(logA)
	_, _, meanB, _ := moments(logB)
	t.Difference = meanB - meanA
	return t, nil
}

// FiellerInterval returns the interval for the ratio of the arithmetic means, that of b over that of a, by Fieller's
// theorem (1954) for independent samples of unequal variance: all ρ for which b̄ − ρā is within t of its standard error
// √(s_b²/n_b + ρ²s_a²/n_a) of 0, with Satterthwaite's degrees of freedom at the estimated ρ. The ratio has no unit;
// unit names the replicate. Use [LogRatioInterval] for values whose variation is proportional; this is for means that a
// total is made of, such as cost.
//
// At a nominal 95 % it covers between 94.5 and 96.6 % for normal samples of 3 to 10, and down to 94.0 % at n = 3 where
// one SD is four times the other. Where the sizes differ, as 10 against 3, up to 3.7 % of the intervals at 95 % lie
// above the truth, or below, which the warning UnlikeSides says. All of this is for a CoV of a of 10 % and less.
//
// Where ā is itself not shown to differ from 0 the set of such ρ is unbounded: the interval is then undefined, with the
// warning DenominatorNearZero. One sample on a side, or no spread on either, is undefined as in LogRatioInterval.
// Errors are those of [Welch] and of [MeanInterval], and ErrOverflow for a ratio beyond the largest float64.
func FiellerInterval(a, b []float64, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	if err := checkSample("a", a); err != nil {
		return Interval{}, err
	}
	if err := checkSample("b", b); err != nil {
		return Interval{}, err
	}
	_, _, meanA, sdA := moments(a)
	_, _, meanB, sdB := moments(b)
	nA, nB := float64(len(a)), float64(len(b))
	v := Interval{
		Estimate: meanB / meanA, Low: math.NaN(), High: math.NaN(),
		Method: "Fieller", N: len(a) + len(b), DF: math.NaN(), Confidence: confidence, Unit: unit,
		Assumptions: []string{
			"the replicates are independent",
			"each side is drawn from one population, without drift",
			"the means are approximately normal",
		},
	}
	v.Warnings = unitWarning(nil, unit)
	switch {
	case meanA == 0:
		v.Estimate = math.NaN()
		v.Warnings = append(v.Warnings, denominatorNearZero())
		return v, nil
	case math.IsInf(v.Estimate, 0):
		return Interval{}, differenceOverflow(a, b)
	case len(a) == 1 || len(b) == 1:
		v.Warnings = append(v.Warnings, singleSample())
		return v, nil
	case math.IsInf(sdA, 0) || math.IsInf(sdB, 0):
		return Interval{}, differenceOverflow(a, b)
	}
	// Each side by its own last digit, so that the unit of neither matters.
	flatA, flatB := sdA < lastDigit(largestOf(a)), sdB < lastDigit(largestOf(b))
	// Everything relative to ā, so that no square of a sample overflows.
	relA, relB := sdA/math.Abs(meanA)/math.Sqrt(nA), sdB/math.Abs(meanA)/math.Sqrt(nB)
	se := math.Hypot(relB, v.Estimate*relA)
	switch {
	case math.IsInf(relA, 0) || math.IsInf(se, 0):
		v.Warnings = append(v.Warnings, denominatorNearZero())
		return v, nil
	case flatA && flatB:
		v.Warnings = append(v.Warnings, noSpreadIn("both sides"))
		return v, nil
	case flatA:
		v.Warnings = append(v.Warnings, noSpreadIn("a"))
	case flatB:
		v.Warnings = append(v.Warnings, noSpreadIn("b"))
	}
	shareA, shareB := v.Estimate*relA/se, relB/se
	shareA, shareB = shareA*shareA, shareB*shareB
	df := 1 / (shareA*shareA/(nA-1) + shareB*shareB/(nB-1))
	t, err := studentQuantile((1-confidence)/2, df)
	if err != nil {
		return Interval{}, err
	}
	g := t * relA * t * relA
	if !(g < 1) {
		v.Warnings = append(v.Warnings, denominatorNearZero())
		return v, nil
	}
	half := t * math.Hypot(relB*math.Sqrt(1-g), v.Estimate*relA) / (1 - g)
	low, high := v.Estimate/(1-g)-half, v.Estimate/(1-g)+half
	if math.IsInf(low, 0) || math.IsInf(high, 0) {
		return Interval{}, differenceOverflow(a, b)
	}
	v.DF, v.Low, v.High = df, low, high
	v.needWidth()
	if v.Defined() {
		if len(a) != len(b) {
			v.Warnings = append(v.Warnings, Warning{UnlikeSides,
				"one side has more samples, whose spread lends its degrees of freedom to the other: up to 3.7 % lie " +
					"beyond one bound where 2.5 % is nominal"})
		}
		// What rounding may have done to either mean, in the first order.
		v.widen(coarseness(b)/math.Abs(meanA)+math.Abs(v.Estimate)*coarseness(a)/math.Abs(meanA),
			"the samples of a side")
	}
	return v, nil
}
