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
	StopCommand  string // run by sh -c; it must return when the server has been told to stop, with status 0
	StartCommand string // run by sh -c
	URL          string // where the server answers

	// Grace is how long the server may take to stop. Zero: 120 s.
	Grace time.Duration
}

// Start stops whatever answers at the URL, waits until nothing does, and runs the start command.
func (c Commands) Start(ctx context.Context) (Instance, error) {
	if c.Grace == 0 {
		c.Grace = stopGrace
	}
	if answers(ctx, c.URL) {
		if err := c.stop(ctx); err != nil {
			return nil, err
		}
	}
	child, err := startChild(shell(c.StartCommand), nil, nil)
	if err != nil {
		return nil, &ServerError{Phase: "start", Command: c.StartCommand, Err: err}
	}
	return &commandsInstance{commands: c, child: child}, nil
}

func shell(command string) []string { return []string{"sh", "-c", command} }

// stop runs the stop command and waits until the endpoint refuses.
func (c Commands) stop(ctx context.Context) error {
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
	if state := child.cmd.ProcessState; !state.Success() {
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

// Stop runs the stop command if the server is there, and ends a start command that is still in the foreground.
func (i *commandsInstance) Stop(ctx context.Context) error {
	var err error
	if answers(ctx, i.commands.URL) {
		err = i.commands.stop(ctx)
	}
	select {
	case <-i.child.exited: // it left the server to somebody else, or ended with it
	default:
		i.child.end(ctx, i.commands.Grace)
	}
	if err == nil && answers(ctx, i.commands.URL) {
		err = &ServerError{Phase: "stop", Command: i.commands.StopCommand, Err: errors.New("something still answers at " + i.commands.URL)}
	}
	return err
}
