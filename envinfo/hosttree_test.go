package envinfo_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/host"
)

// Trees of hosts, as these documents of the kernel lay them out:
// admin-guide/{cputopology,pm/cpufreq,mm/transhuge,cgroup-v2}.rst, admin-guide/cgroup-v1,
// ABI/{stable/sysfs-devices-node,testing/{sysfs-class-net,sysfs-class-iommu,sysfs-kernel-iommu_groups},
// stable/sysfs-class-infiniband}, and the SMBIOS specification (DMTF DSP0134). Names of machines and cards are
// published ones.

// epyc is a machine of two sockets with four cores of two threads each, numbered as the kernel does: the second threads
// come last.
func epyc() tree {
	t := cpuHost()
	info := ""
	for i := range 16 {
		info += fmt.Sprintf(
			"processor\t: %d\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9575F 64-Core Processor\n"+
				"microcode\t: 0xb00215a\n"+
				"physical id\t: %d\ncore id\t\t: %d\nflags\t\t: fpu vme svm\n\n",
			i,
			i/4%2,
			i%4,
		)
		policy := fmt.Sprintf("sys/devices/system/cpu/cpufreq/policy%d/", i)
		t = t.with(tree{
			policy + "scaling_governor": "performance\n", policy + "scaling_driver": "amd-pstate-epp\n",
			policy + "energy_performance_preference": "performance\n", policy + "cpuinfo_max_freq": "5008984\n",
		})
	}
	for i, cpus := range []string{"0-3,8-11", "4-7,12-15"} {
		node := fmt.Sprintf("sys/devices/system/node/node%d/", i)
		t = t.with(tree{
			node + "cpulist": cpus + "\n", node + "distance": []string{"10 32", "32 10"}[i] + "\n",
			node + "meminfo": fmt.Sprintf("Node %d MemTotal:       792345678 kB\nNode %d MemFree:        1 kB\n", i, i),
		})
	}
	t["proc/self/limits"] += "Max locked memory         8388608              unlimited            bytes     \nMax " +
		"stack size            8388608              unlimited            bytes     \n" +
		"Max processes             96365                96366                processes \n"
	for name, bdf := range map[string]string{"ens1f0np0": "0000:9f:00.0", "enx0123456789ab": "0000:a1:00.0"} {
		t = t.with(nic(name, tree{
			"operstate": "up\n", "speed": "400000\n", "mtu": "9000\n", "address": "01:23:45:67:89:ab\n",
			"device/uevent": "DRIVER=mlx5_core\nPCI_CLASS=20000\nPCI_ID=15B3:1021\nPCI_SUBSYS_ID=15B3:0040\n" +
				"PCI_SLOT_NAME=" + bdf + "\n",
			"device/numa_node": "1\n", "device/current_link_speed": "32.0 GT/s PCIe\n",
			"device/current_link_width": "16\n",
		}))
	}
	const ib = "sys/class/infiniband/mlx5_0/"
	t["sys/class/infiniband/ibx0123456789ab/fw_ver"],
		t["sys/class/infiniband/ibx0123456789ab/ports/1/rate"] = "28.39.2048\n", "?"
	return t.with(tree{
		"proc/cpuinfo":                                info,
		"proc/sys/kernel/version":                     "#63-Ubuntu SMP PREEMPT_DYNAMIC Tue Apr 15 19:04:15 UTC 2025\n",
		"proc/sys/kernel/arch":                        "x86_64\n",
		"proc/sys/kernel/numa_balancing":              "1\n",
		"sys/devices/system/cpu/online":               "0-15\n",
		"sys/devices/system/cpu/smt/control":          "on\n",
		"sys/devices/system/cpu/cpufreq/boost":        "1\n",
		"sys/devices/system/node/has_cpu":             "0-1\n",
		"sys/class/dmi/id/sys_vendor":                 "Supermicro\n",
		"sys/class/dmi/id/product_name":               "AS -8125GS-TNMR2\n",
		"sys/class/dmi/id/board_name":                 "H13DSG-OM\n",
		"sys/class/dmi/id/bios_vendor":                "American Megatrends International, LLC.\n",
		"sys/class/dmi/id/bios_version":               "3.1\n",
		"sys/class/dmi/id/bios_date":                  "07/29/2024\n",
		"sys/class/dmi/id/product_serial":             "SERIAL-1\n",
		"sys/firmware/dmi/tables/DMI":                 smbios(24),
		"sys/kernel/mm/transparent_hugepage/enabled":  "always [madvise] never\n",
		"sys/kernel/mm/transparent_hugepage/defrag":   "always defer defer+madvise [madvise] never\n",
		"sys/class/iommu/ivhd0/uevent":                "",
		"sys/class/iommu/ivhd1/uevent":                "",
		"sys/kernel/iommu_groups/0/type":              "identity\n",
		"sys/kernel/iommu_groups/1/type":              "DMA-FQ\n",
		"sys/kernel/iommu_groups/2/type":              "identity\n",
		"sys/class/net/lo/mtu":                        "65536\n",
		"sys/class/net/docker0/operstate":             "up\n",
		"sys/class/net/bonding_masters":               "bond0\n",
		"sys/module/mlx5_core/version":                "24.10-1.1.4\n",
		ib + "fw_ver":                                 "28.39.2048\n",
		ib + "board_id":                               "MT_0000000838\n",
		ib + "node_guid":                              "0123:4567:89ab:cdef\n",
		ib + "ports/1/state":                          "4: ACTIVE\n",
		ib + "ports/1/rate":                           "400 Gb/sec (4X NDR)\n",
		ib + "ports/1/link_layer":                     "InfiniBand\n",
		ib + "device/uevent":                          "DRIVER=mlx5_core\nPCI_SLOT_NAME=0000:9f:00.0\n",
		ib + "device/numa_node":                       "-1\n",
		clockDir + "current_clocksource":              "tsc\n",
		clockDir + "available_clocksource":            "tsc hpet acpi_pm\n",
		vulnerabilitiesDir + "meltdown":               "Not affected\n",
		vulnerabilitiesDir + "spectre_v2":             "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional\n",
		vulnerabilitiesDir + "itlb_multihit":          "KVM: Mitigation: VMX disabled\n",
		vulnerabilitiesDir + "spec_rstack_overflow":   "Vulnerable: Safe RET, no microcode\n",
		vulnerabilitiesDir + "something_of_tomorrow":  "Unknown: Dependent on hypervisor status\n",
		"proc/self/status":                            "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8-11\n",
		"sys/fs/cgroup/system.slice/pids.max":         "154000\n",
		"sys/fs/cgroup/cpuset.cpus.effective":         "0-15\n",
		"sys/fs/cgroup/cpuset.mems.effective":         "0-1\n",
		"sys/fs/cgroup/system.slice/bench.service/io": "",
	})
}

const (
	clockDir           = "sys/devices/system/clocksource/clocksource0/"
	vulnerabilitiesDir = "sys/devices/system/cpu/vulnerabilities/"
)

func nic(name string, files tree) tree {
	out := tree{}
	for file, data := range files {
		out["sys/class/net/"+name+"/"+file] = data
	}
	return out
}

// smbios is a table with a firmware structure, so many modules of 64 GiB DDR5, an empty slot, other modules and the
// end.
func smbios(modules int, others ...string) string {
	structure := func(kind byte, fields []byte, names string) string {
		return string(append([]byte{kind, byte(4 + len(fields)), 0, 0}, fields...)) + names + "\x00\x00"
	}
	module := func(mib uint16) []byte {
		b := make([]byte, 0x5c-4)
		put := binary.LittleEndian.PutUint16
		put(b[0x0c-4:], mib)
		b[0x12-4] = 0x22
		put(b[0x15-4:], 5600)
		binary.LittleEndian.PutUint32(b[0x1c-4:], 65536)
		put(b[0x20-4:], 4800)
		return b
	}
	out := structure(0, make([]byte, 20), "vendor\x003.1")
	for range modules {
		out += structure(17, module(0x7fff), "P0 DIMM A\x00BANK 0")
	}
	return out + structure(17, module(0), "") + strings.Join(others, "") + structure(127, nil, "")
}

func TestHostEPYC(t *testing.T) {
	env := capture(t, epyc().fs())
	h := env.Host
	known(t, "sockets", h.CPUSockets, 2)
	known(t, "cores", h.CPUCores, 8)
	known(t, "threads", h.CPUThreads, 16)
	known(t, "threads per core", h.ThreadsPerCore, 2)
	known(t, "SMT", h.SMT, "on")
	known(t, "online", h.CPUsOnline, "0-15")
	known(t, "microcode", h.Microcode, "0xb00215a")
	known(t, "architecture", h.Architecture, "x86_64")
	known(t, "governor", h.Frequency.Governor, "performance")
	known(t, "driver", h.Frequency.Driver, "amd-pstate-epp")
	known(t, "preference", h.Frequency.EnergyPreference, "performance")
	known(t, "fastest", h.Frequency.Max, 5008984)
	known(t, "boost", h.Frequency.Boost, true)
	known(t, "virtualization", h.Virtualization, "none")
	known(t, "vendor", h.Machine.Vendor, "Supermicro")
	known(t, "product", h.Machine.Product, "AS -8125GS-TNMR2")
	known(t, "BIOS date", h.Machine.BIOSDate, "07/29/2024")
	known(t, "modules", h.MemoryModules, "24x 64 GiB DDR5 at 4800 MT/s")
	known(t, "memory speed", h.MemorySpeed, 4800)
	known(t, "nodes", h.NUMA.Count, 2)
	known(t, "node 1", h.NUMA.Nodes[1].CPUs, "4-7,12-15")
	known(t, "node 1", h.NUMA.Nodes[1].CPUCount, 8)
	known(t, "node 1", h.NUMA.Nodes[1].Memory, 792345678*1024)
	known(t, "node 1", h.NUMA.Nodes[1].Distances, "32 10")
	known(t, "balancing", h.NUMA.Balancing, 1)
	known(t, "huge pages", h.Tuning.HugePages, "madvise")
	known(t, "defrag", h.Tuning.HugePagesDefrag, "madvise")
	known(t, "clock source", h.Tuning.ClockSource, "tsc")
	known(t, "IOMMUs", h.Tuning.IOMMUs, 2)
	known(t, "domains", h.Tuning.IOMMUDomains, "2x identity, 1x DMA-FQ")
	known(t, "mitigated", h.Tuning.Mitigated, 2)
	known(t, "vulnerable", h.Tuning.Vulnerable, 1)
	known(t, "not affected", h.Tuning.NotAffected, 1)

	known(t, "cards", h.Network.Count, 2)
	card := h.Network.Cards[0]
	known(t, "driver", card.Driver, "mlx5_core")
	known(t, "driver", card.DriverVersion, "24.10-1.1.4")
	known(t, "address", card.PCIAddress, "0000:9f:00.0")
	known(t, "id", card.PCIID, "15b3:1021")
	known(t, "node", card.NUMANode, 1)
	known(t, "speed", card.Speed, 400000)
	known(t, "MTU", card.MTU, 9000)
	known(t, "width", card.LinkWidth, 16)
	known(t, "virtual function", card.VirtualFunction, false)
	known(t, "RDMA", h.Network.RDMACount, 2)
	rdma := h.Network.RDMA[1]
	known(t, "firmware", rdma.Firmware, "28.39.2048")
	known(t, "board", rdma.Board, "MT_0000000838")
	unknown(t, "node", rdma.NUMANode, "-1, the firmware does not tell")
	known(t, "state", rdma.Ports[0].State, "ACTIVE")
	known(t, "rate", rdma.Ports[0].Rate, 400)
	known(t, "layer", rdma.Ports[0].LinkLayer, "InfiniBand")

	p := env.Process
	known(t, "allowed", p.Allowed, "0-3,8-11")
	known(t, "allowed", p.AllowedCount, 8)
	known(t, "usable", p.UsableCPUs, 8)
	known(t, "usable", p.UsableMemory, 549755813888)
	known(t, "tasks", p.TaskLimit, 154000)
	known(t, "cpuset", p.CPUSet, "0-15") // of the group above, as its own has no such file
	known(t, "nodes", p.MemoryNodes, "0-1")

	if !slices.ContainsFunc(env.Warnings, func(w fact.Warning) bool { return w.About == "host.numa.balancing" }) {
		t.Errorf("no warning of NUMA balancing in %v", env.Warnings)
	}
	golden(t, "epyc-host.txt", hostText(t, env))
	// What names this machine and not its kind.
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"01:23:45", "0123456789ab", "0123:4567", "SERIAL-1"} {
		if strings.Contains(string(b), s) {
			t.Errorf("%q was recorded", s)
		}
	}
}

// hostText is the tables of the host, its network and the limits.
func hostText(t *testing.T, env *envinfo.Environment) string {
	t.Helper()
	_, rest, ok := strings.Cut(text(t, env), "\nHost  ")
	out, _, ends := strings.Cut(rest, "\nKernel options")
	if !ok || !ends {
		t.Fatal("the text has no table of the host")
	}
	return "Host  " + out
}

func TestHostTrees(t *testing.T) {
	const cpu, dmi = "sys/devices/system/cpu/", "sys/class/dmi/id/"
	guest := tree{
		"proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu " +
			"hypervisor\n",
	}
	arm := tree{"proc/sys/kernel/arch": "aarch64\n", cpu + "online": "0-3\n", "proc/cpuinfo": ""}
	for i := range 4 {
		arm["proc/cpuinfo"] += fmt.Sprintf(
			"processor\t: %d\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"+
				"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd4f\nCPU revision\t: 1\n\n",
			i,
		)
		arm[fmt.Sprintf("%scpu%d/topology/core_cpus_list", cpu, i)] = fmt.Sprintf("%d\n", i)
		arm[fmt.Sprintf("%scpu%d/topology/core_siblings_list", cpu, i)] = []string{"0-1\n", "2-3\n"}[i/2]
	}
	for _, test := range []struct {
		name  string
		files tree
		check func(*testing.T, host.Host)
	}{
		{"arm", arm, func(t *testing.T, h host.Host) {
			known(t, "model", h.CPUModel, "Arm Neoverse-V2")
			if got := h.CPUModel.Source(); got != "table: /proc/cpuinfo: CPU implementer and part 0x41 0xd4f" {
				t.Errorf("source is %q", got)
			}
			known(t, "cores", h.CPUCores, 4)
			known(t, "sockets", h.CPUSockets, 2) // by the older name of the file
			known(t, "threads per core", h.ThreadsPerCore, 1)
			unknown(t, "virtualization", h.Virtualization, "flags are not there to tell")
			unknown(t, "microcode", h.Microcode, "no microcode")
		}},
		{"arm of an unknown part", arm.with(tree{"proc/cpuinfo": "processor: 0\nCPU implementer: 0x41\nCPU part: " +
			"0xFFF\n"}), func(t *testing.T, h host.Host) {
			known(t, "model", h.CPUModel, "implementer 0x41 part 0xfff")
		}},
		{"arm of two parts", arm.with(tree{"proc/cpuinfo": "processor: 0\nCPU implementer: 0x41\nCPU part: 0xd05\n" +
			"\nprocessor: 1\nCPU implementer: 0x41\nCPU part: 0xd0b\n"}),
			func(t *testing.T, h host.Host) {
				known(t, "model", h.CPUModel, "1x Arm Cortex-A55, 1x Arm Cortex-A76")
			}},
		{"arm without topology", arm.with(tree{cpu + "cpu3/topology/core_cpus_list": "\n"}),
			func(t *testing.T, h host.Host) {
				unknown(t, "cores", h.CPUCores, "cpu3/topology/core_cpus_list: not a list of processors")
			}},
		{"arm in EC2", arm.with(tree{dmi + "sys_vendor": "Amazon EC2\n"}), func(t *testing.T, h host.Host) {
			known(t, "virtualization", h.Virtualization, "amazon")
		}},
		{"guest of KVM", guest.with(tree{dmi + "sys_vendor": "QEMU\n",
			clockDir + "available_clocksource":      "kvm-clock tsc acpi_pm\n",
			"sys/devices/system/node/node0/cpulist": "0\n",
			"sys/devices/system/node/node0/meminfo": "Node 0 MemTotal: 2048 kB\n"}), func(t *testing.T, h host.Host) {
			known(t, "virtualization", h.Virtualization, "kvm")
			known(t, "nodes", h.NUMA.Count, 1)
			known(t, "memory", h.NUMA.Nodes[0].Memory, 2<<20)
		}},
		{"guest of QEMU", guest.with(tree{dmi + "sys_vendor": "QEMU\n"}), func(t *testing.T, h host.Host) {
			known(t, "virtualization", h.Virtualization, "qemu")
		}},
		{"guest of VMware", guest.with(tree{dmi + "sys_vendor": "VMware, Inc.\n"}), func(t *testing.T, h host.Host) {
			known(t, "virtualization", h.Virtualization, "vmware")
		}},
		{"guest of Hyper-V", guest.with(tree{dmi + "sys_vendor": "Microsoft Corporation\n",
			dmi + "product_name": "Virtual Machine\n"}),
			func(t *testing.T, h host.Host) {
				known(t, "virtualization", h.Virtualization, "microsoft")
			}},
		{"guest of Xen", guest.with(tree{"sys/hypervisor/type": "xen\n"}), func(t *testing.T, h host.Host) {
			known(t, "virtualization", h.Virtualization, "xen")
		}},
		{"domain 0 of Xen", guest.with(tree{"sys/hypervisor/type": "xen\n", "proc/xen/capabilities": "control_d\n"}),
			func(t *testing.T, h host.Host) {
				known(t, "virtualization", h.Virtualization, "none")
			}},
		{"guest of a nameless one", guest, func(t *testing.T, h host.Host) {
			known(t, "virtualization", h.Virtualization, "vm-other")
		}},
		{"bare metal of EC2", tree{dmi + "sys_vendor": "Amazon EC2\n"}, func(t *testing.T, h host.Host) {
			known(t, "virtualization", h.Virtualization, "none")
		}},
		{"placeholders", tree{dmi + "sys_vendor": "To Be Filled By O.E.M.\n", dmi + "board_name": "Default string\n"},
			func(t *testing.T, h host.Host) {
				unknown(t, "vendor", h.Machine.Vendor, "until a maker fills it in")
				unknown(t, "board", h.Machine.Board, `/sys/class/dmi/id/board_name: "Default string"`)
			}},
		{"governors that differ", epyc().with(tree{cpu + "cpufreq/policy3/scaling_governor": "powersave\n",
			cpu + "cpufreq/policy4/scaling_governor": "",
			cpu + "cpufreq/policy5/cpuinfo_max_freq": "5121000\n"}), func(t *testing.T, h host.Host) {
			known(t, "governor", h.Frequency.Governor, "14x performance, 1x powersave, 1x unknown")
			known(t, "fastest", h.Frequency.Max, 5121000)
			if got := h.Frequency.Max.Source(); got != "/sys/devices/system/cpu/cpufreq/policy5/cpuinfo_max_freq, "+
				"the greatest of 16" {
				t.Errorf("source is %q", got)
			}
		}},
		{"a clock that cannot be read", epyc().with(tree{cpu + "cpufreq/policy5/cpuinfo_max_freq": "fast\n"}),
			func(t *testing.T, h host.Host) {
				unknown(t, "fastest", h.Frequency.Max, `policy5/cpuinfo_max_freq: "fast" is not a number`)
			}},
		// The fields of version 2.1 end before the speed at which a module is run; a size with bit 15 is in KiB.
		{"modules that differ", tree{"sys/firmware/dmi/tables/DMI": smbios(3,
			"\x11\x15\x00\x00"+strings.Repeat("\x00", 8)+"\x00\xa0"+
				strings.Repeat("\x00", 4)+"\x1a\x00\x00"+"\x00\x00")}, func(t *testing.T, h host.Host) {
			known(t, "modules", h.MemoryModules, "3x 64 GiB DDR5 at 4800 MT/s, 1x 8 MiB DDR4 at unknown speed")
			unknown(t, "speed", h.MemorySpeed, "not one speed for all memory devices")
		}},
		{"no modules", tree{"sys/firmware/dmi/tables/DMI": smbios(0)}, func(t *testing.T, h host.Host) {
			unknown(t, "modules", h.MemoryModules, "no memory device that is fitted")
		}},
		{"turbo of Intel", tree{cpu + "intel_pstate/no_turbo": "1\n"}, func(t *testing.T, h host.Host) {
			known(t, "boost", h.Frequency.Boost, false)
		}},
		{"garbled files", epyc().with(tree{
			"sys/kernel/mm/transparent_hugepage/enabled": "always madvise never\n",
			"proc/sys/kernel/numa_balancing":             "yes\n",
			cpu + "cpufreq/boost":                        "2\n", cpu + "online": "3-1\n",
			"sys/devices/system/node/node0/cpulist": "\n",
			"sys/devices/system/node/node0/meminfo": "Node 1 MemTotal: 5 kB\n",
			"sys/firmware/dmi/tables/DMI":           "\x11\x03\x00\x00", "sys/class/net/ens1f0np0/speed": "-1\n",
			"sys/class/infiniband/mlx5_0/ports/1/rate": "fast\n", "sys/class/infiniband/mlx5_0/ports/1/state": "ACTIVE",
		}), func(t *testing.T, h host.Host) {
			unknown(t, "huge pages", h.Tuning.HugePages, "does not have one choice in brackets")
			unknown(t, "balancing", h.NUMA.Balancing, `"yes" is not a number`)
			unknown(t, "boost", h.Frequency.Boost, `"2" is neither 0 nor 1`)
			unknown(t, "online", h.CPUsOnline, `"3-1" is not a list of ranges`)
			unknown(t, "CPUs", h.NUMA.Nodes[0].CPUs, "cpulist: empty")
			known(t, "CPUs", h.NUMA.Nodes[0].CPUCount, 0) // a node of memory alone
			unknown(t, "memory", h.NUMA.Nodes[0].Memory, "no MemTotal of node 0")
			unknown(t, "modules", h.MemoryModules, "a structure of length 3")
			unknown(t, "speed", h.Network.Cards[0].Speed, "-1, there is no link")
			unknown(t, "rate", h.Network.RDMA[1].Ports[0].Rate, `"fast" is not a rate`)
			known(t, "state", h.Network.RDMA[1].Ports[0].State, "ACTIVE")
		}},
		{"nothing but virtual interfaces", tree{"sys/class/net/lo/mtu": "65536\n"}, func(t *testing.T, h host.Host) {
			known(t, "cards", h.Network.Count, 0)
			unknown(t, "RDMA", h.Network.RDMACount, "/sys/class/infiniband: no such file")
		}},
		{"virtio", nic("eth0", tree{"device/uevent": "DRIVER=virtio_net\n", "device/physfn/vendor": "0x15b3"}),
			func(t *testing.T, h host.Host) {
				known(t, "driver", h.Network.Cards[0].Driver, "virtio_net")
				known(t, "virtual function", h.Network.Cards[0].VirtualFunction, true)
				unknown(t, "address", h.Network.Cards[0].PCIAddress, "/sys/class/net/eth0/device/uevent: no "+
					"PCI_SLOT_NAME")
			}},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t, capture(t, cpuHost().with(test.files).fs()).Host) })
	}
}

// Limits by both versions of control groups. Lines of mountinfo and cgroup have the form of published ones of docker
// and kubernetes.
func TestControlGroups(t *testing.T) {
	const docker = "/docker/0ac949292b659a21e0037c91c7149f6fea12235ae4c5840d8448714081973154"
	mount := func(root, point, options string) string {
		kind := "cgroup"
		if options == "" {
			kind = "cgroup2"
		}
		return "35 32 0:32 " + root + " " + point + " ro,nosuid,nodev,noexec,relatime master:15 - " + kind +
			" cgroup rw," + options + "\n"
	}
	status := tree{"proc/self/status": "Cpus_allowed_list:\t0-7\n", "proc/meminfo": "MemTotal: 16777216 kB\n"}
	v1 := status.with(tree{
		"proc/self/cgroup": "12:cpuset:/a/b\n4:cpu,cpuacct:/a/b\n3:memory:/a/b\n2:pids:/a/b\n1:name=systemd:/a/b\n" +
			"0::/a/b\n",
		"proc/self/mountinfo": "22 27 0:21 / /proc rw - proc proc rw\n" + mount("/", "/sys/fs/cgroup/cpu,cpuacct",
			"cpu,cpuacct") +
			mount("/", "/sys/fs/cgroup/memory", "memory") + mount(
			"/",
			"/sys/fs/cgroup/pids",
			"pids",
		) + mount("/", "/sys/fs/cgroup/cpuset", "cpuset") +
			mount("/", "/sys/fs/cgroup/unified", ""),
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":      "-1\n",
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us":     "100000\n",
		"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us":    "250000\n",
		"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us":   "100000\n",
		"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us":  "200000\n",
		"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": "50000\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":      "9223372036854771712\n",
		"sys/fs/cgroup/memory/a/memory.limit_in_bytes":    "8589934592\n",
		"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes":  "9223372036854771712\n",
		"sys/fs/cgroup/pids/a/b/pids.max":                 "max\n",
		"sys/fs/cgroup/cpuset/a/b/cpuset.cpus":            "0-3\n",
		"sys/fs/cgroup/cpuset/a/b/cpuset.effective_cpus":  "0-2\n",
		"sys/fs/cgroup/cpuset/a/b/cpuset.mems":            "0\n",
	})
	for _, test := range []struct {
		name  string
		files tree
		check func(*testing.T, host.Process)
	}{
		{"version 1", v1, func(t *testing.T, p host.Process) {
			known(t, "CPU limit", p.CPULimit, 2.5)
			if got := p.CPULimit.Source(); got != "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us" {
				t.Errorf("source is %q", got)
			}
			known(t, "memory limit", p.MemoryLimit, 8<<30)
			known(t, "tasks", p.TaskLimit, fact.NoLimit())
			known(t, "cpuset", p.CPUSet, "0-2")
			known(t, "nodes", p.MemoryNodes, "0")
			known(t, "usable CPUs", p.UsableCPUs, 2.5)
			known(t, "usable memory", p.UsableMemory, 8<<30)
		}},
		{"version 1, by convention", without(v1, "proc/self/mountinfo"), func(t *testing.T, p host.Process) {
			known(t, "CPU limit", p.CPULimit, 2.5)
			known(t, "memory limit", p.MemoryLimit, 8<<30)
		}},
		{"version 1, the kernel's own sum", v1.with(tree{
			"sys/fs/cgroup/memory/a/b/memory.stat": "cache 1\nhierarchical_memory_limit 2147483648\n"}),
			func(t *testing.T, p host.Process) { known(t, "memory limit", p.MemoryLimit, 2<<30) }},
		{"version 1, no limit of memory", v1.with(tree{
			"sys/fs/cgroup/memory/a/b/memory.stat": "hierarchical_memory_limit 9223372036854710272\n"}),
			func(t *testing.T, p host.Process) {
				known(t, "memory limit", p.MemoryLimit, fact.NoLimit())
				known(t, "usable memory", p.UsableMemory, 16<<30)
			}},
		{"version 1, garbled", v1.with(tree{"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "0\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "much\n"}),
			func(t *testing.T, p host.Process) {
				unknown(t, "CPU limit", p.CPULimit, `"0" in a period of "100000" is not a quota`)
				unknown(t, "memory limit", p.MemoryLimit, `"much" is not a number`)
				unknown(t, "usable CPUs", p.UsableCPUs, "not both are known")
			}},
		{"version 1, no period", without(v1, "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us"),
			func(t *testing.T, p host.Process) {
				unknown(t, "CPU limit", p.CPULimit, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us: no such file")
			}},
		{"docker, version 1", status.with(tree{
			"proc/self/cgroup": "4:cpu,cpuacct:" + docker + "\n3:memory:" + docker + "/sub\n",
			"proc/self/mountinfo": mount(docker, "/sys/fs/cgroup/cpu,cpuacct",
				"cpu,cpuacct") + mount(docker, "/sys/fs/cgroup/memory", "memory"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":     "150000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us":    "100000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     "1073741824\n",
			"sys/fs/cgroup/memory/sub/memory.limit_in_bytes": "2147483648\n",
		}), func(t *testing.T, p host.Process) {
			known(t, "CPU limit", p.CPULimit, 1.5)
			known(t, "memory limit", p.MemoryLimit, 1<<30)
			unknown(t, "cpuset", p.CPUSet, "no version 2 group (0::/…), and no version 1 group for cpuset")
		}},
		{"version 2, nested", status.with(tree{
			"proc/self/cgroup": "0::/kubepods.slice/pod1.slice/with " +
				"space\n",
			"proc/self/mountinfo":                                           mount("/", "/sys/fs/cgroup", ""),
			"sys/fs/cgroup/kubepods.slice/cpu.max":                          "9000000 1000000\n",
			"sys/fs/cgroup/kubepods.slice/memory.max":                       "max\n",
			"sys/fs/cgroup/kubepods.slice/cpuset.cpus.effective":            "0-6\n",
			"sys/fs/cgroup/kubepods.slice/pod1.slice/cpu.max":               "400000 100000\n",
			"sys/fs/cgroup/kubepods.slice/pod1.slice/memory.max":            "4294967296\n",
			"sys/fs/cgroup/kubepods.slice/pod1.slice/pids.max":              "1000\n",
			"sys/fs/cgroup/kubepods.slice/pod1.slice/cpuset.cpus.effective": "0-5\n",
			"sys/fs/cgroup/kubepods.slice/pod1.slice/with space/cpu.max":    "max 100000\n",
		}), func(t *testing.T, p host.Process) {
			known(t, "CPU limit", p.CPULimit, 4)
			known(t, "memory limit", p.MemoryLimit, 4<<30)
			known(t, "tasks", p.TaskLimit, 1000)
			known(t, "cpuset", p.CPUSet, "0-5")
			known(t, "usable CPUs", p.UsableCPUs, 4)
		}},
		{"version 2, mounted elsewhere", status.with(tree{
			"proc/self/cgroup": "0::/x\n", "proc/self/mountinfo": mount("/", `/mnt/c\040g`, ""),
			"mnt/c g/x/cpu.max": "300000 100000\n",
		}), func(t *testing.T, p host.Process) { known(t, "CPU limit", p.CPULimit, 3) }},
		{"version 2, a mount of another group", status.with(tree{
			"proc/self/cgroup": "0::/x\n", "proc/self/mountinfo": mount("/xy", "/sys/fs/cgroup", ""),
			"sys/fs/cgroup/cpu.max": "300000 100000\n",
		}), func(t *testing.T, p host.Process) {
			unknown(t, "CPU limit", p.CPULimit, "no mounted control groups of version 2 show the group")
		}},
		{"limits", tree{"proc/self/limits": "Max locked memory         8388608              unlimited            " +
			"bytes     \n" +
			"Max processes             96365                96366                processes \nMax stack size 1 many " +
			"bytes\n"}, func(t *testing.T, p host.Process) {
			known(t, "locked", p.LockedMemory, 8<<20)
			known(t, "locked, hard", p.LockedMemoryHard, fact.NoLimit())
			known(t, "processes", p.Processes, 96365)
			known(t, "processes, hard", p.ProcessesHard, 96366)
			unknown(t, "stack", p.Stack, "has no two limits")
			unknown(t, "allowed", p.Allowed, "/proc/self/status: no such file")
		}},
		{"garbled status", tree{"proc/self/status": "Cpus_allowed_list:\n"}, func(t *testing.T, p host.Process) {
			unknown(t, "allowed", p.AllowedCount, "Cpus_allowed_list is empty")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t, capture(t, test.files.fs()).Process) })
	}
}

func without(t tree, name string) tree {
	t = t.with()
	delete(t, name)
	return t
}

func TestScrubbedOptions(t *testing.T) {
	for line, want := range map[string]string{
		"iommu=pt amd_iommu=on pci=realloc=off":      "iommu=pt amd_iommu=on pci=realloc=off",
		"quiet api_token=hunter2 x.Password=\"a b\"": "quiet api_token=[withheld] x.Password=[withheld]",
		"ip=10.0.0.1::10.0.0.254 BOOTIF=01-aa-bb ro": "ip=[withheld] BOOTIF=[withheld] ro",
		"inst.ks=https://joe:pw@host/ks quiet":       "inst.ks=[withheld] quiet",
		"inst.ks=https://host/ks?auth=abc":           "inst.ks=[withheld]",
		"x=hf_abcdefghijkl y=sk-abcdefghijklm":       "x=[withheld] y=[withheld]",
		"ds=nocloud;h=name":                          "ds=[withheld]",
		"dyndbg=\"file x.c +p\" isolcpus=1-3":        "dyndbg=\"file x.c +p\" isolcpus=1-3",
		"roothash=0123456789abcdef0123456789abcdef":  "roothash=[withheld]",
		"hf_abcdefghijkl":                            "[withheld]",
		"\"secret=a b\" quiet":                       "secret=[withheld] quiet",
		"mitigations=off transparent_hugepage=never": "mitigations=off transparent_hugepage=never",
	} {
		known(t, line, capture(t, cpuHost().with(tree{"proc/cmdline": line}).fs()).Host.CommandLine, want)
	}
}

// A card whose driver is wedged costs one read, and what comes after the network nothing: it is read last.
func TestWedgedCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		hang := func(f fs.File) (fs.File, error) { <-release; return f, nil }
		start := time.Now()
		env := captureWithin(t, opening{mi325x().with(epyc()).fs(), "sys/class/net/ens1f0np0/speed", hang}, 0)
		h := env.Host.Network
		unknown(t, "cards", h.Count, "not all are listed")
		unknown(t, "RDMA", h.RDMACount, "not all are listed")
		known(t, "GPUs", env.AMD.Count, 8)
		if got := time.Since(start); got != time.Second { // of the bubble's clock
			t.Errorf("took %v", got)
		}
		for _, card := range h.Cards {
			known(t, "state", card.State, "up")
		}
	})
}
