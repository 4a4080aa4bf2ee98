package loadgentest

import (
	"math"
	"time"
)

// Truth is what a perfect client would measure against a [Simulated] server with
// requests of one shape, Input tokens in and Output tokens out: the closed form
// of its behaviour, without network, HTTP and the lateness of timers. With
//
//	p = Input / PrefillRate       time to prefill a prompt
//	d = 1 / DecodeRate            a step
//	S = p + (Output − 1)·d        a request's time in its place
//	M = MaxSequences              the places
//
// (a rate of 0 is infinitely fast), C clients that each send the next request as soon
// as they have the answer to the last are served, in the long run, at the
// request throughput
//
//	X(C) = min(C, M) / S
//
// and by Little's law, C = X·(S + W), a request waits for its place for
//
//	W(C) = C/X(C) − S = max(0, C/M − 1)·S
//
// in the mean. Hence TTFT(C) = W(C) + p and E2E(C) = W(C) + S; ITL and TPOT are d
// at every C. Noise has a mean factor of 1, so that all of this holds with Noise
// too, then of expectations.
//
// For a batch (see [Simulated]) the methods with a concurrency run the engine in
// virtual time instead, without noise, under a closed loop whose clients begin all
// at once, until its state comes again: what they return is exact for that loop.
// Where TokenBudget is no limit, X in saturation does not depend on how the clients
// begin: a request is in Output steps, and of the M in a step M/Output have just
// come, so that
//
//	X = M / (Output·(1/DecodeRate + (M − 1)·StepPerSequence) + M·Input/PrefillRate)
//
// A client's next request misses the step that begins when it has the answer, so
// that it takes more than M clients, and at most 2·M, to keep M sequences in each
// step.
//
// With KVBlocks, a request holds at its end ⌈(Input + Output − 1)/BlockTokens⌉ blocks,
// so that F = ⌊KVBlocks / that⌋ requests fit in whatever state they are. If F is at
// least MaxSequences, nothing is ever preempted, and the limit changes nothing. If
// that is as many as the prompt alone holds, ⌈Input/BlockTokens⌉, F requests run and
// no more, and all of the above is exact with M = min(MaxSequences, F). Else more
// are admitted than fit, and preempted: Preempts says so. Then what a server attains
// in saturation is no formula, nor need the highest throughput be that with the most
// clients: SaturationConcurrency is −1 and SaturationRequests is no number, and
// RequestBound says what no schedule can exceed. Up to F clients all is exact still;
// beyond, the methods with a concurrency are exact where the engine's state comes
// again soon enough to be found, and unknown else: NaN, or −1 for times.
//
// With a PrefixCache this is the truth of prompts that have no block in common.
type Truth struct {
	// Input and Output are the request's tokens, as asked of [Simulated.Truth].
	Input, Output int

	// Service is S, the E2E latency of a request that need not wait.
	Service time.Duration
	// ServiceSD is the standard deviation of S between requests,
	// Noise·√(p² + (Output − 1)·d²); 0 without noise.
	ServiceSD time.Duration
	// TTFT is p, the time to first token of a request that need not wait.
	TTFT time.Duration
	// ITL is d, the time between two chunks of one token each, and the TPOT; in a
	// batch, of a request that is alone there.
	// It is d for Output 1 too, where there is none to measure.
	ITL time.Duration

	// SaturationConcurrency is M, the C from which on the throughput grows no
	// further (but see above for a batch). 0: there is none, MaxSequences being 0.
	// −1: unknown, see Preempts.
	SaturationConcurrency int
	// SaturationRequests is M/S, in requests/s: the highest request throughput;
	// of a batch it is X(2·M). +Inf for no cap, or no service time. NaN: unknown.
	SaturationRequests float64
	// SaturationTokens is (Input + Output)·M/S, in tokens/s: the highest total
	// throughput, tokens in and out. +Inf and NaN as SaturationRequests.
	SaturationTokens float64

	// Fit is F, how many requests the KV blocks hold without a preemption in any
	// state. 0: no limit.
	Fit int
	// Preempts is whether more than Fit such requests in flight may preempt each
	// other, so that there is no closed form of saturation.
	Preempts bool

	batch batchConfig // zero: no batch
}

// batchTruth is Truth of a batch.
func (s *Simulated) batchTruth(input, output int) Truth {
	b := s.batchConfig()
	t := Truth{Input: input, Output: output, SaturationConcurrency: s.MaxSequences, batch: b}
	var squares float64
	step := func(ns float64) time.Duration {
		squares += ns * ns
		return duration(ns)
	}
	for left := input; left > 0; {
		k := left
		if s.TokenBudget > 0 {
			k = min(k, s.TokenBudget)
		}
		left -= k
		t.TTFT += step(b.step(1, k))
	}
	t.ITL = duration(b.base)
	t.Service = t.TTFT
	for range output - 1 {
		t.Service += step(b.base)
	}
	t.ServiceSD = duration(s.Noise * math.Sqrt(squares))
	if b.kvBlocks > 0 {
		held := blocksOf(input+output-1, b.blockTokens)
		t.Fit = b.kvBlocks / held
		if t.Fit < s.MaxSequences {
			t.SaturationConcurrency = t.Fit
			t.Preempts = blocksOf(input, b.blockTokens) < held
		}
	}
	if t.Preempts {
		t.SaturationConcurrency = -1
		t.SaturationRequests, t.SaturationTokens = math.NaN(), math.NaN()
		return t
	}
	// With as many who wait as can run, no place is ever empty.
	t.SaturationRequests = t.RequestThroughput(2 * t.SaturationConcurrency)
	t.SaturationTokens = float64(input+output) * t.SaturationRequests
	return t
}

// Truth returns the closed form for requests with input tokens of prompt and
// output tokens of answer. A request has at least one of each, so that less than
// 1 is taken as 1. The server's configuration must be valid, and the requests such
// as it does not refuse.
func (s *Simulated) Truth(input, output int) Truth {
	input, output = max(1, input), max(1, output)
	if s.batched() {
		return s.batchTruth(input, output)
	}
	p, d := s.times(input)
	steps := float64(output - 1)
	t := Truth{
		Input: input, Output: output,
		Service:               duration(p + steps*d),
		ServiceSD:             duration(s.Noise * math.Sqrt(p*p+steps*d*d)),
		TTFT:                  duration(p),
		ITL:                   duration(d),
		SaturationConcurrency: s.MaxSequences,
		SaturationRequests:    math.Inf(1),
	}
	if s.MaxSequences > 0 {
		t.SaturationRequests = float64(s.MaxSequences) / ((p + steps*d) / 1e9)
	}
	t.SaturationTokens = float64(input+output) * t.SaturationRequests
	return t
}

// batched is whether the server works in steps that its requests share.
func (t Truth) batched() bool { return t.batch.slots > 0 }

// running is min(C, M).
func (t Truth) running(concurrency int) int {
	if t.SaturationConcurrency > 0 {
		return min(concurrency, t.SaturationConcurrency)
	}
	return concurrency
}

// loop runs a closed loop of c clients, and reports false where what it attains is
// not known.
func (t Truth) loop(c int) (closed, bool) {
	if b := t.batch; b.kvBlocks > 0 {
		if t.Fit == 0 {
			return closed{}, false // refused
		}
		if t.Preempts && b.caching && c > t.Fit {
			return closed{}, false // which blocks are found again is a state of its own
		}
		if !t.Preempts {
			b.slots, b.kvBlocks = min(b.slots, t.Fit), 0 // the same, and cheaper
		}
		l := b.loop(c, t.Input, t.Output)
		return l, l.requests > 0
	}
	return t.batch.loop(c, t.Input, t.Output), true
}

// RequestBound is what X cannot exceed at any concurrency, in requests/s: the
// reading of a prompt, and Output times one sequence's part in a step of as many
// as make that part the least, from 1 to all those whose prompts fit. It is close
// where steps do not grow, and memory is full of prompts. +Inf without a cap or
// service time. With a PrefixCache it counts one token of the prompt, since the
// others may be found.
func (t Truth) RequestBound() float64 {
	if !t.batched() {
		return t.SaturationRequests
	}
	b := t.batch
	most, read := b.slots, t.Input
	if b.kvBlocks > 0 {
		if t.Fit == 0 {
			return 0
		}
		if b.caching {
			read = 1
		} else {
			most = min(most, b.kvBlocks/blocksOf(t.Input, b.blockTokens))
		}
	}
	part := min(b.base, b.step(most, 0)/float64(most))
	return 1e9 / (float64(t.Output)*part + float64(read)*b.perPrompt)
}

// RequestThroughput is X(C), in requests/s. +Inf without service time; 0 for a
// concurrency of 0 or less; NaN where it is not known.
func (t Truth) RequestThroughput(concurrency int) float64 {
	if concurrency <= 0 {
		return 0
	}
	if t.batched() {
		l, ok := t.loop(concurrency)
		if !ok {
			return math.NaN()
		}
		return l.requests / (l.period / 1e9)
	}
	return float64(t.running(concurrency)) / t.Service.Seconds()
}

// OutputThroughput is Output·X(C), in tokens/s.
func (t Truth) OutputThroughput(concurrency int) float64 {
	return float64(t.Output) * t.RequestThroughput(concurrency)
}

// TotalThroughput is (Input + Output)·X(C), in tokens/s.
func (t Truth) TotalThroughput(concurrency int) float64 {
	return float64(t.Input+t.Output) * t.RequestThroughput(concurrency)
}

// MeanTTFT is TTFT(C), the mean time to first token; 0 for a concurrency of 0 or
// less, −1 where it is not known.
func (t Truth) MeanTTFT(concurrency int) time.Duration {
	switch {
	case concurrency <= 0:
		return 0
	case t.batched():
		l, ok := t.loop(concurrency)
		if !ok {
			return -1
		}
		return duration(l.each(l.unbegun))
	}
	return t.Wait(concurrency) + t.TTFT
}

// MeanE2E is E2E(C), the mean E2E latency; 0 for a concurrency of 0 or less, −1
// where it is not known.
func (t Truth) MeanE2E(concurrency int) time.Duration {
	switch {
	case concurrency <= 0:
		return 0
	case t.batched():
		l, ok := t.loop(concurrency)
		if !ok {
			return -1
		}
		return duration(l.each(float64(concurrency)))
	}
	return t.Wait(concurrency) + t.Service
}

// Wait is W(C), the mean time in the queue, until a request's first step. Without
// a batch, TTFT and E2E latency at a concurrency are TTFT and Service with it
// added. −1 where it is not known.
func (t Truth) Wait(concurrency int) time.Duration {
	if t.batched() && concurrency > 0 {
		l, ok := t.loop(concurrency)
		if !ok {
			return -1
		}
		return duration(l.each(l.queued))
	}
	m := t.running(concurrency)
	if m <= 0 || concurrency == m {
		return 0
	}
	return duration((float64(concurrency)/float64(m) - 1) * float64(t.Service))
}

// duration rounds nanoseconds, and holds what is longer than a Duration can be
// (292 years) at its end.
func duration(ns float64) time.Duration {
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(ns))
}
