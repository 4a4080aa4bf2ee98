package host

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Machine is what the firmware says of itself and of the machine (DMI). Serial numbers, asset tags and UUIDs are not
// read: they name one machine and not a kind of it. What a maker never filled in is unknown.
type Machine struct {
	Vendor      fact.Value[string] `json:"vendor"`  // "Supermicro"
	Product     fact.Value[string] `json:"product"` // "AS -8125GS-TNMR2"
	Board       fact.Value[string] `json:"board"`
	BIOSVendor  fact.Value[string] `json:"bios_vendor"`
	BIOSVersion fact.Value[string] `json:"bios_version"`
	BIOSDate    fact.Value[string] `json:"bios_date"` // as the firmware writes it: "07/29/2024"
}

const dmiDir = "sys/class/dmi/id"

// dmiPlaceholders is what boards say whose maker left a field as it was delivered, in small letters.
var dmiPlaceholders = []string{
	"to be filled by o.e.m.",
	"default string",
	"not specified",
	"not applicable",
	"not available",
	"n/a",
	"system product name",
	"system manufacturer",
	"system version",
	"o.e.m.",
	"oem",
	"none",
	"unknown",
	"undefined",
	"0",
	"123456789",
	"empty",
}

func (c *capture) machine() Machine {
	m := Machine{
		Vendor:      c.dmi("sys_vendor"),
		Product:     c.dmi("product_name"),
		Board:       c.dmi("board_name"),
		BIOSVendor:  c.dmi("bios_vendor"),
		BIOSVersion: c.dmi("bios_version"),
		BIOSDate:    c.dmi("bios_date"),
	}
	if _, ok := m.Product.Get(); !ok { // boards of ARM mostly have a device tree in place of DMI
		const model = "proc/device-tree/model"
		if b, err := c.File(model, source.SmallFile); err == nil {
			m.Product = fact.Known(strings.Trim(string(b), "\x00"), "", fact.ScopeHost, source.Abs(model))
		}
	}
	return m
}

func (c *capture) dmi(file string) fact.Value[string] {
	v := c.Text(dmiDir+"/"+file, fact.ScopeHost)
	s, _ := v.Get()
	for _, p := range dmiPlaceholders {
		if strings.EqualFold(s, p) {
			return fact.Unknown[string]("", fact.ScopeHost,
				fmt.Sprintf("%s: %q is what stands there until a maker fills it in", v.Source(), s))
		}
	}
	return v
}

// hypervisors is by the beginning of what the firmware of a guest says, as systemd-detect-virt(1) names them. Amazon's
// and Google's names stand before that of the technology under them, which such firmware does not tell.
var hypervisors = []struct{ field, prefix, name string }{
	{"sys_vendor", "Amazon EC2", "amazon"},
	{"product_name", "Google Compute Engine", "google"},
	{"product_name", "KVM", "kvm"},
	{"sys_vendor", "QEMU", "qemu"},
	{"sys_vendor", "VMware", "vmware"},
	{"sys_vendor", "VMW", "vmware"},
	{"product_name", "VirtualBox", "oracle"},
	{"sys_vendor", "innotek GmbH", "oracle"},
	{"sys_vendor", "Xen", "xen"},
	{"bios_vendor", "Xen", "xen"},
	{"bios_vendor", "Bochs", "bochs"},
	{"sys_vendor", "Parallels", "parallels"},
	{"bios_vendor", "BHYVE", "bhyve"},
	{"product_name", "Virtual Machine", "microsoft"}, // the vendor alone would name its own machines too
	{"product_name", "OpenStack", "kvm"},
	{"sys_vendor", "Apple Virtualization", "apple"},
}

// guestClocks are clock sources that only guests of a hypervisor have.
var guestClocks = map[string]string{
	"kvm-clock":                   "kvm",
	"xen":                         "xen",
	"hyperv_clocksource_tsc_page": "microsoft",
	"hyperv_clocksource_msr":      "microsoft",
}

// virtualization asks the processor first, since firmware names a cloud on its bare metal too. CPUID would name the
// hypervisor, but no file shows it; so what does is the firmware, or else a clock that only that hypervisor offers.
func (c *capture) virtualization(info cpuinfo) fact.Value[string] {
	const (
		xenType, xenCaps = "sys/hypervisor/type", "proc/xen/capabilities"
		clocks           = "sys/devices/system/clocksource/clocksource0/available_clocksource"
		flags            = "/proc/cpuinfo: flags"
	)
	known := func(name, source string) fact.Value[string] { return fact.Known(name, "", fact.ScopeHost, source) }
	if v := c.Text(xenType, fact.ScopeHost); v.Source() != "" {
		if kind, _ := v.Get(); kind == "xen" {
			if caps, _ := c.Text(xenCaps, fact.ScopeHost).Get(); strings.Contains(caps, "control_d") {
				return known(
					"none",
					source.Abs(xenType)+" is xen and "+source.Abs(
						xenCaps,
					)+" has control_d: this is the domain that runs the guests",
				)
			}
			return known("xen", source.Abs(xenType))
		}
	}
	if info.flags && !info.hypervisor {
		return known("none", flags+" have no hypervisor")
	}
	name, origin := "", ""
	for _, h := range hypervisors {
		v := c.Text(dmiDir+"/"+h.field, fact.ScopeHost)
		if s, ok := v.Get(); ok && strings.HasPrefix(s, h.prefix) {
			name, origin = h.name, v.Source()
			break
		}
	}
	if name == "" || name == "qemu" { // QEMU runs guests with KVM and without
		v := c.Text(clocks, fact.ScopeHost)
		s, _ := v.Get()
		for f := range strings.FieldsSeq(s) {
			if guest := guestClocks[f]; guest != "" {
				return known(guest, v.Source()+": "+f)
			}
		}
	}
	switch {
	case name != "":
		return known(name, origin)
	case info.hypervisor:
		return known("vm-other", flags+" have hypervisor, and nothing names it")
	}
	return fact.Unknown[string]("", fact.ScopeHost,
		flags+" are not there to tell, and neither "+source.Abs(dmiDir)+" nor the clock sources name a hypervisor")
}

func (c *capture) memoryModules() {
	h := &c.out
	const name = "sys/firmware/dmi/tables/DMI"
	fail := func(reason string) {
		h.MemoryModules, h.MemorySpeed = fact.Unknown[string]("", fact.ScopeHost, reason), fact.Unknown[int64]("MT/s",
			fact.ScopeHost, reason)
	}
	b, err := c.File(name, source.LargeFile)
	if err != nil {
		fail(err.Error())
		return
	}
	modules, err := parseMemoryDevices(b)
	if err != nil {
		fail(source.Abs(name) + ": " + err.Error())
		return
	}
	var kinds tally
	speed, same := modules[0].speed, true
	for _, m := range modules {
		kinds.add(fact.Known(m.String(), "", fact.ScopeHost, source.Abs(name)+": memory devices"))
		same = same && m.speed == speed
	}
	text, _ := kinds.value("").Get()
	if len(kinds.texts) == 1 {
		text = fmt.Sprintf("%dx %s", len(modules), text)
	}
	h.MemoryModules = fact.Known(text, "", fact.ScopeHost, source.Abs(name)+": memory devices")
	if !same || speed == 0 {
		h.MemorySpeed = fact.Unknown[int64]("MT/s", fact.ScopeHost,
			source.Abs(name)+": not one speed for all memory devices")
		return
	}
	h.MemorySpeed = fact.Known(speed, "MT/s", fact.ScopeHost, source.Abs(name)+": configured memory speed")
}

// memoryDevice is a slot with a module in it.
type memoryDevice struct {
	size  uint64 // MiB; 0 is unknown
	kind  byte
	speed int64 // MT/s, at which it is run; 0 is unknown
}

var memoryKinds = map[byte]string{
	0x18: "DDR3",
	0x1a: "DDR4",
	0x1e: "LPDDR4",
	0x20: "HBM",
	0x21: "HBM2",
	0x22: "DDR5",
	0x23: "LPDDR5",
	0x24: "HBM3",
}

func (m memoryDevice) String() string {
	size, kind, speed := "of unknown size", memoryKinds[m.kind], "unknown speed"
	switch {
	case m.size > 0 && m.size%1024 == 0:
		size = fmt.Sprintf("%d GiB", m.size/1024)
	case m.size > 0:
		size = fmt.Sprintf("%d MiB", m.size)
	}
	if kind == "" {
		kind = fmt.Sprintf("memory of type %#x", m.kind)
	}
	if m.speed > 0 {
		speed = fmt.Sprintf("%d MT/s", m.speed)
	}
	return size + " " + kind + " at " + speed
}

// parseMemoryDevices returns the modules in an SMBIOS table (DMTF DSP0134, structures of type 17). Each structure has a
// header of type, length and handle, its fields, and then strings up to two zero bytes. An empty slot is a structure of
// size 0.
func parseMemoryDevices(b []byte) ([]memoryDevice, error) {
	var out []memoryDevice
	for len(b) >= 4 {
		length := int(b[1])
		if length < 4 || length > len(b) {
			return nil, fmt.Errorf("a structure of length %d where %d bytes are left", length, len(b))
		}
		s := b[:length]
		if s[0] == 17 && length >= 0x15 {
			if m, ok := parseMemoryDevice(s); ok {
				out = append(out, m)
			}
		}
		if s[0] == 127 { // the end of the table
			break
		}
		end := length
		for end+1 < len(b) && (b[end] != 0 || b[end+1] != 0) {
			end++
		}
		b = b[min(end+2, len(b)):]
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no memory device that is fitted")
	}
	return out, nil
}

// parseMemoryDevice returns the module of a structure that has at least the fields of version 2.1; later ones added
// more.
func parseMemoryDevice(s []byte) (m memoryDevice, fitted bool) {
	word := func(at int) uint64 {
		if len(s) < at+2 {
			return 0
		}
		return uint64(binary.LittleEndian.Uint16(s[at:]))
	}
	long := func(at int) uint64 {
		if len(s) < at+4 {
			return 0
		}
		return uint64(binary.LittleEndian.Uint32(s[at:]) & 0x7fffffff)
	}
	m.kind = s[0x12]
	switch size := word(0x0c); {
	case size == 0:
		return m, false
	case size == 0xffff:
	case size == 0x7fff:
		m.size = long(0x1c)
	case size&0x8000 != 0: // KiB
		m.size = (size & 0x7fff) / 1024
	default:
		m.size = size
	}
	switch speed := word(0x20); speed {
	case 0xffff:
		m.speed = int64(long(0x58))
	default:
		m.speed = int64(speed)
	}
	return m, true
}
