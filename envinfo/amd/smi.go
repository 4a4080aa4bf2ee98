package amd

import (
	"errors"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Tools are runs of amd-smi, and of rocm-smi where that says nothing.
type Tools struct {
	version, static *source.Tool
	rocm            func() *source.Tool // starts it
}

// StartTools starts amd-smi; it runs while files are read.
func StartTools(b *source.Toolbox) Tools {
	return Tools{
		version: b.Start("amd-smi", "version", "--json"),
		static:  b.Start("amd-smi", "static", "--json"),
		rocm: func() *source.Tool {
			return b.Start("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--showvbios", "--showuniqueid",
				"--showbus", "--showdriverversion", "--json")
		},
	}
}

// smiCard is what a tool of AMD says of one GPU. What it did not say is unknown.
type smiCard struct {
	location                          string // PCI address
	device                            string // that without the function, which partitions share
	model, pciDevice, vbios, uniqueID fact.Value[string]
	driver                            fact.Value[string]
	vram                              fact.Value[int64]

	// What is needed of cards that no file lists.
	target, computePartition, memoryPartition fact.Value[string]
	units                                     fact.Value[int64]
	link                                      gpu.PCIe
}

// Versions is what amd-smi says of software. What it did not say is unknown.
type Versions struct{ SMI, ROCm, Driver fact.Value[string] }

// Versions returns what amd-smi version says, of the root filesystem of the scope userland. It warns where the tool
// failed.
func (t Tools) Versions(userland fact.Scope) (out []Versions, warnings fact.Warnings) {
	b, err := t.version.Wait()
	if err != nil {
		if !source.NoTool(err) {
			warnings.Warn("software", "nothing was checked by a tool that failed: %v", err)
		}
		return nil, warnings
	}
	name := t.version.Name
	objects, err := smiObjects(b)
	if err != nil {
		warnings.Warn("software", "nothing was checked by %s: %v", name, err)
	}
	for _, o := range objects {
		get := func(key string, scope fact.Scope) fact.Value[string] {
			return o.text(key).version(scope, name+": "+key)
		}
		v := Versions{ROCm: get("rocm_version", userland), Driver: get("amdgpu_version", fact.ScopeHost)}
		if o.has("version") {
			v.SMI = get("version", userland)
		}
		out = append(out, v)
	}
	return out, warnings
}

// SameROCm tells whether the version in a file of ROCm is the one that a tool says: the file has the build too,
// 6.4.2-120 is 6.4.2.
func SameROCm(file, tool string) bool {
	release, _, _ := strings.Cut(file, "-")
	return file == tool || release == tool
}

// SameDriver compares versions of the driver. Of the driver that comes with the kernel the tools say the kernel.
func SameDriver(file, tool string) bool {
	return file == tool || strings.HasPrefix(file, "in-tree") && strings.Contains(file, tool)
}

// parseAMDStatic parses amd-smi static --json. Keys of ROCm 6.0, where they differ, come second.
func parseAMDStatic(name string, b []byte) ([]smiCard, error) {
	objects, err := smiObjects(b)
	if err != nil {
		return nil, err
	}
	var cards []smiCard
	for _, o := range objects {
		if !o.has("gpu") { // processors, and a legend that is JSON
			continue
		}
		asic, vram, driver := o.section("asic"), o.section("vram"), o.section("driver")
		bus, partition := o.section("bus"), o.section("partition")
		vbios := o.section("vbios")
		if vbios == nil {
			vbios = o.section("ifwi")
		}
		cards = append(cards, smiCard{
			location:  gpu.PCILocation(bus.text("bdf").text),
			device:    gpu.PCIDevice(bus.text("bdf").text),
			model:     asic.text("market_name").name(name + ": market_name"),
			pciDevice: asic.text("device_id").hex(4, name+": device_id"),
			uniqueID:  asic.text("asic_serial").hex(16, name+": asic_serial"),
			vbios:     vbios.text("part_number", "vbios_part_number").value(fact.ScopeHost, name+": vbios part_number"),
			driver:    driver.text("version", "driver_version").version(fact.ScopeHost, name+": driver version"),
			vram:      vram.text("size", "vram_size_mb", "vram_size").bytes("MB", name+": vram size"),

			target: asic.text("target_graphics_version").target(name + ": target_graphics_version"),
			units:  asic.text("num_compute_units").count(name + ": num_compute_units"),
			computePartition: partition.text("accelerator_partition", "compute_partition").
				value(fact.ScopeHost, name+": accelerator_partition"),
			memoryPartition: partition.text("memory_partition").value(fact.ScopeHost, name+": memory_partition"),
			link: gpu.PCIe{
				MaxSpeed: bus.text("max_pcie_speed").speed(name + ": max_pcie_speed"),
				MaxWidth: bus.text("max_pcie_width", "max_pcie_lanes").count(name + ": max_pcie_width"),
			},
		})
	}
	if len(cards) == 0 {
		return nil, errors.New("no GPU in it")
	}
	return cards, nil
}

// parseROCmSMI parses rocm-smi --json: an object with one of each card, and of the system. Keys of ROCm 5 come second.
func parseROCmSMI(name string, b []byte) ([]smiCard, error) {
	objects, err := smiObjects(b)
	if err != nil {
		return nil, err // with no data it exits with 0 and says so in a line that is not JSON
	}
	var cards []smiCard
	for _, all := range objects {
		driver := all.section("system").text("Driver version").version(fact.ScopeHost, name+": Driver version")
		var keys []string
		for key := range all {
			if strings.HasPrefix(key, "card") {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			o := all.section(key)
			if o == nil {
				continue
			}
			cards = append(cards, smiCard{
				location: gpu.PCILocation(o.text("PCI Bus").text),
				device:   gpu.PCIDevice(o.text("PCI Bus").text),
				target:   o.text("GFX Version").target(name + ": GFX Version"),
				model: o.text("Card Series", "Card series", "Device Name").
					name(name + ": Card Series"),
				pciDevice: o.text("Device ID", "GPU ID").hex(4, name+": Device ID"),
				uniqueID:  o.text("Unique ID").hex(16, name+": Unique ID"),
				vbios:     o.text("VBIOS version").value(fact.ScopeHost, name+": VBIOS version"),
				driver:    driver,
				vram:      o.text("VRAM Total Memory (B)").bytes("B", name+": VRAM Total Memory"),
			})
		}
	}
	if len(cards) == 0 {
		return nil, errors.New("no card in it")
	}
	return cards, nil
}
