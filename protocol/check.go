package protocol

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// A Decision is what an analysis can say of a [Limit].
type Decision int

const (
	Undecided Decision = iota // neither was shown
	Holds                     // the whole interval is within the limit
	Broken                    // the whole interval is outside of it
)

var decisions = [...]string{"undecided", "holds", "broken"}

func (d Decision) String() string {
	if d < 0 || int(d) >= len(decisions) {
		return "Decision(" + strconv.Itoa(int(d)) + ")"
	}
	return decisions[d]
}

// MarshalText writes "undecided", "holds" or "broken".
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [Decision.MarshalText] writes.
func (d *Decision) UnmarshalText(text []byte) error {
	i := slices.Index(decisions[:], string(text))
	if i < 0 {
		return &loadgen.InvalidError{Field: "decision", Value: strconv.Quote(string(text)),
			Want: "undecided, holds or broken"}
	}
	*d = Decision(i)
	return nil
}

// A Judgement is what an analysis says of a limit at one point. The zero Judgement is undecided.
type Judgement struct {
	Limit    Limit    `json:"limit"`
	Load     *Load    `json:"load,omitempty"` // of the point; nil: no point is of the limit's load
	Decision Decision `json:"decision"`

	// Reason says in words why it is undecided, or else with what the decision is qualified; "": nothing is to be said.
	Reason string `json:"reason,omitempty"`

	// Interval is what decided, in Unit; undefined where there is none. Its own Unit is what was replicated: runs, or
	// the requests of one run.
	Interval stats.Interval `json:"interval"`
	Unit     string         `json:"unit,omitempty"`

	// Runs is how many there are. RunsToDecide is with how many in all it is decided, four times in five, if mean and
	// spread are what they look like from these: more than there are where it is undecided, and where it is decided
	// perhaps fewer. 0: it cannot be said.
	Runs         int `json:"runs"`
	RunsToDecide int `json:"runs_to_decide,omitempty"`
}

// String says it in one line: "holds: ttft_p99<500ms at concurrency 16: 412 ms [398, 426] at 95 %".
func (j Judgement) String() string {
	s := j.Decision.String() + ": " + j.Limit.String()
	if j.Load != nil {
		s += " at " + j.Load.String()
	}
	if j.Load != nil && j.Interval.N > 0 {
		s += ": " + j.measured()
	}
	if more := j.qualified(); more != "" {
		s += ": " + more
	}
	return s
}

// measured is the interval with the figure's unit: "412 ms [398, 426] at 95 %".
func (j Judgement) measured() string {
	return strings.Replace(j.Interval.String(), " [", " "+j.Unit+" [", 1)
}

// qualified is the reason, and what would decide.
func (j Judgement) qualified() string {
	if j.RunsToDecide == 0 || j.Decision != Undecided {
		return j.Reason
	}
	return joined(j.Reason, fmt.Sprintf("%d runs in all would decide 4 times in 5, if mean and spread are as they "+
		"look from %d",
		j.RunsToDecide, j.Runs))
}

// A Breach is a limit that was not shown to hold: it is broken, or undecided.
type Breach struct{ Judgement }

func (b Breach) Error() string { return b.Judgement.String() }

// Check returns the limits that were not shown to hold, which may be broken or undecided; none: all hold. See
// [Analysis.Judge].
func (a *Analysis) Check(limits ...Limit) []Breach {
	var out []Breach
	for _, j := range a.Judge(limits...) {
		if j.Decision != Holds {
			out = append(out, Breach{j})
		}
	}
	return out
}

// Judge says of each limit, at each point that it is for, whether it holds. It holds where the whole 95 % interval of
// the figure is within the limit, is broken where all of it is outside, and undecided otherwise: where the bound is
// inside the interval, where the figure is spoiled by a warning or has no interval, and where there is no such figure
// or no such point. So a limit that does hold, by however little, is called broken in 2.5 % of the experiments at most,
// and the other way round; each limit at each point by itself.
//
// The interval is over runs: of shares, as the attainment and the success rate are, that of the counts of requests
// ([stats.ShareInterval]), and of other figures that of their mean. With one run there is none, and a quantile or a
// share is judged by the requests of that run, as [Estimate.Within] has it; what differs between runs is not in that,
// and the Reason says so.
func (a *Analysis) Judge(limits ...Limit) []Judgement {
	var out []Judgement
	for _, l := range limits {
		if err := l.validate(); err != nil {
			out = append(out, Judgement{Limit: l, Reason: err.Error()})
			continue
		}
		points := a.pointsAt(l.At)
		if len(points) == 0 {
			_, err := a.Point(l.At)
			out = append(out, Judgement{Limit: l, Reason: err.Error()})
		}
		for _, p := range points {
			out = append(out, p.judge(l))
		}
	}
	return out
}

// WriteJudgements writes a table of judgements for people: a line each, and below it why it is undecided.
func WriteJudgements(w io.Writer, judged []Judgement) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, j := range judged {
		at, interval := "–", "–"
		if j.Load != nil {
			at = j.Load.String()
		}
		if j.Interval.N > 0 {
			interval = j.measured()
		}
		fmt.Fprintf(out, "%s\t%v\t%s\t%s\n", j.Decision, j.Limit, at, interval)
		if more := j.qualified(); more != "" {
			fmt.Fprintf(out, "\t  %s\n", more)
		}
	}
	return out.Flush()
}

// pointsAt are the points at a load.
func (a *Analysis) pointsAt(at Load) (out []*Point) {
	for i := range a.Points {
		if a.Points[i].has(at) {
			out = append(out, &a.Points[i])
		}
	}
	return out
}

func (p *Point) judge(l Limit) Judgement {
	j := Judgement{Limit: l, Load: &p.Load, Runs: len(p.Runs)}
	e, err := p.Figure(l.Figure)
	var spoiled *SpoiledError
	if err != nil && !errors.As(err, &spoiled) {
		j.Reason = err.Error()
		return j
	}
	j.Unit, j.Runs = e.Unit, len(e.Values)
	low, high, unitErr := l.bounds(e.Unit)
	switch {
	case unitErr != nil:
		j.Reason = unitErr.Error()
		return j
	case spoiled != nil:
		j.Interval, _ = e.judged()
		j.Reason = "it must not be used: " + strings.Join(spoiled.Codes, ", ")
		return j
	}
	j.Interval, j.Reason = e.judged()
	j.Decision = l.decide(j.Interval, low, high)
	if !j.Interval.Defined() {
		return j
	}
	if j.Decision == Undecided {
		j.Reason = joined("the bound is inside the interval", j.Reason)
	}
	for _, bound := range []float64{low, high} {
		inside := j.Interval.Low <= bound && bound <= j.Interval.High
		if bound != 0 && inside == (j.Decision == Undecided) {
			j.RunsToDecide = max(j.RunsToDecide, e.runsToDecide(bound, inside))
		}
	}
	return j
}

// decide holds the interval of a figure against the bounds.
func (l Limit) decide(v stats.Interval, low, high float64) Decision {
	if !v.Defined() {
		return Undecided
	}
	equal := !l.Strict
	under, over := v.Below(high) || equal && v.High == high, v.Above(low) || equal && v.Low == low
	switch {
	case (high == 0 || under) && (low == 0 || over):
		return Holds
	case high != 0 && (v.Above(high) || !equal && v.Low == high), low != 0 && (v.Below(low) || !equal && v.High == low):
		return Broken
	}
	return Undecided
}

// judged is the interval by which a figure is judged, and what is to be said of it: why there is none, or what it
// leaves out.
func (e *Estimate) judged() (v stats.Interval, reason string) {
	if len(e.MarkedBy) > 0 {
		reason = "marked " + strings.Join(e.MarkedBy, ", ")
	}
	switch {
	case e.Share != nil && e.Share.Defined():
		return *e.Share, reason
	case e.Interval.Defined() && e.Share == nil:
		return e.Interval, reason
	case e.Within != nil && e.Within.Defined():
		return *e.Within, joined(reason, "within one run, without what differs between runs")
	case len(e.Values) == 1:
		return e.Interval, joined("one run has no spread, and so no interval", reason)
	}
	return e.Interval, joined("it has no interval: its runs show no spread", reason)
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// decidesAt is the half-width, in distances from the mean to the bound, at which an interval excludes the bound four
// times in five: 1.96 standard errors of the 1.96 + 0.84 that the distance is.
const decidesAt = 0.7

// runsToDecide is how many runs in all would exclude a bound, if the mean is where it looks; more says that those that
// there are do not. Unlike the number for a comparison it has to follow the distance that was seen: a limit has no
// margin. 0: it cannot be said.
func (e *Estimate) runsToDecide(bound float64, more bool) int {
	distance := math.Abs(e.Interval.Estimate - bound)
	if e.Share != nil || len(e.Values) < 2 || !(distance > 0) {
		return 0
	}
	if !more {
		n := 2
		for n < len(e.Values) && !(halfWidth(n, e.Summary.SD) <= decidesAt*distance) {
			n++
		}
		return n
	}
	plan, err := stats.SteinRuns(e.Values, decidesAt*distance, Confidence)
	if err != nil || plan.N <= len(e.Values) || plan.N > mostRuns {
		return 0
	}
	return plan.N
}

// halfWidth is that of the interval of n runs with a standard deviation.
func halfWidth(n int, sd float64) float64 {
	x := make([]float64, n)
	for i := range x { // equal steps, whose standard deviation is √(n(n + 1)/12)
		x[i] = float64(i) * sd / math.Sqrt(float64(n*(n+1))/12)
	}
	v, err := stats.MeanInterval(x, Confidence, UnitRestart)
	if err != nil {
		return math.NaN()
	}
	return v.HalfWidth()
}

// mostRuns is beyond what anybody runs: to say that 40,000 runs would decide says only that the mean is on the bound.
const mostRuns = 1000
