package stats

import "math"

// noncentralTail returns the probability that a noncentral t variable, (Z + delta)/√(V/df) with Z normal and V χ² of df degrees
// of freedom, exceeds t. That of falling short of t is noncentralTail(−t, df, −delta), to full precision.
//
// It is the normal tail at t·√(V/df) − delta averaged over ln(V/df), by the trapezoidal rule, which converges exponentially for an
// integrand that is analytic and vanishes at both ends (Goodwin 1949). AS 243's sum over Poisson weights was rejected: it
// loses far tails by subtraction. delta beyond ±1e4 is ErrOutOfRange, because the steps would have to be finer.
func noncentralTail(t, df, delta float64) (float64, error) {
	if err := checkPoint("t", t); err != nil {
		return 0, err
	}
	if err := checkDF("df", df, math.MaxFloat64); err != nil {
		return 0, err
	}
	if !(math.Abs(delta) <= 1e4) {
		return 0, &ValueError{Arg: "delta", Value: delta, Err: ErrOutOfRange, Remedy: "give a noncentrality within ±10000"}
	}
	if math.IsInf(t, 0) {
		if t > 0 {
			return 0, nil
		}
		return 1, nil
	}
	if t >= 0 && delta < -40 { // T > t needs Z > 40, and every term below would be 0
		return 0, nil
	}
	a := df / 2
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
			// Past the peak (at t of 60 on 1 df the start is far before it), and too little to matter; or so far that the weight
			// alone is nothing.
			if v <= last && largest > 0 && v <= 1e-19*largest || a*expMinusLinear(s) > 740 {
				break
			}
			last = v
		}
	}
	p := math.Exp(math.Log(a/(2*math.Pi))/2-stirlingError(a)) * step * sum / 2
	return min(p, 1), nil
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
