package stats

import (
	"cmp"
	"math"
	"slices"
)

// The shapes that throughput x may have over load N, by their names in JSON.
const (
	ShapeFlat            = "flat"               // c
	ShapeLinear          = "linear"             // γN
	ShapeHockeyStick     = "hockey-stick"       // the lesser of γN and c
	ShapeHyperbola       = "hyperbola"          // cN/(N + h): half of c at load h
	ShapeHyperbolaCapped = "hyperbola-with-cap" // the lesser of cN/(N + h) and m
	ShapeUSL             = "usl"                // see USL
)

// Shape says which of six simple curves describes throughput over load best. It is a description: that one curve has
// the least AICc does not make it true, and nothing else in this package rests on it.
type Shape struct {
	// Name is one of the constants above, the first of Fits; empty if nothing could be fitted.
	Name string `json:"name"`
	// Fits holds the curves that could be fitted, the best first.
	Fits []ShapeFit `json:"fits"`
	// N is the number of points.
	N int `json:"n"`
	// Warnings has TooFewPoints where curves had to be left out, and NotConverged where a fit did not settle.
	Warnings []Warning `json:"warnings,omitempty"`
}

// ShapeFit is one curve fitted to all points.
type ShapeFit struct {
	Name string `json:"name"`
	// Parameters holds the symbols of the constants' comments, in their units, in the order in which they stand there;
	// for the USL it is γ, σ, κ.
	Parameters []float64 `json:"parameters"`
	// RSS is the sum of squared residuals of log throughput, without unit.
	RSS float64 `json:"rss"`
	// AICc is the small-sample Akaike criterion n·ln(RSS/n) + 2k + 2k(k + 1)/(n − k − 1), of which only differences
	// mean something: 2 is little, 10 is much. k counts the parameters, the variance, and each run's own speed after
	// the first.
	AICc float64 `json:"aicc"`
	// Converged is false where the iteration did not settle; the fit may then do the curve injustice.
	Converged bool `json:"converged"`
}

// FitShape fits each of the six shapes to runs[i][j], the throughput of run i at levels[j], by least squares on the
// logarithm, and orders them by AICc (Hurvich & Tsai 1989). The logarithm, because throughput varies by a share of
// itself. A run's own speed is taken out first: it is the same for all levels of the run, and would count against every
// curve alike.
//
// The starts are fixed, so the same data give the same answer; where two shapes are equal, the one with fewer
// parameters comes first. A shape with too many parameters for the points, k > n − 2, is left out with the warning
// TooFewPoints. Points without any spread around the curve count as if it were 1e-12.
//
// In the package's simulations, with five runs of six levels, the true shape came first in 92 to 100 % of the
// experiments for coefficients of variation of 1 and 4 %; at 12 % a hyperbola with a cap in 74 % only, the others as
// before.
//
// Errors are those of [Knee]; no runs or no levels is ErrEmpty.
func FitShape(levels []float64, runs [][]float64) (Shape, error) {
	if err := checkKnee("levels", "runs", levels, runs); err != nil {
		return Shape{}, err
	}
	if len(levels) == 0 {
		return Shape{}, &LengthError{Arg: "levels", Err: ErrEmpty, Remedy: "give the levels that were measured"}
	}
	if len(runs) == 0 {
		return Shape{}, &LengthError{Arg: "runs", Err: ErrEmpty, Remedy: "give the throughput of at least one run"}
	}
	c := newCurves(levels, runs)
	s := Shape{N: len(levels) * len(runs)}
	var leftOut, unsettled bool
	for _, name := range []string{ShapeFlat, ShapeLinear, ShapeHockeyStick, ShapeHyperbola, ShapeHyperbolaCapped,
		ShapeUSL} {
		starts, curve := c.starts(name)
		k := curveParameters[name] + 1 + len(runs) - 1
		if s.N-k-1 < 1 {
			leftOut = true
			continue
		}
		fit := ShapeFit{Name: name, RSS: math.Inf(1)}
		if name == ShapeUSL {
			fit.Parameters, fit.RSS, fit.Converged = fitUSL(levels, c.relative, math.Log)
			fit.Parameters[0] *= c.unit
		}
		for _, start := range starts {
			p, rss, converged := leastSquares(c.residuals(curve), start, s.N)
			if fit.Parameters == nil || rss < fit.RSS {
				fit.Parameters, fit.RSS, fit.Converged = p, rss, converged
			}
		}
		if name != ShapeUSL {
			for i := range fit.Parameters {
				fit.Parameters[i] = math.Exp(fit.Parameters[i])
				if curveInThroughput[name][i] {
					fit.Parameters[i] *= c.unit
				}
			}
		}
		if !finiteFit(fit) {
			unsettled = true
			continue
		}
		unsettled = unsettled || !fit.Converged
		n, q := float64(s.N), float64(k)
		variance := max(fit.RSS/n, kneeResolution*kneeResolution)
		fit.AICc = n*math.Log(variance) + 2*q + 2*q*(q+1)/(n-q-1)
		s.Fits = append(s.Fits, fit)
	}
	slices.SortStableFunc(s.Fits, func(a, b ShapeFit) int { return cmp.Compare(a.AICc, b.AICc) })
	if len(s.Fits) > 0 {
		s.Name = s.Fits[0].Name
	}
	if leftOut {
		s.Warnings = append(s.Warnings, Warning{TooFewPoints,
			"shapes with too many parameters for the number of points were left out"})
	}
	if unsettled {
		s.Warnings = append(s.Warnings, notConverged())
	}
	return s, nil
}

func finiteFit(f ShapeFit) bool {
	for _, p := range f.Parameters {
		if math.IsNaN(p) || math.IsInf(p, 0) {
			return false
		}
	}
	return !math.IsNaN(f.RSS) && !math.IsInf(f.RSS, 0)
}

// curveParameters counts the parameters of each shape, and curveInThroughput says which are in units of throughput.
var (
	curveParameters = map[string]int{
		ShapeFlat: 1, ShapeLinear: 1, ShapeHockeyStick: 2, ShapeHyperbola: 2, ShapeHyperbolaCapped: 3, ShapeUSL: 3,
	}
	curveInThroughput = map[string][]bool{
		ShapeFlat: {true}, ShapeLinear: {true}, ShapeHockeyStick: {true, true}, ShapeHyperbola: {true, false},
		ShapeHyperbolaCapped: {true, false, true},
	}
)

// curves holds the points as the shapes are fitted to them.
type curves struct {
	x        []float64   // log of the levels
	levels   []float64   // themselves
	z        [][]float64 // log throughput, without each run's own speed
	mean     []float64   // of z, by level
	unit     float64     // the geometric mean of all throughputs: relative and z are in it
	relative [][]float64 // exp z
}

func newCurves(levels []float64, runs [][]float64) *curves {
	c := &curves{levels: levels, mean: make([]float64, len(levels))}
	for _, l := range levels {
		c.x = append(c.x, math.Log(l))
	}
	var grand float64
	for _, run := range runs {
		z := make([]float64, len(run))
		for j, y := range run {
			z[j] = math.Log(y)
		}
		_, _, own, _ := moments(z)
		grand += own / float64(len(runs))
		relative := make([]float64, len(run))
		for j := range z {
			z[j] -= own
			relative[j] = math.Exp(z[j])
			c.mean[j] += z[j] / float64(len(runs))
		}
		c.z, c.relative = append(c.z, z), append(c.relative, relative)
	}
	c.unit = math.Exp(grand)
	return c
}

// residuals is what leastSquares wants of a curve that gives log throughput from log load, for logarithms of
// parameters.
func (c *curves) residuals(curve func(p []float64, x float64) float64) func(p, r []float64) {
	return func(p, r []float64) {
		for j, x := range c.x {
			fitted := curve(p, x)
			for i, z := range c.z {
				r[i*len(c.x)+j] = z[j] - fitted
			}
		}
	}
}

// starts returns the curve of a shape and where to begin its fit. A kink makes as many valleys as there are levels, so
// there is a start with the kink behind each.
func (c *curves) starts(name string) (starts [][]float64, curve func(p []float64, x float64) float64) {
	top := len(c.x) - 1
	slope := c.mean[0] - c.x[0]
	halves := []float64{c.x[0] - 2, (c.x[0] + c.x[top]) / 2, c.x[top] + 2} // of the load that gives half the limit
	switch name {
	case ShapeFlat:
		return [][]float64{{c.mean[top]}}, func(p []float64, _ float64) float64 { return p[0] }
	case ShapeLinear:
		return [][]float64{{slope}}, func(p []float64, x float64) float64 { return p[0] + x }
	case ShapeHockeyStick:
		for k := range c.x {
			_, _, below, _ := moments(difference(c.mean[:k+1], c.x[:k+1]))
			above := c.mean[top]
			if k < top {
				_, _, above, _ = moments(c.mean[k+1:])
			}
			starts = append(starts, []float64{below, above}, []float64{below, below + c.x[k]})
		}
		return starts, func(p []float64, x float64) float64 { return min(p[0]+x, p[1]) }
	case ShapeHyperbola:
		for _, h := range halves {
			starts = append(starts, []float64{c.mean[top], h})
		}
		return starts, hyperbola
	case ShapeHyperbolaCapped:
		for _, h := range halves {
			for k := range c.x {
				// Through the point at the kink, with the level there and above at its cap.
				_, _, ceiling, _ := moments(c.mean[k:])
				starts = append(starts, []float64{c.mean[k] - hyperbola([]float64{0, h}, c.x[k]), h, ceiling})
			}
		}
		return starts, func(p []float64, x float64) float64 { return min(hyperbola(p, x), p[2]) }
	default:
		return nil, nil
	}
}

// hyperbola is ln(c·N/(N + h)) from the logarithms, written so that no exponential overflows.
func hyperbola(p []float64, x float64) float64 {
	d := p[1] - x
	if d > 0 {
		return p[0] - d - math.Log1p(math.Exp(-d))
	}
	return p[0] - math.Log1p(math.Exp(d))
}

func difference(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}
