package openai

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// accepting is a server that accepts connections and says nothing.
func accepting(t *testing.T) (address string, accepted chan net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	accepted = make(chan net.Conn, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	return listener.Addr().String(), accepted
}

func linesTo(address string) *lines { return newLines(&url.URL{Scheme: "http", Host: address}, nil) }

// A connection that has waited for 4 s is not used any more, because the server may be about to drop it: it is closed,
// and another is made. Nor is one that the server has dropped already.
func TestConnectionsThatWaitedTooLong(t *testing.T) {
	address, accepted := accepting(t)
	s := linesTo(address)
	ctx := context.Background()
	servers := map[string]net.Conn{}
	accept := func(n int) {
		for range n {
			conn := <-accepted
			servers[conn.RemoteAddr().String()] = conn
		}
	}
	name := func(l *line) string { return l.conn.LocalAddr().String() }
	closed := func(conn net.Conn) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // so that a hang is an error
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("the connection is not closed: %v", err)
		}
	}
	open := func(want int) {
		t.Helper()
		if err := s.open(ctx, want); err != nil || len(s.idle) != want {
			t.Fatalf("%d idle, %v", len(s.idle), err)
		}
	}
	open(3)
	accept(3)
	fresh, old := s.idle[2], slices.Clone(s.idle[:2])
	for _, l := range s.idle {
		l.since = l.since.Add(time.Hour) // not too long ago before the test is over
	}
	var dropped []net.Conn // the servers' ends
	for _, l := range old {
		l.since = time.Now().Add(-idleLimit)
		dropped = append(dropped, servers[name(l)])
	}
	l, _, err := s.take(ctx)
	if err != nil || l != fresh {
		t.Fatalf("%v, want the connection that has not waited too long", err)
	}
	for _, conn := range dropped {
		closed(conn)
	}
	s.put(l)
	l.since = l.since.Add(time.Hour)

	// The next level has as many as it needs, of those that are as good as new.
	open(3)
	accept(2)
	if s.idle[0] != fresh {
		t.Error("a good connection was not kept")
	}
	for _, l := range s.idle {
		servers[name(l)].Close()
		_, _ = l.conn.Read(make([]byte, 1)) // until the end has come
	}
	idle := slices.Clone(s.idle)
	if l, _, err = s.take(ctx); err != nil || slices.Contains(idle, l) && kernelLooks {
		t.Fatalf("%v, want a new connection", err)
	}
	l.close()
	s.close()
}

// kernelLooks says whether netstamp looks for the end of a connection on this system.
const kernelLooks = runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64")

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// Through a proxy no connections are made ahead: not to the server, which may be out of reach, nor to the proxy.
func TestOpenBehindAProxy(t *testing.T) {
	opened, asked := make(chan struct{}, 100), make(chan string, 100)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	proxy.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened <- struct{}{}
		}
	}
	proxy.Start()
	defer proxy.Close()
	at, _ := url.Parse(proxy.URL)
	for _, server := range []string{"http://server.invalid", "https://server.invalid"} {
		target, err := newTarget(Config{URL: server, Model: "m", Workload: workload.RandomTokens{Input: 1, Output: 1}},
			http.ProxyURL(at))
		if err != nil {
			t.Fatal(err)
		}
		if err := target.Open(context.Background(), 5); err != nil || len(opened) != 0 {
			t.Fatalf("%s: %d connections, %v", server, len(opened), err)
		}
		r, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 1, Requests: 1}, target)
		if err != nil || r.Accounting.Failed != 1 || len(opened) != 1 {
			t.Errorf("%s: %+v, %d connections, %v", server, r.Accounting, len(opened), err)
		}
		<-opened
		target.Close()
	}
	// Inside TLS the proxy is asked to connect, and nothing else.
	if first, second := <-asked, <-asked; first != "http://server.invalid/v1/completions" ||
		second != "//server.invalid:443" {
		t.Errorf("the proxy was asked for %q and %q", first, second)
	}
}
