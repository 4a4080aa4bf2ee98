package format

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Results in the shape that each tool writes, with numbers of our own.
const (
	vllmFile = `{"date": "20260102-030405", "endpoint_type": "vllm", "backend": "vllm", "label": null, "model_id": "m",
		"tokenizer_id": "m", "num_prompts": 80, "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 8,
			"duration": 2.0,
		"completed": 80, "failed": 0, "total_input_tokens": 2400, "total_output_tokens": 1600,
			"request_throughput": 40.0,
		"request_goodput": 39.5, "output_throughput": 800.0, "total_token_throughput": 2000.0, "rtfx": 0.0,
		"max_concurrent_requests": 16, "mean_ttft_ms": 15.5, "median_ttft_ms": 15.0, "std_ttft_ms": 2.0,
			"p99_ttft_ms": 20.0,
		"p99.9_ttft_ms": 21.5, "mean_tpot_ms": 9.5, "median_tpot_ms": 9.5, "p99_tpot_ms": 10.0, "mean_e2el_ms": 196.0,
			"p99_e2el_ms": 210.0}`
	rustFile = `{"date": "2026-01-02T03:04:05Z", "backend": "vllm", "label": null, "model_id": "m", "num_prompts": 60,
		"request_rate": 10, "burstiness": 1.0, "max_concurrency": null, "duration": 6.2, "completed": 60, "failed": 0,
		"total_input_tokens": 3840, "total_output_tokens": 1200, "request_throughput": 9.67741935,
			"output_throughput": 193.548387,
		"total_token_throughput": 812.903226, "input_throughput": 619.354839,
			"steady_state": {"output_throughput": 200.0},
		"mean_ttft_ms": 14.0, "median_ttft_ms": 14.0, "mean_tpot_ms": 10.0, "median_tpot_ms": 10.0,
			"mean_e2el_ms": 204.0}`
	sglangFile = `{"tag": null, "backend": "sglang", "dataset_name": "random", "request_rate": Infinity,
		"max_concurrency": 4,
		"random_input_len": 64, "random_output_len": 20, "random_range_ratio": 1.0, "duration": 2.0, "completed": 40,
		"total_input_tokens": 2560, "total_output_tokens": 800, "total_output_tokens_retokenized": 790,
			"request_throughput": 20.0,
		"output_throughput": 400.0, "total_throughput": 1680.0, "mean_e2e_latency_ms": 195.0,
			"median_e2e_latency_ms": 194.0,
		"mean_ttft_ms": 15.0, "median_ttft_ms": 15.0, "p99_ttft_ms": NaN, "mean_tpot_ms": 9.5, "mean_itl_ms": 9.5,
			"p95_itl_ms": 11.0,
		"concurrency": 3.9, "accept_length": null}` + "\n"
	aiperfFile = `{"schema_version": "1.4", "aiperf_version": "0.13.0", "request_throughput": {"unit": "requests/sec",
		"avg": 38.0},
		"request_latency": {"unit": "ms", "avg": 205.0, "p50": 204.0, "p99": 220.0, "min": 190.0, "max": 221.0,
			"std": 4.0, "count": 80},
		"time_to_first_token": {"unit": "s", "avg": 0.015, "p50": 0.0145, "p99": 0.02},
			"inter_token_latency": {"unit": "ms", "avg": 10.0, "p50": 10.0},
		"inter_chunk_latency": {"unit": "ms", "avg": 10.0, "p99": 12.0},
			"output_token_throughput": {"unit": "tokens/sec", "avg": 760.0},
		"total_token_throughput": {"unit": "tokens/sec", "avg": 1900.0}, "request_count": {"unit": "requests",
			"avg": 80.0},
		"completed_request_count": {"unit": "requests", "avg": 80.0}, "total_isl": {"unit": "tokens", "avg": 2400.0},
		"total_osl": {"unit": "tokens", "avg": 1600.0}, "total_usage_prompt_tokens": {"unit": "tokens", "avg": 2400.0},
		"total_usage_completion_tokens": {"unit": "tokens", "avg": 1600.0},
			"effective_concurrency": {"unit": "requests", "avg": 7.8, "max": 8.0},
		"input_config": {"models": {"items": [{"name": "m"}]}, "endpoint": {"urls": ["http://user:secret@h:1/v1?key=1"],
			"type": "chat",
		"streaming": true, "use_server_token_count": true}, "datasets": [{"prompts": {"isl": {"mean": 30.0,
			"stddev": 0.0}, "osl": {"mean": 20.0}}}],
		"phases": [{"kind": "warmup", "type": "concurrency", "requests": 8, "concurrency": 99,
			"exclude_from_results": true},
		{"kind": "profiling", "type": "concurrency", "requests": 80, "concurrency": 8}]},
		"run_info": {"trial": 1}, "was_cancelled": false, "error_summary": [], "start_time": "2026-01-02T03:04:05.5"}`
	guidellmFile = `{"metadata": {"version": 2, "guidellm_version": "0.8.1"},
		"config": {"spec": {"data": [{"prompt_tokens": 30, "output_tokens": 20}]}},
		"benchmarks": [{"type_": "generative_benchmark", "config": {"run_index": 0, "strategy": {"type_": "concurrent",
			"streams": 4},
		"constraints": {"max_requests": {"args": {"count": 40}}}, "backend": {"target": "http://h:1", "model": "m"}},
		"metrics": {"request_totals": {"successful": 40, "errored": 0, "incomplete": 2, "total": 42},
		"requests_per_second": {"successful": {"mean": 19.0}},
			"output_tokens_per_second": {"successful": {"mean": 380.0}},
		"tokens_per_second": {"successful": {"mean": 950.0}}, "request_concurrency": {"total": {"mean": 3.95}},
		"request_latency": {"successful": {"mean": 0.205, "percentiles": {"p50": 0.204, "p99": 0.22, "p999": 0.23}}},
		"time_to_first_token_ms": {"successful": {"mean": 15.0, "percentiles": {"p001": 10.0, "p05": 11.0,
			"p50": 15.0}}},
		"inter_token_latency_ms": {"successful": {"mean": 10.0, "percentiles": {"p50": 10.0}}},
		"time_per_output_token_ms": {"successful": {"mean": 10.25}},
		"prompt_token_count": {"successful": {"total_sum": 1200.0000001}},
			"output_token_count": {"successful": {"total_sum": 800.0}}},
		"start_time": 1767323045.25, "duration": 2.1}]}`
	genaiFile = `{"aggregated_metrics": {"scenario": "D(30,20)", "num_concurrency": 4, "batch_size": 1,
		"run_duration": 2000.0,
		"mean_output_throughput_tokens_per_s": 380.0, "mean_total_tokens_throughput_tokens_per_s": 950.0,
			"requests_per_second": 19.0,
		"error_rate": 0, "num_error_requests": 0, "num_completed_requests": 38, "num_requests": 38,
		"stats": {"ttft": {"mean": 15.0, "p50": 14.0, "p99": 20.0, "min": 9.0, "stddev": 1.0}, "tpot": {"mean": 10.0,
			"p50": 10.0},
		"e2e_latency": {"mean": 205.0, "p50": 204.0, "p99": 221.0}, "num_input_tokens": {"sum": 1140},
			"num_output_tokens": {"sum": 760}}},
		"individual_request_metrics": [], "_time_unit": "ms"}`
	inferencePerfFile = `{"benchmark_time_seconds": 2.0, "load_summary": {"count": 40, "requested_rate": 40.0,
		"achieved_rate": 20.5, "concurrency": 4},
		"successes": {"count": 40, "latency": {"request_latency": {"mean": 0.195, "median": 0.194, "p99.9": 0.22},
		"time_to_first_token": {"mean": 0.015, "p99": 0.02}, "time_per_output_token": {"mean": 0.0095,
			"median": 0.0095}},
		"throughput": {"input_tokens_per_sec": 600.0, "output_tokens_per_sec": 400.0, "total_tokens_per_sec": 1000.0,
			"requests_per_sec": 20.0},
		"prompt_tokens": {"mean": 30.0}, "output_len": {"mean": 20.0}, "output_tokens": {"mean": 20.0},
			"token_count_mismatches": 0},
		"failures": {"count": 0, "request_latency": null}}`
	evalscopeFile = `{"Test Duration (s)": 2.0, "Concurrency": 8, "Request Rate (req/s)": -1.0, "Total Requests": 80,
		"Success Requests": 80,
		"Failed Requests": 0, "Req Throughput (req/s)": 40.0, "Avg Latency (s)": 0.196, "Avg Input Tokens": 30.0,
		"Output Throughput (tok/s)": 800.0, "Total Throughput (tok/s)": 2000.0, "Avg TTFT (ms)": 15.0,
			"Avg TPOT (ms)": 9.5,
		"Avg ITL (ms)": 9.5, "Avg Output Tokens": 20.0}`
	llmdFile = `version: '0.2'
run: {uid: a, time: {start: '2026-01-02T03:04:05Z'}}
scenario:
  load:
    standardized: {tool: vllm-benchmark, concurrency: 8, rate_qps: .inf}
results:
  request_performance:
    aggregate:
      requests: {total: 80, failures: 0, input_length: {mean: 30, units: count}, output_length: {mean: 20,
	units: count}}
      latency:
        time_to_first_token: {units: s, mean: 0.0155, p50: 0.015, p99p9: 0.0215}
        time_per_output_token: {units: ms/token, mean: 9.5}
        request_latency: {units: ms, mean: 196}
      throughput:
        request_rate: {mean: 40, units: queries/s}
        output_token_rate: {mean: 800, units: tokens/s}
        total_token_rate: {mean: 2000, units: tokens/s}
`
)

func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// importAll reads a folder by what is in it, and analyses it.
func importAll(t *testing.T, files map[string]string) (*protocol.Experiment, *protocol.Analysis) {
	t.Helper()
	e, err := read(folder(files), "", tools...)
	if err != nil {
		t.Fatal(err)
	}
	return e, protocol.Analyze(e)
}

func TestImport(t *testing.T) {
	for _, c := range []struct {
		name    string
		read    Format
		files   map[string]string
		load    protocol.Load
		figures map[string]float64
		codes   []string // of the point, but for few samples
		tool    string
	}{
		{"vllm", VLLM, map[string]string{"a": vllmFile, "log.json": `{"level": "info"}`}, protocol.Load{Input: 30,
			Output: 20, Concurrency: 8},
			map[string]float64{
				"requests_per_s": 40, "output_tokens_per_s": 800, "total_tokens_per_s": 2000,
				"goodput_requests_per_s": 39.5, "ttft_mean": 15.5,
				"ttft_p50": 15, "ttft_p99": 20, "ttft_p99.9": 21.5, "tpot_p99": 10, "e2e_mean": 196,
				"in_flight_mean": 7.84, "success_rate": 100,
			}, nil, "vLLM bench serve"},
		{"rust", VLLM, map[string]string{"a.json": rustFile}, protocol.Load{Input: 64, Output: 20, Rate: 10,
			Arrivals: loadgen.PoissonArrivals},
			map[string]float64{"requests_per_s": 9.67741935, "e2e_mean": 204, "tpot_mean": 10},
			[]string{"tokens-by-client"}, "vllm-bench (Rust)"},
		{"sglang", SGLang, map[string]string{"a.jsonl": sglangFile}, protocol.Load{Input: 64, Output: 20,
			Concurrency: 4},
			map[string]float64{"requests_per_s": 20, "total_tokens_per_s": 1680, "e2e_p50": 194, "itl_p95": 11,
				"in_flight_mean": 3.9},
			[]string{"failures-unknown", "tokens-by-client"}, "SGLang bench_serving"},
		{"aiperf", AIPerf, map[string]string{"run_0002/profile_export_aiperf.json": aiperfFile,
			"phases/warmup/profile_export_aiperf.json":       aiperfFile,
			"aggregate/profile_export_aiperf_aggregate.json": `{"metrics": {}}`}, protocol.Load{Input: 30, Output: 20,
			Concurrency: 8},
			map[string]float64{"requests_per_s": 38, "ttft_mean": 15, "ttft_p50": 14.5, "tpot_mean": 10, "itl_p99": 12,
				"e2e_p99": 220, "in_flight_mean": 7.8, "success_rate": 100},
			nil, "AIPerf 0.13.0"},
		{"guidellm", GuideLLM, map[string]string{"benchmarks.json": guidellmFile}, protocol.Load{Input: 30, Output: 20,
			Concurrency: 4},
			map[string]float64{"requests_per_s": 19, "total_tokens_per_s": 950, "e2e_p99.9": 230, "ttft_p0.1": 10,
				"ttft_p5": 11, "tpot_mean": 10, "in_flight_mean": 3.95},
			[]string{"requests-cut-off"}, "GuideLLM 0.8.1"},
		{"genai-bench", GenAIBench, map[string]string{
			"x/D_num_concurrency_4_time_2s.json": strings.Replace(flat(genaiFile), `"run_duration": 2000.0`,
				`"run_duration": 2.0`, 1), "x/experiment_metadata.json": `{"benchmark_version": "0.0.5", "model": "m"}`,
		}, protocol.Load{Input: 30, Output: 20, Concurrency: 4},
			map[string]float64{"requests_per_s": 19, "ttft_mean": 15, "ttft_p99": 20, "tpot_p50": 10, "e2e_mean": 205,
				"in_flight_mean": 3.895}, nil, "genai-bench 0.0.5"},
		{"inference-perf", InferencePerf, map[string]string{
			"stage_0_lifecycle_metrics.json": inferencePerfFile, "summary_lifecycle_metrics.json": inferencePerfFile,
			"config.yaml": "data: {input_distribution: {min: 30, max: 30}, output_distribution: {min: 20, max: " +
				"20}}\nserver: {model_name: m}\n",
		}, protocol.Load{Input: 30, Output: 20, Concurrency: 4},
			map[string]float64{"requests_per_s": 20, "output_tokens_per_s": 400, "e2e_p50": 194, "e2e_p99.9": 220,
				"ttft_p99": 20, "tpot_mean": 9.5}, nil, "inference-perf"},
		{"evalscope", EvalScope, map[string]string{
			"p/benchmark_summary.json": evalscopeFile,
			"p/benchmark_args.json": `{"model": "m", "dataset": "random", "max_prompt_length": 30,
				"min_prompt_length": 30, "max_tokens": 20, "min_tokens": 20}`,
			"p/benchmark_percentile.json": `[{"Percentiles": "50%", "Latency (s)": 0.195, "TTFT (ms)": 14.5},
				{"Percentiles": "max", "TTFT (ms)": 30}]`,
		}, protocol.Load{Input: 30, Output: 20, Concurrency: 8},
			map[string]float64{"requests_per_s": 40, "ttft_mean": 15, "ttft_p50": 14.5, "e2e_p50": 195, "e2e_mean": 196,
				"itl_mean": 9.5}, nil, "evalscope perf"},
		{"llm-d", LLMD, map[string]string{"report.yaml": llmdFile}, protocol.Load{Input: 30, Output: 20,
			Concurrency: 8},
			map[string]float64{"requests_per_s": 40, "total_tokens_per_s": 2000, "ttft_mean": 15.5, "ttft_p50": 15,
				"ttft_p99.9": 21.5, "tpot_mean": 9.5, "e2e_mean": 196},
			nil, "llm-d's report of vllm-benchmark"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, a := importAll(t, c.files)
			alone, err := c.read.Read(folder(c.files))
			if err != nil || len(alone.Measurements) != 1 || e.Import.Format != c.read.Name {
				t.Fatalf("%s reads %v, %v; found by its content as %s", c.read.Name, alone, err, e.Import.Format)
			}
			if len(a.Points) != 1 || a.Points[0].Load != c.load || e.Tool != c.tool {
				t.Fatalf("points %+v of %q; want one at %v of %q", a.Points, e.Tool, c.load, c.tool)
			}
			p := &a.Points[0]
			for name, want := range c.figures {
				if f, err := p.Figure(name); err != nil || len(f.Values) != 1 || !near(f.Values[0],
					want) && f.Values[0] != want {
					t.Errorf("%s is %v, %v; want %g", name, f.Values, err, want)
				}
			}
			var codes []string
			for _, w := range p.Warnings {
				if w.Code != protocol.WarnFewSamples {
					codes = append(codes, w.Code)
				}
			}
			if slices.Sort(codes); !slices.Equal(codes, c.codes) {
				t.Errorf("warnings %v; want %v: %+v", codes, c.codes, p.Warnings)
			}
			if a.Unit != protocol.UnitWithinServer || a.Imported != c.read.Name || !strings.Contains(a.Knee.Reason,
				"over the makespan") {
				t.Errorf("replicate %q, imported %q, knee %q", a.Unit, a.Imported, a.Knee.Reason)
			}
			for _, f := range p.Estimates {
				if strings.HasPrefix(f.Name, "steady_") || f.Values[0] == 0 {
					t.Errorf("%s is %g: no tool has a steady window, and unknown is not 0", f.Name, f.Values[0])
				}
			}
			for _, format := range All() {
				if format.Read == nil || format.Name == c.read.Name {
					continue
				}
				if _, err := format.Read(folder(c.files)); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%s says of it: %v", format.Name, err)
				}
			}
		})
	}
}

// flat is a text on one line, with one blank where there were any.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// A value in a result is another one.
func with(text, old, new string) string {
	text = flat(text)
	if !strings.Contains(text, old) {
		panic(old)
	}
	return strings.Replace(text, old, new, 1)
}

func TestImportedLevelsAreJudged(t *testing.T) {
	capped := with(with(with(vllmFile, `"num_prompts": 80`, `"num_prompts": 6`), `"completed": 80`, `"completed": 6`),
		`"max_concurrency": 8`, `"max_concurrency": 16`)
	for _, c := range []struct {
		name, file, code string
		spoils           []string // figures
		leaves           []string
	}{
		{"fewer prompts than slots", capped, loadgen.WarnPromptCapped, []string{"total_tokens_per_s", "ttft_p50"}, nil},
		{"not as many in flight", with(vllmFile, `"max_concurrency": 8`, `"max_concurrency": 9`),
			loadgen.WarnRampDominated,
			[]string{"total_tokens_per_s", "requests_per_s"}, []string{"ttft_p50", "e2e_mean"}},
		{"more in flight than can be", with(vllmFile, `"max_concurrency": 8`, `"max_concurrency": 7`),
			WarnInFlightContradicted,
			[]string{"total_tokens_per_s"}, []string{"ttft_p50"}},
		{"failures", with(with(vllmFile, `"failed": 0`, `"failed": 2`), `"completed": 80`, `"completed": 80`),
			loadgen.WarnFailedRequests,
			[]string{"total_tokens_per_s", "ttft_p50"}, nil},
		{"no count of failures", with(with(vllmFile, `"failed": 0, `, ``), `"num_prompts": 80, `, ``),
			WarnFailuresUnknown, nil, []string{"ttft_p50"}},
		{"a rate that its counts do not make", with(vllmFile, `"output_throughput": 800.0`,
			`"output_throughput": 900.0`), WarnRateContradicted,
			[]string{"output_tokens_per_s"}, []string{"total_tokens_per_s"}},
		{"no latency", with(with(with(vllmFile, `"mean_e2el_ms": 196.0, `, ``), `"mean_ttft_ms": 15.5, `, ``),
			`"mean_tpot_ms": 9.5, `, ``),
			WarnInFlightUnknown, nil, []string{"total_tokens_per_s"}},
		{"a rate that rises", with(with(vllmFile, `"max_concurrency": 8`, `"max_concurrency": null,
			"ramp_up_strategy": "linear"`), `"inf"`, `40`),
			loadgen.WarnRampDominated, []string{"ttft_p50"}, nil},
		{"a rate that was not reached", with(with(vllmFile, `"max_concurrency": 8`, `"max_concurrency": null`), `"inf"`,
			`90`),
			loadgen.WarnRateNotReached, []string{"requests_per_s"}, []string{"ttft_p50"}},
		{"a burst", with(vllmFile, `"max_concurrency": 8`, `"max_concurrency": null`), WarnBurst, nil,
			[]string{"ttft_p50"}},
		{"retokenised", with(inferencePerfFile, `"output_len": {"mean": 20.0}`, `"output_len": {"mean": 60.0}`),
			loadgen.WarnTokensUnknown,
			[]string{"output_tokens_per_s", "tpot_mean"}, []string{"requests_per_s", "ttft_mean"}},
		{"tokens of a client that differ", with(aiperfFile, `"total_isl": {"unit": "tokens", "avg": 2400.0}`,
			`"total_isl": {"unit": "tokens", "avg": 2900.0}`),
			loadgen.WarnTokensUnknown, []string{"total_tokens_per_s"}, []string{"requests_per_s"}},
		{"cancelled", with(aiperfFile, `"was_cancelled": false`, `"was_cancelled": true`), loadgen.WarnCutShort,
			[]string{"ttft_p50"}, nil},
	} {
		name := "a.json"
		if strings.Contains(c.file, "load_summary") {
			name = "stage_3_lifecycle_metrics.json"
		}
		_, a := importAll(t, map[string]string{name: c.file})
		p := &a.Points[0]
		if !slices.ContainsFunc(p.Warnings, func(w protocol.PointWarning) bool { return w.Code == c.code }) {
			t.Errorf("%s: no %s among %+v", c.name, c.code, p.Warnings)
		}
		for _, name := range c.spoils {
			if _, err := p.Figure(name); !errors.As(err, new(*protocol.SpoiledError)) {
				t.Errorf("%s: %s may be used: %v", c.name, name, err)
			}
		}
		for _, name := range c.leaves {
			if _, err := p.Figure(name); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// What cannot be a number is refused, with its file, key and value; what is unknown is no figure.
func TestImportRefuses(t *testing.T) {
	for _, c := range []struct{ old, new, err string }{
		{`"mean_ttft_ms": 15.5`, `"mean_ttft_ms": -15.5`, "ttft mean is -15.5"},
		{`"p99_ttft_ms": 20.0`, `"p99_ttft_ms": 10.0`, "ttft_p99 is 10 ms: want no less than the p50 of 15 ms"},
		{`"completed": 80`, `"completed": 1e15`, "completed is 1e+15"},
		{`"completed": 80`, `"completed": 79.5`, "completed is 79.5: want a whole number"},
		{`"completed": 80`, `"completed": -3`, "completed is -3"},
		{`"max_concurrency": 8`, `"max_concurrency": 100000000`, "concurrency is 1e+08"},
		{`"duration": 2.0`, `"duration": 1e12`, "duration is 1e+12"},
		{`"request_throughput": 40.0`, `"request_throughput": 1e300`, "request throughput is 1e+300"},
		{`"mean_e2el_ms": 196.0`, `"mean_e2el_ms": 1e30`, "e2e mean is 1e+30"},
		{`"mean_e2el_ms": 196.0`, `"mean_e2el_ms": "soon"`, `mean_e2el_ms is "soon"`},
		{`"completed": 80`, `"completed": {"n": 80}`, "want a number"},
	} {
		_, err := read(folder(map[string]string{"x/a.json": with(vllmFile, c.old, c.new)}), "", tools...)
		if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "x/a.json") {
			t.Errorf("%s: %v; want an error of x/a.json that says %q", c.new, err, c.err)
		}
	}
	for _, c := range []struct{ old, new, gone string }{
		{`"mean_ttft_ms": 15.5`, `"mean_ttft_ms": NaN`, "ttft_mean"},
		{`"p99_ttft_ms": 20.0`, `"p99_ttft_ms": Infinity`, "ttft_p99"},
		{`"mean_tpot_ms": 9.5`, `"mean_tpot_ms": 0.0`, "tpot_p50"}, // one token of output has no TPOT
		{`"total_token_throughput": 2000.0`, `"total_token_throughput": null`, "total_tokens_per_s"},
		{`"completed": 80, "failed": 0`, `"completed": 0, "failed": 80`, "requests_per_s"},
	} {
		_, a := importAll(t, map[string]string{"a.json": with(vllmFile, c.old, c.new)})
		for _, f := range a.Points[0].Estimates {
			if f.Name == c.gone {
				t.Errorf("%s: %s is %v; want none", c.new, f.Name, f.Values)
			}
		}
	}
}

func TestFilesThatAreNoResults(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 9),
			", ") + "]\n"
	}
	others := map[string]string{
		"deep.json": deep, "bomb.yaml": bomb, "empty.json": "", "text.txt": "hello", "array.json": "[1, 2]",
		"list.json": `["a"]`,
		"binary":    "\x00\x01\x02", "keys.yaml": "1: 2\n", "summary.json": "[" + vllmFile + "]", "null.json": "null",
		"k6.json": `{"metrics": {"http_reqs": {"count": 3}}}`,
	}
	if _, err := read(folder(others), "", tools...); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no results are %v", err)
	}
	others["real.json"] = vllmFile
	others["cut.json"] = vllmFile[:len(vllmFile)-40]
	e, _ := importAll(t, others)
	if len(e.Measurements) != 1 {
		t.Errorf("%d measurements; want 1", len(e.Measurements))
	}
	i := slices.IndexFunc(e.Import.Warnings, func(w loadgen.Warning) bool { return w.Code == WarnPassedOver })
	if i < 0 || !strings.Contains(e.Import.Warnings[i].Message, "cut.json") {
		t.Errorf("a result that is cut off is not said: %+v", e.Import.Warnings)
	}
}
