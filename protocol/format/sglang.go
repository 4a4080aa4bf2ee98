package format

import (
	"encoding/json"

	"github.com/servegauge/servegauge/loadgen"
)

// SGLang is what SGLang's bench_serving appends to its --output-file: one JSON object a line and level.
var SGLang = Format{Name: "sglang", Read: sglangTool.Read}

var sglangTool = tool{
	name: "sglang", about: "SGLang's bench_serving",
	// {"tag": null, "backend": "vllm", "request_rate": Infinity, "max_concurrency": 8, "random_input_len": 64,
	//  "duration": 2.1, "completed": 80, "total_throughput": 3214.2, "mean_e2e_latency_ms": 209.1, "concurrency": 7.9,
	//  …}
	mine: func(d *doc) bool {
		return d.has("completed", "duration", "request_throughput") &&
			(d.has("mean_e2e_latency_ms") || d.has("total_output_tokens_retokenized"))
	},
	read: readSGLang,
}

type sglangResult struct {
	Tag     *string `json:"tag"`
	Backend string  `json:"backend"`
	Dataset string  `json:"dataset_name"`
	Server  struct {
		Model string `json:"model_path"`
	} `json:"server_info"`
	Rate        json.RawMessage `json:"request_rate"` // a number, "inf", or "trace"
	Concurrency num             `json:"max_concurrency"`
	AskedInput  num             `json:"random_input_len"`
	AskedOutput num             `json:"random_output_len"`
	RangeRatio  num             `json:"random_range_ratio"`
	Duration    num             `json:"duration"`
	Completed   num             `json:"completed"`
	Input       num             `json:"total_input_tokens"`
	Output      num             `json:"total_output_tokens"`
	Requests    num             `json:"request_throughput"`
	OutputRate  num             `json:"output_throughput"`
	TotalRate   num             `json:"total_throughput"`
	TotalRate2  num             `json:"total_token_throughput"`
	Held        num             `json:"concurrency"`
}

func readSGLang(d *doc) ([]*found, error) {
	var r sglangResult
	if err := d.decode(&r); err != nil {
		return nil, err
	}
	f := &found{checker: checker{where: d.where}, tool: "SGLang bench_serving"}
	f.is("backend", r.Backend)
	f.is("dataset", r.Dataset)
	if r.Tag != nil {
		f.is("tag", *r.Tag)
	}
	f.model(r.Server.Model)
	// A range of lengths, or a dataset with its own, is not asked for by these.
	if r.RangeRatio.known && r.RangeRatio.v == 1 && len(r.Dataset) >= 6 && r.Dataset[:6] == "random" {
		f.askedInput, f.askedOutput = f.count("random_input_len", r.AskedInput), f.count("random_output_len",
			r.AskedOutput)
	}
	f.seconds = f.within("duration", r.Duration, maxSeconds, "a time from 0 to 10⁹ seconds")
	f.completed = f.count("completed", r.Completed)
	f.input, f.output = f.count("total_input_tokens", r.Input), f.count("total_output_tokens", r.Output)
	var rate num
	if r.Rate == nil || rate.UnmarshalJSON(r.Rate) == nil {
		f.load(r.Concurrency, rate, loadgen.PoissonArrivals, num{})
	} else { // in words: the requests came when a trace said
		f.load(r.Concurrency.or(known(1)), num{}, "", num{})
		f.level.Concurrency, f.level.Arrivals = int(r.Concurrency.v), loadgen.Arrivals{Process: loadgen.TraceArrivals}
	}
	f.level.Requests = int(f.completed.v) // nothing says how many were asked for
	f.throughputs(r.Requests, r.OutputRate, r.TotalRate.or(r.TotalRate2))
	f.vllmLatency(d, loadgen.TTFT, "ttft")
	f.vllmLatency(d, loadgen.TPOT, "tpot")
	f.vllmLatency(d, loadgen.ITL, "itl")
	f.vllmLatency(d, loadgen.E2E, "e2e_latency")
	f.inFlight = f.within("concurrency", r.Held, maxCount, "a number of requests")
	f.tokensByClient("input")
	return []*found{f}, nil
}
