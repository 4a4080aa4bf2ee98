package openai_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/busy"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A buffering proxy passes on what its handler writes when it has so many bytes, or all of it, whatever is flushed
// before.
type buffering struct {
	http.Handler
	bytes int
}

func (b buffering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	held := &heldBack{ResponseWriter: w, bytes: b.bytes}
	b.Handler.ServeHTTP(held, r)
	held.pass()
}

type heldBack struct {
	http.ResponseWriter
	bytes int
	held  []byte
}

func (h *heldBack) Write(p []byte) (int, error) {
	if h.held = append(h.held, p...); len(h.held) >= h.bytes {
		h.pass()
	}
	return len(p), nil
}

func (h *heldBack) FlushError() error { return nil }

func (h *heldBack) pass() {
	_, _ = h.ResponseWriter.Write(h.held)
	_ = http.NewResponseController(h.ResponseWriter).Flush()
	h.held = h.held[:0]
}

// What a proxy on the way holds back is told over real sockets, whether or not the server stamps its chunks; a server
// that answers at once, and one that takes its time, are let be.
func TestProxyThatBuffers(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		paced       bool // 5 ms a chunk, after 50; else all at once
		bytes       int  // that the proxy holds back; 0: there is none
		concurrency int
		want        func(b loadgen.Bunching) int // how many are told
	}{
		"no proxy":         {true, 0, 4, nil},
		"at once":          {false, 0, 1, nil},
		"at once, several": {false, 0, 8, nil},
		"4 KB":             {true, 4096, 4, func(b loadgen.Bunching) int { return b.Bunched }},
		"the whole answer": {true, 1 << 20, 4, func(b loadgen.Bunching) int { return b.Whole }},
	} {
		for _, unstamped := range []bool{false, true} {
			if c.want == nil && !unstamped {
				continue // its own stamps would excuse it
			}
			how := map[bool]string{false: "stamped", true: "unstamped"}[unstamped]
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				echo := &loadgentest.Echo{Unstamped: unstamped}
				if c.paced {
					echo.FirstToken, echo.Gap = 50*ms, 5*ms
				}
				var handler http.Handler = echo
				if c.bytes > 0 {
					handler = buffering{echo, c.bytes}
				}
				server := serve(t, handler)
				target := newTarget(t, openai.Config{URL: server.URL,
					Workload: workload.RandomTokens{Input: 4, Output: 64}})
				busy.Check(t, func(f *busy.Faults) {
					r, _ := measure(t, loadgen.Level{Concurrency: c.concurrency, Requests: 12}, target)
					if got := hasWarning(r, loadgen.WarnBunched); got != (c.want != nil) {
						f.Addf("warned: %t, %+v, %v", got, r.Bunching, r.Warnings)
					}
					if c.want != nil && c.want(r.Bunching) < 8 { // of 12: a busy machine bends some
						f.Addf("%+v", r.Bunching)
					}
				})
			})
		}
	}
}
