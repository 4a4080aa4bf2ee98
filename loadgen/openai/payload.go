package openai

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// A payload is the body of one request, in memory that is used again. An HTTP client may still be sending it after it
// has returned the response, and may send it twice; so the memory is free when the request is over and every reader
// has been closed.
type payload struct {
	memory  []byte       // room for a head, then the body
	json    []byte       // the body
	ids     bool         // the prompt is token ids
	chat    bool         // it goes to chat
	secure  bool         // by https://
	further Endpoint     // one that not every server has
	heard   *spoken      // what takes the text of the answer; nil: nobody wants it
	keeps   *kept        // what is kept of its answer; nil: nothing is
	users   atomic.Int32 // the request itself, and the readers that are open
}

var payloads = sync.Pool{New: func() any { return new(payload) }}

// newPayload returns an empty payload with room for a head of so many bytes in front of its body.
func newPayload(head int) *payload {
	p := payloads.Get().(*payload)
	p.memory = slices.Grow(p.memory[:0], head)[:head]
	p.json, p.heard, p.further, p.keeps = nil, nil, "", nil
	p.users.Store(1)
	return p
}

// behind returns the request that head and the body make together. head ends where the body's length belongs.
func (p *payload) behind(head []byte) []byte {
	const end = "\r\n\r\n"
	var digits [20]byte
	length := strconv.AppendInt(digits[:0], int64(len(p.json)), 10)
	at := len(p.memory) - len(p.json) - len(end)
	copy(p.memory[at:], end)
	at -= len(length)
	copy(p.memory[at:], length)
	at -= len(head)
	copy(p.memory[at:], head)
	return p.memory[at:]
}

// headRoom is the room that a head needs in front of a body.
func headRoom(head []byte) int { return len(head) + len("18446744073709551615\r\n\r\n") }

// attach makes p the body of a request.
func (p *payload) attach(request *http.Request) {
	request.ContentLength = int64(len(p.json))
	request.Body = p.open()
	request.GetBody = func() (io.ReadCloser, error) { return p.open(), nil }
}

func (p *payload) open() io.ReadCloser {
	p.users.Add(1)
	r := &payloadReader{of: p}
	r.in.Reset(p.json)
	return r
}

func (p *payload) release() {
	if p.users.Add(-1) == 0 {
		payloads.Put(p)
	}
}

// A payloadReader reads nothing once it is closed, which it may be more than once and while it is read.
type payloadReader struct {
	mu sync.Mutex
	in bytes.Reader
	of *payload // nil: closed
}

func (r *payloadReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	return r.in.Read(b)
}

func (r *payloadReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of != nil {
		r.in.Reset(nil)
		r.of.release()
		r.of = nil
	}
	return nil
}
