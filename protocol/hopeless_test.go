package protocol

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// refused is what a server with a full queue answers.
var refused = &loadgen.Error{Class: loadgen.ClassStatus, Status: 429, Err: errors.New("too many requests")}

// runSteps carries out levels on one server, whose requests do what answer does. starts is how often the server was
// started.
func runSteps(t *testing.T, answer func(ctx context.Context, s Step, i int) error, steps ...Step) (e *Experiment,
	starts int, err error) {
	t.Helper()
	for i := range steps {
		if steps[i].Run == 0 {
			steps[i].Run = 1
		}
		steps[i].Seq = i
	}
	server := &fakeServer{t: t}
	runner := &Runner{Server: server, Measure: func(ctx context.Context, _ *Instance, s Step,
		g *loadgen.Generator) (*loadgen.Result, error) {
		g.Target = loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
			r.Counted, r.Output = true, 1
			return answer(ctx, s, i)
		})
		return g.Measure(ctx, s.Level)
	}}
	e, err = runner.Run(t.Context(), Steps(steps))
	return e, server.starts, err
}

func closedLoop(concurrency, requests int) Step {
	return Step{Level: loadgen.Level{Concurrency: concurrency, Requests: requests}}
}

// The server: it admits 8 requests, of half a second each, and refuses the others at once. The level is
// measured to its end, what is said of it is true, and the next one follows.
func TestRefusedBesideAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside atomic.Int64
		answer := func(context.Context, Step, int) error {
			if inside.Add(1) > 8 {
				inside.Add(-1)
				return refused
			}
			time.Sleep(500 * time.Millisecond)
			inside.Add(-1)
			return nil
		}
		for _, requests := range []int{32, 320, 3200} {
			e, _, err := runSteps(t, answer, closedLoop(32, requests), closedLoop(8, 80))
			if err != nil || len(e.Measurements) != 2 || !e.Complete {
				t.Fatalf("%v, %d levels", err, len(e.Measurements))
			}
			r := e.Measurements[0].Result
			if r.Accounting.Completed < 8 || r.Accounting.Completed+r.Accounting.Failed != requests || r.CutShort ||
				has(r.Warnings, WarnGivenUp) {
				t.Errorf("%+v %v", r.Accounting, r.Warnings)
			}
			if len(r.Errors) != 1 || r.Errors[0].Status != 429 || r.Errors[0].Count != r.Accounting.Failed ||
				r.Valid() {
				t.Errorf("%v %v", r.Errors, r.Warnings)
			}
			if next := e.Measurements[1].Result; next.Accounting.Completed != 80 || !next.Valid() {
				t.Errorf("the next level: %+v %v", next.Accounting, next.Warnings)
			}
		}
	})
}

func has(warnings []loadgen.Warning, code string) bool {
	return slices.ContainsFunc(warnings, func(w loadgen.Warning) bool { return w.Code == code })
}

// A level in which nothing completes, on a server that has answered before, is given up and kept, and the next one
// follows.
func TestGivenUpLevelIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(_ context.Context, s Step, i int) error {
			time.Sleep(time.Millisecond)
			if s.Level.Concurrency == 4 {
				return refused
			}
			return nil
		}
		for _, steps := range [][]Step{
			{closedLoop(2, 40), closedLoop(4, 100_000), closedLoop(3, 40)},
			{closedLoop(4, 100_000), closedLoop(2, 40), closedLoop(3, 40)}, // the first level of all
		} {
			e, _, err := runSteps(t, answer, steps...)
			if err != nil || len(e.Measurements) != 3 || !e.Complete {
				t.Fatalf("%v, %d levels", err, len(e.Measurements))
			}
			for _, m := range e.Measurements {
				dead := m.Step.Level.Concurrency == 4
				if r := m.Result; r.CutShort != dead || has(r.Warnings, WarnGivenUp) != dead || dead &&
					r.Accounting.Issued > 100 {
					t.Errorf("%d: %+v %v", m.Step.Level.Concurrency, r.Accounting, r.Warnings)
				}
			}
			if Analyze(e).Valid() {
				t.Error("it is valid")
			}
		}
	})
}

// Where a server has never answered, the experiment ends before another start, with what was wrong; each level is kept.
func TestServerThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := closedLoop(2, 1000)
		next.Run, next.Restart = 2, true
		e, starts, err := runSteps(t, func(context.Context, Step, int) error {
			time.Sleep(time.Millisecond)
			return refused
		}, closedLoop(1, 1000), closedLoop(2, 1000), next)
		var level *LevelError
		if !errors.As(err, &level) || level.Step.Level.Concurrency != 1 ||
			!strings.Contains(err.Error(), "status 429") {
			t.Errorf("%v", err)
		}
		if starts != 1 || len(e.Measurements) != 2 || e.Complete {
			t.Errorf("%d starts, %d levels", starts, len(e.Measurements))
		}
	})
}

// While a request is in flight from before, a level is not given up: it may succeed, or it may not.
func TestGivingUpWaits(t *testing.T) {
	for name, c := range map[string]struct {
		slow    int // number of the request that takes 5 s
		fails   bool
		givenUp bool
		says    string
	}{
		"the slow one succeeds":                   {3, false, false, ""},
		"the slow one fails":                      {3, true, true, " 0 completed, "},
		"one of those that followed is slow":      {12, false, false, ""},
		"one is slow that came when all was over": {25, false, true, " 1 completed, "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, _, err := runSteps(t, func(_ context.Context, s Step, i int) error {
					if s.Seq == 0 {
						return nil
					}
					if i != c.slow {
						time.Sleep(time.Millisecond)
						return refused
					}
					time.Sleep(5 * time.Second)
					if c.fails {
						return refused
					}
					return nil
				}, closedLoop(1, 10), closedLoop(10, 20_000), closedLoop(1, 10))
				if err != nil || len(e.Measurements) != 3 {
					t.Fatalf("%v, %d levels", err, len(e.Measurements))
				}
				r := e.Measurements[1].Result
				i := slices.IndexFunc(r.Warnings, func(w loadgen.Warning) bool { return w.Code == WarnGivenUp })
				if (i >= 0) != c.givenUp || i >= 0 && !strings.Contains(r.Warnings[i].Message, c.says) {
					t.Errorf("%+v %v", r.Accounting, r.Warnings)
				}
				if !c.givenUp && r.Accounting.Issued != 20_000 {
					t.Errorf("%+v", r.Accounting)
				}
			})
		})
	}
}
