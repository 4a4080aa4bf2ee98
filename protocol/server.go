package protocol

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// A Server is something that can be started anew for each run.
type Server interface {
	// Start starts an instance. It does not wait until the instance is ready, which the [Runner] does. On an error
	// nothing is left running.
	Start(ctx context.Context) (Instance, error)
}

// An Instance is a server that has been started.
type Instance interface {
	// URL is where it answers, or will.
	URL() string

	// ID tells this instance from any other, by evidence: a process id and its start, a container's start. "" says
	// that nothing proves it to be another one than before.
	ID() string

	// Log is the end of what it printed, "" where that is not known.
	Log() string

	// Exited is closed when the instance has ended by itself, so that nobody waits for it to become ready. nil
	// where that cannot be told.
	Exited() <-chan struct{}

	// Err says how it ended, once Exited is closed.
	Err() error

	// Stop ends it and returns when it has gone. It is called once.
	Stop(ctx context.Context) error
}

// A Fixed server is one that runs already and is not ours to restart. All runs share it, so intervals over them are
// within-server.
type Fixed string // its URL

// Start returns the server as it is.
func (f Fixed) Start(context.Context) (Instance, error) { return fixed(f), nil }

type fixed string

func (f fixed) URL() string              { return string(f) }
func (fixed) ID() string                 { return "" }
func (fixed) Log() string                { return "" }
func (fixed) Exited() <-chan struct{}    { return nil }
func (fixed) Err() error                 { return nil }
func (fixed) Stop(context.Context) error { return nil }

// stopGrace is how long a server may take to stop before it is killed: large models free their memory slowly.
const stopGrace = 120 * time.Second

// A ServerError says which part of a server's life went wrong. Commands and their output may hold secrets; the journal
// gets neither.
type ServerError struct {
	Phase   string // "start", "stop", "readiness"
	Command string // what was run; "" where nothing was
	Output  string // the end of what it printed
	Err     error  // what went wrong, in words that hold neither
}

func (e *ServerError) Error() string {
	s := "server " + e.Phase
	if e.Command != "" {
		s += fmt.Sprintf(" (%s)", e.Command)
	}
	s += ": " + e.Err.Error()
	if e.Output != "" {
		s += "; it last said: " + e.Output
	}
	return s
}

func (e *ServerError) Unwrap() error { return e.Err }

// answers reports whether something accepts connections at the host and port of a URL.
func answers(ctx context.Context, rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return false
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	dialer := net.Dialer{Timeout: 2 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

var errStillAnswers = errors.New("it was told to stop, but something still accepts connections there")

// awaitRefusal waits until nothing accepts connections at a URL any more.
func awaitRefusal(ctx context.Context, rawURL string, grace time.Duration) error {
	deadline := time.Now().Add(grace)
	for answers(ctx, rawURL) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%w after %v: %s", errStillAnswers, grace, PublicURL(rawURL))
		}
		if err := rest(ctx, nil, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// rest waits for d, or until ctx is done or stop is closed.
func rest(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-stop:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
