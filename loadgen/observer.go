package loadgen

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An Observer sees what happens in a level. A nil func is not called.
//
// An observer that panics, or ends its goroutine, is called no more; the level goes on, and its result says so
// ([WarnObserverPanic]). One that takes its time delays the results, and, once as many as the concurrency wait to be told of,
// the requests. One that goes on for more than 5 s after the context's end is left behind, with its goroutine, as a
// Target is ([WarnObserverStuck]); while the context is not done, Measure waits for it. A [Metric] is treated alike.
type Observer struct {
	// Start is called before the level's clock starts.
	Start func(l Level)

	// Record is called for each request that is over, warmup included; err is nil when it completed. r is invalid
	// once Record has returned. A request that was left behind has a Record without what happened to it.
	Record func(r *Record, err *Error)

	// Tick is called once a second while the level lasts, from a goroutine of its own, at the same time as Record. A
	// second in which it has not returned yet is passed over.
	Tick func(p Progress)

	// Done is called last, with what Measure will return, unless it has none. It may keep r, but not change it.
	Done func(r *Result)
}

// Progress is how far a level has come. All of it is with the warmup's requests.
type Progress struct {
	Elapsed   time.Duration // since the level's start
	Issued    int
	InFlight  int
	Completed int
	Failed    int
	Cancelled int
	Tokens    int // output tokens of the requests that completed, as far as the server told
}

// Codes of the warnings about code that the user has given.
const (
	WarnObserverPanic = "observer-panic" // an observer or a metric panicked, and was called no more
	WarnObserverStuck = "observer-stuck" // one did not return after the level's end, and was left behind
)

// A hook is a user's Observer or Metric, until it breaks.
type hook struct {
	name     string // "observer 0", "metric tokens_per_joule"
	observer Observer
	metric   Metric // Of is nil for an observer

	broken atomic.Bool
	mu     sync.Mutex
	code   string // of the warning about it
	why    string

	value float64 // the metric of the present request
	has   bool
}

// breaks keeps the hook from being called again.
func (h *hook) breaks(code, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.broken.Swap(true) {
		h.code, h.why = code, why
	}
}

// panics breaks the hook by what it panicked with; nil where it ended its goroutine.
func (h *hook) panics(in string, p any) {
	const most = 500 // bytes; what somebody panics with has no bound
	why := "ended its goroutine (runtime.Goexit)"
	if p != nil {
		why = fmt.Sprintf("panicked: %v", p)
	}
	if len(why) > most {
		why = strings.ToValidUTF8(why[:most], "") + " …"
	}
	h.breaks(WarnObserverPanic, in+" "+why)
}

const stuck = "did not return within 5 s of the level's being cancelled, and was left behind"

// warning says how the hook broke; false where it did not.
func (h *hook) warning(l Level) (Warning, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.code == "" {
		return Warning{}, false
	}
	w := Warning{Code: h.code, Message: h.name + ": " + h.why + "; it was called no more"}
	if m := h.metric.Name; m != "" {
		w.Message += ", and its figures are left out"
		w.Spoils = figuresOf(m) // in other runs of the level there may be some
		w.Spoils = append(w.Spoils, l.goodputOf(m)...)
	}
	return w, true
}

// hooks are all the user's code that a level calls.
type hooks struct {
	all []*hook // the observers, then the metrics
}

func newHooks(g *Generator) *hooks {
	h := &hooks{}
	for i, o := range g.Observers {
		h.all = append(h.all, &hook{name: fmt.Sprintf("observer %d", i), observer: o})
	}
	for _, m := range g.Metrics {
		h.all = append(h.all, &hook{name: "metric " + m.Name, metric: m})
	}
	return h
}

// metrics are the user's own, with the values that were had of the present request: each Of is called once a request, and
// where it may break.
func (h *hooks) metrics() (own []Metric) {
	for _, k := range h.all {
		if m := k.metric; m.Of != nil {
			m.Of = func(*Record) (float64, bool) { return k.value, k.has }
			own = append(own, m)
		}
	}
	return own
}

func (h *hooks) warnings(l Level) (out []Warning) {
	for _, k := range h.all {
		if w, ok := k.warning(l); ok {
			out = append(out, w)
		}
	}
	return out
}

// each calls, one after the other, the func that pick finds in each observer that is not broken.
func (h *hooks) each(ctx context.Context, in string, pick func(Observer) func()) {
	for _, k := range h.all {
		if f := pick(k.observer); f != nil && !k.broken.Load() {
			k.call(ctx, in, f)
		}
	}
}

// finish calls the observers' Done with r, and returns what Measure is to return: r, with how they broke. It is not r itself
// then, which may be with one that was left behind.
func (h *hooks) finish(ctx context.Context, r *Result) *Result {
	before := len(h.warnings(r.Level))
	h.each(ctx, "Done", func(o Observer) func() {
		if o.Done == nil {
			return nil
		}
		return func() { o.Done(r) }
	})
	if after := h.warnings(r.Level); len(after) > before {
		changed := *r
		kept := slices.DeleteFunc(slices.Clone(r.Warnings), func(w Warning) bool { return w.Code == WarnObserverPanic || w.Code == WarnObserverStuck })
		changed.Warnings = append(kept, after...)
		return &changed
	}
	return r
}

// call calls f on a goroutine that may be left behind.
func (h *hook) call(ctx context.Context, in string, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if p := recover(); p != nil || !returned {
				h.panics(in, p)
			}
		}()
		f()
		returned = true
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(abandonAfter)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		h.breaks(WarnObserverStuck, in+" "+stuck)
	}
}

// tick calls the observers' Tick once a second until the level is over. wait returns when the last one has returned, or
// has been left behind.
func (h *hooks) tick(ctx context.Context, progress func() Progress) (wait func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticker.C:
			}
			p := progress()
			h.each(ctx, "Tick", func(o Observer) func() {
				if o.Tick == nil {
					return nil
				}
				return func() { o.Tick(p) }
			})
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// A caller calls the hooks with each request that is over, inline on the collector's goroutine, because a goroutine of
// their own would cost two switches a request. Where a hook ends that goroutine, or never returns, another goroutine goes on
// where it was.
type caller struct {
	*hooks
	o       outcome
	failure *Error
	next    int // hook to be called with o

	calls   uint64        // so far
	calling atomic.Uint64 // the number of the call that is under way, 0: none
	kept    bool          // the present record belongs to a hook that was left behind
}

// begin sets the request that rest is to call with.
func (c *caller) begin(o outcome) {
	c.o, c.failure, c.next, c.kept = o, nil, 0, false
	if o.err != nil {
		c.failure = o.err.(*Error)
	}
}

// rest calls the hooks that have not been called with the present request. It sets lost, and returns at once, where the
// goroutine was left behind in one of them: the caller belongs to another then.
func (c *caller) rest(lost *bool) {
	for c.next < len(c.all) {
		h := c.all[c.next]
		c.next++
		h.has = false
		if h.broken.Load() {
			continue
		}
		if h.observer.Record == nil && (h.metric.Of == nil || c.failure != nil || c.o.record.Warmup) {
			continue
		}
		if c.call(h, lost); *lost {
			return
		}
	}
}

// call calls one hook.
func (c *caller) call(h *hook, lost *bool) {
	c.calls++
	call, r, failure := c.calls, c.o.record, c.failure
	c.calling.Store(call) // from here on nothing of c is this goroutine's, until it is shown to be
	returned, value, has := false, 0.0, false
	defer func() {
		p := recover()
		if *lost = !c.calling.CompareAndSwap(call, 0); *lost {
			return
		}
		h.value, h.has = value, has
		if returned {
			return
		}
		if h.metric.Of != nil {
			h.panics("Of", p)
		} else {
			h.panics("Record", p)
		}
	}()
	if h.metric.Of != nil {
		value, has = h.metric.Of(r)
	} else {
		h.observer.Record(r, failure)
	}
	returned = true
}

// rescue waits for a hook that does not return once ctx is done, and has goOn called in its place. It returns when done is
// closed.
func (c *caller) rescue(ctx context.Context, done <-chan struct{}, goOn func()) {
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	grace := time.NewTicker(abandonAfter)
	defer grace.Stop()
	for {
		call := c.calling.Load()
		select {
		case <-done:
			return
		case <-grace.C:
		}
		if call == 0 || !c.calling.CompareAndSwap(call, 0) {
			continue
		}
		c.kept = true
		h := c.all[c.next-1]
		in := "Record"
		if h.metric.Of != nil {
			in = "Of"
		}
		h.breaks(WarnObserverStuck, in+" "+stuck)
		go goOn()
	}
}
