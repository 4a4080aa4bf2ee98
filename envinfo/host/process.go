package host

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Process is the limits of one process; all of it is of [fact.ScopeProcess]. In a copied tree they are those of the
// process that proc/self was when the copy was made.
//
// Where control groups are of version 1, or of both versions, each limit is read from the hierarchy that its controller
// belongs to.
type Process struct {
	// CPULimit is the processor time that the process's control group may use, in processors: 1.5 is 150 ms in every
	// 100 ms. The tightest limit of the group and of those above it counts, as far up as the process can see.
	CPULimit    fact.Value[fact.Limit] `json:"cpu_limit"`
	MemoryLimit fact.Value[fact.Limit] `json:"memory_limit"` // B, likewise
	TaskLimit   fact.Value[fact.Limit] `json:"task_limit"`   // processes and threads, likewise
	// CPUSet and MemoryNodes are what the control group may use: lists of processors and of NUMA nodes as the kernel
	// writes them, "0-63,128-191". Allowed is the list of processors that the process itself may run on, which its own
	// affinity can make shorter, and AllowedCount how many they are.
	CPUSet       fact.Value[string] `json:"cpu_set"`
	MemoryNodes  fact.Value[string] `json:"memory_nodes"`
	Allowed      fact.Value[string] `json:"allowed_cpus"`
	AllowedCount fact.Value[int64]  `json:"allowed_cpu_count"`
	// UsableCPUs is the lesser of CPULimit and AllowedCount, and UsableMemory, in B, of MemoryLimit and the host's
	// memory: what is left of the host for this process.
	UsableCPUs   fact.Value[float64] `json:"usable_cpus"`
	UsableMemory fact.Value[int64]   `json:"usable_memory"`
	// OpenFiles is the soft limit of open files. Go programs raise theirs to the hard limit when they start, so of this
	// program it is not what ulimit -n printed in the shell that started it.
	OpenFiles        fact.Value[fact.Limit] `json:"open_files"`
	OpenFilesHard    fact.Value[fact.Limit] `json:"open_files_hard"`
	LockedMemory     fact.Value[fact.Limit] `json:"locked_memory"`      // B; RDMA and pinned buffers count against it
	LockedMemoryHard fact.Value[fact.Limit] `json:"locked_memory_hard"` // B
	Processes        fact.Value[fact.Limit] `json:"processes"`          // of the user, threads included
	ProcessesHard    fact.Value[fact.Limit] `json:"processes_hard"`
	Stack            fact.Value[fact.Limit] `json:"stack"`      // B
	StackHard        fact.Value[fact.Limit] `json:"stack_hard"` // B
}

// processCapture is the state of one [ReadProcess].
type processCapture struct {
	*source.Reader
	out Process
}

// ReadProcess reads the limits of the process on a host with so much memory.
func ReadProcess(r *source.Reader, memory fact.Value[int64]) Process {
	c := &processCapture{Reader: r}
	c.process(memory)
	return c.out
}

func (c *processCapture) process(memory fact.Value[int64]) {
	p := &c.out
	g := c.cgroups()
	p.CPULimit = c.cpuLimit(g)
	p.MemoryLimit = c.memoryLimit(g)
	p.TaskLimit = c.taskLimit(g)
	p.CPUSet = c.cpuset(g, []string{"cpuset.effective_cpus", "cpuset.cpus"}, []string{"cpuset.cpus.effective"})
	p.MemoryNodes = c.cpuset(g, []string{"cpuset.effective_mems", "cpuset.mems"}, []string{"cpuset.mems.effective"})
	c.affinity()
	c.usable(memory)

	const name = "proc/self/limits"
	b, err := c.File(name, source.SmallFile)
	for _, l := range []struct {
		row, unit  string
		soft, hard *fact.Value[fact.Limit]
	}{
		{"Max open files", "", &p.OpenFiles, &p.OpenFilesHard},
		{"Max locked memory", "B", &p.LockedMemory, &p.LockedMemoryHard},
		{"Max processes", "", &p.Processes, &p.ProcessesHard},
		{"Max stack size", "B", &p.Stack, &p.StackHard},
	} {
		reason := ""
		soft, hard, bad := parseLimit(b, l.row)
		switch {
		case err != nil:
			reason = err.Error()
		case bad != nil:
			reason = source.Abs(name) + ": " + bad.Error()
		}
		if reason != "" {
			*l.soft = fact.Unknown[fact.Limit](l.unit, fact.ScopeProcess, reason)
			*l.hard = *l.soft
			continue
		}
		*l.soft = fact.Known(soft, l.unit, fact.ScopeProcess, source.Abs(name)+": soft limit")
		*l.hard = fact.Known(hard, l.unit, fact.ScopeProcess, source.Abs(name)+": hard limit")
	}
}

// affinity reads which processors the process may run on.
func (c *processCapture) affinity() {
	const name, row = "proc/self/status", "Cpus_allowed_list"
	p := &c.out
	list, err := "", error(nil)
	b, err := c.File(name, source.SmallFile)
	if err == nil {
		list, err = parseStatus(b, row)
	}
	var n int64
	if err == nil {
		n, err = source.ParseList(list)
	}
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %s is empty", source.Abs(name), row)
	}
	if err != nil {
		reason := err.Error()
		if !strings.HasPrefix(reason, source.Abs(name)) {
			reason = source.Abs(name) + ": " + reason
		}
		p.Allowed, p.AllowedCount = fact.Unknown[string]("", fact.ScopeProcess, reason), fact.Unknown[int64]("",
			fact.ScopeProcess, reason)
		return
	}
	p.Allowed = fact.Known(list, "", fact.ScopeProcess, source.Abs(name)+": "+row)
	p.AllowedCount = fact.Known(n, "", fact.ScopeProcess, source.Abs(name)+": "+row+", counted")
}

// usable is what the limits leave of the host. A limit that is unknown may be the tightest, and then so is what is
// usable.
func (c *processCapture) usable(memory fact.Value[int64]) {
	p := &c.out
	p.UsableCPUs = fact.Unknown[float64]("CPU", fact.ScopeProcess,
		"the least of cpu_limit and allowed_cpu_count, and not both are known")
	p.UsableMemory = fact.Unknown[int64]("B", fact.ScopeProcess,
		"the least of memory_limit and host.memory, and not both are known")
	limit, ok := p.CPULimit.Get()
	if n, counted := p.AllowedCount.Get(); ok && counted {
		p.UsableCPUs = fact.Known(min(float64(limit), float64(n)), "CPU", fact.ScopeProcess,
			"the least of cpu_limit and allowed_cpu_count")
	}
	limit, ok = p.MemoryLimit.Get()
	if total, there := memory.Get(); ok && there {
		if float64(limit) < float64(total) {
			total = int64(limit)
		}
		p.UsableMemory = fact.Known(total, "B", fact.ScopeProcess, "the least of memory_limit and host.memory")
	}
}

// parseStatus returns a row of proc/self/status (proc_pid_status(5)).
func parseStatus(b []byte, row string) (string, error) {
	for _, line := range source.Lines(b) {
		if rest, ok := strings.CutPrefix(line, row+":"); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("no %s", row)
}

// parseLimit returns the limits of a row of proc/self/limits (proc_pid_limits(5)).
func parseLimit(b []byte, row string) (soft, hard fact.Limit, err error) {
	for _, line := range source.Lines(b) {
		rest, ok := strings.CutPrefix(line, row+" ")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) < 2 {
			return 0, 0, fmt.Errorf("%q has no two limits", fact.Clean(line))
		}
		var out [2]fact.Limit
		for i := range out {
			if f[i] == "unlimited" {
				out[i] = fact.NoLimit()
				continue
			}
			n, err := strconv.ParseUint(f[i], 10, 64)
			if err != nil || n > math.MaxInt64 {
				return 0, 0, fmt.Errorf("%q has no two limits", fact.Clean(line))
			}
			out[i] = fact.Limit(n)
		}
		return out[0], out[1], nil
	}
	return 0, 0, fmt.Errorf("no %q", row)
}
