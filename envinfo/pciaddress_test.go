package envinfo

import (
	"testing"
)

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
