package host

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/internal/secret"
)

// Network is the network cards and the RDMA devices of the host, or in a container those that it was given. Hardware
// addresses, GUIDs and IP addresses are not read, since they name one machine; a name that is made of one is shortened.
type Network struct {
	// Count is the number of network interfaces that are a device. Bridges, tunnels, bonds and the like are not
	// counted.
	Count fact.Value[int64] `json:"count"`
	Cards []NetworkCard     `json:"cards,omitempty"`
	// RDMACount is the number of RDMA devices; a kernel without the subsystem has none, and then it is unknown.
	RDMACount fact.Value[int64] `json:"rdma_count"`
	RDMA      []RDMADevice      `json:"rdma,omitempty"`
}

// NetworkCard is one network interface with a device under it.
type NetworkCard struct {
	Name          string             `json:"name"`           // "ens1f0np0"
	Driver        fact.Value[string] `json:"driver"`         // "mlx5_core"
	DriverVersion fact.Value[string] `json:"driver_version"` // of a driver that is packaged apart from the kernel
	PCIAddress    fact.Value[string] `json:"pci_address"`    // "0000:9f:00.0"
	PCIID         fact.Value[string] `json:"pci_id"`         // vendor and device: "15b3:1021"
	NUMANode      fact.Value[int64]  `json:"numa_node"`
	State         fact.Value[string] `json:"state"` // "up", "down", "unknown"
	Speed         fact.Value[int64]  `json:"speed"` // Mb/s, of the link
	MTU           fact.Value[int64]  `json:"mtu"`   // B
	LinkSpeed     fact.Value[string] `json:"pcie_speed"`
	LinkWidth     fact.Value[int64]  `json:"pcie_width"` // lanes
	// VirtualFunction is whether it is one of the functions into which a card of this host is divided.
	VirtualFunction fact.Value[bool] `json:"virtual_function"`
}

// RDMADevice is one device of the RDMA subsystem: InfiniBand, RoCE or iWARP.
type RDMADevice struct {
	Name       string             `json:"name"` // "mlx5_0"
	Driver     fact.Value[string] `json:"driver"`
	PCIAddress fact.Value[string] `json:"pci_address"`
	NUMANode   fact.Value[int64]  `json:"numa_node"`
	Firmware   fact.Value[string] `json:"firmware"` // "28.39.2048"
	Board      fact.Value[string] `json:"board"`    // the kind of card: "MT_0000000838"
	Ports      []RDMAPort         `json:"ports,omitempty"`
}

// RDMAPort is one port of a device.
type RDMAPort struct {
	Index     int                 `json:"index"`
	State     fact.Value[string]  `json:"state"`      // "ACTIVE", "DOWN"
	Rate      fact.Value[float64] `json:"rate"`       // Gb/s
	RateText  fact.Value[string]  `json:"rate_text"`  // "400 Gb/sec (4X NDR)"
	LinkLayer fact.Value[string]  `json:"link_layer"` // "InfiniBand", "Ethernet"
}

const maxDevices = 1024 // of one class; a host has tens, and each costs a dozen reads

// ReadNetwork reads the network. It is for after the rest: a card whose driver is wedged blocks whoever asks it for its
// speed, and of reads that do not return only a few are afforded. After the first, no other card is asked.
func ReadNetwork(r *source.Reader) (n Network) {
	c := &capture{Reader: r}
	const class, rdma = "sys/class/net", "sys/class/infiniband"
	hung := c.Hung
	names, err := c.devices(class)
	for _, name := range names {
		if c.Hung > hung {
			err = &source.ReadError{Name: class, Err: errors.New("not all are listed: a read of one did not return")}
			break
		}
		switch bad := c.Stat(class + "/" + name + "/device"); {
		case source.Missing(bad), errors.Is(bad, syscall.ENOTDIR): // bonding_masters is a file
		case bad != nil:
			err = errors.New(strings.ReplaceAll(bad.Error(), name, deviceName(name)))
		default:
			n.Cards = append(n.Cards, c.networkCard(class+"/"+name+"/", name))
		}
	}
	n.Count = fact.Known(int64(len(n.Cards)), "", fact.ScopeHost, source.Abs(class)+": those with a device")
	if err != nil {
		n.Count = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
	}

	names, err = c.devices(rdma)
	for _, name := range names {
		if c.Hung > hung {
			err = &source.ReadError{Name: rdma, Err: errors.New("not all are listed: a read of a card did not return")}
			break
		}
		n.RDMA = append(n.RDMA, c.rdmaDevice(rdma+"/"+name+"/", name))
	}
	n.RDMACount = fact.Known(int64(len(n.RDMA)), "", fact.ScopeHost, source.Abs(rdma))
	if err != nil {
		n.RDMACount = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
	}
	return n
}

func (c *capture) devices(class string) ([]string, error) {
	names, err := c.Dir(class)
	if err == nil && len(names) > maxDevices {
		return nil, &source.ReadError{Name: class, Err: source.TooLarge{Bound: maxDevices, Unit: "devices"}}
	}
	return names, err
}

// addressName is a name that udev makes of a hardware address or a GUID: "enx001122334455".
var addressName = regexp.MustCompile(`[0-9a-fA-F]{12,}`)

func deviceName(name string) string {
	return fact.Clip(addressName.ReplaceAllString(name, secret.Withheld))
}

// unnamed is v without such a name in its source or reason, where the path has it. Of several values each needs it.
func unnamed[T fact.Scalar](v *fact.Value[T], name string) {
	if short := deviceName(name); short != name {
		*v = v.Rename(func(s string) string { return strings.ReplaceAll(s, name, short) })
	}
}

func (c *capture) networkCard(dir, name string) NetworkCard {
	d := c.device(dir + "device/")
	card := NetworkCard{
		Name:       deviceName(name),
		Driver:     d.driver,
		PCIAddress: d.address,
		PCIID:      d.id,
		NUMANode:   d.node,
		State:      c.Text(dir+"operstate", fact.ScopeHost),
		Speed:      c.Integer(dir+"speed", "Mb/s", fact.ScopeHost),
		MTU:        c.Integer(dir+"mtu", "B", fact.ScopeHost),
		LinkSpeed:  c.Text(dir+"device/current_link_speed", fact.ScopeHost),
		LinkWidth:  c.Integer(dir+"device/current_link_width", "", fact.ScopeHost),
	}
	// Without a link the speed is -1, and to some drivers an error.
	if n, ok := card.Speed.Get(); ok && n <= 0 {
		card.Speed = fact.Unknown[int64]("Mb/s", fact.ScopeHost,
			fmt.Sprintf("%s: %d, there is no link or it does not tell", source.Abs(dir+"speed"), n))
	}
	card.DriverVersion = fact.Unknown[string]("", fact.ScopeHost, "its driver is unknown")
	if driver, ok := card.Driver.Get(); ok {
		card.DriverVersion = c.Text("sys/module/"+strings.ReplaceAll(pathElement(driver), "-", "_")+"/version",
			fact.ScopeHost)
	}
	const parent = "device/physfn"
	switch err := c.Stat(dir + parent); {
	case err == nil:
		card.VirtualFunction = fact.Known(true, "", fact.ScopeHost, source.Abs(dir+parent))
	case source.Missing(err):
		card.VirtualFunction = fact.Known(false, "", fact.ScopeHost, "no "+source.Abs(dir+parent))
	default:
		card.VirtualFunction = fact.Unknown[bool]("", fact.ScopeHost, err.Error())
	}
	for _, v := range []*fact.Value[string]{&card.Driver, &card.DriverVersion, &card.PCIAddress, &card.PCIID,
		&card.State, &card.LinkSpeed} {
		unnamed(v, name)
	}
	for _, v := range []*fact.Value[int64]{&card.NUMANode, &card.Speed, &card.MTU, &card.LinkWidth} {
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
	driver, address, id fact.Value[string]
	node                fact.Value[int64]
}

func (c *capture) device(dir string) device {
	var d device
	event := dir + "uevent"
	b, err := c.File(event, source.SmallFile)
	values := parseUevent(b)
	get := func(key string) fact.Value[string] {
		switch s := values[key]; {
		case err != nil:
			return fact.Unknown[string]("", fact.ScopeHost, err.Error())
		case s == "":
			return fact.Unknown[string]("", fact.ScopeHost, source.Abs(event)+": no "+key)
		default:
			return fact.Known(s, "", fact.ScopeHost, source.Abs(event)+": "+key)
		}
	}
	d.driver, d.address, d.id = get("DRIVER"), get("PCI_SLOT_NAME"), get("PCI_ID")
	if s, ok := d.id.Get(); ok {
		d.id = fact.Known(strings.ToLower(s), "", fact.ScopeHost, d.id.Source())
	}
	d.node = c.Integer(dir+"numa_node", "", fact.ScopeHost)
	if n, ok := d.node.Get(); ok && n < 0 {
		d.node = fact.Unknown[int64]("", fact.ScopeHost,
			fmt.Sprintf("%s: %d, the firmware does not tell", source.Abs(dir+"numa_node"), n))
	}
	return d
}

// parseUevent returns the KEY=value lines of a device's uevent.
func parseUevent(b []byte) map[string]string {
	out := map[string]string{}
	for _, line := range source.Lines(b) {
		if key, value, ok := strings.Cut(line, "="); ok {
			out[key] = value
		}
	}
	return out
}

func (c *capture) rdmaDevice(dir, name string) RDMADevice {
	d := c.device(dir + "device/")
	out := RDMADevice{
		Name: deviceName(name), Driver: d.driver, PCIAddress: d.address, NUMANode: d.node,
		Firmware: c.Text(dir+"fw_ver", fact.ScopeHost),
		Board:    c.Text(dir+"board_id", fact.ScopeHost),
	}
	ports, _ := c.Dir(dir + "ports")
	for i, n := range source.Numbered(ports, "") {
		if i == 64 { // more than any device has
			break
		}
		port := c.rdmaPort(fmt.Sprintf("%sports/%d/", dir, n), n)
		for _, v := range []*fact.Value[string]{&port.State, &port.RateText, &port.LinkLayer} {
			unnamed(v, name)
		}
		unnamed(&port.Rate, name)
		out.Ports = append(out.Ports, port)
	}
	for _, v := range []*fact.Value[string]{&out.Driver, &out.PCIAddress, &out.Firmware, &out.Board} {
		unnamed(v, name)
	}
	unnamed(&out.NUMANode, name)
	return out
}

func (c *capture) rdmaPort(dir string, n int) RDMAPort {
	p := RDMAPort{
		Index:     n,
		State:     c.Text(dir+"state", fact.ScopeHost),
		RateText:  c.Text(dir+"rate", fact.ScopeHost),
		LinkLayer: c.Text(dir+"link_layer", fact.ScopeHost),
	}
	if s, ok := p.State.Get(); ok { // "4: ACTIVE"
		if number, state, ok := strings.Cut(s, ":"); ok {
			if _, err := strconv.Atoi(number); err == nil {
				p.State = fact.Known(state, "", fact.ScopeHost, p.State.Source())
			}
		}
	}
	p.Rate = fact.Unknown[float64]("Gb/s", fact.ScopeHost, p.RateText.Reason())
	if s, ok := p.RateText.Get(); ok {
		p.Rate = fact.Unknown[float64]("Gb/s", fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a rate in Gb/sec", p.RateText.Source(), fact.Clip(s)))
		if rate, err := parseRate(s); err == nil {
			p.Rate = fact.Known(rate, "Gb/s", fact.ScopeHost, p.RateText.Source())
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
	numbers, err := source.ParseNumbers([]byte(f[0]), 1)
	if err != nil || numbers[0] == 0 {
		return 0, errors.New("not a rate")
	}
	return numbers[0], nil
}
