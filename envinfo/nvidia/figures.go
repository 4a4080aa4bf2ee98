package nvidia

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
)

// nvidiaFigures is by PCI device id: the data sheets of NVIDIA, of one GPU, dense, which is half of what the sheets
// give with sparsity. Memory is what the label says; what nvidia-smi counts is up to 0.6 % less, and of GDDR with error
// correction 6 % more.
var nvidiaFigures = map[uint64]*gpu.Figures{
	// A100 data sheet (2021).
	0x20b0: {VRAM: 40, Memory: "HBM2", Bandwidth: 1.555, FP16: 312},  // SXM4
	0x20f1: {VRAM: 40, Memory: "HBM2", Bandwidth: 1.555, FP16: 312},  // PCIe
	0x20b2: {VRAM: 80, Memory: "HBM2e", Bandwidth: 2.039, FP16: 312}, // SXM4
	0x20b5: {VRAM: 80, Memory: "HBM2e", Bandwidth: 1.935, FP16: 312}, // PCIe
	// H100 data sheet.
	0x2330: {VRAM: 80, Memory: "HBM3", Bandwidth: 3.35, FP16: 989.4, FP8: 1978.9}, // SXM
	0x2331: {VRAM: 80, Memory: "HBM2e", Bandwidth: 2.0, FP16: 756.5, FP8: 1513},   // PCIe
	0x2321: {VRAM: 94, Memory: "HBM3", Bandwidth: 3.9, FP16: 835.5, FP8: 1670.5},  // NVL
	// H200 data sheet.
	0x2335: {VRAM: 141, Memory: "HBM3e", Bandwidth: 4.8, FP16: 989.4, FP8: 1978.9}, // SXM
	0x233b: {VRAM: 141, Memory: "HBM3e", Bandwidth: 4.8, FP16: 835.5, FP8: 1670.5}, // NVL
	// HGX B200 and GB200 NVL72 data sheets, divided by 8 and by 72.
	0x2901: {VRAM: 180, Memory: "HBM3e", Bandwidth: 7.7, FP16: 2250, FP8: 4500},
	0x2941: {VRAM: 186, Memory: "HBM3e", Bandwidth: 8.0, FP16: 2500, FP8: 5000},
	// L40S and L4 data sheets.
	0x26b9: {VRAM: 48, Memory: "GDDR6", Bandwidth: 0.864, FP16: 362.05, FP8: 733, ECC: true},
	0x27b8: {VRAM: 24, Memory: "GDDR6", Bandwidth: 0.3, FP16: 121, FP8: 242.5, ECC: true},
	// RTX PRO 6000 Blackwell data sheets, and the white paper of the architecture for the arithmetic of the Workstation
	// Edition.
	0x2bb1: {VRAM: 96, Memory: "GDDR7", Bandwidth: 1.792, FP16: 503.8, FP8: 1007.6, ECC: true}, // Workstation
	0x2bb4: {VRAM: 96, Memory: "GDDR7", Bandwidth: 1.792, ECC: true},                           // Max-Q
	0x2bb5: {VRAM: 96, Memory: "GDDR7", Bandwidth: 1.597, FP16: 500, FP8: 1000, ECC: true},     // Server
}

// nvidiaNominal returns the published figures of a card, unless its memory shows that it is a part of one, such as a
// virtual GPU.
func nvidiaNominal(n GPU) gpu.Nominal {
	id, ok := n.PCIID.Get()
	if !ok {
		return gpu.UnknownNominal(n.PCIID.Reason())
	}
	vendor, digits, _ := strings.Cut(id, ":")
	device, err := strconv.ParseUint(digits, 16, 16)
	f := nvidiaFigures[device]
	if err != nil || vendor != fmt.Sprintf("%04x", nvidiaVendor) || f == nil {
		return gpu.UnknownNominal("PCI id " + id + " is not in the table of published figures")
	}
	return f.Nominal("table: PCI id "+id, fact.Value[int64]{}, n.VRAM)
}
