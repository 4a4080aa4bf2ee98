package openai

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// byClient sends requests by net/http's client: the user's own, or one of ours for what our connections do not do.
type byClient struct{ *Target }

// A wire is a request by net/http's client, and what is known of the connection that it goes over.
type wire struct {
	stamped netstamp.Exchange // stays zero with a user's own client, and where requests share a connection
	cancel  context.CancelFunc
	answer  io.ReadCloser // its body, nil: there is none
	r       *loadgen.Record

	conn              *netstamp.Conn // nil: a user's own client has it
	connected, reused bool
	shared            bool // HTTP/2: other requests are on the connection at the same time

	mu       sync.Mutex // of what net/http says from goroutines of its own, some of it when the request is over
	answered bool       // there was a byte of an answer
	written  time.Time  // the request in full; zero: not
}

func (t byClient) ask(ctx context.Context, body *payload, r *loadgen.Record) (exchange, *http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &wire{cancel: cancel, r: r}
	response, err := t.send(ctx, w, body)
	if err != nil {
		if response != nil {
			_ = response.Body.Close()
		}
		w.end(false)
		return nil, nil, err
	}
	w.answer = response.Body
	return w, response, nil
}

// send sends a request. With an error there may be an answer too.
func (t byClient) send(ctx context.Context, w *wire, body *payload) (*http.Response, error) {
	request, err := http.NewRequestWithContext(w.trace(ctx, t.config.HTTP2), http.MethodPost, t.url, nil)
	if err != nil {
		return nil, err
	}
	body.attach(request)
	request.Header = t.header.Clone()
	request.Host = request.Header.Get("Host") // net/http takes it from here alone; empty: the URL's
	response, err := t.client.Do(request)
	// net/http writes from another goroutine, which may have come to it later than we handed it over.
	if at, ok := w.stamped.Sent(); ok {
		w.r.Sent = w.r.At(at)
	}
	if wrapped, ok := err.(*url.Error); ok {
		err = wrapped.Err // the method and the URL are those of every request
	}
	switch {
	case err != nil && response != nil: // the user's client would not follow a redirect any further
		w.r.Status = response.StatusCode
		return response, &loadgen.Error{Class: loadgen.ClassStatus, Status: response.StatusCode, Err: err}
	case err != nil:
		return nil, w.failure(ctx, err)
	case t.config.HTTP2 && response.ProtoMajor != 2:
		err = fmt.Errorf("the server answered over %s, and HTTP/2 was asked for", oneLine(response.Proto))
		return response, &failure{connected: true, answered: true, err: err}
	}
	return response, nil
}

// trace makes net/http tell w of the connection. http2 is whether it is shared even without TLS.
func (w *wire) trace(ctx context.Context, http2 bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			conn := c.Conn
			w.connected, w.reused, w.shared = true, c.Reused, http2
			if secure, ok := conn.(*tls.Conn); ok {
				w.shared = secure.ConnectionState().NegotiatedProtocol == "h2"
				conn = secure.NetConn()
			}
			if w.conn, _ = conn.(*netstamp.Conn); w.conn != nil && !w.shared {
				w.conn.Begin(&w.stamped)
			}
			w.r.Sent = w.r.Now()
			w.r.NewConn = !c.Reused
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				w.mu.Lock()
				w.written = time.Now()
				w.mu.Unlock()
			}
		},
		GotFirstResponseByte: func() {
			w.mu.Lock()
			w.answered = true
			w.mu.Unlock()
		},
	})
}

// failure is a request without an answer.
func (w *wire) failure(ctx context.Context, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := isEndOfConnection(err)
	if _, malformed := errors.AsType[textproto.ProtocolError](err); malformed && w.conn != nil {
		ended = ended || w.conn.Ended() // what looks like a malformed head is one that was cut
	}
	late := errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil // a client's own limit, for one
	// What becomes of a connection that others share as well is not told apart from what becomes of the request.
	return &failure{
		connected: w.connected, waited: w.reused && !w.shared && !late, answered: w.answered, ended: w.shared || ended,
		err: err,
	}
}

func (w *wire) Read(p []byte) (int, error) { return w.answer.Read(p) }

func (w *wire) stamps() *netstamp.Exchange { return &w.stamped }

func (w *wire) over() bool { return false }

func (w *wire) abort() { w.cancel() }

// end cancels what is still to be read or written; net/http keeps the connection where there is nothing.
func (w *wire) end(bool) {
	if w.answer != nil {
		_ = w.answer.Close()
	}
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.written.IsZero() {
		w.r.Written = w.r.At(w.written)
	}
}
