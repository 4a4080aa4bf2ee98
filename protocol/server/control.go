package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A Control is a server that commands start and stop: a kind of server as data. Commands are argument lists, and none
// goes through a shell. Start and Stop are needed; without the rest less is known and proven.
type Control struct {
	Kind  string // of the server, for the journal and for errors: "docker"
	Name  string // of the server, for people: that of its container, its unit
	URL   string // where it answers
	Probe string // asked instead of URL whether the server has gone; zero: URL

	Start   []string // returns once the server has been started
	Stop    []string // returns once the server has ended, or was told to
	Kill    []string // ends it at once, where Stop did not
	Inspect []string // prints what Identity reads
	Wait    []string // returns when the server has ended; zero: Inspect is asked now and then
	Logs    []string // prints the end of what it printed
	Remove  []string // takes away what is left of it once it has ended; zero: it stays

	// Identity reads what Inspect prints. The error is an [*EndedError] where the server does not run. nil: what
	// listens at the URL is the server, where the system tells. An identity without a proof gets one from the server's
	// metrics, where they say when its process began or how many requests it has counted.
	Identity func(inspect []byte) (protocol.Identity, error)

	// Grace is how long the server may take to stop. Zero: 120 s.
	Grace time.Duration

	Asked  json.RawMessage // as in [protocol.Instance]
	Pinned string          // as in [protocol.Instance]
}

// An EndedError says that a server does not run, and how it ended where that is known.
type EndedError struct {
	State     string // as its runtime calls it: "exited", "failed"; "absent": there is none
	ExitCode  *int   // nil: not known
	OOMKilled bool   // the kernel ended it for want of memory
	Reason    string // what the runtime says of it, "" for nothing
}

func (e *EndedError) Error() string {
	s := "it does not run (" + e.State + ")"
	if e.ExitCode != nil && e.State != absent {
		s += fmt.Sprintf(", exit code %d", *e.ExitCode)
	}
	if e.OOMKilled {
		s += ", out of memory"
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// States that are ours: there is no server, and there is one of which not all runs.
const (
	absent  = "absent"
	pending = "pending"
)

// Server returns the server: each start of it first stops what runs, and waits until nothing answers.
func (c Control) Server() protocol.Server {
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.Probe == "" {
		c.Probe = c.URL
	}
	return controlled{c, &tally{url: c.URL}}
}

type controlled struct {
	Control
	tally *tally // for where nothing else tells one instance from another
}

// what names the server in errors.
func (c controlled) what() string { return c.Kind + " " + c.Name }

// inspect asks who runs. The error is an EndedError where nobody does.
func (c controlled) inspect(ctx context.Context) (protocol.Identity, error) {
	id, err := c.inspected(ctx)
	if err == nil && id.Proof == "" {
		id.Proof = c.tally.proof(ctx)
	}
	return id, err
}

// inspected is what the system or the runtime tells.
func (c controlled) inspected(ctx context.Context) (protocol.Identity, error) {
	if c.Inspect == nil || c.Identity == nil {
		return listenerIdentity(c.Kind, c.URL), nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, inspectTimeout, fmt.Errorf("no answer within %v", inspectTimeout))
	defer cancel()
	text, err := output(ctx, c.Inspect)
	if e, ok := errors.AsType[*commandError](err); ok && noSuch.MatchString(e.said) {
		return protocol.Identity{}, &EndedError{State: absent}
	}
	if err != nil {
		return protocol.Identity{}, err
	}
	id, err := c.Identity(text)
	if id.Kind == "" {
		id.Kind = c.Kind
	}
	return id, err
}

// inspectTimeout is how long a runtime may take to say what it knows of a server.
const inspectTimeout = 30 * time.Second

// noSuch is what docker and podman say of a container that there is not: "Error: No such container: vllm",
// "Error: no such object: "vllm"".
var noSuch = regexp.MustCompile(`(?i)no such (container|object)`)

// Start implements [protocol.Server].
func (c controlled) Start(ctx context.Context) (*protocol.Instance, error) {
	i := &instance{controlled: c, exited: make(chan struct{}), watched: make(chan struct{})}
	var warnings []loadgen.Warning
	before, err := c.inspect(ctx)
	ended, isEnded := errors.AsType[*EndedError](err)
	switch {
	case err != nil && !isEnded:
		return nil, serverError("start", c.what(), err)
	case isEnded && ended.State == absent, c.Inspect == nil && look(ctx, c.Probe) == refused:
	case isEnded && ended.State != pending:
		if err := c.remove(ctx); err != nil {
			return nil, serverError("stop", c.what(), err)
		}
	default:
		if before.Proof != "" {
			warnings = append(warnings, loadgen.Warning{Code: WarnReplaced, Message: fmt.Sprintf(
				"%s ran already (%s), and was stopped", c.what(), before.Proof)})
		}
		stop, err := c.halt(ctx)
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, stop.Warnings...)
	}
	if _, err := awaitGone(ctx, c.Probe, min(c.Grace, startPatience)); err != nil {
		return nil, serverError("start", c.what(), err)
	}
	if _, err := output(ctx, c.Control.Start); err != nil {
		return nil, errors.Join(serverError("start", c.what(), err), c.abandon(ctx))
	}
	if now, err := c.inspect(ctx); err == nil && now.Proof != "" && now.Proof == before.Proof {
		return nil, serverError("start", c.what(), fmt.Errorf(
			"it is the instance that was there before (%s): the restart did nothing", now.Proof))
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	i.unwatch = cancel
	go i.watch(watching)
	return &protocol.Instance{
		URL: c.URL, Asked: c.Asked, Pinned: c.Pinned, Warnings: warnings,
		Identity: i.identity, Exited: i.exited, Err: i.err, Log: i.log, Stop: i.stop,
		Path: func(ctx context.Context) protocol.Path { return path(ctx, c.URL) },
	}, nil
}

// abandon takes back a start that failed, or that nobody waits for any more. What was made and could not be started
// would be in the way of the next attempt, and a daemon goes on with what it was asked for when the command that
// asked is killed.
func (c controlled) abandon(ctx context.Context) error {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), inspectTimeout)
	defer cancel()
	if ctx.Err() != nil {
		_ = pause(patient, time.Second) // for what the daemon is about to do
	}
	if _, err := c.inspect(patient); err != nil {
		return c.remove(patient)
	}
	_, err := c.halt(patient)
	return err
}

// startPatience is how long a port may stay taken after the server that had it has ended: by then it is another's.
const startPatience = 10 * time.Second

// halt stops the server and waits until it and its endpoint have gone. What does not end within its grace is killed.
func (c controlled) halt(ctx context.Context) (protocol.Stop, error) {
	stop, begin := protocol.Stop{}, time.Now()
	fail := func(err error) (protocol.Stop, error) {
		stop.Took = time.Since(begin)
		return stop, serverError("stop", c.what(), err)
	}
	// The command has a grace of its own, after which it kills, so ours is a little longer.
	limit := c.Grace + c.Grace/10 + time.Second
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not end within %v", limit))
	defer cancel()
	_, failed := output(limited, c.Stop)
	ended, err := c.awaitEnd(limited)
	if err != nil && c.Kill != nil {
		stop.Killed = true
		immortal := errors.New("it cannot be killed")
		killing, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), killPatience, immortal)
		defer cancel()
		if _, killFailed := output(killing, c.Kill); killFailed != nil {
			return fail(errors.Join(err, killFailed))
		}
		ended, err = c.awaitEnd(killing)
	}
	switch {
	case failed != nil && (err != nil || c.Inspect == nil):
		return fail(failed) // what the command says is the cause of what comes after
	case err != nil:
		return fail(err)
	}
	c.tally.halted() // and not before: the old one was asked until it had ended
	stop.ExitCode, stop.OOMKilled = ended.ExitCode, ended.OOMKilled
	if code := ended.ExitCode; code != nil && *code == exitKilled && time.Since(begin) >= c.Grace {
		stop.Killed = true
	}
	if stop.Killed {
		stop.Warnings = append(stop.Warnings, killedWarning(c.what(), c.Grace))
	}
	if err := c.remove(context.WithoutCancel(ctx)); err != nil {
		return fail(err)
	}
	if ctx.Err() == nil { // else nobody wants to wait
		if _, err := awaitGone(ctx, c.Probe, c.Grace); err != nil {
			return fail(err)
		}
	}
	stop.Took = time.Since(begin)
	return stop, nil
}

const exitKilled = 128 + 9 // by SIGKILL, as a shell has it

// awaitEnd waits until the server does not run any more, as far as its runtime knows.
func (c controlled) awaitEnd(ctx context.Context) (*EndedError, error) {
	if c.Inspect == nil || c.Identity == nil {
		return &EndedError{}, nil
	}
	running := ""
	for {
		id, err := c.inspect(ctx)
		ended, isEnded := errors.AsType[*EndedError](err)
		switch {
		case isEnded && ended.State != pending:
			return ended, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w%s", context.Cause(ctx), running)
		case err != nil && !isEnded:
			return nil, err
		case err == nil:
			running = "; " + id.Proof + " still runs"
		}
		_ = pause(ctx, 200*time.Millisecond)
	}
}

// remove takes away what is left of a server that has ended.
func (c controlled) remove(ctx context.Context) error {
	if c.Remove == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	if _, err := output(ctx, c.Remove); err != nil {
		if e, ok := errors.AsType[*commandError](err); ok && noSuch.MatchString(e.said) {
			return nil
		}
		return err
	}
	return nil
}
