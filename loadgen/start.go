package loadgen

import (
	"context"
	"runtime"
	"time"
)

// A start is the moment at which a level's clock is to start ([Generator.At]). Generators that begin together may be
// many in one process, where they wait for each other's CPU: whatever one of them does between its waking and its
// clock makes the last one later. So they wake twice, once for all that is still to be done, and then for the clock.
type start struct{ pacer *pacer } // nil: at once

// nearBy is how long before the moment the rest is done: long enough for a hundred generators on two busy cores.
const nearBy = 100 * time.Millisecond

func newStart(ctx context.Context, at time.Time) *start {
	if time.Until(at) <= 0 {
		return &start{}
	}
	p := newPacer(&slots{epoch: at}, true)
	p.ended = ctx.Done()
	return &start{p}
}

// near returns a little before the moment, or when the context is done.
func (s *start) near() {
	if s.pacer != nil {
		s.pacer.sleepUntil(-nearBy)
	}
}

// await returns at the moment, or when the context is done.
func (s *start) await() {
	if s.pacer != nil {
		s.pacer.sleepUntil(0)
	}
}

// letOthers lets those of the process start their clocks which have woken as well, before this one's first requests are
// issued: these take longer.
func (s *start) letOthers() {
	if s.pacer != nil {
		runtime.Gosched()
		s.pacer.close()
	}
}
