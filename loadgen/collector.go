package loadgen

import (
	"math"
	"sync/atomic"
	"time"
)

// A sample is one request's value of a metric, if it has one.
type sample struct {
	value float64
	has   bool
}

// A collector turns outcomes into a Result. It belongs to one goroutine, which runs no code of the user's, but for the
// text of an error, which a guest has asked for before ([probe]).
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
	taken               time.Duration // Σ (Left − Sent) from the first measured issue on
	measuredTaken       time.Duration // the same of the measured requests alone
	lateEnd             time.Duration // Σ (Left − Done) of those that completed, from the first measured issue on
	window              window
	gaps                *gaps // nil: a closed loop
	timeline            timeline
	goals               *goals   // nil where the level has no objectives
	hooks               *hooks   // the user's observers and metrics
	own                 []Metric // the user's, with the samples of the present request
	present             []sample // these
	reconnects          int      // measured requests for which a connection was made, not the first of their slot
	told                bool     // of connections that were made
	stamps              Stamps
	ending              ending
	reading             reading
	tpot                TPOTBasis
	bunching            Bunching
	gapsOfChunks        ChunkGaps
	sessions            sessionCounter
	groups              groups
	unsure              map[string]*Unsure

	completed, failed, cancelled, outputTokens atomic.Int64 // warmup included, for [Progress]
}

func newCollector(g *Generator, l Level, epoch time.Time, h *hooks) *collector {
	c := &collector{generator: g, level: l, epoch: epoch, distributions: map[string]*Distribution{},
		timeline: newTimeline(g.anchor(l, epoch)), firstSent: math.MaxInt64, sentFrom: math.MaxInt64}
	c.hooks = h
	if l.open() {
		c.gaps = new(gaps)
	}
	for i, m := range g.Metrics {
		m.Of = func(*Record) (float64, bool) { return c.present[i].value, c.present[i].has }
		c.own = append(c.own, m)
	}
	c.goals, _ = newGoals(l, c.own) // which Measure has validated
	return c
}

// collect counts what is over, until there is no more.
func (c *collector) collect(in *inbox) {
	for batch := in.take(); batch != nil; batch = in.take() {
		for _, o := range batch {
			c.count(o)
		}
	}
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

// count counts a request that is over, and gives its record back.
func (c *collector) count(o outcome) {
	r, failure := o.record, o.failure
	c.present = o.own
	c.told = c.told || r.NewConn
	if r.NewConn && o.later && !r.Warmup {
		c.reconnects++
	}
	c.retries.add(o.retried)
	c.addLoad(r, o.view, failure == nil)
	if c.gaps != nil && !r.Warmup && o.nth > 0 {
		c.gaps.add(o.nth, r.Sent-r.Scheduled)
	}
	if !r.Warmup && o.nth > 0 {
		c.sentFrom, c.sentTo = min(c.sentFrom, r.Sent), max(c.sentTo, r.Sent)
	}
	if o.ended != nil {
		c.sessions.add(o, c.distribution)
	}
	if r.Turn != 0 || r.Model != "" {
		c.groups.add(r, failure)
	}
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
	if !o.kept {
		records.Put(r)
	}
}

// addLoad counts what a request was to the server, warmup requests and failed ones included.
func (c *collector) addLoad(r *Record, v view, completed bool) {
	c.window.add(r, v, completed)
	c.busyUntil = max(c.busyUntil, r.Done)
	if v.measuredAt != never {
		from := max(r.Sent, v.measuredAt)
		c.busy += max(0, r.Done-from)
		c.taken += max(0, r.Left-from)
		if completed {
			c.lateEnd += max(0, r.Left-max(r.Done, from))
		}
	}
	if !r.Warmup {
		c.measuredBusy += max(0, r.Done-r.Sent)
		c.measuredTaken += max(0, r.Left-r.Sent)
	}
}

// inFlight says how many were in flight, once all are over. It is called with the slots' lock held.
func (c *collector) inFlight(s *slots) InFlight {
	f := InFlight{Peak: s.peak, InRamp: s.inRamp}
	span := c.busyUntil - s.measuredAt
	if s.measuredAt == never || span <= 0 {
		return f
	}
	for _, l := range s.lasts { // no other request than a worker's last one can have left after the end of the span
		if beyond := max(0, l.left-c.busyUntil); l.counted {
			c.taken -= beyond
			if l.measured {
				c.measuredTaken -= beyond
			}
			if l.completed {
				c.lateEnd -= beyond
			}
		}
	}
	mean := func(sum time.Duration) float64 { return float64(sum) / float64(span) }
	f.Mean, f.Measured = mean(c.busy), mean(c.measuredBusy)
	f.Occupied, f.OccupiedMeasured, f.LateEnd = mean(c.taken), mean(c.measuredTaken), mean(c.lateEnd)
	f.From, f.To = s.measuredAt, c.busyUntil
	return f
}

func (c *collector) addCompleted(r *Record) {
	c.firstSent = min(c.firstSent, r.Sent)
	c.lastDone = max(c.lastDone, r.Done)
	c.tokens.add(r)
	c.ending.add(r)
	c.reading.add(r)
	c.tpot.add(r)
	var media []Metric
	if r.Media > 0 {
		media = perMedia
	}
	for _, metrics := range [][]Metric{c.level.metrics(), c.own, media} {
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
	if !r.Several {
		c.gapsOfChunks.add(r, &pattern)
	}
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

// result closes the books. watched is nil where nobody watched the client; notes are what the target had to say.
func (c *collector) result(s *slots, watched *ClientWatch, notes ...Warning) (*Result, error) {
	s.mu.Lock() // the workers have ended, but somebody may still stop or cancel
	defer s.mu.Unlock()
	r := &Result{
		Level:         c.level,
		Start:         c.epoch,
		CutShort:      s.cut || c.measured.Cancelled+c.warmup.Cancelled > 0,
		Accounting:    c.measured,
		Warmup:        c.warmup,
		InFlight:      c.inFlight(s),
		Steady:        c.window.close(s),
		Clock:         c.generator.Clock,
		Tokens:        c.tokens,
		Stamps:        c.stamps,
		Texts:         c.reading.texts,
		TPOT:          c.tpot,
		Bunching:      c.bunching,
		Gaps:          c.gapsOfChunks,
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
	r.Sessions = c.sessions.counts(s, r)
	r.Groups = c.groups.all
	r.Open = s.openLoop(r.arrivals(), c.sentFrom, c.sentTo)
	c.gaps.tell(r.Open)
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
	r.Means = r.means()
	r.Figures = r.figures(c.generator.Metrics)
	r.Warnings = append(append(r.warnings(), r.clientWarnings()...), c.hooks.warnings(c.level)...)
	r.Warnings = append(r.Warnings, notes...)
	for _, books := range []Accounting{r.Accounting, r.Warmup} {
		if err := books.Check(); err != nil {
			return r, err
		}
	}
	return r, nil
}
