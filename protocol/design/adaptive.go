package design

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// An AdaptiveSweep finds the saturation knee and measures where it matters: a sweep over levels a factor of two apart,
// then runs of two levels each, between the ends of the bracket, until no test moves it any more ([stats.RefineKnee]).
//
// Where the levels are not given they come from a pilot, a run of its own that counts in no test: from 1 up, doubled,
// until two levels in a row give no more. A sweep in which saturation was not shown, or which has no lower end, is made
// again with a level more on that side, of fresh runs and from the lower end up, twice at most. What the end is claimed
// from is the last sweep and the refinement alone.
type AdaptiveSweep struct {
	// Plan is what a run is. Its Runs are those of the sweep, and of each stage of the refinement: 3 at least. Its Levels
	// are the sweep's, ascending; none: those that the pilot finds.
	Plan protocol.Plan `json:"plan"`

	// Most is the highest level that may be measured. 0: 4096, or the last of the Levels, whichever is more.
	Most int `json:"most,omitempty"`

	// Extensions are how many more sweeps there may be, where one leaves an end open. 0: 2; below 0: none.
	Extensions int `json:"extensions,omitempty"`
}

const (
	adaptiveMost  = 4096
	pilotRise     = 1.05 // of the throughput, from the best level before: less is no more
	pilotFlat     = 2    // levels in a row that give no more
	pilotPrompts  = 4    // for each request in flight: it only has to find where the levels should be
	pilotRequests = 20   // at least
	leastRuns     = 3    // of a sweep, for a knee
)

// Next implements [protocol.Design].
func (d AdaptiveSweep) Next(done []protocol.Measurement) (protocol.Step, error) {
	return nextWithin(d.Plan.Budget, d, done)
}

func (d AdaptiveSweep) next(done []protocol.Measurement) (protocol.Step, error) {
	return d.after(done).next()
}

// Shortened says what the budget left no time for; "" where that is nothing.
func (d AdaptiveSweep) Shortened(done []protocol.Measurement) string {
	return leftOut(d.Plan.Budget, d, done)
}

// A sweepState is where an adaptive sweep is.
type sweepState struct {
	walk

	sweep   protocol.Sweep       // the last one that is over
	knee    stats.KneeResult     // of it
	stages  []stats.KneeStage    // of the refinement, that are over
	refined stats.KneeRefinement // by them; the zero value where there was nothing to refine
	unit    string               // of the runs
	problem string               // why it is over before its end
}

// after is the state after what was done.
func (d AdaptiveSweep) after(done []protocol.Measurement) *sweepState {
	state := &sweepState{walk: walk{plan: d.Plan, done: done}}
	levels, over := levelsOf(d.Plan), true
	if len(levels) == 0 {
		levels, over = d.pilot(state)
	}
	if over && d.sweep(state, levels) && state.knee.Kind == stats.KneeBracketed {
		d.refine(state)
	}
	return state
}

// pilot finds the levels, by levels that are short and discarded.
func (d AdaptiveSweep) pilot(state *sweepState) (levels []float64, over bool) {
	plan := d.Plan
	plan.WarmUntilSteady = 0
	return state.pilot(plan, d.most(), func(s *protocol.Step) {
		if s.Discard { // what leads the run in
			return
		}
		s.Discard = true
		n := max(pilotPrompts*s.Level.Concurrency, pilotRequests)
		if s.Level.Unit != "" {
			s.Level.Sessions = n
		} else {
			s.Level.Requests = n
		}
		s.Level.Warmup = s.Level.Concurrency
	}, func(own []protocol.Measurement) ([]float64, bool) { return pilotLevels(own, d.most()) })
}

// sweep goes through the sweeps, until one has both ends or no more may be made, and reports whether it came to that.
func (d AdaptiveSweep) sweep(state *sweepState, levels []float64) bool {
	for extension := 0; ; extension++ {
		s, over := state.stage(levels)
		if !over {
			return false
		}
		analysis := s.analysis(state.done)
		state.unit = analysis.Unit
		var err error
		if state.sweep, err = analysis.Sweep(protocol.KneeFigure, nil); err == nil {
			state.knee, err = state.sweep.Knee()
		}
		if err != nil {
			state.problem = err.Error()
			return false
		}
		state.knee.Unit = state.unit
		next := d.extended(levels, state.knee)
		if next == nil || extension >= d.extensions() || state.sweep.Above {
			return true
		}
		levels = next
	}
}

// refine goes through the runs between the ends of the bracket.
func (d AdaptiveSweep) refine(state *sweepState) {
	for {
		refined, err := stats.RefineKnee(state.sweep.Levels, state.sweep.Runs, state.stages...)
		if err != nil {
			state.problem = err.Error()
			return
		}
		state.refined = refined
		if refined.Next == nil {
			return
		}
		s, over := state.stage(refined.Next)
		if !over {
			return
		}
		sweep, err := s.analysis(state.done).Sweep(protocol.KneeFigure, nil)
		if err == nil && (len(sweep.Levels) != 2 || len(sweep.Runs) < leastRuns) {
			err = fmt.Errorf("%d complete runs of %d levels", len(sweep.Runs), len(sweep.Levels))
		}
		if err != nil {
			state.refined.Next = nil
			state.problem = number.Sprintf("the refinement ended at levels %v, which gave nothing to test: %v", refined.Next, err)
			return
		}
		state.stages = append(state.stages, stats.KneeStage{Levels: sweep.Levels, Runs: sweep.Runs})
	}
}

// extended are the levels of another sweep that may close the end which this one left open; nil: there are none.
func (d AdaptiveSweep) extended(levels []float64, k stats.KneeResult) []float64 {
	levels = slices.Sorted(slices.Values(levels))
	switch {
	case k.Kind == stats.KneeAbove && k.NextRuns == 0 && int(2*levels[len(levels)-1]) <= d.most():
		from := slices.Index(levels, k.Low)
		return append(slices.Clone(levels[max(from, 0):]), 2*levels[len(levels)-1])
	case k.Kind == stats.KneeAtMost && levels[0] > 1:
		return append([]float64{max(math.Floor(levels[0]/2), 1)}, levels...)
	}
	return nil
}

func (d AdaptiveSweep) most() int {
	if d.Most > 0 {
		return d.Most
	}
	return max(adaptiveMost, slices.Max(append([]int{1}, d.Plan.Levels...)))
}

func (d AdaptiveSweep) extensions() int {
	switch {
	case d.Extensions < 0:
		return 0
	case d.Extensions == 0:
		return 2
	}
	return d.Extensions
}

// pilotLevels are those that a sweep should have, by what the pilot has seen; over says that it has seen enough. A level
// without a throughput is one that gives no more.
func pilotLevels(own []protocol.Measurement, most int) (levels []float64, over bool) {
	best, flat := 0.0, 0
	for _, m := range own {
		if m.Step.Level.Warmup == 0 {
			continue // what leads the run in
		}
		c := float64(m.Step.Level.Concurrency)
		if n := len(levels); n > 0 && levels[n-1] == c { // another try
			continue
		}
		levels = append(levels, c)
		x, ok := figure(m, protocol.KneeFigure)
		if !ok {
			x, _ = figure(m, loadgen.TotalThroughput)
		}
		if x > pilotRise*best {
			flat = 0
		} else {
			flat++
		}
		best = max(best, x)
		if flat >= pilotFlat && len(levels) > pilotFlat {
			return levels, true
		}
	}
	return levels, len(levels) > 0 && int(2*levels[len(levels)-1]) > most
}

// Conclude implements [protocol.Concluder]: the knee, as far as it was narrowed.
func (d AdaptiveSweep) Conclude(done []protocol.Measurement) []protocol.Finding {
	state := d.after(done)
	f := protocol.Finding{Name: "saturation knee", Answer: "not resolved"}
	switch {
	case state.refined.Low < state.refined.High:
		f.Answer = state.refined.String()
		f.Reason = refinedReason(state)
		f.Detail, _ = json.Marshal(state.refined)
	case state.problem != "":
		f.Reason = state.problem
	case state.sweep.Levels == nil:
		f.Reason = "no sweep was finished"
	default:
		f.Answer = state.knee.String()
		f.Reason = state.knee.Reason
		f.Detail, _ = json.Marshal(state.knee)
	}
	if state.unit == protocol.UnitWithinServer {
		f.Warnings = append(f.Warnings, withinServer)
	}
	return []protocol.Finding{f}
}

var withinServer = loadgen.Warning{Code: protocol.WarnWithinServer,
	Message: "the runs are of one server: what is concluded is of it as it was started, and of no other start"}

func refinedReason(s *sweepState) string {
	var steps []string
	for _, step := range s.refined.Steps {
		what := "decided nothing"
		switch step.Level {
		case step.High:
			what = "reaches 95 %"
		case step.Low:
			what = "falls short of 95 %"
		}
		steps = append(steps, number.Sprintf("%g %s of the peak at %g (T = %.2f, %d runs)", step.Level, what,
			s.refined.Peak, step.T, step.N))
	}
	reason := number.Sprintf("the sweep over %v gave %v, with 95 %% confidence", s.sweep.Levels, s.knee)
	if len(steps) > 0 {
		reason += "; " + strings.Join(steps, "; ")
	}
	for _, more := range []string{s.refined.Reason, s.problem} {
		if more != "" {
			reason += "; " + more
		}
	}
	if s.sweep.LeftOut != "" {
		reason += "; left out: " + s.sweep.LeftOut
	}
	return reason
}

// Check returns an error, a [*loadgen.InvalidError], for a sweep that cannot be carried out, and warnings.
func (d AdaptiveSweep) Check() ([]loadgen.Warning, error) {
	switch n := len(d.Plan.Levels); {
	case d.Plan.Runs < leastRuns:
		return nil, invalid("runs", d.Plan.Runs, "at least 3, for a knee")
	case len(d.Plan.Rates) > 0:
		return nil, invalid("rates", d.Plan.Rates, "levels, or neither: an adaptive sweep is one of concurrency")
	case replays(d.Plan):
		return nil, unsearchable(d.Plan)
	case d.Most < 0:
		return nil, invalid("highest level", d.Most, "0 (4096) or more")
	case !slices.IsSorted(d.Plan.Levels):
		return nil, invalid("levels", d.Plan.Levels, "ascending; -order says in which order they are measured")
	case n == 1 || n > 0 && d.Plan.Levels[n-1] > d.most():
		return nil, invalid("levels", d.Plan.Levels, number.Sprintf("two or more, up to %d; none: those that a pilot finds", d.most()))
	}
	return d.usual().Check()
}

func (d AdaptiveSweep) usual() protocol.Plan { return usual(d.Plan, d.most()) }

// Outline implements [protocol.Planned].
func (d AdaptiveSweep) Outline() protocol.Outline {
	o := protocol.Outline{Plan: d.usual(), Kind: "adaptive sweep"}
	if len(d.Plan.Levels) == 0 {
		o.Lines = append(o.Lines, number.Sprintf(
			"pilot: a run of its own, from 1 up, doubled, until two in a row give no more, or %d; it counts in no test", d.most()))
		o.Lines = append(o.Lines, "sweep: the levels of the pilot (shown is an example)")
	}
	o.Lines = append(o.Lines, number.Sprintf("refinement: runs of two levels, %d for each step, until no test moves the bracket, or the budget is over",
		d.Plan.Runs))
	return o
}

// usualRefinements is how many stages a refinement took, mostly, in simulation.
const usualRefinements = 3

// Estimate is about how long it takes on a server of so many input and output tokens/s, without the starts of the
// server: a pilot, one sweep, and three steps of refinement at the upper levels.
func (d AdaptiveSweep) Estimate(tokensPerSecond float64) time.Duration {
	plan := d.usual()
	all := plan.Estimate(tokensPerSecond)
	if len(d.Plan.Levels) == 0 {
		pilot := plan
		pilot.Runs, pilot.Prompts = 1, protocol.Prompts{PerConcurrency: pilotPrompts}
		all += pilot.Estimate(tokensPerSecond)
	}
	steps := plan
	steps.Levels = plan.Levels[max(len(plan.Levels)-3, 0) : len(plan.Levels)-1]
	return all + usualRefinements*steps.Estimate(tokensPerSecond)
}

// Heaviest is the step of the greatest concurrency that is foreseen.
func (d AdaptiveSweep) Heaviest() (protocol.Step, error) { return d.usual().Heaviest() }

type adaptiveJSON AdaptiveSweep

// MarshalJSON writes the design with the name of its kind.
func (d AdaptiveSweep) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		kind
		adaptiveJSON
	}{kind{"adaptive"}, adaptiveJSON(d)})
}
