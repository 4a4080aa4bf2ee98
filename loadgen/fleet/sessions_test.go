package fleet

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// sessionTruth is what does not depend on how long anything took: of the whole level, and of each turn.
type sessionTruth struct {
	Sessions, Warmup, Requests loadgen.Accounting
	Input, Output              int
	Turns                      map[string][3]int // requests, input and output tokens
	Cached                     map[string]int    // tokens
	Samples                    map[string]int
	Server                     [3]int // requests, answers that came back, those of them that were not its own
}

func truthOf(r *loadgen.Result, server loadgentest.Counts) sessionTruth {
	s := sessionTruth{Sessions: r.Sessions.Accounting, Warmup: r.Sessions.Warmup, Requests: r.Accounting, Input: r.Tokens.Input,
		Output: r.Tokens.Output, Turns: map[string][3]int{}, Cached: map[string]int{}, Samples: map[string]int{},
		Server: [3]int{server.Served, server.Turns, server.Strange}}
	for _, g := range r.Groups {
		s.Turns[g.By+g.Name] = [3]int{g.Accounting.Completed, g.Tokens.Input, g.Tokens.Output}
		s.Cached[g.By+g.Name] = g.Tokens.Cached.Cached
	}
	for name, d := range r.Distributions {
		if name == loadgen.TTFT || name == loadgen.E2E || name == loadgen.SessionDuration {
			s.Samples[name] = d.Len()
		}
	}
	return s
}

// Whole sessions belong to one worker: each once, its turns in their order and one after the other's answer, and what
// was sent, found in the cache and counted is what one generator has.
func TestSessionsOfAFleet(t *testing.T) {
	t.Parallel()
	talks := workload.Talks{Seed: 5, Turns: workload.Fixed(3), Input: workload.Fixed(16), Output: workload.Fixed(4)}
	for _, l := range []loadgen.Level{
		{Unit: loadgen.UnitSession, Concurrency: 7, Sessions: 40, Warmup: 5},
		{Unit: loadgen.UnitRequest, Concurrency: 5, Sessions: 31},
		{Unit: loadgen.UnitSession, Arrivals: loadgen.Arrivals{Process: loadgen.PoissonArrivals, Rate: 200}, Sessions: 33, Seed: 4},
	} {
		l.Timeout = time.Minute
		// measured is one way of measuring, on a server of its own, and the requests that were observed.
		measured := func(by func(target *openai.Target, g *loadgen.Generator) *loadgen.Result) (sessionTruth, []loadgen.Record) {
			sim := &loadgentest.Simulated{MaxSequences: 64, DecodeRate: 1e5, KVBlocks: 1 << 16, BlockTokens: 4, PrefixCache: true}
			server := httptest.NewServer(sim)
			defer server.Close()
			target, err := openai.New(openai.Config{URL: server.URL, Model: "simulated", Conversations: talks})
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			var records []loadgen.Record
			r := by(target, &loadgen.Generator{Observers: []loadgen.Observer{{Record: func(r *loadgen.Record, _ *loadgen.Error) {
				records = append(records, *r)
			}}}})
			return truthOf(r, sim.Counts()), records
		}
		want, _ := measured(func(target *openai.Target, g *loadgen.Generator) *loadgen.Result {
			g.Target = target
			r, err := g.Measure(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			return r
		})
		const workers = 3
		got, records := measured(func(target *openai.Target, g *loadgen.Generator) *loadgen.Result {
			f := newField(t)
			for i := range workers {
				f.worker(fmt.Sprint("w", i), nil, func(w *Worker) {
					w.Target = func(context.Context, Job, Files) (loadgen.Target, error) { return kept{target}, nil }
				})
			}
			return f.measure(f.coordinator(workers), Job{Level: l}, g)
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: one generator and a fleet (-one +fleet):\n%s", l.Load(), diff)
		}
		if got.Server[2] != 0 || got.Sessions.Completed != l.Sessions {
			t.Errorf("%s: %+v", l.Load(), got)
		}
		checkSessions(t, l, workers, records)
	}
}

// kept is a target that its worker does not close: others use it too.
type kept struct{ *openai.Target }

func (kept) Close() error { return nil }

// checkSessions holds that each request was once, and that each session's are of one worker and in their order.
func checkSessions(t *testing.T, l loadgen.Level, workers int, records []loadgen.Record) {
	t.Helper()
	type session struct {
		shard int
		turns map[int]loadgen.Record
	}
	indices, sessions := map[int]bool{}, map[int]*session{}
	for _, r := range records {
		if indices[r.Index] {
			t.Errorf("%s: request %d was there twice", l.Load(), r.Index)
		}
		indices[r.Index] = true
		s := sessions[r.Session]
		if s == nil {
			s = &session{shard: r.Index % workers, turns: map[int]loadgen.Record{}}
			sessions[r.Session] = s
		}
		if _, twice := s.turns[r.Turn]; twice || s.shard != r.Index%workers {
			t.Errorf("%s: turn %d of session %d is of worker %d, twice: %v; want worker %d", l.Load(), r.Turn, r.Session,
				r.Index%workers, twice, s.shard)
		}
		s.turns[r.Turn] = r
	}
	shards := map[int]int{}
	for i := range l.Warmup + l.Sessions {
		s := sessions[i]
		if s == nil || len(s.turns) != 3 {
			t.Errorf("%s: session %d is missing, or not whole: %v", l.Load(), i, s)
			continue
		}
		shards[s.shard]++
		for turn := 2; turn <= 3; turn++ {
			if s.turns[turn].Sent < s.turns[turn-1].Done {
				t.Errorf("%s: turn %d of session %d was sent before turn %d was answered", l.Load(), turn, i, turn-1)
			}
		}
	}
	if len(sessions) != l.Warmup+l.Sessions || len(shards) != workers {
		t.Errorf("%s: %d sessions by %d workers", l.Load(), len(sessions), len(shards))
	}
}

// A trace is split by shards with the whole schedule's times, and prompt i is request i's, whoever sends it.
func TestTraceOfAFleet(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, `{"timestamp":%d,"input_length":%d,"output_length":3}`+"\n", i*i/2, 20+i)
	}
	trace, err := workload.ReadTrace(strings.NewReader(text.String()), workload.Mooncake, workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	target, err := openai.New(openai.Config{URL: server.URL, Model: "simulated", Workload: trace})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	f := newField(t)
	for i := range 3 {
		f.worker(fmt.Sprint("w", i), nil, func(w *Worker) {
			w.Target = func(context.Context, Job, Files) (loadgen.Target, error) { return kept{target}, nil }
		})
	}
	l := loadgen.Level{Arrivals: trace.Arrivals(), Timeout: time.Minute}
	seen := map[int]bool{}
	r := f.measure(f.coordinator(3), Job{Level: l}, &loadgen.Generator{Observers: []loadgen.Observer{{
		Record: func(r *loadgen.Record, _ *loadgen.Error) {
			if i := r.Index; seen[i] || r.Scheduled != l.Arrivals.Trace[i] || r.Input != 20+i || r.Output != 3 {
				t.Errorf("request %d: due at %v, %d tokens in, %d out; seen before: %v", i, r.Scheduled, r.Input, r.Output, seen[i])
			}
			seen[r.Index] = true
		}}}})
	if len(seen) != 50 || r.Accounting.Completed != 50 || r.Generators != 3 || r.Tokens.Input != 50*20+49*50/2 {
		t.Errorf("%d requests, %+v, %d generators, %d tokens", len(seen), r.Accounting, r.Generators, r.Tokens.Input)
	}
}
