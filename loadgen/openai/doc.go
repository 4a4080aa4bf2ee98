// Package openai is a [loadgen.Target] for OpenAI-compatible inference servers, and the workloads that it sends.
//
// A request asks for an exact amount of work: prompts are arrays of token ids on /v1/completions, so that the input
// length is exact without a tokenizer; max_tokens with ignore_eos fixes the output length, and temperature 0 keeps a
// model's own generation settings out of it. Whether the server did what it was asked is known from its usage
// counts alone, so these are what the figures use, and a difference is reported with them.
//
// [RandomTokens] and [RandomWords] make prompts of fixed or ranged lengths, with a shared prefix if one is wanted;
// [Calibrate] makes text, the only thing that chat takes, as exact as token ids;
// [ReadDataset] reads them from a file of JSON lines; and any other [Workload] is one method.
//
// Sent is the first write of the request on its connection, or, under TLS and with a user's own client, when the
// connection is in hand: dialling is the client's time (send lag), not the server's. A chunk is stamped when the read that
// ended it returned, before it is parsed; and, on Linux without TLS, by the kernel when it received the chunk (package
// netstamp), which is what latencies go by then. A chunk with an empty text or only a role is no content, and does not end TTFT.
package openai
