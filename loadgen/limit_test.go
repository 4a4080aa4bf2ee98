package loadgen

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A limit does what a context with a deadline does, for one request after the other, and leaves no goroutine and no
// timer that anybody waits for.
func TestLimits(t *testing.T) {
	why := errors.New("enough")
	type key struct{}
	for name, c := range map[string]struct {
		cancel time.Duration // of the context above; 0: never
		over   time.Duration // that the request takes
		err    error
		cause  error
		at     time.Duration
	}{
		"in time": {0, 500 * time.Millisecond, context.Canceled, context.Canceled,
			500 * time.Millisecond},
		"too late":                {0, time.Hour, context.DeadlineExceeded, context.DeadlineExceeded, time.Second},
		"cut":                     {700 * time.Millisecond, time.Hour, context.Canceled, why, 700 * time.Millisecond},
		"cut before it had begun": {time.Nanosecond, time.Hour, context.Canceled, why, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				above, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, 7))
				defer cancel(nil)
				l := &limits{own: above}
				defer l.close()
				for range 3 { // those before, which the timer was set for
					l.end(l.begin(time.Now().Add(time.Second), time.Second))
					time.Sleep(300 * time.Millisecond)
				}
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, func() { cancel(why) })
				}
				if c.at == 0 {
					time.Sleep(time.Millisecond)
				}
				begun := time.Now()
				limit := l.begin(begun.Add(time.Second), time.Second)
				time.AfterFunc(c.over, func() { l.end(limit) })
				child, stopChild := context.WithCancel(limit)
				defer stopChild()
				called, stopped := make(chan struct{}), false
				context.AfterFunc(limit, func() { close(called) })
				if stop := context.AfterFunc(limit, func() { stopped = true }); c.at > 0 && !stop() {
					t.Error("it could not be stopped")
				}
				if limit.Value(key{}) != 7 {
					t.Error("it has not the values of the context above")
				}
				if deadline, ok := limit.Deadline(); !ok || !deadline.Equal(begun.Add(time.Second)) {
					t.Errorf("deadline %v", deadline)
				}
				if c.at > 0 && (limit.Err() != nil || child.Err() != nil) {
					t.Errorf("over at once: %v", limit.Err())
				}
				<-limit.Done()
				<-child.Done()
				<-called
				if took := time.Since(begun); took != c.at {
					t.Errorf("over after %v, want %v", took, c.at)
				}
				for _, ctx := range []context.Context{limit, child} {
					if ctx.Err() != c.err || context.Cause(ctx) != c.cause {
						t.Errorf("%v for %v, want %v for %v", ctx.Err(), context.Cause(ctx), c.err, c.cause)
					}
				}
				again := make(chan struct{})
				if stop := context.AfterFunc(limit, func() { close(again) }); stop() && c.at >= 0 {
					t.Error("what was called at once could be stopped")
				}
				<-again
				if synctest.Wait(); stopped && c.at > 0 {
					t.Error("what was stopped was called")
				}
			})
		})
	}
}

// A request after one that ran out of time has the whole of its own.
func TestLimitAfterLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limits{own: t.Context()}
		defer l.close()
		for i := range 10 {
			begun := time.Now()
			c := l.begin(begun.Add(time.Second), time.Second)
			if i%3 != 0 {
				time.Sleep(time.Duration(i) * 90 * time.Millisecond)
				if c.Err() != nil {
					t.Errorf("request %d: %v after %v", i, c.Err(), time.Since(begun))
				}
			} else if <-c.Done(); time.Since(begun) != time.Second {
				t.Errorf("request %d had %v, want 1 s", i, time.Since(begun))
			}
			l.end(c)
		}
	})
}
