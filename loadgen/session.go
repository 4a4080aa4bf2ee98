package loadgen

import (
	"context"
	"fmt"
	"time"
)

// Sessions is a [Target] that holds sessions: requests of one user, of which one follows from the answer to another. A
// level with a [Level.Unit] has them; elsewhere each request is by itself, and Do performs it.
type Sessions interface {
	// Session begins session i, from 0, those of the warmup included. It is called once for each, from many goroutines
	// at once. An error fails the session's first request.
	Session(i int) (Session, error)
}

// A Session is one user's. Its requests are numbered from 0, in the order in which Next has named them. It is over
// when each of them is, and no other has been named; a request that fails ends it, and none that is not under way
// then is sent any more.
type Session interface {
	// Next names the requests that follow from the answer to request k, which has just come whole; −1: those with which
	// the session begins, at least one, of which the first is sent at once. None: k is the last, or others have to be
	// over first. So what fans out names several, and what joins waits for the last of them. An error fails request
	// k. Where several requests are under way at once it is called from several goroutines at once.
	Next(k int) ([]FollowUp, error)

	// Do performs request k, as [Target] has it.
	Do(ctx context.Context, k int, r *Record) error
}

// A FollowUp is a request that a session has yet to send.
type FollowUp struct {
	// Pause is the time from the end of the request that it follows from (Left) to when it is due: its user thinks, a
	// tool runs. Of the requests with which a session begins it counts from its beginning.
	Pause time.Duration

	// Turn is which turn of its session it is, from 1. Requests that are sent together have the same. [Record.Turn] has
	// it.
	Turn int
}

// A Unit is what a level is of.
type Unit string

const (
	// UnitSession has Concurrency, Warmup and Arrivals count sessions: a slot is a user's, who thinks in between.
	UnitSession Unit = "session"
	// UnitRequest has Concurrency count requests in flight, of as many sessions as it takes to keep them there: while
	// one thinks, another goes on or begins. Warmup and Arrivals count sessions.
	UnitRequest Unit = "request"
)

// validateSessions returns an [*InvalidError] for a level whose sessions cannot be, or nil.
func (l Level) validateSessions() error {
	switch l.Unit {
	case "":
		if l.Sessions != 0 {
			return &InvalidError{"sessions", l.Sessions, "0, or a Unit: a level without one is of single requests"}
		}
		return nil
	case UnitSession, UnitRequest:
	default:
		return &InvalidError{"unit", string(l.Unit), "session or request, or none for single requests"}
	}
	switch {
	case l.Sessions < 0 || l.Sessions > MaxRequests:
		return &InvalidError{"sessions", l.Sessions, "a number from 0 (bounded by duration) to 100,000,000"}
	case l.Requests != 0:
		return &InvalidError{"requests", l.Requests, "0 with a Unit: Sessions or Duration end a level of sessions"}
	}
	return nil
}

// bound is how many measured requests, or sessions, end the level; 0: so many do not.
func (l Level) bound() int {
	if l.Unit != "" {
		return l.Sessions
	}
	return l.Requests
}

// unit is what the level's concurrency and arrivals count, in the plural.
func (l Level) unit() string {
	if l.Unit == UnitSession {
		return "sessions"
	}
	return "requests"
}

// A conversation is a session under way.
type conversation struct {
	i       int // its number in the level
	warmup  bool
	session Session // nil: it has not begun

	// Of the slots' lock.
	named       int // how many requests were
	outstanding int // of these, those that are not over
	requests    int // that are over
	failed      bool
	first       int           // the level's number of its first request
	began       time.Duration // when it took its slot
	sent        time.Duration // of that
	done        time.Duration // of the one that ended last
}

// A part is a request of a session, as an arrival has it.
type part struct {
	of      *conversation
	k, turn int // its number in the session, and its turn
}

// begin has the target begin the session that the present request is the first of, where it has not begun, and names
// the requests with which it does. mine is false where the goroutine was left behind. nil: it is of no session.
func (w *worker) begin(first *part) (p *panicked, mine bool, err error) {
	if first == nil || first.of.session != nil {
		return nil, true, nil
	}
	s, c := w.source.(*sessionLoop), first.of
	target, i := s.target, c.i
	var session Session
	var named []FollowUp
	p, mine = w.visit(func() {
		if session, named, err = begin(target, i); err != nil {
			probe(err)
		}
	})
	if !mine || p != nil || err != nil {
		return p, mine, err
	}
	c.session, first.turn = session, named[0].Turn
	s.name(c, named[1:], w.present.due)
	return nil, true, nil
}

// begin is a visit to the user's code.
func begin(target Sessions, i int) (Session, []FollowUp, error) {
	s, err := target.Session(i)
	if err != nil {
		return nil, nil, fmt.Errorf("session %d: %w", i, err)
	}
	named, err := s.Next(-1)
	if err == nil && len(named) == 0 {
		err = fmt.Errorf("session %d has no request", i)
	}
	return s, named, err
}

// converse performs a request of a session, and asks it for what follows. It is a visit to the user's code. left is
// when the request was over.
func converse(ctx context.Context, s Session, p *part, r *Record) (left time.Duration, follow []FollowUp, err error) {
	of, k := r.Session, p.k
	if err := s.Do(ctx, k, r); err != nil {
		return 0, nil, err
	}
	left = r.Now()
	if follow, err = s.Next(k); err != nil {
		return left, nil, fmt.Errorf("session %d after its request %d: %w", of, k, err)
	}
	return left, follow, nil
}
