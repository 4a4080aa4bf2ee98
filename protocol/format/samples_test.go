package format

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// samples is a folder with a folder for each tool, of files that the tools wrote themselves against the simulated
// server (16 sequences at most, W/2 ms of prefill for W words, 20 tokens at 10 ms each). They are not in the
// repository.
var samples = os.Getenv("SERVEGAUGE_SAMPLES")

// A printed is a result as the tool printed it, by our names.
type printed map[string]float64

// latencies maps keys to our names of a metric's mean and percentiles, times a factor.
type printedKey struct {
	key, figure string
	factor      float64
}

// Each sample's figures are those that the tool printed, and the truth is in them or a flag is raised.
func TestSamples(t *testing.T) {
	if samples == "" {
		t.Log("SERVEGAUGE_SAMPLES names no folder with the samples: the shapes of the tools' files are tested by " +
			"TestImport alone")
	}
	for _, s := range []struct {
		folder  string
		files   string // that hold results
		not     string // of those, that do not
		results func(v any) []any
		keys    []printedKey
		want    int      // results
		codes   []string // flags that must be raised
	}{
		{"vllm-bench-serve", `\.json$`, "", one, vllmKeys, 17, []string{"within-server", "shape-inferred",
			"tool-definitions", "ramp-dominated"}},
		{"vllm-bench-rust", `\.json$`, "", one, vllmKeys, 12, []string{"tokens-by-client"}},
		{"vllm-bench-sweep", `run=\d\.json$`, "", one, vllmKeys, 10, []string{"within-server"}},
		{"sglang", `\.jsonl$`, "", one, sglangKeys, 7, []string{"failures-unknown", "tokens-by-client"}},
		{"aiperf", `aiperf\.json$`, `phases/`, one, aiperfKeys, 12, []string{"token-mismatch", "ramp-dominated"}},
		{"guidellm", `\.json$`, "", func(v any) []any { return at(v, "benchmarks").([]any) }, guidellmKeys, 13,
			[]string{"token-mismatch", "ramp-dominated", "requests-cut-off"}},
		{"genai-bench", `_time_\d+s\.json$`, "", one, genaiKeys, 7, []string{"token-mismatch", "ramp-dominated"}},
		{"inference-perf", `stage_\d_lifecycle_metrics\.json$`, "", one, inferencePerfKeys, 12,
			[]string{"tokens-unknown", "token-mismatch"}},
		{"evalscope", `benchmark_summary\.json$`, "", one, evalscopeSampleKeys, 6, []string{"token-mismatch",
			"single-run"}},
		{"llm-d-benchmark-report", `\.yaml$`, "", one, llmdKeys, 10, []string{"failures-unknown", "tokens-unknown"}},
	} {
		t.Run(s.folder, func(t *testing.T) {
			if samples == "" {
				return
			}
			dir := filepath.Join(samples, s.folder)
			e, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			a := protocol.Analyze(e)
			codes := a.Codes()
			for _, code := range s.codes {
				if !slices.Contains(codes, code) {
					t.Errorf("%s is not flagged; there are %v", code, codes)
				}
			}
			var all []printed
			for _, v := range valuesIn(t, dir, s.files, s.not) {
				for _, r := range s.results(v) {
					all = append(all, printedBy(s.folder, r, s.keys))
				}
			}
			same(t, e, all, s.want)
			truthful(t, a)
		})
	}
}

func one(v any) []any { return []any{v} }

const aggregate = "results.request_performance.aggregate."

var (
	vllmKeys = slices.Concat(
		[]printedKey{
			{"request_throughput", loadgen.RequestThroughput, 1}, {"output_throughput", loadgen.OutputThroughput, 1},
			{"total_token_throughput", loadgen.TotalThroughput, 1},
		},
		vllmKeysOf("ttft", "ttft"), vllmKeysOf("tpot", "tpot"), vllmKeysOf("itl", "itl"), vllmKeysOf("e2el", "e2e"))
	sglangKeys = slices.Concat(
		[]printedKey{
			{"request_throughput", loadgen.RequestThroughput, 1}, {"output_throughput", loadgen.OutputThroughput, 1},
			{"total_throughput", loadgen.TotalThroughput, 1}, {"concurrency", loadgen.MeanInFlight, 1},
		},
		vllmKeysOf("ttft", "ttft"), vllmKeysOf("tpot", "tpot"), vllmKeysOf("itl", "itl"), vllmKeysOf("e2e_latency",
			"e2e"))
	aiperfKeys = slices.Concat(
		[]printedKey{
			{"request_throughput.avg", loadgen.RequestThroughput, 1}, {"output_token_throughput.avg",
				loadgen.OutputThroughput, 1},
			{"total_token_throughput.avg", loadgen.TotalThroughput, 1}, {"effective_concurrency.avg",
				loadgen.MeanInFlight, 1},
		},
		summaryKeys("time_to_first_token.", "avg", "ttft", 1), summaryKeys("inter_token_latency.", "avg", "tpot", 1),
		summaryKeys("inter_chunk_latency.", "avg", "itl", 1), summaryKeys("request_latency.", "avg", "e2e", 1))
	guidellmKeys = slices.Concat(
		[]printedKey{
			{"metrics.requests_per_second.successful.mean", loadgen.RequestThroughput, 1},
			{"metrics.output_tokens_per_second.successful.mean", loadgen.OutputThroughput, 1},
			{"metrics.tokens_per_second.successful.mean", loadgen.TotalThroughput, 1},
			{"metrics.request_concurrency.total.mean", loadgen.MeanInFlight, 1},
			{"metrics.request_latency.successful.percentiles.p999", "e2e_p99.9", 1000},
			{"metrics.time_to_first_token_ms.successful.percentiles.p01", "ttft_p1", 1},
			{"metrics.inter_token_latency_ms.successful.percentiles.p001", "tpot_p0.1", 1},
			{"metrics.time_to_first_token_ms.successful.mean", "ttft_mean", 1},
			{"metrics.inter_token_latency_ms.successful.mean", "tpot_mean", 1},
			{"metrics.request_latency.successful.mean", "e2e_mean", 1000},
		})
	genaiKeys = slices.Concat(
		[]printedKey{
			{"aggregated_metrics.requests_per_second", loadgen.RequestThroughput, 1},
			{"aggregated_metrics.mean_output_throughput_tokens_per_s", loadgen.OutputThroughput, 1},
			{"aggregated_metrics.mean_total_tokens_throughput_tokens_per_s", loadgen.TotalThroughput, 1},
		},
		summaryKeys("aggregated_metrics.stats.ttft.", "mean", "ttft", 1000),
		summaryKeys("aggregated_metrics.stats.tpot.", "mean", "tpot", 1000),
		summaryKeys("aggregated_metrics.stats.e2e_latency.", "mean", "e2e", 1000))
	inferencePerfKeys = slices.Concat(
		[]printedKey{
			{"successes.throughput.requests_per_sec", loadgen.RequestThroughput, 1},
			{"successes.throughput.output_tokens_per_sec", loadgen.OutputThroughput, 1},
			{"successes.throughput.total_tokens_per_sec", loadgen.TotalThroughput, 1},
			{"successes.latency.request_latency.median", "e2e_p50", 1000},
		},
		summaryKeys("successes.latency.time_to_first_token.", "mean", "ttft", 1000),
		summaryKeys("successes.latency.request_latency.", "mean", "e2e", 1000),
		summaryKeys("successes.latency.time_per_output_token.", "mean", "tpot", 1000))
	llmdKeys = slices.Concat(
		[]printedKey{
			{aggregate + "throughput.request_rate.mean", loadgen.RequestThroughput, 1},
			{aggregate + "throughput.output_token_rate.mean", loadgen.OutputThroughput, 1},
			{aggregate + "throughput.total_token_rate.mean", loadgen.TotalThroughput, 1},
		},
		summaryKeys(aggregate+"latency.time_to_first_token.", "mean", "ttft", 1),
		summaryKeys(aggregate+"latency.request_latency.", "mean", "e2e", 1))
	evalscopeSampleKeys = []printedKey{
		{"Req Throughput (req/s)", loadgen.RequestThroughput, 1}, {"Output Throughput (tok/s)",
			loadgen.OutputThroughput, 1},
		{"Total Throughput (tok/s)", loadgen.TotalThroughput, 1}, {"Avg Latency (s)", "e2e_mean", 1000},
		{"Avg TTFT (ms)", "ttft_mean", 1},
		{"Avg TPOT (ms)", "tpot_mean", 1}, {"Avg ITL (ms)", "itl_mean", 1},
	}
)

func vllmKeysOf(key, metric string) []printedKey {
	return []printedKey{
		{"mean_" + key + "_ms", metric + "_mean", 1}, {"median_" + key + "_ms", metric + "_p50", 1},
		{"p99_" + key + "_ms", metric + "_p99", 1},
		{"p90_" + key + "_ms", metric + "_p90", 1},
	}
}

func summaryKeys(path, mean, metric string, factor float64) []printedKey {
	return []printedKey{
		{path + mean, metric + "_mean", factor}, {path + "p50", metric + "_p50", factor}, {path + "p90",
			metric + "_p90", factor},
		{path + "p99", metric + "_p99", factor},
	}
}

// at is the member at a path with dots; nil where there is none.
func at(v any, path string) any {
	if o, ok := v.(map[string]any); ok && o[path] != nil { // a key with a dot in it
		return o[path]
	}
	for name := range strings.SplitSeq(path, ".") {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}

func printedBy(folder string, v any, keys []printedKey) printed {
	out := printed{}
	for _, k := range keys {
		x, ok := at(v, k.key).(float64)
		if !ok {
			continue
		}
		factor := k.factor
		if units, ok := at(v, k.key[:strings.LastIndex(k.key, ".")+1]+"units").(string); ok && units == "s" { // llm-d's
			factor = 1000
		}
		out[k.figure] = x * factor
	}
	return out
}

// valuesIn reads files by another way than the package does.
func valuesIn(t *testing.T, dir, files, not string) (out []any) {
	t.Helper()
	want := regexp.MustCompile(files)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !want.MatchString(path) || not != "" && strings.Contains(path,
			not) || strings.Contains(path, "aggregate") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".yaml") {
			var v any
			if err := yaml.Unmarshal(text, &v); err != nil {
				return err
			}
			out = append(out, v)
			return nil
		}
		text = bytes.ReplaceAll(text, []byte(": Infinity"), []byte(": null"))
		values := json.NewDecoder(bytes.NewReader(text))
		for values.More() {
			var v any
			if err := values.Decode(&v); err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same finds each printed result among the measurements, figure by figure and to the last digit, and none twice.
func same(t *testing.T, e *protocol.Experiment, all []printed, want int) {
	t.Helper()
	if len(all) != want || len(e.Measurements) != want {
		t.Errorf("%d results in the files and %d measurements; want %d", len(all), len(e.Measurements), want)
	}
	used := map[int]bool{}
	for _, p := range all {
		if len(p) < 5 {
			t.Fatalf("only %d figures to compare: %v", len(p), p)
		}
		found := slices.IndexFunc(e.Measurements, func(m protocol.Measurement) bool {
			for name, value := range p {
				if f, ok := m.Result.Figure(name); !ok || f.Value != value {
					return false
				}
			}
			return true
		})
		if found < 0 || used[found] {
			t.Errorf("no measurement has the figures of this result: %v", p)
		}
		used[found] = true
	}
}

// truthful holds what is not flagged against what the simulated server did: E2E = W/2 + 190 ms for W words in, as many
// as 16 at once, 10 ms a token. The clients' own time is in it: some add 10 ms to a request of 200 ms.
func truthful(t *testing.T, a *protocol.Analysis) {
	t.Helper()
	const words, tolerance = 30.0, 0.12
	for _, p := range a.Points {
		if p.Open() {
			continue
		}
		requests := min(float64(p.Concurrency), 16) / (words/2 + 190) * 1000
		for name, truth := range map[string]float64{
			loadgen.RequestThroughput: requests, loadgen.OutputThroughput: 20 * requests, "tpot_p50": 10,
		} {
			f, err := p.Figure(name)
			if err != nil { // flagged, or not there
				continue
			}
			low, high := f.Summary.Mean, f.Summary.Mean
			if !math.IsNaN(f.Interval.Low) {
				low, high = f.Interval.Low, f.Interval.High
			}
			if truth < low*(1-tolerance) || truth > high*(1+tolerance) {
				t.Errorf("%v: %s is %.4g (%.4g to %.4g), not flagged; the truth is %.4g", p.Load, name, f.Summary.Mean,
					low, high, truth)
			}
		}
	}
}
