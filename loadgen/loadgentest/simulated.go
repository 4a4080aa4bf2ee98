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
// later, whatever else runs, unless they share their steps (see A batch).
// [Simulated.Truth] is the closed form of that.
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
// # A batch
//
// With StepPerSequence, TokenBudget or KVBlocks the requests that run share their steps, as
// in a real engine. In each step each sequence that decodes gets a token, and those
// whose prompt is not read yet share what is left of TokenBudget, first come first
// served (chunked prefill). A step of n sequences, with k tokens of prompts, takes
//
//	1/DecodeRate + (n − 1)·StepPerSequence + k/PrefillRate
//
// and at its end there is a token for each that decodes, and for each whose prompt
// was read to its end. Who arrives during a step waits for the next one. Noise is
// then that of the steps. A timer runs the steps, so that no handler holds up
// another; it is set only while there are requests. What a closed loop attains is no
// longer a formula: [Simulated.Truth] runs the same engine in virtual time.
//
// # KV blocks and the prefix cache
//
// With KVBlocks a batch has a limit on memory too. A running sequence holds the
// blocks of BlockTokens tokens that its tokens take: all those of its prompt from its
// admission, for which it waits until they are free, and one more whenever the token
// generated last begins one (the very last token is never held: nothing comes after
// it). Where a step needs a block and none is free, the sequence admitted last is
// preempted: its blocks are free, it goes to the front of the queue, and on its next
// admission its prompt and what it has generated are read again before the next token
// comes, as in vLLM. Its client sees a long gap and nothing else.
//
// With PrefixCache the full blocks of a prompt are found again by a prompt that
// begins with the same tokens, whether the first one still runs or not; a block
// that nobody holds stays until its room is needed, the one held longest ago going
// first. What is found is not read, and costs neither time nor TokenBudget, but for
// at least one token: of a prompt found to its end, the last block is read. A request's
// cache_salt keeps it from finding blocks of another salt.
//
// # What it says
//
// An answer is a function of the prompt ([Answer]), token after token, as from a model that is asked for its most
// probable tokens. With return_token_ids the ids of prompt and answer are told, and with prompt_logprobs how probable
// it finds the tokens of a prompt, in vLLM's members: so that a check of answers finds that it stands by what it
// said, and by nothing else. [Corrupting], before it, has some answers be others.
//
// The zero Simulated has no cap and takes no time. A Simulated must not be copied,
// and its fields must not be changed, once it serves.
type Simulated struct {
	// Model is the name of the only model; requests for another are refused
	// with 404. Empty: "simulated".
	Model string

	// Adapters are the names of further models, as an engine has them for LoRA adapters of its one model: they answer
	// otherwise, take the same time, and find no blocks of each other's in the prefix cache. None: there are none.
	Adapters []string

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

	// StepPerSequence is by how much each further sequence in the batch makes a
	// step longer. 0, without TokenBudget and KVBlocks too: requests do not touch
	// each other.
	StepPerSequence time.Duration

	// TokenBudget is how many tokens a step may work on, of prompts and answers
	// together: vLLM's max_num_batched_tokens with chunked prefill. At least
	// MaxSequences, so that all can decode. 0: no limit.
	TokenBudget int

	// KVBlocks is how many KV blocks the running sequences share. A request whose
	// prompt and answer are longer than all of them, KVBlocks·BlockTokens, is refused
	// with 400, as though that were the MaxModelLen. At most 1 << 30. 0: no limit.
	KVBlocks int

	// BlockTokens is how many tokens a KV block holds. At most 1 << 20. 0: 16.
	BlockTokens int

	// PrefixCache has full blocks of prompts found again; usage then tells
	// prompt_tokens_details.cached_tokens, but not in continuous_usage_stats. It
	// needs KVBlocks: what has no limit would grow for ever.
	PrefixCache bool

	// Cold is how many times as long everything takes for the first request that gets a place, as on an engine that
	// has just been started: kernels to compile, caches to fill. It wears off with the requests
	// ([Simulated.Slowdown]). 0, or 1: the server is warm from the start. [Simulated.Truth] is that of the warm
	// server.
	Cold float64

	// ColdRequests is how many requests halve what Cold has beyond 1. 0: 100.
	ColdRequests int

	// Grammar is how long a request whose answer is constrained waits before it may queue: one that has a
	// response_format of another type than text, whose grammar an engine compiles first. [Simulated.Truth] is that of
	// the others.
	Grammar time.Duration

	queue     queue
	engine    engine
	latencies latencies
}

// Slowdown is how many times as long prefill and steps take when n requests have had a place before:
//
//	1 + (Cold − 1) · 2^(−n/ColdRequests)
//
// of the n+1-th request; in a batch, of each step that begins when n requests have had a place, those that it admits
// included.
func (s *Simulated) Slowdown(n uint64) float64 {
	if s.Cold <= 1 {
		return 1
	}
	half := float64(s.ColdRequests)
	if half == 0 {
		half = 100
	}
	return 1 + (s.Cold-1)*math.Exp2(-float64(n)/half)
}

const (
	defaultBlockTokens = 16
	maxKVBlocks        = 1 << 30
	maxBlockTokens     = 1 << 20
)

// Validate reports all fields that have no meaning: counts below 0, rates or a
// noise that are negative, infinite or no number, KV blocks beyond their bounds, a
// PrefixCache without KVBlocks, and a batch without MaxSequences, without DecodeRate,
// or with a TokenBudget below MaxSequences. A server whose configuration is invalid
// answers 500 to all.
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
	number("Cold", s.Cold)
	count("ColdRequests", s.ColdRequests)
	count("StepPerSequence", int(s.StepPerSequence))
	count("Grammar", int(s.Grammar))
	count("TokenBudget", s.TokenBudget)
	count("KVBlocks", s.KVBlocks)
	count("BlockTokens", s.BlockTokens)
	if s.KVBlocks > maxKVBlocks {
		errs = append(errs, fmt.Errorf("loadgentest: Simulated.KVBlocks is %d, must be at most %d", s.KVBlocks,
			maxKVBlocks))
	}
	if s.BlockTokens > maxBlockTokens {
		errs = append(errs, fmt.Errorf("loadgentest: Simulated.BlockTokens is %d, must be at most %d", s.BlockTokens,
			maxBlockTokens))
	}
	if s.PrefixCache && s.KVBlocks == 0 {
		errs = append(errs, errors.New("loadgentest: Simulated.KVBlocks is 0, must be at least 1 with a PrefixCache"))
	}
	if s.batched() {
		if s.MaxSequences == 0 {
			errs = append(errs, errors.New("loadgentest: Simulated.MaxSequences is 0, must be at least 1 with a "+
				"StepPerSequence, a TokenBudget or KVBlocks"))
		}
		if s.DecodeRate == 0 {
			errs = append(errs, errors.New("loadgentest: Simulated.DecodeRate is 0, must be above 0 with a "+
				"StepPerSequence, "+
				"a TokenBudget or KVBlocks"))
		}
		if s.TokenBudget > 0 && s.TokenBudget < s.MaxSequences {
			errs = append(errs, fmt.Errorf("loadgentest: Simulated.TokenBudget is %d, must be at least "+
				"MaxSequences, %d",
				s.TokenBudget, s.MaxSequences))
		}
	}
	return errors.Join(errs...)
}

// maxLength is how many tokens a request may have: as in vLLM, what fits the
// memory when it is alone there is a limit like the model's.
func (s *Simulated) maxLength() int {
	length := s.MaxModelLen
	if fits := s.KVBlocks * s.blockTokens(); fits > 0 && (length == 0 || fits < length) {
		length = fits
	}
	return length
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
	l := limits{model: s.Model, vocab: s.VocabSize, length: s.maxLength(), prefix: s.PrefixCache, simulated: s,
		adapters: s.Adapters}
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
	if x.constrained && s.Grammar > 0 {
		select {
		case <-time.After(s.Grammar):
		case <-ctx.Done():
			return
		}
	}
	var t turn
	if s.batched() {
		t = s.join(&x.request)
	} else {
		p, err := s.queue.enter(ctx, s.MaxSequences)
		if err != nil {
			return
		}
		t = &placed{place: p, sequence: s.sequence(p, x.input)}
	}
	defer t.close()
	x.begin(w, t.number(), x.adapter(l))
	x.details = s.PrefixCache
	timing := latency{all: &s.latencies, received: x.received}

	if !x.stream {
		if t.tokens(ctx, x.output, &timing) != nil {
			return
		}
		var queued time.Time
		queued, x.cached = t.queued()
		timing.served(queued)
		s.queue.meter.add(x.input, x.output)
		t.served()
		x.whole(w)
		_ = x.send(w)
		return
	}
	for x.done < x.output {
		if t.tokens(ctx, 1, &timing) != nil {
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
			var queued time.Time
			queued, x.cached = t.queued()
			timing.served(queued)
			t.served()
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
