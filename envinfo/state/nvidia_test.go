package state

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/nvidia"
)

func FuzzNVIDIAState(f *testing.F) {
	f.Add(
		[]byte(
			"pci.bus_id, power.draw [W], memory.used [MiB], utilization.gpu [%], clocks_throttle_reasons.active\n" +
				"00000000:19:00.0, 1.5 W, 4 MiB, 9 %, 0x1ff\n",
		),
	)
	f.Add([]byte("pid, used_gpu_memory [MiB]\n77, 4 MiB\n77, [N/A]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pids, vram, err := parseNVIDIAProcesses("smi", b)
		if len(pids) != len(vram) || err != nil && pids != nil {
			t.Errorf("%d processes, memory of %d, %v", len(pids), len(vram), err)
		}
		rows, _ := nvidia.ParseCSV("smi", b)
		for _, r := range rows {
			n := stateOf(r)
			for name, v := range map[string]fact.Value[float64]{"temperature": n.Temperature, "power": n.Power,
				"clock": n.Clock} {
				if x, ok := v.Get(); ok && !(x >= 0 && x <= 1<<53) {
					t.Errorf("%s is %v", name, x)
				}
			}
			if v, ok := n.Busy.Get(); ok && (v < 0 || v > 100) {
				t.Errorf("%d %% busy", v)
			}
			if v, ok := n.VRAMUsed.Get(); ok && (v < 0 || v%(1<<20) != 0) {
				t.Errorf("%d B are used", v)
			}
			_, clocks := n.Clocks.Get()
			if slowed, ok := n.Slowed.Get(); ok != clocks ||
				slowed && !strings.Contains(n.Clocks.String(), "HW ") &&
					!strings.Contains(n.Clocks.String(), "thermal") {
				t.Errorf("slowed is %v with %v", n.Slowed, n.Clocks)
			}
		}
	})
}
