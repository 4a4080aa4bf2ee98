package state

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/host"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// kfdProcesses has a folder for each process that has opened the GPUs for compute, by its number, with the memory that
// it has on each (vram_<gpu_id>) (drivers/gpu/drm/amd/amdkfd/kfd_process.c).
const kfdProcesses = "sys/class/kfd/kfd/proc"

// running is the processes on the GPUs.
func (c *capture) running() ([]int, fact.Value[int64]) {
	names, err := c.Dir(kfdProcesses)
	if err != nil {
		return nil, fact.Unknown[int64]("", fact.ScopeHost, err.Error())
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, fact.Known(int64(len(pids)), "", fact.ScopeHost, "folders in "+source.Abs(kfdProcesses))
}

func (c *capture) processes(out *GPUProcesses) {
	pids, _ := c.running()
	c.listProcesses("processes", out, pids, c.processVRAM)
}

// listProcesses lists pids, which the host numbers, and warns of those that are not expected, about the value at the
// JSON path about.
func (c *capture) listProcesses(about string, out *GPUProcesses, pids []int, vram func(pid int) fact.Value[int64]) {
	if len(pids) == 0 {
		return
	}
	// The numbers are those of the host, and the proc of a container has others, or another process under the same.
	inside := ""
	if mark := host.ContainerMark(c.Reader); mark != "" {
		inside = "the number is that of the host, and this is a container (" + mark + ")"
	}
	var others []string
	for _, pid := range pids[:min(len(pids), source.MaxList)] {
		p := GPUProcess{PID: pid, VRAM: vram(pid), Name: fact.Unknown[string]("", fact.ScopeHost, inside)}
		if inside == "" {
			p.Name = c.Text(fmt.Sprintf("proc/%d/comm", pid), fact.ScopeHost)
			if !c.expected(pid) {
				others = append(
					others,
					fmt.Sprintf("%d (%s, %s)", pid, table.Show(p.Name, table.Plain).Text,
						table.Show(p.VRAM, table.Gibibytes).Text),
				)
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
func (c *capture) processVRAM(pid int) fact.Value[int64] {
	dir := fmt.Sprintf("%s/%d", kfdProcesses, pid)
	names, err := c.Dir(dir)
	if err != nil {
		return fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
	}
	var parts []fact.Value[int64]
	for _, name := range names {
		if strings.HasPrefix(name, "vram_") {
			parts = append(parts, c.whole(dir+"/"+name, "B", 1<<60))
		}
	}
	if len(parts) == 0 {
		return fact.Unknown[int64]("B", fact.ScopeHost, source.Abs(dir)+": no vram_…")
	}
	return fact.Sum(parts)
}

// expected tells whether the process, or one that has started it, is one of those that are expected.
func (c *capture) expected(pid int) bool {
	for range 64 { // generations, more than there are
		if slices.Contains(c.pids, pid) {
			return true
		}
		b, err := c.File(fmt.Sprintf("proc/%d/stat", pid), source.SmallFile)
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

// parseParent returns the parent in proc/PID/stat (proc_pid_stat(5)): the second field after the name, which may hold
// anything.
func parseParent(b []byte) (int, bool) {
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(f[1])
	return parent, err == nil && parent >= 0
}
