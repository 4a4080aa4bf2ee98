package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// kneeSweep is the levels of the simulations.
var kneeSweep = []float64{10, 50, 100, 200, 400, 800}

// kneeShapes are true curves of throughput over concurrency.
var kneeShapes = []struct {
	name  string
	curve func(n float64) float64
}{
	{"flat", func(float64) float64 { return 2000 }},
	{"linear", func(n float64) float64 { return 10 * n }},
	{"hard cap", func(n float64) float64 { return min(10*n, 2000) }},
	{"hyperbola", func(n float64) float64 { return 2000 * n / (n + 40) }},
	{"hyperbola with cap", func(n float64) float64 { return min(2600*n/(n+60), 2000) }},
	{"retrograde (USL)", func(n float64) float64 { return 60 * n / (1 + 0.02*(n-1) + 2.4e-5*n*(n-1)) }},
}

// kneeTruth returns the smallest load at which a curve that rises to its highest tested level reaches 95 % of what it
// gives there.
func kneeTruth(curve func(float64) float64) float64 {
	best := 0
	for j, l := range kneeSweep {
		if curve(l) > curve(kneeSweep[best]) {
			best = j
		}
	}
	low, high := 0.0, kneeSweep[best]
	if curve(kneeSweep[0]) >= kneeShare*curve(high) {
		return kneeSweep[0] // below the lowest tested level nothing is claimed
	}
	for range 100 {
		if middle := (low + high) / 2; curve(middle) >= kneeShare*curve(kneeSweep[best]) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// holds reports whether the answer is consistent with a knee at truth.
func holds(r KneeResult, truth float64) bool {
	switch r.Kind {
	case KneeBracketed:
		return r.Low < truth && truth <= r.High
	case KneeAbove:
		return r.Low < truth
	case KneeAtMost:
		return truth <= r.High
	default:
		return true
	}
}

// drawRun fills run with lognormal throughputs around means; shared is the share of the variance that is the run's own.
func drawRun(rng *rand.Rand, run, means []float64, cov, shared float64) {
	own := cov * math.Sqrt(shared) * rng.NormFloat64()
	for j, mean := range means {
		run[j] = mean * math.Exp(own+cov*math.Sqrt(1-shared)*rng.NormFloat64())
	}
}

// slack is the Monte-Carlo error that a bar on a share allows for at the short size: four standard errors. At the long
// size the bars are strict.
func slack(bar float64, draws int) float64 {
	if *long {
		return 0
	}
	return 4 * math.Sqrt(bar*(1-bar)/float64(draws))
}

// kneeRates are what a cell of the simulation found, as shares of the experiments.
type kneeRates struct {
	covered, bracketed, raised float64 // raised: the answer says that the knee is above some level
	peak                       float64 // of the true best levels, the one that is least often in the peak set
}

func simulateKnee(t *testing.T, rng *rand.Rand, means []float64, truth, cov float64, n int, shared float64,
	draws int) kneeRates {
	t.Helper()
	runs := repeat(n, means...)
	var rates kneeRates
	inPeak := make([]float64, len(means))
	for range draws {
		for _, run := range runs {
			drawRun(rng, run, means, cov, shared)
		}
		r, err := Knee(kneeSweep, runs)
		if err != nil {
			t.Fatal(err)
		}
		if holds(r, truth) {
			rates.covered += 1 / float64(draws)
		}
		if r.Kind == KneeBracketed {
			rates.bracketed += 1 / float64(draws)
		}
		if r.Kind == KneeBracketed || r.Kind == KneeAbove {
			rates.raised += 1 / float64(draws)
		}
		for j, l := range kneeSweep {
			if slices.Contains(r.Peak, l) {
				inPeak[j] += 1 / float64(draws)
			}
		}
	}
	rates.peak = 1
	for j, mean := range means {
		if mean == slices.Max(means) {
			rates.peak = min(rates.peak, inPeak[j])
		}
	}
	return rates
}

// The claims of the comments on Knee and on KneeResult.Peak: six shapes, three spreads, three numbers of runs, and half
// or none of the variance the run's own.
func TestKneeSimulation(t *testing.T) {
	size := draws(250, 20000)
	for s, shape := range kneeShapes {
		truth := kneeTruth(shape.curve)
		means := make([]float64, len(kneeSweep))
		for j, l := range kneeSweep {
			means[j] = shape.curve(l)
		}
		for _, cov := range []float64{0.01, 0.04, 0.12} {
			for _, n := range []int{3, 5, 10} {
				for _, shared := range []float64{0, 0.5} {
					rng := rand.New(rand.NewPCG(uint64(7+s), uint64(n)<<32+uint64(cov*1000)+uint64(shared*2)<<16))
					r := simulateKnee(t, rng, means, truth, cov, n, shared, size)
					cell := fmt.Sprintf("%s, CoV %g %%, n = %d, restart variance %g", shape.name, cov*100, n, shared)
					t.Logf("simulation: knee: %s: covered %.4f, bracketed %.4f, best in peak set %.4f", cell,
						r.covered, r.bracketed, r.peak)
					if r.covered < 0.97-slack(0.97, size) {
						t.Errorf("%s: the true knee, %.0f, is covered in %.4f", cell, truth, r.covered)
					}
					if r.peak < 0.945-slack(0.945, size) {
						t.Errorf("%s: a true best level is in the peak set in %.4f", cell, r.peak)
					}
					if shape.name == "flat" && r.raised > 0.02+slack(0.02, size) {
						t.Errorf("%s: a knee above the lowest level in %.4f", cell, r.raised)
					}
					if shape.name != "hard cap" || n != 5 {
						continue
					}
					// Or the rule would buy its coverage with silence.
					if least := map[float64]float64{0.01: 0.9, 0.04: 0.6}[cov]; r.bracketed < least-slack(least, size) {
						t.Errorf("%s: bracketed in only %.4f", cell, r.bracketed)
					}
				}
			}
		}
	}
}

// The hardest truth: a level that gives a thousandth more or less than 95 % of the peak.
func TestKneeThresholdSimulation(t *testing.T) {
	size := draws(500, 40000)
	for _, c := range []struct{ share, truth float64 }{{0.949, 101}, {0.951, 100}} {
		for _, cov := range []float64{0.01, 0.04, 0.12} {
			for _, n := range []int{3, 5, 10} {
				for _, shared := range []float64{0, 0.5} {
					rng := rand.New(rand.NewPCG(uint64(c.share*1000),
						uint64(n)<<32+uint64(cov*1000)+uint64(shared*2)<<16))
					r := simulateKnee(t, rng, []float64{200, 1000, 2000 * c.share, 2000, 2000, 2000}, c.truth, cov, n,
						shared, size)
					cell := fmt.Sprintf("a level at %.1f %%, CoV %g %%, n = %d, restart variance %g", c.share*100,
						cov*100, n, shared)
					t.Logf("simulation: knee: %s: covered %.4f, bracketed %.4f", cell, r.covered, r.bracketed)
					if r.covered < 0.94-slack(0.94, size) {
						t.Errorf("%s: covered in %.4f", cell, r.covered)
					}
				}
			}
		}
	}
}

// Throughput rounded to whole numbers, where a spread of 1 % is a tenth of a step to two of them: a level that gives 96
// % of the peak is not below 95 %, however it is rounded, and a flat curve has no knee above its lowest level.
func TestKneeRoundedSimulation(t *testing.T) {
	size := draws(200, 20000)
	levels := []float64{10, 20, 40}
	for _, peak := range []float64{10.6, 20.4, 40, 100, 1000} {
		for _, share := range []float64{0.955, 0.96, 1} {
			for _, cov := range []float64{0.002, 0.01, 0.04} {
				for _, n := range []int{3, 5, 10} {
					rng := rand.New(rand.NewPCG(18, uint64(n)))
					runs := repeat(n, 0, 0, 0)
					low, high := 0, 0
					for range size {
						for _, run := range runs {
							for j, mean := range []float64{peak * share, peak, peak} {
								run[j] = max(1, math.Round(mean*math.Exp(cov*rng.NormFloat64())))
							}
						}
						r, err := Knee(levels, runs)
						if err != nil {
							t.Fatal(err)
						}
						if r.Kind == KneeBracketed || r.Kind == KneeAbove {
							low++
						}
						for _, run := range runs { // and 94 %, which is: no upper end at it
							run[0] = max(1, math.Round(0.94*peak*math.Exp(cov*rng.NormFloat64())))
						}
						if r, err = Knee(levels, runs); err != nil {
							t.Fatal(err)
						}
						if r.Kind == KneeAtMost && r.High == 10 {
							high++
						}
					}
					cell := fmt.Sprintf("%g of a peak of %g, CoV %g %%, n = %d, rounded to 1", share, peak, cov*100, n)
					falseAtMost(t, "knee: false lower end, "+cell, low, size, 0.05)
					falseAtMost(t, "knee: false upper end, "+cell, high, size, 0.05)
				}
			}
		}
	}
}

// The claims of the comment on RefineKnee.
func TestRefineKneeSimulation(t *testing.T) {
	size := draws(200, 10000)
	for _, c := range []struct {
		shape    int
		cov      float64
		n        int
		shared   float64
		lo, hi   float64 // bounds for the median ratio of the ends
		stagesAt float64 // at most so many stages in the median experiment
	}{
		{2, 0.01, 3, 0, 1, 1.15, 8}, {2, 0.01, 5, 0, 1, 1.15, 8}, {2, 0.01, 5, 0.5, 1, 1.15, 8}, {2, 0.04, 5, 0, 1,
			1.5, 8},
		{2, 0.04, 5, 0.5, 1, 1.5, 8}, {2, 0.04, 10, 0, 1, 1.5, 8}, {3, 0.01, 5, 0, 1, 2.3, 8}, {3, 0.01, 10, 0.5, 1,
			2.3, 8},
		{3, 0.04, 5, 0, 1, 2.3, 8}, {3, 0.04, 10, 0.5, 1, 2.3, 8}, {4, 0.01, 5, 0, 1, 2, 8}, {5, 0.01, 5, 0, 1, 2, 8},
	} {
		shape := kneeShapes[c.shape]
		truth := kneeTruth(shape.curve)
		rng := rand.New(rand.NewPCG(uint64(c.shape), uint64(c.n)<<32+uint64(c.cov*1000)+uint64(c.shared*2)<<16))
		means := make([]float64, len(kneeSweep))
		for j, l := range kneeSweep {
			means[j] = shape.curve(l)
		}
		var covered, inside float64 // inside: of the experiments whose sweep bracketed the knee
		var ratios, stages []float64
		for range size {
			runs := repeat(c.n, means...)
			for _, run := range runs {
				drawRun(rng, run, means, c.cov, c.shared)
			}
			var done []KneeStage
			f, err := RefineKnee(kneeSweep, runs)
			for err == nil && f.Next != nil {
				s := KneeStage{Levels: f.Next}
				for range c.n {
					run := make([]float64, 2)
					drawRun(rng, run, []float64{shape.curve(f.Next[0]), shape.curve(f.Next[1])}, c.cov, c.shared)
					s.Runs = append(s.Runs, run)
				}
				done = append(done, s)
				f, err = RefineKnee(kneeSweep, runs, done...)
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Sweep.Kind != KneeBracketed {
				if holds(f.Sweep, truth) {
					covered++
				}
				continue
			}
			if f.Low < truth && truth <= f.High {
				covered, inside = covered+1, inside+1
			}
			ratios, stages = append(ratios, f.High/f.Low), append(stages, float64(len(done)))
		}
		covered /= float64(size)
		cell := fmt.Sprintf("%s, CoV %g %%, n = %d, restart variance %g", shape.name, c.cov*100, c.n, c.shared)
		slices.Sort(ratios)
		slices.Sort(stages)
		ratio, stage := math.NaN(), math.NaN()
		if len(ratios) > 0 {
			ratio, stage = ratios[len(ratios)/2], stages[len(stages)/2]
		}
		t.Logf("simulation: refinement: %s: covered %.4f, bracketed at first %.3f and %.3f of these covered, "+
			"median end ratio %.2f in %.0f stages",
			cell, covered, float64(len(ratios))/float64(size), inside/float64(len(ratios)), ratio, stage)
		if covered < 0.98-slack(0.98, size) {
			t.Errorf("%s: the true knee, %.1f, is covered in %.4f", cell, truth, covered)
		}
		if !(ratio > c.lo && ratio <= c.hi) || stage > c.stagesAt {
			t.Errorf("%s: median end ratio %.3f in %.0f stages", cell, ratio, stage)
		}
	}
}

// What NextRuns promises: with so many runs, a level that equals the highest is told from 95 % of it four times in
// five.
func TestKneeNextRunsSimulation(t *testing.T) {
	size := draws(2000, 40000)
	for _, sd := range []float64{0.03, 0.06, 0.15} { // of the difference of two levels
		p := &pairs{z: [][]float64{{-sd, 0}, {0, 0}, {sd, 0}}, d: make([]float64, 3)}
		n := p.moreRuns()
		limit, err := studentQuantile(kneeUpperTail, float64(n-1))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(11, uint64(n)))
		q := &pairs{d: make([]float64, n)}
		var shown float64
		for range size {
			for i := range q.d {
				q.d[i] = sd*rng.NormFloat64() - math.Log(kneeShare)
			}
			if q.t(0) > limit {
				shown += 1 / float64(size)
			}
		}
		t.Logf("simulation: knee: runs to show that two levels are equal, SD %g: %d, power %.3f", sd, n, shown)
		if shown < 0.78 || shown > 0.9 {
			t.Errorf("SD %v: %d runs have a power of %.3f", sd, n, shown)
		}
	}
}
