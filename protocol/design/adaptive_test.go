package design_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/stats"
)

// levelsOf are the levels of each stage, in the order of their first run, and whether the stage is discarded.
func levelsOf(done []protocol.Measurement) (stages []string) {
	last := 0
	var levels []int
	end := func() {
		if levels != nil {
			stages = append(stages, strings.Trim(fmt.Sprint(levels), "[]"))
		}
		levels = nil
	}
	for _, m := range done {
		if m.Step.Stage != last {
			end()
			last = m.Step.Stage
		}
		c := m.Step.Level.Concurrency
		if led := m.Step.Level.Requests == 4; !led && !slices.Contains(levels, c) {
			levels = append(levels, c)
		}
	}
	end()
	return stages
}

func TestAdaptiveSweep(t *testing.T) {
	hardCap := func(cap float64) func(float64) float64 {
		// It falls a little, so that the peak is the first level of the cap and not the one of the luckiest runs.
		return func(c float64) float64 { return 100 * min(c, cap) * (1 - c/20_000) }
	}
	for _, c := range []struct {
		name   string
		d      design.AdaptiveSweep
		curve  func(float64) float64
		stages []string
		answer string
	}{
		{
			"a pilot, a sweep and its refinement", design.AdaptiveSweep{Plan: plan(3)}, hardCap(20.3),
			[]string{"1 2 4 8 16 32 64 128", "1 2 4 8 16 32 64 128", "23 32", "19 32", "21 32", "20 32"}, "(19, 20]",
		},
		{
			"levels of one's own", design.AdaptiveSweep{Plan: plan(3, 5, 50, 100)}, hardCap(20.3),
			[]string{"5 50 100", "16 50", "28 50", "21 50", "18 50", "19 50", "20 50"}, "(19, 20]",
		},
		{
			"too low: a level more, from the lower end up", design.AdaptiveSweep{Plan: plan(3, 2, 4, 8), Most: 64},
			hardCap(12),
			[]string{"2 4 8", "4 8 16", "8 16 32", "11 16", "13 16", "12 16"}, "(11, 12]",
		},
		{
			"too high: a level below", design.AdaptiveSweep{Plan: plan(3, 16, 32)}, hardCap(6),
			[]string{"16 32", "8 16 32", "4 8 16 32", "6 8", "5 8"}, "(5, 6]",
		},
		{
			"no saturation up to the highest level", design.AdaptiveSweep{Plan: plan(3), Most: 16}, hardCap(1e6),
			[]string{"1 2 4 8 16", "1 2 4 8 16"}, "> 8, saturation not shown",
		},
		{
			"no extension", design.AdaptiveSweep{Plan: plan(3, 2, 4, 8), Most: 64, Extensions: -1}, hardCap(12),
			[]string{"2 4 8"}, "> 4, saturation not shown",
		},
		{
			"beyond the peak it falls", design.AdaptiveSweep{Plan: plan(3, 4, 16, 64)},
			func(c float64) float64 { return 100 * c / (1 + c*c/256) },
			[]string{"4 16 64", "8 16", "11 16", "13 16", "12 16"}, "(11, 12]",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{truth: throughput(c.curve), cov: 0.0003, rng: rand.New(rand.NewPCG(1, 2))}
			done := carryOut(t, c.d, w)
			findings := c.d.Conclude(done)
			if got := levelsOf(done); !slices.Equal(got, c.stages) {
				t.Errorf("stages %q, want %q", got, c.stages)
			}
			if len(findings) != 1 || findings[0].Answer != c.answer || findings[0].Reason == "" {
				t.Errorf("want %s: %s, %s", c.answer, findings[0].Answer, findings[0].Reason)
			}
			// Every run has a start of its own, and numbers that follow each other.
			if last := done[len(done)-1].Step.Run; last != w.starts {
				t.Errorf("%d runs, %d starts", last, w.starts)
			}
			if a := protocol.Conclude(&protocol.Experiment{Measurements: done, Complete: true},
				c.d); len(a.Findings) != 1 ||
				a.Unit != protocol.UnitRestart {
				t.Errorf("%v, %q", a.Findings, a.Unit)
			}
		})
	}
}

// A sweep's own steps are a plan's: prompts differ, restarts and rests are where they should be.
func TestAdaptiveSweepSteps(t *testing.T) {
	p := plan(3)
	p.Cooldown = time.Second
	d := design.AdaptiveSweep{Plan: p}
	w := &world{truth: throughput(func(c float64) float64 { return min(c, 6) }), cov: 0.002,
		rng: rand.New(rand.NewPCG(1, 2))}
	seeds := map[uint64]bool{}
	for i, m := range carryOut(t, d, w) {
		s := m.Step
		if seeds[s.Seed] {
			t.Errorf("run %d, step %d: its prompts were sent before", s.Run, s.Seq)
		}
		seeds[s.Seed] = true
		if s.Restart != (s.Seq == 0) || (s.Cooldown > 0) != (s.Restart && i > 0) {
			t.Errorf("run %d, step %d: restart %v, cooldown %v", s.Run, s.Seq, s.Restart, s.Cooldown)
		}
		if s.Discard != (s.Stage == 1 || s.Seq == 0) {
			t.Errorf("stage %d, step %d: discard %v", s.Stage, s.Seq, s.Discard)
		}
	}
}

// A level that cannot be used in one run of a sweep is used in none; and what is above the highest whole one stays
// open.
func TestAdaptiveSweepSpoiled(t *testing.T) {
	d := design.AdaptiveSweep{Plan: plan(3, 2, 8, 32)}
	w := &world{truth: throughput(func(c float64) float64 { return min(c, 6) }), cov: 0.002,
		rng: rand.New(rand.NewPCG(1, 2))}
	spoil := func(level, run int) []protocol.Measurement {
		var done []protocol.Measurement
		for {
			s, err := d.Next(done)
			if err != nil {
				return done
			}
			m := w.measure(s)
			if s.Level.Concurrency == level && s.Run == run {
				m.Result.Warnings = []loadgen.Warning{{Code: loadgen.WarnPromptCapped, Spoils: []string{loadgen.All}}}
			}
			done = append(done, m)
		}
	}
	done := spoil(32, 2)
	f := d.Conclude(done)[0]
	if got := levelsOf(done); len(got) != 1 || f.Answer != "> 2, saturation not shown" ||
		!strings.Contains(f.Reason, "prompt-capped") {
		t.Errorf("%q: %+v", got, f)
	}
	// A refining run that cannot be used ends the refinement, with what was found before.
	done = spoil(4, 5)
	f = d.Conclude(done)[0]
	if f.Answer != "(2, 8]" || !strings.Contains(f.Reason, "nothing to test") {
		t.Errorf("%q: %+v", levelsOf(done), f)
	}
}

func TestAdaptiveSweepBudget(t *testing.T) {
	p := plan(3)
	p.Budget = 80 * time.Second
	d := design.AdaptiveSweep{Plan: p}
	w := &world{truth: throughput(func(c float64) float64 { return min(c, 6) }), cov: 0.002, took: 2 * time.Second,
		rng: rand.New(rand.NewPCG(1, 2))}
	done := carryOut(t, d, w)
	if took := 2 * time.Second * time.Duration(len(done)); took > p.Budget || took < p.Budget/2 {
		t.Errorf("it took %v of %v", took, p.Budget)
	}
	if why := d.Shortened(done); !strings.Contains(why, "budget of 1m20s") {
		t.Errorf("%q", why)
	}
	if f := d.Conclude(done)[0]; f.Answer == "not resolved" {
		t.Errorf("%+v", f)
	}
	for _, m := range done {
		if !m.Step.Discard && m.Step.Level.Duration == 0 {
			t.Errorf("%+v has no end in time", m.Step)
		}
	}
	p.Budget = time.Hour
	d = design.AdaptiveSweep{Plan: p}
	if done := carryOut(t, d, w); d.Shortened(done) != "" {
		t.Error(d.Shortened(done))
	}
}

func TestAdaptiveSweepRefuses(t *testing.T) {
	few, descending, one, high, noPrompts := plan(2), plan(3, 8, 4), plan(3, 8), plan(3, 8, 128), plan(3)
	noPrompts.Prompts = protocol.Prompts{}
	for _, c := range []struct {
		d    design.AdaptiveSweep
		want string
	}{
		{design.AdaptiveSweep{Plan: few}, "at least 3"},
		{design.AdaptiveSweep{Plan: descending}, "ascending"},
		{design.AdaptiveSweep{Plan: one}, "two or more"},
		{design.AdaptiveSweep{Plan: high, Most: 64}, "up to 64"},
		{design.AdaptiveSweep{Plan: plan(3), Most: -1}, "highest level"},
		{design.AdaptiveSweep{Plan: noPrompts}, "prompts"},
	} {
		if _, err := c.d.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
		if _, err := c.d.Next(nil); err == nil {
			t.Errorf("%s: it begins", c.want)
		}
	}
}

// shapes are true curves of throughput over concurrency with a knee about n.
var shapes = []struct {
	name  string
	curve func(n float64) func(c float64) float64
}{
	{"flat", func(float64) func(float64) float64 { return func(float64) float64 { return 2000 } }},
	{"linear", func(float64) func(float64) float64 { return func(c float64) float64 { return 10 * c } }},
	{"hard cap", func(n float64) func(float64) float64 { return func(c float64) float64 { return 10 * min(c, n) } }},
	{"hyperbola", func(n float64) func(float64) float64 {
		return func(c float64) float64 {
			return 2000 * c / (c +
				n/5)
		}
	}},
	{"hyperbola with cap", func(n float64) func(float64) float64 {
		return func(c float64) float64 { return min(2600*c/(c+n/3), 2000) }
	}},
	{"falls beyond its peak", func(n float64) func(float64) float64 {
		return func(c float64) float64 { return 60 * c / (1 + (c/n)*(c/n)) }
	}},
	{"simulated server", func(n float64) func(float64) float64 {
		s := &loadgentest.Simulated{MaxSequences: int(n), PrefillRate: 8000, DecodeRate: 500}
		truth := s.Truth(8, 4)
		return func(c float64) float64 { return truth.TotalThroughput(int(c)) }
	}},
	{"simulated server, a batch", func(n float64) func(float64) float64 {
		s := &loadgentest.Simulated{MaxSequences: 2 * int(n), PrefillRate: 80_000, DecodeRate: 500,
			StepPerSequence: time.Duration(2e9 / 500 / n), TokenBudget: 4096}
		truth := s.Truth(8, 4)
		return func(c float64) float64 { return truth.TotalThroughput(int(c)) }
	}},
}

// kneeOf is the smallest whole concurrency from the lowest tested level up that gives 95 % of the most at a tested one.
func kneeOf(curve func(float64) float64, tested []float64) float64 {
	peak := 0.0
	for _, l := range tested {
		peak = max(peak, curve(l))
	}
	for c := tested[0]; ; c++ {
		if curve(c) >= 0.95*peak {
			return c
		}
	}
}

// How often the answer holds the true knee, over servers of many shapes and noises. Everything is drawn anew for each
// experiment: the shape, where its knee is, the noise, what of it is the start's own, and the number of runs.
func TestAdaptiveSweepSimulation(t *testing.T) {
	n := 12
	if *long {
		n = 4000
	}
	rng := rand.New(rand.NewPCG(12, 2026))
	var covered share
	by := map[string]*share{}
	bracketed := map[string]*share{}
	stages := map[string]int{}
	var width []float64
	for range n {
		shape := shapes[rng.IntN(len(shapes))]
		knee := math.Exp(math.Log(3) + rng.Float64()*math.Log(100)) // 3 to 300
		curve := shape.curve(math.Round(knee))
		runs := []int{3, 5, 10}[rng.IntN(3)]
		w := &world{truth: throughput(curve), cov: 0.01 * math.Exp(rng.Float64()*math.Log(12)), rng: rng} // 1 to 12 %
		if rng.IntN(2) == 0 {
			w.shared = 0.5
		}
		d := design.AdaptiveSweep{Plan: plan(runs), Most: 1024}
		done := carryOut(t, d, w)
		f := d.Conclude(done)[0]
		ok, closed, ratio := holdsKnee(t, f, curve)
		covered.count(ok)
		if by[shape.name] == nil {
			by[shape.name], bracketed[shape.name] = &share{}, &share{}
		}
		by[shape.name].count(ok)
		bracketed[shape.name].count(closed)
		stages[shape.name] += len(levelsOf(done))
		if closed {
			width = append(width, ratio)
		}
		if !ok && *long {
			t.Logf("%s, knee %g, %d runs, CoV %.1f %%: %s", shape.name, math.Round(knee), runs, 100*w.cov, f.Answer)
		}
	}
	for _, s := range shapes {
		if of := by[s.name]; of != nil {
			t.Logf("%s: holds the knee in %v; bracketed in %v; %.1f stages", s.name, *of, *bracketed[s.name],
				float64(stages[s.name])/float64(of.of))
		}
	}
	sorted, err := stats.NewSorted(width)
	if err != nil {
		t.Fatal(err)
	}
	median, _ := sorted.Quantile(0.5)
	t.Logf("all: holds the knee in %v; of what is bracketed the median ratio of the ends is %.2f", covered, median)
	if covered.surelyBelow(t, 0.95) {
		t.Errorf("the answer holds the true knee in %v", covered)
	}
}

// holdsKnee reports whether a finding is consistent with the truth, and whether both ends are closed, with their ratio.
func holdsKnee(t *testing.T, f protocol.Finding, curve func(float64) float64) (ok, closed bool, ratio float64) {
	t.Helper()
	var k stats.KneeResult
	var refined stats.KneeRefinement
	if err := json.Unmarshal(f.Detail, &refined); err == nil && refined.Low < refined.High {
		k = refined.Sweep
		k.Low, k.High = refined.Low, refined.High
	} else if err := json.Unmarshal(f.Detail, &k); err != nil {
		t.Fatalf("%v: %+v", err, f)
	}
	var tested []float64
	for _, test := range k.Tests {
		tested = append(tested, test.Level)
	}
	if tested == nil {
		return true, false, 0
	}
	knee := kneeOf(curve, tested)
	switch k.Kind {
	case stats.KneeBracketed:
		return k.Low < knee && knee <= k.High, true, k.High / k.Low
	case stats.KneeAbove:
		return k.Low < knee, false, 0
	case stats.KneeAtMost:
		return knee <= k.High, false, 0
	}
	return true, false, 0
}

// A start that is thrown away is made once, for the whole of a design, and before each arm's first.
func TestDesignsPrime(t *testing.T) {
	p := plan(3, 4, 16)
	p.Prime = true
	slo := withLimits(t, p, "ttft_p99<500ms")
	for _, c := range []struct {
		d    protocol.Design
		arms int
	}{
		{design.AdaptiveSweep{Plan: p}, 1}, {design.Ablation{Plan: p, Margin: 0.05}, 2}, {slo, 1},
		{design.UntilPrecise{Plan: p, Precision: 0.02}, 1},
	} {
		w := &world{truth: rising(8), cov: 0.01, rng: rand.New(rand.NewPCG(1, 2))}
		primed := 0
		for i, m := range carryOut(t, c.d, w) {
			if m.Step.Run < 1 {
				if primed++; i >= c.arms || !m.Step.Discard || !m.Step.Restart {
					t.Errorf("%T: step %d: %+v", c.d, i, m.Step)
				}
			}
		}
		if primed != c.arms {
			t.Errorf("%T: %d starts are thrown away", c.d, primed)
		}
	}
	if _, err := (design.Grid{Plan: p, Shapes: []design.Shape{{Input: 8, Output: 4}}}).Check(); err == nil {
		t.Error("a grid primes nothing, and takes it")
	}
}
