package loadgentest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// recorder is a ResponseWriter that notes when each Write came, and after which
// ones the stream was flushed. httptest's records neither.
type recorder struct {
	header   http.Header
	status   int
	writes   []write
	flushed  int         // Flush calls
	onWrite  func(n int) // called after the n-th Write, from 1
	onFlush  func(n int) // called after the n-th Flush, from 1
	flushErr error
	err      error // of every Write, if any
}

type write struct {
	at      time.Time
	data    []byte
	flushed bool
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.err != nil {
		return 0, r.err
	}
	r.writes = append(r.writes, write{at: time.Now(), data: bytes.Clone(b)})
	if r.onWrite != nil {
		r.onWrite(len(r.writes))
	}
	return len(b), nil
}

// FlushError is what http.ResponseController prefers to Flush.
func (r *recorder) FlushError() error {
	r.WriteHeader(http.StatusOK)
	r.flushed++
	if n := len(r.writes); n > 0 {
		r.writes[n-1].flushed = true
	}
	if r.onFlush != nil {
		r.onFlush(r.flushed)
	}
	return r.flushErr
}

func (r *recorder) body() []byte {
	var b []byte
	for _, w := range r.writes {
		b = append(b, w.data...)
	}
	return b
}

// reply is every shape of answer in one.
type reply struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Index          int
		Text           string
		Delta, Message struct{ Role, Content string }
		FinishReason   *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
	Stamp *Stamp `json:"servegauge"`
	Error *struct {
		Message, Type string
		Param         *string
		Code          int
	}
}

// content is the text of a reply, whichever member it is in.
func (r reply) content() string {
	if len(r.Choices) == 0 {
		return ""
	}
	c := r.Choices[0]
	return c.Text + c.Delta.Content + c.Message.Content
}

func unmarshal(t testing.TB, b []byte) reply {
	t.Helper()
	var r reply
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("answer is no JSON: %v\n%s", err, b)
	}
	return r
}

// events splits a stream and requires that it ends with [DONE].
func events(t testing.TB, b []byte) []reply {
	t.Helper()
	parts := strings.Split(string(b), "\n\n")
	if n := len(parts); n < 2 || parts[n-1] != "" || parts[n-2] != "data: [DONE]" {
		t.Fatalf("stream does not end with [DONE]: …%q", b[max(0, len(b)-200):])
	}
	var rs []reply
	for _, p := range parts[:len(parts)-2] {
		data, ok := strings.CutPrefix(p, "data: ")
		if !ok {
			t.Fatalf("no data line: %q", p)
		}
		rs = append(rs, unmarshal(t, []byte(data)))
	}
	return rs
}

// post calls h without a network.
func post(ctx context.Context, h http.Handler, path, body string, r *recorder) *recorder {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	h.ServeHTTP(r, req)
	return r
}

const (
	completions = "/v1/completions"
	chat        = "/v1/chat/completions"
)
