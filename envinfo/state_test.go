package envinfo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/state"
)

// liveHost is eight GPUs at work, with the files that Documentation/gpu/amdgpu/thermal.rst and ras.rst of the kernel
// describe: no sensor at the edge, as on CDNA 3, and the power of the first as an average. Values are made up.
func liveHost() tree {
	t := cpuHost().with(tree{
		"proc/loadavg": "12.50 8.25 4.00 3/2048 12345\n",
		"proc/meminfo": "MemTotal: 1585227012 kB\nMemFree: 19854432 kB\nMemAvailable: " +
			"1048576 kB\n",
		"proc/cpuinfo": "processor : 0\ncpu MHz : 1500.000\n\nprocessor : 1\ncpu MHz : " +
			"3100.500\n",
		"sys/class/drm/version":                  "drm 1.1.0 20060810\n",
		"sys/class/drm/renderD90/device/xcp":     "a partition, which has no vendor\n",
		"sys/class/drm/renderD91/device/vendor":  "0x10de\n",
		"sys/class/kfd/kfd/proc/4100/pasid":      "32771\n",
		"sys/class/kfd/kfd/proc/4100/vram_46363": "68719476736\n",
		"sys/class/kfd/kfd/proc/4100/vram_12345": "68719476736\n",
		"sys/class/kfd/kfd/proc/77/vram_46363":   "1073741824\n",
		"proc/4100/comm":                         "VLLM::Worker\n",
		"proc/4100/stat":                         "4100 (VLLM: ) 1 (x) S 4000 4000 4000 0 -1\n",
		"proc/4000/stat":                         "4000 (vllm) S 1 4000 4000 0 -1\n",
		"proc/77/comm":                           "python3\n",
		"proc/77/stat":                           "77 (python3) S 1 77 77 0 -1\n",
	})
	for i := range 8 {
		t = t.with(drm(128+i, tree{
			"vendor": "0x1002\n", "uevent": fmt.Sprintf("DRIVER=amdgpu\nPCI_SLOT_NAME=0000:%02x:00.0\n", 5+i),
			"hwmon/hwmon3/name":        "amdgpu\n",
			"hwmon/hwmon3/temp2_label": "junction\n", "hwmon/hwmon3/temp2_input": fmt.Sprintln(60300 + i*1000),
			"hwmon/hwmon3/temp3_label": "mem\n", "hwmon/hwmon3/temp3_input": "48000\n",
			"hwmon/hwmon3/freq1_label": "sclk\n", "hwmon/hwmon3/freq1_input": "2104000000\n",
			"hwmon/hwmon3/freq2_label": "mclk\n", "hwmon/hwmon3/freq2_input": "1300000000\n",
			"hwmon/hwmon3/power1_input": "742000000\n", "hwmon/hwmon3/power1_cap": "1000000000\n",
			"mem_info_vram_used": "68719476736\n", "gpu_busy_percent": "97\n", "mem_busy_percent": "41\n",
			"gpu_metrics": "\x20\x01\x01\x04" + strings.Repeat("\x00", 36) + "\x10\x00\x00\x00" + strings.Repeat("\x00",
				244),
			"ras/umc_err_count": "ue: 1\nce: 2\nde: 0\n", "ras/gfx_err_count": "ue: 0\nce: 3\n",
			"ras/features": "feature mask: 0x7fff\n",
		}))
	}
	return t
}

func snapshot(t *testing.T, fsys fs.FS, pids ...int) *state.State {
	t.Helper()
	s, err := envinfo.Snapshot(t.Context(), envinfo.Options{FS: fsys, ReadTimeout: patient, PIDs: pids})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back state.State
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(b) {
		t.Errorf("JSON does not round-trip: %v\n%s", err, cmp.Diff(string(b), string(again)))
	}
	if strings.Contains(string(b), `"not captured"`) {
		t.Errorf("a value was forgotten: %s", b)
	}
	return s
}

func TestSnapshot(t *testing.T) {
	s := snapshot(t, liveHost().fs(), 4000)
	known(t, "count", s.AMD.Count, 8)
	if len(s.AMD.Devices) != 8 {
		t.Fatalf("%d devices", len(s.AMD.Devices))
	}
	g := s.AMD.Devices[1]
	known(t, "location", g.Location, "0000:06:00.0")
	unknown(t, "edge", g.Edge, "no sensor with the label edge")
	known(t, "junction", g.Junction, 61.3)
	known(t, "memory temperature", g.MemoryTemp, 48)
	known(t, "power", g.Power, 742)
	unknown(t, "average power", g.PowerMean, "power1_average: no such file")
	known(t, "cap", g.PowerCap, 1000)
	known(t, "clock", g.Clock, 2104)
	known(t, "memory clock", g.MemoryClock, 1300)
	known(t, "VRAM", g.VRAMUsed, 68719476736)
	known(t, "busy", g.Busy, 97)
	known(t, "memory busy", g.MemoryBusy, 41)
	known(t, "uncorrected", g.Uncorrected, 1)
	known(t, "corrected", g.Corrected, 5)
	known(t, "throttled", g.Throttled, true)
	known(t, "throttle status", g.ThrottleStatus, "0x10")
	known(t, "load", s.Host.Load5, 8.25)
	known(t, "slowest CPU", s.Host.CPUClockMin, 1500)
	known(t, "CPU", s.Host.CPUClockMean, 2300.25)
	known(t, "fastest CPU", s.Host.CPUClockMax, 3100.5)
	known(t, "available", s.Host.MemoryAvailable, 1<<30)
	known(t, "free", s.Host.MemoryFree, 19854432*1024)

	// The worker is the server's child; the other one is nobody's.
	known(t, "processes", s.Processes.Count, 2)
	known(t, "worker's VRAM", s.Processes.List[1].VRAM, 2*68719476736)
	known(t, "worker", s.Processes.List[1].Name, "VLLM::Worker")
	if len(s.Warnings) != 1 ||
		s.Warnings[0].Text != "on the GPUs are processes that are not expected there: 77 (python3, 1 GiB)" {
		t.Errorf("warnings: %v", s.Warnings)
	}
	if w := snapshot(t, liveHost().fs(), 4000, 77).Warnings; w != nil {
		t.Errorf("all are expected: %v", w)
	}
	if w := snapshot(t, liveHost().fs()).Warnings; len(w) != 1 || !strings.Contains(w[0].Text, "4100 (VLLM::Worker") {
		t.Errorf("none is expected: %v", w)
	}
	in := snapshot(t, liveHost().with(tree{".dockerenv": ""}).fs(), 4000)
	unknown(t, "worker", in.Processes.List[1].Name, "the number is that of the host")
	if len(in.Warnings) != 1 || !strings.Contains(in.Warnings[0].Text, "cannot be told") {
		t.Errorf("in a container: %v", in.Warnings)
	}

	var out strings.Builder
	if err := s.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"0000:06:00.0 unknown 61.3 °C 48 °C 742 W 1,000 W 2,104 MHz 1,300 MHz 64 GiB 97 % 1 5 true",
		"4100 VLLM::Worker 128 GiB",
		"Load (1 min) 12.5 host /proc/loadavg",
	} {
		if !strings.Contains(squeeze(out.String()), row+"\n") {
			t.Errorf("no row %q in\n%s", row, &out)
		}
	}
}

// What is missing or wrong costs only its own values.
func TestSnapshotOfDamage(t *testing.T) {
	const device = "sys/class/drm/renderD128/device/"
	tr := liveHost().with(tree{
		device + "hwmon/hwmon3/temp2_input": "hot\n", device + "gpu_busy_percent": "101\n",
		device + "mem_info_vram_used": "-1\n",
		device + "ras/gfx_err_count":  "Query currently inaccessible\n", device + "uevent": "DRIVER=amdgpu\n",
		"proc/loadavg": "x\n", "proc/meminfo": "MemFree: 1 MB\n", "proc/cpuinfo": "processor : 0\ncpu MHz : fast\n",
		"sys/class/kfd/kfd/proc/77/vram_46363": "much\n",
	})
	s := snapshot(t, tr.fs())
	g := s.AMD.Devices[0]
	unknown(t, "junction", g.Junction, `"hot" is not a number`)
	known(t, "memory temperature", g.MemoryTemp, 48)
	unknown(t, "busy", g.Busy, "from 0 to 100")
	unknown(t, "VRAM", g.VRAMUsed, "-1")
	unknown(t, "uncorrected", g.Uncorrected, "no counts ue and ce")
	unknown(t, "location", g.Location, "no PCI_SLOT_NAME")
	unknown(t, "load", s.Host.Load1, "does not begin with 3 numbers")
	unknown(t, "free", s.Host.MemoryFree, "want a number of kB")
	unknown(t, "available", s.Host.MemoryAvailable, "no MemAvailable")
	unknown(t, "CPU", s.Host.CPUClockMean, "no cpu MHz")
	unknown(t, "VRAM of a process", s.Processes.List[0].VRAM, "much")
	known(t, "the next card", s.AMD.Devices[1].Junction, 61.3)

	empty := snapshot(t, tree{}.fs())
	unknown(t, "count", empty.AMD.Count, "no driver has found a GPU")
	unknown(t, "processes", empty.Processes.Count, "no such file")

	old := snapshot(t, cpuHost().with(drm(128, tree{"vendor": "0x1002", "hwmon/hwmon0/temp1_input": "45000"})).fs())
	known(t, "edge without a label", old.AMD.Devices[0].Edge, 45)
	unknown(t, "ECC", old.AMD.Devices[0].Corrected, "ras: no such file")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := envinfo.Snapshot(ctx, envinfo.Options{FS: liveHost().fs()}); !errors.Is(err, context.Canceled) ||
		s == nil {
		t.Errorf("cancelled: %v, %v", s, err)
	}
	if s, err := envinfo.Snapshot(t.Context(), envinfo.Options{PIDs: []int{0}}); err == nil || s != nil {
		t.Errorf("PID 0: %v, %v", s, err)
	}
}

// ramp is a host whose load is 1 at the first reading, 2 at the second, and unreadable at the third.
type ramp struct {
	fs.FS
	reads atomic.Int64
}

func (r *ramp) Open(name string) (fs.File, error) {
	if name != "proc/loadavg" {
		return r.FS.Open(name)
	}
	n := r.reads.Add(1)
	if n == 3 {
		return nil, fs.ErrPermission
	}
	return tree{name: fmt.Sprintf("%d 0 0", n)}.fs().Open(name)
}

// Stat is not a reading.
func (r *ramp) Stat(name string) (fs.FileInfo, error) { return fs.Stat(r.FS, name) }

func TestSampler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := envinfo.StartSampler(t.Context(), envinfo.Options{FS: &ramp{FS: liveHost().fs()}}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9500 * time.Millisecond)
		out := s.Stop()
		if s.Stop() != out {
			t.Error("stopped twice, it has two answers")
		}
		if out.Taken != 10 || out.Every != time.Second || out.End.Sub(out.Start) != 9500*time.Millisecond {
			t.Errorf("%d samples in %v", out.Taken, out.End.Sub(out.Start))
		}
		quantities := map[string]state.Quantity{}
		for _, q := range out.Quantities {
			quantities[q.Name] = q
		}
		load := quantities["host.load_1"] // 1, 2, –, 4 … 10
		if load.N != 9 || load.Unknown != 1 || load.Stride != 1 {
			t.Errorf("load is %+v", load)
		}
		known(t, "least", load.Min, 1)
		known(t, "mean", load.Mean, 52.0/9)
		known(t, "most", load.Max, 10)
		known(t, "first", load.First, 1)
		known(t, "last", load.Last, 10)
		if len(load.Series) != 9 || load.Series[2] != (state.Point{At: 3, Value: 4}) {
			t.Errorf("series is %v", load.Series)
		}
		power := quantities["amd.devices[0000:05:00.0].power"]
		known(t, "power", power.Mean, 742)
		if power.Mean.Unit() != "W" ||
			!strings.Contains(
				power.Mean.Source(),
				"mean of 10 samples of /sys/class/drm/renderD128/device/hwmon/hwmon3/power1_input",
			) {
			t.Errorf("power is %v from %s", power.Mean, power.Mean.Source())
		}
		edge := quantities["amd.devices[0000:05:00.0].edge"]
		unknown(t, "edge", edge.Mean, "no sensor")
		if edge.N != 0 || edge.Unknown != 10 || edge.Series != nil {
			t.Errorf("edge is %+v", edge)
		}
		if _, err := json.Marshal(out); err != nil {
			t.Error(err)
		}
	})
}

func TestSamplerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := envinfo.StartSampler(ctx, envinfo.Options{FS: liveHost().fs()}, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
		cancel()
		synctest.Wait() // the bubble ends only when the goroutine has
		if out := s.Stop(); out.Taken != 3 {
			t.Errorf("%d samples", out.Taken)
		}
	})
	if _, err := envinfo.StartSampler(t.Context(), envinfo.Options{}, 99*time.Millisecond); err == nil ||
		!strings.Contains(err.Error(), "99ms") {
		t.Errorf("too often: %v", err)
	}
	if _, err := envinfo.StartSampler(t.Context(), envinfo.Options{ReadTimeout: -1}, time.Second); err == nil {
		t.Error("bad options: no error")
	}
}

// What a sample of eight GPUs costs, of files in memory: the reads of a real sysfs come on top.
func BenchmarkSnapshot(b *testing.B) {
	fsys := liveHost().fs()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := envinfo.Snapshot(b.Context(), envinfo.Options{FS: fsys}); err != nil {
			b.Fatal(err)
		}
	}
}

// Render nodes without a vendor are not the absence of GPUs.
func TestSnapshotOfNamelessNodes(t *testing.T) {
	s := snapshot(t, mi325x().fs())
	unknown(t, "count", s.AMD.Count, "8 of 8 have no device/vendor")
}
