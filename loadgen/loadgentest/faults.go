package loadgentest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A FaultKind is a way in which a server fails its client.
type FaultKind string

const (
	// FaultRefuse closes the connection in place of an answer. (That nobody
	// listens at all is not a handler's to show: it takes a closed port.)
	FaultRefuse FaultKind = "refuse"

	// FaultStatus answers with [Fault.Status] and an error of vLLM's shape, and
	// with Retry-After where [Fault.RetryAfter] is set.
	FaultStatus FaultKind = "status"

	// FaultHang reads the request and never answers, not even with a header.
	FaultHang FaultKind = "hang"

	// FaultStall stops in the middle of the answer and keeps the connection.
	FaultStall FaultKind = "stall"

	// FaultTruncate ends the answer in good order, but too soon: a stream without
	// finish_reason, usage and [DONE], or half of an answer that is not streamed.
	FaultTruncate FaultKind = "truncate"

	// FaultReset resets the connection (RST) in the middle of the answer. What was
	// sent just before may be lost with it.
	FaultReset FaultKind = "reset"

	// FaultGarbage puts something that is no JSON in the place of a chunk, after
	// which the stream goes on.
	FaultGarbage FaultKind = "garbage"

	// FaultErrorEvent puts an error of vLLM's shape, or [Fault.Text], in the place of a
	// chunk, and [DONE] after it: the status is 200 all the same.
	FaultErrorEvent FaultKind = "error-event"

	// FaultNoUsage takes the usage out of the answer.
	FaultNoUsage FaultKind = "no-usage"

	// FaultWrongUsage has usage count [Fault.Tokens] too many tokens of answer.
	FaultWrongUsage FaultKind = "wrong-usage"

	// FaultSlow holds each content chunk back for [Fault.Delay].
	FaultSlow FaultKind = "slow"
)

// A Fault is one thing that is to go wrong, and when. Which requests it strikes is
// the sum of Rate and Requests; with neither it strikes none.
type Fault struct {
	Kind FaultKind

	// Rate is the share of the requests that it strikes, 0 to 1, of those that no
	// Requests names.
	Rate float64

	// Requests are the numbers of requests that it strikes, from 0, in the order
	// in which they reach the server.
	Requests []int

	// After is how many content chunks pass before a fault that strikes in the
	// middle of a stream: a stall, a truncation, a reset, garbage, an error event.
	// It strikes in the place of the next one, and of the one with the
	// finish_reason at the latest, so that no answer is complete before. 0: before
	// the first (the header, and the role of a chat, have gone out by then). In an
	// answer that is not streamed it strikes in the middle.
	After int

	// Status is what [FaultStatus] and [FaultEarly] answer with, 400 to 599, and what
	// [FaultModels] does, 0: 200.
	Status int

	// RetryAfter is what [FaultStatus] asks for, sent in whole seconds, rounded
	// up. 0: nothing.
	RetryAfter time.Duration

	// Delay is how long [FaultSlow] holds back each content chunk, or an answer
	// that is not streamed. Above 0. A chunk's [Stamp] is from before.
	// [FaultClose] closes so long after an answer, and [FaultEarly] keeps its
	// connection so long.
	Delay time.Duration

	// Tokens is by how much [FaultWrongUsage] is wrong; it may be negative. 0: 1.
	Tokens int

	// Chunks is how many content chunks a [FaultBlank], [FaultSwallow], [FaultMerge] or
	// [FaultBunch] has its way with. 0: all that there are, where that has a meaning.
	Chunks int

	// Text is what the server says in place of what it should: see the kinds. Of a
	// [FaultErrorEvent] it is the data of the event, where it begins with a brace, and
	// else lines of the stream: "event: error\ndata: out of memory". (An answer that is
	// not streamed has no lines: it is an error of vLLM's shape then.)
	Text string

	// Cut ends the stream, in good order, after the chunk of a [FaultFinish].
	Cut bool

	// Type and Encoding are the Content-Type and the Content-Encoding of a [FaultBody].
	Type, Encoding string
}

// Faults is a server that fails to order: it passes requests on to Handler, an
// [Echo], a [Simulated], or any other that speaks as they do, and spoils the
// answers to some. A request has one fault or none. Only completions, streamed or
// not, are counted and spoiled, and the list of models, by [FaultModels]; /health and
// the like always work.
//
//	&loadgentest.Faults{Handler: &loadgentest.Echo{}, Order: []loadgentest.Fault{
//		{Kind: loadgentest.FaultStatus, Status: 503, Rate: 0.01},
//		{Kind: loadgentest.FaultStall, After: 3, Requests: []int{7}},
//	}}
//
// Handler is not asked where the fault comes before the answer; where the answer
// breaks off, its Writes fail as though the client were gone. A hang and a stall
// last until the client goes away (until the request's context is done), and a
// stalled request keeps its place in a [Simulated] as long. An answer of Handler
// other than 200 is passed on as it is. Where a connection cannot be taken over, as in
// HTTP/2, a refusal and a reset abort the handler instead (http.ErrAbortHandler), as
// a hang does when it is over.
//
// Which requests are struck depends on Seed and their numbers, on nothing else. A
// Faults must not be copied, and its fields must not be changed, once it serves.
type Faults struct {
	// Handler answers. It must be set.
	Handler http.Handler

	// Order is what is to go wrong. Of two that name the same request the first
	// one strikes. Rates must not add up to more than 1. Empty: nothing does.
	Order []Fault

	// Seed selects the requests that Rate strikes.
	Seed uint64

	mu     sync.Mutex
	counts FaultCounts
}

// FaultCounts is a consistent snapshot of what a [Faults] has done, in requests.
type FaultCounts struct {
	// Requests is how many requests for a completion there were.
	Requests int `json:"requests"`

	// Injected is, for each element of Order, how many requests it struck. A
	// request counts before its client can notice, and once only. One whose answer
	// gave no opportunity (no usage to be left out, an error) does not count.
	Injected []int `json:"injected"`
}

// Total is how many requests were struck by anything.
func (c FaultCounts) Total() int {
	n := 0
	for _, i := range c.Injected {
		n += i
	}
	return n
}

// Counts returns what has been injected so far.
func (f *Faults) Counts() FaultCounts {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := FaultCounts{Requests: f.counts.Requests, Injected: make([]int, len(f.Order))}
	copy(c.Injected, f.counts.Injected)
	return c
}

// Validate reports everything that has no meaning: no Handler, an unknown Kind, a
// rate outside 0 to 1 or rates that add up to more, a negative number, a Status
// that is no error, a [FaultSlow] without Delay. A server whose configuration is
// invalid answers 500 to all.
func (f *Faults) Validate() error {
	var errs []error
	if f.Handler == nil {
		errs = append(errs, errors.New("loadgentest: Faults.Handler is nil"))
	}
	sum := 0.0
	for i, o := range f.Order {
		wrong := func(field string, value any, want string) {
			errs = append(errs, fmt.Errorf("loadgentest: Faults.Order[%d].%s is %v, must be %s", i, field, value, want))
		}
		switch o.Kind {
		case FaultRefuse, FaultHang, FaultStall, FaultTruncate, FaultReset, FaultGarbage, FaultErrorEvent, FaultNoUsage,
			FaultWrongUsage:
		case FaultClose:
		case FaultModels:
			if o.Status != 0 && (o.Status < 200 || o.Status > 599) {
				wrong("Status", o.Status, "200 to 599, or 0")
			}
			if o.Rate != 0 || len(o.Requests) > 0 {
				wrong("Rate", o.Rate, "0, and Requests empty: it strikes whoever asks for the models")
			}
		case FaultStatus, FaultEarly:
			if o.Status < 400 || o.Status > 599 {
				wrong("Status", o.Status, "400 to 599")
			}
		case FaultSlow:
			if o.Delay <= 0 {
				wrong("Delay", o.Delay, "above 0")
			}
		default:
			if o.Kind.ofContent() {
				o.wrongContent(wrong)
				break
			}
			wrong("Kind", strconv.Quote(string(o.Kind)), "one of the FaultKinds")
		}
		if !(o.Rate >= 0 && o.Rate <= 1) {
			wrong("Rate", o.Rate, "0 to 1")
		} else {
			sum += o.Rate
		}
		if o.After < 0 {
			wrong("After", o.After, "at least 0")
		}
		if o.Chunks < 0 {
			wrong("Chunks", o.Chunks, "at least 0")
		}
		if o.RetryAfter < 0 {
			wrong("RetryAfter", o.RetryAfter, "at least 0")
		}
		if len(o.Requests) > 0 && slices.Min(o.Requests) < 0 {
			wrong("Requests", o.Requests, "at least 0 each")
		}
	}
	if sum > 1+1e-9 { // ten times 0.1 is allowed
		errs = append(errs, fmt.Errorf("loadgentest: the rates of Faults.Order add up to %v, must be at most 1", sum))
	}
	return errors.Join(errs...)
}

// ServeHTTP answers a request, or fails to.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := f.Validate(); err != nil {
		fail(w, http.StatusInternalServerError, "", err.Error())
		return
	}
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/completions") {
		f.other(w, r)
		return
	}
	i := f.pick(f.number())
	if i < 0 {
		f.Handler.ServeHTTP(w, r)
		return
	}
	o := f.Order[i]
	if o.Kind.ofConnection() {
		o.onConnection(w, r, f.Handler, func() { f.struck(i) })
		return
	}
	switch o.Kind {
	case FaultRefuse, FaultStatus, FaultHang, FaultBody:
		// Unread, the request would turn the closing of a connection into a reset,
		// and net/http could not notice that the client goes away.
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
		}
		f.struck(i)
	}
	switch o.Kind {
	case FaultRefuse:
		hangUp(w, false)
	case FaultStatus:
		if o.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(int64((o.RetryAfter+time.Second-1)/time.Second), 10))
		}
		fail(w, o.Status, "", "An error to order: "+http.StatusText(o.Status))
	case FaultBody:
		o.answerBody(w)
	case FaultHang:
		<-r.Context().Done()
		// With a return there would be an answer, if anybody is left to read it.
		panic(http.ErrAbortHandler)
	default:
		s := &spoiler{w: w, flusher: http.NewResponseController(w), ctx: r.Context(), fault: o,
			count: func() { f.struck(i) }}
		f.Handler.ServeHTTP(s, r)
		s.finish()
	}
}

// number gives the next request its number.
func (f *Faults) number() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Requests++
	return f.counts.Requests - 1
}

// struck counts an injection of the i-th fault.
func (f *Faults) struck(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts.Injected == nil {
		f.counts.Injected = make([]int, len(f.Order))
	}
	f.counts.Injected[i]++
}

// pick returns which fault strikes request n, −1 for none.
func (f *Faults) pick(n int) int {
	for i, o := range f.Order {
		if slices.Contains(o.Requests, n) {
			return i
		}
	}
	// One draw a request, from a generator of its own (as for noise, see
	// Simulated.sequence), falls into the range of one fault at most: each rate is
	// the share of all requests, whatever else is ordered.
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], f.Seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(n))
	u := rand.New(rand.NewChaCha8(seed)).Float64()
	for i, o := range f.Order {
		if u < o.Rate {
			return i
		}
		u -= o.Rate
	}
	return -1
}

// hangUp ends the connection without a word: by a reset, or by closing it.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2, or no network at all
		panic(http.ErrAbortHandler)
	}
	if reset {
		under := conn
		if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
			under = t.NetConn()
		}
		if l, ok := under.(interface{ SetLinger(int) error }); ok {
			_ = l.SetLinger(0) // of a connection that is broken already
			conn = under       // TLS would say goodbye
		}
	}
	_ = conn.Close()
}
