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
	"github.com/servegauge/servegauge/envinfo/state"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Client is what a [Runner] knows of the servers' language. A pointer to openai.Client is one.
type Client interface {
	// Ready returns nil once the server at url can be measured. Its context ends after ReadyTimeout, or as soon as the
	// server has ended by itself.
	Ready(ctx context.Context, url string) error

	// Target makes what a level of s puts under load at url. One that is an [Auditor] is asked about the level's
	// answers after it. A Target that has a Close method is closed after its step; of one that has methods Models()
	// []string and Sent() workload.Description the measurement says which models were asked, and for what.
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

	// Clients are those of arms that are asked otherwise than by Client, such as with a field more in each request:
	// what an ablation compares are then the requests, of one server or of two. nil: all are asked by Client.
	Clients map[string]Client

	// ReadyTimeout is how long an instance may take to become ready. Zero: 30 minutes, because the largest models load
	// for a quarter of an hour.
	ReadyTimeout time.Duration

	// Measure measures a step on an instance, with a generator whose Target is the Client's (nil where there is none),
	// such as on other machines: then the target here says what they send. nil: here.
	Measure func(context.Context, *Instance, Step, *loadgen.Generator) (*loadgen.Result, error)

	// Inspect asks for the server's evidence at each start, once it is ready: what its container and the server itself
	// say. It may add to the instance's warnings. That there is no evidence is one too ([WarnNoEvidence]). nil: nobody
	// asks.
	Inspect func(context.Context, *Instance) (*envinfo.Environment, error)

	// Before is called before each step's load, discarded ones included, such as to empty a cache. An error is a
	// warning of the step ([WarnNotPrepared]). nil: nothing is.
	Before func(context.Context, *Instance, Step) error

	// Calibration measures the client before the first start, and when an experiment is taken up again. Zero: nothing
	// is.
	Calibration Calibration

	// Probes watch while the load runs. What one cannot watch is said in its reading, and costs the step nothing else.
	Probes []Probe
	// Snapshot reads the state of the host on which the server runs. With it the memory of the GPUs must be as free
	// after each stop as it was before the first start, before there is another. nil: nobody looks.
	Snapshot func(context.Context) (*state.State, error)

	// Metrics are the user's own, as in [loadgen.Generator].
	Metrics []loadgen.Metric

	// Observe, if set, gives an observer for each step's requests.
	Observe func(Step) loadgen.Observer

	// Measured, if set, is told of each step that is over, with all of those before.
	Measured func(*Experiment)

	// Progress, if set, is told what the runner is about to do. It is called from the goroutine that runs.
	Progress func(Event)

	// Stop, once closed, ends the experiment: the level in progress drains and is journalled as cut short. nil: never.
	Stop <-chan struct{}

	// Dir is where plan, journal and environment are written. Without Resume it must not hold an experiment that has
	// [Experiment.Measured]. One process at a time writes there ([BusyError]). "": nothing is written.
	Dir string

	// Resume goes on with the experiment that Dir holds, in the same order and with the same seeds. The design must be
	// the one that it has, or that plan with more runs; the environment must be what it was, and so must the server:
	// differences that matter are a [ResumeError]. A run in the middle of which it ended goes on with a new server,
	// which is warmed as the run's first was.
	Resume bool

	// AcceptChanges takes up an experiment although its environment or its server is another; the journal says what is.
	AcceptChanges bool

	// SaveRequests keeps each single request, in [RequestsFile] in Dir.
	SaveRequests bool
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
	PhaseCalibrate Phase = "measure the client itself"
	PhaseStop      Phase = "stop the server"
	PhaseCooldown  Phase = "cool down"
	PhaseStart     Phase = "start the server"
	PhaseReady     Phase = "wait until it is ready"
	PhaseStarted   Phase = "it is ready"
	PhaseMeasure   Phase = "measure"
	PhaseAudit     Phase = "check the answers"
)

const defaultReadyTimeout = 30 * time.Minute

// client is the one of an arm.
func (r *Runner) client(arm string) Client {
	if own := r.Clients[arm]; own != nil {
		return own
	}
	return r.Client
}

// ErrStopped is what Run returns when it was asked to stop.
var ErrStopped = errors.New("stopped before its end")

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
	design, traces, err := withoutTraces(design)
	if err != nil {
		return nil, err
	}
	if err := r.vacant(ctx); err != nil {
		return nil, err
	}
	run := &running{Runner: r, experiment: &Experiment{}, before: map[string]Identity{}}
	var before *Experiment
	if r.Dir != "" {
		if run.journal, before, err = openJournal(r.Dir, r.Resume); err != nil {
			return nil, err
		}
		defer run.journal.close()
	}
	environment, err := envinfo.Capture(ctx, envinfo.Options{})
	if err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	if before != nil {
		if err := run.takeUp(before, design, d, environment); err != nil {
			return before, err
		}
		if run.resuming = true; r.Dir != "" {
			err = writeJSON(r.Dir, PlanFile, json.RawMessage(design))
		}
	} else {
		err = run.note(Entry{Begin: &Begin{Tool: Tool(), Design: design, Environment: environment}})
		for _, sha256 := range slices.Sorted(maps.Keys(traces)) {
			err = errors.Join(err, run.journal.trace(sha256, traces[sha256]))
		}
		if err == nil && r.Dir != "" {
			err = errors.Join(writeJSON(r.Dir, PlanFile, json.RawMessage(design)),
				writeJSON(r.Dir, EnvironmentFile, environment))
		}
	}
	if err == nil && r.SaveRequests && r.Dir != "" {
		if run.requests, err = openRequests(r.Dir, run.experiment.requestsSize()); err == nil {
			defer run.requests.close()
		}
	}
	if err == nil {
		err = run.calibrate(ctx, d)
	}
	if err == nil {
		err = run.steps(ctx, d)
	}
	if stopErr := run.stop(ctx); !errors.Is(err, stopErr) { // a journal that cannot be written says so once
		err = errors.Join(err, stopErr)
	}
	end := &End{Error: reason(err)}
	if s, ok := d.(interface{ Shortened([]Measurement) string }); ok && err == nil {
		end.Shortened = s.Shortened(run.experiment.Measurements)
	}
	if noteErr := run.note(Entry{End: end}); err == nil {
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
	journal  *journal    // nil: none
	requests *requestLog // nil: none
	// what an experiment that is taken up again asked for, by arm, not compared yet
	asked map[string]*workload.Description
	// the experiment is taken up again, and its server has yet to be compared
	resuming   bool
	experiment *Experiment
	began      time.Time              // the present step
	instance   *Instance              // nil: none runs
	arm        string                 // the instance's
	run        int                    // that it was started for
	identity   Identity               // as it was when it was ready
	before     map[string]Identity    // of each arm's latest instance
	answered   bool                   // the instance has, at least once
	dead       *LevelError            // the first level of the instance in which no request completed; nil: none
	loaded     time.Time              // when the instance's latest load ended; zero: there was none
	healthy    map[sample]audit.Tally // of answers at one in flight, where a level's were audited
	cold       string                 // why the instance is not known to be warm; "": nothing speaks against it
	unproven   bool                   // and the next level may show that it is after all
	free       memory                 // of the host, without a server
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
		r.began = time.Now()
		if step.Restart || r.instance == nil || step.Arm != r.arm {
			if err := r.neverAnswered(); err != nil { // another start would cost its time and show no more
				return err
			}
			if err := r.restart(ctx, step); err != nil {
				return err
			}
			if err := r.rewarm(ctx, step); err != nil {
				return err
			}
		} else {
			if err := r.cooldown(ctx, step); err != nil {
				return err
			}
			if err := r.rewarmIdle(ctx, step); err != nil {
				return err
			}
		}
		if err := r.measure(ctx, step, false); err != nil {
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

// untilStopped is ctx until the experiment is asked to stop. release ends its goroutine.
func (r *running) untilStopped(ctx context.Context) (stoppable context.Context, release func()) {
	stoppable, cancel := context.WithCancelCause(ctx)
	stop := r.Stop // the goroutine may begin when Run has returned, and its caller may have another Stop by then
	go func() {
		select {
		case <-stop:
			cancel(ErrStopped)
		case <-stoppable.Done():
		}
	}()
	return stoppable, func() { cancel(nil) }
}
