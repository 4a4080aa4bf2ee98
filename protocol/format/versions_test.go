package format

import (
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Versions of the tools other than those of the samples name things otherwise, or lack them.
func TestOtherVersions(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		load             protocol.Load
		figures          map[string]float64
		none             []string // figures that must not be there
		codes            []string
	}{
		{"vLLM before it counted failures and the total", "a.json", `{"date": "20240102-030405",
			"backend": "openai-chat", "model_id": "m", "tokenizer_id": "m",
			"best_of": 1, "use_beam_search": false, "num_prompts": 100, "request_rate": 5.0, "duration": 21.0,
				"completed": 100,
			"total_input_tokens": 3000, "total_output_tokens": 2000, "request_throughput": 4.7619,
				"input_throughput": 142.857,
			"output_throughput": 95.238, "mean_ttft_ms": 15.0, "median_ttft_ms": 15.0, "p99_ttft_ms": 20.0,
				"mean_tpot_ms": 10.0}`,
			protocol.Load{Input: 30, Output: 20, Rate: 5, Arrivals: loadgen.PoissonArrivals},
			map[string]float64{"output_tokens_per_s": 95.238, "ttft_p99": 20, "success_rate": 100},
			[]string{"total_tokens_per_s", "e2e_mean"}, nil},
		{"vLLM with bursty arrivals below a bound", "a.json", `{"date": "20260102-030405", "backend": "vllm",
			"model_id": "m", "num_prompts": 100, "request_rate": 5.0,
			"burstiness": 0.5, "max_concurrency": 64, "duration": 21.0, "completed": 100, "failed": 0,
				"request_throughput": 4.7619, "mean_e2el_ms": 300.0}`,
			protocol.Load{Concurrency: 64, Rate: 5, Arrivals: loadgen.GammaArrivals},
			map[string]float64{"e2e_mean": 300}, []string{"ttft_mean", "total_tokens_per_s"}, nil},
		{"AIPerf before 0.9", "profile_export_aiperf.json", `{"request_throughput": {"unit": "requests/sec",
			"avg": 13.1}, "request_latency": {"unit": "ms", "avg": 6550.4,
			"p50": 5800.0}, "request_count": {"unit": "requests", "avg": 200.0}, "total_isl": {"unit": "tokens",
				"avg": 110000.0}, "was_cancelled": false,
			"error_summary": [{"error_details": {"code": 500}, "count": 3}], "error_request_count": null,
				"goodput": null,
			"input_config": {"endpoint": {"model_names": ["m"], "type": "chat", "streaming": true,
				"url": "localhost:9000"},
			"input": {"prompt": {"output_tokens": {"mean": 100}}}, "loadgen": {"concurrency": 100,
				"request_rate_mode": "concurrency_burst", "request_count": 203}}}`,
			protocol.Load{Input: 550, Output: 100, Concurrency: 100}, map[string]float64{"e2e_p50": 5800},
			[]string{"ttft_mean", "goodput_requests_per_s"},
			[]string{"failed-requests", "tokens-by-client", "ramp-dominated"}},
		{"genai-perf", "profile_export_genai_perf.json", `{"request_throughput": {"unit": "requests/sec", "avg": 20.0},
			"request_latency": {"unit": "ms", "avg": 195.0, "p99": 200.0},
			"request_count": {"unit": "count", "avg": 40.0}, "time_to_first_token": {"unit": "ms", "avg": 15.0},
			"input_config": {"model_names": ["m"], "perf_analyzer": {"stimulus": {"concurrency": 4}}}}`,
			protocol.Load{Concurrency: 4}, map[string]float64{"ttft_mean": 15, "e2e_p99": 200},
			[]string{"output_tokens_per_s"}, []string{"failures-unknown"}},
		{"GuideLLM before 0.4", "benchmarks.json", `{"benchmarks": [{"type_": "generative_benchmark",
			"args": {"strategy_index": 2, "strategy": {"type_": "poisson", "rate": 10.0},
			"max_number": 60, "max_duration": null}, "run_stats": {"requests_made": {"successful": 58, "errored": 0,
				"incomplete": 2, "total": 60}},
			"worker": {"backend_target": "http://h:1", "backend_model": "m"}, "start_time": 1767323045.5, "metrics": {
			"requests_per_second": {"successful": {"mean": 9.7}}, "request_latency": {"successful": {"mean": 0.2,
				"percentiles": {"p01": 0.1, "p99": 0.3}}},
			"request_concurrency": {"successful": {"mean": 1.9}}}}]}`,
			protocol.Load{Rate: 10, Arrivals: loadgen.PoissonArrivals}, map[string]float64{"e2e_p1": 100,
				"e2e_p99": 300, "in_flight_mean": 1.9}, []string{"ttft_mean"},
			[]string{"requests-cut-off"}},
		{"SGLang of a trace", "a.jsonl",
			strings.Replace(flat(sglangFile), `"request_rate": Infinity, "max_concurrency": 4`,
				`"request_rate": "trace", "max_concurrency": null`, 1),
			protocol.Load{Input: 64, Output: 20, Arrivals: loadgen.TraceArrivals},
			map[string]float64{"requests_per_s": 20}, nil, []string{"failures-unknown", "tokens-by-client"}},
		{"genai-bench before it named its unit", "x_num_concurrency_4_time_2s.json",
			strings.NewReplacer(`, "_time_unit": "ms"`, "", `"run_duration": 2000.0`, `"run_duration": 2.0`,
				`"mean": 15.0, "p50": 14.0, "p99": 20.0`, `"mean": 0.015, "p50": 0.014, "p99": 0.02`,
				`"mean": 10.0, "p50": 10.0`, `"mean": 0.01, "p50": 0.01`,
				`"mean": 205.0, "p50": 204.0, "p99": 221.0`, `"mean": 0.205, "p50": 0.204, "p99": 0.221`,
			).Replace(flat(genaiFile)),
			protocol.Load{Input: 30, Output: 20, Concurrency: 4},
			map[string]float64{"ttft_mean": 15, "e2e_p99": 221}, nil, nil},
		{"inference-perf before 0.7", "stage_1_lifecycle_metrics.json", strings.NewReplacer(`"prompt_tokens"`,
			`"prompt_len"`, `, "output_tokens": {"mean": 20.0}, "token_count_mismatches": 0`,
			"").Replace(flat(inferencePerfFile)),
			protocol.Load{Input: 30, Output: 20, Concurrency: 4}, map[string]float64{"e2e_p50": 194}, nil,
			[]string{"tokens-by-client"}},
		{"evalscope 0.1x, not streamed", "benchmark_summary.json", `{"Time taken for tests (s)": 2.0,
			"Number of concurrency": 4, "Total requests": 40, "Succeed requests": 40, "Failed requests": 0,
			"Output token throughput (tok/s)": 400.0, "Total token throughput (tok/s)": -1,
				"Request throughput (req/s)": 20.0, "Average latency (s)": 0.195,
			"Average time to first token (s)": 0.195, "Average time per output token (s)": 0.0,
				"Average input tokens per request": 30.0, "Average output tokens per request": 20.0}`,
			protocol.Load{Input: 30, Output: 20, Concurrency: 4}, map[string]float64{"e2e_mean": 195,
				"requests_per_s": 20}, []string{"ttft_mean", "tpot_mean", "total_tokens_per_s"}, nil},
		{"llm-d 0.1", "report.yaml", `version: '0.1'
scenario: {model: {name: m}, load: {name: vllm-benchmark, args: {}, standardized: {concurrency: 4}}}
metrics:
  requests: {total: 40, failures: 0}
  latency: {time_to_first_token: {units: ms, mean: 15, p90: 16}, request_latency: {units: s, mean: 0.195}}
  throughput: {output_tokens_per_sec: 400, total_tokens_per_sec: 1000, requests_per_sec: 20}
`, protocol.Load{Concurrency: 4}, map[string]float64{"ttft_p90": 16, "e2e_mean": 195, "requests_per_s": 20}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, a := importAll(t, map[string]string{c.file: c.text})
			if len(a.Points) != 1 || a.Points[0].Load != c.load {
				t.Fatalf("points %+v; want one at %+v", a.Points, c.load)
			}
			p := &a.Points[0]
			for name, want := range c.figures {
				if f, _ := p.Figure(name); len(f.Values) != 1 || !near(f.Values[0], want) {
					t.Errorf("%s is %v; want %g", name, f.Values, want)
				}
			}
			for _, name := range c.none {
				if f, _ := p.Figure(name); f.Name != "" {
					t.Errorf("%s is %v, and the file does not have it", name, f.Values)
				}
			}
			var codes []string
			for _, w := range p.Warnings {
				if w.Code != protocol.WarnFewSamples {
					codes = append(codes, w.Code)
				}
			}
			want := slices.Sorted(slices.Values(c.codes))
			if slices.Sort(codes); !slices.Equal(codes, want) {
				t.Errorf("warnings %v; want %v: %+v", codes, want, p.Warnings)
			}
		})
	}
}

// What does not say its load is passed over, and that is said; the rest of the folder is read.
func TestWithoutALoad(t *testing.T) {
	_, a := importAll(t, map[string]string{
		"a.json": with(guidellmFile, `"type_": "concurrent"`, `"type_": "replay"`), "b.json": guidellmFile,
	})
	if len(a.Points) != 1 || !slices.ContainsFunc(a.Warnings, func(w loadgen.Warning) bool {
		return w.Code == WarnPassedOver && strings.Contains(w.Message, "a.json")
	}) {
		t.Errorf("%d points, warnings %+v", len(a.Points), a.Warnings)
	}
	alone := folder(map[string]string{"profile_export_aiperf.json": with(aiperfFile, `"phases"`, `"stages"`)})
	if _, err := AIPerf.Read(alone); err == nil || !strings.Contains(err.Error(), "does not say what load") {
		t.Errorf("a result of no load: %v", err)
	}
}

// FuzzRead: whatever is in a file, it is read or refused, and every figure that is taken over is a number that can be.
func FuzzRead(f *testing.F) {
	for _, text := range []string{vllmFile, rustFile, sglangFile, aiperfFile, guidellmFile, genaiFile,
		inferencePerfFile, evalscopeFile, llmdFile} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := read(folder(map[string]string{
			"a.json": text, "b.yaml": text, "stage_0_lifecycle_metrics.json": text, "benchmark_percentile.json": text,
			"config.yaml": text,
		}), "", tools...)
		if err != nil {
			return
		}
		for _, m := range e.Measurements {
			for _, g := range m.Result.Figures {
				if !(g.Value >= 0 && g.Value <= maxRate) {
					t.Errorf("%s is %g", g.Name, g.Value)
				}
			}
		}
		protocol.Analyze(e)
	})
}
