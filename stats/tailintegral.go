package stats

import "math"

// The tails of the beta and gamma distributions, and with them those of Student's t, F and χ², are computed here rather
// than by gonum's incomplete beta and gamma functions, which lose their digits (or all of them) at large parameters and
// in far tails. Both are the density at the point, in which large powers cancel and are never formed, times an integral
// over the rest of the tail with the density there as its unit: a sum of positive terms, so that it loses nothing
// however small the tail is. The variable of integration is the logarithm of the point (gamma) or of its odds (beta):
// on that scale both densities are log-concave and have no singularity for any parameter.

// A tailPoint is what a distribution is like at one point of the logarithmic scale.
type tailPoint struct {
	logDensity float64 // ln of the probability per unit of the logarithmic scale
	above      bool    // the point is at the mode or above it, and below it otherwise
	integral   float64 // the tail on that side, in units of the density
}

// tail returns the probability above the point (upper) or below it.
func (p tailPoint) tail(upper bool) float64 {
	t := math.Exp(p.logDensity) * p.integral
	if p.above == upper {
		return t
	}
	return 1 - t
}

// logTail is the logarithm of tail, which does not underflow.
func (p tailPoint) logTail(upper bool) float64 {
	if p.above == upper {
		return p.logDensity + math.Log(p.integral)
	}
	return math.Log1p(-math.Exp(p.logDensity) * p.integral)
}

// solveTail returns the f at which the tail on one side is p, by Newton's method on the logarithm of the tail against
// ln f, which is concave for log-concave densities. It starts at the mode, f = 1.
func solveTail(p float64, upper bool, at func(f float64) tailPoint) (f float64, ok bool) {
	if p > 0.5 {
		p, upper = 1-p, !upper // exact, and it is the smaller tail that says where the point is
	}
	f = 1
	for range 400 {
		point := at(f)
		logTail := point.logTail(upper)
		excess := logTail - math.Log(p)
		step := excess * math.Exp(logTail-point.logDensity)
		// A tail may end like exp(−f), doubly exponential on this scale. Each step back from there is 1, so do not go
		// far.
		step = min(step, 4)
		if !upper {
			step = -step
		}
		f *= math.Exp(step)
		if !(f > 0) || math.IsInf(f, 1) {
			return 0, false
		}
		// Quadratic: the next step would be below rounding. Of enormous parameters the excess is not known as well.
		if math.Abs(excess) < 1e-8 || math.Abs(step) < 1e-15 {
			return f, true
		}
	}
	return 0, false
}

// betaPoint is that of a beta variable X with parameters a and b where its odds X/(1 − X) are f·a/b. This is the F
// distribution of 2a and 2b degrees of freedom at f, and f = 1 is the mode of the logarithm of the odds.
func betaPoint(f, a, b float64) tailPoint {
	x, y := fractions(f, a, b)
	n := a + b
	// With p = a/n and q = b/n: xᵃyᵇ/B(a, b) = (x/p)ᵃ(y/q)ᵇ·pᵃqᵇ/B(a, b), the last factor by Stirling's formula with
	// its error put back. u = x/p − 1 and v = y/q − 1 are formed without that subtraction; a·u + b·v = 0 is left out.
	u := y * (f - 1)
	v := (1 - f) * y * (a / b)
	if f > 1 {
		v = (1 - f) / f * x
	}
	exponent := float64(a*logMinusLinear(u, f*y*(n/b))) + float64(b*logMinusLinear(v, y*(n/b)))
	p := tailPoint{above: f >= 1}
	p.logDensity = math.Log(a/n*b/(2*math.Pi))/2 + exponent + (stirlingError(n) - stirlingError(a) - stirlingError(b))
	if p.above {
		p.integral = betaTailIntegral(a, b, x, y)
	} else {
		p.integral = betaTailIntegral(b, a, y, x)
	}
	return p
}

// fractions returns X and 1 − X, neither by subtraction, where the odds are f·a/b.
func fractions(f, a, b float64) (x, y float64) {
	odds := a / b * f
	if odds < 1 {
		return odds / (1 + odds), 1 / (1 + odds)
	}
	odds = b / a / f
	return 1 / (1 + odds), odds / (1 + odds)
}

// betaTailIntegral is the upper tail in units of the density at x = 1 − y.
func betaTailIntegral(a, b, x, y float64) float64 {
	n := a + b
	slope := math.Abs(float64(a*y) - float64(b*x))
	width := 2 / (slope + math.Sqrt(float64(slope*slope)+2*n*x*y))
	if x < y {
		return tailIntegral(width,
			func(h float64) float64 { return float64(a*h) - float64(n*math.Log1p(x*math.Expm1(h))) })
	}
	return tailIntegral(width,
		func(h float64) float64 { return float64(-b*h) - float64(n*math.Log1p(y*math.Expm1(-h))) })
}

// gammaPoint is that of a gamma variable of shape a and scale 1 at f·a, where f = 1 is the mode of its logarithm. This
// is χ² of 2a degrees of freedom at f·2a.
func gammaPoint(f, a float64) tailPoint {
	p := tailPoint{above: f >= 1}
	p.logDensity = math.Log(a/(2*math.Pi))/2 + float64(a*logMinusLinear(f-1, f)) - stirlingError(a)
	x := f * a
	slope := math.Abs(a * (1 - f))
	width := 2 / (slope + math.Sqrt(float64(slope*slope)+2*x))
	if p.above {
		p.integral = tailIntegral(width, func(h float64) float64 { return float64(a*h) - float64(x*math.Expm1(h)) })
	} else {
		p.integral = tailIntegral(width, func(h float64) float64 { return float64(-a*h) - float64(x*math.Expm1(-h)) })
	}
	return p
}

// tailIntegral integrates exp(exponent(h)) over h > 0, where exponent(0) = 0 and the width over which it falls is
// roughly known, by the double exponential rule for a half-line and an integrand that falls exponentially, h = exp(t −
// exp(−t)) (Takahasi & Mori 1974). Its error is that of the float64s.
func tailIntegral(width float64, exponent func(h float64) float64) float64 {
	const step = 1.0 / 20 // at 1/16 the error begins to show, 1e-11 at worst
	var sum float64
	for t := -3.75; t < 9; t += step {
		inverse := math.Exp(-t)
		h := math.Exp(t - inverse)
		e := exponent(width * h)
		if e < -46 { // below rounding, and from here on it only falls
			break
		}
		sum += float64(h * (1 + inverse) * math.Exp(e))
	}
	return step * width * sum
}

// logMinusLinear returns ln(1 + u) − u. ratio is 1 + u, which the caller knows without the rounding of the sum when u
// is near −1.
func logMinusLinear(u, ratio float64) float64 {
	if math.Abs(u) > 0.4 {
		return math.Log(ratio) - u
	}
	r := u / (2 + u) // ln(1 + u) = 2 artanh(r), of which the first term less u is −u·r
	r2 := float64(r * r)
	var sum float64
	for k := 31.0; k >= 3; k -= 2 {
		sum = float64(sum*r2) + 1/k
	}
	return r * (float64(2*r2*sum) - u)
}

// stirlingError returns what Stirling's formula leaves out: ln Γ(z) = (z − ½)·ln z − z + ½·ln 2π + stirlingError(z).
func stirlingError(z float64) float64 {
	var sum float64
	for ; z < 16; z++ {
		sum += float64((z+0.5)*math.Log1p(1/z)) - 1
	}
	w := 1 / float64(z*z)
	rest := 1.0/1680 - float64(w*(1.0/1188-float64(w*691.0/360360)))
	return sum + (1.0/12-float64(w*(1.0/360-float64(w*(1.0/1260-float64(w*rest))))))/z
}
