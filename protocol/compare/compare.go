package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// Options say how two sides are compared. They are to be fixed before the results are seen. The zero Options is ready
// for use.
type Options struct {
	// Margin is the largest relative difference that does not matter: 0.02 for 2 %. 0: DefaultMargin.
	Margin float64

	// Figures are those to compare, by name. nil: [DefaultFigures], of which percentiles of too few requests to bound
	// them ([protocol.WarnFewSamples]) are left out, and shares of requests that are 100 % on both sides.
	Figures []string

	// Anyway compares what differs in hardware or load.
	Anyway bool
}

// DefaultMargin is 2 %.
const DefaultMargin = 0.02

// DefaultFigures are compared where nobody says which: few, because each one more makes all of them harder to decide,
// and none that says what another says already.
func DefaultFigures() []string {
	return []string{
		loadgen.OutputThroughput, loadgen.InputThroughput, // of which a level has one
		loadgen.QuantileName(loadgen.TTFT, 50), loadgen.QuantileName(loadgen.TTFT, 99),
		loadgen.QuantileName(loadgen.TPOT, 50),
		loadgen.QuantileName(loadgen.E2E, 50), loadgen.QuantileName(loadgen.E2E, 99),
		loadgen.SuccessRate, loadgen.Attainment, protocol.EnergyPerToken,
	}
}

// An Outcome is what a comparison says of all figures together.
type Outcome int

const (
	Undecided    Outcome = iota // no figure was shown to be worse, and not all of them to be no worse
	NoRegression                // each figure is equivalent within the margin, or better
	Regression                  // a figure at least is worse, and not all are equivalent or better
)

var outcomes = [...]string{"undecided", "no regression", "regression"}

func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomes) {
		return "Outcome(" + strconv.Itoa(int(o)) + ")"
	}
	return outcomes[o]
}

// MarshalText writes "undecided", "no regression" or "regression".
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what [Outcome.MarshalText] writes.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomes[:], string(text))
	if i < 0 {
		return &loadgen.InvalidError{Field: "outcome", Value: strconv.Quote(string(text)), Want: strings.Join(outcomes[:], ", ")}
	}
	*o = Outcome(i)
	return nil
}

// ResultSchema is the version of the shape of a Result in JSON.
const ResultSchema = 1

// A Result is what a comparison of two sides shows.
type Result struct {
	Schema     int     `json:"schema"` // [ResultSchema]
	A          Summary `json:"a"`
	B          Summary `json:"b"`
	Margin     float64 `json:"margin"`
	Confidence float64 `json:"confidence"` // of all verdicts together
	Unit       string  `json:"unit"`       // what each value is one of

	Outcome Outcome `json:"outcome"`
	// RunsToDecide, where it is undecided, is the most that a figure takes to be decided four times in five, in values
	// a side that are measured afresh. 0: it cannot be said.
	RunsToDecide int `json:"runs_to_decide,omitempty"`

	Figures     []Figure          `json:"figures"`
	LeftOut     []LeftOut         `json:"left_out,omitempty"`
	Differences []Difference      `json:"differences,omitempty"`
	Warnings    []loadgen.Warning `json:"warnings,omitempty"`
}

// A Summary says which experiments a side is of.
type Summary struct {
	Name        string    `json:"name"`
	Time        time.Time `json:"time"` // of the first
	Tool        string    `json:"tool,omitempty"`
	Experiments int       `json:"experiments"`
	Runs        int       `json:"runs"` // of all
}

// A Figure is one figure at one load, on both sides.
type Figure struct {
	Load   protocol.Load     `json:"load"`
	Name   string            `json:"name"`
	Unit   string            `json:"unit"`
	Better loadgen.Direction `json:"better"`
	A      []float64         `json:"a"`
	B      []float64         `json:"b"`

	// Alone is the verdict on this figure as if no other were looked at, and Verdict that which holds beside all
	// others: any false one among these has a probability of 5 % at most. Faster is better and slower is worse,
	// whatever the figure. Ratios are b over a.
	Alone   stats.Verdict `json:"alone"`
	Verdict stats.Verdict `json:"verdict"`

	counts [2][]stats.Count // of a share
}

// A LeftOut is what was not compared, and why.
type LeftOut struct {
	Load   protocol.Load `json:"load"`
	Figure string        `json:"figure,omitempty"` // "": all of the load
	Reason string        `json:"reason"`
}

// Compare compares b with a, the baseline. Each value is one run, or where both sides are of several experiments the
// mean of one: those of one experiment have the day in common. A figure is compared by [stats.CompareFamily] with all
// others as its family, and a share of requests, as the success rate is, by the counts of requests with its part of the
// same error rate.
//
// Sides that differ in hardware or load are an [*IncomparableError] unless [Options.Anyway], and so are sides without a
// load in common; a name that is no figure is a [*protocol.FigureError].
func Compare(a, b *Side, o Options) (*Result, error) {
	if o.Margin == 0 {
		o.Margin = DefaultMargin
	}
	if !(o.Margin > 0) || math.IsInf(o.Margin, 0) {
		return nil, &loadgen.InvalidError{Field: "margin", Value: o.Margin, Want: "a relative difference above 0, such as 0.02"}
	}
	if len(a.Parts) == 0 || len(b.Parts) == 0 {
		return nil, &SideError{a.Name, errNone}
	}
	r := &Result{Schema: ResultSchema, A: a.summary(), B: b.summary(), Margin: o.Margin, Confidence: protocol.Confidence}
	if err := r.conditions(a, b, o.Anyway); err != nil {
		return nil, err
	}
	perRun := len(a.Parts) == 1 || len(b.Parts) == 1
	r.Unit = unit(a, b, perRun)
	loads, err := r.loads(a, b)
	if err != nil {
		return nil, err
	}
	if err := known(a, b, loads, o.Figures); err != nil {
		return nil, err
	}
	for _, load := range loads {
		r.collect(a, b, load, o.Figures, perRun)
	}
	if err := r.judge(); err != nil {
		return nil, err
	}
	r.conclude()
	return r, nil
}

func (s *Side) summary() Summary {
	out := Summary{Name: s.Name, Time: s.Parts[0].Analysis.Time, Tool: s.Parts[0].Analysis.Tool, Experiments: len(s.Parts)}
	for _, p := range s.Parts {
		out.Runs += p.Analysis.Runs
	}
	return out
}

func (r *Result) warn(code, format string, args ...any) {
	r.Warnings = append(r.Warnings, loadgen.Warning{Code: code, Message: number.Sprintf(format, args...)})
}

// conditions notes in what all experiments differ from the first, and refuses what forbids a comparison.
func (r *Result) conditions(a, b *Side, anyway bool) error {
	var forbidding []Difference
	for _, part := range slices.Concat(a.Parts[1:], b.Parts) {
		for _, d := range differences(a.Parts[0], part) {
			if slices.Contains(r.Differences, d) {
				continue
			}
			r.Differences = append(r.Differences, d)
			if d.Forbids {
				forbidding = append(forbidding, d)
			}
		}
	}
	switch {
	case len(forbidding) > 0 && !anyway:
		return &IncomparableError{forbidding}
	case len(forbidding) > 0:
		r.warn(WarnDiffers, "the conditions differ in what makes figures differ, and were compared as told to")
	}
	for _, x := range a.Parts {
		for _, y := range b.Parts {
			if same(x.Analysis, y.Analysis) {
				r.warn(WarnSame, "%s and %s are one experiment: compared with itself it says nothing of how well two agree", x.Name, y.Name)
			}
		}
	}
	for _, p := range slices.Concat(a.Parts, b.Parts) {
		if p.Analysis.Unit == protocol.UnitWithinServer && p.Analysis.Runs > 1 {
			r.warn(protocol.WarnWithinServer, "%s: its runs are of one server: a difference may be that of two starts of one server", p.Name)
		}
		if !p.Analysis.Valid() {
			r.warn(protocol.WarnIncomplete, "%s: the experiment is not valid as a whole; see its own warnings", p.Name)
		}
	}
	return nil
}

// same reports whether two analyses are of one experiment.
func same(a, b *protocol.Analysis) bool {
	if !a.Time.Equal(b.Time) || len(a.Points) == 0 || len(a.Points) != len(b.Points) {
		return false
	}
	x, y := a.Points[0].Estimates, b.Points[0].Estimates
	return len(x) > 0 && len(y) > 0 && x[0].Name == y[0].Name && slices.Equal(x[0].Values, y[0].Values)
}

func unit(a, b *Side, perRun bool) string {
	if !perRun {
		return "experiment (the mean of its runs)"
	}
	for _, p := range slices.Concat(a.Parts, b.Parts) {
		if p.Analysis.Unit == protocol.UnitWithinServer && p.Analysis.Runs > 1 {
			return protocol.UnitWithinServer
		}
	}
	return protocol.UnitRestart
}

// loads are those that all experiments have, in the order of the first. Others are left out by name.
func (r *Result) loads(a, b *Side) (out []protocol.Load, err error) {
	var lacking []Difference
	parts := slices.Concat(a.Parts, b.Parts)
	var all []protocol.Load
	for _, p := range parts {
		for _, point := range p.Analysis.Points {
			if !slices.Contains(all, point.Load) {
				all = append(all, point.Load)
			}
		}
	}
	for _, load := range all {
		i := slices.IndexFunc(parts, func(p Part) bool { return pointAt(p.Analysis, load) == nil })
		if i < 0 {
			out = append(out, load)
			continue
		}
		r.LeftOut = append(r.LeftOut, LeftOut{Load: load, Reason: parts[i].Name + " has no such load"})
		lacking = append(lacking, Difference{"load", fmt.Sprintf("%v (%d in, %d out) is not in %s", load, load.Input, load.Output, parts[i].Name), true})
	}
	if len(out) == 0 {
		if len(lacking) == 0 {
			lacking = []Difference{{"load", "nothing was measured", true}}
		}
		return nil, &IncomparableError{lacking}
	}
	return out, nil
}

// pointAt is the point of exactly a load, the first where it was measured twice; nil: there is none.
func pointAt(a *protocol.Analysis, load protocol.Load) *protocol.Point {
	for i := range a.Points {
		if a.Points[i].Load == load {
			return &a.Points[i]
		}
	}
	return nil
}

// known refuses a name that no experiment has a figure of.
func known(a, b *Side, loads []protocol.Load, names []string) error {
	for _, name := range names {
		var first error
		found := false
		for _, p := range slices.Concat(a.Parts, b.Parts) {
			for _, load := range loads {
				_, err := pointAt(p.Analysis, load).Figure(name)
				if e, missing := errors.AsType[*protocol.FigureError](err); !missing {
					found = true
				} else if first == nil {
					first = e
				}
			}
		}
		if !found {
			return first
		}
	}
	return nil
}

// collect takes the values of the figures at a load, and says of which there are none that can be used.
func (r *Result) collect(a, b *Side, load protocol.Load, names []string, perRun bool) {
	asked := names != nil
	if !asked {
		names = DefaultFigures()
	}
	for _, name := range names {
		f := Figure{Load: load, Name: name}
		var reasons []string
		for side, s := range []*Side{a, b} {
			values, reason := f.take(side, s, perRun, !asked)
			reasons = append(reasons, reason...)
			if side == 0 {
				f.A = values
			} else {
				f.B = values
			}
		}
		switch {
		case f.Unit == "": // none has it
			if asked {
				r.LeftOut = append(r.LeftOut, LeftOut{load, name, "no run has it"})
			}
			continue
		case f.Better == loadgen.Neither:
			reasons = append(reasons, "it is a condition, of which neither direction is better")
			f.A = nil
		}
		if !asked && isShare(name) && allMet(f.counts[0]) && allMet(f.counts[1]) {
			reasons = append(reasons, fmt.Sprintf("100 %% of %d and of %d requests; name it, and it is compared",
				sum(f.counts[0]).Issued, sum(f.counts[1]).Issued))
			f.A = nil
		}
		for _, reason := range reasons {
			r.LeftOut = append(r.LeftOut, LeftOut{load, name, reason})
		}
		if len(f.A) > 0 && len(f.B) > 0 {
			r.Figures = append(r.Figures, f)
		}
	}
}

// take returns the values of a figure on a side, and why experiments have none that can be used.
func (f *Figure) take(side int, s *Side, perRun, careful bool) (values []float64, reasons []string) {
	for _, p := range s.Parts {
		e, err := pointAt(p.Analysis, f.Load).Figure(f.Name)
		spoiled, isSpoiled := errors.AsType[*protocol.SpoiledError](err)
		switch {
		case err != nil && !isSpoiled:
			if f.Unit != "" {
				reasons = append(reasons, p.Name+" does not have it")
			}
			continue
		case f.Unit != "" && f.Unit != e.Unit:
			reasons = append(reasons, fmt.Sprintf("%s has it in %s, and not in %s", p.Name, e.Unit, f.Unit))
			continue
		}
		f.Unit, f.Better = e.Unit, e.Better
		share := isShare(f.Name)
		switch i := slices.IndexFunc(e.Values, func(v float64) bool { return !(v > 0) || math.IsInf(v, 0) }); {
		case isSpoiled:
			reasons = append(reasons, fmt.Sprintf("%s: it must not be used: %s", p.Name, strings.Join(spoiled.Codes, ", ")))
		case careful && len(e.MarkedBy) > 0:
			reasons = append(reasons, fmt.Sprintf("%s: marked %s; name it, and it is compared", p.Name, strings.Join(e.MarkedBy, ", ")))
		case share && !counted(e):
			reasons = append(reasons, p.Name+": of how many requests it is a share is not told")
		case i >= 0 && !share:
			reasons = append(reasons, fmt.Sprintf("%s: a ratio needs values above 0, and run %d has %g", p.Name, e.Runs[i], e.Values[i]))
		case perRun:
			values = append(values, e.Values...)
			f.counts[side] = append(f.counts[side], counts(e)...)
		default:
			values = append(values, mean(e.Values))
			f.counts[side] = append(f.counts[side], sum(counts(e)))
		}
	}
	return values, reasons
}

func mean(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total / float64(len(x))
}

// noWorse reports whether a figure by itself was shown to be equivalent or better.
func (f Figure) noWorse() bool {
	return f.Alone.Kind == stats.Equivalent || f.Alone.Kind == stats.Faster
}

// conclude says what all figures come to. That all are no worse is one statement: it is false only where one of them is
// worse by the margin, and then the test of that one by itself errs in 5 % at most. So it needs no correction for how
// many there are. That some figure is worse is many statements, and has it.
func (r *Result) conclude() {
	open := 0
	worse := false
	for _, f := range r.Figures {
		worse = worse || f.Verdict.Kind == stats.Slower
		if !f.noWorse() {
			open = max(open, f.Verdict.RunsToDecide)
		}
	}
	switch {
	case len(r.Figures) > 0 && !slices.ContainsFunc(r.Figures, func(f Figure) bool { return !f.noWorse() }):
		r.Outcome = NoRegression
	case worse:
		r.Outcome = Regression
	default:
		r.Outcome, r.RunsToDecide = Undecided, open
	}
}
