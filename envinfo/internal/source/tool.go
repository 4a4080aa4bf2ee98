package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
)

const (
	MaxToolOutput = 16 << 20
	MaxObjects    = 1024 // in the output of one tool: partitions of a large host are 64
	DefaultTools  = 2500 * time.Millisecond
	// waitDelay is how long a tool that has ended or been killed may leave its output open, in the hands of a child
	// that left the group. killGrace is how long its end is waited for after that: a process in state D ignores SIGKILL
	// until its driver answers.
	waitDelay = 100 * time.Millisecond
	killGrace = 250 * time.Millisecond
)

var (
	errToolsOff  = errors.New("not run: Options.Tools.Off")
	errToolsTree = errors.New("not run: a tree is read, and the tools of this machine say nothing about it")
	errNoTool    = errors.New("not found on PATH")
	errToolLate  = errors.New("was killed at the deadline of the tools")
	errToolStuck = errors.New("could not be killed and was abandoned")
)

// toolEnv is what tools see of the environment: where their libraries and daemons are. CUDA_VISIBLE_DEVICES and its kin
// are not among it, since they would hide GPUs of the host.
var toolEnv = []string{
	"HOME", "LD_LIBRARY_PATH", "ROCM_PATH", "XDG_RUNTIME_DIR",
	"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "KUBECONFIG",
}

// toolError names the tool, what went wrong, and the last that it said.
type toolError struct {
	tool string
	err  error
	said string
}

func (e *toolError) Unwrap() error { return e.err }

func (e *toolError) Error() string {
	if e.said == "" {
		return e.tool + ": " + e.err.Error()
	}
	return e.tool + ": " + e.err.Error() + ": " + e.said
}

// NoTool tells whether err is that a tool was not there or not wanted, as opposed to one that failed.
func NoTool(err error) bool {
	return errors.Is(err, errNoTool) || errors.Is(err, errToolsOff) || errors.Is(err, errToolsTree)
}

// Late tells whether err is that a tool was killed at the deadline, or could not be killed then.
func Late(err error) bool { return errors.Is(err, errToolLate) || errors.Is(err, errToolStuck) }

// ExitCode is the status with which a tool exited, where err is that it was not 0.
func ExitCode(err error) (code int, ok bool) {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), true
	}
	return 0, false
}

// Toolbox runs the tools of one capture, under one deadline.
type Toolbox struct {
	off     error // why none is run; nil: they are
	ctx     context.Context
	cancel  context.CancelFunc
	dirs    []string
	env     []string
	expired chan struct{} // closed killGrace after the end of ctx: nothing is waited for any more
}

// NotRun is a toolbox of which every tool fails with the reason.
func NotRun(reason error) *Toolbox { return &Toolbox{off: reason} }

// Toolbox runs the tools of one capture, which begins now.
func (in Config) Toolbox(ctx context.Context) *Toolbox {
	t := in.Tools
	switch {
	case t.Off:
		return NotRun(errToolsOff)
	case t.Path == "" && in.FS != nil:
		return NotRun(errToolsTree)
	}
	if t.Timeout == 0 {
		t.Timeout = DefaultTools
	}
	search := os.Getenv("PATH")
	if t.Path != "" {
		search = t.Path + string(filepath.ListSeparator) + search
	}
	b := &Toolbox{
		dirs:    filepath.SplitList(t.Path),
		env:     []string{"LC_ALL=C", "PATH=" + search},
		expired: make(chan struct{}),
	}
	if t.Path == "" {
		b.dirs = filepath.SplitList(search)
	}
	for _, name := range toolEnv {
		if v, ok := os.LookupEnv(name); ok {
			b.env = append(b.env, name+"="+v)
		}
	}
	late := fmt.Errorf("%w, %v; give them longer (Tools.Timeout)", errToolLate, t.Timeout)
	b.ctx, b.cancel = context.WithTimeoutCause(ctx, t.Timeout, late)
	context.AfterFunc(b.ctx, func() { time.AfterFunc(killGrace, func() { close(b.expired) }) })
	return b
}

// Stop kills what still runs.
func (b *Toolbox) Stop() {
	if b.cancel != nil {
		b.cancel()
	}
}

// Tool is one run of a program, which goes on beside the capture until it is waited for.
type Tool struct {
	Name   string // with its arguments: for sources and reasons
	result func() toolResult
}

type toolResult struct {
	out []byte
	err error
}

// Start runs a program with args. It returns at once: the search for it too can meet a file system that does not
// answer.
func (b *Toolbox) Start(program string, args ...string) *Tool {
	name := strings.Join(append([]string{program}, args...), " ")
	return b.Spawn(name, func() ([]byte, error) { return b.Run(program, args...) })
}

// Spawn makes a tool of run, which may call b.run several times. It is left behind, with its goroutine, when it does
// not return.
func (b *Toolbox) Spawn(name string, run func() ([]byte, error)) *Tool {
	t := &Tool{Name: name}
	if b.off != nil {
		t.result = func() toolResult { return toolResult{nil, b.off} }
		return t
	}
	done := make(chan toolResult, 1) // buffered, so that an abandoned tool can end
	go func() {
		out, err := run()
		done <- toolResult{out, err}
	}()
	t.result = sync.OnceValue(func() toolResult {
		select {
		case r := <-done:
			return r
		case <-b.expired:
		}
		select { // both may be ready, and what there is counts
		case r := <-done:
			return r
		default:
			return toolResult{nil, errToolStuck}
		}
	})
	return t
}

// Wait returns what the tool has written to its standard output, once it has ended. A tool that exits with a status
// other than 0 has both, its output and an error with the *exec.ExitError.
func (t *Tool) Wait() ([]byte, error) {
	r := t.result()
	if r.err == nil {
		return r.out, nil
	}
	if e, ok := errors.AsType[*toolError](r.err); ok {
		return r.out, &toolError{t.Name, e.err, e.said}
	}
	return r.out, &toolError{tool: t.Name, err: r.err}
}

// Run runs a program to its end, or kills its group.
func (b *Toolbox) Run(program string, args ...string) ([]byte, error) {
	file, err := b.look(program)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(b.ctx)
	defer cancel(nil)
	out := &toolOutput{over: cancel}
	var said tail
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", b.env, out, &said
	cmd.WaitDelay = waitDelay
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	err = cmd.Run()
	switch {
	case err == nil:
		return out.buf.Bytes(), nil
	case errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil:
		// It has ended well, and left a child that holds its output. A child that let go of it is none of ours: podman
		// leaves one on purpose.
		_ = killGroup(cmd)
		return out.buf.Bytes(), nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
		if !errors.Is(err, errToolLate) && !errors.As(err, new(TooLarge)) {
			err = fmt.Errorf("killed, the capture was cut short: %w", err)
		}
		return nil, err
	}
	text := LastLine(said)
	if text == "" { // nvidia-smi complains on its standard output
		text = LastLine(out.buf.Bytes()[max(0, out.buf.Len()-MaxTail):])
	}
	return out.buf.Bytes(), &toolError{program, err, text}
}

// look finds a program. Relative folders of PATH are passed over, as in os/exec: they mean whatever the working
// directory holds.
func (b *Toolbox) look(program string) (string, error) {
	for _, dir := range b.dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		if file, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return file, nil
		}
	}
	return "", errNoTool
}

// toolOutput refuses what goes over the bound, and ends the tool then. The buffer is not embedded: io.Copy would find
// its ReadFrom, which knows no bound.
type toolOutput struct {
	buf  bytes.Buffer
	over context.CancelCauseFunc
}

func (o *toolOutput) Write(p []byte) (int, error) {
	if o.buf.Len()+len(p) > MaxToolOutput {
		err := TooLarge{MaxToolOutput, "bytes of output"}
		o.over(err)
		return 0, err
	}
	return o.buf.Write(p)
}

// MaxTail is how much of the end of a tool's output is looked at for what went wrong.
const MaxTail = 4 << 10

// tail keeps the end of what is written to it: of a Python traceback that is the line that tells.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p[max(0, len(p)-MaxTail):]...)
	*t = append((*t)[:0], (*t)[max(0, len(*t)-MaxTail):]...)
	return len(p), nil
}

// LastLine is the last line of b that is not empty, shortened.
func LastLine(b []byte) string {
	all := Lines(b)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] != "" {
			return fact.Clip(all[i])
		}
	}
	return ""
}
