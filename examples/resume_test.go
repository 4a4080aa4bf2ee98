package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// shortPlan are the flags of a plan of a few seconds, without what would differ from one run of it to the next.
var shortPlan = []string{"-levels", "1,4", "-requests", "20", "-runs", "3", "-cooldown", "0s", "-input", "16", "-output", "4", "-seed", "7"}

// measured are the steps of an experiment and what came of them, timings aside.
func measured(t *testing.T, dir string) (e *protocol.Experiment, steps []string) {
	t.Helper()
	e, err := protocol.ReadExperiment(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range e.Measurements {
		s, r := m.Step, m.Result
		steps = append(steps, fmt.Sprintf("run %d, step %d: %s of %d in, %d out, seed %d: %+v, %d in, %d out", s.Run, s.Seq, s.Level.Load(), s.Input, s.Output, s.Seed,
			r.Accounting, r.Tokens.Input, r.Tokens.Output))
	}
	return e, steps
}

// kills is how often the program is killed, 3 times unless the environment says otherwise: 200 take some ten minutes.
func kills(t *testing.T) int {
	text := os.Getenv("SERVEGAUGE_KILLS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// gone reports whether no process of that number is left, but for one that nobody has waited for.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ")
}

// Killed at any moment, as often as may be, and taken up again, an experiment has the levels of one that was left alone: none
// is lost, none is measured twice, and no server is left.
func TestKilledAtAnyMomentAndResumed(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	begin := time.Now()
	if p := run(t, "multirun", append(slices.Clone(shortPlan), "-out", whole)...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	lasts := time.Since(begin)
	_, want := measured(t, whole)
	random := rand.New(rand.NewPCG(1, uint64(kills(t))))
	dir, killed, experiments := "", 0, 0
	for n := kills(t); killed < n; {
		if dir == "" {
			dir = filepath.Join(t.TempDir(), fmt.Sprint("killed-", experiments))
			experiments++
		}
		args := append(slices.Clone(shortPlan), "-out", dir)
		if _, err := protocol.ReadExperiment(dir); err == nil {
			args = []string{"-resume", dir}
		}
		cmd := command(context.Background(), "multirun", args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-time.After(time.Duration(random.Int64N(int64(lasts) * 3 / 5))):
			_ = cmd.Process.Kill()
			<-done
			killed++
		case err := <-done: // it was quicker
			if err != nil && !strings.Contains(stderr.String(), "holds an experiment already") {
				t.Fatalf("after %d kills: %v\n%s", killed, err, &stderr)
			}
			check(t, dir, want)
			dir = ""
		}
	}
	if dir == "" {
		return
	}
	args := []string{"-resume", dir}
	if _, err := protocol.ReadExperiment(dir); err != nil { // it was killed before there was anything
		args = append(slices.Clone(shortPlan), "-out", dir)
	}
	if p := run(t, "multirun", args...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	check(t, dir, want)
}

// check holds a finished experiment against the steps that it should have.
func check(t *testing.T, dir string, want []string) {
	t.Helper()
	e, got := measured(t, dir)
	if !slices.Equal(got, want) {
		t.Errorf("after %d resumes:\n%s\nwant\n%s", len(e.Resumes), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !e.Complete || protocol.Analyze(e).Unit != protocol.UnitRestart {
		t.Errorf("complete %v, %s", e.Complete, protocol.Analyze(e).Unit)
	}
	for _, s := range e.Starts {
		var pid int
		if _, err := fmt.Sscanf(s.Instance, "pid %d", &pid); err != nil {
			t.Fatal(err)
		}
		for range 500 {
			if gone(pid) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !gone(pid) {
			t.Errorf("server %d is left", pid)
		}
	}
}

// An interrupted experiment says how to go on, and goes on; more runs are added to a finished one, with requests kept.
func TestResume(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	cmd := command(context.Background(), "multirun", "-levels", "1,4", "-requests", "400", "-runs", "2", "-cooldown", "0s", "-input", "16", "-output", "4", "-save-requests", "-out", out)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if e, err := protocol.ReadExperiment(out); err == nil && len(e.Measurements) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = cmd.Process.Signal(syscall.SIGHUP) // as when a connection drops
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "go on with -resume "+out) {
		t.Fatalf("exit code %d\n%s", cmd.ProcessState.ExitCode(), &stderr)
	}
	failsWith(t, 2, []string{"-levels with -resume"}, "multirun", "-resume", out, "-levels", "2")
	failsWith(t, 2, []string{"-runs +2", "-resume DIR"}, "multirun", "-runs", "+2")
	failsWith(t, 2, []string{"-accept-changes", "-resume DIR"}, "multirun", "-accept-changes")
	failsWith(t, 1, []string{"the requests differs from before", "top_p"}, "multirun", "-resume", out, "-body", `{"top_p":0.5}`)
	if p := run(t, "multirun", "-resume", out, "-save-requests"); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	if p := run(t, "multirun", "-resume", out, "-save-requests", "-runs", "+1"); p.code != 0 || !strings.Contains(p.stdout, "3 runs") {
		t.Fatalf("%d: %s\n%s", p.code, p.stderr, p.stdout)
	}
	e, steps := measured(t, out)
	if len(steps) != 9 || len(e.Resumes) < 2 {
		t.Errorf("%d resumes:\n%s", len(e.Resumes), strings.Join(steps, "\n"))
	}
	file, err := os.Open(filepath.Join(out, protocol.RequestsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	requests := map[[3]int]bool{}
	if err := protocol.ReadRequests(file, func(q protocol.Request) error {
		requests[[3]int{q.Run, q.Seq, q.Index}] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := 3 * (10 + 401 + 404); len(requests) != want {
		t.Errorf("%d different requests, want %d", len(requests), want)
	}
	if p := run(t, "multirun", "-plan", filepath.Join(out, protocol.PlanFile), "-dry-run"); p.code != 0 || !strings.Contains(p.stdout, "400") {
		t.Errorf("%d: %s\n%s", p.code, p.stderr, p.stdout)
	}
	failsWith(t, 1, []string{"-strict: the warning single-run was given"}, "multirun", "-levels", "1", "-requests", "20", "-runs", "1", "-strict", "single-run,cold")
}
