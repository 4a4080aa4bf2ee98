package openai_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// knowing answers questions about the capital of land N, and everything else as a Greedy that tells nothing. wrong says
// whether the n-th question, from 0, gets a wrong answer, while others are in flight or alone.
func knowing(wrong func(n int, alone bool) bool) http.Handler {
	rest := &loadgentest.Greedy{NoTokenIDs: true, NoScores: true, NoLogprobs: true}
	var inFlight, n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		if _, after, ok := strings.Cut(body, "capital of land "); ok {
			var land int
			_, _ = fmt.Sscanf(after, "%d", &land)
			if wrong(int(n.Add(1)-1), inFlight.Load() == 0) {
				land += 1000
			}
			sends(w, fmt.Sprintf(`{"choices":[{"text":" It is city %d.","finish_reason":"stop"}]}`, land))
			return
		}
		inFlight.Add(1)
		defer inFlight.Add(-1)
		r.Body = readCloser(body)
		rest.ServeHTTP(w, r)
	})
}

func questionsOf(t testing.TB, n int) []audit.Question {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"prompt":"What is the capital of land %d?","accept":"city %d\\b"}`+"\n", i, i)
	}
	all, err := audit.ReadQuestions(strings.NewReader(lines.String()))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Where nothing else can check a server, known answers do: they are asked beside the level, at no more than their
// share, and are in none of its figures.
func TestKnownAnswers(t *testing.T) {
	const requests = 1600
	for _, c := range []struct {
		name     string
		wrong    func(n int, alone bool) bool
		accept   *regexp.Regexp // nil: each question's own
		verdict  audit.Verdict
		wrongs   int // at least
		unknown  int // at least
		contains string
	}{
		{"all are right", func(int, bool) bool { return false }, nil, audit.Passed, 0, 0, "by known answers alone"},
		{"wrong under load", func(n int, _ bool) bool { return n%5 == 2 && n < 25 }, nil, audit.Spoiled, 2, 0,
			"counted apart"},
		{"never known", func(n int, _ bool) bool { return true }, nil, audit.NotCheckable, 0, 20, "too few"},
		{"a pattern that takes anything", func(int, bool) bool { return false }, regexp.MustCompile("city"),
			audit.NotCheckable, 0, 0,
			"accept those to other questions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			questions := questionsOf(t, 12)
			for i := range questions {
				if c.accept != nil {
					questions[i].Accept = c.accept
				}
			}
			r, o := audited(t, knowing(c.wrong), loadgen.Level{Concurrency: 2, Requests: requests, Warmup: 100},
				openai.Config{Audit: &openai.Audit{Answers: 10, Questions: questions, Share: 0.05}})
			k := o.Known
			if k == nil || o.Verdict != c.verdict || !strings.Contains(o.String(), c.contains) {
				t.Fatalf("%v\n%+v", o, k)
			}
			if k.Beside != requests || k.Answers > requests/20 || k.Answers < 25 || k.Wrong < c.wrongs ||
				k.Unknown < c.unknown || k.Failed != 0 {
				t.Errorf("%+v", k)
			}
			if r.Accounting.Completed != requests || r.Accounting.Issued != requests {
				t.Errorf("%+v", r.Accounting)
			}
		})
	}
}

// Questions that are in flight do not outlast the target.
func TestKnownAnswersEnd(t *testing.T) {
	noGoroutineIsLeft(t, func() {
		hangs := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := bodyOf(r)
			if strings.Contains(body, "capital") {
				<-r.Context().Done()
				return
			}
			r.Body = readCloser(body)
			(&loadgentest.Greedy{Model: "m"}).ServeHTTP(w, r)
		})
		server := serve(t, hangs)
		target := newTarget(t, openai.Config{URL: server.URL,
			Audit: &openai.Audit{Questions: questionsOf(t, 3), Share: 0.05}})
		measure(t, loadgen.Level{Concurrency: 2, Requests: 100}, target)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if o := target.Audit(ctx, audit.Tally{}); o.Verdict != audit.NotCheckable ||
			!strings.Contains(o.Reason, "deadline") {
			t.Errorf("an audit that is called off: %v", o)
		}
		if err := target.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
}

func TestQuestionsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "line 1: there are no questions",
		"x":                            "line 1: want a JSON object",
		"\n{}":                         "line 2: there is no prompt",
		`{"prompt":"a"}`:               "there is no accept",
		`{"prompt":"a","accept":"("}`:  "missing closing",
		`{"prompt":"a","accept":"b*"}`: "is found in an empty answer",
		`{"prompt":"a","accept":"b","max_tokens":0}`: "want 1 to 4096",
	} {
		if _, err := audit.ReadQuestions(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, a := range []openai.Audit{{Answers: 641}, {Answers: -1}, {Share: 0.01},
		{Questions: questionsOf(t, 1), Share: 0.06},
		{Questions: []audit.Question{{Prompt: "a"}}}} {
		if _, err := openai.New(openai.Config{URL: "http://127.0.0.1", Model: "m", Workload: sameAgain{},
			Audit: &a}); err == nil {
			t.Errorf("%+v is taken", a)
		}
	}
}
