package openai

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// lines are the connections to one server. As many are made as there are requests in flight: one request in flight is one
// connection, as it is for a server's many users.
type lines struct {
	address string      // host:port
	tls     *tls.Config // nil: plain

	mu   sync.Mutex
	idle []*line // the one that was used last is the last
}

// newLines returns no connections yet to the server of u.
func newLines(u *url.URL, secure *tls.Config) *lines {
	s := &lines{}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	s.address = net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "https" {
		s.tls = secure
		if s.tls.ServerName == "" {
			s.tls.ServerName = u.Hostname()
		}
	}
	return s
}

// dialer makes all connections. It stamps.
var dialer = netstamp.Dialer{Dialer: net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}}

const (
	handshakeLimit = 30 * time.Second

	// dialsAtOnce keeps a level of thousands from overflowing the server's queue of connections to accept, which would
	// cost those that it overflows a second each.
	dialsAtOnce = 64
)

// take returns a connection that is there, or makes one.
func (s *lines) take(ctx context.Context) (*line, error) {
	for {
		s.mu.Lock()
		last := len(s.idle) - 1
		if last < 0 {
			s.mu.Unlock()
			return s.dial(ctx)
		}
		l := s.idle[last]
		s.idle[last], s.idle = nil, s.idle[:last]
		s.mu.Unlock()
		if l.alive() {
			return l, nil
		}
		l.close()
	}
}

func (s *lines) dial(ctx context.Context) (*line, error) {
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	stamps := conn.(*netstamp.Conn) // as all TCP connections of its dialer are
	if s.tls == nil {
		return newLine(conn, stamps), nil
	}
	secure := tls.Client(conn, s.tls)
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return newLine(secure, stamps), nil
}

// put sets a connection aside for the next request. What a larger level has left behind goes one by one as a smaller one
// sets its own aside: the oldest is the first.
func (s *lines) put(l *line) {
	l.since = time.Now()
	s.mu.Lock()
	s.idle = append(s.idle, l)
	oldest := s.idle[0]
	expired := l.since.Sub(oldest.since) >= idleLimit
	if expired {
		s.idle[0], s.idle = nil, s.idle[1:]
	}
	s.mu.Unlock()
	if expired {
		oldest.close()
	}
}

// open makes connections until n are there.
func (s *lines) open(ctx context.Context, n int) error {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	for _, l := range idle {
		if l.alive() { // and has waited since it was set aside, not since now
			s.idle = append(s.idle, l)
		} else {
			l.close()
		}
	}
	n -= len(s.idle)
	s.mu.Unlock()
	dials, ctx := errgroup.WithContext(ctx)
	dials.SetLimit(dialsAtOnce)
	for range n {
		dials.Go(func() error {
			l, err := s.dial(ctx)
			if err == nil {
				s.put(l)
			}
			return err
		})
	}
	return dials.Wait()
}

// close closes the connections that are idle.
func (s *lines) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.idle {
		l.close()
	}
	s.idle = nil
}
