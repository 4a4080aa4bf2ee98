package format

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// GenAIBench is genai-bench's folder of an experiment: a JSON file for each level, and experiment_metadata.json.
var GenAIBench = Format{Name: "genai-bench", Read: genaiTool.Read}

var genaiTool = tool{
	name: "genai-bench", about: "genai-bench",
	notes: []string{
		"genai-bench divides by run_duration, in which it also waits, and sends more requests than it was asked to; " +
			"its error_rate is always 0",
	},
	// {"aggregated_metrics": {"scenario": "D(64,20)", "num_concurrency": 8, "run_duration": 3.1,
	//  "requests_per_second": 34.0, "num_completed_requests": 107, "stats": {"ttft": {"mean": 0.025, "p99": 0.045, …},
	//  …}, …}, "individual_request_metrics": […], "_time_unit": "s"}
	mine: func(d *doc) bool {
		return d.has("aggregated_metrics") && bytes.Contains(d.keys["aggregated_metrics"], []byte(`"stats"`))
	},
	read: readGenAI,
}

func readGenAI(d *doc) ([]*found, error) {
	var r struct {
		Metrics struct {
			Scenario    string                    `json:"scenario"`
			Concurrency num                       `json:"num_concurrency"`
			Batch       num                       `json:"batch_size"`
			Duration    num                       `json:"run_duration"`
			Requests    num                       `json:"requests_per_second"`
			OutputRate  num                       `json:"mean_output_throughput_tokens_per_s"`
			TotalRate   num                       `json:"mean_total_tokens_throughput_tokens_per_s"`
			Failed      num                       `json:"num_error_requests"`
			Completed   num                       `json:"num_completed_requests"`
			Issued      num                       `json:"num_requests"`
			Stats       map[string]map[string]num `json:"stats"`
		} `json:"aggregated_metrics"`
		Unit string `json:"_time_unit"`
	}
	if err := d.decode(&r); err != nil {
		return nil, err
	}
	var about struct {
		Version  string `json:"benchmark_version"`
		Model    string `json:"model"`
		Backend  string `json:"api_backend"`
		Engine   string `json:"server_engine"`
		Server   string `json:"server_version"`
		GPU      string `json:"server_gpu_type"`
		Task     string `json:"task"`
		Requests num    `json:"max_requests_per_run"`
		Seconds  num    `json:"max_time_per_run_s"`
	}
	if data := d.beside("experiment_metadata.json"); data != nil && json.Unmarshal(data, &about) != nil {
		about.Model = "" // it is about the experiment, and the figures do without
	}
	f := &found{checker: checker{where: d.where}, tool: strings.TrimSpace("genai-bench " + about.Version)}
	f.model(about.Model)
	for _, s := range []setting{
		{"backend", about.Backend}, {"engine", about.Engine}, {"version", about.Server}, {"GPU", about.GPU}, {"task",
			about.Task},
	} {
		f.is(s.name, s.value)
	}
	m := r.Metrics
	f.askedInput, f.askedOutput = genaiAsked(m.Scenario)
	if !f.askedInput.known {
		f.is("scenario", m.Scenario)
	}
	f.seconds = f.within("run_duration", m.Duration, maxSeconds, "a time from 0 to 10⁹ seconds")
	f.completed, f.failed = f.count("num_completed_requests", m.Completed), f.count("num_error_requests", m.Failed)
	f.issued = f.count("num_requests", m.Issued)
	f.input, f.output = f.count("num_input_tokens", m.Stats["num_input_tokens"]["sum"]), f.count("num_output_tokens",
		m.Stats["num_output_tokens"]["sum"])
	f.requests(about.Requests, num{})
	if m.Batch.known && m.Batch.v != 1 {
		f.is("batch", "batch of "+strings.TrimSuffix(d.where, ".json"))
	}
	f.load(m.Concurrency, num{}, "", num{})
	unit := 1000.0
	if r.Unit != "" {
		unit = f.unitMS("_time_unit", r.Unit)
	}
	f.throughputs(m.Requests, m.OutputRate, m.TotalRate)
	for _, l := range []struct{ ours, theirs string }{
		{loadgen.TTFT, "ttft"}, {loadgen.TPOT, "tpot"}, {loadgen.E2E, "e2e_latency"},
	} {
		s := m.Stats[l.theirs]
		f.latency(l.ours, unit, s["mean"], percentilesOf(s))
	}
	return []*found{f}, nil
}

// D(64,20) asks for 64 tokens in and 20 out of every request; other scenarios have no one length.
var genaiFixed = regexp.MustCompile(`^D\((\d+),\s*(\d+)\)$`)

func genaiAsked(scenario string) (input, output num) {
	m := genaiFixed.FindStringSubmatch(scenario)
	if m == nil {
		return num{}, num{}
	}
	_ = input.UnmarshalJSON([]byte(m[1])) // digits
	_ = output.UnmarshalJSON([]byte(m[2]))
	return input, output
}
