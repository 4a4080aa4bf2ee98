package nvidia

import (
	"fmt"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/facttest"
)

// The table once more, with the memory that nvidia-smi was published to count on each card, in MiB.
func TestFigures(t *testing.T) {
	for _, c := range []struct {
		id        string
		mib       int64
		gb        int64
		bandwidth float64
		fp16, fp8 float64 // 0: none published
	}{
		{"20b0", 40536, 40, 1.555, 312, 0}, {"20f1", 40960, 40, 1.555, 312, 0}, {"20b2", 81920, 80, 2.039, 312, 0},
		{"20b5", 81920, 80, 1.935, 312, 0}, {"2330", 81559, 80, 3.35, 989.4, 1978.9},
		{"2331", 81559, 80, 2, 756.5, 1513},
		{"2321", 95830, 94, 3.9, 835.5, 1670.5}, {"2335", 143771, 141, 4.8, 989.4, 1978.9},
		{"233b", 143771, 141, 4.8, 835.5, 1670.5},
		{"2901", 183359, 180, 7.7, 2250, 4500}, {"2941", 189471, 186, 8, 2500, 5000},
		{"26b9", 46068, 48, 0.864, 362.05, 733},
		{"26b9", 49140, 48, 0.864, 362.05, 733}, {"27b8", 23034, 24, 0.3, 121, 242.5},
		{"2bb1", 97887, 96, 1.792, 503.8, 1007.6},
		{"2bb4", 97887, 96, 1.792, 0, 0}, {"2bb5", 97887, 96, 1.597, 500, 1000},
	} {
		card := GPU{
			PCIID: fact.Known("10de:"+c.id, "", fact.ScopeHost, "x"),
			VRAM:  fact.Known(c.mib<<20, "B", fact.ScopeHost, "x"),
		}
		n := nvidiaNominal(card)
		facttest.Known(t, c.id+" VRAM", n.VRAM, c.gb)
		facttest.Known(t, c.id+" bandwidth", n.Bandwidth, c.bandwidth)
		for name, v := range map[string]struct {
			got  fact.Value[float64]
			want float64
		}{"FP16": {n.FP16, c.fp16}, "FP8": {n.FP8, c.fp8}} {
			if v.want == 0 {
				facttest.Unknown(t, c.id+" "+name, v.got, "none published")
			} else {
				facttest.Known(t, c.id+" "+name, v.got, v.want)
			}
		}
		if got := fmt.Sprint(n.VRAM.Source()); got != "table: PCI id 10de:"+c.id {
			t.Errorf("source is %q", got)
		}
		card.VRAM = fact.Known(c.mib<<19, "B", fact.ScopeHost, "x") // a part of one, as a virtual GPU is
		facttest.Unknown(t, c.id, nvidiaNominal(card).Bandwidth, "of a whole card")
	}
	name, ok := pciName(fact.Known("10de:2348", "", fact.ScopeHost, "x"))
	if s, _ := name.Get(); !ok || s != "NVIDIA GH200 144G HBM3e" {
		t.Errorf("a GH200 is %v", name)
	}
}

func FuzzTopology(f *testing.F) {
	f.Add([]byte("\t\x1b[4mGPU0\tGPU1\tCPU Affinity\x1b[0m\nGPU0\t X \tNV18\t0-3\nGPU1\tNV18\t X \t0-3\n"))
	f.Add([]byte("GPU0\tGPU1\tCPU Affinity\nGPU0\t X \tPIX\t0-47\nGPU1\tPIX\t X \t0-47\n"))
	f.Add([]byte("GPU 0: X (UUID: GPU-0)\n\t Link 0: 26.562 GB/s\n\t Link 1: <inactive>\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		matrix, err := parseTopology(b)
		if err != nil && matrix != nil {
			t.Errorf("%v with %v", matrix, err)
		}
		for pair, way := range matrix {
			if pair[0] == pair[1] || way == "" {
				t.Errorf("%v: %q", pair, way)
			}
		}
		links, err := parseNVLink(b)
		if (err == nil) != (len(links) > 0) {
			t.Errorf("%v with %v", links, err)
		}
	})
}

// The ways of published matrices, also without the corner of the head, as some copies have it.
func TestTopology(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"\tGPU0\tGPU1\tCPU Affinity\tNUMA Affinity\nGPU0\t X \tNV18\t0-63\t0\nGPU1\tNV18\t X \t0-63\t0\n",
			"map[[0 1]:NV18 [1 0]:NV18]"},
		{"GPU0\tGPU1\tCPU Affinity\nGPU0\t X \tPIX\t0-47\nGPU1\tPIX\t X \t0-47\n", "map[[0 1]:PIX [1 0]:PIX]"},
		{"\tGPU0\tNIC0\tCPU Affinity\nGPU0\t X \tNODE\t0-19\nNIC0\tNODE\t X \t\n", "map[]"},
		{"No devices were found\n", "no matrix in it: No devices were found"},
	} {
		text, want := test.text, test.want
		got, err := parseTopology([]byte(text))
		if err != nil && err.Error() != want || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
}
