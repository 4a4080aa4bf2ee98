// Package amd reads AMD's GPUs: from the topology that the driver keeps (KFD), with what DRM has of the same devices,
// and from amd-smi and rocm-smi, which fill gaps and check it.
package amd

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// GPUs is the GPUs of one maker, as cards: a card that is partitioned, or has two dies, is one [GPU] with several
// nodes.
type GPUs struct {
	// Count is how many cards there are. A device control group hides cards from the processes of a container; what is
	// left is a count of ScopeProcess, and a [fact.Warning] says how many nodes were hidden. It is unknown when it
	// could not be told of a node whether it is a GPU.
	Count fact.Value[int64] `json:"count"`
	// VRAM is the sum over the cards, in B.
	VRAM fact.Value[int64] `json:"vram"`
	// NominalVRAM and NominalBandwidth are the sums of the published figures, in GB and TB/s.
	NominalVRAM      fact.Value[int64]   `json:"nominal_vram"`
	NominalBandwidth fact.Value[float64] `json:"nominal_bandwidth"`
	// Cards is in the order of the driver's nodes. Nil: no card could be read; Count says why.
	Cards []GPU `json:"cards,omitempty"`
	// Links is how the devices are connected with each other and with the processors. Nil: there is no card, or there
	// are more than 64 devices.
	Links []gpu.Link `json:"links,omitempty"`
}

// GPU is one card. Its figures are of the whole card: sums over its nodes, or what they have in common.
type GPU struct {
	Model fact.Value[string] `json:"model"` // "AMD Instinct MI325X"
	// VirtualFunction tells whether this is a card as a hypervisor passes it on, by its PCI id.
	VirtualFunction fact.Value[bool]   `json:"virtual_function"`
	Architecture    fact.Value[string] `json:"architecture"` // "CDNA 3"
	Target          fact.Value[string] `json:"target"`       // what compilers build for: "gfx942"
	PCIID           fact.Value[string] `json:"pci_id"`       // vendor and device: "1002:74a5"
	Location        fact.Value[string] `json:"location"`     // PCI address of the first node: "0000:47:00.0"
	UniqueID        fact.Value[string] `json:"unique_id"`    // in hexadecimal, as the tools print it
	// of the XGMI hive, in hexadecimal: cards with the same one are linked
	HiveID           fact.Value[string] `json:"hive_id"`
	ComputeUnits     fact.Value[int64]  `json:"compute_units"`     // of all its nodes
	XCCs             fact.Value[int64]  `json:"xccs"`              // accelerator complex dies in use
	MaxClock         fact.Value[int64]  `json:"max_clock"`         // MHz, of the compute engine
	VRAM             fact.Value[int64]  `json:"vram"`              // B, as the driver offers it
	MemoryWidth      fact.Value[int64]  `json:"memory_width"`      // bit
	MemoryClock      fact.Value[int64]  `json:"memory_clock"`      // MHz, maximum
	ComputePartition fact.Value[string] `json:"compute_partition"` // "SPX", "CPX", …
	MemoryPartition  fact.Value[string] `json:"memory_partition"`  // "NPS1", "NPS4", …
	VBIOS            fact.Value[string] `json:"vbios"`
	// MemoryBandwidth is what MemoryWidth and MemoryClock give, in TB/s: what the memory can move at its highest clock,
	// and not a measurement. Nominal.Bandwidth is what the maker publishes.
	MemoryBandwidth fact.Value[float64] `json:"memory_bandwidth"`
	MemoryVendor    fact.Value[string]  `json:"memory_vendor"` // "hynix", "samsung", …
	ProductName     fact.Value[string]  `json:"product_name"`  // as burnt into the board; empty on virtual functions
	PCIe            gpu.PCIe            `json:"pcie"`
	// Firmware is what runs on the card's processors, by name. It has "mec" and "sdma" at least.
	Firmware []Firmware  `json:"firmware"`
	Nominal  gpu.Nominal `json:"nominal"`
	Nodes    []Node      `json:"nodes"`
}

// Node is what the driver offers programs as one device: a card, a partition of one, or one of its dies.
type Node struct {
	Node int `json:"node"` // the driver's number
	// PCI address; in partitioned cards, older kernels give the partition as the function
	Location     fact.Value[string] `json:"location"`
	ComputeUnits fact.Value[int64]  `json:"compute_units"`
	XCCs         fact.Value[int64]  `json:"xccs"`
	VRAM         fact.Value[int64]  `json:"vram"` // B
}

// capture is the state of one [Read].
type capture struct {
	*source.Reader
	fact.Warnings
}

// Read reads the AMD GPUs from the files of the driver.
func Read(r *source.Reader) (GPUs, []fact.Warning) {
	c := &capture{Reader: r}
	return c.gpus(), c.Warnings
}

func (c *capture) gpus() (g GPUs) {
	nodes, bad, err := c.kfd()
	if err != nil {
		reason := err.Error()
		if source.Missing(err) {
			reason += ": the amdgpu driver has found no GPU, is not loaded, or is hidden"
		}
		g.Count = fact.Unknown[int64]("", fact.ScopeHost, reason)
		g.totals()
		return g
	}
	var order []string
	cards := map[string][]kfdNode{}
	for _, n := range nodes {
		key := n.card()
		if _, ok := cards[key]; !ok {
			order = append(order, key)
		}
		cards[key] = append(cards[key], n)
	}
	for _, key := range order {
		g.Cards = append(g.Cards, c.gpu(cards[key]))
	}
	g.Count = c.countCards(len(order), bad)
	g.Links = c.deviceLinks(nodes)
	g.totals()
	return g
}

// countCards is the number of cards, given the nodes that could not be told apart.
func (c *capture) countCards(cards int, bad []error) fact.Value[int64] {
	source := fmt.Sprintf("GPU nodes in %s, by unique_id", source.Abs(kfdNodes))
	if len(bad) == 0 {
		return fact.Known(int64(cards), "", fact.ScopeHost, source)
	}
	for _, err := range bad {
		// The driver refuses the properties of a GPU that the device control group of the process does not grant.
		if !errors.Is(err, fs.ErrPermission) {
			return fact.Unknown[int64]("", fact.ScopeHost,
				fmt.Sprintf("%d of the nodes could not be told apart, %d cards could: %v", len(bad), cards, err))
		}
	}
	c.Warn(
		"amd.count",
		"%d of the nodes may not be read by this process and are not counted; the host has more cards, or more of "+
			"these: %v",
		len(bad),
		bad[0],
	)
	return fact.Known(int64(cards), "", fact.ScopeProcess, source+", that the process may read")
}

// gpu puts the nodes of one card together.
func (c *capture) gpu(nodes []kfdNode) GPU {
	first := nodes[0]
	g := GPU{
		HiveID:   hexID(first, "hive_id"),
		UniqueID: hexID(first, "unique_id"),
	}
	for _, n := range nodes {
		location, err := n.location()
		node := Node{
			Node:         n.index,
			Location:     fact.Known(location, "", fact.ScopeHost, n.source("domain, location_id")),
			ComputeUnits: n.computeUnits(),
			XCCs:         n.count("num_xcc", ""),
			VRAM:         n.vram(),
		}
		if err != nil {
			node.Location = fact.Unknown[string]("", fact.ScopeHost, err.Error())
		}
		g.Nodes = append(g.Nodes, node)
	}
	g.Location = g.Nodes[0].Location
	g.Target = fact.Agree(fact.Each(nodes, kfdNode.target))
	g.MaxClock = fact.Agree(
		fact.Each(nodes, func(n kfdNode) fact.Value[int64] { return n.count("max_engine_clk_fcompute", "MHz") }),
	)
	g.MemoryClock = fact.Agree(
		fact.Each(nodes, func(n kfdNode) fact.Value[int64] { return n.bank("mem_clk_max", "MHz") }),
	)
	g.ComputeUnits = fact.Sum(fact.Each(g.Nodes, func(n Node) fact.Value[int64] { return n.ComputeUnits }))
	g.XCCs = fact.Sum(fact.Each(g.Nodes, func(n Node) fact.Value[int64] { return n.XCCs }))
	g.MemoryWidth = memoryWidth(nodes)
	g.VRAM = c.cardVRAM(nodes, fact.Sum(fact.Each(g.Nodes, func(n Node) fact.Value[int64] { return n.VRAM })))
	g.ComputePartition = c.drm(nodes, "current_compute_partition")
	g.MemoryPartition = c.drm(nodes, "current_memory_partition")
	g.VBIOS = c.drm(nodes, "vbios_version")

	g.Architecture = architectureOf(g.Target)
	g.MemoryBandwidth = memoryBandwidth(&g)
	g.MemoryVendor = c.drm(nodes, "mem_info_vram_vendor")
	g.ProductName = c.drm(nodes, "product_name")
	g.PCIe = gpu.ReadPCIe(func(name string) fact.Value[string] { return c.drm(nodes, name) })
	g.Firmware = c.firmware(nodes)
	c.crossCheck(nodes)
	c.checkPartition(&g, nodes)
	c.identify(&g, nodes)
	return g
}

// architectureOf is the architecture of a target.
func architectureOf(target fact.Value[string]) fact.Value[string] {
	t, ok := target.Get()
	if !ok {
		return fact.Unknown[string]("", fact.ScopeHost, target.Reason())
	}
	a, ok := amdArchitectures[t]
	if !ok {
		return fact.Unknown[string]("", fact.ScopeHost, t+" is not in the table of architectures")
	}
	return fact.Known(a, "", fact.ScopeHost, "table: "+t)
}

// identify fills in what follows from the PCI id.
func (c *capture) identify(g *GPU, nodes []kfdNode) {
	first := nodes[0]
	vendor, err := first.positive("vendor_id")
	device, err2 := first.positive("device_id")
	if err := errors.Join(err, err2); err != nil {
		g.PCIID = fact.Unknown[string]("", fact.ScopeHost, err.Error())
		g.Model = c.productName(nodes, err.Error())
		g.VirtualFunction = fact.Unknown[bool]("", fact.ScopeHost, err.Error())
		g.Nominal = gpu.UnknownNominal(err.Error())
		return
	}
	id := fmt.Sprintf("%04x:%04x", vendor, device)
	g.PCIID = fact.Known(id, "", fact.ScopeHost, first.source("vendor_id, device_id"))
	m, ok := amdModels[device]
	if !ok || vendor != Vendor {
		reason := "PCI id " + id + " is not in the table of models"
		g.Model = c.productName(nodes, reason)
		if name, ok := gpu.Name(id); ok {
			g.Model = fact.Known("AMD "+name, "", fact.ScopeHost, "table: PCI id "+id)
		}
		g.VirtualFunction = fact.Unknown[bool]("", fact.ScopeHost, reason)
		g.Nominal = gpu.UnknownNominal(reason)
		return
	}
	// The table comes before product_name, which is empty on virtual functions and otherwise whatever was burnt into
	// the board.
	g.Model = fact.Known(m.name, "", fact.ScopeHost, "table: PCI id "+id)
	g.VirtualFunction = fact.Known(m.virtual, "", fact.ScopeHost, "table: PCI id "+id)
	g.Nominal = nominal(g, device)
}

// productName is the name that the board has of itself, for models that the table lacks.
func (c *capture) productName(nodes []kfdNode, reason string) fact.Value[string] {
	name := c.drm(nodes, "product_name")
	if _, ok := name.Get(); ok {
		return name
	}
	return fact.Unknown[string]("", fact.ScopeHost, reason+"; "+name.Reason())
}

func (n kfdNode) target() fact.Value[string] {
	const name = "gfx_target_version"
	version, err := n.positive(name)
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	t, err := target(version)
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, n.source(name)+": "+err.Error())
	}
	return fact.Known(t, "", fact.ScopeHost, n.source(name))
}

// hexID is an id of 64 bits, which the topology writes in decimal and DRM and the tools in hexadecimal.
func hexID(n kfdNode, name string) fact.Value[string] {
	id, err := n.positive(name)
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	return fact.Known(fmt.Sprintf("%016x", id), "", fact.ScopeHost, n.source(name))
}

// byDevice groups the nodes of a card by PCI device: partitions share one, dies have one each.
func byDevice(nodes []kfdNode) ([][]kfdNode, error) {
	var out [][]kfdNode
	seen := map[[3]uint64]int{}
	for _, n := range nodes {
		domain, bus, device, err := n.pciDevice()
		if err != nil {
			return nil, err
		}
		key := [3]uint64{domain, bus, device}
		i, ok := seen[key]
		if !ok {
			i = len(out)
			seen[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], n)
	}
	return out, nil
}

// memoryWidth is the width of the card's memory. Every partition reports the width of the whole device, so only devices
// add up.
func memoryWidth(nodes []kfdNode) fact.Value[int64] {
	if len(nodes) == 1 { // whatever its address, which old kernels do not give in full
		return nodes[0].bank("width", "bit")
	}
	devices, err := byDevice(nodes)
	if err != nil {
		return fact.Unknown[int64]("bit", fact.ScopeHost, err.Error())
	}
	return fact.Sum(fact.Each(devices, func(part []kfdNode) fact.Value[int64] {
		return fact.Agree(fact.Each(part, func(n kfdNode) fact.Value[int64] { return n.bank("width", "bit") }))
	}))
}

// cardVRAM decides between the sum over the nodes' banks and what DRM says of the whole device. The banks come first;
// DRM fills in for kernels that have none, and corrects a sum that is too large: where the memory of a device is
// offered to each of its partitions in full, it was counted once a partition.
func (c *capture) cardVRAM(nodes []kfdNode, banks fact.Value[int64]) fact.Value[int64] {
	byBanks, ok := banks.Get()
	if ok && len(nodes) == 1 {
		return banks
	}
	drm := c.drmVRAM(nodes)
	byDRM, drmOK := drm.Get()
	switch {
	case !ok && !drmOK:
		return fact.Unknown[int64]("B", fact.ScopeHost, banks.Reason()+"; "+drm.Reason())
	case !ok, drmOK && byDRM < byBanks:
		return drm
	}
	return banks
}

// drmVRAM is mem_info_vram_total of each PCI device of a card, added up.
func (c *capture) drmVRAM(nodes []kfdNode) fact.Value[int64] {
	devices, err := byDevice(nodes)
	if err != nil {
		return fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
	}
	return fact.Sum(fact.Each(devices, func(part []kfdNode) fact.Value[int64] {
		text := c.drm(part, "mem_info_vram_total")
		s, ok := text.Get()
		if !ok {
			return fact.Unknown[int64]("B", fact.ScopeHost, text.Reason())
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n == 0 {
			return fact.Unknown[int64]("B", fact.ScopeHost,
				fmt.Sprintf("%s: %q is not a size", text.Source(), fact.Clip(s)))
		}
		return fact.KnownCount(n, "B", text.Source())
	}))
}

// drm is a file of the DRM device of a card, from the first of its nodes that has it: in a partitioned card only the
// first partition's device is the PCI device with these files.
func (c *capture) drm(nodes []kfdNode, name string) fact.Value[string] {
	reason := ""
	for _, n := range nodes {
		if n.drm == "" {
			if reason == "" {
				reason = source.Abs(n.path) + ": no drm_render_minor"
			}
			continue
		}
		v := c.Text(n.drm+"/"+name, fact.ScopeHost)
		if _, ok := v.Get(); ok {
			return v
		}
		if reason == "" { // the first node's is the one to mend
			reason = v.Reason()
		}
	}
	return fact.Unknown[string]("", fact.ScopeHost, reason)
}

// totals adds the cards up. A sum is known only when every card is.
func (g *GPUs) totals() {
	n, ok := g.Count.Get()
	if !ok || n == 0 {
		reason := "no cards"
		if !ok {
			reason = "the number of cards is unknown"
		}
		g.VRAM = fact.Unknown[int64]("B", g.Count.Scope(), reason)
		g.NominalVRAM = fact.Unknown[int64]("GB", g.Count.Scope(), reason)
		g.NominalBandwidth = fact.Unknown[float64]("TB/s", g.Count.Scope(), reason)
		return
	}
	g.VRAM = total(g, func(c GPU) fact.Value[int64] { return c.VRAM })
	g.NominalVRAM = total(g, func(c GPU) fact.Value[int64] { return c.Nominal.VRAM })
	g.NominalBandwidth = total(g, func(c GPU) fact.Value[float64] { return c.Nominal.Bandwidth })
}

// total is the sum of a value of the cards, of the scope of their count.
func total[T int64 | float64](g *GPUs, of func(GPU) fact.Value[T]) fact.Value[T] {
	s := fact.Sum(fact.Each(g.Cards, of))
	v, ok := s.Get()
	if !ok {
		return fact.Unknown[T](s.Unit(), g.Count.Scope(), s.Reason())
	}
	return fact.Known(v, s.Unit(), g.Count.Scope(), s.Source())
}
