package loadgen

import (
	"math"
	"slices"
	"time"

	"github.com/servegauge/servegauge/internal/number"
)

// OpenLoop is how the arrivals of an open loop went; of the measured requests, unless it says otherwise.
type OpenLoop struct {
	// Offered and Achieved are requests/s, or sessions/s where these arrive: the gaps between the first and the last, ÷ the
	// time between their Scheduled and between their Sent. 0 where there is no time between, as in a single burst.
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

	// Uneven is the mean of |gap as sent − gap as due| between an arrival and the next one, in mean gaps: 0 is just
	// as scheduled, bursts of two come to 1 and those of many to 2. Spread is the standard deviation of Sent −
	// Scheduled, in ms. Gaps is how many are behind Uneven. All are 0 where no gaps are known. Of merged results they
	// are of each generator's own gaps, means by their number. See [WarnBursty].
	Uneven float64 `json:"uneven,omitempty"`
	Spread float64 `json:"spread_ms,omitempty"`
	Gaps   int     `json:"gaps,omitempty"`
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

// schedules is the source of an open loop. Workers take turns in waiting for the next arrival: the one whose turn it
// is sleeps until it is due, passes the turn on, to another that waits or to one that it starts, and performs the
// request itself, with no switch to another goroutine between the moment and the request. None waits behind a request
// that is in flight.
type schedules struct {
	*slots
	loop *loop
	turn chan struct{} // holds a token while no worker has its turn

	// Of the worker that has its turn.
	schedule *schedule
	due      time.Duration
	more     bool // due is one
	pacer    *pacer

	// Of the slots' lock.
	workers, idle int       // idle: those that wait for their turn, have it, or have been started for it
	full          bool      // the turn was passed on when all that may be were in flight
	arrivals      *arrivals // how they went
}

// mostBetween is how many workers may be between two requests before no other is started for the next one. They hand
// over what is done, and where that is not taken as fast as the server answers, more of them would only wait as well.
const mostBetween = 64

// arrivals is what is kept of an open loop.
type arrivals struct {
	delayed           int           // measured requests that were held back
	inRamp            int           // measured requests that were due before the rate was reached
	heldUntil         time.Duration // when the last hold ended
	firstDue, lastDue time.Duration // of the measured requests that were issued
	found             trend         // requests in flight, as measured arrivals found it
	wait              trend         // issue − due of the same, in seconds
}

func newSchedules(l *loop) *schedules {
	s := &schedules{slots: l.slots, loop: l, turn: make(chan struct{}, 1), workers: 1, idle: 1,
		arrivals: l.slots.arrivals}
	s.schedule = newSchedule(l.level)
	s.due, s.more = s.schedule.draw()
	s.pacer = newPacer(l.slots, true)
	s.turn <- struct{}{}
	return s
}

func (s *schedules) next(w *worker) (a arrival, ok bool) {
	if w.used { // a new one has been counted by who started it, for it may take a while to come here
		s.mu.Lock()
		s.idle++
		s.mu.Unlock()
	}
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	due := s.due
	held := s.behind(due)
	if !s.more || !s.pacer.sleepUntil(due) {
		return arrival{}, false
	}
	s.due, s.more = s.schedule.draw() // drawn before this one is issued, so that the last one is known as such
	return s.take(due, !s.more, held)
}

// behind reports whether an arrival had to wait for its turn because all that may be were in flight.
func (s *schedules) behind(due time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full && time.Since(s.epoch) > due
}

// take takes the next request, which is due, and sees to it that there is somebody to wait for the one after; false
// when the level has ended before.
func (s *schedules) take(due time.Duration, last, held bool) (a arrival, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return arrival{}, false
	}
	went, now := s.arrivals, time.Since(s.epoch)
	if s.slots.next >= s.own.Warmup {
		if s.slots.next == s.own.Warmup {
			went.firstDue = due
		}
		if due < s.level.RampUp {
			went.inRamp++
		}
		went.lastDue = due
		if held || due < went.heldUntil {
			went.delayed++
		}
		went.found.add(float64(s.inFlight))
		went.wait.add((now - due).Seconds())
	}
	if held {
		went.heldUntil = now
	}
	a = s.slots.take(now)
	a.due = due
	s.idle--
	switch {
	case last:
		s.shut()
	case s.idle == 0 && s.workers < s.level.inFlightLimit() && s.workers-s.inFlight < mostBetween:
		s.loop.start(s.workers)
		s.workers++
		s.idle++
	}
	s.full = s.inFlight == s.level.inFlightLimit()
	return a, true
}

func (s *schedules) end(w *worker) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over(w.present.i)
	return view{measuredAt: s.measuredAt, from: never, to: never}
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
	o, issued := r.Open, r.arrivals()
	span := func(rate float64) time.Duration { return seconds(float64(issued-1) / rate) }
	lag, hasLag := r.Figure(QuantileName(SendLag, 99))
	switch {
	case o.Offered == 0 || o.Achieved == 0:
		// a single burst, or a single request, has no rate
	case o.Achieved < rateFloor*o.Offered && span(o.Achieved)-span(o.Offered) > timerSlack:
		why := "the client did not keep up"
		if o.Delayed > 0 {
			why = number.Sprintf("%d arrivals were held back by the %d requests that may be in flight", o.Delayed,
				r.Level.inFlightLimit())
		}
		warn(WarnRateNotReached, []string{All},
			"requests were sent at %.4g/s, below 95 %% of the %.4g/s offered, because %s: this is not a "+
				"measurement at that rate",
			o.Achieved, o.Offered, why)
	case o.Delayed == 0 && hasLag: // delayed requests are late for another reason, and it is told
		limit := max(lagOfGap*1000/o.Offered, float64(timerSlack)/millisecond)
		if lag.Value > limit {
			warn(WarnRateNotReached, []string{All},
				"1 %% of the requests were sent %.4g ms late or more, and %.4g ms (a tenth of the mean gap, at "+
					"least 5 ms) are allowed: they did not arrive as they should have; the client, or a machine that "+
					"it shares, was the limit",
				lag.Value, limit)
		}
	}
	r.burstyWarning(warn)
	if o.Delayed > 0 {
		var spoils []string
		if float64(o.Delayed) > delayLimit*float64(issued) {
			spoils = r.Level.spoiledWith(TTFT, FirstChoice, FirstAnswer, E2E)
		}
		warn(WarnDelayed, spoils,
			"%d of %d arrivals were held back, because %d requests were in flight, the most allowed; none was "+
				"dropped; their wait is in response and send_lag, and not in what counts from Sent, which over 1 %% "+
				"must not be used",
			o.Delayed, issued, r.Level.inFlightLimit())
	}
	if float64(o.InRamp) > rampLimit*float64(issued) {
		warn(WarnRampDominated, []string{All},
			"%d of %d arrivals were due while the rate still rose, in the first %v: this is not a measurement at "+
				"the level's rate; use at least %d more warmup requests",
			o.InRamp, issued, r.Level.RampUp, o.InRamp)
		return // outstanding requests grow with the rate, which says nothing of the server
	}
	noise := growthNoise * math.Sqrt(max(o.Early, 1)) * max(r.Level.Arrivals.variation(), 1)
	if rise := o.Late - o.Early; rise > growth*o.Early && rise > noise {
		spoils := r.Level.spoiledWith(TTFT, FirstChoice, FirstAnswer, TPOT, Interactivity, ITL, E2E, Response)
		warn(WarnOverloaded, append(spoils, MeanInFlight, PeakInFlight),
			"%.4g requests were outstanding in the second quarter of the arrivals and %.4g in the last: they "+
				"came faster than the server took them, or for less long than it needs to show; latencies depend on "+
				"how long this lasted and must not be used",
			o.Early, o.Late)
	}
}

// spoiledWith are the names of all figures of the metrics, and of what the level's objectives on them say: who met a
// limit by a latency that must not be used is not known either.
func (l Level) spoiledWith(metrics ...string) []string {
	return append(l.figuresOf(metrics...), l.goodputOf(metrics...)...)
}

// figuresOf are the names of all figures of the metrics.
func (l Level) figuresOf(metrics ...string) []string {
	var out []string
	for _, m := range metrics {
		out = append(out, MeanName(m))
		for _, p := range l.percentiles() {
			out = append(out, QuantileName(m, p))
		}
		if slices.Contains(issuedMetrics, m) {
			for _, p := range l.percentiles() {
				out = append(out, IssuedName(m, p))
			}
		}
	}
	return out
}
