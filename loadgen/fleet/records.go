package fleet

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/loadgen"
)

// told are requests that are over, for the observers where the coordinator is. They go there some at a time, and after
// the fact: no request waits for them.
type told struct {
	Instance string        `json:"instance"`
	Seq      int           `json:"seq"` // from 0, one for each message
	Records  []toldRequest `json:"records"`
}

type toldRequest struct {
	Record []byte        `json:"r"`
	Class  loadgen.Class `json:"class,omitempty"` // "": it completed
	Status int           `json:"status,omitempty"`
	Error  string        `json:"error,omitempty"`
}

const (
	tellBytes = 64 << 10
	tellEvery = 200 * time.Millisecond
	mostError = 1000 // bytes of a request's error
)

// A teller is the worker's side: an observer of its requests.
type teller struct {
	conn    *nats.Conn
	subject string

	mu    sync.Mutex
	batch told
	bytes int
	since time.Time // of the first in the batch
}

func (t *teller) record(r *loadgen.Record, failure *loadgen.Error) {
	q := toldRequest{}
	q.Record, _ = r.AppendBinary(nil)
	if failure != nil {
		q.Class, q.Status, q.Error = failure.Class, failure.Status, cutText(failure.Err.Error(), mostError)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.batch.Records) == 0 {
		t.since = time.Now()
	}
	t.batch.Records = append(t.batch.Records, q)
	if t.bytes += len(q.Record) + len(q.Error); t.bytes >= tellBytes || time.Since(t.since) >= tellEvery {
		t.flush()
	}
}

// tick sends what has waited for long.
func (t *teller) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush()
}

// flush sends the batch. One that cannot be sent is missed by its number.
func (t *teller) flush() {
	if len(t.batch.Records) == 0 {
		return
	}
	if data, err := json.Marshal(t.batch); err == nil {
		_ = t.conn.Publish(t.subject, data)
	}
	t.batch.Seq++
	t.batch.Records, t.bytes = t.batch.Records[:0], 0
}

// A hearer is the coordinator's side. It calls the observers from one goroutine, that of its subscription.
type hearer struct {
	members map[string]bool
	record  []func(*loadgen.Record, *loadgen.Error)

	mu     sync.Mutex
	seen   map[string]map[int]bool // messages, by instance
	heard  int                     // requests
	closed bool
	broken []string
}

// hear takes a message. One that comes twice, or of one who has no part in the level, changes nothing.
func (h *hearer) hear(m *nats.Msg) {
	var t told
	if decode(m.Data, &t) != nil || !h.members[t.Instance] || t.Seq < 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.seen[t.Instance][t.Seq] {
		return
	}
	if h.seen[t.Instance] == nil {
		h.seen[t.Instance] = map[int]bool{}
	}
	h.seen[t.Instance][t.Seq] = true
	for _, q := range t.Records {
		var r loadgen.Record
		if r.UnmarshalBinary(q.Record) != nil {
			continue
		}
		var failure *loadgen.Error
		if q.Class != "" {
			failure = &loadgen.Error{Class: q.Class, Status: q.Status, Err: errors.New(cutText(q.Error, mostError))}
		}
		for i, observe := range h.record {
			if observe != nil && !guarded(func() { observe(&r, failure) }) {
				h.record[i] = nil
				h.broken = append(h.broken, "Record")
			}
		}
		h.heard++
	}
}

func (h *hearer) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heard
}

// close ends it: no observer is called any more.
func (h *hearer) close() (heard int, broken []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return h.heard, h.broken
}

// guarded calls code of the user's, and reports whether it returned without a panic.
func guarded(f func()) (ok bool) {
	defer func() { _ = recover() }()
	f()
	return true
}

// cutText is a text of at most n bytes, in UTF-8.
func cutText(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}
