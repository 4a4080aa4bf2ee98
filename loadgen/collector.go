package loadgen

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// outcome is a request that is over.
type outcome struct {
	record  *Record
	err     error    // nil, or an *Error
	retried []*Error // of the attempts that another followed
	view    view
	later   bool // not the first request of its slot
}

// A collector turns outcomes into a Result. It belongs to one goroutine.
type collector struct {
	generator *Generator
	level     Level
	epoch     time.Time

	measured, warmup    Accounting // without Issued, which the slots know
	tokens              Tokens
	errors              []ErrorCount
	retries             Retries
	distributions       map[string]*Distribution
	firstSent, lastDone time.Duration // of the measured requests
	busy                time.Duration // Σ (Done − Sent) from the first measured issue on
	measuredBusy        time.Duration // the same of the measured requests alone
	busyUntil           time.Duration // last Done of all
	sentFrom, sentTo    time.Duration // first and last Sent of the measured requests, however they ended
	window              Window        // From and To are not known yet
	windowBusy          time.Duration // Σ (Done − Sent) inside the window
	timeline            timeline
	goals               *goals   // nil where the level has no objectives
	hooks               caller   // the user's observers and metrics
	own                 []Metric // the user's, with the values of the present request
	reconnects          int      // measured requests for which a connection was made, not the first of their slot
	told                bool     // of connections that were made
	stamps              Stamps
	ending              ending
	tpot                TPOTBasis
	bunching            Bunching
	unsure              map[string]*Unsure

	completed, failed, cancelled, outputTokens atomic.Int64 // warmup included, for [Progress]
}

func newCollector(g *Generator, l Level, epoch time.Time, h *hooks) *collector {
	c := &collector{generator: g, level: l, epoch: epoch, distributions: map[string]*Distribution{}, timeline: newTimeline(), firstSent: math.MaxInt64, sentFrom: math.MaxInt64}
	c.hooks.hooks = h
	c.own = c.hooks.metrics()
	c.goals, _ = newGoals(l, c.own) // which Measure has validated
	return c
}

// collect adds the outcomes until there are no more, and closes done. Where a hook ends its goroutine, it goes on with
// another.
func (c *collector) collect(outcomes <-chan outcome, done chan<- struct{}) {
	finished, lost := false, false
	defer func() {
		switch {
		case finished:
			close(done)
		case !lost:
			go c.collect(outcomes, done)
		}
	}()
	for {
		if c.hooks.o.record != nil {
			if c.hooks.rest(&lost); lost {
				return
			}
			c.count()
		}
		o, ok := <-outcomes
		if !ok {
			break
		}
		c.hooks.begin(o)
	}
	finished = true
}

// rescue has another goroutine collect where a hook does not return after ctx is done; see [caller.rescue]. wait returns
// once it is over.
func (c *collector) rescue(ctx context.Context, outcomes <-chan outcome, done chan struct{}) (wait func()) {
	if len(c.hooks.all) == 0 {
		return func() {}
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.hooks.rescue(ctx, done, func() { c.collect(outcomes, done) })
	}()
	return func() { <-over }
}

// progress is what there is to tell while the level lasts.
func (c *collector) progress(s *slots) Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Progress{
		Elapsed: time.Since(s.epoch), Issued: s.next, InFlight: s.inFlight, Completed: int(c.completed.Load()),
		Failed: int(c.failed.Load()), Cancelled: int(c.cancelled.Load()), Tokens: int(c.outputTokens.Load()),
	}
}

// count counts the present outcome, with which the hooks have been called, and gives its record back.
func (c *collector) count() {
	o, failure := c.hooks.o, c.hooks.failure
	c.hooks.o = outcome{}
	r := o.record
	r.disbelieve()
	c.told = c.told || r.NewConn
	if r.NewConn && o.later && !r.Warmup {
		c.reconnects++
	}
	c.retries.add(o.retried)
	c.addLoad(r, o.view, failure == nil)
	c.timeline.add(r, failure)
	books := &c.measured
	if r.Warmup {
		books = &c.warmup
	}
	switch {
	case failure == nil:
		books.Completed++
		c.completed.Add(1)
		c.outputTokens.Add(int64(r.Output))
	case failure.Class == ClassCancelled:
		books.Cancelled++
		c.cancelled.Add(1)
	default:
		books.Failed++
		c.failed.Add(1)
	}
	switch {
	case failure != nil:
		c.errors = countError(c.errors, failure)
	case !r.Warmup:
		c.addCompleted(r)
	}
	if !c.hooks.kept {
		records.Put(r)
	}
}

// addLoad counts what a request was to the server: its time in flight, and its tokens in the steady window. Warmup
// requests and failed ones load the server like any other, but only completed ones are completions.
func (c *collector) addLoad(r *Record, v view, completed bool) {
	c.busyUntil = max(c.busyUntil, r.Done)
	if v.measuredAt != never {
		c.busy += max(0, r.Done-max(r.Sent, v.measuredAt))
	}
	if !r.Warmup {
		c.measuredBusy += max(0, r.Done-r.Sent)
		c.sentFrom, c.sentTo = min(c.sentFrom, r.Sent), max(c.sentTo, r.Sent)
	}
	if v.from == never {
		return
	}
	to := v.to
	if to == never {
		to = r.Done
	}
	c.windowBusy += max(0, min(r.Done, to)-max(r.Sent, v.from))
	// Half open, so that what marks the window's start is not also counted in it.
	inside := func(t time.Duration) bool { return t > v.from && t <= to }
	if completed && inside(r.Done) {
		c.window.Completions++
	}
	if !r.Counted {
		return
	}
	if r.chunks.n == 0 { // a whole answer: all its tokens arrive with it
		if inside(r.Done) {
			c.window.Input += float64(r.Input)
			c.window.Output += float64(r.Output)
		}
		return
	}
	if inside(r.chunks.first.At()) {
		c.window.Input += float64(r.Input)
	}
	// Where the server does not say how many tokens a chunk holds, a request's tokens are spread over its chunks
	// evenly.
	told := r.chunks.tokens == r.Output
	even := float64(r.Output) / float64(r.chunks.n)
	for chunk := range r.Chunks() {
		if !inside(chunk.At()) {
			continue
		}
		if told {
			c.window.Output += float64(chunk.Tokens)
		} else {
			c.window.Output += even
		}
	}
}

func (c *collector) addCompleted(r *Record) {
	c.firstSent = min(c.firstSent, r.Sent)
	c.lastDone = max(c.lastDone, r.Done)
	c.tokens.add(r)
	c.ending.add(r)
	c.tpot.add(r)
	for _, metrics := range [][]Metric{c.level.metrics(), c.own} {
		for _, m := range metrics {
			if x, ok := m.Of(r); ok {
				c.distribution(m.Name).Add(x)
			}
		}
	}
	c.goals.add(r)
	c.addChunks(r)
}

// addChunks counts what each chunk has. The distributions are looked up once a request and not for each chunk.
func (c *collector) addChunks(r *Record) {
	var readLag, lateness, itl, itlError *Distribution
	add := func(d **Distribution, metric string, ns float64) {
		if *d == nil {
			*d = c.distribution(metric)
		}
		(*d).Add(ns / millisecond)
	}
	wall := c.epoch.UnixNano()
	first, before := true, Chunk{}
	var pattern pattern
	unsure := unsureGaps{into: c}
	for chunk := range r.Chunks() {
		if chunk.Shared {
			c.stamps.Shared++
		}
		if chunk.Arrived != 0 {
			c.stamps.Kernel++
			add(&readLag, ReadLag, float64(chunk.Seen-chunk.Arrived))
		} else {
			c.stamps.Client++
		}
		if chunk.Sent != 0 {
			add(&lateness, ChunkLateness, float64(wall+int64(chunk.At())-chunk.Sent))
		}
		at := chunk.At()
		unsure.next(r, &chunk, at)
		pattern.add(&chunk, at)
		if !first {
			gap := float64(at - before.At())
			add(&itl, ITL, gap)
			if chunk.Sent != 0 && before.Sent != 0 {
				add(&itlError, ITLError, math.Abs(gap-float64(chunk.Sent-before.Sent)))
			}
		}
		first, before = false, chunk
	}
	unsure.over()
	c.bunching.add(r, &pattern)
}

func (c *collector) unsureOf(metric string) *Unsure {
	u := c.unsure[metric]
	if u == nil {
		if c.unsure == nil {
			c.unsure = map[string]*Unsure{}
		}
		u = new(Unsure)
		c.unsure[metric] = u
	}
	return u
}

func (c *collector) distribution(metric string) *Distribution {
	d := c.distributions[metric]
	if d == nil {
		d = new(Distribution)
		c.distributions[metric] = d
	}
	return d
}

// result closes the books. watched is nil where nobody watched the client.
func (c *collector) result(s *slots, watched *ClientWatch) (*Result, error) {
	s.mu.Lock() // the workers have ended, but somebody may still stop or cancel
	defer s.mu.Unlock()
	r := &Result{
		Level:         c.level,
		Start:         c.epoch,
		CutShort:      s.cut || c.measured.Cancelled+c.warmup.Cancelled > 0,
		Accounting:    c.measured,
		Warmup:        c.warmup,
		InFlight:      InFlight{Peak: s.peak, InRamp: s.inRamp},
		Tokens:        c.tokens,
		Stamps:        c.stamps,
		TPOT:          c.tpot,
		Bunching:      c.bunching,
		Unsure:        c.unsure,
		Errors:        c.errors,
		Timeline:      c.timeline.columns(),
		Distributions: c.distributions,
	}
	r.Warmup.Issued, r.Accounting.Issued = s.issued()
	if c.measured.Completed > 0 {
		r.FirstSent, r.Makespan = c.firstSent, c.lastDone-c.firstSent
	}
	r.Answers, r.FinishReasons = c.ending.counts()
	if c.retries.Requests > 0 {
		r.Retries = &c.retries
	}
	if c.goals != nil {
		r.Goodput = &c.goals.counts
	}
	if span := c.busyUntil - s.measuredAt; s.measuredAt != never && span > 0 {
		r.InFlight.Mean = float64(c.busy) / float64(span)
		r.InFlight.Measured = float64(c.measuredBusy) / float64(span)
		r.InFlight.From, r.InFlight.To = s.measuredAt, c.busyUntil
	}
	if s.steadyAt != never && s.lastIssue > s.steadyAt {
		w := c.window
		w.From, w.To = s.steadyAt, s.lastIssue
		w.InFlight = float64(c.windowBusy) / float64(w.Length())
		r.Steady = &w
	}
	r.Open = s.openLoop(r.Accounting.Issued, c.sentFrom, c.sentTo)
	for _, h := range c.hooks.all {
		if h.broken.Load() {
			delete(r.Distributions, h.metric.Name)
		}
	}
	if r.Client = watched; watched != nil {
		if _, opens := c.generator.Target.(Opener); opens || c.told {
			watched.Reconnects = &c.reconnects
		}
	}
	r.Figures = r.figures(c.generator.Metrics)
	r.Warnings = append(append(r.warnings(), r.clientWarnings()...), c.hooks.warnings(c.level)...)
	for _, books := range []Accounting{r.Accounting, r.Warmup} {
		if err := books.Check(); err != nil {
			return r, err
		}
	}
	return r, nil
}
