package loadgen

import (
	"math"
	"time"
)

// outcome is a request that is over.
type outcome struct {
	record  *Record
	err     error    // nil, or an *Error
	retried []*Error // of the attempts that another followed
	view    view
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
	goals               *goals // nil where the level has no objectives
	stamps              Stamps
}

func newCollector(g *Generator, l Level, epoch time.Time) *collector {
	c := &collector{generator: g, level: l, epoch: epoch, distributions: map[string]*Distribution{}, timeline: newTimeline(), firstSent: math.MaxInt64, sentFrom: math.MaxInt64}
	c.goals, _ = newGoals(l.Objectives, g.Metrics) // which Measure has validated
	return c
}

// add counts an outcome and gives its record back.
func (c *collector) add(o outcome) {
	r := o.record
	var failure *Error
	if o.err != nil {
		failure = o.err.(*Error)
	}
	for _, observer := range c.generator.Observers {
		if observer.Record != nil {
			observer.Record(r, failure)
		}
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
	case failure.Class == ClassCancelled:
		books.Cancelled++
	default:
		books.Failed++
	}
	switch {
	case failure != nil:
		c.errors = countError(c.errors, failure)
	case !r.Warmup:
		c.addCompleted(r)
	}
	records.Put(r)
}

// addLoad counts what a request was to the server: its time in flight, and its tokens in the steady window. Warmup
// requests and failed ones load the server like any other, but only completed ones are completions.
func (c *collector) addLoad(r *Record, v view, completed bool) {
	c.busyUntil = max(c.busyUntil, r.Done)
	if v.measuredAt != never {
		c.busy += max(0, r.Done-max(r.Sent, v.measuredAt))
	}
	if !r.Warmup {
		c.measuredBusy += r.Done - r.Sent
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
	for _, metrics := range [][]Metric{c.level.metrics(), c.generator.Metrics} {
		for _, m := range metrics {
			if x, ok := m.Of(r); ok {
				c.distribution(m.Name).Add(x)
			}
		}
	}
	c.goals.add(r)
	var itl *Distribution
	if r.chunks.n > 1 {
		itl = c.distribution(ITL)
	}
	first, before := true, Chunk{}
	for chunk := range r.Chunks() {
		if chunk.Shared {
			c.stamps.Shared++
		}
		if chunk.Arrived != 0 {
			c.stamps.Kernel++
			c.distribution(ReadLag).Add(float64(chunk.Seen-chunk.Arrived) / millisecond)
		} else {
			c.stamps.Client++
		}
		if chunk.Sent != 0 {
			lateness := c.epoch.Add(chunk.At()).UnixNano() - chunk.Sent
			c.distribution(ChunkLateness).Add(float64(lateness) / millisecond)
		}
		if !first {
			gap := float64(chunk.At() - before.At())
			itl.Add(gap / millisecond)
			if chunk.Sent != 0 && before.Sent != 0 {
				c.distribution(ITLError).Add(math.Abs(gap-float64(chunk.Sent-before.Sent)) / millisecond)
			}
		}
		first, before = false, chunk
	}
}

func (c *collector) distribution(metric string) *Distribution {
	d := c.distributions[metric]
	if d == nil {
		d = new(Distribution)
		c.distributions[metric] = d
	}
	return d
}

// result closes the books.
func (c *collector) result(s *slots) (*Result, error) {
	s.mu.Lock() // the workers have ended, but somebody may still stop or cancel
	defer s.mu.Unlock()
	r := &Result{
		Level:         c.level,
		Start:         c.epoch,
		CutShort:      s.cut || c.measured.Cancelled+c.warmup.Cancelled > 0,
		Accounting:    c.measured,
		Warmup:        c.warmup,
		InFlight:      InFlight{Peak: s.peak},
		Tokens:        c.tokens,
		Stamps:        c.stamps,
		Errors:        c.errors,
		Timeline:      c.timeline.columns(),
		Distributions: c.distributions,
	}
	r.Warmup.Issued, r.Accounting.Issued = s.issued()
	if c.measured.Completed > 0 {
		r.FirstSent, r.Makespan = c.firstSent, c.lastDone-c.firstSent
	}
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
	r.Figures = r.figures(c.generator.Metrics)
	r.Warnings = r.warnings()
	for _, books := range []Accounting{r.Accounting, r.Warmup} {
		if err := books.Check(); err != nil {
			return r, err
		}
	}
	return r, nil
}
