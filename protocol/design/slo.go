package design

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// An SLO finds the largest load that keeps all limits at once: "p99 TTFT below 500 ms, and 99 % of the requests within
// their objectives". It sweeps levels a factor of two apart, and then halves the gap between the last that keeps the
// limits and the next, with fresh runs at each step.
//
// A level counts where all limits are shown to hold there, and at each of the sweep below it: the whole interval of each
// figure is within its limit. What is claimed too much is so in 2.5 % of the experiments at most: half of that goes to the
// sweep, which ends at the first level that does not count, and half to the steps of the refinement together. That all
// limits have to hold makes no claim more likely to be false.
type SLO struct {
	// Plan is what a run is. Its Runs are those of the sweep and of each step: 3 at least, and 5 are worth their time. Its
	// Levels or Rates are the sweep's, ascending; neither: concurrencies that a pilot finds, from 1 up, doubled, until a
	// limit is broken.
	Plan protocol.Plan `json:"plan"`

	// Limits are what is to be kept at every load: their At is left zero.
	Limits []protocol.Limit `json:"limits"`

	// Most is the highest concurrency that a pilot may go to. 0: 4096.
	Most int `json:"most,omitempty"`
}

const (
	sloFalse = 0.025 // of the experiments may claim too much
	sloSteps = 3     // of the refinement, at most
	sloNear  = 1.1   // ends whose ratio is no more are near enough
)

// Two-sided confidences, of which one side is what a claim may be wrong by.
const (
	sweepConfidence = 1 - sloFalse            // half of it, one-sided
	stepConfidence  = 1 - sloFalse/sloSteps   // the other half, over the steps
	sloTail         = "2.5 % over all claims" // in words
)

// Next implements [protocol.Design].
func (d SLO) Next(done []protocol.Measurement) (protocol.Step, error) {
	return nextWithin(d.Plan.Budget, d, done)
}

func (d SLO) next(done []protocol.Measurement) (protocol.Step, error) { return d.after(done).next() }

// Shortened says what the budget left no time for; "" where that is nothing.
func (d SLO) Shortened(done []protocol.Measurement) string { return leftOut(d.Plan.Budget, d, done) }

// sloState is where the search is.
type sloState struct {
	walk

	low, high judgedLevel // the last level that counts, and the first above it that does not; Level 0: none
	judged    []judgedLevel
	unit      string
	over      string // why it is
}

// after is the state after what was done.
func (d SLO) after(done []protocol.Measurement) *sloState {
	state := &sloState{walk: walk{plan: d.Plan, done: done}}
	levels, over := levelsOf(d.Plan), true
	if len(levels) == 0 {
		discard := func(s *protocol.Step) { s.Discard = true }
		levels, over = state.pilot(d.Plan, d.most(), discard, d.pilotLevels)
	}
	if over && d.sweep(state, levels) {
		d.refine(state)
	}
	return state
}

// sweep goes upwards until a level does not count, each tried at the same confidence: the first that fails ends it. It
// reports whether there is one.
func (d SLO) sweep(state *sloState, levels []float64) bool {
	given := len(levelsOf(d.Plan)) > 0
	for {
		s, over := state.stage(levels)
		if !over {
			return false
		}
		analysis := s.analysis(state.done)
		state.unit = analysis.Unit
		for _, l := range levels {
			j := d.judge(analysis, s.measured(state.done), l, sweepConfidence)
			state.judged = append(state.judged, j)
			if j.Decision != protocol.Holds {
				state.high = j
				return true
			}
			state.low = j
		}
		last := levels[len(levels)-1]
		if given || int(2*last) > d.most() {
			state.over = "it is the highest that was to be measured"
			return false
		}
		levels = []float64{2 * last}
	}
}

// refine halves the gap between the ends.
func (d SLO) refine(state *sloState) {
	for range sloSteps {
		x := d.middle(state.low.Level, state.high.Level)
		if math.IsNaN(x) {
			state.over = "nothing is left between them that is worth a step"
			return
		}
		s, over := state.stage([]float64{x})
		if !over {
			return
		}
		j := d.judge(s.analysis(state.done), s.measured(state.done), x, stepConfidence)
		state.judged = append(state.judged, j)
		if j.Decision == protocol.Holds {
			state.low = j
		} else {
			state.high = j
		}
	}
	state.over = number.Sprintf("%d steps of refinement are all that there may be", sloSteps)
}

// middle is the geometric middle of two levels: a whole concurrency, or a rate in three digits; half the higher where
// there is no lower; NaN where they are near enough.
func (d SLO) middle(low, high float64) float64 {
	if high/low <= sloNear {
		return math.NaN()
	}
	x := math.Sqrt(low * high)
	if low == 0 {
		x = high / 2
	}
	if len(d.Plan.Rates) > 0 {
		scale := math.Pow(10, 2-math.Floor(math.Log10(x)))
		return math.Round(x*scale) / scale
	}
	if x = math.Round(x); x <= low || x >= high {
		return math.NaN()
	}
	return x
}

// pilotLevels are those that a sweep should have: from two below the first level at which a limit is broken, as one run
// tells, to one above it. over: it has been seen.
func (d SLO) pilotLevels(own []protocol.Measurement) (levels []float64, over bool) {
	var all []float64
	for _, m := range own {
		if m.Step.Run < 1 || m.Step.Seq == 0 && (d.Plan.Warmup > 0 || d.Plan.WarmUntilSteady > 0) {
			continue // what leads the run in
		}
		c := float64(m.Step.Level.Concurrency)
		if n := len(all); n == 0 || all[n-1] != c { // no other try
			all = append(all, c)
		}
		if !d.keeps(m) {
			over = true
			break
		}
	}
	n := len(all)
	if n == 0 {
		return nil, false
	}
	levels = slices.Clone(all[max(n-3, 0):])
	if last := all[n-1]; over && int(2*last) <= d.most() {
		levels = append(levels, 2*last)
	}
	return levels, over || int(2*all[n-1]) > d.most()
}

// limits are all of them in words.
func (d SLO) limits() string {
	var all []string
	for _, l := range d.Limits {
		all = append(all, l.String())
	}
	return strings.Join(all, ", ")
}

func (d SLO) most() int {
	if d.Most > 0 {
		return d.Most
	}
	return adaptiveMost
}

// Conclude implements [protocol.Concluder]: the largest load that keeps the limits.
func (d SLO) Conclude(done []protocol.Measurement) []protocol.Finding {
	s := d.after(done)
	f := protocol.Finding{Name: "largest load with " + d.limits(), Answer: "not shown"}
	at := func(l judgedLevel) string {
		if len(d.Plan.Rates) > 0 {
			return number.Sprintf("%g/s", l.Level)
		}
		return number.Sprintf("concurrency %g", l.Level)
	}
	var reasons []string
	if s.low.Level > 0 {
		f.Answer, f.Decision = at(s.low), protocol.Holds
		var intervals []string
		for i, l := range d.Limits {
			intervals = append(intervals, number.Sprintf("%s %s", l.Figure, inUnit(s.low.Intervals[i], s.low.units[i])))
		}
		reasons = append(reasons, number.Sprintf("%s keeps them (%s; too much is claimed in %s)", at(s.low),
			strings.Join(intervals, ", "), sloTail))
	}
	switch {
	case s.high.Level > 0:
		if s.low.Level == 0 && s.high.Decision == protocol.Broken { // and nothing below it was shown to keep them
			f.Decision = protocol.Broken
		}
		reasons = append(reasons, number.Sprintf("%s is not shown to (%s)", at(s.high), s.high.Why))
	case s.low.Level > 0:
		f.Answer = "at least " + f.Answer
	default:
		reasons = append(reasons, "no sweep was finished")
	}
	if s.over != "" {
		reasons = append(reasons, s.over)
	}
	if s.on != nil && len(done) > 0 {
		reasons = append(reasons, "the search is not over")
	}
	f.Reason = strings.Join(reasons, "; ")
	f.Detail, _ = json.Marshal(struct {
		Levels []judgedLevel `json:"levels"`
	}{s.judged})
	if s.unit == protocol.UnitWithinServer {
		f.Warnings = append(f.Warnings, withinServer)
	}
	return []protocol.Finding{f}
}

// Check implements [protocol.Planned].
func (d SLO) Check() ([]loadgen.Warning, error) {
	if d.Plan.Runs < leastRuns {
		return nil, invalid("runs", d.Plan.Runs, "at least 3, for an interval that is worth having; 5 are better")
	}
	if len(d.Limits) == 0 {
		return nil, invalid("limits", "none", "at least one, such as ttft_p99<500ms")
	}
	for _, l := range d.Limits {
		if err := l.Validate(); err != nil {
			return nil, err
		}
		if l.Backwards() {
			return nil, invalid("limit", l.String(), "a bound on the side on which a figure is bad, as in ttft_p99<500ms or attainment>=99%")
		}
		if l.At != (protocol.Load{}) {
			return nil, invalid("limit", l.String(), "one for every load, without a load of its own: that is what is searched for")
		}
		if strings.HasPrefix(l.Figure, loadgen.Attainment) && len(d.Plan.Objectives) == 0 {
			return nil, invalid("limit", l.String(), "objectives of requests with it, of which it is the attainment")
		}
	}
	if replays(d.Plan) {
		return nil, unsearchable(d.Plan)
	}
	if d.Most < 0 {
		return nil, invalid("highest level", d.Most, "0 (4096) or more")
	}
	if levels := levelsOf(d.Plan); !slices.IsSorted(levels) {
		return nil, invalid("levels", levels, "ascending; -order says in which order they are measured")
	}
	return d.usual().Check()
}

func (d SLO) usual() protocol.Plan { return usual(d.Plan, d.most()) }

// Outline implements [protocol.Planned].
func (d SLO) Outline() protocol.Outline {
	o := protocol.Outline{Kind: "largest load within limits", Plan: d.usual()}
	o.Lines = append(o.Lines, "limits: "+d.limits())
	if len(d.Plan.Levels)+len(d.Plan.Rates) == 0 {
		o.Lines = append(o.Lines, number.Sprintf(
			"pilot: a run of its own, from 1 up, doubled, until a limit is broken, or %d; it counts in no test", d.most()),
			"sweep: four levels about where that was (shown is an example)")
	}
	o.Lines = append(o.Lines, number.Sprintf("refinement: up to %d steps of %d runs at one level each", sloSteps, d.Plan.Runs))
	return o
}

// Estimate is about how long it takes on a server of so many input and output tokens/s, without its starts.
func (d SLO) Estimate(tokensPerSecond float64) time.Duration {
	plan := d.usual()
	all := plan.Estimate(tokensPerSecond)
	levels := levelsOf(plan)
	step := stageOf(plan, 1, 0, levels[len(levels)-1:]).plan
	return all + sloSteps*step.Estimate(tokensPerSecond)
}

// Heaviest is the step of the greatest load that is foreseen.
func (d SLO) Heaviest() (protocol.Step, error) { return d.usual().Heaviest() }

type sloJSON SLO

// MarshalJSON writes the design with the name of its kind.
func (d SLO) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		kind
		sloJSON
	}{kind{"slo"}, sloJSON(d)})
}
