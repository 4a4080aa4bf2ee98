package examples_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
)

// Each design says beforehand what it will do, and how long that takes.
func TestDesignsDryRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		say  []string
	}{
		{"multirun", []string{"-adaptive"}, []string{"adaptive sweep", "pilot", "refinement"}},
		{"multirun", []string{"-adaptive", "-levels", "2,8"}, []string{"levels       2, 8", "refinement"}},
		{"multirun", []string{"-until", "2%"}, []string{"±2 % at every level"}},
		{"multirun", []string{"-grid", "32x8,64x16"}, []string{"shapes       32x8, 64x16"}},
		{"multirun", []string{"-rates", "5,20", "-requests", "30x"},
			[]string{"5, 20 requests/s, arrivals poisson", "2,505 requests"}},
		{"ablation", []string{"-blocks", "8", "-margin", "3%"}, []string{"blocks       8", "a margin of 3 %"}},
		{"ablation", []string{"-a", "http://127.0.0.1:1", "-b", "http://127.0.0.1:2", "-levels", "4,8"},
			[]string{"one server for all runs", "4, 8"}},
		{"slo", []string{"-limit", "ttft_p99<100ms,attainment>=99%", "-goodput", "tpot:50"},
			[]string{"ttft_p99<100ms, attainment>=99%", "pilot"}},
		{"slo", []string{"-limit", "e2e_p99<1s", "-rates", "1,2,4"}, []string{"1, 2, 4 requests/s"}},
	} {
		p := run(t, c.name, append(slices.Clone(c.args), "-dry-run")...)
		if p.code != 0 {
			t.Errorf("%s %q: exit code %d: %s", c.name, c.args, p.code, p.stderr)
		}
		for _, s := range append(c.say, "takes        about") {
			if !p.says(s) {
				t.Errorf("%s %q does not say %q:\n%s", c.name, c.args, s, p.stdout)
			}
		}
	}
}

// A design that an experiment has left in plan.json is carried out again by -plan, as it stands.
func TestDesignFromItsFile(t *testing.T) {
	plan := protocol.Plan{Name: "p", Runs: 3, Restart: true, Input: 16, Output: 4, Levels: []int{2, 4},
		Prompts: protocol.Prompts{PerConcurrency: 10}, Seed: 7}
	limits, err := protocol.ParseLimits("ttft_p99<1s")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, d protocol.Planned) string {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	adaptive := file("adaptive", design.AdaptiveSweep{Plan: plan})
	slo := file("slo", design.SLO{Plan: plan, Limits: limits})
	ablation := file("ablation", design.Ablation{Plan: plan, Margin: 0.04})
	for _, c := range []struct {
		name string
		args []string
		code int
		say  string
	}{
		{"multirun", []string{adaptive}, 0, "adaptive sweep"},
		{"slo", []string{slo}, 0, "ttft_p99<1000ms"},
		{"ablation", []string{ablation}, 0, "a margin of 4 %"},
		{"multirun", []string{slo}, 2, "carried out by slo"},
		{"slo", []string{ablation}, 2, "carried out by ablation"},
		{"multirun", []string{adaptive, "-levels", "8"}, 2, "-levels with -plan"},
		{"ablation", []string{ablation, "-blocks", "9"}, 2, "-blocks with -plan"},
		{"multirun", []string{adaptive, "-url", "http://127.0.0.1:1"}, 2, "-server"},
		{"multirun", []string{file("plan", plan), "-levels", "8"}, 0, "levels       8"}, // a plan may be changed
	} {
		p := run(t, c.name, append([]string{"-dry-run", "-plan"}, c.args...)...)
		if p.code != c.code || !strings.Contains(p.stdout+p.stderr, c.say) {
			t.Errorf("%s %q: exit code %d, want %d with %q:\n%s%s", c.name, c.args, p.code, c.code, c.say, p.stdout, p.stderr)
		}
	}
}

func TestDesignsWrongUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		say  []string
	}{
		{"multirun", []string{"-adaptive", "-until", "2%"}, []string{"-adaptive, -until", "one of them"}},
		{"multirun", []string{"-adaptive", "-rates", "1,2"}, []string{"rates", "adaptive"}},
		{"multirun", []string{"-adaptive", "-runs", "2"}, []string{"runs 2", "at least 3"}},
		{"multirun", []string{"-until", "0%"}, []string{"-until", "0%"}},
		{"multirun", []string{"-grid", "32"}, []string{"-grid", `"32"`, "2048x128"}},
		{"multirun", []string{"-grid", "32x8", "-input", "8"}, []string{"-grid 32x8", "-input"}},
		{"multirun", []string{"-rates", "0"}, []string{"-rates", `"0"`}},
		{"multirun", []string{"-rates", "1", "-levels", "4"}, []string{"-rates 1", "-levels"}},
		{"multirun", []string{"-arrivals", "gamma"}, []string{"-arrivals", "-rates"}},
		{"ablation", []string{"-blocks", "2"}, []string{"blocks 2", "at least 3"}},
		{"ablation", []string{"-margin", "much"}, []string{`"much"`, "3%"}},
		{"ablation", []string{"-a", "docker:x", "-url", "http://127.0.0.1:1"}, []string{"-b", "the other one"}},
		{"ablation", []string{"-a", "http://127.0.0.1:1", "-b", "docker:x", "-url", "http://127.0.0.1:2"},
			[]string{"both restarted"}},
		{"ablation", []string{"-a", "http://127.0.0.1:1", "-b", "http://127.0.0.1:1"}, []string{"another server"}},
		{"slo", []string{"-limit", "ttft_p99"}, []string{"-limit", "ttft_p99"}},
		{"slo", []string{"-limit", "ttft_p98<5ms"}, []string{"-limit", "ttft_p98"}},
		{"slo", []string{"-limit", "ttft_p99@16<5ms"}, []string{"every load"}},
		{"slo", []string{"-limit", "attainment>=99%"}, []string{"attainment"}},
		{"slo", []string{"-limit", "ttft_p99>500ms"}, []string{"ttft_p99>500ms", "the side on which a figure is bad"}},
		{"slo", []string{"-limit", "e2e_p99<5s,success_rate<=99%"}, []string{"success_rate<=99%"}},
	} {
		failsWith(t, 2, c.say, c.name, append(c.args, "-dry-run")...)
	}
}

// A search that has shown nothing has not succeeded: 60 requests do not show that 99.99 % succeed.
func TestSLOUndecided(t *testing.T) {
	failsWith(t, 3, []string{"-limit: undecided: no load was shown to keep them"}, "slo", "-limit",
		"success_rate>=99.99%",
		"-levels", "1,2", "-requests", "20", "-runs", "3", "-input", "8", "-output", "2", "-cooldown", "0s",
		"-warmup", "2",
		"-client-check=false", "-server-view=false")
}

// A design that was interrupted goes on where it was, and comes to the same steps; its directory has what it concludes.
func TestDesignInterruptedAndResumed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ablation")
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := command(ctx, "ablation", "-blocks", "3", "-levels", "4", "-requests", "20", "-cooldown", "0s", "-seed",
		"7", "-out", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a block is measured", func() bool {
		e, err := protocol.ReadExperiment(dir)
		return err == nil && len(e.Measurements) >= 4
	})
	_ = cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err == nil {
		t.Log("it was over before the interrupt")
	} else if _, ok := err.(*exec.ExitError); !ok {
		t.Fatal(err)
	}
	failsWith(t, 2, []string{"-margin", "-resume"}, "ablation", "-resume", dir, "-margin", "9%")
	failsWith(t, 2, []string{"-resume " + dir, "multirun", "gone on with by ablation"}, "multirun", "-resume", dir)
	failsWith(t, 2, []string{"-resume " + dir, "slo", "gone on with by ablation"}, "slo", "-resume", dir)
	p := run(t, "ablation", "-resume", dir)
	if !p.says("b against a, steady_total_tokens_per_s at concurrency 4") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	e, err := protocol.ReadExperiment(dir)
	if err != nil || !e.Complete {
		t.Fatalf("%v, complete %v", err, e.Complete)
	}
	got := map[string]int{}
	for _, m := range e.Measurements {
		if !m.Step.Discard {
			got[m.Step.Arm]++
		}
	}
	if got["a"] != 3 || got["b"] != 3 {
		t.Errorf("%v", got)
	}
	// More blocks are more of the same.
	if p := run(t, "ablation", "-resume", dir, "-blocks", "+1"); !p.says("4 blocks with this spread") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
}
