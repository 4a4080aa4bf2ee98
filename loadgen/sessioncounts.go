package loadgen

import (
	"fmt"
	"time"
)

// SessionCounts is what became of a level's sessions. A session is measured unless it is the warmup's, and with it all
// of its requests.
type SessionCounts struct {
	// Accounting counts the measured sessions: begun (Issued), completed, ended by a request that failed (Failed), and
	// under way when the level was cut short (Cancelled). Warmup counts the discarded ones.
	Accounting Accounting `json:"accounting"`
	Warmup     Accounting `json:"warmup"`

	Requests int `json:"requests"` // of the measured sessions that completed, together
	Most     int `json:"most"`     // requests of one of them, at most

	// Peak is the most that were under way at once: from when they were begun until their last request had left,
	// thinking included. Mean is Σ of that time ÷ the time of [InFlight], and Measured the part of the measured ones.
	// Steady is the mean in the steady window, 0 where there is none. Sessions that were cut short are in none of
	// them but the Peak.
	Peak     int     `json:"peak"`
	Mean     float64 `json:"mean"`
	Measured float64 `json:"measured"`
	Steady   float64 `json:"steady,omitempty"`
}

// Names of the figures of sessions.
const (
	SessionThroughput = "sessions_per_s"     // completed ÷ makespan
	SessionsUnderWay  = "sessions_under_way" // [SessionCounts.Mean]
	SessionDuration   = "session_duration"   // first Sent to last Done of a completed session, thinking included
	SessionSuccess    = "session_success"    // completed ÷ begun, in percent
)

// WarnSessionsBroken says that over 1 % of the sessions were ended by a request that failed.
const WarnSessionsBroken = "sessions-broken"

// ended is a session that is over.
type ended struct {
	warmup, failed bool
	sent, done     time.Duration
	began, left    time.Duration // when it took its slot, and when that was free
	requests       int
}

// A sessionCounter counts sessions as they end.
type sessionCounter struct {
	SessionCounts
	busy, measuredBusy, steadyBusy time.Duration
}

// add counts the session that ended with a request.
func (c *sessionCounter) add(o outcome, distribution func(string) *Distribution) {
	e := o.ended
	books := &c.Accounting
	if e.warmup {
		books = &c.Warmup
	}
	took := max(0, e.done-e.sent)
	if !e.warmup {
		c.measuredBusy += e.left - e.began
	}
	if v := o.view; v.measuredAt != never {
		c.busy += max(0, e.left-max(e.began, v.measuredAt))
		if v.from != never {
			until := e.left
			if v.to != never {
				until = min(until, v.to)
			}
			c.steadyBusy += max(0, until-max(e.began, v.from))
		}
	}
	switch {
	case e.failed && o.failure != nil && o.failure.Class == ClassCancelled:
		return // with the level: what is missing in the end was cancelled
	case e.failed:
		books.Failed++
		return
	}
	books.Completed++
	if !e.warmup {
		c.Requests += e.requests
		c.Most = max(c.Most, e.requests)
		distribution(SessionDuration).Add(float64(took) / millisecond)
	}
}

// counts closes the books of the sessions; nil where the level has none. It is called with the slots' lock held.
func (c *sessionCounter) counts(s *slots, r *Result) *SessionCounts {
	b := s.sessions
	if b == nil {
		return nil
	}
	n := c.SessionCounts
	n.Peak = b.peak
	n.Warmup.Issued = min(b.begun, s.own.Warmup)
	n.Accounting.Issued = b.begun - n.Warmup.Issued
	for _, books := range []*Accounting{&n.Accounting, &n.Warmup} {
		books.Cancelled = books.Issued - books.Completed - books.Failed
	}
	if span := r.InFlight.To - r.InFlight.From; span > 0 {
		n.Mean, n.Measured = float64(c.busy)/float64(span), float64(c.measuredBusy)/float64(span)
	}
	if w := r.Steady; w != nil {
		n.Steady = float64(c.steadyBusy) / float64(w.Length())
	}
	return &n
}

// arrivals is how many measured arrivals there were: of sessions, or of single requests.
func (r *Result) arrivals() int {
	if r.Sessions != nil {
		return r.Sessions.Accounting.Issued
	}
	return r.Accounting.Issued
}

// sessionFigures are those of sessions, but for their durations, which are a metric.
func (r *Result) sessionFigures(add func(name, unit string, better Direction, value float64, n int)) {
	s := r.Sessions
	if s == nil || s.Accounting.Issued == 0 {
		return
	}
	n := s.Accounting.Issued
	if span := r.Makespan.Seconds(); span > 0 {
		add(SessionThroughput, "sessions/s", HigherIsBetter, float64(s.Accounting.Completed)/span,
			s.Accounting.Completed)
	}
	add(SessionsUnderWay, "sessions", Neither, s.Mean, n)
	add(SessionSuccess, "%", HigherIsBetter, 100*float64(s.Accounting.Completed)/float64(n), n)
}

// sessionWarning says how many sessions a failed request has ended. What would have followed was not sent: of later
// turns only those of the sessions are there that went well.
func (r *Result) sessionWarning(warn func(code string, spoils []string, format string, args ...any)) {
	s := r.Sessions
	if s == nil || s.Accounting.Failed == 0 {
		return
	}
	var spoils []string
	if n := s.Accounting; float64(n.Failed) > failureLimit*float64(n.Issued) {
		spoils = append(r.Level.figuresOf(SessionDuration), SessionThroughput)
		for _, g := range r.Groups {
			if g.By == ByTurn && g.Name != "1" {
				spoils = append(spoils, "*"+g.label())
			}
		}
	}
	warn(WarnSessionsBroken, spoils,
		"%d of %d sessions were ended by a request that failed, and their further turns were not sent; over 1 %% the "+
			"durations of sessions and the figures of later turns must not be used",
		s.Accounting.Failed, s.Accounting.Issued)
}

// mergeSessions adds the counts of parts up; their means are over the parts' own times, which are merged by InFlight's.
func mergeSessions(parts []*Result, merged InFlight, steady *Window) *SessionCounts {
	if parts[0].Level.Unit == "" {
		return nil
	}
	out := &SessionCounts{}
	for _, part := range parts {
		s := part.Sessions
		if s == nil {
			continue
		}
		out.Accounting.Add(s.Accounting)
		out.Warmup.Add(s.Warmup)
		out.Requests += s.Requests
		out.Most = max(out.Most, s.Most)
		out.Peak += s.Peak
		if span := merged.To - merged.From; span > 0 {
			share := float64(part.InFlight.To-part.InFlight.From) / float64(span)
			out.Mean += share * s.Mean
			out.Measured += share * s.Measured
		}
		if steady != nil {
			out.Steady += s.Steady // of windows that all hold the shared one
		}
	}
	return out
}

// held says what a closed loop was to keep up, and what it did: requests in their slots, or sessions under way.
type held struct {
	asked, peak      int
	measured, steady float64
	what             string
}

// held is that of r, whose steady window may be nil.
func (r *Result) held() held {
	level := r.Level.own()
	h := held{asked: level.bound(), peak: r.InFlight.Peak, measured: r.InFlight.heldMeasured(), what: "requests"}
	if r.Steady != nil {
		h.steady = r.Steady.held()
	}
	switch level.Unit {
	case UnitSession:
		h.peak, h.measured, h.steady, h.what = r.Sessions.Peak, r.Sessions.Measured, r.Sessions.Steady, "sessions"
	case UnitRequest: // of how many sessions is not known beforehand
		h.asked = 0
	}
	return h
}

// String is what the counts come to: "40 sessions begun, 39 completed, 1 failed, 0 cancelled".
func (s *SessionCounts) String() string {
	a := s.Accounting
	return fmt.Sprintf("%d sessions begun, %d completed, %d failed, %d cancelled; %d discarded before",
		a.Issued, a.Completed, a.Failed, a.Cancelled, s.Warmup.Issued)
}
