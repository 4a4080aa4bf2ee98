package stats

import "math"

// The distributions that no method asks for by themselves, from the tails that serve Clopper–Pearson and the χ²
// intervals: they are here because those tails are held to 60-digit values of χ² and F.

// chiSquareUpper returns the probability that a χ² variable of df degrees of freedom exceeds x. It is 1 for x ≤ 0.
//
// The relative error is below 1e-12 for tails down to 1e-10 and df from 1 to 1e6, held to by tests against 60-digit
// arithmetic. df need not be whole. An x that is NaN is ErrNotFinite; a df under ½ or infinite is ErrOutOfRange.
func chiSquareUpper(x, df float64) (float64, error) {
	if err := checkPoint("x", x); err != nil {
		return 0, err
	}
	if err := checkDF("df", df, math.MaxFloat64); err != nil {
		return 0, err
	}
	f := x / df
	switch {
	case f <= 0:
		return 1, nil
	case math.IsInf(f, 1):
		return 0, nil
	}
	return gammaPoint(f, df/2).tail(true), nil
}

// chiSquareUpperQuantile returns the x that a χ² variable of df degrees of freedom exceeds with probability tail. For
// the lower quantile that is exceeded with probability 0.975, give that as the tail.
//
// The relative error is below 1e-12 for tails from 1e-10 to 1 − 1e-10 and df from 1 to 1e6, held to by tests against
// 60-digit arithmetic. df need not be whole. A tail not strictly between 0 and 1 is ErrOutOfRange, and so are a df
// under ½ or infinite and a quantile too close to 0 for a float64.
func chiSquareUpperQuantile(tail, df float64) (float64, error) {
	return chiSquareQuantile(tail, true, df)
}

// fTail returns the probability that an F variable of df1 (numerator) and df2 (denominator) degrees of freedom exceeds
// f. It is 1 for f ≤ 0. The lower tail, to full precision, is fTail(1/f, df2, df1).
//
// The relative error is below 1e-12 for tails down to 1e-10 and degrees of freedom from 1 to 1e6, held to by tests
// against 60-digit arithmetic. They need not be whole. An f that is NaN is ErrNotFinite; a df under ½ or infinite is
// ErrOutOfRange.
func fTail(f, df1, df2 float64) (float64, error) {
	if err := checkPoint("f", f); err != nil {
		return 0, err
	}
	if err := checkDFs(df1, df2); err != nil {
		return 0, err
	}
	switch {
	case f <= 0:
		return 1, nil
	case math.IsInf(f, 1):
		return 0, nil
	}
	return betaPoint(f, df1/2, df2/2).tail(true), nil
}

// fQuantile returns the f that an F variable of df1 (numerator) and df2 (denominator) degrees of freedom exceeds with
// probability tail. The lower quantile, to full precision, is 1/fQuantile(tail, df2, df1).
//
// The relative error is below 1e-12 for tails from 1e-10 to 1 − 1e-10 and degrees of freedom from 1 to 1e6, held to by
// tests against 60-digit arithmetic. They need not be whole. A tail not strictly between 0 and 1 is ErrOutOfRange, and
// so are a df under ½ or infinite and a quantile outside the float64s.
func fQuantile(tail, df1, df2 float64) (float64, error) {
	if err := checkTail(tail); err != nil {
		return 0, err
	}
	if err := checkDFs(df1, df2); err != nil {
		return 0, err
	}
	f, ok := solveTail(tail, true, func(f float64) tailPoint { return betaPoint(f, df1/2, df2/2) })
	if !ok {
		return 0, farTailError(tail)
	}
	return f, nil
}

func checkDFs(df1, df2 float64) error {
	if err := checkDF("df1", df1, math.MaxFloat64); err != nil {
		return err
	}
	return checkDF("df2", df2, math.MaxFloat64)
}
