package protocol

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// The client is measured before the first start, at the plan's own shape and its greatest concurrency; each point
// says how much more it could have done.
func TestClientCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := Plan{Name: "c", Runs: 2, Restart: true, Warmup: 3, Input: 64, Output: 500, Levels: []int{1, 4},
			Prompts: Prompts{Count: 200}, Seed: 1}
		each := map[string]time.Duration{"http://server-": 100 * time.Millisecond, "http://echo": 10 * time.Millisecond}
		var asked []workload.Spec
		server, echo := &fakeServer{t: t}, &fakeServer{t: t}
		runner := newRunner(t, server)
		runner.Calibration = Calibration{Instant: startFunc(func(ctx context.Context) (*Instance, error) {
			if server.starts > 0 {
				t.Error("the client is measured after the server has been started")
			}
			i, err := echo.Start(ctx)
			i.URL = "http://echo"
			return i, err
		})}
		runner.Client = &funcs{target: func(_ context.Context, url string, s workload.Spec) (loadgen.Target, error) {
			took := each["http://server-"]
			if url == "http://echo" {
				took = each[url]
				asked = append(asked, s)
			}
			return loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
				time.Sleep(took)
				r.Chunk(loadgen.Chunk{Tokens: 1})
				r.Chunk(loadgen.Chunk{Tokens: 1})
				r.Counted, r.Input, r.Output, r.Done = true, s.Input, 2, r.LastArrival()
				return nil
			}), nil
		}}
		e, err := runner.Run(context.Background(), plan)
		if err != nil {
			t.Fatal(err)
		}
		if len(asked) != 1 || asked[0].Input != 64 || asked[0].Output != calibrationOutput || echo.running != 0 ||
			echo.starts != 1 {
			t.Errorf("asked for %+v; %d echo servers were started, %d run", asked, echo.starts, echo.running)
		}
		a := Analyze(e)
		if a.Client == nil || a.Client.Concurrency != 4 || math.Abs(a.Client.Requests-400) > 4 ||
			math.Abs(a.Client.Chunks-800) > 8 {
			t.Fatalf("%+v", a.Client)
		}
		for i, want := range []float64{40, 10} { // 10 and 40 requests/s
			if h := a.Points[i].Headroom; h == nil || math.Abs(h.Requests/want-1) > .05 ||
				math.Abs(h.Chunks/want-1) > .05 {
				t.Errorf("point %d: %+v, want %v ×", i, h, want)
			}
		}
		for _, p := range a.Points {
			if slices.ContainsFunc(p.Warnings, func(w PointWarning) bool { return w.Code != WarnFewSamples }) {
				t.Errorf("%v: %v", p.Load, p.Warnings)
			}
		}
		// A client that could do no more than the server is flagged at the level that needs it.
		e.Clients[0].Requests, e.Clients[0].Chunks = 60, 120
		a = Analyze(e)
		for i, flagged := range []bool{false, true} {
			got := slices.ContainsFunc(a.Points[i].Warnings,
				func(w PointWarning) bool { return w.Code == WarnLittleHeadroom })
			if got != flagged {
				t.Errorf("point %d: %v", i, a.Points[i].Warnings)
			}
		}
		// Taken up again, it is measured again.
		plan.Runs++
		runner.Resume, runner.Server = true, &fakeServer{t: t, starts: 100}
		server.starts = 0
		if e, err = runner.Run(context.Background(), plan); err != nil || len(e.Clients) != 2 || echo.starts != 2 {
			t.Errorf("%v, %d checks", err, len(e.Clients))
		}
	})
}

// occupied is a server whose place is taken.
type occupied struct {
	*fakeServer
	err error
}

func (o occupied) Vacant(context.Context) error { return o.err }

// Where a server has no room, nothing else is done before that is said: no client check, no journal.
func TestNoRoomIsSaidFirst(t *testing.T) {
	taken := &ServerError{Phase: "start", Err: errors.New("something answers there already")}
	for _, arms := range []bool{false, true} {
		checks := 0
		runner := newRunner(t, &fakeServer{t: t})
		if arms {
			runner.Arms = map[string]Server{"a": runner.Server, "b": occupied{&fakeServer{t: t}, taken}}
		} else {
			runner.Server = occupied{&fakeServer{t: t}, taken}
		}
		runner.Calibration.Instant = startFunc(func(context.Context) (*Instance, error) {
			checks++
			return nil, errors.New("no port is free")
		})
		e, err := runner.Run(context.Background(), small())
		if _, statErr := os.Stat(runner.Dir); !errors.Is(err, taken) || e != nil || checks != 0 || statErr == nil {
			t.Errorf("arms %v: %v, %d client checks, stat %v", arms, err, checks, statErr)
		}
	}
	runner := newRunner(t, occupied{&fakeServer{t: t}, nil})
	plan := small()
	plan.Cooldown = 0
	if _, err := runner.Run(context.Background(), plan); err != nil {
		t.Errorf("there is room: %v", err)
	}
}

// A client that cannot be measured costs a warning, and not the experiment.
func TestClientThatCannotBeMeasured(t *testing.T) {
	runner := newRunner(t, &fakeServer{t: t})
	runner.Calibration.Instant = startFunc(func(context.Context) (*Instance, error) {
		return nil,
			errors.New("no port is free")
	})
	plan := small()
	plan.Cooldown = 0
	e, err := runner.Run(context.Background(), plan)
	if err != nil || len(e.Clients) != 1 {
		t.Fatal(err)
	}
	a := Analyze(e)
	i := slices.IndexFunc(a.Warnings, func(w loadgen.Warning) bool { return w.Code == WarnClientUnchecked })
	if i < 0 || !strings.Contains(a.Warnings[i].Message, "no port is free") {
		t.Errorf("%v", a.Warnings)
	}
}

// Where others measure the levels, they are the client that is measured.
func TestClientCheckByMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := Plan{Name: "c", Runs: 1, Restart: true, Input: 8, Output: 2, Levels: []int{2, 6},
			Prompts: Prompts{Count: 30}, Seed: 1}
		echo := &fakeServer{t: t}
		runner := newRunner(t, &fakeServer{t: t})
		runner.Calibration.Instant = startFunc(func(ctx context.Context) (*Instance, error) {
			i, err := echo.Start(ctx)
			i.URL = "http://echo"
			return i, err
		})
		runner.Client = &funcs{target: func(context.Context, string, workload.Spec) (loadgen.Target, error) {
			return loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
				time.Sleep(20 * time.Millisecond)
				r.Chunk(loadgen.Chunk{Tokens: 2})
				return nil
			}), nil
		}}
		var at []string
		runner.Measure = func(ctx context.Context, i *Instance, s Step, g *loadgen.Generator) (*loadgen.Result, error) {
			r, err := g.Measure(ctx, s.Level)
			if i.URL == "http://echo" {
				at = append(at, fmt.Sprint(s.Input, " ", s.Level.Concurrency))
				r.Generators = 3
			}
			return r, err
		}
		e, err := runner.Run(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(at, []string{"8 6"}) || len(e.Clients) != 1 || e.Clients[0].Generators != 3 ||
			e.Clients[0].Requests <= 0 {
			t.Errorf("%v, %+v", at, e.Clients)
		}
	})
}

// Generators that say what they sustain have a headroom each, and that of the worst is the point's.
func TestHeadroomOfGenerators(t *testing.T) {
	part := func(requests, chunks float64) loadgen.Part { // of one that did 10 requests/s and 100 chunks/s
		return loadgen.Part{Accounting: loadgen.Accounting{Issued: 100, Completed: 100}, Chunks: 1000,
			Makespan:  10 * time.Second,
			Generator: &loadgen.GeneratorIdentity{Sustained: requests, SustainedChunks: chunks}}
	}
	of := func(parts ...loadgen.Part) Measurement { return Measurement{Result: loadgen.Result{Parts: parts}} }
	for _, c := range []struct {
		group []Measurement
		want  *Headroom
	}{
		{[]Measurement{of(part(50, 1000), part(80, 0))}, &Headroom{Requests: 5, Chunks: 10}},
		{[]Measurement{of(part(50, 1000)), of(part(90, 300))}, &Headroom{Requests: 9, Chunks: 3}},
		{[]Measurement{of(part(0, 0), loadgen.Part{}), of()}, nil},
	} {
		got := generatorHeadroom(c.group)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

// Of several generators each has to have been judged, and the one nearest to its limit is the point's, whatever the
// run.
func TestWorstOfGenerators(t *testing.T) {
	part := func(name string, used time.Duration, judged bool) loadgen.Part {
		return loadgen.Part{Generator: &loadgen.GeneratorIdentity{Name: name},
			Client: &loadgen.ClientWatch{Elapsed: time.Second,
				CPUTime: &used, CPUsAllowed: 2, Verdict: loadgen.ClientVerdict{Judged: judged}}}
	}
	of := func(parts ...loadgen.Part) Measurement {
		return Measurement{Step: Step{Run: 1, Level: loadgen.Level{Concurrency: 4, Requests: 8}},
			Result: loadgen.Result{Parts: parts}}
	}
	p := newPoint([]Measurement{
		of(part("a", time.Millisecond, true), part("b", time.Second, true)),
		of(part("a", 2*time.Second, true), part("b", time.Millisecond, false)),
	}, UnitRestart)
	if p.ClientJudged != 1 || p.Worst == nil || p.Worst.Generator.Name != "a" ||
		*p.Worst.Client.CPUTime != 2*time.Second {
		t.Errorf("%d judged, %+v", p.ClientJudged, p.Worst)
	}
	if p := newPoint([]Measurement{{Result: loadgen.Result{Client: &loadgen.ClientWatch{}}}},
		UnitRestart); p.ClientJudged != 0 || p.Worst != nil {
		t.Errorf("%+v", p)
	}
}
