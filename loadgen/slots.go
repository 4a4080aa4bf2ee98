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

	lasts    []last        // of each worker that has ended
	arrivals *arrivals     // nil: a closed loop
	sessions *sessionBooks // nil: a level of single requests
}

// last is a worker's last request, which may have held its slot for longer than the time that in flight is a mean over.
type last struct {
	left                         time.Duration
	counted, measured, completed bool // counted: in that time
}

// never stands for a moment that has not come. (0 will not do: it is a moment, and with virtual time a likely one.)
const never time.Duration = -1

func newSlots(l Level) *slots {
	s := &slots{level: l, own: l.own(), epoch: time.Now(), ended: make(chan struct{}), measuredAt: never,
		steadyAt: never}
	if l.open() {
		s.arrivals = &arrivals{heldUntil: never}
	}
	if l.Unit != "" {
		s.sessions = &sessionBooks{wake: make(chan struct{}, 1)}
	}
	return s
}

// over counts a request that is over. It is called with the lock held.
func (s *slots) over(done int) {
	s.inFlight--
	s.finished++
	if done < s.level.Warmup {
		s.warmedUp++
	}
}

// take takes the next request, which is due now. It is called with the lock held.
func (s *slots) take(now time.Duration) arrival {
	if s.next == s.own.Warmup {
		s.measuredAt = now
	}
	i := s.level.number(s.next)
	s.next++
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	if s.measuredAt != never && s.arrivals == nil && s.level.RampUp > 0 && s.peak < s.own.Concurrency {
		s.inRamp++
	}
	s.lastIssue = now
	return arrival{i: i, nth: s.next, due: now, warmup: i < s.level.Warmup}
}

// shut ends the issuing. It is called with the lock held.
func (s *slots) shut() {
	if !s.closed {
		close(s.ended)
	}
	s.closed = true
}

// close ends the issuing before its time.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = s.cut || !s.closed && !s.exhausted(time.Since(s.epoch))
	s.shut()
	if b := s.sessions; b != nil {
		s.cut = s.cut || b.underWay > 0
		b.halted = true
		b.signal()
	}
}

// issued is how many requests were issued, of the warmup and of the measured ones. It is called with the lock held.
func (s *slots) issued() (warmup, measured int) {
	warmup = min(s.next, s.own.Warmup)
	if s.sessions != nil {
		warmup = s.sessions.requests
	}
	return warmup, s.next - warmup
}

// leave ends a worker.
func (s *slots) leave(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.used {
		s.lasts = append(s.lasts, w.last)
	}
}
