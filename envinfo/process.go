package envinfo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Process is the limits of one process; all of it is of [ScopeProcess]. In a copied tree they are those of the process that proc/self
// was when the copy was made.
//
// Where control groups are of version 1, or of both versions, each limit is read from the hierarchy that its controller belongs to.
type Process struct {
	// CPULimit is the processor time that the process's control group may use, in processors: 1.5 is 150 ms in every 100 ms. The
	// tightest limit of the group and of those above it counts, as far up as the process can see.
	CPULimit    Value[Limit] `json:"cpu_limit"`
	MemoryLimit Value[Limit] `json:"memory_limit"` // B, likewise
	TaskLimit   Value[Limit] `json:"task_limit"`   // processes and threads, likewise
	// CPUSet and MemoryNodes are what the control group may use: lists of processors and of NUMA nodes as the kernel writes them,
	// "0-63,128-191". Allowed is the list of processors that the process itself may run on, which its own affinity can make shorter,
	// and AllowedCount how many they are.
	CPUSet       Value[string] `json:"cpu_set"`
	MemoryNodes  Value[string] `json:"memory_nodes"`
	Allowed      Value[string] `json:"allowed_cpus"`
	AllowedCount Value[int64]  `json:"allowed_cpu_count"`
	// UsableCPUs is the lesser of CPULimit and AllowedCount, and UsableMemory, in B, of MemoryLimit and the host's memory: what is
	// left of the host for this process.
	UsableCPUs   Value[float64] `json:"usable_cpus"`
	UsableMemory Value[int64]   `json:"usable_memory"`
	// OpenFiles is the soft limit of open files. Go programs raise theirs to the hard limit when they start, so of this program it
	// is not what ulimit -n printed in the shell that started it.
	OpenFiles        Value[Limit] `json:"open_files"`
	OpenFilesHard    Value[Limit] `json:"open_files_hard"`
	LockedMemory     Value[Limit] `json:"locked_memory"`      // B; RDMA and pinned buffers count against it
	LockedMemoryHard Value[Limit] `json:"locked_memory_hard"` // B
	Processes        Value[Limit] `json:"processes"`          // of the user, threads included
	ProcessesHard    Value[Limit] `json:"processes_hard"`
	Stack            Value[Limit] `json:"stack"`      // B
	StackHard        Value[Limit] `json:"stack_hard"` // B
}

// processCapture is the state of one [ReadProcess].
type processCapture struct {
	*reader
	out Process
}

// ReadProcess reads the limits of the process on a host with so much memory.
func ReadProcess(r *reader, memory Value[int64]) Process {
	c := &processCapture{reader: r}
	c.process(memory)
	return c.out
}

func (c *processCapture) process(memory Value[int64]) {
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
	b, err := c.file(name, smallFile)
	for _, l := range []struct {
		row, unit  string
		soft, hard *Value[Limit]
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
			reason = abs(name) + ": " + bad.Error()
		}
		if reason != "" {
			*l.soft = Unknown[Limit](l.unit, ScopeProcess, reason)
			*l.hard = *l.soft
			continue
		}
		*l.soft = Known(soft, l.unit, ScopeProcess, abs(name)+": soft limit")
		*l.hard = Known(hard, l.unit, ScopeProcess, abs(name)+": hard limit")
	}
}

// affinity reads which processors the process may run on.
func (c *processCapture) affinity() {
	const name, row = "proc/self/status", "Cpus_allowed_list"
	p := &c.out
	list, err := "", error(nil)
	b, err := c.file(name, smallFile)
	if err == nil {
		list, err = parseStatus(b, row)
	}
	var n int64
	if err == nil {
		n, err = parseList(list)
	}
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %s is empty", abs(name), row)
	}
	if err != nil {
		reason := err.Error()
		if !strings.HasPrefix(reason, abs(name)) {
			reason = abs(name) + ": " + reason
		}
		p.Allowed, p.AllowedCount = Unknown[string]("", ScopeProcess, reason), Unknown[int64]("", ScopeProcess, reason)
		return
	}
	p.Allowed = Known(list, "", ScopeProcess, abs(name)+": "+row)
	p.AllowedCount = Known(n, "", ScopeProcess, abs(name)+": "+row+", counted")
}

// usable is what the limits leave of the host. A limit that is unknown may be the tightest, and then so is what is usable.
func (c *processCapture) usable(memory Value[int64]) {
	p := &c.out
	p.UsableCPUs = Unknown[float64]("CPU", ScopeProcess, "the least of cpu_limit and allowed_cpu_count, and not both are known")
	p.UsableMemory = Unknown[int64]("B", ScopeProcess, "the least of memory_limit and host.memory, and not both are known")
	limit, ok := p.CPULimit.Get()
	if n, counted := p.AllowedCount.Get(); ok && counted {
		p.UsableCPUs = Known(min(float64(limit), float64(n)), "CPU", ScopeProcess, "the least of cpu_limit and allowed_cpu_count")
	}
	limit, ok = p.MemoryLimit.Get()
	if total, there := memory.Get(); ok && there {
		if float64(limit) < float64(total) {
			total = int64(limit)
		}
		p.UsableMemory = Known(total, "B", ScopeProcess, "the least of memory_limit and host.memory")
	}
}

// parseStatus returns a row of proc/self/status (proc_pid_status(5)).
func parseStatus(b []byte, row string) (string, error) {
	for _, line := range lines(b) {
		if rest, ok := strings.CutPrefix(line, row+":"); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("no %s", row)
}

// parseLimit returns the limits of a row of proc/self/limits (proc_pid_limits(5)).
func parseLimit(b []byte, row string) (soft, hard Limit, err error) {
	for _, line := range lines(b) {
		rest, ok := strings.CutPrefix(line, row+" ")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) < 2 {
			return 0, 0, fmt.Errorf("%q has no two limits", clean(line))
		}
		var out [2]Limit
		for i := range out {
			if f[i] == "unlimited" {
				out[i] = NoLimit()
				continue
			}
			n, err := strconv.ParseUint(f[i], 10, 64)
			if err != nil || n > math.MaxInt64 {
				return 0, 0, fmt.Errorf("%q has no two limits", clean(line))
			}
			out[i] = Limit(n)
		}
		return out[0], out[1], nil
	}
	return 0, 0, fmt.Errorf("no %q", row)
}
