package amd

import (
	"fmt"

	"github.com/servegauge/servegauge/envinfo/gpu"
)

// Vendor is AMD in PCI ids.
const Vendor = 0x1002

// model is what a PCI device id says by itself.
type model struct {
	name    string
	virtual bool         // a virtual function, as a guest sees it
	figures *gpu.Figures // nil: not in the table
}

// Published figures: AMD's product pages and CDNA white papers. They are keyed by PCI id and never by gfx target, since
// MI300X and MI325X share gfx942 but not their memory. FP16 of the CDNA cards is CUs × FLOP per clock and CU × clock:
// 304 × 2048 × 2.1 GHz is 1307.4 TFLOPS. Bandwidth does not follow so: the MI325X's published 6.0 TB/s is not its clock
// times its width, which GPU.MemoryBandwidth is.
//
// MI210, MI250X: CDNA 2 white paper and data sheets. MI300A, MI300X: CDNA 3 white paper. MI308X: units and memory by
// the table of specifications of ROCm, which has no figures of its arithmetic. MI325X, MI350X, MI355X: data sheets; 256
// CUs of CDNA 4 at 4096 FLOP and 2.2 GHz are the 2306.9 TFLOPS of the MI350X.
var (
	mi210  = &gpu.Figures{Units: 104, VRAM: 64, Memory: "HBM2e", Bandwidth: 1.638, FP16: 181.0}
	mi250x = &gpu.Figures{Units: 220, VRAM: 128, Memory: "HBM2e", Bandwidth: 3.277, FP16: 383}
	mi300a = &gpu.Figures{Units: 228, VRAM: 128, Memory: "HBM3", Bandwidth: 5.3, FP16: 980.6, FP8: 1961.2}
	mi300x = &gpu.Figures{Units: 304, VRAM: 192, Memory: "HBM3", Bandwidth: 5.3, FP16: 1307.4, FP8: 2614.9}
	mi308x = &gpu.Figures{Units: 80, VRAM: 192, Memory: "HBM3", Bandwidth: 5.3}
	mi325x = &gpu.Figures{Units: 304, VRAM: 256, Memory: "HBM3e", Bandwidth: 6.0, FP16: 1307.4, FP8: 2614.9}
	mi350x = &gpu.Figures{Units: 256, VRAM: 288, Memory: "HBM3e", Bandwidth: 8.0, FP16: 2306.9, FP8: 4613.7}
	mi355x = &gpu.Figures{Units: 256, VRAM: 288, Memory: "HBM3e", Bandwidth: 8.0, FP16: 2516.6, FP8: 5033.2}
)

// amdModels is by PCI device id of vendor 0x1002, as in the public pci.ids and, for 74a8, 74b6, 74bc, 75b0 and 75b3,
// the names in AMD's driver for hosts of virtual machines (MxGPU-Virtualization).
var amdModels = map[uint64]model{
	0x7408: {name: "AMD Instinct MI250X", figures: mi250x},
	0x740c: {name: "AMD Instinct MI250X/MI250", figures: mi250x}, // one id for both; the compute units tell
	0x740f: {name: "AMD Instinct MI210", figures: mi210},
	0x74a0: {name: "AMD Instinct MI300A", figures: mi300a},
	0x74a1: {name: "AMD Instinct MI300X", figures: mi300x},
	0x74b5: {name: "AMD Instinct MI300X", figures: mi300x, virtual: true},
	0x74a2: {name: "AMD Instinct MI308X", figures: mi308x},
	0x74b6: {name: "AMD Instinct MI308X", figures: mi308x, virtual: true},
	0x74a8: {name: "AMD Instinct MI308X HF", figures: mi308x},
	0x74bc: {name: "AMD Instinct MI308X HF", figures: mi308x, virtual: true},
	0x74a9: {name: "AMD Instinct MI300X HF", figures: mi300x},
	0x74bd: {name: "AMD Instinct MI300X HF", figures: mi300x, virtual: true},
	0x74a5: {name: "AMD Instinct MI325X", figures: mi325x},
	0x74b9: {name: "AMD Instinct MI325X", figures: mi325x, virtual: true},
	0x75a0: {name: "AMD Instinct MI350X", figures: mi350x},
	0x75b0: {name: "AMD Instinct MI350X", figures: mi350x, virtual: true},
	0x75a3: {name: "AMD Instinct MI355X", figures: mi355x},
	0x75b3: {name: "AMD Instinct MI355X", figures: mi355x, virtual: true},
}

// amdArchitectures is by gfx target, which is what an architecture is.
var amdArchitectures = map[string]string{
	"gfx908": "CDNA", "gfx90a": "CDNA 2", "gfx940": "CDNA 3", "gfx941": "CDNA 3", "gfx942": "CDNA 3",
	"gfx950": "CDNA 4",
}

// nominal returns the published figures of the card g, which has the PCI device id device.
func nominal(g *GPU, device uint64) gpu.Nominal {
	id := fmt.Sprintf("PCI id %04x:%04x", Vendor, device)
	f := amdModels[device].figures
	if f == nil {
		return gpu.UnknownNominal(id + " is not in the table of published figures")
	}
	return f.Nominal("table: "+id, g.ComputeUnits, g.VRAM)
}
