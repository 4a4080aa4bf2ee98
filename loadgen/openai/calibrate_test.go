package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A vocabulary is a server with a tokenizer: what its template adds, and what each word takes.
type vocabulary struct {
	overhead int
	word     func(word string, first bool) int
	tokenize func(n int) string // what /tokenize answers to so many tokens; nil: there is none
	uncount  bool               // no usage

	tokenized, asked atomic.Int32
	counting         sync.Mutex // one text, which word may go through word by word
}

func (v *vocabulary) count(text string) int {
	v.counting.Lock()
	defer v.counting.Unlock()
	n := v.overhead
	for i, word := range strings.Fields(text) {
		n += v.word(word, i == 0)
	}
	return n
}

func (v *vocabulary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Prompt   string
		Messages []struct{ Content string }
		Stream   bool
		Max      int `json:"max_tokens"`
	}
	if r.Header.Get("Authorization") != "Bearer sesame" {
		http.Error(w, "sesame is not "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, "the prompt must be a string", http.StatusBadRequest)
		return
	}
	for _, m := range q.Messages {
		q.Prompt += m.Content
	}
	n := v.count(q.Prompt)
	switch {
	case r.URL.Path == "/tokenize" && v.tokenize != nil:
		v.tokenized.Add(1)
		fmt.Fprint(w, v.tokenize(n))
	case r.URL.Path == "/tokenize":
		http.NotFound(w, r)
	case v.uncount:
		fmt.Fprint(w, `{"choices":[{"text":"a"}]}`)
	default:
		v.asked.Add(1)
		fmt.Fprintf(w, `{"choices":[{"text":"a"}],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}`, n, q.Max)
	}
}

// long words are two tokens, and those with an a in them are one more where they begin a text.
func uneven(word string, first bool) int {
	n := 1 + len(word)/5
	if first && strings.Contains(word, "a") {
		n++
	}
	return n
}

// Calibrated prompts have the tokens that they should, whoever counts while they are calibrated.
func TestCalibrate(t *testing.T) {
	count := func(n int) string { return fmt.Sprintf(`{"count":%d,"max_model_len":4096,"tokens":[]}`, n) }
	for name, c := range map[string]struct {
		server          *vocabulary
		tokenized, asks bool
	}{
		"/tokenize": {&vocabulary{overhead: 11, word: uneven, tokenize: count}, true, false},
		"/tokenize by another template": {&vocabulary{overhead: 11, word: uneven,
			tokenize: func(n int) string { return count(n - 3) }}, true, false},
		"usage": {&vocabulary{overhead: 11, word: uneven}, false, true},
		"/tokenize that does not count": {&vocabulary{word: uneven,
			tokenize: func(int) string { return `{"tokens":[1,2]}` }}, true, true},
		"/tokenize that makes no sense": {&vocabulary{word: uneven, tokenize: func(int) string { return `<html>` }},
			true, true},
		"a token at the start, one a word": {&vocabulary{overhead: 1, word: func(string, bool) int { return 1 }}, false,
			true},
		"most words are two": {&vocabulary{word: func(word string,
			_ bool) int {
			return 1 + min(len(word)/3, 1)
		}}, false, true},
		"the first word is two": {&vocabulary{word: func(_ string, first bool) int {
			if first {
				return 2
			}
			return 1
		}}, false, true},
	} {
		for _, endpoint := range []openai.Endpoint{openai.Chat, openai.Completions} {
			t.Run(name+"/"+string(endpoint), func(t *testing.T) {
				c.server.tokenized.Store(0)
				c.server.asked.Store(0)
				server := serve(t, c.server)
				config := openai.Config{URL: server.URL + "/v1", Model: "m", Endpoint: endpoint, APIKey: "sesame",
					ContinuousUsage: true}
				calibration, err := openai.Calibrate(t.Context(), config, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := c.server.tokenized.Load(); (got > 0) != c.tokenized {
					t.Errorf("/tokenize was asked %d times", got)
				}
				if got := c.server.asked.Load(); (got > 2) != c.asks || got < 2 || got > 350 {
					t.Errorf("%d requests were sent", got)
				}
				config.Workload = workload.RandomWords{Seed: 5, Input: 30, InputMax: 60, Output: 2, Prefix: 10,
					Calibration: calibration}
				config.Whole, config.ContinuousUsage = true, false
				r, all := measure(t, loadgen.Level{Concurrency: 2, Requests: 50}, newTarget(t, config))
				if r.Accounting.Completed != 50 || r.Tokens.Mismatch != 0 || r.Tokens.Uncounted != 0 {
					t.Errorf("%+v, %+v: %v", r.Accounting, r.Tokens, r.Errors)
				}
				lengths := map[int]bool{}
				for _, q := range all {
					lengths[q.Input] = true
				}
				if len(lengths) < 10 {
					t.Errorf("%d lengths", len(lengths))
				}
			})
		}
	}
}

// These servers count words, so that there is nothing to add.
func TestCalibrateEcho(t *testing.T) {
	server := serve(t, &loadgentest.Echo{})
	c, err := openai.Calibrate(t.Context(), openai.Config{URL: server.URL, Model: "m", Endpoint: openai.Chat}, nil)
	if err != nil || c.Overhead != 0 || len(c.Words) < 32 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A server whose /tokenize gives up on the way is measured in words, and not refused.
func TestCalibrateByAHalfHeartedTokenizer(t *testing.T) {
	for name, giveUp := range map[string]func(w http.ResponseWriter){
		"no answer": func(w http.ResponseWriter) { drops(w, nil) },
		"nonsense":  func(w http.ResponseWriter) { fmt.Fprint(w, `{"tokens":[]}`) },
		"a failure": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) > 20 {
					giveUp(w)
					return
				}
				var q struct{ Prompt string }
				_ = json.NewDecoder(r.Body).Decode(&q)
				fmt.Fprintf(w, `{"count":%d}`, len(strings.Fields(q.Prompt)))
			}))
			var told []int
			_, err := openai.Calibrate(t.Context(), openai.Config{URL: server.URL, Model: "m"},
				func(found, wanted int) { told = append(told, found, wanted) })
			if e, ok := errors.AsType[*openai.UncalibratedError](err); !ok || e.Err == nil ||
				!slices.Equal(told, []int{0, 32, 8, 32}) {
				t.Errorf("%v after %v", err, told)
			}
		})
	}
}

// changing makes a word one token after itself, and two after another.
func changing() func(string, bool) int {
	var before string
	return func(word string, first bool) int {
		same := first || word == before
		before = word
		if same {
			return 1
		}
		return 2
	}
}

func TestCalibrateFails(t *testing.T) {
	one := func(string, bool) int { return 1 }
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name   string
		server *vocabulary
		ctx    context.Context
		change func(*openai.Config)
		is     error // of this type; nil: any
		says   string
	}{
		{"no usage", &vocabulary{word: one, uncount: true}, nil, nil, &openai.UncalibratedError{}, "does not tell"},
		{"two tokens a word", &vocabulary{word: func(string, bool) int { return 2 }}, nil, nil,
			&openai.UncalibratedError{}, "only 0 of"},
		{"a token for each change of word", &vocabulary{word: changing()}, nil, nil, &openai.UncalibratedError{},
			"24 had"},
		{"no two words alike where they begin", &vocabulary{word: func(word string, first bool) int {
			if first {
				return 1 + int(word[0])*256 + int(word[len(word)-1])
			}
			return 1
		}}, nil, nil, &openai.UncalibratedError{}, "only"},
		{"another key", &vocabulary{word: one}, nil, func(c *openai.Config) { c.APIKey = "tahini" }, &loadgen.Error{},
			"sesame is not Bearer ***"},
		{"two models", &vocabulary{word: one}, nil,
			func(c *openai.Config) { c.Model, c.Models = "", []string{"a", "b"} }, &loadgen.InvalidError{}, "one"},
		{"cancelled", &vocabulary{word: one}, cancelled, nil, nil, "canceled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := openai.Config{URL: serve(t, test.server).URL, Model: "m", APIKey: "sesame"}
			if test.change != nil {
				test.change(&config)
			}
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			_, err := openai.Calibrate(ctx, config, nil)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "tahini") {
				t.Fatalf("got %v, want an error that says %q", err, test.says)
			}
			var ok bool
			switch test.is.(type) {
			case *openai.UncalibratedError:
				_, ok = errors.AsType[*openai.UncalibratedError](err)
			case *loadgen.Error:
				_, ok = errors.AsType[*loadgen.Error](err)
			case *loadgen.InvalidError:
				_, ok = errors.AsType[*loadgen.InvalidError](err)
			case nil:
				ok = true
			}
			if !ok {
				t.Errorf("%v is a %T", err, err)
			}
		})
	}
}

// A calibrated prompt is its words, all of the vocabulary that was found, and the same again for the same number and
// seed.
func TestCalibratedWords(t *testing.T) {
	c := &workload.Calibration{Words: []string{"x", "y", "z"}, Overhead: 7}
	w := workload.RandomWords{Seed: 1, Input: 107, Output: 3, Calibration: c}
	p := prompt(t, w, 4)
	fields := strings.Fields(p.Text)
	if p.Input != 107 || len(fields) != 100 ||
		slices.ContainsFunc(fields, func(s string) bool { return !slices.Contains(c.Words, s) }) {
		t.Errorf("%d words of %d tokens: %v", len(fields), p.Input, fields)
	}
	if again := prompt(t, w, 4); again.Text != p.Text {
		t.Errorf("%q, and again %q", p.Text, again.Text)
	}
	if other := prompt(t, w, 5); other.Text == p.Text {
		t.Errorf("prompts 4 and 5 are both %q", p.Text)
	}
	for field, w := range map[string]workload.RandomWords{
		"input tokens":      {Input: 7, Output: 1, Calibration: c},
		"most input tokens": {Input: 9, InputMax: 8, Output: 1, Calibration: c},
		"prefix tokens":     {Input: 10, Prefix: 4, Output: 1, Calibration: c},
		"calibration":       {Input: 10, Output: 1, Calibration: &workload.Calibration{}},
	} {
		var invalid *loadgen.InvalidError
		if err := w.Validate(); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%+v: got %v, want an InvalidError for %s", w, err, field)
		}
	}
	if err := (workload.RandomWords{Input: 10, Prefix: 3, Output: 1, Calibration: c}).Validate(); err != nil {
		t.Error(err)
	}
}
