package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/stats"
)

// served is a Client of a simulated server without a network between, so that virtual time is all there is.
func served(s *loadgentest.Simulated) *funcs {
	return &funcs{target: func(_ context.Context, _ string, spec workload.Spec) (loadgen.Target, error) {
		body := `{"prompt":[1` + strings.Repeat(",1", spec.Input-1) +
			`],"stream":true,"ignore_eos":true,"max_tokens":` +
			strconv.Itoa(spec.Output) + `}`
		return loadgen.TargetFunc(func(ctx context.Context, _ int, r *loadgen.Record) error {
			q := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions", strings.NewReader(body))
			w := &wire{record: r, header: http.Header{}}
			s.ServeHTTP(w, q)
			if r.Done = r.LastArrival(); w.status != http.StatusOK && w.status != 0 {
				return &loadgen.Error{Class: loadgen.ClassStatus, Status: w.status}
			}
			r.Counted, r.Input, r.Output = true, spec.Input, spec.Output
			return nil
		}), nil
	}}
}

// wire takes each write with content for a chunk.
type wire struct {
	record *loadgen.Record
	header http.Header
	status int
}

func (w *wire) Header() http.Header    { return w.header }
func (w *wire) WriteHeader(status int) { w.status = status }
func (w *wire) Flush()                 {}
func (w *wire) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"servegauge"`)) {
		w.record.Chunk(loadgen.Chunk{Tokens: 1})
	}
	return len(b), nil
}

// fleet is a Client of servers each of which is a simulated one of its own, that has just been started.
func fleet(start func() *loadgentest.Simulated) *funcs {
	servers := map[string]*loadgentest.Simulated{}
	return &funcs{target: func(ctx context.Context, url string, spec workload.Spec) (loadgen.Target, error) {
		if servers[url] == nil {
			servers[url] = start()
		}
		return served(servers[url]).target(ctx, url, spec)
	}}
}

func cold(by float64) func() *loadgentest.Simulated {
	seed := uint64(0)
	return func() *loadgentest.Simulated {
		seed++
		return &loadgentest.Simulated{PrefillRate: 320, DecodeRate: 40, Noise: .1, Seed: seed, Cold: by,
			ColdRequests: 40}
	}
}

// warmPlan takes an hour of virtual time at most.
func warmPlan() Plan {
	return Plan{Name: "w", Runs: 2, Restart: true, Cooldown: time.Minute, Input: 32, Output: 16, Levels: []int{8, 4},
		Prompts: Prompts{PerConcurrency: 10}, Seed: 7}
}

// coldLevels are those that are flagged, such as "1:8" for level 8 of run 1.
func coldLevels(e *Experiment) (out []string) {
	for _, m := range e.Measurements {
		if !m.Step.Discard && has(m.Result.Warnings, WarnCold) {
			out = append(out, fmt.Sprintf("%d:%d", m.Step.Run, m.Step.Level.Concurrency))
		}
	}
	return out
}

// A server that has just been started is warmed away, or its levels are flagged; a warm one costs what it takes to
// see it.
func TestWarmUntilSteady(t *testing.T) {
	for _, c := range []struct {
		name   string
		by     float64
		change func(*Plan)
		cold   bool // the first level of each run
		steady bool
	}{
		{"cold, ten discarded", 3, func(p *Plan) { p.Warmup = 10 }, true, false},
		{"cold, nothing discarded", 3, func(p *Plan) {}, true, false},
		{"cold, warmed", 3, func(p *Plan) { p.WarmUntilSteady = 20 * time.Minute }, false, true},
		{"cold, time for five windows", 3, func(p *Plan) { p.WarmUntilSteady = 6 * time.Second }, true, false},
		{"warm, ten discarded", 0, func(p *Plan) { p.Warmup = 10 }, false, false},
		{"warm, warmed", 0, func(p *Plan) { p.WarmUntilSteady = 20 * time.Minute }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := warmPlan()
				c.change(&plan)
				runner := newRunner(t, &fakeServer{t: t})
				runner.Client = fleet(cold(c.by))
				e, err := runner.Run(context.Background(), plan)
				if err != nil {
					t.Fatal(err)
				}
				// The truth: how much slower the server still was when a level began.
				before, truth := 0, cold(c.by)()
				for _, m := range e.Measurements {
					if m.Step.Seq == 0 {
						before = 1 // whether it answers
					}
					slow := truth.Slowdown(uint64(before))
					before += m.Result.Accounting.Issued + m.Result.Warmup.Issued
					flagged := has(m.Result.Warnings, WarnCold)
					if !m.Step.Discard && m.Step.Level.Concurrency == 8 && flagged != c.cold || flagged && slow < 1.05 {
						t.Errorf("run %d, %s, began with everything slower by %.3f: %v", m.Step.Run,
							m.Step.Level.Load(), slow,
							m.Result.Warnings)
					}
				}
				for _, p := range Analyze(e).Points {
					if _, err := p.Figure(loadgen.QuantileName(loadgen.TTFT, 50)); p.Concurrency == 8 &&
						c.cold == (err == nil) {
						t.Errorf("the figures of %v: %v", p.Load, err)
					}
				}
				for _, m := range e.Measurements {
					w := m.Warming
					if (w != nil) != (m.Step.Discard && plan.WarmUntilSteady > 0) {
						t.Fatalf("%+v: warming %v", m.Step, w)
					}
					if w == nil {
						continue
					}
					if w.Steady() != c.steady || w.Reason == "" || w.Took <= 0 || w.Completions != 8 ||
						m.Step.Level.Concurrency != 8 {
						t.Errorf("%+v", *w)
					}
					if m.Result.CutShort || has(m.Result.Warnings, loadgen.WarnCutShort) {
						t.Errorf("a warmup that came to its end: %v", m.Result.Warnings)
					}
					t.Logf("%s: %d windows, %v: %s", c.name, len(w.Windows), w.Took, w.Reason)
					var again stats.Warmup // the rule gives the same answers from the journal
					for _, o := range w.Windows {
						if _, err := again.Add(o); err != nil {
							t.Fatal(err)
						}
					}
					if again.SteadyAfter != w.SteadyAfter {
						t.Errorf("replayed: steady after %d, not %d", again.SteadyAfter, w.SteadyAfter)
					}
				}
				read, err := ReadExperiment(runner.Dir)
				if err != nil {
					t.Fatal(err)
				}
				sameJSON(t, e, read)
				if _, err := plan.Next(read.Measurements); !errors.Is(err, io.EOF) {
					t.Errorf("the journal leaves something to do: %v", err)
				}
			})
		})
	}
}

// Where the server is new in the middle of a run, or was idle for long, it is warmed again at the load of what follows.
func TestWarmAgain(t *testing.T) {
	steps := func(idle time.Duration) Steps {
		plan := warmPlan()
		plan.Runs, plan.WarmUntilSteady = 1, 20*time.Minute
		var s Steps
		for n := range 3 {
			step, err := plan.at(n)
			if err != nil {
				t.Fatal(err)
			}
			s = append(s, step)
		}
		s[2].Cooldown = idle
		return s
	}
	for _, c := range []struct {
		name  string
		idle  time.Duration
		dies  bool
		again int
	}{
		{"idle", 5 * time.Minute, false, 1}, {"idle for a moment", 5 * time.Second, false, 0}, {"dies", 0, true, 1},
		{"neither", 0, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &fakeServer{t: t}
				runner := newRunner(t, server)
				runner.Client = fleet(cold(2))
				runner.Observe = func(s Step) loadgen.Observer {
					return loadgen.Observer{Record: func(r *loadgen.Record, _ *loadgen.Error) {
						if c.dies && s.Seq == 1 && r.Index == 79 && server.starts == 1 {
							close(server.exited)
						}
					}}
				}
				begin := time.Now()
				e, err := runner.Run(context.Background(), steps(c.idle))
				if err != nil {
					t.Fatal(err)
				}
				if len(e.Rewarms) != c.again || time.Since(begin) < c.idle {
					t.Fatalf("%d times warmed again, %v", len(e.Rewarms), time.Since(begin))
				}
				for _, m := range e.Rewarms {
					if !m.Warming.Steady() || m.Step.Level.Concurrency != 4 ||
						m.Step.Seed == e.Measurements[0].Step.Seed {
						t.Errorf("%+v %+v", m.Step, m.Warming)
					}
				}
				if got := coldLevels(e); len(got) > 0 {
					t.Errorf("cold are %v", got)
				}
			})
		})
	}
}

// An experiment that was stopped in the middle of its warming, or right after it, is taken up again and warms anew.
func TestWarmResumed(t *testing.T) {
	for _, c := range []struct {
		after, rewarms, superseded int
	}{{1, 0, 1}, {2, 1, 1}} { // stopped in the warming; in the first level
		synctest.Test(t, func(t *testing.T) {
			plan := warmPlan()
			plan.WarmUntilSteady = 20 * time.Minute
			runner := newRunner(t, &fakeServer{t: t})
			runner.Client = fleet(cold(3))
			stop := make(chan struct{})
			runner.Stop = stop
			n := 0
			runner.Observe = func(Step) loadgen.Observer {
				n++
				return loadgen.Observer{Record: func(r *loadgen.Record, _ *loadgen.Error) {
					if n == c.after && r.Index == 30 {
						close(stop)
					}
				}}
			}
			if _, err := runner.Run(context.Background(), plan); !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
			next := newRunner(t, &fakeServer{t: t, identity: func(n int) (Identity, error) {
				return Identity{Kind: "fake", Proof: fmt.Sprint("later instance ", n)}, nil
			}})
			next.Client, next.Dir, next.Resume = fleet(cold(3)), runner.Dir, true
			e, err := next.Run(context.Background(), plan)
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Measurements) != 6 || len(e.Rewarms) != c.rewarms || len(e.Superseded) != c.superseded ||
				len(coldLevels(e)) > 0 {
				t.Errorf("stopped in step %d: %d measurements, %d warmed again, %d superseded, cold %v", c.after,
					len(e.Measurements), len(e.Rewarms), len(e.Superseded), coldLevels(e))
			}
			for _, m := range e.Rewarms {
				if !m.Warming.Steady() || m.Step.Level.Concurrency != 8 {
					t.Errorf("%+v", m.Warming)
				}
			}
		})
	}
}

// A plan warms by a number of requests or until steady; the page's by ten, as ever.
func TestWarmPlan(t *testing.T) {
	for _, p := range []Plan{MultiRun(), FineSweep()} {
		s, err := p.Next(nil)
		if err != nil || !s.Discard || s.UntilSteady || s.Level.Requests != 10 || s.Level.Concurrency != 10 {
			t.Errorf("%s begins with %+v, %v", p.Name, s, err)
		}
	}
	p := warmPlan()
	p.WarmUntilSteady, p.Order = 3*time.Minute, Ascending
	s, err := p.Next(nil)
	if err != nil || !s.Discard || !s.UntilSteady || s.Level.Concurrency != 4 || s.Level.Duration != 3*time.Minute ||
		s.Level.Requests != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if p.Budget = 10 * time.Minute; p.warmBound() >= time.Minute {
		t.Errorf("of 10 minutes for two runs each is warmed for %v", p.warmBound())
	}
	without := p
	without.WarmUntilSteady = 0
	if more := p.Estimate(1000) - without.Estimate(1000); more <= 0 || more > 2*p.warmBound() {
		t.Errorf("warming is expected to take %v", more)
	}
	text, err := json.Marshal(p)
	if err != nil || !strings.Contains(string(text), `"warm_until_steady_ns":180000000000`) {
		t.Errorf("%s, %v", text, err)
	}
	if read, err := ReadPlan(bytes.NewReader(text)); err != nil || read.WarmUntilSteady != p.WarmUntilSteady {
		t.Errorf("%+v, %v", read, err)
	}
	for _, bad := range []func(*Plan){
		func(p *Plan) { p.Warmup = 10 },
		func(p *Plan) { p.WarmUntilSteady = -1 },
		func(p *Plan) { p.WarmUntilSteady = 25 * time.Hour },
	} {
		q := p
		bad(&q)
		if _, err := q.Check(); err == nil {
			t.Errorf("%+v is taken", q)
		}
	}
}
