package stats

import (
	"fmt"
	"math"
)

// USL is a fit of the Universal Scalability Law (Gunther 2007), throughput at load N = γN/(1 + σ(N − 1) + κN(N − 1)).
// It describes the curve that was measured. It is no test, bounds nothing, and is no substitute for [Knee]: that the
// law holds is an assumption, and nothing in the fit can show it.
type USL struct {
	// Gamma (γ) is the throughput at load 1, in the unit of the throughput per unit of load.
	Gamma float64
	// Sigma (σ) is the share of contention and Kappa (κ) that of crosstalk; neither has a unit, and neither is
	// negative.
	Sigma, Kappa float64
	// Peak is N* = √((1 − σ)/κ), the load at which the law has its highest throughput: +Inf for κ = 0, where throughput
	// never falls, and undefined for σ ≥ 1, where it falls from the start.
	Peak float64
	// RSS is the sum of squared residuals, in the square of the unit of the throughput, and N the number of points.
	RSS float64
	N   int
	// Converged is false where the iteration did not settle; the parameters are then the best that were met.
	Converged bool
	Method    string
	Warnings  []Warning
}

// FitUSL fits the law to runs[i][j], the throughput of run i at levels[j], by least squares on the throughput itself,
// all points weighing the same. That is what R's package usl does, whose results for its data set specsdm91 the
// package's tests compare with.
//
// The start is the regression of N/throughput on (N − 1) and N(N − 1), and a second one where that has no positive
// intercept, so the same data give the same fit. Where the best σ or κ would be negative, it is held at 0 and the rest
// is fitted anew, and of the fits that remain the one with the least squares is taken. A negative κ has a meaning in
// Gunther's later work (superlinear scaling), but gives no N*.
//
// A fit that did not converge says so in Converged and by the warning NotConverged. A Peak above the highest level, or
// below the lowest, has the warning Extrapolated.
//
// Errors are those of [Knee]; no runs is ErrEmpty, and fewer than three levels, the number of parameters, is ErrTooFew.
func FitUSL(levels []float64, runs [][]float64) (USL, error) {
	if err := checkKnee("levels", "runs", levels, runs); err != nil {
		return USL{}, err
	}
	if len(runs) == 0 {
		return USL{}, &LengthError{Arg: "runs", Err: ErrEmpty, Remedy: "give the throughput of at least one run"}
	}
	if len(levels) < 3 {
		return USL{}, &LengthError{Arg: "levels", Len: len(levels), Err: ErrTooFew,
			Remedy: "three parameters need at least three levels"}
	}
	// Divided by the largest, so that no square overflows.
	var largest float64
	for _, run := range runs {
		for _, y := range run {
			largest = max(largest, y)
		}
	}
	y := make([][]float64, len(runs))
	for i, run := range runs {
		for _, v := range run {
			y[i] = append(y[i], v/largest)
		}
	}
	p, rss, converged := fitUSL(levels, y, func(v float64) float64 { return v })
	u := USL{
		Gamma: p[0] * largest, Sigma: p[1], Kappa: p[2], Peak: math.NaN(),
		RSS: rss * largest * largest, N: len(runs) * len(levels), Converged: converged,
		Method: "least squares on the throughput (Levenberg–Marquardt), σ ≥ 0, κ ≥ 0",
	}
	switch {
	case u.Sigma >= 1:
	case u.Kappa == 0:
		u.Peak = math.Inf(1)
	default:
		u.Peak = math.Sqrt((1 - u.Sigma) / u.Kappa)
	}
	if math.IsInf(u.Gamma, 0) || math.IsInf(u.RSS, 0) {
		return USL{}, &ValueError{Arg: "runs", Value: largest, Err: ErrOverflow,
			Remedy: "give the throughput in a larger unit"}
	}
	if rss > 0 && u.RSS < 0x1p-1022 {
		return USL{}, &ValueError{Arg: "runs", Value: largest, Err: ErrOutOfRange,
			Remedy: "the squares of such residuals are no float64s: give the throughput in a smaller unit"}
	}
	if !converged {
		u.Warnings = append(u.Warnings, notConverged())
	}
	bottom, top := levels[0], levels[len(levels)-1]
	switch {
	case u.Peak > top:
		u.Warnings = append(u.Warnings, Warning{Extrapolated, fmt.Sprintf(
			"the law's peak lies above the highest level, %s, where nothing was measured", level(top))})
	case u.Peak < bottom || math.IsNaN(u.Peak):
		u.Warnings = append(u.Warnings, Warning{Extrapolated, fmt.Sprintf(
			"the law falls over all levels, and its peak lies below the lowest, %s, where nothing was measured",
			level(bottom))})
	}
	return u, nil
}

// fitUSL returns γ, σ and κ that minimise the squares of scale(y) − scale(law).
func fitUSL(levels []float64, runs [][]float64, scale func(float64) float64) (p []float64, rss float64,
	converged bool) {
	n := len(levels) * len(runs)
	points := func(r []float64, of func(x, y float64) float64) {
		for i, run := range runs {
			for j, y := range run {
				r[i*len(levels)+j] = of(levels[j], y)
			}
		}
	}
	// The linear regression, exact where the law is.
	line, _, _ := leastSquares(func(p, r []float64) {
		points(r, func(x, y float64) float64 { return 1 - y/x*(p[0]+p[1]*(x-1)+p[2]*x*(x-1)) })
	}, []float64{levels[0] / runs[0][0], 0, 0}, n)
	starts := [][]float64{{runs[0][0] / levels[0], 0.05, 1e-4}}
	if line[0] > 0 {
		starts = append(starts, []float64{1 / line[0], max(line[1]/line[0], 1e-6), max(line[2]/line[0], 1e-9)})
	}
	// Which of σ and κ are free. All four are tried only while the fit is outside the range.
	rss = math.Inf(1)
	converged = true
	for _, free := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		best, bestRSS, bestConverged := []float64(nil), math.Inf(1), false
		for _, start := range starts {
			full := make([]float64, 3)
			from := make([]float64, len(free))
			for c, i := range free {
				from[c] = start[i]
			}
			q, s, ok := leastSquares(func(q, r []float64) {
				full[0], full[1], full[2] = 0, 0, 0
				for c, i := range free {
					full[i] = q[c]
				}
				points(r, func(x, y float64) float64 {
					slowed := 1 + full[1]*(x-1) + full[2]*x*(x-1)
					if !(slowed > 0 && full[0] > 0) {
						return math.Inf(1) // no throughput at all: outside of what the law can mean
					}
					return scale(y) - scale(full[0]*x/slowed)
				})
			}, from, n)
			if s < bestRSS {
				best, bestRSS, bestConverged = make([]float64, 3), s, ok
				for c, i := range free {
					best[i] = q[c]
				}
			}
		}
		if best == nil {
			converged = false
			continue
		}
		if best[1] >= 0 && best[2] >= 0 && bestRSS < rss {
			p, rss, converged = best, bestRSS, converged && bestConverged
		}
		if len(free) == 3 {
			converged = converged && bestConverged // what follows hangs on where the full fit went
			if p != nil {
				break
			}
		}
	}
	if p == nil {
		return []float64{runs[0][0] / levels[0], 0, 0}, math.NaN(), false
	}
	return p, rss, converged
}

type uslJSON struct {
	Gamma     number    `json:"gamma"`
	Sigma     number    `json:"sigma"`
	Kappa     number    `json:"kappa"`
	Peak      number    `json:"peak"`
	RSS       number    `json:"rss"`
	N         int       `json:"n"`
	Converged bool      `json:"converged"`
	Method    string    `json:"method"`
	Warnings  []Warning `json:"warnings,omitempty"`
}

// MarshalJSON writes null for what is undefined and for an infinite Peak, which the member "unbounded" then names.
func (u USL) MarshalJSON() ([]byte, error) {
	return marshal(uslJSON{number(u.Gamma), number(u.Sigma), number(u.Kappa), number(u.Peak), number(u.RSS),
		u.N, u.Converged, u.Method, u.Warnings})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (u *USL) UnmarshalJSON(b []byte) error {
	j := uslJSON{Gamma: undefined, Sigma: undefined, Kappa: undefined, Peak: undefined, RSS: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*u = USL{float64(j.Gamma), float64(j.Sigma), float64(j.Kappa), float64(j.Peak), float64(j.RSS),
		j.N, j.Converged, j.Method, j.Warnings}
	return nil
}
