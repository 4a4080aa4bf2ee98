package protocol

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
)

// The page's parameters, typed in again from the page.
func TestSeedPlans(t *testing.T) {
	for _, c := range []struct {
		plan, want Plan
	}{
		{MultiRun(), Plan{
			Name: "multirun", Runs: 5, Restart: true, Cooldown: 60 * time.Second, Warmup: 10, Input: 2048, Output: 512,
			Levels: []int{10, 50, 100, 200, 500, 750, 1000}, Prompts: Prompts{Count: 100}, Timeout: 30 * time.Minute, Seed: 1,
		}},
		{FineSweep(), Plan{
			Name: "finesweep", Runs: 3, Restart: true, Cooldown: 60 * time.Second, Warmup: 10, Input: 2048, Output: 100,
			Levels:  []int{500, 550, 600, 650, 700, 750, 800, 850, 900, 950, 1000},
			Prompts: Prompts{Count: 200}, Timeout: 30 * time.Minute, Seed: 1,
		}},
		{ClientValidation(), Plan{
			Name: "clientcheck", Runs: 1, Input: 1, Output: 100,
			Levels: []int{100, 250, 500, 750, 1000, 1500, 2000}, Prompts: Prompts{Count: 1000}, Timeout: time.Minute, Seed: 1,
		}},
	} {
		if diff := cmp.Diff(c.want, c.plan); diff != "" {
			t.Errorf("%s (-page +plan):\n%s", c.want.Name, diff)
		}
		corrected := c.plan.Corrected()
		if diff := cmp.Diff(c.want, c.plan); diff != "" {
			t.Errorf("Corrected changed the plan that it corrects:\n%s", diff)
		}
		if !slices.Equal(corrected.Levels, c.plan.Levels) || corrected.Runs != c.plan.Runs || corrected.Input != c.plan.Input || corrected.Output != c.plan.Output {
			t.Errorf("Corrected has another shape: %+v", corrected)
		}
		for _, level := range corrected.Levels {
			if got := corrected.Prompts.At(level); got != 10*level {
				t.Errorf("%s: %d prompts at %d, want %d", corrected.Name, got, level, 10*level)
			}
		}
	}
}

func warningCodes(warnings []loadgen.Warning) []string {
	var out []string
	for _, w := range warnings {
		out = append(out, w.Code)
	}
	return out
}

func TestCheckWarns(t *testing.T) {
	within := FineSweep().Corrected()
	within.Restart = false
	few := MultiRun()
	few.Levels, few.Prompts = []int{10, 11}, Prompts{Count: 100}
	for _, c := range []struct {
		name string
		plan Plan
		want []string
		say  []string // that the messages must
	}{
		{"the page's five runs", MultiRun(), []string{loadgen.WarnPromptCapped, WarnOneCondition, WarnFewPrompts},
			[]string{"100 prompts", "levels 200, 500, 750 and 1,000", "levels 100, 200, 500, 750 and 1,000 are 5 repeats", "levels 50 and 100: fewer"}},
		{"the page's sweep", FineSweep(), []string{loadgen.WarnPromptCapped, WarnOneCondition},
			[]string{"11 repeats of one condition, 200 in flight"}},
		{"the page's client validation", ClientValidation(), []string{loadgen.WarnPromptCapped, WarnOneCondition, WarnFewPrompts, WarnSingleRun}, nil},
		{"corrected", MultiRun().Corrected(), nil, nil},
		{"one server", within, []string{WarnWithinServer}, nil},
		{"ten to one is enough, less is not", few, []string{WarnFewPrompts}, []string{"level 11"}},
	} {
		warnings, err := c.plan.Check()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := warningCodes(warnings); !slices.Equal(got, c.want) {
			t.Errorf("%s: warnings %v, want %v", c.name, got, c.want)
		}
		text := ""
		for _, w := range warnings {
			text += w.String() + "\n"
		}
		for _, say := range c.say {
			if !strings.Contains(text, say) {
				t.Errorf("%s: no warning says %q:\n%s", c.name, say, text)
			}
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(*Plan)
		say    string
	}{
		{func(p *Plan) { p.Runs = 0 }, "runs 0"},
		{func(p *Plan) { p.Runs = -3 }, "runs -3"},
		{func(p *Plan) { p.Levels = nil }, "levels []"},
		{func(p *Plan) { p.Levels = []int{4, 0} }, "level 0"},
		{func(p *Plan) { p.Levels = []int{4, 8, 4} }, "levels 4"},
		{func(p *Plan) { p.Levels = []int{1 << 30} }, "1073741824"},
		{func(p *Plan) { p.Prompts = Prompts{} }, "prompts"},
		{func(p *Plan) { p.Prompts = Prompts{Count: 1, PerConcurrency: 1} }, "prompts"},
		{func(p *Plan) { p.Prompts = Prompts{Count: -1} }, "prompts"},
		{func(p *Plan) { p.Input = 0 }, "input tokens 0"},
		{func(p *Plan) { p.Output = -1 }, "output tokens -1"},
		{func(p *Plan) { p.Warmup = -1 }, "warmup -1"},
		{func(p *Plan) { p.Cooldown = -time.Second }, "cooldown -1s"},
		{func(p *Plan) { p.Timeout = -time.Second }, "timeout -1s"},
		{func(p *Plan) { p.Budget = -time.Second }, "budget -1s"},
		{func(p *Plan) { p.LevelBudget = -time.Minute }, "level budget -1m0s"},
		{func(p *Plan) { p.Budget, p.LevelBudget = time.Hour, 2*time.Hour }, "level budget 2h0m0s: want no more than the budget for all, 1h0m0s"},
		{func(p *Plan) { p.Budget, p.Cooldown = time.Minute, time.Hour }, "budget 1m0s: want 4h0m35s or more: a second for each level of each run, and the rests between runs (cooldown 1h0m0s)"},
		{func(p *Plan) { p.Retry.Times = 1 }, "causes of a retry []"},
		{func(p *Plan) { p.Retry.Causes = []string{"server-died"} }, "retries of a level 0: want at least 1"},
		{func(p *Plan) { p.Retry = Retry{1, []string{"server died"}} }, `cause of a retry "server died"`},
		{func(p *Plan) { p.Levels, p.Prompts = []int{100_000}, Prompts{PerConcurrency: 1001} }, "level 100000: requests 100100000"},
		{func(p *Plan) { p.Objectives = []loadgen.Objective{{Metric: "ttft"}} }, "ttft:0"},
	} {
		plan := MultiRun()
		c.change(&plan)
		_, err := plan.Check()
		var invalid *loadgen.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%+v: error %v, want one that says %q", plan, err, c.say)
		}
	}
}

// steps lists all steps of a design.
func steps(t *testing.T, d Design) []Step {
	t.Helper()
	var done []Measurement
	var out []Step
	for {
		s, err := d.Next(done)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		again, _ := d.Next(done)
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("the same history has two next steps:\n%s", diff)
		}
		out = append(out, s)
		done = append(done, Measurement{Step: s})
		if len(out) > 10_000 {
			t.Fatal("the design does not end")
		}
	}
}

func TestPlanSteps(t *testing.T) {
	all := steps(t, MultiRun())
	if len(all) != 5*8 {
		t.Fatalf("%d steps, want five runs of a warmup and seven levels", len(all))
	}
	seeds := map[uint64]bool{}
	for i, s := range all {
		run, seq := i/8+1, i%8
		if s.Run != run || s.Seq != seq {
			t.Errorf("step %d is run %d, seq %d", i, s.Run, s.Seq)
		}
		if s.Restart != (seq == 0) || s.Discard != (seq == 0) {
			t.Errorf("step %d: restart %v, discard %v", i, s.Restart, s.Discard)
		}
		if cooled := s.Cooldown > 0; cooled != (seq == 0 && run > 1) {
			t.Errorf("step %d: cooldown %v", i, s.Cooldown)
		}
		want := loadgen.Level{Concurrency: 10, Requests: 10, Timeout: 30 * time.Minute}
		if seq > 0 {
			want.Concurrency, want.Requests = MultiRun().Levels[seq-1], 100
		}
		if !cmp.Equal(s.Level, want) {
			t.Errorf("step %d: level %+v, want %+v", i, s.Level, want)
		}
		if s.Input != 2048 || s.Output != 512 {
			t.Errorf("step %d: %d tokens in, %d out", i, s.Input, s.Output)
		}
		seeds[s.Seed] = true
	}
	if len(seeds) != len(all) {
		t.Errorf("%d seeds for %d steps: prompts would repeat", len(seeds), len(all))
	}

	corrected := steps(t, MultiRun().Corrected())
	if s := corrected[4]; !cmp.Equal(s.Level, loadgen.Level{Concurrency: 200, Requests: 2000, Warmup: 200, Timeout: 30 * time.Minute}) {
		t.Errorf("corrected level 200: %+v", s.Level)
	}
	if all := steps(t, ClientValidation()); len(all) != 7 || all[0].Restart || all[0].Discard {
		t.Errorf("client validation: %+v", all)
	}
	var invalid *loadgen.InvalidError
	if s, err := (Plan{}).Next(nil); !errors.As(err, &invalid) {
		t.Errorf("the zero plan has the step %+v, error %v", s, err)
	}
	few := MultiRun() // its warmup does not go beyond the lowest level, nor beyond itself
	few.Warmup, few.Levels = 10, []int{4, 8}
	if s, _ := few.Next(nil); s.Level.Concurrency != 4 || s.Level.Requests != 10 {
		t.Errorf("warmup %+v", s.Level)
	}
	few.Warmup, few.Levels = 3, []int{8}
	if s, _ := few.Next(nil); s.Level.Concurrency != 3 || s.Level.Requests != 3 {
		t.Errorf("warmup %+v", s.Level)
	}
}

func TestPromptsText(t *testing.T) {
	for text, want := range map[string]Prompts{"100": {Count: 100}, "10x": {PerConcurrency: 10}} {
		var p Prompts
		if err := p.UnmarshalText([]byte(text)); err != nil || p != want {
			t.Errorf("%q: %+v %v, want %+v", text, p, err, want)
		}
		if got, _ := p.MarshalText(); string(got) != text {
			t.Errorf("%+v is written %q, want %q", p, got, text)
		}
	}
	for _, text := range []string{"", "x", "0", "-1", "0x", "1.5x", "10 x", "x10", "100000001", "99999999999999999999"} {
		var p Prompts
		var invalid *loadgen.InvalidError
		if err := p.UnmarshalText([]byte(text)); !errors.As(err, &invalid) || p != (Prompts{}) {
			t.Errorf("%q: %+v %v, want an InvalidError and no change", text, p, err)
		}
	}
}

func TestPlanJSON(t *testing.T) {
	for _, plan := range []Plan{MultiRun(), FineSweep().Corrected(), ClientValidation()} {
		text, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		var back Plan
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plan, back); diff != "" {
			t.Errorf("%s does not survive JSON:\n%s\n%s", plan.Name, text, diff)
		}
	}
}

func FuzzPrompts(f *testing.F) {
	for _, s := range []string{"100", "10x", "0x", "-1", "1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var p Prompts
		if p.UnmarshalText([]byte(s)) != nil {
			return
		}
		text, _ := p.MarshalText()
		var back Prompts
		if err := back.UnmarshalText(text); err != nil || back != p {
			t.Errorf("%q → %+v → %q → %+v %v", s, p, text, back, err)
		}
		if p.At(1) < 1 {
			t.Errorf("%q is no request at all", s)
		}
	})
}
