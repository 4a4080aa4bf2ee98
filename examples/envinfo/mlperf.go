package main

import (
	"fmt"
	"strings"

	"github.com/servegauge/servegauge/envinfo"
)

// mlperf returns e under the names of an MLPerf Inference system description, all those that its submission checker
// asks for; it marshals to the JSON object that a submission has as systems/<name>.json. All are strings, as in
// published submissions.
//
// What is unknown is "", which is what submitters write too, and what the checker refuses where an answer is
// compulsory; neither "N/A", which says that there is no such thing, nor a guess. What only a submitter can know
// (division, submitter, status, system_name, number_of_nodes, system_type, storage, cooling, notes) is always "". Where
// cards differ, what they do not share is "" as well.
func mlperf(e *envinfo.Environment) map[string]string {
	out := map[string]string{}
	for _, name := range strings.Fields(mlperfNames) {
		out[name] = ""
	}
	h := &e.Host
	out["host_processor_model_name"], _ = h.CPUModel.Get()
	out["host_memory_capacity"] = gibibytes(h.Memory.Get())
	out["operating_system"], _ = h.Distribution.Get()
	cores, ok := h.CPUCores.Get()
	if sockets, known := h.CPUSockets.Get(); known && sockets > 0 {
		out["host_processors_per_node"] = fmt.Sprint(sockets)
		if ok && cores%sockets == 0 { // the name is of one processor, and so is the count
			out["host_processor_core_count"] = fmt.Sprint(cores / sockets)
		}
	}

	// A host with GPUs of both makers has no one accelerator; the description is then of the AMD ones.
	count, ok := e.AMD.Count.Get()
	var cards []accelerator
	hives := map[string]bool{}
	for _, c := range e.AMD.Cards {
		model, _ := c.Model.Get()
		kind, _ := c.Nominal.MemoryType.Get()
		cards = append(cards,
			accelerator{model, capacity(c.Nominal.VRAM.Get())(c.VRAM.Get()), kind, megahertz(c.MaxClock.Get())})
		hive, _ := c.HiveID.Get()
		hives[hive] = true
	}
	if len(cards) == 0 && len(e.NVIDIA.Cards) > 0 {
		count, ok = e.NVIDIA.Count.Get()
		for _, c := range e.NVIDIA.Cards {
			model, _ := c.Model.Get()
			kind, _ := c.Nominal.MemoryType.Get()
			cards = append(cards,
				accelerator{model, capacity(c.Nominal.VRAM.Get())(c.VRAM.Get()), kind, megahertz(c.MaxClock.Get())})
		}
	}
	if ok {
		out["accelerators_per_node"] = fmt.Sprint(count)
	}
	shared := common(cards)
	out["accelerator_model_name"], out["accelerator_memory_capacity"] = shared.model, shared.memory
	out["accelerator_memory_configuration"], out["accelerator_frequency"] = shared.kind, shared.clock
	// all in one hive, which is what XGMI links
	if int(count) == len(e.AMD.Cards) && count > 1 && len(hives) == 1 && !hives[""] {
		out["accelerator_interconnect"] = "XGMI"
	}

	software := e.Software
	if e.Server != nil { // what answers goes before what is installed
		if v, ok := e.Server.Version.Get(); ok {
			engine, ok := e.Server.Engine.Get()
			if !ok {
				engine = "vLLM"
			}
			out["framework"] = engine + " " + v
		}
	}
	for _, c := range e.Containers {
		software = append(append(software[:len(software):len(software)], c.Versions...), c.Software...)
	}
	var stack []string
	for _, s := range software {
		version, ok := s.Version.Get()
		switch scope := string(s.Version.Scope()); {
		case !ok:
		case s.Name == "vllm" && out["framework"] == "":
			out["framework"] = "vLLM " + version
		case scope == "host":
			stack = append(stack, s.Name+" "+version)
		default:
			stack = append(stack, s.Name+" "+version+" ("+scope+")")
		}
	}
	if kernel, ok := h.Kernel.Get(); ok {
		stack = append(stack, "Linux "+kernel)
	}
	out["other_software_stack"] = strings.Join(stack, ", ")
	return out
}

// accelerator is what a description says of one card; "" is unknown.
type accelerator struct{ model, memory, kind, clock string }

// common is what all cards have.
func common(cards []accelerator) (out accelerator) {
	for i, c := range cards {
		if i == 0 {
			out = c
			continue
		}
		for _, f := range []struct{ all, one *string }{
			{&out.model, &c.model}, {&out.memory, &c.memory}, {&out.kind, &c.kind}, {&out.clock, &c.clock},
		} {
			if *f.all != *f.one {
				*f.all = ""
			}
		}
	}
	return out
}

// capacity is the published size, which a buyer knows a card by, or else what the driver offers.
func capacity(gb int64, ok bool) func(int64, bool) string {
	if ok {
		return func(int64, bool) string { return fmt.Sprint(gb, " GB") }
	}
	return gibibytes
}

func gibibytes(b int64, ok bool) string {
	if !ok {
		return ""
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(b)/(1<<30)), ".0") + " GiB"
}

func megahertz(mhz int64, ok bool) string {
	if !ok {
		return ""
	}
	return fmt.Sprint(mhz, " MHz")
}

// mlperfNames are the required names of the submission checker of MLPerf Inference (SYSTEM_DESC_REQUIRED_FIELDS of
// github.com/mlcommons/inference, tools/submission).
const mlperfNames = `division submitter status system_name system_type system_type_detail number_of_nodes
	host_processor_model_name host_processors_per_node host_processor_core_count host_processor_frequency
	host_processor_caches host_processor_interconnect host_memory_capacity host_memory_configuration
	host_storage_capacity host_storage_type host_networking host_networking_topology host_network_card_count
	accelerators_per_node accelerator_model_name accelerator_memory_capacity accelerator_memory_configuration
	accelerator_frequency accelerator_on-chip_memories accelerator_host_interconnect accelerator_interconnect
	accelerator_interconnect_topology framework operating_system other_software_stack cooling hw_notes sw_notes`
