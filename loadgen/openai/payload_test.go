package openai_test

import (
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// long is a workload of long prompts that say themselves what they hold.
type long struct{}

func (long) Prompt(i int, p *workload.Prompt) error {
	for range 50_000 + i {
		p.Tokens = append(p.Tokens, i)
	}
	p.Output = i + 1
	return nil
}

// Every third server answer comes before the body has been read, so that the connection may still be sending it when
// the request is over; its memory must not be written to by then.
func TestBodiesAreNotUsedAgainTooEarly(t *testing.T) {
	var n, bad atomic.Int64
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%3 == 0 {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		text, err := io.ReadAll(r.Body)
		var q struct {
			Prompt    []int
			MaxTokens int `json:"max_tokens"`
		}
		if err == nil {
			err = json.Unmarshal(text, &q)
		}
		ok := err == nil && len(q.Prompt) == 50_000+q.MaxTokens-1
		for _, id := range q.Prompt {
			ok = ok && id == q.MaxTokens-1
		}
		if !ok {
			bad.Add(1)
		}
		_, _ = io.WriteString(w, event+"data: [DONE]\n\n")
	}))
	r, _ := measure(t, loadgen.Level{Concurrency: 8, Requests: 120}, newTarget(t, openai.Config{URL: server.URL,
		Workload: long{}}))
	if bad.Load() > 0 {
		t.Errorf("%d bodies arrived as something else", bad.Load())
	}
	if got := r.Accounting; got.Completed < 70 {
		t.Errorf("%+v: %v", got, r.Errors)
	}
}

// What a request with a prompt of 2,048 token ids costs, the server's part included.
func BenchmarkLongPrompt(b *testing.B) {
	server := serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, event+"data: [DONE]\n\n")
	}))
	target := newTarget(b, openai.Config{URL: server.URL, Workload: workload.RandomTokens{Input: 2048, Output: 1}})
	b.ReportAllocs()
	b.ResetTimer()
	r, err := loadgen.Measure(b.Context(), loadgen.Level{Concurrency: 2, Requests: b.N}, target)
	if err != nil || r.Accounting.Completed != b.N {
		b.Fatal(err, r.Errors)
	}
}
