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
	mixed                   bool  // processors of several models
	parts                   tally // of ARM, the names of the cores or their numbers
	threads, cores, sockets int64
	microcode               tally
	flags                   bool // whether x86's flags are there
	hypervisor              bool // whether they have the one that hypervisors set
	single                  bool // each thread says that it has a core of its own: siblings are as many as cpu cores
}

func (c *capture) cpu() cpuinfo {
	const name = "proc/cpuinfo"
	h := &c.out
	b, err := c.File(name, source.LargeFile)
	info := parseCPUInfo(b)
	switch {
	case err != nil:
		h.CPUModel = fact.Unknown[string]("", fact.ScopeHost, err.Error())
	case info.model == "" && info.parts.of > 0:
		h.CPUModel = info.parts.value("")
		if len(info.parts.texts) == 1 {
			h.CPUModel = fact.Known(info.parts.texts[0], "", fact.ScopeHost, info.parts.source)
		}
	case info.mixed: // naming one of them would be wrong for the rest
		h.CPUModel = fact.Unknown[string]("", fact.ScopeHost,
			source.Abs(name)+": the processors have different model names or parts")
	case info.model == "":
		h.CPUModel = fact.Unknown[string]("", fact.ScopeHost, source.Abs(name)+": no model name")
	default:
		h.CPUModel = fact.Known(info.model, "", fact.ScopeHost, source.Abs(name)+": model name")
	}
	h.Microcode = fact.Unknown[string]("", fact.ScopeHost, source.Abs(name)+": no microcode")
	if err != nil {
		h.Microcode = fact.Unknown[string]("", fact.ScopeHost, err.Error())
	} else if revision, ok := info.microcode.value("").Get(); ok {
		h.Microcode = fact.Known(revision, "", fact.ScopeHost, source.Abs(name)+": microcode")
	}

	h.SMT = c.Text(cpuDir+"/smt/control", fact.ScopeHost)
	even := c.count(info, err)
	h.ThreadsPerCore = fact.Unknown[int64]("", fact.ScopeHost, "cpu_threads / cpu_cores, and not both are known")
	if cores, ok := h.CPUCores.Get(); ok {
		if threads, ok := h.CPUThreads.Get(); ok {
			h.ThreadsPerCore = fact.Unknown[int64]("", fact.ScopeHost,
				fmt.Sprintf("%d threads on %d cores: not the same number on each", threads, cores))
			if even && threads%cores == 0 {
				h.ThreadsPerCore = fact.Known(threads/cores, "", fact.ScopeHost, "cpu_threads / cpu_cores")
			}
		}
	}
	return info
}

// armCores is by implementer and part, the fields of the MIDR register, as their makers' reference manuals have them.
var armCores = map[string]string{
	"0x41 0xd03": "Arm Cortex-A53", "0x41 0xd05": "Arm Cortex-A55", "0x41 0xd07": "Arm Cortex-A57",
	"0x41 0xd08": "Arm Cortex-A72",
	"0x41 0xd0b": "Arm Cortex-A76", "0x41 0xd42": "Arm Cortex-A78AE", "0x41 0xd0c": "Arm Neoverse-N1",
	"0x41 0xd40": "Arm Neoverse-V1",
	"0x41 0xd49": "Arm Neoverse-N2", "0x41 0xd4f": "Arm Neoverse-V2", "0x41 0xd84": "Arm Neoverse-V3",
	"0x41 0xd8e": "Arm Neoverse-N3",
	"0x41 0xd81": "Arm Cortex-A720", "0x41 0xd82": "Arm Cortex-X4", "0x41 0xd85": "Arm Cortex-X925",
	"0x41 0xd87": "Arm Cortex-A725", "0x4e 0x004": "NVIDIA Carmel",
	"0x41 0xd83": "Arm Neoverse-V3AE", "0x6d 0xd49": "Azure Cobalt 100",
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
		siblings, perPackage string
		withSocket, withCore int64
		alone                int64 // threads that have a core of their own
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
		if implementer != "" && part != "" {
			info.parts.add(armModel(strings.ToLower(implementer+" "+part), "/proc/cpuinfo"))
		}
		if siblings != "" && siblings == perPackage {
			alone++
		}
		socket, core, implementer, part, siblings, perPackage = "", "", "", "", "", ""
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
		case "siblings": // threads of the package
			siblings = value
		case "cpu cores": // of the package
			perPackage = value
		case "cpu": // POWER has this in the place of a model: "POWER9, altivec supported"
			value, _, _ = strings.Cut(value, ",")
			value = fact.Clean(value)
			info.mixed = info.mixed || info.model != "" && value != info.model
			info.model = value
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
	info.single = alone == info.threads
	if withSocket == info.threads {
		info.sockets = int64(len(sockets))
	}
	if withCore == info.threads {
		info.cores = int64(len(cores))
	}
	return info
}
