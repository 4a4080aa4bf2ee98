package envinfo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kfdProcesses has a folder for each process that has opened the GPUs for compute, by its number, with the memory that it has on each
// (vram_<gpu_id>) (drivers/gpu/drm/amd/amdkfd/kfd_process.c).
const kfdProcesses = "sys/class/kfd/kfd/proc"

// running is the processes on the GPUs.
func (c *stateCapture) running() ([]int, Value[int64]) {
	names, err := c.dir(kfdProcesses)
	if err != nil {
		return nil, Unknown[int64]("", ScopeHost, err.Error())
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, Known(int64(len(pids)), "", ScopeHost, "folders in "+abs(kfdProcesses))
}

func (c *stateCapture) processes(out *GPUProcesses) {
	pids, _ := c.running()
	c.listProcesses("processes", out, pids, c.processVRAM)
}

// listProcesses lists pids, which the host numbers, and warns of those that are not expected, about the value at the JSON path about.
func (c *stateCapture) listProcesses(about string, out *GPUProcesses, pids []int, vram func(pid int) Value[int64]) {
	if len(pids) == 0 {
		return
	}
	// The numbers are those of the host, and the proc of a container has others, or another process under the same.
	inside := ""
	if mark := containerMark(c.reader); mark != "" {
		inside = "the number is that of the host, and this is a container (" + mark + ")"
	}
	var others []string
	for _, pid := range pids[:min(len(pids), maxList)] {
		p := GPUProcess{PID: pid, VRAM: vram(pid), Name: Unknown[string]("", ScopeHost, inside)}
		if inside == "" {
			p.Name = c.text(fmt.Sprintf("proc/%d/comm", pid), ScopeHost)
			if !c.expected(pid) {
				others = append(others, fmt.Sprintf("%d (%s, %s)", pid, show(p.Name, plain).text, show(p.VRAM, gibibytes).text))
			}
		}
		out.List = append(out.List, p)
	}
	switch {
	case inside != "":
		c.Warn(about, "%d processes are on the GPUs, and whose they are cannot be told: %s", len(pids), inside)
	case len(others) > 0:
		more := ""
		if len(others) > 8 {
			more, others = fmt.Sprintf(" and %d more", len(others)-8), others[:8]
		}
		c.Warn(about, "on the GPUs are processes that are not expected there: %s%s", strings.Join(others, ", "), more)
	}
}

// processVRAM is the memory that a process has on all GPUs.
func (c *stateCapture) processVRAM(pid int) Value[int64] {
	dir := fmt.Sprintf("%s/%d", kfdProcesses, pid)
	names, err := c.dir(dir)
	if err != nil {
		return Unknown[int64]("B", ScopeHost, err.Error())
	}
	var parts []Value[int64]
	for _, name := range names {
		if strings.HasPrefix(name, "vram_") {
			parts = append(parts, c.whole(dir+"/"+name, "B", 1<<60))
		}
	}
	if len(parts) == 0 {
		return Unknown[int64]("B", ScopeHost, abs(dir)+": no vram_…")
	}
	return sum(parts)
}

// expected tells whether the process, or one that has started it, is one of those that are expected.
func (c *stateCapture) expected(pid int) bool {
	for range 64 { // generations, more than there are
		if slices.Contains(c.pids, pid) {
			return true
		}
		b, err := c.file(fmt.Sprintf("proc/%d/stat", pid), smallFile)
		if err != nil {
			return false
		}
		parent, ok := parseParent(b)
		if !ok || parent <= 1 {
			return false
		}
		pid = parent
	}
	return false
}

// parseParent returns the parent in proc/PID/stat (proc_pid_stat(5)): the second field after the name, which may hold anything.
func parseParent(b []byte) (int, bool) {
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(f[1])
	return parent, err == nil && parent >= 0
}
