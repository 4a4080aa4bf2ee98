package protocol

import (
	"context"
	"errors"
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

// The client is measured before the first start, at the plan's own shape and its greatest concurrency; each point says how
// much more it could have done.
func TestClientCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := Plan{Name: "c", Runs: 2, Restart: true, Warmup: 3, Input: 64, Output: 500, Levels: []int{1, 4}, Prompts: Prompts{Count: 200}, Seed: 1}
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
		if len(asked) != 1 || asked[0].Input != 64 || asked[0].Output != calibrationOutput || echo.running != 0 || echo.starts != 1 {
			t.Errorf("asked for %+v; %d echo servers were started, %d run", asked, echo.starts, echo.running)
		}
		a := Analyze(e)
		if a.Client == nil || a.Client.Concurrency != 4 || math.Abs(a.Client.Requests-400) > 4 || math.Abs(a.Client.Chunks-800) > 8 {
			t.Fatalf("%+v", a.Client)
		}
		for i, want := range []float64{40, 10} { // 10 and 40 requests/s
			if h := a.Points[i].Headroom; h == nil || math.Abs(h.Requests/want-1) > .05 || math.Abs(h.Chunks/want-1) > .05 {
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
			got := slices.ContainsFunc(a.Points[i].Warnings, func(w PointWarning) bool { return w.Code == WarnLittleHeadroom })
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
	runner.Calibration.Instant = startFunc(func(context.Context) (*Instance, error) { return nil, errors.New("no port is free") })
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
