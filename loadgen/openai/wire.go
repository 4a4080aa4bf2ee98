package openai

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// wire is what is known of the connection that a request goes over.
type wire struct {
	exchange  netstamp.Exchange // stays zero with a user's own client, and where requests share a connection
	connected bool
	shared    bool        // HTTP/2: other requests are on the connection at the same time
	answered  atomic.Bool // there was a byte of the answer; net/http says so from a goroutine of its own
}

// trace makes net/http tell w and r of the connection. http2 is whether it is shared even without TLS.
func (w *wire) trace(ctx context.Context, r *loadgen.Record, http2 bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			conn := c.Conn
			w.connected = true
			w.shared = http2
			if secure, ok := conn.(*tls.Conn); ok {
				w.shared = secure.ConnectionState().NegotiatedProtocol == "h2"
				conn = secure.NetConn()
			}
			if stamped, ok := conn.(*netstamp.Conn); ok && !w.shared {
				stamped.Begin(&w.exchange)
			}
			r.Sent = r.Now()
			r.NewConn = !c.Reused
		},
		GotFirstResponseByte: func() { w.answered.Store(true) },
	})
}

// failure gives the error of a request without an answer its class.
func (w *wire) failure(ctx context.Context, err error, r *loadgen.Record) error {
	var late net.Error
	switch {
	case !w.connected: // whatever was in the way: a name, a port, a proxy, a certificate
		return &loadgen.Error{Class: loadgen.ClassDial, Err: err}
	case r.NewConn || w.shared || w.answered.Load() || ctx.Err() != nil || errors.As(err, &late) && late.Timeout():
		return &loadgen.Error{Class: loadgen.ClassTruncated, Err: err}
	}
	// A reset, an end or a broken pipe, where the server had dropped the connection before it saw the request. (It looks
	// the same where the server saw the request and died of it; nobody but the server can tell.)
	return &loadgen.Error{Class: loadgen.ClassStale, Err: err}
}
