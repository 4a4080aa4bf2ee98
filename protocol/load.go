package protocol

import (
	"fmt"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// A Load says what a point is of: which server, what was asked of it, and how much of that at once. It is also what a
// point is found by ([Analysis.Point]).
type Load struct {
	Arm    string `json:"arm,omitempty"` // which server of a comparison; "" where there is one
	Input  int    `json:"input_tokens"`
	Output int    `json:"output_tokens"`

	// Concurrency is the number of requests kept in flight by a closed loop; of an open loop the most that may be, 0
	// for no bound.
	Concurrency int `json:"concurrency"`

	// Rate is the rate of arrivals of an open loop, in requests/s, and Arrivals their process: "poisson". A trace has
	// its own rate, and 0 here. 0 and "": a closed loop.
	Rate     float64         `json:"rate_per_s,omitempty"`
	Arrivals loadgen.Process `json:"arrivals,omitempty"`

	// Unit is what a load of sessions counts: sessions or their requests. "": it is of single requests.
	Unit loadgen.Unit `json:"unit,omitempty"`
}

// loadOf is the load of a step.
func loadOf(s Step) Load {
	a := s.Level.Arrivals
	return Load{Arm: s.Arm, Input: s.Input, Output: s.Output, Concurrency: s.Level.Concurrency, Rate: a.Rate, Arrivals: a.Process,
		Unit: s.Level.Unit}
}

// Load is what the step's point has as its load.
func (s Step) Load() Load { return loadOf(s) }

// Open reports whether it is the load of an open loop.
func (l Load) Open() bool { return l.Arrivals != "" }

// String names the load among others of one experiment: "concurrency 8", "poisson 12.5/s", "b: concurrency 8",
// "concurrency 8 of sessions".
func (l Load) String() string {
	var s string
	switch {
	case l.Arrivals == loadgen.TraceArrivals:
		s = "a trace"
	case l.Open():
		s = number.Sprintf("%s %g/s", l.Arrivals, l.Rate)
	case l.Rate != 0: // one that is looked for
		s = number.Sprintf("%g/s", l.Rate)
	default:
		s = number.Sprintf("concurrency %d", l.Concurrency)
		if l.Unit == loadgen.UnitSession {
			s += " of sessions"
		}
	}
	if l.Open() && l.Concurrency > 0 {
		s += number.Sprintf(", at most %d in flight", l.Concurrency)
	}
	if l.Arm != "" {
		s = l.Arm + ": " + s
	}
	return s
}

// has reports whether l has everything that want says; what is zero in want says nothing.
func (l Load) has(want Load) bool {
	return (want.Arm == "" || want.Arm == l.Arm) &&
		(want.Input == 0 || want.Input == l.Input) &&
		(want.Output == 0 || want.Output == l.Output) &&
		(want.Concurrency == 0 || want.Concurrency == l.Concurrency) &&
		(want.Rate == 0 || want.Rate == l.Rate) &&
		(want.Arrivals == "" || want.Arrivals == l.Arrivals) &&
		(want.Unit == "" || want.Unit == l.Unit) &&
		(want.Rate != 0 || want.Arrivals != "" || want.Concurrency == 0 || !l.Open())
}

// A PointError says that no point, or more than one, is the one that was asked for.
type PointError struct {
	Want  Load
	Found []Load // those that it could be; none: there is no such point
	Have  []Load // all that there are
}

func (e *PointError) Error() string {
	if len(e.Found) > 0 {
		return fmt.Sprintf("%d points are at %v: %s; say more of the one that is meant", len(e.Found), e.Want, loadList(e.Found))
	}
	return fmt.Sprintf("no point is at %v; there are %s", e.Want, loadList(e.Have))
}

func loadList(loads []Load) string {
	var names []string
	for _, l := range loads {
		names = append(names, fmt.Sprintf("%v (%d in, %d out)", l, l.Input, l.Output))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Point finds the point at a load, of which as much need be said as tells it from the others: Load{Concurrency: 16}, or
// Load{Rate: 20}. The zero Load finds the only point. Where a run measured a load twice, the first is found. Any other
// error than nil is a [*PointError].
func (a *Analysis) Point(at Load) (*Point, error) {
	var found *Point
	var loads, have []Load
	for i := range a.Points {
		p := &a.Points[i]
		if !slices.Contains(have, p.Load) {
			have = append(have, p.Load)
		}
		if !p.Load.has(at) || slices.Contains(loads, p.Load) {
			continue
		}
		if loads = append(loads, p.Load); found == nil {
			found = p
		}
	}
	switch len(loads) {
	case 0:
		return nil, &PointError{Want: at, Have: have}
	case 1:
		return found, nil
	}
	return nil, &PointError{Want: at, Found: loads, Have: have}
}
