package loadgen

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// abandonAfter is how long the user's code may go on once its context is done or its time is up. After that its
// goroutine is left behind, because a level that hangs is worse than one goroutine too many.
const abandonAfter = 5 * time.Second

var (
	errAbandoned = errors.New("the target did not return within 5 s of being cancelled, and was left behind")
	errGoexit    = errors.New("the target ended its goroutine, by runtime.Goexit or by failing a test from inside Do")
)

// A guest is a goroutine of ours that calls code of the user's in between: a Target, an observer, a metric. In such a
// call it can be left behind. Then goOn goes on in its place, on another goroutine, and the old one ends as soon as
// the call lets go of it.
//
// The calls are made inline. Handing each one to a goroutine of its own and waiting for it is simpler, and costs two
// switches, 0.36 µs of CPU: as much again as all the rest that the loop does for a request (BenchmarkLoop).
type guest struct {
	goOn  func(how error) // how is errAbandoned or errGoexit
	limit time.Duration   // of a call; 0: the level's context alone ends it
	calls uint64          // so far
	call  atomic.Uint64   // number of the one that is under way; 0: none

	// Of the host: the call that it saw last, and when it saw it first.
	seen  uint64
	since time.Time
}

// panicked is what the user's code panicked with.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// visit calls f. Where mine is false the goroutine has been left behind in it: whatever belongs to the guest is
// another's now, and the goroutine must return at once. Where f ends the goroutine visit does not return, and goOn
// goes on.
func (g *guest) visit(f func()) (p *panicked, mine bool) {
	g.calls++
	n, returned := g.calls, false
	g.call.Store(n) // from here on nothing of the guest is this goroutine's, until it is shown to be
	defer func() {
		if !returned {
			if value := recover(); value != nil {
				p = &panicked{value, debug.Stack()}
			}
		}
		mine = g.call.CompareAndSwap(n, 0)
		if mine && !returned && p == nil {
			go g.goOn(errGoexit)
		}
	}()
	f()
	returned = true
	return nil, false // which the deferred func says
}

// A host watches the guests of a level, and leaves behind those that overstay.
type host struct {
	ctx        context.Context
	over, done chan struct{}

	mu     sync.Mutex
	guests map[*guest]bool
	cut    time.Time // when it saw first that the context was done
}

func newHost(ctx context.Context) *host {
	h := &host{ctx: ctx, over: make(chan struct{}), done: make(chan struct{}), guests: map[*guest]bool{}}
	go h.watch()
	return h
}

// watch looks at the guests once a second.
func (h *host) watch() {
	defer close(h.done)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-h.over:
			return
		case now := <-ticker.C:
			h.look(now)
		}
	}
}

// close ends the watch. What was left behind stays so.
func (h *host) close() {
	close(h.over)
	<-h.done
}

// look leaves behind the guests that are still in a call 5 s after its limit or, in the same call, after the
// context's end.
func (h *host) look(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	cut := h.ctx.Err() != nil
	if cut && h.cut.IsZero() {
		h.cut = now
	}
	for g := range h.guests {
		n := g.call.Load()
		if n != g.seen {
			g.seen, g.since = n, now
		}
		stays := now.Sub(g.since)
		late := cut && min(stays, now.Sub(h.cut)) >= abandonAfter || g.limit > 0 && stays-g.limit >= abandonAfter
		if n != 0 && late && g.call.CompareAndSwap(n, 0) {
			go g.goOn(errAbandoned)
		}
	}
}

// admit takes a guest in.
func (h *host) admit(g *guest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.guests[g] = true
}

// dismiss lets a guest go that calls nothing any more.
func (h *host) dismiss(g *guest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.guests, g)
}

// call calls f on a goroutine that can be left behind, and returns when it has returned or was left: nil, errAbandoned,
// errGoexit or a *panicked. What f writes to may be read where it is nil.
func (h *host) call(f func()) error {
	result := make(chan error, 1)
	g := &guest{goOn: func(how error) { result <- how }}
	h.admit(g)
	defer h.dismiss(g)
	go func() {
		switch p, mine := g.visit(f); {
		case mine && p != nil:
			result <- p
		case mine:
			result <- nil
		}
	}()
	return <-result
}
