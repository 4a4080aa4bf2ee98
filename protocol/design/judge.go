package design

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// A judged level is what was found at it.
type judgedLevel struct {
	Level     float64           `json:"level"`
	Decision  protocol.Decision `json:"decision"`  // of all limits at once
	Intervals []stats.Interval  `json:"intervals"` // of the figures, in the order of the limits
	Why       string            `json:"why"`       // it does not count; "": it does
	units     []string          // of the intervals
}

// judge says whether all limits hold at a level of a stage.
func (d SLO) judge(a *protocol.Analysis, own []protocol.Measurement, level, confidence float64) judgedLevel {
	out := judgedLevel{Level: level, Decision: protocol.Holds}
	p, err := pointAt(a, level)
	if err != nil {
		out.Decision, out.Why = protocol.Undecided, err.Error()
		return out
	}
	own = slices.DeleteFunc(own, func(m protocol.Measurement) bool { return m.Step.Discard || levelOf(m.Step) != level })
	var why []string
	for _, l := range d.Limits {
		v, decision, problem := decide(p, own, l, confidence)
		var unit string
		if e, err := p.Figure(l.Figure); err == nil {
			unit = e.Unit
		}
		out.Intervals = append(out.Intervals, v)
		out.units = append(out.units, unit)
		if decision == protocol.Holds {
			continue
		}
		if problem == "" {
			problem = number.Sprintf("%v is %v: %s", l, decision, inUnit(v, unit))
		}
		why = append(why, problem)
		if out.Decision != protocol.Broken {
			out.Decision = decision
		}
	}
	out.Why = strings.Join(why, "; ")
	return out
}

// inUnit is an interval with the unit of its figure: "41.1 ms [39.2, 43.2] at 95 %".
func inUnit(v stats.Interval, unit string) string {
	number, rest, bounded := strings.Cut(v.String(), " [")
	if !bounded || unit == "" {
		return v.String()
	}
	return number + " " + unit + " [" + rest
}

// pointAt is the point of a stage at a level.
func pointAt(a *protocol.Analysis, level float64) (*protocol.Point, error) {
	for i := range a.Points {
		if p := &a.Points[i]; p.Open() && p.Rate == level || !p.Open() && float64(p.Concurrency) == level {
			return p, nil
		}
	}
	return nil, errors.New("it was not measured")
}

// decide holds a figure over the runs against a limit: shares by their counts, others by the logarithms of the runs'
// values, as [stats.Capacity] does.
func decide(p *protocol.Point, own []protocol.Measurement, l protocol.Limit, confidence float64) (v stats.Interval, decision protocol.Decision, problem string) {
	e, err := p.Figure(l.Figure)
	if err != nil {
		return v, protocol.Undecided, err.Error()
	}
	if e.Share != nil {
		if v, err = stats.ShareInterval(countsOf(own, e), confidence, "run"); err == nil {
			v.Estimate, v.Low, v.High = 100*v.Estimate, 100*v.Low, 100*v.High
		}
	} else {
		v, err = stats.LogMeanInterval(e.Values, confidence, "run")
	}
	if err != nil {
		return v, protocol.Undecided, number.Sprintf("%s: %v", l.Figure, err)
	}
	if decision, err = l.Decide(v, e.Unit); err != nil {
		return v, protocol.Undecided, err.Error()
	}
	return v, decision, ""
}

// keeps reports whether one run is within all limits.
func (d SLO) keeps(m protocol.Measurement) bool {
	for _, l := range d.Limits {
		f, ok := m.Result.Figure(l.Figure)
		// As if the value were exact: an interval that has no width decides nothing.
		v := stats.Interval{Low: math.Nextafter(f.Value, 0), High: math.Nextafter(f.Value, math.Inf(1)), Confidence: 0.5}
		if decision, err := l.Decide(v, f.Unit); !ok || err != nil || decision != protocol.Holds {
			return false
		}
	}
	return true
}

// levelOf is the concurrency of a step, or its rate.
func levelOf(s protocol.Step) float64 {
	if s.Level.Arrivals.Process != "" {
		return s.Level.Arrivals.Rate
	}
	return float64(s.Level.Concurrency)
}

// countsOf are the requests behind a share, in percent, of the runs of an estimate. Of several tries of a level the last
// counts, which is the one that the estimate has.
func countsOf(own []protocol.Measurement, e protocol.Estimate) (counts []stats.Count) {
	for _, run := range e.Runs {
		for _, m := range slices.Backward(own) {
			if f, ok := m.Result.Figure(e.Name); ok && m.Step.Run == run {
				counts = append(counts, stats.Count{Met: int(math.Round(f.Value * float64(f.N) / 100)), Issued: f.N})
				break
			}
		}
	}
	return counts
}
