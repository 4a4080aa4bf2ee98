package envinfo

import (
	"fmt"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
)

// MLPerf returns e under the names of an MLPerf Inference system description, all those that its submission checker asks for; it
// marshals to the JSON object that a submission has as systems/<name>.json. All are strings, as in published submissions.
//
// What is unknown is "", which is what submitters write too, and what the checker refuses where an answer is compulsory; neither
// "N/A", which says that there is no such thing, nor a guess. What only a submitter can know (division, submitter, status, system_name,
// number_of_nodes, system_type, storage, cooling, notes) is always "".
func (e *Environment) MLPerf() map[string]string {
	out := map[string]string{}
	for _, name := range strings.Fields(mlperfNames) {
		out[name] = ""
	}
	set := func(name string, c cell) {
		if c.text != "unknown" {
			out[name] = c.text
		}
	}
	h, g := &e.Host, &e.AMD
	set("host_processor_model_name", show(h.CPUModel, plain))
	set("host_processors_per_node", show(h.CPUSockets, plain))
	cores, ok := h.CPUCores.Get()
	sockets, ok2 := h.CPUSockets.Get()
	if ok && ok2 && sockets > 0 && cores%sockets == 0 { // the name is of one processor, and so is the count
		out["host_processor_core_count"] = fmt.Sprint(cores / sockets)
	}
	set("host_memory_capacity", show(h.Memory, gibibytes))
	set("operating_system", show(h.Distribution, plain))

	// A host with GPUs of both makers has no one accelerator; the description is then of the AMD ones.
	if n := &e.NVIDIA; len(g.Cards) == 0 && len(n.Cards) > 0 {
		set("accelerators_per_node", show(n.Count, plain))
		set("accelerator_model_name", n.perCard(func(c NVIDIAGPU) cell { return show(c.Model, plain) }))
		set("accelerator_memory_capacity", n.perCard(func(c NVIDIAGPU) cell { return orElse(show(c.Nominal.VRAM, gigabytes), show(c.VRAM, gibibytes)) }))
		set("accelerator_memory_configuration", n.perCard(func(c NVIDIAGPU) cell { return show(c.Nominal.MemoryType, plain) }))
		set("accelerator_frequency", n.perCard(func(c NVIDIAGPU) cell { return show(c.MaxClock, megahertz) }))
	} else {
		set("accelerators_per_node", show(g.Count, plain))
	}
	if len(g.Cards) > 0 {
		set("accelerator_model_name", g.perCard(func(c GPU) cell { return show(c.Model, plain) }))
		set("accelerator_memory_capacity", g.perCard(func(c GPU) cell { return orElse(show(c.Nominal.VRAM, gigabytes), show(c.VRAM, gibibytes)) }))
		set("accelerator_memory_configuration", g.perCard(func(c GPU) cell { return show(c.Nominal.MemoryType, plain) }))
		set("accelerator_frequency", g.perCard(func(c GPU) cell { return show(c.MaxClock, megahertz) }))
		out["accelerator_interconnect"] = g.interconnect()
	}

	if e.Server != nil { // what answers goes before what is installed
		set("framework", show(e.Server.Version, func(v string) string { return "vLLM " + v }))
	}
	var stack []string
	for _, s := range e.software() {
		version, ok := s.Version.Get()
		switch {
		case !ok:
		case s.Name == "vllm" && out["framework"] == "":
			out["framework"] = "vLLM " + version
		case s.Version.Scope() == ScopeHost:
			stack = append(stack, s.Name+" "+version)
		default:
			stack = append(stack, s.Name+" "+version+" ("+string(s.Version.Scope())+")")
		}
	}
	if kernel, ok := h.Kernel.Get(); ok {
		stack = append(stack, "Linux "+kernel)
	}
	out["other_software_stack"] = strings.Join(stack, ", ")
	return out
}

// mlperfNames are the required names of the submission checker of MLPerf Inference (SYSTEM_DESC_REQUIRED_FIELDS of
// github.com/mlcommons/inference, tools/submission).
const mlperfNames = `division submitter status system_name system_type system_type_detail number_of_nodes
	host_processor_model_name host_processors_per_node host_processor_core_count host_processor_frequency host_processor_caches
	host_processor_interconnect host_memory_capacity host_memory_configuration host_storage_capacity host_storage_type host_networking
	host_networking_topology host_network_card_count
	accelerators_per_node accelerator_model_name accelerator_memory_capacity accelerator_memory_configuration accelerator_frequency
	accelerator_on-chip_memories accelerator_host_interconnect accelerator_interconnect accelerator_interconnect_topology
	framework operating_system other_software_stack cooling hw_notes sw_notes`

// interconnect is "XGMI" where all cards, and no fewer than two, are of one hive, which is what that is; else "".
func (g *GPUs) interconnect() string {
	n, ok := g.Count.Get()
	if !ok || n < 2 || int(n) != len(g.Cards) {
		return ""
	}
	if _, ok := agree(each(g.Cards, func(c GPU) Value[string] { return c.HiveID })).Get(); !ok {
		return ""
	}
	return "XGMI"
}

// orElse is a cell, or another where that is unknown.
func orElse(a, b cell) cell {
	if a.text == "unknown" {
		return b
	}
	return a
}

func gigabytes(gb int64) string  { return number.Short(float64(gb), 0) + " GB" }
func megahertz(mhz int64) string { return fmt.Sprint(mhz, " MHz") }

// gibibytes are what memory is, and what a description means by GB; saying GB would give the reader two numbers to choose from.
func gibibytes(b int64) string { return number.Short(float64(b)/(1<<30), 1) + " GiB" }
