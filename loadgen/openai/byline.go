package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/servegauge/servegauge/loadgen"
)

// byLine sends requests over connections of our own.
type byLine struct{ *Target }

func (t byLine) ask(ctx context.Context, body *payload, r *loadgen.Record) (exchange, *http.Response, error) {
	request := body.behind(t.head)
	l, waited, err := t.lines.take(ctx)
	if err != nil {
		return nil, nil, &failure{err: err}
	}
	for {
		response, err := l.ask(ctx, request, r)
		if err == nil {
			l.body.again = l.body.again && !t.once
			return l, response, nil
		}
		f := err.(*failure)
		waited = waited && !f.answered && ctx.Err() == nil
		orderly := errors.Is(f.err, io.EOF)
		untaken := waited && orderly && l.request.Untaken()
		// else the request was read before the end
		if f.waited = waited && l.answers > 0; f.waited && (untaken || !orderly) {
			t.lines.reuse.ended(l)
		}
		l.end(false)
		if !untaken {
			return nil, nil, f
		}
		// The server had closed the connection before the request came, and has taken in nothing of it. So it is sent
		// for the first time now, over a connection that was not there before.
		t.lines.reuse.again.Add(1)
		if l, err = t.lines.dial(ctx); err != nil {
			return nil, nil, &failure{err: err}
		}
		waited = false
	}
}

// Open makes connections to the server before they are needed, TLS handshakes included, until n are there: a second
// level finds those of the first, unless they have been idle for too long. It does nothing where the requests go
// through a proxy, over HTTP/2, or by a user's own client. Answers that were kept of a level before are dropped.
func (t *Target) Open(ctx context.Context, n int) error {
	t.keeper.reset()
	t.asker.reset(ctx)
	if t.lines == nil {
		return nil
	}
	if err := t.lines.open(ctx, n); err != nil {
		if advice := connectionAdvice(err); advice != "" {
			err = fmt.Errorf("%s: %w", advice, err)
		}
		e := classify(ctx, &failure{err: err}).(*loadgen.Error)
		e.Err = t.secrets.clean(e.Err)
		return e
	}
	return nil
}

// Notes says what a reader of the results should know of how the server was reached.
func (t *Target) Notes() []loadgen.Warning {
	if t.lines == nil {
		return nil
	}
	return t.lines.reuse.notes()
}
