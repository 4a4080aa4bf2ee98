package loadgentest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// errSpoiled is what a handler's Writes get once the answer has broken off.
var errSpoiled = errors.New("loadgentest: the answer broke off, as ordered")

// spoiler is the ResponseWriter of a handler whose answer is to go wrong. A
// stream is passed on event by event, an answer that is not streamed is collected
// until finish. It has no Unwrap: nothing must get past it.
type spoiler struct {
	w       http.ResponseWriter
	flusher *http.ResponseController
	ctx     context.Context // the request's
	fault   Fault
	count   func()

	began   bool   // the status is known
	pass    bool   // an error already: not to be touched
	stream  bool   // else whole
	status  int    // of a whole answer
	pending []byte // of an event that is not complete yet, or the whole answer
	chunks  int    // content chunks passed on
	counted bool
	kept    string // of chunks to be merged
	held    []byte // events that are held back
	over    error  // not nil: nothing more goes out
}

func (s *spoiler) Header() http.Header { return s.w.Header() }

func (s *spoiler) WriteHeader(status int) {
	if s.began {
		return
	}
	s.began = true
	s.status = status
	s.pass = status != http.StatusOK
	s.stream = strings.HasPrefix(s.Header().Get("Content-Type"), "text/event-stream")
	if s.pass || s.stream { // the length of a whole answer may change: its header waits
		s.w.WriteHeader(status)
	}
}

func (s *spoiler) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	if s.pass {
		return s.w.Write(b)
	}
	if s.over != nil {
		return 0, s.over
	}
	s.pending = append(s.pending, b...)
	if !s.stream {
		return len(b), nil
	}
	rest := s.pending
	for s.over == nil {
		end := bytes.Index(rest, []byte("\n\n"))
		if end < 0 {
			break
		}
		if err := s.event(rest[:end+2]); err != nil {
			s.over = err
		}
		rest = rest[end+2:]
	}
	s.pending = append(s.pending[:0], rest...)
	if s.over != nil {
		return 0, s.over
	}
	return len(b), nil
}

// FlushError is what [http.ResponseController] prefers to Flush.
func (s *spoiler) FlushError() error {
	s.WriteHeader(http.StatusOK)
	if s.over != nil {
		return s.over
	}
	if !s.pass && !s.stream || len(s.held) > 0 { // collected: there is nothing to flush
		return nil
	}
	return s.flusher.Flush()
}

// strike counts the request, once.
func (s *spoiler) strike() {
	if !s.counted {
		s.counted = true
		s.count()
	}
}

// part is what a fault needs to know of an event.
type part struct {
	Choices []struct {
		Text  string
		Delta struct {
			Content          string
			ReasoningContent string `json:"reasoning_content"`
			Reasoning        string
			ToolCalls        []json.RawMessage `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
}

// read tells whether an event's data holds content, and whether it ends the answer.
func read(data []byte) (content, end bool) {
	if string(data) == "[DONE]" {
		return false, true
	}
	var p part
	_ = json.Unmarshal(data, &p) // no JSON has neither
	for _, c := range p.Choices {
		d := c.Delta
		content = content || c.Text != "" || d.Content != "" || d.ReasoningContent != "" || d.Reasoning != "" ||
			len(d.ToolCalls) > 0
		end = end || c.FinishReason != ""
	}
	return content, end
}

// event passes on an event, or does in its place what was ordered.
func (s *spoiler) event(e []byte) error {
	data, ok := bytes.CutPrefix(bytes.TrimRight(e, "\r\n"), []byte("data:"))
	if !ok { // a comment, say
		return s.send(e)
	}
	data = bytes.TrimLeft(data, " ")
	content, end := read(data)
	if s.fault.Kind.ofContent() {
		return s.edit(e, data, content, end)
	}
	switch s.fault.Kind {
	case FaultNoUsage, FaultWrongUsage:
		data, changed := s.usage(data)
		if !changed {
			return s.send(e)
		}
		s.strike()
		if data == nil { // there was nothing else in it
			return nil
		}
		return s.send([]byte("data: " + string(data) + "\n\n"))
	case FaultSlow:
		if !content {
			return s.send(e)
		}
		s.strike()
		if err := s.wait(); err != nil {
			return err
		}
		if err := s.send(e); err != nil { // one by one, also those that came together
			return err
		}
		return s.flusher.Flush()
	}
	if s.counted || !end && (!content || s.chunks < s.fault.After) {
		if content {
			s.chunks++
		}
		return s.send(e)
	}
	s.strike()
	switch s.fault.Kind {
	case FaultStall:
		_ = s.flusher.Flush() // where it cannot, the client waits for a little more
		<-s.ctx.Done()
		return context.Cause(s.ctx)
	case FaultReset:
		_ = s.flusher.Flush()
		hangUp(s.w, true)
	case FaultGarbage:
		return s.send([]byte("data: " + garbage + "\n\n"))
	case FaultErrorEvent:
		lines := "data: " + errorEvent
		if strings.HasPrefix(s.fault.Text, "{") {
			lines = "data: " + s.fault.Text
		} else if s.fault.Text != "" {
			lines = s.fault.Text
		}
		if err := s.send([]byte(lines + "\n\ndata: [DONE]\n\n")); err != nil {
			return err
		}
	}
	return errSpoiled
}

const (
	garbage    = `{"id":"cmpl-\x00","choices":[{"index":0,"text":]}`
	errorEvent = `{"error":{"message":"An error to order: EngineCore encountered an issue.",` +
		`"type":"InternalServerError","param":null,"code":500}}`
)

// finish does what is left when the handler has returned.
func (s *spoiler) finish() {
	switch {
	case s.pass || s.over != nil:
		return
	case s.stream: // what is no event
		_ = s.send(s.pending)
		return
	case !s.began: // a handler that wrote nothing
		return
	}
	body := s.pending
	declare := func() { s.w.Header().Set("Content-Length", strconv.Itoa(len(body))) }
	switch s.fault.Kind {
	case FaultNoUsage, FaultWrongUsage:
		if edited, changed := s.usage(body); changed {
			body = edited
			s.strike()
		}
	case FaultSlow:
		s.strike()
		if s.wait() != nil {
			return
		}
	case FaultGarbage:
		s.strike()
		body = []byte(garbage)
	case FaultErrorEvent:
		s.strike()
		body = []byte(errorEvent)
		if strings.HasPrefix(s.fault.Text, "{") {
			body = []byte(s.fault.Text)
		}
	case FaultStall, FaultTruncate, FaultReset:
		declare() // of all, of which half comes: net/http closes the connection
		s.strike()
		_ = s.send(body[:len(body)/2])
		if s.fault.Kind == FaultTruncate {
			return
		}
		_ = s.flusher.Flush()
		if s.fault.Kind == FaultReset {
			hangUp(s.w, true)
			return
		}
		<-s.ctx.Done()
		return
	}
	if s.fault.Kind.ofContent() {
		body = s.editWhole(body)
	}
	declare()
	_ = s.send(body) // the client is gone: nobody is left to be told
}

func (s *spoiler) send(b []byte) error {
	_, err := s.w.Write(b)
	return err
}

// wait takes the ordered time.
func (s *spoiler) wait() error {
	var a alarm
	defer a.stop()
	return a.wait(s.ctx, time.Now().Add(s.fault.Delay))
}

// usage takes the usage out of a chunk or a whole answer, or changes it. changed
// is false where there is none. What is left without content is nil.
func (s *spoiler) usage(data []byte) (edited []byte, changed bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil || len(all["usage"]) == 0 || string(all["usage"]) == "null" {
		return nil, false
	}
	if s.fault.Kind == FaultNoUsage {
		delete(all, "usage")
		if string(all["choices"]) == "[]" {
			return nil, true
		}
	} else {
		var u map[string]json.RawMessage
		if json.Unmarshal(all["usage"], &u) != nil {
			return nil, false
		}
		off := s.fault.Tokens
		if off == 0 {
			off = 1
		}
		for _, name := range []string{"completion_tokens", "total_tokens"} {
			if n, err := strconv.Atoi(string(u[name])); err == nil {
				u[name] = strconv.AppendInt(nil, int64(n+off), 10)
				changed = true
			}
		}
		if !changed {
			return nil, false
		}
		all["usage"], _ = json.Marshal(u) // of JSON: cannot fail
	}
	edited, _ = json.Marshal(all) // of JSON: cannot fail
	return edited, true
}
