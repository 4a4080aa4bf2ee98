package envinfo

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"testing/fstest"
)

// Every parser takes what anybody may have written into a file. Beside not crashing, what it returns must be in the
// input or follow from it.

// The whole: whatever is in the files, the result prints, and reads back as it was.
func FuzzCapture(f *testing.F) {
	f.Add(
		[]byte(
			"simd_count 1216\nsimd_per_cu 4\ngfx_target_version 90402\nvendor_id 4098\ndevice_id 29857\n" +
				"drm_render_minor 128\n" +
				"heap_type 1\nsize_in_bytes 206141652992\nwidth 8192\nmem_clk_max 1300\n",
		),
	)
	f.Add([]byte("\x00\xff\x1b[31m\t0::/\nmax 100000"))
	f.Add([]byte("6.4.2-120"))
	const nodes = "sys/class/kfd/kfd/topology/nodes/"
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := fstest.MapFS{}
		for _, name := range []string{
			"proc/sys/kernel/numa_balancing", "proc/loadavg", "proc/self/status", "proc/self/mountinfo",
			"sys/devices/system/cpu/online",
			"sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
			"sys/devices/system/cpu/vulnerabilities/meltdown", "sys/class/dmi/id/sys_vendor",
			"sys/firmware/dmi/tables/DMI", "sys/devices/system/node/node0/cpulist",
			"sys/devices/system/node/node0/meminfo",
			"sys/kernel/mm/transparent_hugepage/enabled", "sys/class/net/eth0/device/uevent",
			"sys/class/net/eth0/speed",
			"sys/class/infiniband/mlx5_0/ports/1/rate",
			"proc/sys/kernel/hostname", "proc/sys/kernel/osrelease", "proc/cmdline", "proc/cpuinfo", "proc/meminfo",
			"proc/self/cgroup",
			"proc/self/limits", "sys/fs/cgroup/cgroup.controllers", "sys/fs/cgroup/cpu.max",
			"sys/fs/cgroup/memory.max", "etc/os-release",
			"opt/rocm/.info/version", "opt/rocm/include/rccl/rccl.h", "sys/module/amdgpu/version",
			nodes + "0/properties", nodes + "1/properties",
			nodes + "0/io_links/0/properties", nodes + "1/p2p_links/0/properties",
			"sys/class/drm/renderD128/device/fw_version/mec_fw_version",
			"sys/class/drm/renderD128/device/current_link_speed", "sys/class/drm/renderD128/device/unique_id",
			"var/lib/dpkg/status",
			"opt/rocm/lib/librccl.so.1", nodes + "0/mem_banks/0/properties",
			"sys/class/drm/renderD128/device/mem_info_vram_total", "sys/class/drm/renderD128/device/product_name",
			"proc/driver/nvidia/version", "proc/driver/nvidia/gpus/0000:19:00.0/information", "usr/include/nccl.h",
			"usr/local/cuda/version.json", "usr/local/cuda/version.txt",
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
