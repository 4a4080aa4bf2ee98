package format

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// AIPerf is NVIDIA AIPerf's profile_export_aiperf.json: one JSON object a level and run. Its predecessor genai-perf's
// profile_export_genai_perf.json has the same shape.
var AIPerf = Format{Name: "aiperf", Read: aiperfTool.Read}

var aiperfTool = tool{
	name: "aiperf", about: "AIPerf",
	notes: []string{
		"AIPerf's inter_token_latency is TPOT here, and its inter_chunk_latency is ITL; its rates divide by " +
			"end_time − start_time",
		"where AIPerf profiles several times, the trials share their prompts unless it was told otherwise, and only " +
			"the first is warmed: the runs are less apart than they would be",
	},
	// {"schema_version": "1.4", "request_throughput": {"unit": "requests/sec", "avg": 35.3},
	//  "request_latency": {"unit": "ms", "avg": 213.9, "p50": 213.5, …}, "input_config": {"phases": [{"kind":
	//  "profiling", "type": "concurrency", "requests": 80, "concurrency": 8}], …}, "run_info": {"trial": 1, …}, …}
	mine: func(d *doc) bool {
		return d.has("input_config") && (d.has("request_throughput") && d.has("request_latency") || d.has("records"))
	},
	read: readAIPerf,
}

type aiperfMetric struct {
	Unit string         `json:"unit"`
	Avg  num            `json:"avg"`
	All  map[string]num `json:"-"`
}

// UnmarshalJSON takes every member that is a number: avg, min, p50, p99.9 or whatever a version has.
func (m *aiperfMetric) UnmarshalJSON(text []byte) error {
	*m = aiperfMetric{All: map[string]num{}}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for key, raw := range all {
		if key == "unit" {
			if err := json.Unmarshal(raw, &m.Unit); err != nil {
				return err
			}
			continue
		}
		var n num
		if n.UnmarshalJSON(raw) == nil { // such as a tag, or a header, which are words
			m.All[key] = n
		}
	}
	m.Avg = m.All["avg"]
	return nil
}

type aiperfPhase struct {
	Kind        string `json:"kind"`
	Type        string `json:"type"`
	Requests    num    `json:"requests"`
	Duration    num    `json:"duration"`
	Concurrency num    `json:"concurrency"`
	Rate        num    `json:"rate"`
	Smoothness  num    `json:"smoothness"`
	Exclude     bool   `json:"exclude_from_results"`
}

type aiperfConfig struct {
	Phases []aiperfPhase `json:"phases"`
	Models struct {
		Items []struct {
			Name string `json:"name"`
		} `json:"items"`
	} `json:"models"`
	Endpoint struct {
		URLs         []string `json:"urls"`
		URL          string   `json:"url"`
		Type         string   `json:"type"`
		ModelNames   []string `json:"model_names"` // of versions before 0.9
		Streaming    *bool    `json:"streaming"`
		ServerTokens *bool    `json:"use_server_token_count"`
	} `json:"endpoint"`
	Datasets []struct {
		Prompts struct {
			ISL aiperfLength `json:"isl"`
			OSL aiperfLength `json:"osl"`
		} `json:"prompts"`
	} `json:"datasets"`
	// Of versions before 0.9.
	Loadgen *aiperfLoadgen `json:"loadgen"`
	Input   struct {
		Prompt struct {
			Input  aiperfLength `json:"input_tokens"`
			Output aiperfLength `json:"output_tokens"`
		} `json:"prompt"`
	} `json:"input"`
	// Of genai-perf.
	PerfAnalyzer *struct {
		Stimulus struct {
			Concurrency num `json:"concurrency"`
			RequestRate num `json:"request_rate"`
		} `json:"stimulus"`
	} `json:"perf_analyzer"`
	ModelNames []string `json:"model_names"`
}

type aiperfLoadgen struct {
	Concurrency  num    `json:"concurrency"`
	RequestRate  num    `json:"request_rate"`
	RequestCount num    `json:"request_count"`
	Duration     num    `json:"benchmark_duration"`
	Mode         string `json:"request_rate_mode"`
	Arrivals     string `json:"arrival_pattern"`
}

type aiperfLength struct {
	Mean   num `json:"mean"`
	StdDev num `json:"stddev"`
}

// UnmarshalJSON takes a distribution, or a number alone.
func (l *aiperfLength) UnmarshalJSON(text []byte) error {
	*l = aiperfLength{}
	if text[0] != '{' {
		_ = l.Mean.UnmarshalJSON(text) // anything else is a distribution that has no one length
		return nil
	}
	type plain aiperfLength
	return json.Unmarshal(text, (*plain)(l))
}

func (l aiperfLength) fixed() num {
	if l.StdDev.v != 0 {
		return num{}
	}
	return l.Mean.positive()
}

func readAIPerf(d *doc) ([]*found, error) {
	folders := strings.Split(path.Dir(d.path), "/")
	if slices.Contains(folders, "aggregate") || slices.Contains(folders, "phases") {
		return nil, nil // means over the runs, and the run's own figures again, its warm-up's among them
	}
	var r struct {
		Version string       `json:"aiperf_version"`
		Start   string       `json:"start_time"`
		Config  aiperfConfig `json:"input_config"`
		Errors  []struct {
			Count num `json:"count"`
		} `json:"error_summary"`
		Canceled bool            `json:"was_cancelled"`
		Records  json.RawMessage `json:"records"` // of the first versions, which have the metrics in it
		RunInfo  struct {
			Trial     num            `json:"trial"`
			Variation map[string]any `json:"variation_values"`
		} `json:"run_info"`
	}
	if err := d.decode(&r); err != nil {
		return nil, err
	}
	keys := d.keys
	if r.Records != nil && json.Unmarshal(r.Records, &keys) != nil {
		return nil, nil // records of single requests
	}
	metric := func(name string) (m aiperfMetric) {
		if raw, ok := keys[name]; ok {
			_ = json.Unmarshal(raw, &m) // no object: no such metric
		}
		return m
	}
	if !metric("request_throughput").Avg.known && !metric("request_count").Avg.known &&
		!metric("error_request_count").Avg.known {
		return nil, nil
	}
	f := &found{checker: checker{where: d.where}, tool: strings.TrimSpace("AIPerf " + r.Version), time: when(r.Start),
		run: r.RunInfo.Trial, wasCut: r.Canceled}
	c := r.Config
	names := append(slices.Clone(c.Endpoint.ModelNames), c.ModelNames...)
	for _, m := range c.Models.Items {
		names = append(names, m.Name)
	}
	f.models = names
	f.is("model", strings.Join(names, ", "))
	urls := c.Endpoint.URLs
	if len(urls) == 0 && c.Endpoint.URL != "" {
		urls = []string{c.Endpoint.URL}
	}
	for i, url := range urls {
		if !strings.Contains(url, "://") {
			url = "http://" + url
		}
		urls[i] = protocol.PublicURL(url)
	}
	f.is("server", strings.Join(urls, ", "))
	f.is("endpoint", c.Endpoint.Type)
	if s := c.Endpoint.Streaming; s != nil && !*s {
		f.is("streaming", "not streamed")
	}

	f.completed = f.count("request_count", metric("request_count").Avg)
	f.failed = f.count("error_request_count", metric("error_request_count").Avg)
	if !f.failed.known { // no error: then there is no such metric, but a count of all
		all := metric("completed_request_count").Avg
		f.failed = f.count("completed_request_count", all).minus(f.completed)
		if !all.known && d.has("error_summary") { // of versions before 0.9
			f.failed = known(0)
			for _, e := range r.Errors {
				f.failed = f.failed.plus(f.count("error_summary", e.Count))
			}
		}
		f.failed = f.within("completed_request_count", f.failed, maxCount, "no less than request_count")
	}
	f.aiperfTokens(metric, c)
	if !f.aiperfLoad(c) {
		return nil, &passedOver{d.where, "does not say what load it is of"}
	}
	f.throughputs(metric("request_throughput").Avg, metric("output_token_throughput").Avg,
		metric("total_token_throughput").Avg)
	if g := metric("goodput").Avg; g.known {
		f.figure(loadgen.GoodputThroughput, "req/s", loadgen.HigherIsBetter, f.rate("goodput", g), f.completed)
	}
	for _, m := range []struct{ ours, theirs string }{
		{loadgen.TTFT, "time_to_first_token"}, {loadgen.TPOT, "inter_token_latency"}, {loadgen.ITL,
			"inter_chunk_latency"},
		{loadgen.E2E, "request_latency"},
	} {
		if t := metric(m.theirs); t.Avg.known {
			f.latency(m.ours, f.unitMS(m.theirs, t.Unit), t.Avg, percentilesOf(t.All))
		}
	}
	f.inFlight = f.within("effective_concurrency", metric("effective_concurrency").Avg, maxCount,
		"a number of requests")
	return []*found{f}, nil
}

// aiperfTokens takes the server's count where there is one, which the rates are of only where AIPerf was told so.
func (f *found) aiperfTokens(metric func(string) aiperfMetric, c aiperfConfig) {
	for _, d := range c.Datasets {
		f.askedInput, f.askedOutput = d.Prompts.ISL.fixed(), d.Prompts.OSL.fixed()
	}
	f.askedInput, f.askedOutput = f.askedInput.or(c.Input.Prompt.Input.fixed()),
		f.askedOutput.or(c.Input.Prompt.Output.fixed())
	for _, t := range []struct {
		what, total, mean, server string
		to                        *num
	}{
		{"input", "total_isl", "input_sequence_length", "total_usage_prompt_tokens", &f.input},
		{"output", "total_osl", "output_sequence_length", "total_usage_completion_tokens", &f.output},
	} {
		counted := metric(t.total).Avg.or(metric(t.mean).Avg.times(f.completed))
		server := metric(t.server).Avg
		*t.to = f.count(t.total, server.or(counted))
		switch {
		case server.known && counted.known && !near(server.v, counted.v):
			f.warn(loadgen.WarnTokensUnknown, []string{loadgen.OutputThroughput, loadgen.TotalThroughput,
				loadgen.TPOT + "_*"},
				"AIPerf's tokenizer made %.0f %s tokens of what the server counted as %.0f, and the rates are of "+
					"the former", counted.v, t.what, server.v)
		case !server.known && counted.known && (c.Endpoint.ServerTokens == nil || !*c.Endpoint.ServerTokens):
			f.tokensByClient(t.what)
		}
	}
}

// aiperfLoad is false where the configuration is of a version that says the load in another way.
func (f *found) aiperfLoad(c aiperfConfig) bool {
	for _, p := range c.Phases {
		if p.Exclude || p.Kind != "" && p.Kind != "profiling" {
			continue
		}
		f.requests(p.Requests, p.Duration)
		process := loadgen.Process("")
		switch p.Type {
		case "poisson":
			process = loadgen.PoissonArrivals
		case "gamma":
			process = loadgen.GammaArrivals
		default:
			process = loadgen.ConstantArrivals
		}
		rate := p.Rate
		if p.Type == "concurrency" {
			rate = num{}
		}
		f.load(p.Concurrency, rate, process, p.Smoothness)
		if !p.Concurrency.known && p.Type == "concurrency" { // its default, which it does not write down
			f.level.Concurrency = 1
		}
		return true
	}
	if c.Loadgen == nil && c.PerfAnalyzer == nil {
		return false
	}
	if c.Loadgen == nil {
		c.Loadgen = &aiperfLoadgen{Concurrency: c.PerfAnalyzer.Stimulus.Concurrency,
			RequestRate: c.PerfAnalyzer.Stimulus.RequestRate}
	}
	f.requests(c.Loadgen.RequestCount, c.Loadgen.Duration)
	process := loadgen.PoissonArrivals
	if c.Loadgen.Mode == "constant" || c.Loadgen.Arrivals == "constant" {
		process = loadgen.ConstantArrivals
	}
	concurrency, rate := c.Loadgen.Concurrency, c.Loadgen.RequestRate
	if !concurrency.known && !rate.known {
		concurrency = known(1) // its default
	}
	f.load(concurrency, rate, process, num{})
	return true
}
