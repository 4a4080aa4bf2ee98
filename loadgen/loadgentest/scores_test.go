package loadgentest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// told is what an answer tells, streamed or not.
type told struct {
	Prompt, Answer []int
	Text           string
	Scores         []map[string]struct{ Logprob float64 }
}

// toldBy asks h, which has to answer.
func toldBy(t *testing.T, h http.Handler, path, body string) told {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d: %s", body, w.Code, w.Body)
	}
	var all told
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue
		}
		type scores []map[string]struct{ Logprob float64 }
		var chunk struct {
			Prompt  []int  `json:"prompt_token_ids"`
			Scores  scores `json:"prompt_logprobs"`
			Choices []struct {
				Text           string
				Delta, Message struct{ Content string }
				IDs            []int  `json:"token_ids"`
				Prompt         []int  `json:"prompt_token_ids"`
				Scores         scores `json:"prompt_logprobs"`
			}
		}
		if err := json.Unmarshal([]byte(line), &chunk); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all.Prompt, all.Scores = append(all.Prompt, chunk.Prompt...), append(all.Scores, chunk.Scores...)
		for _, c := range chunk.Choices {
			all.Prompt, all.Scores = append(all.Prompt, c.Prompt...), append(all.Scores, c.Scores...)
			all.Answer = append(all.Answer, c.IDs...)
			all.Text += c.Text + c.Delta.Content + c.Message.Content
		}
	}
	return all
}

// wrongIn is at which tokens of an answer, behind a prompt, the server says that it would have said another.
func wrongIn(t *testing.T, h http.Handler, model string, prompt, answer []int) (at []int) {
	t.Helper()
	ids, _ := json.Marshal(append(slices.Clone(prompt), answer...))
	got := toldBy(t, h, "/v1/completions", fmt.Sprintf(`{"model":%q,"prompt":%s,"max_tokens":1,"prompt_logprobs":1}`,
		model, ids))
	if len(got.Scores) != len(prompt)+len(answer) || got.Scores[0] != nil {
		t.Fatalf("%d scores of %d tokens", len(got.Scores), len(prompt)+len(answer))
	}
	for i, given := range answer {
		scores := got.Scores[len(prompt)+i]
		own, ok := scores[fmt.Sprint(given)]
		if !ok {
			t.Fatalf("no score of %d in %v", given, scores)
		}
		for _, other := range scores {
			if other.Logprob > own.Logprob {
				at = append(at, i)
			}
		}
	}
	return at
}

// However a prompt comes, the server tells the ids of it and of the answer, and stands by all of the answer: under that
// prompt, and not under another's. Its text is what Answer says.
func TestSimulatedStandsByItsAnswers(t *testing.T) {
	for _, sim := range []*Simulated{{}, {VocabSize: 5000}, {Adapters: []string{"one"}},
		{MaxSequences: 2, DecodeRate: 1e6, KVBlocks: 100, PrefixCache: true}} {
		models := append([]string{"simulated"}, sim.Adapters...)
		var before told
		for _, model := range models {
			for _, c := range []struct{ path, prompt string }{
				{"/v1/completions", `"prompt":"so it is said"`},
				{"/v1/completions", `"prompt":[7,3999,1000,1000]`},
				{"/v1/chat/completions",
					`"messages":[{"role":"user","content":"is it \n so?"},{"role":"assistant","content":"yes"},{"role":"user","content":"oh"}]`},
			} {
				var streamed told
				for _, stream := range []bool{true, false} {
					got := toldBy(t, sim, c.path,
						fmt.Sprintf(`{"model":%q,%s,"max_tokens":9,"stream":%v,"return_token_ids":true}`,
							model, c.prompt, stream))
					if len(got.Prompt) < 4 || len(got.Answer) != 9 || len(strings.Fields(got.Text)) != 9 {
						t.Fatalf("%s: %+v", c.prompt, got)
					}
					if !stream && fmt.Sprint(got) != fmt.Sprint(streamed) {
						t.Errorf("%s: %+v, and streamed %+v", c.prompt, got, streamed)
					}
					streamed = got
				}
				if at := wrongIn(t, sim, model, streamed.Prompt, streamed.Answer); len(at) > 0 {
					t.Errorf("%s: wrong at %v", c.prompt, at)
				}
				if before.Prompt != nil {
					if at := wrongIn(t, sim, model, before.Prompt, streamed.Answer); len(at) < 8 {
						t.Errorf("%s: under another's prompt wrong at %v alone", c.prompt, at)
					}
				}
				other := slices.Clone(streamed.Answer)
				other[4]++
				if at := wrongIn(t, sim, model, streamed.Prompt, other); len(at) < 4 || at[0] != 4 {
					t.Errorf("%s: with another token 4 wrong at %v", c.prompt, at)
				}
				before = streamed
			}
		}
	}
	if got := toldBy(t, &Simulated{}, "/v1/completions",
		`{"prompt":"so it is","max_tokens":5}`); got.Text != Answer("so it is", 5) ||
		got.Answer != nil || got.Prompt != nil || got.Scores != nil {
		t.Errorf("%+v", got)
	}
}

// An Echo's answers mean nothing, and it tells nothing of them; and scores of a stream are not to be had, as from vLLM.
func TestScoresThatAreNotTold(t *testing.T) {
	body := `{"prompt":[1,2,3],"max_tokens":5,"return_token_ids":true,"prompt_logprobs":1}`
	if got := toldBy(t, &Echo{}, "/v1/completions", body); got.Answer != nil || got.Prompt != nil || got.Scores != nil {
		t.Errorf("%+v", got)
	}
	w := httptest.NewRecorder()
	(&Simulated{}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/completions",
		strings.NewReader(strings.Replace(body, "{", `{"stream":true,`, 1))))
	if w.Code != http.StatusBadRequest {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
