package nvidia

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// nvidiaCard puts together what the driver's folder of a card (its name is the PCI address, "" for no folder) and
// nvidia-smi say.
func (c *capture) nvidiaCard(at, folder string, row Row) GPU {
	same := func(a, b string) bool { return strings.EqualFold(a, b) }
	info := nvidiaInfo{err: errors.New(source.Abs(nvidiaDir) + "/gpus has no such card")}
	location := row.Location()
	if folder != "" {
		info = c.nvidiaInfo(nvidiaDir + "/gpus/" + folder + "/information")
		location = fact.Unknown[string]("", fact.ScopeHost,
			fmt.Sprintf("%s/gpus: %q is not a PCI address", source.Abs(nvidiaDir), fact.Clip(folder)))
		if l := gpu.PCILocation(folder); l != "" {
			location = fact.Known(l, "", fact.ScopeHost, source.Abs(nvidiaDir)+"/gpus")
		}
	}
	n := GPU{
		Model:             fact.Cross(&c.Warnings, at+"model", info.text("Model"), row.text("name"), same),
		ComputeCapability: row.shaped("compute_cap", capability),
		Location:          location,
		UUID: fact.Cross(&c.Warnings, at+"uuid", info.text("GPU UUID"), row.shaped("uuid", cardUUID),
			same),
		VRAM: row.bytes("memory.total"),
		VBIOS: fact.Cross(&c.Warnings, at+"vbios", info.text("Video BIOS"), row.shaped("vbios_version", vbios),
			same),
		PowerLimit:      row.float("power.limit", "W"),
		MaxClock:        row.megahertz("clocks.max.sm"),
		MemoryClock:     row.megahertz("clocks.max.memory"),
		ECC:             row.enabled("ecc.mode.current"),
		PersistenceMode: row.enabled("persistence_mode"),
		MIG:             row.enabled("mig.mode.current"),
	}
	n.PCIID = fact.Cross(&c.Warnings, at+"pci_id", c.sysfsPCIID(location), row.pciID(), same)
	if name, ok := pciName(n.PCIID); ok && n.Model.Source() == "" {
		n.Model = name
	}
	n.PCIe = c.pcie(location, row)
	n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, n.MIG.Reason())
	n.Nominal = nvidiaNominal(n)
	return n
}

// sysfsPCIID is the PCI id of the device at location.
func (c *capture) sysfsPCIID(location fact.Value[string]) fact.Value[string] {
	l, ok := location.Get()
	if !ok {
		return fact.Unknown[string]("", fact.ScopeHost, location.Reason())
	}
	dir := "sys/bus/pci/devices/" + l
	var ids [2]uint64
	for i, file := range []string{"/vendor", "/device"} {
		v := c.Text(dir+file, fact.ScopeHost)
		s, ok := v.Get()
		if !ok {
			return v
		}
		id, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 16)
		if err != nil {
			return fact.Unknown[string]("", fact.ScopeHost,
				fmt.Sprintf("%s: %q is not an id", v.Source(), fact.Clip(s)))
		}
		ids[i] = id
	}
	return fact.Known(fmt.Sprintf("%04x:%04x", ids[0], ids[1]), "", fact.ScopeHost, source.Abs(dir)+": vendor, device")
}

// pciID is the PCI id, which nvidia-smi writes as one number, with the vendor in its lower half.
func (r Row) pciID() fact.Value[string] {
	v := r.text("pci.device_id")
	s, ok := v.Get()
	if !ok {
		return v
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 32)
	if err != nil || id&0xffff != nvidiaVendor {
		return fact.Unknown[string]("", fact.ScopeHost,
			fmt.Sprintf("%s: %q is not an id of NVIDIA", v.Source(), fact.Clip(s)))
	}
	return fact.Known(fmt.Sprintf("%04x:%04x", id&0xffff, id>>16), "", fact.ScopeHost, v.Source())
}

// nvidiaInfo is a file that the driver keeps of a card.
type nvidiaInfo struct {
	path   string
	values map[string]string
	err    error
}

func (c *capture) nvidiaInfo(path string) nvidiaInfo {
	b, err := c.File(path, source.SmallFile)
	return nvidiaInfo{path, parseNVIDIAInformation(b), err}
}

// parseNVIDIAInformation parses lines of a name, a colon and a value.
func parseNVIDIAInformation(b []byte) map[string]string {
	values := map[string]string{}
	for _, line := range source.Lines(b) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return values
}

// text is one line of the file. The driver writes question marks for what it has not read from the card yet.
func (i nvidiaInfo) text(key string) fact.Value[string] {
	if i.err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, i.err.Error())
	}
	v, ok := i.values[key]
	switch {
	case !ok:
		return fact.Unknown[string]("", fact.ScopeHost, fmt.Sprintf("%s: no %s", source.Abs(i.path), key))
	case strings.Contains(v, "??") || strings.EqualFold(v, "unknown") || strings.EqualFold(v, "N/A"):
		return fact.Unknown[string]("", fact.ScopeHost,
			fmt.Sprintf("%s: %s is %q", source.Abs(i.path), key, fact.Clip(v)))
	}
	return fact.Known(v, "", fact.ScopeHost, source.Abs(i.path)+": "+key)
}

// pciName is the name of the card in the public list of PCI ids, for where neither the driver nor nvidia-smi says it.
func pciName(id fact.Value[string]) (fact.Value[string], bool) {
	s, _ := id.Get()
	name, ok := gpu.Name(s)
	return fact.Known("NVIDIA "+name, "", fact.ScopeHost, "table: PCI id "+s), ok
}

// pcie is the link of the card, from the files of its device, or else from nvidia-smi.
func (c *capture) pcie(location fact.Value[string], row Row) gpu.PCIe {
	l, ok := location.Get()
	link := gpu.ReadPCIe(func(name string) fact.Value[string] {
		if !ok {
			return fact.Unknown[string]("", fact.ScopeHost, location.Reason())
		}
		return c.Text("sys/bus/pci/devices/"+l+"/"+name, fact.ScopeHost)
	})
	speed := func(field string) fact.Value[float64] {
		generation := row.Count("", "", 16, 1, field)
		n, ok := generation.Get()
		switch gts := gpu.Speeds[n]; {
		case !ok:
			return fact.Unknown[float64]("GT/s", fact.ScopeHost, generation.Reason())
		case gts == 0:
			return fact.Unknown[float64]("GT/s", fact.ScopeHost,
				fmt.Sprintf("%s: %d is not in the table of generations", row.Source(field), n))
		default:
			return fact.Known(gts, "GT/s", fact.ScopeHost, row.Source(field))
		}
	}
	width := func(field string) fact.Value[int64] { return row.Count("", "", 32, 1, field) }
	link.Speed = firstOf(link.Speed, speed("pcie.link.gen.current"))
	link.MaxSpeed = firstOf(link.MaxSpeed, speed("pcie.link.gen.max"))
	link.Width = firstOf(link.Width, width("pcie.link.width.current"))
	link.MaxWidth = firstOf(link.MaxWidth, width("pcie.link.width.max"))
	return link
}

// firstOf is what a file says, or else what a tool says, or else both reasons.
func firstOf[T fact.Scalar](file, tool fact.Value[T]) fact.Value[T] {
	if file.Source() == "" && tool.Source() == "" {
		return fact.Unknown[T](file.Unit(), fact.ScopeHost, fact.JoinReasons(file.Reason(), tool.Reason()))
	}
	return fact.FirstKnown(file, tool)
}
