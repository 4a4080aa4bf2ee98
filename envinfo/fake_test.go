package envinfo_test

import (
	"fmt"
	"io/fs"
	"maps"
	"testing/fstest"
)

// Trees as the kernel lays them out. Field values of the GPUs are published ones (a bare-metal MI300X node, an MI325X
// virtual function, PCI ids); sizes of CPX partitions, addresses and ids are made up.

type tree map[string]string

// fs returns the tree as a file system.
func (t tree) fs() fstest.MapFS {
	out := fstest.MapFS{}
	for name, data := range t {
		out[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o444}
	}
	return out
}

// with returns the tree with the files of others over it.
func (t tree) with(others ...tree) tree {
	out := maps.Clone(t)
	for _, o := range others {
		maps.Copy(out, o)
	}
	return out
}

// link returns the file system with a symbolic link in it.
func link(fsys fstest.MapFS, name, target string) fstest.MapFS {
	fsys[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	return fsys
}

const nodesDir = "sys/class/kfd/kfd/topology/nodes/"

func cpuHost() tree {
	cpuinfo := ""
	for i := range 8 { // two sockets of two cores of two threads
		cpuinfo += fmt.Sprintf(
			"processor\t: %d\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9575F 64-Core Processor\n"+
				"physical id\t: %d\ncore id\t\t: %d\nflags\t\t: fpu vme\n\n",
			i,
			i/4,
			i/2%2,
		)
	}
	return tree{
		"proc/sys/kernel/hostname":  "gpu-01\n",
		"proc/sys/kernel/osrelease": "6.8.0-60-generic\n",
		"proc/cmdline": "BOOT_IMAGE=/vmlinuz iommu=pt " +
			"numa_balancing=disable -- --token=hunter2\n",
		"proc/cpuinfo": cpuinfo,
		"proc/meminfo": "MemTotal:       1585227012 kB\nMemFree:        " +
			"19854432 kB\n",
		"proc/self/cgroup": "0::/system.slice/bench.service\n",
		"proc/self/limits": "Limit                     Soft Limit           " +
			"Hard Limit           Units     \nMax open files            1024                 1048576              " +
			"files     \n",
		"sys/fs/cgroup/cgroup.controllers":                    "cpuset cpu io memory pids\n",
		"sys/fs/cgroup/system.slice/cpu.max":                  "800000 100000\n",
		"sys/fs/cgroup/system.slice/memory.max":               "max\n",
		"sys/fs/cgroup/system.slice/bench.service/cpu.max":    "max 100000\n",
		"sys/fs/cgroup/system.slice/bench.service/memory.max": "549755813888\n",
		"etc/os-release": "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\n" +
			"PRETTY_NAME=\"Ubuntu 24.04.2 LTS\"\n",
	}
}

// cpuNode is a node of the topology that is a processor.
func cpuNode(i int) tree {
	return tree{
		fmt.Sprintf("%s%d/properties", nodesDir, i): "cpu_cores_count 64\nsimd_count 0\nmem_banks_count 1\n" +
			"gfx_target_version 0\n" +
			"vendor_id 0\ndevice_id 0\nlocation_id 0\ndomain 0\nunique_id 0\nnum_xcc 0\n",
	}
}

// gpuNode is a node that is a GPU. Properties of the same name in extra come after, and take the place of these.
type gpuNode struct {
	node, simds, target, device, location, minor, clock, xccs int
	id                                                        uint64
	vram                                                      int64
	width, memClock                                           int // 0: not in the file
}

func (g gpuNode) tree() tree {
	dir := fmt.Sprintf("%s%d/", nodesDir, g.node)
	properties := fmt.Sprintf("cpu_cores_count 0\nsimd_count %d\nmem_banks_count 1\nio_links_count 7\nsimd_per_cu 4\n"+
		"gfx_target_version %d\nvendor_id 4098\ndevice_id %d\nlocation_id %d\ndomain 0\ndrm_render_minor %d\n"+
		"hive_id 10631624818852212319\nmax_engine_clk_fcompute %d\nlocal_mem_size 0\nfw_version 166\nunique_id %d\n",
		g.simds, g.target, g.device, g.location, g.minor, g.clock, g.id)
	if g.xccs > 0 {
		properties += fmt.Sprintf("num_xcc %d\n", g.xccs)
	}
	bank := fmt.Sprintf("heap_type 1\nsize_in_bytes %d\nflags 0\n", g.vram)
	if g.width > 0 {
		bank += fmt.Sprintf("width %d\n", g.width)
	}
	if g.memClock > 0 {
		bank += fmt.Sprintf("mem_clk_max %d\n", g.memClock)
	}
	return tree{
		dir + "properties":             properties,
		dir + "mem_banks/0/properties": bank,
		dir + "gpu_id":                 "12345\n",
		dir + "name":                   "aldebaran\n",
	}
}

func drm(minor int, files tree) tree {
	out := tree{}
	for name, data := range files {
		out[fmt.Sprintf("sys/class/drm/renderD%d/device/%s", minor, name)] = data
	}
	return out
}

// rocmFiles is ROCm 6.4.2 on the host, with the RCCL that ships with it.
func rocmFiles() tree {
	return tree{
		"opt/rocm/.info/version": "6.4.2-120\n",
		"opt/rocm/include/rccl/rccl.h": "#define NCCL_MAJOR 2\n#define NCCL_VERSION_CODE 22203\n#define " +
			"NCCL_VERSION(X,Y,Z) 0\n",
		"sys/module/amdgpu/initstate":      "live\n",
		"sys/module/amdgpu/parameters/vis": "1\n",
	}
}

// mi325x is a virtual machine with eight MI325X.
func mi325x() tree {
	t := cpuHost().with(cpuNode(0), cpuNode(1), rocmFiles())
	for i := range 8 {
		t = t.with(gpuNode{
			node: 2 + i, simds: 1216, target: 90402, device: 0x74b9, location: (5 + i) << 8, minor: 128 + i,
			clock: 2100, xccs: 8,
			id: 4376936076086227261 + uint64(i), vram: 274542362624, width: 8192,
		}.tree(), drm(128+i, tree{
			"product_name": "\n", "mem_info_vram_total": "274542362624\n", "vbios_version": "113-M3250101-100\n",
			"current_compute_partition": "SPX\n", "current_memory_partition": "NPS1\n",
		}))
	}
	return t
}

// mi300xCPX is eight MI300X in eight partitions each. Current kernels write the partition into bits 28 and up of
// location_id, earlier ones into the function.
func mi300xCPX(shift int) tree {
	t := cpuHost().with(cpuNode(0), cpuNode(1), rocmFiles())
	for card := range 8 {
		for part := range 8 {
			i := card*8 + part
			t = t.with(gpuNode{
				node: 2 + i, simds: 152, target: 90402, device: 29857, location: (0x0c+card)<<8 | part<<shift,
				minor: 128 + i, clock: 2100,
				xccs: 1, id: 4376936076086227261 + uint64(card), vram: 25752502272, width: 8192, memClock: 1300,
			}.tree())
		}
		t = t.with(drm(128+card*8, tree{
			"mem_info_vram_total": "206141652992\n", "current_compute_partition": "CPX\n",
			"current_memory_partition": "NPS4\n",
			"vbios_version":            "113-M3000100-102\n", "product_name": "AMD_Instinct_MI300X_OAM\n",
		}))
	}
	return t
}

// mi250x is four MI250X, each of two dies that are PCI devices of their own. Its kernel does not know num_xcc.
func mi250x() tree {
	t := cpuHost().with(cpuNode(0), rocmFiles(), tree{"sys/module/amdgpu/version": "6.12.12\r\n"})
	for i := range 8 {
		t = t.with(gpuNode{
			node: 1 + i, simds: 440, target: 90010, device: 0x7408, location: (0x29 + i) << 8, minor: 128 + i,
			clock: 1700,
			id:    0x1000 + uint64(i/2), vram: 68702699520, width: 4096, memClock: 1600,
		}.tree())
	}
	return t
}
