package design

import (
	"io"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A steps is a design that does not look at its budget, and is asked again and again.
type steps interface {
	Check() ([]loadgen.Warning, error)
	next(done []protocol.Measurement) (protocol.Step, error) // [io.EOF] at its end
}

// nextWithin is the next step of a design within its budget, which a run that has begun may exceed. What cannot be
// carried out is refused before anything is.
func nextWithin(budget time.Duration, d steps, done []protocol.Measurement) (protocol.Step, error) {
	if len(done) == 0 {
		if _, err := d.Check(); err != nil {
			return protocol.Step{}, err
		}
	}
	step, err := d.next(done)
	if err == nil && overBudget(budget, step, done) != "" {
		return protocol.Step{}, io.EOF
	}
	return step, err
}

// leftOut says what the budget left no time for; "" where that is nothing.
func leftOut(budget time.Duration, d steps, done []protocol.Measurement) string {
	step, err := d.next(done)
	if err != nil {
		return ""
	}
	return overBudget(budget, step, done)
}

// A walk goes through the stages of a design, each of which may follow from what those before have shown, up to the one
// that goes on.
type walk struct {
	plan protocol.Plan
	done []protocol.Measurement

	number int    // of the latest stage that is over
	before int    // runs of those that are
	on     *stage // that goes on; nil: none does
}

// pilot goes through a run of its own at levels from 1 up, each twice the one before: it finds the levels of the stages
// that count, and ends as soon as found says that it has seen enough. change makes its steps what they are.
func (w *walk) pilot(
	plan protocol.Plan, most int, change func(*protocol.Step), found func(own []protocol.Measurement) ([]float64, bool),
) (levels []float64, over bool) {
	plan.Runs, plan.Order = 1, protocol.AsGiven
	s := stageOf(plan, w.number+1, w.before, doubling(1, most))
	s.change = change
	levels, enough := found(s.own(w.done))
	if !enough && !s.over(w.done) {
		w.on = &s
		return nil, false
	}
	w.number, w.before = w.number+1, w.before+1
	return levels, true
}

// stage goes through a stage of the plan at its own levels. over says that it has been, and can be looked at.
func (w *walk) stage(levels []float64) (s stage, over bool) {
	s = stageOf(w.plan, w.number+1, w.before, levels)
	if !s.over(w.done) {
		w.on = &s
		return s, false
	}
	w.number, w.before = w.number+1, w.before+s.plan.Runs
	return s, true
}

// next is the step after what was done, or [io.EOF].
func (w *walk) next() (protocol.Step, error) {
	if w.on == nil {
		return protocol.Step{}, io.EOF
	}
	return w.on.next(w.done)
}

// doubling are the levels from one on, each twice the one before, up to most.
func doubling(from, most int) (levels []float64) {
	for l := from; l <= most; l *= 2 {
		levels = append(levels, float64(l))
	}
	return levels
}

// usual is the plan of a sweep: where a pilot is to find its levels, with those up to where most servers are saturated.
func usual(plan protocol.Plan, most int) protocol.Plan {
	if len(plan.Levels)+len(plan.Rates) == 0 {
		plan.Levels = whole(doubling(1, min(most, 1<<(usualLevels-1))))
	}
	return plan
}
