package envinfo

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzLink(f *testing.F) {
	f.Add([]byte("type 11\nnode_from 2\nnode_to 3\nweight 15\nmin_bandwidth 50000\nmax_bandwidth 50000\n"))
	f.Add([]byte("type 18446744073709551615\nnode_from 2\nnode_to -1\r\nnode_to 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		to, l, err := parseLink(parseProperties("x", b), 2)
		if err != nil {
			return
		}
		if to < 0 || to == 2 {
			t.Errorf("a link from 2 to %d", to)
		}
		if s, ok := l.Type.Get(); ok && s == "" {
			t.Error("a type without a name")
		}
		for _, v := range []Value[int64]{l.Weight, l.MinBandwidth, l.MaxBandwidth} {
			if n, ok := v.Get(); ok && n <= 0 {
				t.Errorf("%d is positive", n)
			}
		}
	})
}

func FuzzDpkgStatus(f *testing.F) {
	f.Add([]byte("Package: rccl\nStatus: install ok installed\nVersion: 2.22.3.60402-120~24.04\n\nPackage: x\n"))
	f.Add([]byte("package:\n\r\n Version: 1\n:\nVersion\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := parseDpkgStatus(b, func(string) bool { return true })
		if len(all) > 256 {
			t.Errorf("%d packages", len(all))
		}
		for _, p := range all {
			if p.name == "" || p.version == "" || p.version != clean(p.version) || !bytes.Contains(b, []byte("nstalled")) {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzVersions(f *testing.F) {
	for _, s := range []string{"2.26.6-HEAD:f224e2c", "librccl.so.1.0.60402", "torch-2.7.0+gitf717b2a.dist-info", "32.0 GT/s PCIe", "-1", "6.4.2.60402-120~24.04", "1:6.12"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := parseRCCLMark([]byte(s)); err == nil && (!strings.HasPrefix(s, v) || strings.Count(v, ".") != 2) {
			t.Errorf("RCCL %q of %q", v, s)
		}
		if v, ok := parseLibraryName(s); ok && (strings.Count(v, ".") != 2 || v[0] == '0') {
			t.Errorf("ROCm %q of %q", v, s)
		}
		if v, err := parseLinkSpeed(s); err == nil && !(v > 0) {
			t.Errorf("speed %v of %q", v, s)
		}
		if v, err := parseLinkWidth(s); err == nil && (v < 1 || v > 32) {
			t.Errorf("width %v of %q", v, s)
		}
		if v, err := parseNUMANode(s); err == nil && v < 0 {
			t.Errorf("NUMA node %v of %q", v, s)
		}
		for _, n := range release(s) {
			if n == "" || strings.Trim(n, "0123456789") != "" {
				t.Errorf("release %q of %q", n, s)
			}
		}
	})
}

func TestRelease(t *testing.T) {
	for version, want := range map[string]string{
		"6.4.2-120": "6 4 2", "6.4.2.60402-120~24.04": "6 4 2", "7.0": "7 0 0", "1:6.12.12.60402-2187269": "6 12 12",
		"2.22.3": "2 22 3", "07.00": "7 0 0", "": "0 0 0", "x": "0 0 0",
	} {
		r := release(version)
		if got := strings.Join(r[:], " "); got != want {
			t.Errorf("release of %q is %q, want %q", version, got, want)
		}
	}
}

// The search finds the mark wherever it lies between the pieces that it reads.
func FuzzFindAfter(f *testing.F) {
	f.Add(0, []byte("2.26.6"))
	for _, at := range []int{256<<10 - 20, 256<<10 - 15, 256<<10 - 1, 256 << 10, 256<<10 + 64, 1 << 20} {
		f.Add(at, []byte("2.26.6-HEAD"))
	}
	f.Fuzz(func(t *testing.T, at int, tail []byte) {
		if at < 0 || at > 1<<21 || bytes.Contains(tail, rcclMark) {
			return
		}
		b := append(append(make([]byte, at), rcclMark...), tail...)
		got, err := findAfter(t.Context().Err, bytes.NewReader(b), rcclMark, 64)
		if want := tail[:min(len(tail), 64)]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("at %d: %q, %v; want %q", at, got, err, want)
		}
		if got, err := findAfter(t.Context().Err, bytes.NewReader(b[:at]), rcclMark, 64); err == nil {
			t.Errorf("found %q where there is no mark", got)
		}
	})
}
