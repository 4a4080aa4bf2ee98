// Package openai measures OpenAI-compatible inference servers: a [Target] loads one, an [API] asks it about itself, and a [Client]
// does both, so that no more need be known of a server than its URL.
//
// A request asks for an exact amount of work: prompts are arrays of token ids on /v1/completions, so that the input
// length is exact without a tokenizer; max_tokens with ignore_eos fixes the output length, and temperature 0 keeps a
// model's own generation settings out of it. Whether the server did what it was asked is known from its usage
// counts alone, so these are what the figures use, and a difference is reported with them.
//
// The prompts are those of package workload; [Calibrate] makes text, the only thing that chat takes, as exact as token ids.
//
// Sent is the first write of the request on its connection, or, over HTTP/2 and with a user's own client, when the
// connection is in hand: dialling and TLS handshakes are the client's time (send lag), not the server's, and [Target.Open]
// has done both before a level's clock starts. A chunk is stamped when the read that ended it returned, before it is parsed;
// and, on Linux over HTTP/1.1, by the kernel when it received the chunk (package netstamp), which is what latencies go by
// then. Under TLS the kernel's stamp is that of the last segment of the record that held the chunk, since nothing can be
// read of a record before. A chunk with an empty text or only a role is no content, and does not end TTFT.
//
// Requests over HTTP/1.1 go over connections of the Target's own, written and read by the goroutine that asks: a request makes
// some 25 objects, and a chunk none. Through a proxy, over HTTP/2 and with a user's own client they go by net/http, which makes
// three times as many.
//
// A request on a connection that the server had dropped fails as stale connection (loadgen.ClassStale). Connections that
// have been idle for 4 s are dropped, because uvicorn drops them after 5. Nothing is sent twice, unless loadgen's
// Level.Retries says so; net/http takes another connection only where it could write nothing at all on the first.
package openai
