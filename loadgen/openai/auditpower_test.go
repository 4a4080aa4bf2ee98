package openai_test

import (
	"flag"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/stats"
)

var simulates = flag.Bool("long", false, "run the simulations that take minutes")

// Levels of 300 answers are spoiled as often as the rule says, from the requests to the verdict: with 1 % of the answers
// corrupted in 0.80 of them, and with none in none.
func TestAuditPowerSimulation(t *testing.T) {
	if !*simulates {
		t.Skip("takes minutes: -long runs it")
	}
	const levels, answers = 120, 300
	for _, rate := range []float64{0.01, 0} {
		spoiled, corrupted, wrong := 0, 0, 0
		healthy := audit.Tally{Answers: audit.HealthyAnswers} // taken once, as a runner does
		for i := range levels {
			proxy := &loadgentest.Corrupting{Handler: &loadgentest.Greedy{Ties: 0.1}, Rate: rate, Seed: uint64(i)}
			server := serve(t, proxy)
			target := newTarget(t, openai.Config{URL: server.URL, Model: "greedy",
				Workload: workload.RandomTokens{Seed: uint64(i), Input: 12, Output: 12}, Audit: &openai.Audit{Seed: uint64(i)}})
			measure(t, loadgen.Level{Concurrency: 8, Requests: answers}, target)
			o := target.Audit(t.Context(), healthy)
			switch o.Verdict {
			case audit.Spoiled:
				spoiled++
			case audit.NotCheckable:
				t.Fatal(o)
			}
			corrupted += proxy.Counts().Corrupted
			wrong += o.Level.Wrong
			target.Close()
			server.Close()
		}
		found, err := stats.ProportionInterval(spoiled, levels, 0.999, "level")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%g %% corrupted: %d of %d levels spoiled; %d answers corrupted, %d found wrong", 100*rate, spoiled, levels, corrupted, wrong)
		if want := audit.Power(answers, rate); want < found.Low || want > found.High || wrong != corrupted {
			t.Errorf("power %.3f, found %v, %d of %d answers", want, found, wrong, corrupted)
		}
	}
}
