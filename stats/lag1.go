package stats

import "math"

// Lag1 returns the lag-1 autocorrelation of x in the order given, as NIST defines it: Σ(xᵢ − x̄)(xᵢ₋₁ − x̄)/Σ(xᵢ −
// x̄)², the upper sum from the second sample on and the lower one over all. It has no unit, lies between −1 and 1, and
// is −½ for any two samples that differ. Of independent samples it scatters around −1/n by 1/√n.
//
// It reaches 13 of the digits that NIST certifies for its datasets, where the input can hold them. One sample, and
// samples that are all identical, have none: NaN. No samples is ErrEmpty, NaN or an infinity ErrNotFinite with its
// index.
func Lag1(x []float64) (float64, error) {
	lo, hi, err := checkedExtremes("x", x)
	if err != nil {
		return 0, err
	}
	if len(x) == 1 || lo == hi {
		return math.NaN(), nil
	}
	scale, _ := unitScale(lo, hi)
	shift := scaledMean(x, scale)
	var squares, lagged compensated
	rest, last := 0.0, 0.0
	for i, v := range x {
		d := float64(v*scale) - shift
		squares.add(float64(d * d))
		rest += d
		if i > 0 {
			lagged.add(float64(d * last))
		}
		last = d
	}
	// The mean was rounded: the deviations are from shift + e in truth.
	n, first := float64(len(x)), float64(x[0]*scale)-shift
	e := rest / n
	below := squares.value() - float64(rest*e)
	above := lagged.value() - float64(e*(float64(2*rest)-first-last)) + float64((n-1)*float64(e*e))
	return min(max(above/below, -1), 1), nil
}
