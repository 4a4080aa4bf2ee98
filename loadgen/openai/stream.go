package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"time"
	"unicode"

	"github.com/servegauge/servegauge/loadgen"
)

// Bounds on what a server may send. Past them the answer is no answer.
const (
	maxWhole = 64 << 20 // bytes of an answer in one piece

	// mostQuoted bounds, in bytes, what an error quotes of an answer. It is more than anybody wants to read, because
	// secrets are taken out afterwards (secrets.clean), and one that was cut in two would not be found.
	mostQuoted = 32 << 10
)

// complaint is what the server says went wrong, in the chunk that was scanned from text.
func (c *chunk) complaint(text []byte) error {
	switch {
	case c.failure != nil:
		text = c.failure
	case !c.failed:
		return nil
	}
	return &loadgen.Error{Class: loadgen.ClassServer, Err: errors.New(complaint(text))}
}

// count takes over what the server says of itself.
func (c *chunk) count(r *loadgen.Record) error {
	// A usage without one of the counts leaves it unknown, which is not 0.
	if c.prompt.known && c.completion.known {
		if c.prompt.n < 0 || c.completion.n < 0 {
			return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("usage counts %d and %d tokens", c.prompt.n, c.completion.n)}
		}
		r.Counted = true
		r.Input, r.Output = c.prompt.n, c.completion.n
		if c.cached.possible() && c.cached.n <= c.prompt.n {
			r.CachedTold, r.Cached = true, c.cached.n
		}
	}
	switch {
	case c.accepted.possible() && c.rejected.possible():
		r.DraftTold, r.AcceptedDraft, r.RejectedDraft = true, c.accepted.n, c.rejected.n
	case c.draft.possible() && c.draftAccepted.possible() && c.draftAccepted.n <= c.draft.n:
		r.DraftTold, r.AcceptedDraft, r.RejectedDraft = true, c.draftAccepted.n, c.draft.n-c.draftAccepted.n
	}
	if c.stamped {
		r.Received = c.stamp.received
	}
	return nil
}

// possible reports whether a count was told that can be. These are details: one that cannot be is taken for not told,
// where an answer whose own tokens are miscounted is no answer.
func (n count) possible() bool { return n.known && n.n >= 0 && n.n <= mostTokens }

// usageSoFar follows the usage of a stream that has it in every chunk (continuous_usage_stats).
type usageSoFar struct {
	counted int  // output tokens up to the latest chunk of content
	broken  bool // a chunk of content had none, so that what follows cannot be told from it
}

// chunk is how many tokens have come since the content before, 0 if that is not told. A usage that only the last chunk
// has says nothing of that chunk.
func (u *usageSoFar) chunk(c *chunk) int {
	if !c.completion.known || c.completion.n < u.counted {
		u.broken = true
	}
	if u.broken {
		return 0
	}
	n := c.completion.n - u.counted
	u.counted = c.completion.n
	return n
}

// readWhole reads an answer in one piece.
func readWhole(body io.Reader, r *loadgen.Record) error {
	text, err := io.ReadAll(io.LimitReader(body, maxWhole+1))
	r.Done = r.Now()
	if err != nil {
		return &loadgen.Error{Class: loadgen.ClassTruncated, Err: err}
	}
	if len(text) > maxWhole {
		return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("the answer is longer than %d MiB", maxWhole>>20)}
	}
	var s scanner
	var c chunk
	if !s.scan(text, &c) {
		return unexpected("the answer", s.err(), text)
	}
	if err := c.complaint(text); err != nil {
		return err
	}
	if c.choices == 0 {
		return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("the answer has no choices: %s", excerpt(text))}
	}
	return c.count(r)
}

func unexpected(what string, err error, text []byte) error {
	return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("%s is not what was expected: %s: %s", what, excerpt([]byte(err.Error())), excerpt(text))}
}

// readStream reads server-sent events until the stream ends. It is complete when the server said so: by [DONE], or by
// a finish_reason for every choice. A connection that closes cleanly without either was cut.
func readStream(body io.Reader, r *loadgen.Record) error {
	in := readEvents(body, r)
	defer in.close()

	var s scanner
	var c chunk
	var begun, finished uint64 // choices, a bit each, by their index
	var last time.Duration     // the last chunk with a choice, for a stream in which no choice had content
	var usage usageSoFar
	chunks := recorder{r: r}
	defer chunks.end()
	for {
		data, err := in.next()
		switch {
		case err == errLong:
			return &loadgen.Error{Class: loadgen.ClassProtocol, Err: err}
		case len(data) == 0: // the end
		case string(data) == "[DONE]":
			if begun == 0 {
				return &loadgen.Error{Class: loadgen.ClassProtocol, Err: errors.New("the stream ended without any choice")}
			}
			endStream(r, last)
			return nil
		case s.scan(data, &c):
			if err := c.complaint(data); err != nil {
				return err
			}
			begun |= c.begun
			finished |= c.finished
			if c.choices > 0 && bits.OnesCount64(begun) > 1 {
				// With several answers, a usage in a chunk is of the one that the chunk continues, and not of the request.
				c.prompt, c.completion = count{}, count{}
				r.Counted, r.Input, r.Output = false, 0, 0
			}
			if err := c.count(r); err != nil {
				return err
			}
			if c.choices > 0 {
				last = in.came()
				if r.Opened == 0 {
					r.Opened = last
				}
			}
			if c.content {
				came := loadgen.Chunk{Seen: in.seen, Arrived: in.arrived, Since: in.since, Sent: c.stamp.sent, Tokens: usage.chunk(&c)}
				r.Done = chunks.chunk(came, in.number, in.begun)
				if c.answer && r.FirstAnswer == 0 {
					r.FirstAnswer = r.Done
				}
			}
		case err != nil: // the line was cut, and so was the stream
		case s.cut && !in.joined:
			if in.hold(data) != nil {
				return &loadgen.Error{Class: loadgen.ClassProtocol, Err: errLong}
			}
		default:
			return unexpected("an event", s.err(), data)
		}
		switch {
		case err == nil:
		case begun != 0 && finished == begun:
			endStream(r, last)
			return nil
		case err == io.EOF:
			return &loadgen.Error{Class: loadgen.ClassTruncated, Err: errors.New("the stream ended with neither [DONE] nor a finish_reason")}
		default:
			return &loadgen.Error{Class: loadgen.ClassTruncated, Err: err}
		}
	}
}

// endStream gives a complete stream without any content an end.
func endStream(r *loadgen.Record, last time.Duration) {
	if r.Done == 0 {
		r.Done = max(last, r.Sent)
	}
}

// complaint finds the message in an error as servers shape it: {"error":{"message":…}}, {"message":…},
// {"detail":…}, a string, or anything else. It is empty only where there is none.
func complaint(text []byte) string {
	whole := text
	for range 2 { // the error, and what it may be wrapped in
		var shape struct {
			Error   json.RawMessage `json:"error"`
			Message string          `json:"message"`
			Detail  json.RawMessage `json:"detail"`
		}
		if json.Unmarshal(text, &shape) != nil {
			break
		}
		if said := excerpt([]byte(shape.Message)); said != "" {
			return said
		}
		switch {
		case len(shape.Error) > 0 && string(shape.Error) != "null":
			text = shape.Error
		case len(shape.Detail) > 0:
			text = shape.Detail
		}
	}
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		if said := excerpt([]byte(plain)); said != "" {
			return said
		}
		text = whole
	}
	return excerpt(text)
}

// excerpt is the start of what a server sent, fit for an error.
func excerpt(text []byte) string {
	if len(text) <= mostQuoted {
		return oneLine(string(text))
	}
	return oneLine(string(text[:mostQuoted])) + "…"
}

// oneLine is s without what could break a line, colour a terminal or turn the direction of the text.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "�")
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) }), " ")
}
