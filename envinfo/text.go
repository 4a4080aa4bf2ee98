package envinfo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/servegauge/servegauge/internal/number"
)

// WriteText writes e as tables for people: what, how much, of which scope, from where. What is unknown says "unknown" and, in place of
// the source, the reason. Figures that a maker publishes and sizes that were read have rows of their own: a card of 256 GB offers
// 255.7 GiB, and neither number is the other.
//
// The error is that of w.
func (e *Environment) WriteText(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	e.hardware(t)
	e.softwareRows(t)
	e.hostRows(t)
	e.limits(t)
	e.AMD.linkTable(t)
	e.served(t)
	e.variableRows(t)
	// In the table it would make the column as wide as itself.
	options := show(e.Host.CommandLine, plain)
	t.line("")
	t.line(fmt.Sprintf("Kernel options (%s): %s", options.source, options.text))
	if len(e.Warnings) > 0 {
		t.line("")
		t.line("Warnings")
		for _, warning := range e.Warnings {
			t.line(warning.String())
		}
	}
	if t.err != nil {
		return t.err
	}
	return t.w.Flush()
}

// table writes rows and keeps the first error.
type table struct {
	w   *tabwriter.Writer
	err error
}

// line writes a line outside of the columns.
func (t *table) line(s string) { t.cells(s) }

func (t *table) cells(columns ...string) {
	for i := range columns {
		columns[i] = strings.ReplaceAll(columns[i], "\t", " ") // a tab would shift the columns
	}
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, strings.Join(columns, "\t"))
	}
}

func (t *table) head(title string) { t.cells(title, "Specification", "Scope", "Source") }

func (t *table) row(name string, c cell) { t.cells(name, c.text, string(c.scope), c.source) }

// cell is a value as it is printed.
type cell struct {
	text   string
	scope  Scope
	source string // or the reason
}

// show is the cell of v, written by format.
func show[T Scalar](v Value[T], format func(T) string) cell {
	x, ok := v.Get()
	if !ok {
		return cell{"unknown", v.Scope(), v.Reason()}
	}
	return cell{format(x), v.Scope(), v.Source()}
}

func plain[T Scalar](x T) string { return fmt.Sprint(x) }

// quantity formats a number with at most so many decimals, thousands, and its unit.
func quantity[T int64 | float64](unit string, decimals int) func(T) string {
	return func(x T) string { return strings.TrimSpace(number.Short(float64(x), decimals) + " " + unit) }
}

// size formats bytes, both rounded and exact.
func size[T int64 | Limit](x T) string {
	if l := Limit(x); l.Unlimited() {
		return l.String()
	}
	return number.Short(float64(x)/(1<<30), 1) + " GiB (" + number.Short(float64(x), 0) + " B)"
}

// bandwidth keeps one decimal, as data sheets do: 6.0 TB/s, and 3.277 TB/s.
func bandwidth(x float64) string {
	s := number.Short(x, 3)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s + " TB/s"
}

// terabytes is GB, and TB where they are whole ones (of 1,024 GB, as memory is sold).
func terabytes(gb int64) string {
	s := number.Short(float64(gb), 0) + " GB"
	if gb > 0 && gb%1024 == 0 {
		return number.Short(float64(gb/1024), 0) + " TB (" + s + ")"
	}
	return s
}

// pair writes two values as one cell. With the second unknown it is left out; with the first unknown so is the pair.
func pair(a, b cell, format string) cell {
	if a.text == "unknown" || b.text == "unknown" {
		return a
	}
	a.text = fmt.Sprintf(format, a.text, b.text)
	if b.source != a.source {
		a.source = joinReasons(a.source, b.source)
	}
	return a
}

// alike groups the cards by what of says of them: how many have what, in the order of the cards.
func (g *GPUs) alike(of func(GPU) cell) (kinds []cell, counts []int) {
	for _, card := range g.Cards {
		c := of(card)
		i := 0
		for i < len(kinds) && kinds[i].text != c.text {
			i++
		}
		if i == len(kinds) {
			kinds, counts = append(kinds, c), append(counts, 0)
		}
		counts[i]++
	}
	return kinds, counts
}

// perCard is one cell for all cards: what they have in common, or how many have what.
func (g *GPUs) perCard(of func(GPU) cell) cell {
	kinds, counts := g.alike(of)
	switch len(kinds) {
	case 0:
		return cell{"unknown", g.Count.Scope(), "no AMD GPU was read"}
	case 1:
		out := kinds[0]
		if len(g.Cards) > 1 && strings.HasPrefix(out.source, "/") {
			out.source += fmt.Sprintf(" (the first of %d alike)", len(g.Cards))
		}
		return out
	}
	return mixed(kinds, counts)
}

// mixed is the cell of several kinds, with how many there are of each.
func mixed(kinds []cell, counts []int) cell {
	out := kinds[0]
	var text, source []string
	for i, k := range kinds {
		text = append(text, fmt.Sprintf("%dx %s", counts[i], k.text))
		source = append(source, k.source)
	}
	out.text, out.source = strings.Join(text, ", "), strings.Join(source, "; ")
	return out
}

// gpuRow says how many of which cards there are.
func (g *GPUs) gpuRow() cell {
	count, ok := g.Count.Get()
	if ok && count == 0 {
		return cell{"no AMD GPU", g.Count.Scope(), g.Count.Source()}
	}
	if len(g.Cards) == 0 {
		return show(g.Count, plain)
	}
	out := mixed(g.alike(func(c GPU) cell { return show(c.Model, plain) }))
	out.scope = g.Count.Scope()
	if !ok {
		out.text = "at least " + out.text
		out.source = joinReasons(g.Count.Reason(), out.source)
		return out
	}
	out.source = joinReasons(g.Count.Source(), out.source)
	return out
}

// architecture is the name with the target, or the target alone where it has no name.
func architecture(c GPU) cell {
	name, target := show(c.Architecture, plain), show(c.Target, plain)
	if name.text == "unknown" && target.text != "unknown" {
		target.source = joinReasons(target.source, name.source)
		return target
	}
	return pair(name, target, "%s (%s)")
}

func (e *Environment) hardware(t *table) {
	g, h := &e.AMD, &e.Host
	t.head("Hardware")
	t.row("GPU", g.gpuRow())
	t.row("Architecture", g.perCard(architecture))
	t.row("Compute units per GPU", g.perCard(func(c GPU) cell { return show(c.ComputeUnits, quantity[int64]("", 0)) }))
	t.row("Partitions per GPU", g.perCard(func(c GPU) cell {
		return pair(show(c.ComputePartition, plain), show(c.MemoryPartition, plain), "%s / %s")
	}))
	t.row("VRAM per GPU, published", g.perCard(func(c GPU) cell {
		return pair(show(c.Nominal.VRAM, quantity[int64]("GB", 0)), show(c.Nominal.MemoryType, plain), "%s %s")
	}))
	t.row("VRAM per GPU, read", g.perCard(func(c GPU) cell { return show(c.VRAM, size[int64]) }))
	t.row("Total VRAM, published", show(g.NominalVRAM, terabytes))
	t.row("Total VRAM, read", show(g.VRAM, size[int64]))
	t.row("Memory Bandwidth (per GPU)", g.perCard(func(c GPU) cell { return show(c.Nominal.Bandwidth, bandwidth) }))
	t.row("Aggregate Bandwidth", show(g.NominalBandwidth, quantity[float64]("TB/s", 3)))
	t.row("FP16 Compute (per GPU)", g.perCard(func(c GPU) cell { return show(c.Nominal.FP16, quantity[float64]("TFLOPS", 0)) }))
	t.row("FP8 Compute (per GPU)", g.perCard(func(c GPU) cell { return show(c.Nominal.FP8, quantity[float64]("TFLOPS", 0)) }))
	t.row("Memory Bandwidth, by clock", g.perCard(func(c GPU) cell { return show(c.MemoryBandwidth, bandwidth) }))
	t.row("PCIe per GPU", g.perCard(func(c GPU) cell {
		return pair(show(c.PCIe.Speed, quantity[float64]("GT/s", 1)), show(c.PCIe.Width, plain), "%s x%s")
	}))
	t.row("Links between GPUs", g.linkRow())
	e.nvidiaRows(t)
	t.row("CPU", show(h.CPUModel, plain))
	t.row("CPU sockets", show(h.CPUSockets, quantity[int64]("", 0)))
	t.row("CPU cores", show(h.CPUCores, quantity[int64]("", 0)))
	t.row("CPU threads", show(h.CPUThreads, quantity[int64]("", 0)))
	t.row("Memory", show(h.Memory, size[int64]))
}

func (e *Environment) softwareRows(t *table) {
	h, p := &e.Host, &e.Program
	t.line("")
	t.head("Software")
	for _, s := range e.Software {
		t.row(s.Name, show(s.Version, plain))
	}
	t.row("Kernel", show(h.Kernel, plain))
	t.row("Distribution", show(h.Distribution, plain))
	t.row("Host name", show(h.Hostname, plain))
	t.row("Container", show(h.Container, plain))
	t.row("Go", show(p.Go, plain))
	t.row("servegauge", show(p.Version, plain))
	t.row("servegauge revision", pair(show(p.Revision, plain), show(p.Modified, func(m bool) string {
		if m {
			return "modified"
		}
		return "unmodified"
	}), "%s (%s)"))
}

func (e *Environment) limits(t *table) {
	t.line("")
	t.head("Limits")
	e.Process.rows(t)
}
