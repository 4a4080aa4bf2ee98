package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// lognormalRuns draws n figures around 1000·exp(shift) with an SD of the logarithms of sd.
func lognormalRuns(rng *rand.Rand, n int, shift, sd float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1000 * math.Exp(shift+sd*rng.NormFloat64())
	}
	return x
}

// falseAtMost fails if more than bar of the draws were hits. A short run may exceed the bar by four standard errors.
func falseAtMost(t *testing.T, what string, hits, draws int, bar float64) {
	t.Helper()
	rate := float64(hits) / float64(draws)
	allowed := bar
	if !*long {
		allowed += 4 * math.Sqrt(bar*(1-bar)/float64(draws))
	}
	t.Logf("simulation: %s: %.2f %% of %d (bar %.3g %%)", what, 100*rate, draws, 100*bar)
	if rate > allowed {
		t.Errorf("%s: %.2f %%, more than %.3g %%", what, 100*rate, 100*bar)
	}
}

// False verdicts about a single level: a direction where there is none, and equivalence at a difference of the margin.
func TestVerdictSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	n := draws(1500, 100_000)
	const margin = 0.05
	for _, runs := range []int{3, 5, 10} {
		for _, ratio := range []float64{1, 4} {
			for _, paired := range []bool{false, true} {
				c := Comparison{Margin: margin, Paired: paired, Unit: "run"}
				count := func(shift, sd float64) (kinds [4]int) {
					for range n {
						v, test, err := c.compare(lognormalRuns(rng, runs, 0, sd*ratio), lognormalRuns(rng, runs,
							shift, sd))
						if err != nil {
							t.Fatal(err)
						}
						v.judge(test.Difference, 0.05)
						kinds[v.Kind]++
					}
					return kinds
				}
				name := fmt.Sprintf("n %d, SD ratio %v, paired %v", runs, ratio, paired)
				// A CoV of 12 %, or up to it where one side is four times the other: equivalence is then out of reach,
				// and every detection is false.
				none := count(0, 0.12/ratio)
				falseAtMost(t, "false faster, "+name, none[Faster], n, 0.03)
				falseAtMost(t, "false slower, "+name, none[Slower], n, 0.03)
				// At the margin equivalence is most often claimed where the noise is small beside it.
				for _, sd := range []float64{0.002, 0.01} {
					edge := count(math.Log1p(margin), sd)
					falseAtMost(t, fmt.Sprintf("false equivalent, SD %v, %s", sd, name), edge[Equivalent], n, 0.055)
				}
			}
		}
	}
}

// Any false claim about one of seven levels, of which some do not differ, some by the margin and some by twice that.
func TestFamilySimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	n := draws(300, 20_000)
	const margin = 0.05
	at := math.Log1p(margin)
	for _, runs := range []int{3, 5, 10} {
		for _, c := range []struct {
			name   string
			shifts [7]float64
			sd     float64
		}{
			{"none differs, CoV 12 %", [7]float64{}, 0.12},
			{"none differs, CoV 4 %", [7]float64{}, 0.04},
			{"all at the margin, CoV 1 %", [7]float64{at, -at, at, -at, at, -at, at}, 0.01},
			{"three at the margin, CoV 1 %", [7]float64{0, at, 0, -at, 0, at, 0}, 0.01},
			{"three at the margin, CoV 4 %", [7]float64{0, at, 0, -at, 0, at, 0}, 0.04},
			{"some at twice the margin, CoV 4 %", [7]float64{0, at, 0, 2 * at, -2 * at, at, 0}, 0.04},
		} {
			claims := 0
			for range n {
				a, b := make([][]float64, len(c.shifts)), make([][]float64, len(c.shifts))
				for j, shift := range c.shifts {
					a[j], b[j] = lognormalRuns(rng, runs, 0, c.sd), lognormalRuns(rng, runs, shift, c.sd)
				}
				f, err := Comparison{Margin: margin, Unit: "run"}.family(a, b)
				if err != nil {
					t.Fatal(err)
				}
				wrong := false
				for j, v := range f.Verdicts {
					shift := c.shifts[j]
					wrong = wrong || v.Kind == Faster && shift <= 0 || v.Kind == Slower && shift >= 0 ||
						v.Kind == Equivalent && shift != 0 || v.Detected && shift == 0
				}
				if wrong {
					claims++
				}
			}
			name := fmt.Sprintf("n %d, %s", runs, c.name)
			falseAtMost(t, "any false claim over 7 levels, "+name, claims, n, 0.05)
		}
	}
}

// Coverage of the intervals for a ratio and for an effect, 95 % nominal, within half a percent of what their docs
// state.
func TestRatioCoverageSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 3))
	n := draws(2000, 40_000)
	for _, runs := range []int{3, 5, 10} {
		for _, c := range []struct {
			name      string
			interval  func(a, b []float64, confidence float64, unit string) (Interval, error)
			ratio     float64 // of the SDs
			low, high float64
		}{
			{"log-ratio", LogRatioInterval, 1, 0.945, 0.966},
			{"log-ratio", LogRatioInterval, 4, 0.945, 0.966},
			{"paired log-ratio", PairedLogRatioInterval, 4, 0.95, 0.95},
			{"Fieller", FiellerInterval, 1, 0.945, 0.966},
			{"Fieller", FiellerInterval, 4, 0.945, 0.966},
			{"Hedges", HedgesG, 1, 0.948, 0.952},
		} {
			draws, hedges := n, c.name == "Hedges"
			if hedges {
				draws /= 4 // its bounds take longer
			}
			hits := 0
			for range draws {
				var a, b []float64
				truth := 1.05
				switch {
				case hedges:
					truth = 1.5
					a, b = normalRuns(rng, runs, 1000, 100), normalRuns(rng, runs, 1150, 100)
				case c.name == "Fieller":
					a, b = normalRuns(rng, runs, 1000, 30*c.ratio), normalRuns(rng, runs, 1050, 30)
				default:
					a, b = lognormalRuns(rng, runs, 0, 0.03*c.ratio), lognormalRuns(rng, runs, math.Log(1.05), 0.03)
				}
				v, err := c.interval(a, b, 0.95, "run")
				if err != nil {
					t.Fatal(err)
				}
				if v.Low <= truth && truth <= v.High {
					hits++
				}
			}
			rate, slack := float64(hits)/float64(draws), 0.005
			if !*long {
				slack += 4 * math.Sqrt(0.05*0.95/float64(draws))
			}
			t.Logf("simulation: %s, n %d, SD ratio %v: covers %.2f %% of %d", c.name, runs, c.ratio, 100*rate, draws)
			if rate < c.low-slack || rate > c.high+slack {
				t.Errorf("%s, n %d, SD ratio %v: covers %.2f %%", c.name, runs, c.ratio, 100*rate)
			}
		}
	}
}

func normalRuns(rng *rand.Rand, n int, mean, sd float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = mean + sd*rng.NormFloat64()
	}
	return x
}

// The number of runs that are said to decide do so four times in five, at none and at the margin.
func TestRunsToDecideSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	n := draws(2000, 40_000)
	for _, sd := range []float64{0.01, 0.02, 0.04} {
		c := Comparison{Margin: 0.05, Unit: "run"}
		runs, err := c.RunsToDecide(sd)
		if err != nil {
			t.Fatal(err)
		}
		for _, shift := range []float64{0, math.Log1p(c.Margin)} {
			hits := 0
			for range n {
				v, test, err := c.compare(lognormalRuns(rng, runs, 0, sd), lognormalRuns(rng, runs, shift, sd))
				if err != nil {
					t.Fatal(err)
				}
				v.judge(test.Difference, 0.05)
				if shift == 0 && v.Kind == Equivalent || shift > 0 && v.Detected {
					hits++
				}
			}
			rate := float64(hits) / float64(n)
			t.Logf("simulation: SD %v, %d runs, shift %.3f: decided %.1f %%", sd, runs, shift, 100*rate)
			// Welch's degrees of freedom cost up to 2 %
			if slack := 4 * math.Sqrt(0.8*0.2/float64(n)); rate < 0.78-slack {
				t.Errorf("SD %v, %d runs, shift %.3f: decided %.1f %%", sd, runs, shift, 100*rate)
			}
		}
	}
}
