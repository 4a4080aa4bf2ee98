package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A Readiness is how a server is waited for. The zero value is good.
type Readiness struct {
	// RequestTimeout is the most that one question may take: a server that has accepted a connection and hangs must not
	// hold up the waiting. Zero: 5 s.
	RequestTimeout time.Duration

	// FirstPause is the time between the first question's end and the second's start. It doubles each time up to
	// LastPause. Zero: 250 ms, 1 s. Loading a model takes minutes; asking more often finds it ready no sooner and costs
	// it CPU time while it loads.
	FirstPause, LastPause time.Duration

	// Progress, if not nil, is called after each time that the server was not ready, with the time waited so far and
	// what was wrong: for programs that tell their user what they wait for. It must return soon.
	Progress func(waited time.Duration, last error)
}

// A NotReadyError says that a server did not become ready.
type NotReadyError struct {
	URL    string        // of the server, without user, password and query
	Waited time.Duration // from the beginning to giving up
	Probes int           // how often it was asked
	Last   error         // what its last answer lacked; nil where none was finished
	// why waiting ended: the cause of the context's end; nil where Last shows that waiting is no use
	Err error
}

func (e *NotReadyError) Error() string {
	last := "no answer yet"
	if e.Last != nil {
		last = e.Last.Error()
	}
	if e.Err == nil {
		return fmt.Sprintf("server %s will not become ready: %s", e.URL, last)
	}
	return fmt.Sprintf("server %s not ready after %v (%d probes, last: %s): %v; look at the server's log, and allow "+
		"more time if it is still loading",
		e.URL, e.Waited.Round(time.Millisecond), e.Probes, last, e.Err)
}

// Unwrap returns Err where there is one, so that errors.Is(err, context.Canceled) is about the waiting and never about
// one request of it; otherwise Last.
func (e *NotReadyError) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return e.Last
}

// errNoModels is why a server that lists nothing is not ready: a router does so while its workers load.
var errNoModels = errors.New("it lists no models yet")

// Ready returns nil if the server is ready now: GET /health answers 200 and GET /v1/models names at least one model. A
// server without /health is ready when it names a model. That covers vLLM, SGLang, TGI, llama.cpp and others of their
// kind. A proxy, or the web server of some other program, answers 200 at /health long before the model does. The error
// is a [*ProbeError].
func (a *API) Ready(ctx context.Context) error { return a.ready(ctx, defaultRequestTimeout) }

func (a *API) ready(ctx context.Context, timeout time.Duration) error {
	if err := a.healthy(ctx, timeout); err != nil {
		return err
	}
	_, err := a.someModels(ctx, timeout)
	return err
}

// healthy returns nil if the server says that it is well, or has nowhere to say so.
func (a *API) healthy(ctx context.Context, timeout time.Duration) error {
	err := limited(ctx, timeout, func(ctx context.Context) error {
		_, err := a.get(ctx, below(a.address.root, "/health"))
		return err
	})
	if e, ok := errors.AsType[*ProbeError](err); ok && e.absent() && e.Advice == "" {
		return nil
	}
	return err
}

// someModels are those that the server lists, at least one.
func (a *API) someModels(ctx context.Context, timeout time.Duration) (models []Model, err error) {
	err = limited(ctx, timeout, func(ctx context.Context) error {
		var err error
		models, err = a.Models(ctx)
		return err
	})
	if err == nil && len(models) == 0 {
		u := below(a.address.base, "/models")
		return nil, &ProbeError{URL: shown(u), Status: http.StatusOK, Connected: true, Err: errNoModels}
	}
	return models, err
}

// limited asks for as long as timeout allows.
func limited(ctx context.Context, timeout time.Duration, ask func(context.Context) error) error {
	c, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	err := ask(c)
	if e, ok := errors.AsType[*ProbeError](err); ok && e.Err != nil && c.Err() != nil && ctx.Err() == nil {
		e.Err = context.Cause(c) // rather than "context deadline exceeded", which reads as if the waiting were over
	}
	return err
}

// Wait returns nil once the server is [API.Ready]. It waits as long as ctx lets it, so give ctx a deadline; where the
// server is a process or container of your own, cancel ctx with a cause when that exits ([context.WithCancelCause]),
// and the error will say it. Wait gives up by itself only where a key is wanted (401, 403). The error is a
// [*NotReadyError].
func (a *API) Wait(ctx context.Context, r Readiness) error {
	return r.wait(ctx, shown(a.address.root), func(ctx context.Context) error {
		return a.ready(ctx,
			r.requestTimeout())
	})
}

const defaultRequestTimeout = 5 * time.Second

func (r Readiness) requestTimeout() time.Duration {
	return orDefault(r.RequestTimeout, defaultRequestTimeout)
}

// A hopeless error says that waiting is no use.
type hopeless struct{ error }

func (e hopeless) Unwrap() error { return e.error }

// wait probes the server at url until that returns nil, or an error that waiting does not change.
func (r Readiness) wait(ctx context.Context, url string, probe func(context.Context) error) error {
	pause := orDefault(r.FirstPause, 250*time.Millisecond)
	lastPause := max(pause, orDefault(r.LastPause, time.Second))
	start := time.Now()
	giveUp := &NotReadyError{URL: url}
	// A timer of its own, not a Ticker: a pause begins when an answer has come, so that a slow server is not asked
	// without pause.
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			giveUp.Waited, giveUp.Err = time.Since(start), context.Cause(ctx)
			return giveUp
		case <-timer.C:
		}
		if ctx.Err() != nil {
			continue // both were due, and select took the timer
		}
		err := probe(ctx)
		giveUp.Probes++
		if err == nil {
			return nil
		}
		if deadline, has := ctx.Deadline(); ctx.Err() != nil || has && !time.Now().Before(deadline) {
			// This probe was cut off, by a connection at times a moment before ctx says so; what the one before it
			// found says more.
			continue
		}
		giveUp.Last = err
		e, ok := errors.AsType[*ProbeError](err)
		if _, known := errors.AsType[hopeless](err); known || ok && e.wantsKey() {
			giveUp.Waited = time.Since(start)
			return giveUp
		}
		if r.Progress != nil {
			r.Progress(time.Since(start), err)
		}
		timer.Reset(pause)
		pause = min(2*pause, lastPause)
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
