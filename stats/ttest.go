package stats

import (
	"math"
	"slices"
	"strings"
)

// TTest compares two means by Student's t: that of b minus that of a.
//
// T, DF and P are NaN, null in JSON, with the warning ResolutionLimited, where the samples show no spread at all: their
// difference then has no measure of error, and is neither shown to be 0 nor not to be.
type TTest struct {
	Method     string
	Difference float64 // mean of b − mean of a, in the unit of the samples, or a difference of logarithms
	SE         float64 // the standard error of Difference, in its unit
	T          float64 // Difference/SE, Difference being moved towards 0 by Rounding
	DF         float64 // degrees of freedom, fractional for Welch's test
	P          float64 // two-sided: the probability of a |T| as large, if the means do not differ
	N          int     // samples in both together, or pairs
	// SD is that of one sample, pooled over a and b with their degrees of freedom, or that of the differences of pairs.
	SD float64
	// Rounding is by how much Difference may be off because a side is coarse, more than half of it being one value: T
	// is that much nearer to 0, bounds are that much wider. 0 otherwise.
	Rounding float64
	Warnings []Warning // nil if there are none
}

// Welch tests the means of two independent samples for a difference, without assuming that their variances are equal
// (Welch 1947): T = (b̄ − ā)/√(s_a²/n_a + s_b²/n_b), with Satterthwaite's degrees of freedom. Neither slice is changed.
//
// Where one side has fewer samples, its spread is trusted with the degrees of freedom of the other, and the test errs
// more often than it says: of 10 against 3 up to 3.7 % are called different in one direction where 2.5 % is nominal.
// [Compare] and [LogRatioInterval] guard against it.
//
// Fewer than two samples on a side are ErrTooFew, none is ErrEmpty, a NaN or an infinity ErrNotFinite with its index, a
// difference beyond the largest float64 ErrOverflow. If neither side has any spread see [TTest]; if one side has none,
// the test rests on the other and the warning ResolutionLimited says so. A spread below the last digit of the samples
// is none.
func Welch(a, b []float64) (TTest, error) {
	if err := checkTwo(a, b); err != nil {
		return TTest{}, err
	}
	return welch("Welch's t", a, b, rawScale(a, b))
}

// WelchLogs is [Welch] on the natural logarithms, so that Difference is the logarithm of the ratio of geometric means.
// It is for throughputs and latencies, whose variation is proportional. Its SD is, while small, the coefficient of
// variation.
//
// A value that is not above 0, or subnormal, is ErrOutOfRange with its index: it has no logarithm worth its digits.
func WelchLogs(a, b []float64) (TTest, error) {
	if err := checkTwo(a, b); err != nil {
		return TTest{}, err
	}
	logA, logB, scale, err := logsOfTwo(a, b)
	if err != nil {
		return TTest{}, err
	}
	return welch("Welch's t on logarithms", logA, logB, scale)
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
	return paired("paired t", a, b, rawScale(a, b))
}

// PairedLogs is [PairedT] on the natural logarithms: Difference is the logarithm of the geometric mean of the ratios
// b[i]/a[i]. A value that is not above 0 is ErrOutOfRange with its index.
func PairedLogs(a, b []float64) (TTest, error) {
	if err := checkPairs(a, b); err != nil {
		return TTest{}, err
	}
	logA, logB, scale, err := logsOfTwo(a, b)
	if err != nil {
		return TTest{}, err
	}
	return paired("paired t on logarithms", logA, logB, scale)
}

// Interval returns Difference ± t·SE at a two-sided confidence between 0 and 1 (else ErrOutOfRange), in the unit of the
// samples; unit names the replicate. At a nominal 95 % it covers 94.5 to 96.6 % for two independent normal samples of 3
// to 10 (down to 94.3 % at n = 3 where one SD is four times the other), and 95.0 % for pairs. It is undefined where T
// is. Bounds beyond the largest float64 are ErrOverflow.
func (t TTest) Interval(confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	v := Interval{
		Estimate: t.Difference, Low: math.NaN(), High: math.NaN(),
		Method: t.Method, N: t.N, DF: t.DF, Confidence: confidence, Unit: unit,
		Assumptions: t.assumptions(),
		Warnings:    unitWarning(slices.Clone(t.Warnings), unit),
	}
	if math.IsNaN(t.T) {
		return v, nil
	}
	if err := v.around(t.SE); err != nil {
		return Interval{}, err
	}
	v.widen(t.Rounding, "the samples of a side")
	if math.IsInf(v.Low, 0) || math.IsInf(v.High, 0) {
		return Interval{}, &ValueError{Arg: "t.SE", Value: t.SE, Err: ErrOverflow, Remedy: "use a larger unit"}
	}
	return v, nil
}

// A scale is what the samples of a test are known to, apart from their own spread.
type scale struct {
	digit    float64 // a standard deviation below it is rounding of the numbers, and none
	rounding float64 // see TTest.Rounding
}

// logDigit is four last digits of a number near 1, which is what the logarithm of a ratio of two rounded values may be
// off by.
const logDigit = 0x1p-50

// rawScale is that of values as they were measured. What is below their last digit is what the subtraction of decimals
// leaves: 1.1 − 1 and 3.1 − 3 differ by it. It depends on no unit, unlike a fixed share or a fixed amount.
func rawScale(a, b []float64) scale {
	return scale{lastDigit(max(largestOf(a), largestOf(b))), coarseness(a, b) + coarseness(b, a)}
}

// welch and paired take samples that were checked.
func welch(method string, a, b []float64, known scale) (TTest, error) {
	_, _, meanA, sdA := moments(a)
	_, _, _, sdB := moments(b)
	nA, nB := float64(len(a)), float64(len(b))
	errA, errB := sdA/math.Sqrt(nA), sdB/math.Sqrt(nB)
	t := TTest{
		Method: method, Difference: meanDistance(b, meanA) - meanDistance(a, meanA), SE: math.Hypot(errA, errB),
		T: math.NaN(), DF: math.NaN(), P: math.NaN(), N: len(a) + len(b),
		SD: math.Hypot(sdA*math.Sqrt((nA-1)/(nA+nB-2)), sdB*math.Sqrt((nB-1)/(nA+nB-2))),
	}
	if math.IsNaN(t.Difference) || math.IsInf(t.Difference, 0) || math.IsInf(t.SE, 0) || math.IsInf(t.SD, 0) {
		return TTest{}, differenceOverflow(a, b)
	}
	flatA, flatB := sdA < known.digit, sdB < known.digit
	switch {
	case flatA && flatB:
		t.Warnings = []Warning{noSpreadIn("both sides")}
		return t, nil
	case flatA:
		t.Warnings = []Warning{noSpreadIn("a")}
	case flatB:
		t.Warnings = []Warning{noSpreadIn("b")}
	}
	// Shares of the variance, so that no fourth power overflows.
	shareA, shareB := errA/t.SE, errB/t.SE
	shareA, shareB = float64(shareA*shareA), float64(shareB*shareB)
	t.DF = 1 / (float64(shareA*shareA)/(nA-1) + float64(shareB*shareB)/(nB-1))
	return t.finish(known)
}

// meanDistance is the mean of x − from. The differences of neighbours are exact, so that no digit of the result is lost
// to an offset that a and b share; where a difference overflows, the offset is not what matters.
func meanDistance(x []float64, from float64) float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		if d[i] = v - from; math.IsInf(d[i], 0) {
			_, _, mean, _ := moments(x)
			return mean - from
		}
	}
	_, _, mean, _ := moments(d)
	return mean
}

func paired(method string, a, b []float64, known scale) (TTest, error) {
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
	if sd < known.digit {
		t.Warnings = []Warning{noSpreadIn("the differences of the pairs")}
		return t, nil
	}
	t.DF = float64(len(a) - 1)
	return t.finish(known)
}

// finish fills in T and P from the rest.
func (t TTest) finish(known scale) (TTest, error) {
	if t.Rounding = known.rounding; t.Rounding > 0 {
		t.Warnings = withCoarse(t.Warnings, "the samples of a side")
	}
	if math.IsInf(t.Rounding, 1) { // a side that is one value, with nothing near that would show its steps
		t.DF, t.Rounding = math.NaN(), 0
		return t, nil
	}
	t.T = math.Copysign(max(math.Abs(t.Difference)-t.Rounding, 0)/t.SE, t.Difference)
	tail, err := studentTail(math.Abs(t.T), t.DF)
	if err != nil {
		return TTest{}, err
	}
	t.P = min(1, 2*tail)
	return t, nil
}

// guarded bounds the degrees of freedom by those of the smaller side: (n − 1)(1 + n/m), n being the smaller and m the
// larger size, which for samples of one size is no bound. Of 10 against 3 up to 2.9 % are then called different in one
// direction, as many as of equal sizes. With 2(n − 1) it is 3.3 %; with Hsu's n − 1, which is safe too, an eleventh run
// on one side of ten would take away half of the degrees of freedom.
func (t TTest) guarded(nA, nB int) (TTest, error) {
	if t.paired() || math.IsNaN(t.T) {
		return t, nil
	}
	fewer, more := float64(min(nA, nB)), float64(max(nA, nB))
	t.DF = min(t.DF, (fewer-1)*(1+fewer/more))
	return t.finish(scale{rounding: t.Rounding})
}

// assumptions are what the interval rests on. Pairs do not need what pairing takes out: sides that hold still.
func (t TTest) assumptions() []string {
	if t.paired() {
		return []string{
			"the pairs are independent of each other",
			"neither side gains by being measured first, or they take turns",
			"the mean of the differences is approximately normal",
		}
	}
	return []string{
		"the replicates are independent",
		"each side is drawn from one population, without drift",
		"the estimate is approximately normal, neither side being skewed unlike the other",
	}
}

func (t TTest) paired() bool { return strings.HasPrefix(t.Method, "paired") }

func checkTwo(a, b []float64) error {
	if err := checkReplicates("a", a); err != nil {
		return err
	}
	return checkReplicates("b", b)
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

// logsOfTwo returns the logarithms of a and b over a[0], which are the same in every unit, and to full precision also
// where the values are so near each other that their own logarithms are not.
func logsOfTwo(a, b []float64) (logA, logB []float64, known scale, err error) {
	if logA, err = logarithms("a", a); err != nil {
		return nil, nil, scale{}, err
	}
	if logB, err = logarithms("b", b); err != nil {
		return nil, nil, scale{}, err
	}
	over(a[0], a, logA)
	over(a[0], b, logB)
	digit := logDigit * max(1, largestOf(logA), largestOf(logB))
	return logA, logB, scale{digit, logCoarseness(a, b) + logCoarseness(b, a)}, nil
}

// over changes the logarithms of x to those of x over from.
func over(from float64, x, logs []float64) {
	for i, v := range x {
		if apart := (v - from) / from; math.Abs(apart) < 0.5 {
			logs[i] = math.Log1p(apart)
		} else {
			logs[i] -= math.Log(from)
		}
	}
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
	Rounding   number    `json:"rounding"`
	Warnings   []Warning `json:"warnings,omitempty"`
}

// MarshalJSON writes the test with null for what is undefined.
func (t TTest) MarshalJSON() ([]byte, error) {
	if t.N == 0 { // the zero TTest, of no samples
		nan := math.NaN()
		t = TTest{Difference: nan, SE: nan, T: nan, DF: nan, P: nan, SD: nan}
	}
	return marshal(tTestJSON{t.Method, number(t.Difference), number(t.SE), number(t.T), number(t.DF), number(t.P),
		t.N, number(t.SD), number(t.Rounding), t.Warnings})
}

// UnmarshalJSON reads what MarshalJSON writes. A field that is null or absent is undefined.
func (t *TTest) UnmarshalJSON(b []byte) error {
	j := tTestJSON{Difference: undefined, SE: undefined, T: undefined, DF: undefined, P: undefined, SD: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*t = TTest{j.Method, float64(j.Difference), float64(j.SE), float64(j.T), float64(j.DF), float64(j.P),
		j.N, float64(j.SD), float64(j.Rounding), j.Warnings}
	return nil
}
