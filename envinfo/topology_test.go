package envinfo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// processors is a host of so many hardware threads: what cpuinfo says of each, and the threads that share its core and
// its package.
func processors(n int, info func(i int) string, core, pkg func(i int) string) tree {
	t := cpuHost()
	text := ""
	for i := range n {
		text += fmt.Sprintf("processor\t: %d\n%s\n", i, info(i))
		if core != nil {
			dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/", i)
			t[dir+"thread_siblings_list"], t[dir+"core_siblings_list"] = core(i)+"\n", pkg(i)+"\n"
		}
	}
	t["proc/cpuinfo"] = text
	t["sys/devices/system/cpu/online"] = fmt.Sprintf("0-%d\n", n-1)
	return t
}

func itself(i int) string { return fmt.Sprint(i) }

// block names the block of so many in which i is.
func block(i, of int) string { return fmt.Sprintf("%d-%d", i/of*of, i/of*of+of-1) }

// Hosts of published topologies (the archives of hwloc), as far as processors and memory are concerned. Both sources
// are there and do not agree.
func TestProcessorsByTwoSources(t *testing.T) {
	id := func(pkg, core int) string {
		return fmt.Sprintf("model name\t: X\nphysical id\t: %d\ncore id\t\t: %d\n", pkg, core)
	}
	// Four Opteron 6134: two dies of four cores a package, each with core ids 0 to 3.
	opteron6134 := processors(32, func(i int) string { return id(i/8, i%4) + "siblings\t: 8\ncpu cores\t: 8\n" },
		itself,
		func(i int) string { return block(i, 8) })
	// Four Opteron of twelve cores on two dies of six.
	opteron12 := processors(48, func(i int) string { return id(i/12, i%6) + "siblings\t: 12\ncpu cores\t: 12\n" },
		itself,
		func(i int) string { return block(i, 12) })
	// Two packages of two cores of two threads, with ids that are right.
	smt := func(i int) string { return fmt.Sprintf("%d,%d", i%4, i%4+4) }
	right := processors(8, func(i int) string { return id(i%4/2, i%2) + "siblings\t: 4\ncpu cores\t: 2\n" }, smt,
		func(i int) string { return fmt.Sprintf("%d-%d,%d-%d", i%4/2*2, i%4/2*2+1, i%4/2*2+4, i%4/2*2+5) })
	// A POWER9 of 176 threads of which a copy was made with 32 online.
	power9 := processors(176, func(int) string {
		return "cpu\t\t: POWER9, altivec supported\nclock\t\t: " +
			"3800.000000MHz\n"
	},
		func(i int) string { return block(i, 4) }, func(i int) string { return block(i, 88) })
	power9["sys/devices/system/cpu/online"] = "0-15,88-103\n"
	// The processors of a container behind lxcfs, and those of its host.
	lxcfs := processors(8, func(i int) string { return id(0, i/2) }, func(i int) string { return block(i, 2) },
		func(int) string { return "0-7" })
	lxcfs["proc/cpuinfo"] = "processor\t: 0\n" + id(0, 0) + "\nprocessor\t: 1\n" + id(0, 0)
	// A kernel that lists a NUMA cluster as the package.
	cluster := processors(8, func(i int) string { return id(i/4, i%4) }, itself,
		func(i int) string { return block(i, 2) })
	// A Core of eight cores of two threads and eight of one, whose ids have gaps as firmware gives them.
	hybrid := processors(24, func(i int) string {
		core := i / 2 * 4
		if i >= 16 {
			core = 32 + (i - 16)
		}
		return id(0, core) + "siblings\t: 24\ncpu cores\t: 16\n"
	}, func(i int) string {
		if i < 16 {
			return block(i, 2)
		}
		return itself(i)
	}, func(int) string { return "0-23" })
	// An EPYC of two sockets in two NUMA nodes each, with its second threads off and processor 5 offline.
	offline := processors(8, func(i int) string {
		return id(i/4, i%4) + fmt.Sprintf("siblings\t: %d\ncpu cores\t: %d\n", 4-i/4, 4-i/4)
	}, itself, func(i int) string { return []string{"0-3", "4,6-7"}[i/4] })
	offline["proc/cpuinfo"] = strings.Replace(offline["proc/cpuinfo"],
		"processor\t: 5\n"+id(1, 1)+"siblings\t: 3\ncpu cores\t: 3\n\n", "", 1)
	offline["sys/devices/system/cpu/online"] = "0-4,6-7\n"
	delete(offline, "sys/devices/system/cpu/cpu5/topology/thread_siblings_list")
	// Threads that are offline on some of the cores of a POWER9: four on one, two on another.
	uneven := processors(6, func(int) string { return "cpu\t\t: POWER9\n" },
		func(i int) string { return []string{"0-3", "4-5"}[i/4] }, func(int) string { return "0-5" })
	// An Ampere Altra of two sockets: no ids in cpuinfo, each core alone.
	altra := processors(8, func(int) string { return "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n" }, itself,
		func(i int) string { return block(i, 4) })
	// Topologies of which the copy has masks alone, and lists that end in a NUL.
	masks, nul := tree{}, tree{}
	for name, data := range right {
		short, isList := strings.CutSuffix(name, "_siblings_list")
		if !isList {
			masks[name], nul[name] = data, data
			continue
		}
		nul[name] = data + "\x00"
		mask := 0
		for part := range strings.SplitSeq(strings.TrimSpace(data), ",") {
			var a, b int
			if n, _ := fmt.Sscanf(part, "%d-%d", &a, &b); n == 1 {
				b = a
			}
			for ; a <= b; a++ {
				mask |= 1 << a
			}
		}
		masks[short+"_siblings"] = fmt.Sprintf("00000000,%08x\n", mask)
	}
	delete(masks, "sys/devices/system/cpu/online")
	masks["sys/devices/system/cpu/cpu1/online"] = "1\n"
	for _, test := range []struct {
		name                             string
		tree                             tree
		threads, cores, sockets, perCore int64 // 0: unknown
		warnings                         int
	}{
		{"Opteron 6134", opteron6134, 32, 32, 4, 1, 0},
		{"Opteron 6134, cpuinfo alone", tree{"proc/cpuinfo": opteron6134["proc/cpuinfo"]}, 32, 32, 4, 1, 0},
		{"two dies of six", opteron12, 48, 48, 4, 1, 0},
		{"ids that are right", right, 8, 4, 2, 2, 0},
		{"POWER9 in part", power9, 32, 8, 2, 4, 1},
		{"lxcfs", lxcfs, 8, 4, 1, 2, 1},
		{"NUMA clusters", cluster, 8, 8, 2, 1, 1},
		{"cores of two kinds", hybrid, 24, 16, 1, 0, 0},
		{"SMT off, one offline", offline, 7, 7, 2, 1, 0},
		{"threads offline on some cores", uneven, 6, 2, 1, 0, 0},
		{"Altra", altra, 8, 8, 2, 1, 0},
		{"masks alone", masks, 8, 4, 2, 2, 0},
		{"NUL at the end", nul, 8, 4, 2, 2, 0},
		{"fewer by siblings", right.with(tree{"sys/devices/system/cpu/cpu2/topology/thread_siblings_list": "0,4\n",
			"sys/devices/system/cpu/cpu6/topology/thread_siblings_list": "0,4\n"}), 8, 0, 2, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := capture(t, test.tree.fs())
			h := env.Host
			for _, v := range []struct {
				name string
				got  interface{ Get() (int64, bool) }
				want int64
			}{{"threads", h.CPUThreads, test.threads}, {"cores", h.CPUCores, test.cores},
				{"sockets", h.CPUSockets, test.sockets},
				{"threads per core", h.ThreadsPerCore, test.perCore}} {
				if got, ok := v.got.Get(); got != v.want || ok != (v.want > 0) {
					t.Errorf("%s is %v, want %d", v.name, v.got, v.want)
				}
			}
			if len(env.Warnings) != test.warnings {
				t.Errorf("warnings %v, want %d", env.Warnings, test.warnings)
			}
		})
	}
	known(t, "model", capture(t, power9.fs()).Host.CPUModel, "POWER9")
}

// gib is a node's meminfo of so many MiB.
func nodeMemory(node, mib int) tree {
	dir := fmt.Sprintf("sys/devices/system/node/node%d/", node)
	return tree{dir + "meminfo": fmt.Sprintf("Node %d MemTotal: %d kB\n", node, mib<<10), dir + "cpulist": "\n",
		dir + "distance": "10\n"}
}

// Memory of GPUs that the kernel manages as NUMA nodes is not the host's.
func TestMemoryOfGPUs(t *testing.T) {
	const node = "sys/devices/system/node/node"
	// A POWER9 with six V100: 128 GiB (less what the kernel keeps) on each socket, and 15,360 MiB on each GPU.
	power9 := processors(8, func(int) string { return "cpu\t\t: POWER9, altivec supported\n" }, nil, nil).with(
		nodeMemory(0, 128768), nodeMemory(8, 128768), tree{node + "0/cpulist": "0-3\n", node + "8/cpulist": "4-7\n"})
	for i := range 6 {
		power9 = power9.with(nodeMemory(250+i, 15360))
	}
	power9["proc/meminfo"] = fmt.Sprintf("MemTotal: %d kB\n", (2*128768+6*15360)<<10)
	named := power9.with()
	for i := range 6 {
		named[fmt.Sprintf("proc/driver/nvidia/gpus/000%d:04:00.0/numa_status",
			i)] = fmt.Sprintf("Node:\t\t%d\nStatus:\t\tonline\n", 250+i)
	}
	// A Grace with its GPU's memory as node 1, and nodes 2 and on that MIG could use.
	grace := processors(4, func(int) string { return "CPU implementer\t: 0x41\nCPU part\t: 0xd4f\n" }, nil, nil).with(
		nodeMemory(0, 489000), nodeMemory(1, 97280), nodeMemory(2, 0), tree{node + "0/cpulist": "0-3\n"})
	grace["proc/meminfo"] = fmt.Sprintf("MemTotal: %d kB\n", (489000+97280)<<10)
	// An EPYC with memory behind CXL, which is the host's, and whose nodes are listed by masks alone.
	cxl := cpuHost().with(nodeMemory(0, 65536), nodeMemory(1, 131072),
		tree{node + "0/cpumap": "ff\n", node + "1/cpumap": "00\n"})
	delete(cxl, node+"0/cpulist")
	delete(cxl, node+"1/cpulist")
	cxl["proc/meminfo"] = fmt.Sprintf("MemTotal: %d kB\n", (65536+131072)<<10)
	// A Graviton4 has a Grace's cores. With a node of memory behind CXL it is no Grace, and a Grace with its GPU is.
	pci := func(address, vendor, class string) tree {
		dir := "sys/bus/pci/devices/" + address + "/"
		return tree{dir + "vendor": vendor + "\n", dir + "class": class + "\n"}
	}
	graviton := grace.with(pci("0000:00:04.0", "0x1d0f", "0x010802"), pci("0000:01:00.0", "0x10de", "0x020000"))
	hopper := grace.with(pci("0000:00:04.0", "0x1d0f", "0x010802"), pci("0009:01:00.0", "0x10de", "0x030200"))
	// A Xeon Max of two sockets in clusters of one NUMA node each has its HBM in nodes of their own, which is the
	// host's.
	xeonMax := cpuHost().with(nodeMemory(0, 65536), nodeMemory(1, 65536), nodeMemory(2, 65536), nodeMemory(3, 65536),
		tree{node + "0/cpulist": "0-3\n", node + "1/cpulist": "4-7\n"}, pci("0000:01:00.0", "0x10de", "0x030200"))
	xeonMax["proc/meminfo"] = fmt.Sprintf("MemTotal: %d kB\n", (4*65536)<<10)
	for _, test := range []struct {
		name     string
		tree     tree
		mib      int64
		gpuNodes int
	}{
		{"POWER9", power9, 2 * 128768, 6}, {"POWER9, as its driver says", named, 2 * 128768, 6},
		{"GH200", grace, 489000, 1},
		{"CXL", cxl, 65536 + 131072, 0}, {"Graviton4 with CXL", graviton, 489000 + 97280, 0},
		{"GH200 with its PCI devices", hopper, 489000, 1}, {"Xeon Max", xeonMax, 4 * 65536, 0},
	} {
		h := capture(t, test.tree.fs()).Host
		known(t, test.name, h.Memory, test.mib<<20)
		n := 0
		for _, node := range h.NUMA.Nodes {
			if _, ok := node.GPU.Get(); ok {
				n++
			}
		}
		if n != test.gpuNodes {
			t.Errorf("%s: %d nodes are of GPUs, want %d", test.name, n, test.gpuNodes)
		}
	}
	nodes := capture(t, named.fs()).Host.NUMA.Nodes
	known(t, "GPU", nodes[2].GPU, "0000:04:00.0")
	nodes = capture(t, cxl.fs()).Host.NUMA.Nodes
	known(t, "CPUs by mask", nodes[0].CPUs, "0-7")
	known(t, "no CPUs by mask", nodes[1].CPUCount, 0)
}

// What the nodes have together is what the kernel counts, or a warning names both: lxcfs gives a container's limit.
func TestMemoryByTwoSources(t *testing.T) {
	for _, test := range []struct {
		total, node1 int // MiB
		warns        bool
	}{{131072, 65536, false}, {130000, 65536, false}, {8192, 65536, true}, {131072, 8192, true}} {
		tr := cpuHost().with(nodeMemory(0, 65536), nodeMemory(1, test.node1))
		tr["proc/meminfo"] = fmt.Sprintf("MemTotal: %d kB\n", test.total<<10)
		env := capture(t, tr.fs())
		known(t, "memory", env.Host.Memory, int64(test.total)<<20)
		warns := slices.ContainsFunc(env.Warnings, func(w fact.Warning) bool { return w.About == "host.memory" })
		if warns != test.warns {
			t.Errorf("%d and %d MiB: warnings %v", test.total, 65536+test.node1, env.Warnings)
		}
	}
}

// A GB10 has cores of two kinds.
func TestMixedCores(t *testing.T) {
	h := capture(t, processors(20, func(i int) string {
		return "CPU implementer\t: 0x41\nCPU part\t: " + []string{"0xd87", "0xd85"}[i/10] + "\n"
	}, itself, func(int) string { return "0-19" }).fs()).Host
	known(t, "model", h.CPUModel, "10x Arm Cortex-A725, 10x Arm Cortex-X925")
	known(t, "cores", h.CPUCores, 20)
}
