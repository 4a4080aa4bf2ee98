package stats

import (
	"fmt"
	"math"
)

// test is the test on logarithms that c asks for, with what is known not to hold of the two sides.
func (c Comparison) test(a, b []float64) (TTest, error) {
	t, err := logTest(a, b, c.Paired)
	if err != nil {
		return TTest{}, err
	}
	if !c.Paired {
		return t, t.warnOfUnlikeSides(a, b)
	}
	if c.BFirst == nil {
		t.Warnings = append(t.Warnings, Warning{OrderUnknown,
			"which of each pair was measured first was not given: if it is always the same, drift looks like a " +
				"difference"})
		return t, nil
	}
	if len(c.BFirst) != len(a) {
		return TTest{}, &LengthError{Arg: "c.BFirst", Len: len(c.BFirst), Err: ErrLengthMismatch,
			Remedy: fmt.Sprintf("say of each of the %d pairs which was measured first, or leave it nil", len(a))}
	}
	return t.ordered(a, b, c.BFirst)
}

// ordered looks at the order within pairs. In turns, what being first does is part of the spread, and the paired test
// holds. Otherwise it is a bias, which the mean over the two orders is free of.
func (t TTest) ordered(a, b []float64, order []bool) (TTest, error) {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = math.Log(b[i]) - math.Log(a[i])
	}
	aFirst, bFirst := byOrder(d, order)
	n, m := len(aFirst), len(bFirst)
	switch {
	case n == 0 || m == 0:
		if len(a) > 1 { // one pair has no spread either, and says so
			t.Warnings = append(t.Warnings, Warning{OrderConfounded,
				"all pairs were measured in one order: drift looks like a difference"})
		}
		t.T, t.DF, t.P = math.NaN(), math.NaN(), math.NaN()
		return t, nil
	case !unbalanced(n, m) || math.IsNaN(t.T):
		return t, nil
	}
	_, _, first, sdFirst := moments(aFirst)
	_, _, second, sdSecond := moments(bFirst)
	var squares float64 // a single difference has no SD
	if n > 1 {
		squares += float64(n-1) * sdFirst * sdFirst
	}
	if m > 1 {
		squares += float64(m-1) * sdSecond * sdSecond
	}
	t.Method = "paired t on logarithms, less the effect of the order"
	t.Difference = (first + second) / 2
	t.DF = float64(n + m - 2)
	t.SD = math.Sqrt(squares / t.DF)
	t.SE = t.SD * math.Sqrt(1/float64(n)+1/float64(m)) / 2
	if t.SD < logDigit {
		t.T, t.DF, t.P = math.NaN(), math.NaN(), math.NaN()
		t.Warnings = append(t.Warnings, noSpreadIn("the differences of the pairs"))
		return t, nil
	}
	return t.finish(scale{logDigit, t.Rounding})
}

// byOrder divides what was found of pairs by which side was measured first. Where that is not known, all are of one.
func byOrder(d []float64, order []bool) (aFirst, bFirst []float64) {
	for i, v := range d {
		if i < len(order) && order[i] {
			bFirst = append(bFirst, v)
		} else {
			aFirst = append(aFirst, v)
		}
	}
	return aFirst, bFirst
}

// unbalanced reports whether both orders are there, and one so much more often that it is a bias.
func unbalanced(n, m int) bool { return n > 0 && m > 0 && max(n-m, m-n) > 1 }

// Where the sides look more unlike than this, a difference carries the warning UnlikeSides. Found by simulation, so
// that differences that are false and have no warning stay at 5 % also where one side alone is skewed: such a sample of
// five often looks neither skewed nor wide, and tests of either at 5 % would let 9 % pass.
const (
	unlikeSpread = 1.8 // the ratio of the SDs
	unlikeSkew   = 1.3 // the sample skewness of a side
)

// warnOfUnlikeSides says where the error rates of a comparison are not those of two symmetrical samples of one size.
func (t *TTest) warnOfUnlikeSides(a, b []float64) error {
	if math.IsNaN(t.T) {
		return nil
	}
	logA, logB, _, err := logsOfTwo(a, b)
	if err != nil {
		return err
	}
	_, _, _, sdA := moments(logA)
	_, _, _, sdB := moments(logB)
	why := ""
	switch {
	case math.Abs(skewness(logA)) > unlikeSkew:
		why = "a is skewed"
	case math.Abs(skewness(logB)) > unlikeSkew:
		why = "b is skewed"
	case max(sdA, sdB) > unlikeSpread*min(sdA, sdB):
		why = "one side varies more than the other"
	case len(a) != len(b):
		why = "one side has more runs"
	default:
		return nil
	}
	t.Warnings = append(t.Warnings, Warning{UnlikeSides, why + ": if one side alone is skewed, up to 12 % of the " +
		"differences in one direction are false, and up to 17 % of the equivalences, where 2.5 and 5 % are nominal; " +
		"see CompareMedians"})
	return nil
}

// skewness is the adjusted Fisher-Pearson coefficient, and 0 for fewer than three samples or without spread.
func skewness(x []float64) float64 {
	n := float64(len(x))
	_, _, mean, sd := moments(x)
	if n < 3 || sd == 0 {
		return 0
	}
	var cubes float64
	for _, v := range x {
		d := (v - mean) / sd
		cubes += d * d * d
	}
	return cubes * n / ((n - 1) * (n - 2))
}
