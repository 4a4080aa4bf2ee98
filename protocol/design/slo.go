package design

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
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
	if len(done) == 0 {
		if err := d.validate(); err != nil {
			return protocol.Step{}, err
		}
	}
	at := d.after(done)
	if at.stage == nil {
		return protocol.Step{}, io.EOF
	}
	step, err := d.step(*at.stage, at.pilot, done)
	if err == nil && overBudget(d.Plan.Budget, step, done) != "" {
		return protocol.Step{}, io.EOF
	}
	return step, err
}

// step is the next one of a stage; one of the pilot is discarded.
func (d SLO) step(s stage, pilot bool, done []protocol.Measurement) (protocol.Step, error) {
	step, err := s.next(done)
	step.Discard = step.Discard || pilot
	return step, err
}

// A judged level is what was found at it.
type judgedLevel struct {
	Level     float64           `json:"level"`
	Decision  protocol.Decision `json:"decision"`  // of all limits at once
	Intervals []stats.Interval  `json:"intervals"` // of the figures, in the order of the limits
	Why       string            `json:"why"`       // it does not count; "": it does
	units     []string          // of the intervals
}

// sloState is where the search is.
type sloState struct {
	stage *stage // that goes on; nil: it is over
	pilot bool

	low, high judgedLevel // the last level that counts, and the first above it that does not; Level 0: none
	judged    []judgedLevel
	unit      string
	open      bool   // levels are rates
	over      string // why it is
}

// after is the state after what was done.
func (d SLO) after(done []protocol.Measurement) sloState {
	levels, number, before := levelsOf(d.Plan), 1, 0
	state := sloState{open: len(d.Plan.Rates) > 0}
	if len(levels) == 0 {
		plan := d.Plan
		plan.Runs, plan.Order = 1, protocol.AsGiven
		pilot := stageOf(plan, 1, 0, doubling(1, d.most()))
		found, over := d.pilotLevels(pilot.own(done))
		if !over && !pilot.over(done) {
			state.stage, state.pilot = &pilot, true
			return state
		}
		levels, number, before = found, 2, 1
	}
	given := len(levelsOf(d.Plan)) > 0
	for { // upwards, until a level does not count, each time tried at the same confidence: the first that fails ends it
		sweep := stageOf(d.Plan, number, before, levels)
		if !sweep.over(done) {
			state.stage = &sweep
			return state
		}
		number, before = number+1, before+d.Plan.Runs
		analysis := sweep.analysis(done)
		state.unit = analysis.Unit
		for _, l := range levels {
			j := d.judge(analysis, sweep.measured(done), l, sweepConfidence)
			state.judged = append(state.judged, j)
			if j.Decision != protocol.Holds {
				state.high = j
				break
			}
			state.low = j
		}
		last := levels[len(levels)-1]
		if state.high.Level > 0 || given || int(2*last) > d.most() {
			break
		}
		levels = []float64{2 * last}
	}
	if state.high.Level == 0 {
		state.over = "it is the highest that was to be measured"
		return state
	}
	for range sloSteps {
		x := d.middle(state.low.Level, state.high.Level)
		if math.IsNaN(x) {
			state.over = "nothing is left between them that is worth a step"
			return state
		}
		s := stageOf(d.Plan, number, before, []float64{x})
		if !s.over(done) {
			state.stage = &s
			return state
		}
		number, before = number+1, before+d.Plan.Runs
		j := d.judge(s.analysis(done), s.measured(done), x, stepConfidence)
		state.judged = append(state.judged, j)
		if j.Decision == protocol.Holds {
			state.low = j
		} else {
			state.high = j
		}
	}
	state.over = fmt.Sprintf("%d steps of refinement are all that there may be", sloSteps)
	return state
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
			problem = fmt.Sprintf("%v is %v: %s", l, decision, inUnit(v, unit))
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
		return v, protocol.Undecided, fmt.Sprintf("%s: %v", l.Figure, err)
	}
	if decision, err = l.Decide(v, e.Unit); err != nil {
		return v, protocol.Undecided, err.Error()
	}
	return v, decision, ""
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

func (d SLO) most() int {
	if d.Most > 0 {
		return d.Most
	}
	return adaptiveMost
}

// Conclude implements [protocol.Concluder]: the largest load that keeps the limits.
func (d SLO) Conclude(done []protocol.Measurement) []protocol.Finding {
	s := d.after(done)
	var limits []string
	for _, l := range d.Limits {
		limits = append(limits, l.String())
	}
	f := protocol.Finding{Name: "largest load with " + strings.Join(limits, ", "), Answer: "not shown"}
	at := func(l judgedLevel) string {
		if s.open {
			return fmt.Sprintf("%g/s", l.Level)
		}
		return fmt.Sprintf("concurrency %g", l.Level)
	}
	var reasons []string
	if s.low.Level > 0 {
		f.Answer = at(s.low)
		var intervals []string
		for i, l := range d.Limits {
			intervals = append(intervals, fmt.Sprintf("%s %s", l.Figure, inUnit(s.low.Intervals[i], s.low.units[i])))
		}
		reasons = append(reasons, fmt.Sprintf("%s keeps them (%s; too much is claimed in %s)", at(s.low),
			strings.Join(intervals, ", "), sloTail))
	}
	switch {
	case s.high.Level > 0:
		reasons = append(reasons, fmt.Sprintf("%s is not shown to (%s)", at(s.high), s.high.Why))
	case s.low.Level > 0:
		f.Answer = "at least " + f.Answer
	default:
		reasons = append(reasons, "no sweep was finished")
	}
	if s.over != "" {
		reasons = append(reasons, s.over)
	}
	if s.stage != nil && len(done) > 0 {
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

// Shortened says what the budget left no time for; "" where that is nothing.
func (d SLO) Shortened(done []protocol.Measurement) string {
	at := d.after(done)
	if at.stage == nil {
		return ""
	}
	step, err := d.step(*at.stage, at.pilot, done)
	if err != nil {
		return ""
	}
	return overBudget(d.Plan.Budget, step, done)
}

// Check implements [protocol.Planned].
func (d SLO) Check() ([]loadgen.Warning, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	return d.usual().Check()
}

// usual is the plan of a sweep.
func (d SLO) usual() protocol.Plan {
	plan := d.Plan
	if len(plan.Levels)+len(plan.Rates) == 0 {
		plan.Levels = whole(doubling(1, min(d.most(), 1<<(usualLevels-1))))
	}
	return plan
}

func (d SLO) validate() error {
	if d.Plan.Runs < leastRuns {
		return invalid("runs", d.Plan.Runs, "at least 3, for an interval that is worth having; 5 are better")
	}
	if len(d.Limits) == 0 {
		return invalid("limits", "none", "at least one, such as ttft_p99<500ms")
	}
	for _, l := range d.Limits {
		if err := l.Validate(); err != nil {
			return err
		}
		if l.At != (protocol.Load{}) {
			return invalid("limit", l.String(), "one for every load, without a load of its own: that is what is searched for")
		}
		if strings.HasPrefix(l.Figure, loadgen.Attainment) && len(d.Plan.Objectives) == 0 {
			return invalid("limit", l.String(), "objectives of requests with it, of which it is the attainment")
		}
	}
	if err := searchable(d.Plan); err != nil {
		return err
	}
	if d.Most < 0 {
		return invalid("highest level", d.Most, "0 (4096) or more")
	}
	if levels := levelsOf(d.Plan); !slices.IsSorted(levels) {
		return invalid("levels", levels, "ascending; -order says in which order they are measured")
	}
	_, err := d.usual().Check()
	return err
}

// Outline implements [protocol.Planned].
func (d SLO) Outline() protocol.Outline {
	o := protocol.Outline{Kind: "largest load within limits", Plan: d.usual()}
	var limits []string
	for _, l := range d.Limits {
		limits = append(limits, l.String())
	}
	o.Lines = append(o.Lines, "limits: "+strings.Join(limits, ", "))
	if len(d.Plan.Levels)+len(d.Plan.Rates) == 0 {
		o.Lines = append(o.Lines, fmt.Sprintf(
			"pilot: a run of its own, from 1 up, doubled, until a limit is broken, or %d; it counts in no test", d.most()),
			"sweep: four levels about where that was (shown is an example)")
	}
	o.Lines = append(o.Lines, fmt.Sprintf("refinement: up to %d steps of %d runs at one level each", sloSteps, d.Plan.Runs))
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
