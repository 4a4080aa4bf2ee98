package envinfo

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Keys and values of amd-smi and rocm-smi are those of published outputs: amd-smi 26 on MI325X, rocm-smi 3 and 4 on MI250X, MI300A and
// Radeon (threads of the ROCm/rocm_smi_lib and ROCm/rocm-systems repositories); addresses and ids are made up.

const amdGPU = `{"gpu": 0, "asic": {"market_name": "AMD Instinct MI325X VF", "vendor_id": "0x1002", "device_id": "0x74b9",
 "asic_serial": "0x3CBDE9B1A5F4D9BD", "num_compute_units": 304}, "bus": {"bdf": "0000:05:00.0", "max_pcie_speed": {"value": 32, "unit": "GT/s"}},
 "vbios": {"part_number": "113-M3250101-100"}, "driver": {"name": "amdgpu", "version": "6.16.6"}, "ras": "N/A",
 "vram": {"type": "HBM3E", "size": {"value": 261824, "unit": "MB"}}}`

func TestAMDStaticShapes(t *testing.T) {
	other := strings.Replace(strings.Replace(amdGPU, `"gpu": 0`, `"gpu": 1`, 1), ":05:", ":06:", 1)
	for _, test := range []struct {
		name, text string
		n          int
	}{
		{"list", "[" + amdGPU + "]", 1},
		{"object", amdGPU, 1},
		{"gpu_data", `{"gpu_data": [` + amdGPU + "," + other + "]}", 2},
		{"with processors", `{"cpu_data": [{"cpu": 0}], "gpu_data": [` + amdGPU + "]}", 1},
		{"arrays after each other", "[" + amdGPU + "]\n[" + other + "]\n\nLegend:\n  * = Current mode\n", 2},
		{"arrays on one line", "[" + amdGPU + "][" + other + "] Legend\n", 2},
		{"arrays of something else", `[{"gpu_id": "N/A", "partition_id": "0"}]` + "\n[" + amdGPU + "]", 1},
		{"text before", "WARNING: User is missing the following required groups: render, video\n[WARNING] [x] {\n\n[" + amdGPU + "]", 1},
		{"bare number", "[" + strings.Replace(amdGPU, `{"value": 261824, "unit": "MB"}`, "261824", 1) + "]", 1},
		{"number as text", "[" + strings.Replace(amdGPU, `{"value": 261824, "unit": "MB"}`, `"261824 MB"`, 1) + "]", 1},
		{"first release", "[" + strings.NewReplacer(`"size": {"value": 261824, "unit": "MB"}`, `"vram_size_mb": 261824`, `"part_number"`, `"vbios_part_number"`,
			`"version"`, `"driver_version"`).Replace(amdGPU) + "]", 1},
		{"firmware's new name", "[" + strings.Replace(amdGPU, `"vbios"`, `"ifwi"`, 1) + "]", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			cards, err := parseAMDStatic("amd-smi", []byte(test.text))
			if err != nil || len(cards) != test.n {
				t.Fatalf("%d cards, %v; want %d", len(cards), err, test.n)
			}
			c := cards[0]
			if c.device != "0000:05:00" {
				t.Errorf("device is %q", c.device)
			}
			for _, v := range []struct {
				got  Value[string]
				want string
			}{
				{c.model, "AMD Instinct MI325X VF"}, {c.pciDevice, "74b9"}, {c.vbios, "113-M3250101-100"}, {c.driver, "6.16.6"}, {c.uniqueID, "3cbde9b1a5f4d9bd"},
			} {
				if got, _ := v.got.Get(); got != v.want {
					t.Errorf("%v, want %q", v.got, v.want)
				}
			}
			if got, _ := c.vram.Get(); got != 274542362624 { // 261,824 × 2²⁰
				t.Errorf("VRAM is %v", c.vram)
			}
		})
	}
}

func TestAMDStaticUnknown(t *testing.T) {
	cards, err := parseAMDStatic("amd-smi", []byte(`[{"gpu": 0, "asic": "N/A", "bus": {"bdf": "N/A"}, "vbios": {"part_number": "N/A"},
		"driver": {"version": ["x"]}, "vram": {"size": {"value": "N/A", "unit": "MB"}}}]`))
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	c := cards[0]
	for _, v := range []Value[string]{c.model, c.pciDevice, c.vbios, c.driver, c.uniqueID} {
		if _, ok := v.Get(); ok || v.Reason() == notCaptured {
			t.Errorf("%v", v)
		}
	}
	if _, ok := c.vram.Get(); ok || c.device != "" {
		t.Errorf("VRAM %v, device %q", c.vram, c.device)
	}
	for _, text := range []string{"", "WARNING: no GPU\n", "[]", "{}", "[1, 2]", `{"gpu_data": "N/A"}`, `[{"gpu": 0}`} {
		if cards, err := parseAMDStatic("amd-smi", []byte(text)); err == nil {
			t.Errorf("%q is %v", text, cards)
		}
	}
}

func TestROCmSMI(t *testing.T) {
	for name, text := range map[string]string{
		"6": `{"card0": {"Device Name": "AMD Instinct MI300A", "Device ID": "0x74a0", "Card Series": "AMD Instinct MI300A", "GUID": "46363",
			"Unique ID": "0xa6a2b7c1d2e3f405", "VBIOS version": "113-MI3SRIOV-001", "PCI Bus": "0000:01:00.0", "VRAM Total Memory (B)": "137438953472"},
			"system": {"Driver version": "6.16.13"}}`,
		"5": "WARNING: AMD GPU device(s) is/are in a low-power state.\n" + `{"card0": {"GPU ID": "0x74a0", "Card series": "AMD Instinct MI300A", "Card model": "x",
			"Unique ID": "0xa6a2b7c1d2e3f405", "VBIOS version": "113-MI3SRIOV-001", "PCI Bus": "0000:01:00.0", "VRAM Total Memory (B)": "137438953472"},
			"system": {"Driver version": "6.16.13"}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			cards, err := parseROCmSMI("rocm-smi", []byte(text))
			if err != nil || len(cards) != 1 {
				t.Fatal(cards, err)
			}
			c := cards[0]
			got := fmt.Sprint(c.device, " ", c.model, " ", c.pciDevice, " ", c.uniqueID, " ", c.vbios, " ", c.vram, " ", c.driver)
			if want := "0000:01:00 AMD Instinct MI300A 74a0 a6a2b7c1d2e3f405 113-MI3SRIOV-001 137438953472 B 6.16.13"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	_, err := parseROCmSMI("rocm-smi", []byte("WARNING: No JSON data to report\n")) // with exit status 0
	if err == nil || !strings.Contains(err.Error(), "No JSON data to report") {
		t.Errorf("got %v", err)
	}
	cards, err := parseROCmSMI("rocm-smi", []byte(`{"card0": "N/A", "system": {}}`))
	if err == nil {
		t.Errorf("got %v", cards)
	}
}

func TestSameModel(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"AMD Instinct MI325X", "AMD Instinct MI325X VF", true},
		{"AMD Instinct MI325X", "AMD Instinct MI300X", false},
		{"AMD Instinct MI250X", "AMD INSTINCT MI200 (MCM) OAM LC MBA HPE C2", true},
		{"AMD Instinct MI250X/MI250", "Instinct MI250", true},
		{"AMD Instinct MI355X", "MI350X", false},
		{"AMD Instinct MI300A", "MI300X", false},
		{"AMD Instinct MI210", "MI300", false},
		{"AMD Instinct MI210", "Aldebaran/MI200 [Instinct MI210]", true},
		{"AMD Instinct MI325X", "0x74a5", true}, // says nothing
	} {
		if got := sameModel(test.a, test.b); got != test.want || got != sameModel(test.b, test.a) {
			t.Errorf("%q and %q: %v", test.a, test.b, got)
		}
	}
}

func TestPCILocation(t *testing.T) {
	for in, want := range map[string]string{
		"0000:47:00.0": "0000:47:00.0", "00000000:C9:1F.7": "0000:c9:1f.7", "00010001:00:00.0": "10001:00:00.0", "0000:47:00": "", "47:00.0": "", "": "",
		"0000:47:00.8": "", "x0000:47:00.0": "",
	} {
		if got := pciLocation(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

const nvidiaHeader = "index, name, uuid, driver_version, memory.total [MiB], compute_cap, pci.bus_id, pci.device_id, vbios_version, power.limit [W], " +
	"clocks.max.sm [MHz], clocks.max.memory [MHz], mig.mode.current, ecc.mode.current, persistence_mode\n"

func TestNVIDIACSV(t *testing.T) {
	rows, err := parseNVIDIACSV("smi", []byte(nvidiaHeader+
		"0, \"NVIDIA H100, 80GB HBM3\", GPU-1, 580.82.07, 81559 MiB, 9.0, 00000000:19:00.0, 0x233010DE, 96.00.74.00.01, 700.00 W, 1980 MHz, 2619 MHz, Disabled, Enabled, Enabled\n"+
		"1, NVIDIA X, GPU-2, 580.82.07, [N/A], [Not Supported], 00000000:1A:00.0, N/A, [Unknown Error], [N/A], -1 MHz, 2619.5 MHz, [N/A], Requested, \n"))
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	r := rows[0]
	got := fmt.Sprint(r.text("name"), "|", r.bytes("memory.total"), "|", r.location(), "|", r.float("power.limit", "W"), "|", r.megahertz("clocks.max.sm"), "|",
		r.enabled("mig.mode.current"), "|", r.enabled("ecc.mode.current"))
	if want := "NVIDIA H100, 80GB HBM3|85520809984 B|0000:19:00.0|700 W|1980 MHz|false|true"; got != want { // 81,559 × 2²⁰
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r = rows[1]
	got = fmt.Sprint(r.bytes("memory.total"), "|", r.text("compute_cap"), "|", r.float("power.limit", "W"), "|", r.megahertz("clocks.max.sm"), "|",
		r.megahertz("clocks.max.memory"), "|", r.enabled("ecc.mode.current"), "|", r.enabled("persistence_mode"))
	if want := `unknown (smi: memory.total is "[N/A]")|unknown (smi: compute_cap is "[Not Supported]")|unknown (smi: power.limit is "[N/A]")|` +
		`unknown (smi: clocks.max.sm: "-1 MHz" is not a number of MHz)|unknown (smi: clocks.max.memory: 2619.5 is not a whole number)|` +
		`unknown (smi: ecc.mode.current: "Requested" is neither Enabled nor Disabled)|unknown (smi: persistence_mode is "")`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for name, text := range map[string]string{
		"empty": "", "no bus": "index, name\n0, X\n", "comma in a bare name": "name, pci.bus_id\nNVIDIA, X, 00000000:19:00.0\n", "twice": "pci.bus_id, pci.bus_id\n",
		"quote": "name, pci.bus_id\n\"X, 0\n", "failed": "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
	} {
		if rows, err := parseNVIDIACSV("smi", []byte(text)); err == nil {
			t.Errorf("%s: %v", name, rows)
		}
	}
	if rows, err := parseNVIDIACSV("smi", []byte("No devices were found\n")); err != nil || len(rows) != 0 {
		t.Errorf("no devices: %v, %v", rows, err)
	}
}

// Lines in the form that nvidia-smi -L prints them; the ids are made up, and no capture of a real card stands behind them.
func TestNVIDIAList(t *testing.T) {
	got, err := parseNVIDIAList([]byte("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-a)\n  MIG 1g.10gb     Device  0: (UUID: MIG-1)\n" +
		"  MIG 1g.10gb+me  Device  1: (UUID: MIG-GPU-b/1/0)\nGPU 1: NVIDIA X (rev 2) (UUID: GPU-b)\n"))
	if want := "map[GPU-a:[{1g.10gb MIG-1} {1g.10gb+me MIG-GPU-b/1/0}] GPU-b:[]]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	for _, text := range []string{"GPU 0: X\n MIG 1g.10gb Device 0: (UUID: MIG-1)", "GPU 0: X (UUID: GPU-a)\nGPU 1: X (UUID: GPU-a)", "MIG 1g.10gb Device 0: (UUID: MIG-1)"} {
		if got, err := parseNVIDIAList([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	if got, err := parseNVIDIAList([]byte("No devices found.\n")); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestNVIDIAVersion(t *testing.T) {
	for line, want := range map[string]string{
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)  Sun Jul 27 07:18:42 UTC 2025": "580.65.06",
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.12  Wed Sep 20 09:35:17 UTC 2023\nGCC version:  gcc version 11.4.0":         "535.104.12",
		"NVRM version: NVIDIA UNIX aarch64 Kernel Module  570.124":                                                                           "570.124",
		"NVRM version: none": "", "GCC version:  gcc version 11.4.0": "", "": "",
	} {
		if got, err := parseNVIDIAVersion([]byte(line)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", line, got, err, want)
		}
	}
}

func TestCUDAVersions(t *testing.T) {
	for text, want := range map[string]string{`{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}, "nccl": {"version": "x"}}`: "12.4.1", `{}`: "", `{"cuda": 1}`: "", "": ""} {
		if got, err := parseCUDAJSON([]byte(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"CUDA Version 10.2.89\n": "10.2.89", "CUDA Version ": "", "10.2": ""} {
		if got, err := parseCUDAText([]byte(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	about := "NVIDIA-SMI version  : 580.82.07\nNVML version        : 580.82\nDRIVER version      : 580.82.07\nCUDA Version        : 13.0\n"
	if got := parseCUDAVersion([]byte(about)); got != "13.0" {
		t.Errorf("got %q", got)
	}
	if got := parseCUDAVersion([]byte("CUDA Version        : Not Found\n")); got != "" {
		t.Errorf("got %q", got)
	}
}

// Whatever is larger than a tool may print is not parsed either.
func TestSMITooLarge(t *testing.T) {
	b := bytes.Repeat([]byte("["), maxToolOutput+1)
	_, objects := smiObjects(b)
	_, rows := parseNVIDIACSV("smi", b)
	_, list := parseNVIDIAList(b)
	for _, err := range []error{objects, rows, list} {
		if err == nil || !strings.Contains(err.Error(), "larger than 16777216 bytes, refused") {
			t.Errorf("got %v", err)
		}
	}
	many := "[" + strings.Repeat(`{"gpu":0},`, maxObjects) + `{"gpu":0}]`
	if _, err := smiObjects([]byte(many)); err == nil || !strings.Contains(err.Error(), "larger than 1024 objects") {
		t.Errorf("got %v", err)
	}
	// Lines that begin like JSON and are not cost reading to the end, so that not every one is tried.
	if _, err := smiObjects(bytes.Repeat([]byte("[1,\n"), 1<<20)); err == nil {
		t.Error("arrays that never end are objects")
	}
}

func FuzzSMI(f *testing.F) {
	f.Add([]byte("[" + amdGPU + "]\nLegend:\n"))
	f.Add([]byte(`{"gpu_data": [` + amdGPU + `]}`))
	f.Add([]byte(`{"card0": {"Unique ID": "0x1", "PCI Bus": "0000:01:00.0", "VRAM Total Memory (B)": "1"}, "system": {"Driver version": 6}}`))
	f.Add([]byte(`[{"gpu": 0, "vram": {"size": {"value": 99999999999999999999, "unit": "GB"}}}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, parse := range map[string]func(string, []byte) ([]smiCard, error){"amd-smi": parseAMDStatic, "rocm-smi": parseROCmSMI} {
			cards, err := parse(name, b)
			if (err == nil) != (len(cards) > 0) {
				t.Errorf("%s: %d cards, %v", name, len(cards), err)
			}
			for _, c := range cards {
				if v, ok := c.vram.Get(); ok && v <= 0 {
					t.Errorf("%s: VRAM is %v", name, c.vram)
				}
				for _, v := range []Value[string]{c.model, c.pciDevice, c.vbios, c.uniqueID, c.driver} {
					if _, ok := v.Get(); !ok && v.Reason() == notCaptured {
						t.Errorf("%s: unknown without a reason", name)
					}
				}
			}
		}
	})
}

func FuzzNVIDIACSV(f *testing.F) {
	f.Add([]byte(nvidiaHeader + "0, NVIDIA H100, GPU-1, 580.82.07, 81559 MiB, 9.0, 00000000:19:00.0, 0x233010DE, 96, 700.00 W, 1980 MHz, 2619 MHz, Disabled, Enabled, Enabled\n"))
	f.Add([]byte("pci.bus_id, name\n00000000:19:00.0, \"a, b\"\n"))
	f.Add([]byte("pci.bus_id, power.draw [W], memory.used [MiB], utilization.gpu [%], clocks_throttle_reasons.active\n00000000:19:00.0, 1.5 W, 4 MiB, 9 %, 0x1ff\n"))
	f.Add([]byte("pid, used_gpu_memory [MiB]\n77, 4 MiB\n77, [N/A]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pids, vram, err := parseNVIDIAProcesses("smi", b)
		if len(pids) != len(vram) || err != nil && pids != nil {
			t.Errorf("%d processes, memory of %d, %v", len(pids), len(vram), err)
		}
		rows, err := parseNVIDIACSV("smi", b)
		if err != nil && rows != nil {
			t.Errorf("%d rows with %v", len(rows), err)
		}
		for _, r := range rows {
			if v, ok := r.bytes("memory.total").Get(); ok && v < 0 {
				t.Errorf("memory is %d", v)
			}
			if v, ok := r.megahertz("clocks.max.sm").Get(); ok && v <= 0 {
				t.Errorf("clock is %d", v)
			}
			if v, ok := r.location().Get(); ok && v != pciLocation(v) {
				t.Errorf("location is %q", v)
			}
			n := r.state()
			for name, v := range map[string]Value[float64]{"temperature": n.Temperature, "power": n.Power, "clock": n.Clock} {
				if x, ok := v.Get(); ok && !(x >= 0 && x <= 1<<53) {
					t.Errorf("%s is %v", name, x)
				}
			}
			if v, ok := n.Busy.Get(); ok && (v < 0 || v > 100) {
				t.Errorf("%d %% busy", v)
			}
			if v, ok := n.VRAMUsed.Get(); ok && (v < 0 || v%(1<<20) != 0) {
				t.Errorf("%d B are used", v)
			}
			_, clocks := n.Clocks.Get()
			if slowed, ok := n.Slowed.Get(); ok != clocks || slowed && !strings.Contains(n.Clocks.String(), "HW ") && !strings.Contains(n.Clocks.String(), "thermal") {
				t.Errorf("slowed is %v with %v", n.Slowed, n.Clocks)
			}
		}
	})
}

func FuzzNVIDIAText(f *testing.F) {
	f.Add([]byte("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-a)\n  MIG 1g.10gb     Device  0: (UUID: MIG-1)\n"))
	f.Add([]byte("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06\nCUDA Version : 13.0\n"))
	f.Add([]byte("Model: \t\t NVIDIA H100\nVideo BIOS: \t ??.??.??.??.??\n"))
	f.Add([]byte(`{"cuda": {"version": "12.4.1"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseNVIDIAList(b)
		if err != nil && list != nil {
			t.Errorf("%v with %v", list, err)
		}
		for card, instances := range list {
			if !bytes.Contains(b, []byte(card)) || len(instances) > bytes.Count(b, []byte("MIG")) {
				t.Errorf("%q has %v", card, instances)
			}
		}
		for _, parse := range []func([]byte) (string, error){parseNVIDIAVersion, parseCUDAJSON, parseCUDAText} {
			if v, err := parse(b); (err == nil) != (v != "") || len(v) > 40 {
				t.Errorf("%q, %v", v, err)
			}
		}
		for key, value := range parseNVIDIAInformation(b) {
			if !bytes.Contains(b, []byte(key)) || !bytes.Contains(b, []byte(value)) {
				t.Errorf("%q: %q is not in the file", key, value)
			}
		}
	})
}
