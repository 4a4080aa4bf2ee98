package openai_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
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
		_, err := test.client.Validate(test.url, test.s)
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
