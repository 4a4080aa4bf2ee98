//go:build unix

package envinfo_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
)

// matrix is what nvidia-smi topo -m prints of two pairs of GPUs with a bridge each, and a network card.
const matrix = "\t\x1b[4mGPU0\tGPU1\tGPU2\tGPU3\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m\n" +
	"GPU0\t X \tNV12\tSYS\tSYS\tPXB\t0-23\t0\t\tN/A\nGPU1\tNV12\t X \tSYS\tSYS\tNODE\t0-23\t0\t\tN/A\n" +
	"GPU2\tSYS\tSYS\t X \tNV12\tSYS\t24-47\t1\t\tN/A\nGPU3\tSYS\tSYS\tNV12\t X \tSYS\t24-47\t1\t\tN/A\n" +
	"NIC0\tPXB\tNODE\tSYS\tSYS\t X \t\t\t\t\n\nLegend:\n\n  X    = Self\n"

// bridged is four A100 on PCI Express, two of which have a bridge.
func bridged() (tree, map[string]string) {
	query := "index, name, uuid, memory.total [MiB], pci.bus_id, pci.device_id, mig.mode.current, " +
		"pcie.link.gen.current, " +
		"pcie.link.width.current, pcie.link.gen.max, pcie.link.width.max\n"
	links := ""
	for i := range 4 {
		query += fmt.Sprintf("%d, NVIDIA A100 80GB PCIe, GPU-%d, 81920 MiB, 00000000:%d7:00.0, 0x20B510DE, "+
			"Disabled, 4, 16, 4, 16\n", i, i, i+1)
		links += fmt.Sprintf("GPU %d: NVIDIA A100 80GB PCIe (UUID: GPU-%d)\n\t Link 0: 25 GB/s\n\t Link 1: 25 "+
			"GB/s\n\t Link 2: <inactive>\n", i, i)
	}
	sysfs := "sys/bus/pci/devices/0000:17:00.0/"
	return cpuHost().with(tree{sysfs + "current_link_speed": "2.5 GT/s PCIe\n",
			sysfs + "max_link_speed":     "16.0 GT/s PCIe\n",
			sysfs + "current_link_width": "16\n", sysfs + "max_link_width": "16\n", sysfs + "numa_node": "1\n"}),
		map[string]string{"nvidia-smi --query-gpu": query, "nvidia-smi topo": matrix, "nvidia-smi nvlink": links}
}

// What is known of the links of AMD's cards is known of NVIDIA's.
func TestLinksOfNVIDIA(t *testing.T) {
	env := captureWith(t, bridgedFiles(), bridgedTools())
	g := env.NVIDIA
	known(t, "count", g.Count, 4)
	if len(g.Links) != 12 {
		t.Fatalf("%d links", len(g.Links))
	}
	bridge, across := g.Links[0], g.Links[1]
	known(t, "type", bridge.Type, "NVLink")
	known(t, "number", bridge.Count, 12)
	known(t, "way", bridge.Via, "NV12")
	known(t, "type", across.Type, "PCIe")
	known(t, "way", across.Via, "SYS")
	unknown(t, "weight", across.Weight, "does not say")
	c := g.Cards[0]
	known(t, "links", c.NVLinks, 2)
	known(t, "speed of a link", c.NVLinkSpeed, 25)
	known(t, "PCIe", c.PCIe.MaxSpeed, 16)
	known(t, "PCIe, now", c.PCIe.Speed, 2.5) // of the file, at rest
	known(t, "NUMA node", c.PCIe.NUMANode, 1)
	known(t, "PCIe by nvidia-smi", g.Cards[1].PCIe.Speed, 16)
	known(t, "bandwidth", c.Nominal.Bandwidth, 1.935)
	out := squeeze(text(t, env))
	for _, row := range []string{"Links, by card 0 1 2 3", "0 - NVLink x12 PCIe SYS PCIe SYS",
		"NVLinks per GPU 2 of 25 GB/s"} {
		if !strings.Contains(out, row) {
			t.Errorf("no row %q in\n%s", row, out)
		}
	}
}

func bridgedFiles() tree              { files, _ := bridged(); return files }
func bridgedTools() map[string]string { _, tools := bridged(); return tools }

// Cards that no file of the driver shows are taken from the tool of either maker.
func TestCardsByToolsAlone(t *testing.T) {
	host := cpuHost().with(tree{"sys/module/amdgpu/version": "6.16.6\n"})
	tools := amdSMI()
	tools["amd-smi static"] = strings.ReplaceAll(tools["amd-smi static"], `"asic_serial"`,
		`"num_compute_units": 304, "target_graphics_version": "gfx942", "asic_serial"`)
	env := captureWith(t, host, tools)
	warned(t, env)
	g := env.AMD
	known(t, "count", g.Count, 8)
	if len(g.Cards) != 8 {
		t.Fatalf("%d cards", len(g.Cards))
	}
	c := g.Cards[0]
	known(t, "model", c.Model, "AMD Instinct MI325X")
	known(t, "PCI id", c.PCIID, "1002:74b9")
	known(t, "location", c.Location, "0000:05:00.0")
	known(t, "architecture", c.Architecture, "CDNA 3")
	known(t, "VRAM", c.VRAM, 274542362624)
	known(t, "bandwidth", c.Nominal.Bandwidth, 6)
	known(t, "total", g.NominalVRAM, 2048)
	unknown(t, "hive", c.HiveID, "/sys/class/kfd/kfd/topology/nodes: no such file")
	if got := tables(t, env); !strings.Contains(got, "\nGPU 8x AMD Instinct MI325X\n") {
		t.Errorf("got\n%s", got)
	}

	// Partitions are rows of their own, and of one card.
	row := `{"gpu": %d, "asic": {"device_id": "0x74a1", "asic_serial": "0x1"}, "bus": {"bdf": "0000:0c:00.%d"},
	"vram": {"size": 24574},
		"partition": {"accelerator_partition": "CPX", "memory_partition": "NPS4"}}`
	env = captureWith(t, cpuHost(), map[string]string{"amd-smi static": "[" + fmt.Sprintf(row, 0,
		0) + "," + fmt.Sprintf(row, 1, 1) + "]"})
	known(t, "count", env.AMD.Count, 1)
	unknown(t, "VRAM", env.AMD.Cards[0].VRAM, "2 parts of one card")
	known(t, "partition", env.AMD.Cards[0].ComputePartition, "CPX")

	// A radeon by rocm-smi, and no tool at all.
	env = captureWith(t, cpuHost(), map[string]string{"rocm-smi --json": `{"card0": {"PCI Bus": "0000:03:00.0",
	"Card Series": "Radeon RX 7900 XTX",
		"Device ID": "0x744c", "GFX Version": "gfx1100", "VRAM Total Memory (B)": "25753026560"}}`})
	known(t, "count", env.AMD.Count, 1)
	known(t, "model", env.AMD.Cards[0].Model, "Radeon RX 7900 XTX")
	known(t, "target", env.AMD.Cards[0].Target, "gfx1100")
	unknown(t, "count", capture(t, cpuHost().fs()).AMD.Count, "no such file")
}

// Tools that take long are waited for as long as Options.Tools.Timeout says, all of them at once, and what came is kept
// whatever the others do.
func TestSlowTools(t *testing.T) {
	t.Parallel()
	files, outputs := nvidiaHost()
	for name := range files {
		if strings.HasPrefix(name, "proc/driver/nvidia") {
			delete(files, name)
		}
	}
	for name, out := range amdSMI() {
		outputs[name] = out
	}
	dir := fakeTools(t, outputs)
	for tool, before := range map[string]string{
		"amd-smi":    "sleep 3\n", // as some releases of its interpreter take
		"nvidia-smi": "case \"$*\" in *query-gpu*) exec sleep 1000;; esac\n",
	} {
		file := filepath.Join(dir, tool)
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(script), "\n", "\n"+before, 1)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const deadline = 6 * time.Second
	start := time.Now()
	env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: files.fs(), ReadTimeout: patient,
		Tools: envinfo.Tools{Path: dir, Timeout: deadline}})
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if took > 2*deadline { // the one that hangs takes all of it, and the slow ones run beside it
		t.Errorf("took %v with a deadline of %v", took, deadline)
	}
	known(t, "cards of AMD", env.AMD.Count, 8)
	known(t, "cards of NVIDIA", env.NVIDIA.Count, 2) // by the list, which came
	known(t, "model", env.NVIDIA.Cards[0].Model, "NVIDIA H100 80GB HBM3")
	known(t, "CUDA", version(t, env, "CUDA (driver)"), "13.0")
	for _, why := range []string{"killed at the deadline of the tools, 6s; give them longer (Tools.Timeout)",
		"nvidia-persistenced"} {
		unknown(t, "VRAM", env.NVIDIA.Cards[0].VRAM, why)
	}
	if slices.ContainsFunc(env.Warnings, func(w fact.Warning) bool { return strings.Contains(w.Text, "amd-smi") }) {
		t.Errorf("warnings %v", env.Warnings)
	}
}

// The short tables name what programs see of a card that is divided, and do not open with what a host does not have.
func TestShortTablesOfParts(t *testing.T) {
	files, outputs := nvidiaHost()
	// Of a query that failed the list is left, and of a container without sys/class/drm the nodes.
	byList := maps.Clone(outputs)
	delete(byList, "nvidia-smi --query-gpu")
	withoutDRM := mi300xCPX(28)
	for name := range withoutDRM {
		if strings.HasPrefix(name, "sys/class/drm/") {
			delete(withoutDRM, name)
		}
	}
	for _, test := range []struct {
		name string
		env  *envinfo.Environment
		rows []string
	}{
		{"CPX by its nodes", capture(t, withoutDRM.fs()),
			[]string{"GPU 8x AMD Instinct MI300X (mode unknown: 8 devices each)"}},
		{"dies are no parts", capture(t, mi250x().fs()), []string{"GPU 4x AMD Instinct MI250X"}},
		{"MIG by the list alone", captureWith(t, files, byList),
			[]string{"GPU 1x NVIDIA H100 80GB HBM3, 1x NVIDIA H100 80GB HBM3 (MIG: 1x 3g.40gb, 1x 4g.40gb)"}},
		{"CPX", capture(t, mi300xCPX(28).fs()), []string{"GPU 8x AMD Instinct MI300X (CPX / NPS4: 8 devices each)"}},
		{"DPX of some", capture(t, mi325x().with(drm(128, tree{"current_compute_partition": "DPX\n"})).fs()),
			[]string{"GPU 1x AMD Instinct MI325X (DPX / NPS1: 1 device), 7x AMD Instinct MI325X"}},
		{"MIG", captureWith(t, files, outputs),
			[]string{"GPU 1x NVIDIA H100 80GB HBM3, 1x NVIDIA H100 80GB HBM3 (MIG: 1x 3g.40gb, 1x 4g.40gb)",
				"NVIDIA driver 580.82.07"}},
		{"processors alone", capture(t, cpuHost().fs()),
			[]string{"GPU unknown", "CPU AMD EPYC 9575F 64-Core Processor", "CPU cores 4",
				"Memory 1,511.8 GiB (1,623,272,460,288 B)"}},
	} {
		got := tables(t, test.env)
		for _, row := range test.rows {
			if !strings.Contains("\n"+got, "\n"+row+"\n") {
				t.Errorf("%s: no row %q in\n%s", test.name, row, got)
			}
		}
		if test.name == "MIG" && (strings.Contains(got, "ROCm") || strings.Contains(got, "AMD GPU")) {
			t.Errorf("%s: AMD's unknowns in\n%s", test.name, got)
		}
		if full := text(t, test.env); len(test.env.AMD.Cards) == 0 &&
			strings.HasPrefix(strings.SplitN(full, "\n", 3)[1], "GPU ") {
			t.Errorf("%s: opens with\n%.300s", test.name, full)
		}
	}
}

// rpm's database is read by rpm, where it is there.
func TestPackagesOfRPM(t *testing.T) {
	host := cpuHost().with(tree{"var/lib/rpm/rpmdb.sqlite": "SQLite format 3\x00"})
	env := captureWith(t, host, map[string]string{"rpm -qa": "rocm-core 6.4.2.60402-120.el9\nrccl " +
		"2.22.3.60402-120.el9\nrocm-core6.4.2 6.4.2.60402-120.el9\n" +
		"rocm-corelib something\nrocblas error: rpmdb: BDB0113 Thread/process failed\n"})
	warned(t, env)
	known(t, "rocm-core", version(t, env, "rocm-core"), "6.4.2.60402-120.el9")
	known(t, "ROCm", version(t, env, "ROCm"), "6.4.2.60402-120.el9")
	known(t, "RCCL", version(t, env, "RCCL"), "2.22.3.60402-120.el9")
	if s := version(t, env, "rocm-core").Source(); s != "rpm -qa: rocm-core" {
		t.Errorf("source is %q", s)
	}
	if slices.ContainsFunc(env.Software, func(c fact.Component) bool {
		return c.Name == "rocblas" ||
			c.Name == "packages"
	}) {
		t.Errorf("software %v", env.Software)
	}
	// Files first, which have the same release.
	env = captureWith(t, host.with(rocmFiles()), map[string]string{"rpm -qa": "rocm-core 6.4.2.60402-120.el9\n"})
	warned(t, env)
	known(t, "ROCm", version(t, env, "ROCm"), "6.4.2-120")
	// One that fails, none with a package of ROCm, and a host with dpkg, where rpm is not asked.
	env = captureWith(t, host, map[string]string{"rpm nothing": ""})
	unknown(t, "packages", version(t, env, "packages"), "rpm -qa: exit status 1")
	env = captureWith(t, host, map[string]string{"rpm -qa": "\n"})
	unknown(t, "packages", version(t, env, "packages"), "rpm -qa: no package of ROCm")
	env = captureWith(t, host.with(tree{"var/lib/dpkg/status": "Package: rccl\nStatus: install ok installed\n" +
		"Version: 2.26.6\n"}),
		map[string]string{"rpm -qa": "rccl 2.22.3-1\n"})
	known(t, "RCCL", version(t, env, "RCCL"), "2.26.6")
}

// ROCm comes as Python packages too.
func TestWheelsOfROCm(t *testing.T) {
	const site = "opt/venv/lib/python3.12/site-packages/"
	env := capture(t, cpuHost().with(tree{
		site + "rocm_sdk_core-7.13.0.dist-info/METADATA":                   "Name: rocm-sdk-core\nVersion: 7.13.0\n",
		site + "rocm_sdk_libraries_gfx94X_dcgpu-7.13.0.dist-info/METADATA": "Version: 7.13.0\n",
		site + "rocm_docs_core-1.0.dist-info/METADATA":                     "Version: 1.0\n",
	}).fs())
	known(t, "core", version(t, env, "rocm-sdk-core"), "7.13.0")
	known(t, "libraries", version(t, env, "rocm-sdk-libraries-gfx94x-dcgpu"), "7.13.0")
	if v := version(t, env, "rocm-sdk-core"); v.Scope() != "python:/opt/venv" {
		t.Errorf("scope is %q", v.Scope())
	}
	if slices.ContainsFunc(env.Software, func(c fact.Component) bool { return c.Name == "rocm-docs-core" }) {
		t.Error("documentation is listed")
	}
}

// A link to a node that the tree does not have is a warning.
func TestLinkToNowhere(t *testing.T) {
	tr := cpuHost().with(cpuNode(0), radeon(1))
	warned(t, capture(t, tr.fs()))
	warned(t, capture(t, tr.with(ioLink(1, 1, "io_links", 11, 7, 15, 0), ioLink(1, 2, "p2p_links", 2, 9, 40, 0)).fs()),
		[]string{"amd.links", "2 links lead to nodes", "from 1 to 7"})
}

// A file beside the folders in which Python is looked for is no installation that cannot be read.
func TestFilesBesideInstallations(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"opt/notes.txt": "x", "opt/tool/lib": "x",
		"opt/venv/lib/python3.12/site-packages/vllm-0.14.1.dist-info/METADATA": "Name: vllm\nVersion: 0.14.1\n"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, file, data)
	}
	env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: os.DirFS(dir), ReadTimeout: patient})
	if err != nil {
		t.Fatal(err)
	}
	known(t, "vllm", version(t, env, "vllm"), "0.14.1")
	for _, c := range env.Software {
		if c.Name == "Python packages" {
			t.Errorf("%s is %v: %s", c.Name, c.Version, c.Version.Reason())
		}
	}
}
