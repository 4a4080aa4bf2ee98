package amd

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/facttest"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Keys and values of amd-smi and rocm-smi are those of published outputs: amd-smi 26 on MI325X, rocm-smi 3 and 4 on
// MI250X, MI300A and Radeon (threads of the ROCm/rocm_smi_lib and ROCm/rocm-systems repositories); addresses and ids
// are made up.

const amdGPU = `{"gpu": 0, "asic": {"market_name": "AMD Instinct MI325X VF", "vendor_id": "0x1002",
	 "device_id": "0x74b9",
 "asic_serial": "0x3CBDE9B1A5F4D9BD", "num_compute_units": 304}, "bus": {"bdf": "0000:05:00.0",
 "max_pcie_speed": {"value": 32, "unit": "GT/s"}},
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
		{"text before", "WARNING: User is missing the following required groups: render, video\n[WARNING] [x] {\n\n" +
			"[" + amdGPU + "]", 1},
		{"bare number", "[" + strings.Replace(amdGPU, `{"value": 261824, "unit": "MB"}`, "261824", 1) + "]", 1},
		{"number as text", "[" + strings.Replace(amdGPU, `{"value": 261824, "unit": "MB"}`, `"261824 MB"`, 1) + "]", 1},
		{"first release", "[" + strings.NewReplacer(`"size": {"value": 261824,
		"unit": "MB"}`, `"vram_size_mb": 261824`, `"part_number"`, `"vbios_part_number"`,
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
				got  fact.Value[string]
				want string
			}{
				{c.model, "AMD Instinct MI325X VF"}, {c.pciDevice, "74b9"}, {c.vbios, "113-M3250101-100"},
				{c.driver, "6.16.6"}, {c.uniqueID, "3cbde9b1a5f4d9bd"},
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
	cards, err := parseAMDStatic(
		"amd-smi",
		[]byte(`[{"gpu": 0, "asic": "N/A", "bus": {"bdf": "N/A"}, "vbios": {"part_number": "N/A"},
		"driver": {"version": ["x"]}, "vram": {"size": {"value": "N/A", "unit": "MB"}}}]`),
	)
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	c := cards[0]
	for _, v := range []fact.Value[string]{c.model, c.pciDevice, c.vbios, c.driver, c.uniqueID} {
		if _, ok := v.Get(); ok || v.Reason() == "not captured" {
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

// amd-smi writes the text of an error where a value belongs, in any field.
func TestErrorsAreNoValues(t *testing.T) {
	const no = "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported"
	cards, err := parseAMDStatic("amd-smi", []byte(`[{"gpu": 0, "bus": {"bdf": "0000:05:00.0"},
		"asic": {"market_name": "`+no+`", "device_id": "`+no+`",
		"asic_serial": "AMDSMI_STATUS_NO_PERM - Permission Denied"},
		"vbios": {"part_number": "AMDSMI_STATUS_FILE_ERROR - Error opening file"}, "driver": {"version": "`+no+`"},
		"vram": {"size": {"value": "`+no+`", "unit": "MB"}}}]`))
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	c := cards[0]
	for name, v := range map[string]fact.Value[string]{"model": c.model, "id": c.pciDevice, "VBIOS": c.vbios,
		"driver":    c.driver,
		"unique id": c.uniqueID} {
		facttest.Unknown(t, name, v, "AMDSMI_STATUS_")
	}
	facttest.Unknown(t, "VRAM", c.vram, "AMDSMI_STATUS_")

	o := smiObject{}
	for value, want := range map[string]string{
		no: "", "N/A": "", "Traceback (most recent call last)": "", "6.4.2 and newer": "", "6.4.2": "6.4.2",
		"7.0.0-rc1": "7.0.0-rc1",
		"Linuxversion6.8.0-60-generic(buildd@lcy02-amd64-059)(x86_64-linux-gnu-gcc-13)": "6.8.0-60-generic",
		"Linux version 5.14.0-427.el9.x86_64 (mockbuild@x)":                             "5.14.0-427.el9.x86_64",
	} {
		o["rocm_version"] = []byte(strconv.Quote(value))
		if got, _ := o.text("rocm_version").version(fact.ScopeHost, "x").Get(); got != want {
			t.Errorf("%q is the version %q, want %q", value, got, want)
		}
	}
}

func TestROCmSMI(t *testing.T) {
	for name, text := range map[string]string{
		"6": `{"card0": {"Device Name": "AMD Instinct MI300A", "Device ID": "0x74a0",
		"Card Series": "AMD Instinct MI300A", "GUID": "46363",
			"Unique ID": "0xa6a2b7c1d2e3f405", "VBIOS version": "113-MI3SRIOV-001", "PCI Bus": "0000:01:00.0",
			"VRAM Total Memory (B)": "137438953472"},
			"system": {"Driver version": "6.16.13"}}`,
		"5": "WARNING: AMD GPU device(s) is/are in a low-power state.\n" + `{"card0": {"GPU ID": "0x74a0",
		"Card series": "AMD Instinct MI300A", "Card model": "x",
			"Unique ID": "0xa6a2b7c1d2e3f405", "VBIOS version": "113-MI3SRIOV-001", "PCI Bus": "0000:01:00.0",
			"VRAM Total Memory (B)": "137438953472"},
			"system": {"Driver version": "6.16.13"}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			cards, err := parseROCmSMI("rocm-smi", []byte(text))
			if err != nil || len(cards) != 1 {
				t.Fatal(cards, err)
			}
			c := cards[0]
			got := fmt.Sprint(c.device, " ", c.model, " ", c.pciDevice, " ", c.uniqueID, " ", c.vbios, " ", c.vram, " ",
				c.driver)
			if want := "0000:01:00 AMD Instinct MI300A 74a0 a6a2b7c1d2e3f405 113-MI3SRIOV-001 137438953472 B " +
				"6.16.13"; got != want {
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

// Whatever is larger than a tool may print is not parsed either.
func TestSMITooLarge(t *testing.T) {
	b := bytes.Repeat([]byte("["), source.MaxToolOutput+1)
	_, objects := smiObjects(b)
	if objects == nil || !strings.Contains(objects.Error(), "larger than 16777216 bytes, refused") {
		t.Errorf("got %v", objects)
	}
	many := "[" + strings.Repeat(`{"gpu":0},`, source.MaxObjects) + `{"gpu":0}]`
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
	f.Add(
		[]byte(
			`{"card0": {"Unique ID": "0x1", "PCI Bus": "0000:01:00.0", "VRAM Total Memory (B)": "1"},
			"system": {"Driver version": 6}}`,
		),
	)
	f.Add([]byte(`[{"gpu": 0, "vram": {"size": {"value": 99999999999999999999, "unit": "GB"}}}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, parse := range map[string]func(string, []byte) ([]smiCard, error){"amd-smi": parseAMDStatic,
			"rocm-smi": parseROCmSMI} {
			cards, err := parse(name, b)
			if (err == nil) != (len(cards) > 0) {
				t.Errorf("%s: %d cards, %v", name, len(cards), err)
			}
			for _, c := range cards {
				if v, ok := c.vram.Get(); ok && v <= 0 {
					t.Errorf("%s: VRAM is %v", name, c.vram)
				}
				for _, v := range []fact.Value[string]{c.model, c.pciDevice, c.vbios, c.uniqueID, c.driver} {
					if _, ok := v.Get(); !ok && v.Reason() == "not captured" {
						t.Errorf("%s: unknown without a reason", name)
					}
				}
			}
		}
	})
}

// What the tools print for a card without a name is its id, and for a target that they do not know a text. The first
// releases call the lanes otherwise.
func TestFieldsOfCardsWithoutNames(t *testing.T) {
	cards, err := parseAMDStatic("amd-smi", []byte(`[{"gpu": 0, "asic": {"market_name": "0x744c",
		"target_graphics_version": "Requested target is not supported"}, "bus": {"bdf": "0000:03:00.0",
		"max_pcie_lanes": 16, "max_pcie_speed": "16 GT/s"}},
		{"gpu": 1, "asic": {"market_name": "AMD Radeon RX 7900 XTX", "target_graphics_version": "gfx1100"},
		"bus": {"bdf": "0000:04:00.0", "max_pcie_width": {"value": 16, "unit": "lanes"}, "max_pcie_speed": "N/A"}}]`))
	if err != nil || len(cards) != 2 {
		t.Fatal(cards, err)
	}
	facttest.Unknown(t, "model", cards[0].model, `amd-smi: market_name: "0x744c" is not a name`)
	facttest.Unknown(t, "target", cards[0].target, "is not a target")
	facttest.Known(t, "lanes", cards[0].link.MaxWidth, 16)
	facttest.Known(t, "speed", cards[0].link.MaxSpeed, 16)
	facttest.Known(t, "model", cards[1].model, "AMD Radeon RX 7900 XTX")
	facttest.Known(t, "target", cards[1].target, "gfx1100")
	facttest.Known(t, "lanes", cards[1].link.MaxWidth, 16)
	facttest.Unknown(t, "speed", cards[1].link.MaxSpeed, "N/A")
	cards, err = parseROCmSMI("rocm-smi", []byte(`{"card0": {"Card Series": "0x7550", "PCI Bus": "0000:03:00.0",
		"GFX Version": "gfx1201"}}`))
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	facttest.Unknown(t, "model", cards[0].model, "is not a name")
	facttest.Known(t, "target", cards[0].target, "gfx1201")
}
