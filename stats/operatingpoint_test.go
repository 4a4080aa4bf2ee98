package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestBestOperatingPoint(t *testing.T) {
	levels := []float64{10, 20, 40, 80}
	// Student's interval at 1 − 0.05/4 on the logarithms is ± 0.05115, see threeAround; paired t differences have no
	// such pattern, since every run goes through the same factors.
	wobble := func(means ...float64) [][]float64 {
		runs := repeat(3, means...)
		for i, run := range runs {
			for j := range run {
				run[j] *= 1 + 0.004*float64((i+j)%3-1)
			}
		}
		return runs
	}
	for _, c := range []struct {
		name                          string
		throughput                    []float64
		ttft                          []float64
		level                         float64
		best, kept, undecided, broken []float64
	}{
		{"highest within the limit", []float64{100, 200, 380, 400}, []float64{50, 60, 80, 200}, 40, []float64{40},
			[]float64{10, 20, 40}, nil, []float64{80}},
		{"a plateau: the least load", []float64{100, 200, 200.2, 200.1}, []float64{50, 60, 70, 80}, 20, []float64{20,
			40, 80}, levels, nil, nil},
		{"past the peak", []float64{100, 200, 150, 120}, []float64{50, 60, 70, 80}, 20, []float64{20}, levels, nil,
			nil},
		{"near the limit is not within it", []float64{100, 200, 380, 400}, []float64{50, 60, 98, 200}, 20,
			[]float64{20},
			[]float64{10, 20}, []float64{40}, []float64{80}},
		{"one below need not keep it", []float64{100, 200, 380, 400}, []float64{50, 150, 80, 200}, 40, []float64{40},
			[]float64{10, 40}, nil, []float64{20, 80}},
		{"none", []float64{100, 200, 380, 400}, []float64{150, 160, 180, 200}, math.NaN(), nil, nil, nil, levels},
	} {
		p, err := BestOperatingPoint(levels, wobble(c.throughput...), Objective{Name: "TTFT", Max: 100,
			Values: threeAround(c.ttft...)})
		if err != nil || !same64(p.Level, c.level) || !slices.Equal(p.Best, c.best) || !slices.Equal(p.Kept, c.kept) ||
			!slices.Equal(p.Undecided, c.undecided) || !slices.Equal(p.Broken, c.broken) {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
		if p.Throughput.Defined() != (c.level > 0) || !strings.Contains(p.Reason, "TTFT ≤ 100") {
			t.Errorf("%s: %v: %s", c.name, p, p.Reason)
		}
		roundTrip(t, p)
	}
	p, err := BestOperatingPoint(levels, wobble(1, 2, 3, 4))
	if err != nil || p.Level != 80 || !strings.Contains(p.Reason, "no limit") {
		t.Errorf("%v, %v", p, err)
	}
	p, err = BestOperatingPoint(levels, repeat(3, 1, 2, 3, 4)) // without spread nothing is shown to be worse
	if err != nil || !slices.Equal(p.Best, levels) || !hasWarning(p.Warnings, ResolutionLimited) {
		t.Errorf("%v, %v", p, err)
	}
	if got := (OperatingPoint{}).String(); got != "not resolved" {
		t.Errorf("the zero point is %q", got)
	}
}

// A level that breaks its limit by a trace is the best one seldom, and the true best of those that keep it is among
// Best.
func TestBestOperatingPointSimulation(t *testing.T) {
	size := draws(500, 10_000)
	levels := []float64{10, 20, 40, 80}
	for _, n := range []int{3, 5, 10} {
		for _, sd := range []float64{0.01, 0.12} {
			rng := rand.New(rand.NewPCG(15, uint64(n)))
			broken, missed := 0, 0
			for range size {
				draw := func(means ...float64) [][]float64 {
					runs := repeat(n, means...)
					for _, run := range runs {
						for j := range run {
							run[j] *= math.Exp(sd * rng.NormFloat64())
						}
					}
					return runs
				}
				// Three levels at the limit and one far below it, which gives least.
				p, err := BestOperatingPoint(levels, draw(100, 200, 210, 220), Objective{Max: 100, Values: draw(20,
					100, 100, 100)})
				if err != nil {
					t.Fatal(err)
				}
				if p.Level > 10 {
					broken++
				}
				p, err = BestOperatingPoint(levels, draw(200, 200, 200, 200))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(p.Best, 40) {
					missed++
				}
			}
			falseAtMost(t, "operating point at a level that breaks a limit", broken, size, 0.025)
			falseAtMost(t, "best level not among the best", missed, size, 0.05)
		}
	}
}
