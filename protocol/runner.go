package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Client is what a [Runner] knows of the servers' language. A pointer to openai.Client is one.
type Client interface {
	// Ready returns nil once the server at url can be measured. Its context ends after ReadyTimeout, or as soon as the
	// server has ended by itself.
	Ready(ctx context.Context, url string) error

	// Target makes what a level of s puts under load at url. A Target that has a Close method is closed after its
	// step; of one that has methods Models() []string and Sent() workload.Description the measurement says which
	// models were asked, and for what.
	Target(ctx context.Context, url string, s workload.Spec) (loadgen.Target, error)
}

// A Runner carries out a design: it restarts the server when a step says so, measures each step, and journals it.
type Runner struct {
	// Server is that of a design with one. Arms has those of a comparison, by arm. A step of an arm without a server is
	// an error.
	Server Server
	Arms   map[string]Server

	// Client speaks to the servers. nil: only where Measure does without; an instance is then ready when it has been
	// started.
	Client Client

	// ReadyTimeout is how long an instance may take to become ready. Zero: 30 minutes, because the largest models load
	// for a quarter of an hour.
	ReadyTimeout time.Duration

	// Measure measures a step on an instance, with a generator that lacks nothing but its Target. nil: here, on a
	// target of the Client.
	Measure func(context.Context, *Instance, Step, *loadgen.Generator) (*loadgen.Result, error)

	// Inspect asks for the server's evidence at each start, once it is ready: what its container and the server itself
	// say. It may add to the instance's warnings. That there is no evidence is one too ([WarnNoEvidence]). nil: nobody
	// asks.
	Inspect func(context.Context, *Instance) (*envinfo.Environment, error)

	// Snapshot reads the state of the host on which the server runs. With it the memory of the GPUs must be as free after
	// each stop as it was before the first start, before there is another. nil: nobody looks.
	Snapshot func(context.Context) (*envinfo.State, error)

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

	Warnings []loadgen.Warning // about the start that is done
}

// A Phase is a part of a run.
type Phase string

// The phases of a run, in their order.
const (
	PhaseStop     Phase = "stop the server"
	PhaseCooldown Phase = "cool down"
	PhaseStart    Phase = "start the server"
	PhaseReady    Phase = "wait until it is ready"
	PhaseStarted  Phase = "it is ready"
	PhaseMeasure  Phase = "measure"
)

const defaultReadyTimeout = 30 * time.Minute

// ErrStopped is what Run returns when it was asked to stop.
var ErrStopped = errors.New("stopped before its end")

// A LevelError says that a level could not be measured, because no request completed.
type LevelError struct {
	Step   Step
	Errors []loadgen.ErrorCount
}

func (e *LevelError) Error() string {
	what := fmt.Sprintf("%s of run %d", e.Step.Level.Load(), e.Step.Run)
	if e.Step.Discard {
		what = fmt.Sprintf("the warmup of run %d", e.Step.Run)
	}
	if len(e.Errors) == 0 {
		return what + ": no request completed"
	}
	return fmt.Sprintf("%s: no request completed: %s", what, e.Errors[0])
}

// Run carries out d. Cut short, by an error, by Stop ([ErrStopped]) or by ctx, it returns what it has and the error;
// what was measured until then is in the journal. The servers that it started are stopped before it returns.
func (r *Runner) Run(ctx context.Context, d Design) (*Experiment, error) {
	if r.Client == nil && r.Measure == nil {
		return nil, &loadgen.InvalidError{
			Field: "runner's Client", Value: nil, Want: "one that makes targets, such as an openai.Client",
		}
	}
	design, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("design: %w", err)
	}
	run := &running{Runner: r, experiment: &Experiment{}, before: map[string]Identity{}}
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
	err = run.note(Entry{Begin: &Begin{Design: design, Environment: environment}})
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
	instance   *Instance           // nil: none runs
	arm        string              // the instance's
	run        int                 // that it was started for
	identity   Identity            // as it was when it was ready
	before     map[string]Identity // of each arm's latest instance
	free       memory              // of the host, without a server
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
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.stopped(ctx); err != nil {
			return err
		}
		if step.Restart || r.instance == nil || step.Arm != r.arm {
			if err := r.restart(ctx, step); err != nil {
				return err
			}
		}
		if err := r.measure(ctx, step); err != nil {
			return err
		}
	}
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
