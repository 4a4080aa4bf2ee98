package protocol

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/nearest"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/stats"
)

// A Point is one load condition and what all runs showed of it.
type Point struct {
	Load
	Requests int `json:"requests"`           // 0: bounded by time, or by Sessions
	Sessions int `json:"sessions,omitempty"` // of a level of sessions, how many were to be measured; 0: bounded by time

	Warmup  int           `json:"warmup,omitempty"`       // requests that led the level in
	Timeout time.Duration `json:"timeout_ns,omitempty"`   // of a request; 0: none
	Trace   string        `json:"trace_sha256,omitempty"` // [loadgen.HashTrace] of the arrivals; "": they are no trace

	// Condition is how many requests can be in flight, or sessions under way: the concurrency, or the number of them where
	// that is less. Points of a closed loop with one condition are repeats of it. Of an open loop it is the bound, 0 for none.
	Condition int `json:"condition"`

	Runs []int `json:"runs"` // those that measured it, in their order

	// ClientJudged is in how many of the runs the level was long enough to know whether the client was the limit.
	// Those in which it was have the warning [loadgen.WarnClientBound].
	ClientJudged int `json:"client_judged,omitempty"`

	// Worst is, of several generators that measured it as one, the one whose client was nearest to being the limit, in any
	// of the runs; nil where there was one.
	Worst *loadgen.Part `json:"worst_generator,omitempty"`

	// Audits are what became of the answers of the runs in which they were checked.
	Audits []RunAudit `json:"audits,omitempty"`

	Estimates []Estimate     `json:"estimates"`
	Headroom  *Headroom      `json:"headroom,omitempty"` // of the client; nil where that was not measured
	Spread    *Spread        `json:"spread,omitempty"`   // of the steady throughput; nil where it cannot be told
	Warnings  []PointWarning `json:"warnings,omitempty"`
}

// A RunAudit is what became of the answers of one run of a point.
type RunAudit struct {
	Run     int           `json:"run"`     // from 1
	Outcome audit.Outcome `json:"outcome"` // what was found
}

// A PointWarning is a warning and the runs that gave rise to it. Its message is that of the first.
type PointWarning struct {
	loadgen.Warning
	Runs []int `json:"runs"`
}

// An Estimate is a figure over runs. The interval's estimate is the mean of the runs' values.
type Estimate struct {
	Name     string            `json:"name"` // as in [loadgen.Figure]
	Unit     string            `json:"unit"`
	Better   loadgen.Direction `json:"better"`
	Runs     []int             `json:"runs"`              // those that have the figure
	Values   []float64         `json:"values"`            // of those runs
	Samples  []int             `json:"samples,omitempty"` // behind each value, as [loadgen.Figure.N]
	Summary  stats.Summary     `json:"summary"`
	Interval stats.Interval    `json:"interval"`

	// Share is the interval of a share of requests, in percent, from the counts of each run; nil: it is no share, or
	// one run. Interval, of the mean of the runs' shares, is too narrow for one near 100 %.
	Share *stats.Interval `json:"share,omitempty"`

	// Within is the interval of a quantile or a share of one run, over its requests, or of its throughput, over parts
	// of the steady window: it leaves out what differs between runs. nil where there are more runs, and of figures that
	// have none.
	Within *stats.Interval `json:"within,omitempty"`

	SpoiledBy []string `json:"spoiled_by,omitempty"` // codes of the point's warnings that forbid its use
	MarkedBy  []string `json:"marked_by,omitempty"`  // codes of those that say how far it can be relied on: [WarnFewSamples]

	// Method is that of the runs' figures, as in [loadgen.Figure], where at least one has another than the exact one.
	// "": all are exact.
	Method string `json:"method,omitempty"`
}

// A SpoiledError says that a figure was measured under conditions that forbid its use.
type SpoiledError struct {
	Load   Load
	Figure string
	Codes  []string // of the warnings that spoil it
}

func (e *SpoiledError) Error() string {
	return fmt.Sprintf("%s at %v must not be used: %s", e.Figure, e.Load, strings.Join(e.Codes, ", "))
}

// A FigureError says that no run at a point has a figure.
type FigureError struct {
	Load    Load
	Figure  string
	Nearest string   // the one that is most like it; "": none is
	Have    []string // all that there are
}

func (e *FigureError) Error() string {
	s := fmt.Sprintf("no run at %v has the figure %q", e.Load, e.Figure)
	if e.Nearest != "" {
		s += fmt.Sprintf("; %s is meant?", e.Nearest)
	}
	return s
}

// Figure finds the estimate called name. It returns the estimate and a [*SpoiledError] where a warning forbids its
// use, and a [*FigureError] where there is none.
func (p *Point) Figure(name string) (Estimate, error) {
	for _, e := range p.Estimates {
		if e.Name != name {
			continue
		}
		if len(e.SpoiledBy) > 0 {
			return e, &SpoiledError{p.Load, name, e.SpoiledBy}
		}
		return e, nil
	}
	var have []string
	for _, e := range p.Estimates {
		have = append(have, e.Name)
	}
	return Estimate{}, &FigureError{p.Load, name, nearest.Name(name, have), have}
}

// newPoint turns one value a run into estimates over runs.
func newPoint(group []Measurement, unit string) Point {
	s := group[0].Step
	p := Point{
		Load: loadOf(s), Requests: s.Level.Requests, Sessions: s.Level.Sessions, Condition: s.Level.Concurrency,
		Warmup: s.Level.Warmup, Timeout: s.Level.Timeout, Trace: loadgen.HashTrace(s.Level.Arrivals.Trace),
	}
	if n := max(p.Requests, p.Sessions); n > 0 && !p.Open() {
		p.Condition = min(p.Condition, n)
	}
	for _, m := range group {
		p.Runs = append(p.Runs, m.Step.Run)
		if clientJudged(&m.Result) {
			p.ClientJudged++
		}
		p.Worst = nearestLimit(p.Worst, m.Result.Worst())
		if m.Audit != nil {
			p.Audits = append(p.Audits, RunAudit{m.Step.Run, *m.Audit})
		}
		for _, w := range m.warnings() {
			p.addWarning(w, m.Step.Run)
		}
		for _, w := range gaps(m) {
			p.addWarning(w, m.Step.Run)
		}
		if w, ok := fewSamples(m.figures()); ok {
			p.addWarning(w, m.Step.Run)
		}
	}
	index := map[string]int{}
	for _, m := range group {
		for _, f := range m.figures() {
			i, known := index[f.Name]
			if !known {
				i = len(p.Estimates)
				index[f.Name] = i
				p.Estimates = append(p.Estimates, Estimate{Name: f.Name, Unit: f.Unit, Better: f.Better})
			}
			p.Estimates[i].Runs = append(p.Estimates[i].Runs, m.Step.Run)
			p.Estimates[i].Values = append(p.Estimates[i].Values, f.Value)
			p.Estimates[i].Samples = append(p.Estimates[i].Samples, f.N)
			p.Estimates[i].Method = cmp.Or(p.Estimates[i].Method, f.Method)
			if tooFew(f) > 0 {
				p.Estimates[i].MarkedBy = []string{WarnFewSamples}
			}
		}
	}
	for i := range p.Estimates {
		e := &p.Estimates[i]
		// Figures that are not numbers cannot come out of loadgen; from a journal written by somebody else they can.
		// Then there is neither summary nor interval, which is what the zero values say.
		e.Summary, _ = stats.Summarize(e.Values)
		e.Interval, _ = stats.MeanInterval(e.Values, Confidence, unit)
		e.Share = share(e.Name, group, unit)
		if len(group) == 1 {
			e.Within = within(e.Name, group[0])
		}
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
