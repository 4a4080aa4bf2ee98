package openai_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Who is refused for token ids is told what to do; whoever sends none, or is refused for something else, is not.
func TestAdvice(t *testing.T) {
	const vocabulary, text = "-vocabulary", "-text"
	ids, words := workload.RandomTokens{Input: 3, Output: 5}, workload.RandomWords{Input: 3, Output: 5}
	for _, test := range []struct {
		name     string
		status   int
		says     string
		workload workload.Workload
		advice   string
	}{
		{"an unknown id", 400, `{"error":{"message":"Token id 3999 is out of vocabulary"}}`, ids, vocabulary},
		{"an unknown id, in the stream", 200, `data: {"error":{"message":"Token id 3999 is out of vocabulary"}}` + "\n\n", ids, vocabulary},
		{"text alone", 400, `{"error":{"message":"json: cannot unmarshal array into Go struct field .prompt of type string"}}`, ids, text},
		{"text alone, as validators say it", 422, `{"detail":[{"loc":["body","prompt"],"msg":"Input should be a valid string"}]}`, ids, text},
		{"a long complaint", 400, `{"error":{"message":"the prompt must be a string` + strings.Repeat(", a string", 200) + `"}}`, ids, text},
		{"too long a prompt", 400, `{"error":{"message":"maximum context length is 2 tokens"}}`, ids, ""},
		{"a server's fault", 500, `{"error":{"message":"string index out of range"}}`, ids, ""},
		{"text already", 400, `{"error":{"message":"the prompt must be a string, and in the vocabulary"}}`, words, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.says))
			}))
			q := measureOne(t, newTarget(t, openai.Config{URL: server.URL, Workload: test.workload}))
			if q.err == nil || q.err.Status != test.status && q.err.Class != loadgen.ClassServer {
				t.Fatalf("got %v, want an error of status %d", q.err, test.status)
			}
			for _, advice := range []string{vocabulary, text} {
				if got := strings.Contains(q.err.Error(), advice); got != (advice == test.advice) {
					t.Errorf("%q says %s: %t", q.err, advice, got)
				}
			}
		})
	}
}

// The safe part of a vocabulary is inside it, and all of it is known to a server that has so many.
func TestSafeTokens(t *testing.T) {
	for _, test := range []struct{ size, low, high int }{
		{256, 64, 240}, {4000, 1000, 3750}, {32_000, 1000, 30_000}, {128_256, 1000, 120_240},
	} {
		if low, high := workload.SafeTokens(test.size); low != test.low || high != test.high {
			t.Errorf("of %d: %d to %d, want %d to %d", test.size, low, high, test.low, test.high)
		}
	}
	server := serve(t, &loadgentest.Simulated{VocabSize: 3000})
	low, high := workload.SafeTokens(3000)
	for _, test := range []struct {
		workload workload.RandomTokens
		failed   int
	}{
		{workload.RandomTokens{Input: 50, Output: 1}, 20}, // up to 4,000
		{workload.RandomTokens{Input: 50, Output: 1, Low: low, High: high}, 0},
	} {
		r, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 20}, newTarget(t, openai.Config{URL: server.URL, Model: "simulated", Workload: test.workload}))
		if r.Accounting.Failed != test.failed {
			t.Errorf("%+v: %+v, %v", test.workload, r.Accounting, r.Errors)
		}
	}
}
