package nvidia

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/facttest"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

const nvidiaHeader = "index, name, uuid, driver_version, memory.total [MiB], compute_cap, pci.bus_id, " +
	"pci.device_id, vbios_version, power.limit [W], " +
	"clocks.max.sm [MHz], clocks.max.memory [MHz], mig.mode.current, ecc.mode.current, persistence_mode\n"

func TestNVIDIACSV(t *testing.T) {
	rows, err := ParseCSV("smi", []byte(nvidiaHeader+
		"0, \"NVIDIA H100, 80GB HBM3\", GPU-1, 580.82.07, 81559 MiB, 9.0, 00000000:19:00.0, 0x233010DE, "+
		"96.00.74.00.01, 700.00 W, 1980 MHz, 2619 MHz, Disabled, Enabled, Enabled\n"+
		"1, NVIDIA X, GPU-2, 580.82.07, [N/A], [Not Supported], 00000000:1A:00.0, N/A, [Unknown Error], [N/A], -1 "+
		"MHz, 2619.5 MHz, [N/A], Requested, \n"))
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	r := rows[0]
	got := fmt.Sprint(r.text("name"), "|", r.bytes("memory.total"), "|", r.Location(), "|", r.float("power.limit", "W"),
		"|", r.megahertz("clocks.max.sm"), "|", r.enabled("mig.mode.current"), "|", r.enabled("ecc.mode.current"))
	// 81,559 × 2²⁰
	if want := "NVIDIA H100, 80GB HBM3|85520809984 B|0000:19:00.0|700 W|1980 MHz|false|true"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r = rows[1]
	got = fmt.Sprint(r.bytes("memory.total"), "|", r.text("compute_cap"), "|", r.float("power.limit", "W"), "|",
		r.megahertz("clocks.max.sm"), "|", r.megahertz("clocks.max.memory"), "|", r.enabled("ecc.mode.current"), "|",
		r.enabled("persistence_mode"))
	if want := `unknown (smi: memory.total is "[N/A]")|unknown (smi: compute_cap is "[Not Supported]")|` +
		`unknown (smi: power.limit is "[N/A]")|` +
		`unknown (smi: clocks.max.sm: "-1 MHz" is not a number of MHz)|` +
		`unknown (smi: clocks.max.memory: 2619.5 is not a whole number)|` +
		`unknown (smi: ecc.mode.current: "Requested" is neither Enabled nor Disabled)|` +
		`unknown (smi: persistence_mode is "")`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for name, text := range map[string]string{
		"empty": "", "no bus": "index, name\n0, X\n",
		"comma in a bare name": "name, pci.bus_id\nNVIDIA, X, 00000000:19:00.0\n", "twice": "pci.bus_id, pci.bus_id\n",
		"quote":  "name, pci.bus_id\n\"X, 0\n",
		"failed": "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
	} {
		if rows, err := ParseCSV("smi", []byte(text)); err == nil {
			t.Errorf("%s: %v", name, rows)
		}
	}
	if rows, err := ParseCSV("smi", []byte("No devices were found\n")); err != nil || len(rows) != 0 {
		t.Errorf("no devices: %v, %v", rows, err)
	}
}

// Lines in the form that nvidia-smi -L prints them; the ids are made up, and no capture of a real card stands behind
// them.
func TestNVIDIAList(t *testing.T) {
	got, err := parseList(
		[]byte("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-a)\n  MIG 1g.10gb     Device  0: (UUID: MIG-1)\n" +
			"  MIG 1g.10gb+me  Device  1: (UUID: MIG-GPU-b/1/0)\nGPU 1: NVIDIA X (rev 2) (UUID: GPU-b)\n"),
	)
	if want := "[{0 NVIDIA H100 80GB HBM3 GPU-a [{1g.10gb MIG-1} {1g.10gb+me MIG-GPU-b/1/0}]} {1 NVIDIA X (rev 2) " +
		"GPU-b []}]"; err != nil ||
		fmt.Sprint(got) != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	for _, text := range []string{"GPU 0: X\n MIG 1g.10gb Device 0: (UUID: MIG-1)", "GPU 0: X (UUID: GPU-a)\nGPU " +
		"1: X (UUID: GPU-a)", "MIG 1g.10gb Device 0: (UUID: MIG-1)"} {
		if got, err := parseList([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	if got, err := parseList([]byte("No devices found.\n")); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestNVIDIAVersion(t *testing.T) {
	for line, want := range map[string]string{
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)  Sun " +
			"Jul 27 07:18:42 UTC 2025": "580.65.06",
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.12  Wed Sep 20 09:35:17 UTC 2023\nGCC version:  " +
			"gcc version 11.4.0": "535.104.12",
		"NVRM version: NVIDIA UNIX aarch64 Kernel Module  570.124": "570.124",
		"NVRM version: none": "", "GCC version:  gcc version 11.4.0": "", "": "",
	} {
		if got, err := parseNVIDIAVersion([]byte(line)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", line, got, err, want)
		}
	}
}

func FuzzNVIDIACSV(f *testing.F) {
	f.Add(
		[]byte(
			nvidiaHeader + "0, NVIDIA H100, GPU-1, 580.82.07, 81559 MiB, 9.0, 00000000:19:00.0, 0x233010DE, 96, " +
				"700.00 W, 1980 MHz, 2619 MHz, Disabled, Enabled, Enabled\n",
		),
	)
	f.Add([]byte("pci.bus_id, name\n00000000:19:00.0, \"a, b\"\n"))
	f.Add(
		[]byte(
			"pci.bus_id, power.draw [W], memory.used [MiB], utilization.gpu [%], clocks_throttle_reasons.active\n" +
				"00000000:19:00.0, 1.5 W, 4 MiB, 9 %, 0x1ff\n",
		),
	)
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := ParseCSV("smi", b)
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
			if v, ok := r.Location().Get(); ok && v != gpu.PCILocation(v) {
				t.Errorf("location is %q", v)
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
		list, err := parseList(b)
		if err != nil && list != nil {
			t.Errorf("%v with %v", list, err)
		}
		for _, l := range list {
			if !bytes.Contains(b, []byte(l.uuid)) || len(l.instances) > bytes.Count(b, []byte("MIG")) {
				t.Errorf("%+v", l)
			}
		}
		for _, parse := range []func([]byte) (string, error){parseNVIDIAVersion} {
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

// Whatever is larger than a tool may print is not parsed either.
func TestQueryTooLarge(t *testing.T) {
	b := bytes.Repeat([]byte("["), source.MaxToolOutput+1)
	_, rows := ParseCSV("smi", b)
	_, list := parseList(b)
	for _, err := range []error{rows, list} {
		if err == nil || !strings.Contains(err.Error(), "larger than 16777216 bytes, refused") {
			t.Errorf("got %v", err)
		}
	}
}

// Lines of releases 580 and 610, as they were published.
func TestAboutVersions(t *testing.T) {
	const r580 = "NVIDIA-SMI version  : 580.82.07\nNVML version        : 580.82\nDRIVER version      : 580.82.07\n" +
		"CUDA Version        : 13.0\n"
	const r610 = "NVIDIA-SMI version  : 610.43.02\nNVML version        : 610.43\nKMD version         : 610.43.02\n" +
		"CUDA UMD version    : 13.3\nCUDA version        : Deprecated, see CUDA UMD version\n"
	for _, test := range []struct{ name, text, cuda, driver string }{
		{"580", r580, "13.0", "580.82.07"},
		{"610", r610, "13.3", "610.43.02"},
		{"610, the other way round", "CUDA version : Deprecated, see CUDA UMD version\nCUDA UMD version : 13.3\n",
			"13.3", ""},
		{"without a driver", "CUDA Version        : Not Found\nDRIVER version : N/A\n", "", ""},
		{"deprecated alone", "CUDA version : Deprecated, see the release notes of 12.9\n", "", ""},
		{"an error", "Failed to initialize NVML: Driver/library version mismatch\n", "", ""},
	} {
		cuda := aboutVersion([]byte(test.text), "smi", "CUDA UMD version", "CUDA version")
		driver := aboutVersion([]byte(test.text), "smi", "KMD version", "DRIVER version")
		for _, c := range []struct {
			v    fact.Value[string]
			want string
		}{{cuda, test.cuda}, {driver, test.driver}} {
			if got, _ := c.v.Get(); got != c.want || got == "" && c.v.Reason() == "" {
				t.Errorf("%s: %v, want %q", test.name, c.v, c.want)
			}
		}
	}
	v := aboutVersion([]byte("CUDA version : Deprecated, see x\n"), "smi", "CUDA version")
	facttest.Unknown(t, "deprecated", v, `smi: CUDA version is "Deprecated, see x"`)
}

// A text is no name, no version and no number.
func TestRowsOfNoAnswers(t *testing.T) {
	rows, err := ParseCSV("smi", []byte("name, driver_version, vbios_version, pci.bus_id, power.limit [W]\n"+
		"[Unknown Error], Not Found, Insufficient Permissions, 00000000:19:00.0, [GPU requires reset]\n"+
		"NVIDIA L4, 550.x beta, ERR!, 00000000:1a:00.0, N/A\n"))
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for name, v := range map[string]fact.Value[string]{"name": rows[0].text("name"),
		"driver": rows[0].version("driver_version"),
		"VBIOS":  rows[0].text("vbios_version"), "second driver": rows[1].version("driver_version"),
		"second VBIOS": rows[1].text("vbios_version")} {
		facttest.Unknown(t, name, v, "smi: ")
	}
	facttest.Known(t, "name", rows[1].text("name"), "NVIDIA L4")
}

// A field has a shape, and what nvidia-smi prints in its place has another.
func TestShapesOfFields(t *testing.T) {
	rows, err := ParseCSV("smi", []byte("pci.bus_id, compute_cap, uuid, vbios_version\n"+
		"00000000:19:00.0, Requested functionality has been deprecated, Unknown UUID, see nvidia-smi -q\n"+
		"00000000:1a:00.0, 12.0, GPU-1fe7a8b2-0c0d, 96.00.74.00.1C\n"))
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for _, f := range []struct {
		name  string
		shape *regexp.Regexp
		want  string
	}{{"compute_cap", capability, "12.0"}, {"uuid", cardUUID, "GPU-1fe7a8b2-0c0d"},
		{"vbios_version", vbios, "96.00.74.00.1C"}} {
		facttest.Unknown(t, f.name, rows[0].shaped(f.name, f.shape), "smi: "+f.name)
		facttest.Known(t, f.name, rows[1].shaped(f.name, f.shape), f.want)
	}
}

// The head of nvidia-smi without arguments, of drivers 470 and 550, of one of which CUDA is not there, and without it.
func TestSummaryOfCUDA(t *testing.T) {
	for text, want := range map[string]string{
		"Wed Jul 14 10:00:00 2021\n+------+\n| NVIDIA-SMI 470.57.02    Driver Version: 470.57.02    CUDA Version: " +
			"11.4  " +
			"   |\n": "11.4",
		"| NVIDIA-SMI 550.40.07              Driver Version: 550.40.07      CUDA Version: 12.4     |\n": "12.4",
		"| NVIDIA-SMI 610.43.02    KMD Version: 610.43.02    CUDA UMD Version: 13.3     |\n":            "13.3",
		"| NVIDIA-SMI 470.57.02    Driver Version: 470.57.02    CUDA Version: N/A      |\n":             "",
		"| NVIDIA-SMI 384.81                 Driver Version: 384.81                    |\n":             "",
		"": "",
	} {
		v := summaryCUDA([]byte(text), "nvidia-smi")
		if got, ok := v.Get(); got != want || ok != (want != "") {
			t.Errorf("%q is %v, want %q", text, v, want)
		}
	}
}
