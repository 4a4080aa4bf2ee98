package openai

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/servegauge/servegauge/loadgen"
)

// maxWhole bounds, in bytes, an answer in one piece. Past it the answer is no answer.
const maxWhole = 64 << 20

// reading is how an answer is read.
type reading struct {
	heard    *spoken // what takes its text; nil: nobody wants it
	endpoint Endpoint
	keeps    *kept // what is kept of it; nil: nothing is
}

// whole reads an answer in one piece.
func (how reading) whole(body io.Reader, head http.Header, r *loadgen.Record) error {
	text, err := io.ReadAll(io.LimitReader(body, maxWhole+1))
	r.Done = r.Now()
	if err != nil {
		return &loadgen.Error{Class: loadgen.ClassTruncated, Err: err}
	}
	if len(text) > maxWhole {
		return protocolError("the answer is longer than %d MiB", maxWhole>>20)
	}
	if err := encoded(head, text); err != nil {
		return err
	}
	s := scanner{heard: how.heard}
	var c chunk
	text = bytes.TrimPrefix(text, byteOrderMark)
	scan := s.scan
	switch how.endpoint {
	case Responses:
		scan = s.scanWholeResponse
	case Embeddings, Rerank:
		scan = s.scanVectors
	}
	if !scan(text, &c) {
		return protocolError("the answer is not what was expected: %s: %s", oneLine(s.err().Error()),
			beginning(head, text))
	}
	if c.choices == 0 && !c.failed {
		return protocolError("the answer has no %s: %s", how.holds(), excerpt(text))
	}
	a := account{r: r, whole: true, keeps: how.keeps}
	if err := a.add(&c, text); err != nil {
		return err
	}
	r.NoContent = !c.content
	if !a.complete() {
		r.Finish = ""
	}
	a.settle()
	return nil
}

// A streamReader is what reads the events of an answer, and the memory that it needs for it.
type streamReader struct {
	events  events
	scanner scanner
	pattern pattern
	chunk   chunk
	account account
	typed   bool   // events have types, as those of responses
	odd     []byte // the first event that says nothing that is understood
	strange int    // events of which nothing is, and that are no notices either
}

var streamReaders = sync.Pool{New: func() any { return new(streamReader) }}

// holds is what an answer in one piece should have.
func (how reading) holds() string {
	switch how.endpoint {
	case Responses:
		return "output"
	case Embeddings:
		return "data"
	case Rerank:
		return "results"
	}
	return "choices"
}

// stream reads server-sent events until the stream ends. It is complete when the server said so: by [DONE], or by
// a finish_reason for every choice. A connection that closes cleanly without either was cut.
func (how reading) stream(body io.Reader, head http.Header, r *loadgen.Record) error {
	if encoded(head, nil) != nil {
		first := make([]byte, 16)
		n, _ := io.ReadFull(body, first) // what it is called is what is wrong with it
		return encoded(head, first[:n])
	}
	s := streamReaders.Get().(*streamReader)
	s.events.open(body, r)
	s.scanner.heard, s.typed = how.heard, how.endpoint == Responses
	s.account = account{r: r, chunks: recorder{r: r}, keeps: how.keeps}
	defer s.release()
	err := s.read(head)
	if err == nil {
		err = s.strayed()
	}
	if err != nil {
		s.account.settle()
		return err
	}
	r.NoContent = s.account.visible == 0
	if !s.account.complete() {
		r.Finish = "" // of several answers one has none
	}
	s.account.settle()
	return nil
}

// release gives the stream back.
func (s *streamReader) release() {
	s.events.close()
	s.account = account{}
	s.chunk = chunk{} // it holds parts of what was scanned
	s.scanner.data, s.scanner.key, s.scanner.heard = nil, nil, nil
	clear(s.scanner.words[:cap(s.scanner.words)])
	if s.scanner.words = s.scanner.words[:0]; cap(s.scanner.words) > 64 {
		s.scanner.words = nil
	}
	s.pattern, s.typed = pattern{event: s.pattern.event[:0]}, false
	s.odd, s.strange = s.odd[:0], 0
	streamReaders.Put(s)
}

// read reads up to the end of the answer, or to what is wrong with it.
func (s *streamReader) read(head http.Header) error {
	for {
		if n := s.pattern.match(s.events.ahead(), &s.scanner, &s.chunk); n > 0 {
			s.events.take(n)
			if err := s.account.arrived(&s.chunk, nil, &s.events); err != nil {
				return err
			}
			continue
		}
		data, err := s.events.next()
		switch {
		case err == errLong:
			return protocolError("%w", err)
		case err == errOdd:
			return noStream(head, s.events.odd)
		case s.events.failing:
			return serverError("the stream has an error event: " + reason(data))
		case s.events.reported:
			if !falsy(data) {
				return serverError(complaint(data))
			}
		case isEnd(data):
			if s.account.begun == 0 {
				return s.unanswered()
			}
			return nil
		case len(data) == 0: // the end
		case s.scan(data):
			if !s.typed {
				event, at, more := s.events.whole()
				s.pattern.learn(event, at, more, &s.scanner, &s.chunk)
			}
			if err := s.account.arrived(&s.chunk, data, &s.events); err != nil {
				return err
			}
			if !s.chunk.chosen && !s.chunk.completion.known {
				if len(s.odd) == 0 {
					s.odd = append(s.odd, data[:min(len(data), mostQuoted)]...)
				}
				if !s.chunk.notice {
					s.strange++
				}
			}
		case err != nil: // the line was cut, and so was the stream
		default:
			return unexpected("an event", s.scanner.err(), data)
		}
		switch {
		case err == nil:
		case s.account.complete():
			return nil
		case err != io.EOF:
			return &loadgen.Error{Class: loadgen.ClassTruncated, Err: err}
		case s.account.begun == 0 && !s.isStream(head):
			return noStream(head, s.events.odd)
		case s.account.begun == 0 && s.strange > 1:
			return s.unanswered() // what it says, it says in another way, as the servers' own endpoints do
		default:
			if err := s.strayed(); err != nil {
				return err
			}
			err := errors.New("the stream ended with neither [DONE] nor a finish_reason" + s.aside())
			return &loadgen.Error{Class: loadgen.ClassTruncated, Err: err}
		}
	}
}

// scan reads an event.
func (s *streamReader) scan(data []byte) bool {
	if s.typed {
		return s.scanner.scanResponse(data, &s.chunk)
	}
	return s.scanner.scan(data, &s.chunk)
}

// unanswered is a stream that ended as if it were complete, without any choice.
func (s *streamReader) unanswered() error {
	if err := s.strayed(); err != nil {
		return err
	}
	return protocolError("the stream ended without any choice%s", s.aside())
}

// aside quotes what was said and not understood: lines between events, or else an event; of an answer of which nothing
// is understood, an event first.
func (s *streamReader) aside() string {
	said := s.events.odd
	if len(s.odd) > 0 && (s.account.begun == 0 || len(said) == 0) {
		said = s.odd
	}
	if len(said) == 0 {
		return ""
	}
	return ", having said " + excerpt(said)
}

// strayed is a complaint that stands in the stream without any field, nil: there is none. A server that writes its
// answers and its errors in different places does so when an answer has begun:
//
//	{"error":"an error was encountered while running the model: unexpected EOF"}
//
// A piece of the answer that stands there is one too, since what was counted lacks it: a reader of events drops the
// line as a field that it does not know.
//
//	 data: {"choices":[{"index":0,"text":" a"}]}
//	Data: {"choices":[{"index":0,"text":" a"}]}
func (s *streamReader) strayed() error {
	for line := range bytes.Lines(s.events.odd) {
		line = line[max(bytes.IndexByte(line, '{'), 0):]
		if s.scan(line) {
			if err := s.chunk.complaint(line); err != nil {
				return err
			}
			if s.chunk.choices > 0 {
				return protocolError("a piece of the answer is in no event of the stream: %s", excerpt(line))
			}
		}
	}
	if s.scanner.scan(s.events.odd, &s.chunk) { // one in several lines
		return s.chunk.complaint(s.events.odd)
	}
	return nil
}

// reason is what an event says that is an error by its name.
func reason(data []byte) string {
	if falsy(data) {
		return "it gives no reason"
	}
	return complaint(data)
}

// isStream reports whether an answer without any choice was one of events: by what it said, or else by what it is said
// to be. Lines of another kind of text may look like fields, as in a page with a style sheet.
func (s *streamReader) isStream(head http.Header) bool {
	kind := head.Get("Content-Type")
	said := strings.HasPrefix(strings.ToLower(kind), "text/event-stream")
	switch {
	case said:
		return s.events.understood || len(s.events.odd) == 0
	case s.events.understood:
		return len(s.events.odd) == 0
	}
	empty := head.Get("Content-Length") == "0" || s.account.r.Status == http.StatusNoContent
	return kind == "" && len(s.events.odd) == 0 && !empty
}
