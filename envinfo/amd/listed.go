package amd

import (
	"fmt"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
)

// list takes the cards that a tool lists, where the files of the driver show none: in a container without
// sys/class/kfd, or of a card that programs cannot compute on. Rows with one unique id are parts of one card,
// partitions or dies; without an id those of one device are.
func (g *GPUs) list(name string, said []smiCard, userland fact.Scope) {
	var order []string
	cards := map[string][]smiCard{}
	for _, s := range said {
		if s.device == "" {
			continue
		}
		key := s.device
		if id, ok := s.uniqueID.Get(); ok {
			key = id
		}
		if _, ok := cards[key]; !ok {
			order = append(order, key)
		}
		cards[key] = append(cards[key], s)
	}
	for _, key := range order {
		g.Cards = append(g.Cards, listedCard(name, g.Count.Reason(), cards[key]))
	}
	g.Count = fact.Known(int64(len(order)), "", userland, name+": devices, by asic_serial")
	g.totals()
}

// listedCard is a card of which a tool alone tells, in a row for each of its parts. What the tool does not say is
// unknown for the reason for which the files do not say it.
func listedCard(name, reason string, rows []smiCard) GPU {
	first := rows[0]
	text, count := fact.Unknown[string]("", fact.ScopeHost, reason), fact.Unknown[int64]("", fact.ScopeHost, reason)
	unit := func(u string) fact.Value[int64] { return fact.Unknown[int64](u, fact.ScopeHost, reason) }
	g := GPU{
		Model: first.model, VBIOS: first.vbios, UniqueID: first.uniqueID, Target: first.target,
		ComputeUnits:     first.units,
		ComputePartition: first.computePartition, MemoryPartition: first.memoryPartition, VRAM: first.vram,
		PCIe: first.link,
		Location: fact.Known(first.location, "", fact.ScopeHost,
			name+": bdf"), HiveID: text, MemoryVendor: text, ProductName: text,
		XCCs: count, MaxClock: unit("MHz"), MemoryClock: unit("MHz"), MemoryWidth: unit("bit"), Firmware: []Firmware{},
		Nodes:           []Node{},
		VirtualFunction: fact.Unknown[bool]("", fact.ScopeHost, reason), Architecture: text,
	}
	for _, v := range []*fact.Value[string]{&g.Target, &g.ComputePartition, &g.MemoryPartition} {
		if *v == (fact.Value[string]{}) { // the tool has no such field
			*v = text
		}
	}
	if g.ComputeUnits == (fact.Value[int64]{}) {
		g.ComputeUnits = count
	}
	if g.PCIe == (gpu.PCIe{}) {
		g.PCIe.MaxSpeed, g.PCIe.MaxWidth = fact.Unknown[float64]("GT/s", fact.ScopeHost, reason), count
	}
	g.PCIe.Speed, g.PCIe.Width = fact.Unknown[float64]("GT/s", fact.ScopeHost, reason), count
	g.PCIe.NUMANode = count
	if len(rows) > 1 { // which of them a number is of, the tool does not say
		parts := fmt.Sprintf("%s: %d parts of one card, and whether a figure is of one or of all is not said", name,
			len(rows))
		g.VRAM, g.ComputeUnits = fact.Unknown[int64]("B", fact.ScopeHost, parts), fact.Unknown[int64]("",
			fact.ScopeHost, parts)
	}
	g.Architecture = architectureOf(g.Target)
	g.MemoryBandwidth = memoryBandwidth(&g)
	g.Nominal = gpu.UnknownNominal(first.pciDevice.Reason())
	id, ok := first.pciDevice.Get()
	if !ok {
		g.PCIID = first.pciDevice
		return g
	}
	g.PCIID = fact.Known(fmt.Sprintf("%04x:%s", Vendor, id), "", fact.ScopeHost, first.pciDevice.Source())
	device, _ := strconv.ParseUint(id, 16, 32)
	g.Nominal = nominal(&g, device)
	if m, ok := amdModels[device]; ok {
		g.Model = fact.Known(m.name, "", fact.ScopeHost, "table: PCI id "+fmt.Sprintf("%04x:%s", Vendor, id))
		g.VirtualFunction = fact.Known(m.virtual, "", fact.ScopeHost,
			"table: PCI id "+fmt.Sprintf("%04x:%s", Vendor, id))
	}
	return g
}
