package loadgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// unruly is a target of whose requests each does something else, by chance: answers in chunks and whole, failures
// before, in and after the stream, some of them worth a retry, bodies that end late, silence until the timeout, and
// goroutines that end or do not come back.
func unruly(seed uint64, scale time.Duration) TargetFunc {
	return func(ctx context.Context, i int, r *Record) error {
		random := rand.New(rand.NewPCG(seed, uint64(i)<<8|uint64(r.Attempts)))
		some := func() { time.Sleep(time.Duration(random.Int64N(int64(scale)))) }
		if random.IntN(4) == 0 {
			some() // before it is sent
			r.Sent = r.Now()
		}
		some()
		stream := func(n int) {
			for range n {
				some()
				r.Chunk(Chunk{Tokens: random.IntN(4)})
			}
		}
		what := random.IntN(40)
		switch {
		case what == 0:
			return &Error{Class: ClassStatus, Status: 503, Err: errors.New("busy")}
		case what == 1:
			stream(1 + random.IntN(5))
			r.Done = r.LastArrival()
			<-ctx.Done()
			return ctx.Err()
		case what == 2:
			stream(2)
			runtime.Goexit()
		case what == 3:
			stream(random.IntN(4))
			panic("no")
		case what == 4:
			time.Sleep(time.Hour) // and does not come back in time
			return nil
		case what == 5:
			stream(3)
			r.Done = r.LastArrival()
			some()
			return &Error{Class: ClassTruncated, Err: errors.New("cut off")}
		case what < 12: // whole
			r.Counted, r.Input, r.Output = true, random.IntN(50), 1+random.IntN(20)
			return nil
		}
		stream(1 + random.IntN(9))
		r.Done = r.LastArrival()
		if what%3 == 0 {
			some() // a body that ends late
		}
		if what%5 > 0 {
			r.Counted, r.Input, r.Output = true, 1+random.IntN(50), 1+random.IntN(30)
			if what%2 == 0 {
				r.Output = 0
				for c := range r.Chunks() {
					r.Output += c.Tokens
				}
			}
		}
		return nil
	}
}

// Whatever the requests do, what a level says of its load is what can be computed from its records alone.
func TestLoadByBruteForce(t *testing.T) {
	levels := map[string]Level{
		"closed":     {Concurrency: 7, Requests: 400, Warmup: 10, Timeout: 9 * time.Second, Retries: 2},
		"one slot":   {Concurrency: 1, Requests: 90, Timeout: 9 * time.Second},
		"ramp":       {Concurrency: 12, Requests: 300, Warmup: 5, RampUp: 20 * time.Second, Timeout: 5 * time.Second},
		"duration":   {Concurrency: 9, Duration: 3 * time.Minute, Warmup: 30, Timeout: 20 * time.Second},
		"few":        {Concurrency: 8, Requests: 5, Timeout: 3 * time.Second},
		"open":       {Arrivals: poisson(4), Requests: 500, Warmup: 20, Timeout: 9 * time.Second, Retries: 1},
		"bounded":    {Arrivals: constant(3), Concurrency: 6, Requests: 300, Warmup: 7, Timeout: 9 * time.Second},
		"open, ramp": {Arrivals: gamma(5, 0.3), Requests: 300, RampUp: 10 * time.Second, Timeout: 9 * time.Second},
	}
	for name, l := range levels {
		for seed := range uint64(4) {
			for _, cut := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/cut=%t", name, seed, cut), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						var w witness
						g := &Generator{Target: unruly(seed, 2*time.Second), Observers: []Observer{w.observer()}}
						l := l
						l.Seed = seed
						if cut {
							time.AfterFunc(45*time.Second, cancel)
						}
						r, err := g.Measure(ctx, l)
						if err != nil && !cut {
							t.Fatal(err)
						}
						w.check(t, r)
						time.Sleep(2 * time.Hour) // until what was left behind has come back
					})
				})
			}
		}
	}
}

// shifted is the request by a clock that began so much before.
func (s seenRequest) shifted(later time.Duration) seenRequest {
	s.scheduled, s.sent, s.done, s.left = s.scheduled+later, s.sent+later, s.done+later, s.left+later
	s.chunks = slices.Clone(s.chunks)
	for i := range s.chunks {
		s.chunks[i].Seen += later
	}
	return s
}

// Merged, the shards of a level say what the records of all of them say together, by the clock that they share:
// uneven shards, that start one after the other, on machines whose clocks differ.
func TestMergedByBruteForce(t *testing.T) {
	levels := map[string]Level{
		"closed":  {Concurrency: 7, Requests: 600, Timeout: 9 * time.Second, Shards: 3},
		"few":     {Concurrency: 5, Requests: 40, Timeout: 9 * time.Second, Shards: 4},
		"open":    {Arrivals: poisson(4), Requests: 500, Timeout: 9 * time.Second, Retries: 1, Shards: 3},
		"bounded": {Arrivals: constant(3), Concurrency: 7, Requests: 300, Timeout: 9 * time.Second, Shards: 2},
	}
	for name, l := range levels {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 99))
					parts, witnesses := make([]*Result, l.Shards), make([]witness, l.Shards)
					var all sync.WaitGroup
					zero := time.Now()
					for k := range parts {
						after, ahead := time.Duration(random.Int64N(1e9)), time.Duration(random.Int64N(1e9))-5e8
						all.Go(func() {
							time.Sleep(after)
							l := l
							l.Seed, l.Shard = seed, k
							g := &Generator{Target: unruly(seed, 2*time.Second),
								Observers: []Observer{witnesses[k].observer()}}
							var err error
							if parts[k], err = g.Measure(t.Context(), l); err != nil {
								t.Error(err)
								return
							}
							// What a machine says whose clock is so much ahead. (The bins go by the common clock in
							// any case.)
							parts[k].Start, parts[k].Clock = parts[k].Start.Add(ahead), &ClockOffset{Offset: ahead}
						})
					}
					all.Wait()
					r := mustMerge(t, parts...)
					var w, until witness
					for k := range parts {
						for _, s := range witnesses[k].seen {
							later := parts[k].start().Sub(r.Start)
							w.seen = append(w.seen, s.shifted(later))
							s.left = min(s.left, parts[k].InFlight.To) // up to which a generator counts its slots
							until.seen = append(until.seen, s.shifted(later))
						}
					}
					if d := r.Start.Sub(zero); d < 0 || d >= time.Second {
						t.Fatalf("the merged result begins %v after the first clock", d)
					}
					slices.SortFunc(w.seen, func(a, b seenRequest) int { return cmp.Compare(a.index, b.index) })
					w.checkBooks(t, r)
					until.checkInFlight(t, r)
					w.checkTimeline(t, r)
					w.checkIssued(t, r)
					w.checkMergedWindow(t, r)
					if l.Shards == 3 && r.Open == nil && r.Steady == nil {
						t.Errorf("no steady window: %v", r.Warnings)
					}
					time.Sleep(2 * time.Hour)
				})
			})
		}
	}
}
