package envinfo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rows writes the cards.
func (g *GPUs) rows(t *table) {
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
}

// perCard is one cell for all cards: what they have in common, or how many have what.
func (g *GPUs) perCard(of func(GPU) cell) cell {
	if len(g.Cards) == 0 {
		return cell{"unknown", g.Count.Scope(), "no AMD GPU was read"}
	}
	out := perCard(g.Cards, of)
	if len(g.Cards) > 1 && out.text == of(g.Cards[0]).text && strings.HasPrefix(out.source, "/") {
		out.source += fmt.Sprintf(" (the first of %d alike)", len(g.Cards))
	}
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
	out := mixed(alike(g.Cards, func(c GPU) cell { return show(c.Model, plain) }))
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

// linkTable writes the links between devices as a matrix of kinds and weights, where any is known.
func (g *GPUs) linkTable(t *table) {
	var rows []int
	links := map[[2]int]string{}
	for _, l := range g.Links {
		if !slices.Contains(rows, l.From) {
			rows = append(rows, l.From)
		}
		if kind, ok := l.Type.Get(); ok {
			if weight, ok := l.Weight.Get(); ok {
				kind += fmt.Sprintf(" %d", weight)
			}
			links[[2]int{l.From, l.To}] = kind
		}
	}
	head, body, known := []string{"Links, by node"}, [][]string{}, false
	for _, from := range rows {
		head = append(head, strconv.Itoa(from))
		row := []string{strconv.Itoa(from)}
		for _, to := range rows {
			kind, ok := links[[2]int{from, to}]
			known = known || ok
			if !ok {
				kind = "-"
			}
			row = append(row, kind)
		}
		body = append(body, row)
	}
	if !known {
		return
	}
	t.line("")
	t.cells(head...)
	for _, row := range body {
		t.cells(row...)
	}
}

// linkRow is what connects the devices with each other: one kind of link, or how many have what, each direction counted.
func (g *GPUs) linkRow() cell {
	nodes := map[int]bool{}
	for _, card := range g.Cards {
		for _, n := range card.Nodes {
			nodes[n.Node] = true
		}
	}
	var kinds []cell
	var counts []int
	for _, l := range g.Links {
		if !nodes[l.To] {
			continue
		}
		k := show(l.Type, plain)
		if weight, ok := l.Weight.Get(); ok {
			k.text += fmt.Sprintf(" (weight %d)", weight)
		}
		i := slices.IndexFunc(kinds, func(c cell) bool { return c.text == k.text })
		if i < 0 {
			i = len(kinds)
			kinds, counts = append(kinds, k), append(counts, 0)
		}
		counts[i]++
	}
	if len(kinds) == 0 {
		return cell{"unknown", g.Count.Scope(), "fewer than two devices were read"}
	}
	return mixed(kinds, counts)
}

// shortRows writes the rows of the short table.
func (g *GPUs) shortRows(t *table) {
	t.cells("GPU", g.gpuRow().text)
	t.cells("Architecture", g.perCard(architecture).text)
	t.cells("VRAM per GPU", g.perCard(vram).text)
	t.cells("Total VRAM", totalVRAM(g).text)
	t.cells("Memory Bandwidth (per GPU)", g.perCard(func(c GPU) cell { return show(c.Nominal.Bandwidth, bandwidth) }).text)
	t.cells("Aggregate Bandwidth", show(g.NominalBandwidth, quantity[float64]("TB/s", 3)).text)
	t.cells("FP16 Compute (per GPU)", g.perCard(func(c GPU) cell { return show(c.Nominal.FP16, quantity[float64]("TFLOPS", 0)) }).text)
}

// vram is the published size of a card, which a buyer knows it by, or else what the driver offers.
func vram(c GPU) cell {
	return orElse(pair(show(c.Nominal.VRAM, gigabytes), show(c.Nominal.MemoryType, plain), "%s %s"), show(c.VRAM, size[int64]))
}

func totalVRAM(g *GPUs) cell {
	return orElse(show(g.NominalVRAM, terabytes), show(g.VRAM, size[int64]))
}
