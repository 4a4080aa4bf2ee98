package loadgentest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxBody is the longest request body read, in bytes: a prompt of two million
// token ids.
const maxBody = 16 << 20

// keepBuffer is the largest buffer kept for the next request. One huge answer
// must not hold its memory for ever.
const keepBuffer = 1 << 20

// exchange is one request and the making of its answer. Exchanges are reused:
// a server that allocates per request spends in its garbage collector the time
// that the client it checks should have.
type exchange struct {
	request
	received time.Time
	body     []byte

	// For the answer: see answer.go.
	head, tail, out []byte
	stamps          []int    // where in out the room for a Sent is
	unstamped       bool     // there is none
	done            int      // tokens rendered
	voice           voice    // says them
	ids             []uint64 // of the tokens rendered last, where these are told
	number          uint64
	details         bool // the usage tells the cached tokens
	cached          int  // of the prompt
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// receive begins an exchange. It is the first thing that a handler calls.
func receive() *exchange {
	now := time.Now()
	x := exchanges.Get().(*exchange)
	x.received = now
	return x
}

// release gives the exchange back, after which it must not be used.
func (x *exchange) release() {
	if cap(x.body)+cap(x.out)+8*cap(x.stamps)+8*cap(x.prefix.tokens)+8*cap(x.ids) > keepBuffer {
		return
	}
	exchanges.Put(x)
}

// limits is what a server refuses.
type limits struct {
	model    string   // the name of the only model
	adapters []string // of further ones
	anyModel bool     // whatever it is called
	vocab    int      // token ids from here on are refused; 0: none is
	length   int      // tokens of prompt and answer together; 0: no limit
	prefix   bool     // there is a prefix cache

	simulated *Simulated // whose metrics these are; nil: no more than a queue's
}

// accept reads a request and reports whether there is a completion to generate.
// All else it has answered itself.
func (x *exchange) accept(w http.ResponseWriter, r *http.Request, l limits, q *queue) bool {
	method := http.MethodGet
	switch r.URL.Path {
	case "/v1/completions", "/v1/chat/completions":
		method = http.MethodPost
		x.chat, x.kind = r.URL.Path == "/v1/chat/completions", text
	case "/v1/responses", "/v1/embeddings", "/v1/rerank":
		method = http.MethodPost
		x.chat, x.kind = false, map[string]kind{"/v1/responses": responses, "/v1/embeddings": embeddings,
			"/v1/rerank": rerank}[r.URL.Path]
	case "/tokenize", "/detokenize":
		method = http.MethodPost
	case "/reset_prefix_cache":
		method = http.MethodPost
		if !l.prefix {
			fail(w, http.StatusNotFound, "", "Not Found")
			return false
		}
	case "/v1/models", "/version", "/health", "/metrics":
	default:
		fail(w, http.StatusNotFound, "", "Not Found")
		return false
	}
	if r.Method != method && !(r.Method == http.MethodHead && method == http.MethodGet) {
		w.Header().Set("Allow", method)
		fail(w, http.StatusMethodNotAllowed, "", "Method Not Allowed")
		return false
	}
	switch r.URL.Path {
	case "/v1/models":
		x.models(w, l)
		return false
	case "/version":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"version":"`+version+`"}`)
		return false
	case "/health":
		w.WriteHeader(http.StatusOK)
		return false
	case "/metrics":
		x.metrics(w, l, q)
		return false
	case "/reset_prefix_cache":
		l.simulated.resetPrefixCache()
		w.WriteHeader(http.StatusOK)
		return false
	}
	completion := r.URL.Path != "/tokenize" && r.URL.Path != "/detokenize" // what is counted
	if err := x.read(w, r); err != nil {
		if completion {
			q.reject()
		}
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			fail(w, http.StatusRequestEntityTooLarge, "", fmt.Sprintf("The request is larger than %d bytes.", maxBody))
		} else {
			fail(w, http.StatusBadRequest, "", "The request could not be read: "+err.Error())
		}
		return false
	}
	switch r.URL.Path {
	case "/tokenize":
		x.tokenize(w, l)
		return false
	case "/detokenize":
		x.detokenize(w, l)
		return false
	}
	x.most, x.vocab = 0, 0
	if l.simulated != nil {
		x.most, x.vocab = maxBody, l.vocab // the answer depends on it
	}
	if err := x.parse(x.body); err != nil {
		q.reject()
		fail(w, http.StatusBadRequest, "", err.Error())
		return false
	}
	// A request that names no model gets the one there is, as from vLLM.
	if len(x.model) > 0 && !l.anyModel && string(x.model) != l.model && !slices.Contains(l.adapters, string(x.model)) {
		q.reject()
		noModel(w, string(x.model))
		return false
	}
	if l.vocab > 0 && x.maxID >= int64(l.vocab) {
		q.reject()
		fail(w, http.StatusBadRequest, "", fmt.Sprintf("Token id %d is out of vocabulary", x.maxID))
		return false
	}
	if l.length > 0 && x.input+x.output > l.length {
		q.reject()
		fail(w, http.StatusBadRequest, "", fmt.Sprintf("This model's maximum context length is %d tokens. "+
			"However, you requested %d tokens (%d in the prompt, %d in the completion).",
			l.length, x.input+x.output, x.input, x.output))
		return false
	}
	if x.scored && x.stream {
		q.reject()
		fail(w, http.StatusBadRequest, "", "prompt_logprobs are not available when stream=True.") // vLLM's own words
		return false
	}
	if l.simulated != nil {
		if a := x.adapter(l); a != l.model {
			x.salt ^= hashOf([]byte(a))
			x.begins = hashOf([]byte(a))
		}
		x.says = max(1, hashTokens(x.begins, x.prefix.tokens))
		if len(x.said) > 0 {
			q.turns(x.ownWords())
		}
	}
	return true
}

// adapter is the name of the model that is asked.
func (x *exchange) adapter(l limits) string {
	if slices.Contains(l.adapters, string(x.model)) {
		return string(x.model)
	}
	return l.model
}

// version is what /version answers. It is the version of no vLLM, on purpose.
const version = "0.0.0+loadgentest"

// read reads the whole body into x.body.
func (x *exchange) read(w http.ResponseWriter, r *http.Request) error {
	x.body = x.body[:0]
	if r.Body == nil { // a handler called directly, with http.NewRequest's nil
		return nil
	}
	from := http.MaxBytesReader(w, r.Body, maxBody)
	for {
		if len(x.body) == cap(x.body) {
			x.body = append(x.body, make([]byte, max(4096, len(x.body)))...)[:len(x.body)]
		}
		n, err := from.Read(x.body[len(x.body):cap(x.body)])
		x.body = x.body[:len(x.body)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// models answers /v1/models.
func (x *exchange) models(w http.ResponseWriter, l limits) {
	b := append(x.out[:0], `{"object":"list","data":[{"id":`...)
	b = appendString(b, l.model)
	b = append(b, `,"object":"model","created":`...)
	b = strconv.AppendInt(b, x.received.Unix(), 10)
	b = append(b, `,"owned_by":"servegauge","root":`...)
	b = appendString(b, l.model)
	b = append(b, `,"parent":null,"max_model_len":`...)
	if l.length > 0 {
		b = strconv.AppendInt(b, int64(l.length), 10)
	} else {
		b = append(b, `null`...)
	}
	b = append(b, '}')
	for _, a := range l.adapters {
		b = append(b, `,{"id":`...)
		b = appendString(b, a)
		b = append(b, `,"object":"model","owned_by":"servegauge","parent":`...)
		b = append(appendString(b, l.model), '}')
	}
	b = append(b, `]}`...)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
	x.out = b
}

// fail answers with an error of vLLM's shape. An empty param is null.
func fail(w http.ResponseWriter, status int, param, message string) {
	var e struct {
		Error struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    int     `json:"code"`
		} `json:"error"`
	}
	e.Error.Message = message
	switch status {
	case http.StatusBadRequest:
		e.Error.Type = "BadRequestError"
	case http.StatusNotFound:
		e.Error.Type = "NotFoundError"
	case http.StatusInternalServerError:
		e.Error.Type = "InternalServerError"
	default: // as vLLM does for what it has no name for
		e.Error.Type = http.StatusText(status)
	}
	if param != "" {
		e.Error.Param = &param
	}
	e.Error.Code = status
	b, _ := json.Marshal(e) // strings and an int: cannot fail
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// noModel answers a request for a model that there is not.
func noModel(w http.ResponseWriter, name string) {
	fail(w, http.StatusNotFound, "model", fmt.Sprintf("The model `%s` does not exist.", name))
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string: cannot fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
