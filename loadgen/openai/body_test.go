package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	goopenai "github.com/sashabaranov/go-openai"

	"github.com/servegauge/servegauge/loadgen/workload"
)

// bodyOf is the JSON that a target for c sends for p.
func bodyOf(t testing.TB, c Config, p workload.Prompt) string {
	t.Helper()
	template, err := newTemplate(&c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := template.append(nil, &p, "m", c.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBodies(t *testing.T) {
	ids := workload.Prompt{Tokens: []int{1, 20, 300}, Output: 5}
	text := workload.Prompt{Text: "a\n\"b\"", Output: 5}
	body := workload.Prompt{Body: json.RawMessage(` { "messages" : [] , "max_tokens":7,"temperature":1e-1} `)}
	for _, test := range []struct {
		name   string
		config Config
		prompt workload.Prompt
		want   string
	}{
		{"ids", Config{}, ids,
			`{"model":"m","prompt":[1,20,300],"max_tokens":5,"temperature":0,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}`},
		{"text, whole", Config{Whole: true}, text,
			`{"model":"m","prompt":"a\n\"b\"","max_tokens":5,"temperature":0,"ignore_eos":true,"stream":false}`},
		{"chat", Config{Endpoint: Chat, Whole: true}, text,
			`{"model":"m","messages":[{"role":"user","content":"a\n\"b\""}],"max_tokens":5,"temperature":0,"ignore_eos":true,"stream":false}`},
		{"messages", Config{Endpoint: Chat, Whole: true},
			workload.Prompt{Messages: json.RawMessage(`[{"role":"system"}]`),
				Output: 1},
			`{"model":"m","messages":[{"role":"system"}],"max_tokens":1,"temperature":0,"ignore_eos":true,"stream":false}`},
		{"usage so far", Config{ContinuousUsage: true}, ids,
			`{"model":"m","prompt":[1,20,300],"max_tokens":5,"temperature":0,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}`},
		{"replaced", Config{Whole: true, Body: map[string]any{"max_tokens": 9, "model": nil, "ignore_eos": nil,
			"zz": "<é>",
			"a":  []int{1}}}, ids,
			`{"prompt":[1,20,300],"max_tokens":9,"temperature":0,"stream":false,"a":[1],"zz":"\u003cé\u003e"}`},
		{"prompt replaced", Config{Whole: true, Body: map[string]any{"prompt": "x", "model": "y"}}, ids,
			`{"model":"y","prompt":"x","max_tokens":5,"temperature":0,"ignore_eos":true,"stream":false}`},
		{"verbatim", Config{}, body,
			`{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages" : [] , "max_tokens":7,"temperature":1e-1}`},
		{"verbatim, empty", Config{Whole: true}, workload.Prompt{Body: json.RawMessage(`{ }`)},
			`{"model":"m","stream":false}`},
		{"verbatim, replaced", Config{Whole: true, Body: map[string]any{"max_tokens": 9, "temperature": nil, "x": 1}},
			body,
			`{"model":"m","stream":false,"max_tokens":9,"x":1,"messages":[]}`},
	} {
		got := bodyOf(t, test.config, test.prompt)
		if got != test.want {
			t.Errorf("%s:\n%s, want\n%s", test.name, got, test.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: no JSON: %s", test.name, got)
		}
	}
}

// What is sent means the same to go-openai's types.
func TestBodiesAreGoOpenAIs(t *testing.T) {
	var completion goopenai.CompletionRequest
	if err := json.Unmarshal([]byte(bodyOf(t, Config{}, workload.Prompt{Text: "héllo", Output: 5})),
		&completion); err != nil {
		t.Fatal(err)
	}
	options := &goopenai.StreamOptions{IncludeUsage: true}
	if diff := cmp.Diff(goopenai.CompletionRequest{Model: "m", Prompt: "héllo", MaxTokens: 5, Stream: true,
		StreamOptions: options}, completion); diff != "" {
		t.Errorf("−want +got:\n%s", diff)
	}
	var chat goopenai.ChatCompletionRequest
	if err := json.Unmarshal([]byte(bodyOf(t, Config{Endpoint: Chat}, workload.Prompt{Text: "héllo", Output: 5})),
		&chat); err != nil {
		t.Fatal(err)
	}
	want := goopenai.ChatCompletionRequest{Model: "m", Stream: true, StreamOptions: options,
		Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: "héllo"}}}
	// but what servers go by
	deprecated := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".MaxTokens" }, cmp.Ignore())
	if diff := cmp.Diff(want, chat, deprecated); diff != "" {
		t.Errorf("−want +got:\n%s", diff)
	}
}

func TestBodyThatIsNoObject(t *testing.T) {
	for _, text := range []string{"[]", "{", "x", `"{}"`, "  "} {
		for _, c := range []Config{{}, {Body: map[string]any{"x": 1}}} {
			template, err := newTemplate(&c)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := template.append(nil, &workload.Prompt{Body: json.RawMessage(text)}, "m",
				Completions); err == nil ||
				!strings.Contains(err.Error(), "body") {
				t.Errorf("%q is sent as %s", text, b)
			}
		}
	}
}

func TestBodiesAllocateNothing(t *testing.T) {
	template, err := newTemplate(&Config{Body: map[string]any{"top_p": 0.9}})
	if err != nil {
		t.Fatal(err)
	}
	ids := workload.Prompt{Tokens: make([]int, 2048), Output: 5}
	text := workload.Prompt{Text: strings.Repeat("some \"text\"\n", 100), Output: 5}
	b := make([]byte, 0, 1<<16)
	for _, p := range []*workload.Prompt{&ids, &text} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := template.append(b, p, "m", Completions); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for a body, want none", n)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	template, err := newTemplate(&Config{})
	if err != nil {
		b.Fatal(err)
	}
	p := workload.Prompt{Output: 5}
	if err := (workload.RandomTokens{Seed: 1, Input: 2048, Output: 5}).Prompt(0, &p); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		body := newPayload(0)
		if body.json, err = template.append(body.json, &p, "m", Completions); err != nil {
			b.Fatal(err)
		}
		body.release()
	}
}
