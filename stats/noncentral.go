package stats

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// noncentralTail returns the probability that a noncentral t variable, (Z + delta)/√(V/df) with Z normal and V χ² of df
// degrees of freedom, exceeds t. That of falling short of t is noncentralTail(−t, df, −delta), to full precision.
//
// It is the normal tail at t·√(V/df) − delta averaged over ln(V/df), by the trapezoidal rule, which converges
// exponentially for an integrand that is analytic and vanishes at both ends (Goodwin 1949). AS 243's sum over Poisson
// weights was rejected: it loses far tails by subtraction. Where delta is large that normal tail is a cliff which needs
// ever finer steps, and largeNoncentralTail takes over.
func noncentralTail(t, df, delta float64) (float64, error) {
	if err := checkPoint("t", t); err != nil {
		return 0, err
	}
	if err := checkDF("df", df, math.MaxFloat64); err != nil {
		return 0, err
	}
	if math.IsNaN(delta) || math.IsInf(delta, 0) {
		return 0, &ValueError{Arg: "delta", Value: delta, Err: ErrNotFinite, Remedy: "give a finite noncentrality"}
	}
	if math.IsInf(t, 0) {
		if t > 0 {
			return 0, nil
		}
		return 1, nil
	}
	switch { // Z is within ±38, or its probability is 0
	case t >= 0 && delta < -40:
		return 0, nil
	case t <= 0 && delta > 40:
		return 1, nil
	}
	a := df / 2
	if math.Abs(delta) > max(40, 20*math.Sqrt(a)) {
		return largeNoncentralTail(math.Abs(t), a, math.Abs(delta), t > 0), nil
	}
	term := func(s float64) float64 {
		weight := math.Exp(-float64(a * expMinusLinear(s)))
		return weight * math.Erfc((float64(t*math.Exp(s/2))-delta)/math.Sqrt2)
	}
	sum := term(0)
	largest := sum
	// No feature is narrower than the spread of ln V, or than the s in which t·√(V/df) moves by one normal deviate.
	step := 0.2 * min(1, 1/math.Sqrt(a), 2/max(1, math.Abs(delta)))
	for _, direction := range [2]float64{1, -1} {
		last := 0.0
		for k := 1.0; ; k++ {
			s := direction * k * step
			v := term(s)
			sum += v
			largest = max(largest, v)
			// Past the peak (at t of 60 on 1 df the start is far before it), and too little to matter; or so far that
			// the weight alone is nothing.
			if v <= last && largest > 0 && v <= 1e-19*largest || a*expMinusLinear(s) > 740 {
				break
			}
			last = v
		}
	}
	return min(logChiSquarePeak(a)*step*sum/2, 1), nil
}

// largeNoncentralTail is the probability that a noncentral t of 2a degrees of freedom exceeds t (upper), or falls short
// of it, for t > 0 and a delta so large that √(V/df) varies by many times 1/delta. T > t is √(V/df) < (delta + Z)/t:
// for Z = −12 that is a tail of χ², and over the Z from −12 to 12 the distribution of V is smooth. What is beyond has a
// probability of 1e-33.
func largeNoncentralTail(t, a, delta float64, upper bool) float64 {
	const reach = 12
	edge, sign := delta-reach, 1.0
	if !upper {
		edge, sign = delta+reach, -1
	}
	// Clamped where its square would leave the float64s; the tail beyond is 0 to any digit that matters.
	root := min(max(edge/t, 1e-100), 1e100)
	certain := gammaPoint(root*root, a).tail(!upper)
	window := quad.Fixed(func(z float64) float64 {
		s := 2 * math.Log((delta+z)/t)
		return math.Exp(-float64(a*expMinusLinear(s))) * 2 / (delta + z) * math.Erfc(sign*z/math.Sqrt2) / 2
	}, -reach, reach, 64, quad.Legendre{}, 0)
	return min(certain+logChiSquarePeak(a)*window, 1)
}

// logChiSquarePeak is the density of ln V at its mode, 2a, for V a χ² of 2a degrees of freedom.
func logChiSquarePeak(a float64) float64 {
	return math.Exp(math.Log(a/(2*math.Pi))/2 - stirlingError(a))
}

// expMinusLinear returns exp(s) − 1 − s, by its series where that cancels.
func expMinusLinear(s float64) float64 {
	if math.Abs(s) > 0.1 {
		return math.Expm1(s) - s
	}
	var sum float64
	for k := 12.0; k >= 3; k-- {
		sum = (1 + sum) * s / k
	}
	return s * s / 2 * (1 + sum)
}
