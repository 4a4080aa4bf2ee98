package envinfo

import "slices"

// rows writes the cards, where there are any: "no NVIDIA GPU" in the table of an AMD host would be noise.
func (g *NVIDIAGPUs) rows(t *table) {
	if len(g.Cards) == 0 {
		return
	}
	perCard := func(of func(NVIDIAGPU) cell) cell { return perCard(g.Cards, of) }
	t.row("NVIDIA GPU", g.modelRow())
	t.row("Compute capability", perCard(func(n NVIDIAGPU) cell { return show(n.ComputeCapability, plain) }))
	t.row("VRAM per GPU, published", perCard(func(n NVIDIAGPU) cell {
		return pair(show(n.Nominal.VRAM, quantity[int64]("GB", 0)), show(n.Nominal.MemoryType, plain), "%s %s")
	}))
	t.row("VRAM per GPU, read", perCard(func(n NVIDIAGPU) cell { return show(n.VRAM, size[int64]) }))
	t.row("Total VRAM, read", show(g.VRAM, size[int64]))
	t.row("Memory Bandwidth (per GPU)", perCard(func(n NVIDIAGPU) cell { return show(n.Nominal.Bandwidth, bandwidth) }))
	t.row("FP16 Compute (per GPU)", perCard(func(n NVIDIAGPU) cell { return show(n.Nominal.FP16, quantity[float64]("TFLOPS", 0)) }))
	t.row("FP8 Compute (per GPU)", perCard(func(n NVIDIAGPU) cell { return show(n.Nominal.FP8, quantity[float64]("TFLOPS", 0)) }))
	if !slices.ContainsFunc(g.Cards, func(n NVIDIAGPU) bool { on, _ := n.MIG.Get(); return on }) {
		return
	}
	t.row("MIG instances per GPU", perCard(func(n NVIDIAGPU) cell { return show(n.InstanceCount, plain) }))
}

// modelRow is how many cards of which models there are.
func (g *NVIDIAGPUs) modelRow() cell {
	out := mixed(alike(g.Cards, func(n NVIDIAGPU) cell { return show(n.Model, plain) }))
	out.scope, out.source = g.Count.Scope(), joinReasons(g.Count.Source(), out.source)
	return out
}

// shortRows writes the rows of the short table, where there are cards.
func (g *NVIDIAGPUs) shortRows(t *table) {
	if len(g.Cards) == 0 {
		return
	}
	perCard := func(of func(NVIDIAGPU) cell) string { return perCard(g.Cards, of).text }
	t.cells("GPU", g.modelRow().text)
	t.cells("Compute capability", perCard(func(c NVIDIAGPU) cell { return show(c.ComputeCapability, plain) }))
	t.cells("VRAM per GPU", perCard(func(c NVIDIAGPU) cell {
		return orElse(pair(show(c.Nominal.VRAM, gigabytes), show(c.Nominal.MemoryType, plain), "%s %s"), show(c.VRAM, size[int64]))
	}))
	t.cells("Total VRAM", show(g.VRAM, size[int64]).text)
	t.cells("Memory Bandwidth (per GPU)", perCard(func(c NVIDIAGPU) cell { return show(c.Nominal.Bandwidth, bandwidth) }))
	t.cells("FP16 Compute (per GPU)", perCard(func(c NVIDIAGPU) cell { return show(c.Nominal.FP16, quantity[float64]("TFLOPS", 0)) }))
}
