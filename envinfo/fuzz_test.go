package envinfo

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

// Every parser takes what anybody may have written into a file. Beside not crashing, what it returns must be in the input or follow
// from it.

func FuzzProperties(f *testing.F) {
	f.Add([]byte("simd_count 1216\nsimd_per_cu 4\ngfx_target_version 90402\nunique_id 4376936076086227261\nlocation_id 18176\ndomain 0\n"))
	f.Add([]byte("simd_count\r\n\x00 1\nsimd_count -1\nsimd_count 99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := parseProperties("x", b)
		for name, text := range p.values {
			if name == "" || !bytes.Contains(b, []byte(name)) || !bytes.Contains(b, []byte(text)) {
				t.Errorf("property %q = %q is not in the file", name, text)
			}
			n, err := p.number(name)
			if err == nil && !strings.ContainsAny(text, "0123456789") {
				t.Errorf("%q reads as %d", text, n)
			}
			if _, err := p.positive(name); err == nil && n == 0 {
				t.Errorf("%q is positive", text)
			}
		}
		n := kfdNode{properties: p}
		if v, ok := n.computeUnits().Get(); ok && v <= 0 {
			t.Errorf("%d compute units", v)
		}
		if v, ok := n.target().Get(); ok && !strings.HasPrefix(v, "gfx") {
			t.Errorf("target %q", v)
		}
		if l, err := n.location(); err == nil && !strings.Contains(l, ":") {
			t.Errorf("location %q", l)
		}
		if n.card() == "" {
			t.Error("a node without a card")
		}
	})
}

func FuzzTarget(f *testing.F) {
	f.Add(uint64(90402))
	f.Add(uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, v uint64) {
		s, err := target(v)
		if (err == nil) == (s == "") {
			t.Errorf("target(%d) = %q, %v", v, s, err)
		}
		if err == nil && v > 999999 {
			t.Errorf("target(%d) = %q", v, s)
		}
	})
}

func TestTarget(t *testing.T) {
	for version, want := range map[uint64]string{
		90402: "gfx942", 90010: "gfx90a", 90500: "gfx950", 90008: "gfx908", 100300: "gfx1030", 110001: "gfx1101", 120000: "gfx1200",
		0: "", 942: "", 90416: "", 91602: "", 1000000: "", math.MaxUint64: "",
	} {
		if got, err := target(version); got != want || (err == nil) != (want != "") {
			t.Errorf("target(%d) = %q, %v; want %q", version, got, err, want)
		}
	}
}

func FuzzROCmVersion(f *testing.F) {
	for _, s := range []string{"6.4.2-120\n", "7.0.0", "7.13.0-123-gfx942;gfx950", "\r\n6.4.2 \r\n", "6", "6.4.2 beta", "<html>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseROCmVersion(b)
		if err == nil && (v == "" || v != clean(v) || !bytes.Contains(b, []byte(v)) || v[0] < '0' || v[0] > '9') {
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
	for code, want := range map[string]string{"22606": "2.26.6", "22203": "2.22.3", "2804": "2.8.4", "21005": "2.10.5", "12": "", "x": "", "99999999999": ""} {
		got, err := parseNCCLHeader([]byte("#define NCCL_MAJOR 2\n#define  NCCL_VERSION_CODE " + code + "\r\n"))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v; want %q", code, got, err, want)
		}
	}
}

func FuzzCPUInfo(f *testing.F) {
	f.Add([]byte("processor\t: 0\nmodel name\t: X\nphysical id\t: 0\ncore id\t: 0\n\nprocessor\t: 1\nphysical id\t: 0\ncore id\t: 0\n"))
	f.Add([]byte("physical id: 1\nprocessor: x\nprocessor"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := parseCPUInfo(b)
		if c.cores > c.threads || c.sockets > c.threads || c.cores < 0 || c.sockets < 0 || (c.cores > 0 && c.sockets > c.cores) {
			t.Errorf("%+v", c)
		}
		if c.threads == 0 && (c.model != "" || c.flags) {
			t.Errorf("no processors, and %+v", c)
		}
	})
}

func FuzzMemTotal(f *testing.F) {
	f.Add([]byte("MemTotal:       24684084 kB\n"))
	f.Add([]byte("MemTotal: -1 kB\r\nMemTotal: 9223372036854775807 kB"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseMemTotal(b); (err == nil) != (n > 0) || n%1024 != 0 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func FuzzOSRelease(f *testing.F) {
	f.Add([]byte("PRETTY_NAME=\"Ubuntu 24.04.2 LTS\"\nNAME=Ubuntu\nVERSION_ID='24.04'\n"))
	f.Add([]byte("PRETTY_NAME=\"\\\"\nNAME=\"\\"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := parseOSRelease(b)
		if s != clean(s) || len(s) > 3*len(b)+1 { // U+FFFD takes three bytes for one
			t.Errorf("%q", s)
		}
	})
}

func FuzzKernelOptions(f *testing.F) {
	f.Add("iommu=pt -- --token=x")
	f.Add("-- x")
	f.Fuzz(func(t *testing.T, s string) {
		got := kernelOptions(s)
		if !strings.Contains(s, got) || strings.Contains(" "+got+" ", " -- ") {
			t.Errorf("%q of %q", got, s)
		}
	})
}

// The whole: whatever is in the files, the result prints, and reads back as it was.
func FuzzCapture(f *testing.F) {
	f.Add([]byte("simd_count 1216\nsimd_per_cu 4\ngfx_target_version 90402\nvendor_id 4098\ndevice_id 29857\ndrm_render_minor 128\n" +
		"heap_type 1\nsize_in_bytes 206141652992\nwidth 8192\nmem_clk_max 1300\n"))
	f.Add([]byte("\x00\xff\x1b[31m\t0::/\nmax 100000"))
	f.Add([]byte("6.4.2-120"))
	const nodes = kfdNodes + "/"
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := fstest.MapFS{}
		for _, name := range []string{
			"proc/sys/kernel/numa_balancing", "proc/loadavg", "proc/self/status", "proc/self/mountinfo", cpuDir + "/online",
			cpuDir + "/cpufreq/policy0/scaling_governor", cpuDir + "/vulnerabilities/meltdown", dmiDir + "/sys_vendor",
			"sys/firmware/dmi/tables/DMI", "sys/devices/system/node/node0/cpulist", "sys/devices/system/node/node0/meminfo",
			"sys/kernel/mm/transparent_hugepage/enabled", "sys/class/net/eth0/device/uevent", "sys/class/net/eth0/speed",
			"sys/class/infiniband/mlx5_0/ports/1/rate",
			"proc/sys/kernel/hostname", "proc/sys/kernel/osrelease", "proc/cmdline", "proc/cpuinfo", "proc/meminfo", "proc/self/cgroup",
			"proc/self/limits", "sys/fs/cgroup/cgroup.controllers", "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/memory.max", "etc/os-release",
			"opt/rocm/.info/version", "opt/rocm/include/rccl/rccl.h", "sys/module/amdgpu/version", nodes + "0/properties", nodes + "1/properties",
			nodes + "0/io_links/0/properties", nodes + "1/p2p_links/0/properties", "sys/class/drm/renderD128/device/fw_version/mec_fw_version",
			"sys/class/drm/renderD128/device/current_link_speed", "sys/class/drm/renderD128/device/unique_id", "var/lib/dpkg/status",
			"opt/rocm/lib/librccl.so.1", nodes + "0/mem_banks/0/properties", "sys/class/drm/renderD128/device/mem_info_vram_total", "sys/class/drm/renderD128/device/product_name",
			nvidiaDir + "/version", nvidiaDir + "/gpus/0000:19:00.0/information", "usr/include/nccl.h", "usr/local/cuda/version.json", "usr/local/cuda/version.txt",
			"sys/bus/pci/devices/0000:19:00.0/vendor", "sys/bus/pci/devices/0000:19:00.0/device",
		} {
			fsys[name] = &fstest.MapFile{Data: b}
		}
		env, err := Capture(t.Context(), Options{FS: fsys})
		if err != nil {
			t.Fatal(err)
		}
		if err := env.WriteText(io.Discard); err != nil {
			t.Fatal(err)
		}
		first, err := json.Marshal(env)
		if err != nil {
			t.Fatal(err)
		}
		var back Environment
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(&back)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%v\n%s\n%s", err, first, second)
		}
	})
}
