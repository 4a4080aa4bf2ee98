package protocol

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/serving"
)

// saying is what a server says of itself: facts by pairs of names and values.
func saying(pairs ...string) *envinfo.Environment {
	s := &serving.Server{}
	for i := 0; i < len(pairs); i += 2 {
		s.Facts = append(s.Facts, fact.Setting{Name: pairs[i],
			Value: fact.Known(pairs[i+1], "", serving.ScopeServer, "GET /metrics")})
	}
	return &envinfo.Environment{Server: s}
}

// The same configuration with another KV cache is another capacity; a GPU whose memory has a little less left is not.
func TestKVCacheDiffers(t *testing.T) {
	start := func(arm string, run int, pairs ...string) Start {
		return Start{Run: run, Arm: arm, Server: saying(pairs...)}
	}
	const blocks, tokens = "num_gpu_blocks", "max_total_num_tokens"
	for _, c := range []struct {
		name   string
		starts []Start
		want   string // in the warning; "": there is none
	}{
		{"one", []Start{start("", 1, blocks, "9271")}, ""},
		{"the same", []Start{start("", 1, blocks, "9271"), start("", 2, blocks, "9271")}, ""},
		{"a little less", []Start{start("", 1, blocks, "9271"), start("", 2, blocks, "9188")}, ""},
		{"half", []Start{start("", 1, blocks, "9271"), start("", 2, blocks, "4711"), start("", 3, blocks, "9271")},
			"in blocks: 9,271 in run 1 and 3; 4,711 in run 2"},
		{"an engine less", []Start{start("", 1, blocks, "500", blocks, "500"), start("", 2, blocks, "500")},
			"1,000 in run 1; 500 in run 2"},
		{"SGLang's tokens", []Start{start("", 1, tokens, "100000"), start("", 2, tokens, "120000")},
			"in tokens: 120,000 in run 2; 100,000 in run 1"},
		{"arms are two configurations", []Start{start("a", 1, blocks, "100"), start("b", 1, blocks, "200")}, ""},
		{"within an arm", []Start{start("a", 1, blocks, "100"), start("b", 1, blocks, "200"),
			start("b", 2, blocks, "100")},
			"(arm b)"},
		{"a start that primes", []Start{start("", 0, blocks, "100"), start("", 1, blocks, "200"),
			start("", 2, blocks, "200")}, ""},
		{"none is known", []Start{start("", 1, blocks, "None"), start("", 2), {Run: 3}}, ""},
		{"one is known", []Start{start("", 1, blocks, "100"), {Run: 2}}, ""},
		{"no number", []Start{start("", 1, blocks, "-5"), start("", 2, blocks, "1e9")}, ""},
		{"all differ", []Start{start("", 1, blocks, "100"), start("", 2, blocks, "200"), start("", 3, blocks, "300"),
			start("", 4, blocks, "400"),
			start("", 5, blocks, "500"), start("", 6, blocks, "600"), start("", 7, blocks, "700"),
			start("", 8, blocks, "800")},
			"400 in run 4; 100 in run 1; and 2 sizes between them"},
	} {
		a := Analyze(&Experiment{Complete: true, Starts: c.starts})
		var got string
		for _, w := range a.Warnings {
			if w.Code == WarnKVCacheDiffers {
				got += w.Message
			}
		}
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if len(a.Starts) != len(c.starts) {
			t.Errorf("%s: %d starts of %d", c.name, len(a.Starts), len(c.starts))
		}
	}
}

// What an experiment goes on with may have a little more room for its cache or less, as each start of a GPU's server
// has, and no other cache.
func TestResumeWithAnotherKVCache(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after []string
		want          string // in the error; "": it is taken up
	}{
		{"a little less", []string{"num_gpu_blocks", "9271"}, []string{"num_gpu_blocks", "9268"}, ""},
		{"half", []string{"num_gpu_blocks", "9271"}, []string{"num_gpu_blocks", "4711"},
			"KV cache: 9,271 → 4,711 blocks"},
		{"without prefix caching", []string{"num_gpu_blocks", "9271", "enable_prefix_caching", "True"},
			[]string{"num_gpu_blocks", "9271", "enable_prefix_caching", "False"}, "True → False"},
	} {
		plan := small()
		plan.Cooldown = 0
		says := saying(c.before...)
		runner := newRunner(t, &fakeServer{t: t})
		runner.Inspect = func(context.Context, *Instance) (*envinfo.Environment, error) { return says, nil }
		stop := make(chan struct{})
		runner.Stop = stop
		runner.Progress = func(e Event) {
			if e.Phase == PhaseMeasure && e.Step.Seq == 2 {
				close(stop)
				runner.Progress = nil
			}
		}
		if _, err := runner.Run(context.Background(), plan); !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
		says = saying(c.after...)
		runner.Stop, runner.Progress, runner.Resume, runner.Server = nil, nil, true, &fakeServer{t: t, starts: 100}
		_, err := runner.Run(context.Background(), plan)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var wrong *ResumeError
		if !errors.As(err, &wrong) || wrong.What != "server" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		runner.AcceptChanges, runner.Server = true, &fakeServer{t: t, starts: 200}
		e, err := runner.Run(context.Background(), plan)
		if err != nil {
			t.Fatal(err)
		}
		if flagged := slices.Contains(Analyze(e).Codes(), WarnKVCacheDiffers); flagged != (c.name == "half") {
			t.Errorf("%s: flagged %v", c.name, flagged)
		}
	}
}
