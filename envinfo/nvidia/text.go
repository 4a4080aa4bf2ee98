package nvidia

import (
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// Rows writes the cards, of which there must be one at least.
func (g *GPUs) Rows(t *table.Table) {
	perCard := func(of func(GPU) table.Cell) table.Cell { return table.PerCard(g.Cards, of) }
	t.Row("NVIDIA GPU", g.modelRow())
	t.Row("Compute capability", perCard(func(n GPU) table.Cell { return table.Show(n.ComputeCapability, table.Plain) }))
	t.Row("VRAM per GPU, published", perCard(func(n GPU) table.Cell {
		return table.Pair(table.Show(n.Nominal.VRAM, table.Quantity[int64]("GB", 0)),
			table.Show(n.Nominal.MemoryType, table.Plain), "%s %s")
	}))
	t.Row("VRAM per GPU, read", perCard(func(n GPU) table.Cell { return table.Show(n.VRAM, table.Size[int64]) }))
	t.Row("Total VRAM, read", table.Show(g.VRAM, table.Size[int64]))
	t.Row("Memory Bandwidth (per GPU)",
		perCard(func(n GPU) table.Cell { return table.Show(n.Nominal.Bandwidth, table.Bandwidth) }))
	t.Row("FP16 Compute (per GPU)",
		perCard(func(n GPU) table.Cell { return table.Show(n.Nominal.FP16, table.Quantity[float64]("TFLOPS", 0)) }))
	t.Row("FP8 Compute (per GPU)",
		perCard(func(n GPU) table.Cell { return table.Show(n.Nominal.FP8, table.Quantity[float64]("TFLOPS", 0)) }))
	t.Row("PCIe per GPU", perCard(func(c GPU) table.Cell {
		return table.Pair(table.Show(c.PCIe.Speed, table.Quantity[float64]("GT/s", 1)),
			table.Show(c.PCIe.Width, table.Plain), "%s x%s")
	}))
	t.Row("NVLinks per GPU", perCard(func(c GPU) table.Cell {
		return table.Pair(table.Show(c.NVLinks, table.Plain),
			table.Show(c.NVLinkSpeed, table.Quantity[float64]("GB/s", 3)), "%s of %s")
	}))
	if !slices.ContainsFunc(g.Cards, func(n GPU) bool { on, _ := n.MIG.Get(); return on }) {
		return
	}
	t.Row("MIG instances per GPU", perCard(func(n GPU) table.Cell { return table.Show(n.InstanceCount, table.Plain) }))
}

// modelRow is how many cards of which models there are.
func (g *GPUs) modelRow() table.Cell {
	out := table.Mixed(table.Alike(g.Cards, modelCell))
	out.Scope, out.Source = g.Count.Scope(), fact.JoinReasons(g.Count.Source(), out.Source)
	return out
}

// modelCell is the model of a card, and of one that MIG divides what into: programs see its instances, and not the
// card.
func modelCell(c GPU) table.Cell {
	out := table.Show(c.Model, table.Plain)
	if on, _ := c.MIG.Get(); !on {
		return out
	}
	if len(c.Instances) == 0 {
		out.Text += " (MIG: instances unknown)"
		if n, ok := c.InstanceCount.Get(); ok && n == 0 {
			out.Text = strings.Replace(out.Text, "instances unknown", "no instance", 1)
		}
		return out
	}
	kinds, counts := table.Alike(c.Instances,
		func(m MIGInstance) table.Cell { return table.Show(m.Profile, table.Plain) })
	out.Text += " (MIG: " + table.Mixed(kinds, counts).Text + ")"
	return out
}

// LinkTable writes the links between cards as a matrix.
func (g *GPUs) LinkTable(t *table.Table) { gpu.LinkTable(t, "Links, by card", g.Links) }

// ShortRows writes the rows of the short table, where there are cards.
func (g *GPUs) ShortRows(t *table.Table) {
	if len(g.Cards) == 0 {
		return
	}
	perCard := func(of func(GPU) table.Cell) string { return table.PerCard(g.Cards, of).Text }
	t.Cells("GPU", g.modelRow().Text)
	t.Cells("Compute capability",
		perCard(func(c GPU) table.Cell { return table.Show(c.ComputeCapability, table.Plain) }))
	t.Cells("VRAM per GPU", perCard(func(c GPU) table.Cell {
		return table.OrElse(
			table.Pair(table.Show(c.Nominal.VRAM, table.Gigabytes), table.Show(c.Nominal.MemoryType, table.Plain),
				"%s %s"),
			table.Show(c.VRAM, table.Size[int64]),
		)
	}))
	t.Cells("Total VRAM", table.Show(g.VRAM, table.Size[int64]).Text)
	t.Cells("Memory Bandwidth (per GPU)",
		perCard(func(c GPU) table.Cell { return table.Show(c.Nominal.Bandwidth, table.Bandwidth) }))
	t.Cells("FP16 Compute (per GPU)",
		perCard(func(c GPU) table.Cell { return table.Show(c.Nominal.FP16, table.Quantity[float64]("TFLOPS", 0)) }))
}
