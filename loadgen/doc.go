// Package loadgen is the measuring instrument: it keeps a stated number of requests in flight against any system,
// times each request by the monotonic clock, and says what the load really was.
//
// A [Level] is one condition of load, plain data. A [Target] is the system under the instrument. [Measure] applies
// the one to the other and returns a [Result]: the accounting, which always closes; the requests that were truly in
// flight; the figures, each with the number of samples behind it; and the warnings that say which figures the
// conditions have spoiled.
//
// The package knows no HTTP and no prompts. Package openai below it speaks to OpenAI-compatible servers, and
// loadgentest has servers whose truth is known.
//
// # What the numbers mean
//
// A chunk's arrival is the kernel's stamp where a Target has it (package openai, on Linux, without TLS), and the client's
// own, taken after its read, elsewhere; [Result.Clock] says which. All offsets are from [Result.Start] on the monotonic clock, and they are stamped before anything is parsed.
//
//	TTFT           first chunk with content − Sent
//	TPOT           (E2E − TTFT) / (output tokens − 1), a request at a time, from two output tokens on
//	ITL            gaps between a request's content chunks, pooled over the level
//	E2E            Done − Sent
//	send lag       Sent − Scheduled: what the client itself took before the request was on its way
//	read lag       Seen − Arrived: what the client itself took after the kernel had received a chunk
//	makespan       first Sent to last Done of the measured requests that completed
//	throughput     completed requests or their tokens ÷ makespan
//	steady …       what arrived inside the steady window ÷ that window
//	in flight      Σ (Done − Sent) ÷ time: requests that the server had, on average
//
// The steady window opens when the wave that started together has gone (as many requests as the concurrency are over, and
// all of the warmup), and closes when the last request is issued, before the drain. Tokens count in it when they
// arrive, whichever request they belong to: input tokens with the request's first content.
//
// Quantiles are type 7 of Hyndman and Fan: linear between order statistics, as numpy and vLLM have it.
package loadgen
