package gpu

import "github.com/servegauge/servegauge/envinfo/fact"

// Link is how one device reaches another, in the direction from From to To, as the driver describes it. There is a Link
// for every ordered pair of GPU devices, with a Type that is unknown where the driver lists no link, and one for every
// link to a processor.
//
// A device is a PCI device: a card, or a die of one. Partitions of a device share its links, and its first node stands
// for all.
type Link struct {
	From int                `json:"from"` // AMD's node, or the place of NVIDIA's card in the list
	To   int                `json:"to"`   // likewise; a processor's node is in no card
	Type fact.Value[string] `json:"type"` // "XGMI", "NVLink", "PCIe", …
	// Weight is the driver's measure of distance: less is nearer. It has no unit, and a scale that differs between
	// kernels.
	Weight fact.Value[int64] `json:"weight"`
	// MinBandwidth and MaxBandwidth are in MB/s. The driver writes 0 for what it does not know, which is so for every
	// link that is not direct.
	MinBandwidth fact.Value[int64] `json:"min_bandwidth"`
	MaxBandwidth fact.Value[int64] `json:"max_bandwidth"`
	// Count is how many links there are side by side, of NVLink, and Via the way in the words of nvidia-smi's topology:
	// "NV18", "PIX", "SYS", … Both are left out where the driver does not tell in this way.
	Count fact.Value[int64]  `json:"count,omitzero"`
	Via   fact.Value[string] `json:"via,omitzero"`
}

// Nearer tells whether l has the lesser weight of two links between the same nodes.
func (l Link) Nearer(old Link) bool {
	a, ok := l.Weight.Get()
	b, oldOK := old.Weight.Get()
	return ok && (!oldOK || a < b)
}

// UnknownLink is a link of which nothing is known, for the reason.
func UnknownLink(reason string) Link {
	return Link{
		Type:         fact.Unknown[string]("", fact.ScopeHost, reason),
		Weight:       fact.Unknown[int64]("", fact.ScopeHost, reason),
		MinBandwidth: fact.Unknown[int64]("MB/s", fact.ScopeHost, reason),
		MaxBandwidth: fact.Unknown[int64]("MB/s", fact.ScopeHost, reason),
	}
}
