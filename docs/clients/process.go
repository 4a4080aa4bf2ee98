//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// childVariable tells this program that it is one of its own children, and which.
const childVariable = "SERVEGAUGE_CLIENTS_CHILD"

// A child is what this program is when it starts itself again.
type child struct {
	Server *pace
	Bare   *bareLoop
}

// self is the command for this program as a child.
func self(ctx context.Context, c child) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program is its own server, and cannot be found: %w", err)
	}
	configuration, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = append(os.Environ(), childVariable+"="+string(configuration))
	return cmd, nil
}

// beChild is the child's main, if this process is one.
func beChild() (isOne bool, err error) {
	configuration := os.Getenv(childVariable)
	if configuration == "" {
		return false, nil
	}
	var c child
	if err := json.Unmarshal([]byte(configuration), &c); err != nil {
		return true, fmt.Errorf("%s: %w", childVariable, err)
	}
	switch {
	case c.Server != nil:
		return true, serve(*c.Server, os.Stdin, os.Stdout)
	case c.Bare != nil:
		return true, c.Bare.run(os.Stdout)
	}
	return true, fmt.Errorf("%s: want Server or Bare", childVariable)
}

// quiet is what keeps the peers from talking to anyone but the server, and from reading their configuration elsewhere.
var quiet = []string{
	"DO_NOT_TRACK=1", "VLLM_NO_USAGE_STATS=1", "VLLM_DO_NOT_TRACK=1", "HF_HUB_OFFLINE=1", "HF_HUB_DISABLE_TELEMETRY=1",
	"TRANSFORMERS_OFFLINE=1", "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost", "NO_COLOR=1",
	"TQDM_DISABLE=1",
}

// usage is what a process and those of its descendants that were waited for used.
type usage struct {
	Wall    time.Duration
	CPU     time.Duration // user and system
	PeakRSS int64         // bytes, of the largest of them
}

const (
	outputFile = "stdout.txt"
	errorFile  = "stderr.txt"
)

// execute runs a client to its end in a directory of its own, where what it prints is left. When ctx ends, so does the
// client with all of its process group.
func execute(ctx context.Context, cmd *exec.Cmd, dir string, okExit int) (usage, error) {
	cmd.Dir = dir
	// Files, not pipes: a descendant that outlives the client would hold a pipe open.
	stdout, err := os.Create(filepath.Join(dir, outputFile))
	if err != nil {
		return usage{}, err
	}
	defer stdout.Close()
	stderr, err := os.Create(filepath.Join(dir, errorFile))
	if err != nil {
		return usage{}, err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	err = cmd.Wait()
	u := usage{Wall: time.Since(begin), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // workers that it left behind
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.PeakRSS = int64(r.Maxrss)
		if runtime.GOOS != "darwin" { // where it is in bytes already
			u.PeakRSS *= 1024
		}
	}
	if ctx.Err() != nil {
		return u, fmt.Errorf("not done in time: %w", context.Cause(ctx))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && okExit != 0 && exit.ExitCode() == okExit {
		err = nil
	}
	if err != nil {
		return u, fmt.Errorf("%w: %s", err, lastWords(dir))
	}
	return u, nil
}

// lastWords is the last line about an error that a client printed, or else the last line, on standard error if it
// printed any there.
func lastWords(dir string) string {
	last := ""
	for _, name := range []string{errorFile, outputFile} {
		text, _ := tail(filepath.Join(dir, name), 16<<10)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, line := range slices.Backward(lines) {
			if strings.Contains(strings.ToLower(line), "error") {
				return printable(line, 160)
			}
		}
		if last == "" {
			last = printable(lines[len(lines)-1], 160)
		}
	}
	if last == "" {
		return "it printed nothing"
	}
	return last
}

// tail reads the end of a file.
func tail(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// printable is what of a text may stand in a cell of a table: one line, of at most so many characters, without what
// means something in Markdown or to a terminal.
func printable(text string, most int) string {
	kept := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("|<>`*[]\\", r) {
			return ' '
		}
		return r
	}, text)
	kept = strings.Join(strings.Fields(kept), " ")
	if len(kept) > most {
		kept = kept[:most] + " ..."
	}
	return kept
}
