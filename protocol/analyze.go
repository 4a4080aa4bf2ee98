package protocol

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/stats"
)

// Confidence is that of all intervals of an [Analysis].
const Confidence = 0.95

// Replicate units of an [Analysis]: what differs between the values behind an interval.
const (
	UnitRestart      = "run with restart"
	UnitWithinServer = "run on one server (within-server)"
)

// ResultsSchema is the version of the shape of an Analysis in JSON, as [ResultsFile] holds it. It changes when a
// reader of the old shape would read the new one wrongly; members may be added without.
const ResultsSchema = 1

// An Analysis is what an experiment shows. It is derived from the experiment alone.
type Analysis struct {
	Schema int             `json:"schema"`                // [ResultsSchema]
	Tool   string          `json:"tool,omitempty"`        // the program that measured, as in [Experiment]
	Time   time.Time       `json:"time"`                  // when the experiment began
	Design json.RawMessage `json:"design,omitempty"`      // what was carried out
	Host   string          `json:"environment,omitempty"` // [envinfo.Environment.Hash] of where it was; "": not known

	// Machines say in words on which machine the client was, and on which the server.
	Machines Machines `json:"machines,omitzero"`

	// Unwatched is why a probe saw nothing at all, by its name.
	Unwatched map[string]string `json:"unwatched,omitempty"`

	Unit string `json:"unit"` // what the intervals are over: UnitRestart or UnitWithinServer
	Runs int    `json:"runs"` // with at least one measurement

	// Starts are those of the server, in their order, with what may differ between them.
	Starts []StartRecord `json:"starts,omitempty"`

	// Workload is what was sent, nil where that is not stated. Models are all that were asked, and URLs all that the
	// servers had, each once, in the order in which they came; none where that is not known.
	Workload *workload.Description `json:"workload,omitempty"`
	Models   []string              `json:"models,omitempty"`
	URLs     []string              `json:"urls,omitempty"`

	// Accounting and Tokens are sums over all measured requests.
	Accounting loadgen.Accounting `json:"accounting"`
	Tokens     loadgen.Tokens     `json:"tokens"`

	// Stamps says what stamped the arrivals, over all measurements.
	Stamps loadgen.Stamps `json:"stamps,omitzero"`

	// Client is what the client was seen to sustain, the latest time; nil where it was not measured.
	Client *ClientCheck `json:"client,omitempty"`

	Points []Point `json:"points"`

	// Drift is that of the figure KneeOf over the order of the runs, and TTFTDrift that of the mean TTFT; nil where it
	// cannot be told.
	Drift     *stats.DriftResult `json:"drift,omitempty"`
	TTFTDrift *stats.DriftResult `json:"ttft_drift,omitempty"`

	// Tries are those of the levels that were measured more than once ([Retry]), in the order in which they were made.
	Tries []Try `json:"tries,omitempty"`

	// Imported is the name of the format that the experiment was read from, where another tool measured; "": ours.
	Imported string `json:"imported,omitempty"`

	// Knee is that of the figure KneeOf: the steady total throughput, or over rates, which have no steady window, the total
	// throughput. It is over all points, or, of a design with stages, over those of its widest sweep. What was imported
	// has no steady throughput, and its knee is of one over the makespan, start and drain included.
	Knee   stats.KneeResult `json:"knee"`
	KneeOf string           `json:"knee_of,omitempty"`

	// Findings are what the design concludes, where it is one that does ([Conclude]).
	Findings []Finding `json:"findings,omitempty"`

	Warnings []loadgen.Warning `json:"warnings,omitempty"`
}

// Codes of the warnings about an experiment, beside those of plans and levels.
const (
	WarnIncomplete      = "incomplete"         // the experiment was cut short
	WarnSeveralStarts   = "several-starts"     // a run was measured on more than one start of its server
	WarnShortened       = "shortened"          // the design left a part of itself out
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

// Codes are those of all warnings, of the experiment and of its points, each once.
func (a *Analysis) Codes() []string {
	all := slices.Clone(a.Warnings)
	for _, p := range a.Points {
		for _, w := range p.Warnings {
			all = append(all, w.Warning)
		}
	}
	return codesOf(all)
}

// Analyze derives what an experiment shows. Discarded steps have no part in it.
func Analyze(e *Experiment) *Analysis {
	a := &Analysis{Schema: ResultsSchema, Tool: e.Tool, Time: e.Time, Design: e.Design, Workload: e.Workload}
	if e.Environment != nil {
		a.Host = e.Environment.Hash()
	}
	for _, s := range e.Starts {
		if s.URL != "" && !slices.Contains(a.URLs, s.URL) {
			a.URLs = append(a.URLs, s.URL)
		}
	}
	var measured []Measurement
	for _, m := range settled(e.Measurements) {
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
	lookAtAnswers(measured)
	a.Machines, a.Unwatched = machines(e), unwatched(measured)
	a.Unit, a.Runs = replicates(measured)
	for _, group := range byCondition(measured) {
		whole := slices.DeleteFunc(slices.Clone(group), func(m Measurement) bool { return m.Result.CutShort })
		if cut := len(group) - len(whole); cut > 0 && len(whole) > 0 {
			a.warn(WarnCutShortLeftOut, "%v: %d of %d measurements were cut short, and are left out", loadOf(group[0].Step), cut, len(group))
			group = whole
		}
		p := newPoint(group, a.Unit)
		p.Spread = newSpread(group, restartCost(e), a.Unit)
		p.Headroom = generatorHeadroom(group)
		a.Points = append(a.Points, p)
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
	a.warnArmsAsked(e)
	a.warnOfServers(e)
	a.compareStarts(e.Starts)
	a.warnSeveralStarts(measured)
	a.retried(e.Measurements)
	if e.Shortened != "" {
		a.warn(WarnShortened, "%s", e.Shortened)
	}
	if n := len(e.Clients); n > 0 {
		a.Client = &e.Clients[n-1]
	}
	a.headrooms()
	a.KneeOf = kneeFigure(a.Points)
	points := a.Points
	if e.Import != nil {
		a.Imported = e.Import.Format
		a.Warnings = append(a.Warnings, e.Import.Warnings...)
		points, a.KneeOf = importedKnee(a)
	}
	a.drifts()
	a.Knee = knee(a, points, sweepRuns(measured))
	if e.Import != nil {
		a.Knee.Reason = number.Sprintf("by %s over the makespan, start and drain included, for want of a steady window: %s",
			a.KneeOf, a.Knee.Reason)
	}
	return a
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (a *Analysis) warn(code, format string, args ...any) {
	a.Warnings = append(a.Warnings, loadgen.Warning{Code: code, Message: number.Sprintf(format, args...)})
}

// warnRepeats names the points that are repeats of one condition, so that nobody sees a plateau in them.
func (a *Analysis) warnRepeats() {
	type condition struct {
		arm                     string
		input, output, inFlight int
		unit                    loadgen.Unit
	}
	var order []condition
	same := map[condition][]int{}
	for _, p := range a.Points {
		if p.Open() {
			continue
		}
		c := condition{p.Arm, p.Input, p.Output, p.Condition, p.Unit}
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

// warnOfServers takes over what was noticed at the server's starts and stops, each thing once.
func (a *Analysis) warnOfServers(e *Experiment) {
	times := map[string]int{}
	var first []loadgen.Warning
	note := func(warnings []loadgen.Warning) {
		for _, w := range warnings {
			if times[w.Code]++; times[w.Code] == 1 {
				first = append(first, w)
			}
		}
	}
	for _, s := range e.Starts {
		note(s.Warnings)
	}
	for _, s := range e.Stops {
		note(s.Warnings)
	}
	for _, w := range first {
		if n := times[w.Code]; n > 1 {
			w.Message = number.Sprintf("%s (%d times)", w.Message, n)
		}
		a.Warnings = append(a.Warnings, w)
	}
}

// replicates tells what differs between runs: a run counts as a restart when all of it was measured on instances,
// known by evidence, that no other run has. Mostly that is one; a run that was taken up again, or whose server died,
// has several. Each arm of a comparison has instances of its own.
func replicates(measured []Measurement) (unit string, runs int) {
	type armRun struct {
		arm string
		run int
	}
	owner := map[string]armRun{}
	numbers := map[int]bool{}
	unit = UnitRestart
	for _, m := range measured {
		of := armRun{m.Step.Arm, m.Step.Run}
		before, known := owner[m.Instance]
		if m.Instance == "" || known && before != of {
			unit = UnitWithinServer
		}
		owner[m.Instance] = of
		numbers[m.Step.Run] = true
	}
	return unit, len(numbers)
}

// warnSeveralStarts names the runs in which the server was started anew, as where the experiment was taken up again.
func (a *Analysis) warnSeveralStarts(measured []Measurement) {
	instances := map[int][]string{}
	var several []int
	for _, m := range measured {
		run := m.Step.Run
		id := m.Step.Arm + " " + m.Instance
		if m.Instance == "" || slices.Contains(instances[run], id) {
			continue
		}
		instances[run] = append(instances[run], id)
		same := slices.DeleteFunc(slices.Clone(instances[run]), func(other string) bool { return !strings.HasPrefix(other, m.Step.Arm+" ") })
		if len(same) == 2 {
			several = append(several, run)
		}
	}
	if len(several) > 0 {
		a.warn(WarnSeveralStarts, "in run %s the server was started anew between levels: they are of one run and of several starts", numberList(several))
	}
}

// Save writes the analysis to [ResultsFile] in dir.
func (a *Analysis) Save(dir string) error { return writeJSON(dir, ResultsFile, a) }
