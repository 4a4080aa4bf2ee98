package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A counter is a server that counts words as tokens, three more a prompt, over a network that takes no time but its
// own.
type counter struct {
	takes    time.Duration                         // each request
	oneByOne bool                                  // the server does one at a time
	serial   chan struct{}                         // holds that one: made within the bubble
	answer   func(n int) (status int, body string) // to request n, from 1; 0: it counts
	n        atomic.Int32
	most     atomic.Int32
	cut      atomic.Int32 // requests whose client went away
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
	wait := func(turn chan<- struct{}, over <-chan time.Time) error {
		select {
		case turn <- struct{}{}:
		case <-over:
		case <-r.Context().Done():
			c.cut.Add(1)
			return r.Context().Err()
		}
		return nil
	}
	if c.serial != nil {
		if err := wait(c.serial, nil); err != nil {
			return nil, err
		}
		defer func() { <-c.serial }()
	}
	if err := wait(nil, time.After(c.takes)); err != nil {
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
// and a warning that says why. It takes no longer than a
// minute, and those that are under way then.
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
		{"slow and one at a time", &counter{takes: 1800 * time.Millisecond, oneByOne: true}, 90 * time.Second,
			"not done after 1m0s"},
		{"hanging", &counter{takes: time.Hour}, 90 * time.Second, "not done after 1m0s"},
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
				if most, cut := test.server.most.Load(), test.server.cut.Load(); most > 8 || cut > 0 &&
					test.server.takes < time.Hour {
					t.Errorf("%d requests at once, %d cut off: the server may still work on those", most, cut)
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

// A template that has more tokens than a prompt should is no reason to measure nothing.
func TestClientOfShortPrompts(t *testing.T) {
	for _, test := range []struct {
		input, prefix int
		in            string
	}{{3, 0, workload.InWords}, {4, 0, workload.InTokens}, {10, 8, workload.InWords}, {11, 8, workload.InTokens}} {
		var warnings []string
		client := &openai.Client{
			Config: openai.Config{Model: "m", Endpoint: openai.Chat, Client: &http.Client{Transport: &counter{}}},
			Prefix: test.prefix,
			Warn: func(w loadgen.Warning) {
				if w.Code == openai.WarnWords {
					warnings = append(warnings, w.Message)
				}
			},
		}
		target, err := client.Target(t.Context(), "http://h", workload.Spec{Input: test.input, Output: 1})
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if got := target.(*openai.Target).Sent().InputIn; got != test.in ||
			(len(warnings) == 1) != (got == workload.InWords) {
			t.Errorf("%+v: input in %s, warnings %q", test, got, warnings)
		}
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
