//go:build unix

package source

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// box is a toolbox with one program, "fake", that is a shell script.
func box(t *testing.T, script string, timeout time.Duration) *Toolbox {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fake"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := Config{Tools: ToolConfig{Path: dir, Timeout: timeout}}.Toolbox(t.Context())
	t.Cleanup(b.Stop)
	return b
}

// alive returns the path of a FIFO, which a script holds open for writing as long as it or one of its children lives,
// and a function that fails the test unless they are all dead.
func alive(t *testing.T) (fifo string, dead func()) {
	t.Helper()
	fifo = filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return fifo, func() {
		t.Helper()
		if err := f.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(f); err != nil {
			t.Errorf("a process of the tool is still alive: %v", err)
		}
	}
}

func TestToolOutput(t *testing.T) {
	for _, test := range []struct{ name, script, out, err string }{
		{"well", `echo "$1 $2"; echo noise >&2`, "a b\n", ""},
		{"fails", `echo x; echo first >&2; echo "last line" >&2; exit 3`, "x\n", "fake a b: exit status 3: last line"},
		{"complains on its output", `echo "no driver"; exit 9`, "no driver\n", "fake a b: exit status 9: no driver"},
		{"silent", `exit 1`, "", "fake a b: exit status 1"},
		{"long complaint", `head -c 100000 /dev/zero | tr '\0' x >&2; echo >&2; echo end >&2; exit 1`, "",
			"fake a b: exit status 1: end"},
		{"no input", `cat; echo done`, "done\n", ""},
		{"folder", `pwd`, "/\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := box(t, test.script, time.Minute).Start("fake", "a", "b").Wait()
			if string(out) != test.out {
				t.Errorf("output is %q, want %q", out, test.out)
			}
			if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
				t.Errorf("error is %v, want %q", err, test.err)
			}
		})
	}
}

// A tool that does not end is killed, with its children, whatever it does about signals.
func TestToolKilled(t *testing.T) {
	for name, script := range map[string]string{
		"hangs":              "exec sleep 1000",
		"has a child":        "sleep 1000 & wait",
		"ignores SIGTERM":    "trap '' TERM HUP INT; while :; do sleep 1; done",
		"a child ignores it": "(trap '' TERM HUP; while :; do sleep 1; done) & wait",
		"complains forever":  "while :; do echo x >&2; done",
	} {
		t.Run(name, func(t *testing.T) {
			fifo, dead := alive(t)
			out, err := box(t, "exec 3>"+fifo+"\n"+script, 300*time.Millisecond).Start("fake").Wait()
			if !errors.Is(err, errToolLate) || out != nil {
				t.Errorf("got %q, %v; want it killed at the deadline", out, err)
			}
			dead()
		})
	}
}

func TestToolEndlessOutput(t *testing.T) {
	fifo, dead := alive(t)
	out, err := box(t, "exec 3>"+fifo+"\nexec cat /dev/zero", time.Minute).Start("fake").Wait()
	if want := "fake: larger than 16777216 bytes of output, refused"; err == nil || err.Error() != want || out != nil {
		t.Errorf("got %d bytes, %v; want %q", len(out), err, want)
	}
	dead()
}

// A tool that has ended and left a child which holds its output has said all that it will say.
func TestToolLeavesChild(t *testing.T) {
	fifo, dead := alive(t)
	out, err := box(t, "exec 3>"+fifo+"\nsleep 1000 &\nexec 3>&-\necho hi", time.Minute).Start("fake").Wait()
	if string(out) != "hi\n" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	dead()
}

func TestToolNotFound(t *testing.T) {
	b := box(t, "echo hi", time.Minute)
	if _, err := b.Start("other").Wait(); !errors.Is(err, errNoTool) {
		t.Errorf("got %v, want %v", err, errNoTool)
	}
	// Relative folders of PATH mean whatever the working directory holds.
	t.Chdir(b.dirs[0])
	for path, want := range map[string]error{".": errNoTool, b.dirs[0]: nil} {
		t.Setenv("PATH", path)
		live := Config{}.Toolbox(t.Context())
		if _, err := live.look("fake"); !errors.Is(err, want) {
			t.Errorf("with PATH %q: %v, want %v", path, err, want)
		}
		live.Stop()
	}
}

func TestToolEnvironment(t *testing.T) {
	t.Setenv("VLLM_API_KEY", "hunter2")
	t.Setenv("CUDA_VISIBLE_DEVICES", "0")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	t.Setenv("ROCM_PATH", "/srv/rocm")
	out, err := box(t, "exec env", time.Minute).Start("fake").Wait()
	if err != nil {
		t.Fatal(err)
	}
	got := Lines(out)
	for _, want := range []string{"LC_ALL=C", "ROCM_PATH=/srv/rocm"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	for _, line := range got {
		name, _, _ := strings.Cut(line, "=")
		// PWD, OLDPWD, SHLVL and _ are the shell's own.
		if name != "" &&
			!slices.Contains(append([]string{"LC_ALL", "PATH", "PWD", "OLDPWD", "SHLVL", "_"}, toolEnv...), name) {
			t.Errorf("the tool sees %q", line)
		}
	}
}

// A tool that cannot be killed is left behind, and several cost no more time than one.
func TestToolAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		b := Config{Tools: ToolConfig{Path: "/nowhere"}}.Toolbox(t.Context())
		defer b.Stop()
		start := time.Now()
		stuck := func() ([]byte, error) { <-release; return nil, nil }
		first, second := b.Spawn("first", stuck), b.Spawn("second", stuck)
		for _, tool := range []*Tool{first, second, first} {
			if _, err := tool.Wait(); !errors.Is(err, errToolStuck) {
				t.Errorf("got %v, want %v", err, errToolStuck)
			}
		}
		// of the bubble's clock; below the three seconds of a capture
		if got := time.Since(start); got != DefaultTools+killGrace {
			t.Errorf("took %v", got)
		}
	})
}
