package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// GuideLLM is GuideLLM's benchmarks.json (or .yaml): one object with a benchmark for each level.
var GuideLLM = Format{Name: "guidellm", Read: guidellmTool.Read}

var guidellmTool = tool{
	name: "guidellm", about: "GuideLLM",
	notes: []string{
		"GuideLLM's inter_token_latency_ms is TPOT here, weighted by tokens; its time_per_output_token_ms has the " +
			"first token in it, and is left out",
	},
	// {"metadata": {"version": 2, "guidellm_version": "0.8.1"}, "benchmarks": [{"config": {"run_index": 0,
	//  "strategy": {"type_": "concurrent", "streams": 8}, …}, "metrics": {"request_totals": {"successful": 80, …},
	//  "requests_per_second": {"successful": {"mean": 34.9, "percentiles": {"p50": 12.5, …}}}, …}, "duration": 2.28}]}
	mine: func(d *doc) bool {
		return d.has("benchmarks") && bytes.Contains(d.keys["benchmarks"], []byte(`"requests_per_second"`))
	},
	read: readGuideLLM,
}

type guidellmSummary struct {
	Mean        num            `json:"mean"`
	Sum         num            `json:"total_sum"`
	Percentiles map[string]num `json:"percentiles"`
}

// guidellmStatus is a summary for each way that a request can end.
type guidellmStatus struct {
	Successful guidellmSummary `json:"successful"`
	Total      guidellmSummary `json:"total"`
}

type guidellmTotals struct {
	Successful num `json:"successful"`
	Errored    num `json:"errored"`
	Incomplete num `json:"incomplete"`
	Total      num `json:"total"`
}

type guidellmStrategy struct {
	Type           string `json:"type_"`
	Streams        num    `json:"streams"`
	Rate           num    `json:"rate"`
	MaxConcurrency num    `json:"max_concurrency"`
}

type guidellmBenchmark struct {
	Config struct {
		RunIndex    int                        `json:"run_index"`
		Strategy    guidellmStrategy           `json:"strategy"`
		Constraints map[string]json.RawMessage `json:"constraints"`
		Backend     guidellmBackend            `json:"backend"`
	} `json:"config"`
	// Of versions before 0.4.
	Args struct {
		Strategy    guidellmStrategy `json:"strategy"`
		Index       int              `json:"strategy_index"`
		MaxNumber   num              `json:"max_number"`
		MaxDuration num              `json:"max_duration"`
	} `json:"args"`
	Worker struct {
		Target string `json:"backend_target"`
		Model  string `json:"backend_model"`
	} `json:"worker"`
	RunStats struct {
		Made guidellmTotals `json:"requests_made"`
	} `json:"run_stats"`
	OldTotals guidellmTotals `json:"request_totals"`

	Scheduler struct {
		Made guidellmTotals `json:"requests_made"`
	} `json:"scheduler_metrics"`
	Metrics struct {
		Totals       guidellmTotals `json:"request_totals"`
		Requests     guidellmStatus `json:"requests_per_second"`
		OutputRate   guidellmStatus `json:"output_tokens_per_second"`
		TotalRate    guidellmStatus `json:"tokens_per_second"`
		Concurrency  guidellmStatus `json:"request_concurrency"`
		Latency      guidellmStatus `json:"request_latency"` // s
		TTFT         guidellmStatus `json:"time_to_first_token_ms"`
		TPOT         guidellmStatus `json:"inter_token_latency_ms"`
		PromptTokens guidellmStatus `json:"prompt_token_count"`
		OutputTokens guidellmStatus `json:"output_token_count"`
	} `json:"metrics"`
	Start num `json:"start_time"`
}

type guidellmBackend struct {
	Target string `json:"target"`
	Model  string `json:"model"`
	Format string `json:"request_format"`
}

func readGuideLLM(d *doc) ([]*found, error) {
	var r struct {
		Metadata struct {
			Version string `json:"guidellm_version"`
		} `json:"metadata"`
		Config struct {
			Spec struct {
				Data json.RawMessage `json:"data"`
			} `json:"spec"`
		} `json:"config"`
		Benchmarks []guidellmBenchmark `json:"benchmarks"`
	}
	if err := d.decode(&r); err != nil {
		return nil, err
	}
	input, output := guidellmAsked(r.Config.Spec.Data)
	var all []*found
	var passed error
	for i, b := range r.Benchmarks {
		f := &found{
			checker: checker{where: d.where}, tool: strings.TrimSpace("GuideLLM " + r.Metadata.Version),
			time: epoch(b.Start), askedInput: input, askedOutput: output,
		}
		if len(r.Benchmarks) > 1 {
			f.where += fmt.Sprintf(", benchmark %d", i+1)
		}
		if !f.guidellm(&b) {
			passed = &passedOver{f.where, "is of a strategy that is not known here"}
			continue
		}
		all = append(all, f)
	}
	return all, passed
}

// guidellm is false where the strategy is none of those that say a load.
func (f *found) guidellm(b *guidellmBenchmark) bool {
	backend := b.Config.Backend
	f.model(firstOf(backend.Model, b.Worker.Model))
	f.is("server", protocol.PublicURL(firstOf(backend.Target, b.Worker.Target)))
	f.is("endpoint", backend.Format)

	totals := b.Metrics.Totals
	for _, other := range []guidellmTotals{b.OldTotals, b.Scheduler.Made, b.RunStats.Made} {
		if !totals.Successful.known {
			totals = other
		}
	}
	f.completed, f.failed = f.count("successful", totals.Successful), f.count("errored", totals.Errored)
	f.cutOff = f.count("incomplete", totals.Incomplete)
	f.issued = f.count("total", totals.Total)
	f.input, f.output = f.count("prompt_token_count", b.Metrics.PromptTokens.Successful.Sum),
		f.count("output_token_count", b.Metrics.OutputTokens.Successful.Sum)

	requests, seconds := b.Args.MaxNumber, b.Args.MaxDuration
	for name, raw := range b.Config.Constraints {
		var c struct {
			Args struct {
				Count   guidellmOne `json:"count"`
				Seconds guidellmOne `json:"seconds"`
			} `json:"args"`
		}
		_ = json.Unmarshal(raw, &c) // of another kind: not one of these
		switch name {
		case "max_requests", "max_number":
			requests = c.Args.Count.at(b.Config.RunIndex)
		case "max_duration", "max_seconds":
			seconds = c.Args.Seconds.at(b.Config.RunIndex)
		}
	}
	f.requests(requests, seconds)
	s := b.Config.Strategy
	if s.Type == "" {
		s = b.Args.Strategy
	}
	switch s.Type {
	case "synchronous":
		f.load(known(1), num{}, "", num{})
	case "concurrent":
		f.load(s.Streams, num{}, "", num{})
	case "throughput":
		f.load(s.MaxConcurrency, num{}, "", num{})
	case "constant", "async":
		f.load(num{}, s.Rate, loadgen.ConstantArrivals, num{}) // its max_concurrency is a default
	case "poisson":
		f.load(num{}, s.Rate, loadgen.PoissonArrivals, num{})
	default:
		return false
	}

	m := &b.Metrics
	f.throughputs(m.Requests.Successful.Mean, m.OutputRate.Successful.Mean, m.TotalRate.Successful.Mean)
	f.latency(loadgen.TTFT, 1, m.TTFT.Successful.Mean, m.TTFT.percentiles())
	f.latency(loadgen.TPOT, 1, m.TPOT.Successful.Mean, m.TPOT.percentiles())
	f.latency(loadgen.E2E, 1000, m.Latency.Successful.Mean, m.Latency.percentiles())
	f.inFlight = f.within("request_concurrency", m.Concurrency.Total.Mean.or(m.Concurrency.Successful.Mean), maxCount,
		"a number of requests")
	return true
}

// percentiles has GuideLLM's names: p001 is the 0.1th and p999 the 99.9th.
func (s *guidellmStatus) percentiles() []percentile {
	all := map[string]num{}
	for name, value := range s.Successful.Percentiles {
		switch name {
		case "p001":
			name = "p0.1"
		case "p01":
			name = "p1"
		case "p05":
			name = "p5"
		case "p999":
			name = "p99.9"
		}
		all[name] = value
	}
	return percentilesOf(all)
}

// guidellmOne is a value, or one for each level.
type guidellmOne []num

func (o *guidellmOne) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return json.Unmarshal(text, (*[]num)(o))
	}
	var n num
	if err := n.UnmarshalJSON(text); err != nil {
		return err
	}
	*o = guidellmOne{n}
	return nil
}

func (o guidellmOne) at(level int) num {
	if len(o) == 0 {
		return num{}
	}
	return o[min(max(level, 0), len(o)-1)]
}

// guidellmAsked is what the one synthetic data set is of; unknown where there are others, or lengths vary.
func guidellmAsked(text json.RawMessage) (input, output num) {
	var all []struct {
		Prompt   num `json:"prompt_tokens"`
		PromptSD num `json:"prompt_tokens_stdev"`
		Output   num `json:"output_tokens"`
		OutputSD num `json:"output_tokens_stdev"`
	}
	if json.Unmarshal(text, &all) != nil || len(all) != 1 {
		return num{}, num{}
	}
	if d := all[0]; d.PromptSD.v == 0 && d.OutputSD.v == 0 {
		return d.Prompt.positive(), d.Output.positive()
	}
	return num{}, num{}
}

func firstOf(texts ...string) string {
	i := slices.IndexFunc(texts, func(s string) bool { return s != "" })
	if i < 0 {
		return ""
	}
	return texts[i]
}
