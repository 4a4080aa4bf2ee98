package loadgen

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Generators that are given one moment start their clocks at it, whenever each was ready; its observers are told before
// and may be the ones who set it.
func TestGeneratorsBeginTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(300 * time.Millisecond)
		level := Level{Concurrency: 2, Requests: 4}
		var results []*Result
		done := make(chan *Result)
		for i := range 3 {
			go func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				g := &Generator{Target: TargetFunc(func(context.Context, int, *Record) error {
					time.Sleep(time.Millisecond)
					return nil
				})}
				if g.At = at; i == 1 {
					g.At = time.Time{}
					g.Observers = []Observer{{Start: func(Level) { g.At = at }}}
				}
				r, err := g.Measure(t.Context(), level)
				if err != nil {
					t.Error(err)
				}
				done <- r
			}()
		}
		for range 3 {
			results = append(results, <-done)
		}
		for _, r := range results {
			if !r.Start.Equal(at) || r.Client.Elapsed >= 100*time.Millisecond {
				t.Errorf("started %v off, and was watched for %v", r.Start.Sub(at), r.Client.Elapsed)
			}
		}
		late := &Generator{At: at, Target: TargetFunc(func(context.Context, int, *Record) error { return nil })}
		now := time.Now()
		if r, err := late.Measure(t.Context(), level); err != nil || !r.Start.Equal(now) {
			t.Errorf("a moment that has passed is %v, %v", r.Start.Sub(now), err)
		}
	})
}

// A level whose context ends while it waits for its moment does not begin.
func TestWaitForTheMomentIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		for _, after := range []time.Duration{time.Second, time.Hour - time.Millisecond} { // far from it, and near
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(after, func() { cancel(cause) })
			g := &Generator{At: time.Now().Add(time.Hour), Target: TargetFunc(func(ctx context.Context, _ int,
				_ *Record) error {
				return ctx.Err()
			})}
			began := time.Now()
			r, err := g.Measure(ctx, Level{Concurrency: 1, Requests: 10})
			if took := time.Since(began); !errors.Is(err, cause) || took != after || r.Accounting.Completed > 0 ||
				!r.Start.Before(g.At) {
				t.Errorf("%v after %v, %+v", err, took, r)
			}
		}
	})
}
