package openai_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// secretText is a prompt that nobody may find in a file.
type secretText struct{}

func (secretText) Prompt(i int, p *workload.Prompt) error {
	p.Text, p.Output = "t7 my mother's maiden name is t"+string(rune('0'+i%10))+" Xanthippe", 12
	return nil
}

// Neither prompts nor answers are in an outcome that goes to files, whatever it comes to, and though the server repeats
// them in what it complains of.
func TestAuditKeepsTextsToItself(t *testing.T) {
	t.Parallel()
	refuses := func(g *loadgentest.Greedy) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := bodyOf(r)
			if strings.Contains(body, `"stream":true`) || r.Method == http.MethodGet {
				r.Body = readCloser(body)
				g.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusUnprocessableEntity)
			text, _ := json.Marshal(map[string]any{"detail": "1 validation error for the request, input: " + body})
			_, _ = w.Write(text)
		})
	}
	for name, h := range map[string]http.Handler{
		"passed":           &loadgentest.Greedy{},
		"spoiled":          &loadgentest.Corrupting{Handler: &loadgentest.Greedy{}, Rate: 0.4, Seed: 2},
		"refused":          refuses(&loadgentest.Greedy{}),
		"refused, no ids":  refuses(&loadgentest.Greedy{NoTokenIDs: true}),
		"by single tokens": &loadgentest.Greedy{NoTokenIDs: true},
	} {
		for _, e := range []openai.Endpoint{openai.Completions, openai.Chat} {
			target := newTarget(t, openai.Config{URL: serve(t, h).URL, Model: "greedy", Endpoint: e, Workload: secretText{}, Audit: &openai.Audit{}})
			measure(t, loadgen.Level{Concurrency: 4, Requests: 30}, target)
			o := target.Audit(t.Context(), audit.Tally{Answers: audit.HealthyAnswers})
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			all := string(text) + o.String()
			for _, secret := range []string{"mother", "maiden", "Xanthippe", " t7", "\\ufffd"} {
				if strings.Contains(all, secret) {
					t.Errorf("%s, %s: %q is in %s", name, e, secret, all)
				}
			}
			if strings.HasPrefix(name, "refused") && (o.Verdict != audit.NotCheckable || !strings.Contains(o.Reason, "422") && !strings.Contains(o.Reason, "not shown")) {
				t.Errorf("%s, %s: %v", name, e, o)
			}
		}
	}
}

// Answers with nothing in them are counted, and do not keep the others from being checked.
func TestAuditOfEmptyAnswers(t *testing.T) {
	t.Parallel()
	g := &loadgentest.Greedy{}
	n := 0
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		r.Body = readCloser(body)
		if !strings.Contains(body, `"stream":true`) {
			g.ServeHTTP(w, r)
			return
		}
		if n++; n%4 != 0 { // one at a time
			g.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(`data: {"choices":[{"index":0,"text":"","token_ids":[],"prompt_token_ids":[5],"finish_reason":"stop"}]}` + "\n\n" +
			`data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0}}` + "\n\ndata: [DONE]\n\n"))
	})
	target := newTarget(t, openai.Config{URL: serve(t, server).URL, Model: "greedy", Audit: &openai.Audit{}})
	measure(t, loadgen.Level{Concurrency: 1, Requests: 40}, target)
	o := target.Audit(t.Context(), audit.Tally{Answers: audit.HealthyAnswers})
	if o.Verdict != audit.Passed || o.Method != audit.Scored || o.Kept != 40 || o.Empty != 10 || o.Level.Answers != 30 ||
		!strings.Contains(o.String(), "10 answers were empty") {
		t.Errorf("%v\n%+v", o, o)
	}
}
