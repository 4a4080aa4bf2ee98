// Package loadgentest provides OpenAI-compatible servers whose truth is known,
// so that what a load generator reports can be checked against what happened.
//
//   - [Echo] answers at once, or at stated times. Whatever latency a client
//     measures beyond them is the client's own (and the network's).
//   - [Simulated] behaves as an inference server with continuous batching does:
//     a cap on the sequences that run, a FIFO queue before it, a prefill rate
//     and a decode rate; steps that requests share, KV blocks with preemption and
//     a prefix cache. [Simulated.Truth] states what a perfect client would measure,
//     or that it is not known.
//
// A Simulated's answers, and those of a [Greedy], are a function of the prompt, and both say how probable they find the
// answers that they are shown. A Greedy takes no time, has ties, and can refuse to tell. [Corrupting], before either or
// before any other server, has some answers be none any more: for checks of answers.
//
// [Faults] is put before either, and has some of its answers go wrong to order:
// refused, truncated, stalled, miscounted, or in another shape than a client may expect
// (tokens without text, errors inside a stream, content in other members, chunks that a
// proxy bunches).
//
// All are plain [net/http.Handler]s, to be served by [net/http/httptest] or
// called directly, also within a testing/synctest bubble: none starts a goroutine
// (a batch has a timer), and none holds a lock while it waits.
//
// # What both speak
//
//	POST /v1/completions       stream and not
//	POST /v1/chat/completions  stream and not
//	POST /tokenize, /detokenize
//	GET  /v1/models, /version, /health, /metrics
//
// /tokenize counts a text prompt or messages as a completion's usage would, and
// makes up an id for each word; /detokenize makes up a word for each id. With a
// PrefixCache POST /reset_prefix_cache forgets what no running request holds. /metrics is
// Prometheus text under vLLM's names, since the server began:
// vllm:num_requests_running and _waiting, vllm:prompt_tokens_total,
// vllm:generation_tokens_total, and vllm:request_success_total with the
// finished_reason length or abort. A Simulated adds the histograms
// vllm:time_to_first_token_seconds, vllm:inter_token_latency_seconds,
// vllm:e2e_request_latency_seconds and vllm:request_queue_time_seconds, with vLLM's
// buckets, by the times at which tokens were due; with KVBlocks
// vllm:kv_cache_usage_perc and vllm:num_preemptions_total; with PrefixCache
// vllm:prefix_cache_queries_total and _hits_total, in tokens.
//
// Errors have vLLM's shape, {"error":{"message","type","param","code"}}: 400 for
// a request that cannot be served as it is, 404 for an unknown path or model,
// 405 for a wrong method, 413 for a body over 16 MiB.
//
// An answer has exactly max_tokens tokens (max_completion_tokens wins where both
// are given; 16 where neither is, OpenAI's default for completions, here for
// chat too), as a server does that was asked for "ignore_eos": true. The most is
// 1,048,576. Sampling fields and all unknown fields are ignored.
//
// usage.prompt_tokens is the length of the array for a prompt of token ids; for
// a text prompt it is the number of its words separated by white space, for a
// chat the sum of that over the texts of its messages, and in both at least 1,
// since a real server adds a first token of its own. One prompt and one choice
// a request: a batch of prompts, or n other than 1, is refused with 400.
//
// # The stream
//
// One data line a chunk. A chat begins with a chunk that holds a role and empty
// content, as vLLM's does: it is no token, and a client that takes it for the
// first one is wrong. The last content chunk carries "finish_reason":"length".
// With stream_options.include_usage a chunk with empty choices and the usage
// follows, with continuous_usage_stats besides it every content chunk carries
// the usage so far. The end is "data: [DONE]"; a stream without it was cut off.
// Every content chunk carries a [Stamp], but for those of an Echo that is Unstamped.
package loadgentest
