package envinfo_test

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/host"
)

func TestHost(t *testing.T) {
	h := capture(t, cpuHost().fs()).Host
	known(t, "host name", h.Hostname, "gpu-01")
	known(t, "kernel", h.Kernel, "6.8.0-60-generic")
	known(t, "distribution", h.Distribution, "Ubuntu 24.04.2 LTS")
	known(t, "model", h.CPUModel, "AMD EPYC 9575F 64-Core Processor")
	known(t, "threads", h.CPUThreads, 8)
	known(t, "cores", h.CPUCores, 4)
	known(t, "sockets", h.CPUSockets, 2)
	known(t, "memory", h.Memory, 1585227012*1024)
	// What follows -- is the command line of the first process.
	known(t, "options", h.CommandLine, "BOOT_IMAGE=/vmlinuz iommu=pt numa_balancing=disable")
}

func TestHostGarbled(t *testing.T) {
	for _, test := range []struct {
		file, data string
		check      func(*testing.T, host.Host)
	}{
		// arm64
		{"proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n\nprocessor\t: 1\n",
			func(t *testing.T, h host.Host) {
				known(t, "threads", h.CPUThreads, 2)
				unknown(t, "model", h.CPUModel, "/proc/cpuinfo: no model name")
				unknown(t, "sockets", h.CPUSockets, "no physical id for every processor")
				unknown(t, "cores", h.CPUCores, "no core id for every processor")
			}},
		{"proc/cpuinfo", "processor\t: 0\r\nmodel name\t: X  \r\nphysical id\t: 0\r\ncore id\t: 0\r\n",
			func(t *testing.T, h host.Host) {
				known(t, "model", h.CPUModel, "X")
				known(t, "cores", h.CPUCores, 1)
			}},
		{"proc/cpuinfo", "processor: 0\nmodel name: A\n\nprocessor: 1\nmodel name: B\n",
			func(t *testing.T, h host.Host) {
				unknown(t, "model", h.CPUModel, "different model names")
			}},
		{"proc/cpuinfo", "processor: 0\nphysical id: 0\ncore id: 0\n\nprocessor: 1\n", func(t *testing.T, h host.Host) {
			unknown(t, "sockets", h.CPUSockets, "for every processor")
		}},
		{"proc/cpuinfo", "\x00\xff:::", func(t *testing.T, h host.Host) {
			unknown(t, "threads", h.CPUThreads, "no processor")
			unknown(t, "model", h.CPUModel, "no model name")
		}},
		{"proc/meminfo", "MemTotal: 12 MB\n", func(t *testing.T, h host.Host) {
			unknown(t, "memory", h.Memory, `MemTotal is "12 MB"`)
		}},
		{"proc/meminfo", "MemTotal: 9223372036854775807 kB\n", func(t *testing.T, h host.Host) {
			unknown(t, "memory", h.Memory, "MemTotal is")
		}},
		{"proc/meminfo", "MemTotal: 0 kB\n", func(t *testing.T, h host.Host) {
			unknown(t, "memory", h.Memory, "MemTotal is")
		}},
		{"proc/meminfo", "", func(t *testing.T, h host.Host) {
			unknown(t, "memory", h.Memory, "/proc/meminfo: no "+
				"MemTotal")
		}},
		{"proc/sys/kernel/osrelease", " \r\n", func(t *testing.T, h host.Host) {
			unknown(t, "kernel", h.Kernel, "osrelease: empty")
		}},
		{"proc/cmdline", "-- secret\n", func(t *testing.T, h host.Host) {
			unknown(t, "options", h.CommandLine, "/proc/cmdline: empty")
		}},
		{"proc/cmdline", "a --\n", func(t *testing.T, h host.Host) { known(t, "options", h.CommandLine, "a") }},
		{"etc/os-release", "# PRETTY_NAME=no\nNAME='Arch \"x\"'\r\n", func(t *testing.T, h host.Host) {
			known(t, "distribution", h.Distribution, `Arch "x"`)
		}},
		{"etc/os-release", "PRETTY_NAME=\"a \\\"b\\\" \\$c\"\n", func(t *testing.T, h host.Host) {
			known(t, "distribution", h.Distribution, `a "b" $c`)
		}},
		{"etc/os-release", "PRETTY_NAME=\"\n", func(t *testing.T, h host.Host) {
			known(t, "distribution", h.Distribution, `"`)
		}},
		{"etc/os-release", "ID=x\n", func(t *testing.T, h host.Host) {
			unknown(t, "distribution", h.Distribution, "/etc/os-release: neither PRETTY_NAME nor NAME; "+
				"/usr/lib/os-release: no such file")
		}},
	} {
		t.Run(strings.ReplaceAll(test.file, "/", "_"), func(t *testing.T) {
			test.check(t, capture(t, cpuHost().with(tree{test.file: test.data}).fs()).Host)
		})
	}
}

func TestProcess(t *testing.T) {
	p := capture(t, cpuHost().fs()).Process
	known(t, "CPU limit", p.CPULimit, 8) // of the group above
	known(t, "memory limit", p.MemoryLimit, 549755813888)
	known(t, "open files", p.OpenFiles, 1024)
	known(t, "open files, hard", p.OpenFilesHard, 1048576)
	if got := p.CPULimit.Source(); got != "/sys/fs/cgroup/system.slice/cpu.max" {
		t.Errorf("source of the CPU limit is %q", got)
	}
}

func TestProcessGarbled(t *testing.T) {
	const group = "sys/fs/cgroup/system.slice/bench.service/"
	for _, test := range []struct {
		name  string
		files tree
		drop  string
		check func(*testing.T, host.Process)
	}{
		{"quota", tree{group + "cpu.max": "150000 100000\n"}, "", func(t *testing.T, p host.Process) {
			known(t, "CPU limit", p.CPULimit, 1.5)
		}},
		{"garbage", tree{group + "cpu.max": "lots\n", group + "memory.max": "-1\n"}, "",
			func(t *testing.T, p host.Process) {
				unknown(t, "CPU limit", p.CPULimit, "/"+group+`cpu.max: "lots" is not a quota and a period`)
				unknown(t, "memory limit", p.MemoryLimit, `"-1" is not a number`)
			}},
		{"no period", tree{group + "cpu.max": "max 0\n"}, "", func(t *testing.T, p host.Process) {
			unknown(t, "CPU limit", p.CPULimit, "is not a quota")
		}},
		{"root group", tree{"proc/self/cgroup": "0::/\n"}, "", func(t *testing.T, p host.Process) {
			known(t, "CPU limit", p.CPULimit, fact.NoLimit())
			if got := p.CPULimit.Source(); got != "no cpu.max sets one from /sys/fs/cgroup up to /sys/fs/cgroup" {
				t.Errorf("source is %q", got)
			}
		}},
		{"container", tree{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, "",
			func(t *testing.T, p host.Process) {
				known(t, "memory limit", p.MemoryLimit, 1<<30)
			}},
		{"nothing mounted", tree{"proc/self/cgroup": "4:memory:/x\n0::/\n"}, "sys/fs/cgroup",
			func(t *testing.T, p host.Process) {
				unknown(t, "CPU limit", p.CPULimit, "no mounted control groups of version 2 show the group")
			}},
		{"group out of sight", tree{"proc/self/cgroup": "0::/elsewhere\n"}, "", func(t *testing.T, p host.Process) {
			unknown(t, "CPU limit", p.CPULimit, "/sys/fs/cgroup/elsewhere: no such file")
		}},
		{"group above the namespace", tree{"proc/self/cgroup": "0::/../../x\n"}, "",
			func(t *testing.T, p host.Process) {
				unknown(t, "CPU limit", p.CPULimit, "outside of what this process can see")
			}},
		{"version 1 not mounted", tree{"proc/self/cgroup": "1:cpu:/\n"}, "", func(t *testing.T, p host.Process) {
			unknown(t, "CPU limit", p.CPULimit,
				`no mounted control groups of version 1 show the group "/", which `+
					`/proc/self/cgroup names for cpu`)
		}},
		{"unlimited files", tree{"proc/self/limits": "Max open files  unlimited unlimited files\n"}, "",
			func(t *testing.T, p host.Process) {
				known(t, "open files", p.OpenFiles, fact.NoLimit())
			}},
		{"no limit of files", tree{"proc/self/limits": "Max stack size 1 1 bytes\n"}, "",
			func(t *testing.T, p host.Process) {
				unknown(t, "open files", p.OpenFiles, `no "Max open files"`)
			}},
		{"garbled limit", tree{"proc/self/limits": "Max open files 12 many files\n"}, "",
			func(t *testing.T, p host.Process) {
				unknown(t, "open files", p.OpenFilesHard, "has no two limits")
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := cpuHost()
			for name := range tr {
				if test.drop != "" && strings.HasPrefix(name, test.drop) {
					delete(tr, name)
				}
			}
			test.check(t, capture(t, tr.with(test.files).fs()).Process)
		})
	}
}
