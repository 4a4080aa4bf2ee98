package loadgen

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// sharded measures all shards of l at once against one target, and returns their results and copies of all records,
// in the order of their numbers.
func sharded(t *testing.T, l Level, n int, target Target) (parts []*Result, seen []Record) {
	t.Helper()
	parts = make([]*Result, n)
	var generators sync.WaitGroup
	var mu sync.Mutex
	for k := range n {
		generators.Go(func() {
			l := l
			l.Shard, l.Shards = k, n
			r, records := observed(t, l, target)
			mu.Lock()
			defer mu.Unlock()
			parts[k] = r
			seen = append(seen, records...)
		})
	}
	generators.Wait()
	slices.SortFunc(seen, func(a, b Record) int { return cmp.Compare(a.Index, b.Index) })
	return parts, seen
}

// The shards of a closed loop issue every request of the level once, and together keep its concurrency in flight.
func TestShardsOfAClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const full = 38 * time.Second // 305 requests are 38 rounds of 8, and one
		begun := time.Now()
		var inFlight, other atomic.Int64
		parts, seen := sharded(t, Level{Concurrency: 8, Requests: 300, Warmup: 5}, 3,
			TargetFunc(func(ctx context.Context, i int, r *Record) error {
				inFlight.Add(1)
				defer inFlight.Add(-1)
				time.Sleep(500 * time.Millisecond)
				if n := inFlight.Load(); n > 8 || n < 8 && time.Since(begun) < full {
					other.Add(1)
				}
				time.Sleep(500 * time.Millisecond)
				return nil
			}))
		if other.Load() != 0 {
			t.Errorf("%d requests found other than 8 in flight", other.Load())
		}
		if len(seen) != 305 {
			t.Fatalf("%d requests, want 305", len(seen))
		}
		for i, q := range seen {
			if q.Index != i || q.Warmup != (i < 5) {
				t.Errorf("request %d, warmup %v; want %d, %v", q.Index, q.Warmup, i, i < 5)
			}
		}
		for k, want := range []struct{ peak, warmup, issued int }{{3, 2, 113}, {3, 2, 112}, {2, 1, 75}} {
			r := parts[k]
			if r.InFlight.Peak != want.peak || r.Warmup.Issued != want.warmup || r.Accounting.Issued != want.issued ||
				r.Steady == nil {
				t.Errorf("shard %d: peak %d, warmup %+v, measured %+v, steady %v; want %+v", k, r.InFlight.Peak,
					r.Warmup, r.Accounting, r.Steady, want)
			}
			if got := openCodes(r); len(got) != 0 { // a shard that holds its share is not short of the whole
				t.Errorf("shard %d: warnings %v", k, r.Warnings)
			}
		}
		if r := mustMerge(t, parts...); r.InFlight.Peak != 8 || r.Accounting.Completed != 300 ||
			r.Warmup.Completed != 5 {
			t.Errorf("merged: peak %d, %+v", r.InFlight.Peak, r.Accounting)
		}
	})
}

// Shards that are not all of a size keep the load up to one moment, as the whole does: every figure of the merged
// level is that of the one generator, but for what is said in MergeResults.
func TestUnevenShardsAreAsTheWhole(t *testing.T) {
	target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
		time.Sleep(400 * time.Millisecond)
		r.Chunk(Chunk{Tokens: 1})
		time.Sleep(600 * time.Millisecond)
		r.Chunk(Chunk{Tokens: 3})
		r.Counted, r.Input, r.Output = true, 10, 4
		return nil
	})
	for _, c := range []struct{ concurrency, requests, warmup, shards int }{
		{7, 700, 0, 3}, {7, 701, 7, 3}, {5, 400, 3, 4}, {100, 3000, 0, 7}, {8, 400, 0, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := Level{Concurrency: c.concurrency, Requests: c.requests, Warmup: c.warmup}
			whole := mustMeasure(t, l, target)
			parts, seen := sharded(t, l, c.shards, target)
			for i, q := range seen {
				if q.Index != i {
					t.Fatalf("%+v: request %d is missing, or there twice", c, i)
				}
			}
			r := mustMerge(t, parts...)
			if diff := gocmp.Diff(codes(whole), codes(r)); diff != "" {
				t.Errorf("%+v: %s", c, diff)
			}
			if r.Steady == nil {
				t.Fatalf("%+v: no steady window", c)
			}
			near(t, "slots taken in the window", r.Steady.Occupied, float64(c.concurrency))
			for _, f := range whole.Figures {
				got, _ := r.Figure(f.Name)
				off := 1e-9
				switch f.Name {
				case SteadyRequestThroughput, SteadyOutputThroughput, SteadyTotalThroughput:
					off = float64(r.Timeline.Width) / float64(r.Steady.Length()) * 10 // waves of a second, cut by bins
				// without the warmup's requests that others still had, see MergeResults
				case MeanInFlight, MeanOccupied:
					off = float64(c.warmup) / float64(c.requests)
				}
				if math.Abs(got.Value-f.Value) > off*f.Value+1e-9 {
					t.Errorf("%+v: %s is %v, and %v of the whole", c, f.Name, got.Value, f.Value)
				}
			}
		})
	}
}

// The slots of a ramp-up are those of the whole level as well.
func TestShardsOfARampUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, seen := sharded(t, Level{Concurrency: 7, Requests: 7, RampUp: 7 * time.Second}, 3, always(time.Hour))
		// All but the last of each shard's: slots 0 and 3 of 0, 3, 6; 1 of 1, 4; 2 of 2, 5.
		if r := mustMerge(t, parts...); r.InFlight.InRamp != 4 || !hasWarning(r, WarnRampDominated) {
			t.Errorf("%d in the ramp, want 4; %v", r.InFlight.InRamp, r.Warnings)
		}
		var starts []time.Duration
		for _, q := range seen {
			starts = append(starts, q.Sent/time.Second)
		}
		if slices.Sort(starts); !slices.Equal(starts, []time.Duration{0, 1, 2, 3, 4, 5, 6}) {
			t.Errorf("slots start at %v s", starts)
		}
	})
}

// The shards of an open loop have just the arrivals of the one generator, and their results make its result.
func TestShardsOfAnOpenLoop(t *testing.T) {
	trace := make([]time.Duration, 120)
	for i := range trace {
		trace[i] = time.Duration(i*i) * time.Millisecond
	}
	for _, l := range []Level{
		{Arrivals: constant(40), Requests: 1000, Warmup: 10},
		{Arrivals: Arrivals{Process: PoissonArrivals, Rate: 40}, Requests: 1000, Warmup: 250, RampUp: 10 * time.Second},
		{Arrivals: Arrivals{Process: GammaArrivals, Rate: 40, Burstiness: 0.3}, Duration: 20 * time.Second, Warmup: 7,
			Seed: 9},
		{Arrivals: Arrivals{Process: TraceArrivals, Trace: trace}, Warmup: 20},
	} {
		t.Run(l.Load(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := takes(func(i int) time.Duration { return time.Duration(200+i%301) * time.Millisecond })
				whole, want := observed(t, l, target)
				parts, seen := sharded(t, l, 4, target)
				if diff := gocmp.Diff(want, seen, gocmp.AllowUnexported(Record{}, chunkLog{})); diff != "" {
					t.Fatal(diff)
				}
				r := mustMerge(t, parts...)
				if diff := gocmp.Diff(whole.Level, r.Level); diff != "" {
					t.Error(diff)
				}
				if r.Accounting != whole.Accounting || r.Warmup != whole.Warmup || r.FirstSent != whole.FirstSent ||
					r.Makespan != whole.Makespan {
					t.Errorf("%+v %+v in %v, want %+v %+v in %v", r.Accounting, r.Warmup, r.Makespan, whole.Accounting,
						whole.Warmup, whole.Makespan)
				}
				for _, f := range whole.Figures {
					if f.Name == MeanInFlight || f.Name == MeanOccupied || f.Name == PeakInFlight { // see MergeResults
						continue
					}
					if got, _ := r.Figure(f.Name); got != f {
						t.Errorf("%+v, want %+v", got, f)
					}
				}
				own := *r.Open
				// Four that came between the arrivals of one generator, less itself, are not among what it found.
				if own.Early > whole.Open.Early || own.Early < whole.Open.Early-4 || own.Late > whole.Open.Late ||
					own.Late < whole.Open.Late-4 {
					t.Errorf("outstanding %v and %v, want up to 3 less than %v and %v", own.Early, own.Late,
						whole.Open.Early, whole.Open.Late)
				}
				// of each generator its own
				own.Early, own.Late, own.Gaps = whole.Open.Early, whole.Open.Late, whole.Open.Gaps
				if diff := gocmp.Diff(*whole.Open, own); diff != "" {
					t.Error(diff)
				}
				if diff := gocmp.Diff(codes(whole), codes(r)); diff != "" {
					t.Error(diff)
				}
				if diff := gocmp.Diff(sums(whole.Timeline), sums(r.Timeline)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A generator that starts late sends late, and the merged rate says so; what each held back adds up.
func TestShardsThatStartApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Level{Arrivals: constant(4), Requests: 41, Concurrency: 2, Shards: 2}
		var parts [2]*Result
		var generators sync.WaitGroup
		for k := range parts {
			generators.Go(func() {
				time.Sleep(time.Duration(k) * 5 * time.Second)
				l := l
				l.Shard = k
				parts[k] = mustMeasure(t, l, always(time.Second)) // one slot, for two a second: all but the first wait
			})
		}
		generators.Wait()
		// The first has 21 requests, sent from 0 to 20 s; the other 20, from 5.25 s on, each second, to 24.25 s.
		o := mustMerge(t, parts[1], parts[0]).Open
		if o.FirstDue != 0 || o.LastDue != 10*time.Second || o.FirstSent != 0 ||
			o.LastSent != 24250*time.Millisecond || o.Delayed != 39 {
			t.Errorf("%+v", o)
		}
		near(t, "offered", o.Offered, 4)
		near(t, "achieved", o.Achieved, 40/24.25)
	})
}

// A level's shares add up to it, and each has something to do.
func TestSharesAddUp(t *testing.T) {
	for _, whole := range []Level{
		{Concurrency: 7, Requests: 7},
		{Concurrency: 8, Requests: 50, Warmup: 3},
		{Concurrency: 9, Duration: time.Second, Warmup: 11},
	} {
		for n := 1; n <= 7; n++ {
			var sum Level
			for k := range n {
				l := whole
				l.Shard, l.Shards = k, n
				if err := l.Validate(); err != nil {
					t.Errorf("%+v: %v", l, err)
				}
				own := l.own()
				if own.Concurrency < 1 || whole.Requests > 0 && own.Requests < 1 {
					t.Errorf("shard %d of %d of %+v has nothing to do: %+v", k, n, whole, own)
				}
				if more := (whole.Concurrency + n - 1) / n; own.Concurrency != more &&
					own.Concurrency != whole.Concurrency/n || k == 0 && own.Concurrency != more {
					t.Errorf("shard %d of %d of %+v has a concurrency of %d", k, n, whole, own.Concurrency)
				}
				sum.Concurrency += own.Concurrency
				sum.Requests += own.Requests
				sum.Warmup += own.Warmup
			}
			if sum.Concurrency != whole.Concurrency || sum.Requests != whole.Requests || sum.Warmup != whole.Warmup {
				t.Errorf("%d shards of %+v add up to %+v", n, whole, sum)
			}
		}
	}
}

func TestShardValidate(t *testing.T) {
	poisson := Arrivals{Process: PoissonArrivals, Rate: 5}
	for _, c := range []struct {
		level Level
		field string
	}{
		{Level{Concurrency: 4, Requests: 9, Shards: 1}, ""},
		{Level{Concurrency: 4, Requests: 9, Shard: 3, Shards: 4}, ""},
		{Level{Arrivals: poisson, Duration: 1, Shard: 99_999, Shards: 100_000}, ""},
		{Level{Concurrency: 4, Requests: 9, Shard: 1}, "shard"},
		{Level{Concurrency: 4, Requests: 9, Shard: 4, Shards: 4}, "shard"},
		{Level{Concurrency: 4, Requests: 9, Shard: -1, Shards: 4}, "shard"},
		{Level{Concurrency: 4, Requests: 9, Shards: -1}, "shards"},
		{Level{Arrivals: poisson, Duration: 1, Shards: 100_001}, "shards"},
		{Level{Concurrency: 4, Requests: 9, Shards: 5}, "shards"},
		{Level{Concurrency: 4, Requests: 3, Shards: 4}, "shards"},
		// 6, 7 and 8, of the slots 6, 0 and 1: two of shard 0, and none of shard 2
		{Level{Concurrency: 7, Requests: 3, Warmup: 6, Shards: 3}, "shards"},
		{Level{Concurrency: 7, Requests: 4, Warmup: 6, Shards: 3}, ""},
		{Level{Arrivals: poisson, Concurrency: 3, Requests: 9, Shards: 4}, "shards"},
		{Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: make([]time.Duration, 9)}, Warmup: 6, Shards: 3}, ""},
		{Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: make([]time.Duration, 9)}, Warmup: 6, Shards: 4},
			"shards"},
	} {
		err := c.level.Validate()
		var invalid *InvalidError
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &invalid) || invalid.Field != c.field) {
			t.Errorf("%+v: %v, want an error about %q", c.level, err, c.field)
		}
	}
}

// Each request of a level is one shard's, and each shard's numbers are its own in order.
func TestNumbersOfShards(t *testing.T) {
	for _, l := range []Level{{Concurrency: 7, Shards: 3}, {Concurrency: 3, Shards: 3}, {Concurrency: 100, Shards: 7},
		{Shards: 5}, {Concurrency: 4}} {
		all := map[int]int{}
		for k := range max(l.Shards, 1) {
			l.Shard = k
			before := -1
			for j := range 50 {
				i := l.number(j)
				if !l.owns(i) || i <= before {
					t.Errorf("%+v: request %d is number %d, after %d", l, j, i, before)
				}
				if l.Shards > 1 && (l.share(i) != j || l.share(i+1) != j+1) {
					t.Errorf("%+v: %d of the first %d are its own, want %d", l, l.share(i), i, j)
				}
				before = i
				all[i]++
			}
		}
		for i, n := range all {
			if n != 1 {
				t.Errorf("%+v: request %d is of %d shards", l, i, n)
			}
		}
	}
}
