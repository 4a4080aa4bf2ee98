package openai

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A way is how requests get to the server: over connections of our own ([byLine]), or by net/http's client
// ([byClient]). What is sent, what is made of the answer and what a failure is called are the same on both.
type way interface {
	// ask sends a request, notes in r when, and returns the head of its answer. Without an answer the error is a
	// *failure. The exchange is nil where nothing is left to be ended.
	ask(ctx context.Context, body *payload, r *loadgen.Record) (exchange, *http.Response, error)
}

// An exchange is a request whose answer has begun.
type exchange interface {
	io.Reader // the answer's body

	stamps() *netstamp.Exchange // nil: nothing is known of when its bytes came
	over() bool                 // the body has been read to its end, as far as can be told without waiting
	abort()                     // makes whatever is read or written end at once

	// end lets go of the request and of its connection, which carries another where the answer has been read whole.
	end(whole bool)
}

func (t *Target) way() way {
	if t.lines != nil {
		return byLine{t}
	}
	return byClient{t}
}

// Do sends prompt i of the workload, or the first request of conversation i, and records what came back. No error
// that it returns holds a secret.
func (t *Target) Do(ctx context.Context, i int, r *loadgen.Record) error {
	return t.told(t.do(ctx, i, r), r)
}

// told is what came of a request as it may be told.
func (t *Target) told(err error, r *loadgen.Record) error {
	r.Finish = t.secrets.finish(r.Finish)
	if err == nil {
		return nil
	}
	if e, ok := err.(*loadgen.Error); ok {
		e.Err = t.secrets.clean(e.Err)
		return e
	}
	return t.secrets.clean(err)
}

func (t *Target) do(ctx context.Context, i int, r *loadgen.Record) error {
	return t.keeping(i, 0, r, func(keeps *kept) error { return t.ask(ctx, i, r, keeps) })
}

// keeping performs a request of a level by ask, which is told where to keep its answer: request i, or, from 1 on, a
// request of session i.
func (t *Target) keeping(i, request int, r *loadgen.Record, ask func(*kept) error) error {
	keeps := t.keeper.begin(i, request, r.Warmup)
	if !r.Warmup {
		t.asker.beganOne()
	}
	err := ask(keeps)
	t.keeper.end(keeps, err == nil)
	return err
}

// ask is do, with what is kept of the answer in keeps; nil: nothing is.
func (t *Target) ask(ctx context.Context, i int, r *loadgen.Record, keeps *kept) error {
	if t.config.Workload == nil {
		return t.begins(ctx, i, r, keeps)
	}
	body, err := t.request(i, r, keeps)
	if err != nil {
		return fmt.Errorf("prompt %d: %w", i, err)
	}
	defer body.release()
	return body.advise(t.post(ctx, body, r))
}

// request makes the body of request i, whose prompt the workload has.
func (t *Target) request(i int, r *loadgen.Record, keeps *kept) (*payload, error) {
	p := prompts.Get().(*pooled)
	defer prompts.Put(p)
	p.reset()
	if err := t.config.Workload.Prompt(i, &p.Prompt); err != nil {
		return nil, err
	}
	return t.prepare(&p.Prompt, i, r, keeps)
}

// prepare makes the body of a request for a prompt, and notes what it asks for. turn is whose turn it is among models.
// Where something of its answer is kept it asks for token ids too.
func (t *Target) prepare(p *workload.Prompt, turn int, r *loadgen.Record, keeps *kept) (*payload, error) {
	r.AskedInput, r.AskedOutput = p.Input, t.body.asked(p)
	if !t.config.Endpoint.generates() {
		r.AskedOutput = 0
	}
	// a cross-encoder reads the query again with each document: no number was asked for
	if t.config.Endpoint == Rerank {
		r.AskedInput = 0
	}
	model := p.Model
	if model == "" {
		model = t.config.Models[turn%len(t.config.Models)]
	}
	if p.Model != "" || len(t.config.Models) > 1 {
		r.Model = model
	}
	room := headRoom(t.head)
	body := newPayload(room)
	body.ids = len(p.Body) == 0 && len(p.Tokens) > 0
	body.chat, body.secure = t.config.Endpoint.inText(), t.address.base.Scheme == "https"
	var err error
	if body.memory, err = t.body.append(body.memory, p, model, t.config.Endpoint); err != nil {
		body.release()
		return nil, err
	}
	r.Prompt = maphash.Bytes(promptSeed, body.memory[room:])
	if body.keeps = keeps; keeps != nil && !t.body.replaced[tokenIDs] {
		body.memory = append(body.memory[:len(body.memory)-1], `,"`+tokenIDs+`":true}`...)
	}
	body.json = body.memory[room:]
	if e := t.config.Endpoint; e != Completions && e != Chat {
		body.further = e
	}
	if r.Media = p.Media; p.Media > 0 {
		r.Bytes = len(body.json)
	}
	return body, nil
}

// post sends a request, reads its answer and sees that nothing of it is left on the connection.
func (t *Target) post(ctx context.Context, body *payload, r *loadgen.Record) error {
	x, response, err := t.way().ask(ctx, body, r)
	if err != nil {
		return classify(ctx, err)
	}
	err = t.answer(response, x, body, r)
	read := err == nil || response.StatusCode/100 != 2 // as far as anybody wants to
	x.end(read && drain(x))
	return classify(ctx, err)
}

// answer reads the answer to a request.
func (t *Target) answer(response *http.Response, x exchange, p *payload, r *loadgen.Record) error {
	how := reading{heard: p.heard, endpoint: t.config.Endpoint, keeps: p.keeps}
	r.Status = response.StatusCode
	switch {
	case response.StatusCode/100 != 2:
		response.Body = io.NopCloser(x)
		return statusError(response)
	case t.config.Whole:
		return how.whole(x, response.Header, r)
	}
	return how.stream(x, response.Header, r)
}

const (
	mostRest  = 4 << 10                // bytes after the end of a stream
	restLimit = 250 * time.Millisecond // for them to come
)

// drain reads what follows the last event, and reports whether it was the end, so that the connection can be used
// again. There should be nothing but the end; a server that keeps that to itself loses the connection, and must not
// hold up the next request.
func drain(x exchange) bool {
	if x.over() { // as nearly always, since the end comes along with the last event
		return true
	}
	giveUp := time.AfterFunc(restLimit, x.abort)
	var rest [64]byte
	for n := 0; n < mostRest; {
		m, err := x.Read(rest[:])
		if err != nil {
			return giveUp.Stop() && err == io.EOF
		}
		n += m
	}
	giveUp.Stop()
	return false
}

// contexts are the words in which servers say that a request has more tokens than they take: vLLM's twice, llama.cpp's,
// SGLang's, TGI's and OpenAI's.
var contexts = []string{"maximum context length", "longer than the maximum model length",
	"exceeds the available context size",
	"longer than the model's context length", "`inputs` tokens + `max_new_tokens` must be", "context_length_exceeded"}

// tooLong reports whether an answer says that.
func tooLong(status int, text string) bool {
	return (status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == 422) &&
		slices.ContainsFunc(contexts, func(words string) bool { return strings.Contains(text, words) })
}

// statusError reads enough of an answer with a bad status to say what the server complained of.
func statusError(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, mostQuoted))
	said := complaint(text)
	if said == "" {
		said = "no reason given"
	}
	if to := response.Header.Get("Location"); to != "" {
		said += ", redirected to " + to
	}
	class := loadgen.ClassStatus
	if tooLong(response.StatusCode, string(text)) {
		class = loadgen.ClassTooLong
	}
	return &loadgen.Error{
		Class: class, Status: response.StatusCode, RetryAfter: retryAfter(response.Header),
		Err: errors.New(said),
	}
}

// retryAfter is for how long the server wants to be left alone: it says so in seconds, or until when. 0: it does not
// say, or what it says is over, or more than a day, which nobody means.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 && seconds <= 86400 {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(value); err == nil {
		// By the server's own clock, where it tells it: ours may be another.
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = until.Sub(now)
	}
	if wait < 0 || wait > 24*time.Hour {
		return 0
	}
	return wait
}
