package envinfo

// Link is how one device reaches another, in the direction from From to To, as the driver describes it. There is a Link for every
// ordered pair of GPU devices, with a Type that is unknown where the driver lists no link, and one for every link to a processor.
//
// A device is a PCI device: a card, or a die of one. Partitions of a device share its links, and its first node stands for all.
type Link struct {
	From int           `json:"from"` // node of the driver, as [GPUNode.Node]
	To   int           `json:"to"`   // node of the driver; a processor's is in no card
	Type Value[string] `json:"type"` // "XGMI", "PCIe", …
	// Weight is the driver's measure of distance: less is nearer. It has no unit, and a scale that differs between kernels.
	Weight Value[int64] `json:"weight"`
	// MinBandwidth and MaxBandwidth are in MB/s. The driver writes 0 for what it does not know, which is so for every link that is
	// not direct.
	MinBandwidth Value[int64] `json:"min_bandwidth"`
	MaxBandwidth Value[int64] `json:"max_bandwidth"`
}

// nearer tells whether l has the lesser weight of two links between the same nodes.
func (l Link) nearer(old Link) bool {
	a, ok := l.Weight.Get()
	b, oldOK := old.Weight.Get()
	return ok && (!oldOK || a < b)
}

func unknownLink(reason string) Link {
	return Link{
		Type:         Unknown[string]("", ScopeHost, reason),
		Weight:       Unknown[int64]("", ScopeHost, reason),
		MinBandwidth: Unknown[int64]("MB/s", ScopeHost, reason),
		MaxBandwidth: Unknown[int64]("MB/s", ScopeHost, reason),
	}
}
