package loadgentest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Corruption is a way in which an answer is not the model's own any more, though it looks like one: it comes when it
// would, with as many tokens.
type Corruption string

const (
	Garbage       Corruption = "garbage"         // from some token on, tokens at random
	Repetition    Corruption = "repetition"      // from some token on, that one again and again
	AnothersReply Corruption = "another's reply" // another request's answer, one that was given before
)

// Corrupting stands between clients and a server, of any make, and corrupts some of its streamed answers to
// completions and chats: their texts, and their token ids where the server tells them. Answers in one piece, such as
// scores, pass. What comes is otherwise the server's own. So a check of answers can be tried against a truth:
//
//	proxy := &loadgentest.Corrupting{URL: "http://127.0.0.1:8000", Rate: 0.02, InFlight: 8}
//
// Which requests are struck depends on Seed and their numbers. A Corrupting must not be copied, and its fields must not
// be changed, once it serves.
type Corrupting struct {
	Handler http.Handler // that answers; nil: what URL names
	URL     string       // the root of a server

	Rate     float64      // share of the requests for a completion that are struck
	Kinds    []Corruption // in turn; none: all three
	InFlight int          // only where more than so many are in flight, as a fault of load; 0: always
	Tokens   int          // how many tokens are corrupted, from a random one of the first half on; 0: all up to the end
	Vocab    int          // ids of garbage are below it; 0: 4,000
	Seed     uint64

	// Struck, if not nil, is told of each answer that is not what the server gave, with the body of its request. Calls
	// do not overlap.
	Struck func(kind Corruption, body []byte)

	mu       sync.Mutex
	proxy    http.Handler
	requests int
	inFlight int
	picked   int
	counts   CorruptionCounts
	last     []piece // a whole answer that was given, chunk by chunk
}

// CorruptionCounts is a snapshot of what a [Corrupting] has done.
type CorruptionCounts struct {
	Requests  int `json:"requests"`  // for a completion
	Corrupted int `json:"corrupted"` // whose answers are not what the server gave
}

// Counts returns what has been done so far.
func (c *Corrupting) Counts() CorruptionCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Validate reports a Rate that is no share, an unknown kind, and neither or both of Handler and URL.
func (c *Corrupting) Validate() error {
	var errs []error
	if (c.Handler == nil) == (c.URL == "") {
		errs = append(errs, errors.New("loadgentest: Corrupting wants a Handler or a URL, and not both"))
	}
	if !(c.Rate >= 0 && c.Rate <= 1) {
		errs = append(errs, fmt.Errorf("loadgentest: Corrupting.Rate is %v, must be 0 to 1", c.Rate))
	}
	for _, k := range c.Kinds {
		if k != Garbage && k != Repetition && k != AnothersReply {
			errs = append(errs, fmt.Errorf("loadgentest: Corrupting.Kinds has %q, must be garbage, repetition or "+
				"another's reply", k))
		}
	}
	if _, err := url.Parse(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("loadgentest: Corrupting.URL: %w", err))
	}
	return errors.Join(errs...)
}

// ServeHTTP passes a request on, and its answer back.
func (c *Corrupting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := c.Validate(); err != nil {
		fail(w, http.StatusInternalServerError, "", err.Error())
		return
	}
	to := c.to()
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/completions") {
		to.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		fail(w, http.StatusBadRequest, "", "The request could not be read: "+err.Error())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e := c.begin(w, body)
	defer c.end(e)
	to.ServeHTTP(e, r)
	e.rest()
}

func (c *Corrupting) to() http.Handler {
	if c.Handler != nil {
		return c.Handler
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proxy == nil {
		target, _ := url.Parse(c.URL) // which Validate has done
		c.proxy = &httputil.ReverseProxy{FlushInterval: -1,
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
			// llama.cpp closes connections that it said it would keep, and a POST on one of those fails.
			Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	}
	return c.proxy
}

// A piece is what a chunk of an answer says.
type piece struct {
	ids  []any
	text string
}

// begin decides what becomes of a request.
func (c *Corrupting) begin(w http.ResponseWriter, body []byte) *editor {
	var asked struct {
		MaxTokens int  `json:"max_tokens"`
		Scores    *int `json:"prompt_logprobs"`
	}
	_ = json.Unmarshal(body, &asked) // what is none is the server's to refuse
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Requests++
	c.requests++
	c.inFlight++
	e := &editor{of: c, w: w, body: body, passes: asked.Scores != nil}
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], c.Seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(c.requests))
	e.random = rand.New(rand.NewChaCha8(seed))
	if e.passes || c.inFlight <= c.InFlight || e.random.Float64() >= c.Rate {
		return e
	}
	kinds := c.Kinds
	if len(kinds) == 0 {
		kinds = []Corruption{Garbage, Repetition, AnothersReply}
	}
	e.kind = kinds[c.picked%len(kinds)]
	c.picked++
	e.from = e.random.IntN(max(asked.MaxTokens/2, 1))
	if e.to = e.from + c.Tokens; c.Tokens == 0 {
		e.to = 1 << 30
	}
	if e.kind == AnothersReply {
		e.from, e.to, e.other = 0, len(c.last), c.last
	}
	return e
}

func (c *Corrupting) end(e *editor) {
	c.leave(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.whole && !e.changed {
		c.last = e.answer
	}
	if !e.changed {
		return
	}
	c.counts.Corrupted++
	if c.Struck != nil {
		c.Struck(e.kind, e.body)
	}
}

// leave has a request be in flight no more. It is called before its client can see that it is over, or the client's next
// one would find it there still.
func (c *Corrupting) leave(e *editor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !e.left {
		e.left = true
		c.inFlight--
	}
}

// An editor is the ResponseWriter of one answer, which it changes on its way.
type editor struct {
	of     *Corrupting
	w      http.ResponseWriter
	body   []byte
	passes bool // untouched
	random *rand.Rand

	kind     Corruption // "": none
	from, to int        // tokens
	other    []piece
	repeated piece

	pending []byte
	answer  []piece
	whole   bool // the stream came to its end
	changed bool
	left    bool // it is in flight no more
}

func (e *editor) Header() http.Header { return e.w.Header() }

func (e *editor) WriteHeader(status int) {
	if e.passes = e.passes || status != http.StatusOK; !e.passes {
		e.Header().Del("Content-Length") // it may change
	}
	e.w.WriteHeader(status)
}

// FlushError is what [http.ResponseController] prefers to Flush.
func (e *editor) FlushError() error { return http.NewResponseController(e.w).Flush() }

func (e *editor) Write(b []byte) (int, error) {
	if e.passes {
		e.of.leave(e)
		return e.w.Write(b)
	}
	e.Header().Del("Content-Length")
	e.pending = append(e.pending, b...)
	for {
		end := bytes.Index(e.pending, []byte("\n\n"))
		if end < 0 || !bytes.HasPrefix(e.pending, []byte("data:")) {
			return len(b), nil
		}
		event := e.edit(bytes.TrimSpace(e.pending[len("data:"):end]))
		if _, err := fmt.Fprintf(e.w, "data: %s\n\n", event); err != nil {
			return 0, err
		}
		e.pending = append(e.pending[:0], e.pending[end+2:]...)
	}
}

// rest is what is no event: an answer in one piece.
func (e *editor) rest() {
	if len(e.pending) > 0 {
		e.of.leave(e)
		_, _ = e.w.Write(e.pending) // the client is gone: nobody is left to be told
	}
}

// edit is the data of an event with what was ordered in it.
func (e *editor) edit(data []byte) []byte {
	if string(data) == "[DONE]" {
		e.whole = true
		e.of.leave(e)
		return data
	}
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber()
	var event map[string]any
	if in.Decode(&event) != nil {
		return data
	}
	choices, _ := event["choices"].([]any)
	if len(choices) == 0 {
		return data
	}
	choice, _ := choices[0].(map[string]any)
	holder, name := choice, "text"
	if delta, ok := choice["delta"].(map[string]any); ok {
		holder, name = delta, "content"
	}
	var one piece
	one.text, _ = holder[name].(string)
	one.ids, _ = choice["token_ids"].([]any)
	if one.text == "" && len(one.ids) == 0 {
		return data
	}
	e.answer = append(e.answer, one)
	changed := e.change(one, len(e.answer)-1)
	if changed.text == one.text && slices.Equal(changed.ids, one.ids) {
		return data
	}
	e.changed = true
	holder[name] = changed.text
	if one.ids != nil {
		choice["token_ids"] = changed.ids
	}
	edited, _ := json.Marshal(event) // of JSON: cannot fail
	return edited
}

// change is chunk n as it is to be.
func (e *editor) change(one piece, n int) piece {
	if e.kind == "" || n < e.from || n >= e.to {
		return one
	}
	switch e.kind {
	case Repetition:
		if n == e.from {
			e.repeated = one
		}
		return e.repeated
	case AnothersReply:
		return e.other[n]
	}
	garbage := piece{text: " \ufffd" + fmt.Sprint(e.random.IntN(1000))}
	for range one.ids {
		vocab := e.of.Vocab
		if vocab == 0 {
			vocab = 4000
		}
		garbage.ids = append(garbage.ids, json.Number(fmt.Sprint(e.random.IntN(vocab))))
	}
	return garbage
}
