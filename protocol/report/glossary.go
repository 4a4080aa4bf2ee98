package report

import (
	"io"
	"strings"
)

// glossary is what each figure means, in the words of somebody who reads a table. The formulas are with the names in
// package loadgen.
var glossary = []struct{ name, meaning string }{
	{"requests_per_s", "completed requests ÷ the time from the first request sent to the last one done (the makespan)"},
	{"output_tokens_per_s", "output tokens, as the server counted them ÷ the makespan"},
	{"total_tokens_per_s", "input and output tokens ÷ the makespan: what most tools print as throughput"},
	{"input_tokens_per_s", "input tokens ÷ the makespan: the throughput of endpoints that generate none " +
		"(embeddings, rerank)"},
	{"sessions_per_s, session_success", "sessions that completed ÷ the makespan, and ÷ those that were begun"},
	{"sessions_under_way", "sessions at once, thinking included, over the makespan"},
	{"session_duration", "from a session's first request sent to its last one done, thinking included"},
	{"…{turn=2}, …{model=a}", "the same of the second turns of all sessions, or of what one model or adapter was asked"},
	{"steady_…", "the same in the steady window alone, without the start and the drain; comparisons and the knee " +
		"use these"},
	{"goodput_requests_per_s", "requests that met every limit of -goodput ÷ the makespan"},
	{"attainment", "requests that met every limit ÷ all that were issued, failures among them; attainment_ttft: " +
		"that limit alone"},
	{"in_flight_mean, _peak", "requests sent and not yet done, over the makespan"},
	{"occupied_mean", "slots that were taken: until the request had left, and not only until its last chunk"},
	{"offered_, achieved_requests_per_s", "open loop: the rate that was scheduled, and the one that was sent"},
	{"offered_, achieved_sessions_per_s", "the same of sessions, where these arrive"},
	{"success_rate", "completed ÷ issued"},
	{"cached_share", "input tokens that the server found in its prefix cache ÷ input tokens"},
	{"draft_acceptance", "tokens of speculative decoding that were accepted ÷ proposed"},
	{"tokens_per_chunk", "output tokens ÷ chunks with content; above 1, ITL is not the time between tokens"},
	{"ttft", "time to first token: from the request sent to the first content that can be seen"},
	{"first_choice", "the same to the first chunk of any kind, which vLLM's own client calls TTFT"},
	{"first_answer", "the same to the first content that is not reasoning"},
	{"tpot", "time per output token after the first, of each request"},
	{"interactivity", "1000 ÷ TPOT: tokens/s as one user sees them; its slow end is the row “at least”"},
	{"itl", "inter-token latency: the gaps between chunks with content, of all requests of the level"},
	{"e2e", "from the request sent to the end of its answer"},
	{"response", "open loop: the same from when the request was due, so that waiting in the client counts"},
	{"…, of all issued", "the percentile with failures in it, each later than any request that completed; limits " +
		"go by it"},
	{"send_lag", "from when a request was due to when it was sent: the client's own"},
	{"read_lag", "from when the kernel had a chunk to when the client read it: the client's own"},
	{"upload", "from a request with images or sounds being sent to all of it being written: a part of its TTFT"},
	{"request_bytes, media_tokens", "of these requests: how long each was, and the input tokens of its images and " +
		"sounds"},
	{"ttft_error, itl_error, chunk_lateness", "against the server's own stamps, where it sends them (simserver does)"},
}

// Glossary writes what each figure means, in 80 columns.
func Glossary(w io.Writer) error {
	out := &printer{w: w}
	for _, entry := range glossary {
		out.f("%s\n", entry.name)
		line := ""
		for word := range strings.FieldsSeq(entry.meaning) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > 76 {
				out.f("    %s\n", line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		out.f("    %s\n", line)
	}
	out.f("\nA p99 of one level is over its requests; of several runs, the mean of the runs' p99s. ! must not be " +
		"used,\n" +
		"? is a percentile of fewer samples than it takes to bound it.\n")
	return out.err
}
