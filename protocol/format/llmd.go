package format

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// LLMD is llm-d's benchmark report, a YAML file for each level of each run: versions 0.1, 0.2 and 0.2.1 are read, and
// 0.2 is written, as llm-d/NAME.yaml.
var LLMD = Format{Name: "llm-d", Write: writeLLMD, Read: llmdTool.Read}

var llmdTool = tool{
	name: "llm-d", about: "llm-d's benchmark reports",
	notes: []string{"llm-d's reports are made of the files of other tools, whose definitions their figures have"},
	// version: '0.2'
	// scenario: {load: {standardized: {tool: vllm-benchmark, concurrency: 8, rate_qps: .inf}}}
	// results: {request_performance: {aggregate: {requests: {total: 80, failures: 0},
	//   latency: {time_to_first_token: {units: ms, mean: 17.5, p99: 27.4}}, throughput: {request_rate: {mean: 38}}}}}
	mine: func(d *doc) bool {
		return d.has("version", "scenario") && d.has("results") || d.has("version", "scenario", "metrics")
	},
	read: readLLMD,
}

type llmdAggregate struct {
	Requests struct {
		Total      num                        `json:"total"`
		Failures   num                        `json:"failures"`
		Incomplete num                        `json:"incomplete"`
		Input      map[string]json.RawMessage `json:"input_length"`
		Output     map[string]json.RawMessage `json:"output_length"`
	} `json:"requests"`
	Latency    map[string]map[string]json.RawMessage `json:"latency"`
	Throughput map[string]json.RawMessage            `json:"throughput"`
}

type llmdReport struct {
	Scenario struct {
		Load struct {
			Name         string `json:"name"` // 0.1: the tool
			Standardized struct {
				Tool        string `json:"tool"`
				Concurrency num    `json:"concurrency"`
				Rate        num    `json:"rate_qps"`
				Stage       num    `json:"stage"`
			} `json:"standardized"`
			Native struct {
				Config json.RawMessage `json:"config"`
			} `json:"native"`
		} `json:"load"`
		Stack []struct {
			Standardized struct {
				Model struct {
					Name string `json:"name"`
				} `json:"model"`
			} `json:"standardized"`
		} `json:"stack"`
		Model struct {
			Name string `json:"name"`
		} `json:"model"`
	} `json:"scenario"`
	Run struct {
		Time struct {
			Start string `json:"start"`
			End   string `json:"end"`
		} `json:"time"`
	} `json:"run"`
	Results struct {
		Performance struct {
			Aggregate llmdAggregate `json:"aggregate"`
		} `json:"request_performance"`
	} `json:"results"`
	Metrics llmdAggregate `json:"metrics"` // 0.1
}

func readLLMD(d *doc) ([]*found, error) {
	var r llmdReport
	if err := d.decode(&r); err != nil {
		return nil, err
	}
	a := r.Results.Performance.Aggregate
	if a.Latency == nil && a.Throughput == nil {
		a = r.Metrics
	}
	if a.Latency == nil && a.Throughput == nil {
		return nil, nil // of observability alone
	}
	load := r.Scenario.Load
	by := firstOf(load.Standardized.Tool, load.Name)
	f := &found{checker: checker{where: d.where}, tool: "llm-d's report of " + firstOf(by,
		"a tool that it does not name"), time: when(firstOf(r.Run.Time.Start, r.Run.Time.End))}
	f.is("tool", by)
	name := r.Scenario.Model.Name
	for _, s := range r.Scenario.Stack {
		name = firstOf(name, s.Standardized.Model.Name)
	}
	f.model(name)

	total := f.count("requests.total", a.Requests.Total)
	f.failed, f.cutOff = f.count("requests.failures", a.Requests.Failures), f.count("requests.incomplete",
		a.Requests.Incomplete)
	aiperf := strings.Contains(by, "aiperf")
	if aiperf { // its converter counts the kinds of failures, and not the requests; total has those that completed
		f.completed, f.failed = total, num{}
	} else {
		f.issued = total
		f.completed = f.within("requests.failures", total.minus(known(f.failed.v)).minus(known(f.cutOff.v)), maxCount,
			"no more than requests.total")
	}
	f.requests(total, num{})
	f.input = f.sum("input_length", llmdSummary(a.Requests.Input)["mean"])
	f.output = f.sum("output_length", llmdSummary(a.Requests.Output)["mean"])
	if !f.llmdLoad(&r, by) {
		return nil, &passedOver{d.where, "does not say what load it is of"}
	}
	rate := func(name string) num {
		var n num
		if raw := a.Throughput[name]; raw != nil && n.UnmarshalJSON(raw) != nil { // 0.1 has the number alone
			var all map[string]json.RawMessage
			if json.Unmarshal(raw, &all) == nil {
				n = llmdSummary(all)["mean"]
			}
		}
		return n
	}
	f.throughputs(rate("request_rate").or(rate("requests_per_sec")),
		rate("output_token_rate").or(rate("output_tokens_per_sec")),
		rate("total_token_rate").or(rate("total_tokens_per_sec")))
	for _, l := range []struct{ ours, theirs string }{
		{loadgen.TTFT, "time_to_first_token"}, {loadgen.TPOT, "time_per_output_token"}, {loadgen.ITL,
			"inter_token_latency"},
		{loadgen.E2E, "request_latency"},
	} {
		// What they call ITL is TPOT, and GuideLLM's TPOT has the first token.
		if aiperf || strings.Contains(by, "guidellm") {
			switch l.ours {
			case loadgen.TPOT:
				continue
			case loadgen.ITL:
				l.ours = loadgen.TPOT
			}
		}
		if raw := a.Latency[l.theirs]; raw != nil {
			var units string
			_ = json.Unmarshal(raw["units"], &units) // none: unitMS says so
			s := llmdSummary(raw)
			f.latency(l.ours, f.unitMS(l.theirs+".units", units), s["mean"], percentilesOf(s))
		}
	}
	if strings.Contains(by, "inference-perf") {
		f.retokenised("the report is of inference-perf, which tokenizes answers again, and does not say what the " +
			"server counted: rates of tokens, TPOT and ITL are not known to be the server's; its own files may say")
	}
	return []*found{f}, nil
}

// llmdLoad is false where the report does not say what load it is of, as those of AIPerf without its configuration.
func (f *found) llmdLoad(r *llmdReport, by string) bool {
	s := r.Scenario.Load.Standardized
	concurrency, rate := s.Concurrency.finite().positive(), s.Rate.finite().positive()
	if concurrency.known { // inference-perf's rate at a concurrency is a bound on sending
		f.load(concurrency, num{}, "", num{})
		return true
	}
	if rate.known {
		process := loadgen.PoissonArrivals
		if strings.Contains(by, "inference-perf") || strings.Contains(by, "guidellm") {
			process = loadgen.ConstantArrivals
		}
		f.load(num{}, rate, process, num{})
		return true
	}
	var native aiperfConfig
	if r.Scenario.Load.Native.Config != nil && json.Unmarshal(r.Scenario.Load.Native.Config,
		&native) == nil && len(native.Phases) > 0 {
		return f.aiperfLoad(native)
	}
	if s.Rate.known && math.IsInf(s.Rate.v, 1) {
		f.load(num{}, num{}, "", num{})
		return true
	}
	return false
}

// llmdSummary takes the numbers of a summary, whose percentiles are p50, p99p9 and so on.
func llmdSummary(all map[string]json.RawMessage) map[string]num {
	out := map[string]num{}
	for name, raw := range all {
		var n num
		if n.UnmarshalJSON(raw) == nil {
			out[name] = n
		}
	}
	return out
}
