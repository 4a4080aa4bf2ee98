package openai

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// connections are made before they are needed, and handed out when net/http asks for one. (It has no way of its own to make
// a connection without a request; requests that are there for the connections alone would load the server.)
type connections struct {
	mu      sync.Mutex
	address string
	made    int        // how many there have been
	idle    []net.Conn // those that were not handed out
}

// dialer makes all connections. It stamps.
var dialer = netstamp.Dialer{Dialer: net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}}

// dialsAtOnce keeps a level of thousands from overflowing the server's queue of connections to accept, which would cost
// those that it overflows a second each.
const dialsAtOnce = 64

// DialContext hands out a connection that is there, or makes one.
func (c *connections) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	var conn net.Conn
	if last := len(c.idle) - 1; last >= 0 && address == c.address {
		conn, c.idle = c.idle[last], c.idle[:last]
	}
	c.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	return dialer.DialContext(ctx, network, address)
}

// open makes connections to an address, until there have been n.
func (c *connections) open(ctx context.Context, address string, n int) error {
	c.mu.Lock()
	c.address = address
	n -= c.made
	c.made += max(n, 0)
	c.mu.Unlock()
	dials, ctx := errgroup.WithContext(ctx)
	dials.SetLimit(dialsAtOnce)
	for range n {
		dials.Go(func() error {
			conn, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.idle = append(c.idle, conn)
			return nil
		})
	}
	return dials.Wait()
}

// closeIdle closes what was not handed out. It is called with the lock held.
func (c *connections) closeIdle() {
	for _, conn := range c.idle {
		_ = conn.Close()
	}
	c.idle = nil
}

// Open makes connections to the server before they are needed, until there have been n: a second level finds those of the
// first, unless they have been idle for too long. Under TLS their handshakes still come with the first
// requests. It does nothing where the requests go through a proxy, or by a user's own client.
func (t *Target) Open(ctx context.Context, n int) error {
	if t.ahead == nil {
		return nil
	}
	u, err := url.Parse(t.url)
	if err != nil {
		return err // New has parsed it before
	}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil || proxy != nil {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if err := t.ahead.open(ctx, net.JoinHostPort(u.Hostname(), port), n); err != nil {
		return &loadgen.Error{Class: loadgen.ClassDial, Err: t.secrets.clean(err)}
	}
	return nil
}
