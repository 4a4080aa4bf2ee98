package loadgen

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// OpenLoop is how the arrivals of an open loop went; of the measured requests, unless it says otherwise.
type OpenLoop struct {
	// Offered and Achieved are requests/s: the gaps between the first and the last, ÷ the time between their Scheduled
	// and between their Sent. 0 where there is no time between, as in a single burst.
	Offered  float64 `json:"offered_per_s"`
	Achieved float64 `json:"achieved_per_s"`

	// What these are over: when the first and the last were due, and when the first and the last were sent.
	FirstDue  time.Duration `json:"first_due_ns"`
	LastDue   time.Duration `json:"last_due_ns"`
	FirstSent time.Duration `json:"first_sent_ns"`
	LastSent  time.Duration `json:"last_sent_ns"`

	// InRamp is how many were due before RampUp was over, at less than the level's rate.
	InRamp int `json:"in_ramp,omitempty"`

	// Delayed is how many arrivals were held back because as many requests as the level allows were in flight, or
	// because one before them was. Their wait is in Done − Scheduled and not in Done − Sent.
	//
	// An arrival is never dropped. A dropped request has no latency, and those that find the server full are those
	// that would have waited longest: the figures would flatter the server just when it is overloaded, at a load less
	// than the one they are named after.
	Delayed int `json:"delayed"`

	// Early and Late are how many requests were outstanding, in flight or held back, as arrivals found it: means over
	// the second and the last quarter of the arrivals. Where Late is the larger, the server did not keep up.
	Early float64 `json:"outstanding_early"`
	Late  float64 `json:"outstanding_late"`
}

// open reports whether l is an open loop.
func (l Level) open() bool { return l.Arrivals.Process != "" }

// inFlightLimit is how many requests may be in flight at once.
func (l Level) inFlightLimit() int {
	if l.open() && l.Concurrency == 0 {
		return MaxConcurrency
	}
	return l.own().Concurrency
}

// buffer is how many outcomes may wait for the collector. An open loop may have no bound, and must not pay memory for it.
func (l Level) buffer() int {
	if l.open() {
		return min(l.inFlightLimit(), 1000)
	}
	return l.own().Concurrency
}

// An arrival is a request that is issued and has yet to be performed.
type arrival struct {
	i   int
	due time.Duration
}

// arrive issues the requests of an open loop when they are due, and returns when the last one is over. Workers are
// started as they are needed: none waits behind a request that is in flight.
func (g *Generator) arrive(ctx context.Context, l Level, s *slots, outcomes chan<- outcome) {
	var workers sync.WaitGroup
	issued := make(chan arrival)
	started := 0
	s.issueAll(newSchedule(l), func(a arrival) {
		select {
		case issued <- a:
			return
		default:
		}
		if started < l.inFlightLimit() {
			started++
			workers.Go(func() { g.serve(ctx, l, s, a, issued, outcomes) })
			return
		}
		issued <- a // fewer than the limit are in flight, so that a worker is about to be free
	})
	close(issued)
	workers.Wait()
}

// serve is one worker of an open loop: it performs first, and then what is issued.
func (g *Generator) serve(ctx context.Context, l Level, s *slots, first arrival, issued <-chan arrival, outcomes chan<- outcome) {
	do := g.newDoer()
	defer func() { do.close() }()
	for a, ok := first, true; ok; a, ok = <-issued {
		var o outcome
		o, do = g.perform(ctx, l, s, do, a)
		o.view = s.end(a.i)
		outcomes <- o
	}
}

// perform performs one request, and returns a new doer where the old one is spent.
func (g *Generator) perform(ctx context.Context, l Level, s *slots, do *doer, a arrival) (outcome, *doer) {
	r := records.Get().(*Record)
	r.reset(a.i, a.i < l.Warmup, s.epoch)
	begun := r.Sent
	if l.open() {
		r.Scheduled = a.due
	}
	scheduled, later := r.Scheduled, do.used
	do.used = true
	retried, err := do.request(ctx, l, a.i, r)
	if spent(err) {
		// The old record and the old goroutine belong to the target for good.
		r, do = new(Record), g.newDoer()
		r.reset(a.i, a.i < l.Warmup, s.epoch)
		r.Scheduled, r.Sent, r.Done, r.Attempts = scheduled, begun, r.Now(), 1+len(retried)
	}
	if ctx.Err() != nil || g.stopped() { // at once, and not when those who watch for it come round to it
		s.close()
	}
	return outcome{record: r, err: err, retried: retried, later: later}, do
}

// arrivals is what the slots keep of an open loop.
type arrivals struct {
	room chan struct{} // holds a token when a request has ended since it was last looked at

	delayed           int           // measured requests that were held back
	inRamp            int           // measured requests that were due before the rate was reached
	heldUntil         time.Duration // when the last hold ended
	firstDue, lastDue time.Duration // of the measured requests that were issued
	found             trend         // requests in flight, as measured arrivals found it
	wait              trend         // issue − due of the same, in seconds
}

func newArrivals() *arrivals {
	return &arrivals{room: make(chan struct{}, 1), heldUntil: never}
}

// issueAll hands the requests of the schedule to issue, each when it is due and there is room for it, until the schedule
// or the level ends.
func (s *slots) issueAll(schedule *schedule, issue func(arrival)) {
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	due, ok := schedule.draw()
	for ok {
		if !s.sleepUntil(due, timer) {
			return
		}
		next, more := schedule.draw() // drawn before this one is issued, so that the last one is known as such
		i, issued := s.admit(due, !more)
		if !issued {
			return
		}
		issue(arrival{i, due})
		due, ok = next, more
	}
}

// sleepUntil returns at due, or false when the level has ended before.
func (s *slots) sleepUntil(due time.Duration, timer *time.Timer) bool {
	for {
		left := due - time.Since(s.epoch)
		if left <= 0 {
			return true
		}
		timer.Reset(left)
		select {
		case <-timer.C:
		case <-s.ended:
			return false
		}
	}
}

// admit issues the next request as soon as there is room, or returns false when the level has ended before.
func (s *slots) admit(due time.Duration, last bool) (i int, ok bool) {
	held := false
	for {
		i, ok, full := s.tryAdmit(due, last, held)
		if !full {
			return i, ok
		}
		held = true
		select {
		case <-s.arrivals.room:
		case <-s.ended:
		}
	}
}

func (s *slots) tryAdmit(due time.Duration, last, held bool) (i int, ok, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, false, false
	}
	if s.inFlight >= s.level.inFlightLimit() {
		return 0, false, true
	}
	a, now := s.arrivals, time.Since(s.epoch)
	if s.next >= s.own.Warmup {
		if s.next == s.own.Warmup {
			a.firstDue = due
		}
		if due < s.level.RampUp {
			a.inRamp++
		}
		a.lastDue = due
		if held || due < a.heldUntil {
			a.delayed++
		}
		a.found.add(float64(s.inFlight))
		a.wait.add((now - due).Seconds())
	}
	if held {
		a.heldUntil = now
	}
	i = s.take(now)
	if last {
		s.shut()
	}
	return i, true, false
}

// setRates sets the rates of n requests.
func (o *OpenLoop) setRates(n int) {
	rate := func(span time.Duration) float64 {
		if n < 2 || span <= 0 {
			return 0
		}
		return float64(n-1) / span.Seconds()
	}
	o.Offered, o.Achieved = rate(o.LastDue-o.FirstDue), rate(o.LastSent-o.FirstSent)
}

// end ends a request of an open loop.
func (s *slots) end(done int) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over(done)
	select {
	case s.arrivals.room <- struct{}{}:
	default:
	}
	return view{measuredAt: s.measuredAt, from: never, to: never}
}

// openLoop says how the arrivals went, of which n were issued, and sent from a moment to another; nil for a closed
// loop. It is called with the lock held, at the end.
func (s *slots) openLoop(n int, firstSent, lastSent time.Duration) *OpenLoop {
	a := s.arrivals
	if a == nil {
		return nil
	}
	o := &OpenLoop{FirstDue: a.firstDue, LastDue: a.lastDue, Delayed: a.delayed, InRamp: a.inRamp}
	if n > 0 {
		o.FirstSent, o.LastSent = firstSent, lastSent
	}
	o.setRates(n)
	if early, late, ok := a.found.quarters(); ok {
		waitEarly, waitLate, _ := a.wait.quarters()
		// By Little's law as many are held back as arrive in the wait of one.
		o.Early, o.Late = early+waitEarly*o.Offered, late+waitLate*o.Offered
	}
	return o
}

const (
	rateFloor   = 0.95 // of the offered rate; below it the load was not the one that the level is named after
	lagOfGap    = 0.1  // of the mean gap; requests that are sent later than that did not arrive as they were drawn
	timerSlack  = 5 * time.Millisecond
	rampLimit   = 0.01 // share of arrivals at less than the rate, above which the level is not one at that rate
	delayLimit  = 0.01 // share of delayed arrivals above which the latencies from Sent leave out too much
	growth      = 0.1  // of the requests outstanding, from the second quarter to the last
	growthNoise = 3    // × √ of the same: chance moves a level in a steady state by less, but rarely
)

// openWarnings are the gates that only an open loop can fail. What is below timerSlack is within what timers and the
// scheduler take, and is put down to no one.
func (r *Result) openWarnings(warn func(code string, spoils []string, format string, args ...any)) {
	o, issued := r.Open, r.Accounting.Issued
	span := func(rate float64) time.Duration { return seconds(float64(issued-1) / rate) }
	lag, hasLag := r.Figure(QuantileName(SendLag, 99))
	switch {
	case o.Offered == 0 || o.Achieved == 0:
		// a single burst, or a single request, has no rate
	case o.Achieved < rateFloor*o.Offered && span(o.Achieved)-span(o.Offered) > timerSlack:
		why := "the client did not keep up"
		if o.Delayed > 0 {
			why = fmt.Sprintf("%d arrivals were held back by the %d requests that may be in flight", o.Delayed, r.Level.inFlightLimit())
		}
		warn(WarnRateNotReached, []string{All}, "requests were sent at %.4g/s, below 95 %% of the %.4g/s offered, because %s: this is not a measurement at that rate",
			o.Achieved, o.Offered, why)
	case o.Delayed == 0 && hasLag: // delayed requests are late for another reason, and it is told
		limit := max(lagOfGap*1000/o.Offered, float64(timerSlack)/millisecond)
		if lag.Value > limit {
			warn(WarnRateNotReached, []string{All}, "1 %% of the requests were sent %.4g ms late or more, and %.4g ms (a tenth of the mean gap, at least 5 ms) are allowed: they did not arrive as they should have; the client, or a machine that it shares, was the limit",
				lag.Value, limit)
		}
	}
	if o.Delayed > 0 {
		var spoils []string
		if float64(o.Delayed) > delayLimit*float64(issued) {
			spoils = r.Level.spoiledWith(TTFT, FirstChoice, FirstAnswer, E2E)
		}
		warn(WarnDelayed, spoils, "%d of %d arrivals were held back, because %d requests were in flight, the most allowed; none was dropped; their wait is in response and send_lag, and not in what counts from Sent, which over 1 %% must not be used",
			o.Delayed, issued, r.Level.inFlightLimit())
	}
	if float64(o.InRamp) > rampLimit*float64(issued) {
		warn(WarnRampDominated, []string{All},
			"%d of %d arrivals were due while the rate still rose, in the first %v: this is not a measurement at the level's rate; use at least %d more warmup requests",
			o.InRamp, issued, r.Level.RampUp, o.InRamp)
		return // outstanding requests grow with the rate, which says nothing of the server
	}
	noise := growthNoise * math.Sqrt(max(o.Early, 1)) * max(r.Level.Arrivals.variation(), 1)
	if rise := o.Late - o.Early; rise > growth*o.Early && rise > noise {
		warn(WarnOverloaded, append(r.Level.spoiledWith(TTFT, FirstChoice, FirstAnswer, TPOT, Interactivity, ITL, E2E, Response), MeanInFlight, PeakInFlight),
			"%.4g requests were outstanding in the second quarter of the arrivals and %.4g in the last: they came faster than the server took them, or for less long than it needs to show; latencies depend on how long this lasted and must not be used",
			o.Early, o.Late)
	}
}

// spoiledWith are the names of all figures of the metrics, and of what the level's objectives on them say: who met a limit by
// a latency that must not be used is not known either.
func (l Level) spoiledWith(metrics ...string) []string {
	return append(figuresOf(metrics...), l.goodputOf(metrics...)...)
}

// figuresOf are the names of all figures of the metrics.
func figuresOf(metrics ...string) []string {
	var out []string
	for _, m := range metrics {
		out = append(out, MeanName(m))
		for _, p := range quantiles {
			out = append(out, QuantileName(m, p))
		}
		if slices.Contains(issuedMetrics, m) {
			for _, p := range quantiles {
				out = append(out, IssuedName(m, p))
			}
		}
	}
	return out
}
