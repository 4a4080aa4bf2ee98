package openai

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// Bounds on what a server may send. Past them the answer is no answer.
const (
	maxLine  = 16 << 20 // bytes of one event
	maxWhole = 64 << 20 // bytes of an answer in one piece

	// mostQuoted bounds, in bytes, what an error quotes of an answer. It is more than anybody wants to read, because
	// secrets are taken out afterwards (secrets.clean), and one that was cut in two would not be found.
	mostQuoted = 32 << 10
)

// answer is what matters in a chunk of a stream, and in an answer that comes whole.
type answer struct {
	Choices []choice `json:"choices"`
	Usage   *struct {
		PromptTokens     *int `json:"prompt_tokens"`
		CompletionTokens *int `json:"completion_tokens"`
	} `json:"usage"`
	Error      json.RawMessage `json:"error"`
	Servegauge *stamp          `json:"servegauge"`
}

// stamp is what a server with a known truth says of itself (package loadgentest), in Unix nanoseconds.
type stamp struct {
	Received int64 `json:"received"`
	Sent     int64 `json:"sent"`
}

type choice struct {
	Index        int    `json:"index"` // not 0 only where the user asked for several
	Text         string `json:"text"`
	Delta        delta  `json:"delta"`
	FinishReason string `json:"finish_reason"`
}

type delta struct {
	Content          string            `json:"content"`
	ReasoningContent string            `json:"reasoning_content"`
	Reasoning        string            `json:"reasoning"`
	ToolCalls        []json.RawMessage `json:"tool_calls"`
}

// hasContent tells a token from a chunk that only opens or closes the answer.
func (c *choice) hasContent() bool {
	return c.Text != "" || c.Delta.Content != "" || c.Delta.ReasoningContent != "" || c.Delta.Reasoning != "" || len(c.Delta.ToolCalls) > 0
}

// count takes over what the server says of itself.
func (a *answer) count(r *loadgen.Record) error {
	// A usage without one of the counts leaves it unknown, which is not 0.
	if u := a.Usage; u != nil && u.PromptTokens != nil && u.CompletionTokens != nil {
		if *u.PromptTokens < 0 || *u.CompletionTokens < 0 {
			return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("usage counts %d and %d tokens", *u.PromptTokens, *u.CompletionTokens)}
		}
		r.Counted = true
		r.Input, r.Output = *u.PromptTokens, *u.CompletionTokens
	}
	if a.Servegauge != nil {
		r.Received = a.Servegauge.Received
	}
	return nil
}

func (a *answer) failure() error {
	if len(a.Error) == 0 || string(a.Error) == "null" {
		return nil
	}
	return &loadgen.Error{Class: loadgen.ClassServer, Err: errors.New(complaint(a.Error))}
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
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return unexpected("the answer", err, text)
	}
	if err := a.failure(); err != nil {
		return err
	}
	if len(a.Choices) == 0 {
		return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("the answer has no choices: %s", excerpt(text))}
	}
	return a.count(r)
}

func unexpected(what string, err error, text []byte) error {
	return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("%s is not what was expected: %s: %s", what, excerpt([]byte(err.Error())), excerpt(text))}
}

// stamped notes when each read returned that brought something. (One that brings only the end says nothing of when the
// data before it came.)
type stamped struct {
	from    io.Reader
	r       *loadgen.Record
	at      time.Duration // when the client had it
	arrived time.Duration // when the kernel had it, 0: not known
}

func (s *stamped) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if n > 0 {
		s.at, s.arrived = s.r.Now(), 0
		if body, ok := s.from.(*stampedBody); ok {
			s.arrived = body.arrival(s.r)
		}
	}
	return n, err
}

// came is when it came, by the best clock that there is.
func (s *stamped) came() time.Duration {
	if s.arrived != 0 {
		return s.arrived
	}
	return s.at
}

// stampedBody is the body of an answer whose connection knows when the kernel received it.
type stampedBody struct {
	io.Reader
	exchange netstamp.Exchange
}

// arrival is when the kernel had what was read last, 0 where it is not known.
func (b *stampedBody) arrival(r *loadgen.Record) time.Duration {
	a, ok := b.exchange.Arrival()
	if !ok || !a.Known {
		return 0
	}
	return r.At(a.Seen) - a.Lag
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// readStream reads server-sent events until the stream ends. It is complete when the server said so: by [DONE], or by
// a finish_reason for every choice. A connection that closes cleanly without either was cut.
func readStream(body io.Reader, r *loadgen.Record) error {
	source := &stamped{from: body, r: r}
	in := readers.Get().(*bufio.Reader)
	in.Reset(source)
	defer func() {
		in.Reset(nil)
		readers.Put(in)
	}()

	var begun, finished uint64 // choices, a bit each, by their index
	var last time.Duration     // the last chunk with a choice, for a stream in which no choice had content
	var long []byte
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > maxLine {
				return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("an event is longer than %d MiB", maxLine>>20)}
			}
			continue
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
			long = long[:0]
		}
		// The end of this line lay in the latest read, so that is when the line was complete.
		came := source.came()
		data, ok := eventData(line)
		if ok && string(data) == "[DONE]" {
			if begun == 0 {
				return &loadgen.Error{Class: loadgen.ClassProtocol, Err: errors.New("the stream ended without any choice")}
			}
			endStream(r, last)
			return nil
		}
		var a answer
		if ok {
			wrong := json.Unmarshal(data, &a)
			if ok = wrong == nil; !ok && err == nil {
				return unexpected("an event", wrong, data)
			} // else the line was cut, and so was the stream
		}
		if ok {
			if err := a.failure(); err != nil {
				return err
			}
			if err := a.count(r); err != nil {
				return err
			}
			if len(a.Choices) > 0 {
				last = came
				if r.Opened == 0 {
					r.Opened = came
				}
			}
			content := false
			for i := range a.Choices {
				content = content || a.Choices[i].hasContent()
				bit := uint64(1) << (a.Choices[i].Index & 63)
				begun |= bit
				if a.Choices[i].FinishReason != "" {
					finished |= bit
				}
			}
			if content {
				chunk := loadgen.Chunk{Seen: source.at, Arrived: source.arrived}
				if a.Servegauge != nil {
					chunk.Sent = a.Servegauge.Sent
				}
				r.Chunk(chunk)
				r.Done = r.LastArrival()
			}
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
	if r.ChunkCount() == 0 {
		r.Done = max(last, r.Sent)
	}
}

// eventData is the data of a line of an event stream, and false for a line that has none: a comment, an empty line,
// another field.
func eventData(line []byte) ([]byte, bool) {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return nil, false
	}
	data = bytes.TrimSpace(data)
	return data, len(data) > 0
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
