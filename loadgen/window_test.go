package loadgen

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// uneven is a target whose requests take from 0.3 to 1.3 s, and have 6 tokens in 3 chunks.
var uneven = TargetFunc(func(ctx context.Context, i int, r *Record) error {
	for k := range 3 {
		time.Sleep(time.Duration(100+(i*7919+k*31)%333) * time.Millisecond)
		r.Chunk(Chunk{Tokens: 2})
	}
	r.Counted, r.Input, r.Output = true, 10, 6
	return nil
})

// The merged window is the whole bins that are in the windows of all, whenever the generators started and whichever
// bins they ended up with: what is in it is what the records say of that time, to the last chunk.
func TestMergedWindowIsExact(t *testing.T) {
	for _, c := range []struct {
		name  string
		after [3]time.Duration // that the generators start
		clock [3]time.Duration // that their clocks are ahead
	}{
		{"together", [3]time.Duration{}, [3]time.Duration{}},
		{"apart", [3]time.Duration{0, 1237 * time.Millisecond, 333 * time.Microsecond}, [3]time.Duration{}},
		{"by clocks that differ", [3]time.Duration{0, 700 * time.Millisecond, 0}, [3]time.Duration{0,
			81 * time.Millisecond, -5*time.Second - 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				zero := time.Now()
				parts, records := make([]*Result, 3), make(chan Record, 10_000)
				done := make(chan struct{})
				for k := range parts {
					go func() {
						defer func() { done <- struct{}{} }()
						time.Sleep(c.after[k])
						began := time.Since(zero)
						g := &Generator{Target: uneven, Clock: &ClockOffset{Offset: c.clock[k]},
							Observers: []Observer{{Record: func(r *Record, _ *Error) {
								kept := Record{Sent: began + r.Sent, Done: began + r.Done}
								for q := range r.Chunks() {
									kept.Chunk(Chunk{Seen: began + q.Seen, Tokens: q.Tokens})
								}
								records <- kept
							}}}}
						var err error
						if parts[k], err = g.Measure(t.Context(), Level{Concurrency: 7, Requests: 1500, Warmup: 4,
							Shard: k, Shards: 3}); err != nil {
							t.Error(err)
						}
						parts[k].Start = parts[k].Start.Add(c.clock[k]) // what such a clock says
					}()
				}
				for range parts {
					<-done
				}
				close(records)
				r := mustMerge(t, parts...)
				w := r.Steady
				if w == nil || hasWarning(r, WarnMergedWindow) {
					t.Fatalf("no window: %v", r.Warnings)
				}
				if w.Length() < r.Makespan*9/10 {
					t.Errorf("the window has %v of %v", w.Length(), r.Makespan)
				}
				if c.clock != [3]time.Duration{} {
					near(t, "occupied", w.Occupied, 7)
					return
				}
				var output, completions float64
				inside := func(at time.Duration) bool { return at >= w.From && at < w.To }
				for q := range records {
					if inside(q.Done) {
						completions++
					}
					for chunk := range q.Chunks() {
						if inside(chunk.At()) {
							output += 2
						}
					}
				}
				if float64(w.Completions) != completions || w.Output != output || completions == 0 {
					t.Errorf("%d completions and %v tokens, want %v and %v", w.Completions, w.Output, completions,
						output)
				}
				near(t, "occupied", w.Occupied, 7)
				near(t, "in flight", w.InFlight, 7)
			})
		})
	}
}

// The gates of the steady window are those of the whole, for merged results as well.
func TestMergedWindowGates(t *testing.T) {
	second := always(time.Second)
	for _, c := range []struct {
		name   string
		l      Level
		target Target
		want   string
	}{
		{"long enough", Level{Concurrency: 6, Requests: 60}, second, ""},
		{"short", Level{Concurrency: 6, Requests: 22}, second, WarnShortWindow},
		{"never steady", Level{Concurrency: 6, Requests: 6}, second, WarnMergedWindow},
		{"not held", Level{Concurrency: 6, Requests: 120}, TargetFunc(func(ctx context.Context, i int,
			r *Record) error {
			time.Sleep(100 * time.Millisecond) // before it is sent
			r.Sent = r.Now()
			time.Sleep(900 * time.Millisecond)
			return nil
		}), WarnConcurrencyNotReached},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parts, _ := sharded(t, c.l, 3, c.target)
				r := mustMerge(t, parts...)
				found := ""
				for _, w := range r.Warnings {
					if w.SpoilsFigure(SteadyRequestThroughput) {
						found = w.Code
					}
				}
				if found != c.want {
					t.Errorf("the window is spoiled by %q, want %q; %+v", found, c.want, r.Steady)
				}
			})
		})
	}
}

// Bins lie on multiples of their width by the clock that all generators go by, whatever their own clocks say.
func TestBinsLieOnCommonMultiples(t *testing.T) {
	common := time.Unix(1e9, 123_456_789)
	for _, offset := range []time.Duration{0, 80 * time.Millisecond, -time.Hour - 1} {
		g := &Generator{Clock: &ClockOffset{Offset: offset}}
		line := newTimeline(g.anchor(Level{Shards: 2}, common.Add(offset)))
		line.add(recordOf(0, 10*time.Second, nil), nil)
		// 10 s are 157 bins of 64 ms, on multiples of which the start is 123,456,789 ns − 1 · 64 ms after one: 1e9 s
		// are one.
		if got := line.columns(); got.Width != 64*time.Millisecond || got.From != -59_456_789 {
			t.Errorf("offset %v: bins of %v from %v", offset, got.Width, got.From)
		}
		if g.anchor(Level{}, common) != 0 {
			t.Error("the bins of a whole level do not begin with it")
		}
	}
}

// Windows that no level can have had, as a file might hold, give none.
func TestMergedWindowOfNonsense(t *testing.T) {
	const huge = 1<<63 - 1
	line := newTimeline(0)
	line.add(recordOf(0, 10*time.Second, nil), nil)
	for _, w := range []Window{{From: huge, To: huge}, {From: -huge, To: -1}, {From: 5, To: 4}, {From: huge, To: 0},
		{From: time.Hour, To: 2 * time.Hour}} {
		parts := []*Result{{Steady: &w}, {Steady: &Window{From: 0, To: huge}}}
		if got := mergeWindows(parts, []time.Duration{0, time.Second}, line.columns()); got != nil {
			t.Errorf("%+v of %+v", got, w)
		}
	}
}

// The steady window of a server with a cap is computed by hand: 2 in flight, 1 s each, 6 tokens arriving each second of
// a request. It opens with the 2nd completion (1 s) and closes with the last issue (4 s): 3 s, 2 × 3 requests.
func TestSteadyWindowCountsTokensWhenTheyArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			time.Sleep(250 * time.Millisecond)
			r.Chunk(Chunk{Seen: r.Now()})
			time.Sleep(500 * time.Millisecond)
			r.Chunk(Chunk{Seen: r.Now()})
			r.Done = r.Now()
			time.Sleep(250 * time.Millisecond)
			r.Counted, r.Input, r.Output = true, 10, 2
			return nil
		})
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 10}, target)
		w := r.Steady
		if w == nil {
			t.Fatal("no steady window")
		}
		if w.From != time.Second || w.To != 4*time.Second {
			t.Errorf("window from %v to %v, want 1 s to 4 s", w.From, w.To)
		}
		if w.Completions != 6 || w.Input != 60 || w.Output != 12 {
			t.Errorf("%d completions, %v input and %v output tokens, want 6, 60 and 12", w.Completions, w.Input,
				w.Output)
		}
		near(t, "steady tokens/s", figure(t, r, SteadyTotalThroughput), 24)
		// Sent to Done is 0.75 s of each second.
		near(t, "in flight inside the window", w.InFlight, 1.5)
		near(t, "TTFT", figure(t, r, MeanName(TTFT)), 250)
		near(t, "ITL", figure(t, r, MeanName(ITL)), 500)
		near(t, "TPOT", figure(t, r, MeanName(TPOT)), 500)
		near(t, "total tokens/s", figure(t, r, TotalThroughput), 120/4.75)
	})
}

// A request that is cut by the window's edge counts in it with the chunks that arrived inside.
func TestSteadyWindowCutsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			chunks := 2
			if i == 1 {
				chunks = 8 // a long request that is in flight at both edges
			}
			for range chunks {
				time.Sleep(time.Second)
				r.Chunk(Chunk{Seen: r.Now(), Tokens: 3})
			}
			r.Done = r.Now()
			r.Counted, r.Input, r.Output = true, 1, 3*chunks
			return nil
		})
		// Slot A: requests 0, 2, 3, 4 of 2 s each; slot B: request 1, 8 s. 2nd completion at 4 s, last issue (4) at 6
		// s.
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 5}, target)
		if w := r.Steady; w == nil || w.From != 4*time.Second || w.To != 6*time.Second {
			t.Fatalf("window %+v", r.Steady)
		}
		// After 4 s up to 6 s: A's chunks at 5 and 6, and B's.
		if r.Steady.Output != 12 {
			t.Errorf("%v output tokens in the window, want 12", r.Steady.Output)
		}
		near(t, "steady output tokens/s", figure(t, r, SteadyOutputThroughput), 6)
	})
}

// A request that failed is no completion, also inside the steady window.
func TestSteadyCompletionsAreCompletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 40}, TargetFunc(func(ctx context.Context, i int,
			r *Record) error {
			time.Sleep(time.Second)
			if i == 20 || i == 21 {
				return errors.New("no")
			}
			return nil
		}))
		// The window is from 1 s to 19 s: 18 rounds of two, less the two that failed.
		if r.Steady == nil || r.Steady.Completions != 34 {
			t.Errorf("window %+v, want 34 completions", r.Steady)
		}
		near(t, "in flight inside the window", r.Steady.InFlight, 2)
	})
}
