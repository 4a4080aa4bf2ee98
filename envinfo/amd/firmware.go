package amd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Firmware is the version of one firmware of a card.
type Firmware struct {
	// Name is the driver's: "mec" runs the compute queues, "sdma" the copies, "smc" the power management, …
	Name string `json:"name"`
	// Version is hexadecimal, as the driver writes it: "0x000000b1". How its digits divide differs between the
	// firmwares.
	Version fact.Value[string] `json:"version"`
}

const maxFirmware = 64 // the driver has some 25

// firmware reads the versions that the driver offers in DRM (drivers/gpu/drm/amd/amdgpu/amdgpu_ucode.c), one file each,
// and the two that the topology has: those of the compute queues and of the copies. A version of 0 is that of a
// firmware that is not loaded, and is left out.
func (c *capture) firmware(nodes []kfdNode) []Firmware {
	kfd := []Firmware{
		{"mec", fact.Agree(fact.Each(nodes, func(n kfdNode) fact.Value[string] { return n.firmware("fw_version") }))},
		{
			"sdma",
			fact.Agree(fact.Each(nodes, func(n kfdNode) fact.Value[string] { return n.firmware("sdma_fw_version") })),
		},
	}
	var out []Firmware
	for _, n := range nodes {
		if n.drm == "" {
			continue
		}
		if out = c.drmFirmware(n.drm + "/fw_version"); len(out) > 0 {
			break
		}
	}
	for _, k := range kfd {
		i := 0
		for i < len(out) && out[i].Name != k.Name {
			i++
		}
		if i == len(out) {
			out = append(out, k)
			continue
		}
		a, okA := out[i].Version.Get()
		b, okB := k.Version.Get()
		switch {
		case !okA:
			out[i] = k
		case okB && a != b:
			c.Warn("amd.cards", "firmware %s is %s by %s and %s by %s", k.Name, a, out[i].Version.Source(), b,
				k.Version.Source())
		}
	}
	return out
}

// drmFirmware is the versions in the folder dir, in the order of their names.
func (c *capture) drmFirmware(dir string) []Firmware {
	names, err := c.Dir(dir)
	if err != nil {
		return nil
	}
	var out []Firmware
	for _, file := range names {
		name, ok := strings.CutSuffix(file, "_fw_version")
		if !ok || len(out) == maxFirmware {
			continue
		}
		v := c.Text(dir+"/"+file, fact.ScopeHost)
		if s, ok := v.Get(); ok {
			n, err := strconv.ParseUint(s, 0, 32)
			switch {
			case err != nil:
				v = fact.Unknown[string]("", fact.ScopeHost,
					fmt.Sprintf("%s: %q is not a version", v.Source(), fact.Clip(s)))
			case n == 0:
				continue
			default:
				v = fact.Known(hexVersion(n), "", fact.ScopeHost, v.Source())
			}
		}
		out = append(out, Firmware{fact.Clean(name), v})
	}
	return out
}

// firmware is a version in the topology, which is in decimal there.
func (n kfdNode) firmware(name string) fact.Value[string] {
	v, err := n.positive(name)
	if err == nil && v > 1<<32-1 {
		err = fmt.Errorf("%s: %s is out of range", source.Abs(n.path), name)
	}
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	return fact.Known(hexVersion(v), "", fact.ScopeHost, n.source(name))
}

func hexVersion(v uint64) string { return fmt.Sprintf("0x%08x", v) }

// partitions is how many nodes a device has in each mode (drivers/gpu/drm/amd/amdgpu/amdgpu_xcp.c). In CPX it is one
// for each XCC.
var partitions = map[string]int{"SPX": 1, "DPX": 2, "TPX": 3, "QPX": 4}

// checkPartition warns where the nodes that are seen are not those of the mode that the card is in: nodes are hidden
// from the process, or the mode was changed while the topology was read.
func (c *capture) checkPartition(g *GPU, nodes []kfdNode) {
	mode, ok := g.ComputePartition.Get()
	devices, err := byDevice(nodes)
	if !ok || err != nil {
		return
	}
	for _, part := range devices {
		want, ok := partitions[mode]
		got, what := len(part), "nodes"
		if mode == "CPX" {
			xccs, known := fact.Agree(fact.Each(part, func(n kfdNode) fact.Value[int64] {
				return n.count("num_xcc",
					"")
			})).
				Get()
			want, got, what, ok = 1, int(xccs), "XCCs a node", known
		}
		if ok && got != want {
			c.Warn("amd.cards", "%s is %s, with %d %s to be expected, and %s has %d", g.ComputePartition.Source(), mode,
				want, what, source.Abs(part[0].path), got)
		}
	}
}

// crossCheck compares what the topology and DRM both say of a card. Where they differ the render node is not that of
// the node, as in a tree that was put together from several, and all that comes from DRM is doubtful.
func (c *capture) crossCheck(nodes []kfdNode) {
	for _, n := range nodes {
		if n.drm == "" {
			continue
		}
		for _, check := range []struct {
			property, file string
			base           int // DRM writes unique_id in hexadecimal without a prefix
		}{{"unique_id", "unique_id", 16}, {"vendor_id", "vendor", 0}, {"device_id", "device", 0}} {
			want, err := n.positive(check.property)
			if err != nil {
				continue
			}
			v := c.Text(n.drm+"/"+check.file, fact.ScopeHost)
			s, ok := v.Get()
			if !ok {
				continue
			}
			if got, err := strconv.ParseUint(s, check.base, 64); err == nil && got != 0 && got != want {
				c.Warn("amd.cards", "%s is %#x and %s is %#x: DRM's figures may be of another card",
					n.source(check.property), want, v.Source(), got)
			}
		}
	}
}
