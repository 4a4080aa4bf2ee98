package stats

import (
	"math"
	"slices"
)

// advise fills in Next and NextRuns. p is nil where nothing could be tested.
func (r *KneeResult) advise(levels []float64, p *pairs) {
	if len(levels) == 0 {
		return
	}
	whole := wholeLevels(levels)
	if p == nil {
		if r.N < kneeMinRuns {
			r.NextRuns = kneeMinRuns
		}
		if len(levels) == 1 {
			r.Next = doubled(levels[0])
		}
		return
	}
	top := len(levels) - 1
	switch r.Kind {
	case KneeBracketed:
		if x := between(r.Low, min(r.High, levels[p.peak()]), whole); !math.IsNaN(x) {
			r.Next = []float64{x}
		}
	case KneeAtMost:
		r.Next = halve(levels[0], whole)
	case KneeAbove:
		r.Next = doubled(levels[top])
		if r.Low < levels[top-1] { // else throughput still rises, which more runs only confirm
			r.NextRuns = p.moreRuns()
		}
	case KneeNotResolved:
		// With runs enough, the levels are too near each other to differ: those further out will.
		if r.NextRuns = p.moreRuns(); r.NextRuns == 0 {
			r.Next = append(halve(levels[0], whole), doubled(levels[top])...)
		}
	}
}

// moreRuns returns how many runs it takes to show, with a power of 80 %, that the second highest level reaches 95 % of
// the highest if the two are equal, and 0 if there are as many. The sample size of a one-sided t test is Guenther's
// (1981): (z(0.95) + z(0.80))²·(s_d/margin)² + z(0.95)²/2, within one of the exact number.
func (p *pairs) moreRuns() int {
	const reach, power = 1.6448536269514722, 0.8416212335729143 // the normal quantiles of 0.95 and 0.80
	top := len(p.z[0]) - 1
	for i, z := range p.z {
		p.d[i] = z[top-1] - z[top]
	}
	_, _, _, sd := moments(p.d)
	ratio := sd / -math.Log(kneeShare)
	n := math.Ceil((reach+power)*(reach+power)*ratio*ratio + reach*reach/2)
	if n <= float64(len(p.z)) {
		return 0
	}
	return int(min(n, math.MaxInt32))
}

// peak returns the index of the level with the highest mean of log throughput, the lowest of equals.
func (p *pairs) peak() int {
	var best int
	var highest float64
	for j := range p.z[0] {
		for i, z := range p.z {
			p.d[i] = z[j]
		}
		if _, _, mean, _ := moments(p.d); j == 0 || mean > highest+kneeResolution {
			best, highest = j, mean
		}
	}
	return best
}

func wholeLevels(levels []float64) bool {
	return !slices.ContainsFunc(levels, func(l float64) bool { return l != math.Trunc(l) })
}

// between returns the geometric middle of two levels, a whole number if wanted, and NaN if there is none between them.
func between(low, high float64, whole bool) float64 {
	x := low * math.Sqrt(high/low) // √(low·high) may overflow on the way
	if whole {
		x = min(max(math.Round(x), low+1), high-1)
	}
	if !(low < x && x < high) {
		return math.NaN()
	}
	return x
}

func doubled(level float64) []float64 {
	if x := 2 * level; !math.IsInf(x, 0) {
		return []float64{x}
	}
	return nil
}

// halve rounds up, so that 3 gives 2; nothing is below the whole level 1.
func halve(level float64, whole bool) []float64 {
	x := level / 2
	if whole {
		x = math.Ceil(x)
	}
	if !(x > 0 && x < level) {
		return nil
	}
	return []float64{x}
}
