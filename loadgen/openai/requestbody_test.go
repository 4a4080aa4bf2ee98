package openai_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func TestRequestBody(t *testing.T) {
	ids := workload.RandomTokens{Input: 3, Output: 5}
	var prompt workload.Prompt
	if err := ids.Prompt(0, &prompt); err != nil {
		t.Fatal(err)
	}
	var tokens []any
	for _, id := range prompt.Tokens {
		tokens = append(tokens, float64(id))
	}
	said := talk{"hello <there>", 2}
	usage := object{"include_usage": true}
	messages := []any{object{"role": "user", "content": "hello <there>"}}

	for _, test := range []struct {
		name   string
		config openai.Config
		want   object
	}{
		{"token ids", openai.Config{Workload: ids},
			object{"model": "m", "prompt": tokens, "max_tokens": 5., "temperature": 0., "ignore_eos": true,
				"stream":         true,
				"stream_options": usage}},
		{"token ids, whole", openai.Config{Workload: ids, Whole: true},
			object{"model": "m", "prompt": tokens, "max_tokens": 5., "temperature": 0., "ignore_eos": true,
				"stream": false}},
		{"text", openai.Config{Workload: said},
			object{"model": "m", "prompt": "hello <there>", "max_tokens": 2., "temperature": 0., "ignore_eos": true,
				"stream": true, "stream_options": usage}},
		{"chat", openai.Config{Workload: said, Endpoint: openai.Chat},
			object{"model": "m", "messages": messages, "max_tokens": 2., "temperature": 0., "ignore_eos": true,
				"stream":         true,
				"stream_options": usage}},
		{"chat, whole", openai.Config{Workload: said, Endpoint: openai.Chat, Whole: true},
			object{"model": "m", "messages": messages, "max_tokens": 2., "temperature": 0., "ignore_eos": true,
				"stream": false}},
		{"fields of one's own", openai.Config{Workload: said, Body: map[string]any{
			"temperature": 0.7, "ignore_eos": nil, "not_there": nil, "min_tokens": 2,
			"chat_template_kwargs": object{"thinking": false},
		}}, object{"model": "m", "prompt": "hello <there>", "max_tokens": 2., "temperature": 0.7, "min_tokens": 2.,
			"stream": true, "stream_options": usage,
			"chat_template_kwargs": object{"thinking": false}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.URL = "http://server"
			if diff := cmp.Diff(test.want, arrived(t, test.config).body); diff != "" {
				t.Errorf("−want +got:\n%s", diff)
			}
		})
	}
}

// talk is a workload that always says the same.
type talk struct {
	text   string
	output int
}

func (w talk) Prompt(_ int, p *workload.Prompt) error {
	p.Text, p.Output = w.text, w.output
	return nil
}

// messages is a workload for chat alone.
type messages struct{}

func (messages) Prompt(_ int, p *workload.Prompt) error {
	p.Messages, p.Output = json.RawMessage(`[{"role":"user","content":"a"}]`), 1
	return nil
}

// What the body says in our place is what was asked, and no answer differs from it.
func TestOutputTokensByTheBody(t *testing.T) {
	server := serve(t, &loadgentest.Echo{})
	for _, test := range []struct {
		body map[string]any
		want int
	}{
		{nil, 2},
		{map[string]any{"max_tokens": 3}, 3},
		{map[string]any{"max_tokens": json.RawMessage("4")}, 4},
		{map[string]any{"max_tokens": 5.}, 5},
		{map[string]any{"max_tokens": nil, "max_completion_tokens": 6}, 6},
		{map[string]any{"max_completion_tokens": nil}, 2},
		{map[string]any{"max_tokens": nil}, 0},
	} {
		q := measureOne(t, newTarget(t, openai.Config{URL: server.URL, Workload: talk{"a", 2}, Body: test.body}))
		if q.err != nil || q.AskedOutput != test.want || test.want > 0 && q.Output != test.want {
			t.Errorf("%v: asked for %d, got %d, %v; want %d", test.body, q.AskedOutput, q.Output, q.err, test.want)
		}
	}
}

// oneOwn is a workload whose every third prompt asks a model of its own.
type oneOwn struct{}

func (oneOwn) Prompt(i int, p *workload.Prompt) error {
	p.Text, p.Output = "a", 1
	if i%3 == 2 {
		p.Model = "own"
	}
	return nil
}

func TestModelsInRotation(t *testing.T) {
	var seen capture
	server := serve(t, &seen)
	names := []string{"a", "b"}
	target, err := openai.New(openai.Config{URL: server.URL, Models: names, Workload: oneOwn{}})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	names[0] = "changed" // which is no affair of the target's
	if r, _ := measure(t, loadgen.Level{Concurrency: 1, Requests: 6}, target); r.Accounting.Completed != 6 {
		t.Fatal(r.Errors)
	}
	var got []any
	for _, a := range seen.arrivals {
		got = append(got, a.body["model"])
	}
	if diff := cmp.Diff([]any{"a", "b", "own", "b", "a", "own"}, got); diff != "" {
		t.Errorf("−want +got:\n%s", diff)
	}
}
