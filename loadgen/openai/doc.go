// Package openai measures OpenAI-compatible inference servers: a [Target] loads one, an [API] asks it about itself, and
// a [Client] does both, so that no more need be known of a server than its URL.
//
// A request asks for an exact amount of work: prompts are arrays of token ids on /v1/completions, so that the input
// length is exact without a tokenizer; max_tokens with ignore_eos fixes the output length, and temperature 0 keeps a
// model's own generation settings out of it. Whether the server did what it was asked is known from its usage
// counts alone, so these are what the figures use, and a difference is reported with them.
//
// The prompts are those of package workload; [Calibrate] makes text, the only thing that chat takes, as exact as token
// ids.
//
// Sent is the first write of the request on its connection, or, over HTTP/2 and with a user's own client, when the
// connection is in hand: dialling and TLS handshakes are the client's time (send lag), not the server's, and
// [Target.Open] has done both before a level's clock starts. A chunk is stamped when the read that ended it returned,
// before it is parsed; and, on Linux over HTTP/1.1, by the kernel when it received the chunk (package netstamp), which
// is what latencies go by then. Under TLS the kernel's stamp is that of the last segment of the record that held the
// chunk, since nothing can be read of a record before. Whatever a chunk's delta holds is content, but for the role and
// for what is empty: that is what TTFT ends with. An answer ends with the last chunk that has a choice, with content or
// not, or whose usage grew; with usage in each chunk (ContinuousUsage), one that shows nothing but counts more tokens
// is an arrival too (Chunk.Hidden).
//
// An answer is complete when the server says that the model finished: by a finish_reason for each choice, or by [DONE].
// A finish_reason such as abort or error, an error in a choice or beside it, an event named error and their like are
// errors of the server (loadgen.ClassServer), in a stream and in an answer in one piece alike. What is no event stream
// at all, or comes in a Content-Encoding, fails as what it is (loadgen.ClassProtocol). A usage that cannot be true of
// what came (fewer tokens than texts, fewer than before, no number of tokens) leaves the tokens unknown
// (Record.Contradicted), and the request as good as it was.
//
// Requests over HTTP/1.1 go over connections of the Target's own, written and read by the goroutine that asks: a
// request makes some 25 objects, and a chunk none. Through a proxy, over HTTP/2 and with a user's own client they go
// by net/http, which makes three times as many.
//
// A request on a connection that the server had dropped fails as stale connection (loadgen.ClassStale). Connections
// that have been idle for 4 s are dropped, because uvicorn drops them after 5. A server that ends its connections
// right after its answers, though it advertises that it keeps them, is known by that after its first answer; each
// connection is then used once, and the result says so ([WarnConnectionsNotKept]). Nothing is sent twice, unless
// loadgen's Level.Retries says so: another connection is taken only where the kernel proves that the server has taken
// in nothing of the request, or, by net/http, where nothing at all could be written on the first. A long request is
// written while its answer may be read, and no more of it once the server has refused it; Record.Written is when all
// of it had been written.
package openai
