package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/serving"
)

// Hosts of envinfo's own tests, as they are captured.
func TestMLPerf(t *testing.T) {
	for host, want := range map[string]map[string]string{
		"mi325x-tools": {
			"host_processor_model_name":        "AMD EPYC 9575F 64-Core Processor",
			"host_processors_per_node":         "2",
			"host_processor_core_count":        "2", // of each
			"host_memory_capacity":             "1511.8 GiB",
			"operating_system":                 "Ubuntu 24.04.2 LTS",
			"accelerators_per_node":            "8",
			"accelerator_model_name":           "AMD Instinct MI325X",
			"accelerator_memory_capacity":      "256 GB",
			"accelerator_memory_configuration": "HBM3e",
			"accelerator_frequency":            "2100 MHz",
			"accelerator_interconnect":         "XGMI",
			"other_software_stack": "amdgpu 6.16.6, ROCm 6.4.2-120, RCCL 2.22.3, AMD SMI " +
				"26.2.0+021c61fc, Linux 6.8.0-60-generic",
		},
		"nvidia": {
			"host_processor_model_name":        "AMD EPYC 9575F 64-Core Processor",
			"host_processors_per_node":         "2",
			"host_processor_core_count":        "2",
			"host_memory_capacity":             "1511.8 GiB",
			"operating_system":                 "Ubuntu 24.04.2 LTS",
			"accelerators_per_node":            "2",
			"accelerator_model_name":           "NVIDIA H100 80GB HBM3",
			"accelerator_memory_capacity":      "80 GB",
			"accelerator_memory_configuration": "HBM3",
			"accelerator_frequency":            "1980 MHz",
			"other_software_stack": "NVIDIA driver 580.82.07, CUDA 12.4.1, CUDA (driver) 13.0, NCCL " +
				"2.26.2, Linux 6.8.0-60-generic",
		},
	} {
		b, err := os.ReadFile("../../envinfo/testdata/shipped-" + host + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var env envinfo.Environment
		if err := json.Unmarshal(b, &env); err != nil {
			t.Fatal(err)
		}
		got := mlperf(&env)
		if len(got) != 35 {
			t.Errorf("%s: %d names", host, len(got))
		}
		for name, v := range got {
			if v == "" {
				delete(got, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", host, diff)
		}
	}
	for name, v := range mlperf(&envinfo.Environment{}) {
		if v != "" {
			t.Errorf("of nothing: %s is %q", name, v)
		}
	}
	served := &envinfo.Environment{
		Server: &serving.Server{Version: fact.Known("0.14.1", "", serving.ScopeServer, "GET /version")},
	}
	if got := mlperf(served)["framework"]; got != "vLLM 0.14.1" {
		t.Errorf("framework is %q", got)
	}
}
