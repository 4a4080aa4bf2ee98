package chart

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/stats"
)

var update = flag.Bool("update", false, "write the golden files anew")

// experiment is runs over levels with everything that charts are drawn of; levels above capped must not be used. each
// level of a run has so many samples of each metric.
func experiment(runs int, levels []int, capped, samples int) *protocol.Experiment {
	e := &protocol.Experiment{Complete: true, Time: time.Date(2026, 3, 11, 9, 30, 0, 0, time.UTC)}
	e.Design, _ = json.Marshal(protocol.Plan{Name: "p", Runs: runs, Levels: levels,
		Objectives: []loadgen.Objective{{Metric: loadgen.TTFT, Limit: 50}}})
	for run := 1; run <= runs; run++ {
		e.Starts = append(e.Starts, protocol.Start{Run: run, Instance: fmt.Sprint(run)})
		for seq, c := range levels {
			reached := float64(min(c, 16))
			speed := 1000 * reached * (1 + 0.01*float64(run-2))
			m := protocol.Measurement{
				Step: protocol.Step{Run: run, Seq: seq, Spec: workload.Spec{Input: 256, Output: 64},
					Level: loadgen.Level{Concurrency: c, Requests: samples}},
				Instance: fmt.Sprint(run), Time: e.Time, Models: []string{"llama"},
			}
			r := &m.Result
			r.Start = e.Time
			r.Accounting = loadgen.Accounting{Issued: samples, Completed: samples}
			if c > capped {
				r.Warnings = []loadgen.Warning{{Code: loadgen.WarnPromptCapped, Message: "capped",
					Spoils: []string{loadgen.All}}}
			}
			add := func(name, unit string, value float64) {
				r.Figures = append(r.Figures, loadgen.Figure{Name: name, Unit: unit, Value: value, N: samples})
			}
			add(loadgen.TotalThroughput, "tok/s", 0.97*speed)
			add(loadgen.SteadyTotalThroughput, "tok/s", speed)
			add(loadgen.OutputThroughput, "tok/s", speed/5)
			add(loadgen.SteadyOutputThroughput, "tok/s", speed/5)
			add(loadgen.RequestThroughput, "req/s", speed/320)
			add(loadgen.SteadyRequestThroughput, "req/s", speed/310)
			r.Distributions = map[string]*loadgen.Distribution{}
			for i, metric := range []string{loadgen.TTFT, loadgen.TPOT, loadgen.E2E, loadgen.ITL,
				loadgen.Interactivity} {
				d := &loadgen.Distribution{}
				for j := range samples {
					d.Add(float64(c)*(1+float64(i))*(1+math.Mod(float64(j)*0.618, 1)) + float64(run))
				}
				r.Distributions[metric] = d
				mean, _ := d.Mean()
				add(loadgen.MeanName(metric), "ms", mean)
				for _, p := range []float64{50, 90, 95, 99} {
					q, _ := d.Quantile(p)
					add(loadgen.QuantileName(metric, p), "ms", q)
				}
			}
			r.Timeline = &loadgen.Timeline{Width: 100 * time.Millisecond, InFlight: make([]float64, 120),
				Output: make([]int, 120)}
			for i := range r.Timeline.InFlight {
				r.Timeline.InFlight[i], r.Timeline.Output[i] = reached, int(speed/50)+i%7
			}
			series := protocol.Series{Name: "server_waiting", Unit: "requests", Start: e.Time, Every: time.Second}
			power := protocol.Series{Name: protocol.PowerSeries, Of: "gpu 0", Unit: "W", Start: e.Time,
				Every: time.Second}
			for i := range 12 {
				series.At, series.Value = append(series.At, time.Duration(i)*time.Second),
					append(series.Value, float64(i%3))
				power.At, power.Value = append(power.At, time.Duration(i)*time.Second),
					append(power.Value, 300+float64(i))
			}
			m.Readings = []protocol.Reading{{Name: "server", Series: []protocol.Series{series}}, {Name: "gpus",
				Series: []protocol.Series{power}}}
			e.Measurements = append(e.Measurements, m)
		}
	}
	return e
}

func drawAll(e *protocol.Experiment) []*Chart { return Draw(e, protocol.Analyze(e)) }

func named(t *testing.T, charts []*Chart, name string) *Chart {
	t.Helper()
	for _, c := range charts {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no chart %s", name)
	return nil
}

func TestAllCharts(t *testing.T) {
	charts := drawAll(experiment(3, []int{1, 4, 16, 64}, 16, 40))
	var names []string
	for _, c := range charts {
		names = append(names, c.Name)
		var out bytes.Buffer
		if err := c.WriteSVG(&out); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, c.Name, out.Bytes())
		first := out.String()
		out.Reset()
		if err := c.WriteSVG(&out); err != nil || out.String() != first {
			t.Errorf("%s: other bytes each time (%v)", c.Name, err)
		}
		// Cut out, a picture says what it is of.
		for _, want := range []string{c.Title, "llama", "256 tokens in, 64 out", "3 runs", "11 March 2026"} {
			if !strings.Contains(strings.ReplaceAll(first, "\n", " "), want) {
				t.Errorf("%s: %q is not in the picture", c.Name, want)
			}
		}
		out.Reset()
		if err := c.WritePNG(&out); err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(&out)
		if err != nil {
			t.Fatal(err)
		}
		w, h := c.size(form{})
		if size := picture.Bounds().Size(); math.Abs(float64(size.X)-2*float64(w)) > 1 ||
			math.Abs(float64(size.Y)-2*float64(h)) > 1 {
			t.Errorf("%s: PNG of %v, want twice %v × %v", c.Name, size, w, h)
		}
		if len(c.data.Rows) == 0 {
			t.Errorf("%s has no data beside it", c.Name)
		}
	}
	want := []string{"throughput", "frontier", "latency-ttft", "latency-tpot", "latency-e2e", "ecdf-ttft",
		"ecdf-itl", "run-order", "course"}
	if !slices.Equal(names, want) {
		t.Errorf("charts %v, want %v", names, want)
	}
}

// wellFormed holds that an SVG is XML, and that nothing in it is fetched.
func wellFormed(t *testing.T, name string, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if slices.Contains([]string{"script", "image", "foreignObject", "use"}, start.Name.Local) {
				t.Errorf("%s has an element %s", name, start.Name.Local)
			}
			for _, a := range start.Attr {
				if strings.HasSuffix(a.Name.Local, "href") || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("%s has %s=%q", name, a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestGoldenChart(t *testing.T) {
	c := named(t, drawAll(experiment(3, []int{1, 4, 16, 64}, 16, 40)), "throughput")
	var out bytes.Buffer
	if err := c.WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "throughput.svg")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is drawn is what the analysis says: means, intervals, runs, and what must not be used.
func TestDataOfCharts(t *testing.T) {
	a := protocol.Analyze(experiment(3, []int{1, 4, 16, 64}, 16, 40))
	c := throughput(a)
	for i, figure := range []string{loadgen.SteadyTotalThroughput, loadgen.TotalThroughput} {
		for j, q := range c.panels[0].curves[i].points {
			e, err := a.Points[j].Figure(figure)
			if q.x != float64(a.Points[j].Concurrency) || q.y != e.Summary.Mean || q.low != e.Interval.Low ||
				q.high != e.Interval.High ||
				!slices.Equal(q.runs, e.Values) || q.spoiled != (err != nil) {
				t.Errorf("%s at %v: %+v, want %+v", figure, a.Points[j].Load, q, e)
			}
			for _, run := range q.runs {
				if !strings.Contains(q.title, short(run)) {
					t.Errorf("pointing at %v does not show run %v: %q", a.Points[j].Load, run, q.title)
				}
			}
		}
	}
	if !c.panels[0].curves[0].points[3].spoiled {
		t.Error("the capped level is drawn as any other")
	}
	limits := latency(a, json.RawMessage(`{"objectives":[{"metric":"ttft","limit":50},{"metric":"e2e","limit":9}]}`),
		ttft).panels[0].limits
	if len(limits) != 1 || limits[0].y != 50 {
		t.Errorf("limits %+v", limits)
	}
}

// No axis of an absolute quantity begins above zero, and none cuts a mean or a limit off.
func TestAxes(t *testing.T) {
	for _, c := range drawAll(experiment(3, []int{100, 110, 120}, 1000, 40)) {
		for _, f := range c.forms() {
			for i := range c.panels {
				p := &c.panels[i]
				var hits []hit
				drawn := p.plotOf(f, &hits)
				if !p.free && drawn.Y.Min != 0 {
					t.Errorf("%s: y from %v", c.Name, drawn.Y.Min)
				}
				for _, k := range p.curves {
					for _, q := range k.points {
						if q.y > drawn.Y.Max || q.y < drawn.Y.Min || q.x > drawn.X.Max || q.x < drawn.X.Min {
							t.Errorf("%s: %+v lies outside", c.Name, q)
						}
					}
				}
			}
		}
	}
}

// The load's axis is labelled at levels that were measured, and at nothing else; it is logarithmic where they are.
func TestTicks(t *testing.T) {
	for _, levels := range [][]int{{1, 4, 16, 64}, {500, 550, 600, 650}, {10, 50, 100, 200, 500, 750, 1000}, {3}} {
		c := throughput(protocol.Analyze(experiment(2, levels, 2000, 10)))
		geometric := float64(levels[len(levels)-1])/float64(levels[0]) >= 8
		if got := c.forms()[0].scale == "log"; got != geometric {
			t.Errorf("%v: logarithmic %v", levels, got)
		}
		for _, f := range c.forms() {
			for _, f.narrow = range []bool{false, true} {
				var hits []hit
				p := c.panels[0].plotOf(f, &hits)
				named := 0
				for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
					if !slices.Contains(levels, int(tick.Value)) {
						t.Errorf("%v: a tick at %v", levels, tick.Value)
					}
					if tick.Label != "" {
						named++
					}
				}
				if named == 0 || f.scale == "log" && !f.narrow && named != len(levels) {
					t.Errorf("%v, %+v: %d labels", levels, f, named)
				}
			}
		}
	}
}

// The bracket of a knee is shaded from its one end to the other.
func TestKneeBand(t *testing.T) {
	for kind, want := range map[stats.KneeKind][2]bool{
		stats.KneeBracketed: {true, true}, stats.KneeAbove: {true, false}, stats.KneeAtMost: {false, true},
	} {
		bands := kneeBand(&protocol.Analysis{Knee: stats.KneeResult{Kind: kind, Low: 4, High: 16}})
		if len(bands) != 1 || math.IsNaN(bands[0].low) == want[0] || math.IsNaN(bands[0].high) == want[1] {
			t.Errorf("%v: %+v", kind, bands)
		}
	}
	if bands := kneeBand(&protocol.Analysis{}); bands != nil {
		t.Errorf("not resolved: %+v", bands)
	}
}

// Points of the front are those than which no other is better in both.
func TestFront(t *testing.T) {
	e := experiment(3, []int{1, 4, 16, 64}, 1000, 40)
	speed := map[int]float64{1: 100, 4: 90, 16: 50, 64: 60} // 16 and 64 have the same throughput: 64 is better
	for i := range e.Measurements {
		m := &e.Measurements[i]
		for j := range m.Result.Figures {
			if f := &m.Result.Figures[j]; f.Name == loadgen.QuantileName(loadgen.Interactivity, 50) {
				f.Value = speed[m.Step.Level.Concurrency] + float64(m.Step.Run)
			}
		}
	}
	var front []string
	for _, q := range frontier(protocol.Analyze(e)).panels[0].curves[0].points {
		if q.chosen {
			front = append(front, q.label)
		}
	}
	if !slices.Equal(front, []string{"1", "4", "64"}) {
		t.Errorf("front %v", front)
	}
}

// Per GPU every number of a throughput is divided, and no latency is.
func TestPerGPU(t *testing.T) {
	e := experiment(3, []int{1, 4, 16, 64}, 16, 40)
	var env envinfo.Environment
	card := `{"model": {"value": "MI325X", "scope": "host", "source": "a test"}}`
	if err := json.Unmarshal([]byte(`{"amd": {"cards": [`+strings.Repeat(card+",", 3)+card+`]}}`), &env); err != nil {
		t.Fatal(err)
	}
	e.Starts[0].Server = &env
	charts := drawAll(e)
	c := named(t, charts, "throughput")
	if f := c.forms(); len(f) != 4 || f[0].basis != "total" {
		t.Errorf("forms %+v", f)
	}
	all, each := c.panels[0], c.panels[0].over(4)
	for i, q := range all.curves[0].points {
		r := each.curves[0].points[i]
		if r.y != q.y/4 || r.low != q.low/4 || r.high != q.high/4 || r.runs[1] != q.runs[1]/4 {
			t.Errorf("%+v of %+v", r, q)
		}
	}
	if f := named(t, charts, "latency-ttft").forms(); len(f) != 2 {
		t.Errorf("a latency has forms %+v", f)
	}
}

// The effect of two arms, and of two experiments, is the ratio that package stats gives.
func TestEffect(t *testing.T) {
	before, after := experiment(5, []int{1, 4, 16}, 1000, 20), experiment(5, []int{1, 4, 16}, 1000, 20)
	for i := range after.Measurements {
		for j := range after.Measurements[i].Result.Figures {
			after.Measurements[i].Result.Figures[j].Value *= 1.1
		}
	}
	subjects := []report.Subject{
		{Name: "before", Experiment: before, Analysis: protocol.Analyze(before)}, {Name: "after", Experiment: after,
			Analysis: protocol.Analyze(after)},
	}
	both := &protocol.Experiment{}
	for i, e := range []*protocol.Experiment{before, after} {
		for _, m := range e.Measurements {
			m.Step.Arm, m.Instance = []string{"a", "b"}[i], fmt.Sprint(i, m.Instance)
			both.Measurements = append(both.Measurements, m)
		}
	}
	for name, c := range map[string]*Chart{
		"experiments": named(t, Compare(subjects), "effect"),
		"arms":        named(t, Draw(both, protocol.Analyze(both)), "effect"),
	} {
		if n := len(c.panels[0].curves[0].points); n != 3 {
			t.Errorf("%s: %d loads", name, n)
		}
		for _, q := range c.panels[0].curves[0].points {
			if math.Abs(q.y-10) > 1e-9 || !(q.low < 10 && q.low > 5 && q.high > 10 && q.high < 15) {
				t.Errorf("%s: %+v, want 10 %%", name, q)
			}
		}
	}
	if c := named(t, Compare(subjects), "compare-throughput"); len(c.panels[0].curves) != 2 ||
		c.panels[0].curves[1].name != "after" {
		t.Errorf("curves %+v", c.panels[0].curves)
	}
}

// The distribution reaches each value at its share of the samples.
func TestDistribution(t *testing.T) {
	e := experiment(2, []int{4}, 1000, 500)
	a := protocol.Analyze(e)
	all := &loadgen.Distribution{}
	for _, m := range e.Measurements {
		all.Merge(m.Result.Distributions[loadgen.TTFT])
	}
	points := distribution(e, a, ttft).panels[0].curves[0].points
	for _, q := range points {
		if want, _ := all.Quantile(100 * q.y); q.x != want {
			t.Errorf("share %v at %v, want %v", q.y, q.x, want)
		}
	}
	if len(points) < 190 {
		t.Errorf("%d points", len(points))
	}
}

// What somebody called an arm, a device or a metric is text.
func TestHostileCharts(t *testing.T) {
	const hostile = "<script>alert(1)</script>\"'&]]><x\x1b[31m\u202e"
	e := experiment(3, []int{1, 4, 16}, 4, 40)
	e.Design = json.RawMessage(`{"objectives":[{"metric":"ttft","limit":50}]}`)
	for i := range e.Measurements {
		m := &e.Measurements[i]
		m.Step.Arm, m.Models = hostile, []string{hostile}
		m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{Code: hostile,
			Spoils: []string{loadgen.TotalThroughput}})
		m.Readings[1].Series[0].Of = hostile
	}
	for _, c := range drawAll(e) {
		drawn, err := c.Drawn()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range drawn.Drawings {
			wellFormed(t, c.Name, []byte(d.SVG))
			if strings.ContainsAny(d.SVG, "\x1b\u202e") || !strings.Contains(d.SVG, "&lt;script&gt;") {
				t.Errorf("%s: the text is not escaped, or not there", c.Name)
			}
		}
	}
}

// Nothing to draw is no chart, and no panic.
func TestChartsOfNothing(t *testing.T) {
	for name, e := range map[string]*protocol.Experiment{
		"nil": nil, "empty": {}, "a bare level": {Measurements: []protocol.Measurement{{Step: protocol.Step{Run: 1}}}},
		"one run": experiment(1, []int{1}, 10, 1), "a level of one request": experiment(2, []int{1, 2, 3}, 10, 1),
	} {
		a := protocol.Analyze(&protocol.Experiment{})
		if e != nil {
			a = protocol.Analyze(e)
		}
		for _, c := range slices.Concat(Draw(e, a), Client(e, a)) {
			if _, err := c.Drawn(); err != nil {
				t.Errorf("%s, %s: %v", name, c.Name, err)
			}
			if err := c.WritePNG(io.Discard); err != nil {
				t.Errorf("%s, %s: %v", name, c.Name, err)
			}
		}
		if name == "empty" && len(Draw(e, a)) != 0 {
			t.Error("charts of nothing")
		}
	}
}

var hexColour = regexp.MustCompile(`#[0-9A-Fa-f]{6}`)

// Every colour of a picture is one of the page's variables, so that it goes with the page's theme.
func TestColours(t *testing.T) {
	for _, c := range drawAll(experiment(3, []int{1, 4, 16, 64}, 16, 40)) {
		svg, err := c.svg(c.forms()[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range hexColour.FindAllStringIndex(svg, -1) {
			if !strings.HasSuffix(svg[:at[0]], ",") {
				t.Errorf("%s: %s is no variable: %s", c.Name, svg[at[0]:at[1]], svg[max(0, at[0]-60):at[1]])
			}
		}
		if strings.Contains(svg, "font-family:Liberation") {
			t.Errorf("%s: a face that few have", c.Name)
		}
	}
}

// The page of a large experiment stays small.
func TestLargePage(t *testing.T) {
	var levels []int
	for i := range 20 {
		levels = append(levels, 1+i*i*3)
	}
	e := experiment(5, levels, 500, 300)
	if n := size(t, e); n > 2<<20 {
		t.Errorf("the page of 5 runs over 20 levels has %d bytes, more than 2 MiB", n)
	}
}

func size(t testing.TB, e *protocol.Experiment) int {
	a := protocol.Analyze(e)
	drawn, err := Charts(Draw(e, a))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report.HTML(&out, report.Subject{Experiment: e, Analysis: a, Charts: drawn}); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// BenchmarkPage is the page of 5 runs over 20 levels of 10,000 requests, drawn in all forms, without its journal's
// reading.
func BenchmarkPage(b *testing.B) {
	var levels []int
	for i := range 20 {
		levels = append(levels, 1+i*i*3)
	}
	e := experiment(5, levels, 500, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		b.ReportMetric(float64(size(b, e)), "bytes/page")
	}
}
