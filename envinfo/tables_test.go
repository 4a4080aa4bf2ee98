package envinfo_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/servegauge/servegauge/envinfo"
)

// The hardware and software tables of the MI325X cookbook's benchmark methodology page, row for row, for the host that it describes.
// Its RCCL is not the one that ships with its ROCm, so the header that is read here is another one's.
func TestPublishedTables(t *testing.T) {
	env := capture(t, mi325x().with(tree{"opt/rocm/include/rccl/rccl.h": "#define NCCL_VERSION_CODE 22606\n"}).fs())
	// The engine answers for itself, and not from a file.
	env.Software = append(env.Software, envinfo.Component{
		Name: "Docker", Version: envinfo.Known("29.1.5", "", envinfo.ScopeHost, "docker version --format json: Server.Version"),
	})
	got := tables(t, env)
	for _, row := range []string{
		"GPU 8x AMD Instinct MI325X",
		"Architecture CDNA 3 (gfx942)",
		"VRAM per GPU 256 GB HBM3e",
		"Total VRAM 2 TB (2,048 GB)",
		"Memory Bandwidth (per GPU) 6.0 TB/s",
		"Aggregate Bandwidth 48 TB/s",
		"FP16 Compute (per GPU) 1,307 TFLOPS",
		"ROCm 6.4.2-120",
		"RCCL 2.26.6",
		"Docker 29.1.5",
	} {
		if !strings.Contains(got, "\n"+row+"\n") {
			t.Errorf("no row %q in\n%s", row, got)
		}
	}
	// With the one of a container beside it, both have a row.
	env.Software = append(env.Software, envinfo.Component{
		Name: "RCCL", Version: envinfo.Known("2.27.3", "", "container:4f1c", "/opt/rocm/include/rccl/rccl.h: NCCL_VERSION_CODE"),
	})
	got = tables(t, env)
	if !strings.Contains(got, "\nRCCL (host) 2.26.6\n") || !strings.Contains(got, "\nRCCL (container:4f1c) 2.27.3\n") {
		t.Errorf("two RCCLs:\n%s", got)
	}
	// From sources: with nothing to read, no number stands.
	if got := tables(t, capture(t, tree{}.fs())); strings.ContainsAny(strings.ReplaceAll(got, "FP16", ""), "0123456789") {
		t.Errorf("of an empty tree:\n%s", got)
	}
	// A card that the table of figures lacks has what was read.
	got = tables(t, capture(t, mi300xCPX(28).fs()))
	if !strings.Contains(got, "\nGPU 8x AMD Instinct MI300X\n") || !strings.Contains(got, "\nMemory Bandwidth (per GPU) 5.3 TB/s\n") {
		t.Errorf("MI300X:\n%s", got)
	}
}

func tables(t *testing.T, env *envinfo.Environment) string {
	t.Helper()
	var out strings.Builder
	if err := env.WriteTables(&out); err != nil {
		t.Fatal(err)
	}
	return squeeze(out.String()) + "\n"
}

func TestMLPerf(t *testing.T) {
	got := capture(t, mi325x().fs()).MLPerf()
	want := map[string]string{
		"host_processor_model_name":        "AMD EPYC 9575F 64-Core Processor",
		"host_processors_per_node":         "2",
		"host_processor_core_count":        "2", // of each
		"host_memory_capacity":             "1,511.8 GiB",
		"operating_system":                 "Ubuntu 24.04.2 LTS",
		"accelerators_per_node":            "8",
		"accelerator_model_name":           "AMD Instinct MI325X",
		"accelerator_memory_capacity":      "256 GB",
		"accelerator_memory_configuration": "HBM3e",
		"accelerator_frequency":            "2100 MHz",
		"accelerator_interconnect":         "XGMI",
		"other_software_stack":             "amdgpu in-tree, kernel 6.8.0-60-generic, ROCm 6.4.2-120, RCCL 2.22.3, Linux 6.8.0-60-generic",
	}
	for name, v := range got {
		if v == "" {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	nothing := capture(t, tree{}.fs()).MLPerf()
	for name, v := range nothing {
		if v != "" {
			t.Errorf("of an empty tree: %s is %q", name, v)
		}
	}
	if _, ok := nothing["accelerator_on-chip_memories"]; !ok || len(nothing) != 35 {
		t.Errorf("%d names", len(nothing))
	}
	if b, err := json.Marshal(nothing); err != nil || !strings.HasPrefix(string(b), `{"accelerator_frequency":"",`) {
		t.Errorf("%.60s, %v", b, err)
	}
}
