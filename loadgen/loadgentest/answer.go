package loadgentest

import (
	"net/http"
	"strconv"
	"time"
)

// token is the text of every token of an Echo: one word, with the space that separates it.
const token = " token"

var (
	contentJSON = []string{"application/json"}
	contentSSE  = []string{"text/event-stream; charset=utf-8"}
	noCache     = []string{"no-cache"}
)

// begin prepares what all chunks of the answer have in common. number, unique in
// its server, becomes the id.
func (x *exchange) begin(w http.ResponseWriter, number uint64, model string) {
	h := w.Header()
	x.number, x.model = number, []byte(model)
	b := x.head[:0]
	if x.stream {
		h["Content-Type"] = contentSSE
		h["Cache-Control"] = noCache
		b = append(b, "data: "...)
	} else {
		h["Content-Type"] = contentJSON
	}
	if x.chat {
		b = append(b, `{"id":"chatcmpl-`...)
	} else {
		b = append(b, `{"id":"cmpl-`...)
	}
	b = strconv.AppendUint(b, number, 10)
	switch {
	case x.chat && x.stream:
		b = append(b, `","object":"chat.completion.chunk","created":`...)
	case x.chat:
		b = append(b, `","object":"chat.completion","created":`...)
	default:
		b = append(b, `","object":"text_completion","created":`...)
	}
	b = strconv.AppendInt(b, x.received.Unix(), 10)
	b = append(b, `,"model":`...)
	b = appendString(b, model)
	x.head = append(b, `,"choices":[`...)

	b = append(x.tail[:0], `,"servegauge":{"received":`...)
	b = strconv.AppendInt(b, x.received.UnixNano(), 10)
	x.tail = append(b, `,"sent":`...)

	x.out, x.stamps, x.done = x.out[:0], x.stamps[:0], 0
	x.details, x.cached, x.unstamped = false, 0, false
}

// role renders the chunk with which a chat begins.
func (x *exchange) role() {
	x.out = append(x.out, x.head...)
	x.out = append(x.out, `{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]`...)
	x.out = x.promptIDs(x.out)
	if x.continuous {
		x.out = x.appendUsage(x.out)
	}
	x.out = append(x.out, "}\n\n"...)
}

// chunk renders a content chunk of n tokens.
func (x *exchange) chunk(n int) {
	x.done += n
	if x.kind == responses {
		x.delta(n)
		return
	}
	b := append(x.out, x.head...)
	if x.chat {
		b = append(b, `{"index":0,"delta":{"content":"`...)
	} else {
		b = append(b, `{"index":0,"text":"`...)
	}
	b = x.tokens(b, x.done-n, n)
	b = x.afterText(b, x.done == n)
	if x.done == x.output {
		b = append(b, `"length"}]`...)
	} else {
		b = append(b, `null}]`...)
	}
	if x.continuous {
		b = x.appendUsage(b)
	}
	x.out = b
	x.stamp()
	x.out = append(x.out, "}\n\n"...)
}

// tokens renders n tokens of the answer: those that come next, from the first one on where from is 0.
func (x *exchange) tokens(b []byte, from, n int) []byte {
	if x.ids = x.ids[:0]; from == 0 {
		x.voice = x.request.voice()
	}
	for range n {
		var id uint64
		if b, id = x.voice.next(b); x.tellIDs {
			x.ids = append(x.ids, id)
		}
	}
	return b
}

// afterText renders what follows the text in a choice, up to its finish_reason. first says that its tokens are the
// answer's first ones.
func (x *exchange) afterText(b []byte, first bool) []byte {
	b = append(b, '"')
	if x.chat {
		b = append(b, '}')
	}
	if x.tells() {
		b = appendIDs(append(b, `,"token_ids":`...), x.ids)
	}
	if first && !x.chat {
		b = x.promptIDs(b)
		b = x.scores(b)
	}
	return append(b, `,"logprobs":null,"finish_reason":`...)
}

// end renders what follows the last content chunk.
func (x *exchange) end() {
	if x.kind == responses {
		x.completed()
		return
	}
	if x.usage {
		b := append(x.out, x.head...)
		b = append(b, ']')
		b = x.appendDetails(x.appendUsage(b))
		x.out = append(b, "}\n\n"...)
	}
	x.out = append(x.out, "data: [DONE]\n\n"...)
}

// whole renders an answer that is not streamed.
func (x *exchange) whole(w http.ResponseWriter) {
	x.done = x.output
	if x.kind != text {
		x.wholeOther(w)
		return
	}
	b := append(x.out, x.head...)
	if x.chat {
		b = append(b, `{"index":0,"message":{"role":"assistant","content":"`...)
	} else {
		b = append(b, `{"index":0,"text":"`...)
	}
	b = x.tokens(b, 0, x.output)
	b = append(x.afterText(b, true), `"length"}]`...)
	if x.chat {
		b = x.promptIDs(b)
		b = x.scores(b)
	}
	x.out = x.appendDetails(x.appendUsage(b))
	x.stamp()
	x.out = append(x.out, '}')
	w.Header().Set("Content-Length", strconv.Itoa(len(x.out)))
}

// stamp renders a Stamp and leaves room for the time of sending.
func (x *exchange) stamp() {
	if x.unstamped {
		return
	}
	b := append(x.out, x.tail...)
	x.stamps = append(x.stamps, len(b))
	b = append(b, "                   "[:stampWidth]...)
	x.out = append(b, '}')
}

// appendUsage appends the usage member as of the tokens rendered so far.
func (x *exchange) appendUsage(b []byte) []byte {
	b = append(b, `,"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(x.input), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(x.input+x.done), 10)
	b = append(b, `,"completion_tokens":`...)
	b = strconv.AppendInt(b, int64(x.done), 10)
	return append(b, '}')
}

// appendDetails appends to a usage, which is complete but for them, its details,
// where there are any. vLLM has none in what it tells underway.
func (x *exchange) appendDetails(b []byte) []byte {
	if !x.details && x.media == 0 {
		return b
	}
	b = append(b[:len(b)-1], `,"prompt_tokens_details":{`...)
	if x.details {
		b = append(b, `"cached_tokens":`...)
		b = strconv.AppendInt(b, int64(x.cached), 10)
	}
	if x.media > 0 {
		if x.details {
			b = append(b, ',')
		}
		b = append(b, `"image_tokens":`...)
		b = strconv.AppendInt(b, int64(x.media), 10)
	}
	return append(b, "}}"...)
}

// send stamps and writes what was rendered.
func (x *exchange) send(w http.ResponseWriter) error {
	if len(x.stamps) > 0 {
		var digits [stampWidth]byte
		putStamp(digits[:], time.Now().UnixNano())
		for _, at := range x.stamps {
			copy(x.out[at:at+stampWidth], digits[:])
		}
	}
	_, err := w.Write(x.out)
	x.out, x.stamps = x.out[:0], x.stamps[:0]
	return err
}
