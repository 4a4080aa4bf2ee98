package envinfo

import (
	"fmt"
	"io"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// WriteText writes e as tables for people: what, how much, of which scope, from where. What is unknown comes last,
// with the reason. Figures that a maker publishes and sizes that were read have rows of their own: a card of 256 GB
// offers 255.7 GiB, and neither number is the other.
//
// The error is that of w.
func (e *Environment) WriteText(w io.Writer) error {
	t := table.NewApart(w)
	e.hardware(t)
	e.softwareRows(t)
	e.Host.Rows(t)
	e.limits(t)
	e.AMD.LinkTable(t)
	e.NVIDIA.LinkTable(t)
	for i := range e.Containers {
		e.Containers[i].Rows(t)
	}
	if e.Server != nil {
		e.Server.Rows(t)
	}
	if e.Model != nil {
		e.Model.Rows(t)
	}
	e.Variables.Rows(t)
	t.Unknown("Not known")
	// In the table it would make the column as wide as itself.
	options := table.Show(e.Host.CommandLine, table.Plain)
	t.Line("")
	t.Line(fmt.Sprintf("Kernel options (%s): %s", options.Source, options.Text))
	if len(e.Warnings) > 0 {
		t.Line("")
		t.Line("Warnings")
		for _, warning := range e.Warnings {
			t.Line(warning.String())
		}
	}
	return t.Flush()
}

func (e *Environment) hardware(t *table.Table) {
	g, h := &e.AMD, &e.Host
	t.Head("Hardware")
	if len(g.Cards) > 0 {
		g.Rows(t)
	}
	if len(e.NVIDIA.Cards) > 0 {
		e.NVIDIA.Rows(t)
	}
	t.Row("CPU", table.Show(h.CPUModel, table.Plain))
	t.Row("CPU sockets", table.Show(h.CPUSockets, table.Quantity[int64]("", 0)))
	t.Row("CPU cores", table.Show(h.CPUCores, table.Quantity[int64]("", 0)))
	t.Row("CPU threads", table.Show(h.CPUThreads, table.Quantity[int64]("", 0)))
	t.Row("Memory", table.Show(h.Memory, table.Size[int64]))
	if len(g.Cards)+len(e.NVIDIA.Cards) == 0 { // why there are none comes last; of one maker alone it would be noise
		t.Row("GPU", e.noCards())
	}
}

// noCards says that there is no GPU, or why none was seen.
func (e *Environment) noCards() table.Cell {
	amd, nvidia := table.Show(e.AMD.Count, table.Plain), table.Show(e.NVIDIA.Count, table.Plain)
	out := table.Cell{Text: "unknown", Scope: amd.Scope, Source: fact.JoinReasons(amd.Source, nvidia.Source)}
	if amd.Text == "0" && nvidia.Text == "0" {
		out.Text = "none"
	}
	return out
}

func (e *Environment) softwareRows(t *table.Table) {
	h, p := &e.Host, &e.Program
	t.Line("")
	t.Head("Software")
	for _, s := range e.Software {
		t.Row(s.Name, table.Show(s.Version, table.Plain))
	}
	t.Row("Kernel", table.Show(h.Kernel, table.Plain))
	t.Row("Distribution", table.Show(h.Distribution, table.Plain))
	t.Row("Host name", table.Show(h.Hostname, table.Plain))
	t.Row("Container", table.Show(h.Container, table.Plain))
	t.Row("Go", table.Show(p.Go, table.Plain))
	t.Row("servegauge", table.Show(p.Version, table.Plain))
	t.Row(
		"servegauge revision",
		table.Pair(table.Show(p.Revision, table.Plain), table.Show(p.Modified, func(m bool) string {
			if m {
				return "modified"
			}
			return "unmodified"
		}), "%s (%s)"),
	)
}

func (e *Environment) limits(t *table.Table) {
	t.Line("")
	t.Head("Limits")
	e.Process.Rows(t)
}
