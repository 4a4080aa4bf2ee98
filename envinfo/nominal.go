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

// nominal returns the figures as those of a card of which so many compute units and so much memory were read, found by source. They are of
// a whole card as it is sold; where what was read contradicts that (a partition, one die of two, a lesser model, a virtual GPU), none
// of them is true of it, and all are unknown.
func (f *figures) nominal(source string, units, vram Value[int64]) Nominal {
	if reason := f.contradiction(units, vram); reason != "" {
		return unknownNominal(reason)
	}
	n := Nominal{
		VRAM:       Known(f.vram, "GB", ScopeHost, source),
		MemoryType: Known(f.memory, "", ScopeHost, source),
		Bandwidth:  Known(f.bandwidth, "TB/s", ScopeHost, source),
		FP16:       Known(f.fp16, "TFLOPS", ScopeHost, source),
		FP8:        Known(f.fp8, "TFLOPS", ScopeHost, source),
	}
	if f.fp8 == 0 {
		n.FP8 = Unknown[float64]("TFLOPS", ScopeHost, source+": none published")
	}
	return n
}

// contradiction says how what was read of a card shows that it is not the whole card of f, or "". What was not read contradicts nothing.
func (f *figures) contradiction(units, vram Value[int64]) string {
	if n, ok := units.Get(); ok && f.cus != 0 && n != f.cus {
		return fmt.Sprintf("the published figures are of a whole card of %d compute units, and %d are seen", f.cus, n)
	}
	return otherSize(f.vram, vram)
}

// otherSize says how the memory that was read is not that of a card of so many GB, or "".
func otherSize(gb int64, vram Value[int64]) string {
	// Cards are sold by the GiB and labelled GB; firmware keeps 0.1 % or so.
	const tolerance = 0.02
	whole := float64(gb) * (1 << 30)
	if b, ok := vram.Get(); ok && (float64(b) < whole*(1-tolerance) || float64(b) > whole*(1+tolerance)) {
		return fmt.Sprintf("the published figures are of a whole card of %d GB, and %d B are seen", gb, b)
	}
	return ""
}

// confirm is n, unless the memory that has become known since shows that it is not of the card.
func (n Nominal) confirm(vram Value[int64]) Nominal {
	if gb, ok := n.VRAM.Get(); ok {
		if reason := otherSize(gb, vram); reason != "" {
			return unknownNominal(reason)
		}
	}
	return n
}
