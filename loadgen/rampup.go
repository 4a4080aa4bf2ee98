package loadgen

import "math"

// ramped turns the time at which so many requests have come at the full rate into the time at which they have come
// with the ramp-up: the inverse of the rate's integral. While the rate rises over T, as many have come at t as in
// t²/2T of the full rate, and T/2 of it is lost in the whole. What has the full rate's gaps beforehand has the rate
// of the moment after.
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
