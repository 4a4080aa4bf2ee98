package loadgentest

import (
	"context"
	"time"
)

// batched is whether the server works in steps that its requests share.
func (s *Simulated) batched() bool {
	return s.StepPerSequence > 0 || s.TokenBudget > 0 || s.KVBlocks > 0
}

// blockTokens is BlockTokens with its default.
func (s *Simulated) blockTokens() int {
	if s.BlockTokens == 0 {
		return defaultBlockTokens
	}
	return s.BlockTokens
}

// batchConfig returns the configuration of the engine; the zero one without a
// batch.
func (s *Simulated) batchConfig() batchConfig {
	if !s.batched() {
		return batchConfig{}
	}
	c := batchConfig{slots: s.MaxSequences, budget: s.TokenBudget, base: 1e9 / s.DecodeRate,
		perSequence: float64(s.StepPerSequence)}
	if s.KVBlocks > 0 {
		c.kvBlocks, c.blockTokens, c.caching = s.KVBlocks, s.blockTokens(), s.PrefixCache
	}
	if s.PrefillRate > 0 {
		c.perPrompt = 1e9 / s.PrefillRate
	}
	return c
}

// engine runs a batch by the clock, for a queue whose lock protects it and whose
// counts it keeps. A timer is set for the end of each step, and for none while
// there is nothing to do; nothing waits for it in between. A timer that goes off
// late delays tokens but no steps: those have their times from the batch, in which
// all that arrives is entered at the time at which it did.
type engine struct {
	batch *batch // nil before the first request
	began time.Time
	timer *time.Timer
	last  uint64 // request
}

// seat is a request in an engine.
type seat struct {
	job
	simulated *Simulated
	id        uint64
}

// join has a request wait for its turn.
func (s *Simulated) join(q *request) *seat {
	t := &seat{simulated: s, job: job{input: q.input, output: q.output, token: make(chan time.Duration, q.output)}}
	if s.PrefixCache {
		q.noteAnswer()
		t.hashes = q.hashes(s.blockTokens())
	}
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	e := &s.engine
	if e.batch == nil {
		e.batch = newBatch(s.batchConfig())
		e.batch.factor = s.factors(0) // those of requests begin at 1
		if noise, b := e.batch.factor, e.batch; s.Cold > 1 {
			b.factor = func() float64 {
				slow := s.Slowdown(b.admitted)
				if noise != nil {
					slow *= noise()
				}
				return slow
			}
		}
		e.began = time.Now()
		e.timer = time.AfterFunc(time.Hour, s.step)
		e.timer.Stop()
	}
	now := time.Since(e.began)
	s.advance(now)
	e.last++
	t.id = e.last
	e.batch.arrive(&t.job, now)
	s.settle()
	return t
}

// step is what the timer calls.
func (s *Simulated) step() {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.advance(time.Since(s.engine.began))
	s.settle()
}

// advance hands out the tokens of all steps that ended until now. queue.mu is held.
func (s *Simulated) advance(now time.Duration) {
	s.engine.batch.advance(now, func(at time.Duration, got []*job) {
		for _, m := range got {
			if m.done == m.output {
				s.queue.counts.Served++
			}
		}
		s.count()
		// Last: who gets the last token may ask for the counts, or send the next
		// request, which must not find its own place taken.
		for _, m := range got {
			m.token <- at // there is room for all of them
		}
	})
}

// count brings the queue's counts up to date. queue.mu is held.
func (s *Simulated) count() {
	running := 0
	for _, m := range s.engine.batch.running {
		if !m.gone {
			running++
		}
	}
	c := &s.queue.counts
	c.Running, c.Waiting = running, len(s.engine.batch.waiting)
	c.PeakRunning = max(c.PeakRunning, running)
	b := s.engine.batch
	c.Preemptions, c.KVBlocks, c.PrefixQueries, c.PrefixHits = b.preemptions, b.kv.used, b.kv.queries, b.kv.hits
}

// settle counts, and sets the timer. queue.mu is held.
func (s *Simulated) settle() {
	s.count()
	e := &s.engine
	if e.batch.stepping {
		e.timer.Reset(time.Until(e.began.Add(e.batch.end)))
	} else {
		e.timer.Stop()
	}
}

// resetPrefixCache forgets the prompts that nobody holds.
func (s *Simulated) resetPrefixCache() {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if s.engine.batch == nil {
		return
	}
	s.advance(time.Since(s.engine.began))
	s.engine.batch.kv.reset()
	s.settle()
}

func (t *seat) number() uint64 { return t.id }

func (t *seat) tokens(ctx context.Context, n int, l *latency) error {
	for range n {
		select {
		case at := <-t.token:
			l.token(t.simulated.engine.began.Add(at))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (t *seat) queued() (until time.Time, cached int) {
	return t.simulated.engine.began.Add(t.began), t.cached
}

func (t *seat) served() {} // the engine has seen to it

func (t *seat) close() {
	s := t.simulated
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if t.done == t.output {
		return
	}
	s.advance(time.Since(s.engine.began))
	if t.done < t.output {
		s.engine.batch.leave(&t.job)
		s.queue.counts.Cancelled++
	}
	s.settle()
}
