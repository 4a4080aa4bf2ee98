package loadgen

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A limit is the context of one request: its worker's, until a deadline. It is what [context.WithDeadline] gives,
// which made a timer, and an entry in the context above, for each request: of the CPU time that the loop takes for
// one, more than a half. A worker's limits have one timer, which is set again when it fires and not with each
// request.
type limit struct {
	context.Context // the worker's
	deadline        time.Time

	mu    sync.Mutex
	done  chan struct{} // nil until it is asked for
	err   error         // nil until it is over
	after []*func()     // to be called then
}

func (c *limit) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *limit) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *limit) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc is what package context asks for, so that it needs no goroutine for what hangs on to a context that is
// not its own.
func (c *limit) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	c.after = append(c.after, &f)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.Index(c.after, &f)
		if i >= 0 {
			c.after = slices.Delete(c.after, i, i+1)
		}
		return i >= 0
	}
}

// end ends it, the first time.
func (c *limit) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	for _, f := range c.after {
		go (*f)()
	}
	c.after = nil
}

// limits are those of a worker's requests, one after the other.
type limits struct {
	own   context.Context // the worker's
	timer *time.Timer     // nil: not made yet
	stop  func() bool     // has limits end no more with the context

	mu      sync.Mutex
	present *limit
	armed   bool
}

// begin makes the context of a request that must be over at the deadline, which is so far away.
func (l *limits) begin(deadline time.Time, away time.Duration) *limit {
	c := &limit{Context: l.own, deadline: deadline}
	if l.stop == nil {
		l.stop = context.AfterFunc(l.own, l.cut)
	}
	l.mu.Lock()
	l.present = c
	switch {
	case l.timer == nil:
		l.timer = time.AfterFunc(away, l.expire)
	case !l.armed:
		l.timer.Reset(away)
	}
	l.armed = true
	l.mu.Unlock()
	if err := l.own.Err(); err != nil { // of which cut may have known before there was a request
		c.end(err)
	}
	return c
}

// end ends the context of a request that is over.
func (l *limits) end(c *limit) {
	l.mu.Lock()
	if l.present == c {
		l.present = nil
	}
	l.mu.Unlock()
	c.end(context.Canceled)
}

// expire ends the present request, if its time is up. The timer was set for an earlier one as a rule.
func (l *limits) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	if l.present == nil {
		return
	}
	if left := time.Until(l.present.deadline); left > 0 {
		l.armed = true
		l.timer.Reset(left)
		return
	}
	l.present.end(context.DeadlineExceeded)
}

// cut ends the present request with the worker's context.
func (l *limits) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.present != nil {
		l.present.end(l.own.Err())
	}
}

// close lets go of the timer and of the worker's context.
func (l *limits) close() {
	if l.timer != nil {
		l.timer.Stop()
		l.stop()
	}
}
