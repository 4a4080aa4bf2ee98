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

// measure measures a step and journals it, whatever came of it.
func (r *running) measure(ctx context.Context, step Step) error {
	r.progress(Event{Phase: PhaseMeasure, Step: step})
	m := Measurement{Step: step, Instance: r.identity.Proof}
	if err := r.unchanged(ctx); err != nil {
		return err
	}
	living, release := r.untilExited(ctx)
	defer release()
	hopeless := &hopelessness{limit: max(step.Level.Concurrency, 10), stop: make(chan struct{})}
	stop, releaseStop := eitherClosed(r.Stop, hopeless.stop)
	defer releaseStop()
	generator := &loadgen.Generator{Stop: stop, Metrics: r.Metrics}
	generator.Observers = []loadgen.Observer{{Record: hopeless.record}}
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
	if result == nil {
		if died := r.died(); died != nil {
			return died
		}
		return err
	}
	m.Result = *result
	died := r.died()
	switch {
	case died != nil:
		err = died
		m.spoil(WarnServerDied, "the server ended while the level was measured: %s", reason(died))
	case err == nil:
		if err = r.unchanged(ctx); r.died() != nil {
			m.spoil(WarnServerDied, "the server ended while the level was measured: %s", reason(err))
		} else if err != nil {
			m.spoil(WarnServerRestarted, "the server that was measured is not surely one and the same: %s", reason(err))
		}
	}
	if noteErr := r.note(Entry{Measurement: &m}); noteErr != nil {
		return errors.Join(err, noteErr)
	}
	if err != nil {
		return err
	}
	a, w := result.Accounting, result.Warmup
	if hopeless.gaveUp || a.Completed+w.Completed == 0 && a.Failed+w.Failed > 0 {
		return &LevelError{Step: step, Errors: result.Errors}
	}
	return r.stopped(ctx)
}

// measureHere measures a step on a target of the Client, and notes which models it asked for what.
func (r *running) measureHere(
	ctx context.Context, s Step, g *loadgen.Generator, m *Measurement,
) (*loadgen.Result, error) {
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
	return fmt.Sprintf("%s %v", i.Kind, i.PIDs)
}

// spoil says why none of the figures may be used.
func (m *Measurement) spoil(code, format string, args ...any) {
	m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{
		Code: code, Message: fmt.Sprintf(format, args...), Spoils: []string{loadgen.All},
	})
}

// hopelessness ends a level in which nothing works: as many requests as its concurrency, and at least ten, have
// failed, and none has completed. The rest would only take long to fail as well.
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
