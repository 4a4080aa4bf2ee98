package loadgen

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// observed measures l and returns copies of all records, in the order of their numbers.
func observed(t *testing.T, l Level, target Target) (*Result, []Record) {
	t.Helper()
	var seen []Record
	g := &Generator{Target: target, Observers: []Observer{{Record: func(r *Record, _ *Error) {
		seen = append(seen, Record{Index: r.Index, Warmup: r.Warmup, Scheduled: r.Scheduled, Sent: r.Sent,
			Done: r.Done})
	}}}}
	result, err := g.Measure(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(seen, func(a, b Record) int { return a.Index - b.Index })
	return result, seen
}

// openCodes are the codes of r's warnings, but for that of tokens, which these targets do not count.
func openCodes(r *Result) []string {
	return slices.DeleteFunc(codes(r), func(code string) bool { return code == WarnTokensUnknown })
}

func constant(rate float64) Arrivals { return Arrivals{Process: ConstantArrivals, Rate: rate} }

func poisson(rate float64) Arrivals { return Arrivals{Process: PoissonArrivals, Rate: rate} }

func gamma(rate, burstiness float64) Arrivals {
	return Arrivals{Process: GammaArrivals, Rate: rate, Burstiness: burstiness}
}

// In virtual time the open loop is exact: each request is sent the moment it is due, however slow the target is, and
// what was in flight is rate × latency.
func TestOpenLoopIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, seen := observed(t, Level{Arrivals: constant(3), Requests: 300, Warmup: 30}, always(4900*time.Millisecond))
		due := dueTimes(t, r.Level, 330)
		for i, q := range seen {
			if q.Scheduled != due[i] || q.Sent != due[i] || q.Done != due[i]+4900*time.Millisecond ||
				q.Warmup != (i < 30) {
				t.Fatalf("request %d: %+v, due at %v", i, q, due[i])
			}
		}
		if want := (Accounting{Issued: 300, Completed: 300}); r.Accounting != want ||
			r.Warmup != (Accounting{Issued: 30, Completed: 30}) {
			t.Errorf("accounting %+v, warmup %+v", r.Accounting, r.Warmup)
		}
		if r.InFlight.Peak != 15 || r.Open.Delayed != 0 || r.Open.Early != 15-1 || r.Open.Late != 15-1 {
			t.Errorf("peak %d, open loop %+v: want 15 in flight, of which each arrival found the others",
				r.InFlight.Peak, r.Open)
		}
		want := map[string]float64{MeanName(E2E): 4900, MeanName(Response): 4900, QuantileName(SendLag, 99): 0}
		for name, want := range want {
			near(t, name, figure(t, r, name), want)
		}
		for _, name := range []string{OfferedRate, AchievedRate} {
			if got := figure(t, r, name); got < 3-1e-8 || got > 3+1e-8 { // due times are whole nanoseconds
				t.Errorf("%s %v, want 3", name, got)
			}
		}
		if r.Steady != nil || len(openCodes(r)) != 0 {
			t.Errorf("steady window %v, warnings %v: want neither", r.Steady, r.Warnings)
		}
	})
}

// A trace is followed to the nanosecond, arrivals at one moment included.
func TestTraceIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trace := []time.Duration{7, 7, 7, time.Second, time.Second + 1, time.Minute}
		r, seen := observed(t, Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: trace}}, always(time.Hour))
		for i, q := range seen {
			if q.Scheduled != trace[i] || q.Sent != trace[i] {
				t.Errorf("request %d: scheduled %v, sent %v, want %v", i, q.Scheduled, q.Sent, trace[i])
			}
		}
		if r.Accounting.Completed != len(trace) || r.InFlight.Peak != len(trace) {
			t.Errorf("%+v, peak %d", r.Accounting, r.InFlight.Peak)
		}
	})
}

// Drawn arrivals are those of the schedule: the level adds nothing to the seed.
func TestOpenLoopIsDeterministic(t *testing.T) {
	level := Level{Arrivals: Arrivals{Process: GammaArrivals, Rate: 50, Burstiness: 0.3}, Requests: 2000, Seed: 11}
	synctest.Test(t, func(t *testing.T) {
		for range 2 {
			_, seen := observed(t, level,
				takes(func(i int) time.Duration { return time.Duration(i%7) * time.Millisecond }))
			for i, due := range dueTimes(t, level, 2000) {
				if seen[i].Sent != due {
					t.Fatalf("request %d was sent at %v, and due at %v", i, seen[i].Sent, due)
				}
			}
		}
	})
}

// A level of nothing but waiting: two at a time, 1 s each, one due every 0.4 s. From the third on each arrival waits,
// ever longer, for the k-th pair starts at k seconds at the earliest; the response says so and e2e does not.
func TestMaxInFlightDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inFlight, over atomic.Int64
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if inFlight.Add(1) > 2 {
				over.Add(1)
			}
			defer inFlight.Add(-1)
			time.Sleep(time.Second)
			return nil
		})
		r, seen := observed(t, Level{Arrivals: constant(2.5), Requests: 100, Concurrency: 2}, target)
		if over.Load() != 0 || r.InFlight.Peak != 2 {
			t.Errorf("%d times more than 2 in flight, peak %d", over.Load(), r.InFlight.Peak)
		}
		// Requests 0 and 1 start at 0 and 0.4 s; request i when i−2 is over.
		want, response := []time.Duration{0, 400 * time.Millisecond}, 0.0
		for i, q := range seen {
			if i >= 2 {
				want = append(want, max(want[i-2]+time.Second, q.Scheduled))
			}
			if q.Scheduled != time.Duration(i)*400*time.Millisecond || q.Sent != want[i] {
				t.Fatalf("request %d: scheduled %v, sent %v, want %v", i, q.Scheduled, q.Sent, want[i])
			}
			response += float64(q.Sent+time.Second-q.Scheduled) / millisecond / 100
		}
		if r.Open.Delayed != 98 || r.Accounting.Completed != 100 {
			t.Errorf("%d delayed of %+v, want 98: all but the first two", r.Open.Delayed, r.Accounting)
		}
		near(t, "response", figure(t, r, MeanName(Response)), response)
		near(t, "e2e", figure(t, r, MeanName(E2E)), 1000)
		near(t, "send lag", figure(t, r, MeanName(SendLag)), response-1000)
		if want := []string{WarnRateNotReached, WarnDelayed, WarnOverloaded}; !slices.Equal(openCodes(r), want) {
			t.Errorf("warnings %v, want %v", codes(r), want)
		}
	})
}

// An arrival that was due while another was held back has been delayed as well, although there was room at its turn.
func TestHeldBackBehindAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const s = time.Second
		trace := []time.Duration{0, 0, 5 * s, 6 * s, 30 * s}
		r, seen := observed(t, Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: trace}, Concurrency: 2},
			takes(func(i int) time.Duration {
				return 10 * s
			}))
		for i, want := range []time.Duration{0, 0, 10 * s, 10 * s, 30 * s} {
			if seen[i].Sent != want {
				t.Errorf("request %d was sent at %v, want %v", i, seen[i].Sent, want)
			}
		}
		if r.Open.Delayed != 2 {
			t.Errorf("%d delayed, want 2", r.Open.Delayed)
		}
	})
}

// The limit of time is for the request, not for the wait until its turn.
func TestTimeoutLeavesTheWaitOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Arrivals: constant(10), Requests: 20, Concurrency: 1,
			Timeout: 1500 * time.Millisecond}, always(time.Second))
		if r.Accounting.Completed != 20 {
			t.Errorf("%+v, %v", r.Accounting, r.Errors)
		}
		r = mustMeasure(t, Level{Arrivals: constant(10), Requests: 20, Timeout: 500 * time.Millisecond},
			always(time.Second))
		if r.Accounting.Failed != 20 || r.Errors[0].Class != ClassTimeout {
			t.Errorf("%+v, %v", r.Accounting, r.Errors)
		}
	})
}

// A duration bounds when requests are due; those that are late are issued all the same.
func TestOpenLoopByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Arrivals: constant(2), Duration: 10 * time.Second, Warmup: 4, Concurrency: 1},
			always(time.Second))
		if r.Accounting.Completed != 20 || r.CutShort {
			t.Errorf("%+v, cut short %v", r.Accounting, r.CutShort)
		}
	})
}

func TestStopAndCancelInTheOpenLoop(t *testing.T) {
	why := errors.New("enough")
	for _, c := range []struct {
		name   string
		level  Level
		cancel bool
		want   Accounting
	}{
		// One a second, 2.5 s each; the end comes at 4.7 s, when 0 … 4 have been issued, and 3 and 4 are in flight.
		{"stop", Level{Arrivals: constant(1), Requests: 100}, false, Accounting{Issued: 5, Completed: 5}},
		{"cancel", Level{Arrivals: constant(1), Requests: 100}, true,
			Accounting{Issued: 5, Completed: 3, Cancelled: 2}},
		// One at a time, the end comes while an arrival is held back: 0 and 1 have been issued.
		{"stop while one is held back", Level{Arrivals: constant(1), Requests: 100, Concurrency: 1}, false,
			Accounting{Issued: 2, Completed: 2}},
		{"cancel while one is held back", Level{Arrivals: constant(1), Requests: 100, Concurrency: 1}, true,
			Accounting{Issued: 2, Completed: 1, Cancelled: 1}},
		// All have been issued: nothing is left to stop, and a stop cuts nothing short.
		{"stop in the drain", Level{Arrivals: constant(1), Requests: 4}, false, Accounting{Issued: 4, Completed: 4}},
		{"cancel in the drain", Level{Arrivals: constant(1), Requests: 4}, true,
			Accounting{Issued: 4, Completed: 3, Cancelled: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				stop := make(chan struct{})
				go func() {
					time.Sleep(4700 * time.Millisecond)
					if c.cancel {
						cancel(why)
					} else {
						close(stop)
					}
				}()
				g := &Generator{Target: always(2500 * time.Millisecond), Stop: stop}
				r, err := g.Measure(ctx, c.level)
				if c.cancel != errors.Is(err, why) {
					t.Errorf("error %v", err)
				}
				if r.Accounting != c.want {
					t.Errorf("accounting %+v, want %+v", r.Accounting, c.want)
				}
				if cut := c.cancel || c.level.Requests > 4; r.CutShort != cut || hasWarning(r, WarnCutShort) != cut {
					t.Errorf("cut short %v, warnings %v", r.CutShort, codes(r))
				}
			})
		})
	}
}

// Targets that ignore their context, panic or end their goroutine are counted, and hold nobody back.
func TestOpenLoopWithBadTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			switch i {
			case 3:
				<-release
			case 5:
				panic("at the disco")
			case 7:
				runtime.Goexit()
			}
			return always(100*time.Millisecond)(ctx, i, r)
		})
		r, seen := observed(t, Level{Arrivals: constant(10), Requests: 20, Timeout: time.Second}, target)
		if want := (Accounting{Issued: 20, Completed: 17, Failed: 3}); r.Accounting != want {
			t.Errorf("accounting %+v, want %+v", r.Accounting, want)
		}
		for i, q := range seen {
			if due := time.Duration(i) * 100 * time.Millisecond; q.Scheduled != due || q.Sent != due {
				t.Errorf("request %d: scheduled %v, sent %v, due %v", i, q.Scheduled, q.Sent, due)
			}
		}
		close(release) // the bubble fails if a goroutine is left for good
		synctest.Wait()
	})
}

// A closed loop has nothing of the open one.
func TestClosedLoopHasNoResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 20}, always(time.Second))
		for _, name := range []string{OfferedRate, AchievedRate, MeanName(Response)} {
			if f, ok := r.Figure(name); ok {
				t.Errorf("it has %v", f)
			}
		}
		if r.Open != nil {
			t.Errorf("%+v", r.Open)
		}
	})
}

// Without a bound there are as many in flight as come; the bubble fails if a goroutine is left of them.
func TestThousandsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Arrivals: constant(1000), Requests: 5000}, always(4*time.Second))
		if r.InFlight.Peak < 4000 || r.InFlight.Peak > 4001 || r.Accounting.Completed != 5000 {
			t.Errorf("peak %d, %+v", r.InFlight.Peak, r.Accounting)
		}
	})
}

// Against the true clock: all is sent, never early, and the schedule does not drift.
func TestOpenLoopInRealTime(t *testing.T) {
	r, seen := observed(t, Level{Arrivals: Arrivals{Process: PoissonArrivals, Rate: 2000}, Requests: 400,
		Concurrency: 50}, always(time.Millisecond))
	due := dueTimes(t, r.Level, 400)
	for i, q := range seen {
		if q.Scheduled != due[i] || q.Sent < q.Scheduled {
			t.Errorf("request %d: scheduled %v, sent %v, due %v", i, q.Scheduled, q.Sent, due[i])
		}
	}
	if r.Accounting.Completed != 400 || r.InFlight.Peak > 50 {
		t.Errorf("%+v, peak %d", r.Accounting, r.InFlight.Peak)
	}
}
