package protocol

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
)

var long = flag.Bool("long", false, "simulate as often as the documented rates were")

// A condition of a simulated level: how requests share the server, and how noisy it is.
type condition struct {
	kind        string // "own" (all run at once), "queue" (two thirds do), "batch" (steps and their budget are shared)
	concurrency int
	noise       float64
	handover    bool
	lengths     bool // answers of 8 to 24 tokens, not of 16
}

func (c condition) String() string {
	return fmt.Sprintf("%s, %d in flight, noise %g, handover %v, lengths vary %v", c.kind, c.concurrency, c.noise, c.handover, c.lengths)
}

// server is a simulated one, cold by so much.
func (c condition) server(seed uint64, cold float64, half int) *loadgentest.Simulated {
	s := &loadgentest.Simulated{PrefillRate: 320, DecodeRate: 40, Noise: c.noise, Seed: seed, Cold: cold, ColdRequests: half}
	switch c.kind {
	case "batch":
		s.MaxSequences, s.StepPerSequence, s.TokenBudget, s.PrefillRate = 64, 500*time.Microsecond, 128, 1600
	case "queue":
		s.MaxSequences = max(1, c.concurrency*2/3)
	}
	return s
}

// course is that of a level on a server, in virtual time.
func (c condition) course(t *testing.T, s *loadgentest.Simulated) (windows []window) {
	synctest.Test(t, func(t *testing.T) {
		var targets [17]loadgen.Target
		for i := range targets {
			targets[i], _ = served(s).Target(context.Background(), "", workload.Spec{Input: 32, Output: 8 + i})
		}
		l := loadgen.Level{Concurrency: c.concurrency, Requests: 10 * c.concurrency}
		if c.handover {
			l.Warmup = c.concurrency
		}
		course := newLevelTrajectory(l)
		g := loadgen.Generator{
			Target: loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
				if c.lengths {
					return targets[i*7919%len(targets)].Do(ctx, i, r)
				}
				return targets[8].Do(ctx, i, r)
			}),
			Observers: []loadgen.Observer{{Record: func(r *loadgen.Record, err *loadgen.Error) { course.record(r, err) }}},
		}
		r, err := g.Measure(context.Background(), l)
		if err != nil {
			t.Fatal(err)
		}
		windows = course.inside(r.Steady)
	})
	return windows
}

// How often a level is called cold on servers of which it is known whether they are.
func TestColdSimulation(t *testing.T) {
	n, some := 4, 2
	concurrencies := []int{4, 10}
	if *long {
		n, some, concurrencies = 300, 40, []int{4, 10, 16, 32}
	}
	var conditions []condition
	for _, kind := range []string{"own", "queue", "batch"} {
		for _, c := range concurrencies {
			for _, noise := range []float64{.02, .1} {
				conditions = append(conditions, condition{kind, c, noise, false, false}, condition{kind, c, noise, true, false}, condition{kind, c, noise, false, true})
			}
		}
	}
	type rate struct{ flagged, of int }
	share := func(r rate) float64 { return float64(r.flagged) / float64(r.of) }
	for _, cold := range []struct {
		by   float64
		half int // in requests, for each request in flight
	}{{0, 0}, {1.2, 2}, {1.5, 1}, {1.5, 2}, {1.5, 5}, {2, 1}, {2, 2}, {2, 5}, {3, 2}} {
		size := some
		if cold.by == 0 {
			size = n
		}
		var all rate
		var each []rate
		for k, c := range conditions {
			var r rate
			for i := range size {
				seed := uint64(k*1000 + i + 1)
				how, judged := warming(c.course(t, c.server(seed, cold.by, cold.half*c.concurrency)))
				if !judged {
					t.Fatalf("%v: not judged", c)
				}
				if r.of++; how != "" {
					r.flagged++
				}
			}
			each = append(each, r)
			all.flagged, all.of = all.flagged+r.flagged, all.of+r.of
			if cold.by == 0 && r.of >= 100 && share(r) > .05 {
				t.Errorf("%v: %d of %d levels of a warm server are cold", c, r.flagged, r.of)
			}
		}
		by := func(a, b rate) int { return a.flagged*b.of - b.flagged*a.of }
		t.Logf("simulation: cold by %g, half of it gone after %d C requests: flagged %.4f; of a condition from %.3f to %.3f", cold.by, cold.half,
			share(all), share(slices.MinFunc(each, by)), share(slices.MaxFunc(each, by)))
		if *long {
			for k, c := range conditions {
				if s := share(each[k]); cold.by == 0 && s > .02 || cold.by > 0 && s < .5 {
					t.Logf("    %v: %.3f", c, s)
				}
			}
		}
		switch {
		case cold.by == 0 && share(all) > .05:
			t.Errorf("%d of %d levels of a warm server are cold", all.flagged, all.of)
		case cold.by >= 2 && share(all) < .85:
			t.Errorf("cold by %g over %d: %d of %d levels are found", cold.by, cold.half, all.flagged, all.of)
		}
	}
}
