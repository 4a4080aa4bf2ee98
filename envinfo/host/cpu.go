package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// cpuinfo is what proc/cpuinfo says. Zero counts and an empty model are what it does not say.
type cpuinfo struct {
	model                   string
	mixed                   bool // processors of several models
	arm                     bool // the model is numbers that a table knows or does not
	threads, cores, sockets int64
	microcode               tally
	flags                   bool // whether x86's flags are there
	hypervisor              bool // whether they have the one that hypervisors set
}

func (c *capture) cpu() cpuinfo {
	const name = "proc/cpuinfo"
	h := &c.out
	b, err := c.File(name, source.LargeFile)
	info := parseCPUInfo(b)
	count := func(n int64, key string) fact.Value[int64] {
		switch {
		case err != nil:
			return fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		case n == 0:
			return fact.Unknown[int64](
				"",
				fact.ScopeHost,
				fmt.Sprintf("%s: no %s for every processor", source.Abs(name), key),
			)
		}
		return fact.Known(n, "", fact.ScopeHost, source.Abs(name)+": "+key)
	}
	// runtime.NumCPU is what the scheduler lets this process use, on this machine: another question, of another host.
	h.CPUThreads = count(info.threads, "processor")
	h.CPUSockets = count(info.sockets, "physical id")
	h.CPUCores = count(info.cores, "core id")
	switch {
	case err != nil:
		h.CPUModel = fact.Unknown[string]("", fact.ScopeHost, err.Error())
	case info.mixed: // naming one of them would be wrong for the rest
		h.CPUModel = fact.Unknown[string](
			"",
			fact.ScopeHost,
			source.Abs(name)+": the processors have different model names or parts",
		)
	case info.model == "":
		h.CPUModel = fact.Unknown[string]("", fact.ScopeHost, source.Abs(name)+": no model name")
	case info.arm:
		h.CPUModel = armModel(info.model, source.Abs(name))
	default:
		h.CPUModel = fact.Known(info.model, "", fact.ScopeHost, source.Abs(name)+": model name")
	}
	h.Microcode = fact.Unknown[string]("", fact.ScopeHost, source.Abs(name)+": no microcode")
	if err != nil {
		h.Microcode = fact.Unknown[string]("", fact.ScopeHost, err.Error())
	} else if revision, ok := info.microcode.value("").Get(); ok {
		h.Microcode = fact.Known(revision, "", fact.ScopeHost, source.Abs(name)+": microcode")
	}

	online := cpuDir + "/online"
	b, err = c.File(online, source.SmallFile)
	h.CPUsOnline = c.List(online, b, err, fact.ScopeHost)
	h.SMT = c.Text(cpuDir+"/smt/control", fact.ScopeHost)
	c.topology()
	h.ThreadsPerCore = fact.Unknown[int64]("", fact.ScopeHost, "cpu_threads / cpu_cores, and not both are known")
	if cores, ok := h.CPUCores.Get(); ok {
		if threads, ok := h.CPUThreads.Get(); ok {
			h.ThreadsPerCore = fact.Unknown[int64](
				"",
				fact.ScopeHost,
				fmt.Sprintf("%d threads on %d cores: not the same number on each", threads, cores),
			)
			if threads%cores == 0 {
				h.ThreadsPerCore = fact.Known(threads/cores, "", fact.ScopeHost, "cpu_threads / cpu_cores")
			}
		}
	}
	return info
}

const cpuDir = "sys/devices/system/cpu"

// topology counts cores and sockets from sysfs where proc/cpuinfo does not tell them, as on ARM
// (Documentation/admin-guide/cputopology.rst). They are counted by which processors share one, since ids are unique
// only within the level above, and some firmware gives none.
func (c *capture) topology() {
	h := &c.out
	count := func(v *fact.Value[int64], files ...string) {
		if _, ok := v.Get(); ok {
			return
		}
		fail := func(reason string) {
			*v = fact.Unknown[int64]("", fact.ScopeHost, fact.JoinReasons(v.Reason(), reason))
		}
		list, ok := h.CPUsOnline.Get()
		if !ok {
			fail(h.CPUsOnline.Reason())
			return
		}
		rs, _ := source.Ranges(list)
		n, _ := source.ParseList(list)
		if n > source.MaxEntries {
			fail("more processors than are read")
			return
		}
		groups, file := map[string]bool{}, ""
		for _, r := range rs {
			for cpu := r[0]; cpu <= r[1]; cpu++ {
				var b []byte
				var err error
				for _, f := range files {
					file = fmt.Sprintf("%s/cpu%d/topology/%s", cpuDir, cpu, f)
					if b, err = c.File(file, source.SmallFile); !source.Missing(err) {
						break
					}
				}
				if err != nil {
					fail(err.Error())
					return
				}
				s := strings.TrimSpace(string(b))
				if n, err := source.ParseList(s); err != nil || n == 0 {
					fail(source.Abs(file) + ": not a list of processors")
					return
				}
				groups[s] = true
			}
		}
		if len(groups) == 0 {
			fail(source.Abs(cpuDir) + "/online: empty")
			return
		}
		*v = fact.Known(int64(len(groups)), "", fact.ScopeHost, "different ones of "+source.Abs(file)+" and its like")
	}
	// The second names are those of kernels before 5.3.
	count(&h.CPUCores, "core_cpus_list", "thread_siblings_list")
	count(&h.CPUSockets, "package_cpus_list", "core_siblings_list")
}

// armCores is by implementer and part, the fields of the MIDR register, as their makers' reference manuals have them.
var armCores = map[string]string{
	"0x41 0xd03": "Arm Cortex-A53", "0x41 0xd05": "Arm Cortex-A55", "0x41 0xd07": "Arm Cortex-A57",
	"0x41 0xd08": "Arm Cortex-A72",
	"0x41 0xd0b": "Arm Cortex-A76", "0x41 0xd42": "Arm Cortex-A78AE", "0x41 0xd0c": "Arm Neoverse-N1",
	"0x41 0xd40": "Arm Neoverse-V1",
	"0x41 0xd49": "Arm Neoverse-N2", "0x41 0xd4f": "Arm Neoverse-V2", "0x41 0xd84": "Arm Neoverse-V3",
	"0x41 0xd8e": "Arm Neoverse-N3",
	"0x48 0xd01": "HiSilicon TSV110", "0xc0 0xac3": "Ampere-1", "0xc0 0xac4": "Ampere-1A",
}

// armModel is the name of the core, or the numbers themselves.
func armModel(numbers, name string) fact.Value[string] {
	if core, ok := armCores[numbers]; ok {
		return fact.Known(core, "", fact.ScopeHost, "table: "+name+": CPU implementer and part "+numbers)
	}
	implementer, part, _ := strings.Cut(numbers, " ")
	return fact.Known("implementer "+implementer+" part "+part, "", fact.ScopeHost, name+": CPU implementer, CPU part")
}

// parseCPUInfo reads proc/cpuinfo: a paragraph for each hardware thread, "processor" first. Sockets and cores are
// counted only when every thread says where it is; a part of them would be counted too low.
func parseCPUInfo(b []byte) cpuinfo {
	var (
		info                 cpuinfo
		sockets, cores       = map[string]bool{}, map[string]bool{}
		socket, core         string
		implementer, part    string
		numbers              []string // implementer and part, of those that differ
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
		if implementer != "" && part != "" && len(numbers) < 2 {
			if s := strings.ToLower(implementer + " " + part); !slices.Contains(numbers, s) {
				numbers = append(numbers, s)
			}
		}
		socket, core, implementer, part = "", "", "", ""
	}
	for _, line := range source.Lines(b) {
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
			value = fact.Clean(value)
			info.mixed = info.mixed || info.model != "" && value != info.model
			info.model = value
		case "physical id":
			socket = value
		case "core id":
			core = value
		case "CPU implementer":
			implementer = value
		case "CPU part":
			part = value
		case "microcode":
			info.microcode.add(fact.Known(value, "", fact.ScopeHost, "/proc/cpuinfo: microcode"))
		case "flags":
			info.flags = true
			info.hypervisor = info.hypervisor || slices.Contains(strings.Fields(value), "hypervisor")
		}
	}
	finish()
	if info.threads == 0 {
		return cpuinfo{}
	}
	if info.model == "" && len(numbers) > 0 {
		info.model, info.arm, info.mixed = numbers[0], true, len(numbers) > 1
	}
	if withSocket == info.threads {
		info.sockets = int64(len(sockets))
	}
	if withCore == info.threads {
		info.cores = int64(len(cores))
	}
	return info
}
