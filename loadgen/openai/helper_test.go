package openai_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// serve serves h until the test is over.
func serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// trusts is the configuration of a client that knows a server's certificate.
func trusts(server *httptest.Server) *tls.Config {
	return server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}

// quiet is where a server complains of clients that are wrong on purpose.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// connecting counts the connections that a server accepts.
func connecting(n *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			n.Add(1)
		}
	}
}

// class is that of an error, "" where it has none.
func class(err error) loadgen.Class {
	if e, ok := errors.AsType[*loadgen.Error](err); ok {
		return e.Class
	}
	return ""
}

func newTarget(t testing.TB, c openai.Config) *openai.Target {
	t.Helper()
	if c.Model == "" {
		c.Model = "m"
	}
	if c.Workload == nil && c.Conversations == nil {
		c.Workload = workload.RandomTokens{Input: 7, Output: 5}
	}
	target, err := openai.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	return target
}

// request is a Record that may be kept.
type request struct {
	loadgen.Record
	chunks []loadgen.Chunk
	err    *loadgen.Error
}

// measure returns the result and every request, in the order in which they ended. That the books close is checked by
// Measure itself.
func measure(t testing.TB, l loadgen.Level, target loadgen.Target) (*loadgen.Result, []request) {
	t.Helper()
	var all []request
	g := loadgen.Generator{Target: target, Observers: []loadgen.Observer{{Record: func(r *loadgen.Record,
		err *loadgen.Error) {
		all = append(all, request{*r, slices.Collect(r.Chunks()), err})
	}}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // so that a hang is an error
	defer cancel()
	result, err := g.Measure(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	return result, all
}

// measureOne returns the only request of a level.
func measureOne(t testing.TB, target loadgen.Target) request {
	t.Helper()
	_, all := measure(t, loadgen.Level{Concurrency: 1, Requests: 1}, target)
	return all[0]
}

// eventually waits for what other goroutines are about to do. It gives up before idle connections go by themselves, so
// that it is the code that has to close them.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 300 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: never", what)
}

// noGoroutineIsLeft runs test and waits until there are no more goroutines than before.
func noGoroutineIsLeft(t *testing.T, test func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	test()
	eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
	if t.Failed() {
		stacks := make([]byte, 1<<20)
		t.Logf("%s", stacks[:runtime.Stack(stacks, true)])
	}
}

func hasWarning(r *loadgen.Result, code string) bool {
	return slices.ContainsFunc(r.Warnings, func(w loadgen.Warning) bool { return w.Code == code })
}

func figureN(r *loadgen.Result, name string) int {
	f, _ := r.Figure(name)
	return f.N
}

// event is a chunk of a completions stream.
const event = `data: {"choices":[{"index":0,"text":" a","finish_reason":null}]}` + "\n\n"

func containsAny(s string, parts []string) (string, bool) {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return part, true
		}
	}
	return "", false
}

// bodyOf is the body of a request, "" where it cannot be read.
func bodyOf(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return string(body)
}

func readCloser(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
