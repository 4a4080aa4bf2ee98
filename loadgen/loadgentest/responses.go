package loadgentest

import (
	"net/http"
	"strconv"
)

// A kind is what a request is answered with.
type kind int

const (
	text       kind = iota // completions and chat
	responses              // typed events
	embeddings             // a vector
	rerank                 // a rank of each document
)

// delta renders the event of n tokens of a response.
func (x *exchange) delta(n int) {
	b := append(x.out, "event: response.output_text.delta\ndata: "+
		"{\"type\":\"response.output_text.delta\",\"item_id\":\"msg_"...)
	b = strconv.AppendUint(b, x.number, 10)
	b = append(b, `","output_index":0,"content_index":0,"delta":"`...)
	b = x.tokens(b, x.done-n, n)
	x.out = append(b, "\"}\n\n"...)
}

// completed renders the last event of a response, which the length ended.
func (x *exchange) completed() {
	b := append(x.out, "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"response\":"...)
	b = x.response(b)
	x.out = append(b, "}\n\n"...)
}

// response appends a response whose text has been sent, or is sent with it.
func (x *exchange) response(b []byte) []byte {
	b = append(b, `{"id":"resp_`...)
	b = strconv.AppendUint(b, x.number, 10)
	b = append(b, `","object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":`...)
	b = appendString(b, string(x.model))
	b = append(b, `,"output":[{"type":"message","role":"assistant","status":"incomplete","content":[{"type":"output_text","text":"`...)
	b = x.tokens(b, 0, x.output)
	b = append(b, `"}]}],"usage":{"input_tokens":`...)
	b = strconv.AppendInt(b, int64(x.input), 10)
	b = append(b, `,"input_tokens_details":{"cached_tokens":`...)
	b = strconv.AppendInt(b, int64(x.cached), 10)
	b = append(b, `},"output_tokens":`...)
	b = strconv.AppendInt(b, int64(x.output), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(x.input+x.output), 10)
	return append(b, "}}"...)
}

// wholeOther renders what is no completion, in one piece: a response, a vector or ranks, which depend on the prompt.
func (x *exchange) wholeOther(w http.ResponseWriter) {
	b := x.out
	number := func(j int) {
		b = strconv.AppendFloat(b, float64(mix(x.says+uint64(j))>>11)/(1<<53), 'f', 6, 64)
	}
	switch x.kind {
	case responses:
		b = x.response(b)
	case embeddings:
		b = append(b, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[`...)
		for j := range 8 {
			if j > 0 {
				b = append(b, ',')
			}
			number(j)
		}
		b = append(b, `]}]`...)
	case rerank:
		b = append(b, `{"results":[`...)
		for j := range x.documents {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"index":`...)
			b = strconv.AppendInt(b, int64(j), 10)
			b = append(b, `,"relevance_score":`...)
			number(j)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	if x.kind != responses {
		b = append(b, `,"model":`...)
		b = appendString(b, string(x.model))
		b = append(b, `,"usage":{"prompt_tokens":`...)
		b = strconv.AppendInt(b, int64(x.input), 10)
		b = append(b, `,"total_tokens":`...)
		b = strconv.AppendInt(b, int64(x.input), 10)
		b = append(b, "}}"...)
	}
	x.out = b
	w.Header().Set("Content-Length", strconv.Itoa(len(x.out)))
}
