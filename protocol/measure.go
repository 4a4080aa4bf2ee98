package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// measure measures a step and journals it, whatever came of it; as a rewarm, which is no measurement of the design, where
// again says so. An error ends the experiment.
func (r *running) measure(ctx context.Context, step Step, again bool) error {
	r.progress(Event{Phase: PhaseMeasure, Step: step})
	m := Measurement{Step: step, Instance: r.identity.Proof}
	if err := r.unchanged(ctx); err != nil {
		return err
	}
	living, release := r.untilExited(ctx)
	defer release()
	var prepared error
	if r.Before != nil {
		prepared = r.Before(living, r.instance, step)
	}
	readings := r.watch(living, step)
	hopeless := &hopelessness{limit: max(step.Level.Concurrency, 10), stop: make(chan struct{})}
	stop, releaseStop := eitherClosed(r.Stop, hopeless.stop)
	defer releaseStop()
	generator := &loadgen.Generator{Stop: stop, Metrics: r.Metrics, Observers: []loadgen.Observer{{Record: hopeless.record}}}
	if r.requests != nil {
		generator.Observers = append(generator.Observers, r.requests.observer(step))
	}
	if r.Observe != nil {
		generator.Observers = append(generator.Observers, r.Observe(step))
	}
	m.Time = time.Now().UTC()
	var result *loadgen.Result
	var err error
	if r.Measure != nil {
		result, err = r.Measure(living, r.instance, step, generator)
	} else {
		result, err = r.measureHere(living, step, generator, &m)
	}
	m.Readings = readings()
	if result == nil {
		if died := r.died(); died != nil {
			return died
		}
		return err
	}
	m.Result, m.GaveUp = *result, hopeless.gaveUp
	size, requestsErr := r.requests.end()
	m.Requests = size
	if prepared != nil {
		m.Result.Warnings = append(m.Result.Warnings, spoilsAll(WarnNotPrepared, "%v", prepared))
	}
	died := r.died()
	switch {
	case died != nil:
		m.Result.Warnings = append(m.Result.Warnings, spoilsAll(WarnServerDied, "the server ended while the level was measured: %s", reason(died)))
		err = ctx.Err() // the level's own, if at all: what its death did to the requests is said
	case err == nil:
		var changed error
		if changed = r.unchanged(ctx); r.died() != nil {
			died = r.died()
			m.Result.Warnings = append(m.Result.Warnings, spoilsAll(WarnServerDied,
				"the server ended while the level was measured: %s", reason(changed)))
		} else if changed != nil {
			died = changed
			m.Result.Warnings = append(m.Result.Warnings, spoilsAll(WarnServerRestarted,
				"the server that was measured is not surely one and the same: %s", reason(changed)))
		}
	}
	if energy, ok := m.energy(); ok {
		m.Readings = append(m.Readings, energy)
	}
	m.Took = time.Since(r.began)
	entry := Entry{Measurement: &m}
	if again {
		entry = Entry{Rewarm: &m}
	}
	if noteErr := errors.Join(requestsErr, r.note(entry)); noteErr != nil {
		return errors.Join(err, noteErr)
	}
	if err != nil {
		return err
	}
	if err := r.goOn(&m); err != nil {
		return errors.Join(died, err)
	}
	if died != nil { // what is left of it is stopped, so that the next step starts it anew
		if r.instance.Stop == nil { // not ours: nobody starts it anew
			return died
		}
		if err := r.stop(ctx); err != nil {
			return errors.Join(died, err)
		}
	}
	return r.stopped(ctx)
}

// mostFailures is how many steps in a row may pass without a request that completed, before the experiment ends: what is wrong
// then will not mend itself.
const mostFailures = 3

// goOn is an error where there is no sense in going on after a step: nothing in the experiment has worked yet, or nothing has
// for several steps. Otherwise a level that failed is kept as what it is, and the next one is measured.
func (r *running) goOn(m *Measurement) error {
	a, w := m.Result.Accounting, m.Result.Warmup
	if a.Completed+w.Completed > 0 || !m.GaveUp && a.Failed+w.Failed == 0 {
		r.failures = 0
		return nil
	}
	r.failures++
	for _, before := range r.experiment.Measurements {
		if c := before.Result.Accounting.Completed + before.Result.Warmup.Completed; c > 0 && r.failures < mostFailures {
			return nil
		}
	}
	return &LevelError{Step: m.Step, Errors: m.Result.Errors}
}

// watch has the probes watch, and returns what collects their readings.
func (r *running) watch(ctx context.Context, step Step) func() []Reading {
	var readings []Reading
	var stops []func() (Reading, error)
	for _, p := range r.Probes {
		stop, err := p.Watch(ctx, r.instance, step)
		if err != nil {
			readings = append(readings, Reading{Error: err.Error()})
			continue
		}
		stops = append(stops, stop)
	}
	return func() []Reading {
		for _, stop := range stops {
			reading, err := stop()
			if err != nil {
				reading.Error = err.Error()
			}
			readings = append(readings, reading)
		}
		return readings
	}
}

// measureHere measures a step on a target of the Client, and notes which models it asked for what.
func (r *running) measureHere(ctx context.Context, s Step, g *loadgen.Generator, m *Measurement) (*loadgen.Result, error) {
	target, err := r.Client.Target(ctx, r.instance.URL, s.Spec)
	if err != nil {
		return nil, err
	}
	if closer, ok := target.(io.Closer); ok {
		defer closer.Close()
	}
	if asks, ok := target.(interface{ Models() []string }); ok {
		m.Models = asks.Models()
	}
	if says, ok := target.(interface{ Sent() workload.Description }); ok {
		sent := says.Sent()
		m.Sent = &sent
	}
	g.Target = target
	return g.Measure(ctx, s.Level)
}

// unchanged is an error where another instance answers than the one that was started, or nobody surely does.
func (r *running) unchanged(ctx context.Context) error {
	if r.instance.Identity == nil || ctx.Err() != nil {
		return nil
	}
	now, err := r.identify(ctx)
	if err != nil {
		return err
	}
	if !r.identity.Same(now) {
		return &ServerError{Phase: "identity", Err: fmt.Errorf("another instance answers than the one that was started: %s, and not %s",
			describe(now), describe(r.identity))}
	}
	return nil
}

// describe names an instance, by what is known of it.
func describe(i Identity) string {
	if i.Proof != "" {
		return i.Proof
	}
	return fmt.Sprintf("%s %v", i.Kind, i.PIDs)
}

func spoilsAll(code, format string, args ...any) loadgen.Warning {
	return loadgen.Warning{Code: code, Message: fmt.Sprintf(format, args...), Spoils: []string{loadgen.All}}
}

// hopelessness ends a level in which nothing works: as many requests as its concurrency, and at least ten, have failed, and
// none has completed. The rest would only take long to fail as well.
type hopelessness struct {
	limit     int
	failed    int
	gaveUp    bool
	stop      chan struct{}
	completed bool // one at least has
}

func (h *hopelessness) record(_ *loadgen.Record, err *loadgen.Error) {
	if err == nil {
		h.completed = true
		return
	}
	if h.failed++; h.failed == h.limit && !h.completed {
		h.gaveUp = true
		close(h.stop)
	}
}

// eitherClosed returns a channel that is closed when a or b is. release ends its goroutine.
func eitherClosed(a, b <-chan struct{}) (closed <-chan struct{}, release func()) {
	out, done := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case <-a:
			close(out)
		case <-b:
			close(out)
		case <-done:
		}
	}()
	return out, func() { close(done) }
}
