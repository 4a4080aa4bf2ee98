package loadgentest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Echo is a server that takes no time, or a stated one: against it, a client
// measures itself. It answers each request at once (or paced by FirstToken and
// Gap) with as many tokens as were asked for, over the
// endpoints and in the shapes that the package comment states.
//
// It is made to be faster than the client that it checks: chunks are rendered
// from prepared parts into reused memory, and written many at a time. The first
// chunk of a stream (with a chat's role, if any) is written and flushed on its own,
// so that the time to first token is that of one chunk; those after it are
// collected up to 32 KiB, so that the client finds the next chunk there whenever
// it is ready for it; the end of the answer flushes the rest. FlushEach selects the
// other behaviour.
//
// The zero Echo is ready, names its model "echo", and sends a token a chunk. An
// Echo must not be copied, and its fields must not be changed, once it serves.
type Echo struct {
	// Model is the model's name in /v1/models and in answers. Requests may name
	// any other. Empty: "echo".
	Model string

	// TokensPerChunk is how many tokens a content chunk holds, as from a server
	// that decodes speculatively; the last one of an answer may hold fewer. 0: 1.
	TokensPerChunk int

	// FlushEach has every content chunk written and flushed on its own, as
	// inference servers do: a system call, and a segment on the wire, for each
	// chunk. It makes the client's work as hard as it is in earnest, and the
	// server's harder still.
	FlushEach bool

	// FirstToken is how long after a request's arrival its first content is
	// written, and Gap how long each chunk follows the one before: each request
	// by itself, however many there are, so that the server has no limit and
	// every request is to take FirstToken and a Gap for each further chunk. A
	// chunk is due at a time counted from the arrival, so that what one chunk is
	// late does not add up. Whole answers are written when their last chunk
	// would be. With a Gap, chunks are flushed each on its own, since there is
	// nothing to collect. 0: at once.
	FirstToken, Gap time.Duration

	// Unstamped leaves the Stamps out, so that a chunk is no longer than a real
	// server's, and costs a client no more.
	Unstamped bool

	queue queue // without a limit: it only counts
}

// pileUp is how many bytes of chunks are collected before a Write. net/http's
// own buffers are smaller, so that a Write of this size passes through them.
const pileUp = 32 << 10

// Validate reports the first field that has no meaning: a negative
// TokensPerChunk, FirstToken or Gap. A server whose configuration is invalid
// answers 500 to all.
func (e *Echo) Validate() error {
	if e.TokensPerChunk < 0 {
		return fmt.Errorf("loadgentest: Echo.TokensPerChunk is %d, must be at least 0", e.TokensPerChunk)
	}
	if e.FirstToken < 0 {
		return fmt.Errorf("loadgentest: Echo.FirstToken is %v, must be at least 0", e.FirstToken)
	}
	if e.Gap < 0 {
		return fmt.Errorf("loadgentest: Echo.Gap is %v, must be at least 0", e.Gap)
	}
	return nil
}

// wait waits until chunk i of an answer is due. The chunks that are due at once
// cost no look at the clock.
func (e *Echo) wait(ctx context.Context, a *alarm, received time.Time, i int) error {
	if e.Gap == 0 && (i > 0 || e.FirstToken == 0) {
		return nil
	}
	return a.wait(ctx, received.Add(e.FirstToken+time.Duration(i)*e.Gap))
}

// Counts returns what the server does and did. Waiting is always 0.
func (e *Echo) Counts() Counts { return e.queue.snapshot() }

// ServeHTTP answers a request. It returns early where the client goes away.
func (e *Echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := receive()
	defer x.release()
	if err := e.Validate(); err != nil {
		fail(w, http.StatusInternalServerError, "", err.Error())
		return
	}
	model := e.Model
	if model == "" {
		model = "echo"
	}
	if !x.accept(w, r, limits{model: model, anyModel: true}, &e.queue) {
		return
	}
	ctx := r.Context()
	p, _ := e.queue.enter(ctx, 0) // fails only where it waits, and without a limit it does not
	defer func() {
		if !p.left { // cut short
			e.queue.meter.add(x.input, x.done)
		}
		p.leave(time.Now(), false)
	}()
	x.begin(w, p.number, model)
	x.unstamped = e.Unstamped
	var a alarm
	defer a.stop()
	size := max(1, e.TokensPerChunk)
	if !x.stream {
		due := e.FirstToken + time.Duration((x.output-1)/size)*e.Gap
		if due > 0 && a.wait(ctx, x.received.Add(due)) != nil {
			return
		}
		x.whole(w)
		e.queue.meter.add(x.input, x.done)
		p.leave(time.Now(), true)
		_ = x.send(w)
		return
	}
	flusher := http.NewResponseController(w)
	if x.chat {
		x.role()
	}
	for i := 0; x.done < x.output; i++ {
		if e.wait(ctx, &a, x.received, i) != nil {
			return
		}
		x.chunk(min(size, x.output-x.done))
		last := x.done == x.output
		if last {
			e.queue.meter.add(x.input, x.done)
			p.leave(time.Now(), true)
		}
		flush := i == 0 || e.FlushEach || e.Gap > 0
		if !flush && (last || len(x.out) < pileUp) {
			continue
		}
		if x.send(w) != nil || ctx.Err() != nil {
			return
		}
		if flush {
			if err := flusher.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return
			}
		}
	}
	x.end()
	_ = x.send(w) // the client is gone: nobody is left to be told
}
