package openai_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// The level's end cuts short what is in flight.
func TestCancelled(t *testing.T) {
	noGoroutineIsLeft(t, func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		server := httptest.NewServer(answers(func(w http.ResponseWriter, r *http.Request) {
			sends(w, event)
			cancel()
			<-r.Context().Done()
		}))
		defer server.Close()
		target := newTarget(t, openai.Config{URL: server.URL})
		defer target.Close()
		result, err := loadgen.Measure(ctx, loadgen.Level{Concurrency: 1, Requests: 5}, target)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if want := (loadgen.Accounting{Issued: 1, Cancelled: 1}); result.Accounting != want {
			t.Errorf("accounting %+v, want %+v", result.Accounting, want)
		}
	})
}

// connections counts what a server sees.
type connections struct {
	mu         sync.Mutex
	made, open int
}

func (c *connections) watch(_ net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.made++
		c.open++
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
}

func (c *connections) counts() (made, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made, c.open
}

// A level at concurrency C makes C connections and no more, whatever the answers are, and Close drops them.
func TestConnectionsAreKept(t *testing.T) {
	const concurrency, requests = 5, 40
	for _, test := range []struct {
		name   string
		config openai.Config
		h      http.Handler
	}{
		{"streamed", openai.Config{}, &loadgentest.Echo{}},
		{"whole", openai.Config{Whole: true}, &loadgentest.Echo{}},
		{"refused", openai.Config{Model: "wrong"}, &loadgentest.Simulated{}},
		{"refused without a word", openai.Config{}, answers(func(w http.ResponseWriter,
			r *http.Request) {
			w.WriteHeader(503)
		})},
		{"the end comes in pieces", openai.Config{}, answers(func(w http.ResponseWriter, r *http.Request) {
			sends(w, event+"data: [DONE]\n")
			time.Sleep(2 * time.Millisecond) // for the client to have seen that
			sends(w, "\n")
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			// The requests of a level's first wave wait for each other, so that none has a connection to leave to
			// another.
			var waves [2]sync.WaitGroup
			waves[0].Add(concurrency)
			waves[1].Add(concurrency)
			var arrived atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if i := arrived.Add(1) - 1; i%requests < concurrency {
					waves[i/requests].Done()
					waves[i/requests].Wait()
				}
				test.h.ServeHTTP(w, r)
			}))
			var seen connections
			server.Config.ConnState = seen.watch
			server.Start()
			defer server.Close()
			test.config.URL = server.URL
			target := newTarget(t, test.config)
			for _, want := range []int{concurrency, 0} { // the second level finds them all idle
				_, all := measure(t, loadgen.Level{Concurrency: concurrency, Requests: requests}, target)
				fresh := 0
				for _, q := range all {
					if q.NewConn {
						fresh++
					}
				}
				if made, _ := seen.counts(); made != concurrency || fresh != want || len(all) != requests {
					t.Errorf("%d connections, %d requests of %d on new ones; want %d, %d", made, fresh, len(all),
						concurrency, want)
				}
			}
			target.Close()
			eventually(t, "all connections closed", func() bool { _, open := seen.counts(); return open == 0 })
		})
	}
}

// A connection that the server has dropped has a class of its own: it is not the server's answer that was cut. Once
// there is a byte of an answer, it is.
func TestStaleConnection(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks func(w http.ResponseWriter)
		want   loadgen.Class
		is     error
	}{
		{"reset", func(w http.ResponseWriter) { breaks(w, true) }, loadgen.ClassStale, syscall.ECONNRESET},
		{"closed", func(w http.ResponseWriter) { breaks(w, false) }, loadgen.ClassStale, io.EOF},
		{"closed inside the header", func(w http.ResponseWriter) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 200")
			conn.Close()
		}, loadgen.ClassTruncated, io.ErrUnexpectedEOF},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%v", c.name, secure), func(t *testing.T) {
				var arrived atomic.Int64
				server := httptest.NewUnstartedServer(answers(func(w http.ResponseWriter, r *http.Request) {
					if arrived.Add(1) > 1 {
						c.breaks(w)
						return
					}
					sends(w, event+"data: [DONE]\n\n")
				}))
				config := openai.Config{}
				if secure {
					server.StartTLS()
					config.TLS = trusts(server)
				} else {
					server.Start()
				}
				defer server.Close()
				config.URL = server.URL
				_, all := measure(t, loadgen.Level{Concurrency: 1, Requests: 2}, newTarget(t, config))
				if all[0].err != nil {
					t.Fatal(all[0].err)
				}
				if q := all[1]; q.err == nil || q.NewConn || q.err.Class != c.want || !errors.Is(q.err, c.is) {
					t.Errorf("got %v", q.err)
				}
			})
		}
	}
}

// A server that says [DONE] and then keeps the answer open must not keep the slot: the request is over.
func TestAnswerLeftOpen(t *testing.T) {
	noGoroutineIsLeft(t, func() {
		server := httptest.NewServer(answers(func(w http.ResponseWriter, r *http.Request) {
			sends(w, event+"data: [DONE]\n\n")
			<-r.Context().Done() // until the client goes away
		}))
		defer server.Close()
		target := newTarget(t, openai.Config{URL: server.URL})
		defer target.Close()
		result, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 3}, target) // without a timeout
		if want := (loadgen.Accounting{Issued: 3, Completed: 3}); result.Accounting != want {
			t.Errorf("accounting %+v, want %+v; %v", result.Accounting, want, result.Errors)
		}
	})
}
