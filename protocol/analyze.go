package protocol

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// Confidence is that of all intervals of an [Analysis].
const Confidence = 0.95

// Replicate units of an [Analysis]: what differs between the values behind an interval.
const (
	UnitRestart      = "run with restart"
	UnitWithinServer = "run on one server (within-server)"
)

// An Analysis is what an experiment shows. It is derived from the experiment alone.
type Analysis struct {
	Unit string `json:"unit"` // what the intervals are over: UnitRestart or UnitWithinServer
	Runs int    `json:"runs"` // with at least one measurement

	// Workload is what was sent, nil where that is not stated. Models are all that were asked, and URLs all that the
	// servers had, each once, in the order in which they came; none where that is not known.
	Workload *Workload `json:"workload,omitempty"`
	Models   []string  `json:"models,omitempty"`
	URLs     []string  `json:"urls,omitempty"`

	// Accounting and Tokens are sums over all measured requests.
	Accounting loadgen.Accounting `json:"accounting"`
	Tokens     loadgen.Tokens     `json:"tokens"`

	// Stamps says what stamped the arrivals, over all measurements.
	Stamps loadgen.Stamps `json:"stamps,omitzero"`

	Points   []Point           `json:"points"`
	Knee     stats.KneeResult  `json:"knee"` // of the steady total throughput, over all points
	Warnings []loadgen.Warning `json:"warnings,omitempty"`
}

// A Point is one load condition and what all runs showed of it.
type Point struct {
	Arm         string `json:"arm,omitempty"`
	Input       int    `json:"input_tokens"`
	Output      int    `json:"output_tokens"`
	Concurrency int    `json:"concurrency"`
	Requests    int    `json:"requests"` // 0: bounded by time

	Warmup  int           `json:"warmup,omitempty"`       // requests that led the level in
	Timeout time.Duration `json:"timeout_ns,omitempty"`   // of a request; 0: none
	Trace   string        `json:"trace_sha256,omitempty"` // [loadgen.HashTrace] of the arrivals; "": they are no trace

	// Condition is how many requests can be in flight: the concurrency, or the number of requests where that is
	// less. Points of one condition are repeats of it.
	Condition int `json:"condition"`

	Runs []int `json:"runs"` // those that measured it, in their order

	// ClientJudged is in how many of the runs the level was long enough to know whether the client was the limit. Those in
	// which it was have the warning [loadgen.WarnClientBound].
	ClientJudged int `json:"client_judged,omitempty"`

	Estimates []Estimate     `json:"estimates"`
	Warnings  []PointWarning `json:"warnings,omitempty"`
}

// A PointWarning is a warning and the runs that gave rise to it. Its message is that of the first.
type PointWarning struct {
	loadgen.Warning
	Runs []int `json:"runs"`
}

// An Estimate is a figure over runs. The interval's estimate is the mean of the runs' values.
type Estimate struct {
	Name      string            `json:"name"` // as in [loadgen.Figure]
	Unit      string            `json:"unit"`
	Better    loadgen.Direction `json:"better"`
	Runs      []int             `json:"runs"`   // those that have the figure
	Values    []float64         `json:"values"` // of those runs
	Summary   stats.Summary     `json:"summary"`
	Interval  stats.Interval    `json:"interval"`
	SpoiledBy []string          `json:"spoiled_by,omitempty"` // codes of the point's warnings that forbid its use

	// Method is that of the runs' figures, as in [loadgen.Figure], where at least one has another than the exact one. "":
	// all are exact.
	Method string `json:"method,omitempty"`
}

// A SpoiledError says that a figure was measured under conditions that forbid its use.
type SpoiledError struct {
	Concurrency int
	Figure      string
	Codes       []string // of the warnings that spoil it
}

func (e *SpoiledError) Error() string {
	return fmt.Sprintf("%s at concurrency %d must not be used: %s", e.Figure, e.Concurrency, strings.Join(e.Codes, ", "))
}

// Figure finds the estimate called name of the first point at a concurrency. It returns the estimate and a
// [*SpoiledError] where a warning forbids its use, and another error where there is none.
func (a *Analysis) Figure(concurrency int, name string) (Estimate, error) {
	for i := range a.Points {
		if a.Points[i].Concurrency == concurrency {
			return a.Points[i].Figure(name)
		}
	}
	return Estimate{}, fmt.Errorf("no measurement at concurrency %d", concurrency)
}

// Figure finds the estimate called name, with the errors of [Analysis.Figure].
func (p *Point) Figure(name string) (Estimate, error) {
	for _, e := range p.Estimates {
		if e.Name != name {
			continue
		}
		if len(e.SpoiledBy) > 0 {
			return e, &SpoiledError{p.Concurrency, name, e.SpoiledBy}
		}
		return e, nil
	}
	return Estimate{}, fmt.Errorf("no run at concurrency %d has the figure %q", p.Concurrency, name)
}

// Codes of the warnings about an experiment, beside those of plans and levels.
const (
	WarnIncomplete      = "incomplete"         // the experiment was cut short
	WarnConditions      = "several-conditions" // points of one load differ in their warmup, timeout or trace
	WarnCutShortLeftOut = "cut-short-left-out" // a level that was cut short in one run is not in the point, which others have
)

// Valid reports whether the experiment was carried out to its end, with every level measured (see
// [loadgen.Result.Valid]). A valid one may still have figures that must not be used.
func (a *Analysis) Valid() bool {
	for _, w := range a.Warnings {
		if w.Code == WarnIncomplete {
			return false
		}
	}
	for _, p := range a.Points {
		for _, w := range p.Warnings {
			if w.Invalidates() {
				return false
			}
		}
	}
	return true
}

// Analyze derives what an experiment shows. Discarded steps have no part in it.
func Analyze(e *Experiment) *Analysis {
	a := &Analysis{Workload: e.Workload}
	for _, s := range e.Starts {
		if s.URL != "" && !slices.Contains(a.URLs, s.URL) {
			a.URLs = append(a.URLs, s.URL)
		}
	}
	var measured []Measurement
	for _, m := range e.Measurements {
		if !m.Step.Discard {
			measured = append(measured, m)
			a.Accounting.Add(m.Result.Accounting)
			a.Tokens.Add(m.Result.Tokens)
			a.Stamps.Add(m.Result.Stamps)
			for _, model := range m.Models {
				if !slices.Contains(a.Models, model) {
					a.Models = append(a.Models, model)
				}
			}
		}
	}
	a.Unit, a.Runs = replicates(measured)
	for _, group := range byCondition(measured) {
		whole := slices.DeleteFunc(slices.Clone(group), func(m Measurement) bool { return m.Result.CutShort })
		if cut := len(group) - len(whole); cut > 0 && len(whole) > 0 {
			a.warn(WarnCutShortLeftOut, "concurrency %d: %d of %d measurements were cut short, and are left out", group[0].Step.Level.Concurrency, cut, len(group))
			group = whole
		}
		a.Points = append(a.Points, newPoint(group, a.Unit))
	}
	if a.Unit == UnitWithinServer && a.Runs > 1 {
		a.warn(WarnWithinServer, "nothing shows that the %d runs had a server of their own each, so the intervals leave out what differs between starts, and are too narrow for the next one", a.Runs)
	}
	if a.Runs == 1 {
		a.warn(WarnSingleRun, "one run has no spread, so there is no interval")
	}
	if !e.Complete {
		a.warn(WarnIncomplete, "the experiment did not finish%s", because(e.Error))
	}
	a.warnConditions()
	a.warnRepeats()
	a.Knee = knee(a)
	return a
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (a *Analysis) warn(code, format string, args ...any) {
	a.Warnings = append(a.Warnings, loadgen.Warning{Code: code, Message: fmt.Sprintf(format, args...)})
}

// warnRepeats names the points that are repeats of one condition, so that nobody sees a plateau in them.
func (a *Analysis) warnRepeats() {
	type condition struct {
		arm                     string
		input, output, inFlight int
	}
	var order []condition
	same := map[condition][]int{}
	for _, p := range a.Points {
		c := condition{p.Arm, p.Input, p.Output, p.Condition}
		if same[c] == nil {
			order = append(order, c)
		}
		if !slices.Contains(same[c], p.Concurrency) {
			same[c] = append(same[c], p.Concurrency)
		}
	}
	for _, c := range order {
		if levels := same[c]; len(levels) > 1 {
			a.warn(WarnOneCondition, "%s are %d repeats of one condition, %d in flight; they are no plateau", levelList(levels), len(levels), c.inFlight)
		}
	}
}

// replicates tells what differs between runs: a run counts as a restart when the whole of it was measured on one
// instance, known by evidence, that no other run has. Each arm of a comparison has an instance of its own.
func replicates(measured []Measurement) (unit string, runs int) {
	type armRun struct {
		arm string
		run int
	}
	instance := map[armRun]string{}
	numbers := map[int]bool{}
	unit = UnitRestart
	for _, m := range measured {
		key := armRun{m.Step.Arm, m.Step.Run}
		before, seen := instance[key]
		if m.Instance == "" || seen && before != m.Instance {
			unit = UnitWithinServer
		}
		instance[key] = m.Instance
		numbers[m.Step.Run] = true
	}
	distinct := map[string]bool{}
	for _, id := range instance {
		distinct[id] = true
	}
	if len(distinct) < len(instance) {
		unit = UnitWithinServer
	}
	return unit, len(numbers)
}

// newPoint turns one value a run into estimates over runs.
func newPoint(group []Measurement, unit string) Point {
	s := group[0].Step
	p := Point{
		Arm: s.Arm, Input: s.Input, Output: s.Output, Concurrency: s.Level.Concurrency, Requests: s.Level.Requests,
		Warmup: s.Level.Warmup, Timeout: s.Level.Timeout, Trace: loadgen.HashTrace(s.Level.Arrivals.Trace),
		Condition: s.Level.Concurrency,
	}
	if p.Requests > 0 {
		p.Condition = min(p.Condition, p.Requests)
	}
	for _, m := range group {
		p.Runs = append(p.Runs, m.Step.Run)
		if m.Result.Client != nil && m.Result.Client.Verdict.Judged {
			p.ClientJudged++
		}
		for _, w := range m.Result.Warnings {
			p.addWarning(w, m.Step.Run)
		}
	}
	index := map[string]int{}
	for _, m := range group {
		for _, f := range m.Result.Figures {
			i, known := index[f.Name]
			if !known {
				i = len(p.Estimates)
				index[f.Name] = i
				p.Estimates = append(p.Estimates, Estimate{Name: f.Name, Unit: f.Unit, Better: f.Better})
			}
			p.Estimates[i].Runs = append(p.Estimates[i].Runs, m.Step.Run)
			p.Estimates[i].Values = append(p.Estimates[i].Values, f.Value)
			p.Estimates[i].Method = cmp.Or(p.Estimates[i].Method, f.Method)
		}
	}
	for i := range p.Estimates {
		e := &p.Estimates[i]
		// Figures that are not numbers cannot come out of loadgen; from a journal written by somebody else they can.
		// Then there is neither summary nor interval, which is what the zero values say.
		e.Summary, _ = stats.Summarize(e.Values)
		e.Interval, _ = stats.MeanInterval(e.Values, Confidence, unit)
		for _, w := range p.Warnings {
			if w.SpoilsFigure(e.Name) {
				e.SpoiledBy = append(e.SpoiledBy, w.Code)
			}
		}
	}
	return p
}

func (p *Point) addWarning(w loadgen.Warning, run int) {
	i := slices.IndexFunc(p.Warnings, func(known PointWarning) bool { return known.Code == w.Code })
	if i < 0 {
		i = len(p.Warnings)
		p.Warnings = append(p.Warnings, PointWarning{Warning: w})
	}
	known := &p.Warnings[i]
	known.Runs = append(known.Runs, run)
	for _, s := range w.Spoils { // a warning may spoil more in one run than in another
		if !slices.Contains(known.Spoils, s) {
			known.Spoils = append(slices.Clip(known.Spoils), s)
		}
	}
}

// knee applies the rule of package stats to the steady total throughput of the complete runs. It answers only when
// no level is spoiled: the knee is a statement about all the levels that were tested.
func knee(a *Analysis) stats.KneeResult {
	unresolved := func(format string, args ...any) stats.KneeResult {
		return stats.KneeResult{Low: math.NaN(), High: math.NaN(), Reason: fmt.Sprintf(format, args...), N: a.Runs, Unit: a.Unit}
	}
	if len(a.Points) == 0 {
		return unresolved("nothing was measured")
	}
	spoiled := map[string][]int{}
	var codes []string
	for i := range a.Points {
		p := &a.Points[i]
		if p.Arm != a.Points[0].Arm || p.Input != a.Points[0].Input || p.Output != a.Points[0].Output {
			return unresolved("the levels differ in more than their concurrency")
		}
		code := p.spoiler(loadgen.SteadyTotalThroughput)
		if _, err := p.Figure(loadgen.SteadyTotalThroughput); code == "" && err != nil {
			code = "no steady throughput"
		}
		if code != "" {
			if spoiled[code] == nil {
				codes = append(codes, code)
			}
			spoiled[code] = append(spoiled[code], p.Concurrency)
		}
	}
	if len(codes) > 0 {
		var reasons []string
		for _, code := range codes {
			where := "at " + levelList(spoiled[code])
			if code == loadgen.WarnPromptCapped {
				where = fmt.Sprintf("at %d (%s)", cappedAt(a), levelList(spoiled[code]))
			}
			reasons = append(reasons, code+" "+where)
		}
		return unresolved("%s", strings.Join(reasons, "; "))
	}

	points := slices.SortedStableFunc(slices.Values(a.Points), func(x, y Point) int { return x.Concurrency - y.Concurrency })
	levels := make([]float64, len(points))
	for j, p := range points {
		levels[j] = float64(p.Concurrency)
	}
	var runs [][]float64
	for _, run := range points[0].Runs {
		values := make([]float64, 0, len(points))
		for _, p := range points {
			e, _ := p.Figure(loadgen.SteadyTotalThroughput)
			if i := slices.Index(e.Runs, run); i >= 0 {
				values = append(values, e.Values[i])
			}
		}
		if len(values) == len(points) {
			runs = append(runs, values)
		}
	}
	result, err := stats.Knee(levels, runs)
	if err != nil {
		return unresolved("%v", err)
	}
	result.Unit = a.Unit
	return result
}

// spoiler is the code of the first warning that forbids the use of a figure, whether or not there is one; "" for none.
func (p *Point) spoiler(name string) string {
	for _, w := range p.Warnings {
		if w.SpoilsFigure(name) {
			return w.Code
		}
	}
	return ""
}

// cappedAt is the number of requests in flight that no capped level got beyond.
func cappedAt(a *Analysis) int {
	most := 0
	for _, p := range a.Points {
		if p.Condition < p.Concurrency {
			most = max(most, p.Condition)
		}
	}
	return most
}

// Save writes the analysis to [ResultsFile] in dir.
func (a *Analysis) Save(dir string) error { return writeJSON(dir, ResultsFile, a) }
