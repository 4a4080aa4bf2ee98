package envinfo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// toolWaitDelay is how long a program that was killed may leave its output open, in the hands of its children.
const toolWaitDelay = 250 * time.Millisecond

// runTool runs a program found on PATH until ctx ends, and returns what it wrote to its standard output.
//
// TODO: the runner of the other tools, which kills the group.
func runTool(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	out, said := &boundedBuffer{limit: maxContainerOutput}, &boundedBuffer{limit: 64 << 10}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, said, toolWaitDelay
	done := make(chan error, 1) // buffered, so that an abandoned program can end
	go func() { done <- cmd.Run() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(2 * toolWaitDelay): // it ignores SIGKILL, as in state D, and its buffers are still its own
			return nil, errors.New("could not be killed and was abandoned")
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("was killed: %w", ctx.Err())
	case out.over:
		return nil, tooLarge{maxContainerOutput, "bytes"}
	case err != nil:
		if text := strings.TrimSpace(said.String()); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	}
	return out.Bytes(), nil
}

// boundedBuffer keeps what fits.
type boundedBuffer struct {
	buffer bytes.Buffer // not embedded: its ReadFrom would go around the bound
	limit  int
	over   bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.buffer.Len()+len(p) > b.limit {
		b.over = true
		return 0, tooLarge{b.limit, "bytes"}
	}
	return b.buffer.Write(p)
}

func (b *boundedBuffer) Bytes() []byte  { return b.buffer.Bytes() }
func (b *boundedBuffer) String() string { return b.buffer.String() }
