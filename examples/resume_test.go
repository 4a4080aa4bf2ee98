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
	t.Parallel()
	killedAndResumed(t, kills(t), nil, nil)
}

// killedAndResumed kills experiments n times and takes them up again. server are the flags that name what they measure,
// in a resumed one too; none: the simulated server. It returns all that came to their end.
func killedAndResumed(t *testing.T, n int, in with, server []string) (finished []*protocol.Experiment) {
	t.Helper()
	plan := slices.Concat(shortPlan, server)
	whole := filepath.Join(t.TempDir(), "whole")
	begin := time.Now()
	if p := in.run(t, "multirun", append(slices.Clone(plan), "-out", whole)...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	lasts := time.Since(begin)
	_, want := measured(t, whole)
	random := rand.New(rand.NewPCG(1, uint64(n)))
	dir, killed, experiments := "", 0, 0
	next := func() []string {
		if dir == "" {
			dir = filepath.Join(t.TempDir(), fmt.Sprint("killed-", experiments))
			experiments++
		}
		if _, err := protocol.ReadExperiment(dir); err == nil {
			return append([]string{"-resume", dir}, server...)
		}
		return append(slices.Clone(plan), "-out", dir) // it was killed before there was anything
	}
	for killed < n {
		cmd := in.command(context.Background(), "multirun", next()...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		moment := time.Duration(random.Int64N(int64(lasts) * 3 / 5))
		if killed == 0 { // once surely while a server runs
			await(t, filepath.Join(dir, protocol.JournalFile), `"start":`)
			moment = 0
		}
		select {
		case <-time.After(moment):
			_ = cmd.Process.Kill()
			<-done
			killed++
		case err := <-done: // it was quicker
			if err != nil && !strings.Contains(stderr.String(), "holds an experiment already") {
				t.Fatalf("after %d kills: %v\n%s", killed, err, &stderr)
			}
			finished = append(finished, check(t, dir, want))
			dir = ""
		}
	}
	if p := in.run(t, "multirun", next()...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	return append(finished, check(t, dir, want))
}

// check holds a finished experiment against the steps that it should have.
func check(t *testing.T, dir string, want []string) *protocol.Experiment {
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
		if _, err := fmt.Sscanf(strings.TrimPrefix(s.Instance, "start command "), "pid %d", &pid); err != nil {
			t.Fatal(err)
		}
		eventually(t, fmt.Sprintf("server %d is gone", pid), func() bool { return gone(pid) })
	}
	return e
}

// An interrupted experiment says how to go on, and goes on; more runs are added to a finished one, with requests kept.
func TestResume(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	cmd := command(context.Background(), "multirun", "-levels", "1,4", "-requests", "120", "-runs", "2", "-cooldown", "0s", "-input", "16", "-output", "4", "-save-requests", "-out", out)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(out, protocol.JournalFile), `"measurement":`)
	_ = cmd.Process.Signal(syscall.SIGHUP) // as when a connection drops
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "go on with -resume "+out) {
		t.Fatalf("exit code %d\n%s", cmd.ProcessState.ExitCode(), &stderr)
	}
	failsWith(t, 2, []string{"an experiment of slo", "gone on with by multirun"}, "slo", "-resume", out)
	failsWith(t, 2, []string{"-levels with -resume"}, "multirun", "-resume", out, "-levels", "2")
	if err := os.Remove(filepath.Join(out, protocol.PlanFile)); err != nil { // as if it had been killed before it was written
		t.Fatal(err)
	}
	failsWith(t, 2, []string{"-runs +2", "-resume DIR"}, "multirun", "-runs", "+2")
	failsWith(t, 2, []string{"-accept-changes", "-resume DIR"}, "multirun", "-accept-changes")
	failsWith(t, 1, []string{"the requests differs from before", "top_p"}, "multirun", "-resume", out, "-body", `{"top_p":0.5}`)
	if p := run(t, "multirun", "-resume", out, "-save-requests"); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	if p := run(t, "multirun", "-resume", out, "-save-requests", "-runs", "+1"); p.code != 0 || !p.says("3 runs") {
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
	if want := 3 * (10 + 121 + 124); len(requests) != want {
		t.Errorf("%d different requests, want %d", len(requests), want)
	}
	if p := run(t, "multirun", "-plan", filepath.Join(out, protocol.PlanFile), "-dry-run"); p.code != 0 || !p.says("120 a level") {
		t.Errorf("%d: %s\n%s", p.code, p.stderr, p.stdout)
	}
}

// What a plan cannot show is known before it is carried out; what its levels show, after; what nobody can show, at once.
func TestStrict(t *testing.T) {
	t.Parallel()
	failsWith(t, 1, []string{"-strict: the warning single-run was given by the plan, before anything was measured"},
		"multirun", "-runs", "1", "-strict", "single-run,cold")
	failsWith(t, 1, []string{"-strict: the warning few-samples was given"}, "multirun", "-levels", "1", "-requests", "20",
		"-runs", "2", "-cooldown", "0s", "-input", "16", "-output", "4", "-client-check=false", "-strict", "few-samples")
	dataset := filepath.Join(t.TempDir(), "prompts.jsonl")
	if err := os.WriteFile(dataset, []byte("{\"prompt\": \"one\"}\n{\"prompt\": \"two\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, 1, []string{"-strict: the warning prompts-repeat was given"}, "multirun", "-levels", "1", "-requests", "20",
		"-runs", "2", "-cooldown", "0s", "-output", "4", "-client-check=false", "-dataset", dataset, "-strict", "prompts-repeat")
	failsWith(t, 2, []string{`-strict: no warning has the code "few-sample"; want few-samples?`}, "multirun", "-strict", "all,few-sample")
}

// Levels are measured again for the causes that were named beforehand, and every try is shown.
func TestRetry(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"-levels", "1,4", "-requests", "2", "-runs", "1", "-input", "16", "-output", "4", "-client-check=false"}
	p := run(t, "multirun", append(args, "-out", out, "-retry", "2:prompt-capped")...)
	if p.code != 0 || !p.says("Measured more than once") || !p.says("; counts") {
		t.Errorf("%d: %s\n%s", p.code, p.stderr, p.stdout)
	}
	e, err := protocol.ReadExperiment(out)
	if err != nil {
		t.Fatal(err)
	}
	tries := map[int]int{}
	for _, m := range e.Measurements {
		if !m.Step.Discard {
			tries[m.Step.Level.Concurrency]++
		}
	}
	if tries[1] != 1 || tries[4] != 3 {
		t.Errorf("tries of each level: %v", tries)
	}
	failsWith(t, 2, []string{`-retry: no warning has the code "sever-died"; want server-died?`}, "multirun", "-retry", "sever-died")
	failsWith(t, 2, []string{"-retry", "0:server-died", "from 1 to 100"}, "multirun", "-retry", "0:server-died")
	failsWith(t, 2, []string{"-retry with -resume"}, "multirun", "-resume", out, "-retry", "server-died")
	plan := filepath.Join(t.TempDir(), "plan.json")
	text := `{"runs": 1, "input_tokens": 1, "output_tokens": 1, "levels": [1], "prompts": "1", "retry": {"times": 1, "causes": ["server-dyed"]}}`
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, 2, []string{"server-dyed", "want server-died?"}, "multirun", "-plan", plan)
}

// The plan that a run has written is carried out again as it was: with the same steps and seeds, and it is written again.
func TestPlanOfARunIsCarriedOutAgain(t *testing.T) {
	t.Parallel()
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	args := []string{"-levels", "1,4", "-requests", "3x", "-runs", "2", "-cooldown", "1ms", "-input", "16", "-output", "4", "-seed", "11",
		"-order", "shuffled", "-level-budget", "20s", "-retry", "server-died", "-prime", "-goodput", "ttft:500", "-timeout", "1m", "-client-check=false"}
	if p := run(t, "multirun", append(args, "-out", first)...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	if p := run(t, "multirun", "-plan", filepath.Join(first, protocol.PlanFile), "-client-check=false", "-out", second); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	want, err := os.ReadFile(filepath.Join(first, protocol.PlanFile))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(second, protocol.PlanFile)); !bytes.Equal(got, want) {
		t.Errorf("the plan is now\n%s\nand was\n%s", got, want)
	}
	e, wantSteps := measured(t, first)
	_, steps := measured(t, second)
	if !slices.Equal(steps, wantSteps) || len(steps) != 1+2*3 || len(e.Starts) != 3 {
		t.Errorf("%d starts, steps\n%s\nwant\n%s", len(e.Starts), strings.Join(steps, "\n"), strings.Join(wantSteps, "\n"))
	}
}
