package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func TestOtherEndpoints(t *testing.T) {
	words := workload.RandomWords{Seed: 1, Input: 80, Output: 7}
	ids := workload.RandomTokens{Seed: 1, Input: 80, Output: 7}
	for _, test := range []struct {
		name            string
		config          Config
		chunks          int
		output          int
		figure, without string
	}{
		{"responses", Config{Endpoint: Responses, Workload: words}, 7, 7, loadgen.OutputThroughput,
			loadgen.InputThroughput},
		{"a whole response", Config{Endpoint: Responses, Workload: words, Whole: true}, 0, 7,
			loadgen.OutputThroughput, "ttft_p50"},
		{"embeddings", Config{Endpoint: Embeddings, Workload: ids}, 0, 0, loadgen.SteadyInputThroughput,
			loadgen.SteadyOutputThroughput},
		{"embeddings of text", Config{Endpoint: Embeddings, Workload: words}, 0, 0, loadgen.InputThroughput,
			"ttft_p50"},
		{"rerank", Config{Endpoint: Rerank, Workload: words}, 0, 0, loadgen.SteadyInputThroughput,
			loadgen.SteadyOutputThroughput},
	} {
		for server, h := range map[string]http.Handler{"echo": &loadgentest.Echo{}, "simulated": caching()} {
			t.Run(test.name+"/"+server, func(t *testing.T) {
				s := httptest.NewServer(h)
				defer s.Close()
				c := test.config
				c.URL, c.Model = s.URL, server
				target, err := New(c)
				if err != nil {
					t.Fatal(err)
				}
				defer target.Close()
				r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 2, Requests: 12}, target)
				if err != nil {
					t.Fatal(err)
				}
				if r.Accounting.Completed != 12 || r.Tokens.Input != 12*80 || r.Tokens.Output != 12*test.output ||
					r.Tokens.Mismatch != 0 ||
					r.Tokens.Uncounted != 0 || r.Stamps.Chunks() != 12*test.chunks {
					t.Errorf("%+v, %+v, %v", r.Accounting, r.Tokens, r.Errors)
				}
				if _, ok := r.Figure(test.figure); !ok {
					t.Errorf("no %s", test.figure)
				}
				if f, ok := r.Figure(test.without); ok {
					t.Errorf("there is %v", f)
				}
				if f, ok := r.Figure(loadgen.SteadyOutputThroughput); ok && test.output == 0 {
					t.Errorf("there is %v of answers without output", f)
				}
				for _, w := range r.Warnings {
					if w.Code == loadgen.WarnNoFinishReason || w.Code == loadgen.WarnNoContent {
						t.Error(w)
					}
				}
			})
		}
	}
}

// A cross-encoder reads the query with each of the documents, so that no number of words is its number of tokens:
// nobody looks for such words, and the server's count is no mismatch.
func TestRerankCountsTheQueryWithEachDocument(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Query     string
			Documents []string
		}
		if r.URL.Path == "/v1/models" {
			fmt.Fprint(w, `{"object":"list","data":[{"id":"m"}]}`)
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/rerank" {
			http.Error(w, "no rerank", http.StatusNotFound)
			return
		}
		asked++ // and thus by calibration too
		tokens := 0
		for _, d := range body.Documents {
			tokens += 3 + len(strings.Fields(body.Query)) + len(strings.Fields(d))
		}
		fmt.Fprintf(w, `{"results":[{"index":0,"relevance_score":0.5}],"usage":{"prompt_tokens":%d,"total_tokens":%[1]d}}`, tokens)
	}))
	defer s.Close()
	for _, url := range []string{s.URL, s.URL + "/v1/rerank"} {
		asked = 0
		c := &Client{Config: Config{Endpoint: Rerank, Model: "m"}, Warn: func(w loadgen.Warning) { t.Error(w) }}
		if url != s.URL {
			c.Config.Endpoint = ""
		}
		target, err := c.Target(t.Context(), url, workload.Spec{Seed: 1, Input: 80, Output: 1})
		if err != nil {
			t.Fatal(err)
		}
		r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 4}, target)
		if err != nil || asked != 4 || r.Accounting.Completed != 4 || r.Tokens.Input != 4*(7*(3+10)+70) ||
			r.Tokens.Mismatch != 0 {
			t.Errorf("%s: %v, asked %d times, %+v, %v", url, err, asked, r.Tokens, r.Errors)
		}
		_ = target.(*Target).Close()
	}
}

// Sessions go by responses too, with the answers that came as events.
func TestSessionsByResponses(t *testing.T) {
	for _, whole := range []bool{false, true} {
		sim := caching()
		r := converse(t, sim, Config{Conversations: talks, Endpoint: Responses, Whole: whole},
			loadgen.Level{Concurrency: 3, Sessions: 10})
		if c := sim.Counts(); c.Turns != 60 || c.Strange != 0 || r.Tokens.Cached.Cached != c.PrefixHits ||
			c.PrefixHits == 0 {
			t.Errorf("whole %v: %+v, %+v", whole, c, r.Tokens.Cached)
		}
	}
}

func TestResponseEvents(t *testing.T) {
	const begin = "event: response.created\ndata: " +
		"{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"status\":\"in_progress\",\"usage\":null,\"error\":null}}\n\n"
	const thought = "event: response.reasoning_text.delta\ndata: " +
		"{\"type\":\"response.reasoning_text.delta\",\"delta\":\"hm\"}\n\n"
	const said = "event: response.output_text.delta\ndata: " +
		"{\"type\":\"response.output_text.delta\",\"delta\":\"a\\n\"}\n\n"
	const over = "event: response.completed\ndata: " +
		"{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[{\"type\":\"message\"," +
		"\"content\":[{\"type\":\"output_text\",\"text\":\"aa\"}]}],\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":3}}}\n\n"
	for _, test := range []struct {
		name, body, finish string
		chunks             int
		class              loadgen.Class
	}{
		{"complete", begin + thought + said + said + over, "completed", 3, ""},
		{"with an end of chat's", begin + said + over + "data: [DONE]\n\n", "completed", 1, ""},
		{"incomplete", begin + said + `data: {"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}` + "\n\n",
			"max_output_tokens", 1, ""},
		{"cut", begin + said + said, "", 2, loadgen.ClassTruncated},
		{"failed", begin + said + "event: response.failed\ndata: " +
			"{\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"boom\"}}}\n\n", "", 1,
			loadgen.ClassServer},
		{"an error", begin + "data: {\"type\":\"error\",\"message\":\"boom\"}\n\n", "", 0, loadgen.ClassServer},
		{"no JSON", begin + "data: {\"type\":\n\n", "", 0, loadgen.ClassProtocol},
	} {
		var r loadgen.Record
		err := (reading{endpoint: Responses}).stream(strings.NewReader(test.body),
			http.Header{"Content-Type": {"text/event-stream"}}, &r)
		var e *loadgen.Error
		if errors.As(err, &e) != (test.class != "") || e != nil && e.Class != test.class {
			t.Errorf("%s: %v", test.name, err)
		}
		if r.ChunkCount() != test.chunks || test.class == "" && r.Finish != test.finish {
			t.Errorf("%s: %d chunks, finish %q", test.name, r.ChunkCount(), r.Finish)
		}
		if test.name == "complete" && (!r.Counted || r.Input != 9 || r.Output != 3 || r.Cached != 4 ||
			r.FirstAnswer == 0) {
			t.Errorf("%+v", r)
		}
	}
}

func TestVectorsThatAreNone(t *testing.T) {
	for _, body := range []string{`{}`, `{"data":[]}`, `{"data":{}}`, `[]`, `{"data":[{"embedding":[1`,
		`{"error":{"message":"no"}}`} {
		if err := (reading{endpoint: Embeddings}).whole(strings.NewReader(body), nil, new(loadgen.Record)); err == nil {
			t.Errorf("%s was taken", body)
		}
	}
	if _, err := New(Config{URL: "http://h/v1/embeddings", Model: "m",
		Workload: workload.RandomTokens{Input: 1, Output: 1}}); err != nil {
		t.Error(err)
	}
	var r loadgen.Record
	if err := (reading{endpoint: Rerank}).whole(strings.NewReader(`{"results":[{"index":0}],"usage":{"total_tokens":56}}`), nil, &r); err != nil || r.Input != 56 || !r.Counted {
		t.Errorf("%v, %+v", err, r)
	}
}
