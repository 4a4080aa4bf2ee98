package protocol

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// spoils reports whether a warning of that code forbids the use of all figures.
func spoils(warnings []loadgen.Warning, code string) bool {
	return slices.ContainsFunc(warnings, func(w loadgen.Warning) bool {
		return w.Code == code && w.SpoilsFigure(loadgen.TotalThroughput)
	})
}

// A server that ends while it is measured ends the level at once, and is the cause that is told, and not the requests
// that fail then. The level is kept, and none of its figures may be used.
func TestServerThatDies(t *testing.T) {
	server := &fakeServer{t: t}
	runner := newRunner(t, server)
	runner.Client.(*funcs).target = func(_ context.Context, url string, s workload.Spec) (loadgen.Target, error) {
		return loadgen.TargetFunc(func(ctx context.Context, n int, r *loadgen.Record) error {
			if s.Output > 1 && n == 1 {
				close(server.exited)
				<-ctx.Done() // and not for the hour that the request would have
				return ctx.Err()
			}
			return nil
		}), nil
	}
	plan := small()
	plan.Warmup, plan.Levels = 0, []int{1}
	e, err := runner.Run(context.Background(), plan)
	if err != nil || len(e.Measurements) != plan.Runs || server.starts != plan.Runs || !e.Complete {
		t.Fatalf("%v; %d measurements, %d starts", err, len(e.Measurements), server.starts)
	}
	if Analyze(e).Valid() {
		t.Error("an experiment whose server died is valid")
	}
	result := e.Measurements[0].Result
	if !spoils(result.Warnings, WarnServerDied) || !result.CutShort {
		t.Errorf("the level's warnings: %v, cut short %v", result.Warnings, result.CutShort)
	}
	if server.running != 0 || len(e.Stops) != plan.Runs {
		t.Errorf("%d servers run; %d stops", server.running, len(e.Stops))
	}
}

// Who answers is asked at each start, and before and after each level.
func TestRunnerAsksForTheIdentity(t *testing.T) {
	one := Identity{Kind: "fake", Proof: "the only one"}
	for _, c := range []struct {
		name     string
		identity func(start, asked int) (Identity, error)
		say      string
		measured int
		flagged  string
	}{
		{"a restart that does nothing", func(int, int) (Identity, error) {
			return one, nil
		}, "the restart did nothing", 3, ""},
		{"another one after a level", func(start, asked int) (Identity, error) {
			return Identity{Kind: "fake", Proof: fmt.Sprint(start, asked >= 3)}, nil
		}, "another instance answers", 1, WarnServerRestarted},
		{"another one between levels", func(start, asked int) (Identity, error) {
			return Identity{Kind: "fake", Proof: fmt.Sprint(start, asked >= 4)}, nil
		}, "another instance answers", 1, ""},
		{"another process, and nothing proves anything", func(_, asked int) (Identity, error) {
			return Identity{Kind: "fake", PIDs: []int{100 + asked/3}}, nil
		}, "another instance answers", 1, WarnServerRestarted},
		{"it is not ours", func(_, asked int) (Identity, error) {
			if asked >= 3 {
				return Identity{}, errors.New("process 77 answers there")
			}
			return one, nil
		}, "process 77", 1, WarnServerRestarted},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // an error is asked again after a pause
				server, asked := &fakeServer{t: t}, 0
				server.identity = func(start int) (Identity, error) { asked++; return c.identity(start, asked) }
				runner := newRunner(t, server)
				runner.Dir = ""
				plan := small()
				plan.Warmup = 0
				e, err := runner.Run(context.Background(), plan)
				var said *ServerError
				if !errors.As(err, &said) || !strings.Contains(err.Error(), c.say) || server.running != 0 {
					t.Errorf("%v, want a ServerError that says %q; %d servers run", err, c.say, server.running)
				}
				if len(e.Measurements) != c.measured {
					t.Fatalf("%d measurements, want %d", len(e.Measurements), c.measured)
				}
				last := e.Measurements[c.measured-1].Result
				if spoils(last.Warnings, c.flagged) != (c.flagged != "") {
					t.Errorf("the last level's warnings: %v", last.Warnings)
				}
			})
		})
	}
}

// A server whose health check lies is waited for until it answers a request; one that refuses for good is not.
func TestReadinessIsARequest(t *testing.T) {
	loading := &loadgen.Error{Class: loadgen.ClassStatus, Status: 503, Err: errors.New("it is loading")}
	unknown := &loadgen.Error{Class: loadgen.ClassStatus, Status: 404, Err: errors.New("no such model")}
	for _, c := range []struct {
		name  string
		fails int // requests, before one is answered
		err   error
		say   string
	}{
		{"late", 5, loading, ""},
		{"never", 1 << 30, loading, "it was not ready within 1m0s"},
		{"never, and why", 1 << 30, loading, "it is loading"},
		{"wrong", 1 << 30, unknown, "no such model"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				runner := &Runner{Server: &fakeServer{t: t}, ReadyTimeout: time.Minute, Client: always(
					loadgen.TargetFunc(func(context.Context, int, *loadgen.Record) error {
						if asked++; asked <= c.fails {
							return c.err
						}
						return nil
					}))}
				begin := time.Now()
				e, err := runner.Run(context.Background(), Steps{{Run: 1,
					Level: loadgen.Level{Concurrency: 1, Requests: 1}}})
				if c.say == "" {
					if err != nil || len(e.Measurements) != 1 || e.Starts[0].Ready == 0 {
						t.Errorf("%v", err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), c.say) ||
					!strings.Contains(err.Error(), "CUDA out of memory") {
					t.Errorf("%v, want an error that says %q, and the last that the server said", err, c.say)
				}
				if c.name == "wrong" && time.Since(begin) > time.Second {
					t.Errorf("it was waited for %v", time.Since(begin))
				}
			})
		})
	}
}

// Measuring can be somebody else's, and what the server is is asked at each start.
func TestRunnerSeams(t *testing.T) {
	server := &fakeServer{t: t}
	runner := &Runner{
		Server: server,
		Measure: func(ctx context.Context, i *Instance, s Step, g *loadgen.Generator) (*loadgen.Result, error) {
			g.Target = answersAtOnce(s.Spec)
			return g.Measure(ctx, s.Level)
		},
		Inspect: func(_ context.Context, i *Instance) (*envinfo.Environment, error) {
			if server.starts == 2 {
				return nil, errors.New("no answer")
			}
			return &envinfo.Environment{Schema: envinfo.Schema}, nil
		},
	}
	var warned []string
	runner.Progress = func(e Event) {
		for _, w := range e.Warnings {
			warned = append(warned, w.Code)
		}
	}
	e, err := runner.Run(context.Background(), small())
	if err != nil || len(e.Starts) != 3 || len(e.Stops) != 3 {
		t.Fatalf("%v; %d starts, %d stops", err, len(e.Starts), len(e.Stops))
	}
	for i, s := range e.Starts {
		proof := fmt.Sprint("instance ", i+1)
		if (s.Server == nil) != (i == 1) || s.Identity.Proof != proof || e.Stops[i].Instance != proof {
			t.Errorf("start %d: %+v", i+1, s)
		}
	}
	if !slices.Equal(warned, []string{WarnNoEvidence}) {
		t.Errorf("warnings %v", warned)
	}
	if a := Analyze(e); !slices.Contains(warningCodes(a.Warnings), WarnNoEvidence) {
		t.Errorf("the analysis has the warnings %v", a.Warnings)
	}
}
