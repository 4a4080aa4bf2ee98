package loadgen

import (
	"github.com/servegauge/servegauge/internal/number"
)

// WarnLateEnd says that requests held their slots for long after their last chunk: the server did not end their
// answers.
const WarnLateEnd = "late-end"

// lateEndLimit is a share of the slots that were taken; up to it, in flight and occupied say the same.
const lateEndLimit = 1 - inFlightFloor

// lateEndWarning says what the server did where fewer requests were in flight (Sent to Done) than slots were taken
// (Sent to Left). It spoils nothing: the client kept the load that the level is named after, and the latencies end at
// Done.
func (r *Result) lateEndWarning(warn func(code string, spoils []string, format string, args ...any)) {
	f := r.InFlight
	apart := f.Occupied - f.Mean
	if apart <= lateEndLimit*f.Occupied {
		return
	}
	failed, why := max(0, apart-f.LateEnd), ""
	if f.LateEnd > lateEndLimit*apart {
		why += number.Sprintf("; %.3g of the difference were completed requests, whose answers the server ended only some "+
			"time after their last chunk", f.LateEnd)
	}
	if failed > lateEndLimit*apart {
		why += number.Sprintf("; %.3g were requests that failed after their last chunk, because the rest of the answer "+
			"did not come", failed)
	}
	warn(WarnLateEnd, nil, "%.3g requests were in flight on average, and %.3g slots taken%s: the client kept its slots "+
		"full, and the server had fewer to work on", f.Mean, f.Occupied, why)
}
