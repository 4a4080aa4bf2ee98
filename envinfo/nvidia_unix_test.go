//go:build unix

package envinfo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
)

// fakeTools makes a folder of tools, each of which prints its text if its arguments contain a word. Keys are "tool
// word".
func fakeTools(t *testing.T, outputs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	scripts := map[string]string{}
	for key, out := range outputs {
		name, word, _ := strings.Cut(key, " ")
		file := filepath.Join(dir, strings.ReplaceAll(key, " ", "_")+".out")
		write(t, file, out)
		scripts[name] += fmt.Sprintf("case \"$*\" in *%s*) cat '%s'; exit 0;; esac\n", word, file)
	}
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"echo 'no such thing' >&2\n"+
			"exit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func captureWith(t *testing.T, tr tree, outputs map[string]string) *envinfo.Environment {
	t.Helper()
	env, err := envinfo.Capture(t.Context(),
		// These tools end at once, and a busy machine is to be no reason for them not to have.
		envinfo.Options{FS: tr.fs(), ReadTimeout: patient, Tools: envinfo.Tools{Path: fakeTools(t, outputs),
			Timeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	checkLeaves(t, env)
	return env
}

// warned fails the test unless the warnings are one for each of wants, of which it contains all words.
func warned(t *testing.T, env *envinfo.Environment, wants ...[]string) {
	t.Helper()
	if len(env.Warnings) != len(wants) {
		t.Errorf("%d warnings, want %d: %v", len(env.Warnings), len(wants), env.Warnings)
	}
	for _, want := range wants {
		found := false
		for _, w := range env.Warnings {
			all := true
			for _, word := range want {
				all = all && strings.Contains(w.String(), word)
			}
			found = found || all
		}
		if !found {
			t.Errorf("no warning has %q: %v", want, env.Warnings)
		}
	}
}

// amdSMI is what amd-smi says of the host of mi325x, in the form of release 26.
func amdSMI() map[string]string {
	var cards []string
	for i := range 8 {
		cards = append(
			cards,
			fmt.Sprintf(
				`{"gpu": %d, "asic": {"market_name": "AMD Instinct MI325X VF", "device_id": "0x74b9",
				"asic_serial": "0x%X"},
			"bus": {"bdf": "0000:%02x:00.0"}, "vbios": {"part_number": "113-M3250101-100"},
			"driver": {"name": "amdgpu", "version": "6.16.6"},
			"vram": {"size": {"value": 261824, "unit": "MB"}}}`,
				i,
				4376936076086227261+i,
				5+i,
			),
		)
	}
	return map[string]string{
		"amd-smi version": `[{"tool": "AMDSMI Tool", "version": "26.2.0+021c61fc", "rocm_version": "6.4.2",
		"amdgpu_version": "6.16.6"}]`,
		"amd-smi static": `{"gpu_data": [` + strings.Join(cards, ",\n") + "]}\n",
	}
}

func TestAMDSMIAgrees(t *testing.T) {
	env := captureWith(t, mi325x().with(tree{"sys/module/amdgpu/version": "6.16.6\n"}), amdSMI())
	warned(t, env)
	known(t, "AMD SMI", version(t, env, "AMD SMI"), "26.2.0+021c61fc")
	if got := env.AMD.Cards[0].VBIOS.Source(); !strings.HasPrefix(got, "/sys/") { // files first
		t.Errorf("VBIOS is from %q", got)
	}
}

func TestAMDSMIFillsGaps(t *testing.T) {
	tr := mi325x()
	for name := range tr {
		if strings.HasSuffix(name, "vbios_version") || strings.HasSuffix(name, "mem_info_vram_total") ||
			strings.Contains(name, "mem_banks") ||
			strings.HasPrefix(name, "opt/rocm/.info") ||
			strings.HasPrefix(name, "sys/module/amdgpu") {
			delete(tr, name)
		}
	}
	env := captureWith(t, tr, amdSMI())
	warned(t, env)
	for name, v := range map[string]struct {
		got  fact.Value[string]
		want string
	}{
		"VBIOS": {env.AMD.Cards[7].VBIOS, "113-M3250101-100"}, "ROCm": {version(t, env, "ROCm"), "6.4.2"},
		"driver": {version(t, env, "amdgpu"), "6.16.6"},
	} {
		known(t, name, v.got, v.want)
		if !strings.HasPrefix(v.got.Source(), "amd-smi ") {
			t.Errorf("%s is from %q", name, v.got.Source())
		}
	}
	known(t, "VRAM", env.AMD.Cards[7].VRAM, 274542362624)
	known(t, "total VRAM", env.AMD.VRAM, 8*274542362624)
}

func TestAMDSMIDisagrees(t *testing.T) {
	out := amdSMI()
	out["amd-smi version"] = strings.Replace(out["amd-smi version"], "6.4.2", "7.0.2", 1)
	out["amd-smi static"] = strings.Replace(
		strings.Replace(strings.Replace(strings.Replace(out["amd-smi static"], "MI325X VF", "MI300X VF", 1),
			"0x74b9", "0x74b5", 1), "M3250101-100", "M3000100-102", 1),
		"261824",
		"196592",
		1,
	)
	env := captureWith(t, mi325x().with(tree{"sys/module/amdgpu/version": "6.12.12\n"}), out)
	warned(
		t,
		env,
		[]string{
			"software: ROCm",
			"/opt/rocm/.info/version says 6.4.2-120",
			"amd-smi version --json: rocm_version says 7.0.2",
		},
		[]string{
			"software: amdgpu",
			"/sys/module/amdgpu/version says 6.12.12",
			"amd-smi version --json: amdgpu_version says 6.16.6",
		},
		[]string{"software: amdgpu", "amd-smi static --json: driver version says 6.16.6"},
		[]string{"amd.cards[0].model", "table: PCI id", "MI325X", "MI300X VF"},
		[]string{"amd.cards[0].pci_id", "1002:74b9", "74b5"},
		[]string{
			"amd.cards[0].vbios",
			"/sys/class/drm/renderD128/device/vbios_version says 113-M3250101-100",
			"says 113-M3000100-102",
		},
		[]string{"amd.cards[0].vram", "274542362624", "206141652992"},
	)
	known(t, "VBIOS", env.AMD.Cards[0].VBIOS, "113-M3250101-100")
}

// Of partitions and of dies a tool gives a row each, and a part of the memory: nothing in them contradicts the card.
func TestAMDSMIParts(t *testing.T) {
	row := func(gpu, bus, function, mb int, vbios string) string {
		return fmt.Sprintf(
			`{"gpu": %d, "asic": {"asic_serial": "0x%x"}, "bus": {"bdf": "0000:%02x:00.%d"},
			"vbios": {"part_number": "%s"}, "vram": {"size": %d}}`,
			gpu,
			0xabc+gpu,
			bus,
			function,
			vbios,
			mb,
		)
	}
	var partitions, dies []string
	for i := range 64 {
		partitions = append(partitions, row(i, 0x0c+i/8, i%8, 24574, "113-M3000100-102"))
	}
	for i := range 8 {
		dies = append(dies, row(i, 0x29+i, 0, 65520, "113-D65201-042"))
	}
	versions := `[{"version": "25.5.1+c11e6492", "rocm_version": "6.4.2"}]`
	env := captureWith(
		t,
		mi300xCPX(28),
		map[string]string{
			"amd-smi version": versions,
			"amd-smi static":  "[" + strings.Join(partitions, ",") + "]\n\nLegend:\n",
		},
	)
	warned(t, env)
	known(t, "count", env.AMD.Count, 8)
	env = captureWith(t, mi250x(),
		map[string]string{"amd-smi version": versions, "amd-smi static": "[" + strings.Join(dies, ",") + "]"})
	warned(t, env)
	known(t, "VBIOS", env.AMD.Cards[3].VBIOS, "113-D65201-042")
	known(t, "VRAM", env.AMD.Cards[3].VRAM, 2*68702699520)
}

func TestSMIBroken(t *testing.T) {
	env := captureWith(t, mi325x(), map[string]string{
		"amd-smi version": "WARNING: no library\n", "rocm-smi --json": "WARNING: No JSON data to report\n"})
	warned(t, env,
		[]string{"software", "amd-smi version --json", "no library"},
		[]string{"amd: ", "amd-smi static --json: exit status 1: no such thing"},
		[]string{"amd: ", "rocm-smi", "No JSON data to report"},
	)
	env = captureWith(t, mi325x(),
		map[string]string{"amd-smi static": `[{"gpu": 0, "bus": {"bdf": "0000:ff:00.0"}}]`, "amd-smi version": "[{}]"})
	warned(t, env, []string{"amd.count", "amd-smi static --json lists 1 devices, 0 of which"})
}

// nvidiaHost has two cards; the second is divided. Values of the files are in the form of the driver's own, of the tool
// in that of the published queries on an H100; ids are made up.
func nvidiaHost() (tree, map[string]string) {
	tr := cpuHost().with(tree{
		"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  " +
			"Release Build  (x@y)  Wed Aug 27\n",
		"usr/local/cuda/version.json": `{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}`,
		"usr/include/nccl.h":          "#define NCCL_VERSION_CODE 22602\n",
	})
	query := "index, name, uuid, driver_version, memory.total [MiB], compute_cap, pci.bus_id, pci.device_id, " +
		"vbios_version, power.limit [W], " +
		"clocks.max.sm [MHz], clocks.max.memory [MHz], mig.mode.current, ecc.mode.current, persistence_mode\n"
	list := ""
	for i, mig := range []string{"Disabled", "Enabled"} {
		tr[fmt.Sprintf("proc/driver/nvidia/gpus/0000:%d9:00.0/information", i+1)] = fmt.Sprintf(
			"Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 300\nGPU UUID: \t GPU-%d\nVideo BIOS: \t "+
				"??.??.??.??.??\nBus Location: \t 0000:%d9:00.0\n",
			i,
			i+1,
		)
		query += fmt.Sprintf(
			"%d, NVIDIA H100 80GB HBM3, GPU-%d, 580.82.07, 81559 MiB, 9.0, 00000000:%d9:00.0, 0x233010DE, "+
				"96.00.74.00.01, "+
				"700.00 W, 1980 MHz, 2619 MHz, %s, Enabled, Enabled\n",
			i,
			i,
			i+1,
			mig,
		)
		list += fmt.Sprintf("GPU %d: NVIDIA H100 80GB HBM3 (UUID: GPU-%d)\n", i, i)
	}
	list += "  MIG 3g.40gb     Device  0: (UUID: MIG-1)\n  MIG 4g.40gb     Device  1: (UUID: MIG-2)\n"
	return tr, map[string]string{
		"nvidia-smi --query-gpu": query,
		"nvidia-smi -L":          list,
		"nvidia-smi --version":   "CUDA Version        : 13.0\n",
	}
}

func TestNVIDIA(t *testing.T) {
	tr, out := nvidiaHost()
	env := captureWith(t, tr, out)
	warned(t, env)
	g := env.NVIDIA
	known(t, "count", g.Count, 2)
	known(t, "VRAM", g.VRAM, 2*81559<<20)
	for i, n := range g.Cards {
		known(t, "model", n.Model, "NVIDIA H100 80GB HBM3")
		known(t, "VBIOS", n.VBIOS, "96.00.74.00.01") // the driver's file has none
		known(t, "PCI id", n.PCIID, "10de:2330")
		known(t, "location", n.Location, fmt.Sprintf("0000:%d9:00.0", i+1))
		known(t, "power limit", n.PowerLimit, 700)
		known(t, "memory clock", n.MemoryClock, 2619)
		known(t, "bandwidth", n.Nominal.Bandwidth, 3.35)
		known(t, "FP8", n.Nominal.FP8, 1978.9)
		known(t, "MIG", n.MIG, i == 1)
		if got := n.Nominal.FP16.Source(); got != "table: PCI id 10de:2330" {
			t.Errorf("FP16 is from %q", got)
		}
	}
	unknown(t, "instances", g.Cards[0].InstanceCount, "MIG is off")
	known(t, "instances", g.Cards[1].InstanceCount, 2)
	known(t, "profile", g.Cards[1].Instances[1].Profile, "4g.40gb")
	known(t, "driver", version(t, env, "NVIDIA driver"), "580.82.07")
	known(t, "CUDA", version(t, env, "CUDA"), "12.4.1")
	known(t, "CUDA of the driver", version(t, env, "CUDA (driver)"), "13.0")
	known(t, "NCCL", version(t, env, "NCCL"), "2.26.2")
	for _, row := range []string{"NVIDIA GPU ",
		"1x NVIDIA H100 80GB HBM3, 1x NVIDIA H100 80GB HBM3 (MIG: 1x 3g.40gb, 1x 4g.40gb)", "80 GB HBM3", "989 TFLOPS",
		"1x unknown, 1x 2"} {
		if !strings.Contains(text(t, env), row) {
			t.Errorf("the text has no %q:\n%s", row, text(t, env))
		}
	}
}

// A tree without its tools, and tools without the files, as in some containers.
// The short tables of a host that has no AMD GPU.
func TestNVIDIATables(t *testing.T) {
	tr, outputs := nvidiaHost()
	env := captureWith(t, tr, outputs)
	got := tables(t, env)
	for _, row := range []string{"GPU 1x NVIDIA H100 80GB HBM3, 1x NVIDIA H100 80GB HBM3 (MIG: 1x 3g.40gb, 1x " +
		"4g.40gb)", "VRAM per GPU 80 GB HBM3", "Memory Bandwidth (per " +
		"GPU) 3.35 TB/s", "FP16 Compute (per GPU) 989 TFLOPS"} {
		if !strings.Contains(got, "\n"+row+"\n") {
			t.Errorf("no row %q in\n%s", row, got)
		}
	}
}

func TestNVIDIAHalves(t *testing.T) {
	tr, out := nvidiaHost()
	env := capture(
		t,
		tr.with(tree{"sys/bus/pci/devices/0000:19:00.0/vendor": "0x10de\n",
			"sys/bus/pci/devices/0000:19:00.0/device": "0x2330\n"}).
			fs(),
	)
	warned(t, env)
	known(t, "count", env.NVIDIA.Count, 2)
	known(t, "PCI id", env.NVIDIA.Cards[0].PCIID, "10de:2330")
	unknown(t, "PCI id", env.NVIDIA.Cards[1].PCIID, "/sys/bus/pci/devices/0000:29:00.0/vendor: no such file")
	unknown(t, "VBIOS", env.NVIDIA.Cards[0].VBIOS, `Video BIOS is "??`)
	unknown(t, "VRAM", env.NVIDIA.Cards[0].VRAM, "the tools of this machine say nothing about it")

	env = captureWith(t, cpuHost(), out)
	warned(t, env)
	known(t, "count", env.NVIDIA.Count, 2)
	known(t, "model", env.NVIDIA.Cards[1].Model, "NVIDIA H100 80GB HBM3")
	known(t, "driver", version(t, env, "NVIDIA driver"), "580.82.07")
}

func TestNVIDIADisagrees(t *testing.T) {
	tr, out := nvidiaHost()
	// a module that was updated and not loaded
	tr["proc/driver/nvidia/version"] = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.12  Wed\n"
	out["nvidia-smi --query-gpu"] = strings.Replace(out["nvidia-smi --query-gpu"], "81559 MiB", "20480 MiB", 1)
	tr = tr.with(tree{"proc/driver/nvidia/gpus/0000:39:00.0/information": "Model: \t\t NVIDIA H100 80GB HBM3\n"})
	fsys := link(tr.fs(), "usr/lib/x86_64-linux-gnu/libnccl.so.2", "libnccl.so.2.21.5")
	env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: fsys, ReadTimeout: patient,
		Tools: envinfo.Tools{Path: fakeTools(t, out),
			Timeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	checkLeaves(t, env)
	warned(
		t,
		env,
		[]string{
			"software",
			"/proc/driver/nvidia/version says 535.104.12",
			"nvidia-smi --query-gpu: driver_version says 580.82.07",
		},
		[]string{"nvidia.count", "nvidia-smi --query-gpu lists 2, and /proc/driver/nvidia/gpus 3"},
		[]string{
			"software",
			"/usr/lib/x86_64-linux-gnu/libnccl.so.2: link says 2.21.5",
			"/usr/include/nccl.h: NCCL_VERSION_CODE says 2.26.2",
		},
	)
	known(t, "NCCL", version(t, env, "NCCL"), "2.21.5")
	unknown(t, "bandwidth", env.NVIDIA.Cards[0].Nominal.Bandwidth, "of a whole card of 80 GB") // a virtual GPU
	unknown(t, "VRAM", env.NVIDIA.Cards[2].VRAM, "nvidia-smi --query-gpu does not list the card")
	unknown(t, "total VRAM", env.NVIDIA.VRAM, "3 of 3")
}

// Status 14 is a damaged information ROM, and what was printed holds; with another, what was printed does not count.
func TestNVIDIAExitStatus(t *testing.T) {
	tr, out := nvidiaHost()
	for status, read := range map[int]bool{14: true, 15: false} {
		dir := fakeTools(t, out)
		file := filepath.Join(dir, "nvidia-smi")
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(script), "exit 0", fmt.Sprint("exit ", status))),
			0o755); err != nil {
			t.Fatal(err)
		}
		env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: tr.fs(), ReadTimeout: patient,
			Tools: envinfo.Tools{Path: dir, Timeout: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := env.NVIDIA.VRAM.Get(); ok != read {
			t.Errorf("with status %d VRAM is %v", status, env.NVIDIA.VRAM)
		}
		if read {
			warned(t, env, []string{"nvidia", "exit status 14"})
		}
	}
}

// A host without NVIDIA's driver is a normal case and no warning; a tool that is there without its driver says so
// itself.
func TestNoNVIDIA(t *testing.T) {
	env := capture(t, cpuHost().fs())
	warned(t, env)
	unknown(t, "count", env.NVIDIA.Count, "the NVIDIA driver is not loaded, or is hidden")
	unknown(t, "NCCL", version(t, env, "NCCL"), "no nccl.h")
	if strings.Contains(text(t, env), "NVIDIA GPU") {
		t.Error("the hardware table of a host without NVIDIA GPUs has a row of them")
	}
	env = captureWith(t, cpuHost(), map[string]string{"nvidia-smi nothing": ""})
	unknown(t, "count", env.NVIDIA.Count, "is hidden; nvidia-smi --query-gpu: exit status 1: no such thing")
	env = captureWith(t, cpuHost(), map[string]string{"nvidia-smi --query-gpu": "No devices were found\n"})
	known(t, "count", env.NVIDIA.Count, 0)
}
