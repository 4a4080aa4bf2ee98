package loadgen

import (
	"context"
	"fmt"
	"time"
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

	// Clock is how this machine's clock stands to the one that all generators of a level go by ([Level.Shards]).
	// Results carry it, and are merged by that clock. nil: not known, and the clocks are taken to agree.
	Clock *ClockOffset

	// At is when the level's clock is to start, for generators that are to begin together. All that can be done
	// before is done before, so that what is left for then is to wake. An observer's Start may set it. Zero, or a
	// moment that has passed: at once.
	At time.Time
}

// Measure puts t under the load of l, with neither observers nor metrics of one's own.
func Measure(ctx context.Context, l Level, t Target) (*Result, error) {
	return (&Generator{Target: t}).Measure(ctx, l)
}

// Validate returns an [*InvalidError] for what Measure would refuse in l, g.Metrics or g.Clock, or nil. A Target is not
// asked for yet.
func (g *Generator) Validate(l Level) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if err := checkMetrics(g.Metrics); err != nil {
		return err
	}
	if err := g.Clock.validate(); err != nil {
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
	if _, has := g.Target.(Sessions); l.Unit != "" && !has {
		return nil, &InvalidError{"target", fmt.Sprintf("%T", g.Target),
			"one that has Sessions, for a level of sessions (Unit)"}
	}
	host := newHost(ctx)
	defer host.close()
	hooks := newHooks(g, host)
	descriptors := lookAtDescriptors(l)
	if err := g.open(ctx, l, host); err != nil && descriptors.few() {
		return nil, fmt.Errorf("before the level began: %w; %v", err, descriptors)
	} else if err != nil {
		return nil, fmt.Errorf("before the level began: %w", err)
	}
	watch := newWatch(l.Seed)
	hooks.each("Start", func(o Observer) func() {
		if o.Start == nil {
			return nil
		}
		return func() { o.Start(l) }
	})
	start := newStart(ctx, g.At)
	start.near()
	watch.ready()
	start.await()
	slots := newSlots(l)
	start.letOthers()
	watch.begin()
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
	outcomes := newInbox(l.waiting())
	collectorDone := make(chan struct{})
	go func() {
		defer close(collectorDone)
		collected.collect(hooks.tell(outcomes))
	}()
	waitForTick := hooks.tick(func() Progress { return collected.progress(slots) })

	(&loop{ctx: ctx, level: l, target: g.Target, stop: g.Stop, slots: slots, out: outcomes, host: host}).run()
	watched := watch.end()
	watched.Descriptors = descriptors
	outcomes.close()
	<-collectorDone
	waitForTick()

	result, err := collected.result(slots, watched, hooks.notes(g.Target)...)
	result = hooks.finish(result)
	if err != nil {
		return result, err
	}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	return result, nil
}

// open has the target get ready, where it can.
func (g *Generator) open(ctx context.Context, l Level, h *host) error {
	opener, ok := g.Target.(Opener)
	if !ok {
		return nil
	}
	var err error
	if how := h.call(func() { err = opener.Open(ctx, l.workers()) }); how != nil {
		return how
	}
	return err
}
