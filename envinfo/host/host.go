// Package host reads the machine and its system software, its network cards, and the limits and variables of a process
// on it.
package host

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/internal/secret"
)

// Host is the machine and its system software. In a container the kernel, the processor and the memory are still the
// machine's, while the distribution and the host name are the container's; the scope of each value says which.
type Host struct {
	Hostname     fact.Value[string] `json:"hostname"`
	Distribution fact.Value[string] `json:"distribution"` // "Ubuntu 24.04.2 LTS"
	Kernel       fact.Value[string] `json:"kernel"`       // release: "6.8.0-60-generic"
	// which build of it: "#63-Ubuntu SMP PREEMPT_DYNAMIC Tue Apr 15 19:04:15 UTC 2025"
	KernelBuild  fact.Value[string] `json:"kernel_build"`
	Architecture fact.Value[string] `json:"architecture"` // of the kernel, as uname -m: "x86_64", "aarch64"
	// CommandLine is the kernel's, as it was booted: options such as iommu=pt and numa_balancing=disable move
	// measurements. What follows " -- " is left out: that is the command line of the first process, and command lines
	// of processes can hold secrets. So are the values of options that hold secrets, or addresses by which the machine
	// could be found.
	CommandLine fact.Value[string] `json:"command_line"`
	// Container is what kind of container the root filesystem belongs to: "docker", "podman", "kubernetes",
	// "apptainer". It is unknown where none of their marks is there, which a container of another kind need not leave.
	Container fact.Value[string] `json:"container"`
	// Virtualization is "none", or what the host is a guest of, by the names of systemd-detect-virt(1): "kvm",
	// "vmware", "xen", "microsoft", "amazon", "google", …; "vm-other" for one that does not say which it is.
	Virtualization fact.Value[string] `json:"virtualization"`
	Machine        Machine            `json:"machine"`
	// CPUModel is the name that the processors give themselves. Those of ARM give numbers, which a table turns into the
	// name of the core where it has them.
	CPUModel   fact.Value[string] `json:"cpu_model"`
	CPUSockets fact.Value[int64]  `json:"cpu_sockets"`
	CPUCores   fact.Value[int64]  `json:"cpu_cores"`   // physical, of all sockets
	CPUThreads fact.Value[int64]  `json:"cpu_threads"` // hardware threads that are online
	// ThreadsPerCore is 2 where each core runs two threads at once (SMT).
	ThreadsPerCore fact.Value[int64]  `json:"threads_per_core"`
	SMT            fact.Value[string] `json:"smt"`         // "on", "off", "forceoff", "notsupported", "notimplemented"
	CPUsOnline     fact.Value[string] `json:"cpus_online"` // "0-255"
	Microcode      fact.Value[string] `json:"microcode"`   // "0xb00215a"
	Frequency      Frequency          `json:"frequency"`
	NUMA           NUMA               `json:"numa"`
	// B, as the kernel counts it: without what firmware and kernel keep
	Memory fact.Value[int64] `json:"memory"`
	// MemoryModules says which modules are fitted: "24x 64 GiB DDR5 at 4800 MT/s". MemorySpeed, in MT/s, is the speed
	// that all of them are run at. Most systems tell both to root alone.
	MemoryModules fact.Value[string] `json:"memory_modules"`
	MemorySpeed   fact.Value[int64]  `json:"memory_speed"`
	Tuning        Tuning             `json:"tuning"`
	Network       Network            `json:"network"`
}

// containerMarks are the files that container engines put into the root filesystem.
var containerMarks = []struct{ file, kind string }{
	{".dockerenv", "docker"},
	{"run/.containerenv", "podman"},
	{"run/secrets/kubernetes.io", "kubernetes"},
	{".singularity.d", "apptainer"},
}

// capture is the state of one [Read].
type capture struct {
	*source.Reader
	fact.Warnings
	userland fact.Scope
	out      Host
}

// Read reads the host, all but its network. The scope userland is that of what the root filesystem holds: of the host,
// or of the container around it.
func Read(r *source.Reader) (h Host, userland fact.Scope, warnings []fact.Warning) {
	c := &capture{Reader: r, userland: fact.ScopeHost}
	c.host()
	return c.out, c.userland, c.Warnings
}

func (c *capture) host() {
	h := &c.out
	h.Container = fact.Unknown[string]("", fact.ScopeHost, "no mark of a container at "+joinMarks())
	for _, m := range containerMarks {
		if c.Stat(m.file) == nil {
			c.userland = fact.ScopeContainer
			h.Container = fact.Known(m.kind, "", fact.ScopeContainer, source.Abs(m.file))
			break
		}
	}
	// uname(2) and gethostname(2) would answer for the running host, whichever tree is read.
	h.Hostname = c.Text("proc/sys/kernel/hostname", c.userland)
	h.Kernel = c.Text("proc/sys/kernel/osrelease", fact.ScopeHost)
	h.KernelBuild = c.Text("proc/sys/kernel/version", fact.ScopeHost)
	h.Architecture = c.Text("proc/sys/kernel/arch", fact.ScopeHost)
	h.CommandLine = c.commandLine()
	h.Distribution = c.distribution()
	info := c.cpu()
	c.frequency()
	h.Machine = c.machine()
	h.Virtualization = c.virtualization(info)
	c.numa()
	h.Memory = c.memory()
	c.memoryModules()
	h.Tuning = c.tuning()
}

// ContainerMark is the file that tells that the root filesystem is that of a container, or "".
func ContainerMark(r *source.Reader) string {
	for _, m := range containerMarks {
		if r.Stat(m.file) == nil {
			return source.Abs(m.file)
		}
	}
	return ""
}

func joinMarks() string {
	files := make([]string, len(containerMarks))
	for i, m := range containerMarks {
		files[i] = source.Abs(m.file)
	}
	return strings.Join(files, ", ")
}

func (c *capture) commandLine() fact.Value[string] {
	const name = "proc/cmdline"
	b, err := c.File(name, source.SmallFile)
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	return fact.Known(secret.Scrub(scrubOptions(kernelOptions(string(b)))), "", fact.ScopeHost, source.Abs(name))
}

// kernelOptions is the part of a kernel command line that is for the kernel: "--" alone ends it
// (Documentation/admin-guide/kernel-parameters.rst).
func kernelOptions(line string) string {
	line = " " + strings.TrimSpace(line) + " "
	options, _, _ := strings.Cut(line, " -- ")
	return strings.TrimSpace(options)
}

func (c *capture) distribution() fact.Value[string] {
	var reason string
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} { // the order of os-release(5)
		b, err := c.File(name, source.SmallFile)
		if err != nil {
			reason = fact.JoinReasons(reason, err.Error())
			continue
		}
		if pretty := parseOSRelease(b); pretty != "" {
			return fact.Known(pretty, "", c.userland, source.Abs(name))
		}
		reason = fact.JoinReasons(reason, source.Abs(name)+": neither PRETTY_NAME nor NAME")
	}
	return fact.Unknown[string]("", c.userland, reason)
}

// parseOSRelease returns the name of the distribution, or "".
func parseOSRelease(b []byte) string {
	values := map[string]string{}
	for _, line := range source.Lines(b) {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			values[key] = fact.Clean(unquote(value))
		}
	}
	if pretty := values["PRETTY_NAME"]; pretty != "" {
		return pretty
	}
	if values["NAME"] == "" {
		return ""
	}
	return fact.Clean(values["NAME"] + " " + values["VERSION_ID"])
}

// unquote undoes the shell quoting that os-release(5) allows. strconv.Unquote knows Go's escapes, which are others.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	quote, s := s[0], s[1:len(s)-1]
	if quote == '\'' {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"$`\\", s[i+1]) >= 0 {
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func (c *capture) memory() fact.Value[int64] {
	const name = "proc/meminfo"
	b, err := c.File(name, source.SmallFile)
	if err != nil {
		return fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
	}
	total, err := parseMemTotal(b)
	if err != nil {
		return fact.Unknown[int64]("B", fact.ScopeHost, source.Abs(name)+": "+err.Error())
	}
	from := source.Abs(name) + ": MemTotal"
	c.compareMemory(total)
	gpus := 0
	for _, n := range c.out.NUMA.Nodes { // the kernel counts the memory of GPUs that it manages
		if n.GPU.Source() == "" {
			continue
		}
		memory, ok := n.Memory.Get()
		if !ok {
			return fact.Unknown[int64]("B", fact.ScopeHost,
				fmt.Sprintf("%s has that of GPUs in it, and how much is not known: %s", from, n.Memory.Reason()))
		}
		gpus++
		total -= memory
	}
	if gpus > 0 {
		from += fmt.Sprintf(", without the %d NUMA nodes that are memory of GPUs", gpus)
	}
	if total <= 0 {
		return fact.Unknown[int64]("B", fact.ScopeHost, from+": nothing is left")
	}
	return fact.Known(total, "B", fact.ScopeHost, from)
}

// compareMemory warns where the NUMA nodes together have another memory than the kernel counts as a whole: in a
// container behind lxcfs, /proc/meminfo is the container's, and a virtual machine was seen whose node has half of it.
func (c *capture) compareMemory(total int64) {
	if len(c.out.NUMA.Nodes) == 0 {
		return
	}
	sum := fact.Sum(fact.Each(c.out.NUMA.Nodes, func(n NUMANode) fact.Value[int64] { return n.Memory }))
	if nodes, ok := sum.Get(); ok && math.Abs(float64(nodes-total)) > 0.01*float64(total) {
		c.Warn("host.memory", "/proc/meminfo says %d B and the NUMA nodes together %d B (%s)", total, nodes,
			sum.Source())
	}
}

// parseMemTotal returns the bytes of MemTotal in proc/meminfo, whose kB are 1,024 B (proc_meminfo(5)).
func parseMemTotal(b []byte) (int64, error) {
	for _, line := range source.Lines(b) {
		rest, ok := strings.CutPrefix(line, "MemTotal:")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) != 2 || f[1] != "kB" {
			return 0, fmt.Errorf("MemTotal is %q, want a number of kB", fact.Clean(rest))
		}
		kb, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil || kb <= 0 || kb > math.MaxInt64/1024 {
			return 0, fmt.Errorf("MemTotal is %q, want a number of kB", fact.Clean(rest))
		}
		return kb * 1024, nil
	}
	return 0, fmt.Errorf("no MemTotal")
}
