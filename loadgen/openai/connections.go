package openai

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// connections are made before they are needed, TLS handshake included, and handed out when net/http asks for one. (It has no
// way of its own to make a connection without a request; requests that are there for the connections alone would load the
// server.)
type connections struct {
	tls *tls.Config // of all that are under TLS

	mu      sync.Mutex
	secure  bool // those to address are under TLS
	address string
	made    int    // how many there have been
	idle    []idle // those that were not handed out, the latest last
}

// idle is a connection that waits to be handed out.
type idle struct {
	net.Conn
	since time.Time
}

// idleLimit is how long a connection may be unused, because uvicorn drops them after 5 s and a request on a connection that
// is being dropped fails.
const idleLimit = 4 * time.Second

// handshakeLimit is how long a TLS handshake may take.
const handshakeLimit = 30 * time.Second

// dialer makes all connections. It stamps.
var dialer = netstamp.Dialer{Dialer: net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}}

// dialsAtOnce keeps a level of thousands from overflowing the server's queue of connections to accept, which would cost
// those that it overflows a second each.
const dialsAtOnce = 64

// DialContext hands out a connection without TLS that is there, or makes one.
func (c *connections) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return c.take(ctx, address, false)
}

// DialTLSContext does the same for one under TLS, past its handshake.
func (c *connections) DialTLSContext(ctx context.Context, _, address string) (net.Conn, error) {
	return c.take(ctx, address, true)
}

func (c *connections) take(ctx context.Context, address string, secure bool) (net.Conn, error) {
	c.mu.Lock()
	c.dropStale()
	var conn net.Conn
	if last := len(c.idle) - 1; last >= 0 && address == c.address && secure == c.secure {
		conn, c.idle = c.idle[last].Conn, c.idle[:last]
	}
	c.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	return c.dial(ctx, address, secure)
}

// dial makes a connection.
func (c *connections) dial(ctx context.Context, address string, secure bool) (net.Conn, error) {
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil || !secure {
		return conn, err
	}
	config := c.tls
	if config.ServerName == "" {
		config = config.Clone()
		if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	over := tls.Client(conn, config)
	if err := over.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return over, nil
}

// open makes connections to an address, until there have been n that a request has used or may use.
func (c *connections) open(ctx context.Context, address string, secure bool, n int) error {
	c.mu.Lock()
	c.dropStale()
	c.address, c.secure = address, secure
	n -= c.made
	c.made += max(n, 0)
	c.mu.Unlock()
	dials, ctx := errgroup.WithContext(ctx)
	dials.SetLimit(dialsAtOnce)
	for range n {
		dials.Go(func() error {
			conn, err := c.dial(ctx, address, secure)
			if err != nil {
				return err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.idle = append(c.idle, idle{conn, time.Now()})
			return nil
		})
	}
	return dials.Wait()
}

// dropStale closes what has waited for so long that the server may be about to, and forgets that it was made. It is called
// with the lock held.
func (c *connections) dropStale() {
	stale := 0
	for stale < len(c.idle) && time.Since(c.idle[stale].since) >= idleLimit {
		go c.idle[stale].Close() // which may block under TLS
		stale++
	}
	c.idle = c.idle[stale:]
	c.made -= stale
}

// closeIdle closes what was not handed out. It is called with the lock held.
func (c *connections) closeIdle() {
	for _, conn := range c.idle {
		_ = conn.Close()
	}
	c.idle = nil
}

// Open makes connections to the server before they are needed, until there have been n: a second level finds those of the
// first, unless they have been idle for too long. Under TLS they are past their handshake. It does nothing where the
// requests go through a proxy, over HTTP/2, or by a user's own client.
func (t *Target) Open(ctx context.Context, n int) error {
	if t.owned == nil || t.config.HTTP2 {
		return nil
	}
	u, err := url.Parse(t.url)
	if err != nil {
		return err // New has parsed it before
	}
	if proxy, err := t.owned.Proxy(&http.Request{URL: u}); err != nil || proxy != nil {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if err := t.ahead.open(ctx, net.JoinHostPort(u.Hostname(), port), u.Scheme == "https", n); err != nil {
		return &loadgen.Error{Class: loadgen.ClassDial, Err: t.secrets.clean(err)}
	}
	return nil
}
