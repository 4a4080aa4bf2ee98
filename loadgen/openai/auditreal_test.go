package openai_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// questions are prompts of which no two are alike, with answers of a small model that say something.
type questions struct{ seed, output int }

func (q questions) Prompt(i int, p *workload.Prompt) error {
	i += 7919 * q.seed
	pick := func(step int, from ...string) string { return from[i/step%len(from)] }
	p.Text = fmt.Sprintf("%s %s %s %s, in the year %d.",
		pick(1, "Write a short story about", "Explain to a child what is special about", "Describe in detail",
			"Give three facts about",
			"Write a letter to a friend about"),
		pick(5, "a farmer", "an old sailor", "a young engineer", "a famous painter", "a curious cat",
			"a lost tourist", "a patient doctor"),
		pick(35, "who lives", "who gets lost", "who finds work", "who meets a rival", "who learns to cook"),
		pick(175, "in Lisbon", "by the sea", "on a mountain", "in a small village", "in a big city", "in the desert",
			"on an island"),
		1500+i%500)
	p.Output = q.output
	return nil
}

// TestAuditOnRealServer checks the answers of a real server, whose URL and model are in the environment;
// docs/audit.sh starts one. At SERVEGAUGE_AUDIT_IN_FLIGHT in flight it has to raise no false alarm in 960 answers,
// and to find what a proxy corrupts, of prompts that SERVEGAUGE_AUDIT_SEED selects; of SERVEGAUGE_AUDIT_RANDOM, a
// model with random weights, it has to say that it is not checkable.
func TestAuditOnRealServer(t *testing.T) {
	url, model := os.Getenv("SERVEGAUGE_AUDIT_URL"), os.Getenv("SERVEGAUGE_AUDIT_MODEL")
	if url == "" || model == "" {
		t.Skip("SERVEGAUGE_AUDIT_URL and SERVEGAUGE_AUDIT_MODEL name no server; docs/audit.sh starts one")
	}
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	inFlight, output := number("SERVEGAUGE_AUDIT_IN_FLIGHT", 48), number("SERVEGAUGE_AUDIT_OUTPUT", 64)
	first := number("SERVEGAUGE_AUDIT_SEED", 0)
	var healthy audit.Tally
	level := func(name string, h http.Handler, seed, requests int) *audit.Outcome {
		seed += first
		c := openai.Config{URL: url, Model: model, Endpoint: openai.Chat, Workload: questions{seed, output},
			Audit: &openai.Audit{Answers: requests, Seed: uint64(seed)}}
		if h != nil {
			c.URL = serve(t, h).URL
		}
		target := newTarget(t, c)
		result, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: inFlight, Requests: requests}, target)
		if err != nil || result.Accounting.Completed != requests {
			t.Fatalf("%v: %+v %v", err, result.Accounting, result.Errors)
		}
		o := target.Audit(t.Context(), healthy)
		if o.Healthy.Answers == audit.HealthyAnswers {
			healthy = o.Healthy
		}
		f, _ := result.Figure(loadgen.OutputThroughput)
		text, _ := json.Marshal(o)
		fmt.Printf("%s: level %v at %.0f output tokens/s, peak %d, audit %v: %v\n%s\n", name,
			result.Makespan.Round(time.Second), f.Value,
			result.InFlight.Peak, o.Took.Round(time.Second), o, text)
		return o
	}
	if os.Getenv("SERVEGAUGE_AUDIT_RANDOM") != "" {
		if o := level("random weights", nil, 1, 60); o.Verdict != audit.NotCheckable ||
			!strings.Contains(o.Reason, "random weights") {
			t.Errorf("random weights: %v", o)
		}
		return
	}
	caught, corrupted, innocent := 0, 0, 0
	for i, rate := range []float64{0.01, 0.02, 0.05} {
		var struck []string
		proxy := &loadgentest.Corrupting{URL: url, Rate: rate, InFlight: inFlight / 2, Vocab: 49_000,
			Seed: uint64(i + 1 + first),
			Struck: func(kind loadgentest.Corruption, body []byte) {
				fmt.Printf("  corrupted: %s\n", kind)
				struck = append(struck, string(body))
			}}
		o := level(fmt.Sprintf("%g %% corrupted", 100*rate), proxy, 10+i, 300)
		for _, f := range o.Faults {
			var p workload.Prompt
			_ = questions{10 + i + first, output}.Prompt(f.Index, &p)
			if slices.ContainsFunc(struck, func(body string) bool { return strings.Contains(body, p.Text) }) {
				caught++
			} else {
				innocent++
			}
		}
		corrupted += proxy.Counts().Corrupted
		want := audit.Passed
		if o.Level.Wrong >= audit.Limit(300) {
			want = audit.Spoiled
		}
		if o.Verdict != want {
			t.Errorf("%g %%: %v", 100*rate, o)
		}
	}
	fmt.Printf("of %d corrupted answers %d were found, and %d others\n", corrupted, caught, innocent)
	if innocent > 0 || float64(caught) < 0.9*float64(corrupted) {
		t.Errorf("of %d corrupted answers %d were found, and %d others", corrupted, caught, innocent)
	}
	for seed, requests := range []int{640, 320} {
		if o := level("healthy", nil, 1+seed, requests); o.Verdict != audit.Passed {
			t.Errorf("a healthy server: %v", o)
		}
	}
}
