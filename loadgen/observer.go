package loadgen

import (
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
// ([WarnObserverPanic]). One that takes its time delays the results, and, once as many as the concurrency (1,024 at
// least, and 10,000 at most) wait to be told of, the requests. One that goes on for more than 5 s after the context's
// end is left behind, with its goroutine, as a Target is ([WarnObserverStuck]); while the context is not done,
// Measure waits for it. A [Metric] is treated alike.
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
	WarnObserverPanic = "observer-panic" // an observer, a metric or a [Noter] panicked, and was called no more
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
}

// breaks keeps the hook from being called again.
func (h *hook) breaks(code, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.broken.Swap(true) {
		h.code, h.why = code, why
	}
}

// broke breaks the hook by what a call of it came to: a *panicked, errGoexit or errAbandoned.
func (h *hook) broke(in string, how error) {
	const most = 500 // bytes; what somebody panics with has no bound
	if how == errAbandoned {
		h.breaks(WarnObserverStuck, in+" did not return within 5 s of the level's being cancelled, and was left behind")
		return
	}
	why := "ended its goroutine (runtime.Goexit)"
	if p, ok := how.(*panicked); ok {
		why = fmt.Sprintf("panicked: %v", p.value)
	}
	if len(why) > most {
		why = strings.ToValidUTF8(why[:most], "") + " …"
	}
	h.breaks(WarnObserverPanic, in+" "+why)
}

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
		w.Spoils = l.figuresOf(m) // in other runs of the level there may be some
		w.Spoils = append(w.Spoils, l.goodputOf(m)...)
	}
	return w, true
}

// in names the func of a hook that is called with each request.
func (h *hook) in() string {
	if h.metric.Of != nil {
		return "Of"
	}
	return "Record"
}

// hooks are all the user's code that a level calls, but for the Target.
type hooks struct {
	host *host
	all  []*hook // the observers, then the metrics
	own  int     // how many metrics
}

func newHooks(g *Generator, h *host) *hooks {
	k := &hooks{host: h, own: len(g.Metrics)}
	for i, o := range g.Observers {
		k.all = append(k.all, &hook{name: fmt.Sprintf("observer %d", i), observer: o})
	}
	for _, m := range g.Metrics {
		k.all = append(k.all, &hook{name: "metric " + m.Name, metric: m})
	}
	return k
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
func (h *hooks) each(in string, pick func(Observer) func()) {
	for _, k := range h.all {
		f := pick(k.observer)
		if f == nil || k.broken.Load() {
			continue
		}
		if how := h.host.call(f); how != nil {
			k.broke(in, how)
		}
	}
}

// notes are what the target has to say, once the level is over; where asking it breaks, it is one of the hooks.
func (h *hooks) notes(t Target) (notes []Warning) {
	noter, ok := t.(Noter)
	if !ok {
		return nil
	}
	if how := h.host.call(func() { notes = noter.Notes() }); how != nil {
		broken := &hook{name: "target"}
		broken.broke("Notes", how)
		h.all = append(h.all, broken)
		return nil
	}
	return notes
}

// finish calls the observers' Done with r, and returns what Measure is to return: r, with how they broke. It is not r
// itself then, which may be with one that was left behind.
func (h *hooks) finish(r *Result) *Result {
	before := len(h.warnings(r.Level))
	h.each("Done", func(o Observer) func() {
		if o.Done == nil {
			return nil
		}
		return func() { o.Done(r) }
	})
	if after := h.warnings(r.Level); len(after) > before {
		changed := *r
		kept := slices.DeleteFunc(slices.Clone(r.Warnings), func(w Warning) bool {
			return w.Code == WarnObserverPanic || w.Code == WarnObserverStuck
		})
		changed.Warnings = append(kept, after...)
		return &changed
	}
	return r
}

// tick calls the observers' Tick once a second until the level is over. wait returns when the last one has returned, or
// has been left behind.
func (h *hooks) tick(progress func() Progress) (wait func()) {
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
			h.each("Tick", func(o Observer) func() {
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

// A teller calls the hooks with each request that is over, and hands it on to the collector. It is a guest.
type teller struct {
	guest
	*hooks
	in, out *inbox

	batch []outcome // those that were taken together, of which the first is the present one
	next  int       // hook to be called with it
}

// tell begins to tell the hooks of what is in the inbox, until that is closed, and returns where what they were told
// of comes out. Without hooks it is the same inbox.
func (h *hooks) tell(in *inbox) (out *inbox) {
	if len(h.all) == 0 {
		return in
	}
	t := &teller{hooks: h, in: in, out: newInbox(in.most)}
	t.goOn = t.instead
	h.host.admit(&t.guest)
	go t.tell()
	return t.out
}

func (t *teller) tell() {
	for {
		for len(t.batch) > 0 {
			if !t.rest() {
				return
			}
			t.out.put(t.batch[0])
			t.batch, t.next = t.batch[1:], 0
		}
		if t.batch = t.in.take(); t.batch == nil {
			t.out.close()
			return
		}
	}
}

// rest calls the hooks that have not been called with the present request; false where the goroutine was left behind.
func (t *teller) rest() (mine bool) {
	o := &t.batch[0]
	if t.next == 0 && t.own > 0 {
		o.own = make([]sample, 0, t.own)
	}
	for t.next < len(t.all) {
		h := t.all[t.next]
		t.next++
		if h.metric.Of != nil {
			o.own = append(o.own, sample{}) // the hook's, none until it says otherwise
		}
		r, failure := o.record, o.failure
		if h.broken.Load() || h.observer.Record == nil && (h.metric.Of == nil || failure != nil || r.Warmup) {
			continue
		}
		var s sample
		p, mine := t.visit(func() {
			if h.metric.Of != nil {
				s.value, s.has = h.metric.Of(r)
			} else {
				h.observer.Record(r, failure)
			}
		})
		switch {
		case !mine:
			return false
		case p != nil:
			h.broke(h.in(), p)
		case h.metric.Of != nil:
			o.own[len(o.own)-1] = s
		}
	}
	return true
}

// instead goes on where a hook has taken the goroutine, or was left behind with it and the record.
func (t *teller) instead(how error) {
	h := t.all[t.next-1]
	h.broke(h.in(), how)
	t.batch[0].kept = how == errAbandoned
	t.tell()
}
