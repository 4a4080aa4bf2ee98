// Package chart draws the charts of a report with gonum/plot, as SVG and PNG. It is apart from package report so that
// who prints text does not pay for a plotting library.
//
// SVG is drawn with the colours of the page's light theme, each as a CSS variable of the page with that colour where
// there is none: in a page the picture goes with its theme, and cut out it has its own. The places at which a reader
// may want to know more carry a title.
package chart

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/wholefile"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

// A Chart is a chart of an experiment, to be drawn.
type Chart struct {
	Name  string // of its files: "throughput"
	Title string
	Place report.Place

	panels     []panel
	notes      string   // what marks and bars are
	conditions []string // of the experiment
	data       report.Table
	gpus       int // more than 1: throughput can be shown per GPU
}

// Draw returns the charts that there is data for, in the order of the page. Where nothing was measured there are none.
func Draw(e *protocol.Experiment, a *protocol.Analysis) []*Chart {
	if e == nil {
		e = &protocol.Experiment{}
	}
	if report.IsClientCheck(e) {
		return Client(e, a)
	}
	var out []*Chart
	gpus := report.CountGPUs(e).N
	conditions := report.Conditions(e, a)
	for _, c := range []*Chart{
		throughput(a), arms(a), frontier(a), latency(a, e.Design, ttft), latency(a, e.Design, tpot), latency(a,
			e.Design, e2e),
		distribution(e, a, ttft), distribution(e, a, itl), runOrder(e, a), course(e, a),
	} {
		if c != nil {
			c.gpus, c.conditions = gpus, conditions
			c.clean()
			out = append(out, c)
		}
	}
	return out
}

// clean leaves of texts from outside (arms, devices, codes of warnings, names of metrics) what can be printed: an SVG
// with anything else is none.
func (c *Chart) clean() {
	c.Title, c.notes = report.Plain(c.Title), report.Plain(c.notes)
	c.conditions = slices.Clone(c.conditions)
	for i := range c.conditions {
		c.conditions[i] = report.Plain(c.conditions[i])
	}
	for _, p := range c.panels {
		for i := range p.curves {
			p.curves[i].name = report.Plain(p.curves[i].name)
			for j := range p.curves[i].points {
				q := &p.curves[i].points[j]
				q.label = report.Plain(q.label)
				told := strings.Split(q.title, "\n")
				for k := range told {
					told[k] = report.Plain(told[k])
				}
				q.title = strings.Join(told, "\n")
			}
		}
		for i := range p.limits {
			p.limits[i].name = report.Plain(p.limits[i].name)
		}
		for i := range p.bands {
			p.bands[i].name = report.Plain(p.bands[i].name)
		}
	}
}

// Charts are all drawings of charts, for a page.
func Charts(charts []*Chart) ([]report.Chart, error) {
	var out []report.Chart
	for _, c := range charts {
		drawn, err := c.Drawn()
		if err != nil {
			return nil, err
		}
		out = append(out, drawn)
	}
	return out, nil
}

// Drawn draws every form of the chart: wide and narrow, and with each scale and basis that it has.
func (c *Chart) Drawn() (report.Chart, error) {
	out := report.Chart{Name: c.Name, Title: c.Title, Place: c.Place, Data: c.data}
	for _, f := range c.forms() {
		for _, narrow := range []bool{false, true} {
			f.narrow = narrow
			svg, err := c.svg(f)
			if err != nil {
				return out, err
			}
			out.Drawings = append(out.Drawings, report.Drawing{SVG: svg, Scale: f.scale, Basis: f.basis,
				Narrow: narrow})
		}
	}
	return out, nil
}

// A form is one way to draw a chart.
type form struct {
	narrow bool
	scale  string // of the load: "log", "linear", or "" where that is the same
	basis  string // "total", "gpu", or ""
}

// forms are those among which a reader chooses, the first being what stands alone.
func (c *Chart) forms() []form {
	scales, bases := []string{""}, []string{""}
	for _, p := range c.panels {
		if p.geometric() {
			scales = []string{"log", "linear"}
		}
		if p.divides && c.gpus > 1 {
			bases = []string{"total", "gpu"}
		}
	}
	var out []form
	for _, s := range scales {
		for _, b := range bases {
			out = append(out, form{scale: s, basis: b})
		}
	}
	return out
}

// WriteSVG writes the chart as an SVG file of its own, which is light or dark as its reader's screen is.
func (c *Chart) WriteSVG(w io.Writer) error {
	svg, err := c.svg(c.forms()[0])
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, standalone(svg))
	return err
}

// WritePNG writes the chart as PNG, with twice as many pixels as its SVG has points.
func (c *Chart) WritePNG(w io.Writer) error { return c.png(w, c.forms()[0]) }

// Save writes each chart into dir, as NAME.svg and NAME.png, with a prefix where there are those of several
// experiments.
func Save(dir, prefix string, charts []*Chart) error {
	for _, c := range charts {
		for ending, write := range map[string]func(io.Writer) error{".svg": c.WriteSVG, ".png": c.WritePNG} {
			var picture bytes.Buffer
			if err := write(&picture); err != nil {
				return fmt.Errorf("chart %s: %w", c.Name, err)
			}
			if err := wholefile.WriteIn(dir, prefix+c.Name+ending, picture.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}
