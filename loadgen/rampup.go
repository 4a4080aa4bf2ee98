package loadgen

import (
	"math"
	"math/bits"
	"time"
)

// slotStart is when slot k of a closed loop, of the shard's own, may take its first request.
func (l Level) slotStart(k int) time.Duration {
	high, low := bits.Mul64(uint64(l.number(k)), uint64(l.RampUp)) // which may be more than 64 bits hold
	start, _ := bits.Div64(high, low, uint64(l.Concurrency))
	return time.Duration(start)
}

// awaitStart returns when slot k may take its first request, or when the level has ended before.
func (s *slots) awaitStart(k int) {
	start := s.level.slotStart(k)
	if start == 0 {
		return
	}
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	s.sleepUntil(start, timer)
}

// ramped turns the time at which so many requests have come at the full rate into the time at which they have come with
// the ramp-up: the inverse of the rate's integral. While the rate rises over T, as many have come at t as in t²/2T of the
// full rate, and T/2 of it is lost in the whole. What has the full rate's gaps beforehand has the rate of the moment after.
func (l Level) ramped(at float64) float64 {
	switch ramp := l.RampUp.Seconds(); {
	case ramp == 0:
		return at
	case at < ramp/2:
		return math.Sqrt(2 * ramp * at)
	default:
		return at + ramp/2
	}
}
