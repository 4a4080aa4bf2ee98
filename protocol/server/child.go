package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// A child is a command in a process group of its own, with the end of its output kept.
type child struct {
	cmd     *exec.Cmd
	started time.Time
	output  tail
	pipe    *os.File      // our end of its output
	copied  chan struct{} // closed when its output has ended
	left    bool          // it ended before others of its group did; valid once exited is closed
	exited  chan struct{} // closed when the command itself has ended
	failed  chan struct{} // closed when it has ended with a status other than 0
	note    *note         // for the run after us, if we are killed; nil: it is no server
}

// outputGrace is how long the end of a command waits for the end of its output.
const outputGrace = 200 * time.Millisecond

// startChild starts a command. url, if it is not nil, has room for one line and gets the first that is a URL. n, if
// it is not nil, is kept for as long as it lives.
//
// Its output comes through a pipe that is drained for as long as anything holds the other end. (With exec's own
// copying a server that the command has left in the background would keep Wait from returning, or lose its output
// and die of it.)
func startChild(argv, env []string, n *note, url chan<- string) (*child, error) {
	c := &child{
		cmd: exec.Command(argv[0], argv[1:]...), started: time.Now(),
		copied: make(chan struct{}), exited: make(chan struct{}), failed: make(chan struct{}),
	}
	c.output.url = url
	c.cmd.Env = env
	if n != nil {
		c.note = n
		c.cmd.Env = append(c.cmd.Environ(), n.variable())
	}
	ownGroup(c.cmd)
	// An open pipe to the child ends when we do, however we end: a child that watches it need not survive us.
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.pipe = ours
	c.cmd.Stdout, c.cmd.Stderr = theirs, theirs
	err = c.cmd.Start()
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		if n != nil {
			n.remove()
		}
		return nil, err
	}
	if n != nil {
		n.started(c.cmd.Process.Pid)
	}
	go func() {
		_, _ = io.Copy(&c.output, ours)
		_ = ours.Close()
		close(c.copied)
	}()
	go func() {
		_ = c.cmd.Wait() // how it ended is in ProcessState
		_ = stdin.Close()
		c.left = groupLives(c.cmd)
		select { // what it said last is what one wants to know; but somebody else may hold its output open
		case <-c.copied:
		case <-time.After(outputGrace):
		}
		if !c.cmd.ProcessState.Success() {
			close(c.failed)
		}
		close(c.exited)
	}()
	return c, nil
}

// ended says how a server ended that should not have, once it has.
func (c *child) ended(command string) error {
	return &protocol.ServerError{Phase: "run", Command: command, Output: lastLine(c.output.String()),
		Err: fmt.Errorf("it ended by itself (%s)", c.cmd.ProcessState)}
}

// id names the process so that no other has the same name.
func (c *child) id() string {
	return fmt.Sprintf("pid %d started %s", c.cmd.Process.Pid, c.started.UTC().Format(time.RFC3339Nano))
}

// orphanGrace is how long what a command leaves behind in its group may take to end once the command has. Without an
// init process that reaps them the dead ones stay in the group for good, so this is not the whole grace.
const orphanGrace = 30 * time.Second

// end asks the process group to stop, waits until all of it has gone, and kills it after the grace or when ctx is done.
// It says whether the command had to be killed.
func (c *child) end(ctx context.Context, grace time.Duration) (killed bool) {
	defer c.pipe.Close()
	if c.note != nil {
		defer c.note.remove()
	}
	select {
	case <-c.exited:
		if !c.left { // the group's id may be somebody else's by now
			return false
		}
	default:
	}
	interruptGroup(c.cmd)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		killed, grace = true, 0
	case <-ctx.Done():
		killed = true
	}
	deadline := time.Now().Add(min(grace, orphanGrace))
	for groupLives(c.cmd) && anyLives(c.cmd.Process.Pid) && time.Now().Before(deadline) {
		if pause(ctx, 10*time.Millisecond) != nil {
			break
		}
	}
	killGroup(c.cmd)
	<-c.exited
	return killed
}

// lastLine is the last line of a text that says something, short enough for an error.
func lastLine(text string) string { return lastLines(text, 1) }

// lastLines are the last n such lines. Where to find help, which docker says after what is wrong ("Run 'docker run
// --help' for more information"), says nothing.
func lastLines(text string, n int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	var last []string
	for i := len(lines) - 1; i >= 0 && len(last) < n; i-- {
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "Run 'docker") || strings.HasPrefix(line, "See 'docker") {
			continue
		}
		last = append(last, line[:min(len(line), 300)])
	}
	slices.Reverse(last)
	return strings.Join(last, "; ")
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
	url  chan<- string // nil, or gets the first line that is a URL, once
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if t.url != nil {
		for line := range strings.Lines(string(t.kept)) {
			url, whole := strings.CutSuffix(line, "\n")
			if whole && (strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")) {
				t.url <- strings.TrimSpace(url)
				t.url = nil
				break
			}
		}
	}
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
