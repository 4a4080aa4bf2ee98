package stats

import (
	"encoding/json"
	"math"
	"slices"
)

// TTest compares two means by Student's t: that of b minus that of a.
//
// T, DF and P are NaN, null in JSON, with the warning ResolutionLimited, where the samples show no spread at all: their
// difference then has no measure of error, and is neither shown to be 0 nor not to be.
type TTest struct {
	Method     string
	Difference float64 // mean of b − mean of a, in the unit of the samples, or a difference of logarithms
	SE         float64 // the standard error of Difference, in its unit
	T          float64 // Difference/SE
	DF         float64 // degrees of freedom, fractional for Welch's test
	P          float64 // two-sided: the probability of a |T| as large, if the means do not differ
	N          int     // samples in both together, or pairs
	// SD is that of one sample, pooled over a and b with their degrees of freedom, or that of the differences of pairs.
	SD       float64
	Warnings []Warning // nil if there are none
}

// Welch tests the means of two independent samples for a difference, without assuming that their variances are equal
// (Welch 1947): T = (b̄ − ā)/√(s_a²/n_a + s_b²/n_b), with Satterthwaite's degrees of freedom. Neither slice is changed.
//
// A pre-test for equal variances, to pool them where it does not object, was rejected: it has no power at n = 5 and spoils
// the error rate of what follows it.
//
// Fewer than two samples on a side are ErrTooFew, none is ErrEmpty, a NaN or an infinity ErrNotFinite with its index, a
// difference beyond the largest float64 ErrOverflow. Ties do not matter. If neither side has any spread see [TTest]; if
// one side has none, the test rests on the other and the warning ResolutionLimited says so.
func Welch(a, b []float64) (TTest, error) {
	for _, s := range []struct {
		arg string
		x   []float64
	}{{"a", a}, {"b", b}} {
		if err := checkReplicates(s.arg, s.x); err != nil {
			return TTest{}, err
		}
	}
	return welch("Welch's t", a, b, 0)
}

// WelchLogs is [Welch] on the natural logarithms, so that Difference is the logarithm of the ratio of geometric means. It is
// for throughputs and latencies, whose variation is proportional. Its SD is, while small, the coefficient of variation.
//
// A value that is not above 0 is ErrOutOfRange with its index: it has no logarithm.
func WelchLogs(a, b []float64) (TTest, error) {
	logA, logB, err := logsOfTwo(a, b)
	if err != nil {
		return TTest{}, err
	}
	return welch("Welch's t on logarithms", logA, logB, 1)
}

// PairedT tests the mean of the differences b[i] − a[i], for runs that were measured side by side (in one block, on one
// day), so that what they share cancels. It has n − 1 degrees of freedom.
//
// Fewer than two pairs are ErrTooFew, unequal lengths ErrLengthMismatch; other errors, and differences that are all the
// same, are as for [Welch].
func PairedT(a, b []float64) (TTest, error) {
	if err := checkPairs(a, b); err != nil {
		return TTest{}, err
	}
	return paired("paired t", a, b, 0)
}

// PairedLogs is [PairedT] on the natural logarithms: Difference is the logarithm of the geometric mean of the ratios
// b[i]/a[i]. A value that is not above 0 is ErrOutOfRange with its index.
func PairedLogs(a, b []float64) (TTest, error) {
	if err := checkPairs(a, b); err != nil {
		return TTest{}, err
	}
	logA, logB, err := logsOfTwo(a, b)
	if err != nil {
		return TTest{}, err
	}
	return paired("paired t on logarithms", logA, logB, 1)
}

// Interval returns Difference ± t·SE at a two-sided confidence between 0 and 1 (else ErrOutOfRange), in the unit of the
// samples; unit names the replicate. At a nominal 95 % it covers 94.5 to 96.6 % for two independent normal samples of 3 to 10
// (down to 94.3 % at n = 3 where one SD is four times the other), and 95.0 % for pairs. It is undefined where T is. Bounds beyond the largest float64 are ErrOverflow.
func (t TTest) Interval(confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	v := Interval{
		Estimate: t.Difference, Low: math.NaN(), High: math.NaN(),
		Method: t.Method, N: t.N, DF: t.DF, Confidence: confidence, Unit: unit,
		Assumptions: []string{
			"the replicates are independent",
			"each side is drawn from one population, without drift",
			"the estimate is approximately normal",
		},
		Warnings: unitWarning(slices.Clone(t.Warnings), unit),
	}
	if math.IsNaN(t.T) {
		return v, nil
	}
	if err := v.around(t.SE); err != nil {
		return Interval{}, err
	}
	if math.IsInf(v.Low, 0) || math.IsInf(v.High, 0) {
		return Interval{}, &ValueError{Arg: "t.SE", Value: t.SE, Err: ErrOverflow, Remedy: "use a larger unit"}
	}
	return v, nil
}

// roundingError is the share of the largest value that a standard error must exceed to be one. Below it is what rounding has
// left of no spread: the logarithms of the ratios 2:1, 4:2 and 6:3 differ in their last bit.
const roundingError = 0x1p-48

// welch and paired take samples that were checked. What is rounded is taken to be of the order of one, at least: for logarithms
// that is 1, because their error is that of the value's relative rounding.
func welch(method string, a, b []float64, one float64) (TTest, error) {
	_, _, meanA, sdA := moments(a)
	_, _, meanB, sdB := moments(b)
	nA, nB := float64(len(a)), float64(len(b))
	errA, errB := sdA/math.Sqrt(nA), sdB/math.Sqrt(nB)
	t := TTest{
		Method: method, Difference: meanB - meanA, SE: math.Hypot(errA, errB),
		T: math.NaN(), DF: math.NaN(), P: math.NaN(), N: len(a) + len(b),
		SD: math.Hypot(sdA*math.Sqrt((nA-1)/(nA+nB-2)), sdB*math.Sqrt((nB-1)/(nA+nB-2))),
	}
	if math.IsInf(t.Difference, 0) || math.IsInf(t.SE, 0) || math.IsInf(t.SD, 0) {
		return TTest{}, differenceOverflow(a, b)
	}
	switch {
	case t.SE <= roundingError*max(one, largestOf(a), largestOf(b)):
		t.Warnings = []Warning{noSpreadIn("both sides")}
		return t, nil
	case sdA == 0:
		t.Warnings = []Warning{noSpreadIn("a")}
	case sdB == 0:
		t.Warnings = []Warning{noSpreadIn("b")}
	}
	// Shares of the variance, so that no fourth power overflows.
	shareA, shareB := errA/t.SE, errB/t.SE
	shareA, shareB = float64(shareA*shareA), float64(shareB*shareB)
	t.DF = 1 / (float64(shareA*shareA)/(nA-1) + float64(shareB*shareB)/(nB-1))
	return t.finish()
}

func paired(method string, a, b []float64, one float64) (TTest, error) {
	differences := make([]float64, len(a))
	for i := range a {
		if differences[i] = b[i] - a[i]; math.IsInf(differences[i], 0) {
			return TTest{}, differenceOverflow(a, b)
		}
	}
	_, _, mean, sd := moments(differences)
	t := TTest{
		Method: method, Difference: mean, SE: sd / math.Sqrt(float64(len(a))),
		T: math.NaN(), DF: math.NaN(), P: math.NaN(), N: len(a), SD: sd,
	}
	if math.IsInf(sd, 0) {
		return TTest{}, differenceOverflow(a, b)
	}
	if t.SE <= roundingError*max(one, largestOf(a), largestOf(b)) {
		t.Warnings = []Warning{noSpreadIn("the differences of the pairs")}
		return t, nil
	}
	t.DF = float64(len(a) - 1)
	return t.finish()
}

// finish fills in T and P from the rest.
func (t TTest) finish() (TTest, error) {
	t.T = t.Difference / t.SE
	tail, err := StudentTail(math.Abs(t.T), t.DF)
	if err != nil {
		return TTest{}, err
	}
	t.P = min(1, 2*tail)
	return t, nil
}

// checkReplicates is checkSample for what needs a spread.
func checkReplicates(arg string, x []float64) error {
	if err := checkSample(arg, x); err != nil {
		return err
	}
	if len(x) < 2 {
		return &LengthError{Arg: arg, Len: len(x), Err: ErrTooFew,
			Remedy: "give at least two: one says nothing about the spread"}
	}
	return nil
}

// checkPairs refuses what cannot be paired; a and b are otherwise as checkReplicates wants them.
func checkPairs(a, b []float64) error {
	if err := checkReplicates("a", a); err != nil {
		return err
	}
	if len(b) != len(a) {
		return pairsError(b)
	}
	return checkReplicates("b", b)
}

func pairsError(b []float64) error {
	return &LengthError{Arg: "b", Len: len(b), Err: ErrLengthMismatch,
		Remedy: "pairs need as many of b as of a, in the same order"}
}

func logsOfTwo(a, b []float64) (logA, logB []float64, err error) {
	if err := checkReplicates("a", a); err != nil {
		return nil, nil, err
	}
	if err := checkReplicates("b", b); err != nil {
		return nil, nil, err
	}
	if logA, err = logarithms("a", a); err != nil {
		return nil, nil, err
	}
	logB, err = logarithms("b", b)
	return logA, logB, err
}

// differenceOverflow blames the sample furthest from 0.
func differenceOverflow(a, b []float64) error {
	arg, at, largest := "a", 0, 0.0
	for i, v := range a {
		if math.Abs(v) > math.Abs(largest) {
			at, largest = i, v
		}
	}
	for i, v := range b {
		if math.Abs(v) > math.Abs(largest) {
			arg, at, largest = "b", i, v
		}
	}
	return &ValueError{Arg: arg, Index: []int{at}, Value: largest, Err: ErrOverflow, Remedy: "use a larger unit"}
}

type tTestJSON struct {
	Method     string    `json:"method"`
	Difference number    `json:"difference"`
	SE         number    `json:"se"`
	T          number    `json:"t"`
	DF         number    `json:"df"`
	P          number    `json:"p"`
	N          int       `json:"n"`
	SD         number    `json:"sd"`
	Warnings   []Warning `json:"warnings,omitempty"`
}

// MarshalJSON writes the test with null for what is undefined.
func (t TTest) MarshalJSON() ([]byte, error) {
	if t.N == 0 { // the zero TTest, of no samples
		nan := math.NaN()
		t = TTest{Difference: nan, SE: nan, T: nan, DF: nan, P: nan, SD: nan}
	}
	return json.Marshal(tTestJSON{t.Method, number(t.Difference), number(t.SE), number(t.T), number(t.DF), number(t.P),
		t.N, number(t.SD), t.Warnings})
}

// UnmarshalJSON reads what MarshalJSON writes. A field that is null or absent is undefined.
func (t *TTest) UnmarshalJSON(b []byte) error {
	j := tTestJSON{Difference: undefined, SE: undefined, T: undefined, DF: undefined, P: undefined, SD: undefined}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*t = TTest{j.Method, float64(j.Difference), float64(j.SE), float64(j.T), float64(j.DF), float64(j.P),
		j.N, float64(j.SD), j.Warnings}
	return nil
}
