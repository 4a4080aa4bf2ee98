package amd

import (
	"fmt"

	"github.com/servegauge/servegauge/envinfo/gpu"
)

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
var (
	mi250x = &gpu.Figures{Cus: 220, Vram: 128, Memory: "HBM2e", Bandwidth: 3.277, Fp16: 383}
	mi300x = &gpu.Figures{Cus: 304, Vram: 192, Memory: "HBM3", Bandwidth: 5.3, Fp16: 1307.4, Fp8: 2614.9}
	mi325x = &gpu.Figures{Cus: 304, Vram: 256, Memory: "HBM3e", Bandwidth: 6.0, Fp16: 1307.4, Fp8: 2614.9}
	mi355x = &gpu.Figures{Cus: 256, Vram: 288, Memory: "HBM3e", Bandwidth: 8.0, Fp16: 2516.6, Fp8: 5033.2}
)

// amdModels is by PCI device id of vendor 0x1002, as in the public pci.ids.
var amdModels = map[uint64]model{
	0x7408: {name: "AMD Instinct MI250X", figures: mi250x},
	0x740c: {name: "AMD Instinct MI250X/MI250", figures: mi250x}, // one id for both; the compute units tell
	0x740f: {name: "AMD Instinct MI210"},
	0x74a0: {name: "AMD Instinct MI300A"},
	0x74a1: {name: "AMD Instinct MI300X", figures: mi300x},
	0x74b5: {name: "AMD Instinct MI300X", figures: mi300x, virtual: true},
	0x74a2: {name: "AMD Instinct MI308X"},
	0x74b6: {name: "AMD Instinct MI308X", virtual: true},
	0x74a5: {name: "AMD Instinct MI325X", figures: mi325x},
	0x74b9: {name: "AMD Instinct MI325X", figures: mi325x, virtual: true},
	0x75a0: {name: "AMD Instinct MI350X"},
	0x75b0: {name: "AMD Instinct MI350X", virtual: true},
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
