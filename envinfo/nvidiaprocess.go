package envinfo

import (
	"fmt"
	"slices"
	"strconv"
)

// startNVIDIAProcesses starts the query of the processes that compute on the cards.
func startNVIDIAProcesses(b *toolbox) *tool {
	return b.spawn("nvidia-smi --query-compute-apps", func() ([]byte, error) {
		return b.run("nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv")
	})
}

// nvidiaProcesses fills in what the query says. A process has a row on each card and each instance that it uses.
func (c *stateCapture) nvidiaProcesses(out *GPUProcesses, t *tool) {
	b, err := t.wait()
	if nvidiaDamagedROM(err) { // the query of the cards has warned
		err = nil
	}
	var pids []int
	var vram map[int]Value[int64]
	if err == nil {
		if pids, vram, err = parseNVIDIAProcesses(t.name, b); err != nil {
			err = fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if err != nil {
		out.Count = Unknown[int64]("", ScopeHost, err.Error())
		return
	}
	if mark := containerMark(c.reader); mark != "" && len(pids) == 0 {
		out.Count = Unknown[int64]("", ScopeHost, fmt.Sprintf("%s lists none, and in a container (%s) it may not see those outside", t.name, mark))
		return
	}
	out.Count = Known(int64(len(pids)), "", ScopeHost, t.name)
	c.listProcesses("nvidia.processes", out, pids, func(pid int) Value[int64] { return vram[pid] })
}

// parseNVIDIAProcesses returns the processes, in the order of their numbers, and the memory of each on all cards.
func parseNVIDIAProcesses(name string, b []byte) (pids []int, vram map[int]Value[int64], err error) {
	rows, err := parseNVIDIATable(name, "pid", b)
	if err != nil {
		return nil, nil, err
	}
	parts := map[int][]Value[int64]{}
	for _, r := range rows {
		pid, err := strconv.Atoi(r.values["pid"])
		if err != nil || pid <= 0 { // to leave it out would be to say that nobody is there
			return nil, nil, fmt.Errorf("%q is not the number of a process", clip(r.values["pid"]))
		}
		if _, ok := parts[pid]; !ok {
			pids = append(pids, pid)
		}
		parts[pid] = append(parts[pid], r.count("B", "MiB", 1<<40, 1<<20, r.first("used_gpu_memory", "used_memory")))
	}
	slices.Sort(pids)
	vram = make(map[int]Value[int64], len(parts))
	for pid, p := range parts {
		vram[pid] = sum(p)
	}
	return pids, vram, nil
}
