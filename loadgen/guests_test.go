package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whichever of the user's code panics, ends its goroutine or does not come back, in whichever loop, a level that is
// stopped or cancelled ends in time, its books close, and once what was left behind has come back nothing is left.
func TestGuestsOfAllKinds(t *testing.T) {
	levels := map[string]Level{
		"closed":  {Concurrency: 5, Requests: 4000, Warmup: 5},
		"timeout": {Concurrency: 5, Requests: 400, Timeout: 3 * time.Second, Retries: 1},
		"open":    {Arrivals: poisson(8), Requests: 900},
		"bounded": {Arrivals: constant(8), Concurrency: 5, Requests: 900, Timeout: 4 * time.Second},
	}
	for name, l := range levels {
		for seed := range uint64(25) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { misbehave(t, l, rand.New(rand.NewPCG(seed, 7))) })
			})
		}
	}
}

func misbehave(t *testing.T, l Level, random *rand.Rand) {
	release := make(chan struct{})
	does := func(what int) {
		switch what {
		case 0:
			panic("no")
		case 1:
			runtime.Goexit()
		case 2:
			<-release
		}
	}
	// Of each func whether it goes wrong is drawn once, and at which call of it.
	once := func(odds int) func() {
		what, at := random.IntN(odds), random.IntN(20)
		n := 0
		return func() {
			if n++; n > at {
				does(what)
			}
		}
	}
	start, record, tick, done, of := once(60), once(6), once(6), once(8), once(8)
	seed := random.Uint64()
	target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		select {
		case <-time.After(time.Duration(random.Int64N(1e9))):
		case <-ctx.Done():
			return ctx.Err()
		}
		r.Chunk(Chunk{})
		does(random.IntN(60))
		if random.IntN(30) == 0 {
			return errors.New("no")
		}
		return nil
	})
	stop := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopAfter, cutAfter := time.Duration(random.Int64N(40e9)), time.Duration(random.Int64N(80e9))
	time.AfterFunc(stopAfter, func() { close(stop) })
	time.AfterFunc(cutAfter, cancel)
	g := &Generator{Target: target, Stop: stop, Observers: []Observer{
		{Start: func(Level) { start() }, Record: func(*Record, *Error) { record() }},
		{Tick: func(Progress) { tick() }, Done: func(*Result) { done() }},
	}, Metrics: []Metric{{Name: "own", Of: func(*Record) (float64, bool) { of(); return 1, true }}}}
	begun := time.Now()
	r, err := g.Measure(ctx, l)
	// Start, Record, Tick and Done may each be left behind, one after the other.
	if took := time.Since(begun); took > cutAfter+30*time.Second {
		t.Errorf("it took %v, and was cancelled after %v", took, cutAfter)
	}
	if r == nil || err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, books := range []Accounting{r.Accounting, r.Warmup} {
		if err := books.Check(); err != nil {
			t.Error(err)
		}
	}
	if f := r.InFlight; l.Concurrency > 0 && (f.Peak > l.Concurrency || f.Occupied > float64(l.Concurrency)+1e-9) {
		t.Errorf("%+v of %d", f, l.Concurrency)
	}
	close(release) // the bubble fails if a goroutine is left for good
}

// A blind is an error that cannot be asked anything.
type blind struct{ inner error }

func (b *blind) Error() string { return b.inner.Error() }
func (b *blind) Unwrap() error { return b.inner }

// noted is a target whose notes are what notes does.
type noted struct {
	TargetFunc
	notes func() []Warning
}

func (n noted) Notes() []Warning { return n.notes() }

// What is done with an error is code of the user's as well: its methods may panic, as those of a nil pointer do.
func TestErrorsAreGuests(t *testing.T) {
	for name, err := range map[string]error{"its own": (*blind)(nil), "ours": (*Error)(nil), "inside": &blind{}} {
		t.Run(name, func(t *testing.T) {
			target := TargetFunc(func(context.Context, int, *Record) error { return err })
			r := mustMeasure(t, Level{Concurrency: 2, Requests: 10, Retries: 1}, target)
			if len(r.Errors) != 1 || r.Errors[0].Class != ClassTarget || r.Errors[0].Count != 10 {
				t.Errorf("%+v", r.Errors)
			}
		})
	}
}

// So are the notes that a target makes.
func TestNotesAreGuests(t *testing.T) {
	release := make(chan struct{})
	for name, c := range map[string]struct {
		notes func() []Warning
		want  string
	}{
		"panic":         {func() []Warning { panic("no") }, WarnObserverPanic},
		"goexit":        {func() []Warning { runtime.Goexit(); return nil }, WarnObserverPanic},
		"never returns": {func() []Warning { <-release; return nil }, WarnObserverStuck},
		"note":          {func() []Warning { return []Warning{{Code: "note", Message: "target: yes"}} }, "note"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release = make(chan struct{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				g := &Generator{Target: noted{always(time.Second), c.notes}}
				g.Observers = []Observer{{Done: func(*Result) { panic("too") }}}
				r, _ := g.Measure(ctx, Level{Concurrency: 2, Requests: 10})
				said := func(code, by string) bool {
					return slices.ContainsFunc(r.Warnings, func(w Warning) bool {
						return w.Code == code && strings.HasPrefix(w.Message, by)
					})
				}
				if r.Accounting.Completed != 10 || !said(c.want, "target: ") ||
					!said(WarnObserverPanic, "observer 0: ") {
					t.Errorf("%+v", r.Warnings)
				}
				close(release)
			})
		})
	}
}
