package loadgen

import (
	"math"
	"time"

	"github.com/servegauge/servegauge/loadgen/internal/finetimer"
)

// A pacer sleeps until moments of a level.
type pacer struct {
	*slots
	ended <-chan struct{} // the slots', or what else is to interrupt a sleep
	timer *time.Timer
	fine  *finetimer.Timer // nil: the runtime's timers alone
}

const (
	fineFrom = 2 * time.Millisecond         // before the moment, from where on a fine timer is used
	fineLead = 1500 * time.Microsecond      // before it, when the runtime is to wake, which may be 1 ms late with it
	forever  = time.Duration(math.MaxInt64) // as long as a timer can be set for
)

// newPacer makes a pacer that is to be fine, where the system has the means, or as fine as the runtime's timers,
// which on Linux are rounded up to whole milliseconds.
func newPacer(s *slots, fine bool) *pacer {
	p := &pacer{slots: s, ended: s.ended, timer: time.NewTimer(forever)}
	if fine {
		p.fine = finetimer.New()
	}
	return p
}

func (p *pacer) close() {
	p.timer.Stop()
	if p.fine != nil {
		p.fine.Close()
	}
}

// sleepUntil returns at due, or false when the level has ended before; up to fineFrom later than that.
func (p *pacer) sleepUntil(due time.Duration) bool {
	for {
		left := due - time.Since(p.epoch)
		switch {
		case left <= 0:
			return true
		case p.fine == nil:
		case left > fineFrom:
			left -= fineLead
		case p.fine.Sleep(left):
			select {
			case <-p.ended:
				return false
			default:
				continue
			}
		}
		p.timer.Reset(left)
		select {
		case <-p.timer.C:
		case <-p.ended:
			return false
		}
	}
}
