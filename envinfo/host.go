package envinfo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Host is the machine and its system software. In a container the kernel, the processor and the memory are still the machine's, while
// the distribution and the host name are the container's; the scope of each value says which.
type Host struct {
	Hostname     Value[string] `json:"hostname"`
	Distribution Value[string] `json:"distribution"` // "Ubuntu 24.04.2 LTS"
	Kernel       Value[string] `json:"kernel"`       // release: "6.8.0-60-generic"
	// CommandLine is the kernel's, as it was booted: options such as iommu=pt and numa_balancing=disable move measurements. It is
	// recorded without what looks like a secret (see [Scrub]) and without what follows " -- ": that is the command line of the first
	// process.
	CommandLine Value[string] `json:"command_line"`
	// Container is what kind of container the root filesystem belongs to: "docker", "podman", "kubernetes". It is unknown where none
	// of their marks is there, which a container of another kind need not leave.
	Container  Value[string] `json:"container"`
	CPUModel   Value[string] `json:"cpu_model"`
	CPUSockets Value[int64]  `json:"cpu_sockets"`
	CPUCores   Value[int64]  `json:"cpu_cores"`   // physical, of all sockets
	CPUThreads Value[int64]  `json:"cpu_threads"` // hardware threads that are online
	Memory     Value[int64]  `json:"memory"`      // B, as the kernel counts it: without what firmware and kernel keep
}

// containerMarks are the files that container engines put into the root filesystem.
var containerMarks = []struct{ file, kind string }{
	{".dockerenv", "docker"},
	{"run/.containerenv", "podman"},
	{"run/secrets/kubernetes.io", "kubernetes"},
}

func (c *capture) host() {
	h := &c.env.Host
	h.Container = Unknown[string]("", ScopeHost, "no mark of a container at "+joinMarks())
	for _, m := range containerMarks {
		if c.stat(m.file) == nil {
			c.userland = ScopeContainer
			h.Container = Known(m.kind, "", ScopeContainer, abs(m.file))
			break
		}
	}
	// uname(2) and gethostname(2) would answer for the running host, whichever tree is read.
	h.Hostname = c.text("proc/sys/kernel/hostname", c.userland)
	h.Kernel = c.text("proc/sys/kernel/osrelease", ScopeHost)
	h.CommandLine = c.commandLine()
	h.Distribution = c.distribution()
	c.cpu()
	h.Memory = c.memory()
}

func joinMarks() string {
	files := make([]string, len(containerMarks))
	for i, m := range containerMarks {
		files[i] = abs(m.file)
	}
	return strings.Join(files, ", ")
}

func (c *capture) commandLine() Value[string] {
	const name = "proc/cmdline"
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[string]("", ScopeHost, err.Error())
	}
	return Known(Scrub(kernelOptions(string(b))), "", ScopeHost, abs(name))
}

// kernelOptions is the part of a kernel command line that is for the kernel: "--" alone ends it
// (Documentation/admin-guide/kernel-parameters.rst).
func kernelOptions(line string) string {
	line = " " + strings.TrimSpace(line) + " "
	options, _, _ := strings.Cut(line, " -- ")
	return strings.TrimSpace(options)
}

func (c *capture) distribution() Value[string] {
	var reason string
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} { // the order of os-release(5)
		b, err := c.file(name, smallFile)
		if err != nil {
			reason = joinReasons(reason, err.Error())
			continue
		}
		if pretty := parseOSRelease(b); pretty != "" {
			return Known(pretty, "", c.userland, abs(name))
		}
		reason = joinReasons(reason, abs(name)+": neither PRETTY_NAME nor NAME")
	}
	return Unknown[string]("", c.userland, reason)
}

func joinReasons(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// parseOSRelease returns the name of the distribution, or "".
func parseOSRelease(b []byte) string {
	values := map[string]string{}
	for _, line := range lines(b) {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			values[key] = clean(unquote(value))
		}
	}
	if pretty := values["PRETTY_NAME"]; pretty != "" {
		return pretty
	}
	if values["NAME"] == "" {
		return ""
	}
	return clean(values["NAME"] + " " + values["VERSION_ID"])
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

// cpuinfo is what proc/cpuinfo says. Zero counts and an empty model are what it does not say.
type cpuinfo struct {
	model                   string
	mixed                   bool // processors of several models
	threads, cores, sockets int64
}

func (c *capture) cpu() {
	const name = "proc/cpuinfo"
	h := &c.env.Host
	b, err := c.file(name, largeFile)
	info := parseCPUInfo(b)
	count := func(n int64, key string) Value[int64] {
		switch {
		case err != nil:
			return Unknown[int64]("", ScopeHost, err.Error())
		case n == 0:
			return Unknown[int64]("", ScopeHost, fmt.Sprintf("%s: no %s for every processor", abs(name), key))
		}
		return Known(n, "", ScopeHost, abs(name)+": "+key)
	}
	// runtime.NumCPU is what the scheduler lets this process use, on this machine: another question, of another host.
	h.CPUThreads = count(info.threads, "processor")
	h.CPUSockets = count(info.sockets, "physical id")
	h.CPUCores = count(info.cores, "core id")
	switch {
	case err != nil:
		h.CPUModel = Unknown[string]("", ScopeHost, err.Error())
	case info.mixed: // naming one of them would be wrong for the rest
		h.CPUModel = Unknown[string]("", ScopeHost, abs(name)+": the processors have different model names")
	case info.model == "": // arm64 gives numbers in its place
		h.CPUModel = Unknown[string]("", ScopeHost, abs(name)+": no model name")
	default:
		h.CPUModel = Known(info.model, "", ScopeHost, abs(name)+": model name")
	}
}

// parseCPUInfo reads proc/cpuinfo: a paragraph for each hardware thread, "processor" first. Sockets and cores are counted only when
// every thread says where it is; a part of them would be counted too low.
func parseCPUInfo(b []byte) cpuinfo {
	var (
		info                 cpuinfo
		sockets, cores       = map[string]bool{}, map[string]bool{}
		socket, core         string
		withSocket, withCore int64
	)
	finish := func() {
		if socket != "" {
			sockets[socket] = true
			withSocket++
			if core != "" {
				cores[socket+"/"+core] = true
				withCore++
			}
		}
		socket, core = "", ""
	}
	for _, line := range lines(b) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "processor":
			if _, err := strconv.ParseUint(value, 10, 32); err != nil {
				continue // 32-bit ARM has a "Processor" of another meaning
			}
			finish()
			info.threads++
		case "model name":
			value = clean(value)
			info.mixed = info.mixed || info.model != "" && value != info.model
			info.model = value
		case "physical id":
			socket = value
		case "core id":
			core = value
		}
	}
	finish()
	if info.threads == 0 {
		return cpuinfo{}
	}
	if withSocket == info.threads {
		info.sockets = int64(len(sockets))
	}
	if withCore == info.threads {
		info.cores = int64(len(cores))
	}
	return info
}

func (c *capture) memory() Value[int64] {
	const name = "proc/meminfo"
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[int64]("B", ScopeHost, err.Error())
	}
	total, err := parseMemTotal(b)
	if err != nil {
		return Unknown[int64]("B", ScopeHost, abs(name)+": "+err.Error())
	}
	return Known(total, "B", ScopeHost, abs(name)+": MemTotal")
}

// parseMemTotal returns the bytes of MemTotal in proc/meminfo, whose kB are 1,024 B (proc_meminfo(5)).
func parseMemTotal(b []byte) (int64, error) {
	for _, line := range lines(b) {
		rest, ok := strings.CutPrefix(line, "MemTotal:")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) != 2 || f[1] != "kB" {
			return 0, fmt.Errorf("MemTotal is %q, want a number of kB", clean(rest))
		}
		kb, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil || kb <= 0 || kb > math.MaxInt64/1024 {
			return 0, fmt.Errorf("MemTotal is %q, want a number of kB", clean(rest))
		}
		return kb * 1024, nil
	}
	return 0, fmt.Errorf("no MemTotal")
}
