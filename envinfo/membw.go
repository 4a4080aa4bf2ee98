package envinfo

import "fmt"

// transfers is how many times memory of a card moves its width in one cycle of the clock that the driver reports, by gfx target. HBM2
// and HBM2e move twice; of HBM3 and HBM3e the driver reports half of the clock that moves twice, so it is four: the MI300X has
// 1300 MHz and memory of 5.2 GT/s. Twice for all would give half of the MI300X's 5.3 TB/s. Other memory is left out, since for
// GDDR6 the ratio differs between kernels.
var transfers = map[string]int64{
	"gfx900": 2, "gfx906": 2, "gfx908": 2, "gfx90a": 2, // HBM2, HBM2e
	"gfx940": 4, "gfx941": 4, "gfx942": 4, "gfx950": 4, // HBM3, HBM3e
}

// memoryBandwidth is width / 8 × clock × transfers. It is near what the maker publishes and not the same: that is rounded, and of the
// MI325X lower.
func memoryBandwidth(g *GPU) Value[float64] {
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
		return Unknown[float64]("TB/s", ScopeHost, reason)
	}
	n := transfers[target]
	return Known(float64(width*clock*n)/8/1e6, "TB/s", ScopeHost,
		fmt.Sprintf("formula: memory_width %d bit / 8 × memory_clock %d MHz × %d; table: transfers per clock of %s", width, clock, n, target))
}
