package envinfo

import "fmt"

// Nominal is what the maker publishes for a card: not readings, and not what a program reaches. The source of each is "table: …".
type Nominal struct {
	// VRAM is in GB as it is on the label, which counts in GiB: a card of 256 GB has 256 GiB, of which the driver offers 255.7.
	VRAM       Value[int64]   `json:"vram"`
	MemoryType Value[string]  `json:"memory_type"` // "HBM3e"
	Bandwidth  Value[float64] `json:"bandwidth"`   // TB/s
	FP16       Value[float64] `json:"fp16"`        // TFLOPS, dense
	FP8        Value[float64] `json:"fp8"`         // TFLOPS, dense
}

// figures are what the maker publishes for a whole card: dense, without sparsity.
type figures struct {
	cus       int64   // compute units, by which a part of a card, or a lesser model with the same id, is told apart
	vram      int64   // GB
	memory    string  // kind of memory
	bandwidth float64 // TB/s
	fp16, fp8 float64 // TFLOPS; 0: the card has no such arithmetic
}

func unknownNominal(reason string) Nominal {
	return Nominal{
		VRAM:       Unknown[int64]("GB", ScopeHost, reason),
		MemoryType: Unknown[string]("", ScopeHost, reason),
		Bandwidth:  Unknown[float64]("TB/s", ScopeHost, reason),
		FP16:       Unknown[float64]("TFLOPS", ScopeHost, reason),
		FP8:        Unknown[float64]("TFLOPS", ScopeHost, reason),
	}
}

// contradiction says how what was read of g shows that it is not the whole card of f, or "". What was not read contradicts nothing.
func (f *figures) contradiction(g *GPU) string {
	if cus, ok := g.ComputeUnits.Get(); ok && cus != f.cus {
		return fmt.Sprintf("the published figures are of a whole card of %d compute units, and %d are seen", f.cus, cus)
	}
	// Cards are sold by the GiB and labelled GB; firmware keeps 0.1 % or so.
	const tolerance = 0.02
	whole := float64(f.vram) * (1 << 30)
	if vram, ok := g.VRAM.Get(); ok && (float64(vram) < whole*(1-tolerance) || float64(vram) > whole*(1+tolerance)) {
		return fmt.Sprintf("the published figures are of a whole card of %d GB, and %d B are seen", f.vram, vram)
	}
	return ""
}
