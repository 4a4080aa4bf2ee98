package envinfo_test

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
)

// The hardware and software tables of the MI325X cookbook's benchmark methodology page, row for row, for the host that
// it describes. Its RCCL is not the one that ships with its ROCm, so the header that is read here is another one's.
func TestPublishedTables(t *testing.T) {
	env := capture(t, mi325x().with(tree{"opt/rocm/include/rccl/rccl.h": "#define NCCL_VERSION_CODE 22606\n"}).fs())
	// The engine answers for itself, and not from a file.
	env.Software = append(env.Software, fact.Component{
		Name:    "Docker",
		Version: fact.Known("29.1.5", "", fact.ScopeHost, "docker version --format {{json .}}: Server.Version"),
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
	env.Software = append(env.Software, fact.Component{
		Name:    "RCCL",
		Version: fact.Known("2.27.3", "", "container:4f1c", "/opt/rocm/include/rccl/rccl.h: NCCL_VERSION_CODE"),
	})
	got = tables(t, env)
	if !strings.Contains(got, "\nRCCL (host) 2.26.6\n") || !strings.Contains(got, "\nRCCL (container:4f1c) 2.27.3\n") {
		t.Errorf("two RCCLs:\n%s", got)
	}
	// From sources: with nothing to read, no number stands.
	if got := tables(t, capture(t, tree{}.fs())); strings.ContainsAny(
		strings.ReplaceAll(got, "FP16", ""),
		"0123456789",
	) {
		t.Errorf("of an empty tree:\n%s", got)
	}
	// Of software nothing is known there, and no head stands above nothing.
	if got := tables(t, capture(t, tree{}.fs())); strings.Contains(got, "Component Version") {
		t.Errorf("a table of nothing:\n%s", got)
	}
	// A card that the table of figures lacks has what was read.
	got = tables(t, capture(t, mi300xCPX(28).fs()))
	if !strings.Contains(got, "\nGPU 8x AMD Instinct MI300X (CPX / NPS4: 8 devices each)\n") ||
		!strings.Contains(got, "\nMemory Bandwidth (per GPU) 5.3 TB/s\n") {
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
