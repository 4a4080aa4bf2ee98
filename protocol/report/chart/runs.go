package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

// mostCurves are as many as can be told apart.
const mostCurves = 6

// spread chooses at most mostCurves of n, the first and the last among them.
func spread(n int) (out []int) {
	if n <= mostCurves {
		for i := range n {
			out = append(out, i)
		}
		return out
	}
	for i := range mostCurves {
		out = append(out, int(math.Round(float64(i)*float64(n-1)/(mostCurves-1))))
	}
	return out
}

// of are the measurements of a point.
func of(e *protocol.Experiment, p *protocol.Point) (out []*protocol.Measurement) {
	for i := range e.Measurements {
		m := &e.Measurements[i]
		s := m.Step
		if !s.Discard && s.Arm == p.Arm && s.Input == p.Input && s.Output == p.Output &&
			s.Level.Concurrency == p.Concurrency &&
			s.Level.Arrivals.Rate == p.Rate && s.Level.Arrivals.Process == p.Arrivals &&
			slices.Contains(p.Runs, s.Run) {
			out = append(out, m)
		}
	}
	return out
}

// distribution is the share of samples up to each value, over all runs of a level.
func distribution(e *protocol.Experiment, a *protocol.Analysis, m metric) *Chart {
	var curves []curve
	for _, i := range spread(len(a.Points)) {
		p := &a.Points[i]
		all := &loadgen.Distribution{}
		for _, measured := range of(e, p) {
			if d := measured.Result.Distributions[m.name]; d != nil {
				all.Merge(d)
			}
		}
		if all.Len() < 2 {
			continue
		}
		k := curve{name: p.Load.String(), bare: true}
		if estimate, err := p.Figure(loadgen.QuantileName(m.name, 50)); estimate.Name != "" && err != nil {
			k.name += " (not to be used)"
			k.dashed = true
		}
		for q := 0.0; q <= 100; q += 0.5 {
			if x, ok := all.Quantile(q); ok {
				k.points = append(k.points, point{x: x, y: q / 100, low: math.NaN(), high: math.NaN()})
			}
		}
		for _, q := range []float64{50, 90, 99} {
			j := int(q * 2)
			if j < len(k.points) {
				k.points[j].title = fmt.Sprintf("%s\np%g: %s ms, of %s samples", k.name, q, short(k.points[j].x),
					number.Fixed(float64(all.Len()), 0))
			}
		}
		curves = append(curves, k)
	}
	if len(curves) == 0 {
		return nil
	}
	// The last half per cent can be a thousand times the rest: the axis ends where the slowest curve's p99.5 is.
	reach := 0.0
	for _, k := range curves {
		reach = max(reach, k.points[len(k.points)-2].x)
	}
	for i := range curves {
		curves[i].points = slices.DeleteFunc(curves[i].points, func(p point) bool { return p.x > reach })
	}
	data := report.Table{Head: []string{"Load", "Share of samples", m.words + ", ms"}}
	for _, k := range curves {
		for j, p := range k.points {
			if j%10 == 0 || j == len(k.points)-1 {
				data.Rows = append(data.Rows, []report.Cell{{Text: k.name},
					{Text: number.Fixed(100*p.y, 1) + " %", Number: p.y, Is: true},
					{Text: short(p.x), Number: p.x, Is: true}})
			}
		}
	}
	return &Chart{
		Name: "ecdf-" + m.name, Title: "Distribution of " + strings.Replace(m.words, "Gaps", "gaps", 1),
		Place: report.PlaceLatency, data: data,
		notes: "Share of the samples of all runs up to each value, to the slowest p99.5. Requests of one run are " +
			"not independent.",
		panels: []panel{{x: m.words + ", ms", y: "share of samples", curves: curves, percent: true}},
	}
}

// runOrder is how each run's throughput differs from its level's mean, in the order of the runs: what drifts shows.
func runOrder(e *protocol.Experiment, a *protocol.Analysis) *Chart {
	if a.Runs < 2 {
		return nil
	}
	var curves []curve
	figure := loadgen.SteadyTotalThroughput
	if usable(a, loadgen.TotalThroughput) > usable(a, figure) {
		figure = loadgen.TotalThroughput
	}
	for _, i := range spread(len(a.Points)) {
		p := &a.Points[i]
		estimate, err := p.Figure(figure)
		if estimate.Name == "" || !(estimate.Summary.Mean > 0) {
			continue
		}
		k := curve{name: p.Load.String()}
		for j, v := range estimate.Values {
			d := 100 * (v/estimate.Summary.Mean - 1)
			k.points = append(k.points, point{x: float64(estimate.Runs[j]), y: d, low: math.NaN(), high: math.NaN(),
				spoiled: err != nil,
				title: fmt.Sprintf("%s, run %d\n%s %s, %+.1f %% of the mean", k.name, estimate.Runs[j], short(v),
					estimate.Unit, d)})
		}
		curves = append(curves, k)
	}
	if len(curves) == 0 {
		return nil
	}
	what := "Total throughput in the steady window"
	if figure == loadgen.TotalThroughput {
		what = "Total throughput over the makespan"
	}
	return &Chart{
		Name: "run-order", Title: "Throughput of each run against its level’s mean", Place: report.PlaceSpread,
		data:  dataOf("run", curves, "difference from the level’s mean, %"),
		notes: what + " of single runs, which have no interval. Hollow and not joined: must not be used.",
		panels: []panel{{x: "run", y: "difference from the mean, %", curves: curves, ranks: true, free: true,
			apart: true}},
	}
}

// usable is at how many points a figure may be used.
func usable(a *protocol.Analysis, figure string) (n int) {
	for i := range a.Points {
		if _, err := a.Points[i].Figure(figure); err == nil {
			n++
		}
	}
	return n
}

// course is one level over its time: the load, the tokens, and what the server says of its queue and its cache. It is
// the first run of the level with the highest throughput that may be used, or the highest of all.
func course(e *protocol.Experiment, a *protocol.Analysis) *Chart {
	var most *protocol.Point
	for _, figure := range []string{loadgen.SteadyTotalThroughput, loadgen.TotalThroughput} {
		for _, all := range []bool{false, true} {
			top := 0.0
			for i := range a.Points {
				p := &a.Points[i]
				if x, err := p.Figure(figure); most == nil || top > 0 {
					if x.Name != "" && (err == nil || all) && x.Summary.Mean > top {
						most, top = p, x.Summary.Mean
					}
				}
			}
		}
	}
	if most == nil {
		return nil
	}
	measured := of(e, most)
	if len(measured) == 0 || measured[0].Result.Timeline == nil {
		return nil
	}
	m := measured[0]
	panels := loadPanels(m)
	for _, want := range []struct{ name, y string }{
		{"server_waiting", "waiting"}, {"server_kv_usage", "KV cache, %"}, {protocol.PowerSeries,
			"GPU power, W"}, {"gpu_busy", "GPU busy, %"},
	} {
		var curves []curve
		for _, r := range m.Readings {
			for _, s := range r.Series {
				if s.Name != want.name || len(curves) == mostCurves || len(s.At) != len(s.Value) {
					continue
				}
				k := curve{name: s.Of, bare: true}
				for i, at := range s.At {
					k.points = append(k.points, point{x: s.Start.Add(at).Sub(m.Result.Start).Seconds(), y: s.Value[i],
						low: math.NaN(), high: math.NaN()})
				}
				if len(k.points) > 1 {
					curves = append(curves, k)
				}
			}
		}
		if len(curves) > 0 {
			panels = append(panels, panel{y: want.y, curves: curves})
		}
	}
	data := report.Table{Head: []string{"Quantity", "Time, s", "Value"}}
	for _, p := range panels {
		for _, k := range p.curves {
			for _, q := range k.points {
				data.Rows = append(data.Rows, []report.Cell{{Text: p.y + " " + k.name}, {Text: number.Fixed(q.x, 2),
					Number: q.x, Is: true},
					{Text: short(q.y), Number: q.y, Is: true}})
			}
		}
	}
	from, to := 0.0, 0.0
	for _, p := range panels {
		for _, k := range p.curves {
			for _, q := range k.points {
				from, to = min(from, q.x), max(to, q.x)
			}
		}
	}
	for i := range panels {
		panels[i].from, panels[i].reach, panels[i].flat = from, to, true
	}
	panels[len(panels)-1].x = "time since the level began, s"
	return &Chart{
		Name: "course", Title: fmt.Sprintf("One level over time: %v, run %d", most.Load,
			m.Step.Run), Place: report.PlaceServer,
		notes: fmt.Sprintf("One run, in parts of %v, with what leads the level in and its drain; a single run has "+
			"no interval.",
			m.Result.Timeline.Width.Round(time.Millisecond)),
		panels: panels, data: data,
	}
}

// loadPanels are the client's: requests in flight, and tokens/s.
func loadPanels(m *protocol.Measurement) []panel {
	t := m.Result.Timeline
	var inFlight, tokens []point
	for i := range t.Len() {
		at := (t.From + time.Duration(i)*t.Width + t.Width/2).Seconds()
		if i < len(t.InFlight) {
			inFlight = append(inFlight, point{x: at, y: t.InFlight[i], low: math.NaN(), high: math.NaN()})
		}
		if i < len(t.Output) && t.Width > 0 {
			tokens = append(tokens, point{x: at, y: float64(t.Output[i]) / t.Width.Seconds(), low: math.NaN(),
				high: math.NaN()})
		}
	}
	return []panel{
		{y: "in flight", curves: []curve{{bare: true, points: inFlight}}},
		{y: "output tok/s", curves: []curve{{bare: true, points: tokens}}},
	}
}
