package loadgen

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A loop is a level under way: workers that perform one request after the other, as its source says.
type loop struct {
	ctx    context.Context
	level  Level
	target Target
	stop   <-chan struct{} // nil: never
	slots  *slots
	source source
	out    *inbox // of the requests that are over
	host   *host

	workers sync.WaitGroup
}

// A source says which requests a level's workers perform, and when: a closed loop or an open one.
type source interface {
	// next waits until there is a request for the worker, and takes it; false when there will be none.
	next(w *worker) (arrival, bool)

	// end ends the request that the worker has performed.
	end(w *worker) view
}

// An arrival is a request that is taken and has yet to be performed.
type arrival struct {
	i int // its number in the level
	// of the generator's own, from 1 on; of a session's requests the first has the session's, others 0
	nth int
	due time.Duration // when it was due: in a closed loop, when its slot was free

	warmup bool
	part   *part // of a session; nil: it is by itself
}

// outcome is a request that is over.
type outcome struct {
	record  *Record
	nth     int      // of the generator's own
	failure *Error   // nil: it completed
	retried []*Error // of the attempts that another followed
	view    view
	later   bool     // not the first request of its worker
	own     []sample // of the user's metrics
	kept    bool     // the record belongs to a hook that was left behind
	ended   *ended   // the session that ended with it; nil: none did
}

// run performs all requests of the level, and returns when the last of them is over.
func (l *loop) run() {
	switch sessions, _ := l.target.(Sessions); {
	case l.level.Unit != "":
		s := newSessionLoop(l, sessions)
		defer s.pacer.close()
		l.source = s
		l.start(0)
	case l.level.open():
		s := newSchedules(l)
		defer s.pacer.close()
		l.source = s
		l.start(0)
	default:
		l.source = closedLoop{l.slots}
		for k := range l.level.workers() {
			l.start(k)
		}
	}
	l.workers.Wait()
}

// start starts worker k.
func (l *loop) start(k int) {
	w := &worker{loop: l, k: k}
	w.limits.own, w.cancel = context.WithCancel(l.ctx)
	w.goOn, w.limit = w.instead, l.level.Timeout
	l.host.admit(&w.guest)
	l.workers.Add(1)
	go w.work()
}

// workers is how many goroutines the level needs: no more than there are requests.
func (l Level) workers() int {
	l = l.own()
	if l.bound() == 0 {
		return l.Concurrency
	}
	return min(l.Concurrency, l.Warmup+l.bound())
}

// waiting is how many outcomes may wait to be told of and counted. An open loop may have no bound, and must not pay
// memory for it.
func (l Level) waiting() int { return max(1024, min(l.own().Concurrency, 10_000)) }

// A worker performs one request after the other. In a closed loop it is a slot. It is a guest of the Target's.
type worker struct {
	guest
	*loop
	k int // its number

	// The level's context, for this worker: what its requests hang on to it for, and let go of, is between the two of
	// them alone, where thousands of workers would wait for the lock of one.
	limits limits
	cancel context.CancelFunc

	present arrival
	record  *Record
	begun   time.Duration // of the present request, the first of its attempts
	retried []*Error
	failed  bool       // the present request has
	follow  []FollowUp // what its session has named after it
	ended   *ended     // the session that has ended with it
	used    bool       // for a request before,
	last    last       // and this is it

	taken    arrival // of a closed loop: the slot's next request,
	hasTaken bool    // where there is one
	started  bool
}

func (w *worker) work() {
	for {
		a, ok := w.source.next(w)
		if !ok {
			w.slots.leave(w)
			w.limits.close()
			w.cancel()
			w.workers.Done()
			return
		}
		w.present = a
		w.record = records.Get().(*Record)
		w.reset()
		failure, mine := w.request()
		if !mine {
			return
		}
		w.over(failure)
	}
}

// reset makes the record a new one of the present request.
func (w *worker) reset() {
	w.record.reset(w.present.i, w.present.warmup, w.slots.epoch)
	w.record.Scheduled = w.present.due
	if p := w.present.part; p != nil {
		w.record.Session, w.record.Turn = p.of.i, p.turn
	}
	w.begun, w.retried = w.record.Sent, nil
}

// over hands the request over that has just been performed.
func (w *worker) over(failure *Error) {
	o := outcome{record: w.record, nth: w.present.nth, failure: failure, retried: w.retried, later: w.used}
	w.used = true
	if w.ctx.Err() != nil || w.stopped() { // at once, and not when those who watch for it come round to it
		w.slots.close()
	}
	w.failed = failure != nil
	o.view = w.source.end(w)
	o.ended = w.ended
	w.last = last{w.record.Left, o.view.measuredAt != never, !w.record.Warmup, failure == nil}
	w.out.put(o)
}

// stopped reports whether Stop is closed.
func (l *loop) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// instead goes on where the target has taken the goroutine, or was left behind with it. The record is the target's
// for good.
func (w *worker) instead(how error) {
	w.record = new(Record)
	begun, retried := w.begun, w.retried
	w.reset()
	r := w.record
	w.begun, w.retried = begun, retried
	r.Sent, r.Attempts = begun, 1+len(retried)
	r.Left = r.Now()
	r.Done = r.Left
	w.follow = nil
	late := how == errAbandoned || w.level.Timeout > 0 && r.Done-begun > w.level.Timeout
	w.over(classify(how, w.ctx.Err() != nil, late, false))
	w.work()
}

var records = sync.Pool{New: func() any { return new(Record) }}

// attempt performs the present request once, in ctx, which is that of all its attempts.
func (w *worker) attempt(ctx context.Context) (failure *Error, mine bool) {
	i, r, timeout, part := w.present.i, w.record, w.level.Timeout, w.present.part
	p, mine, err := w.begin(part)
	var left time.Duration
	var follow []FollowUp
	if mine && p == nil && err == nil {
		// A goroutine that was left behind in a visit may come back to it, when everything of the worker is
		// another's: within there are locals alone.
		var session Session
		if part != nil {
			r.Session, r.Turn = part.of.i, part.turn // again, for another attempt has a new record
			session = part.of.session
		}
		target := w.target
		p, mine = w.visit(func() {
			if session == nil {
				err = target.Do(ctx, i, r)
			} else {
				left, follow, err = converse(ctx, session, part, r)
			}
			if err != nil {
				probe(err)
			}
		})
	}
	if !mine {
		return nil, false
	}
	w.follow = follow
	if r.Left = left; left == 0 {
		r.Left = r.Now()
	}
	if r.Done == 0 {
		r.Done = r.Left
	}
	r.disbelieve()
	late := timeout > 0 && r.Done-w.begun > timeout
	switch {
	case p != nil:
		err = &Error{Class: ClassTarget, Err: p}
	case err == nil && late: // a target that pays no attention to its context is held to the limit all the same
		err = fmt.Errorf("request %d took %v, over the limit of %v", i, r.Done-w.begun, timeout)
	case err == nil:
		err = r.check()
	}
	if err == nil {
		return nil, true
	}
	return classify(err, w.ctx.Err() != nil, late || ctx.Err() != nil, r.chunks.n > 0), true
}
