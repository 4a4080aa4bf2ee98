// Package vllm holds what is particular to vLLM: how to start the four models of the MI325X cookbook's
// benchmark methodology page (11 March 2026).
//
// # Presets
//
// A [Preset] is one model of that page as plain data: every setting with its value, the remark that the page prints
// beside it, and the place that it was taken from ([SourcePage] or [SourceGuide]). [Presets] returns all four, [Find]
// one of them by name. A preset is a copy: change what you like before you use it.
//
// [Preset.DockerRun] turns a preset into a docker command line. It is a list of arguments for os/exec, never a string
// for a shell; [Argv.String] prints it for people, so that it can be pasted into one. HF_TOKEN and what
// RunOptions.PassEnv names are passed by name, so that their values are not in it. Other values are, and only those
// whose name looks secret are refused.
//
// The page contradicts itself in places, for example where a model's name and its checkpoint disagree. Then the preset
// carries both as they are printed and lists the contradiction under Discrepancies. What a server really loaded is for
// the run to record.
package vllm
