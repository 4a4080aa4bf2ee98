package probe

// What servers tell of themselves, and by which names: vLLM's (older ones behind newer ones), SGLang's and
// llama.cpp's. A server that has none of the names of a quantity does not have the quantity, which is not 0.

// A gauge is sampled while a level runs.
type gauge struct {
	name, unit string
	scale      float64
	names      []string
	sum        bool // the whole is the sum over the engines; else their mean
}

var gauges = []gauge{
	{"server_running", "requests", 1, []string{"vllm:num_requests_running", "sglang:num_running_reqs",
		"llamacpp:requests_processing"}, true},
	{"server_waiting", "requests", 1, []string{"vllm:num_requests_waiting", "sglang:num_queue_reqs",
		"llamacpp:requests_deferred"}, true},
	{"server_kv_usage", "%", 100, []string{"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc",
		"sglang:token_usage", "llamacpp:kv_cache_usage_ratio"}, false},
}

// A counter is asked for before and after a level.
type counter struct {
	name, unit string
	names      []string
}

// The counters that more than one thing is concluded from.
var (
	generated = counter{"server_output_tokens", "tok", []string{"vllm:generation_tokens_total",
		"vllm:generation_tokens", "sglang:generation_tokens_total", "llamacpp:tokens_predicted_total"}}
	prompts = counter{"server_input_tokens", "tok", []string{"vllm:prompt_tokens_total", "vllm:prompt_tokens",
		"sglang:prompt_tokens_total", "llamacpp:prompt_tokens_total"}}
	preempted = counter{"server_preemptions", "times", []string{"vllm:num_preemptions_total", "vllm:num_preemptions",
		"sglang:num_retracted_requests_total"}}
	finished = counter{"server_requests", "requests", []string{"vllm:request_success_total", "vllm:request_success",
		"sglang:num_requests_total"}}
)

var counters = []counter{generated, prompts, preempted, finished}

// A cache is what may make a prompt cheap that was meant to be new. SGLang counts the prompt tokens that it found, by
// where they were from, of all prompt tokens.
type cache struct {
	name          string
	queries, hits []string
}

var caches = []cache{
	{"prefix", []string{"vllm:prefix_cache_queries_total", "vllm:prefix_cache_queries",
		"vllm:gpu_prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries", "sglang:prompt_tokens_total"},
		[]string{"vllm:prefix_cache_hits_total", "vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits_total",
			"vllm:gpu_prefix_cache_hits", "sglang:cached_tokens_total"}},
	{"external prefix", []string{"vllm:external_prefix_cache_queries_total", "vllm:external_prefix_cache_queries"},
		[]string{"vllm:external_prefix_cache_hits_total", "vllm:external_prefix_cache_hits"}},
	{"multimodal", []string{"vllm:mm_cache_queries_total", "vllm:mm_cache_queries"},
		[]string{"vllm:mm_cache_hits_total", "vllm:mm_cache_hits"}},
}

// A timing is a histogram of the server's own, in seconds.
type timing struct {
	name  string
	names []string
}

var timings = []timing{
	{"server_ttft", []string{"vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds"}},
	{"server_e2e", []string{"vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds"}},
	{"server_queue", []string{"vllm:request_queue_time_seconds", "sglang:queue_time_seconds"}},
	{"server_itl", []string{"vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds",
		"sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"}},
}

// started says when the process began, in Unix seconds; several API servers have none.
var started = []string{"process_start_time_seconds"}
