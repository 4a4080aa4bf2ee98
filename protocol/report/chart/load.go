package chart

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/stats"
)

const barsAre = "Marks: mean of the runs; bars: its 95 % interval (Student’s t); small dots: each run; hollow and " +
	"not joined: " +
	"must not be used, see the warnings."

// loadOf is where a point is on the axis of the load, and what that axis is.
func loadOf(p *protocol.Point) (x float64, axis string) {
	if p.Open() && p.Rate > 0 {
		return p.Rate, "offered rate, requests/s"
	}
	return float64(p.Concurrency), "concurrency, requests in flight"
}

// axisOf is what the points are spread over. Those of closed and of open loops are not on one axis: the first decides.
func axisOf(a *protocol.Analysis) string {
	if len(a.Points) == 0 {
		return ""
	}
	_, axis := loadOf(&a.Points[0])
	return axis
}

func levelsOf(a *protocol.Analysis) (out []float64) {
	for i := range a.Points {
		if x, axis := loadOf(&a.Points[i]); axis == axisOf(a) {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// over is a figure over the load, a curve for each arm and shape.
func over(a *protocol.Analysis, figure, name string) (out []curve) {
	var order []string
	points := map[string][]point{}
	several := shapesOf(a) > 1
	for i := range a.Points {
		p := &a.Points[i]
		x, axis := loadOf(p)
		e, err := p.Figure(figure)
		if e.Name == "" || axis != axisOf(a) || e.Summary.N == 0 {
			continue
		}
		label := curveOf(p, name, several)
		if points[label] == nil {
			order = append(order, label)
		}
		points[label] = append(points[label], pointOf(p, x, e, err))
	}
	for _, label := range order {
		sorted := slices.SortedStableFunc(slices.Values(points[label]), func(p,
			q point) int {
			return int(math.Copysign(1, p.x-q.x))
		})
		out = append(out, curve{name: label, points: sorted})
	}
	return out
}

// single reports whether there is one level of one run, of which a chart over the load would show one mark without an
// interval.
func single(a *protocol.Analysis) bool { return len(a.Points) == 1 && a.Runs < 2 }

// shapesOf is in how many shapes of input and output was measured.
func shapesOf(a *protocol.Analysis) int {
	shapes := map[[2]int]bool{}
	for _, p := range a.Points {
		shapes[[2]int{p.Input, p.Output}] = true
	}
	return len(shapes)
}

// curveOf names the curve of a point: by its arm, and its shape where there are several.
func curveOf(p *protocol.Point, name string, several bool) string {
	label := strings.TrimSpace(p.Arm + " " + name)
	if several {
		label = strings.TrimSpace(fmt.Sprintf("%s %d in, %d out", label, p.Input, p.Output))
	}
	return label
}

func pointOf(p *protocol.Point, x float64, e protocol.Estimate, err error) point {
	q := point{x: x, y: e.Summary.Mean, low: math.NaN(), high: math.NaN(), runs: e.Values, spoiled: err != nil}
	title := fmt.Sprintf("%v\n%s %s", p.Load, short(e.Summary.Mean), e.Unit)
	if e.Interval.Defined() {
		q.low, q.high = e.Interval.Low, e.Interval.High
		title += fmt.Sprintf(" (95 %%: %s to %s)", short(q.low), short(q.high))
	}
	var runs []string
	for i, v := range e.Values {
		runs = append(runs, fmt.Sprintf("run %d: %s", e.Runs[i], short(v)))
	}
	q.title = title + "\n" + strings.Join(runs, "\n")
	if err != nil {
		q.title += "\nmust not be used: " + strings.Join(e.SpoiledBy, ", ")
	}
	return q
}

// short writes a number with three digits that count, as the page's tables do.
func short(x float64) string {
	switch size := math.Abs(x); {
	case size >= 100:
		return number.Fixed(x, 0)
	case size >= 10:
		return number.Fixed(x, 1)
	case size >= 1 || size == 0:
		return number.Fixed(x, 2)
	case size >= 0.1:
		return number.Fixed(x, 3)
	}
	return number.Fixed(x, 4)
}

// dataOf is what curves show, as a table.
func dataOf(x string, curves []curve, y string) report.Table {
	t := report.Table{Head: []string{"Curve", x, y, "95 % from", "to", "Runs", "May be used"}}
	value := func(v float64) report.Cell {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return report.Cell{Text: "–"}
		}
		return report.Cell{Text: short(v), Number: v, Is: true}
	}
	for _, c := range curves {
		for _, p := range c.points {
			var runs []string
			for _, v := range p.runs {
				runs = append(runs, short(v))
			}
			use := "yes"
			if p.spoiled {
				use = "no"
			}
			load := value(p.x)
			load.Text = number.Short(p.x, 3)
			t.Rows = append(t.Rows, []report.Cell{{Text: c.name}, load, value(p.y), value(p.low), value(p.high),
				{Text: strings.Join(runs, " ")}, {Text: use}})
		}
	}
	return t
}

func throughput(a *protocol.Analysis) *Chart {
	curves := slices.Concat(over(a, loadgen.SteadyTotalThroughput, "steady window"), over(a, loadgen.TotalThroughput,
		"makespan"))
	y := "input + output tokens/s"
	if !a.Generates() {
		y = "input tokens/s"
	}
	if len(curves) == 0 {
		curves, y = over(a, loadgen.RequestThroughput, "requests"), "requests/s"
	}
	if len(curves) == 0 || single(a) {
		return nil
	}
	x := axisOf(a)
	what, _, _ := strings.Cut(x, ",")
	return &Chart{
		Name: "throughput", Title: "Throughput over " +
			what, Place: report.PlaceResults, notes: barsAre, data: dataOf(x, curves, y),
		panels: []panel{{x: x, y: y, curves: curves, bands: kneeBand(a), levels: levelsOf(a), divides: true,
			apart: true}},
	}
}

// kneeBand is the bracket of the knee.
func kneeBand(a *protocol.Analysis) []band {
	k := a.Knee
	switch k.Kind {
	case stats.KneeBracketed:
		return []band{{k.Low, k.High, "knee " + k.String()}}
	case stats.KneeAbove:
		return []band{{k.Low, math.NaN(), "knee > " + number.Short(k.Low, 0)}}
	case stats.KneeAtMost:
		return []band{{math.NaN(), k.High, "knee ≤ " + number.Short(k.High, 0)}}
	}
	return nil
}

// A metric is one that charts are drawn of.
type metric struct{ name, words string }

var (
	ttft = metric{loadgen.TTFT, "TTFT"}
	tpot = metric{loadgen.TPOT, "TPOT"}
	e2e  = metric{loadgen.E2E, "E2E latency"}
	itl  = metric{loadgen.ITL, "Gaps between chunks (ITL)"}
)

// latency is a metric's percentiles over the load, with the limits that the plan has for it.
func latency(a *protocol.Analysis, design json.RawMessage, m metric) *Chart {
	var curves []curve
	for _, p := range []float64{50, 90, 99} {
		curves = append(curves, over(a, loadgen.QuantileName(m.name, p), "p"+strconv.FormatFloat(p, 'g', -1, 64))...)
	}
	if len(curves) == 0 || single(a) {
		return nil
	}
	var plan struct {
		Objectives []loadgen.Objective `json:"objectives"`
	}
	_ = json.Unmarshal(design, &plan) // a design of another kind has no limits
	var limits []limit
	for _, o := range plan.Objectives {
		if o.Metric == m.name {
			limits = append(limits, limit{o.Limit, "limit " + o.String()})
		}
	}
	x := axisOf(a)
	what, _, _ := strings.Cut(x, ",")
	return &Chart{
		Name: "latency-" + m.name, Title: m.words + " over " + what, Place: report.PlaceLatency, notes: barsAre,
		data:   dataOf(x, curves, m.words+", ms"),
		panels: []panel{{x: x, y: m.words + ", ms", curves: curves, limits: limits, levels: levelsOf(a), apart: true}},
	}
}

// frontier is the throughput over the interactivity, from which people choose: which user gets how much, at what load.
// The points of the front are those than which none is better in both.
func frontier(a *protocol.Analysis) *Chart {
	var curves []curve
	several, n := shapesOf(a) > 1, 0
	for i := range a.Points {
		p := &a.Points[i]
		speed, speedErr := p.Figure(loadgen.QuantileName(loadgen.Interactivity, 50))
		var e protocol.Estimate
		var err error
		for _, figure := range []string{loadgen.SteadyOutputThroughput, loadgen.OutputThroughput} {
			if e, err = p.Figure(figure); e.Name != "" && err == nil {
				break
			}
		}
		if speed.Name == "" || e.Name == "" {
			continue
		}
		q := pointOf(p, speed.Summary.Mean, e, err)
		q.spoiled = q.spoiled || speedErr != nil
		if speed.Interval.Defined() {
			q.left, q.right = speed.Interval.Low, speed.Interval.High
		}
		q.label = number.Short(float64(p.Concurrency), 0)
		if p.Open() {
			q.label = number.Short(p.Rate, 1) + "/s"
		}
		q.title += fmt.Sprintf("\ninteractivity p50 %s tok/s", short(q.x))
		name := curveOf(p, "", several)
		at := slices.IndexFunc(curves, func(c curve) bool { return c.name == name })
		if at < 0 {
			at, curves = len(curves), append(curves, curve{name: name, loose: true})
		}
		curves[at].points = append(curves[at].points, q)
		n++
	}
	if n < 2 {
		return nil
	}
	for _, c := range curves { // requests of another shape are another task, and another arm is another server
		for i := range c.points {
			p := &c.points[i]
			p.chosen = len(c.points) > 1 && !p.spoiled && !slices.ContainsFunc(c.points, func(q point) bool {
				return !q.spoiled && q.x >= p.x && q.y >= p.y && (q.x > p.x || q.y > p.y)
			})
		}
	}
	if len(curves) == 1 {
		curves[0].name = "each level, labelled with its load"
	}
	x, y := "interactivity p50, tokens/s of one user", "output tokens/s"
	return &Chart{
		Name: "frontier", Title: "Throughput over interactivity", Place: report.PlaceResults,
		data:   dataOf(x, curves, y),
		notes:  "Each level, labelled with its load. Ringed: no other level of its curve is better in both (Pareto). " + barsAre,
		panels: []panel{{x: x, y: y, curves: curves, divides: true, near: true}},
	}
}
