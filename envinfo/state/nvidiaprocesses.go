package state

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/host"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/nvidia"
)

// startNVIDIAProcesses starts the query of the processes that compute on the cards.
func startNVIDIAProcesses(b *source.Toolbox) *source.Tool {
	return b.Spawn("nvidia-smi --query-compute-apps", func() ([]byte, error) {
		return b.Run("nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv")
	})
}

// nvidiaProcesses fills in what the query says. A process has a row on each card and each instance that it uses.
func (c *capture) nvidiaProcesses(out *GPUProcesses, t *source.Tool) {
	b, err := t.Wait()
	if nvidia.DamagedROM(err) { // the query of the cards has warned
		err = nil
	}
	var pids []int
	var vram map[int]fact.Value[int64]
	if err == nil {
		if pids, vram, err = parseNVIDIAProcesses(t.Name, b); err != nil {
			err = fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if err != nil {
		out.Count = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		return
	}
	if mark := host.ContainerMark(c.Reader); mark != "" && len(pids) == 0 {
		out.Count = fact.Unknown[int64]("", fact.ScopeHost,
			fmt.Sprintf("%s lists none, and in a container (%s) it may not see those outside", t.Name, mark))
		return
	}
	out.Count = fact.Known(int64(len(pids)), "", fact.ScopeHost, t.Name)
	c.listProcesses("nvidia.processes", out, pids, func(pid int) fact.Value[int64] { return vram[pid] })
}

// parseNVIDIAProcesses returns the processes, in the order of their numbers, and the memory of each on all cards.
func parseNVIDIAProcesses(name string, b []byte) (pids []int, vram map[int]fact.Value[int64], err error) {
	rows, err := nvidia.ParseTable(name, "pid", b)
	if err != nil {
		return nil, nil, err
	}
	parts := map[int][]fact.Value[int64]{}
	for _, r := range rows {
		pid, err := strconv.Atoi(r.Values["pid"])
		if err != nil || pid <= 0 { // to leave it out would be to say that nobody is there
			return nil, nil, fmt.Errorf("%q is not the number of a process", fact.Clip(r.Values["pid"]))
		}
		if _, ok := parts[pid]; !ok {
			pids = append(pids, pid)
		}
		parts[pid] = append(parts[pid], r.Count("B", "MiB", 1<<40, 1<<20, r.First("used_gpu_memory", "used_memory")))
	}
	slices.Sort(pids)
	vram = make(map[int]fact.Value[int64], len(parts))
	for pid, p := range parts {
		vram[pid] = fact.Sum(p)
	}
	return pids, vram, nil
}
