package loadgen

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What the server does after the last chunk of an answer is no fault of the client's: the slot is taken, the load was
// kept, and what is told is what the server did.
func TestOccupancy(t *testing.T) {
	chunks := func(r *Record) {
		for range 5 {
			time.Sleep(20 * time.Millisecond)
			r.Chunk(Chunk{})
		}
		r.Done = r.Now()
	}
	hangs := func(ctx context.Context, r *Record) error {
		r.Done = r.LastArrival()
		<-ctx.Done()
		return ctx.Err()
	}
	for _, c := range []struct {
		name     string
		target   TargetFunc
		timeout  time.Duration
		requests int
		apart    bool   // in flight and occupied
		says     string // and this is what did it
		not      string
	}{
		{"all is well", func(ctx context.Context, i int, r *Record) error { chunks(r); return nil }, 0, 800, false,
			"", ""},
		{
			"one in 105 stalls in the stream and dies", func(ctx context.Context, i int, r *Record) error {
				if i%105 == 7 {
					time.Sleep(20 * time.Millisecond)
					r.Chunk(Chunk{})
					return hangs(ctx, r)
				}
				chunks(r)
				return nil
			}, 20 * time.Second, 8000, true, "failed after their last chunk", "completed requests",
		},
		{
			"a whole answer, and then the body has no end", func(ctx context.Context, i int, r *Record) error {
				chunks(r)
				if i%200 == 150 {
					return hangs(ctx, r)
				}
				return nil
			}, 10 * time.Second, 8000, true, "failed after their last chunk", "completed requests",
		},
		{
			"bodies that end late", func(ctx context.Context, i int, r *Record) error {
				chunks(r)
				time.Sleep(100 * time.Millisecond)
				return nil
			}, 0, 800, true, "ended only some time after", "failed",
		},
		{
			"bodies that end late, and some that do not", func(ctx context.Context, i int, r *Record) error {
				chunks(r)
				time.Sleep(50 * time.Millisecond)
				if i%150 == 149 {
					return hangs(ctx, r)
				}
				return nil
			}, 10 * time.Second, 8000, true, "ended only some time after", "",
		},
		{
			"a target that does not come back", func(ctx context.Context, i int, r *Record) error {
				chunks(r)
				if i%200 == 100 {
					time.Sleep(time.Minute)
					return errors.New("late")
				}
				return nil
			}, 10 * time.Second, 4000, false, "", "", // nothing is known of when its last chunk came
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var taken time.Duration
				g := &Generator{Target: c.target, Observers: []Observer{{Record: func(r *Record, _ *Error) {
					taken += r.Left - r.Sent
					if r.Left < r.Done {
						t.Errorf("request %d left at %v, and was done at %v", r.Index, r.Left, r.Done)
					}
				}}}}
				r, err := g.Measure(t.Context(), Level{Concurrency: 8, Requests: c.requests, Timeout: c.timeout})
				if err != nil {
					t.Fatal(err)
				}
				f := r.InFlight
				if f.Occupied > 8+1e-9 || math.Abs(r.Steady.Occupied-8) > 1e-9 {
					t.Errorf("%+v, %+v: want 8 slots taken, and never more", f, r.Steady)
				}
				if float64(taken)/float64(f.To-f.From) < f.Occupied-1e-9 {
					t.Errorf("%v slots were taken, more than the records say", f.Occupied)
				}
				if hasWarning(r, WarnConcurrencyNotReached) {
					t.Errorf("the client is blamed: %v", r.Warnings)
				}
				if got := figure(t, r, MeanOccupied); got != f.Occupied {
					t.Errorf("%s is %v, want %v", MeanOccupied, got, f.Occupied)
				}
				w, warned := warning(r, WarnLateEnd)
				if warned != c.apart || c.apart && (r.Steady.InFlight > 7.6 || f.Mean > 7.6) {
					t.Errorf("%+v, %+v, warnings %v", f, r.Steady, r.Warnings)
				}
				if !strings.Contains(w.Message, c.says) || c.not != "" && strings.Contains(w.Message, c.not) ||
					len(w.Spoils) > 0 {
					t.Errorf("%+v", w)
				}
				time.Sleep(2 * time.Minute) // until what was left behind has come back
				// Little's law, of Sent to Done.
				if rate, latency := figure(t, r, RequestThroughput), figure(t, r,
					MeanName(E2E))/1000; r.Accounting.Failed == 0 {
					near(t, "L", rate*latency, f.Measured)
				}
			})
		})
	}
}

// In a slot until it is left, but not beyond the time that the mean is over, which ends with the last Done.
func TestOccupancyEndsWithTheLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 6},
			TargetFunc(func(ctx context.Context, i int, r *Record) error {
				time.Sleep(time.Second)
				r.Done = r.Now()
				if i >= 4 {
					time.Sleep(time.Duration(i) * time.Second) // the last of each slot
				}
				return nil
			}))
		if f := r.InFlight; f.Occupied != 2 || f.OccupiedMeasured != 2 || f.Mean != 2 || f.LateEnd != 0 ||
			f.To != 3*time.Second {
			t.Errorf("%+v, want 2 of each until 3 s", f)
		}
	})
}

// Slots that were not taken are the client's: requests that are long in being sent.
func TestOccupancyBlamesTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 4, Requests: 200}, TargetFunc(func(ctx context.Context, i int,
			r *Record) error {
			time.Sleep(100 * time.Millisecond)
			r.Sent = r.Now()
			time.Sleep(900 * time.Millisecond)
			return nil
		}))
		near(t, "occupied", r.Steady.Occupied, 3.6)
		if !hasWarning(r, WarnConcurrencyNotReached) || hasWarning(r, WarnLateEnd) {
			t.Errorf("warnings %v", r.Warnings)
		}
	})
}
