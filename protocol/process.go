package protocol

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Process is a server that runs as a child of this program. Its end, with all that it started in its process
// group, is certain; its identity is its process id and start.
type Process struct {
	Argv []string
	Env  []string // zero: that of this program

	// URL is where it answers. Zero: it prints its URL on a line of its own, within a minute.
	URL string

	// Grace is how long it may take to end after a SIGTERM before it is killed. Zero: 120 s.
	Grace time.Duration
}

// Start starts the process. Its standard input is a pipe that closes when this program ends, however it ends.
func (p Process) Start(ctx context.Context) (Instance, error) {
	if len(p.Argv) == 0 {
		return nil, &ServerError{Phase: "start", Err: errors.New("no command given")}
	}
	var announced chan string
	if p.URL == "" {
		announced = make(chan string, 1)
	}
	c, err := startChild(p.Argv, p.Env, announced)
	if err != nil {
		return nil, &ServerError{Phase: "start", Command: p.Argv[0], Err: err}
	}
	i := &processInstance{child: c, name: p.Argv[0], url: p.URL, grace: p.Grace}
	if i.grace == 0 {
		i.grace = stopGrace
	}
	if p.URL != "" {
		return i, nil
	}
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case i.url = <-announced:
		return i, nil
	case <-c.exited:
		err = fmt.Errorf("it ended (%s) before it printed its URL", c.cmd.ProcessState)
	case <-timeout.C:
		err = errors.New("it printed no URL within a minute")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.end(ctx, i.grace)
	return nil, &ServerError{Phase: "start", Command: p.Argv[0], Output: lastLine(c.output.String()), Err: err}
}

type processInstance struct {
	child *child
	name  string
	url   string
	grace time.Duration
}

func (i *processInstance) URL() string             { return i.url }
func (i *processInstance) ID() string              { return i.child.id() }
func (i *processInstance) Log() string             { return i.child.output.String() }
func (i *processInstance) Exited() <-chan struct{} { return i.child.exited }
func (i *processInstance) Err() error              { return i.child.ended(i.name) }

func (i *processInstance) Stop(ctx context.Context) error {
	i.child.end(ctx, i.grace)
	return nil
}
