// Package examples_test tries the programs as a user would: built, and run.
package examples_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	binaries string // the folder of the programs, and of vllm, which stands in for a server that others wrote
	// what the programs have as the user's, so that nothing is written to those, and they need not exist
	caches string
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", "4") // they mostly wait for servers
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "servegauge-programs")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binaries, caches = filepath.Join(dir, "bin"), filepath.Join(dir, "cache")
		// Without what a debugger needs, and without a look at git, a link takes half the time.
		build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o",
			binaries+string(filepath.Separator),
			"./...", "../protocol/server/testdata/vllm")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// program is a run of one of the programs that is over.
type program struct {
	stdout, stderr string
	code           int
}

// command is a program with its flags. The client check, which takes four seconds each time, is for those tests that
// ask for it.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return with(nil).command(ctx, name, args...)
}

func run(t *testing.T, name string, args ...string) program {
	t.Helper()
	return with(nil).run(t, name, args...)
}

// with is what a program has in its environment beside what this process has.
type with []string

// ownCache is an environment in which nobody else's servers are found.
func ownCache(t *testing.T) with { return with{"XDG_CACHE_HOME=" + t.TempDir()} }

func (w with) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if slices.Contains([]string{"multirun", "finesweep", "ablation", "slo"}, name) {
		args = append([]string{"-client-check=false"}, args...)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, name), args...)
	cmd.Env = slices.Concat(os.Environ(), []string{"XDG_CACHE_HOME=" + caches}, w)
	return cmd
}

func (w with) run(t *testing.T, name string, args ...string) program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := w.command(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s %q hangs\n%s\n%s", name, args, &stdout, &stderr)
	}
	return program{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// says reports whether the result that it has printed has the words, wherever its lines, which depend on figures, end.
func (p program) says(words string) bool { return strings.Contains(flowing(p.stdout), flowing(words)) }

func flowing(text string) string { return strings.Join(strings.Fields(text), " ") }

// errorLine is the one line that a program failed with.
func (p program) errorLine(t *testing.T) string {
	t.Helper()
	var found []string
	for line := range strings.Lines(p.stderr) {
		if strings.HasPrefix(line, "error: ") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines say what is wrong, want one:\n%s", len(found), p.stderr)
	}
	return found[0]
}

// failsWith runs a program that must fail, and say so in one line with all of the words.
func failsWith(t *testing.T, code int, say []string, name string, args ...string) {
	t.Helper()
	p := run(t, name, args...)
	line := p.errorLine(t)
	if p.code != code {
		t.Errorf("%s %q: exit code %d, want %d: %s", name, args, p.code, code, line)
	}
	for _, s := range say {
		if !strings.Contains(line, s) {
			t.Errorf("%s %q: %q does not say %q", name, args, line, s)
		}
	}
}

// output is what a program that goes on has printed until now.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// patience is how often, in steps of ten milliseconds, something is waited for that comes at once on a machine that is
// not busy.
const patience = 12000

// eventually waits for what a program is about to do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range patience {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: never", what)
}

// await waits until a file holds a text.
func await(t *testing.T, file, text string) {
	t.Helper()
	eventually(t, file+" holds "+text, func() bool {
		got, _ := os.ReadFile(file)
		return bytes.Contains(got, []byte(text))
	})
}
