package loadgentest

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"
)

// Simulated is an inference server with continuous batching, reduced to what
// decides its throughput and latency: up to MaxSequences requests run at once,
// the others wait in a FIFO queue. A request that runs has its first token after
// its prompt was read at PrefillRate and each further one a step of 1/DecodeRate
// later, whatever else runs. [Simulated.Truth] is the closed form of that.
//
// Nothing in it adds up errors: tokens are due on a schedule that is fixed when
// the request gets its place, and the place is free for the next one when the last
// token is due. Timers go off late, more so on a busy machine; this delays the
// chunk that waits for it (its [Stamp] says until when), not those behind it, and
// not the server's throughput. A client that stops reading keeps its place until
// it reads on or goes away, but whoever has waited for that place is served as
// though it had been free in time: an engine does not wait for its clients.
//
// The header of a stream is flushed at once, before there is a place for the
// request, and every content chunk on its own when it is due. For this, the
// ResponseWriter must be able to flush; where it is not, a stream is refused with
// 500. A request whose client goes away leaves the queue, or frees its place.
//
// The zero Simulated has no cap and takes no time. A Simulated must not be copied,
// and its fields must not be changed, once it serves.
type Simulated struct {
	// Model is the name of the only model; requests for another are refused
	// with 404. Empty: "simulated".
	Model string

	// MaxSequences is how many requests may run at once. 0: no limit.
	MaxSequences int

	// MaxModelLen is how many tokens prompt and answer may have together;
	// requests for more are refused with 400. 0: no limit.
	MaxModelLen int

	// VocabSize is the number of token ids; prompts with an id from there on are
	// refused with 400, "out of vocabulary". 0: all ids are known.
	VocabSize int

	// PrefillRate is how fast a prompt is read, in tokens/s, for each sequence on
	// its own. 0: in no time.
	PrefillRate float64

	// DecodeRate is how fast an answer is generated, in tokens/s, for each
	// sequence: one over the time of a step. 0: in no time.
	DecodeRate float64

	// Noise is the relative standard deviation of each prefill and each step:
	// each is multiplied by a log-normal factor of its own, of mean 1. 0: none.
	Noise float64

	// Seed selects the noise: the n-th request that gets a place has the same
	// from every server with the same Seed.
	Seed uint64

	queue queue
}

// Validate reports all fields that have no meaning: counts below 0, and rates or
// a noise that are negative, infinite or no number. A server whose configuration
// is invalid answers 500 to all.
func (s *Simulated) Validate() error {
	var errs []error
	count := func(name string, n int) {
		if n < 0 {
			errs = append(errs, fmt.Errorf("loadgentest: Simulated.%s is %d, must be at least 0", name, n))
		}
	}
	number := func(name string, v float64) {
		if !(v >= 0) || math.IsInf(v, 1) {
			errs = append(errs, fmt.Errorf("loadgentest: Simulated.%s is %v, must be finite and at least 0", name, v))
		}
	}
	count("MaxSequences", s.MaxSequences)
	count("MaxModelLen", s.MaxModelLen)
	count("VocabSize", s.VocabSize)
	number("PrefillRate", s.PrefillRate)
	number("DecodeRate", s.DecodeRate)
	number("Noise", s.Noise)
	return errors.Join(errs...)
}

// Counts returns what the server does and did.
func (s *Simulated) Counts() Counts { return s.queue.snapshot() }

// ServeHTTP answers a request. It returns early where the client goes away.
func (s *Simulated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := receive()
	defer x.release()
	if err := s.Validate(); err != nil {
		fail(w, http.StatusInternalServerError, "", err.Error())
		return
	}
	l := limits{model: s.Model, vocab: s.VocabSize, length: s.MaxModelLen}
	if l.model == "" {
		l.model = "simulated"
	}
	if !x.accept(w, r, l, &s.queue) {
		return
	}
	ctx := r.Context()
	flusher := http.NewResponseController(w)
	if x.stream {
		h := w.Header()
		h["Content-Type"] = contentSSE
		h["Cache-Control"] = noCache
		if err := flusher.Flush(); errors.Is(err, http.ErrNotSupported) {
			s.queue.reject()
			fail(w, http.StatusInternalServerError, "", "The ResponseWriter cannot flush: a stream would not be one.")
			return
		}
	}
	p, err := s.queue.enter(ctx, s.MaxSequences)
	if err != nil {
		return
	}
	defer func() { p.leave(time.Now(), false) }()
	x.begin(w, p.number, l.model)
	q := s.sequence(p, x.input)
	var a alarm
	defer a.stop()

	if !x.stream {
		var due time.Time
		for range x.output {
			due = q.next()
		}
		if a.wait(ctx, due) != nil {
			return
		}
		s.queue.meter.add(x.input, x.output)
		p.leave(due, true)
		x.whole(w)
		_ = x.send(w)
		return
	}
	for x.done < x.output {
		due := q.next()
		if a.wait(ctx, due) != nil {
			return
		}
		if x.done == 0 {
			s.queue.meter.add(x.input, 1)
		} else {
			s.queue.meter.add(0, 1)
		}
		if x.done == x.output-1 {
			// Before the chunk is written, or a client could send its next
			// request and find its own place taken still.
			p.leave(due, true)
		}
		if x.chat && x.done == 0 {
			x.role()
			if x.send(w) != nil || flusher.Flush() != nil {
				return
			}
		}
		x.chunk(1)
		if x.send(w) != nil || flusher.Flush() != nil {
			return
		}
	}
	x.end()
	_ = x.send(w) // the client is gone: nobody is left to be told
}
