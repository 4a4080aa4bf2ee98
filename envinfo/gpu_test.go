package envinfo_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/amd"
	"github.com/servegauge/servegauge/envinfo/fact"
)

func TestMI325X(t *testing.T) {
	env := capture(t, mi325x().fs())
	g := env.AMD
	known(t, "count", g.Count, 8)
	known(t, "VRAM", g.VRAM, 8*274542362624)
	c := g.Cards[0]
	known(t, "compute units", c.ComputeUnits, 304)
	known(t, "XCCs", c.XCCs, 8)
	known(t, "clock", c.MaxClock, 2100)
	known(t, "memory width", c.MemoryWidth, 8192)
	unknown(t, "memory clock", c.MemoryClock, nodesDir+"2/mem_banks/0/properties: no mem_clk_max")
	known(t, "location", c.Location, "0000:05:00.0")
	known(t, "PCI id", c.PCIID, "1002:74b9")
	known(t, "unique id", c.UniqueID, fmt.Sprintf("%016x", uint64(4376936076086227261)))
	known(t, "hive id", c.HiveID, fmt.Sprintf("%x", uint64(10631624818852212319)))
	known(t, "partition", c.ComputePartition, "SPX")
	known(t, "VBIOS", c.VBIOS, "113-M3250101-100")
	known(t, "driver", version(t, env, "amdgpu"), "in-tree, kernel 6.8.0-60-generic")
	known(t, "RCCL", version(t, env, "RCCL"), "2.22.3")
	if got := c.VRAM.Source(); got != "/"+nodesDir+"2/mem_banks/0/properties: size_in_bytes" {
		t.Errorf("source of VRAM is %q", got)
	}
	if got := c.VRAM.Unit(); got != "B" {
		t.Errorf("unit of VRAM is %q", got)
	}
	if g.Cards[7].Nodes[0].Node != 9 {
		t.Errorf("the last card is node %d, want 9", g.Cards[7].Nodes[0].Node)
	}
}

func TestPartitions(t *testing.T) {
	for _, shift := range []int{0, 28} {
		g := capture(t, mi300xCPX(shift).fs()).AMD
		known(t, "count", g.Count, 8)
		for i, c := range g.Cards {
			if len(c.Nodes) != 8 {
				t.Fatalf("card %d has %d nodes, want 8", i, len(c.Nodes))
			}
			known(t, "compute units", c.ComputeUnits, 304)
			known(t, "compute units of a node", c.Nodes[7].ComputeUnits, 38)
			known(t, "XCCs", c.XCCs, 8)
			known(t, "VRAM", c.VRAM, 8*25752502272)
			known(t, "memory width", c.MemoryWidth, 8192) // not eight times
			known(t, "memory clock", c.MemoryClock, 1300)
			known(t, "partition", c.ComputePartition, "CPX")
			known(t, "location", c.Location, fmt.Sprintf("0000:%02x:00.0", 0x0c+i))
			known(t, "FP16", c.Nominal.FP16, 1307.4)
		}
		known(t, "nodes", g.Cards[7].Nodes[7].VRAM, 25752502272)
		known(t, "bandwidth", g.NominalBandwidth, 42.4)
		known(t, "nominal VRAM", g.NominalVRAM, 8*192)
	}
}

// Where each partition is offered the memory of the whole device, the sum over partitions is not the card's.
func TestPartitionsShareMemory(t *testing.T) {
	tr := mi300xCPX(28)
	for name, data := range tr {
		tr[name] = strings.ReplaceAll(data, "size_in_bytes 25752502272", "size_in_bytes 206141652992")
	}
	c := capture(t, tr.fs()).AMD.Cards[0]
	known(t, "VRAM", c.VRAM, 206141652992)
	if !strings.HasSuffix(c.VRAM.Source(), "renderD128/device/mem_info_vram_total") {
		t.Errorf("source is %q", c.VRAM.Source())
	}
}

func TestTwoDies(t *testing.T) {
	env := capture(t, mi250x().fs())
	g := env.AMD
	known(t, "count", g.Count, 4)
	c := g.Cards[0]
	if len(c.Nodes) != 2 {
		t.Fatalf("%d nodes, want 2", len(c.Nodes))
	}
	known(t, "target", c.Target, "gfx90a")
	known(t, "architecture", c.Architecture, "CDNA 2")
	known(t, "compute units", c.ComputeUnits, 220)
	known(t, "VRAM", c.VRAM, 2*68702699520)
	known(t, "memory width", c.MemoryWidth, 8192)
	known(t, "nominal VRAM", c.Nominal.VRAM, 128)
	known(t, "bandwidth", c.Nominal.Bandwidth, 3.277)
	unknown(t, "FP8", c.Nominal.FP8, "none published")
	unknown(t, "XCCs", c.XCCs, "no num_xcc")
	known(t, "driver", version(t, env, "amdgpu"), "6.12.12") // CRLF
}

// One die of two is not the card of the table.
func TestPartOfACard(t *testing.T) {
	tr := mi250x()
	for name := range tr {
		if strings.HasPrefix(name, nodesDir+"2/") {
			delete(tr, name)
		}
	}
	g := capture(t, tr.fs()).AMD
	known(t, "count", g.Count, 4)
	for _, v := range []fact.Value[float64]{g.Cards[0].Nominal.FP16, g.Cards[0].Nominal.Bandwidth, g.NominalBandwidth} {
		unknown(t, "figure", v, "whole card of 220 compute units, and 110 are seen")
	}
	known(t, "FP16 of a whole card", g.Cards[1].Nominal.FP16, 383)

	tr = mi325x()
	tr[nodesDir+"2/mem_banks/0/properties"] = "heap_type 1\nsize_in_bytes 34359738368\n"
	unknown(t, "bandwidth", capture(t, tr.fs()).AMD.Cards[0].Nominal.Bandwidth,
		"whole card of 256 GB, and 34359738368 B are seen")
}

// The table of models once more. A virtual function has the figures of its card; a bandwidth of 0 says that the table
// has none.
func TestModels(t *testing.T) {
	for _, m := range []struct {
		device    int
		name      string
		virtual   bool
		cus       int
		vram      int64
		bandwidth float64
		fp16      float64
	}{
		{0x7408, "AMD Instinct MI250X", false, 220, 128, 3.277, 383},
		{0x740c, "AMD Instinct MI250X/MI250", false, 220, 128, 3.277, 383},
		{0x740f, "AMD Instinct MI210", false, 104, 64, 1.638, 181},
		{0x74a0, "AMD Instinct MI300A", false, 228, 128, 5.3, 980.6},
		{0x74a1, "AMD Instinct MI300X", false, 304, 192, 5.3, 1307.4},
		{0x74b5, "AMD Instinct MI300X", true, 304, 192, 5.3, 1307.4},
		{0x74a2, "AMD Instinct MI308X", false, 80, 192, 5.3, 0},
		{0x74b6, "AMD Instinct MI308X", true, 80, 192, 5.3, 0},
		{0x74a8, "AMD Instinct MI308X HF", false, 80, 192, 5.3, 0},
		{0x74bc, "AMD Instinct MI308X HF", true, 80, 192, 5.3, 0},
		{0x74a9, "AMD Instinct MI300X HF", false, 304, 192, 5.3, 1307.4},
		{0x74bd, "AMD Instinct MI300X HF", true, 304, 192, 5.3, 1307.4},
		{0x738c, "AMD Instinct MI100", false, 120, 32, 0, 0},
		{0x75a8, "AMD Instinct MI350P", false, 128, 144, 0, 0},
		{0x74a5, "AMD Instinct MI325X", false, 304, 256, 6.0, 1307.4},
		{0x74b9, "AMD Instinct MI325X", true, 304, 256, 6.0, 1307.4},
		{0x75a0, "AMD Instinct MI350X", false, 256, 288, 8, 2306.9},
		{0x75b0, "AMD Instinct MI350X", true, 256, 288, 8, 2306.9},
		{0x75a3, "AMD Instinct MI355X", false, 256, 288, 8.0, 2516.6},
		{0x75b3, "AMD Instinct MI355X", true, 256, 288, 8.0, 2516.6},
	} {
		t.Run(fmt.Sprintf("%04x", m.device), func(t *testing.T) {
			node := gpuNode{
				node:   1,
				simds:  4 * m.cus,
				target: 90402,
				device: m.device,
				minor:  128,
				id:     1,
				vram:   m.vram << 30,
			}
			c := capture(t, cpuHost().with(cpuNode(0), node.tree()).fs()).AMD.Cards[0]
			known(t, "model", c.Model, m.name)
			if m.bandwidth == 0 { // its name is in the public list of PCI ids
				unknown(t, "virtual function", c.VirtualFunction, "not in the table of models")
				unknown(t, "VRAM", c.Nominal.VRAM, "not in the table of")
				unknown(t, "bandwidth", c.Nominal.Bandwidth, "not in the table of")
				return
			}
			known(t, "virtual function", c.VirtualFunction, m.virtual)
			known(t, "VRAM", c.Nominal.VRAM, m.vram)
			known(t, "bandwidth", c.Nominal.Bandwidth, m.bandwidth)
			if m.fp16 == 0 {
				unknown(t, "FP16", c.Nominal.FP16, "none published")
				return
			}
			known(t, "FP16", c.Nominal.FP16, m.fp16)
		})
	}
}

// Memory that differs by more than 2 % from a whole card's is not that card's; what the firmware keeps is less.
func TestVRAMTolerance(t *testing.T) {
	for _, test := range []struct {
		share float64
		whole bool
	}{
		{0.979, false}, {0.981, true}, {0.9988, true}, {1, true}, {1.019, true}, {1.021, false},
	} {
		node := gpuNode{
			node:   1,
			simds:  1216,
			target: 90402,
			device: 0x74a5,
			minor:  128,
			id:     1,
			vram:   int64(test.share * (256 << 30)),
		}
		c := capture(t, cpuHost().with(cpuNode(0), node.tree()).fs()).AMD.Cards[0]
		if test.whole {
			known(t, "bandwidth", c.Nominal.Bandwidth, 6)
		} else {
			unknown(t, "bandwidth", c.Nominal.Bandwidth, "whole card of 256 GB")
		}
	}
}

func TestVRAMFallbacks(t *testing.T) {
	node := nodesDir + "2/"
	for _, test := range []struct {
		name   string
		change tree
		drop   string
		want   int64
		source string
		reason string
	}{
		{name: "two banks", change: tree{
			node + "properties": strings.Replace(mi325x()[node+"properties"], "mem_banks_count 1",
				"mem_banks_count 2", 1),
			node + "mem_banks/1/properties": "heap_type 2\nsize_in_bytes 5\n",
		}, want: 274542362629, source: "and 1 other banks"},
		{name: "a heap that is not video memory", change: tree{
			node + "properties": strings.Replace(mi325x()[node+"properties"], "mem_banks_count 1",
				"mem_banks_count 2", 1),
			node + "mem_banks/1/properties": "heap_type 4\nsize_in_bytes 65536\n",
		}, want: 274542362624, source: "mem_banks/0/properties"},
		{name: "no banks", drop: node + "mem_banks", want: 274542362624,
			source: "renderD128/device/mem_info_vram_total"},
		{name: "garbled bank", change: tree{node + "mem_banks/0/properties": "heap_type 1\nsize_in_bytes lots\n"},
			want:   274542362624,
			source: "renderD128/device/mem_info_vram_total"},
		{name: "older kernel", drop: node + "mem_banks",
			change: tree{node + "properties": strings.Replace(mi325x()[node+"properties"], "local_mem_size 0",
				"local_mem_size 7", 1)},
			want: 7, source: "local_mem_size"},
		{name: "a bank is missing", change: tree{
			node + "properties": strings.Replace(mi325x()[node+"properties"], "mem_banks_count 1", "mem_banks_count 2",
				1),
			"sys/class/drm/renderD128/device/mem_info_vram_total": "0\n",
		}, reason: "1 memory banks, and mem_banks_count is 2"},
		{name: "bank out of range", change: tree{
			node + "mem_banks/0/properties":                       "heap_type 1\nsize_in_bytes 18446744073709551615\n",
			"sys/class/drm/renderD128/device/mem_info_vram_total": "N/A\n",
		}, reason: `"N/A" is not a size`},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := mi325x()
			for name := range tr {
				if test.drop != "" && strings.HasPrefix(name, test.drop) {
					delete(tr, name)
				}
			}
			g := capture(t, tr.with(test.change).fs()).AMD
			v := g.Cards[0].VRAM
			if test.reason != "" {
				unknown(t, "VRAM", v, test.reason)
				unknown(t, "total", g.VRAM, test.reason)
				return
			}
			known(t, "VRAM", v, test.want)
			if !strings.Contains(v.Source(), test.source) {
				t.Errorf("source is %q, want %q in it", v.Source(), test.source)
			}
		})
	}
}

// A container that was given some of the cards counts those, and says so.
func TestHiddenCards(t *testing.T) {
	env := capture(t, failing{mi325x().fs(), nodesDir + "9/properties", fs.ErrPermission})
	known(t, "count", env.AMD.Count, 7)
	if s := env.AMD.Count.Scope(); s != fact.ScopeProcess {
		t.Errorf("scope of the count is %q", s)
	}
	if s := env.AMD.VRAM.Scope(); s != fact.ScopeProcess {
		t.Errorf("scope of the sum is %q", s)
	}
	if len(env.Warnings) != 1 || env.Warnings[0].About != "amd.count" {
		t.Errorf("warnings are %v", env.Warnings)
	}
	if out := text(t, env); !strings.Contains(out, "7x AMD Instinct MI325X") ||
		!strings.Contains(out, "amd.count: 1 of the nodes") {
		t.Errorf("text is\n%s", out)
	}
}

func TestGarbledTopology(t *testing.T) {
	node := nodesDir + "2/properties"
	for _, test := range []struct {
		name, data string
		check      func(*testing.T, amd.GPUs)
	}{
		{"garbage", "\x00\xff\x1b[31m\n\n%%%", func(t *testing.T, g amd.GPUs) {
			unknown(t, "count", g.Count, "1 of the nodes could not be told apart, 7 cards could")
			unknown(t, "total", g.VRAM, "number of cards is unknown")
		}},
		{"empty", "", func(t *testing.T, g amd.GPUs) { unknown(t, "count", g.Count, "no simd_count") }},
		{"bad target", "gfx_target_version 9.4.2\n", func(t *testing.T, g amd.GPUs) {
			unknown(t, "count", g.Count, `gfx_target_version is "9.4.2", not a number`)
		}},
		{"only a target", "gfx_target_version 90402\n", func(t *testing.T, g amd.GPUs) {
			known(t, "count", g.Count, 8)
			known(t, "target", g.Cards[0].Target, "gfx942")
			unknown(t, "model", g.Cards[0].Model, "no vendor_id")
			unknown(t, "compute units", g.Cards[0].ComputeUnits, "no simd_count")
			unknown(t, "location", g.Cards[0].Location, "no location_id")
			unknown(t, "FP16", g.Cards[0].Nominal.FP16, "no device_id")
			unknown(t, "VBIOS", g.Cards[0].VBIOS, "no drm_render_minor")
			unknown(t, "bandwidth", g.NominalBandwidth, "no device_id")
		}},
		{"CRLF and spaces", strings.ReplaceAll(mi325x()[node], "\n", "  \r\n"), func(t *testing.T, g amd.GPUs) {
			known(t, "compute units", g.Cards[0].ComputeUnits, 304)
		}},
		{"unknown model", strings.Replace(mi325x()[node], fmt.Sprint("device_id ", 0x74b9), "device_id 1", 1),
			func(t *testing.T, g amd.GPUs) {
				unknown(t, "model", g.Cards[0].Model, "1002:0001 is not in the table")
				unknown(t, "bandwidth", g.NominalBandwidth, "1002:0001")
				known(t, "VRAM", g.VRAM, 8*274542362624)
			}},
		{"another vendor", strings.Replace(mi325x()[node], "vendor_id 4098", "vendor_id 4318", 1),
			func(t *testing.T, g amd.GPUs) {
				unknown(t, "model", g.Cards[0].Model, "10de:74b9 is not in the table")
			}},
		{"no unique id", strings.Replace(mi325x()[node], "unique_id", "serial", 1), func(t *testing.T, g amd.GPUs) {
			known(t, "count", g.Count, 8)
			unknown(t, "unique id", g.Cards[0].UniqueID, "no unique_id")
		}},
		{"compute units not whole", strings.Replace(mi325x()[node], "simd_count 1216", "simd_count 1217", 1),
			func(t *testing.T, g amd.GPUs) {
				unknown(t, "compute units", g.Cards[0].ComputeUnits, "not a multiple")
			}},
		{"processor", mi325x()[nodesDir+"0/properties"], func(t *testing.T, g amd.GPUs) {
			known(t, "count", g.Count, 7)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := capture(t, mi325x().with(tree{node: test.data}).fs())
			test.check(t, env.AMD)
			if out := text(t, env); strings.ContainsAny(out, "\x00\x1b\r") {
				t.Errorf("the text has control characters:\n%q", out)
			}
		})
	}
}

func TestNoGPU(t *testing.T) {
	g := capture(t, cpuHost().with(cpuNode(0)).fs()).AMD
	known(t, "count", g.Count, 0)
	unknown(t, "total", g.VRAM, "no cards")
	g = capture(t, cpuHost().fs()).AMD
	unknown(t, "count", g.Count, "/sys/class/kfd/kfd/topology/nodes: no such file")
}

func TestMixedCards(t *testing.T) {
	tr := mi325x()
	file := nodesDir + "3/properties"
	tr[file] = strings.Replace(tr[file], fmt.Sprint("device_id ", 0x74b9), fmt.Sprint("device_id ", 0x74a0), 1)
	out := text(t, capture(t, tr.fs()))
	for _, want := range []string{"7x AMD Instinct MI325X, 1x AMD Instinct MI300A", "7x 6.0 TB/s, 1x unknown"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A name the board gives itself serves where the table has none.
func TestProductName(t *testing.T) {
	tr := mi300xCPX(28)
	for name, data := range tr {
		tr[name] = strings.ReplaceAll(data, "device_id 29857", "device_id 7")
	}
	c := capture(t, tr.fs()).AMD.Cards[0]
	known(t, "model", c.Model, "AMD_Instinct_MI300X_OAM")
	if !strings.HasPrefix(c.Model.Source(), "/sys/class/drm/") {
		t.Errorf("source is %q", c.Model.Source())
	}
}
