package openai_test

import (
	"flag"
	"net/http"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/stats"
)

var simulates = flag.Bool("long", false, "run the simulations that take minutes")

// auditLevels audits so many levels of 300 answers, of which a share is corrupted in one of all three ways, from the
// requests to the verdict. Each has to be spoiled exactly where the rule says so of what was corrupted, and no answer
// may be found wrong that was not.
func auditLevels(t *testing.T, engine func() http.Handler, model string, levels int, rate float64) {
	t.Helper()
	const answers = 300
	spoiled, corrupted := 0, 0
	healthy := audit.Tally{Answers: audit.HealthyAnswers} // taken once, as a runner does
	for i := range levels {
		proxy := &loadgentest.Corrupting{Handler: engine(), Rate: rate, Seed: uint64(i)}
		server := serve(t, proxy)
		target := newTarget(t, openai.Config{URL: server.URL, Model: model,
			Workload: workload.RandomTokens{Seed: uint64(i), Input: 12, Output: 12}, Audit: &openai.Audit{Seed: uint64(i)}})
		measure(t, loadgen.Level{Concurrency: 8, Requests: answers}, target)
		o := target.Audit(t.Context(), healthy)
		n := proxy.Counts().Corrupted
		want := audit.Passed
		if n >= audit.Limit(answers) {
			want = audit.Spoiled
			spoiled++
		}
		if o.Verdict != want || o.Level.Wrong != n || o.Level.Answers != answers {
			t.Errorf("level %d, %d corrupted: %v", i, n, o)
		}
		corrupted += n
		target.Close()
		server.Close()
	}
	found, err := stats.ProportionInterval(spoiled, levels, 0.999, "level")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%g %% corrupted: %d of %d levels spoiled; %d answers corrupted, all of them found", 100*rate, spoiled, levels, corrupted)
	if want := audit.Power(answers, rate); want < found.Low || want > found.High {
		t.Errorf("power %.3f, found %v", want, found)
	}
}

// On a server whose answers are known, levels of 300 are spoiled as the rule says, and healthy ones never are. The seeds
// decide what is corrupted, so that the counts are the same each time.
func TestAuditPower(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		levels int
		rate   float64
	}{{4, 0}, {6, 0.01}, {3, 0.02}, {3, 0.05}} {
		auditLevels(t, func() http.Handler { return &loadgentest.Simulated{} }, "simulated", c.levels, c.rate)
	}
}

// The same of a server that has ties, many times over: with 1 % of the answers corrupted in 0.80 of them, and with none
// in none.
func TestAuditPowerSimulation(t *testing.T) {
	if !*simulates {
		t.Skip("takes minutes: -long runs it")
	}
	for _, rate := range []float64{0.01, 0} {
		auditLevels(t, func() http.Handler { return &loadgentest.Greedy{Ties: 0.1} }, "greedy", 120, rate)
		auditLevels(t, func() http.Handler { return &loadgentest.Simulated{} }, "simulated", 120, rate)
	}
}
