package loadgentest

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// meter counts tokens, since the server began.
type meter struct {
	prompt    atomic.Int64 // of requests that have their first token
	generated atomic.Int64
}

// add counts what was generated of an answer to a prompt.
func (m *meter) add(prompt, generated int) {
	m.prompt.Add(int64(prompt))
	m.generated.Add(int64(generated))
}

// metrics answers /metrics in Prometheus' text format, with vLLM's names for what
// the server knows of itself. What it does not model has no line: a 0 would be a
// claim.
func (x *exchange) metrics(w http.ResponseWriter, model string, c Counts, m *meter) {
	label := `engine="0",model_name="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(model) + `"`
	b := x.out[:0]
	family := func(name, kind, help string) {
		b = append(b, "# HELP "...)
		b = append(b, name...)
		b = append(b, ' ')
		b = append(b, help...)
		b = append(b, "\n# TYPE "...)
		b = append(b, name...)
		b = append(b, ' ')
		b = append(b, kind...)
		b = append(b, '\n')
	}
	line := func(name, more string, v int64) {
		b = append(b, name...)
		b = append(b, '{')
		b = append(b, label...)
		b = append(b, more...)
		b = append(b, "} "...)
		b = strconv.AppendInt(b, v, 10)
		b = append(b, ".0\n"...)
	}
	one := func(name, kind, help string, v int64) {
		family(name, kind, help)
		line(name, "", v)
	}
	one("vllm:num_requests_running", "gauge", "Number of requests in model execution batches.", int64(c.Running))
	one("vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.", int64(c.Waiting))
	one("vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed.", m.prompt.Load())
	one("vllm:generation_tokens_total", "counter", "Number of generation tokens processed.", m.generated.Load())
	const finished = "vllm:request_success_total"
	family(finished, "counter", "Count of successfully processed requests.")
	line(finished, `,finished_reason="stop"`, 0) // every answer has the length that was asked for
	line(finished, `,finished_reason="length"`, int64(c.Served))
	line(finished, `,finished_reason="abort"`, int64(c.Cancelled))
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b)
	x.out = b
}
