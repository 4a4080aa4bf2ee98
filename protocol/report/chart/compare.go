package chart

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/stats"
)

// margin is what two sides may differ by without it mattering, in the effect's chart: 2 %.
const margin = 0.02

// Compare returns the charts of several experiments side by side: throughput and latency over the load, a curve for
// each, and, of two, the effect with its interval.
func Compare(subjects []report.Subject) []*Chart {
	var out []*Chart
	names := report.Names(subjects)
	var conditions []string
	for i, s := range subjects {
		conditions = append(conditions, names[i]+": "+strings.Join(report.Conditions(s.Experiment, s.Analysis), ", "))
	}
	figure := loadgen.SteadyTotalThroughput
	for _, s := range subjects {
		if usable(s.Analysis, figure) < usable(s.Analysis, loadgen.TotalThroughput) {
			figure = loadgen.TotalThroughput // one for all: a window and a makespan do not compare
		}
	}
	window := "in the steady window"
	if figure == loadgen.TotalThroughput {
		window = "over the makespan"
	}
	for _, c := range []struct{ name, title, figure, y string }{
		{"compare-throughput", "Throughput " + window, figure, "input + output tokens/s"},
		{"compare-ttft", "TTFT p50", loadgen.QuantileName(loadgen.TTFT, 50), "TTFT p50, ms"},
		{"compare-e2e", "E2E latency p99", loadgen.QuantileName(loadgen.E2E, 99), "E2E p99, ms"},
	} {
		var curves []curve
		var levels []float64
		for i, s := range subjects {
			curves = append(curves, over(s.Analysis, c.figure, names[i])...)
			levels = append(levels, levelsOf(s.Analysis)...)
		}
		if len(curves) < 2 {
			continue
		}
		slices.Sort(levels)
		x := axisOf(subjects[0].Analysis)
		out = append(out, &Chart{
			Name: c.name, Title: c.title, Place: report.PlaceCompare, notes: barsAre, conditions: conditions,
			data:   dataOf(x, curves, c.y),
			panels: []panel{{x: x, y: c.y, curves: curves, levels: slices.Compact(levels), apart: true}},
		})
		out[len(out)-1].clean()
	}
	if len(subjects) == 2 {
		of := func(i int) side { return side{names[i], subjects[i].Analysis, ""} }
		if c := effect(of(0), of(1), figure); c != nil {
			c.Place, c.conditions = report.PlaceCompare, conditions
			c.clean()
			out = append(out, c)
		}
	}
	return out
}

// A side of a comparison: an experiment, or one arm of it.
type side struct {
	name string
	*protocol.Analysis
	arm string
}

// arms is the effect between the two arms of one experiment, nil where it has not two.
func arms(a *protocol.Analysis) *Chart {
	var names []string
	for _, p := range a.Points {
		if !slices.Contains(names, p.Arm) {
			names = append(names, p.Arm)
		}
	}
	if len(names) != 2 {
		return nil
	}
	figure := loadgen.SteadyTotalThroughput
	if usable(a, loadgen.TotalThroughput) > usable(a, figure) {
		figure = loadgen.TotalThroughput
	}
	return effect(side{names[0], a, names[0]}, side{names[1], a, names[1]}, figure)
}

// found is what the design of an experiment found about a figure at one load, which is what its page says of it: of
// blocks in pairs, corrected as the design corrects. nil: it says nothing.
func found(a *protocol.Analysis, names [2]string, figure string, l protocol.Load) *stats.Verdict {
	l.Arm = ""
	name := fmt.Sprintf("%s against %s, %s at %v", names[1], names[0], figure, l)
	for _, f := range a.Findings {
		v := new(stats.Verdict)
		if f.Name == name && f.Detail != nil && json.Unmarshal(f.Detail, v) == nil {
			return v
		}
	}
	return nil
}

// effect is by how much b's figure is larger than a's at each load that both have, with the interval of the ratio.
func effect(a, b side, figure string) *Chart {
	margin, method := margin, "Welch, on logarithms"
	k := curve{name: fmt.Sprintf("%s against %s", b.name, a.name), loose: true}
	var levels []float64
	axis := ""
	for i := range a.Points {
		p := &a.Points[i]
		if p.Arm != a.arm {
			continue
		}
		for j := range b.Points {
			q := &b.Points[j]
			same := q.Load
			same.Arm = p.Arm
			if q.Arm != b.arm || same != p.Load {
				continue
			}
			x, at := loadOf(p)
			before, errA := p.Figure(figure)
			after, errB := q.Figure(figure)
			v, err := stats.Compare(before.Values, after.Values, stats.Comparison{Margin: margin, Unit: a.Unit})
			if f := found(a.Analysis, [2]string{a.arm, b.arm}, figure, p.Load); f != nil {
				v, err, margin, method = *f, nil, f.Margin, f.Ratio.Method
			}
			if axis != "" && axis != at || err != nil {
				continue
			}
			axis = at
			e := point{x: x, y: 100 * (v.Ratio.Estimate - 1), low: math.NaN(), high: math.NaN(), spoiled: errA != nil ||
				errB != nil}
			e.title = fmt.Sprintf("%v\n%+.1f %%", p.Load, e.y)
			if v.Ratio.Defined() {
				e.low, e.high = 100*(v.Ratio.Low-1), 100*(v.Ratio.High-1)
				e.title += fmt.Sprintf(" (95 %%: %+.1f to %+.1f %%)\n%v", e.low, e.high, v.Kind)
			}
			k.points, levels = append(k.points, e), append(levels, x)
		}
	}
	if len(k.points) == 0 {
		return nil
	}
	slices.Sort(levels)
	y := "difference of the throughput, %"
	return &Chart{
		Name: "effect", Title: "Effect: " + k.name, Place: report.PlaceResults, data: dataOf(axis, []curve{k}, y),
		notes: fmt.Sprintf("Ratio of the geometric means of the runs, less one; bars: its 95 %% interval (%s), not "+
			"adjusted for the number of levels; shaded: a margin of ± %s %%. Hollow: must not be used.", method,
			number.Short(100*margin, 1)),
		panels: []panel{{x: axis, y: y, curves: []curve{k}, levels: slices.Compact(levels), free: true,
			margin: 100 * margin}},
	}
}
