package amd

import (
	"fmt"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// transfers is how many times the memory of a card moves its width in one cycle of the clock that the driver reports,
// by gfx target. It is held by what is published: HBM2 moves twice (Vega 10: 945 MHz and 2048 bit are 484 GB/s; MI250X:
// 1600 MHz and 8192 bit are 3.277 TB/s), and of HBM3 the driver reports a clock of which it takes four (MI300X: 1300
// MHz and 8192 bit are 5.3 TB/s). Twice for all would give half of that. Targets of which no driver's clock was
// published (gfx950), and memory other than HBM, are left out.
var transfers = map[string]int64{
	"gfx900": 2, "gfx906": 2, "gfx908": 2, "gfx90a": 2, // HBM2, HBM2e
	"gfx942": 4, // HBM3, HBM3e
}

// memoryBandwidth is width / 8 × clock × transfers. It is near what the maker publishes and not the same: that is
// rounded, and of the MI325X lower.
func memoryBandwidth(g *GPU) fact.Value[float64] {
	width, okWidth := g.MemoryWidth.Get()
	clock, okClock := g.MemoryClock.Get()
	target, okTarget := g.Target.Get()
	reason := ""
	switch {
	case !okWidth:
		reason = g.MemoryWidth.Reason()
	case !okClock:
		reason = g.MemoryClock.Reason()
	case !okTarget:
		reason = g.Target.Reason()
	case transfers[target] == 0:
		reason = target + " is not in the table of transfers per memory clock"
	case width > 1<<20 || clock > 1<<20:
		reason = fmt.Sprintf("%d bit at %d MHz is out of range", width, clock)
	}
	if reason != "" {
		return fact.Unknown[float64]("TB/s", fact.ScopeHost, reason)
	}
	n := transfers[target]
	return fact.Known(
		float64(width*clock*n)/8/1e6,
		"TB/s",
		fact.ScopeHost,
		fmt.Sprintf("formula: memory_width %d bit / 8 × memory_clock %d MHz × %d; table: transfers per clock of %s",
			width, clock, n, target),
	)
}
