package stats

import "math"

// line is a straight line fitted to values at 0, 1, 2, …
type line struct {
	slope      float64 // per step
	slopeError float64 // standard error of the slope; NaN for two values
	residualSD float64 // √(Σ residual²/(n − 2)); NaN for two values
}

// fitLine is ordinary least squares on at least two finite values. The results may overflow, and are then infinite. A
// spread around the line below digit, what the values are known to, is none.
func fitLine(y []float64, digit float64) line {
	y, exp := nearOne(y)
	first := y[0]
	for i := range y {
		y[i] -= first // exact for neighbours: an offset that all share costs no digits
	}
	n := float64(len(y))
	_, _, mean, _ := moments(y)
	centre := (n - 1) / 2
	var products compensated
	for i, v := range y {
		products.add(float64((float64(i) - centre) * (v - mean)))
	}
	across := float64(n*(float64(n*n)-1)) / 12 // Σ(i − centre)²
	slope := products.value() / across
	l := line{slope: math.Ldexp(slope, exp), slopeError: math.NaN(), residualSD: math.NaN()}
	if len(y) == 2 {
		return l
	}
	var squares compensated
	for i, v := range y {
		r := v - mean - float64(slope*(float64(i)-centre))
		squares.add(float64(r * r))
	}
	sd := math.Sqrt(squares.value() / (n - 2))
	if math.Ldexp(sd, exp) < digit || sd < 0x1p-51*largestOf(y) { // what the fit itself has rounded
		sd = 0
	}
	l.residualSD = math.Ldexp(sd, exp)
	l.slopeError = math.Ldexp(sd/math.Sqrt(across), exp)
	return l
}

// nearOne returns a copy of x divided by 2^exp, which costs no rounding, with the largest near 1: no square overflows.
func nearOne(x []float64) (y []float64, exp int) {
	scale, exp := unitScale(extremes(x))
	y = make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v * scale)
	}
	return y, exp
}
