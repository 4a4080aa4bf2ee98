package protocol

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// A Sweep is one figure over the levels of a sweep, as tests of throughput over concurrency or rate take it: of complete
// runs, at the levels that are whole. A level whose figure is spoiled in one run is left out in all, by name and reason.
type Sweep struct {
	Levels  []float64   // concurrencies, or rates of arrivals, ascending
	Numbers []int       // those of the runs that have a value at each of the levels
	Runs    [][]float64 // the values, by run and level

	// LeftOut says which levels were left out, and why; "": none was. Above says that one of them is higher than all
	// that are whole, so that nothing is known of a peak there.
	LeftOut string
	Above   bool
}

// Sweep returns a figure over the levels that the given runs measured; nil: all runs. Points that differ in more than
// their level are an error, and so are fewer than two whole levels where others were left out, or no point at all.
func (a *Analysis) Sweep(figure string, runs []int) (Sweep, error) {
	return sweep(a.Points, figure, runs)
}

func sweep(of []Point, figure string, runs []int) (Sweep, error) {
	var points []*Point
	for i := range of {
		p := &of[i]
		if runs == nil || slices.ContainsFunc(p.Runs, func(r int) bool { return slices.Contains(runs, r) }) {
			points = append(points, p)
		}
	}
	if len(points) == 0 {
		return Sweep{}, errors.New("nothing was measured")
	}
	first := points[0]
	left := map[string][]float64{} // levels that are left out, by the reason
	var codes []string
	var whole []*Point
	highestLeft, capped := 0.0, 0
	if first.Arrivals == loadgen.TraceArrivals {
		return Sweep{}, errors.New("a trace is one load, and a knee is of several")
	}
	for _, p := range points {
		if p.Arm != first.Arm || p.Input != first.Input || p.Output != first.Output || p.Arrivals != first.Arrivals ||
			p.Unit != first.Unit || p.Open() && p.Concurrency != first.Concurrency {
			return Sweep{}, errors.New("the levels differ in more than their load")
		}
		code := p.spoiler(figure, runs)
		if e := p.estimate(figure); code == "" && e == nil {
			code = "no " + strings.ReplaceAll(strings.TrimSuffix(figure, "_per_s"), "_", " ")
			if figure == KneeFigure || figure == loadgen.SteadyInputThroughput {
				code = "no steady throughput"
			}
		}
		if code == "" {
			whole = append(whole, p)
			continue
		}
		if left[code] == nil {
			codes = append(codes, code)
		}
		if code == loadgen.WarnPromptCapped {
			capped = max(capped, p.Condition)
		}
		left[code] = append(left[code], p.Load.value())
		highestLeft = max(highestLeft, p.Load.value())
	}
	var s Sweep
	var reasons []string
	for _, code := range codes {
		where := "at " + first.levelList(left[code])
		if code == loadgen.WarnPromptCapped {
			where = number.Sprintf("at %d (%s)", capped, first.levelList(left[code]))
		}
		reasons = append(reasons, code+" "+where)
	}
	s.LeftOut = strings.Join(reasons, "; ")
	if len(whole) < 2 && s.LeftOut != "" {
		return s, errors.New(s.LeftOut)
	}
	slices.SortStableFunc(whole, func(x, y *Point) int { return cmp.Compare(x.Load.value(), y.Load.value()) })
	for _, p := range whole {
		s.Levels = append(s.Levels, p.Load.value())
	}
	s.Above = highestLeft > s.Levels[len(s.Levels)-1]
	for _, run := range whole[0].Runs {
		if runs != nil && !slices.Contains(runs, run) {
			continue
		}
		values := make([]float64, 0, len(whole))
		for _, p := range whole {
			e := p.estimate(figure)
			if i := slices.Index(e.Runs, run); i >= 0 {
				values = append(values, e.Values[i])
			}
		}
		if len(values) == len(whole) {
			s.Numbers, s.Runs = append(s.Numbers, run), append(s.Runs, values)
		}
	}
	return s, nil
}

// value is the place of a load among others of a sweep: its concurrency, or the rate of its arrivals.
func (l Load) value() float64 {
	if l.Open() {
		return l.Rate
	}
	return float64(l.Concurrency)
}

// levelList is "levels 200, 500 and 750", or "rates 5 and 10/s".
func (l Load) levelList(values []float64) string {
	var names []string
	for _, v := range values {
		names = append(names, strconv.FormatFloat(v, 'f', -1, 64))
	}
	word, unit := "level", ""
	if l.Open() {
		word, unit = "rate", "/s"
	}
	if len(names) > 1 {
		word += "s"
	}
	return word + " " + listOf(names) + unit
}

// KneeFigure is the figure whose knee over concurrency is reported: input and output tokens/s in the steady window. Over
// rates it is [loadgen.TotalThroughput], because an open loop has no such window. Of levels without output tokens it is
// that of input tokens, whose value is the same.
const KneeFigure = loadgen.SteadyTotalThroughput

func kneeFigure(points []Point) string {
	open, reads := len(points) > 0 && points[0].Open(), readsOnly(points)
	switch {
	case open && reads:
		return loadgen.InputThroughput
	case open:
		return loadgen.TotalThroughput
	case reads:
		return loadgen.SteadyInputThroughput
	}
	return KneeFigure
}

// readsOnly reports whether no point has output tokens, and some input tokens.
func readsOnly(points []Point) bool {
	reads := false
	for i := range points {
		if points[i].estimate(loadgen.OutputThroughput) != nil {
			return false
		}
		reads = reads || points[i].estimate(loadgen.InputThroughput) != nil
	}
	return reads
}

// Generates reports whether the levels had output tokens. Without, as of embeddings, the throughput is that of input
// tokens, which is then what the knee is of. What was sent tells it where no request completed.
func (a *Analysis) Generates() bool { return a.Workload.Generates() && !readsOnly(a.Points) }

// knee applies the rule of package stats to the figure KneeOf at the points, in the given runs; nil: in all.
func knee(a *Analysis, of []Point, runs []int) stats.KneeResult {
	unresolved := func(reason string) stats.KneeResult {
		n := a.Runs
		if runs != nil {
			n = len(runs)
		}
		return stats.KneeResult{Low: math.NaN(), High: math.NaN(), Reason: reason, N: n, Unit: a.Unit}
	}
	s, err := sweep(of, a.KneeOf, runs)
	if err != nil {
		return unresolved(err.Error())
	}
	result, err := s.Knee()
	if err != nil {
		return unresolved(err.Error())
	}
	result.Unit = a.Unit
	return result
}

// Knee is the saturation knee over the whole levels, by the rule of package stats. Where the highest levels were left
// out, only a lower end is claimed.
func (s Sweep) Knee() (stats.KneeResult, error) {
	result, err := stats.Knee(s.Levels, s.Runs)
	if err != nil || s.LeftOut == "" {
		return result, err
	}
	result.Reason += "; left out: " + s.LeftOut
	if s.Above {
		result = onlyBelow(result, s.Levels[len(s.Levels)-1])
	}
	return result, nil
}

// sweepRuns are the runs whose sweep has the knee: of a design with stages those of the stage with the most levels, the
// last of equals; of others all, which is nil.
func sweepRuns(measured []Measurement) []int {
	levels := map[int][]Load{}
	runs := map[int][]int{}
	for _, m := range measured {
		s := m.Step
		if l := loadOf(s); !slices.Contains(levels[s.Stage], l) {
			levels[s.Stage] = append(levels[s.Stage], l)
		}
		if !slices.Contains(runs[s.Stage], s.Run) {
			runs[s.Stage] = append(runs[s.Stage], s.Run)
		}
	}
	if len(levels) < 2 {
		return nil
	}
	widest := 0
	for _, stage := range slices.Sorted(maps.Keys(levels)) {
		if len(levels[stage]) >= len(levels[widest]) {
			widest = stage
		}
	}
	return runs[widest]
}

// importedKnee chooses what the knee of imported results is of. They have no steady window, so that it is of a
// throughput over the makespan: of all tokens, or where those are not known at two levels, of the output or of the
// requests. An open loop has no knee, and of several points at one concurrency, such as of another number of requests,
// the one that most runs measured is taken.
func importedKnee(a *Analysis) (points []Point, figure string) {
	at := map[Load]int{}
	for _, p := range a.Points {
		if p.Open() {
			continue
		}
		if i, known := at[p.Load]; !known {
			at[p.Load] = len(points)
			points = append(points, p)
		} else if len(p.Runs) > len(points[i].Runs) {
			points[i] = p
		}
	}
	for _, name := range []string{loadgen.TotalThroughput, loadgen.OutputThroughput, loadgen.RequestThroughput} {
		usable := 0
		for _, p := range points {
			if e, err := p.Figure(name); err == nil && len(e.Values) > 0 {
				usable++
			}
		}
		if usable >= 2 {
			return points, name
		}
	}
	return points, loadgen.TotalThroughput
}

// onlyBelow keeps of a knee what a higher peak, at the levels above that were left out, could not take away: its
// lower end. (A level that gives less than 95 % of a peak gives less than 95 % of a higher one.)
func onlyBelow(k stats.KneeResult, highest float64) stats.KneeResult {
	above := number.Sprintf("; nothing is known of the levels above %g, so that no upper end and no peak is claimed", highest)
	switch k.Kind {
	case stats.KneeBracketed:
		k.Kind, k.High = stats.KneeAbove, math.NaN()
	case stats.KneeAtMost:
		k.Kind, k.High = stats.KneeNotResolved, math.NaN()
	}
	k.Peak = nil
	k.Reason += above
	return k
}

// spoiler is the code of the first warning of the given runs (nil: any) that forbids the use of a figure, whether or not
// there is one; "" for none.
func (p *Point) spoiler(name string, runs []int) string {
	for _, w := range p.Warnings {
		of := runs == nil || slices.ContainsFunc(w.Runs, func(r int) bool { return slices.Contains(runs, r) })
		if of && w.SpoilsFigure(name) {
			return w.Code
		}
	}
	return ""
}

// estimate is that of a figure, whether or not it may be used; nil: there is none.
func (p *Point) estimate(name string) *Estimate {
	for i := range p.Estimates {
		if p.Estimates[i].Name == name {
			return &p.Estimates[i]
		}
	}
	return nil
}
