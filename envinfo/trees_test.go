package envinfo_test

import (
	"fmt"
	"strings"
	"testing"
)

// Topologies of more hosts. Field values are from published samples, named at each; what a sample lacks is left out of
// the tree or said to be made up.

// ioLink is a link in the topology, as current kernels write it.
func ioLink(from, index int, kind string, linkType, to, weight, bandwidth int) tree {
	return tree{fmt.Sprintf("%s%d/%s/%d/properties", nodesDir, from, kind, index): fmt.Sprintf(
		"type %d\nversion_major 0\nversion_minor 0\nnode_from %d\nnode_to %d\nweight %d\nmin_latency 0\n"+
			"max_latency 0\n"+
			"min_bandwidth %d\nmax_bandwidth %d\nrecommended_transfer_size 0\nrecommended_sdma_engine_id_mask 3\n"+
			"flags 1\n",
		linkType,
		from,
		to,
		weight,
		bandwidth,
		bandwidth,
	)}
}

// fw sets the firmware versions of a node, which are in decimal.
func fw(t tree, node, mec, sdma int) tree {
	name := fmt.Sprintf("%s%d/properties", nodesDir, node)
	return t.with(
		tree{
			name: strings.Replace(t[name], "fw_version 166\n",
				fmt.Sprintf("fw_version %d\nsdma_fw_version %d\n", mec, sdma), 1),
		},
	)
}

// mi210 is eight MI210 in two groups of four that XGMI bridges connect; the groups reach each other through the
// processors. https://github.com/ROCm/k8s-device-plugin, testdata/topo-mi210-xgmi-pcie: links, weights, bandwidths and
// firmware. The sample has no memory banks; those here, and addresses and ids, are made up.
func mi210() tree {
	t := cpuHost().with(cpuNode(0), cpuNode(1))
	for i := range 8 {
		n := 2 + i
		t = fw(
			t.with(
				gpuNode{
					node:     n,
					simds:    416,
					target:   90010,
					device:   29711,
					location: (0x63 + i) << 8,
					minor:    128 + i,
					clock:    1700,
					xccs:     1,
					id:       1801979520617338022 + uint64(i),
					vram:     68702699520,
					width:    4096,
					memClock: 1600,
				}.tree(),
			),
			n,
			92,
			9,
		)
		t = t.with(ioLink(n, 0, "io_links", 2, i/4, 20, 32000), ioLink(n, 0, "p2p_links", 2, 1-i/4, 52, 0))
		for j := range 8 {
			switch {
			case j == i:
			case j/4 == i/4:
				t = t.with(ioLink(n, 1+j, "io_links", 11, 2+j, 15, 50000))
			default:
				t = t.with(ioLink(n, 1+j, "p2p_links", 2, 2+j, 72, 0))
			}
		}
	}
	return t
}

// mi300a is four MI300A, each in a PCI domain of its own and with a processor of its own on the package. Node
// properties as in a published README of test resources for "AMD GPU Partitioning" (a node with four MI300 of six XCDs;
// simd_count 912, location_id 512 in domains 0 to 3, unique ids, firmware). The memory and the links are made up.
func mi300a() tree {
	t := cpuHost()
	for i := range 4 {
		t = t.with(cpuNode(i))
	}
	for i, id := range []uint64{7843934696581995200, 11940228331418201223, 7304659965365223271, 6885922256455814113} {
		n := 4 + i
		g := gpuNode{
			node:     n,
			simds:    912,
			target:   90402,
			device:   29856,
			location: 512,
			minor:    128 + 8*i,
			clock:    2100,
			xccs:     6,
			id:       id,
			vram:     137438953472,
			width:    8192,
			memClock: 1300,
		}.tree()
		name := fmt.Sprintf("%s%d/properties", nodesDir, n)
		g[name] = strings.Replace(g[name], "domain 0\n", fmt.Sprintf("domain %d\n", i), 1)
		t = fw(t.with(g), n, 138, 19).with(ioLink(n, 0, "io_links", 11, i, 13, 0))
		for j := range 4 {
			if j != i {
				t = t.with(ioLink(n, 1+j, "io_links", 11, 4+j, 15, 0))
			}
		}
	}
	return t
}

// mi300x is eight whole MI300X in one hive. The first node's properties are published ones; the firmware is that of
// https://github.com/ROCm/k8s-device-plugin, testdata/topo-mi300-cpx; the links are made up.
func mi300x() tree {
	t := cpuHost().with(cpuNode(0), cpuNode(1))
	for i := range 8 {
		n := 2 + i
		t = fw(
			t.with(
				gpuNode{
					node:     n,
					simds:    1216,
					target:   90402,
					device:   29857,
					location: 18176 + i<<8,
					minor:    128 + 8*i,
					clock:    2100,
					xccs:     8,
					id:       4376936076086227261 + uint64(i),
					vram:     206141652992,
					width:    8192,
					memClock: 1300,
				}.tree(),
			),
			n,
			177,
			24,
		)
		t = t.with(ioLink(n, 0, "io_links", 2, i/4, 20, 64000))
		for j := range 8 {
			if j != i {
				t = t.with(ioLink(n, 1+j, "io_links", 11, 2+j, 15, 64000))
			}
		}
	}
	return t
}

// mi308x is one MI308X in four partitions, in the second PCI domain. https://github.com/ROCm/k8s-device-plugin,
// testdata/topology-parsing-mi308: partitions in the function of location_id, 48 GiB each with a last one that is 16
// MiB smaller, 8192 bit at 1300 MHz said by each, 819,200 MB/s between partitions.
func mi308x() tree {
	t := cpuHost().with(cpuNode(0))
	for i := range 4 {
		n := 1 + i
		vram := int64(51539607552)
		if i == 3 {
			vram = 51522830336
		}
		t = fw(
			t.with(
				gpuNode{
					node:     n,
					simds:    80,
					target:   90402,
					device:   29858,
					location: 2560 + i,
					minor:    128 + i,
					clock:    1420,
					xccs:     1,
					id:       598046273873802902,
					vram:     vram,
					width:    8192,
					memClock: 1300,
				}.tree(),
			),
			n,
			149,
			19,
		)
		t = t.with(ioLink(n, 0, "io_links", 2, 0, 20, 64000))
		for j := range 4 {
			if j != i {
				t = t.with(ioLink(n, 1+j, "io_links", 11, 1+j, 13, 819200))
			}
		}
	}
	return t
}

// mi355x is two MI355X: the PCI id of pci.ids, published compute units and target, unique ids and addresses of a
// published inventory of a gfx950 host. Memory, clocks and links are made up.
func mi355x() tree {
	t := cpuHost().with(cpuNode(0))
	for i, id := range []uint64{10838076764495710945, 15340779317222226279} {
		n := 3 + i
		t = fw(
			t.with(
				gpuNode{
					node:     n,
					simds:    1024,
					target:   90500,
					device:   0x75a3,
					location: []int{5376, 25856}[i],
					minor:    136 + 8*i,
					clock:    2400,
					xccs:     8,
					id:       id,
					vram:     309220868096,
					width:    8192,
					memClock: 2000,
				}.tree(),
			),
			n,
			41,
			12,
		)
		t = t.with(ioLink(n, 0, "io_links", 11, 4-i, 15, 0))
	}
	return t
}

// radeon is a Radeon RX 7900 XTX. https://github.com/tinygrad/tinygrad, test/mockgpu/amd/amdgpu.py: the node's
// properties; memory, links and what DRM says are made up.
func radeon(node int) tree {
	t := fw(
		gpuNode{
			node:     node,
			simds:    192,
			target:   110000,
			device:   29772,
			location: 34304,
			minor:    140,
			clock:    2482,
			xccs:     1,
			id:       11673270660693242239,
			vram:     25753026560,
			width:    384,
			memClock: 1249,
		}.tree(),
		node,
		2140,
		20,
	)
	name := fmt.Sprintf("%s%d/properties", nodesDir, node)
	t[name] = strings.Replace(t[name], "simd_per_cu 4", "simd_per_cu 2", 1)
	return t.with(ioLink(node, 0, "io_links", 2, 0, 20, 32000), drm(140, tree{
		"product_name": "Radeon RX 7900 XTX\n", "current_link_speed": "2.5 GT/s PCIe\n", "current_link_width": "16\n",
		"max_link_speed": "16.0 GT/s PCIe\n", "max_link_width": "16\n", "numa_node": "-1\n",
		"mem_info_vram_vendor": "samsung\n",
	}))
}

// vega10 is two cards as an old kernel lists them: no domain, no gfx_target_version, no num_xcc.
// https://github.com/ROCm/k8s-device-plugin, testdata/topology-parsing.
func vega10() tree {
	t := cpuHost().with(tree{nodesDir + "0/properties": "cpu_cores_count 20\nsimd_count 0\nmem_banks_count 1\n" +
		"vendor_id 0\n"})
	for i := range 2 {
		dir := fmt.Sprintf("%s%d/", nodesDir, 1+i)
		t = t.with(tree{
			dir + "properties": fmt.Sprintf(
				"cpu_cores_count 0\nsimd_count 256\nmem_banks_count 1\nio_links_count 1\nsimd_per_cu 4\n"+
					"vendor_id 4098\ndevice_id 26720\nlocation_id 6400\ndrm_render_minor %d\n"+
					"max_engine_clk_fcompute 1500\n"+
					"local_mem_size 17163091968\nfw_version 392\nsdma_fw_version 421\nunique_id %d\n",
				128+i,
				uint64(14073402507705256556)+uint64(i),
			),
			dir + "mem_banks/0/properties": "heap_type 1\nsize_in_bytes 17163091968\nflags 0\nwidth 2048\n" +
				"mem_clk_max 945\n",
		}, ioLink(1+i, 0, "io_links", 2, 0, 20, 0))
	}
	return t
}

func TestTrees(t *testing.T) {
	bare := mi325x()
	for name, data := range bare {
		bare[name] = strings.ReplaceAll(data, fmt.Sprint("device_id ", 0x74b9), fmt.Sprint("device_id ", 0x74a5))
	}
	for _, test := range []struct {
		name      string
		tree      tree
		cards     int64
		model     string // of the first card; "": unknown
		target    string
		cus, vram int64
		mec, sdma string
		bandwidth float64 // TB/s by clock; 0: unknown
		from, to  int     // a link, 0, 0: none
		kind      string
		weight    int64
		mbs       int64 // 0: unknown
	}{
		{"MI210 bridged", mi210(), 8, "AMD Instinct MI210", "gfx90a", 104, 68702699520, "0x0000005c", "0x00000009",
			1.6384, 2, 5, "XGMI", 15, 50000},
		{"MI210 across", mi210(), 8, "AMD Instinct MI210", "gfx90a", 104, 68702699520, "0x0000005c", "0x00000009",
			1.6384, 9, 2, "PCIe", 72, 0},
		{"MI210 processor", mi210(), 8, "AMD Instinct MI210", "gfx90a", 104, 68702699520, "0x0000005c", "0x00000009",
			1.6384, 9, 1, "PCIe", 20, 32000},
		{"MI250X", mi250x(), 4, "AMD Instinct MI250X", "gfx90a", 220, 137405399040, "0x000000a6", "", 3.2768, 0, 0, "",
			0, 0},
		{"MI300A", mi300a(), 4, "AMD Instinct MI300A", "gfx942", 228, 137438953472, "0x0000008a", "0x00000013", 5.3248,
			4, 7, "XGMI", 15, 0},
		{"MI300A processor", mi300a(), 4, "AMD Instinct MI300A", "gfx942", 228, 137438953472, "0x0000008a",
			"0x00000013", 5.3248, 4, 0, "XGMI", 13, 0},
		{"MI300X", mi300x(), 8, "AMD Instinct MI300X", "gfx942", 304, 206141652992, "0x000000b1", "0x00000018", 5.3248,
			2, 9, "XGMI", 15, 64000},
		{"MI300X CPX", mi300xCPX(0), 8, "AMD Instinct MI300X", "gfx942", 304, 206020018176, "0x000000a6", "", 5.3248,
			0, 0, "", 0, 0},
		{"MI308X", mi308x(), 1, "AMD Instinct MI308X", "gfx942", 80, 206141652992, "0x00000095", "0x00000013", 5.3248,
			1, 0, "PCIe", 20, 64000},
		{"MI325X virtual", mi325x(), 8, "AMD Instinct MI325X", "gfx942", 304, 274542362624, "0x000000a6", "", 0, 0, 0,
			"", 0, 0},
		{"MI325X", bare, 8, "AMD Instinct MI325X", "gfx942", 304, 274542362624, "0x000000a6", "", 0, 0, 0, "", 0, 0},
		{"MI355X", mi355x(), 2, "AMD Instinct MI355X", "gfx950", 256, 309220868096, "0x00000029", "0x0000000c", 0, 3,
			4, "XGMI", 15, 0},
		{"Radeon", cpuHost().with(cpuNode(0), radeon(1)), 1, "Radeon RX 7900 XTX", "gfx1100", 96, 25753026560,
			"0x0000085c", "0x00000014", 0, 1, 0, "PCIe", 20, 32000},
		{"mixed", mi210().with(radeon(10)), 9, "AMD Instinct MI210", "gfx90a", 104, 68702699520, "0x0000005c",
			"0x00000009", 1.6384, 10, 0, "PCIe", 20, 32000},
		{"Vega 10, old kernel", vega10(), 2, "", "", 64, 17163091968, "0x00000188", "0x000001a5", 0, 1, 0, "PCIe", 20,
			0},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := capture(t, test.tree.fs())
			g := env.AMD
			known(t, "count", g.Count, test.cards)
			c := g.Cards[0]
			if test.model == "" {
				unknown(t, "model", c.Model, "not in the table")
			} else {
				known(t, "model", c.Model, test.model)
			}
			if test.target == "" {
				unknown(t, "target", c.Target, "no gfx_target_version")
			} else {
				known(t, "target", c.Target, test.target)
			}
			known(t, "compute units", c.ComputeUnits, test.cus)
			known(t, "VRAM", c.VRAM, test.vram)
			for _, f := range c.Firmware {
				switch want := map[string]string{"mec": test.mec, "sdma": test.sdma}[f.Name]; want {
				case "":
					unknown(t, f.Name, f.Version, "no sdma_fw_version")
				default:
					known(t, f.Name, f.Version, want)
				}
			}
			if len(c.Firmware) != 2 {
				t.Errorf("firmware is %v", c.Firmware)
			}
			if test.bandwidth == 0 {
				if v, ok := c.MemoryBandwidth.Get(); ok {
					t.Errorf("bandwidth is %v, want unknown", v)
				}
			} else {
				known(t, "bandwidth", c.MemoryBandwidth, test.bandwidth)
				if s := c.MemoryBandwidth.Source(); !strings.HasPrefix(s, "formula: ") || !strings.Contains(s,
					"table: ") {
					t.Errorf("source of the bandwidth is %q", s)
				}
			}
			if test.kind != "" {
				l, ok := g.Link(test.from, test.to)
				if !ok {
					t.Fatalf("no link from %d to %d", test.from, test.to)
				}
				known(t, "type", l.Type, test.kind)
				known(t, "weight", l.Weight, test.weight)
				if test.mbs == 0 {
					unknown(t, "link bandwidth", l.MaxBandwidth, "max_bandwidth is 0")
				} else {
					known(t, "link bandwidth", l.MaxBandwidth, test.mbs)
				}
			}
			if len(env.Warnings) != 0 {
				t.Errorf("warnings are %v", env.Warnings)
			}
		})
	}
}
