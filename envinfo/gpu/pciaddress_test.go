package gpu

import (
	"testing"
)

func TestPCILocation(t *testing.T) {
	for in, want := range map[string]string{
		"0000:47:00.0": "0000:47:00.0", "00000000:C9:1F.7": "0000:c9:1f.7", "00010001:00:00.0": "10001:00:00.0",
		"0000:47:00": "", "47:00.0": "", "": "",
		"0000:47:00.8": "", "x0000:47:00.0": "",
	} {
		if got := PCILocation(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func FuzzPCIe(f *testing.F) {
	for _, s := range []string{"32.0 GT/s PCIe", "8 GT/s", "Unknown speed", "16", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseLinkSpeed(s); err == nil && !(v > 0) {
			t.Errorf("speed %v of %q", v, s)
		}
		if v, err := ParseLinkWidth(s); err == nil && (v < 1 || v > 32) {
			t.Errorf("width %v of %q", v, s)
		}
		if v, err := ParseNUMANode(s); err == nil && v < 0 {
			t.Errorf("NUMA node %v of %q", v, s)
		}
	})
}
