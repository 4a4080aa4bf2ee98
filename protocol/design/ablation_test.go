package design_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/stats"
)

// twoServers are those of an ablation: b gives ratio times what a gives.
func twoServers(ratio float64) func(protocol.Load) map[string]float64 {
	return func(l protocol.Load) map[string]float64 {
		x := 100 * float64(min(l.Concurrency, 20))
		if l.Arm == design.ArmB {
			x *= ratio
		}
		return map[string]float64{protocol.KneeFigure: x, "ttft_p50": 1e4 / x}
	}
}

func verdictOf(t *testing.T, f protocol.Finding) (v stats.Verdict) {
	t.Helper()
	if err := json.Unmarshal(f.Detail, &v); err != nil {
		t.Fatalf("%v: %+v", err, f)
	}
	return v
}

func TestAblation(t *testing.T) {
	p := plan(6, 4, 16)
	p.Cooldown = time.Second
	d := design.Ablation{Plan: p, Margin: 0.02, Figures: []string{protocol.KneeFigure, "ttft_p50"}}
	w := &world{truth: twoServers(1.1), cov: 0.01, shared: 0.5, rng: rand.New(rand.NewPCG(1, 2))}
	done := carryOut(t, d, w)
	if len(done) != 2*6*3 || w.starts != 12 {
		t.Errorf("%d steps, %d starts", len(done), w.starts)
	}
	// Each block is one run of each arm, whole, with the same prompts for both; b is first in one of two blocks that
	// follow each other.
	first := map[bool]int{}
	for block := range 6 {
		steps := done[6*block : 6*block+6]
		a, b := steps[:3], steps[3:]
		bFirst := a[0].Step.Arm == design.ArmB
		if bFirst {
			a, b = b, a
		}
		first[bFirst]++
		if block%2 == 1 && first[true] != first[false] {
			t.Errorf("after block %d b was first in %d", block+1, first[true])
		}
		for i := range a {
			x, y := a[i].Step, b[i].Step
			if x.Arm != design.ArmA || y.Arm != design.ArmB || x.Run != block+1 || y.Run != block+1 ||
				x.Seed != y.Seed ||
				x.Restart != (i == 0) || y.Restart != (i == 0) || x.Level.Concurrency != y.Level.Concurrency {
				t.Errorf("block %d:\n%+v\n%+v", block+1, x, y)
			}
			for _, s := range []protocol.Step{x, y} {
				if veryFirst := fmt.Sprint(s) == fmt.Sprint(done[0].Step); (s.Cooldown > 0) != (s.Restart &&
					!veryFirst) {
					t.Errorf("block %d: cooldown %v before %+v", block+1, s.Cooldown, s)
				}
			}
		}
	}
	findings := d.Conclude(done)
	var names []string
	for _, f := range findings {
		names = append(names, f.Name)
		v := verdictOf(t, f)
		want := stats.Faster // throughput 10 % more, latency as much less
		if v.Kind != want || !strings.Contains(f.Reason, "four times in five") || len(f.Warnings) > 0 {
			t.Errorf("%+v", f)
		}
		if v.Ratio.Confidence != 0.975 {
			t.Errorf("two figures, and each interval is at %g", v.Ratio.Confidence)
		}
	}
	want := []string{
		"b against a, steady_total_tokens_per_s at concurrency 4",
		"b against a, steady_total_tokens_per_s at concurrency 16",
		"b against a, ttft_p50 at concurrency 4", "b against a, ttft_p50 at concurrency 16",
	}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// Two servers that run at once are left as they are: each has its own prompts, and nothing is said of other starts.
func TestAblationWithinServer(t *testing.T) {
	p := plan(4, 4)
	p.Restart = false
	d := design.Ablation{Plan: p, Margin: 0.05}
	w := &world{truth: twoServers(1), cov: 0.01, rng: rand.New(rand.NewPCG(1, 2))}
	done := carryOut(t, d, w)
	seeds := map[uint64]bool{}
	for i := range done {
		done[i].Instance = ""
		if seeds[done[i].Step.Seed] {
			t.Errorf("%+v: the prompts of another step", done[i].Step)
		}
		seeds[done[i].Step.Seed] = true
	}
	f := d.Conclude(done)[0]
	if len(f.Warnings) != 1 || f.Warnings[0].Code != protocol.WarnWithinServer {
		t.Errorf("%+v", f)
	}
}

// Cut short, or with a level that cannot be used, it says what it can.
func TestAblationCutShort(t *testing.T) {
	d := design.Ablation{Plan: plan(6, 4, 16), Margin: 0.05}
	w := &world{truth: twoServers(0.8), cov: 0.01, rng: rand.New(rand.NewPCG(1, 2))}
	done := carryOut(t, d, w)
	for n := 0; n < len(done); n += 3 {
		for _, f := range d.Conclude(done[:n]) {
			if f.Reason == "" {
				t.Errorf("after %d steps: %+v", n, f)
			}
		}
	}
	// Level 16 of the last block has only one arm.
	cut := done[:len(done)-1]
	findings := d.Conclude(cut)
	if v, u := verdictOf(t, findings[0]), verdictOf(t, findings[1]); v.RunsA != 6 || u.RunsA != 5 ||
		v.Kind != stats.Slower || u.Kind != stats.Slower {
		t.Errorf("%+v\n%+v", v, u)
	}
	done[4].Result.Warnings = []loadgen.Warning{{Code: "cold", Spoils: []string{loadgen.All}}}
	for _, f := range d.Conclude(done) {
		if spoiled := strings.HasSuffix(f.Name, fmt.Sprint(done[4].Step.Level.Concurrency)); spoiled !=
			(f.Answer == "not compared" && strings.Contains(f.Reason, "cold")) {
			t.Errorf("%+v", f)
		}
	}
}

func TestAblationExtendsAndBudget(t *testing.T) {
	short := design.Ablation{Plan: plan(4, 4), Margin: 0.05}
	longer, other := short, short
	longer.Plan.Runs = 8
	other.Margin = 0.1
	text, err := json.Marshal(short)
	if err != nil {
		t.Fatal(err)
	}
	if !longer.Extends(text) || !short.Extends(text) || other.Extends(text) {
		t.Error(longer.Extends(text), short.Extends(text), other.Extends(text))
	}
	if long, _ := json.Marshal(longer); short.Extends(long) {
		t.Error("fewer blocks are no more")
	}
	p := plan(10, 4)
	p.Budget = 30 * time.Second
	d := design.Ablation{Plan: p, Margin: 0.05}
	w := &world{truth: twoServers(1), took: time.Second, cov: 0.01, rng: rand.New(rand.NewPCG(1, 2))}
	done := carryOut(t, d, w)
	if why := d.Shortened(done); len(done) != 28 || !strings.Contains(why, "7 of 10 blocks") {
		t.Errorf("%d steps: %q", len(done), why)
	}
}

func TestAblationRefuses(t *testing.T) {
	for _, c := range []struct {
		d    design.Ablation
		want string
	}{
		{design.Ablation{Plan: plan(2, 4), Margin: 0.05}, "at least 3"},
		{design.Ablation{Plan: plan(6, 4)}, "margin"},
		{design.Ablation{Plan: plan(6, 4), Margin: 5}, "margin"},
		{design.Ablation{Plan: plan(6, 4), Margin: 0.05, Figures: []string{"x", "x"}}, "each once"},
		{design.Ablation{Plan: plan(6), Margin: 0.05}, "levels"},
	} {
		if _, err := c.d.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
}

// How often two equal servers are told apart, and how often two that differ by 5 % are, under noise of 3 % of which
// half is the start's own, and a drift of 1 % from each start to the next; at two levels.
func TestAblationSimulation(t *testing.T) {
	n := 10
	if *long {
		n = 300
	}
	rng := rand.New(rand.NewPCG(12, 7))
	for _, blocks := range []int{4, 6, 10} {
		var falsely, detected, wrong, within, equivalent share
		for i := range n {
			p := plan(blocks, 4, 16)
			p.Seed = uint64(i)
			d := design.Ablation{Plan: p, Margin: 0.05}
			for _, ratio := range []float64{1, 0.95, 1 / 1.05} {
				w := &world{truth: twoServers(ratio), cov: 0.03, shared: 0.5, drift: 0.01, rng: rng}
				any, anyEquivalent := false, false
				for _, f := range d.Conclude(carryOut(t, d, w)) {
					v := verdictOf(t, f)
					any = any || v.Detected
					anyEquivalent = anyEquivalent || v.Kind == stats.Equivalent
					if ratio == 0.95 {
						detected.count(v.Kind == stats.Slower)
						wrong.count(v.Kind == stats.Faster)
					}
				}
				switch ratio {
				case 1:
					falsely.count(any)
					equivalent.count(anyEquivalent)
				case 1 / 1.05:
					within.count(anyEquivalent)
				}
			}
		}
		t.Logf("%d blocks: equal, an effect at any level in %v; equivalent within 5 %% at a level in %v", blocks,
			falsely, equivalent)
		t.Logf("%d blocks: b is 5 %% slower: found at a level in %v, faster in %v", blocks, detected, wrong)
		t.Logf("%d blocks: b is slower by just the margin: equivalent at any level in %v", blocks, within)
		if falsely.surelyAbove(t, 0.05) || within.surelyAbove(t, 0.05) || wrong.surelyAbove(t, 0.025) {
			t.Errorf("%d blocks: false effects in %v; false equivalence in %v; false direction in %v", blocks,
				falsely, within, wrong)
		}
		if blocks == 10 && detected.surelyBelow(t, 0.5) {
			t.Errorf("a difference of 5 %% is found in %v", detected)
		}
	}
}

// Whether four blocks, the fewest of which half can have b first on both sides of a pair, claim a false effect more often
// than they may: the whole experiment between equals, with an order and a noise of its own each time.
func TestAblationOfFourBlocks(t *testing.T) {
	n := 12
	if *long {
		n = 10_000
	}
	rng := rand.New(rand.NewPCG(4, 10_000))
	var falsely share
	for i := range n {
		p := plan(4, 4, 16)
		p.Seed = uint64(i)
		d := design.Ablation{Plan: p, Margin: 0.05}
		w := &world{truth: twoServers(1), cov: 0.03, shared: 0.5, drift: 0.01, rng: rng}
		any := false
		for _, f := range d.Conclude(carryOut(t, d, w)) {
			any = any || verdictOf(t, f).Detected
		}
		falsely.count(any)
	}
	t.Logf("4 blocks, equal servers: an effect at any level in %v", falsely)
	if falsely.surelyAbove(t, 0.05) {
		t.Errorf("a false effect in %v", falsely)
	}
}
