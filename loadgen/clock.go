package loadgen

import (
	"slices"
	"time"

	"github.com/servegauge/servegauge/internal/number"
)

// A ClockOffset says by how much a clock is ahead of another, and how well that is known: the truth is between Offset −
// Error and Offset + Error.
type ClockOffset struct {
	Offset time.Duration `json:"offset_ns"`
	Error  time.Duration `json:"error_ns"`
}

// common is t, of a clock that is ahead by so much, by the other.
func (c *ClockOffset) common(t time.Time) time.Time {
	if c == nil {
		return t
	}
	return t.Add(-c.Offset)
}

// validate returns an [*InvalidError] for what no comparison of two clocks says.
func (c *ClockOffset) validate() error {
	if c != nil && (c.Error < 0 || c.Offset.Abs() > timelineEnd) {
		return &InvalidError{"clock offset", number.Sprintf("%v ± %v", c.Offset, c.Error), "an offset, and an error from 0 up"}
	}
	return nil
}

// start is when the level began, by the clock that all its generators go by.
func (r *Result) start() time.Time { return r.Clock.common(r.Start) }

// Codes of the warnings about clocks.
const (
	WarnClockOffset = "clock-offset" // merged results: the generators' clocks differ, or are not known well enough
	WarnClockStep   = "clock-step"   // the system's clock was set while the level lasted
)

// clockLimit is a share of the makespan: what a throughput over it may be off by for the clocks' sake.
const clockLimit = 0.01

// clockWarnings are the gates on the clocks of merged results, as far as these were compared. The offsets are taken out
// of the merge, but generators that are told to start at a moment of their own clocks start apart by as much, and the
// makespan has the time in which not all of them were there.
func (r *Result) clockWarnings(parts []*Result) []Warning {
	limit := time.Duration(clockLimit * float64(r.Makespan))
	compared := func(part *Result) bool { return part.Clock != nil }
	if !slices.ContainsFunc(parts, compared) || limit <= 0 {
		return nil
	}
	least, most, off := timelineEnd, -timelineEnd, time.Duration(0)
	for _, part := range parts {
		var c ClockOffset // of a generator that nobody compared, the one whose clock the others were compared with
		if part.Clock != nil {
			c = *part.Clock
		}
		least, most, off = min(least, c.Offset), max(most, c.Offset), max(off, c.Error)
	}
	differ, apart := most-least, parts[len(parts)-1].start().Sub(parts[0].start())
	if differ <= limit && 2*off <= limit {
		return nil
	}
	w := Warning{Code: WarnClockOffset, Message: number.Sprintf(
		"the clocks of %d generators differ by up to %v, known to ± %v, in a makespan of %v, and they started %v apart; "+
			"the merge goes by the common clock", len(parts), differ, off, r.Makespan, apart)}
	if 2*off > limit || apart > limit {
		w.Spoils = append(slices.Clone(makespanThroughputs), AchievedRate, AchievedSessions)
		w.Message += "; over 1 % the throughputs over the makespan must not be used"
	}
	if 2*off > limit {
		w.Spoils = append(w.Spoils, Steady)
	}
	return []Warning{w}
}

// clockStepWarning says what a step of the system's clock spoils. The kernel stamps by that clock, and a stamp that
// is laid onto the monotonic clock by a comparison from before the step is off by all of it: whatever counts up to a
// stamp is spoiled. The client's own stamps are of the monotonic clock, and only what is compared with the server's
// clock is off there.
func (r *Result) clockStepWarning(step time.Duration) Warning {
	metrics, by := []string{ChunkLateness}, "only what is compared with the server's clock is bent"
	if r.Stamps.Kernel > 0 {
		metrics = append(metrics, TTFT, FirstChoice, FirstAnswer, TPOT, Interactivity, ITL, E2E, Response, ReadLag,
			TTFTError, ITLError)
		by = number.Sprintf("the kernel's stamps, which %d arrivals have, are by that clock, so that latencies up to an "+
			"arrival may be off by as much", r.Stamps.Kernel)
	}
	return Warning{Code: WarnClockStep, Spoils: r.Level.spoiledWith(metrics...), Message: number.Sprintf(
		"the system's clock was set by %v while the level lasted: %s; have it slewed, and not set, while anything "+
			"is measured", step, by)}
}
