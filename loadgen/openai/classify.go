package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/servegauge/servegauge/loadgen"
)

// A failure is a request that got no answer, and how far it came.
type failure struct {
	connected bool // there was a connection
	waited    bool // which had been idle since an earlier request
	answered  bool // there was a byte of an answer
	ended     bool // the connection ended, or was cut; else what came was no answer
	err       error
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// errUnanswered says that a connection ended before any of the answer had come.
var errUnanswered = errors.New("the connection ended before an answer came")

// classify gives what went wrong with a request its class and its words, which are the same whichever way it went.
// What has a class already keeps it: the answer's reader gave it. nil stays nil.
func classify(ctx context.Context, err error) error {
	f, ok := err.(*failure)
	if !ok {
		return because(ctx, err)
	}
	err = f.err
	class := loadgen.ClassProtocol
	switch {
	case !f.connected: // whatever was in the way: a name, a port, a proxy, a certificate
		class = loadgen.ClassDial
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			err = fmt.Errorf("no local port is free for another connection to the server (one that was closed may keep "+
				"its port for a minute); have fewer at once, use more generators, or widen "+
				"net.ipv4.ip_local_port_range: %w", err)
		}
	case f.answered && f.ended:
		class = loadgen.ClassTruncated
	case f.ended && f.waited && ctx.Err() == nil:
		// A reset, an end or a broken pipe, where the server had dropped the connection before it saw the request.
		// (It looks the same where the server saw the request and died of it; nobody but the server can tell.)
		class, err = loadgen.ClassStale, fmt.Errorf("%w: %w", errUnanswered, err)
	case f.ended:
		class, err = loadgen.ClassTruncated, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return because(ctx, &loadgen.Error{Class: class, Err: err})
}

// because puts in front of err why the request was cut short, where it was.
func because(ctx context.Context, err error) error {
	if e, ok := err.(*loadgen.Error); ok && ctx.Err() != nil && !errors.Is(e.Err, context.Cause(ctx)) {
		e.Err = fmt.Errorf("%w: %w", context.Cause(ctx), e.Err)
	}
	return err
}

// isEndOfConnection reports whether err says that a connection ended, was cut or timed out, rather than that something
// was wrong with what came over it.
func isEndOfConnection(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, end := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, context.Canceled,
		context.DeadlineExceeded,
	} {
		if errors.Is(err, end) {
			return true
		}
	}
	// net/http's own, which has no name outside it
	return strings.Contains(err.Error(), "server closed idle connection")
}
