package envinfo

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/servegauge/servegauge/internal/secret"
)

// Network is the network cards and the RDMA devices of the host, or in a container those that it was given. Hardware addresses, GUIDs
// and IP addresses are not read, since they name one machine; a name that is made of one is shortened.
type Network struct {
	// Count is the number of network interfaces that are a device. Bridges, tunnels, bonds and the like are not counted.
	Count Value[int64]  `json:"count"`
	Cards []NetworkCard `json:"cards,omitempty"`
	// RDMACount is the number of RDMA devices; a kernel without the subsystem has none, and then it is unknown.
	RDMACount Value[int64] `json:"rdma_count"`
	RDMA      []RDMADevice `json:"rdma,omitempty"`
}

// NetworkCard is one network interface with a device under it.
type NetworkCard struct {
	Name          string        `json:"name"`           // "ens1f0np0"
	Driver        Value[string] `json:"driver"`         // "mlx5_core"
	DriverVersion Value[string] `json:"driver_version"` // of a driver that is packaged apart from the kernel
	PCIAddress    Value[string] `json:"pci_address"`    // "0000:9f:00.0"
	PCIID         Value[string] `json:"pci_id"`         // vendor and device: "15b3:1021"
	NUMANode      Value[int64]  `json:"numa_node"`
	State         Value[string] `json:"state"` // "up", "down", "unknown"
	Speed         Value[int64]  `json:"speed"` // Mb/s, of the link
	MTU           Value[int64]  `json:"mtu"`   // B
	LinkSpeed     Value[string] `json:"pcie_speed"`
	LinkWidth     Value[int64]  `json:"pcie_width"` // lanes
	// VirtualFunction is whether it is one of the functions into which a card of this host is divided.
	VirtualFunction Value[bool] `json:"virtual_function"`
}

// RDMADevice is one device of the RDMA subsystem: InfiniBand, RoCE or iWARP.
type RDMADevice struct {
	Name       string        `json:"name"` // "mlx5_0"
	Driver     Value[string] `json:"driver"`
	PCIAddress Value[string] `json:"pci_address"`
	NUMANode   Value[int64]  `json:"numa_node"`
	Firmware   Value[string] `json:"firmware"` // "28.39.2048"
	Board      Value[string] `json:"board"`    // the kind of card: "MT_0000000838"
	Ports      []RDMAPort    `json:"ports,omitempty"`
}

// RDMAPort is one port of a device.
type RDMAPort struct {
	Index     int            `json:"index"`
	State     Value[string]  `json:"state"`      // "ACTIVE", "DOWN"
	Rate      Value[float64] `json:"rate"`       // Gb/s
	RateText  Value[string]  `json:"rate_text"`  // "400 Gb/sec (4X NDR)"
	LinkLayer Value[string]  `json:"link_layer"` // "InfiniBand", "Ethernet"
}

const maxDevices = 1024 // of one class; a host has tens, and each costs a dozen reads

// ReadNetwork reads the network. It is for after the rest: a card whose driver is wedged blocks whoever asks it for its speed, and of reads
// that do not return only a few are afforded. After the first, no other card is asked.
func ReadNetwork(r *reader) (n Network) {
	c := &hostCapture{reader: r}
	const class, rdma = "sys/class/net", "sys/class/infiniband"
	hung := c.hung
	names, err := c.devices(class)
	for _, name := range names {
		if c.hung > hung {
			err = &readError{class, errors.New("not all are listed: a read of one did not return")}
			break
		}
		switch bad := c.stat(class + "/" + name + "/device"); {
		case missing(bad), errors.Is(bad, syscall.ENOTDIR): // bonding_masters is a file
		case bad != nil:
			err = errors.New(strings.ReplaceAll(bad.Error(), name, deviceName(name)))
		default:
			n.Cards = append(n.Cards, c.networkCard(class+"/"+name+"/", name))
		}
	}
	n.Count = Known(int64(len(n.Cards)), "", ScopeHost, abs(class)+": those with a device")
	if err != nil {
		n.Count = Unknown[int64]("", ScopeHost, err.Error())
	}

	names, err = c.devices(rdma)
	for _, name := range names {
		if c.hung > hung {
			err = &readError{rdma, errors.New("not all are listed: a read of a card did not return")}
			break
		}
		n.RDMA = append(n.RDMA, c.rdmaDevice(rdma+"/"+name+"/", name))
	}
	n.RDMACount = Known(int64(len(n.RDMA)), "", ScopeHost, abs(rdma))
	if err != nil {
		n.RDMACount = Unknown[int64]("", ScopeHost, err.Error())
	}
	return n
}

func (c *hostCapture) devices(class string) ([]string, error) {
	names, err := c.dir(class)
	if err == nil && len(names) > maxDevices {
		return nil, &readError{class, tooLarge{maxDevices, "devices"}}
	}
	return names, err
}

// addressName is a name that udev makes of a hardware address or a GUID: "enx001122334455".
var addressName = regexp.MustCompile(`[0-9a-fA-F]{12,}`)

func deviceName(name string) string { return clip(addressName.ReplaceAllString(name, secret.Withheld)) }

// unnamed is v without such a name in its source or reason, where the path has it. Of several values each needs it.
func unnamed[T Scalar](v *Value[T], name string) {
	if short := deviceName(name); short != name {
		*v = v.Rename(func(s string) string { return strings.ReplaceAll(s, name, short) })
	}
}

func (c *hostCapture) networkCard(dir, name string) NetworkCard {
	d := c.device(dir + "device/")
	card := NetworkCard{
		Name:       deviceName(name),
		Driver:     d.driver,
		PCIAddress: d.address,
		PCIID:      d.id,
		NUMANode:   d.node,
		State:      c.text(dir+"operstate", ScopeHost),
		Speed:      c.integer(dir+"speed", "Mb/s", ScopeHost),
		MTU:        c.integer(dir+"mtu", "B", ScopeHost),
		LinkSpeed:  c.text(dir+"device/current_link_speed", ScopeHost),
		LinkWidth:  c.integer(dir+"device/current_link_width", "", ScopeHost),
	}
	// Without a link the speed is -1, and to some drivers an error.
	if n, ok := card.Speed.Get(); ok && n <= 0 {
		card.Speed = Unknown[int64]("Mb/s", ScopeHost, fmt.Sprintf("%s: %d, there is no link or it does not tell", abs(dir+"speed"), n))
	}
	card.DriverVersion = Unknown[string]("", ScopeHost, "its driver is unknown")
	if driver, ok := card.Driver.Get(); ok {
		card.DriverVersion = c.text("sys/module/"+strings.ReplaceAll(pathElement(driver), "-", "_")+"/version", ScopeHost)
	}
	const parent = "device/physfn"
	switch err := c.stat(dir + parent); {
	case err == nil:
		card.VirtualFunction = Known(true, "", ScopeHost, abs(dir+parent))
	case missing(err):
		card.VirtualFunction = Known(false, "", ScopeHost, "no "+abs(dir+parent))
	default:
		card.VirtualFunction = Unknown[bool]("", ScopeHost, err.Error())
	}
	for _, v := range []*Value[string]{&card.Driver, &card.DriverVersion, &card.PCIAddress, &card.PCIID, &card.State, &card.LinkSpeed} {
		unnamed(v, name)
	}
	for _, v := range []*Value[int64]{&card.NUMANode, &card.Speed, &card.MTU, &card.LinkWidth} {
		unnamed(v, name)
	}
	unnamed(&card.VirtualFunction, name)
	return card
}

// pathElement is s where it can be one element of a path, and else "_".
func pathElement(s string) string {
	if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\x00") {
		return "_"
	}
	return s
}

// device is what the bus says of a device.
type device struct {
	driver, address, id Value[string]
	node                Value[int64]
}

func (c *hostCapture) device(dir string) device {
	var d device
	event := dir + "uevent"
	b, err := c.file(event, smallFile)
	values := parseUevent(b)
	get := func(key string) Value[string] {
		switch s := values[key]; {
		case err != nil:
			return Unknown[string]("", ScopeHost, err.Error())
		case s == "":
			return Unknown[string]("", ScopeHost, abs(event)+": no "+key)
		default:
			return Known(s, "", ScopeHost, abs(event)+": "+key)
		}
	}
	d.driver, d.address, d.id = get("DRIVER"), get("PCI_SLOT_NAME"), get("PCI_ID")
	if s, ok := d.id.Get(); ok {
		d.id = Known(strings.ToLower(s), "", ScopeHost, d.id.Source())
	}
	d.node = c.integer(dir+"numa_node", "", ScopeHost)
	if n, ok := d.node.Get(); ok && n < 0 {
		d.node = Unknown[int64]("", ScopeHost, fmt.Sprintf("%s: %d, the firmware does not tell", abs(dir+"numa_node"), n))
	}
	return d
}

// parseUevent returns the KEY=value lines of a device's uevent.
func parseUevent(b []byte) map[string]string {
	out := map[string]string{}
	for _, line := range lines(b) {
		if key, value, ok := strings.Cut(line, "="); ok {
			out[key] = value
		}
	}
	return out
}

func (c *hostCapture) rdmaDevice(dir, name string) RDMADevice {
	d := c.device(dir + "device/")
	out := RDMADevice{
		Name: deviceName(name), Driver: d.driver, PCIAddress: d.address, NUMANode: d.node,
		Firmware: c.text(dir+"fw_ver", ScopeHost),
		Board:    c.text(dir+"board_id", ScopeHost),
	}
	ports, _ := c.dir(dir + "ports")
	for i, n := range numbered(ports, "") {
		if i == 64 { // more than any device has
			break
		}
		port := c.rdmaPort(fmt.Sprintf("%sports/%d/", dir, n), n)
		for _, v := range []*Value[string]{&port.State, &port.RateText, &port.LinkLayer} {
			unnamed(v, name)
		}
		unnamed(&port.Rate, name)
		out.Ports = append(out.Ports, port)
	}
	for _, v := range []*Value[string]{&out.Driver, &out.PCIAddress, &out.Firmware, &out.Board} {
		unnamed(v, name)
	}
	unnamed(&out.NUMANode, name)
	return out
}

func (c *hostCapture) rdmaPort(dir string, n int) RDMAPort {
	p := RDMAPort{
		Index:     n,
		State:     c.text(dir+"state", ScopeHost),
		RateText:  c.text(dir+"rate", ScopeHost),
		LinkLayer: c.text(dir+"link_layer", ScopeHost),
	}
	if s, ok := p.State.Get(); ok { // "4: ACTIVE"
		if number, state, ok := strings.Cut(s, ":"); ok {
			if _, err := strconv.Atoi(number); err == nil {
				p.State = Known(state, "", ScopeHost, p.State.Source())
			}
		}
	}
	p.Rate = Unknown[float64]("Gb/s", ScopeHost, p.RateText.Reason())
	if s, ok := p.RateText.Get(); ok {
		p.Rate = Unknown[float64]("Gb/s", ScopeHost, fmt.Sprintf("%s: %q is not a rate in Gb/sec", p.RateText.Source(), clip(s)))
		if rate, err := parseRate(s); err == nil {
			p.Rate = Known(rate, "Gb/s", ScopeHost, p.RateText.Source())
		}
	}
	return p
}

// parseRate returns the Gb/s of "400 Gb/sec (4X NDR)".
func parseRate(s string) (float64, error) {
	f := strings.Fields(s)
	if len(f) < 2 || f[1] != "Gb/sec" {
		return 0, errors.New("not a rate")
	}
	numbers, err := parseNumbers([]byte(f[0]), 1)
	if err != nil || numbers[0] == 0 {
		return 0, errors.New("not a rate")
	}
	return numbers[0], nil
}
