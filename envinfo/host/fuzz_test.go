package host

import (
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

func FuzzCgroups(f *testing.F) {
	f.Add([]byte("0::/system.slice/x.service\n4:cpu,cpuacct:/a:b (deleted)\n"), "/a")
	f.Add(
		[]byte(
			"35 32 0:32 /docker/x /sys/fs/cgroup/cpu\\040x ro master:15 - cgroup cgroup rw,cpu\n1 2 0:1 / /x rw - "+
				"cgroup2 c rw\n",
		),
		"/",
	)
	f.Add([]byte("0::/../..\n- - - - - - - cgroup\n"), "")
	f.Fuzz(func(t *testing.T, b []byte, root string) {
		for controller, group := range parseCgroups(b) {
			if !bytes.Contains(b, []byte(controller)) || !bytes.Contains(b, []byte(group)) {
				t.Errorf("%q: %q is not in the file", controller, group)
			}
			if rel, ok := below(group, root); ok && (path.IsAbs(rel) && !strings.HasPrefix(group, "//") || rel == "") {
				t.Errorf("%q below %q is %q", group, root, rel)
			}
		}
		for _, m := range parseCgroupMounts(b) {
			if m.version != 1 && m.version != 2 || !path.IsAbs(m.root) || path.IsAbs(m.point) ||
				strings.Contains("/"+m.point+"/", "/../") {
				t.Errorf("mount %+v", m)
			}
		}
	})
}

func FuzzLimits(f *testing.F) {
	f.Add([]byte("150000 100000\n"))
	f.Add([]byte("max\n"))
	f.Add([]byte("-1"))
	f.Add([]byte("9223372036854771712\nhierarchical_memory_limit 9223372036854710272\n"))
	f.Add([]byte("Max open files            1024                 unlimited              files     \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, parse := range map[string]func([]byte) (fact.Limit, error){
			"cpu.max": parseCPUMax, "memory.max": parseMemoryMax, "limit_in_bytes": parseMemoryV1,
			"memory.stat": parseHierarchicalLimit,
			"cfs":         func(b []byte) (fact.Limit, error) { return parseCFS(b, []byte("100000")) },
		} {
			if l, err := parse(b); err == nil && !(l >= 0) {
				t.Errorf("%s is %v", name, l)
			}
		}
		if soft, hard, err := parseLimit(b, "Max open files"); err == nil && !(soft >= 0 && hard >= 0) {
			t.Errorf("open files are %v, %v", soft, hard)
		}
	})
}

func FuzzMemoryDevices(f *testing.F) {
	f.Add([]byte{17, 21, 0, 0, 20: 0, 22: 0})
	f.Add([]byte{127, 4, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := parseMemoryDevices(b)
		if (err == nil) != (len(out) > 0) || len(out) > len(b)/17 {
			t.Errorf("%d modules, %v", len(out), err)
		}
		for _, m := range out {
			if m.speed < 0 || m.String() == "" {
				t.Errorf("%+v", m)
			}
		}
	})
}

func FuzzHostFiles(f *testing.F) {
	f.Add([]byte("always [madvise] never"))
	f.Add([]byte("Node 0 MemTotal:       792345678 kB\n"))
	f.Add([]byte("0.20 0.18 0.12 1/80 11206\n400 Gb/sec (4X NDR)"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseNodeMemory(b, 0); err == nil && (n < 0 || n%1024 != 0) {
			t.Errorf("memory %d", n)
		}
		if r, err := parseRate(string(b)); err == nil && !(r > 0) {
			t.Errorf("rate %v", r)
		}
		if scrubbed := scrubOptions(string(b)); scrubOptions(scrubbed) != scrubbed {
			t.Errorf("%q is scrubbed further", scrubbed)
		}
		for key, value := range parseUevent(b) {
			if !bytes.Contains(b, []byte(key+"="+value)) {
				t.Errorf("%q = %q is not in the file", key, value)
			}
		}
	})
}

func FuzzCPUInfo(f *testing.F) {
	f.Add(
		[]byte(
			"processor\t: 0\nmodel name\t: X\nphysical id\t: 0\ncore id\t: 0\n\nprocessor\t: 1\nphysical id\t: 0\n" +
				"core id\t: 0\n",
		),
	)
	f.Add([]byte("physical id: 1\nprocessor: x\nprocessor"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := parseCPUInfo(b)
		if c.cores > c.threads || c.sockets > c.threads || c.cores < 0 || c.sockets < 0 ||
			(c.cores > 0 && c.sockets > c.cores) {
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
		if s != fact.Clean(s) || len(s) > 3*len(b)+1 { // U+FFFD takes three bytes for one
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
