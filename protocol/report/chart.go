package report

import (
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Colours that stay apart in grey and for most colour-blind readers (Okabe and Ito), in the order in which they are
// used.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff},
	color.RGBA{0xd5, 0x5e, 0x00, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
}

const chartWidth, chartHeight = 20 * vg.Centimeter, 12 * vg.Centimeter

// A series is a figure over concurrency.
type series struct {
	name   string
	figure string
}

// ThroughputChart draws total throughput over concurrency with its intervals, as PNG: the makespan's, and the steady
// window's. A hollow mark is a value that a warning spoils.
func ThroughputChart(w io.Writer, a *protocol.Analysis) error {
	return chart(w, a, "Throughput over concurrency, mean of the runs and 95 % interval", "input + output tokens/s", []series{
		{"steady window", loadgen.SteadyTotalThroughput},
		{"makespan", loadgen.TotalThroughput},
	})
}

// ClientThroughputChart draws the page's client throughput capacity: requests per second over concurrency, as PNG.
func ClientThroughputChart(w io.Writer, a *protocol.Analysis) error {
	return chart(w, a, "Client throughput capacity", "requests/s", []series{{"makespan", loadgen.RequestThroughput}})
}

// ClientLatencyChart draws the page's client latency profile: p50, p95 and p99 over concurrency, as PNG.
func ClientLatencyChart(w io.Writer, a *protocol.Analysis) error {
	return chart(w, a, "Client latency profile", "E2E latency, ms", []series{
		{"p50", loadgen.QuantileName(loadgen.E2E, 50)},
		{"p95", loadgen.QuantileName(loadgen.E2E, 95)},
		{"p99", loadgen.QuantileName(loadgen.E2E, 99)},
	})
}

// points are the values of one series that share a mark.
type points struct {
	plotter.XYs
	plotter.YErrors
}

func chart(w io.Writer, a *protocol.Analysis, title, unit string, all []series) error {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = "concurrency (hollow: not to be used, see the warnings)"
	p.Y.Label.Text = unit
	p.X.Min, p.Y.Min = 0, 0
	p.Legend.Top = true
	p.Legend.Left = true
	grid := plotter.NewGrid()
	grid.Vertical.Color = color.Gray{0xe8}
	grid.Horizontal.Color = color.Gray{0xe8}
	p.Add(grid)

	drawn := false
	for i, s := range all {
		line, good, spoiled := collect(a, s.figure)
		if len(line) == 0 {
			continue
		}
		drawn = true
		hue := palette[i%len(palette)]
		l, err := plotter.NewLine(line)
		if err != nil {
			return fmt.Errorf("chart %q: %w", title, err)
		}
		l.Color, l.Width = hue, vg.Points(1.2)
		p.Add(l)
		for _, marks := range []struct {
			points
			shape draw.GlyphDrawer
		}{{good, draw.CircleGlyph{}}, {spoiled, draw.RingGlyph{}}} {
			if len(marks.XYs) == 0 {
				continue
			}
			scatter, err := plotter.NewScatter(marks.XYs)
			if err != nil {
				return fmt.Errorf("chart %q: %w", title, err)
			}
			scatter.GlyphStyle = draw.GlyphStyle{Color: hue, Radius: vg.Points(3.5), Shape: marks.shape}
			bars, err := plotter.NewYErrorBars(marks.points)
			if err != nil {
				return fmt.Errorf("chart %q: %w", title, err)
			}
			bars.Color = hue
			p.Add(bars, scatter)
		}
		p.Legend.Add(s.name, l)
	}
	if !drawn {
		return fmt.Errorf("chart %q: nothing was measured that it could show", title)
	}
	p.X.Max *= 1.03 // so that the last mark is whole
	p.Y.Max *= 1.2  // room for the legend
	p.X.Tick.Marker = levelTicks(a)
	p.Y.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		ticks := plot.DefaultTicks{}.Ticks(low, high)
		for i := range ticks {
			if ticks[i].Label != "" {
				ticks[i].Label = decimal(ticks[i].Value, 0)
			}
		}
		return ticks
	})
	canvas, err := p.WriterTo(chartWidth, chartHeight, "png")
	if err != nil {
		return fmt.Errorf("chart %q: %w", title, err)
	}
	_, err = canvas.WriteTo(w)
	return err
}

// levelTicks marks the levels that were measured, and names those that do not crowd.
func levelTicks(a *protocol.Analysis) plot.Ticker {
	var levels []int
	for _, p := range a.Points {
		levels = append(levels, p.Concurrency)
	}
	slices.Sort(levels)
	return plot.TickerFunc(func(low, high float64) []plot.Tick {
		ticks := []plot.Tick{{Value: 0, Label: "0"}}
		named := 0.0
		for _, level := range slices.Compact(levels) {
			tick := plot.Tick{Value: float64(level)}
			if tick.Value-named >= 0.05*(high-low) {
				tick.Label, named = decimal(tick.Value, 0), tick.Value
			}
			ticks = append(ticks, tick)
		}
		return ticks
	})
}

// collect gathers a figure over concurrency: all of it for the line, and apart what may be used and what is spoiled.
func collect(a *protocol.Analysis, figure string) (line plotter.XYs, good, spoiled points) {
	sorted := slices.SortedStableFunc(slices.Values(a.Points), func(x, y protocol.Point) int { return x.Concurrency - y.Concurrency })
	for i := range sorted {
		e, err := sorted[i].Figure(figure)
		if e.Name == "" || e.Summary.N == 0 {
			continue
		}
		xy := plotter.XY{X: float64(sorted[i].Concurrency), Y: e.Summary.Mean}
		line = append(line, xy)
		into := &good
		if err != nil {
			into = &spoiled
		}
		half := struct{ Low, High float64 }{}
		if e.Interval.Defined() {
			half.Low, half.High = xy.Y-e.Interval.Low, e.Interval.High-xy.Y
		}
		into.XYs = append(into.XYs, xy)
		into.YErrors = append(into.YErrors, half)
	}
	return line, good, spoiled
}
