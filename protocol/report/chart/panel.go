package chart

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A panel is one pair of axes.
type panel struct {
	x, y   string // what is along them
	curves []curve
	bands  []band
	limits []limit

	levels  []float64 // the loads that were measured, which the axis is labelled at; none: an axis of its own numbers
	ranks   bool      // x is whole numbers
	free    bool      // y need not begin at zero: it is a difference
	percent bool      // y is a share, 0 to 1
	divides bool      // y is a throughput that can be divided by the number of GPUs
	near    bool      // x need not begin at zero, where all of it is far from it
	margin  float64   // around y = 0, within which differences do not matter; 0: there is none
	flat    bool      // it is one of several, and has little room
	apart   bool      // curves are drawn beside each other at each x, so that none hides another
	from    float64   // with reach, what x is from; panels over one time share it
	reach   float64   // what x is to; 0: as far as there are points
}

// A curve is a figure over x.
type curve struct {
	name   string
	points []point
	bare   bool // a line alone, without marks: a distribution, a course
	loose  bool // marks alone, without a line
	dashed bool
}

// A point is a value and how sure it is.
type point struct {
	x, y      float64
	low, high float64 // of the interval; NaN: there is none
	left      float64 // of the interval of x; with right. 0 and 0: x has none
	right     float64
	runs      []float64 // the values behind it
	spoiled   bool      // must not be used: it is hollow, and not joined to others
	chosen    bool      // is marked, as on a Pareto front
	label     string    // is written beside it
	title     string    // what a reader is told who points at it
}

// A band is a part of the x axis, such as the knee's bracket. An end that is NaN is open.
type band struct {
	low, high float64
	name      string
}

// A limit is a value of y that is not to be exceeded.
type limit struct {
	y    float64
	name string
}

// geometric reports whether the levels are spread over so much that a logarithmic axis shows them better.
func (p *panel) geometric() bool {
	return len(p.levels) > 2 && p.levels[0] > 0 && p.levels[len(p.levels)-1]/p.levels[0] >= 8
}

// over divides the throughputs by n.
func (p panel) over(n int) panel {
	d := float64(n)
	p.curves = slices.Clone(p.curves)
	for i, c := range p.curves {
		points := slices.Clone(c.points)
		for j := range points {
			q := &points[j]
			q.y, q.low, q.high = q.y/d, q.low/d, q.high/d
			q.runs = slices.Clone(q.runs)
			for k := range q.runs {
				q.runs[k] /= d
			}
		}
		p.curves[i].points = points
	}
	return p
}

// A hit is a place of the picture, in points from its lower left, that tells more.
type hit struct {
	at    vg.Point
	title string
}

// drawn is a curve with its look, as gonum/plot draws it.
type drawn struct {
	curve
	look
	hits   *[]hit
	labels *[]vg.Rectangle // that curves before have written, and the marks of all
	aside  vg.Length       // by how much it is drawn to the right
	beside vg.Length       // by how much its runs are drawn to the right of their mean
}

var _ interface {
	plot.Plotter
	plot.DataRanger
} = (*drawn)(nil)

// DataRange implements [plot.DataRanger].
func (d *drawn) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, ymin, xmax, ymax = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range d.points {
		xmin, xmax = min(xmin, p.x), max(xmax, p.x)
		for _, y := range append([]float64{p.y, p.low, p.high}, p.runs...) {
			if !math.IsNaN(y) && !math.IsInf(y, 0) {
				ymin, ymax = min(ymin, y), max(ymax, y)
			}
		}
	}
	return xmin, xmax, ymin, ymax
}

// Plot implements [plot.Plotter].
func (d *drawn) Plot(c draw.Canvas, p *plot.Plot) {
	position, ty := p.Transforms(&c)
	tx := func(x float64) vg.Length { return position(x) + d.aside }
	line := draw.LineStyle{Color: d.hue, Width: vg.Points(1.6), Dashes: d.dashes}
	var joined []vg.Point
	flush := func() {
		if len(joined) > 1 && !d.loose {
			c.StrokeLines(line, c.ClipLinesXY(joined)...)
		}
		joined = nil
	}
	for _, q := range d.points {
		if q.spoiled {
			flush()
			continue
		}
		joined = append(joined, vg.Point{X: tx(q.x), Y: ty(q.y)})
	}
	flush()
	if d.bare {
		for _, q := range d.points {
			if q.title != "" {
				*d.hits = append(*d.hits, hit{vg.Point{X: tx(q.x), Y: ty(q.y)}, q.title})
			}
		}
		return
	}
	for _, q := range d.points {
		d.mark(&c, q, tx, ty)
	}
	d.runs(&c, tx, ty)
}

// runs draws each run beside its mean: all dots as one path, which makes half of the file.
func (d *drawn) runs(c *draw.Canvas, tx, ty func(float64) vg.Length) {
	const radius = vg.Length(1.7)
	var dots vg.Path
	for _, q := range d.points {
		at := vg.Point{X: tx(q.x) + d.beside}
		for _, run := range q.runs {
			at.Y = ty(run)
			dots.Move(vg.Point{X: at.X + radius, Y: at.Y})
			dots.Arc(at, radius, 0, 2*math.Pi)
			dots.Close()
		}
	}
	if len(dots) > 0 {
		c.SetColor(faint(d.hue))
		c.Fill(dots)
	}
}

// mark draws one point: its interval and itself.
func (d *drawn) mark(c *draw.Canvas, q point, tx, ty func(float64) vg.Length) {
	x := tx(q.x)
	bar := draw.LineStyle{Color: d.hue, Width: vg.Points(1.2)}
	if q.spoiled {
		bar.Dashes = []vg.Length{vg.Points(2), vg.Points(2)}
	}
	within := func(y vg.Length) vg.Length { return min(max(y, c.Min.Y), c.Max.Y) }
	if !math.IsNaN(q.low) && !math.IsNaN(q.high) {
		var interval vg.Path
		segment := func(x0, y0, x1, y1 vg.Length) {
			interval.Move(vg.Point{X: x0, Y: y0})
			interval.Line(vg.Point{X: x1, Y: y1})
		}
		segment(x, within(ty(q.low)), x, within(ty(q.high)))
		const cap = vg.Length(3.5)
		for _, y := range []float64{q.low, q.high} {
			if at := ty(y); at == within(at) { // an end beyond the picture has no cap
				segment(x-cap, at, x+cap, at)
			}
		}
		c.SetLineStyle(bar)
		c.Stroke(interval)
	}
	if q.right > q.left {
		left, right := max(tx(q.left), c.Min.X), min(tx(q.right), c.Max.X)
		c.StrokeLine2(bar, left, ty(q.y), right, ty(q.y))
	}
	at := vg.Point{X: x, Y: ty(q.y)}
	c.DrawGlyph(draw.GlyphStyle{Color: d.hue, Radius: vg.Points(4), Shape: d.shape}, at)
	if q.spoiled {
		c.DrawGlyph(draw.GlyphStyle{Color: paper, Radius: vg.Points(2.5), Shape: d.shape}, at)
	}
	if q.chosen {
		var ring vg.Path
		ring.Move(vg.Point{X: at.X + 7, Y: at.Y})
		ring.Arc(at, 7, 0, 2*math.Pi)
		ring.Close()
		c.SetLineStyle(draw.LineStyle{Color: ink, Width: vg.Points(1.2)})
		c.Stroke(ring)
	}
	if q.label != "" {
		d.write(c, q.label, at)
	}
	if q.title != "" {
		*d.hits = append(*d.hits, hit{at, q.title})
	}
}

// around is the room that a mark takes.
func around(at vg.Point) vg.Rectangle {
	const room = 8
	return vg.Rectangle{Min: vg.Point{X: at.X - room, Y: at.Y - room}, Max: vg.Point{X: at.X + room, Y: at.Y + room}}
}

// taken marks what labels must leave free: the marks of all curves that have labels, and their intervals.
type taken struct {
	all    []*drawn
	labels *[]vg.Rectangle
}

// Plot implements [plot.Plotter].
func (t *taken) Plot(c draw.Canvas, p *plot.Plot) {
	*t.labels = nil
	tx, ty := p.Transforms(&c)
	bar := func(x0, y0, x1, y1 vg.Length) {
		*t.labels = append(*t.labels, vg.Rectangle{Min: vg.Point{X: x0 - 1, Y: y0 - 1},
			Max: vg.Point{X: x1 + 1, Y: y1 + 1}})
	}
	for _, d := range t.all {
		for _, q := range d.points {
			if q.label == "" {
				continue
			}
			at := vg.Point{X: tx(q.x) + d.aside, Y: ty(q.y)}
			*t.labels = append(*t.labels, around(at))
			if q.right > q.left {
				bar(tx(q.left), at.Y, tx(q.right), at.Y)
			}
			if !math.IsNaN(q.low) && !math.IsNaN(q.high) {
				bar(at.X, ty(q.low), at.X, ty(q.high))
			}
		}
	}
}

func meet(a, b vg.Rectangle) bool {
	return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
}

// write writes a label beside a mark, at the first corner of it where neither another mark nor another label is. Where
// there is none it is above them, which is better than not to be told.
func (d *drawn) write(c *draw.Canvas, label string, at vg.Point) {
	sty := words(small, muted)
	w, h := sty.Width(label), vg.Length(9)
	corner := func(x, y vg.Length) vg.Rectangle {
		return vg.Rectangle{Min: vg.Point{X: at.X + x, Y: at.Y + y}, Max: vg.Point{X: at.X + x + w, Y: at.Y + y + h}}
	}
	places := []vg.Rectangle{
		corner(-w-8, 5), corner(8, 5), corner(-w-8, -13), corner(8, -13), corner(-w-9, -4), corner(9, -4),
		corner(-w/2, 9),
		corner(-w/2, -19), corner(-w-8, 16), corner(8, 16), corner(-w-8, -25), corner(8, -25),
	}
	place := places[0]
	for _, p := range places {
		inside := p.Min.X >= c.Min.X && p.Max.X <= c.Max.X && p.Min.Y >= c.Min.Y && p.Max.Y <= c.Max.Y
		if inside && !slices.ContainsFunc(*d.labels, func(r vg.Rectangle) bool { return meet(p, r) }) {
			place = p
			break
		}
	}
	*d.labels = append(*d.labels, place)
	c.FillText(sty, place.Min, label)
}

// ground draws what is behind the curves: the bands and the limits.
type ground struct{ panel }

// Plot implements [plot.Plotter].
func (g *ground) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	for _, b := range g.bands {
		low, high := c.Min.X, c.Max.X
		if !math.IsNaN(b.low) {
			low = max(low, tx(b.low))
		}
		if !math.IsNaN(b.high) {
			high = min(high, tx(b.high))
		}
		if high < low {
			continue
		}
		c.FillPolygon(shade, []vg.Point{{X: low, Y: c.Min.Y}, {X: high, Y: c.Min.Y}, {X: high, Y: c.Max.Y}, {X: low,
			Y: c.Max.Y}})
		sty := words(small, muted)
		sty.YAlign = draw.YTop
		at := low + 4
		if w := sty.Width(b.name); at+w > c.Max.X {
			at = c.Max.X - w - 2
		}
		c.FillText(sty, vg.Point{X: at, Y: c.Max.Y - 2}, b.name)
	}
	if g.margin > 0 {
		low, high := max(ty(-g.margin), c.Min.Y), min(ty(g.margin), c.Max.Y)
		c.FillPolygon(shade, []vg.Point{{X: c.Min.X, Y: low}, {X: c.Max.X, Y: low}, {X: c.Max.X, Y: high}, {X: c.Min.X,
			Y: high}})
	}
	for _, l := range g.limits {
		y := ty(l.y)
		if y > c.Max.Y || y < c.Min.Y {
			continue
		}
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: vg.Points(1), Dashes: []vg.Length{5, 3}}, c.Min.X, y, c.Max.X,
			y)
		sty := words(small, ink)
		c.FillText(sty, vg.Point{X: c.Min.X + 4, Y: y + 2}, l.name)
	}
}
