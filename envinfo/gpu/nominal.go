// Package gpu is what the makers' cards have in common: the figures that are published of them, their link to the host
// and to each other, PCI addresses, and names by PCI id.
package gpu

import (
	"fmt"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// Nominal is what the maker publishes for a card: not readings, and not what a program reaches. The source of each is
// "table: …".
type Nominal struct {
	// VRAM is in GB as it is on the label, which counts in GiB: a card of 256 GB has 256 GiB, of which the driver
	// offers 255.7.
	VRAM       fact.Value[int64]   `json:"vram"`
	MemoryType fact.Value[string]  `json:"memory_type"` // "HBM3e"
	Bandwidth  fact.Value[float64] `json:"bandwidth"`   // TB/s
	FP16       fact.Value[float64] `json:"fp16"`        // TFLOPS, dense
	FP8        fact.Value[float64] `json:"fp8"`         // TFLOPS, dense
}

// Figures are what the maker publishes for a whole card: dense, without sparsity.
type Figures struct {
	Units     int64   // compute units, by which a part of a card, or a lesser model with the same id, is told apart
	VRAM      int64   // GB
	Memory    string  // kind of memory
	Bandwidth float64 // TB/s
	FP16, FP8 float64 // TFLOPS; 0: none is published
	// ECC tells that the memory keeps its error correction in itself, as GDDR does: a sixteenth less is offered while
	// it is on.
	ECC bool
}

// UnknownNominal is that nothing is known, for the reason.
func UnknownNominal(reason string) Nominal {
	return Nominal{
		VRAM:       fact.Unknown[int64]("GB", fact.ScopeHost, reason),
		MemoryType: fact.Unknown[string]("", fact.ScopeHost, reason),
		Bandwidth:  fact.Unknown[float64]("TB/s", fact.ScopeHost, reason),
		FP16:       fact.Unknown[float64]("TFLOPS", fact.ScopeHost, reason),
		FP8:        fact.Unknown[float64]("TFLOPS", fact.ScopeHost, reason),
	}
}

// Nominal returns the figures as those of a card of which so many compute units and so much memory were read, found by
// source. They are of a whole card as it is sold; where what was read contradicts that (a partition, one die of two, a
// lesser model, a virtual GPU), none of them is true of it, and all are unknown.
func (f *Figures) Nominal(source string, units, vram fact.Value[int64]) Nominal {
	if reason := f.contradiction(units, vram); reason != "" {
		return UnknownNominal(reason)
	}
	n := Nominal{
		VRAM:       fact.Known(f.VRAM, "GB", fact.ScopeHost, source),
		MemoryType: fact.Known(f.Memory, "", fact.ScopeHost, source),
		Bandwidth:  fact.Known(f.Bandwidth, "TB/s", fact.ScopeHost, source),
		FP16:       fact.Known(f.FP16, "TFLOPS", fact.ScopeHost, source),
		FP8:        fact.Known(f.FP8, "TFLOPS", fact.ScopeHost, source),
	}
	if f.FP16 == 0 {
		n.FP16 = fact.Unknown[float64]("TFLOPS", fact.ScopeHost, source+": none published")
	}
	if f.FP8 == 0 {
		n.FP8 = fact.Unknown[float64]("TFLOPS", fact.ScopeHost, source+": none published")
	}
	return n
}

// contradiction says how what was read of a card shows that it is not the whole card of f, or "". What was not read
// contradicts nothing.
func (f *Figures) contradiction(units, vram fact.Value[int64]) string {
	if n, ok := units.Get(); ok && f.Units != 0 && n != f.Units {
		return fmt.Sprintf("the published figures are of a whole card of %d compute units, and %d are seen", f.Units, n)
	}
	return otherSize(f.VRAM, vram, f.ECC)
}

// otherSize says how the memory that was read is not that of a card of so many GB, or "".
func otherSize(gb int64, vram fact.Value[int64], ecc bool) string {
	// Cards are sold by the GiB and labelled GB; firmware keeps 0.1 % or so.
	const tolerance = 0.02
	whole := float64(gb) * (1 << 30)
	least := whole * (1 - tolerance)
	if ecc {
		least -= whole / 16
	}
	if b, ok := vram.Get(); ok && (float64(b) < least || float64(b) > whole*(1+tolerance)) {
		return fmt.Sprintf("the published figures are of a whole card of %d GB, and %d B are seen", gb, b)
	}
	return ""
}

// Confirm is n, unless the memory that has become known since shows that it is not of the card.
func (n Nominal) Confirm(vram fact.Value[int64]) Nominal {
	if gb, ok := n.VRAM.Get(); ok {
		if reason := otherSize(gb, vram, false); reason != "" {
			return UnknownNominal(reason)
		}
	}
	return n
}
