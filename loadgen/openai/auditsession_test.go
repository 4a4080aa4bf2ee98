package openai_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// auditedSessions audits a level of 20 sessions of 4 turns each.
func auditedSessions(t *testing.T, h http.Handler, c openai.Config, healthy audit.Tally) *audit.Outcome {
	t.Helper()
	c.URL, c.Model = serve(t, h).URL, "simulated"
	if c.Conversations == nil {
		c.Conversations = workload.Talks{Seed: 3, System: 12, Turns: workload.Fixed(4), Input: workload.Fixed(8),
			Output: workload.Fixed(6)}
	}
	if c.Audit == nil {
		c.Audit = &openai.Audit{Seed: 1}
	}
	target := newTarget(t, c)
	measure(t, loadgen.Level{Concurrency: 5, Sessions: 20, Unit: loadgen.UnitSession}, target)
	return target.Audit(t.Context(), healthy)
}

// Each turn's answer is checked on the prompt that it was asked for: the conversation up to there, of which the server
// tells the ids. The healthy sample is of sessions too, one request after the other.
func TestAuditOfSessions(t *testing.T) {
	t.Parallel()
	o := auditedSessions(t, &loadgentest.Simulated{}, openai.Config{}, audit.Tally{})
	if o.Verdict != audit.Passed || o.Method != audit.Scored || o.Level.Answers != 80 || o.Level.Positions != 480 ||
		o.Healthy.Answers != 40 || o.Control.Wrong != 20 {
		t.Fatalf("%v\n%+v", o, o)
	}
}

// A corrupted turn is found, by its session and its place in it; the turns after it, which go on from what was said,
// are not.
func TestAuditOfSessionsFindsTurns(t *testing.T) {
	t.Parallel()
	proxy := &loadgentest.Corrupting{Handler: &loadgentest.Simulated{}, Rate: 0.1, Seed: 4}
	o := auditedSessions(t, proxy, openai.Config{Audit: &openai.Audit{Seed: 1, Examples: true}},
		audit.Tally{Answers: audit.HealthyAnswers})
	n := proxy.Counts().Corrupted
	if n < 3 || o.Verdict != audit.Spoiled || o.Level.Wrong != n || o.Level.Answers != 80 {
		t.Fatalf("%d corrupted: %v\n%+v", n, o, o)
	}
	turns := map[int]bool{}
	for _, f := range o.Faults {
		if f.Request < 1 || f.Request > 4 || f.Index >= 20 || !strings.HasPrefix(f.String(), "session ") {
			t.Errorf("%v", f)
		}
		turns[f.Request] = true
	}
	if len(turns) < 2 || len(o.Examples) != 2 || o.Examples[0].Answer == "" ||
		!strings.HasPrefix(o.Examples[0].Name(), "session ") {
		t.Errorf("turns %v, examples %+v", turns, o.Examples)
	}
}

// A level of single requests has the first turn of each conversation, and is audited as any other.
func TestAuditOfFirstTurns(t *testing.T) {
	t.Parallel()
	target := newTarget(t, openai.Config{URL: serve(t, &loadgentest.Simulated{}).URL, Model: "simulated",
		Audit:         &openai.Audit{},
		Conversations: workload.Talks{Turns: workload.Fixed(4), Input: workload.Fixed(8), Output: workload.Fixed(6)}})
	measure(t, loadgen.Level{Concurrency: 4, Requests: 30}, target)
	if o := target.Audit(t.Context(), audit.Tally{}); o.Verdict != audit.Passed || o.Level.Answers != 30 {
		t.Errorf("%v", o)
	}
}

// What cannot be checked is measured all the same, and says why: no endpoint and no kind of session is refused.
func TestAuditNotCheckableElsewhere(t *testing.T) {
	t.Parallel()
	sampled := openai.Config{Body: map[string]any{"temperature": 1}}
	if o := auditedSessions(t, &loadgentest.Simulated{}, sampled, audit.Tally{}); o.Verdict != audit.NotCheckable ||
		!strings.Contains(o.Reason, "of session") || !strings.Contains(o.Reason, "temperature is 1") {
		t.Errorf("sampled: %v", o)
	}
	silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = readCloser(strings.ReplaceAll(bodyOf(r), "return_token_ids", "x"))
		(&loadgentest.Simulated{}).ServeHTTP(w, r)
	})
	if o := auditedSessions(t, silent, openai.Config{}, audit.Tally{}); o.Verdict != audit.NotCheckable ||
		!strings.Contains(o.Reason, "does not tell token ids") ||
		!strings.Contains(o.Reason, "chat cannot be continued") {
		t.Errorf("no ids: %v", o)
	}
	for _, e := range []openai.Endpoint{openai.Responses, openai.Embeddings, openai.Rerank} {
		target := newTarget(t, openai.Config{URL: serve(t, &loadgentest.Simulated{}).URL, Model: "simulated",
			Endpoint: e,
			Workload: workload.RandomWords{Input: 16, Output: 4}, Audit: &openai.Audit{}})
		r, _ := measure(t, loadgen.Level{Concurrency: 4, Requests: 10}, target)
		if r.Accounting.Completed != 10 || !target.Audits() {
			t.Fatalf("%s: %+v", e, r.Accounting)
		}
		if o := target.Audit(t.Context(), audit.Tally{}); o == nil || o.Verdict != audit.NotCheckable ||
			!strings.Contains(o.Reason, string(e)) {
			t.Errorf("%s: %v", e, o)
		}
	}
}
