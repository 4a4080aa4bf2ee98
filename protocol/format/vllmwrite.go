package format

import (
	"bytes"
	"encoding/json"
	"io"
	"math"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A member is a name and a value of an object whose order is kept.
type member struct {
	name  string
	value any
}

type object []member

// MarshalJSON keeps the order.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func writeVLLM(create func(string) (io.WriteCloser, error), e *protocol.Experiment, _ *protocol.Analysis) error {
	names := namer{}
	for _, m := range kept(e) {
		err := writeFile(create, "vllm/"+names.name(m)+".json", func(w io.Writer) error {
			text, err := json.Marshal(vllmObject(e, m))
			if err == nil {
				_, err = w.Write(append(text, '\n'))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// vllmObject has vLLM's keys in vLLM's order, each with vLLM's own definition: ttft ends at the first chunk with a
// choice, the deviation is the population's, percentiles are linear between order statistics. One differs:
// max_concurrent_requests is the true peak, where vLLM counts whoever touches the busiest second. The arrays with a
// value for each request are not there (latencies and queue_times, and those of --save-detailed): an experiment keeps
// distributions. What is not known is null. What vLLM has no key for is under "servegauge".
func vllmObject(e *protocol.Experiment, m protocol.Measurement) object {
	r, l := &m.Result, m.Step.Level
	var label, concurrency, model, date any
	if m.Step.Arm != "" {
		label = m.Step.Arm
	}
	if l.Concurrency > 0 {
		concurrency = l.Concurrency
	}
	if len(m.Models) > 0 {
		model = m.Models[0]
	}
	if !m.Time.IsZero() {
		date = m.Time.UTC().Format("20060102-150405")
	}
	var rate, burstiness any = "inf", 1.0
	switch a := l.Arrivals; a.Process {
	case loadgen.ConstantArrivals:
		rate, burstiness = a.Rate, "inf" // gamma gaps of no variance
	case loadgen.GammaArrivals:
		rate, burstiness = a.Rate, a.Burstiness
	case loadgen.PoissonArrivals:
		rate = a.Rate
	case loadgen.TraceArrivals:
		rate, burstiness = figure(m, loadgen.OfferedRate), nil
	}
	backend := "openai"
	if m.Sent != nil && m.Sent.Endpoint == "chat" {
		backend = "openai-chat"
	}
	var duration any
	if r.Makespan > 0 {
		duration = r.Makespan.Seconds()
	}
	input, output := any(r.Tokens.Input), any(r.Tokens.Output)
	if r.Tokens.Uncounted > 0 {
		input, output = nil, nil
	}
	failed := any(nil)
	if failuresKnown(m) {
		failed = r.Accounting.Failed + r.Accounting.Cancelled
	}
	peak := any(nil)
	if r.InFlight.Peak > 0 {
		peak = r.InFlight.Peak
	}
	out := object{
		{"date", date}, {"endpoint_type", backend}, {"backend", backend}, {"label", label}, {"model_id", model},
		{"tokenizer_id", nil},
		{"num_prompts", r.Accounting.Issued}, {"request_rate", rate}, {"burstiness", burstiness}, {"max_concurrency",
			concurrency},
		{"duration", duration}, {"completed", r.Accounting.Completed}, {"failed", failed},
		{"total_input_tokens", input}, {"total_output_tokens", output},
		{"request_throughput", figure(m, loadgen.RequestThroughput)}, {"request_goodput", figure(m,
			loadgen.GoodputThroughput)},
		{"output_throughput", figure(m, loadgen.OutputThroughput)}, {"total_token_throughput", figure(m,
			loadgen.TotalThroughput)},
		{"max_output_tokens_per_s", busiestSecond(r.Timeline)}, {"max_concurrent_requests", peak}, {"rtfx", 0.0},
	}
	for _, v := range vllmMetrics {
		out = append(out, vllmSummary(m, v.metric, v.key)...)
	}
	return append(out, member{"servegauge", ourObject(e, m)})
}

// figure is nil where there is none.
func figure(m protocol.Measurement, name string) any {
	if f, ok := m.Result.Figure(name); ok {
		return f.Value
	}
	return nil
}

func vllmSummary(m protocol.Measurement, metric, key string) (out object) {
	if _, ok := m.Result.Figure(loadgen.MeanName(loadgen.FirstChoice)); ok && metric == loadgen.TTFT {
		metric = loadgen.FirstChoice // vLLM's TTFT
	}
	mean := figure(m, loadgen.MeanName(metric))
	if mean == nil {
		return nil
	}
	var sd any
	if d := m.Result.Distributions[metric]; d != nil {
		if x, ok := d.SD(); ok {
			sd = x
		}
	}
	out = object{
		{"mean_" + key + "_ms", mean}, {"median_" + key + "_ms", figure(m, loadgen.QuantileName(metric, 50))},
		{"std_" + key + "_ms", sd},
	}
	for _, f := range m.Result.Figures {
		if of, p, ok := loadgen.QuantileOf(f.Name); ok && of == metric && p != 50 && loadgen.QuantileName(of,
			p) == f.Name {
			out = append(out, member{"p" + machine(p) + "_" + key + "_ms", f.Value})
		}
	}
	return out
}

// ourObject is what vLLM has no key for.
func ourObject(e *protocol.Experiment, m protocol.Measurement) object {
	warnings := warningsOf(m)
	if warnings == nil {
		warnings = []loadgen.Warning{}
	}
	figures := object{}
	for _, f := range figuresOf(m) {
		if !math.IsNaN(f.Value) && !math.IsInf(f.Value, 0) {
			figures = append(figures, member{f.Name, f.Value})
		}
	}
	return object{
		{"schema", 1}, {"tool", e.Tool}, {"run", m.Step.Run}, {"seq", m.Step.Seq}, {"arm", m.Step.Arm}, {"instance",
			m.Instance},
		{"input_tokens", m.Step.Input}, {"output_tokens", m.Step.Output},
		{"warmup", m.Result.Warmup.Issued}, {"valid", m.Result.Valid()}, {"warnings", warnings}, {"figures", figures},
	}
}

// busiestSecond is the most output tokens of any whole second, as bins of the timeline tell; of bins longer than that,
// the most a second. nil where there is no timeline.
func busiestSecond(t *loadgen.Timeline) any {
	if t == nil || t.Width <= 0 || len(t.Output) == 0 {
		return nil
	}
	each := max(1, int(1e9/t.Width.Nanoseconds()))
	most, sum := 0, 0
	for i, n := range t.Output {
		sum += n
		if i >= each {
			sum -= t.Output[i-each]
		}
		most = max(most, sum)
	}
	return float64(most) / max(1, (float64(each)*t.Width.Seconds()))
}
