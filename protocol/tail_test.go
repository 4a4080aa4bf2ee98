package protocol

import (
	"slices"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// withPercentiles is a run of a level with so many samples behind its percentiles.
func withPercentiles(run, n int) Measurement {
	m := Measurement{Step: Step{Run: run, Level: loadgen.Level{Concurrency: 10, Requests: 1000}},
		Instance: string(rune('a' + run))}
	for _, p := range []float64{50, 99} {
		m.Result.Figures = append(m.Result.Figures, loadgen.Figure{Name: loadgen.QuantileName(loadgen.E2E, p),
			Unit: "ms", Value: 10 * p, N: n})
	}
	m.Result.Figures = append(m.Result.Figures, loadgen.Figure{Name: loadgen.SteadyTotalThroughput, Unit: "tok/s",
		Value: 1000 + float64(run), N: n})
	return m
}

// The page's p99 of 100 requests is marked, with what it would take, and can be used; its median and throughput are
// not marked, nor is a p99 of ten prompts for each of 100 in flight. Each run counts on its own: five times 200 are
// no 1,000.
func TestFewSamples(t *testing.T) {
	for _, c := range []struct {
		each   []int
		p50    bool
		p99    bool
		marked []int // runs
	}{
		{[]int{100, 100, 100}, false, true, []int{1, 2, 3}},
		{[]int{1000, 1000, 1000}, false, false, nil},
		{[]int{662, 662}, false, false, nil},
		{[]int{1000, 661}, false, true, []int{2}},
		{[]int{200, 200, 200, 200, 200}, false, true, []int{1, 2, 3, 4, 5}},
		{[]int{5, 5}, true, true, []int{1, 2}},
	} {
		e := &Experiment{Complete: true}
		for i, n := range c.each {
			e.Measurements = append(e.Measurements, withPercentiles(i+1, n))
		}
		a := Analyze(e)
		p := a.Points[0]
		for name, want := range map[string]bool{loadgen.QuantileName(loadgen.E2E, 50): c.p50,
			loadgen.QuantileName(loadgen.E2E, 99): c.p99, loadgen.SteadyTotalThroughput: false} {
			estimate, err := p.Figure(name)
			if err != nil || slices.Contains(estimate.MarkedBy, WarnFewSamples) != want {
				t.Errorf("%v: %s: marked by %v, %v; want %v", c.each, name, estimate.MarkedBy, err, want)
			}
		}
		var runs []int
		for _, w := range p.Warnings {
			if w.Code == WarnFewSamples {
				runs = w.Runs
			}
		}
		if !slices.Equal(runs, c.marked) || !a.Valid() {
			t.Errorf("%v: runs %v, want %v", c.each, runs, c.marked)
		}
	}
}
