package stats

import "math"

// leastSquares minimises the sum of the n squares that residuals writes to r for parameters p, from a start, by
// Levenberg's and Marquardt's method with derivatives by central differences. It uses no random numbers. converged is
// false if 200 steps were not enough, or if the residuals at the start are not finite; p is then the best that was met.
//
// gonum/optimize was rejected: its methods are for general functions, need the gradient from the caller and reach a
// flat valley, which saturation curves have, more slowly than one made for squares.
func leastSquares(residuals func(p, r []float64), start []float64, n int) (p []float64, rss float64, converged bool) {
	k := len(start)
	p = append([]float64(nil), start...)
	r, up, down, trial := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, k)
	columns := make([][]float64, k)
	for c := range columns {
		columns[c] = make([]float64, n)
	}
	residuals(p, r)
	rss = squares(r)
	damping := 1e-3
	for range 200 {
		if !(rss < math.Inf(1)) {
			return p, rss, false
		}
		norms := make([]float64, k)
		for c := range p {
			copy(trial, p)
			h := 6e-6 * max(math.Abs(p[c]), 1e-6)
			trial[c] = p[c] + h
			residuals(trial, up)
			trial[c] = p[c] - h
			residuals(trial, down)
			for i := range r {
				columns[c][i] = (up[i] - down[i]) / (2 * h)
			}
			norms[c] = math.Sqrt(squares(columns[c]))
			if norms[c] == 0 {
				norms[c] = 1 // the parameter does nothing here: the damping leaves it where it is
			}
		}
		improved := false
		for ; damping < 1e12; damping *= 8 {
			step := normalEquations(columns, norms, r, damping)
			var length float64
			for c := range p {
				trial[c] = p[c] + step[c]
				length = max(length, math.Abs(step[c])/(math.Abs(p[c])+1e-6))
			}
			residuals(trial, up)
			if next := squares(up); next < rss {
				done := rss-next <= 1e-10*rss
				copy(p, trial)
				copy(r, up)
				rss, improved = next, true
				damping = max(damping/8, 1e-12)
				if done {
					return p, rss, true
				}
				break
			}
			if length < 1e-12 {
				return p, rss, true
			}
		}
		if !improved { // no step however short goes down: a minimum, or a kink that is one
			return p, rss, true
		}
	}
	// A curve towards which another runs without end, such as a line for a hyperbola, is never reached; within one part
	// in ten million, it is as good as reached.
	return p, rss, rss <= 1e-14*float64(n)
}

// squares returns the sum of the squares; +Inf if it is not a number, so that such parameters are never an improvement.
func squares(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	if math.IsNaN(sum) {
		return math.Inf(1)
	}
	return sum
}

// normalEquations solves (JᵀJ + damping·D²)·step = −Jᵀr, where D holds the norms of the columns of J, by elimination
// with pivots. The columns are divided by their norms first, so that parameters of unlike size do no harm.
func normalEquations(columns [][]float64, norms, r []float64, damping float64) []float64 {
	k := len(columns)
	a := make([][]float64, k)
	for i := range a {
		a[i] = make([]float64, k+1)
		for j := range k {
			for m := range r {
				a[i][j] += columns[i][m] / norms[i] * columns[j][m] / norms[j]
			}
		}
		for m := range r {
			a[i][k] -= columns[i][m] / norms[i] * r[m]
		}
		a[i][i] += damping
	}
	for i := range a {
		best := i
		for j := i + 1; j < k; j++ {
			if math.Abs(a[j][i]) > math.Abs(a[best][i]) {
				best = j
			}
		}
		a[i], a[best] = a[best], a[i]
		for j := i + 1; j < k; j++ {
			q := a[j][i] / a[i][i]
			for m := i; m <= k; m++ {
				a[j][m] -= q * a[i][m]
			}
		}
	}
	step := make([]float64, k)
	for i := k - 1; i >= 0; i-- {
		v := a[i][k]
		for j := i + 1; j < k; j++ {
			v -= a[i][j] * step[j]
		}
		step[i] = v / a[i][i]
	}
	for i := range step {
		step[i] /= norms[i]
	}
	return step
}
