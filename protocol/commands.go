package protocol

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Commands is a server that two shell commands stop and start.
//
// The start command may stay in the foreground, and is then the server; or it may return with status 0, having left
// the server to somebody else (a container runtime, a service manager). A restart is proven by the endpoint: it
// refused connections before the start.
type Commands struct {
	StopCommand  string // run by sh -c before each start and at the end; it must return once the server was told to stop
	StartCommand string // run by sh -c
	URL          string // where the server answers

	// Grace is how long the server may take to stop. Zero: 120 s.
	Grace time.Duration
}

// Start runs the stop command, waits until nothing answers at the URL, and runs the start command. The stop command may
// find nothing to stop: its status matters only if something answers.
func (c Commands) Start(ctx context.Context) (Instance, error) {
	if c.Grace == 0 {
		c.Grace = stopGrace
	}
	// Also where nothing answers yet: a server that is still loading would otherwise pass for the one started here.
	if err := c.stop(ctx); err != nil {
		return nil, err
	}
	child, err := startChild(shell(c.StartCommand), nil, nil)
	if err != nil {
		return nil, &ServerError{Phase: "start", Command: c.StartCommand, Err: err}
	}
	return &commandsInstance{commands: c, child: child}, nil
}

func shell(command string) []string { return []string{"sh", "-c", command} }

// stop runs the stop command and waits until the endpoint refuses. Where nothing answered in the first place, the command
// may have found nothing to stop, and its status is no error.
func (c Commands) stop(ctx context.Context) error {
	running := answers(ctx, c.URL)
	child, err := startChild(shell(c.StopCommand), nil, nil)
	if err != nil {
		return &ServerError{Phase: "stop", Command: c.StopCommand, Err: err}
	}
	fail := func(err error) error {
		child.end(ctx, 0)
		return &ServerError{Phase: "stop", Command: c.StopCommand, Output: lastLine(child.output.String()), Err: err}
	}
	deadline := time.NewTimer(c.Grace)
	defer deadline.Stop()
	select {
	case <-child.exited:
	case <-deadline.C:
		return fail(fmt.Errorf("it did not return within %v", c.Grace))
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
	if state := child.cmd.ProcessState; !state.Success() && (running || answers(ctx, c.URL)) {
		return fail(errors.New(state.String()))
	}
	if err := awaitRefusal(ctx, c.URL, c.Grace); err != nil {
		return fail(err)
	}
	return nil
}

type commandsInstance struct {
	commands Commands
	child    *child
}

func (i *commandsInstance) URL() string             { return i.commands.URL }
func (i *commandsInstance) ID() string              { return "start command " + i.child.id() }
func (i *commandsInstance) Log() string             { return i.child.output.String() }
func (i *commandsInstance) Exited() <-chan struct{} { return i.child.failed }
func (i *commandsInstance) Err() error              { return i.child.ended(i.commands.StartCommand) }

// Stop runs the stop command, also when the server does not answer yet, and ends what is left of the start command and
// of its process group.
func (i *commandsInstance) Stop(ctx context.Context) error {
	err := i.commands.stop(ctx)
	i.child.end(ctx, i.commands.Grace)
	if err == nil && answers(ctx, i.commands.URL) {
		err = &ServerError{Phase: "stop", Command: i.commands.StopCommand, Err: errors.New("something still answers at " + PublicURL(i.commands.URL))}
	}
	return err
}
