package amd

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// The KFD topology: a folder for each processor, and for each GPU or partition of one, readable without root or tools.
// The files are described by drivers/gpu/drm/amd/amdkfd/kfd_topology.c in the Linux kernel.
const kfdNodes = "sys/class/kfd/kfd/topology/nodes"

// properties is a properties file of the topology: a name and a number in each line.
type properties struct {
	path   string // of the file, for sources and reasons
	values map[string]string
}

// parseProperties keeps the numbers as text, so that one garbled line costs one property.
func parseProperties(path string, b []byte) properties {
	p := properties{path, map[string]string{}}
	for _, line := range source.Lines(b) {
		name, value, _ := strings.Cut(line, " ")
		if name != "" {
			p.values[name] = strings.TrimSpace(value)
		}
	}
	return p
}

// number returns a property; the error names the file and the property.
func (p properties) number(name string) (uint64, error) {
	s, ok := p.values[name]
	if !ok {
		return 0, fmt.Errorf("%s: no %s", source.Abs(p.path), name)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %s is %q, not a number", source.Abs(p.path), name, fact.Clip(s))
	}
	return n, nil
}

// positive is number where the driver writes 0 for what it does not know.
func (p properties) positive(name string) (uint64, error) {
	n, err := p.number(name)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %s is 0", source.Abs(p.path), name)
	}
	return n, err
}

// source is where the named properties were read.
func (p properties) source(names string) string { return source.Abs(p.path) + ": " + names }

// kfdNode is a GPU node of the topology.
type kfdNode struct {
	index int
	properties
	banks    []properties // of its video memory
	banksErr error        // why banks is not all of them
	drm      string       // folder of its DRM device, "" if it names none
}

// kfd reads the topology. bad has an error for each node of which it cannot be told whether it is a GPU.
func (c *capture) kfd() (nodes []kfdNode, bad []error, err error) {
	names, err := c.Dir(kfdNodes)
	if err != nil {
		return nil, nil, err
	}
	var indices []int
	for _, name := range names {
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && strconv.Itoa(i) == name {
			indices = append(indices, i)
		}
	}
	if len(indices) == 0 {
		return nil, nil, fmt.Errorf("%s: no nodes", source.Abs(kfdNodes))
	}
	slices.Sort(indices) // as numbers: 10 comes after 9
	for _, i := range indices {
		file := fmt.Sprintf("%s/%d/properties", kfdNodes, i)
		b, err := c.File(file, source.SmallFile)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		n := kfdNode{index: i, properties: parseProperties(file, b)}
		gpu, err := n.isGPU()
		switch {
		case err != nil:
			bad = append(bad, err)
			continue
		case !gpu:
			continue
		}
		n.banks, n.banksErr = c.banks(n)
		// Render nodes have minors from 128 on; 0 is a node without one.
		if minor, err := n.positive("drm_render_minor"); err == nil {
			n.drm = fmt.Sprintf("sys/class/drm/renderD%d/device", minor)
		}
		nodes = append(nodes, n)
	}
	return nodes, bad, nil
}

// isGPU tells GPUs from processors: the target of a processor is 0. Kernels before 5.12 have no target; there the SIMDs
// tell.
func (n kfdNode) isGPU() (bool, error) {
	name := "gfx_target_version"
	if _, ok := n.values[name]; !ok {
		name = "simd_count"
	}
	v, err := n.number(name)
	return v != 0, err
}

// banks reads the video memory of a node. A part of the banks would add up to a wrong size, so one that cannot be read
// spoils all.
func (c *capture) banks(n kfdNode) ([]properties, error) {
	dir := fmt.Sprintf("%s/%d/mem_banks", kfdNodes, n.index)
	names, err := c.Dir(dir)
	if err != nil {
		return nil, err
	}
	if want, err := n.number("mem_banks_count"); err == nil && want != uint64(len(names)) {
		return nil, fmt.Errorf("%s: %d memory banks, and mem_banks_count is %d", source.Abs(dir), len(names), want)
	}
	var banks []properties
	for _, name := range names {
		file := dir + "/" + name + "/properties"
		b, err := c.File(file, source.SmallFile)
		if err != nil {
			return nil, err
		}
		p := parseProperties(file, b)
		heap, err := p.number("heap_type")
		if err != nil {
			return nil, err
		}
		// 1 is video memory that the processor can address, 2 video memory that it cannot, as with a small PCI window;
		// others are the LDS, scratch and the like (HSA_MEM_HEAP_TYPE_* in kfd_crat.h and kfd_topology.h).
		if heap == 1 || heap == 2 {
			banks = append(banks, p)
		}
	}
	if len(banks) == 0 {
		return nil, fmt.Errorf("%s: no bank of video memory", source.Abs(dir))
	}
	return banks, nil
}

// target decodes gfx_target_version: major·10000 + minor·100 + step, in the name as hexadecimal digits. 90402 is
// gfx942, 90010 gfx90a.
func target(version uint64) (string, error) {
	major, minor, step := version/10000, version/100%100, version%100
	if major == 0 || major > 99 || minor > 15 || step > 15 {
		return "", fmt.Errorf("%d is not a gfx target", version)
	}
	return fmt.Sprintf("gfx%d%x%x", major, minor, step), nil
}

// pciDevice is the PCI address of the node without its function: domain, bus and device.
func (n kfdNode) pciDevice() (domain, bus, device uint64, err error) {
	location, err := n.positive("location_id")
	if err != nil {
		return 0, 0, 0, err
	}
	domain, err = n.number("domain")
	if err != nil {
		return 0, 0, 0, err
	}
	// Bits 28 and up are the partition on current kernels; on earlier ones it stands where the function belongs.
	return domain, location >> 8 & 0xff, location >> 3 & 0x1f, nil
}

// location is the PCI address of the node: domain:bus:device.function.
func (n kfdNode) location() (string, error) {
	domain, bus, device, err := n.pciDevice()
	if err != nil {
		return "", err
	}
	location, err := n.number("location_id")
	return fmt.Sprintf("%04x:%02x:%02x.%x", domain, bus, device, location&7), err
}

// card is what nodes of the same card have in common and others have not.
func (n kfdNode) card() string {
	if id, err := n.positive("unique_id"); err == nil {
		return fmt.Sprintf("%016x", id)
	}
	if location, err := n.location(); err == nil {
		return location
	}
	return "node " + strconv.Itoa(n.index)
}

// computeUnits is the compute units of the node.
func (n kfdNode) computeUnits() fact.Value[int64] {
	simds, err := n.positive("simd_count")
	perCU, err2 := n.positive("simd_per_cu")
	switch {
	case err != nil || err2 != nil:
		return fact.Unknown[int64]("", fact.ScopeHost, errors.Join(err, err2).Error())
	case simds%perCU != 0:
		return fact.Unknown[int64]("", fact.ScopeHost,
			fmt.Sprintf("%s: simd_count %d is not a multiple of simd_per_cu %d", source.Abs(n.path), simds, perCU))
	}
	return fact.KnownCount(simds/perCU, "", n.source("simd_count / simd_per_cu"))
}

// count is a property of which 0 means that the driver does not know.
func (n kfdNode) count(name, unit string) fact.Value[int64] {
	v, err := n.positive(name)
	if err != nil {
		return fact.Unknown[int64](unit, fact.ScopeHost, err.Error())
	}
	return fact.KnownCount(v, unit, n.source(name))
}

// vram is the video memory of the node: its banks, or on older kernels local_mem_size.
func (n kfdNode) vram() fact.Value[int64] {
	err := n.banksErr
	var sum uint64
	for _, b := range n.banks {
		size, e := b.positive("size_in_bytes")
		if e == nil && size > math.MaxInt64-sum {
			e = fmt.Errorf("%s: size_in_bytes is out of range", source.Abs(b.path))
		}
		if e != nil {
			err = e
			break
		}
		sum += size
	}
	if err == nil {
		source := n.banks[0].source("size_in_bytes")
		if len(n.banks) > 1 {
			source += fmt.Sprintf(", and %d other banks", len(n.banks)-1)
		}
		return fact.KnownCount(sum, "B", source)
	}
	if size, e := n.positive("local_mem_size"); e == nil {
		return fact.KnownCount(size, "B", n.source("local_mem_size"))
	}
	return fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
}

// bank is a property of the node's video memory that all banks share.
func (n kfdNode) bank(name, unit string) fact.Value[int64] {
	if n.banksErr != nil {
		return fact.Unknown[int64](unit, fact.ScopeHost, n.banksErr.Error())
	}
	values := make([]fact.Value[int64], len(n.banks))
	for i, b := range n.banks {
		values[i] = kfdNode{properties: b}.count(name, unit)
	}
	return fact.Agree(values)
}
