//go:build unix

package envinfo_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/state"
)

// nvidiaLive is two cards in the form in which nvidia-smi prints them, under the long names of the clocks and the later
// name of the mask. Values are made up: the second is too hot, and MIG and its memory leave things out.
const nvidiaLive = "index, pci.bus_id, temperature.gpu, temperature.memory, power.draw [W], power.limit [W], " +
	"clocks.current.sm [MHz], " +
	"clocks.current.memory [MHz], memory.used [MiB], utilization.gpu [%], ecc.errors.corrected.volatile.total, " +
	"ecc.errors.uncorrected.volatile.total, clocks_event_reasons.active\n" +
	"0, 00000000:19:00.0, 61, 72, 698.43 W, 700.00 W, 1755 MHz, 2619 MHz, 0 MiB, 97 %, 3, 0, 0x0000000000000004\n" +
	"1, 00000000:29:00.0, 89, N/A, [N/A], [Not Supported], 345 MHz, 2619 MHz, 71680 MiB, [N/A], [N/A], 1, " +
	"0x0000000000000268\n"

func nvidiaSnapshot(t *testing.T, tools envinfo.Tools) *state.State {
	t.Helper()
	if tools.Timeout == 0 {
		tools.Timeout = time.Minute // as in captureWith
	}
	s, err := envinfo.Snapshot(t.Context(), envinfo.Options{FS: cpuHost().fs(), ReadTimeout: patient, Tools: tools})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNVIDIASnapshot(t *testing.T) {
	s := nvidiaSnapshot(t, envinfo.Tools{Path: fakeTools(t, map[string]string{"nvidia-smi --query-gpu": nvidiaLive})})
	known(t, "count", s.NVIDIA.Count, 2)
	if len(s.NVIDIA.Devices) != 2 {
		t.Fatalf("%d devices", len(s.NVIDIA.Devices))
	}
	g := s.NVIDIA.Devices[0]
	known(t, "location", g.Location, "0000:19:00.0")
	known(t, "temperature", g.Temperature, 61)
	known(t, "memory temperature", g.MemoryTemp, 72)
	known(t, "power", g.Power, 698.43)
	known(t, "limit", g.PowerLimit, 700)
	known(t, "clock", g.Clock, 1755)
	known(t, "memory clock", g.MemoryClock, 2619)
	known(t, "VRAM", g.VRAMUsed, 0)
	known(t, "busy", g.Busy, 97)
	known(t, "corrected", g.Corrected, 3)
	known(t, "uncorrected", g.Uncorrected, 0)
	known(t, "clocks", g.Clocks, "SW power cap")
	known(t, "capped", g.PowerCapped, true)
	known(t, "slowed", g.Slowed, false)
	if g.Power.Unit() != "W" || g.Power.Scope() != fact.ScopeHost ||
		g.Power.Source() != "nvidia-smi --query-gpu: power.draw" {
		t.Errorf("power is in %q of %q from %q", g.Power.Unit(), g.Power.Scope(), g.Power.Source())
	}
	g = s.NVIDIA.Devices[1]
	unknown(t, "memory temperature", g.MemoryTemp, `temperature.memory is "N/A"`)
	unknown(t, "power", g.Power, `power.draw is "[N/A]"`)
	unknown(t, "limit", g.PowerLimit, `power.limit is "[Not Supported]"`)
	unknown(t, "busy", g.Busy, `utilization.gpu is "[N/A]"`)
	unknown(t, "corrected", g.Corrected, "[N/A]")
	known(t, "uncorrected", g.Uncorrected, 1)
	known(t, "VRAM", g.VRAMUsed, 70<<30)
	known(t, "clocks", g.Clocks, "HW slowdown, SW thermal slowdown, HW thermal slowdown, 0x200")
	known(t, "capped", g.PowerCapped, false)
	known(t, "slowed", g.Slowed, true)
	if len(s.Warnings) != 1 || s.Warnings[0].About != "nvidia.devices[1].slowed" ||
		!strings.Contains(s.Warnings[0].Text, "0000:29:00.0") {
		t.Errorf("warnings: %v", s.Warnings)
	}

	var out strings.Builder
	if err := s.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	row := "0000:19:00.0 61 °C 72 °C 698.4 W 700 W 1,755 MHz 2,619 MHz 0 GiB 97 % 0 3 SW power cap\n"
	if !strings.Contains(squeeze(out.String()), row) {
		t.Errorf("no row %q in\n%s", row, &out)
	}
}

// What is wrong costs its own values, a table that cannot be read all of them, and no tool is run that would speak of
// another machine.
func TestNVIDIASnapshotOfDamage(t *testing.T) {
	bad := strings.NewReplacer("61, 72", "-1, 72 C", "698.43 W", "698.43 mW", "97 %", "101 %",
		", 3, 0, 0x0000000000000004", ", 0.5, 1e300, SW power cap",
		"memory.used [MiB]", "memory.free [MiB]").
		Replace(nvidiaLive)
	s := nvidiaSnapshot(t, envinfo.Tools{Path: fakeTools(t, map[string]string{"nvidia-smi --query-gpu": bad})})
	g := s.NVIDIA.Devices[0]
	unknown(t, "temperature", g.Temperature, `"-1" is not a number`)
	unknown(t, "memory temperature", g.MemoryTemp, `"72 C" is not a number`)
	unknown(t, "power", g.Power, `"698.43 mW" is not a number of W`)
	unknown(t, "VRAM", g.VRAMUsed, "no memory.used")
	unknown(t, "busy", g.Busy, "101 is not a whole number from 0 to 100")
	unknown(t, "corrected", g.Corrected, "0.5 is not a whole number")
	unknown(t, "uncorrected", g.Uncorrected, `"1e300" is not a number`)
	unknown(t, "clocks", g.Clocks, `clocks_event_reasons.active: "SW power cap" is not a mask of bits`)
	unknown(t, "slowed", g.Slowed, "is not a mask of bits")
	known(t, "the limit beside them", g.PowerLimit, 700)

	hangs := t.TempDir()
	if err := os.WriteFile(filepath.Join(hangs, "nvidia-smi"), []byte("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep "+
		"1; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for why, tools := range map[string]envinfo.Tools{
		"a tree is read": {}, "Options.Tools.Off": {Off: true}, "not found on PATH": {Path: t.TempDir()},
		"no header":              {Path: fakeTools(t, map[string]string{"nvidia-smi --query-gpu": ""})},
		"exit status 1: no such": {Path: fakeTools(t, map[string]string{"nvidia-smi nothing": ""})},
		"was killed":             {Path: hangs, Timeout: 200 * time.Millisecond},
	} {
		s := nvidiaSnapshot(t, tools)
		unknown(t, "count", s.NVIDIA.Count, why)
		if s.NVIDIA.Devices != nil || s.Warnings != nil {
			t.Errorf("%s: %v, %v", why, s.NVIDIA.Devices, s.Warnings)
		}
		var out strings.Builder
		if err := s.WriteText(&out); err != nil || strings.Contains(out.String(), "NVIDIA") {
			t.Errorf("%s: %v\n%s", why, err, &out)
		}
	}
	none := nvidiaSnapshot(t,
		envinfo.Tools{Path: fakeTools(t, map[string]string{"nvidia-smi --query-gpu": "No devices were found\n"})})
	known(t, "count", none.NVIDIA.Count, 0)
}

// A process has a row for each card. Those that Options.PIDs names, and what they have started, are expected.
func TestNVIDIAProcesses(t *testing.T) {
	tools := func(apps string) envinfo.Tools {
		return envinfo.Tools{
			Path: fakeTools(t,
				map[string]string{"nvidia-smi --query-gpu": nvidiaLive, "nvidia-smi --query-compute-apps": apps}),
			Timeout: time.Minute,
		}
	}
	take := func(apps string, tr tree) *state.State {
		s, err := envinfo.Snapshot(t.Context(), envinfo.Options{FS: tr.fs(), ReadTimeout: patient, Tools: tools(apps),
			PIDs: []int{4000}})
		if err != nil {
			t.Fatal(err)
		}
		s.Warnings = slices.DeleteFunc(s.Warnings,
			func(w fact.Warning) bool { return strings.HasPrefix(w.About, "nvidia.devices") })
		return s
	}
	tr := cpuHost().with(tree{
		"proc/4100/comm": "VLLM::Worker\n", "proc/4100/stat": "4100 (VLLM) S 4000 4000 4000 0 -1\n",
		"proc/77/comm": "python3\n", "proc/77/stat": "77 (python3) S 1 77 77 0 -1\n",
	})
	const header = "pid, used_gpu_memory [MiB]\n"
	s := take(header+"4100, 1024 MiB\n77, [N/A]\n4100, 2048 MiB\n", tr)
	known(t, "count", s.NVIDIA.Processes.Count, 2)
	if len(s.NVIDIA.Processes.List) != 2 {
		t.Fatalf("%v", s.NVIDIA.Processes.List)
	}
	other, worker := s.NVIDIA.Processes.List[0], s.NVIDIA.Processes.List[1]
	known(t, "worker", worker.Name, "VLLM::Worker")
	known(t, "worker's VRAM", worker.VRAM, 3<<30)
	unknown(t, "the other's VRAM", other.VRAM, "[N/A]")
	if len(s.Warnings) != 1 ||
		s.Warnings[0].String() != "nvidia.processes: on the GPUs are processes that are not expected there: 77 "+
			"(python3, unknown)" {
		t.Errorf("warnings: %v", s.Warnings)
	}
	var out strings.Builder
	if err := s.WriteText(&out); err != nil || !strings.Contains(squeeze(out.String()), "4100 VLLM::Worker 3 GiB\n") {
		t.Errorf("%v\n%s", err, &out)
	}

	s = take(header+"4100, 1024 MiB\n", tr)
	if len(s.Warnings) != 0 {
		t.Errorf("all are expected: %v", s.Warnings)
	}
	s = take(header, tr)
	known(t, "none", s.NVIDIA.Processes.Count, 0)
	s = take(header, tr.with(tree{".dockerenv": ""}))
	unknown(t, "none in a container", s.NVIDIA.Processes.Count,
		"in a container (/.dockerenv) it may not see those outside")
	s = take(header+"77, 1 MiB\n", tr.with(tree{".dockerenv": ""}))
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0].Text, "cannot be told") {
		t.Errorf("in a container: %v", s.Warnings)
	}
	s = take(header+"77, 1 MiB\n[N/A], 1 MiB\n", tr)
	unknown(t, "count", s.NVIDIA.Processes.Count, `"[N/A]" is not the number of a process`)
	s = take("name\n", tr)
	unknown(t, "count", s.NVIDIA.Processes.Count, "has no pid")
}

// began tells when a sample begins: the load is read once in each.
type began struct {
	fs.FS
	c chan struct{}
}

func (b *began) Open(name string) (fs.File, error) {
	if name == "proc/loadavg" {
		select {
		case b.c <- struct{}{}:
		default:
		}
	}
	return b.FS.Open(name)
}

// At one second the sampler runs the tool in each sample; at less it runs none.
func TestNVIDIASampler(t *testing.T) {
	dir := fakeTools(t, map[string]string{"nvidia-smi --query-gpu": nvidiaLive})
	sample := func(every time.Duration) map[string]state.Quantity {
		b := &began{cpuHost().fs(), make(chan struct{}, 2)}
		s, err := envinfo.StartSampler(t.Context(),
			envinfo.Options{FS: b, Tools: envinfo.Tools{Path: dir, Timeout: time.Minute}}, every)
		if err != nil {
			t.Fatal(err)
		}
		<-b.c
		<-b.c // the second has begun, and the first is whole
		out := map[string]state.Quantity{}
		for _, q := range s.Stop().Quantities {
			out[q.Name] = q
		}
		return out
	}
	q := sample(time.Second)
	for i, want := range []float64{0, 1} {
		slowed := q[fmt.Sprintf("nvidia.devices[0000:%d9:00.0].slowed", i+1)]
		known(t, "part of the samples", slowed.Mean, want)
	}
	known(t, "power", q["nvidia.devices[0000:19:00.0].power"].Max, 698.43)
	unknown(t, "power", q["nvidia.devices[0000:29:00.0].power"].Max, "[N/A]")

	q = sample(state.MinInterval)
	unknown(t, "count", q["nvidia.count"].Mean, "interval of the sampler is under 1s")
	if _, ok := q["nvidia.devices[0000:19:00.0].power"]; ok {
		t.Error("the tool was run at a short interval")
	}
}
