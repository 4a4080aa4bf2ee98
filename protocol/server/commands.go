package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/secret"
	"github.com/servegauge/servegauge/protocol"
)

// Commands is a server that two shell commands stop and start.
//
// The start command may stay in the foreground, and is then the server, which is ours to end; or it may return with
// status 0, having left the server to somebody else (a container runtime, a service manager). A restart is proven by
// the endpoint, which refused connections before the start, and where the system tells by the process that listens
// there.
type Commands struct {
	// StopCommand is run by sh -c before each start and at the end; it must return once the server was told to stop.
	// Zero: the end of the start command, which must then stay in the foreground, is the server's.
	StopCommand string

	StartCommand string // run by sh -c
	URL          string // where the server answers
	Probe        string // asked instead of URL whether the server has gone; zero: URL

	// Grace is how long the server may take to stop. Zero: 120 s.
	Grace time.Duration
}

// Start runs the stop command, waits until nothing answers at the URL, and runs the start command. The stop command may
// find nothing to stop: its status matters only if something answers.
func (c Commands) Start(ctx context.Context) (*protocol.Instance, error) {
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.Probe == "" {
		c.Probe = c.URL
	}
	shown := secret.Scrub(c.StartCommand)
	fail := func(err error) (*protocol.Instance, error) {
		return nil, &protocol.ServerError{Phase: "start", Command: c.StartCommand, Err: err}
	}
	key := c.key()
	warnings, err := endLeftOvers(ctx, key, c.Grace)
	if err != nil {
		return fail(err)
	}
	gateway := false
	if c.StopCommand == "" {
		err = taken(ctx, c.Probe)
	} else {
		// Also where nothing answers yet: a server that is still loading would otherwise pass for the one started here.
		gateway, err = c.stop(ctx, nil)
	}
	if err != nil {
		if c.StopCommand == "" {
			return fail(err)
		}
		return nil, err
	}
	child, err := startChild(shell(c.StartCommand), nil, newNote(key, shown), nil)
	if err != nil {
		return fail(err)
	}
	asked, _ := json.Marshal(map[string]string{"start": shown, "stop": secret.Scrub(c.StopCommand)})
	return &protocol.Instance{
		URL: c.URL, Asked: asked, Warnings: warnings,
		Identity: func(context.Context) (protocol.Identity, error) { return c.identity(child, gateway) },
		Path:     func(ctx context.Context) protocol.Path { return path(ctx, c.URL) },
		Exited:   c.exited(child),
		Err:      func() error { return child.ended(c.StartCommand) },
		Log:      child.output.String,
		Stop:     func(ctx context.Context) (protocol.Stop, error) { return c.end(ctx, child) },
	}, nil
}

// key tells what earlier runs left of this server from what they left of others.
func (c Commands) key() string {
	return "cmd " + secret.Scrub(c.StartCommand) + " " + protocol.PublicURL(c.URL)
}

// Vacant implements [protocol.Vacancy]: it is an error where something answers that Start would not end. With a stop
// command that is for Start to find out.
func (c Commands) Vacant(ctx context.Context) error {
	if c.StopCommand != "" {
		return nil
	}
	return vacant(ctx, c.key(), []string{c.StartCommand}, cmp.Or(c.Probe, c.URL))
}

func shell(command string) []string { return []string{"sh", "-c", command} }

// exited is closed when the server has ended by itself: with a status other than 0, or with any where nobody else could
// have been left the server.
func (c Commands) exited(child *child) <-chan struct{} {
	if c.StopCommand == "" {
		return child.exited
	}
	return child.failed
}

// identity is that of the start command while it is the server, and else that of whoever listens.
func (c Commands) identity(child *child, gateway bool) (protocol.Identity, error) {
	id := protocol.Identity{Kind: "cmd"}
	if !gateway {
		id = listenerIdentity("cmd", c.URL)
	}
	select {
	case <-child.exited:
		if id.Proof == "" {
			id.Proof = "start command " + child.id()
		}
	default:
		// A start command in the foreground may still have somebody else do the work, as `docker run` has. So it is no
		// error that another process listens; that it is the same one throughout shows from the proof.
		id.Proof = strings.TrimSuffix("start command "+child.id()+", "+id.Proof, ", ")
	}
	return id, nil
}

// stop runs the stop command and waits until nothing is at the endpoint; gateway: as a gateway says. started is the
// start command, if there is one: what of it is still there after the stop command is ended too. Where nothing
// answered in the first place, the stop command may have found nothing to stop, and its status is no error.
func (c Commands) stop(ctx context.Context, started func()) (gateway bool, err error) {
	running := look(ctx, c.Probe) == present
	child, err := startChild(shell(c.StopCommand), nil, nil, nil)
	if err != nil {
		return false, &protocol.ServerError{Phase: "stop", Command: c.StopCommand, Err: err}
	}
	fail := func(err error) (bool, error) {
		child.end(ctx, 0)
		return false, &protocol.ServerError{
			Phase: "stop", Command: c.StopCommand, Output: lastLine(child.output.String()), Err: err,
		}
	}
	deadline := time.NewTimer(c.Grace)
	defer deadline.Stop()
	select {
	case <-child.exited:
	case <-deadline.C:
		err = fmt.Errorf("it did not return within %v", c.Grace)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if started != nil { // also after an error: nothing stays behind
		started()
	}
	if err != nil {
		return fail(err)
	}
	if state := child.cmd.ProcessState; !state.Success() && (running || look(ctx, c.Probe) == present) {
		return fail(errors.New(state.String()))
	}
	if gateway, err = awaitGone(ctx, c.Probe, c.Grace); err != nil {
		return fail(err)
	}
	return gateway, nil
}

// foregroundGrace is how long a start command in the foreground may take to end by itself after the stop command. A
// second request to stop makes some servers drop what the first one had them finish.
const foregroundGrace = 2 * time.Second

// end runs the stop command, also when the server does not answer yet, and ends what is left of the start command and
// of its process group.
func (c Commands) end(ctx context.Context, child *child) (protocol.Stop, error) {
	killed := false
	endChild := func() {
		if c.StopCommand != "" {
			timer := time.NewTimer(min(foregroundGrace, c.Grace))
			defer timer.Stop()
			select {
			case <-child.exited:
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		killed = child.end(ctx, c.Grace)
	}
	var err error
	if c.StopCommand != "" {
		_, err = c.stop(ctx, endChild)
	} else if endChild(); look(ctx, c.Probe) == present {
		if _, gone := awaitGone(ctx, c.Probe, min(c.Grace, killPatience)); gone != nil {
			err = &protocol.ServerError{Phase: "stop", Command: c.StartCommand, Err: gone}
		}
	}
	return child.stopped(killed, c.Grace), err
}
