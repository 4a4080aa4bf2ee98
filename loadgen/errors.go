package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An InvalidError is a value that cannot be used, with what could.
type InvalidError struct {
	Field string // what was set, by its name in the API, in lower case
	Value any    // what it was set to
	Want  string // what would do
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s %v: want %s", e.Field, e.Value, e.Want)
}

// A Class is one of the few ways in which a request fails. The set is closed, so that errors can be counted and
// compared between runs; the text of an example is kept beside the count.
type Class string

const (
	ClassDial    Class = "dial"                      // no connection could be made
	ClassTimeout Class = "timeout-before-first-byte" // out of time before any content came
	ClassStalled Class = "timeout-in-stream"         // out of time after the first content
	ClassStatus  Class = "status"                    // an answer with a status other than 2xx
	// the server says that prompt and answer have more tokens than it can take
	ClassTooLong   Class = "context-too-long"
	ClassStale     Class = "stale-connection"   // a connection used before was found closed, before any answer
	ClassTruncated Class = "truncated"          // the answer ended without saying that it had
	ClassProtocol  Class = "protocol"           // an answer that is not what the protocol promises
	ClassServer    Class = "server-error-event" // the server reported an error inside the answer
	ClassCancelled Class = "cancelled"          // the level was cut short while the request was in flight
	ClassTarget    Class = "target"             // anything else that a [Target] returned, panics included
)

// An Error is how a request failed. A [Target] returns one to say its class; any other error it returns is given
// a class by [Measure].
type Error struct {
	Class      Class
	Status     int           // the HTTP status, 0 where there is none
	RetryAfter time.Duration // what the server asked for, 0 if it did not
	Err        error
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%s %d: %v", e.Class, e.Status, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Class, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// classify gives err a class. cut is whether the whole level was being cut short; streaming is whether content had
// come. What the context says goes before what the target says: a target that was cancelled sees only a broken
// connection.
func classify(err error, cut, timedOut, streaming bool) *Error {
	var e *Error
	known := errors.As(err, &e)
	why := err
	// What the target took it for would stand in the text, and contradict the class.
	if e == err && e.Status == 0 && e.Err != nil {
		why = e.Err
	}
	switch {
	case cut:
		return &Error{Class: ClassCancelled, Err: why}
	case timedOut && streaming:
		return &Error{Class: ClassStalled, Err: why}
	case timedOut:
		return &Error{Class: ClassTimeout, Err: why}
	case known:
		return e
	case errors.Is(err, context.DeadlineExceeded): // a deadline of the target's own
		if streaming {
			return &Error{Class: ClassStalled, Err: err}
		}
		return &Error{Class: ClassTimeout, Err: err}
	}
	return &Error{Class: ClassTarget, Err: err}
}

// probe asks err all that it will be asked later on. Its methods are the user's code, which panics where it is a nil
// pointer for instance: it must do so where a guest of the user's may, and not in the collector.
func probe(err error) {
	_ = classify(err, false, false, false).Error()
	_ = err.Error()
}

// An AccountingError says that a level's books do not close: requests were lost or counted twice. It is a defect of
// this package, and the figures must not be used.
type AccountingError struct{ Accounting }

func (e *AccountingError) Error() string {
	return fmt.Sprintf("accounting does not close: %d issued, but %d completed + %d failed + %d cancelled = %d; the "+
		"figures of this level must not be used, please report it",
		e.Issued, e.Completed, e.Failed, e.Cancelled, e.Completed+e.Failed+e.Cancelled)
}
