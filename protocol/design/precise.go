package design

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// UntilPrecise measures a figure to a wanted precision, by Stein's two stages: from the spread of a pilot it follows how
// many runs that takes in all, once. (To look after each run and stop when the interval is narrow enough stops when the
// spread happens to be small, and then the interval is too narrow.)
type UntilPrecise struct {
	// Plan is what a run is. Its Runs are those of the pilot: 3 at least, 5 are better.
	Plan protocol.Plan `json:"plan"`

	// Precision is the half width of the 95 % interval that is wanted, relative to the pilot's mean, such as 0.02, at every
	// level.
	Precision float64 `json:"precision"`

	// Figure is what is to be known so well. "": the steady total throughput, of rates the total throughput.
	Figure string `json:"figure,omitempty"`

	// Most is how many runs there may be. 0: 100.
	Most int `json:"most,omitempty"`
}

const usuallyMostRuns = 100

// Next implements [protocol.Design].
func (d UntilPrecise) Next(done []protocol.Measurement) (protocol.Step, error) {
	return nextWithin(d.Plan.Budget, d, done)
}

func (d UntilPrecise) next(done []protocol.Measurement) (protocol.Step, error) {
	plan := d.Plan
	plan.LevelBudget = levelBudget(plan)
	plan.Budget = 0
	if step, err := plan.Next(done); err == nil || err != io.EOF {
		return step, err
	}
	plan.Runs = min(max(d.needed(done), plan.Runs), d.most())
	return plan.Next(done)
}

// pilotOf are the values of the pilot at a point, and all.
func (d UntilPrecise) pilotOf(e protocol.Estimate) (pilot, all []float64) {
	for i, run := range e.Runs {
		if all = append(all, e.Values[i]); run <= d.Plan.Runs {
			pilot = append(pilot, e.Values[i])
		}
	}
	return pilot, all
}

// needed is how many runs the worst of the levels takes.
func (d UntilPrecise) needed(done []protocol.Measurement) (runs int) {
	a := protocol.Analyze(&protocol.Experiment{Measurements: done, Complete: true})
	for i := range a.Points {
		if s, err := d.plan(&a.Points[i]); err == nil {
			runs = max(runs, s.N)
		}
	}
	return runs
}

// plan is how many runs a point takes, by its pilot.
func (d UntilPrecise) plan(p *protocol.Point) (stats.SteinPlan, error) {
	e, err := p.Figure(d.figure())
	if err != nil {
		return stats.SteinPlan{}, err
	}
	pilot, _ := d.pilotOf(e)
	summary, err := stats.Summarize(pilot)
	if err != nil {
		return stats.SteinPlan{}, err
	}
	return stats.SteinRuns(pilot, d.Precision*summary.Mean, protocol.Confidence)
}

func (d UntilPrecise) figure() string {
	switch {
	case d.Figure != "":
		return d.Figure
	case len(d.Plan.Rates) > 0:
		return loadgen.TotalThroughput
	}
	return protocol.KneeFigure
}

func (d UntilPrecise) most() int {
	if d.Most > 0 {
		return d.Most
	}
	return max(usuallyMostRuns, d.Plan.Runs)
}

// Conclude implements [protocol.Concluder]: the figure at each level, with Stein's interval where the precision was
// reached, and with the usual one, so called, where it was not.
func (d UntilPrecise) Conclude(done []protocol.Measurement) (out []protocol.Finding) {
	a := protocol.Analyze(&protocol.Experiment{Measurements: done, Complete: true})
	for i := range a.Points {
		p := &a.Points[i]
		f := protocol.Finding{Name: number.Sprintf("%s at %v", d.figure(), p.Load), Answer: "not known"}
		v, reason, err := d.interval(p, a.Unit)
		if f.Reason = reason; err != nil {
			f.Reason = err.Error()
		} else {
			e, _ := p.Figure(d.figure()) // which the interval is of
			f.Answer = inUnit(v, e.Unit)
			f.Detail, _ = json.Marshal(v)
			for _, w := range v.Warnings {
				f.Warnings = append(f.Warnings, loadgen.Warning{Code: w.Code, Message: w.Text})
			}
		}
		if a.Unit == protocol.UnitWithinServer {
			f.Warnings = append(f.Warnings, withinServer)
		}
		out = append(out, f)
	}
	return out
}

func (d UntilPrecise) interval(p *protocol.Point, unit string) (v stats.Interval, reason string, err error) {
	s, err := d.plan(p)
	if err != nil {
		return v, "", err
	}
	e, err := p.Figure(d.figure())
	if err != nil {
		return v, "", err
	}
	pilot, all := d.pilotOf(e)
	if len(all) < s.N || len(pilot) < d.Plan.Runs {
		return e.Interval, number.Sprintf("precision not reached: ±%.3g %% takes %d runs by the pilot of %d, and there are %d; the interval is that of so many",
			100*d.Precision, s.N, len(pilot), len(all)), nil
	}
	v, err = stats.SteinInterval(all, len(pilot), s.HalfWidth, protocol.Confidence, unit)
	return v, number.Sprintf("±%.3g %% takes %d runs by the pilot of %d (Stein's two stages), and there are %d", 100*d.Precision, s.N,
		len(pilot), len(all)), err
}

// Shortened says what the budget, or the most runs that there may be, left out; "" where that is nothing.
func (d UntilPrecise) Shortened(done []protocol.Measurement) string {
	if step, err := d.next(done); err == nil {
		return overBudget(d.Plan.Budget, step, done)
	}
	if n := d.needed(done); n > d.most() {
		return number.Sprintf("the precision takes %d runs, and %d are the most that there may be", n, d.most())
	}
	return ""
}

// Check implements [protocol.Planned].
func (d UntilPrecise) Check() ([]loadgen.Warning, error) {
	switch {
	case d.Plan.Runs < leastRuns:
		return nil, invalid("runs", d.Plan.Runs, "a pilot of at least 3; 5 are better")
	case !(d.Precision > 0 && d.Precision < 1):
		return nil, invalid("precision", d.Precision, "a relative half width from above 0 to below 1, such as 0.02")
	case d.Most < 0 || d.Most > 0 && d.Most < d.Plan.Runs:
		return nil, invalid("most runs", d.Most, number.Sprintf("0 (100), or no fewer than those of the pilot, %d", d.Plan.Runs))
	}
	return d.Plan.Check()
}

// Outline implements [protocol.Planned].
func (d UntilPrecise) Outline() protocol.Outline {
	return protocol.Outline{Kind: "until precise", Plan: d.Plan, Lines: []string{
		number.Sprintf("until: %s is known to ±%.3g %% at every level; a pilot of %d runs says how many that takes, %d at most",
			d.figure(), 100*d.Precision, d.Plan.Runs, d.most()),
	}}
}

// Estimate is that of the pilot, which is all that is known beforehand.
func (d UntilPrecise) Estimate(tokensPerSecond float64) time.Duration {
	return d.Plan.Estimate(tokensPerSecond)
}

// Heaviest is the first step of the greatest load.
func (d UntilPrecise) Heaviest() (protocol.Step, error) { return d.Plan.Heaviest() }

// Extends reports whether this is the design before, in JSON, with as many runs at most or more.
func (d UntilPrecise) Extends(before json.RawMessage) bool {
	r, err := Read(strings.NewReader(string(before)))
	was, ok := r.(UntilPrecise)
	if err != nil || !ok || d.most() < was.most() {
		return false
	}
	d.Most = was.Most
	d.Plan = d.Plan.WithoutTrace()
	x, errX := json.Marshal(d)
	y, errY := json.Marshal(was)
	return errX == nil && errY == nil && string(x) == string(y)
}

type preciseJSON UntilPrecise

// MarshalJSON writes the design with the name of its kind.
func (d UntilPrecise) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		kind
		preciseJSON
	}{kind{"until-precise"}, preciseJSON(d)})
}
