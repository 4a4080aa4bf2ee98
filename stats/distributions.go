package stats

import "math"

// studentTail returns the probability that a Student's t variable of df degrees of freedom exceeds t: the inverse of
// [studentQuantile]. The two-sided p of a test is twice the tail of |t|. The lower tail, to full precision, is that of
// −t.
//
// The relative error is below 1e-12 for tails down to 1e-10 and df from 1 to 1e6; the package's tests hold it to that
// against 60-digit arithmetic. df need not be whole, and +Inf is the normal distribution. An infinite t is exceeded
// with probability 0 or 1. A t that is NaN is ErrNotFinite; a df under ½ is ErrOutOfRange.
func studentTail(t, df float64) (float64, error) {
	if err := checkPoint("t", t); err != nil {
		return 0, err
	}
	if err := checkDF("df", df, math.Inf(1)); err != nil {
		return 0, err
	}
	switch {
	case t < 0:
		upper, err := studentTail(-t, df)
		if err != nil {
			return 0, err
		}
		return 1 - upper, nil
	case df > 1e17: // normal but for a relative t⁴/4df
		return math.Erfc(t/math.Sqrt2) / 2, nil
	case math.IsInf(t, 1):
		return 0, nil
	case t > 1e150: // t² would overflow, and the tail has long been a power
		limit := betaPoint(1e300, 0.5, df/2).tail(true) / 2
		return limit * math.Pow(1e150/t, df), nil
	case t < 1e-20:
		return 0.5, nil
	}
	return betaPoint(float64(t*t), 0.5, df/2).tail(true) / 2, nil
}

// chiSquareQuantile returns the x that a χ² variable of df degrees of freedom exceeds (upper) or falls short of with
// probability tail, so that a lower one does not have to be written as 1 less the upper.
//
// The relative error is below 1e-12 for tails from 1e-10 to 1 − 1e-10 and df from 1 to 1e6, held to by tests against
// 60-digit arithmetic. A tail not strictly between 0 and 1 is ErrOutOfRange, and so are a df under ½ or infinite and a
// quantile too close to 0 for a float64.
func chiSquareQuantile(tail float64, upper bool, df float64) (float64, error) {
	if err := checkTail(tail); err != nil {
		return 0, err
	}
	if err := checkDF("df", df, math.MaxFloat64); err != nil {
		return 0, err
	}
	f, ok := solveTail(tail, upper, func(f float64) tailPoint { return gammaPoint(f, df/2) })
	if !ok {
		return 0, farTailError(tail)
	}
	return f * df, nil
}

// betaQuantile returns the x that a beta variable of parameters a and b, at least ¼, exceeds (upper) or falls short of
// with probability tail.
func betaQuantile(tail float64, upper bool, a, b float64) (float64, error) {
	if err := checkTail(tail); err != nil {
		return 0, err
	}
	f, ok := solveTail(tail, upper, func(f float64) tailPoint { return betaPoint(f, a, b) })
	if !ok {
		return 0, farTailError(tail)
	}
	x, _ := fractions(f, a, b)
	return x, nil
}

func checkPoint(arg string, v float64) error {
	if math.IsNaN(v) {
		return &ValueError{Arg: arg, Value: v, Err: ErrNotFinite, Remedy: "give a number"}
	}
	return nil
}

func checkTail(tail float64) error {
	if !(tail > 0 && tail < 1) {
		return &ValueError{Arg: "tail", Value: tail, Err: ErrOutOfRange,
			Remedy: "give the upper tail probability, between 0 and 1, both excluded"}
	}
	return nil
}

func checkDF(arg string, df, largest float64) error {
	if !(df >= 0.5 && df <= largest) {
		return &ValueError{Arg: arg, Value: df, Err: ErrOutOfRange,
			Remedy: "degrees of freedom must be at least 1/2; one sample leaves none"}
	}
	return nil
}

func farTailError(tail float64) error {
	return &ValueError{Arg: "tail", Value: tail, Err: ErrOutOfRange,
		Remedy: "the quantile this far out cannot be computed reliably; use a larger tail"}
}
