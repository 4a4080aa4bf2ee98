package loadgen

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// opens is a target that has to get ready before the level.
type opens struct {
	TargetFunc
	open func(ctx context.Context) error
}

func (o opens) Open(ctx context.Context, _ int) error { return o.open(ctx) }

// Whatever a target does while it gets ready, there is an error, and nobody waits for it for ever.
func TestOpenIsAGuest(t *testing.T) {
	release := make(chan struct{})
	failed := errors.New("no")
	for name, c := range map[string]struct {
		open func(context.Context) error
		want string
	}{
		"ready":         {func(context.Context) error { return nil }, ""},
		"error":         {func(context.Context) error { return failed }, "before the level began: no"},
		"panic":         {func(context.Context) error { panic("at the disco") }, "panic: at the disco"},
		"goexit":        {func(context.Context) error { runtime.Goexit(); return nil }, "ended its goroutine"},
		"never returns": {func(context.Context) error { <-release; return failed }, "was left behind"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release = make(chan struct{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := Measure(ctx, Level{Concurrency: 2, Requests: 4}, opens{always(time.Second), c.open})
				if c.want == "" && err != nil || c.want != "" &&
					(err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("%v, want %q", err, c.want)
				}
				close(release) // the bubble fails if a goroutine is left for good
			})
		})
	}
}

// A worker may be left behind many times, in both loops: each time another goroutine goes on in its place, and what
// comes back late changes nothing.
func TestWorkersThatAreLeftBehind(t *testing.T) {
	for name, l := range map[string]Level{
		"closed":   {Concurrency: 2, Requests: 40, Timeout: time.Second, Retries: 2},
		"open":     {Arrivals: constant(10), Requests: 40, Timeout: time.Second, Retries: 2},
		"bounded":  {Arrivals: constant(10), Requests: 40, Concurrency: 2, Timeout: time.Second},
		"one slot": {Concurrency: 1, Requests: 40, Timeout: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var back atomic.Int64
				r := mustMeasure(t, l, TargetFunc(func(ctx context.Context, i int, r *Record) error {
					switch i % 8 {
					case 3:
						<-release
						r.Chunk(Chunk{})
						r.Done = r.Now() // with the race detector: it is this goroutine's
						back.Add(1)
						return nil
					case 5:
						<-ctx.Done()
						time.Sleep(4 * time.Second) // late, but not too late
						return ctx.Err()
					case 6:
						if r.Attempts == 1 && l.Retries > 0 {
							return &Error{Class: ClassStale, Err: errors.New("once more")}
						}
						runtime.Goexit()
					}
					time.Sleep(100 * time.Millisecond)
					return nil
				}))
				if want := (Accounting{Issued: 40, Completed: 25, Failed: 15}); r.Accounting != want {
					t.Errorf("%+v, want %+v; %v", r.Accounting, want, r.Errors)
				}
				counts := map[Class]int{}
				for _, e := range r.Errors {
					counts[e.Class] += e.Count
				}
				if counts[ClassTimeout] != 10 || counts[ClassTarget] != 5 {
					t.Errorf("%v, want 10 that ran out of time, and 5 that ended their goroutine", r.Errors)
				}
				if l.Retries > 0 && (r.Retries == nil || r.Retries.Requests != 5) {
					t.Errorf("retries %+v, want 5", r.Retries)
				}
				close(release)
				synctest.Wait()
				if back.Load() != 5 {
					t.Errorf("%d came back, want 5", back.Load())
				}
			})
		})
	}
}

// What is put into an inbox is taken once, and there is never more of it than it holds.
func TestInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(8)
		var put atomic.Int64
		for k := range 4 {
			go func() {
				for j := range 25 {
					b.put(outcome{nth: 25*k + j})
					put.Add(1)
				}
			}()
		}
		synctest.Wait()
		if put.Load() != 8 {
			t.Errorf("%d were put into it before any was taken, want 8", put.Load())
		}
		seen := map[int]bool{}
		for len(seen) < 100 {
			for _, o := range b.take() {
				if seen[o.nth] {
					t.Fatalf("%d was taken twice", o.nth)
				}
				seen[o.nth] = true
			}
			synctest.Wait()
			if ahead := int(put.Load()) - len(seen); ahead > 8 {
				t.Fatalf("%d are in it, want up to 8", ahead)
			}
		}
		b.put(outcome{})
		b.close()
		if got := b.take(); len(got) != 1 {
			t.Errorf("%v are left, want 1", got)
		}
		if got := b.take(); got != nil {
			t.Errorf("%v, want none", got)
		}
	})
}
