package loadgen

import (
	"errors"
	"testing"
)

// An error has one class in its text: what the context says takes the place of what the target took it for, and a
// status is kept, since it tells what came.
func TestClassify(t *testing.T) {
	broken := &Error{Class: ClassTruncated, Err: errors.New("the connection broke")}
	refused := &Error{Class: ClassStatus, Status: 503, Err: errors.New("busy")}
	for _, c := range []struct {
		name                     string
		err                      error
		cut, timedOut, streaming bool
		class                    Class
		text                     string
	}{
		{name: "cut", err: broken, cut: true, class: ClassCancelled, text: "cancelled: the connection broke"},
		{name: "cut first", err: broken, cut: true, timedOut: true, class: ClassCancelled,
			text: "cancelled: the connection broke"},
		{name: "time", err: broken, timedOut: true, class: ClassTimeout,
			text: "timeout-before-first-byte: the connection broke"},
		{name: "time in stream", err: broken, timedOut: true, streaming: true, class: ClassStalled,
			text: "timeout-in-stream: the connection broke"},
		{name: "neither", err: broken, streaming: true, class: ClassTruncated, text: "truncated: the connection broke"},
		{name: "status", err: refused, cut: true, class: ClassCancelled, text: "cancelled: status 503: busy"},
		{name: "no cause", err: &Error{Class: ClassDial}, cut: true, class: ClassCancelled,
			text: "cancelled: dial: <nil>"},
		{name: "any", err: errors.New("odd"), class: ClassTarget, text: "target: odd"},
	} {
		e := classify(c.err, c.cut, c.timedOut, c.streaming)
		if e.Class != c.class || e.Error() != c.text {
			t.Errorf("%s: %q of class %s, want %q of class %s", c.name, e, e.Class, c.text, c.class)
		}
	}
}
