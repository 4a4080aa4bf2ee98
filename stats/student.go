package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// studentQuantile returns the t that a Student's t variable of df degrees of freedom exceeds with probability tail.
//
// It takes the upper tail and not the cumulative probability, because in 1 − 1e-10 as a float64 the tail is already off
// by a factor of 1 + 8e-8. The two-sided interval of confidence c uses tail = (1 − c)/2. A tail above ½ gives a
// negative t, ½ gives 0. df need not be whole (Welch and Satterthwaite give fractions), and +Inf is the normal
// distribution.
//
// The relative error is below 1e-12 for tails from 1e-15 to 0.4999 and df from 1 to 1e6; the package's tests hold it to
// that against 60-digit arithmetic. Smaller tails are computed with an accuracy that is not tested; where the iteration
// does not converge, which begins at tails under 1e-60, the answer is an error.
//
// A tail not strictly between 0 and 1 is ErrOutOfRange, and so is a df under ½: one sample leaves 0, two leave 1, and
// no method gives less but by rounding.
func studentQuantile(tail, df float64) (float64, error) {
	if err := checkTail(tail); err != nil {
		return 0, err
	}
	if err := checkDF("df", df, math.Inf(1)); err != nil {
		return 0, err
	}
	switch {
	case tail == 0.5:
		return 0, nil
	case tail > 0.5:
		t, err := studentQuantile(1-tail, df) // exact: no rounding in 1 − tail for tail ≥ ½
		return -t, err
	}
	z := -mathext.NormalQuantile(tail)
	if t, ok := studentSeries(z, df); ok {
		return t, nil
	}
	t, ok := studentNewton(z, tail, df)
	if !ok {
		return 0, farTailError(tail)
	}
	return t, nil
}

// studentSeries expands the quantile around the normal one, z, in powers of 1/df (Fisher & Cornish 1960; the first four
// terms are 26.7.5 in Abramowitz & Stegun). It serves large df, where the distribution function itself loses digits. ok
// says that the last term, in practice an upper bound for those left out, no longer matters.
func studentSeries(z, df float64) (t float64, ok bool) {
	z2 := z * z
	terms := [...]float64{
		z * (z2 + 1) / 4,
		z * ((5*z2+16)*z2 + 3) / 96,
		z * (((3*z2+19)*z2+17)*z2 - 15) / 384,
		z * ((((79*z2+776)*z2+1482)*z2-1920)*z2 - 945) / 92160,
		z * (((((27*z2+339)*z2+930)*z2-1782)*z2-765)*z2 + 17955) / 368640,
	}
	var last float64
	t, power := z, 1.0
	for _, g := range terms {
		power /= df
		last = g * power
		t += last
	}
	return t, math.Abs(last) <= 1e-13*t
}

// studentNewton solves P(T > t) = tail by Newton's method on the logarithm of the tail against log t, which is concave
// (so that it converges from anywhere) and nearly straight for the heavy tails of small df.
//
// distuv.StudentsT.Quantile was rejected, because the inversion of the incomplete beta function underneath it gives way
// long before the function does: df = 200 at a tail of 1e-10 is wrong in the ninth digit, df = 1e6 is 258 instead of
// 6.36.
func studentNewton(t, tail, df float64) (root float64, ok bool) {
	d := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df} // Sigma left out would be 0, a distribution without spread
	for range 50 {
		excess := studentExcess(d, t, tail)
		step := math.Log1p(excess) * tail * (1 + excess) / (t * d.Prob(t))
		t *= math.Exp(step)
		if !(t > 0) || math.IsInf(t, 1) {
			return 0, false
		}
		if math.Abs(step) < 1e-9 { // quadratic: the next step would be below rounding
			return t, true
		}
	}
	return 0, false
}

// studentExcess returns P(T > t)/tail − 1. Towards the centre it goes through P(|T| ≤ t), because there the tail
// determines t only by its small distance from ½.
func studentExcess(d distuv.StudentsT, t, tail float64) float64 {
	if tail < 0.25 {
		return d.Survival(t)/tail - 1
	}
	inner := mathext.RegIncBeta(0.5, d.Nu/2, t*t/(d.Nu+t*t))
	return (1 - 2*tail - inner) / 2 / tail
}
