package envinfo

import (
	"fmt"
	"io"
)

// WriteText writes e as tables for people: what, how much, of which scope, from where. What is unknown says "unknown" and, in place of
// the source, the reason. Figures that a maker publishes and sizes that were read have rows of their own: a card of 256 GB offers
// 255.7 GiB, and neither number is the other.
//
// The error is that of w.
func (e *Environment) WriteText(w io.Writer) error {
	t := newTable(w)
	e.hardware(t)
	e.softwareRows(t)
	e.Host.rows(t)
	e.limits(t)
	e.AMD.linkTable(t)
	for i := range e.Containers {
		e.Containers[i].rows(t)
	}
	if e.Server != nil {
		e.Server.rows(t)
	}
	if e.Model != nil {
		e.Model.rows(t)
	}
	e.Variables.rows(t)
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
	return t.flush()
}

func (e *Environment) hardware(t *table) {
	g, h := &e.AMD, &e.Host
	t.head("Hardware")
	g.rows(t)
	e.NVIDIA.rows(t)
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
