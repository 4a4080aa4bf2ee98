package openai_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func dataset(t testing.TB, lines ...string) workload.Dataset {
	t.Helper()
	d, err := workload.ReadDataset(strings.NewReader(strings.Join(lines, "\n")), workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The endpoint does not take every kind of prompt, and which line is to blame is known before anything is sent.
func TestDatasetForAnEndpoint(t *testing.T) {
	for line, endpoint := range map[string]openai.Endpoint{
		`{"prompt_token_ids":[1]}`:          openai.Chat,
		`{"messages":[{"role":"user"}]}`:    openai.Completions,
		`{"messages":[{"role":"system"}] }`: "",
	} {
		d := dataset(t, `{"prompt":"a"}`, line)
		d.Output = 1
		_, err := openai.New(openai.Config{URL: "http://127.0.0.1", Model: "m", Endpoint: endpoint, Workload: d})
		var found *workload.DatasetError
		if !errors.As(err, &found) || found.Line != 2 {
			t.Errorf("%s to %q: got %v, want an error in line 2", line, endpoint, err)
		}
	}
}

// Whole bodies arrive as they were written, with what the measurement needs.
func TestDatasetBodiesArrive(t *testing.T) {
	d := dataset(t, `{"body":{"messages":[{"role":"user","content":[{"type":"text","text":"a b"}]}],"chat_template_kwargs":{"thinking":false},"cache_salt":"s","stream":false,"max_tokens":3}}`)
	got := arrived(t, openai.Config{URL: "http://server", Endpoint: openai.Chat, Workload: d,
		Body: map[string]any{"top_p": 0.5}}).body
	want := object{
		"model": "m", "stream": true, "stream_options": object{"include_usage": true}, "top_p": 0.5,
		"messages":             []any{object{"role": "user", "content": []any{object{"type": "text", "text": "a b"}}}},
		"chat_template_kwargs": object{"thinking": false}, "cache_salt": "s", "max_tokens": 3.,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("−want +got:\n%s", diff)
	}
}
