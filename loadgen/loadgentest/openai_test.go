package loadgentest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
)

// client is go-openai's own client for h behind a real connection.
func client(t *testing.T, h http.Handler) *openai.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close) // which blocks until no handler runs
	c := openai.DefaultConfig("no key")
	c.BaseURL = server.URL + "/v1"
	c.HTTPClient = server.Client()
	return openai.NewClientWithConfig(c)
}

func TestOpenAIClient(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"echo":      &loadgentest.Echo{Model: "m"},
		"simulated": &loadgentest.Simulated{Model: "m", MaxSequences: 2, PrefillRate: 1e6, DecodeRate: 1e4},
		"batched": &loadgentest.Simulated{Model: "m", MaxSequences: 2, PrefillRate: 1e6, DecodeRate: 1e4,
			StepPerSequence: time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			c, ctx := client(t, h), t.Context()
			const output = 40
			options := &openai.StreamOptions{IncludeUsage: true}
			usage := openai.Usage{PromptTokens: 3, CompletionTokens: output, TotalTokens: output + 3}

			models, err := c.ListModels(ctx)
			if err != nil || len(models.Models) != 1 || models.Models[0].ID != "m" {
				t.Errorf("models: %+v, %v", models, err)
			}

			completion := openai.CompletionRequest{Model: "m", Prompt: "a b c", MaxTokens: output}
			got, err := c.CreateCompletion(ctx, completion)
			if err != nil || *got.Usage != usage || got.Choices[0].FinishReason != "length" ||
				len(strings.Fields(got.Choices[0].Text)) != output {
				t.Errorf("completion: %+v, %v", got, err)
			}

			completion.Stream, completion.StreamOptions = true, options
			cs, err := c.CreateCompletionStream(ctx, completion)
			if err != nil {
				t.Fatal(err)
			}
			defer cs.Close()
			var chunks int
			var streamed openai.Usage
			var reason string
			for {
				r, err := cs.Recv()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.Usage != nil {
					streamed = *r.Usage
				}
				if len(r.Choices) > 0 && r.Choices[0].Text != "" {
					chunks++
					reason = r.Choices[0].FinishReason
				}
			}
			if chunks != output || streamed != usage || reason != "length" {
				t.Errorf("completion stream: %d chunks, usage %+v, %q", chunks, streamed, reason)
			}

			talk := openai.ChatCompletionRequest{Model: "m", MaxCompletionTokens: output,
				Messages: []openai.ChatCompletionMessage{{Role: "system", Content: "be brief"},
					{Role: "user", Content: "why?"}}}
			whole, err := c.CreateChatCompletion(ctx, talk)
			if err != nil || whole.Usage.CompletionTokens != output || whole.Usage.PromptTokens != 3 ||
				len(strings.Fields(whole.Choices[0].Message.Content)) != output {
				t.Errorf("chat: %+v, %v", whole, err)
			}

			talk.Stream, talk.StreamOptions = true, options
			ts, err := c.CreateChatCompletionStream(ctx, talk)
			if err != nil {
				t.Fatal(err)
			}
			defer ts.Close()
			chunks, streamed = 0, openai.Usage{}
			for {
				r, err := ts.Recv()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.Usage != nil {
					streamed = *r.Usage
				}
				if len(r.Choices) > 0 && r.Choices[0].Delta.Content != "" {
					chunks++
				}
			}
			if chunks != output || streamed.CompletionTokens != output {
				t.Errorf("chat stream: %d chunks, usage %+v", chunks, streamed)
			}
		})
	}
}

// TestOpenAIErrors checks that the errors are such to go-openai too.
func TestOpenAIErrors(t *testing.T) {
	c := client(t, &loadgentest.Simulated{MaxModelLen: 10})
	for want, req := range map[string]openai.CompletionRequest{
		"The model `x` does not exist.": {Model: "x", Prompt: "a"},
		"This model's maximum context length is 10 tokens. However, you requested 12 tokens (2 in the prompt, 10 " +
			"in the " +
			"completion).": {Prompt: "a b", MaxTokens: 10},
	} {
		_, err := c.CreateCompletionStream(t.Context(), req)
		var e *openai.APIError
		if !errors.As(err, &e) || e.Message != want || e.HTTPStatusCode/100 != 4 {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// TestDisconnect has clients behind real connections go away, one that runs and
// one that waits, and requires that both places in line become free.
func TestDisconnect(t *testing.T) {
	sim := &loadgentest.Simulated{MaxSequences: 1, PrefillRate: 1e6, DecodeRate: 1000}
	c := client(t, sim)
	long := openai.CompletionRequest{Prompt: "a", MaxTokens: 1_000_000}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	running, err := c.CreateCompletionStream(ctx, long)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if _, err := running.Recv(); err != nil {
		t.Fatal(err)
	}
	waiting, err := c.CreateCompletionStream(ctx, long) // returns with the header, before there is a place
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	until(t, sim, loadgentest.Counts{Running: 1, Waiting: 1, PeakRunning: 1})
	cancel()
	until(t, sim, loadgentest.Counts{PeakRunning: 1, Cancelled: 2})

	long.MaxTokens = 3
	if _, err := c.CreateCompletion(t.Context(), long); err != nil {
		t.Error(err)
	}
	until(t, sim, loadgentest.Counts{PeakRunning: 1, Cancelled: 2, Served: 1})
}

// until waits for the counts to be as wanted, for as long as the test may run.
func until(t *testing.T, s *loadgentest.Simulated, want loadgentest.Counts) {
	t.Helper()
	for s.Counts() != want {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
		if d, ok := t.Deadline(); ok && time.Until(d) < 10*time.Second {
			t.Fatalf("counts are %+v, want %+v", s.Counts(), want)
		}
	}
}
