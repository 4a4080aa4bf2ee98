package openai

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
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

// A connection that has waited for 4 s is not handed out, because the server may be about to drop it: it is closed, and
// another is made.
func TestConnectionsThatWaitedTooLong(t *testing.T) {
	address, accepted := accepting(t)
	c := &connections{tls: newTLS(nil)}
	ctx := context.Background()
	age := func(i int, by time.Duration) { c.idle[i].since = c.idle[i].since.Add(-by) }
	closed := func(conn net.Conn) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // so that a hang is an error
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("the connection is not closed: %v", err)
		}
	}
	if err := c.open(ctx, address, false, 3); err != nil {
		t.Fatal(err)
	}
	servers := map[string]net.Conn{}
	for range 3 {
		conn := <-accepted
		servers[conn.RemoteAddr().String()] = conn
	}
	first, second, third := c.idle[0].LocalAddr().String(), c.idle[1].LocalAddr().String(), c.idle[2].LocalAddr().String()
	age(0, idleLimit)
	age(1, idleLimit)
	age(2, idleLimit-time.Minute) // not before the test is over
	conn, err := c.DialContext(ctx, "tcp", address)
	if err != nil || conn.LocalAddr().String() != third {
		t.Fatalf("%v, want the connection that has not waited too long", err)
	}
	conn.Close()
	closed(servers[first])
	closed(servers[second])
	if len(c.idle) != 0 || c.made != 1 {
		t.Errorf("%d idle, %d made", len(c.idle), c.made)
	}

	// The next level has as many as it needs, of those that are as good as new.
	if err := c.open(ctx, address, false, 3); err != nil || len(c.idle) != 2 {
		t.Fatalf("%d idle, %v", len(c.idle), err)
	}
	age(0, idleLimit)
	age(1, idleLimit)
	old := c.idle[1].LocalAddr().String()
	conn, err = c.DialContext(ctx, "tcp", address)
	if err != nil || conn.LocalAddr().String() == old {
		t.Fatalf("%v, want a new connection", err)
	}
	conn.Close()
	for range 3 {
		(<-accepted).Close()
	}
}

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
		target, err := New(Config{URL: server, Model: "m", Workload: RandomTokens{Input: 1, Output: 1}})
		if err != nil {
			t.Fatal(err)
		}
		target.owned.Proxy = http.ProxyURL(at)
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
	if first, second := <-asked, <-asked; first != "http://server.invalid/v1/completions" || second != "//server.invalid:443" {
		t.Errorf("the proxy was asked for %q and %q", first, second)
	}
}
