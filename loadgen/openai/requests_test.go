package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"testing"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// What an application sends arrives as it would from the application, but that it is streamed and counted.
func TestChatRequests(t *testing.T) {
	seed := 5
	given := goopenai.ChatCompletionRequest{
		Model: "theirs", MaxCompletionTokens: 4, Seed: &seed, Stream: false, Stop: []string{"\n"},
		Messages: []goopenai.ChatCompletionMessage{{Role: goopenai.ChatMessageRoleSystem, Content: "be brief"},
			{Role: goopenai.ChatMessageRoleUser, Content: "hello"}},
	}
	requests, err := openai.ChatRequests(given, goopenai.ChatCompletionRequest{Messages: given.Messages[1:]})
	if err != nil {
		t.Fatal(err)
	}
	if requests.Len() != 2 {
		t.Errorf("%d requests, want 2", requests.Len())
	}
	c := arrived(t, openai.Config{URL: "http://server", Model: "ours", Endpoint: openai.Chat, Workload: requests})
	text, err := json.Marshal(c.body)
	if err != nil {
		t.Fatal(err)
	}
	var got goopenai.ChatCompletionRequest
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Model != "theirs" || !got.Stream || got.StreamOptions == nil || !got.StreamOptions.IncludeUsage {
		t.Errorf("model %q, stream %v, options %+v", got.Model, got.Stream, got.StreamOptions)
	}
	got.Stream, got.StreamOptions = false, nil
	want, _ := json.Marshal(given)
	if text, _ := json.Marshal(got); string(text) != string(want) {
		t.Errorf("got  %s\nwant %s", text, want)
	}

	_, err = openai.ChatRequests(given, goopenai.ChatCompletionRequest{Metadata: map[string]string{"": "\xff"},
		Temperature: 1, LogitBias: nil, ChatTemplateKwargs: map[string]any{"f": func() {}}})
	var dataset *workload.DatasetError
	if !errors.As(err, &dataset) || dataset.Line != 2 {
		t.Errorf("error %v, want one about the second request", err)
	}
}

// An application's own requests, put under load.
func ExampleChatRequests() {
	server := httptest.NewServer(&loadgentest.Echo{})
	defer server.Close()
	requests, err := openai.ChatRequests(goopenai.ChatCompletionRequest{
		Messages: []goopenai.ChatCompletionMessage{{Role: goopenai.ChatMessageRoleUser,
			Content: "How long is a piece of string?"}},
		MaxCompletionTokens: 5,
	})
	if err != nil {
		log.Fatal(err)
	}
	target, err := openai.New(openai.Config{URL: server.URL, Model: "echo", Endpoint: openai.Chat, Workload: requests})
	if err != nil {
		log.Fatal(err)
	}
	defer target.Close()
	result, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 2, Requests: 10}, target)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Accounting.Completed, "completed,", result.Tokens.Output, "tokens")
	// Output: 10 completed, 50 tokens
}
