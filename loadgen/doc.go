// Package loadgen is the measuring instrument: it keeps a stated number of requests in flight against any system (a
// closed loop), or issues requests when they are due whatever became of those before (an open loop, [Arrivals]),
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
// A chunk's arrival is the kernel's stamp where a Target has it (package openai, on Linux, over HTTP/1.1), and the
// client's own, taken after its read, elsewhere; [Result.Stamps] says which. All offsets are from [Result.Start] on
// the monotonic clock, and they are stamped before anything is parsed.
//
//	TTFT           first chunk with content that can be seen − Sent; beside it the first chunk with a choice − Sent
//	first answer   first content that is not reasoning − Sent, where the target tells
//	TPOT           (E2E − TTFT) / (output tokens after the first chunk that can be seen), a request at a time
//	interactivity  1000 / TPOT in ms: tokens per second as one user sees them; of requests whose TPOT is 0.03 ms or more,
//	               for tokens that came together took no time
//	ITL            gaps between a request's content chunks, pooled over the level
//	E2E            Done − Sent; Done is the last chunk that had a choice or whose usage grew, or the end of a whole
//	               answer
//	response       Done − Scheduled, in an open loop: what a user would wait, who comes when it is time to
//	send lag       Sent − Scheduled: what the client itself took before the request was on its way; in an open loop also
//	               the wait of an arrival that found as many in flight as the level allows
//	read lag       Seen − Arrived: what the client itself took after the kernel had received a chunk
//	makespan       first Sent to last Done of the measured requests that completed
//	throughput     completed requests or their tokens ÷ makespan
//	steady …       what arrived inside the steady window ÷ that window
//	goodput        requests that met all of the level's objectives ÷ makespan
//	attainment     the same ÷ issued: requests that failed or were cancelled met none
//	in flight      Σ (Done − Sent) ÷ time: requests that the server had, on average
//	occupied       Σ (Left − Sent) ÷ time: slots that were taken, until the end of the answer's body or the request's
//	               error; what a closed loop keeps at its concurrency, and what the gates on the load go by
//	…_issued       percentiles over all requests issued: one that failed is later than any that completed, and past the
//	               last of these there is no figure
//
// A token's time and its count cover the same tokens. Those after the first chunk are known where the server tells
// usage in each chunk, or where there are as many chunks of content as output tokens; elsewhere they are output
// tokens − 1, and [Result.TPOT] and [WarnTPOTEstimated] say so; where the chunks plainly do not match the count, as
// when a parser keeps the head of an answer to itself, TPOT is spoiled ([WarnTokensUnmatched]).
//
// Percentiles are of the completed requests, but for those that end in _issued. Where the two part, [WarnCensored] says
// by how much; limits on latency hold for the latter, as goodput and attainment do, which count failures as not met.
//
// Chunks that come in one read have the stamp of the last of them, so that each of the others came in an interval
// ([Chunk.Since]). Figures of TTFT and ITL that change by over a tenth, and 1 ms, with the chunks at the far ends of
// their intervals are spoiled ([WarnArrivalsUnsure]). Chunks that came together, as from a proxy that buffers, spoil
// all figures of tokens over time ([Bunching], [WarnBunched]).
//
// Why answers ended is counted ([Result.FinishReasons]), and what they lacked ([Answers]): a reason, any content, or a
// usage that can be true.
//
// The steady window opens when the wave that started together has gone (as many requests as the concurrency are over,
// and all of the warmup), and closes when the last request is issued, before the drain. Tokens count in it when they
// arrive, whichever request they belong to: input tokens with the request's first content.
//
// The load over time, from the first request to the last, is in [Result.Timeline], by the same rule. A load that should
// not come all at once has a [Level.RampUp], which the warmup should cover.
//
// In an open loop E2E and response stand side by side. Where they differ, requests were sent later than they were
// due, and E2E alone would hide it: this is known as coordinated omission. Where the gaps between arrivals were not
// those of the schedule, they came in bursts, which [WarnBursty] tells. There is no steady window; that the load was
// steady is judged by the requests outstanding, which must not keep growing ([WarnOverloaded]).
//
// A request fails once and for all, unless [Level.Retries] says otherwise. Then Sent is the first attempt's, whatever
// became of it, so that every latency that counts from Sent has in it what a user waits, failed attempts and pauses
// included; the request is one of those in flight all that time; and the attempts are counted apart
// ([Result.Retries], [WarnRetried]).
//
// Quantiles are type 7 of Hyndman and Fan: linear between order statistics, as numpy and vLLM have it. They are exact
// up to [MaxExact] samples of a metric. Beyond that they are an HDR histogram's, within 0.05 %, which [Figure.Method]
// says; so a level of any length needs a bounded memory. Means are always exact.
//
// # The client watches itself
//
// While a level lasts, the client looks at itself: at how late it is woken, what CPU time it uses of what its cgroup
// lets it have, at pauses of its garbage collector, and at connections that had to be made again ([Result.Client]).
// The verdict says whether it was the limit ([WarnClientBound]); [Result.Headroom] says how far it was from that, by
// a calibration.
//
// # Sessions
//
// A level with a [Level.Unit] is of sessions: requests of one user, of which one follows from the answer to another,
// after a pause. They fan out and join as their target says ([Sessions], [Session]). Concurrency counts sessions, or
// their requests in flight; in an open loop sessions arrive. A request that fails ends its session, whose later
// requests are not sent ([WarnSessionsBroken]). Figures are by turn too, and by model where several are asked
// ([Group]).
//
//	session_duration     first Sent to last Done of a session that completed, thinking included
//	sessions_under_way   Σ of the time that sessions held their slots ÷ time
//
// # Several generators
//
// One level may be driven by several generators, each a shard of it ([Level.Shards]) with its share of the concurrency,
// of the requests and of the one schedule of arrivals: [MergeResults] makes the level's result of theirs, with every
// percentile, and with a steady window that all share.
package loadgen
