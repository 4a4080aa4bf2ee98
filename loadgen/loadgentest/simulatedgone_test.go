package loadgentest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestCancel cancels a waiting and a running request: the first leaves the
// queue, the second its place, and those behind move up.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 1, PrefillRate: 1, DecodeRate: 1} // 10 s a request of 1 + 10
		var wg sync.WaitGroup
		begin := time.Now()
		start := func(ctx context.Context, s *seen) {
			wg.Go(func() { *s = do(t, ctx, sim, 1, 10) })
			synctest.Wait()
		}
		running, cancelRunning := context.WithCancel(t.Context())
		waiting, cancelWaiting := context.WithCancel(t.Context())
		defer cancelWaiting()
		defer cancelRunning()
		var a, b, c seen
		start(running, &a)
		start(waiting, &b)
		start(t.Context(), &c)
		check := func(want Counts) {
			t.Helper()
			synctest.Wait()
			if got := sim.Counts(); got != want {
				t.Errorf("after %v, counts are %+v, want %+v", time.Since(begin), got, want)
			}
		}
		check(Counts{Running: 1, Waiting: 2, PeakRunning: 1})
		cancelWaiting()
		check(Counts{Running: 1, Waiting: 1, PeakRunning: 1, Cancelled: 1})
		time.Sleep(2500 * time.Millisecond)
		cancelRunning()
		check(Counts{Running: 1, PeakRunning: 1, Cancelled: 2})
		wg.Wait()
		check(Counts{PeakRunning: 1, Cancelled: 2, Served: 1})
		if len(a.gaps) != 1 || !b.first.IsZero() {
			t.Errorf("the cancelled ones had %d gaps and a first token at %v", len(a.gaps), b.first)
		}
		if got := c.first.Sub(begin); got != 3500*time.Millisecond {
			t.Errorf("the third had its first token after %v", got)
		}
	})
}

// TestCancelWhileGranted has a request cancelled in the moment in which it gets
// its place, until both sides have won the race: no place may be lost.
func TestCancelWhileGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late, early int
		for i := 0; late == 0 || early == 0; i++ {
			if i == 100_000 {
				t.Fatalf("in %d races, the grant won %d and the cancellation %d", i, late, early)
			}
			var q queue
			first, _ := q.enter(t.Context(), 1)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if p, err := q.enter(ctx, 1); err == nil || !errors.Is(err, context.Canceled) {
					t.Errorf("got a place, %v, %v", p, err)
				}
			}()
			synctest.Wait()
			cancel()
			if i%2 == 1 {
				synctest.Wait() // the cancellation wins
			}
			first.leave(time.Now(), true)
			synctest.Wait()
			if c := q.snapshot(); c != (Counts{PeakRunning: 1, Served: 1, Cancelled: 1}) {
				t.Fatalf("counts are %+v", c)
			}
			if q.granted == 2 {
				late++
			} else {
				early++
			}
		}
	})
}
