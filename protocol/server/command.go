package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// A commandError is a command that could not be run, or ended with another status than 0.
type commandError struct {
	argv []string
	said string // the end of what it printed
	err  error
}

func (e *commandError) Error() string {
	s := e.argv[0] + ": " + e.err.Error()
	if line := lastLines(e.said, 2); line != "" {
		s += ": " + line
	}
	return s
}

func (e *commandError) Unwrap() error { return e.err }

// serverError makes an error of a server's life of any error: what a command printed has its place there, since there
// may be secrets in it.
func serverError(phase, what string, err error) error {
	if e, ok := errors.AsType[*protocol.ServerError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*commandError](err); ok {
		return &protocol.ServerError{
			Phase: phase, Command: what, Output: lastLines(e.said, 2), Err: fmt.Errorf("%s: %w", e.argv[0], e.err),
		}
	}
	return &protocol.ServerError{Phase: phase, Command: what, Err: err}
}

// maxOutput is how much of what a command prints is read: many times what a runtime says of a server.
const maxOutput = 8 << 20

// output runs a command and returns what it prints. It is in a process group of its own, so that an interrupt at the
// terminal, which asks us to stop the server, does not reach the command that does.
func output(ctx context.Context, argv []string) ([]byte, error) {
	var out bounded
	var said, complaint tail
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &said), &complaint
	ownGroup(cmd)
	cmd.Cancel = func() error { killGroup(cmd); return nil }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay): // it left somebody behind who holds its output, and ended well
		err = nil
	}
	if err == nil && out.over {
		err = fmt.Errorf("it printed more than %d MiB", maxOutput>>20)
	}
	if err != nil {
		// docker inspect prints "[]" where it fails; others complain on standard output.
		if complaint.String() != "" {
			return nil, &commandError{argv: argv, said: complaint.String(), err: err}
		}
		return nil, &commandError{argv: argv, said: said.String(), err: err}
	}
	return out.Bytes(), nil
}

// combined is the end of what a command prints on either stream.
func combined(ctx context.Context, argv []string) string {
	out, err := output(ctx, append([]string{"sh", "-c", `exec "$@" 2>&1`, "sh"}, argv...))
	if err != nil {
		return ""
	}
	return string(out[max(0, len(out)-tailSize):])
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); room < len(p) {
		b.over = true
		_, _ = b.Buffer.Write(p[:room])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}
