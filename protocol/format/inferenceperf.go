package format

import (
	"encoding/json"
	"path"
	"regexp"

	"github.com/servegauge/servegauge/loadgen"
)

// InferencePerf is inference-perf's stage_N_lifecycle_metrics.json: one JSON object a level. Its config.yaml beside
// them says what was asked for.
var InferencePerf = Format{Name: "inference-perf", Read: inferencePerfTool.Read}

var inferencePerfTool = tool{
	name: "inference-perf", about: "inference-perf",
	notes: []string{
		"inference-perf counts output tokens by tokenizing the answer again, also for its token rates, TPOT and " +
			"ITL; a level of a concurrency sends its requests over a time, below a bound, and is no closed loop " +
			"throughout",
	},
	// {"load_summary": {"count": 80, "requested_rate": 80.0, "achieved_rate": 40.7, "concurrency": 8}, "successes":
	//  {"count": 80, "latency": {"request_latency": {"mean": 0.207, "median": 0.206, "p99": 0.213, …}, …},
	//  "throughput": {"requests_per_sec": 36.9, …}, …}, "failures": {"count": 0, …}, "benchmark_time_seconds": 2.16}
	mine: func(d *doc) bool { return d.has("load_summary", "successes") },
	read: readInferencePerf,
}

var stageFile = regexp.MustCompile(`^stage_\d+_lifecycle_metrics\.json$`)

type inferencePerfConfig struct {
	Data struct {
		Input  inferencePerfLength `json:"input_distribution"`
		Output inferencePerfLength `json:"output_distribution"`
	} `json:"data"`
	Load struct {
		Type string `json:"type"`
	} `json:"load"`
	Server struct {
		Model string `json:"model_name"`
		URL   string `json:"base_url"`
	} `json:"server"`
	API struct {
		Type string `json:"type"`
	} `json:"api"`
}

type inferencePerfLength struct {
	Min, Max num
}

func (l inferencePerfLength) fixed() num {
	if !l.Min.known || l.Min != l.Max {
		return num{}
	}
	return l.Min.positive()
}

func readInferencePerf(d *doc) ([]*found, error) {
	if !stageFile.MatchString(path.Base(d.path)) {
		return nil, nil // the summary: of all stages and the gaps between them
	}
	var r struct {
		Seconds num `json:"benchmark_time_seconds"`
		Load    struct {
			Count         num `json:"count"`
			RequestedRate num `json:"requested_rate"`
			AchievedRate  num `json:"achieved_rate"`
			Concurrency   num `json:"concurrency"`
		} `json:"load_summary"`
		Successes struct {
			Count        num                       `json:"count"`
			Latency      map[string]map[string]num `json:"latency"`
			Throughput   map[string]num            `json:"throughput"`
			PromptTokens inferencePerfSummary      `json:"prompt_tokens"`
			PromptLen    inferencePerfSummary      `json:"prompt_len"` // of versions before 0.7
			OutputTokens inferencePerfSummary      `json:"output_tokens"`
			OutputLen    inferencePerfSummary      `json:"output_len"`
			Mismatches   num                       `json:"token_count_mismatches"`
		} `json:"successes"`
		Failures struct {
			Count num `json:"count"`
		} `json:"failures"`
	}
	if err := d.decode(&r); err != nil {
		return nil, err
	}
	var config inferencePerfConfig
	if data := d.beside("config.yaml"); data != nil && json.Unmarshal(data, &config) != nil {
		config = inferencePerfConfig{} // of another version: nothing is known of what was asked
	}
	f := &found{checker: checker{where: d.where}, tool: "inference-perf"}
	f.model(config.Server.Model)
	f.is("endpoint", config.API.Type)
	f.askedInput, f.askedOutput = config.Data.Input.fixed(), config.Data.Output.fixed()
	s := r.Successes
	f.seconds = f.within("benchmark_time_seconds", r.Seconds, maxSeconds, "a time from 0 to 10⁹ seconds")
	f.completed, f.failed = f.count("successes.count", s.Count), f.count("failures.count", r.Failures.Count)
	f.issued = f.count("load_summary.count", r.Load.Count)
	f.requests(r.Load.Count, num{})
	if r.Load.Concurrency.positive().known {
		f.load(r.Load.Concurrency, num{}, "", num{})
	} else {
		process := loadgen.ConstantArrivals
		if config.Load.Type == "poisson" {
			process = loadgen.PoissonArrivals
		}
		f.load(num{}, r.Load.RequestedRate, process, num{})
	}
	t := s.Throughput
	f.throughputs(t["requests_per_sec"], t["output_tokens_per_sec"], t["total_tokens_per_sec"])
	for _, l := range []struct{ ours, theirs string }{
		{loadgen.TTFT, "time_to_first_token"}, {loadgen.TPOT, "time_per_output_token"}, {loadgen.ITL,
			"inter_token_latency"},
		{loadgen.E2E, "request_latency"},
	} {
		f.latency(l.ours, 1000, s.Latency[l.theirs]["mean"], percentilesOf(s.Latency[l.theirs]))
	}
	if rate := f.rate("achieved_rate", r.Load.AchievedRate); f.level.Arrivals.Process != "" {
		f.figure(loadgen.AchievedRate, "req/s", loadgen.Neither, rate, f.issued)
	}
	f.inferencePerfTokens(s.PromptTokens.Mean.or(s.PromptLen.Mean), s.OutputTokens.Mean, s.OutputLen.Mean, s.Mismatches)
	return []*found{f}, nil
}

// inferencePerfTokens takes the server's counts. The rates are of the others, so that they are not held against these.
func (f *found) inferencePerfTokens(prompt, server, again, mismatches num) {
	f.input = f.sum("prompt_tokens", prompt)
	f.output = f.sum("output_tokens", server.or(again))
	switch {
	case server.known && again.known && !near(again.v, server.v):
		f.retokenised("the answers' text was made of %.4g tokens a request where the server counted %.4g: the rates "+
			"of tokens, TPOT and ITL are of the former", again.v, server.v)
	case mismatches.known && mismatches.v > 0:
		f.retokenised("in %.0f of %.0f answers the text was made of other tokens than the server counted: the rates "+
			"of tokens, TPOT and ITL are of the former", mismatches.v, f.completed.v)
	case !server.known:
		f.tokensByClient("output")
	}
}

// An inferencePerfSummary is a distribution, or its mean alone.
type inferencePerfSummary struct{ Mean num }

func (s *inferencePerfSummary) UnmarshalJSON(text []byte) error {
	*s = inferencePerfSummary{}
	if text[0] != '{' {
		return s.Mean.UnmarshalJSON(text)
	}
	type plain inferencePerfSummary
	return json.Unmarshal(text, (*plain)(s))
}
