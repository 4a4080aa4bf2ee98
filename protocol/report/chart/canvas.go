package chart

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"io"
	"maps"
	"slices"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// size is that of a form, in points.
func (c *Chart) size(f form) (w, h vg.Length) {
	w, h = 720, 300
	if f.narrow {
		w, h = 360, 250
	}
	if n := len(c.panels); n > 1 {
		h = vg.Length(n)*120 + 30
	}
	head, foot := c.margins(f, w)
	return w, h + head + foot
}

const edge = vg.Length(8)

// margins are the heights of title and legend, and of the conditions below.
func (c *Chart) margins(f form, w vg.Length) (head, foot vg.Length) {
	head = edge + vg.Length(len(lines(c.title(f), words(large, ink), w-2*edge)))*18
	head += vg.Length(len(c.legend(w)))*16 + 8
	foot = vg.Length(len(lines(c.below(), words(small, muted), w-2*edge)))*13 + edge
	return head, foot
}

func (c *Chart) title(f form) string {
	if f.basis == "gpu" {
		return fmt.Sprintf("%s, per GPU of %d", c.Title, c.gpus)
	}
	return c.Title
}

// yOf is what is along the y axis of a panel.
func (c *Chart) yOf(i int, f form) string {
	if c.panels[i].divides && f.basis == "gpu" {
		return c.panels[i].y + " per GPU"
	}
	return c.panels[i].y
}

func (c *Chart) below() string {
	s := strings.Join(c.conditions, " · ")
	if c.notes != "" {
		s += ". " + c.notes
	}
	return s
}

// lines breaks a text into lines of a width.
func lines(s string, sty draw.TextStyle, width vg.Length) []string {
	width *= 0.96 // the reader's face may be wider
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		for sty.Width(word) > width { // a word that is longer than a line
			cut := len([]rune(word)) * 2 / 3
			if cut < 1 {
				break
			}
			word = string([]rune(word)[:cut]) + "…"
		}
		switch {
		case line == "":
			line = word
		case sty.Width(line+" "+word) > width:
			out, line = append(out, line), word
		default:
			line += " " + word
		}
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

// An entry of the legend.
type entry struct {
	look
	curve
	at vg.Length
}

// legend is the rows of the legend: curves by name, each once.
func (c *Chart) legend(w vg.Length) (rows [][]entry) {
	var row []entry
	at := vg.Length(0)
	sty := words(normal, ink)
	seen := map[string]bool{}
	for _, p := range c.panels {
		if len(p.curves) == 1 && len(c.panels) == 1 && p.curves[0].name == "" {
			continue
		}
		for i, k := range p.curves {
			if seen[k.name] || k.name == "" {
				continue
			}
			seen[k.name] = true
			need := 30 + sty.Width(k.name) + 14
			if at > 0 && at+need > w-2*edge {
				rows, row, at = append(rows, row), nil, 0
			}
			row = append(row, entry{lookOf(i, k.dashed), k, at})
			at += need
		}
	}
	if len(row) > 0 {
		rows = append(rows, row)
	}
	return rows
}

// paint draws the chart on a canvas.
func (c *Chart) paint(canvas vg.CanvasSizer, f form) []hit {
	w, h := canvas.Size()
	dc := draw.NewCanvas(canvas, w, h)
	dc.SetColor(paper)
	dc.Fill(vg.Rectangle{Max: vg.Point{X: w, Y: h}}.Path())
	head, foot := c.margins(f, w)
	y := h - edge
	title := words(large, ink)
	title.Font.Weight = xfont.WeightBold
	for _, line := range lines(c.title(f), words(large, ink), w-2*edge) {
		y -= 18
		dc.FillText(title, vg.Point{X: edge, Y: y + 4}, line)
	}
	for _, row := range c.legend(w) {
		y -= 16
		for _, e := range row {
			at := vg.Point{X: edge + e.at, Y: y + 4}
			if !e.loose {
				dc.StrokeLine2(draw.LineStyle{Color: e.hue, Width: vg.Points(1.6), Dashes: e.dashes}, at.X, at.Y,
					at.X+24, at.Y)
			}
			if !e.bare {
				dc.DrawGlyph(draw.GlyphStyle{Color: e.hue, Radius: vg.Points(4), Shape: e.shape},
					vg.Point{X: at.X + 12, Y: at.Y})
			}
			sty := words(normal, ink)
			sty.YAlign = draw.YCenter
			dc.FillText(sty, vg.Point{X: at.X + 30, Y: at.Y}, e.name)
		}
	}
	var hits []hit
	var plots [][]*plot.Plot
	for i := range c.panels {
		p := c.panels[i]
		if p.divides && f.basis == "gpu" {
			p = p.over(c.gpus)
		}
		plots = append(plots, []*plot.Plot{p.plotOf(f, &hits)})
	}
	const label = vg.Length(17) // the height of what says what y is
	area := draw.Crop(dc, edge, -2*edge, foot, -head-label)
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: label + 2}
	for i, row := range plot.Align(plots, tiles, area) {
		plots[i][0].Draw(row[0])
		sty := words(small, muted)
		dc.FillText(sty, vg.Point{X: edge, Y: row[0].Max.Y + 6}, c.yOf(i, f))
	}
	y = foot
	sty := words(small, muted)
	for _, line := range lines(c.below(), sty, w-2*edge) {
		y -= 13
		dc.FillText(sty, vg.Point{X: edge, Y: y + 2}, line)
	}
	return hits
}

func (c *Chart) png(out io.Writer, f form) error {
	w, h := c.size(f)
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(144))}
	c.paint(canvas, f)
	_, err := canvas.WriteTo(out)
	return err
}

// themed names the colours of a drawing by the page's variables.
var themed = func() *strings.Replacer {
	var pairs []string
	for c, name := range variables {
		for _, written := range []color.NRGBA{c, rounded(faint(c)), rounded(color.NRGBA{c.R, c.G, c.B, shade.A})} {
			pairs = append(pairs, ":"+hexOf(written), ":var("+name+","+strings.ToLower(hexOf(c))+")")
		}
	}
	pairs = append(pairs, plainFace, "", boldFace,
		"font-weight:bold;") // the picture has its face, and its texts inherit it
	return strings.NewReplacer(pairs...)
}()

// How vgsvg names the face of each text.
const (
	plainFace = "font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;"
	boldFace  = "font-family:Liberation Sans;font-variant:normal;font-weight:bold;font-style:normal;"
)

// rounded is what becomes of a translucent colour that vgsvg writes, which it multiplies with its alpha and divides
// again.
func rounded(c color.NRGBA) color.NRGBA {
	r, g, b, a := c.RGBA()
	of := func(x uint32) uint8 { return uint8(255 * float64(x) / float64(a)) }
	return color.NRGBA{of(r), of(g), of(b), 0xff}
}

func hexOf(c color.NRGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }

// face is of those that are as wide as the one that the picture was laid out with.
const face = "font-family:Arial,Helvetica,'Liberation Sans',Arimo,sans-serif;overflow:visible"

func (c *Chart) svg(f form) (string, error) {
	w, h := c.size(f)
	canvas := vgsvg.New(w, h)
	hits := c.paint(canvas, f)
	var raw bytes.Buffer
	if _, err := canvas.WriteTo(&raw); err != nil {
		return "", err
	}
	body := raw.String()
	// What comes before the first group is the file's prologue, in the place of which the picture gets its name.
	begin, end := strings.Index(body, "<g "), strings.LastIndex(body, "</svg>")
	if begin < 0 || end < begin {
		return "", fmt.Errorf("chart %s: the SVG has no picture", c.Name)
	}
	body = themed.Replace(body[begin:end])
	body = strings.ReplaceAll(body, "\n\tstyle=", " style=")
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s" style="%s">`,
		float64(w), float64(h), html.EscapeString(c.title(f)+". "+c.below()), face)
	out.WriteString("\n" + body)
	for _, at := range hits {
		fmt.Fprintf(&out, `<circle class="hit" cx="%.1f" cy="%.1f" r="9" fill-opacity="0"><title>%s</title></circle>`+"\n",
			float64(at.at.X), float64(h-at.at.Y), html.EscapeString(at.title))
	}
	out.WriteString("</svg>")
	return out.String(), nil
}

// standalone is a drawing as a file, with the colours of a dark screen.
func standalone(svg string) string {
	var style strings.Builder
	style.WriteString("<style>@media (prefers-color-scheme: dark){svg{")
	for _, name := range slices.Sorted(maps.Keys(dark)) {
		style.WriteString(name + ":" + dark[name] + ";")
	}
	style.WriteString("}}</style>")
	open := strings.Index(svg, ">") + 1
	return svg[:open] + style.String() + svg[open:] + "\n"
}
