package loadgen

import (
	"math/bits"
	"time"
)

// closedLoop is the source of a closed loop: a slot's next request is due as soon as the one before is over.
type closedLoop struct{ *slots }

func (s closedLoop) next(w *worker) (arrival, bool) {
	if !w.started {
		s.awaitStart(w.k)
		s.mu.Lock()
		defer s.mu.Unlock()
		w.started = true
		return s.issue(time.Since(s.epoch))
	}
	return w.taken, w.hasTaken
}

// end ends a request and takes the slot's next one in the same moment. If there is one, the window closes later than
// the request ended; if there is none, none will be issued any more, and the window's end is known.
func (s closedLoop) end(w *worker) (v view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := w.record.Left
	s.over(w.present.i)
	s.open(now)
	w.taken, w.hasTaken = s.issue(now)
	v = view{measuredAt: s.measuredAt, from: s.steadyAt, to: never}
	if !w.hasTaken {
		v.to = s.lastIssue
	}
	return v
}

// issue takes the next request, if the level is to have another. Once it has said no, it says no for good. It is
// called with the lock held.
func (s closedLoop) issue(now time.Duration) (arrival, bool) {
	if s.closed || s.exhausted(now) {
		s.shut()
		return arrival{}, false
	}
	return s.take(now), true
}

// exhausted reports whether the level's own bounds have been reached. Those of an open loop are its schedule's, which
// shuts the slots with its last request.
func (s *slots) exhausted(now time.Duration) bool {
	l := s.own
	if l.open() {
		return false
	}
	next, bound := s.next, l.Requests
	if s.sessions != nil {
		next, bound = s.sessions.begun, l.Sessions
	}
	return bound > 0 && next >= l.Warmup+bound ||
		l.Duration > 0 && next > l.Warmup && now-s.measuredAt >= l.Duration
}

// slotStart is when slot k of a closed loop, of the shard's own, may take its first request.
func (l Level) slotStart(k int) time.Duration {
	high, low := bits.Mul64(uint64(l.slot(k)), uint64(l.RampUp)) // which may be more than 64 bits hold
	start, _ := bits.Div64(high, low, uint64(l.Concurrency))
	return time.Duration(start)
}

// awaitStart returns when slot k may take its first request, or when the level has ended before.
func (s *slots) awaitStart(k int) {
	start := s.level.slotStart(k)
	if start == 0 {
		return
	}
	p := newPacer(s, false)
	defer p.close()
	p.sleepUntil(start)
}
