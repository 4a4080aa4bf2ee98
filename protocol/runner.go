package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
)

// A Runner carries out a design: it restarts the server when a step says so, measures each step, and journals it.
type Runner struct {
	// Servers by arm; "" where a design has one server. A step of an arm without a server is an error.
	Servers map[string]Server

	// Ready returns when the instance can be measured. Its context ends after ReadyTimeout, or as soon as the instance
	// has ended by itself. nil: an instance is ready when it has been started.
	Ready func(ctx context.Context, i Instance) error

	// ReadyTimeout is how long an instance may take to become ready. Zero: 30 minutes, because the largest models load
	// for a quarter of an hour.
	ReadyTimeout time.Duration

	// Target makes what a step puts under load. It owns the URL, the step's seed and the prompts. A Target that has
	// a Close method is closed after the step; of one that has a method Models() []string the measurement says which models
	// were asked.
	Target func(ctx context.Context, i Instance, s Step) (loadgen.Target, error)

	// Workload is what the targets send, for the journal and whoever reads it. nil: it is not stated.
	Workload *Workload

	// Metrics are the user's own, as in [loadgen.Generator].
	Metrics []loadgen.Metric

	// Observe, if set, gives an observer for each step's requests.
	Observe func(Step) loadgen.Observer

	// Progress, if set, is told what the runner is about to do. It is called from the goroutine that runs.
	Progress func(Event)

	// Stop, once closed, ends the experiment: the level in progress drains and is journalled as cut short. nil: never.
	Stop <-chan struct{}

	// Dir is where plan, journal and environment are written. It must not hold a journal with measurements. "": nothing
	// is written.
	Dir string
}

// An Event is something that the runner is about to do.
type Event struct {
	Phase Phase
	Step  Step          // the step it is for
	Wait  time.Duration // how long it will take, where that is known: a cooldown
}

// A Phase is a part of a run.
type Phase string

// The phases of a run, in their order.
const (
	PhaseStop     Phase = "stop the server"
	PhaseCooldown Phase = "cool down"
	PhaseStart    Phase = "start the server"
	PhaseReady    Phase = "wait until it is ready"
	PhaseMeasure  Phase = "measure"
)

const defaultReadyTimeout = 30 * time.Minute

// ErrStopped is what Run returns when it was asked to stop.
var ErrStopped = errors.New("stopped before its end")

// Run carries out d. Cut short, by an error, by Stop ([ErrStopped]) or by ctx, it returns what it has and the error;
// what was measured until then is in the journal. The servers that it started are stopped before it returns.
func (r *Runner) Run(ctx context.Context, d Design) (*Experiment, error) {
	if r.Target == nil {
		return nil, &loadgen.InvalidError{Field: "runner's Target", Value: nil, Want: "a func that makes a loadgen.Target"}
	}
	design, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("design: %w", err)
	}
	design, traces, err := withoutTraces(design)
	if err != nil {
		return nil, err
	}
	run := &running{Runner: r, experiment: &Experiment{}}
	if r.Dir != "" {
		if run.journal, err = createJournal(r.Dir); err != nil {
			return nil, err
		}
		defer run.journal.close()
	}
	environment, err := envinfo.Capture(ctx, envinfo.Options{})
	if err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	err = run.note(Entry{Begin: &Begin{Design: design, Workload: r.Workload, Environment: environment}})
	for _, sha256 := range slices.Sorted(maps.Keys(traces)) {
		err = errors.Join(err, run.journal.trace(sha256, traces[sha256]))
	}
	if err == nil && r.Dir != "" {
		err = errors.Join(writeJSON(r.Dir, PlanFile, json.RawMessage(design)), writeJSON(r.Dir, EnvironmentFile, environment))
	}
	if err == nil {
		err = run.steps(ctx, d)
	}
	err = errors.Join(err, run.stop(ctx))
	if noteErr := run.note(Entry{End: &End{Error: reason(err)}}); err == nil {
		err = noteErr
	}
	return run.experiment, err
}

// reason is why an experiment ended, for the journal: without commands and their output, in which there may be
// secrets.
func reason(err error) string {
	var server *ServerError
	joined, several := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return ""
	case several:
		var reasons []string
		for _, part := range joined.Unwrap() {
			reasons = append(reasons, reason(part))
		}
		return strings.Join(reasons, "; ")
	case errors.As(err, &server):
		return "server " + server.Phase + ": " + server.Err.Error()
	}
	return err.Error()
}

// running is one carrying out of a design.
type running struct {
	*Runner
	journal    *journal // nil: none
	experiment *Experiment
	instance   Instance // nil: none runs
	arm        string   // the instance's
	answered   bool     // the instance has, at least once
	dead       *LevelError
}

// note writes an entry to the journal and takes it over, whether or not it could be written.
func (r *running) note(e Entry) error {
	e.Schema, e.Time = SchemaVersion, time.Now().UTC()
	r.experiment.add(e)
	return r.journal.append(e)
}

func (r *running) progress(e Event) {
	if r.Progress != nil {
		r.Progress(e)
	}
}

func (r *running) steps(ctx context.Context, d Design) error {
	for {
		step, err := d.Next(r.experiment.Measurements)
		if errors.Is(err, io.EOF) {
			return r.neverAnswered()
		}
		if err != nil {
			return err
		}
		if err := r.stopped(ctx); err != nil {
			return err
		}
		if step.Restart || r.instance == nil || step.Arm != r.arm {
			if err := r.neverAnswered(); err != nil { // another start would cost its time and show no more
				return err
			}
			if err := r.restart(ctx, step); err != nil {
				return err
			}
		}
		if err := r.measure(ctx, step); err != nil {
			return err
		}
	}
}

// neverAnswered is the error of the first level in which no request completed, where none has in any since the last
// start.
func (r *running) neverAnswered() error {
	if r.dead == nil || r.answered {
		return nil
	}
	return r.dead
}

// stopped reports whether the experiment was asked to end.
func (r *running) stopped(ctx context.Context) error {
	select {
	case <-r.Stop:
		return ErrStopped
	default:
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
}

// restart stops what runs, cools down, starts the step's server and waits until it is ready.
func (r *running) restart(ctx context.Context, step Step) error {
	server := r.Servers[step.Arm]
	if server == nil {
		return &loadgen.InvalidError{Field: "arm", Value: fmt.Sprintf("%q", step.Arm), Want: "one that the Runner has a Server for"}
	}
	if r.instance != nil {
		r.progress(Event{Phase: PhaseStop, Step: step})
		if err := r.stop(ctx); err != nil {
			return err
		}
	}
	if step.Cooldown > 0 {
		r.progress(Event{Phase: PhaseCooldown, Step: step, Wait: step.Cooldown})
		if err := rest(ctx, r.Stop, step.Cooldown); err != nil {
			return err
		}
	}
	r.progress(Event{Phase: PhaseStart, Step: step})
	begin := time.Now()
	starting, cancel := r.untilStopped(ctx)
	instance, err := server.Start(starting)
	stopped := errors.Is(context.Cause(starting), ErrStopped)
	cancel()
	if err != nil && stopped {
		return ErrStopped
	}
	if err != nil {
		return err
	}
	r.instance, r.arm, r.answered, r.dead = instance, step.Arm, false, nil
	r.progress(Event{Phase: PhaseReady, Step: step})
	if err := r.ready(ctx); err != nil {
		return err
	}
	return r.note(Entry{Start: &Start{Run: step.Run, Arm: step.Arm, Instance: instance.ID(), URL: PublicURL(instance.URL()), Ready: time.Since(begin)}})
}

var errExited = errors.New("it ended before it was ready")

// ready waits until the instance can be measured, or cannot any more.
func (r *running) ready(ctx context.Context) error {
	if r.Ready == nil {
		return nil
	}
	ctx, release := r.untilStopped(ctx)
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timeout := r.ReadyTimeout
	if timeout == 0 {
		timeout = defaultReadyTimeout
	}
	ctx, cancelTimeout := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it was not ready within %v", timeout))
	defer cancelTimeout()
	exited, finished := r.instance.Exited(), make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-exited:
			cancel(errExited)
		case <-finished:
		}
	}()
	err := r.Ready(ctx, r.instance)
	if err == nil {
		return nil
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrStopped):
		return ErrStopped
	case errors.Is(cause, errExited):
		return r.instance.Err()
	}
	return &ServerError{Phase: "readiness", Output: lastLine(r.instance.Log()), Err: err}
}

// untilStopped is ctx until the experiment is asked to stop. release ends its goroutine.
func (r *running) untilStopped(ctx context.Context) (stoppable context.Context, release func()) {
	stoppable, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-r.Stop:
			cancel(ErrStopped)
		case <-stoppable.Done():
		}
	}()
	return stoppable, func() { cancel(nil) }
}

// stop stops the instance, if there is one, also when ctx is done already.
func (r *running) stop(ctx context.Context) error {
	if r.instance == nil {
		return nil
	}
	instance := r.instance
	r.instance = nil
	// Whoever cancels, be it before or meanwhile, does not want to wait for long.
	grace, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		_ = rest(grace, nil, stopImpatience)
		cancel(context.Cause(ctx))
	})()
	return instance.Stop(grace)
}

// stopImpatience is how long a server may take to stop once the experiment has been cancelled.
const stopImpatience = 10 * time.Second

// measure measures a step and journals it, whatever came of it.
func (r *running) measure(ctx context.Context, step Step) error {
	r.progress(Event{Phase: PhaseMeasure, Step: step})
	target, err := r.Target(ctx, r.instance, step)
	if err != nil {
		return err
	}
	if closer, ok := target.(io.Closer); ok {
		defer closer.Close()
	}
	hopeless := newHopelessness(step.Level)
	stop, release := eitherClosed(r.Stop, hopeless.stop)
	defer release()
	generator := &loadgen.Generator{Target: target, Stop: stop, Metrics: r.Metrics, Observers: []loadgen.Observer{{Record: hopeless.record}}}
	if r.Observe != nil {
		generator.Observers = append(generator.Observers, r.Observe(step))
	}
	m := Measurement{Step: step, Time: time.Now().UTC(), Instance: r.instance.ID()}
	if asks, ok := target.(interface{ Models() []string }); ok {
		m.Models = asks.Models()
	}
	result, err := generator.Measure(ctx, step.Level)
	if result == nil {
		return err
	}
	m.Result = *result
	if hopeless.gaveUp {
		m.Result.Warnings = append(slices.Clip(result.Warnings), givenUp(result))
	}
	if noteErr := r.note(Entry{Measurement: &m}); noteErr != nil {
		return errors.Join(err, noteErr)
	}
	if err != nil {
		return err
	}
	select {
	case <-r.instance.Exited():
		return r.instance.Err()
	default:
	}
	a, w := result.Accounting, result.Warmup
	r.answered = r.answered || a.Completed+w.Completed > 0
	if a.Completed+w.Completed == 0 && a.Failed+w.Failed > 0 {
		if r.dead == nil {
			r.dead = &LevelError{Step: step, Errors: result.Errors}
		}
		if step.Discard { // it is there to show that the server answers
			return r.neverAnswered()
		}
	}
	return r.stopped(ctx)
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
