package format

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// The report's sections, as far as they are written. Its schema forbids any others, so that what must not be used is
// said in the load's description.
type llmdOut struct {
	Version  string          `yaml:"version"`
	Run      llmdOutRun      `yaml:"run"`
	Scenario llmdOutScenario `yaml:"scenario"`
	Results  llmdOutResults  `yaml:"results"`
}

type llmdOutRun struct {
	UID  string       `yaml:"uid"`
	EID  string       `yaml:"eid,omitempty"`
	Time *llmdOutTime `yaml:"time,omitempty"`
}

type llmdOutTime struct {
	Start string `yaml:"start"`
	End   string `yaml:"end,omitempty"`
}

type llmdOutScenario struct {
	Load struct {
		Metadata struct {
			SchemaVersion string `yaml:"schema_version"`
			Description   string `yaml:"description,omitempty"`
		} `yaml:"metadata"`
		Standardized struct {
			Tool        string      `yaml:"tool"`
			ToolVersion string      `yaml:"tool_version"`
			Parallelism int         `yaml:"parallelism"`
			Source      string      `yaml:"source"`
			Stage       int         `yaml:"stage"`
			Input       llmdLength  `yaml:"input_seq_len"`
			Output      *llmdLength `yaml:"output_seq_len,omitempty"`
			Rate        float64     `yaml:"rate_qps,omitempty"`
			Concurrency int         `yaml:"concurrency,omitempty"`
		} `yaml:"standardized"`
		Native struct{} `yaml:"native"`
	} `yaml:"load"`
}

type llmdLength struct {
	Distribution string `yaml:"distribution"`
	Value        int    `yaml:"value"`
}

type llmdOutResults struct {
	Performance struct {
		Aggregate struct {
			Requests struct {
				Total      int          `yaml:"total"`
				Failures   *int         `yaml:"failures,omitempty"`
				Incomplete int          `yaml:"incomplete"`
				Input      *llmdNumbers `yaml:"input_length,omitempty"`
				Output     *llmdNumbers `yaml:"output_length,omitempty"`
			} `yaml:"requests"`
			Latency struct {
				TTFT *llmdNumbers `yaml:"time_to_first_token,omitempty"`
				TPOT *llmdNumbers `yaml:"time_per_output_token,omitempty"`
				ITL  *llmdNumbers `yaml:"inter_token_latency,omitempty"`
				E2E  *llmdNumbers `yaml:"request_latency,omitempty"`
			} `yaml:"latency"`
			Throughput struct {
				Output   *llmdNumbers `yaml:"output_token_rate,omitempty"`
				Total    *llmdNumbers `yaml:"total_token_rate,omitempty"`
				Requests *llmdNumbers `yaml:"request_rate,omitempty"`
			} `yaml:"throughput"`
		} `yaml:"aggregate"`
	} `yaml:"request_performance"`
}

type llmdNumbers struct {
	Units  string   `yaml:"units"`
	Mean   float64  `yaml:"mean"`
	StdDev *float64 `yaml:"stddev,omitempty"`
	Min    *float64 `yaml:"min,omitempty"`
	P0p1   *float64 `yaml:"p0p1,omitempty"`
	P1     *float64 `yaml:"p1,omitempty"`
	P5     *float64 `yaml:"p5,omitempty"`
	P10    *float64 `yaml:"p10,omitempty"`
	P25    *float64 `yaml:"p25,omitempty"`
	P50    *float64 `yaml:"p50,omitempty"`
	P75    *float64 `yaml:"p75,omitempty"`
	P90    *float64 `yaml:"p90,omitempty"`
	P95    *float64 `yaml:"p95,omitempty"`
	P99    *float64 `yaml:"p99,omitempty"`
	P99p9  *float64 `yaml:"p99p9,omitempty"`
	Max    *float64 `yaml:"max,omitempty"`
}

func writeLLMD(create func(string) (io.WriteCloser, error), e *protocol.Experiment, _ *protocol.Analysis) error {
	names := namer{}
	for _, m := range kept(e) {
		name := names.name(m)
		err := writeFile(create, "llm-d/"+name+".yaml", func(w io.Writer) error {
			var text bytes.Buffer
			out := yaml.NewEncoder(&text)
			out.SetIndent(2)
			if err := errors.Join(out.Encode(llmdOf(e, m, name)), out.Close()); err != nil {
				return err
			}
			_, err := w.Write(text.Bytes())
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func llmdOf(e *protocol.Experiment, m protocol.Measurement, name string) llmdOut {
	r, l := &m.Result, m.Step.Level
	out := llmdOut{Version: "0.2"}
	out.Run.UID, out.Run.EID = uid(e, name), uid(e, "")
	if !m.Time.IsZero() {
		out.Run.Time = &llmdOutTime{Start: m.Time.UTC().Format(time.RFC3339Nano)}
		if r.Makespan > 0 {
			out.Run.Time.End = m.Time.Add(r.Makespan).UTC().Format(time.RFC3339Nano)
		}
	}
	load := &out.Scenario.Load
	load.Metadata.SchemaVersion = "0.0.1"
	load.Metadata.Description = llmdDescription(m)
	s := &load.Standardized
	s.Tool, s.ToolVersion = "servegauge", strings.TrimPrefix(e.Tool, "servegauge ")
	s.Parallelism, s.Stage = max(1, r.Generators), m.Step.Seq
	s.Source = "unknown"
	if m.Sent != nil {
		s.Source = "random"
		if m.Sent.Prompts == workload.FromFile {
			s.Source = "sampled"
		}
	}
	s.Input = llmdLength{"fixed", m.Step.Input}
	if m.Sent != nil && m.Sent.InputMax > 0 {
		s.Input.Distribution = "other"
	}
	if m.Step.Output > 0 {
		s.Output = &llmdLength{"fixed", m.Step.Output}
	}
	s.Concurrency = l.Concurrency
	switch {
	case l.Arrivals.Process == "":
		s.Rate = math.Inf(1)
	default:
		s.Rate = l.Arrivals.Rate
	}

	a := &out.Results.Performance.Aggregate
	a.Requests.Total, a.Requests.Incomplete = r.Accounting.Issued, r.Accounting.Cancelled
	if failuresKnown(m) {
		a.Requests.Failures = &r.Accounting.Failed
	}
	if n := r.Accounting.Completed; n > 0 && r.Tokens.Uncounted == 0 {
		a.Requests.Input = &llmdNumbers{Units: "count", Mean: float64(r.Tokens.Input) / float64(n)}
		a.Requests.Output = &llmdNumbers{Units: "count", Mean: float64(r.Tokens.Output) / float64(n)}
	}
	a.Latency.TTFT, a.Latency.TPOT = llmdLatency(m, loadgen.TTFT, "ms"), llmdLatency(m, loadgen.TPOT, "ms/token")
	a.Latency.ITL, a.Latency.E2E = llmdLatency(m, loadgen.ITL, "ms/token"), llmdLatency(m, loadgen.E2E, "ms")
	a.Throughput.Output = llmdRate(m, loadgen.OutputThroughput, "tokens/s")
	a.Throughput.Total = llmdRate(m, loadgen.TotalThroughput, "tokens/s")
	a.Throughput.Requests = llmdRate(m, loadgen.RequestThroughput, "queries/s")
	return out
}

// llmdDescription says which run it is, and what must not be used.
func llmdDescription(m protocol.Measurement) string {
	text := fmt.Sprintf("run %d, %s", m.Step.Run, m.Step.Level.Load())
	if m.Step.Arm != "" {
		text += ", arm " + m.Step.Arm
	}
	for _, w := range warningsOf(m) {
		if len(w.Spoils) > 0 {
			text += fmt.Sprintf("; %s: %s must not be used", w.Code, strings.ReplaceAll(strings.Join(w.Spoils, ", "),
				loadgen.All, "…"))
		}
	}
	return text
}

func llmdRate(m protocol.Measurement, name, units string) *llmdNumbers {
	f, ok := m.Result.Figure(name)
	if !ok {
		return nil
	}
	return &llmdNumbers{Units: units, Mean: f.Value}
}

// llmdLatency has every percentile that there is: all of them where the samples are kept.
func llmdLatency(m protocol.Measurement, metric, units string) *llmdNumbers {
	mean, ok := m.Result.Figure(loadgen.MeanName(metric))
	if !ok {
		return nil
	}
	out := &llmdNumbers{Units: units, Mean: mean.Value}
	d := m.Result.Distributions[metric]
	some := func(x float64, ok bool) *float64 {
		if !ok {
			return nil
		}
		return &x
	}
	for _, q := range []struct {
		p  float64
		to **float64
	}{
		{0, &out.Min}, {0.1, &out.P0p1}, {1, &out.P1}, {5, &out.P5}, {10, &out.P10}, {25, &out.P25}, {50, &out.P50},
		{75, &out.P75},
		{90, &out.P90}, {95, &out.P95}, {99, &out.P99}, {99.9, &out.P99p9}, {100, &out.Max},
	} {
		if d != nil {
			*q.to = some(d.Quantile(q.p))
		} else if f, ok := m.Result.Figure(loadgen.QuantileName(metric, q.p)); ok {
			*q.to = some(f.Value, true)
		}
	}
	if d != nil {
		out.StdDev = some(d.SD())
	}
	return out
}

// uid is the same for the same experiment: a random one would make other bytes each time.
func uid(e *protocol.Experiment, name string) string {
	sum := sha256.Sum256([]byte(e.Time.UTC().Format(time.RFC3339Nano) + " " + e.Tool + " " + name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
