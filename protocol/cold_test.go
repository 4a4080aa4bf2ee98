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
	return fmt.Sprintf("%s, %d in flight, noise %g, handover %v, lengths vary %v", c.kind, c.concurrency, c.noise,
		c.handover,
		c.lengths)
}

// server is a simulated one, cold by so much.
func (c condition) server(seed uint64, cold float64, half int) *loadgentest.Simulated {
	s := &loadgentest.Simulated{PrefillRate: 320, DecodeRate: 40, Noise: c.noise, Seed: seed, Cold: cold,
		ColdRequests: half}
	switch c.kind {
	case "batch":
		s.MaxSequences, s.StepPerSequence, s.TokenBudget, s.PrefillRate = 64, 500*time.Microsecond, 128, 1600
	case "queue":
		s.MaxSequences = max(1, c.concurrency*2/3)
	}
	return s
}

// course is that of a level on a server, in virtual time.
func (c condition) course(t *testing.T, s *loadgentest.Simulated) *course {
	var how *course
	synctest.Test(t, func(t *testing.T) {
		var targets [17]loadgen.Target
		for i := range targets {
			targets[i], _ = served(s).Target(context.Background(), "", workload.Spec{Input: 32, Output: 8 + i})
		}
		l := loadgen.Level{Concurrency: c.concurrency, Requests: 10 * c.concurrency}
		if c.handover {
			l.Warmup = c.concurrency
		}
		how = newCourse(l)
		g := loadgen.Generator{
			Target: loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
				if c.lengths {
					return targets[i*7919%len(targets)].Do(ctx, i, r)
				}
				return targets[8].Do(ctx, i, r)
			}),
			Observers: []loadgen.Observer{{Record: how.record}},
		}
		if _, err := g.Measure(context.Background(), l); err != nil {
			t.Fatal(err)
		}
	})
	return how
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
				conditions = append(conditions, condition{kind, c, noise, false, false},
					condition{kind, c, noise, true, false}, condition{kind, c, noise, false, true})
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
				how, judged := c.course(t, c.server(seed, cold.by, cold.half*c.concurrency)).warming()
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
		t.Logf("simulation: cold by %g, half of it gone after %d C requests: flagged %.4f; of a condition from "+
			"%.3f to %.3f",
			cold.by, cold.half, share(all), share(slices.MinFunc(each, by)), share(slices.MaxFunc(each, by)))
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

// How long warming until steady takes, and how slow the server still is then.
func TestWarmingSimulation(t *testing.T) {
	n, concurrencies := 2, []int{4}
	if *long {
		n, concurrencies = 60, []int{4, 16}
	}
	for _, cold := range []struct {
		by   float64
		half int // in requests, for each request in flight
	}{{0, 0}, {1.5, 2}, {2, 2}, {3, 5}} {
		var took []int
		early, never, all := 0, 0, 0
		for _, kind := range []string{"own", "queue", "batch"} {
			for _, c := range concurrencies {
				for _, noise := range []float64{.02, .1} {
					for seed := range n {
						s := condition{kind: kind, concurrency: c, noise: noise}.server(uint64(seed+1), cold.by,
							cold.half*c)
						synctest.Test(t, func(t *testing.T) {
							target, _ := served(s).Target(context.Background(), "",
								workload.Spec{Input: 32, Output: 16})
							l := loadgen.Level{Concurrency: c, Duration: 10 * time.Minute}
							w := newWarmer(l)
							g := loadgen.Generator{Target: target, Stop: w.steady,
								Observers: []loadgen.Observer{{Record: w.record}}}
							r, err := g.Measure(context.Background(), l)
							if err != nil {
								t.Fatal(err)
							}
							if all++; !w.Steady() {
								never++
								return
							}
							took = append(took, len(w.Windows))
							if s.Slowdown(uint64(r.Accounting.Issued)) > 1.05 {
								early++
							}
						})
					}
				}
			}
		}
		slices.Sort(took)
		t.Logf("simulation: warming, cold by %g, half of it gone after %d C requests: %d windows in the median, "+
			"90 %% within "+
			"%d; not steady within 10 minutes %.4f, still slower by 5 %% after it %.4f", cold.by, cold.half,
			took[len(took)/2], took[len(took)*9/10],
			float64(never)/float64(all), float64(early)/float64(all))
		if early*20 > all && early > 1 || never*20 > all && never > 1 {
			t.Errorf("cold by %g: of %d too early %d, never steady %d", cold.by, all, early, never)
		}
	}
}
