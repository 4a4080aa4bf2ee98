package software

import (
	"bytes"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

func FuzzROCmVersion(f *testing.F) {
	for _, s := range []string{"6.4.2-120\n", "7.0.0", "7.13.0-123-gfx942;gfx950", "\r\n6.4.2 \r\n", "6", "6.4.2 beta",
		"<html>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseROCmVersion(b)
		if err == nil && (v == "" || v != fact.Clean(v) || !bytes.Contains(b, []byte(v)) || v[0] < '0' || v[0] > '9') {
			t.Errorf("version %q of %q", v, b)
		}
		if err != nil && v != "" {
			t.Errorf("version %q with error %v", v, err)
		}
	})
}

func FuzzNCCLHeader(f *testing.F) {
	f.Add([]byte("#define NCCL_VERSION_CODE 22606\n"))
	f.Add([]byte("#define NCCL_VERSION_CODE\n#define NCCL_VERSION_CODE -1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := parseNCCLHeader(b); err == nil && (strings.Count(v, ".") != 2 || v[0] == '0') {
			t.Errorf("version %q", v)
		}
	})
}

func TestNCCLHeader(t *testing.T) {
	for code, want := range map[string]string{"22606": "2.26.6", "22203": "2.22.3", "2804": "2.8.4", "21005": "2.10.5",
		"12": "", "x": "", "99999999999": ""} {
		got, err := parseNCCLHeader([]byte("#define NCCL_MAJOR 2\n#define  NCCL_VERSION_CODE " + code + "\r\n"))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v; want %q", code, got, err, want)
		}
	}
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
			if p.name == "" || p.version == "" || p.version != fact.Clean(p.version) ||
				!bytes.Contains(b, []byte("nstalled")) {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzVersions(f *testing.F) {
	for _, s := range []string{"2.26.6-HEAD:f224e2c", "librccl.so.1.0.60402", "torch-2.7.0+gitf717b2a.dist-info",
		"6.4.2.60402-120~24.04", "1:6.12"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := parseRCCLMark([]byte(s)); err == nil && (!strings.HasPrefix(s, v) || strings.Count(v, ".") != 2) {
			t.Errorf("RCCL %q of %q", v, s)
		}
		if v, ok := parseLibraryName(s); ok && (strings.Count(v, ".") != 2 || v[0] == '0') {
			t.Errorf("ROCm %q of %q", v, s)
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

func TestCUDAVersions(t *testing.T) {
	for text, want := range map[string]string{`{"cuda": {"name": "CUDA SDK", "version": "12.4.1"},
	"nccl": {"version": "x"}}`: "12.4.1", `{}`: "", `{"cuda": 1}`: "", "": ""} {
		if got, err := parseCUDAJSON([]byte(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"CUDA Version 10.2.89\n": "10.2.89", "CUDA Version ": "", "10.2": ""} {
		if got, err := parseCUDAText([]byte(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("Name: x\nVersion: 1.0\n"))
	f.Add([]byte("hip: Optional[str] = '6.4'"))
	f.Add([]byte(`{"cuda": {"version": "12.4.1"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := parseMetadata(b); (err == nil) != (v != "") || !bytes.Contains(b, []byte(v)) {
			t.Errorf("%q, %v", v, err)
		}
		if v := parseTorchVersion(b, "hip"); !bytes.Contains(b, []byte(v)) {
			t.Errorf("%q", v)
		}
		for _, parse := range []func([]byte) (string, error){parseCUDAJSON, parseCUDAText} {
			if v, err := parse(b); (err == nil) != (v != "") || len(v) > 40 {
				t.Errorf("%q, %v", v, err)
			}
		}
	})
}
