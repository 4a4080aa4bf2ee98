package openai

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A connection that is found good when a level begins is not thereby a new one: the server counts from its last
// request.
func TestOpenDoesNotMakeConnectionsYounger(t *testing.T) {
	address, _ := accepting(t)
	s := linesTo(address)
	defer s.close()
	ctx := context.Background()
	if err := s.open(ctx, 1); err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(time.Minute) // not too long ago before the test is over
	s.idle[0].since = since
	if err := s.open(ctx, 1); err != nil || len(s.idle) != 1 || !s.idle[0].since.Equal(since) {
		t.Errorf("%d connections, idle since %v and not %v, %v", len(s.idle), s.idle[0].since, since, err)
	}
}

// Connections that a level does not need go while it runs, and not only when they are needed.
func TestConnectionsThatNobodyNeeds(t *testing.T) {
	address, _ := accepting(t)
	s := linesTo(address)
	defer s.close()
	ctx := context.Background()
	if err := s.open(ctx, 4); err != nil {
		t.Fatal(err)
	}
	for _, l := range s.idle[:3] {
		l.since = time.Now().Add(-idleLimit)
	}
	s.idle[3].since = time.Now().Add(time.Hour)
	old := slices.Clone(s.idle[:3])
	l, _, err := s.take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.put(l)
	if len(s.idle) != 1 {
		t.Errorf("%d connections, want the one that was used", len(s.idle))
	}
	for _, l := range old {
		if _, err := l.conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("one that was too old is open: %v", err)
		}
	}
}

// Tickets that a server sends after a TLS handshake are no reason to make the connection again.
func TestTicketsOnConnectionsMadeAhead(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert} // else the tickets come along with the handshake
	server.StartTLS()
	defer server.Close()
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1) // Go's server sends them only to those who want them
	u, _ := url.Parse(server.URL)
	s := newLines(u, config)
	defer s.close()
	if err := s.open(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	ahead := s.idle[0]
	for n := 0; kernelLooks && ahead.stamped.Quiet(); n++ {
		if n == 3000 {
			t.Fatal("no tickets came")
		}
		time.Sleep(time.Millisecond)
	}
	ahead.since = time.Now().Add(time.Hour)
	l, _, err := s.take(context.Background())
	if err != nil || l != ahead {
		t.Errorf("another connection, %v", err)
	}
	l.close()
}

// A request that was cancelled does not wait until a server that reads nothing has been told so.
func TestCancelledWithoutGoodbye(t *testing.T) {
	address, _ := accepting(t)
	target, err := New(Config{URL: "http://" + address, Model: "m",
		Workload: workload.RandomTokens{Input: 1, Output: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if err := target.Open(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l := target.lines.idle[0]
	said := false
	l.conn = polite{l.conn, &said}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := target.Do(ctx, 0, new(loadgen.Record)); err == nil {
		t.Error("no error")
	}
	if said {
		t.Error("the connection was closed with a goodbye")
	}
	if _, err := l.stamped.Write([]byte("x")); err == nil {
		t.Error("the connection is still there")
	}
}

// polite notes whether it is closed as TLS is.
type polite struct {
	net.Conn
	said *bool
}

func (p polite) Close() error {
	*p.said = true
	return p.Conn.Close()
}

// The zone of an IPv6 address is for dialling alone.
func TestHost(t *testing.T) {
	for raw, want := range map[string]string{
		"http://[fe80::1%25eth0]:8000": "[fe80::1]:8000", "http://[fe80::1%25eth0]": "[fe80::1]",
		"http://[::1]:8000": "[::1]:8000", "http://a:80": "a:80",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if head := string(requestHead(u, http.Header{})); !strings.Contains(head, "\r\nHost: "+want+"\r\n") {
			t.Errorf("%s: %q", raw, head)
		}
	}
}

// A kernel's clock that is set while an answer is on its way does not bring it before its request.
func TestCame(t *testing.T) {
	for kernel, want := range map[time.Duration]time.Duration{0: 9, 3: 5, 7: 7, 12: 9} {
		e := &events{source: stamped{r: &loadgen.Record{Sent: 5}}, read: arrived{at: 9, kernel: kernel}}
		if got := e.came(); got != want {
			t.Errorf("arrived at %d, seen at 9: came at %d, want %d", kernel, got, want)
		}
	}
}

// A name beyond ASCII is spelt for the wire by net/http, which knows how.
func TestNamesBeyondASCII(t *testing.T) {
	direct := func(*http.Request) (*url.URL, error) { return nil, nil }
	for host, byLines := range map[string]bool{"gauge.invalid": true, "[::1]:8000": true, "bücher.invalid": false} {
		target, err := newTarget(Config{URL: "http://" + host, Model: "m", Workload: workload.RandomTokens{Input: 1,
			Output: 1}}, direct)
		if err != nil {
			t.Fatal(err)
		}
		if (target.lines != nil) != byLines {
			t.Errorf("%s: by connections of our own: %v", host, !byLines)
		}
	}
}
