package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// measure measures a step and journals it, whatever came of it; as a rewarm, which is no measurement of the design,
// where again says so. An error ends the experiment.
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
	hopeless := newHopelessness(step.Level)
	stop, releaseStop := eitherClosed(r.Stop, hopeless.stop)
	defer releaseStop()
	levelCourse, warms := newCourse(step.Level), (*warmer)(nil)
	generator := &loadgen.Generator{Stop: stop, Metrics: r.Metrics, Observers: []loadgen.Observer{{Record: hopeless.record}}}
	if step.UntilSteady {
		warms = newWarmer(step.Level)
		either, release := eitherClosed(stop, warms.steady)
		defer release()
		generator.Stop = either
		generator.Observers = append(generator.Observers, loadgen.Observer{Record: warms.record})
	} else {
		generator.Observers = append(generator.Observers, loadgen.Observer{Record: levelCourse.record})
	}
	if r.requests != nil {
		generator.Observers = append(generator.Observers, r.requests.observer(step))
	}
	if r.Observe != nil {
		generator.Observers = append(generator.Observers, r.Observe(step))
	}
	m.Time = time.Now().UTC()
	var result *loadgen.Result
	var err error
	if r.Client == nil {
		result, err = r.Measure(living, r.instance, step, generator)
	} else {
		var done func()
		if generator.Target, done, err = r.target(living, step, &m); err == nil {
			defer done()
			result, err = r.measured(living, step, generator)
		}
	}
	m.Readings = readings()
	if result == nil {
		if died := r.died(); died != nil {
			return died
		}
		return err
	}
	m.Result, m.GaveUp = *result, hopeless.gaveUp
	m.finite()
	size, requestsErr := r.requests.end()
	m.Requests = size
	if prepared != nil {
		m.spoil(WarnNotPrepared, "%v", prepared)
	}
	if m.GaveUp {
		m.Result.Warnings = append(slices.Clip(m.Result.Warnings), givenUp(result))
	}
	died := r.died()
	switch {
	case died != nil:
		m.spoil(WarnServerDied, "the server ended while the level was measured: %s", reason(died))
		err = ctx.Err() // the level's own, if at all: what its death did to the requests is said
	case err == nil:
		changed := r.unchanged(ctx)
		if died = r.died(); died != nil {
			m.spoil(WarnServerDied, "the server ended while the level was measured: %s", reason(changed))
		} else if changed != nil {
			err = changed // somebody else is there: nothing more can be measured
			m.spoil(WarnServerRestarted, "the server that was measured is not surely one and the same: %s", reason(changed))
		}
	}
	if err == nil && died == nil {
		r.audit(living, generator.Target, &m)
	}
	if energy, ok := m.energy(); ok {
		m.Readings = append(m.Readings, energy)
	}
	if w, ok := m.budgetWarning(); ok {
		m.Result.Warnings = append(m.Result.Warnings, w)
	}
	if w, ok := driftWarning(&m.Result); ok {
		m.Result.Warnings = append(m.Result.Warnings, w)
	}
	if warms != nil {
		r.warmed(&m, warms)
	} else if w, ok := r.judgeWarmth(&m, levelCourse); ok {
		m.Result.Warnings = append(m.Result.Warnings, w)
	}
	m.Took, r.loaded = time.Since(r.began), time.Now()
	entry := Entry{Measurement: &m}
	if again {
		entry = Entry{Rewarm: &m}
	}
	if noteErr := errors.Join(requestsErr, r.note(entry)); noteErr != nil {
		return errors.Join(err, noteErr)
	}
	if r.Measured != nil {
		r.Measured(r.experiment)
	}
	if err != nil {
		return err
	}
	if err := r.hope(&m); err != nil {
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

// hope is an error where the step has shown that there is no sense in going on: it was there to show that the server
// answers, and no request since the server's start has completed.
func (r *running) hope(m *Measurement) error {
	a, w := m.Result.Accounting, m.Result.Warmup
	r.answered = r.answered || a.Completed+w.Completed > 0
	if a.Completed+w.Completed > 0 || a.Failed+w.Failed == 0 {
		return nil
	}
	if r.dead == nil {
		r.dead = &LevelError{Step: m.Step, Errors: m.Result.Errors}
	}
	if m.Step.Discard {
		return r.neverAnswered()
	}
	return nil
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

// target is what a step loads, of the Client, to be done with in the end. It notes which models are asked for what.
func (r *running) target(ctx context.Context, s Step, m *Measurement) (target loadgen.Target, done func(), err error) {
	target, err = r.client(s.Arm).Target(ctx, r.instance.URL, s.Spec)
	if err != nil {
		return nil, nil, err
	}
	done = func() {}
	if closer, ok := target.(io.Closer); ok {
		done = func() { _ = closer.Close() } // of connections that nobody needs any more
	}
	if asks, ok := target.(interface{ Models() []string }); ok {
		m.Models = asks.Models()
	}
	if says, ok := target.(interface{ Sent() workload.Description }); ok {
		sent := says.Sent()
		if err := r.sameRequests(s.Arm, sent); err != nil {
			done()
			return nil, nil, err
		}
		m.Sent = &sent
	}
	return target, done, nil
}

// measured measures a step on the generator's target, here or by Measure.
func (r *running) measured(ctx context.Context, s Step, g *loadgen.Generator) (*loadgen.Result, error) {
	if r.Runner.Measure != nil {
		return r.Runner.Measure(ctx, r.instance, s, g)
	}
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
		return &ServerError{Phase: "identity", Err: fmt.Errorf(
			"another instance answers than the one that was started: %s, and not %s", describe(now), describe(r.identity))}
	}
	return nil
}

// describe names an instance, by what is known of it.
func describe(i Identity) string {
	if i.Proof != "" {
		return i.Proof
	}
	return number.Sprintf("%s %v", i.Kind, i.PIDs)
}

// spoil says why none of the figures may be used.
func (m *Measurement) spoil(code, format string, args ...any) {
	m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{
		Code: code, Message: number.Sprintf(format, args...), Spoils: []string{loadgen.All},
	})
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
