package envinfo

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// GPUs is the GPUs of one maker, as cards: a card that is partitioned, or has two dies, is one [GPU] with several nodes.
type GPUs struct {
	// Count is how many cards there are. A device control group hides cards from the processes of a container; what is left is a
	// count of ScopeProcess, and a [Warning] says how many nodes were hidden. It is unknown when it could not be told of a node
	// whether it is a GPU.
	Count Value[int64] `json:"count"`
	// VRAM is the sum over the cards, in B.
	VRAM Value[int64] `json:"vram"`
	// NominalVRAM and NominalBandwidth are the sums of the published figures, in GB and TB/s.
	NominalVRAM      Value[int64]   `json:"nominal_vram"`
	NominalBandwidth Value[float64] `json:"nominal_bandwidth"`
	// Cards is in the order of the driver's nodes. Nil: no card could be read; Count says why.
	Cards []GPU `json:"cards,omitempty"`
	// Links is how the devices are connected with each other and with the processors. Nil: there is no card, or there are more than
	// 64 devices.
	Links []Link `json:"links,omitempty"`
}

// GPU is one card. Its figures are of the whole card: sums over its nodes, or what they have in common.
type GPU struct {
	Model Value[string] `json:"model"` // "AMD Instinct MI325X"
	// VirtualFunction tells whether this is a card as a hypervisor passes it on, by its PCI id.
	VirtualFunction  Value[bool]   `json:"virtual_function"`
	Architecture     Value[string] `json:"architecture"`      // "CDNA 3"
	Target           Value[string] `json:"target"`            // what compilers build for: "gfx942"
	PCIID            Value[string] `json:"pci_id"`            // vendor and device: "1002:74a5"
	Location         Value[string] `json:"location"`          // PCI address of the first node: "0000:47:00.0"
	UniqueID         Value[string] `json:"unique_id"`         // in hexadecimal, as the tools print it
	HiveID           Value[string] `json:"hive_id"`           // of the XGMI hive, in hexadecimal: cards with the same one are linked
	ComputeUnits     Value[int64]  `json:"compute_units"`     // of all its nodes
	XCCs             Value[int64]  `json:"xccs"`              // accelerator complex dies in use
	MaxClock         Value[int64]  `json:"max_clock"`         // MHz, of the compute engine
	VRAM             Value[int64]  `json:"vram"`              // B, as the driver offers it
	MemoryWidth      Value[int64]  `json:"memory_width"`      // bit
	MemoryClock      Value[int64]  `json:"memory_clock"`      // MHz, maximum
	ComputePartition Value[string] `json:"compute_partition"` // "SPX", "CPX", …
	MemoryPartition  Value[string] `json:"memory_partition"`  // "NPS1", "NPS4", …
	VBIOS            Value[string] `json:"vbios"`
	// MemoryBandwidth is what MemoryWidth and MemoryClock give, in TB/s: what the memory can move at its highest clock, and not a
	// measurement. Nominal.Bandwidth is what the maker publishes.
	MemoryBandwidth Value[float64] `json:"memory_bandwidth"`
	MemoryVendor    Value[string]  `json:"memory_vendor"` // "hynix", "samsung", …
	ProductName     Value[string]  `json:"product_name"`  // as burnt into the board; empty on virtual functions
	PCIe            PCIe           `json:"pcie"`
	// Firmware is what runs on the card's processors, by name. It has "mec" and "sdma" at least.
	Firmware []Firmware `json:"firmware"`
	Nominal  Nominal    `json:"nominal"`
	Nodes    []GPUNode  `json:"nodes"`
}

// GPUNode is what the driver offers programs as one device: a card, a partition of one, or one of its dies.
type GPUNode struct {
	Node         int           `json:"node"`     // the driver's number
	Location     Value[string] `json:"location"` // PCI address; in partitioned cards, older kernels give the partition as the function
	ComputeUnits Value[int64]  `json:"compute_units"`
	XCCs         Value[int64]  `json:"xccs"`
	VRAM         Value[int64]  `json:"vram"` // B
}

// amdCapture is the state of one [ReadAMD].
type amdCapture struct {
	*reader
	Warnings
}

// ReadAMD reads the AMD GPUs from the files of the driver.
func ReadAMD(r *reader) (GPUs, []Warning) {
	c := &amdCapture{reader: r}
	return c.gpus(), c.Warnings
}

func (c *amdCapture) gpus() (g GPUs) {
	nodes, bad, err := c.kfd()
	if err != nil {
		reason := err.Error()
		if missing(err) {
			reason += ": the amdgpu driver has found no GPU, is not loaded, or is hidden"
		}
		g.Count = Unknown[int64]("", ScopeHost, reason)
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
func (c *amdCapture) countCards(cards int, bad []error) Value[int64] {
	source := fmt.Sprintf("GPU nodes in %s, by unique_id", abs(kfdNodes))
	if len(bad) == 0 {
		return Known(int64(cards), "", ScopeHost, source)
	}
	for _, err := range bad {
		// The driver refuses the properties of a GPU that the device control group of the process does not grant.
		if !errors.Is(err, fs.ErrPermission) {
			return Unknown[int64]("", ScopeHost, fmt.Sprintf("%d of the nodes could not be told apart, %d cards could: %v", len(bad), cards, err))
		}
	}
	c.Warn("amd.count", "%d of the nodes may not be read by this process and are not counted; the host has more cards, or more of these: %v",
		len(bad), bad[0])
	return Known(int64(cards), "", ScopeProcess, source+", that the process may read")
}

// gpu puts the nodes of one card together.
func (c *amdCapture) gpu(nodes []kfdNode) GPU {
	first := nodes[0]
	g := GPU{
		HiveID:   hexID(first, "hive_id"),
		UniqueID: hexID(first, "unique_id"),
	}
	for _, n := range nodes {
		location, err := n.location()
		node := GPUNode{
			Node:         n.index,
			Location:     Known(location, "", ScopeHost, n.source("domain, location_id")),
			ComputeUnits: n.computeUnits(),
			XCCs:         n.count("num_xcc", ""),
			VRAM:         n.vram(),
		}
		if err != nil {
			node.Location = Unknown[string]("", ScopeHost, err.Error())
		}
		g.Nodes = append(g.Nodes, node)
	}
	g.Location = g.Nodes[0].Location
	g.Target = agree(each(nodes, kfdNode.target))
	g.MaxClock = agree(each(nodes, func(n kfdNode) Value[int64] { return n.count("max_engine_clk_fcompute", "MHz") }))
	g.MemoryClock = agree(each(nodes, func(n kfdNode) Value[int64] { return n.bank("mem_clk_max", "MHz") }))
	g.ComputeUnits = sum(each(g.Nodes, func(n GPUNode) Value[int64] { return n.ComputeUnits }))
	g.XCCs = sum(each(g.Nodes, func(n GPUNode) Value[int64] { return n.XCCs }))
	g.MemoryWidth = memoryWidth(nodes)
	g.VRAM = c.cardVRAM(nodes, sum(each(g.Nodes, func(n GPUNode) Value[int64] { return n.VRAM })))
	g.ComputePartition = c.drm(nodes, "current_compute_partition")
	g.MemoryPartition = c.drm(nodes, "current_memory_partition")
	g.VBIOS = c.drm(nodes, "vbios_version")

	g.Architecture = Unknown[string]("", ScopeHost, g.Target.Reason())
	if t, ok := g.Target.Get(); ok {
		g.Architecture = Unknown[string]("", ScopeHost, t+" is not in the table of architectures")
		if a, ok := amdArchitectures[t]; ok {
			g.Architecture = Known(a, "", ScopeHost, "table: "+t)
		}
	}
	g.MemoryBandwidth = memoryBandwidth(&g)
	g.MemoryVendor = c.drm(nodes, "mem_info_vram_vendor")
	g.ProductName = c.drm(nodes, "product_name")
	g.PCIe = c.pcie(nodes)
	g.Firmware = c.firmware(nodes)
	c.crossCheck(nodes)
	c.checkPartition(&g, nodes)
	c.identify(&g, nodes)
	return g
}

// identify fills in what follows from the PCI id.
func (c *amdCapture) identify(g *GPU, nodes []kfdNode) {
	first := nodes[0]
	vendor, err := first.positive("vendor_id")
	device, err2 := first.positive("device_id")
	if err := errors.Join(err, err2); err != nil {
		g.PCIID = Unknown[string]("", ScopeHost, err.Error())
		g.Model = c.productName(nodes, err.Error())
		g.VirtualFunction = Unknown[bool]("", ScopeHost, err.Error())
		g.Nominal = unknownNominal(err.Error())
		return
	}
	id := fmt.Sprintf("%04x:%04x", vendor, device)
	g.PCIID = Known(id, "", ScopeHost, first.source("vendor_id, device_id"))
	m, ok := amdModels[device]
	if !ok || vendor != amdVendor {
		reason := "PCI id " + id + " is not in the table of models"
		g.Model = c.productName(nodes, reason)
		g.VirtualFunction = Unknown[bool]("", ScopeHost, reason)
		g.Nominal = unknownNominal(reason)
		return
	}
	// The table comes before product_name, which is empty on virtual functions and otherwise whatever was burnt into the board.
	g.Model = Known(m.name, "", ScopeHost, "table: PCI id "+id)
	g.VirtualFunction = Known(m.virtual, "", ScopeHost, "table: PCI id "+id)
	g.Nominal = nominal(g, device)
}

// productName is the name that the board has of itself, for models that the table lacks.
func (c *amdCapture) productName(nodes []kfdNode, reason string) Value[string] {
	name := c.drm(nodes, "product_name")
	if _, ok := name.Get(); ok {
		return name
	}
	return Unknown[string]("", ScopeHost, reason+"; "+name.Reason())
}

func (n kfdNode) target() Value[string] {
	const name = "gfx_target_version"
	version, err := n.positive(name)
	if err != nil {
		return Unknown[string]("", ScopeHost, err.Error())
	}
	t, err := target(version)
	if err != nil {
		return Unknown[string]("", ScopeHost, n.source(name)+": "+err.Error())
	}
	return Known(t, "", ScopeHost, n.source(name))
}

// hexID is an id of 64 bits, which the topology writes in decimal and DRM and the tools in hexadecimal.
func hexID(n kfdNode, name string) Value[string] {
	id, err := n.positive(name)
	if err != nil {
		return Unknown[string]("", ScopeHost, err.Error())
	}
	return Known(fmt.Sprintf("%016x", id), "", ScopeHost, n.source(name))
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

// memoryWidth is the width of the card's memory. Every partition reports the width of the whole device, so only devices add up.
func memoryWidth(nodes []kfdNode) Value[int64] {
	if len(nodes) == 1 { // whatever its address, which old kernels do not give in full
		return nodes[0].bank("width", "bit")
	}
	devices, err := byDevice(nodes)
	if err != nil {
		return Unknown[int64]("bit", ScopeHost, err.Error())
	}
	return sum(each(devices, func(part []kfdNode) Value[int64] {
		return agree(each(part, func(n kfdNode) Value[int64] { return n.bank("width", "bit") }))
	}))
}

// cardVRAM decides between the sum over the nodes' banks and what DRM says of the whole device. The banks come first; DRM fills in
// for kernels that have none, and corrects a sum that is too large: where the memory of a device is offered to each of its partitions
// in full, it was counted once a partition.
func (c *amdCapture) cardVRAM(nodes []kfdNode, banks Value[int64]) Value[int64] {
	byBanks, ok := banks.Get()
	if ok && len(nodes) == 1 {
		return banks
	}
	drm := c.drmVRAM(nodes)
	byDRM, drmOK := drm.Get()
	switch {
	case !ok && !drmOK:
		return Unknown[int64]("B", ScopeHost, banks.Reason()+"; "+drm.Reason())
	case !ok, drmOK && byDRM < byBanks:
		return drm
	}
	return banks
}

// drmVRAM is mem_info_vram_total of each PCI device of a card, added up.
func (c *amdCapture) drmVRAM(nodes []kfdNode) Value[int64] {
	devices, err := byDevice(nodes)
	if err != nil {
		return Unknown[int64]("B", ScopeHost, err.Error())
	}
	return sum(each(devices, func(part []kfdNode) Value[int64] {
		text := c.drm(part, "mem_info_vram_total")
		s, ok := text.Get()
		if !ok {
			return Unknown[int64]("B", ScopeHost, text.Reason())
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n == 0 {
			return Unknown[int64]("B", ScopeHost, fmt.Sprintf("%s: %q is not a size", text.Source(), clip(s)))
		}
		return knownCount(n, "B", text.Source())
	}))
}

// drm is a file of the DRM device of a card, from the first of its nodes that has it: in a partitioned card only the first partition's
// device is the PCI device with these files.
func (c *amdCapture) drm(nodes []kfdNode, name string) Value[string] {
	reason := ""
	for _, n := range nodes {
		if n.drm == "" {
			if reason == "" {
				reason = abs(n.path) + ": no drm_render_minor"
			}
			continue
		}
		v := c.text(n.drm+"/"+name, ScopeHost)
		if _, ok := v.Get(); ok {
			return v
		}
		if reason == "" { // the first node's is the one to mend
			reason = v.Reason()
		}
	}
	return Unknown[string]("", ScopeHost, reason)
}

// totals adds the cards up. A sum is known only when every card is.
func (g *GPUs) totals() {
	n, ok := g.Count.Get()
	if !ok || n == 0 {
		reason := "no cards"
		if !ok {
			reason = "the number of cards is unknown"
		}
		g.VRAM = Unknown[int64]("B", g.Count.Scope(), reason)
		g.NominalVRAM = Unknown[int64]("GB", g.Count.Scope(), reason)
		g.NominalBandwidth = Unknown[float64]("TB/s", g.Count.Scope(), reason)
		return
	}
	g.VRAM = total(g, func(c GPU) Value[int64] { return c.VRAM })
	g.NominalVRAM = total(g, func(c GPU) Value[int64] { return c.Nominal.VRAM })
	g.NominalBandwidth = total(g, func(c GPU) Value[float64] { return c.Nominal.Bandwidth })
}

// total is the sum of a value of the cards, of the scope of their count.
func total[T int64 | float64](g *GPUs, of func(GPU) Value[T]) Value[T] {
	s := sum(each(g.Cards, of))
	v, ok := s.Get()
	if !ok {
		return Unknown[T](s.Unit(), g.Count.Scope(), s.Reason())
	}
	return Known(v, s.Unit(), g.Count.Scope(), s.Source())
}

// pcie is the link of the card's first device.
func (c *amdCapture) pcie(nodes []kfdNode) PCIe {
	return PCIe{
		Speed:    parsed(c.drm(nodes, "current_link_speed"), "GT/s", parseLinkSpeed),
		Width:    parsed(c.drm(nodes, "current_link_width"), "", parseLinkWidth),
		MaxSpeed: parsed(c.drm(nodes, "max_link_speed"), "GT/s", parseLinkSpeed),
		MaxWidth: parsed(c.drm(nodes, "max_link_width"), "", parseLinkWidth),
		NUMANode: parsed(c.drm(nodes, "numa_node"), "", parseNUMANode),
	}
}
