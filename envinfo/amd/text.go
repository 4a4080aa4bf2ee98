package amd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// Rows writes the cards, of which there must be one at least.
func (g *GPUs) Rows(t *table.Table) {
	t.Row("GPU", g.gpuRow())
	t.Row("Architecture", g.perCard(architecture))
	t.Row("Compute units per GPU",
		g.perCard(func(c GPU) table.Cell { return table.Show(c.ComputeUnits, table.Quantity[int64]("", 0)) }))
	t.Row("Partitions per GPU", g.perCard(func(c GPU) table.Cell {
		return table.Pair(table.Show(c.ComputePartition, table.Plain), table.Show(c.MemoryPartition, table.Plain),
			"%s / %s")
	}))
	t.Row("VRAM per GPU, published", g.perCard(func(c GPU) table.Cell {
		return table.Pair(table.Show(c.Nominal.VRAM, table.Quantity[int64]("GB", 0)),
			table.Show(c.Nominal.MemoryType, table.Plain), "%s %s")
	}))
	t.Row("VRAM per GPU, read", g.perCard(func(c GPU) table.Cell { return table.Show(c.VRAM, table.Size[int64]) }))
	t.Row("Total VRAM, published", table.Show(g.NominalVRAM, table.Terabytes))
	t.Row("Total VRAM, read", table.Show(g.VRAM, table.Size[int64]))
	t.Row("Memory Bandwidth (per GPU)",
		g.perCard(func(c GPU) table.Cell { return table.Show(c.Nominal.Bandwidth, table.Bandwidth) }))
	t.Row("Aggregate Bandwidth", table.Show(g.NominalBandwidth, table.Quantity[float64]("TB/s", 3)))
	t.Row("FP16 Compute (per GPU)",
		g.perCard(func(c GPU) table.Cell { return table.Show(c.Nominal.FP16, table.Quantity[float64]("TFLOPS", 0)) }))
	t.Row("FP8 Compute (per GPU)",
		g.perCard(func(c GPU) table.Cell { return table.Show(c.Nominal.FP8, table.Quantity[float64]("TFLOPS", 0)) }))
	t.Row("Memory Bandwidth, by clock",
		g.perCard(func(c GPU) table.Cell { return table.Show(c.MemoryBandwidth, table.Bandwidth) }))
	t.Row("PCIe per GPU", g.perCard(func(c GPU) table.Cell {
		return table.Pair(table.Show(c.PCIe.Speed, table.Quantity[float64]("GT/s", 1)),
			table.Show(c.PCIe.Width, table.Plain), "%s x%s")
	}))
	t.Row("Links between GPUs", g.linkRow())
}

// LinkTable writes the links between devices as a matrix.
func (g *GPUs) LinkTable(t *table.Table) { gpu.LinkTable(t, "Links, by node", g.Links) }

// perCard is one cell for all cards: what they have in common, or how many have what.
func (g *GPUs) perCard(of func(GPU) table.Cell) table.Cell {
	out := table.PerCard(g.Cards, of)
	if len(g.Cards) > 1 && out.Text == of(g.Cards[0]).Text && strings.HasPrefix(out.Source, "/") {
		out.Source += fmt.Sprintf(" (the first of %d alike)", len(g.Cards))
	}
	return out
}

// gpuRow says how many of which cards there are.
func (g *GPUs) gpuRow() table.Cell {
	_, ok := g.Count.Get()
	out := table.Mixed(table.Alike(g.Cards, modelCell))
	out.Scope = g.Count.Scope()
	if !ok {
		out.Text = "at least " + out.Text
		out.Source = fact.JoinReasons(g.Count.Reason(), out.Source)
		return out
	}
	out.Source = fact.JoinReasons(g.Count.Source(), out.Source)
	return out
}

// modelCell is the model of a card, and of one that is divided what into: programs see its parts as devices, and not
// the card.
func modelCell(c GPU) table.Cell {
	out := table.Show(c.Model, table.Plain)
	mode, ok := c.ComputePartition.Get()
	if !ok && shareDevice(c.Nodes) {
		mode = "mode unknown"
	} else if !ok || mode == "SPX" {
		return out
	}
	if memory, ok := c.MemoryPartition.Get(); ok {
		mode += " / " + memory
	}
	if len(c.Nodes) > 0 {
		mode += fmt.Sprintf(": %d devices each", len(c.Nodes))
		if len(c.Nodes) == 1 {
			mode = strings.TrimSuffix(mode, "s each")
		}
	}
	out.Text += " (" + mode + ")"
	return out
}

// shareDevice tells whether several nodes are one PCI device, which then is divided: dies have one each.
func shareDevice(nodes []Node) bool {
	seen := map[string]bool{}
	for _, n := range nodes {
		location, ok := n.Location.Get()
		if !ok {
			return false
		}
		seen[gpu.PCIDevice(location)] = true
	}
	return len(seen) < len(nodes)
}

// architecture is the name with the target, or the target alone where it has no name.
func architecture(c GPU) table.Cell {
	name, target := table.Show(c.Architecture, table.Plain), table.Show(c.Target, table.Plain)
	if name.Text == "unknown" && target.Text != "unknown" {
		target.Source = fact.JoinReasons(target.Source, name.Source)
		return target
	}
	return table.Pair(name, target, "%s (%s)")
}

// linkRow is what connects the devices with each other: one kind of link, or how many have what, each direction
// counted.
func (g *GPUs) linkRow() table.Cell {
	nodes := map[int]bool{}
	for _, card := range g.Cards {
		for _, n := range card.Nodes {
			nodes[n.Node] = true
		}
	}
	var kinds []table.Cell
	var counts []int
	for _, l := range g.Links {
		if !nodes[l.To] {
			continue
		}
		k := table.Show(l.Type, table.Plain)
		if weight, ok := l.Weight.Get(); ok {
			k.Text += fmt.Sprintf(" (weight %d)", weight)
		}
		i := slices.IndexFunc(kinds, func(c table.Cell) bool { return c.Text == k.Text })
		if i < 0 {
			i = len(kinds)
			kinds, counts = append(kinds, k), append(counts, 0)
		}
		counts[i]++
	}
	if len(kinds) == 0 {
		return table.Cell{Text: "unknown", Scope: g.Count.Scope(), Source: "fewer than two devices were read"}
	}
	return table.Mixed(kinds, counts)
}

// ShortRows writes the rows of the short table, where there are cards.
func (g *GPUs) ShortRows(t *table.Table) {
	if len(g.Cards) == 0 {
		return
	}
	t.Cells("GPU", g.gpuRow().Text)
	t.Cells("Architecture", g.perCard(architecture).Text)
	t.Cells("VRAM per GPU", g.perCard(vram).Text)
	t.Cells("Total VRAM", totalVRAM(g).Text)
	t.Cells("Memory Bandwidth (per GPU)",
		g.perCard(func(c GPU) table.Cell { return table.Show(c.Nominal.Bandwidth, table.Bandwidth) }).Text)
	t.Cells("Aggregate Bandwidth", table.Show(g.NominalBandwidth, table.Quantity[float64]("TB/s", 3)).Text)
	t.Cells(
		"FP16 Compute (per GPU)",
		g.perCard(
			func(c GPU) table.Cell { return table.Show(c.Nominal.FP16, table.Quantity[float64]("TFLOPS", 0)) },
		).Text,
	)
}

// vram is the published size of a card, which a buyer knows it by, or else what the driver offers.
func vram(c GPU) table.Cell {
	return table.OrElse(
		table.Pair(table.Show(c.Nominal.VRAM, table.Gigabytes), table.Show(c.Nominal.MemoryType, table.Plain), "%s %s"),
		table.Show(c.VRAM, table.Size[int64]),
	)
}

func totalVRAM(g *GPUs) table.Cell {
	return table.OrElse(table.Show(g.NominalVRAM, table.Terabytes), table.Show(g.VRAM, table.Size[int64]))
}
