package protocol

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A Probe watches something beside the client while a level runs: the server's own counters, the GPUs, their energy.
type Probe interface {
	// Watch begins to watch an instance. It is called before the level's clock starts, and stop once after the level is
	// over; ctx lasts as long. What cannot be watched is an error, which costs the level nothing but the reading. stop
	// returns what was seen, with what it could not see as gaps and warnings.
	Watch(ctx context.Context, i *Instance, s Step) (stop func() (Reading, error), err error)
}

// A Reading is what a probe saw of one level.
type Reading struct {
	Name     string            `json:"name"` // of the probe
	Figures  []loadgen.Figure  `json:"figures,omitempty"`
	Series   []Series          `json:"series,omitempty"`
	Warnings []loadgen.Warning `json:"warnings,omitempty"`
	Error    string            `json:"error,omitempty"` // why there is nothing, or not all of it; "": nothing was wrong
}

// A Series is one quantity over the time of a level.
type Series struct {
	Name  string        `json:"name"`
	Unit  string        `json:"unit"`
	Of    string        `json:"of,omitempty"` // of which device, engine or replica; "": of the whole
	Start time.Time     `json:"start"`        // what At counts from
	Every time.Duration `json:"every_ns"`     // how often it was asked for

	// At and Value are the samples, as many of the one as of the other: ns since Start, rising, and what it was. Where
	// a sample failed there is none: Gaps counts these.
	At    []time.Duration `json:"at_ns"`
	Value []float64       `json:"value"`
	Gaps  int             `json:"gaps,omitempty"`

	// Stride is how many samples each of those kept stands for, as their mean, where there were more than are kept.
	// 0, or 1: each is itself.
	Stride int `json:"stride,omitempty"`
}

// A SeriesError says why a series does not tell what was asked of it.
type SeriesError struct {
	Series string
	Reason string
}

func (e *SeriesError) Error() string { return fmt.Sprintf("%s: %s", e.Series, e.Reason) }

// longestGap is, in intervals, the longest time without a sample over which a series is taken to have gone in a
// straight line. One sample may fail; two in a row are a gap that nobody saw.
const longestGap = 2.5

// Integral is the area under the series from one moment to another, in its unit × seconds, by the trapezoid rule: of
// a power in W that is an energy in J. Between samples the series is taken to go in a straight line. A [*SeriesError]
// says that it does not reach so far, or that samples are missing for more than two and a half intervals: a sum that
// leaves something out would flatter whoever used it.
func (s Series) Integral(from, to time.Time) (float64, error) {
	a, b := from.Sub(s.Start), to.Sub(s.Start)
	n := len(s.At)
	most := time.Duration(longestGap * float64(s.Every) * float64(max(s.Stride, 1)))
	switch {
	case n != len(s.Value):
		return 0, &SeriesError{s.label(), fmt.Sprintf("it has %d times and %d values", n, len(s.Value))}
	case b < a:
		return 0, &SeriesError{s.label(), fmt.Sprintf("the time asked for ends %v before it begins", a-b)}
	case n < 2:
		return 0, &SeriesError{s.label(), fmt.Sprintf("%d samples have no area", n)}
	case s.At[0]-a > most:
		return 0, &SeriesError{s.label(), fmt.Sprintf("the first sample came %v late", s.At[0]-a)}
	case b-s.At[n-1] > most:
		return 0, &SeriesError{s.label(), fmt.Sprintf("the last sample came %v before the end", b-s.At[n-1])}
	}
	area := 0.0
	for i := 1; i < n; i++ {
		t0, t1 := s.At[i-1], s.At[i]
		if t1 <= t0 {
			return 0, &SeriesError{s.label(), "its times do not rise"}
		}
		if t1 <= a || t0 >= b {
			continue
		}
		if t1-t0 > most {
			return 0, &SeriesError{s.label(), fmt.Sprintf("samples are missing for %v", t1-t0)}
		}
		l, r := max(t0, a), min(t1, b)
		area += (s.between(i, l) + s.between(i, r)) / 2 * (r - l).Seconds()
	}
	// Before the first sample, and after the last, it is taken to have been what it was there: no longer than most.
	area += s.Value[0] * max(min(s.At[0], b)-a, 0).Seconds()
	area += s.Value[n-1] * max(b-max(s.At[n-1], a), 0).Seconds()
	if math.IsNaN(area) || math.IsInf(area, 0) {
		return 0, &SeriesError{s.label(), "it has values that are no numbers"}
	}
	return area, nil
}

// between is the value at a moment between samples i − 1 and i.
func (s Series) between(i int, at time.Duration) float64 {
	t0, t1 := s.At[i-1], s.At[i]
	share := float64(at-t0) / float64(t1-t0)
	return s.Value[i-1] + share*(s.Value[i]-s.Value[i-1])
}

func (s Series) label() string {
	if s.Of == "" {
		return s.Name
	}
	return s.Name + " of " + s.Of
}
