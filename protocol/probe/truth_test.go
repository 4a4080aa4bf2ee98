package probe_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/busy"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/probe"
)

// at is a server that is left as it is.
type at string

func (a at) Start(context.Context) (*protocol.Instance, error) {
	return &protocol.Instance{URL: string(a)}, nil
}

// engine is one that has some 20 ms for a request, and room for eight.
func engine() *loadgentest.Simulated {
	return &loadgentest.Simulated{MaxSequences: 8, PrefillRate: 8000, DecodeRate: 1000}
}

// small has little room in its KV cache, in blocks, and finds prompts again.
func small(blocks int) *loadgentest.Simulated {
	s := engine()
	s.KVBlocks, s.BlockTokens, s.PrefixCache = blocks, 8, true
	return s
}

func level(concurrency, requests int) protocol.Step {
	return protocol.Step{Run: 1, Spec: workload.Spec{Input: 64, Output: 12, Seed: 7},
		Level: loadgen.Level{Concurrency: concurrency, Requests: requests}}
}

// measured carries out steps on a server, watched by a view.
func measured(t *testing.T, h http.Handler, view probe.ServerView, reset bool,
	steps ...protocol.Step) *protocol.Analysis {
	t.Helper()
	there := httptest.NewServer(h)
	defer there.Close()
	view.Every = 10 * time.Millisecond
	r := protocol.Runner{Server: at(there.URL), Client: &openai.Client{}, Probes: []protocol.Probe{view}}
	if reset {
		r.Before = func(ctx context.Context, i *protocol.Instance, _ protocol.Step) error {
			api, err := openai.NewAPI(openai.Config{URL: i.URL})
			if err != nil {
				return err
			}
			return api.ResetCache(ctx)
		}
	}
	for i := range steps {
		steps[i].Seq = i
	}
	e, err := r.Run(t.Context(), protocol.Steps(steps))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range e.Measurements {
		for _, reading := range m.Readings {
			if reading.Error != "" {
				t.Errorf("%s: %s", reading.Name, reading.Error)
			}
		}
	}
	return protocol.Analyze(e)
}

// told are the warnings of a server's own view.
func told(a *protocol.Analysis) (codes []string) {
	for _, code := range a.Codes() {
		if slices.Contains([]string{probe.WarnCacheHits, probe.WarnPreempted, probe.WarnRestarted,
			probe.WarnReplicaUnused}, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// spoiled reports whether each point's throughput must not be used.
func spoiled(a *protocol.Analysis, by string) bool {
	for _, p := range a.Points {
		if e, _ := p.Figure(loadgen.TotalThroughput); !slices.Contains(e.SpoiledBy, by) {
			return false
		}
	}
	return len(a.Points) > 0
}

// What a server does is flagged where it is, and nothing is where it is not: each time by the truth of a simulated one.
func TestServersTruth(t *testing.T) {
	two := func(route func(uint64) int) http.Handler {
		return &loadgentest.Replicas{Servers: []*loadgentest.Simulated{engine(), engine()}, Route: route}
	}
	again := func() []protocol.Step { return []protocol.Step{level(4, 24), level(2, 24)} } // the same prompts for both
	other := func() []protocol.Step {
		steps := again()
		steps[1].Spec.Seed++
		return steps
	}
	for name, c := range map[string]struct {
		server http.Handler
		view   probe.ServerView
		reset  bool
		steps  []protocol.Step
		want   string
		spoils bool
	}{
		"one engine":        {engine(), probe.ServerView{Unique: true}, false, other(), "", false},
		"two engines, even": {two(nil), probe.ServerView{Engines: 2}, false, other(), "", false},
		"two engines, one idle": {two(func(uint64) int { return 1 }), probe.ServerView{}, false, other(),
			probe.WarnReplicaUnused, true},
		"two engines, one in flight": {two(func(uint64) int { return 0 }), probe.ServerView{}, false,
			[]protocol.Step{level(1, 12)}, "", false},
		"three said, two told apart": {two(nil), probe.ServerView{Engines: 3}, false, other(),
			probe.WarnReplicaUnused, false},
		"the same prompts": {small(400), probe.ServerView{Unique: true}, false, again()[:1], "", false},
		"the same prompts, known": {known(t, small(400)), probe.ServerView{Unique: true}, false, again()[:1],
			probe.WarnCacheHits, true},
		"known, and emptied": {known(t, small(400)), probe.ServerView{Unique: true}, true, again()[:1], "",
			false},
		"known, and other prompts": {known(t, small(400)), probe.ServerView{Unique: true}, false, other()[1:], "",
			false},
		"meant to be known": {known(t, small(400)), probe.ServerView{}, false, again()[:1], "", false},
		"little room": {small(38), probe.ServerView{}, false, []protocol.Step{level(8, 32)},
			probe.WarnPreempted, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := measured(t, c.server, c.view, c.reset, c.steps...)
			if got := strings.Join(told(a), " "); got != c.want || c.spoils != (c.want != "" && spoiled(a, c.want)) {
				t.Errorf("%q, spoiled %v; want %q, %v: %+v", got, spoiled(a, c.want), c.want, c.spoils, a.Points)
			}
		})
	}
}

// known is a server that has served the prompts of level already.
func known(t *testing.T, s *loadgentest.Simulated) http.Handler {
	measured(t, s, probe.ServerView{}, false, level(8, 24))
	return s
}

// A server that begins anew within a level, with its counters at 0, is told of, and none of the level's figures is
// used; whether it then serves less than before the level, or more.
func TestRestartWithinLevel(t *testing.T) {
	for name, before := range map[string]int{"more after it": 0, "less after it": 200} {
		t.Run(name, func(t *testing.T) {
			var now atomic.Pointer[loadgentest.Simulated]
			var requests atomic.Int64
			now.Store(engine())
			there := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && requests.Add(1) == int64(before)+30 {
					now.Store(engine())
				}
				now.Load().ServeHTTP(w, r)
			})
			if before > 0 {
				a := measured(t, there, probe.ServerView{}, false, level(8, before))
				if got := told(a); len(got) > 0 {
					t.Errorf("before: %v", got)
				}
			}
			a := measured(t, there, probe.ServerView{}, false, level(4, 120))
			if got := told(a); !slices.Equal(got, []string{probe.WarnRestarted}) || !spoiled(a, probe.WarnRestarted) {
				t.Errorf("%v: %+v", got, a.Points)
			}
		})
	}
}

// What the server says of itself stands beside what the client saw, and both are near the truth.
func TestBothSides(t *testing.T) {
	busy.Check(t, func(f *busy.Faults) {
		s := engine()
		s.StepPerSequence = 0
		// twice as many as run at once, so that half of them wait
		a := measured(t, s, probe.ServerView{}, false, level(16, 96))
		figure := func(name string) float64 {
			// on a busy machine arrivals may be unsure, which is said, and not what this is about
			e, err := a.Points[0].Figure(name)
			if e.Name == "" {
				t.Fatal(err)
			}
			return e.Summary.Mean
		}
		for _, name := range []string{loadgen.TTFT, loadgen.E2E} {
			client, server := figure(loadgen.MeanName(name)), figure(loadgen.MeanName("server_"+name))
			if client < 0.98*server || client > 1.5*server {
				f.Addf("%s is %.2f ms at the client and %.2f ms at the server", name, client, server)
			}
		}
		if got := figure("server_output_tokens"); got != 96*12 {
			f.Addf("%v output tokens", got)
		}
		if got := figure("server_requests"); got != 96 {
			f.Addf("%v requests", got)
		}
		if peak := figure("server_running_peak"); peak > 8 || peak < 6 {
			f.Addf("at most %v running", peak)
		}
		if mean := figure("server_waiting_mean"); mean < 3 || mean > 9 {
			f.Addf("%v waiting on average", mean)
		}
	})
}
