package openai_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// All that need be known of a server is its URL.
func ExampleClient() {
	server := httptest.NewServer(&loadgentest.Simulated{Model: "tiny"}) // in earnest, http://host:8000
	defer server.Close()
	ctx := context.Background()

	client := &openai.Client{}
	target, err := client.Target(ctx, server.URL, workload.Spec{Input: 100, Output: 5, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := loadgen.Measure(ctx, loadgen.Level{Concurrency: 4, Requests: 40}, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	sent := target.(*openai.Target)
	defer sent.Close()
	fmt.Println(result.Accounting.Completed, "completed by", sent.Models())
	fmt.Println(sent.Sent())
	// Output:
	// 40 completed by [tiny]
	// completions, streamed; random token ids
}

// What a server is, and whether it is ready.
func ExampleAPI() {
	server := httptest.NewServer(&loadgentest.Simulated{Model: "tiny"})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()

	api, err := openai.NewAPI(openai.Config{URL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := api.Wait(ctx, openai.Readiness{}); err != nil {
		fmt.Println(err)
		return
	}
	models, err := api.Models(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	version, err := api.Version(ctx)
	fmt.Println(models[0].ID, version != "", err)
	// Output: tiny true <nil>
}

// Text of a known number of tokens, for endpoints that take nothing else.
func ExampleCalibrate() {
	server := httptest.NewServer(&loadgentest.Echo{})
	defer server.Close()
	config := openai.Config{URL: server.URL, Model: "echo", Endpoint: openai.Chat}
	calibration, err := openai.Calibrate(context.Background(), config, nil)
	if err != nil {
		fmt.Println(err) // an *UncalibratedError: without a Calibration prompts have so many words
		return
	}
	fmt.Println(len(calibration.Words), "words of one token each, and", calibration.Overhead, "tokens beside them")
	config.Workload = workload.RandomWords{Seed: 1, Input: 100, Output: 5, Calibration: calibration}
	// Output: 32 words of one token each, and 0 tokens beside them
}

// What an experiment keeps of what was sent.
func ExampleTarget_Sent() {
	target, err := openai.New(openai.Config{
		URL: "http://127.0.0.1:8000/v1/chat/completions?code=sesame", Model: "m", APIKey: "sesame",
		Body:     map[string]any{"top_p": 0.9, "auth": "sesame"},
		Workload: workload.RandomWords{Seed: 1, Input: 100, Output: 5},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	sent := target.Sent()
	fmt.Println(sent)
	fmt.Println(sent.Headers, string(sent.Body))
	// Output:
	// chat, streamed; random words, as many as there should be tokens
	// [Authorization] {"auth":"***","top_p":0.9}
}

// A listing is a server with a list of models of its own; everything else is an Echo's.
type listing struct {
	loadgentest.Echo
	list   func(w http.ResponseWriter, r *http.Request) // nil: none
	health int                                          // zero: 404
	posts  func(n int) int                              // status of each POST, from 1; nil or 0: an Echo's
	n      atomic.Int32
}

func (l *listing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v1/models" && l.list != nil:
		l.list(w, r)
		return
	case r.URL.Path == "/v1/models" || r.URL.Path == "/health" && l.health == 0 || r.URL.Path == "/tokenize":
		http.NotFound(w, r)
		return
	case r.URL.Path == "/health":
		w.WriteHeader(l.health)
		return
	case l.posts != nil:
		if status := l.posts(int(l.n.Add(1))); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	l.Echo.ServeHTTP(w, r)
}

func says(status int, text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// drops closes the connection without an answer.
func drops(w http.ResponseWriter, r *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// Lists of models that do not have the one that was given, each in its own way.
var otherLists = map[string]func(http.ResponseWriter, *http.Request){
	"absent":            nil,
	"empty":             says(200, `{"object":"list","data":[]}`),
	"null":              says(200, `{"data":null}`),
	"a web page":        says(200, "<!doctype html>"),
	"other JSON":        says(200, `{"status":"ok"}`),
	"a gateway's":       says(200, `{"data":[{"id":"openai/*"},{"id":"gpt-4"}]}`),
	"a bare list":       says(200, `["other"]`),
	"forbidden":         says(403, `{"detail":"no"}`),
	"wants another key": says(401, ""),
	"broken":            says(500, ""),
	"not implemented":   says(501, ""),
	"nothing at all":    says(204, ""),
	"dropped":           drops,
	"redirected to away": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	},
	"hanging": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
}

// No list of models keeps a server from being measured whose model is given; what is the matter with it is a warning.
// Without a model there is nothing to ask for, and the error says what to do.
func TestClientNeedsNoList(t *testing.T) {
	for name, list := range otherLists {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, &listing{list: list})
			var warnings []loadgen.Warning
			client := &openai.Client{
				Config: openai.Config{Model: "m"}, Running: true, Warn: func(w loadgen.Warning) { warnings = append(warnings, w) },
				Readiness: openai.Readiness{RequestTimeout: 500 * time.Millisecond},
			}
			if err := client.Ready(t.Context(), server.URL); err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(2) {
				target, err := client.Target(t.Context(), server.URL, workload.Spec{Input: 5, Output: 3, Seed: seed})
				if err != nil {
					t.Fatal(err)
				}
				defer target.(*openai.Target).Close()
				if r, _ := measure(t, loadgen.Level{Concurrency: 1, Requests: 2}, target); r.Accounting.Completed != 2 {
					t.Errorf("%v", r.Errors)
				}
			}
			if len(warnings) != 1 || warnings[0].Code != openai.WarnModelNotListed ||
				!strings.Contains(warnings[0].Message, `"m"`) || len(warnings[0].Spoils) > 0 {
				t.Errorf("warnings %+v, want one about the model", warnings)
			}
			switch name {
			case "a gateway's", "a bare list":
				return // these name another
			}
			client = &openai.Client{Running: true, Readiness: openai.Readiness{RequestTimeout: 500 * time.Millisecond}}
			err := client.Ready(t.Context(), server.URL)
			if e, ok := errors.AsType[*openai.ProbeError](err); !ok || !strings.Contains(err.Error(), "/v1/models") ||
				e.Status != 0 && e.Status != 401 && e.Status != 403 && !strings.Contains(err.Error(), "-model") {
				t.Errorf("without a model: %v", err)
			}
		})
	}
}

// A server that is not there is not ready, whether or not a model is given.
func TestClientOfNoServer(t *testing.T) {
	server := serve(t, &loadgentest.Echo{})
	server.Close()
	for _, model := range []string{"", "m"} {
		client := &openai.Client{Config: openai.Config{Model: model}, Running: true}
		err := client.Ready(t.Context(), server.URL)
		if _, ok := errors.AsType[*openai.ProbeError](err); !ok ||
			!strings.Contains(err.Error(), "is the server running there?") {
			t.Errorf("model %q: %v", model, err)
		}
		if _, err := client.Target(t.Context(), server.URL, workload.Spec{Input: 1, Output: 1}); err == nil {
			t.Errorf("model %q: a target", model)
		}
	}
}

// What a Client waits for where a model is given: that the server lists it, or takes requests for it.
func TestClientWaits(t *testing.T) {
	other := says(200, `{"data":[{"id":"other"}]}`)
	loading := func(n int) int {
		if n < 3 {
			return 503
		}
		return 0
	}
	always := func(status int) func(int) int { return func(int) int { return status } }
	for _, test := range []struct {
		name   string
		server *listing
		posts  int    // that are sent
		says   string // by the error; "": it is ready
	}{
		{"listed", &listing{list: says(200, `{"data":[{"id":"m"}]}`), health: 200}, 0, ""},
		{"no list", &listing{health: 200}, 1, ""},
		{"neither list nor health", &listing{}, 1, ""},
		{"an empty list, of a router", &listing{list: says(200, `{"data":[]}`), posts: loading}, 3, ""},
		{"no list while it loads", &listing{posts: loading}, 3, ""},
		{"an alias", &listing{list: other}, 1, ""},
		{"health that wants a key", &listing{list: other, health: 401}, 1, ""},
		{"a request that is refused for what it is", &listing{posts: always(422)}, 1, ""},
		{"too busy", &listing{posts: always(429)}, 1, ""},
		{"no such model", &listing{list: other, posts: always(404)}, 1,
			`model "m": the server lists others, it has other`},
		{"no key", &listing{posts: always(401)}, 1, "check the API key"},
		{"never", &listing{posts: always(503)}, 0, "status 503"},
		{"health says no", &listing{health: 503}, 0, "/health: 503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, test.server)
			client := &openai.Client{Config: openai.Config{Model: "m"},
				Readiness: openai.Readiness{FirstPause: time.Millisecond, LastPause: 10 * time.Millisecond}}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			err := client.Ready(ctx, server.URL)
			if test.says == "" && err != nil || test.says != "" &&
				(err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if _, ok := errors.AsType[*openai.NotReadyError](err); err != nil && !ok {
				t.Errorf("%T", err)
			}
			if got := int(test.server.n.Load()); test.server.posts != nil && test.posts > 0 && got != test.posts {
				t.Errorf("%d requests for a token, want %d", got, test.posts)
			}
		})
	}
}

// A counter is a server that counts words as tokens, three more a prompt, over a network that takes no time but its
// own.
type counter struct {
	takes    time.Duration                         // each request
	oneByOne bool                                  // the server does one at a time
	serial   chan struct{}                         // holds that one: made within the bubble
	answer   func(n int) (status int, body string) // to request n, from 1; 0: it counts
	n        atomic.Int32
	most     atomic.Int32
	now      atomic.Int32
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{},
			Request: r}, nil
	}
	if r.URL.Path == "/tokenize" || r.Method == http.MethodGet {
		return answer(404, "")
	}
	c.most.Store(max(c.most.Load(), c.now.Add(1)))
	defer c.now.Add(-1)
	wait := func(ready <-chan struct{}, d time.Duration) error {
		select {
		case <-ready:
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	if c.serial != nil {
		select {
		case c.serial <- struct{}{}:
			defer func() { <-c.serial }()
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	over := make(chan struct{})
	defer time.AfterFunc(c.takes, func() { close(over) }).Stop()
	if err := wait(over, c.takes); err != nil {
		return nil, err
	}
	if c.answer != nil {
		if status, body := c.answer(int(c.n.Add(1))); status != 0 {
			return answer(status, body)
		}
	}
	var q struct{ Messages []struct{ Content string } }
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || len(q.Messages) != 1 {
		return answer(400, "")
	}
	n := len(strings.Fields(q.Messages[0].Content)) + 3
	return answer(200, fmt.Sprintf(`{"choices":[{"message":{"content":"a"},"finish_reason":"length"}],"usage":{"prompt_tokens":%d,"completion_tokens":1}}`, n))
}

// Whatever comes of asking for calibration, chat is measured: with prompts of so many tokens, or else of so many words,
// and a warning that says why. It takes no longer than a minute.
func TestClientFallsBackToWords(t *testing.T) {
	tooShort := func(int) (int, string) { return 400, `{"error":{"message":"prompt too short"}}` }
	for _, test := range []struct {
		name    string
		server  *counter
		longest time.Duration
		because string // in the warning; "": calibrated
	}{
		{"at once", &counter{}, 0, ""},
		{"slow, but several at a time", &counter{takes: 1800 * time.Millisecond}, 30 * time.Second, ""},
		{"one at a time", &counter{takes: 500 * time.Millisecond, oneByOne: true}, 40 * time.Second, ""},
		{"slow and one at a time", &counter{takes: 1800 * time.Millisecond, oneByOne: true}, time.Minute,
			"not done after 1m0s"},
		{"hanging", &counter{takes: time.Hour}, time.Minute, "not done after 1m0s"},
		{"one 500", &counter{answer: func(n int) (int, string) {
			if n == 7 {
				return 500, ""
			}
			return 0, ""
		}}, 5 * time.Second, ""},
		{"429 now and then", &counter{answer: func(n int) (int, string) {
			if n%5 == 0 {
				return 429, ""
			}
			return 0, ""
		}}, 30 * time.Second, ""},
		{"429 always", &counter{answer: func(int) (int, string) { return 429, "slow down" }}, 5 * time.Second,
			"status 429: slow down"},
		{"400, too short", &counter{answer: tooShort}, time.Second, "prompt too short"},
		{"500 always", &counter{answer: func(int) (int, string) { return 500, "" }}, 5 * time.Second, "status 500"},
		{"no usage", &counter{answer: func(int) (int, string) {
			return 200, `{"choices":[{"message":{"content":"a"},"finish_reason":"length"}]}`
		}}, 0, "does not tell"},
		{"an unknown field", &counter{answer: func(int) (int, string) {
			return 400,
				"Unrecognized request argument supplied: ignore_eos"
		}}, 0, `{"ignore_eos":null}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.server.oneByOne {
					test.server.serial = make(chan struct{}, 1)
				}
				var warnings []loadgen.Warning
				last, calls := 0, 0
				client := &openai.Client{
					Config: openai.Config{Model: "m", Endpoint: openai.Chat,
						Client: &http.Client{Transport: test.server}},
					Warn:        func(w loadgen.Warning) { warnings = append(warnings, w) },
					Calibrating: func(found, wanted int) { last, calls = found, calls+1 },
				}
				start := time.Now()
				var sent workload.Description
				for seed := range uint64(3) { // it is asked once
					target, err := client.Target(t.Context(), "http://h",
						workload.Spec{Input: 30, Output: 1, Seed: seed})
					if err != nil {
						t.Fatal(err)
					}
					sent = target.(*openai.Target).Sent()
				}
				if took := time.Since(start); took > test.longest {
					t.Errorf("it took %v, want %v at most", took, test.longest)
				}
				if most := test.server.most.Load(); most > 8 {
					t.Errorf("%d requests at once", most)
				}
				var words []loadgen.Warning
				for _, w := range warnings {
					if w.Code == openai.WarnWords {
						words = append(words, w)
					}
				}
				if test.because == "" && (len(words) > 0 || sent.InputIn != workload.InTokens || last != 32 ||
					calls < 4) {
					t.Errorf("warnings %v; input in %s; %d words found in %d calls", words, sent.InputIn, last, calls)
				}
				if test.because != "" && (len(words) != 1 || !strings.Contains(words[0].Message, test.because) ||
					!strings.Contains(words[0].Message, "as many words") || sent.InputIn != workload.InWords) {
					t.Errorf("warnings %v, want one that says %q; input in %s", words, test.because, sent.InputIn)
				}
			})
		})
	}
}

// Interrupted, a calibration is no reason to go on with words.
func TestClientIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &openai.Client{Config: openai.Config{Model: "m", Endpoint: openai.Chat,
			Client: &http.Client{Transport: &counter{takes: time.Hour}}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Target(ctx, "http://h", workload.Spec{Input: 30, Output: 1}); !errors.Is(err,
			context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// The target says what it sends, by whichever of the client's settings.
func TestClientSaysWhatItSends(t *testing.T) {
	server := serve(t, &listing{})
	file := dataset(t, `{"prompt":"a"}`)
	file.Name = "prompts.jsonl"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(`{"prompt":"a"}`)))
	for _, test := range []struct {
		name, path string
		client     *openai.Client
		want       workload.Description
	}{
		{"token ids", "", &openai.Client{}, workload.Description{Endpoint: "completions", Prompts: workload.TokenIDs,
			InputIn: "tokens", IDs: []int{1000, 3999}}},
		{"a vocabulary and a prefix", "/v1", &openai.Client{Vocabulary: 256, Prefix: 3},
			workload.Description{Endpoint: "completions", Prompts: workload.TokenIDs, InputIn: "tokens",
				IDs: []int{64, 239}, Prefix: 3}},
		{"text", "", &openai.Client{Text: true},
			workload.Description{Endpoint: "completions", Prompts: workload.Words, InputIn: "tokens"}},
		{"several models", "", &openai.Client{Text: true, Config: openai.Config{Models: []string{"a", "b"}}},
			workload.Description{Endpoint: "completions", Prompts: workload.Words, InputIn: "words"}},
		{"chat, whole", "", &openai.Client{Config: openai.Config{Endpoint: openai.Chat, Whole: true}},
			workload.Description{Endpoint: "chat", Whole: true, Prompts: workload.Words, InputIn: "tokens"}},
		{"an endpoint's path", "/v1/chat/completions?key=planted-key", &openai.Client{},
			workload.Description{Endpoint: "chat", Prompts: workload.Words, InputIn: "tokens"}},
		{"a file", "/v1/completions", &openai.Client{Dataset: &file}, workload.Description{Endpoint: "completions",
			Prompts: workload.FromFile, File: &workload.File{Name: "prompts.jsonl", SHA256: sum, Prompts: 1}}},
		{"a program's own", "", &openai.Client{Workload: func(workload.Spec) (workload.Workload,
			error) {
			return talk{"a", 1}, nil
		}}, workload.Description{Endpoint: "completions", Prompts: "openai_test.talk"}},
		{"headers and fields", "", &openai.Client{Config: openai.Config{
			APIKey: "planted-key", Header: http.Header{"X-Tenant": {"planted-tenant"}}, ContinuousUsage: true,
			Body: map[string]any{"user": "planted-key", "top_p": 0.9}}},
			workload.Description{Endpoint: "completions", Usage: true, Prompts: workload.TokenIDs, InputIn: "tokens",
				IDs:     []int{1000, 3999},
				Headers: []string{"Authorization", "X-Tenant"}, Body: json.RawMessage(`{"top_p":0.9,"user":"***"}`)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if len(test.client.Config.Models) == 0 {
				test.client.Config.Model = "m"
			}
			target, err := test.client.Target(t.Context(), server.URL+test.path,
				workload.Spec{Input: 30, Output: 2, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			got := target.(*openai.Target).Sent()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("−want +got:\n%s", diff)
			}
			if text, err := json.Marshal(got); err != nil || strings.Contains(string(text), "planted") {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}

// Prompts that begin again are noticed when they do, once.
func TestClientNoticesRepetition(t *testing.T) {
	server := serve(t, &listing{})
	file := dataset(t, `{"prompt":"a"}`, `{"prompt":"b"}`, `{"prompt":"c"}`)
	file.Name = "three.jsonl"
	for _, test := range []struct{ requests, warnings int }{{3, 0}, {4, 1}, {20, 1}} {
		var n atomic.Int32
		client := &openai.Client{Config: openai.Config{Model: "m"}, Dataset: &file, Warn: func(w loadgen.Warning) {
			if w.Code == openai.WarnPromptsRepeat && strings.Contains(w.Message, "three.jsonl has 3 prompts") {
				n.Add(1)
			}
		}}
		for seed := range uint64(2) {
			target, err := client.Target(t.Context(), server.URL, workload.Spec{Input: 1, Output: 2, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			if r, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: test.requests},
				target); r.Accounting.Completed != test.requests {
				t.Errorf("%v", r.Errors)
			}
		}
		if got := int(n.Load()); got != test.warnings {
			t.Errorf("%d requests: %d warnings, want %d", test.requests, got, test.warnings)
		}
	}
}

// What a client cannot do is known without a server.
func TestClientValidate(t *testing.T) {
	one := workload.Spec{Input: 1, Output: 1}
	for _, test := range []struct {
		name, url string
		client    *openai.Client
		s         workload.Spec
		field     string // "": valid
	}{
		{"the zero client", "http://h", &openai.Client{}, one, ""},
		{"several models", "http://h", &openai.Client{Config: openai.Config{Models: []string{"a", "b"}}}, one, ""},
		{"no scheme", "h:8000", &openai.Client{}, one, "URL"},
		{"no input", "http://h", &openai.Client{}, workload.Spec{Output: 1}, "input tokens"},
		{"a small vocabulary", "http://h", &openai.Client{Vocabulary: 255}, one, "vocabulary"},
		{"a vocabulary for chat", "http://h/v1/chat/completions", &openai.Client{Vocabulary: 256}, one, "vocabulary"},
		{"a vocabulary for text", "http://h", &openai.Client{Vocabulary: 256, Text: true}, one, "vocabulary"},
		{"a long prefix", "http://h", &openai.Client{Prefix: 2}, one, "prefix tokens"},
		{"an endpoint and another", "http://h/v1/completions",
			&openai.Client{Config: openai.Config{Endpoint: openai.Chat}}, one, "endpoint"},
		{"no workload", "http://h", &openai.Client{Workload: func(workload.Spec) (workload.Workload,
			error) {
			return nil, nil
		}}, one, "workload"},
	} {
		err := test.client.Validate(test.url, test.s)
		var invalid *loadgen.InvalidError
		if test.field == "" && err != nil || test.field != "" &&
			(!errors.As(err, &invalid) || invalid.Field != test.field) {
			t.Errorf("%s: got %v, want an InvalidError for %q", test.name, err, test.field)
		}
	}
}

// What the URL carries goes with every request, and into no error, whoever quotes it.
func TestQueryIsKeptToOurselves(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path+" "+r.URL.RawQuery]++
		mu.Unlock()
		http.Error(w, "no "+r.URL.RequestURI(), http.StatusForbidden)
	}))
	const query = "sig=planted%2Fsignature&api_key=planted"
	url := server.URL + "/openai/deployments/d/chat/completions?" + query
	var warnings []string
	client := &openai.Client{Config: openai.Config{Model: "m"}, Running: true,
		Warn: func(w loadgen.Warning) { warnings = append(warnings, w.Message) }}
	if err := client.Ready(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	_, err := client.Target(t.Context(), url, workload.Spec{Input: 5, Output: 1})
	if err == nil || strings.Contains(err.Error(), "planted") || strings.Contains(fmt.Sprint(warnings), "planted") {
		t.Errorf("%v; %v", err, warnings)
	}
	target := newTarget(t, openai.Config{URL: url, Workload: talk{"a", 1}})
	if q := measureOne(t, target); q.err == nil || strings.Contains(q.err.Error(), "planted") ||
		!strings.Contains(q.err.Error(), "deployments/d/chat/completions?sig=***") {
		t.Errorf("%v", q.err)
	}
	for _, path := range []string{"/openai/deployments/d/models", "/openai/deployments/d/chat/completions",
		"/openai/deployments/d/tokenize"} {
		if asked[path+" "+query] == 0 {
			t.Errorf("%s was not asked with the query: %v", path, asked)
		}
	}
}

// One client serves several goroutines, and asks once what it can know.
func TestClientIsSafeForConcurrentUse(t *testing.T) {
	var lists atomic.Int32
	server := serve(t, &listing{list: func(w http.ResponseWriter, r *http.Request) {
		lists.Add(1)
		says(200, `{"data":[{"id":"m"}]}`)(w, r)
	}})
	client := &openai.Client{Text: true}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			target, err := client.Target(t.Context(), server.URL, workload.Spec{Input: 30, Output: 2, Seed: uint64(i)})
			if err != nil {
				t.Error(err)
				return
			}
			if err := target.Do(t.Context(), i, new(loadgen.Record)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if lists.Load() != 1 {
		t.Errorf("the models were asked for %d times", lists.Load())
	}
}
