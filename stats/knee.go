package stats

import (
	"fmt"
	"math"
	"slices"

	people "github.com/servegauge/servegauge/internal/number"
)

// The constants of the rule that Knee follows. They belong together: the coverage that Knee states is of all of them.
const (
	kneeShare     = 0.95 // of the peak throughput, that the knee reaches
	kneeLowerTail = 0.02 // of the test that a level falls short of the share
	kneeUpperTail = 0.05 // of each test that a level reaches the share
	kneePeakTail  = 0.05 // of the tests that a level is not the peak, together
	kneeMinRuns   = 3

	// kneeResolution is a difference in log throughput, a factor of 1 + 1e-12, below which two values count as equal.
	// No clock measures that finely; without it, samples that stand exactly at the share or exactly in proportion would
	// be decided by the last bit of a logarithm, which differs between processors.
	kneeResolution = 1e-12
)

// Knee bounds the saturation knee: the smallest of the tested levels (concurrencies or offered rates) whose mean
// throughput is at least 95 % of the highest mean throughput over the tested levels. runs[i][j] is the throughput of
// run i at levels[j], in any unit. The answer is a range, because between two tested levels nothing was measured, and
// because the data may not be able to tell more.
//
// The rule, with z the logarithm of throughput and T(d) = d̄√n/s_d the paired t statistic of n differences between two
// levels of one run, on n − 1 degrees of freedom:
//
//   - Lower end. In each run the level is compared with the one that is best on average in the OTHER runs, so that no
//     run chooses the peak by its own noise: d = z_level − z_peak − ln 0.95. Low is the last level, scanning from the
//     lowest, of those that all have T(d) < −t(0.98).
//   - Upper end. High is the lowest level for which every higher one has T(z_level − z_higher − ln 0.95) > t(0.95). The
//     highest level passes for want of a higher one, which is why that alone does not show saturation.
//   - Where the two contradict each other, Low moves to the level before High.
//   - Differences without spread, s_d = 0, pass no test: that every run gives the same shows only that the measurement
//     is too coarse to tell. A level at which more than half of the runs are one value may have been rounded the same
//     way each time; half a step is then taken off d̄ before it counts. Both have the warning ResolutionLimited.
//
// A run's own speed, such as a restart that came up slow, cancels in the differences. Variances are not pooled over
// levels, because one noisier level would then enter the tests of all others. Ties for the best go to the lowest level.
//
// The answer is of the tested levels, with a confidence of 95 %. The package's tests simulate six shapes (flat, linear,
// a hard cap, a hyperbola, a hyperbola with a cap, and one that falls beyond its peak), with coefficients of variation
// of 1, 4 and 12 %, 3, 5 and 10 runs, and none or half of the variance the run's own. In each of these 108 combinations
// the answer was consistent with the true knee in at least 98.6 % of the experiments, and a flat curve got a knee above
// its lowest level in at most 1.4 %; with a level at 94.9 or 95.1 % of the peak it was consistent in at least 96.4 %,
// and with throughputs of 10 to 1,000 that are rounded to whole numbers an end was false in at most 2 %. The price is
// resolution: a hard cap was bracketed from five runs in all experiments at 1 %, in 65 to 88 % of them at 4 %, and in
// 18 to 26 % at 12 %.
//
// Levels must be positive, finite and strictly increasing, throughputs positive and finite, and runs complete; what is
// not is an error that names the place. Fewer than 3 runs, or fewer than 2 levels, is no error but the answer
// KneeNotResolved with that reason.
func Knee(levels []float64, runs [][]float64) (KneeResult, error) {
	if err := checkKnee("levels", "runs", levels, runs); err != nil {
		return KneeResult{}, err
	}
	r := KneeResult{
		Low: math.NaN(), High: math.NaN(),
		Peak: append([]float64(nil), levels...),
		Method: "paired t on log throughput: below 95 % of the peak that the other runs choose (at 98 %), " +
			"and at least 95 % of every higher level (at 95 % each)",
		N: len(runs), DF: math.NaN(), Unit: "run",
		Assumptions: []string{
			"runs are independent of each other",
			"within a run, differences of log throughput between levels are approximately normal",
			"the highest throughput is reached at one of the tested levels",
		},
	}
	if len(levels) < 2 {
		r.Reason = fmt.Sprintf("a knee needs at least 2 levels, there are %d", len(levels))
		r.advise(levels, nil)
		return r, nil
	}
	if len(runs) < kneeMinRuns {
		r.Reason = fmt.Sprintf("a knee needs at least %d complete runs, there are %d", kneeMinRuns, len(runs))
		r.advise(levels, nil)
		return r, nil
	}
	r.DF = float64(len(runs) - 1)
	p := newPairs(runs)
	if coarse := p.coarseLevels(levels); len(coarse) > 0 {
		r.Warnings = []Warning{resolutionLimitedAt(coarse)}
	}
	if err := r.decide(levels, p); err != nil {
		return KneeResult{}, err
	}
	r.advise(levels, p)
	return r, nil
}

// decide fills in what follows from the data: Kind, Low, High, Reason, Tests and Peak.
func (r *KneeResult) decide(levels []float64, p *pairs) error {
	below, err := studentQuantile(kneeLowerTail, r.DF)
	if err != nil {
		return err
	}
	reaches, err := studentQuantile(kneeUpperTail, r.DF)
	if err != nil {
		return err
	}
	worse, err := studentQuantile(kneePeakTail/float64(len(levels)-1), r.DF)
	if err != nil {
		return err
	}

	top := len(levels) - 1
	r.Tests = make([]KneeTest, len(levels))
	r.Peak = r.Peak[:0]
	for j, l := range levels {
		r.Tests[j] = KneeTest{Level: l, Below: p.belowShare(j), Reaches: p.reachesShare(j)}
		if p.mayBePeak(j, worse) {
			r.Peak = append(r.Peak, l)
		}
	}
	a, b, moved := kneeEnds(r.Tests, below, reaches)
	switch {
	case a >= 0 && b < top:
		r.Kind, r.Low, r.High = KneeBracketed, levels[a], levels[b]
	case a >= 0:
		r.Kind, r.Low = KneeAbove, levels[a]
	case b < top:
		r.Kind, r.High = KneeAtMost, levels[b]
	}
	r.Reason = r.reason(a, b, below, reaches)
	// where an end might have been
	if len(r.Warnings) == 0 && slices.ContainsFunc(r.Tests[a+1:b+1], KneeTest.undefined) {
		r.Warnings = []Warning{{ResolutionLimited, "every run gives the same difference between some levels: " +
			"the spread is below the resolution of the measurement"}}
	}
	if moved {
		r.Reason += "; the tests of the two ends contradicted each other, and the lower end gave way"
	}
	return nil
}

// kneeEnds returns the index of the lower end, −1 if there is none, and that of the upper, the last if there is none.
// moved says that the lower end gave way.
func kneeEnds(tests []KneeTest, below, reaches float64) (a, b int, moved bool) {
	a = -1
	for a+1 < len(tests) && tests[a+1].Below < -below {
		a++
	}
	for b < len(tests)-1 && !(tests[b].Reaches > reaches) { // nor undefined
		b++
	}
	if a >= b {
		return b - 1, b, true
	}
	return a, b, false
}

// reason puts the two ends in words: a is the index of Low, or −1, and b that of High, the top if there is none.
func (r *KneeResult) reason(a, b int, below, reaches float64) string {
	var low, high string
	switch {
	case a >= 0:
		t := r.Tests[a]
		low = fmt.Sprintf("%s gives less than 95 %% of the peak (T = %s < −%.2f)", level(t.Level), statistic(t.Below), below)
	case math.IsNaN(r.Tests[0].Below):
		low = fmt.Sprintf("no lower end: at the lowest level, %s, every run differs from the peak by the same, "+
			"which is no measure of the error", level(r.Tests[0].Level))
	default:
		t := r.Tests[0]
		low = fmt.Sprintf("no lower end: at the lowest level, %s, T = %s where less than 95 %% of the peak "+
			"needs < −%.2f",
			level(t.Level), statistic(t.Below), below)
	}
	if b < len(r.Tests)-1 {
		t := r.Tests[b]
		high = fmt.Sprintf("%s reaches 95 %% of every higher level (T ≥ %s > %.2f)", level(t.Level), statistic(t.Reaches),
			reaches)
	} else {
		high = fmt.Sprintf("no level under the highest, %s, is shown to reach 95 %% of all above it (needs T > %.2f)",
			level(r.Tests[b].Level), reaches)
	}
	return "of the tested levels, with 95 % confidence: " + low + "; " + high
}

// statistic writes t with two decimals, and as ∞ where every run agrees to the last digit.
func statistic(t float64) string {
	if math.IsInf(t, 0) {
		return people.Digits(t, 3)
	}
	return people.Fixed(t, 2)
}

// pairs computes paired t statistics between levels.
type pairs struct {
	z      [][]float64 // log throughput by run and level
	best   []int       // for each run, the level that is best in the others
	coarse []float64   // for each level, how far rounding may have moved its mean
	d      []float64   // the differences at hand, reused
}

func newPairs(runs [][]float64) *pairs {
	p := &pairs{z: make([][]float64, len(runs)), best: make([]int, len(runs)), d: make([]float64, len(runs))}
	for i, run := range runs {
		p.z[i] = make([]float64, len(run))
		for j, y := range run {
			p.z[i][j] = math.Log(y)
		}
	}
	column := make([]float64, len(runs))
	for j := range runs[0] {
		for i, run := range runs {
			column[i] = run[j]
		}
		p.coarse = append(p.coarse, logCoarseness(column, runs...))
	}
	others := make([]float64, 0, len(runs)-1)
	for i := range runs {
		var highest float64
		for j := range runs[i] {
			others = others[:0]
			for k := range p.z {
				if k != i {
					others = append(others, p.z[k][j])
				}
			}
			if _, _, mean, _ := moments(others); j == 0 || mean > highest+kneeResolution {
				p.best[i], highest = j, mean
			}
		}
	}
	return p
}

// belowShare is the statistic of KneeTest.Below.
func (p *pairs) belowShare(j int) float64 {
	if !slices.ContainsFunc(p.best, func(best int) bool { return best != j }) {
		return math.Inf(1) // it is the peak itself, which needs no measurement to reach a share of itself
	}
	var rounding float64
	for i, z := range p.z {
		p.d[i] = z[j] - z[p.best[i]] - math.Log(kneeShare)
		rounding = max(rounding, p.coarse[j]+p.coarse[p.best[i]])
	}
	return p.t(rounding)
}

// reachesShare is the statistic of KneeTest.Reaches.
func (p *pairs) reachesShare(j int) float64 {
	least := math.Inf(1)
	for k := j + 1; k < len(p.z[0]); k++ {
		for i, z := range p.z {
			p.d[i] = z[j] - z[k] - math.Log(kneeShare)
		}
		least = min(least, p.t(p.coarse[j]+p.coarse[k])) // NaN if any is
	}
	return least
}

// mayBePeak reports whether no level has a t above worse against level j.
func (p *pairs) mayBePeak(j int, worse float64) bool {
	for k := range p.z[0] {
		for i, z := range p.z {
			p.d[i] = z[k] - z[j]
		}
		if p.t(p.coarse[j]+p.coarse[k]) > worse {
			return false
		}
	}
	return true
}

// coarseLevels returns the levels at which more than half of the runs are one value.
func (p *pairs) coarseLevels(levels []float64) []float64 {
	var coarse []float64
	for j, l := range levels {
		if p.coarse[j] > 0 {
			coarse = append(coarse, l)
		}
	}
	return coarse
}

// t is the paired statistic of the differences at hand, their mean · √n / SD, the mean being moved towards 0 by
// rounding. It is NaN where they have no spread.
func (p *pairs) t(rounding float64) float64 {
	_, _, mean, sd := moments(p.d)
	if !(sd > kneeResolution) {
		return math.NaN()
	}
	moved := max(math.Abs(mean)-rounding, 0)
	return math.Copysign(moved, mean) * math.Sqrt(float64(len(p.d))) / sd
}

// checkKnee takes the names that the two arguments have in the signature.
func checkKnee(levelsArg, runsArg string, levels []float64, runs [][]float64) error {
	for j, l := range levels {
		switch {
		case math.IsNaN(l) || math.IsInf(l, 0):
			return &ValueError{Arg: levelsArg, Index: []int{j}, Value: l, Err: ErrNotFinite,
				Remedy: "give the concurrency or rate that was set"}
		case l <= 0:
			return &ValueError{Arg: levelsArg, Index: []int{j}, Value: l, Err: ErrOutOfRange,
				Remedy: "a level must be positive"}
		case j > 0 && l <= levels[j-1]:
			return &ValueError{Arg: levelsArg, Index: []int{j}, Value: l, Err: ErrNotSorted,
				Remedy: "order the levels from low to high, each once, and the columns of runs with them"}
		}
	}
	for i, run := range runs {
		if len(run) != len(levels) {
			return &LengthError{Arg: runsArg, Index: []int{i}, Len: len(run), Err: ErrLengthMismatch,
				Remedy: fmt.Sprintf("give one throughput for each of the %d levels, or leave the run out whole",
					len(levels))}
		}
		for j, y := range run {
			if err := checkLoggable(runsArg, y, i, j); err != nil {
				return err
			}
		}
	}
	return nil
}
