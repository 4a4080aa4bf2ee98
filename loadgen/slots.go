package loadgen

import (
	"sync"
	"time"
)

// slots hands out the requests of a level and keeps its clock: which number is next, how many are in flight, and
// when the steady window opens and closes. One lock is taken a request.
type slots struct {
	level Level // the whole
	own   Level // the shard's part of it
	epoch time.Time
	ended chan struct{} // closed with the slots

	mu         sync.Mutex
	closed     bool
	cut        bool // closed from outside, before the level's own bounds were reached
	next       int  // how many were issued
	inFlight   int
	peak       int
	inRamp     int           // measured requests of a closed loop that were issued before all slots had started
	finished   int           // requests that are over, however they ended
	warmedUp   int           // of these, the warmup's
	measuredAt time.Duration // issue of the first measured request, or never
	steadyAt   time.Duration // when the first wave had gone, or never
	lastIssue  time.Duration

	arrivals *arrivals // nil: a closed loop
}

// never stands for a moment that has not come. (0 will not do: it is a moment, and with virtual time a likely one.)
const never time.Duration = -1

func newSlots(l Level) *slots {
	s := &slots{level: l, own: l.own(), epoch: time.Now(), ended: make(chan struct{}), measuredAt: never, steadyAt: never}
	if l.open() {
		s.arrivals = newArrivals()
	}
	return s
}

// view is what must be known of the level at the moment in which a request ended, so that its part in the steady
// window and in the makespan can be counted at once and exactly, and its record need not be kept until the end.
type view struct {
	measuredAt time.Duration // when the measured part began, or never: not before the request ended
	from       time.Duration // when the steady window opened, or never: not before the request ended
	to         time.Duration // when the window closed, or never: not before the request ended
}

// first takes the slot's first request.
func (s *slots) first() (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue()
}

// turn ends a request and takes the slot's next one. If there is one, the window closes later than the request
// ended; if there is none, none will be issued any more, and the window's end is known.
func (s *slots) turn(done int) (i int, ok bool, v view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over(done)
	// The first wave has gone: as many requests as the concurrency, which was reached, and all of the warmup, of which
	// one may hold its slot for long.
	if s.steadyAt == never && s.finished >= s.own.Concurrency && s.peak >= s.own.Concurrency && s.warmedUp == s.own.Warmup {
		s.steadyAt = time.Since(s.epoch)
	}
	i, ok = s.issue()
	v = view{measuredAt: s.measuredAt, from: s.steadyAt, to: never}
	if !ok {
		v.to = s.lastIssue
	}
	return i, ok, v
}

// over counts a request that is over. It is called with the lock held.
func (s *slots) over(done int) {
	s.inFlight--
	s.finished++
	if done < s.level.Warmup {
		s.warmedUp++
	}
}

// issue is called with the lock held. Once it has said no, it says no for good.
func (s *slots) issue() (i int, ok bool) {
	now := time.Since(s.epoch)
	if s.closed || s.exhausted(now) {
		s.shut()
		return 0, false
	}
	return s.take(now), true
}

// take takes the next request. It is called with the lock held.
func (s *slots) take(now time.Duration) (i int) {
	if s.next == s.own.Warmup {
		s.measuredAt = now
	}
	i = s.level.number(s.next)
	s.next++
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	if s.measuredAt != never && s.arrivals == nil && s.level.RampUp > 0 && s.peak < s.own.Concurrency {
		s.inRamp++
	}
	s.lastIssue = now
	return i
}

// shut ends the issuing. It is called with the lock held.
func (s *slots) shut() {
	if !s.closed {
		close(s.ended)
	}
	s.closed = true
}

// exhausted reports whether the level's own bounds have been reached. Those of an open loop are its schedule's, which
// shuts the slots with its last request.
func (s *slots) exhausted(now time.Duration) bool {
	l := s.own
	if l.open() {
		return false
	}
	return l.Requests > 0 && s.next >= l.Warmup+l.Requests ||
		l.Duration > 0 && s.next > l.Warmup && now-s.measuredAt >= l.Duration
}

// close ends the issuing before its time.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = s.cut || !s.closed && !s.exhausted(time.Since(s.epoch))
	s.shut()
}

// issued is how many requests were issued, of the warmup and of the measured ones. It is called with the lock held.
func (s *slots) issued() (warmup, measured int) {
	warmup = min(s.next, s.own.Warmup)
	return warmup, s.next - warmup
}
