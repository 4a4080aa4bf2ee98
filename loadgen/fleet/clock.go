package fleet

import (
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A clock is a process's own: the system's time when it was made, and from then on the monotonic clock, so that nobody
// sets it while a level lasts.
type clock struct {
	base time.Time
	bend func(sinceBase time.Duration) time.Duration // tests have clocks that are off; nil: it is right
}

func newClock() clock { return clock{base: time.Now()} }

func (c clock) now() time.Time {
	elapsed := time.Since(c.base)
	if c.bend != nil {
		elapsed = c.bend(elapsed)
	}
	return c.base.Round(0).Add(elapsed)
}

// A pinging is one question for another clock, in this one's time.
type pinging struct {
	asked, answered time.Time
	said            time.Time
}

// offsetOf is by how much the other clock is ahead, by the question that took the least time: somewhere in that time it
// was answered, and half of it bounds the error, however uneven the ways there and back were. A mean over all would be
// narrower only if the ways were alike, which nobody knows.
func offsetOf(pings []pinging) (loadgen.ClockOffset, bool) {
	var best loadgen.ClockOffset
	least := time.Duration(-1)
	for _, p := range pings {
		took := p.answered.Sub(p.asked)
		if took < 0 || least >= 0 && took >= least {
			continue
		}
		least = took
		best = loadgen.ClockOffset{Offset: p.said.Sub(p.asked.Add(took / 2)), Error: took/2 + 1}
	}
	return best, least >= 0
}

// system is how the system's clock, by which results are stamped, stands to the common one, given how the process's
// does.
func (c clock) system(to loadgen.ClockOffset) loadgen.ClockOffset {
	system, own := time.Now().Round(0), c.now()
	to.Offset += system.Sub(own)
	return to
}
