package chart

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/servegauge/servegauge/internal/number"
)

// The page's colours in the light: each is a variable of its style sheet, by which the SVG names it.
var (
	paper = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.NRGBA{0x1c, 0x21, 0x28, 0xff}
	muted = color.NRGBA{0x57, 0x60, 0x6a, 0xff}
	grid  = color.NRGBA{0xe4, 0xe7, 0xeb, 0xff}
	shade = color.NRGBA{0xe6, 0xb4, 0x22, 0x40}
)

// Colours that most colour-blind readers tell apart (after Okabe and Ito, darkened until they hold 3:1 to the paper).
// Curves differ in their shapes and dashes too, for who prints in grey.
var hues = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xc2, 0x4e, 0x00, 0xff}, {0x00, 0x80, 0x5e, 0xff},
	{0xa8, 0x51, 0x8a, 0xff}, {0x56, 0x73, 0x9a, 0xff}, {0x8a, 0x65, 0x00, 0xff},
}

// variables are the names of the colours in the page's style sheet.
var variables = map[color.NRGBA]string{
	paper: "--paper", ink: "--ink", muted: "--muted", grid: "--grid", {0xe6, 0xb4, 0x22, 0xff}: "--band",
	hues[0]: "--c1", hues[1]: "--c2", hues[2]: "--c3", hues[3]: "--c4", hues[4]: "--c5", hues[5]: "--c6",
}

// dark is what the variables are on a dark screen, in a picture that stands alone: as in the page's style sheet.
var dark = map[string]string{
	"--paper": "#0f1318", "--ink": "#e6eaef", "--muted": "#a3adb8", "--grid": "#2b323b", "--band": "#c9a227",
	"--c1": "#5ab4f0", "--c2": "#ff9a55", "--c3": "#3ecfa3", "--c4": "#e59ac9", "--c5": "#a9bedb", "--c6": "#e0bd55",
}

// A look tells a curve from the others, in colour, in grey and in shape.
type look struct {
	hue    color.NRGBA
	dashes []vg.Length
	shape  draw.GlyphDrawer
}

func lookOf(i int, dashed bool) look {
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}}
	dashes := [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 3, 2, 3}, {4, 2}, {1, 2}}
	l := look{hue: hues[i%len(hues)], dashes: dashes[i%len(dashes)], shape: shapes[i%len(shapes)]}
	if dashed {
		l.dashes = []vg.Length{4, 3}
	}
	return l
}

func faint(c color.NRGBA) color.NRGBA { c.A = 0xb0; return c }

// Sizes of letters.
const (
	small  = vg.Length(9.5)
	normal = vg.Length(11)
	large  = vg.Length(14)
)

// words is a style of a sans face.
func words(size vg.Length, c color.Color) draw.TextStyle {
	return draw.TextStyle{
		Color: c, Handler: plot.DefaultTextHandler,
		Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
	}
}

// plotOf is a panel as gonum/plot has it.
func (p *panel) plotOf(f form, hits *[]hit) *plot.Plot {
	out := plot.New()
	out.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&out.X, &out.Y} {
		axis.Label.TextStyle = aligned(words(normal, muted), text.XCenter, text.YBottom)
		axis.Tick.Label = words(small, muted)
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = muted, muted
		axis.LineStyle.Width, axis.Tick.LineStyle.Width = vg.Points(0.7), vg.Points(0.7)
		axis.Tick.Length = vg.Points(4)
		axis.Padding = vg.Points(4)
	}
	out.X.Tick.Label.XAlign, out.X.Tick.Label.YAlign = text.XCenter, text.YTop
	out.Y.Tick.Label.XAlign, out.Y.Tick.Label.YAlign = text.XRight, text.YCenter
	out.Y.LineStyle.Width = 0
	out.Y.Tick.LineStyle.Width = 0
	out.X.Label.Text = p.x // that of y stands above, where it can be read without turning one's head
	out.Add(&gridLines{})
	out.Add(&ground{panel: *p})
	var all []*drawn
	var labels []vg.Rectangle
	for i, c := range p.curves {
		d := &drawn{curve: c, look: lookOf(i, c.dashed), hits: hits, labels: &labels, beside: besideAlone}
		all = append(all, d)
	}
	out.Add(&taken{all, &labels})
	for _, d := range all {
		out.Add(d)
	}
	p.ranges(out, f)
	if p.apart {
		p.spread(out, f, all)
	}
	return out
}

// How far from each other the curves of a panel are drawn, and from a mean its runs, in points.
const (
	besideAlone = vg.Length(6)
	mostApart   = 10.0
)

// width is that of the x axis in points, more or less.
func (f form) width() float64 {
	if f.narrow {
		return 290
	}
	return 640
}

// spread draws the curves beside each other: as far apart as is clear, and less where the loads are close, so that each
// stays with its own.
func (p *panel) spread(out *plot.Plot, f form, all []*drawn) {
	if len(all) < 2 {
		return
	}
	var at []float64
	for _, c := range p.curves {
		for _, q := range c.points {
			at = append(at, out.X.Norm(q.x)*f.width())
		}
	}
	slices.Sort(at)
	step := mostApart
	for i := 1; i < len(at); i++ {
		if gap := at[i] - at[i-1]; gap > 1e-6 {
			step = min(step, 0.75*gap/float64(len(all)))
		}
	}
	for i, d := range all {
		d.aside = vg.Length(step * (float64(i) - float64(len(all)-1)/2))
		d.beside = min(besideAlone, vg.Length(step*0.5))
		if len(all) == 2 && i == 0 { // outwards
			d.beside = -min(besideAlone, vg.Length(step*0.6))
		}
	}
}

func aligned(s draw.TextStyle, x draw.XAlignment, y draw.YAlignment) draw.TextStyle {
	s.XAlign, s.YAlign = x, y
	return s
}

// ranges sets what the axes reach over, and where they are labelled.
func (p *panel) ranges(out *plot.Plot, f form) {
	for _, l := range p.limits {
		if l.y < 3*out.Y.Max { // one that is far away would leave no room for the rest
			out.Y.Max = max(out.Y.Max, l.y*1.02)
		}
	}
	if p.margin > 0 {
		out.Y.Min, out.Y.Max = min(out.Y.Min, -p.margin), max(out.Y.Max, p.margin)
	}
	if !p.free {
		out.Y.Min = 0
		out.Y.Max *= 1.08
		if !(out.Y.Max > 0) { // nothing but zeros, such as a queue in which nobody waited
			out.Y.Max = 1
		}
	}
	if p.free || out.Y.Max <= out.Y.Min {
		room := max((out.Y.Max-out.Y.Min)*0.08, math.Abs(out.Y.Max)*0.01, 1e-9)
		out.Y.Min, out.Y.Max = out.Y.Min-room, out.Y.Max+room
	}
	if p.percent {
		out.Y.Min, out.Y.Max = 0, 1
	}
	switch {
	case f.scale == "log" && p.geometric():
		out.X.Scale = plot.LogScale{}
		out.X.Min, out.X.Max = out.X.Min/1.12, out.X.Max*1.18
	case len(p.levels) > 0:
		room := (out.X.Max - out.X.Min) * 0.05
		if room == 0 {
			room = max(out.X.Max*0.1, 1)
		}
		out.X.Max += room
		if p.geometric() || out.X.Min-room < 0 {
			out.X.Min = 0
		} else {
			out.X.Min -= room
		}
	case p.ranks:
		out.X.Min, out.X.Max = out.X.Min-0.4, out.X.Max+0.4
	case p.near:
		if out.X.Min > 0.6*out.X.Max { // from zero on all would be one heap
			room := max((out.X.Max-out.X.Min)*0.15, out.X.Max*0.05)
			out.X.Min, out.X.Max = out.X.Min-room, out.X.Max+room
			break
		}
		out.X.Min, out.X.Max = 0, out.X.Max*1.12
	default:
		out.X.Min = min(out.X.Min, 0)
		out.X.Max += (out.X.Max - out.X.Min) * 0.02
	}
	if p.reach > 0 {
		out.X.Min, out.X.Max = min(p.from, 0), p.reach
	}
	if out.X.Max <= out.X.Min {
		out.X.Min, out.X.Max = out.X.Min-1, out.X.Max+1
	}
	out.X.Tick.Marker = xTicks{p, out.X.Scale, f.width()}
	out.Y.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		return roundTicks(low, high, p.most(),
			p.percent)
	})
}

// xTicks marks the levels that were measured, and names those that do not crowd.
type xTicks struct {
	*panel
	scale plot.Normalizer
	width float64 // points
}

// Ticks implements [plot.Ticker].
func (t xTicks) Ticks(low, high float64) []plot.Tick {
	if len(t.levels) == 0 {
		if t.ranks {
			var out []plot.Tick
			every := max(1, math.Ceil((high-low)/12))
			for x := math.Ceil(low); x <= high; x += every {
				out = append(out, plot.Tick{Value: x, Label: number.Short(x, 0)})
			}
			return out
		}
		return roundTicks(low, high, max(3, t.width/90), false)
	}
	var out []plot.Tick
	taken := math.Inf(-1)
	for _, x := range slices.Compact(slices.Sorted(slices.Values(t.levels))) {
		tick := plot.Tick{Value: x}
		label := number.Short(x, 2)
		at, half := t.scale.Normalize(low, high, x)*t.width, float64(len(label))*2.8
		if at-half >= taken {
			tick.Label, taken = label, at+half+5
		}
		out = append(out, tick)
	}
	return out
}

// most is how many ticks the y axis has room for.
func (p *panel) most() float64 {
	if p.flat {
		return 3
	}
	return 6
}

// roundTicks are at most so many, more or less, at round numbers.
func roundTicks(low, high, most float64, share bool) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/most)))
	for _, times := range []float64{1, 2, 2.5, 5, 10} {
		if (high-low)/(step*times) <= most {
			step *= times
			break
		}
	}
	if !(step > 0) {
		return nil
	}
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	if q := step * math.Pow(10, float64(digits)); math.Abs(q-math.Round(q)) > 1e-6 {
		digits++
	}
	var out []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high*(1+1e-9); i++ {
		x := i * step
		label := number.Fixed(x, digits)
		if i == 0 {
			label = "0"
		}
		if share {
			label = number.Fixed(100*x, 0) + " %"
		}
		out = append(out, plot.Tick{Value: x, Label: label})
	}
	return out
}

// gridLines are horizontal lines at the ticks.
type gridLines struct{}

// Plot implements [plot.Plotter].
func (gridLines) Plot(c draw.Canvas, p *plot.Plot) {
	_, ty := p.Transforms(&c)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		y := ty(t.Value)
		if y < c.Min.Y || y > c.Max.Y {
			continue
		}
		hue := grid
		if t.Value == 0 && p.Y.Min < 0 {
			hue = muted
		}
		c.StrokeLine2(draw.LineStyle{Color: hue, Width: vg.Points(0.8)}, c.Min.X, y, c.Max.X, y)
	}
}
