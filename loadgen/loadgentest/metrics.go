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
func (x *exchange) metrics(w http.ResponseWriter, l limits, q *queue) {
	model, c, m := l.model, q.snapshot(), &q.meter
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
	line := func(name, more string, v float64) {
		b = append(b, name...)
		b = append(b, '{')
		b = append(b, label...)
		b = append(b, more...)
		b = append(b, "} "...)
		b = append(b, number(v)...)
		b = append(b, '\n')
	}
	one := func(name, kind, help string, v float64) {
		family(name, kind, help)
		line(name, "", v)
	}
	one("vllm:num_requests_running", "gauge", "Requests in the running batch.", float64(c.Running))
	one("vllm:num_requests_waiting", "gauge", "Requests in the queue.", float64(c.Waiting))
	one("vllm:prompt_tokens_total", "counter", "Prompt tokens of requests that have their first token.",
		float64(m.prompt.Load()))
	one("vllm:generation_tokens_total", "counter", "Tokens generated.", float64(m.generated.Load()))
	const finished = "vllm:request_success_total"
	family(finished, "counter", "Requests that ended, by reason.")
	line(finished, `,finished_reason="stop"`, 0) // every answer has the length that was asked for
	line(finished, `,finished_reason="length"`, float64(c.Served))
	line(finished, `,finished_reason="abort"`, float64(c.Cancelled))
	if s := l.simulated; s != nil {
		if s.KVBlocks > 0 {
			one("vllm:kv_cache_usage_perc", "gauge", "Part of the KV blocks that running requests hold, 0 to 1.",
				float64(c.KVBlocks)/float64(s.KVBlocks))
			one("vllm:num_preemptions_total", "counter", "Times that a running request was sent back to the queue.",
				float64(c.Preemptions))
		}
		if s.KVBlocks > 0 { // what it is asked for, as labels: its value is always 1
			const config = "vllm:cache_config_info"
			family(config, "gauge", "Information of the LLMEngine CacheConfig")
			line(config, `,block_size="`+strconv.Itoa(s.blockTokens())+`",num_gpu_blocks="`+strconv.Itoa(s.KVBlocks)+
				`",enable_prefix_caching="`+capitalized(s.PrefixCache)+`"`, 1)
		}
		if s.PrefixCache {
			one("vllm:prefix_cache_queries_total", "counter", "Prompt tokens looked up in the prefix cache.",
				float64(c.PrefixQueries))
			one("vllm:prefix_cache_hits_total", "counter", "Prompt tokens found in the prefix cache.",
				float64(c.PrefixHits))
		}
		many := func(name, help string, h *histogram, bounds []float64) {
			family(name, "histogram", help)
			h.render(bounds, func(suffix, more string, v float64) { line(name+suffix, more, v) })
		}
		h := &s.latencies
		many("vllm:time_to_first_token_seconds", "From a request's arrival to its first token.", &h.ttft, ttftBounds[:])
		many("vllm:inter_token_latency_seconds", "From a token to the next one.", &h.itl, itlBounds[:])
		many("vllm:e2e_request_latency_seconds", "From a served request's arrival to its last token.", &h.e2e,
			e2eBounds[:])
		many("vllm:request_queue_time_seconds", "From a served request's arrival until it first ran.", &h.queue,
			e2eBounds[:])
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b)
	x.out = b
}

// capitalized is a truth value as Python writes it.
func capitalized(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
