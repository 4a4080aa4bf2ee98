package envinfo_test

import (
	"io/fs"
	"strings"
	"testing"
)

// The matrix has every ordered pair of devices, partitions of one device stand together, and the text counts what there
// is.
func TestLinkMatrix(t *testing.T) {
	env := capture(t, mi210().fs())
	gpus, processors := 0, 0
	for _, l := range env.AMD.Links {
		if l.To < 2 {
			processors++
		} else {
			gpus++
		}
	}
	if gpus != 8*7 || processors != 8*2 {
		t.Errorf("%d links between cards and %d to processors, want 56 and 16", gpus, processors)
	}
	if out := text(t, env); !strings.Contains(out, "24x XGMI (weight 15), 32x PCIe (weight 72)") {
		t.Errorf("no links in\n%s", out)
	}
	if out := text(t, env); !strings.Contains(out, "5               XGMI 15  XGMI 15  XGMI 15  -        PCIe 72") {
		t.Errorf("no matrix in\n%s", out)
	}
	if links := capture(t, mi308x().fs()).AMD.Links; len(links) != 1 || links[0].To != 0 {
		t.Errorf("links of one card in four partitions are %v, want that to the processor", links)
	}
	if links := capture(t, mi250x().fs()).AMD.Links; len(links) != 8*7 {
		t.Errorf("%d links of eight dies, want 56", len(links))
	}
	if _, ok := env.AMD.Link(2, 99); ok {
		t.Error("a link to a node that is not there")
	}
}

func TestGarbledLinks(t *testing.T) {
	const file = nodesDir + "2/io_links/2/properties" // to node 3
	for _, test := range []struct{ name, data, reason string }{
		{"no type", "node_from 2\nnode_to 3\nweight 15\n", "no type"},
		{"type that is not documented", "type 99\nnode_from 2\nnode_to 3\nweight 15\n", "type is 99, not in the table"},
		{"type in words", "type XGMI\nnode_from 2\nnode_to 3\n", `type is "XGMI", not a number`},
		{"of another node", "type 11\nnode_from 3\nnode_to 3\n", "node_from is 3, in the folder of node 2"},
		{"to itself", "type 11\nnode_from 2\nnode_to 2\n", "node_to is 2, from node 2"},
		{"huge", "type 11\nnode_from 2\nnode_to 18446744073709551615\n", "node_to is 18446744073709551615"},
		{"negative", "type 11\nnode_from 2\nnode_to -1\n", `node_to is "-1", not a number`},
		{"empty", "", "no node_from"},
		{"huge file", strings.Repeat("x", 1<<20), "larger than 65536 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := capture(t, mi210().with(tree{file: test.data}).fs()).AMD
			l, ok := g.Link(2, 3)
			if !ok {
				t.Fatal("no link from 2 to 3")
			}
			unknown(t, "type", l.Type, test.reason)
			l, _ = g.Link(2, 4)
			known(t, "type of another", l.Type, "XGMI")
		})
	}
	extra := capture(
		t,
		mi210().with(tree{file: "type 11\nnode_from 2\nnode_to 3\nweight 0x0f\nmin_bandwidth 4294967296\nlanes 8\n"}).
			fs(),
	).AMD
	l, _ := extra.Link(2, 3)
	known(t, "type", l.Type, "XGMI")
	unknown(t, "weight", l.Weight, `weight is "0x0f"`)
	known(t, "bandwidth", l.MinBandwidth, 4294967296)
	unknown(t, "bandwidth", l.MaxBandwidth, "no max_bandwidth")
}

// Of two links to the same node the nearer counts, and one of the hardware before a way through others.
func TestDoubleLinks(t *testing.T) {
	g := capture(t,
		mi210().with(ioLink(2, 50, "io_links", 2, 3, 20, 1), ioLink(2, 50, "p2p_links", 2, 4, 1, 1)).fs()).AMD
	for _, to := range []int{3, 4} {
		l, _ := g.Link(2, to)
		known(t, "type", l.Type, "XGMI")
	}
}

func TestLinksDenied(t *testing.T) {
	g := capture(t, failing{mi300x().fs(), nodesDir + "2/io_links", fs.ErrPermission}).AMD
	l, _ := g.Link(2, 3)
	unknown(t, "type", l.Type, "2/io_links: permission denied")
	l, _ = g.Link(3, 2)
	known(t, "type", l.Type, "XGMI")
}

func TestPCIe(t *testing.T) {
	p := capture(t, radeon(1).with(cpuNode(0)).fs()).AMD.Cards[0].PCIe
	known(t, "speed", p.Speed, 2.5)
	known(t, "width", p.Width, 16)
	known(t, "maximum speed", p.MaxSpeed, 16)
	known(t, "maximum width", p.MaxWidth, 16)
	unknown(t, "NUMA node", p.NUMANode, "numa_node: -1: the firmware assigned none")
	p = capture(t, radeon(1).with(drm(140, tree{"current_link_speed": "Unknown\n", "current_link_width": "63\n",
		"max_link_speed": "8 GT/s\n",
		"max_link_width": "0\n", "numa_node": "1\n"})).fs()).AMD.Cards[0].PCIe
	unknown(t, "speed", p.Speed, `"Unknown" is not a speed`)
	unknown(t, "width", p.Width, `"63" is not a number of lanes`)
	known(t, "maximum speed", p.MaxSpeed, 8)
	unknown(t, "maximum width", p.MaxWidth, `"0" is not a number of lanes`)
	known(t, "NUMA node", p.NUMANode, 1)
	c := capture(t, radeon(1).fs()).AMD.Cards[0]
	known(t, "product name", c.ProductName, "Radeon RX 7900 XTX")
	known(t, "memory vendor", c.MemoryVendor, "samsung")
}

func TestFirmware(t *testing.T) {
	dir := tree{
		"fw_version/mec_fw_version": "0x000000b1\n", "fw_version/sdma_fw_version": "0x00000018\n",
		"fw_version/smc_fw_version": "0x00557100\n",
		"fw_version/vce_fw_version": "0x00000000\n", "fw_version/uvd_fw_version": "lots\n", "fw_version/README": "1\n",
	}
	env := capture(t, mi300x().with(drm(128, dir)).fs())
	got := map[string]string{}
	for _, f := range env.AMD.Cards[0].Firmware {
		got[f.Name] = f.Version.String()
	}
	for name, want := range map[string]string{"mec": "0x000000b1", "sdma": "0x00000018", "smc": "0x00557100"} {
		if got[name] != want {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
	if _, ok := got["vce"]; ok || len(got) != 4 || !strings.Contains(got["uvd"], `"lots" is not a version`) {
		t.Errorf("firmware is %v", got)
	}
	if len(env.Warnings) != 0 {
		t.Errorf("warnings are %v", env.Warnings)
	}
	env = capture(t, mi300x().with(drm(128, dir), drm(128, tree{"fw_version/mec_fw_version": "0x000000b2\n"})).fs())
	if len(env.Warnings) != 1 || !strings.Contains(env.Warnings[0].Text, "firmware mec is 0x000000b2 by") {
		t.Errorf("warnings are %v", env.Warnings)
	}
}

// DRM writes ids in hexadecimal and the topology in decimal. Where they are of different cards, a warning says so.
func TestCrossCheck(t *testing.T) {
	same := drm(128, tree{"unique_id": "3cbe0ff0a2aac0fd\n", "vendor": "0x1002\n", "device": "0x74a1\n"})
	same["sys/class/drm/renderD128/device/unique_id"] = value(t, capture(t, mi300x().fs()).AMD.Cards[0].UniqueID) + "\n"
	if w := capture(t, mi300x().with(same).fs()).Warnings; len(w) != 0 {
		t.Errorf("warnings are %v", w)
	}
	for file, data := range map[string]string{"unique_id": "1234\n", "vendor": "0x10de\n", "device": "0x74a5\n"} {
		w := capture(t, mi300x().with(same, drm(128, tree{file: data})).fs()).Warnings
		if len(w) != 1 || w[0].About != "amd.cards" || !strings.Contains(w[0].Text, "may be of another card") {
			t.Errorf("%s: warnings are %v", file, w)
		}
	}
}

func TestPartitionMode(t *testing.T) {
	for _, test := range []struct {
		tree  tree
		minor int
		mode  string
		want  string // in the warning; "": none
	}{
		{mi308x(), 128, "QPX", ""},
		{mi308x(), 128, "SPX", "is SPX, with 1 nodes to be expected, and /" + nodesDir + "1/properties has 4"},
		{mi300x(), 128, "SPX", ""},
		{mi300x(), 128, "CPX", "with 1 XCCs a node to be expected, and /" + nodesDir + "2/properties has 8"},
		{mi300xCPX(28), 128, "CPX", ""},
		{mi300x(), 128, "ZPX", ""}, // of a kernel to come
	} {
		w := capture(t,
			test.tree.with(drm(test.minor, tree{"current_compute_partition": test.mode + "\n"})).fs()).Warnings
		if test.want == "" && len(w) == 0 {
			continue
		}
		if len(w) != 1 || test.want == "" || !strings.Contains(w[0].Text, test.want) {
			t.Errorf("%s: warnings are %v, want %q", test.mode, w, test.want)
		}
	}
}
