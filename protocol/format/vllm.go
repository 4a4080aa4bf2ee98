package format

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// VLLM is what vLLM's `bench serve --save-result` writes, in Python and in Rust: one JSON object a level. It is written
// as vllm/NAME.json, a file for each level of each run, and read with one object a file or a line.
var VLLM = Format{Name: "vllm", Write: writeVLLM, Read: vllmTool.Read}

var vllmTool = tool{
	name: "vllm", about: "vLLM's bench serve",
	notes: []string{
		"vLLM's TTFT ends at the first message with a choice, whose text may be empty (our first_choice), and its " +
			"TPOT divides by the output tokens − 1",
	},
	// {"date": "20261128-114910", "backend": "vllm", "model_id": "m", "num_prompts": 80, "request_rate": "inf",
	//  "max_concurrency": 8, "duration": 2.1, "completed": 80, "total_input_tokens": 2413, "request_throughput": 38.1,
	//  …}
	mine: func(d *doc) bool {
		return d.has("completed", "duration", "request_throughput") && (d.has("model_id") || d.has("num_prompts")) &&
			!d.has("total_output_tokens_retokenized") && !d.has("mean_e2e_latency_ms")
	},
	read: readVLLM,
}

type vllmResult struct {
	Date           string          `json:"date"`
	Backend        string          `json:"backend"`
	EndpointType   string          `json:"endpoint_type"`
	Label          *string         `json:"label"`
	Model          string          `json:"model_id"`
	Prompts        num             `json:"num_prompts"`
	Rate           num             `json:"request_rate"`
	Burstiness     num             `json:"burstiness"`
	Concurrency    num             `json:"max_concurrency"`
	RampUp         *string         `json:"ramp_up_strategy"`
	Duration       num             `json:"duration"`
	Completed      num             `json:"completed"`
	Failed         num             `json:"failed"`
	FailedRequests num             `json:"failed_requests"` // Rust, with some options
	Input          num             `json:"total_input_tokens"`
	Output         num             `json:"total_output_tokens"`
	Requests       num             `json:"request_throughput"`
	OutputRate     num             `json:"output_throughput"`
	TotalRate      num             `json:"total_token_throughput"`
	Goodput        num             `json:"request_goodput"`
	OldGoodput     num             `json:"request_goodput:"` // as some versions spelled it
	Latencies      []num           `json:"latencies"`        // s; 0.0 for one that failed
	RunNumber      num             `json:"run_number"`       // of a sweep; −1: its warm-up
	AskedInput     num             `json:"random_input_len"`
	AskedOutput    num             `json:"random_output_len"`
	SteadyState    json.RawMessage `json:"steady_state"` // Rust alone has it
	Tokenizer      string          `json:"tokenizer_id"`
	Ours           *vllmOurs       `json:"servegauge"` // where we wrote it
}

// vllmOurs is what we say of a result beside vLLM's keys, as far as it is read again.
type vllmOurs struct {
	Run      num               `json:"run"`
	Input    num               `json:"input_tokens"`
	Output   num               `json:"output_tokens"`
	Warnings []loadgen.Warning `json:"warnings"`
}

func readVLLM(d *doc) ([]*found, error) {
	if strings.HasSuffix(d.path, "summary.json") || strings.HasSuffix(d.path, ".failure.json") {
		return nil, nil // of a sweep: the same runs once more
	}
	var r vllmResult
	if err := d.decode(&r); err != nil {
		return nil, err
	}
	if r.RunNumber.known && r.RunNumber.v < 0 {
		return nil, nil
	}
	f := &found{checker: checker{where: d.where}, tool: "vLLM bench serve", time: when(r.Date), run: r.RunNumber}
	rust := strings.Contains(r.Date, "T") || r.SteadyState != nil
	switch {
	case r.Ours != nil:
		f.tool, f.run, f.warnings = "servegauge, as vLLM bench serve", r.Ours.Run, r.Ours.Warnings
		r.AskedInput, r.AskedOutput = r.Ours.Input, r.Ours.Output
	case rust:
		f.tool = "vllm-bench (Rust)"
	}
	f.is("tool", f.tool)
	f.model(r.Model)
	f.is("backend", r.Backend)
	if r.Backend == "" {
		f.is("backend", r.EndpointType)
	}
	if r.Label != nil {
		f.is("label", *r.Label)
	}
	f.askedInput, f.askedOutput = f.count("random_input_len", r.AskedInput), f.count("random_output_len", r.AskedOutput)
	f.seconds = f.within("duration", r.Duration, maxSeconds, "a time from 0 to 10⁹ seconds")
	f.completed = f.count("completed", r.Completed)
	f.failed = f.count("failed", r.Failed.or(r.FailedRequests))
	if !f.failed.known && r.Prompts.known && r.Prompts.v >= r.Completed.v { // older versions have no failed
		f.failed = f.count("num_prompts", r.Prompts).minus(f.completed)
	}
	f.input, f.output = f.count("total_input_tokens", r.Input), f.count("total_output_tokens", r.Output)
	f.requests(r.Prompts, num{})
	process, burstiness := burstProcess(r.Burstiness)
	f.load(r.Concurrency, r.Rate, process, burstiness)
	if r.RampUp != nil && *r.RampUp != "" {
		f.warn(loadgen.WarnRampDominated, []string{loadgen.All},
			"the rate of arrivals rose all along (ramp_up_strategy %s): this is not a measurement at one rate",
			strconv.Quote(*r.RampUp))
	}
	f.throughputs(r.Requests, r.OutputRate, r.TotalRate)
	if g := r.Goodput.or(r.OldGoodput); g.known && f.completed.v > 0 {
		f.figure(loadgen.GoodputThroughput, "req/s", loadgen.HigherIsBetter, f.rate("request_goodput", g), f.completed)
	}
	for _, m := range vllmMetrics {
		f.vllmLatency(d, m.metric, m.key)
	}
	sum := num{known: len(r.Latencies) > 0}
	for _, l := range r.Latencies {
		sum = sum.plus(f.milliseconds("latencies", l, 1000))
	}
	f.inFlight = sum.over(f.seconds).over(known(1000))
	if rust {
		f.tokensByClient("input")
	}
	return []*found{f}, nil
}

// vllmMetrics are vLLM's names of the metrics, in its order.
var vllmMetrics = []struct{ metric, key string }{
	{loadgen.TTFT, "ttft"}, {loadgen.TPOT, "tpot"}, {loadgen.ITL, "itl"}, {loadgen.E2E, "e2el"},
}

// vllmLatency reads mean_ttft_ms, median_ttft_ms and p99_ttft_ms, of whichever percentiles were asked for.
func (f *found) vllmLatency(d *doc, metric, key string) {
	value := func(name string) (n num) {
		if raw, ok := d.keys[name]; ok && n.UnmarshalJSON(raw) != nil {
			f.fail(name, string(raw), "a number")
		}
		return n
	}
	percentiles := []percentile{{50, value("median_" + key + "_ms")}}
	for name := range d.keys {
		p, ok := strings.CutSuffix(name, "_"+key+"_ms")
		if p, isP := strings.CutPrefix(p, "p"); ok && isP {
			if p, err := strconv.ParseFloat(p, 64); err == nil {
				percentiles = append(percentiles, percentile{p, value(name)})
			}
		}
	}
	slices.SortStableFunc(percentiles, func(a, b percentile) int { return cmp.Compare(a.p, b.p) })
	f.latency(metric, 1, value("mean_"+key+"_ms"), percentiles)
}
