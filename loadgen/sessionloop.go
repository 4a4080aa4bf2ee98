package loadgen

import (
	heaps "container/heap"
	"time"
)

// A sessionLoop is the source of a level of sessions, closed or open. All that is to be sent is in one queue, by when
// it is due: what sessions under way have named, and, beside it, the session that begins next. A worker takes what is
// due at once; where nothing is, one of those that wait sleeps until something will be, and the others wait for its
// turn. What a session names is taken before another one begins, so that a bound on the requests in flight starves
// none.
type sessionLoop struct {
	*slots
	loop   *loop
	target Sessions
	pacer  *pacer
	turn   chan struct{} // holds a token while nobody sleeps

	// Of the slots' lock.
	waiting       dueQueue
	schedule      *schedule     // of the sessions; nil: a closed loop
	due           time.Duration // of the next of them
	more          bool          // there is one
	workers, idle int           // idle: those that wait for something to be due, or have been started for it
	asleep        time.Duration // until when the one who sleeps does; never: until something happens
	blocked       bool          // as many as may be were in flight, or under way
	books         *sessionBooks
}

// sessionBooks is what a level keeps of its sessions, beside what it keeps of their requests.
type sessionBooks struct {
	begun    int // the warmup's included
	warmedUp int // of the warmup, those that are over
	over     int
	underWay int
	peak     int
	requests int           // of the warmup's sessions, issued
	halted   bool          // nothing is sent any more
	wake     chan struct{} // has who sleeps look again
}

func newSessionLoop(l *loop, target Sessions) *sessionLoop {
	s := &sessionLoop{slots: l.slots, loop: l, target: target, turn: make(chan struct{}, 1), workers: 1, idle: 1,
		books: l.slots.sessions}
	if l.level.open() {
		sessions := l.level
		sessions.Requests = l.level.Sessions
		s.schedule = newSchedule(sessions)
		s.due, s.more = s.schedule.draw()
	}
	s.pacer = newPacer(l.slots, l.level.open())
	s.pacer.ended, s.asleep = s.books.wake, never
	s.turn <- struct{}{}
	return s
}

// signal has who sleeps look again.
func (b *sessionBooks) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (s *sessionLoop) next(w *worker) (a arrival, ok bool) {
	s.mu.Lock()
	if w.used { // a new one has been counted by who started it, for it may take a while to come here
		s.idle++
	}
	a, until, what := s.take()
	if what == notYet && until != never && (s.asleep == never || until < s.asleep) {
		s.books.signal()
	}
	s.mu.Unlock()
	switch what {
	case taken:
		return a, true
	case nothingMore:
		return arrival{}, false
	}
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	for {
		s.mu.Lock()
		a, until, what = s.take()
		s.asleep = until
		s.mu.Unlock()
		switch what {
		case taken:
			return a, true
		case nothingMore:
			return arrival{}, false
		}
		if until == never {
			<-s.books.wake
		} else {
			s.pacer.sleepUntil(until)
		}
	}
}

// What there is to do.
const (
	taken       = iota
	notYet      // something may be due later
	nothingMore // the level is over
)

// take takes what is due; or says when something will be, as far as is known: never, where only the end of a request
// can tell. It is called with the lock held.
func (s *sessionLoop) take() (a arrival, until time.Duration, what int) {
	now, b := time.Since(s.epoch), s.books
	s.shutExhausted(now)
	if b.halted || s.closed && b.underWay == 0 {
		b.signal() // the next one, who will find the same
		return arrival{}, 0, nothingMore
	}
	if s.inFlight >= s.mostInFlight() {
		s.blocked = true
		return arrival{}, never, notYet
	}
	until = never
	if len(s.waiting) > 0 {
		if until = s.waiting[0].due; until <= now {
			f := heaps.Pop(&s.waiting).(queued)
			return s.issue(now, f.due, f.of, f.k, f.turn), 0, taken
		}
	}
	due, may := s.begins(now)
	switch {
	case !may:
		return arrival{}, until, notYet
	case due > now:
		if until == never || due < until {
			until = due
		}
		return arrival{}, until, notYet
	}
	return s.begin(now, due), 0, taken
}

// mostInFlight is how many requests may be.
func (s *sessionLoop) mostInFlight() int {
	if s.own.Unit == UnitRequest && s.own.Concurrency > 0 {
		return s.own.Concurrency
	}
	return MaxConcurrency
}

// begins is when the next session may begin; false: not before another event.
func (s *sessionLoop) begins(now time.Duration) (due time.Duration, may bool) {
	b := s.books
	switch {
	case s.closed:
		return 0, false
	case b.underWay >= MaxConcurrency, s.own.Unit == UnitSession && s.own.Concurrency > 0 &&
		b.underWay >= s.own.Concurrency:
		s.blocked = true
		return 0, false
	case s.schedule != nil:
		return s.due, true
	case b.begun < s.own.Concurrency:
		return max(now, s.level.slotStart(b.begun)), true
	}
	return now, true
}

// begin begins a session, which is due.
func (s *sessionLoop) begin(now, due time.Duration) arrival {
	b, warmup := s.books, s.books.begun < s.own.Warmup
	if !warmup && s.measuredAt == never {
		s.measuredAt = now
	}
	if s.schedule != nil {
		if went := s.arrivals; !warmup {
			if b.begun == s.own.Warmup {
				went.firstDue = due
			}
			if due < s.level.RampUp {
				went.inRamp++
			}
			went.lastDue = due
			if s.blocked && now > due {
				went.delayed++
			}
			went.found.add(float64(b.underWay))
			went.wait.add((now - due).Seconds())
		}
		s.blocked = false
		s.due, s.more = s.schedule.draw()
	}
	c := &conversation{i: s.level.number(b.begun), warmup: warmup, named: 1, outstanding: 1, first: s.slots.next,
		began: now}
	b.begun++
	b.underWay++
	b.peak = max(b.peak, b.underWay)
	s.lastIssue = now
	s.shutExhausted(now)
	a := s.issue(now, due, c, 0, 1)
	a.nth = b.begun
	return a
}

// shutExhausted ends the beginning of sessions where the level's bounds have been reached. The steady window ends with
// it: from then on a session that is over is followed by none.
func (s *sessionLoop) shutExhausted(now time.Duration) {
	b, l := s.books, s.own
	switch {
	case s.closed:
	case s.schedule != nil:
		if !s.more {
			s.shut()
		}
	case l.Sessions > 0 && b.begun >= l.Warmup+l.Sessions:
		s.shut()
	case l.Duration > 0 && s.measuredAt != never && now-s.measuredAt >= l.Duration:
		s.lastIssue = s.measuredAt + l.Duration
		s.shut()
	}
}

// issue takes request k of a session, and sees to it that there is somebody to wait for the one after.
func (s *sessionLoop) issue(now, due time.Duration, c *conversation, k, turn int) arrival {
	a := arrival{i: s.slots.next*max(s.level.Shards, 1) + s.level.Shard, due: due, warmup: c.warmup,
		part: &part{c, k, turn}}
	s.slots.next++
	if c.warmup {
		s.books.requests++
	}
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	if !c.warmup && s.schedule == nil && s.level.RampUp > 0 && s.books.begun < s.own.Concurrency {
		s.inRamp++
	}
	if s.idle--; s.idle == 0 && s.workers < s.mostInFlight()+1 && s.workers-s.inFlight < mostBetween {
		s.loop.start(s.workers)
		s.workers++
		s.idle++
	}
	return a
}

// name queues what a session has named, to be sent after a moment.
func (s *sessionLoop) name(c *conversation, named []FollowUp, after time.Duration) {
	if len(named) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue(c, named, after)
	s.books.signal()
}

func (s *sessionLoop) queue(c *conversation, named []FollowUp, after time.Duration) {
	for _, f := range named {
		heaps.Push(&s.waiting, queued{due: after + max(0, f.Pause), of: c, k: c.named, turn: f.Turn})
		c.named++
		c.outstanding++
	}
}

// end ends a request of a session, and that with it where it was the last.
func (s *sessionLoop) end(w *worker) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, c, r := s.books, w.present.part.of, w.record
	s.inFlight--
	s.finished++
	if w.present.part.k == 0 {
		c.sent = r.Sent
	}
	c.done = max(c.done, r.Done)
	c.outstanding--
	c.requests++
	switch {
	case w.failed:
		c.failed = true
		s.drop(c)
	case !c.failed:
		s.queue(c, w.follow, r.Left)
	}
	w.follow, w.ended = nil, nil
	if c.outstanding == 0 {
		b.underWay--
		b.over++
		if c.warmup {
			b.warmedUp++
		}
		w.ended = &ended{warmup: c.warmup, failed: c.failed, sent: c.sent, done: c.done, began: c.began,
			left: r.Left, requests: c.requests}
		b.signal()
	}
	if s.schedule != nil {
		return view{measuredAt: s.measuredAt, from: never, to: never}
	}
	s.shutExhausted(r.Left)
	peak := s.peak
	if s.own.Unit == UnitSession {
		peak = b.peak
	}
	if most := s.own.Concurrency; s.steadyAt == never && b.over >= most && peak >= most && b.warmedUp == s.own.Warmup {
		s.steadyAt = r.Left
	}
	v := view{measuredAt: s.measuredAt, from: s.steadyAt, to: never}
	if s.closed {
		v.to = s.lastIssue
	}
	return v
}

// drop takes out of the queue what a session that has failed had named.
func (s *sessionLoop) drop(c *conversation) {
	if c.outstanding == 0 {
		return // as nearly always
	}
	kept := s.waiting[:0]
	for _, q := range s.waiting {
		if q.of == c {
			c.outstanding--
			continue
		}
		kept = append(kept, q)
	}
	clear(s.waiting[len(kept):])
	s.waiting = kept
	heaps.Init(&s.waiting)
}

// queued is a request that a session has named.
type queued struct {
	due     time.Duration
	of      *conversation
	k, turn int
}

// A dueQueue is a heap of requests by when they are due; of those that are due together the session that began first
// goes first.
type dueQueue []queued

func (q dueQueue) Len() int { return len(q) }
func (q dueQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case a.due != b.due:
		return a.due < b.due
	case a.of.first != b.of.first:
		return a.of.first < b.of.first
	}
	return a.k < b.k
}
func (q dueQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *dueQueue) Push(x any)   { *q = append(*q, x.(queued)) }
func (q *dueQueue) Pop() any {
	old := *q
	last := len(old) - 1
	x := old[last]
	old[last] = queued{}
	*q = old[:last]
	return x
}
