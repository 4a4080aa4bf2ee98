package loadgen

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// abandonAfter is how long a Do may go on once its context is done. After that the request is counted and its
// goroutine left behind, because a level that hangs is worse than one goroutine too many.
const abandonAfter = 5 * time.Second

var (
	errAbandoned = errors.New("the target did not return within 5 s of being cancelled, and was left behind")
	errGoexit    = errors.New("the target ended its goroutine, by runtime.Goexit or by failing a test from inside Do")
)

// A Generator puts a [Target] under load. The zero Generator with a Target is ready for use, and may measure again
// once Measure has returned.
type Generator struct {
	Target Target

	// Observers see the level and each request once it is over. They delay the results if they are slow.
	Observers []Observer

	// Metrics are the user's own, beside the built-in ones, whose names they must not have.
	Metrics []Metric

	// Stop, once closed, ends the issuing; what is in flight is drained and counted. Cancelling the context given to
	// Measure cuts short what is in flight as well. nil: never.
	Stop <-chan struct{}
}

// Measure puts t under the load of l, with neither observers nor metrics of one's own.
func Measure(ctx context.Context, l Level, t Target) (*Result, error) {
	return (&Generator{Target: t}).Measure(ctx, l)
}

// Validate returns an [*InvalidError] for what Measure would refuse in l or in g.Metrics, or nil. A Target is not asked for
// yet.
func (g *Generator) Validate(l Level) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if err := checkMetrics(g.Metrics); err != nil {
		return err
	}
	_, err := newGoals(l, g.Metrics)
	return err
}

// Measure keeps l.Concurrency requests in flight while requests last, or issues them when l.Arrivals say, waits for the
// last of them, and returns what it saw. If ctx is done before that, the requests in flight are cancelled, and Measure
// returns both what it has and the context's cause. An [*InvalidError] says what cannot be measured, an
// [*AccountingError] that requests were lost.
func (g *Generator) Measure(ctx context.Context, l Level) (*Result, error) {
	if err := g.Validate(l); err != nil {
		return nil, err
	}
	if g.Target == nil {
		return nil, &InvalidError{"target", nil, "a Target"}
	}
	descriptors := lookAtDescriptors(l)
	if opener, ok := g.Target.(Opener); ok {
		if err := opener.Open(ctx, l.workers()); err != nil && descriptors.few() {
			return nil, fmt.Errorf("before the level began: %w; %v", err, descriptors)
		} else if err != nil {
			return nil, fmt.Errorf("before the level began: %w", err)
		}
	}
	hooks := newHooks(g)
	hooks.each(ctx, "Start", func(o Observer) func() {
		if o.Start == nil {
			return nil
		}
		return func() { o.Start(l) }
	})
	watch := startWatch()
	slots := newSlots(l)
	if g.Stop != nil {
		stopWatching := make(chan struct{})
		defer close(stopWatching)
		go func() {
			select {
			case <-g.Stop:
				slots.close()
			case <-stopWatching:
			}
		}()
	}
	defer context.AfterFunc(ctx, slots.close)()

	collected := newCollector(g, l, slots.epoch, hooks)
	outcomes := make(chan outcome, l.buffer())
	collectorDone := make(chan struct{})
	go collected.collect(outcomes, collectorDone)
	waitForRescue := collected.rescue(ctx, outcomes, collectorDone)
	waitForTick := hooks.tick(ctx, func() Progress { return collected.progress(slots) })

	if l.open() {
		g.arrive(ctx, l, slots, outcomes)
	} else {
		g.keepInFlight(ctx, l, slots, outcomes)
	}
	watched := watch.end()
	watched.Descriptors = descriptors
	close(outcomes)
	<-collectorDone
	waitForRescue()
	waitForTick()

	result, err := collected.result(slots, watched)
	result = hooks.finish(ctx, result)
	if err != nil {
		return result, err
	}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	return result, nil
}

// stopped reports whether Stop is closed.
func (g *Generator) stopped() bool {
	select {
	case <-g.Stop:
		return true
	default:
		return false
	}
}

// keepInFlight issues the requests of a closed loop, and returns when the last one is over.
func (g *Generator) keepInFlight(ctx context.Context, l Level, s *slots, outcomes chan<- outcome) {
	var workers errgroup.Group
	for k := range l.workers() {
		workers.Go(func() error {
			s.awaitStart(k)
			g.work(ctx, l, s, outcomes)
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error: a request's failure is data
}

// workers is how many goroutines the level needs: no more than there are requests.
func (l Level) workers() int {
	l = l.own()
	if l.Requests == 0 {
		return l.Concurrency
	}
	return min(l.Concurrency, l.Warmup+l.Requests)
}

// work is one slot: it performs one request after the other until none is left.
func (g *Generator) work(ctx context.Context, l Level, s *slots, outcomes chan<- outcome) {
	do := g.newDoer()
	defer func() { do.close() }()
	next, ok := s.first()
	for ok {
		var o outcome
		o, do = g.perform(ctx, l, s, do, arrival{i: next})
		// The slot is taken again before the old request is handed over: so each outcome knows whether the steady
		// window was still open when its request ended (see slots.turn).
		next, ok, o.view = s.turn(next)
		outcomes <- o
	}
}

var records = sync.Pool{New: func() any { return new(Record) }}

// A doer calls Do on a goroutine of its own, so that a target that ignores its context can be left behind. The
// goroutine is kept from request to request, which costs two channel operations a request and no allocation.
type doer struct {
	stop    <-chan struct{} // ends the wait before another attempt; nil: nothing does
	jobs    chan job
	results chan error
	used    bool // for a request before
}

type job struct {
	ctx context.Context
	i   int
	r   *Record
}

func (g *Generator) newDoer() *doer {
	t := g.Target
	d := &doer{stop: g.Stop, jobs: make(chan job), results: make(chan error, 1)}
	go func() {
		finished := true
		defer func() {
			if !finished {
				d.results <- errGoexit
			}
		}()
		for j := range d.jobs {
			finished = false
			err := doSafely(j.ctx, t, j.i, j.r)
			finished = true
			if j.r.Done == 0 {
				j.r.Done = j.r.Now()
			}
			d.results <- err
		}
	}()
	return d
}

// close lets the goroutine end, as soon as the target lets go of it.
func (d *doer) close() { close(d.jobs) }

// doSafely calls t.Do and turns a panic into an error.
func doSafely(ctx context.Context, t Target, i int, r *Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Class: ClassTarget, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return t.Do(ctx, i, r)
}

// attempt performs request i once, in ctx, which is that of all its attempts since begun. The error is nil or an *Error, which
// wraps errAbandoned or errGoexit where the doer is spent.
func (d *doer) attempt(ctx, level context.Context, timeout, begun time.Duration, i int, r *Record) error {
	d.jobs <- job{ctx, i, r}
	var err error
	select {
	case err = <-d.results:
	case <-ctx.Done():
		grace := time.NewTimer(abandonAfter)
		defer grace.Stop()
		select {
		case err = <-d.results:
		case <-grace.C:
			d.close()
			return classify(errAbandoned, level.Err() != nil, true, false)
		}
	}
	late := timeout > 0 && r.Done-begun > timeout
	if err == nil && late { // a target that pays no attention to its context is held to the limit all the same
		err = fmt.Errorf("request %d took %v, over the limit of %v", i, r.Done-begun, timeout)
	} else if err == nil {
		err = r.check()
	}
	if err == nil {
		return nil
	}
	return classify(err, level.Err() != nil, late || ctx.Err() != nil, r.chunks.n > 0)
}
