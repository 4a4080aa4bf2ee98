package design_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
)

// withLimits is a search for the largest load at which the p99 of TTFT is below 500 ms, with so many of 100 requests
// within their objective besides.
func withLimits(t testing.TB, p protocol.Plan, text string) design.SLO {
	t.Helper()
	limits, err := protocol.ParseLimits(text)
	if err != nil {
		t.Fatal(err)
	}
	p.Objectives = []loadgen.Objective{{Metric: loadgen.TTFT, Limit: 300}}
	return design.SLO{Plan: p, Limits: limits}
}

// rising is a world in which TTFT rises with the load, and reaches 500 ms at a capacity, with an attainment that falls.
func rising(capacity float64) func(protocol.Load) map[string]float64 {
	return func(l protocol.Load) map[string]float64 {
		load := float64(l.Concurrency) + l.Rate
		return map[string]float64{"ttft_p99": 500 * math.Pow(load/capacity, 2), protocol.KneeFigure: 100 * load}
	}
}

func loadsOf(done []protocol.Measurement) (stages []string) {
	last := 0
	for _, m := range done {
		l := m.Step.Level
		if l.Requests == 4 {
			continue
		}
		name := fmt.Sprint(l.Arrivals.Rate + float64(l.Concurrency))
		if m.Step.Stage != last {
			last = m.Step.Stage
			stages = append(stages, name)
			continue
		}
		if n := len(stages) - 1; !slices.Contains(strings.Fields(stages[n]), name) {
			stages[n] += " " + name
		}
	}
	return stages
}

func TestSLO(t *testing.T) {
	rates := plan(3)
	rates.Levels, rates.Rates = nil, []float64{5, 10, 20, 40}
	for _, c := range []struct {
		name     string
		plan     protocol.Plan
		capacity float64
		stages   []string
		answer   string
	}{
		{"a pilot, a sweep and its refinement", plan(3), 20,
			[]string{"1 2 4 8 16 32", "8 16 32 64", "23", "19", "21"}, "concurrency 19"},
		{"rates", rates, 25, []string{"5 10 20 40", "28.3", "23.8", "26"}, "23.8/s"},
		{"all that was measured keeps them", plan(3, 4, 8), 20, []string{"4 8"}, "at least concurrency 8"},
		{"what was given is too high", plan(3, 32, 64), 20, []string{"32 64", "16", "23", "19"}, "concurrency 19"},
		{"nothing does", plan(3, 2, 4), 0.5, []string{"2 4", "1"}, "not shown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := withLimits(t, c.plan, "ttft_p99<500ms")
			done := carryOut(t, d, &world{truth: rising(c.capacity), cov: 0.002, rng: rand.New(rand.NewPCG(1, 2))})
			if got := loadsOf(done); !slices.Equal(got, c.stages) {
				t.Errorf("stages %q, want %q", got, c.stages)
			}
			f := d.Conclude(done)
			if len(f) != 1 || f[0].Answer != c.answer || f[0].Reason == "" {
				t.Errorf("want %s: %+v", c.answer, f)
			}
			want := map[bool]protocol.Decision{true: protocol.Broken, false: protocol.Holds}[c.answer == "not shown"]
			if f[0].Decision != want || d.Conclude(nil)[0].Decision != protocol.Undecided {
				t.Errorf("%s is %v", f[0].Answer, f[0].Decision)
			}
			if kept := strings.Contains(f[0].Reason, "keeps them"); kept && !strings.Contains(f[0].Reason, " ms [") {
				t.Errorf("no unit: %s", f[0].Reason)
			}
			for n := 0; n < len(done); n += 5 { // cut short anywhere it says what it has
				if f := d.Conclude(done[:n])[0]; f.Reason == "" {
					t.Errorf("after %d: %+v", n, f)
				}
			}
		})
	}
}

func TestSLORefuses(t *testing.T) {
	good := withLimits(t, plan(3), "ttft_p99<500ms")
	none, at, few, attainment, order := good, good, good, withLimits(t, plan(3), "attainment>=99%"), good
	none.Limits = nil
	at.Limits = []protocol.Limit{{Figure: "ttft_p99", Max: 1, At: protocol.Load{Concurrency: 4}}}
	few.Plan.Runs = 2
	attainment.Plan.Objectives = nil
	order.Plan.Levels = []int{8, 4}
	for _, c := range []struct {
		d    design.SLO
		want string
	}{{none, "at least one"}, {at, "every load"}, {few, "at least 3"}, {attainment, "objectives"},
		{order, "ascending"}} {
		if _, err := c.d.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
	if _, err := good.Check(); err != nil {
		t.Error(err)
	}
}

// counted adds to a world an attainment that is counted: each of the step's requests is within its objective or not.
type counted struct {
	*world
	attainment func(load float64) float64
}

func (w counted) carryOut(t testing.TB, d protocol.Design) (done []protocol.Measurement) {
	t.Helper()
	for {
		s, err := d.Next(done)
		if errors.Is(err, io.EOF) {
			return done
		}
		if err != nil {
			t.Fatal(err)
		}
		m := w.measure(s)
		p, n, met := w.attainment(float64(s.Level.Concurrency)), s.Level.Requests, 0
		for range n {
			if w.rng.Float64() < p {
				met++
			}
		}
		m.Result.Figures = append(m.Result.Figures, loadgen.Figure{Name: loadgen.Attainment, Unit: "%",
			Value: 100 * float64(met) / float64(n), Better: loadgen.HigherIsBetter, N: n})
		done = append(done, m)
	}
}

// How often more is claimed than the server can, over capacities, noises and numbers of runs, with two limits of
// which either may be the one that counts; the capacity is drawn, and in a third of the experiments just below a
// level that is tested.
func TestSLOSimulation(t *testing.T) {
	n := 12
	if *long {
		n = 400
	}
	rng := rand.New(rand.NewPCG(5, 99))
	var falsely, shown share
	by := map[string]*share{}
	var below []float64
	for i := range n {
		capacity := 3 * math.Exp(rng.Float64()*math.Log(60)) // 3 to 180
		kind := "drawn"
		if i%3 == 0 {
			capacity, kind = math.Exp2(float64(1+rng.IntN(6)))*0.999, "just below a level"
		}
		runs := []int{3, 5, 10}[rng.IntN(3)]
		p := plan(runs)
		p.Prompts = protocol.Prompts{PerConcurrency: 50}
		d := withLimits(t, p, "ttft_p99<500ms,attainment>=95%")
		// The attainment reaches 95 % a little before or after TTFT its limit.
		other := capacity * math.Exp(0.2*rng.NormFloat64())
		slope := 0.5 + rng.Float64()
		w := counted{&world{cov: 0.02 * math.Exp(rng.Float64()*math.Log(6)), rng: rng}, func(load float64) float64 {
			return 1 / (1 + 0.05/0.95*math.Pow(load/other, 1+4*slope))
		}}
		power := 0.3 + 2*rng.Float64()
		w.truth = func(l protocol.Load) map[string]float64 {
			return map[string]float64{"ttft_p99": 500 * math.Pow(float64(l.Concurrency)/capacity, power)}
		}
		done := w.carryOut(t, d)
		var detail struct {
			Levels []struct {
				Level    float64
				Decision protocol.Decision
			}
		}
		f := d.Conclude(done)[0]
		if err := json.Unmarshal(f.Detail, &detail); err != nil {
			t.Fatalf("%v: %+v", err, f)
		}
		claimed := 0.0
		for _, l := range detail.Levels {
			if l.Decision == protocol.Holds {
				claimed = max(claimed, l.Level)
			}
		}
		truth := min(capacity, other)
		falsely.count(claimed > truth)
		if by[kind] == nil {
			by[kind] = &share{}
		}
		by[kind].count(claimed > truth)
		if truth >= 1 {
			shown.count(claimed > 0)
		}
		if claimed > 0 {
			below = append(below, claimed/truth)
		}
	}
	slices.Sort(below)
	t.Logf("more is claimed than the server can in %v; capacity drawn: %v; just below a level: %v", falsely,
		by["drawn"],
		by["just below a level"])
	t.Logf("a load is claimed in %v; claimed ÷ true: median %.2f, quartiles %.2f and %.2f", shown,
		below[len(below)/2], below[len(below)/4], below[len(below)*3/4])
	if falsely.surelyAbove(t, 0.025) {
		t.Errorf("more is claimed than the server can in %v", falsely)
	}
}
