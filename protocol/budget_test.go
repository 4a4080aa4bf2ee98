package protocol

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// slow is a Client whose requests take d each.
func slow(d time.Duration) *funcs {
	return &funcs{target: func(_ context.Context, _ string, s workload.Spec) (loadgen.Target, error) {
		return loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
			time.Sleep(d)
			r.Counted, r.Input, r.Output = true, s.Input, s.Output
			return nil
		}), nil
	}}
}

// A budget bounds an experiment in time: levels get their part of it, and a run that would go beyond it is left out.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := Plan{Name: "b", Runs: 5, Restart: true, Cooldown: 10 * time.Second, Input: 8, Output: 4,
			Levels:  []int{1, 2},
			Prompts: Prompts{Count: 100_000}, Seed: 7, Budget: 10 * time.Minute}
		runner := newRunner(t, &fakeServer{t: t})
		runner.Dir, runner.Client = "", slow(50*time.Millisecond)
		begin := time.Now()
		e, err := runner.Run(context.Background(), plan)
		if err != nil || !e.Complete {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > plan.Budget || took < plan.Budget/2 {
			t.Errorf("it took %v of %v", took, plan.Budget)
		}
		if len(e.Measurements) != 10 || e.Shortened != "" {
			t.Errorf("%d levels, %q", len(e.Measurements), e.Shortened)
		}
		for _, m := range e.Measurements {
			if m.Result.Accounting.Issued >= 100_000 || m.Result.CutShort || has(m.Result.Warnings, WarnLevelBudget) {
				t.Errorf("%+v %v", m.Result.Accounting, m.Result.Warnings)
			}
		}

		// A server that takes three minutes to start leaves time for fewer runs.
		runner.Client.(*funcs).ready = func(context.Context, string) error { time.Sleep(3 * time.Minute); return nil }
		begin = time.Now()
		e, err = runner.Run(context.Background(), plan)
		if err != nil || !e.Complete {
			t.Fatal(err)
		}
		a := Analyze(e)
		if took := time.Since(begin); took > plan.Budget || a.Runs != 2 ||
			!slices.Contains(warningCodes(a.Warnings), WarnShortened) ||
			!strings.HasPrefix(e.Shortened, "2 of 5 runs were measured") {
			t.Errorf("%d runs in %v: %q, %v", a.Runs, took, e.Shortened, a.Warnings)
		}
	})
}

// A level whose time ends before its figures have what they need is flagged, and one that had enough is not.
func TestLevelBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			each    time.Duration
			flagged bool
		}{{10 * time.Millisecond, false}, {600 * time.Millisecond, true}, {5 * time.Second, true}} {
			plan := Plan{Name: "b", Runs: 1, Input: 8, Output: 4, Levels: []int{8}, Prompts: Prompts{Count: 1000},
				LevelBudget: time.Second}
			runner := newRunner(t, &fakeServer{t: t})
			runner.Dir, runner.Client = "", slow(c.each)
			e, err := runner.Run(context.Background(), plan)
			if err != nil {
				t.Fatal(err)
			}
			r := e.Measurements[0].Result
			if has(r.Warnings, WarnLevelBudget) != c.flagged {
				t.Errorf("%v a request: %+v %v", c.each, r.Accounting, r.Warnings)
			}
		}
	})
}

// The time that is left is that of the steps before, and of their throughput where a step was not there yet.
func TestRemaining(t *testing.T) {
	plan := Plan{Name: "b", Runs: 3, Restart: true, Cooldown: 10 * time.Second, Input: 60, Output: 40,
		Levels: []int{1, 2}, Prompts: Prompts{Count: 100}}
	if _, known := plan.Remaining(nil); known {
		t.Error("something is known before anything was measured")
	}
	var done []Measurement
	for range 6 {
		s, err := plan.Next(done)
		if err != nil {
			t.Fatal(err)
		}
		m := Measurement{Step: s, Took: 20 * time.Second}
		m.Result.Makespan, m.Result.Tokens = 20*time.Second, loadgen.Tokens{Input: 6000, Output: 4000}
		done = append(done, m)
		left, known := plan.Remaining(done)
		// 20 s for each step to come, and 10 s before each run to come
		steps := 6 - len(done)
		want := time.Duration(steps)*20*time.Second + time.Duration(steps/2)*10*time.Second
		if !known || left != want {
			t.Errorf("after %d steps: %v, want %v", len(done), left, want)
		}
	}
	if _, err := plan.Next(done); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if got, want := plan.Estimate(500), 6*20*time.Second+2*10*time.Second; got != want {
		t.Errorf("estimate %v, want %v", got, want)
	}
}

// A level is measured again for the causes that the plan names, as often as it says, and all tries are kept.
func TestLevelRetries(t *testing.T) {
	const cause = "too-cold"
	next := func(plan Plan, bad map[int]int) (runs []string, e *Experiment) {
		e = &Experiment{Complete: true}
		for {
			s, err := plan.Next(e.Measurements)
			if errors.Is(err, io.EOF) {
				return runs, e
			}
			if err != nil {
				t.Fatal(err)
			}
			m := Measurement{Step: s, Instance: "i" + string(rune('0'+s.Run))}
			m.Result.Figures = []loadgen.Figure{{Name: loadgen.TotalThroughput, Value: float64(10*s.Run + s.Try)}}
			if c := s.Level.Concurrency; bad[c] > 0 {
				bad[c]--
				m.Result.Warnings = []loadgen.Warning{{Code: cause, Spoils: []string{loadgen.All}}}
			}
			e.Measurements = append(e.Measurements, m)
			runs = append(runs, s.Level.Load())
		}
	}
	plan := Plan{Runs: 2, Input: 1, Output: 1, Levels: []int{1, 2}, Prompts: Prompts{Count: 10},
		Retry: Retry{Times: 2, Causes: []string{cause}}}
	for _, c := range []struct {
		bad     map[int]int
		want    string
		retried bool
		spoiled bool
	}{
		{nil, "1 2 1 2", false, false},
		{map[int]int{1: 1}, "1 1 2 1 2", true, false},
		{map[int]int{2: 2}, "1 2 2 2 1 2", true, false},
		{map[int]int{2: 3}, "1 2 2 2 1 2", true, true}, // and then it is what it is
	} {
		tries := 0
		for _, n := range c.bad { // which next counts down
			tries += min(n, plan.Retry.Times) + 1
		}
		runs, e := next(plan, c.bad)
		if got := strings.ReplaceAll(strings.Join(runs, " "), "concurrency ", ""); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
		a := Analyze(e)
		if slices.Contains(warningCodes(a.Warnings), WarnLevelRetried) != c.retried {
			t.Errorf("%s: %v", c.want, a.Warnings)
		}
		if len(a.Tries) != tries {
			t.Errorf("%s: %d tries are shown, want all %d", c.want, len(a.Tries), tries)
		}
		for i, try := range a.Tries {
			last := i+1 == len(a.Tries)
			if try.Try != i+1 || try.Run != 1 || try.Counts != last || len(try.Figures) != 1 ||
				slices.Contains(try.Codes, cause) != (!last || c.spoiled) {
				t.Errorf("%s: %+v", c.want, try)
			}
		}
		spoiled := false
		for _, p := range a.Points {
			if len(p.Runs) != 2 {
				t.Errorf("%s: runs %v", c.want, p.Runs)
			}
			spoiled = spoiled || len(p.Warnings) > 0
		}
		if spoiled != c.spoiled {
			t.Errorf("%s: spoiled %v", c.want, spoiled)
		}
	}
	seeds := map[uint64]bool{}
	_, e := next(plan, map[int]int{1: 2})
	for _, m := range e.Measurements {
		seeds[m.Step.Seed] = true
	}
	if len(seeds) != 6 {
		t.Errorf("%d seeds for 6 levels: a cache may know the prompts of the try before", len(seeds))
	}
	for _, bad := range []Retry{{Times: -1}, {Times: 1}, {Times: 1, Causes: []string{"Server Died"}}} {
		plan.Retry = bad
		if _, err := plan.Check(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// Bounds that contradict each other, or in which nothing can be carried out, are errors that name the one that is
// wrong.
func TestContradictoryBudgets(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Plan)
		want   string // "": nothing is wrong
	}{
		"none":                 {func(*Plan) {}, ""},
		"negative":             {func(p *Plan) { p.Budget = -time.Second }, "budget -1s"},
		"negative, of a level": {func(p *Plan) { p.LevelBudget = -time.Second }, "level budget -1s"},
		"a level's above all": {func(p *Plan) { p.Budget, p.LevelBudget = time.Hour, 2*time.Hour },
			"level budget 2h0m0s"},
		"less than the rests":    {func(p *Plan) { p.Budget = 4 * time.Minute }, "4m35s or more"},
		"just enough":            {func(p *Plan) { p.Budget = 4*time.Minute + 35*time.Second }, ""},
		"nothing at all":         {func(p *Plan) { p.Budget = 1 }, "budget 1ns"},
		"retries without causes": {func(p *Plan) { p.Retry.Times = 2 }, "causes of a retry"},
		"a figure as a cause":    {func(p *Plan) { p.Retry = Retry{1, []string{"ttft_p99"}} }, "cause of a retry"},
	} {
		p := MultiRun()
		c.change(&p)
		_, err := p.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
