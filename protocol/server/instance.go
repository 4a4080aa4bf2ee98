package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// An instance is one start of a server that is controlled by commands.
type instance struct {
	controlled

	mu    sync.Mutex
	first protocol.Identity // as it was seen first; zero: not yet
	ended error             // how it ended by itself; valid once exited is closed

	exited  chan struct{}
	watched chan struct{} // closed when nobody watches any more
	unwatch context.CancelFunc
}

// identity asks who answers now. Another than at first is an error: the server that was started is not there any more.
func (i *instance) identity(ctx context.Context) (protocol.Identity, error) {
	id, err := i.inspect(ctx)
	if err != nil {
		return id, serverError("identity", i.what(), err)
	}
	if err := foreign(i.URL, id.PIDs); err != nil {
		return id, serverError("identity", i.what(), err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.first.Kind == "" {
		i.first = id
	}
	if !i.first.Same(id) {
		return id, serverError("identity", i.what(), &anotherError{i.first, id})
	}
	return id, nil
}

// An anotherError says that the server was restarted by somebody else, or by its runtime after it had died.
type anotherError struct{ first, now protocol.Identity }

func (e *anotherError) Error() string {
	return fmt.Sprintf("it is another instance than the one that was started: %s, and not %s", e.now.Proof,
		e.first.Proof)
}

// watchEvery is how often a runtime is asked that cannot be waited for. Each question takes a tenth of a second of a
// CPU that the client may need.
const watchEvery = 5 * time.Second

// watch notices when the server ends by itself. A runtime that does not answer says nothing of the server.
func (i *instance) watch(ctx context.Context) {
	defer close(i.watched)
	for {
		if i.Wait != nil {
			_, err := output(ctx, i.Wait)
			if err != nil && pause(ctx, time.Second) != nil {
				return
			}
		} else if pause(ctx, watchEvery) != nil {
			return
		}
		_, err := i.identity(ctx)
		if ctx.Err() != nil {
			return
		}
		ended, isEnded := errors.AsType[*EndedError](err)
		i.mu.Lock()
		known := i.first.Kind != ""
		i.mu.Unlock()
		switch {
		case isEnded && ended.State == pending && !known:
			continue // it is still being made
		case isEnded:
			err = serverError("run", i.what(), fmt.Errorf("it ended by itself: %w", ended))
		case err == nil || !errors.As(err, new(*anotherError)):
			continue
		}
		i.mu.Lock()
		i.ended = err
		i.mu.Unlock()
		close(i.exited)
		return
	}
}

// err says how it ended, with the last that it printed.
func (i *instance) err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e, ok := errors.AsType[*protocol.ServerError](i.ended); ok && e.Output == "" {
		e.Output = lastLine(i.log())
	}
	return i.ended
}

// log is the end of what it printed, on either stream.
func (i *instance) log() string {
	if i.Logs == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return combined(ctx, i.Logs)
}

// stop stops it, if it is still the one that was started.
func (i *instance) stop(ctx context.Context) (protocol.Stop, error) {
	i.unwatch()
	<-i.watched
	return i.halt(ctx)
}
