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

// lines are the connections to one server. As many are made as there are requests in flight: one request in flight is
// one connection, as it is for a server's many users.
type lines struct {
	address string      // host:port
	tls     *tls.Config // nil: plain

	mu    sync.Mutex
	idle  []*line // from first on; the one that was used last is the last
	first int

	dials chan struct{} // one for each connection that is being made
	reuse reuse
}

// newLines returns no connections yet to the server of u.
func newLines(u *url.URL, secure *tls.Config) *lines {
	s := &lines{dials: make(chan struct{}, dialsAtOnce)}
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
	idleLimit      = 4 * time.Second // uvicorn drops an idle connection after 5 s

	// dialsAtOnce keeps thousands of them from overflowing the server's queue of connections to accept, which would
	// cost those that it overflows a second each. It holds for connections made ahead and for those that requests
	// wait for.
	dialsAtOnce = 64
)

// take returns a connection that is there, or makes one. Of several it is the one that has been idle for longest: an
// end that the server has sent is the likeliest to have come, and what a larger level has left behind goes when it is
// too old.
func (s *lines) take(ctx context.Context) (l *line, waited bool, err error) {
	for {
		s.mu.Lock()
		l := s.pop()
		s.mu.Unlock()
		switch {
		case l == nil:
			l, err := s.dial(ctx)
			return l, false, err
		case l.alive():
			return l, true, nil
		}
		if l.stamped.Ended() {
			s.reuse.ended(l)
		}
		l.close()
	}
}

// pop takes the connection that has been idle for longest, nil: none is. It is called with the lock held.
func (s *lines) pop() *line {
	if s.first == len(s.idle) {
		return nil
	}
	l := s.idle[s.first]
	s.idle[s.first] = nil
	if s.first++; s.first == len(s.idle) || s.first > 1024 && s.first > len(s.idle)/2 {
		left := copy(s.idle, s.idle[s.first:])
		clear(s.idle[left:])
		s.idle, s.first = s.idle[:left], 0
	}
	return l
}

func (s *lines) dial(ctx context.Context) (*line, error) {
	select {
	case s.dials <- struct{}{}:
		defer func() { <-s.dials }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	l := &line{of: s, conn: conn, stamped: conn.(*netstamp.Conn)} // as all TCP connections of its dialer are
	if s.tls == nil {
		return l, nil
	}
	secure := tls.Client(conn, s.tls)
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	l.conn = secure
	return l, nil
}

// put sets a connection aside for the next request.
func (s *lines) put(l *line) {
	l.since = time.Now()
	s.mu.Lock()
	s.idle = append(s.idle, l)
	s.mu.Unlock()
}

// open makes connections until n are there. Their age counts from when it returns, however long they all took: the
// server has none of them to wait for a second request.
func (s *lines) open(ctx context.Context, n int) error {
	var ahead []*line
	// A second time where connections of an earlier level have grown too old while others were made.
	for range 2 {
		missing := n - len(ahead) - s.tidy()
		if missing <= 0 {
			break
		}
		made := make([]*line, missing)
		dials, ctx := errgroup.WithContext(ctx)
		dials.SetLimit(dialsAtOnce)
		for i := range made {
			dials.Go(func() (err error) {
				made[i], err = s.dial(ctx)
				return err
			})
		}
		err := dials.Wait()
		for _, l := range made {
			if l != nil {
				ahead = append(ahead, l)
			}
		}
		if err != nil {
			for _, l := range ahead {
				l.drop()
			}
			return err
		}
	}
	now := time.Now()
	for _, l := range ahead {
		l.since = now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, ahead...)
	return nil
}

// tidy closes what cannot be used any more, and returns how many connections are left. They have waited since they
// were set aside, not since now.
func (s *lines) tidy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := s.idle[s.first:]
	s.idle, s.first = nil, 0
	for _, l := range idle {
		if l.alive() {
			s.idle = append(s.idle, l)
		} else {
			l.close()
		}
	}
	return len(s.idle)
}

// close closes the connections that are idle.
func (s *lines) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.idle[s.first:] {
		l.close()
	}
	s.idle, s.first = nil, 0
}
