package protocol

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// The start that primes is thrown away, with what was measured on it: the runs are as they would be without it, each on
// a start of its own.
func TestPrimingStart(t *testing.T) {
	plan := small()
	plan.Runs, plan.Levels, plan.Prompts = 2, []int{3, 1}, Prompts{Count: 2}
	carryOut := func(p Plan) (*Experiment, *fakeServer) {
		server := &fakeServer{t: t}
		runner := newRunner(t, server)
		e, err := runner.Run(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		return e, server
	}
	without, _ := carryOut(plan)
	plan.Prime = true
	e, server := carryOut(plan)
	if server.starts != 3 || server.running != 0 || len(e.Starts) != 3 || len(e.Stops) != 3 {
		t.Errorf("%d starts, %d run still", server.starts, server.running)
	}
	first := e.Measurements[0]
	if s := first.Step; s.Run != 0 || !s.Discard || !s.Restart || s.Level.Concurrency != 2 ||
		first.Result.Accounting.Issued != 2 {
		t.Errorf("priming: %+v", s)
	}
	var seeds, wantSeeds []uint64
	for _, m := range e.Measurements[1:] {
		seeds = append(seeds, m.Step.Seed)
		if m.Instance == first.Instance {
			t.Errorf("run %d was measured on the start that is thrown away", m.Step.Run)
		}
	}
	for _, m := range without.Measurements {
		wantSeeds = append(wantSeeds, m.Step.Seed)
	}
	if !slices.Equal(seeds, wantSeeds) || slices.Contains(seeds, first.Step.Seed) {
		t.Errorf("seeds %v with priming (%d), %v without", seeds, first.Step.Seed, wantSeeds)
	}
	a := Analyze(e)
	if a.Unit != UnitRestart || a.Runs != 2 || len(a.Points) != 2 || !a.Valid() {
		t.Errorf("%s, %d runs, %d points", a.Unit, a.Runs, len(a.Points))
	}
	for _, p := range a.Points {
		if len(p.Runs) != 2 {
			t.Errorf("%v: runs %v", p.Load, p.Runs)
		}
	}
	// Also the first run rests before its start, since there was a server before it.
	plan.Cooldown = time.Minute
	if s, err := plan.Next(e.Measurements[:1]); err != nil || s.Run != 1 || s.Cooldown != time.Minute || !s.Restart {
		t.Errorf("%+v, %v", s, err)
	}
	// However long it took, it takes no run with it.
	plan.Budget = time.Hour
	primed := slices.Clone(e.Measurements[:1])
	primed[0].Took = 50 * time.Minute
	if s, err := plan.Next(primed); err != nil || s.Run != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	plan.Restart = false
	if _, err := plan.Check(); err == nil || !strings.Contains(err.Error(), "prime true: want restart") {
		t.Errorf("without restarts: %v", err)
	}
}
