package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/secret"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
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

// defaultGrace is how long a server may take to stop before it is killed: large models free their memory slowly.
const defaultGrace = 120 * time.Second

// Start starts the process. Its standard input is a pipe that closes when this program ends, however it ends. One that
// does not mind that, and outlives a program that was killed, is ended by the next Start of the same Argv and URL.
func (p Process) Start(ctx context.Context) (*protocol.Instance, error) {
	if len(p.Argv) == 0 {
		return nil, &protocol.ServerError{Phase: "start", Err: errors.New("no command given")}
	}
	if p.Grace == 0 {
		p.Grace = defaultGrace
	}
	shown := secret.Args(slices.Clone(p.Argv))
	key := p.key()
	fail := func(err error, output string) (*protocol.Instance, error) {
		return nil, &protocol.ServerError{Phase: "start", Command: p.Argv[0], Output: output, Err: err}
	}
	warnings, err := endLeftOvers(ctx, key, p.Grace)
	if err == nil {
		err = taken(ctx, p.URL)
	}
	if err != nil {
		return fail(err, "")
	}
	var announced chan string
	if p.URL == "" {
		announced = make(chan string, 1)
	}
	c, err := startChild(p.Argv, p.Env, newNote(key, strings.Join(shown, " ")), announced)
	if err != nil {
		return fail(err, "")
	}
	url := p.URL
	if url == "" {
		if url, err = c.announces(ctx, announced); err != nil {
			c.end(ctx, p.Grace)
			return fail(err, lastLine(c.output.String()))
		}
	}
	asked, _ := json.Marshal(shown)
	return &protocol.Instance{
		URL: url, Asked: asked, Warnings: warnings,
		Identity: func(ctx context.Context) (protocol.Identity, error) { return c.identity("process", url) },
		Path:     func(ctx context.Context) protocol.Path { return path(ctx, url) },
		Exited:   c.exited,
		Err:      func() error { return c.ended(p.Argv[0]) },
		Log:      c.output.String,
		Stop: func(ctx context.Context) (protocol.Stop, error) {
			killed := c.end(ctx, p.Grace)
			return c.stopped(killed, p.Grace), nil
		},
	}, nil
}

// key tells what earlier runs left of this server from what they left of others.
func (p Process) key() string {
	return "process " + strings.Join(secret.Args(slices.Clone(p.Argv)), " ") + " " + protocol.PublicURL(p.URL)
}

// Vacant implements [protocol.Vacancy]: it is an error where something answers at URL that Start would not end.
func (p Process) Vacant(ctx context.Context) error { return vacant(ctx, p.key(), p.Argv, p.URL) }

// announces waits for the line in which a server prints its URL.
func (c *child) announces(ctx context.Context, line <-chan string) (string, error) {
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case url := <-line:
		return url, nil
	case <-c.exited:
		return "", fmt.Errorf("it ended (%s) before it printed its URL", c.cmd.ProcessState)
	case <-timeout.C:
		return "", errors.New("it printed no URL within a minute")
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// identity is that of a child that is the server, and an error where another process answers at its URL.
func (c *child) identity(kind, url string) (protocol.Identity, error) {
	pids := []int{c.cmd.Process.Pid}
	if c.note != nil && c.note.Start != "" && processStart(pids[0]) != c.note.Start {
		return protocol.Identity{}, fmt.Errorf("process %d has ended", pids[0])
	}
	if err := foreign(url, pids); err != nil {
		return protocol.Identity{}, err
	}
	return protocol.Identity{Kind: kind, Proof: c.id(), PIDs: pids}, nil
}

// stopped is what there is to say of a child that has been ended.
func (c *child) stopped(killed bool, grace time.Duration) protocol.Stop {
	s := protocol.Stop{Killed: killed}
	if state := c.cmd.ProcessState; state != nil && state.ExitCode() >= 0 {
		code := state.ExitCode()
		s.ExitCode = &code
	}
	if killed {
		s.Warnings = []loadgen.Warning{killedWarning(fmt.Sprint("process ", c.cmd.Process.Pid), grace)}
	}
	return s
}

func killedWarning(what string, grace time.Duration) loadgen.Warning {
	return loadgen.Warning{Code: WarnKilled, Message: fmt.Sprintf(
		"%s did not end when it was asked to, and was killed (it is given %v)", what, grace)}
}
