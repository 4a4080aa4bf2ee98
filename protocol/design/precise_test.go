package design_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/stats"
)

func intervalOf(t *testing.T, f protocol.Finding) (v stats.Interval) {
	t.Helper()
	if err := json.Unmarshal(f.Detail, &v); err != nil {
		t.Fatalf("%v: %+v", err, f)
	}
	return v
}

func TestUntilPrecise(t *testing.T) {
	d := design.UntilPrecise{Plan: plan(5, 4, 16), Precision: 0.02}
	w := &world{truth: twoServers(1), cov: 0.04, rng: rand.New(rand.NewPCG(3, 4))}
	done := carryOut(t, d, w)
	runs := done[len(done)-1].Step.Run
	findings := d.Conclude(done)
	if runs <= 5 || runs != w.starts || len(findings) != 2 {
		t.Fatalf("%d runs, %d starts, %d findings", runs, w.starts, len(findings))
	}
	for _, f := range findings {
		v := intervalOf(t, f)
		if !strings.Contains(f.Answer, " tok/s [") {
			t.Errorf("no unit: %s", f.Answer)
		}
		if half := v.HalfWidth() / v.Estimate; half > 0.021 || v.N != runs || v.DF != 4 ||
			!strings.Contains(f.Reason, "Stein") {
			t.Errorf("±%.3f: %+v", half, f)
		}
	}
	// One decision: that the runs after the pilot vary less or more changes nothing.
	if d.Shortened(done) != "" {
		t.Error(d.Shortened(done))
	}
	// Cut short, it says so, with the interval of what there is.
	f := d.Conclude(done[:3*7])[0]
	if v := intervalOf(t, f); v.N != 7 || v.DF != 6 || !strings.Contains(f.Reason, "precision not reached") {
		t.Errorf("%+v", f)
	}
	d.Most = 6
	if done := carryOut(t, d, w); done[len(done)-1].Step.Run != 6 ||
		!strings.Contains(d.Shortened(done), "6 are the most") {
		t.Errorf("%d runs: %q", done[len(done)-1].Step.Run, d.Shortened(done))
	}
	text, _ := json.Marshal(d)
	longer := d
	longer.Most = 50
	if !longer.Extends(text) {
		t.Error("more runs at most are more of the same")
	}
	longer.Precision = 0.01
	if longer.Extends(text) {
		t.Error("another precision is another question")
	}
}

// How often the interval holds the truth, where the number of runs follows from the pilot.
func TestUntilPreciseSimulation(t *testing.T) {
	n := 15
	if *long {
		n = 3000
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for _, cov := range []float64{0.02, 0.06} {
		var covered share
		runs := 0
		for range n {
			d := design.UntilPrecise{Plan: plan(5, 10), Precision: 0.03}
			// The truth of a lognormal mean is 1,000 · exp(cov²/2).
			w := &world{truth: throughput(func(float64) float64 { return 1000 }), cov: cov, rng: rng}
			done := carryOut(t, d, w)
			v := intervalOf(t, d.Conclude(done)[0])
			mean := 1000 * (1 + cov*cov/2)
			covered.count(v.Low < mean && mean < v.High)
			runs += done[len(done)-1].Step.Run
		}
		t.Logf("CoV %.0f %%: the interval of at most ±3 %% holds the mean in %v, with %.1f runs on average", 100*cov,
			covered,
			float64(runs)/float64(n))
		if covered.surelyBelow(t, 0.945) {
			t.Errorf("the interval holds the mean in %v", covered)
		}
	}
}

func TestUntilPreciseRefuses(t *testing.T) {
	for _, c := range []struct {
		d    design.UntilPrecise
		want string
	}{
		{design.UntilPrecise{Plan: plan(2, 4), Precision: 0.02}, "at least 3"},
		{design.UntilPrecise{Plan: plan(5, 4)}, "precision"},
		{design.UntilPrecise{Plan: plan(5, 4), Precision: 2}, "precision"},
		{design.UntilPrecise{Plan: plan(5, 4), Precision: 0.02, Most: 4}, "most runs"},
	} {
		if _, err := c.d.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
}

func TestGrid(t *testing.T) {
	d := design.Grid{Plan: plan(4, 2, 8), Shapes: []design.Shape{{Input: 8, Output: 4}, {Input: 64, Output: 16},
		{Input: 8, Output: 32}}}
	w := &world{truth: twoServers(1), cov: 0.01, rng: rand.New(rand.NewPCG(3, 4))}
	done := carryOut(t, d, w)
	if len(done) != 4*(1+3*2) || w.starts != 4 {
		t.Fatalf("%d steps, %d starts", len(done), w.starts)
	}
	seeds, orders := map[uint64]bool{}, map[string]bool{}
	order := ""
	for i, m := range done {
		s := m.Step
		if s.Seq != i%7 || s.Restart != (s.Seq == 0) || s.Discard != (s.Seq == 0) || seeds[s.Seed] {
			t.Errorf("%+v", s)
		}
		seeds[s.Seed] = true
		if order += fmt.Sprintf(" %dx%d", s.Input, s.Output); s.Seq == 6 {
			orders[order], order = true, ""
		}
	}
	if len(orders) < 2 {
		t.Errorf("one order in all runs: %v", orders)
	}
	a := protocol.Analyze(&protocol.Experiment{Measurements: done, Complete: true})
	if len(a.Points) != 6 {
		t.Errorf("%d points", len(a.Points))
	}
	for _, p := range a.Points {
		if len(p.Runs) != 4 {
			t.Errorf("%v: runs %v", p.Load, p.Runs)
		}
	}
	for text, want := range map[string]string{"8x": "shape", "x4": "shape", "0x4": "shape", "8x4x2": "shape"} {
		var s design.Shape
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	twice := d
	twice.Shapes = append(twice.Shapes, d.Shapes[0])
	if _, err := twice.Check(); err == nil || !strings.Contains(err.Error(), "once") {
		t.Error(err)
	}
	if _, err := (design.Grid{Plan: plan(3, 4)}).Check(); err == nil {
		t.Error("no shape")
	}
}
