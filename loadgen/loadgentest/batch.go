package loadgentest

import (
	"math"
	"slices"
	"time"
)

// batch is an engine that works in steps, in virtual time: it knows nothing of
// clocks, goroutines or HTTP, so that [Simulated.Truth] can run it as well as a
// server can. Times are since a beginning of the user's choice.
//
// In each step every sequence that decodes gets a token, and those that still have
// prompt to be read share what is left of the budget, in the order of their
// admission, as vLLM's scheduler has it. A prompt whose last token was read has its
// first token of answer at the end of that step. What arrives during a step has to
// wait for the next one; what arrives at the very end of a step too, for the next
// step has been scheduled by then.
//
// With a limit on blocks, a sequence is admitted when there is room for all that it
// has to read. Where one that decodes needs a block and none is free, the one
// admitted last is preempted, be it itself: its blocks are free, and it goes to the
// front of the queue, to have its prompt and what was generated read once more. (It
// would not fit into the same step, having lost what it held to another, so that
// vLLM's rule that a step which preempts admits nobody needs no code.) The one admitted first is never preempted as
// long as each fits alone, so that there is always progress.
type batch struct {
	batchConfig
	factor func() float64 // of each step's time; nil: 1

	waiting, running []*job // in order
	kv               kvCache
	preemptions      int
	admitted         uint64 // requests, each once
	stepping         bool
	start, end       time.Duration // of the current step
}

// batchConfig is what makes one engine unlike another.
type batchConfig struct {
	slots       int     // sequences that may run, at least 1
	budget      int     // tokens a step; 0: no limit
	base        float64 // ns, of any step
	perSequence float64 // ns, of each further sequence
	perPrompt   float64 // ns, of each token of a prompt
	kvBlocks    int     // 0: no limit
	blockTokens int     // of each block, at least 1 with a limit
	caching     bool    // of prompts
}

// newBatch returns an engine that has nothing to do.
func newBatch(c batchConfig) *batch {
	return &batch{batchConfig: c, kv: kvCache{total: c.kvBlocks, size: c.blockTokens}}
}

// step is how long a step takes, in ns.
func (c batchConfig) step(sequences, prompt int) float64 {
	return c.base + float64(sequences-1)*c.perSequence + float64(prompt)*c.perPrompt
}

// job is a request in a batch.
type job struct {
	input, output int      // tokens
	hashes        []uint64 // of the full blocks of prompt and answer, each with all before it; nil: not to be cached
	// tokens to read before the next one comes: the prompt, and after a preemption the answer so far
	prefill    int
	read, done int // of prefill and of output so far
	share      int // tokens in the current step
	holding    holding
	cached     int           // tokens of the prompt that were, when it was first admitted
	preempted  int           // times
	began      time.Duration // when it was first admitted
	gone       bool
	token      chan time.Duration // when each came, for those who wait for them; nil in a loop
}

// arrive takes in a request. The engine must have been advanced to now, so that a
// step that begins now has been scheduled; only an idle one begins a step for it.
func (b *batch) arrive(m *job, now time.Duration) {
	m.prefill = m.input
	b.waiting = append(b.waiting, m)
	if !b.stepping {
		b.begin(now)
	}
}

// advance lets all steps end that do so until now. ended is called with each end
// and who had a token then; those with done = output have left the batch.
func (b *batch) advance(now time.Duration, ended func(at time.Duration, got []*job)) {
	for b.stepping && b.end <= now {
		at := b.end
		var got []*job
		for _, m := range b.running {
			if m.gone {
				continue
			}
			if m.read < m.prefill {
				if m.read += m.share; m.read < m.prefill {
					continue
				}
			}
			m.done++
			got = append(got, m)
		}
		b.running = slices.DeleteFunc(b.running, func(m *job) bool {
			over := m.gone || m.done == m.output
			if over {
				b.kv.release(m)
			}
			return over
		})
		b.begin(at)
		ended(at, got)
	}
}

// begin schedules the step that begins at now, if there is anything to do.
func (b *batch) begin(now time.Duration) {
	left := b.budget
	if left == 0 {
		left = math.MaxInt
	}
	prompt := 0
	schedule := func(m *job) {
		m.share = 1
		if m.read < m.prefill {
			m.share = min(m.prefill-m.read, left)
			prompt += m.share
			if m.hashes != nil {
				b.kv.keep(m)
			}
		} else if m.hashes != nil {
			b.kv.keepAnswer(m)
		}
		left -= m.share
	}
	for i := 0; i < len(b.running); i++ { // preemption takes from the end
		m := b.running[i]
		for i < len(b.running) && !b.kv.grow(m) {
			b.preempt()
		}
		if i < len(b.running) {
			schedule(m)
		}
	}
	for len(b.waiting) > 0 && len(b.running) < b.slots && left > 0 {
		m := b.waiting[0]
		if !b.kv.admit(m) {
			break
		}
		if m.preempted == 0 {
			m.began = now
			b.admitted++
		}
		b.waiting = b.waiting[1:]
		b.running = append(b.running, m)
		schedule(m)
	}
	b.stepping = len(b.running) > 0
	if !b.stepping {
		return
	}
	ns := b.step(len(b.running), prompt)
	if b.factor != nil {
		ns *= b.factor()
	}
	b.start = now
	b.end = now + max(1, duration(ns)) // time must go on
}

// preempt takes the blocks of the sequence admitted last, which has to wait again.
func (b *batch) preempt() {
	last := len(b.running) - 1
	m := b.running[last]
	b.running = b.running[:last]
	b.kv.release(m)
	b.preemptions++
	m.preempted++
	m.prefill, m.read = m.input+m.done, 0
	b.waiting = slices.Insert(b.waiting, 0, m)
}

// leave takes out a request whose client is gone. A step that has begun takes its
// time all the same.
func (b *batch) leave(m *job) {
	m.gone = true
	b.waiting = slices.DeleteFunc(b.waiting, func(o *job) bool { return o == m })
}

// maxLoop is how much work a loop may do that preempts, in sequences times steps:
// about a second.
const maxLoop = 1 << 26

// closed is what a closed loop of requests of one shape attains in the long run.
type closed struct {
	requests float64 // completions in a period
	period   float64 // ns, after which everything is as it was
	queued   float64 // mean requests in the queue
	unbegun  float64 // mean requests without a token, those in the queue included
}

// loop has c clients, all at once at first, each send the next request in the
// moment in which it has the answer to the last, and finds the period into which
// that falls: equal requests and equal steps make a finite number of states, of
// which one must come again. (Brent's algorithm: it holds one state to compare
// with, and takes a new one after ever longer.) Latencies follow from the mean
// numbers of requests, by Little's law: a state says how many wait, not for how
// long they have. c must be at least 1, and a request must fit.
//
// Where requests are preempted there are so many states that the search may not
// end in this life: after maxLoop it gives up, and the result has no requests.
func (config batchConfig) loop(c, input, output int) closed {
	return config.search(c, input, output, maxLoop)
}

func (config batchConfig) search(c, input, output, limit int) closed {
	b := newBatch(config)
	send := func(now time.Duration) { b.arrive(&job{input: input, output: output}, now) }
	for range c {
		send(0)
	}
	state := func(s []int) []int {
		s = append(s[:0], len(b.waiting))
		for _, m := range b.running {
			s = append(s, m.prefill, m.read, m.done)
		}
		if b.preemptions > 0 { // those who wait are not all alike
			for _, m := range b.waiting {
				s = append(s, m.done)
			}
		}
		return s
	}
	work := 0
	var held, now []int
	var sum closed // of queued and unbegun the integrals
	for step, power := 0, 1; ; step++ {
		if step == power {
			step, power = 0, 2*power
			held, sum = state(held), closed{}
		}
		ns := float64(b.end - b.start)
		queued, unbegun := len(b.waiting), len(b.waiting)
		for _, m := range b.running {
			if m.done == 0 {
				unbegun++
			}
		}
		if b.preemptions > 0 {
			for _, m := range b.waiting {
				if m.done > 0 {
					unbegun--
				}
			}
			if work += c; work > limit {
				return closed{}
			}
		}
		sum.period += ns
		sum.queued += ns * float64(queued)
		sum.unbegun += ns * float64(unbegun)
		b.advance(b.end, func(at time.Duration, got []*job) { // one step: each takes some time
			for _, m := range got {
				if m.done == m.output {
					sum.requests++
					send(at)
				}
			}
		})
		if now = state(now); sum.requests > 0 && slices.Equal(now, held) {
			sum.queued /= sum.period
			sum.unbegun /= sum.period
			return sum
		}
	}
}

// each is how long, in ns, a request is one of the n that are so in the mean.
func (c closed) each(n float64) float64 { return n * c.period / c.requests }
