package openai_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// The servers here stand in for SGLang and TGI, by what their documentation and sources say of their calls; no audit of
// a real one has been made.

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody is left to be told
}

// lp is how probable the stand-ins find a token: as Greedy does.
func lp(g *loadgentest.Greedy, said []int, id int) float64 {
	best, second := g.Next(said)
	switch id {
	case best:
		return -0.1
	case second:
		return -0.15
	}
	return -8
}

// sglang tells token ids as vLLM does, but log-probabilities of a prompt by /generate alone: of each position from
// logprob_start_len on but for the first.
func sglang(g *loadgentest.Greedy) http.Handler {
	g.NoScores = true
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/generate" {
			g.ServeHTTP(w, r)
			return
		}
		var q struct {
			IDs    []int `json:"input_ids"`
			Return bool  `json:"return_logprob"`
			From   *int  `json:"logprob_start_len"`
			Tops   int   `json:"top_logprobs_num"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || len(q.IDs) == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		meta := map[string]any{"prompt_tokens": len(q.IDs), "completion_tokens": 1}
		if q.Return && q.From != nil && *q.From >= 0 {
			given, tops := []any{[]any{nil, q.IDs[*q.From], nil}}, []any{nil}
			for i := *q.From + 1; i < len(q.IDs); i++ {
				best, _ := g.Next(q.IDs[:i])
				given = append(given, []any{lp(g, q.IDs[:i], q.IDs[i]), q.IDs[i], nil})
				top := []any{}
				if q.Tops > 0 {
					top = append(top, []any{-0.1, best, nil})
				}
				tops = append(tops, top)
			}
			meta["input_token_logprobs"], meta["input_top_logprobs"] = given, tops
		}
		answerJSON(w, map[string]any{"text": "", "output_ids": []int{1}, "meta_info": meta})
	})
}

// wordsOfIDs are prompts of words that stand for token ids.
type wordsOfIDs struct{ workload.RandomTokens }

func (p wordsOfIDs) Prompt(i int, to *workload.Prompt) error {
	if err := p.RandomTokens.Prompt(i, to); err != nil {
		return err
	}
	for _, id := range to.Tokens {
		to.Text += fmt.Sprintf(" t%d", id)
	}
	to.Text, to.Tokens = strings.TrimSpace(to.Text), nil
	return nil
}

// tgi takes texts alone and tells no ids. /tokenize tells where the tokens are in a text, by bytes, with a first one
// that has none; /generate with decoder_input_details how probable each is, and nothing of better ones.
func tgi(g *loadgentest.Greedy) http.Handler {
	g.NoTokenIDs, g.NoScores, g.NoLogprobs = true, true, true
	type token struct {
		ID    int    `json:"id"`
		Text  string `json:"text"`
		Start int    `json:"start"`
		Stop  int    `json:"stop"`
	}
	tokens := func(text string) []token {
		all := []token{{ID: 1}}
		for at := 0; at < len(text); {
			end := at + 1
			for end < len(text) && text[end] != ' ' {
				end++
			}
			word := strings.TrimSpace(text[at:end])
			id, err := strconv.Atoi(strings.TrimPrefix(word, "t"))
			if err != nil {
				id = 2 // of what is no word of ours
			}
			all = append(all, token{id, text[at:end], at, end})
			at = end
		}
		return all
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Inputs     string
			Parameters struct {
				MaxNewTokens int  `json:"max_new_tokens"`
				Prefill      bool `json:"decoder_input_details"`
				Details      bool
				DoSample     bool `json:"do_sample"`
			}
		}
		switch r.URL.Path {
		case "/tokenize", "/generate":
			if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Inputs == "" {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
		case "/v1/completions":
			body := bodyOf(r)
			r.Body = readCloser(body)
			if strings.Contains(body, `"prompt":[`) {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
			fallthrough
		default:
			g.ServeHTTP(w, r)
			return
		}
		all := tokens(q.Inputs)
		if r.URL.Path == "/tokenize" {
			answerJSON(w, all)
			return
		}
		var said []int
		prefill := []any{map[string]any{"id": 1, "text": "<s>", "logprob": nil}}
		for _, t := range all[1:] {
			var told any
			if len(said) > 0 {
				told = lp(g, said, t.ID)
			}
			prefill = append(prefill, map[string]any{"id": t.ID, "text": t.Text, "logprob": told})
			said = append(said, t.ID)
		}
		if !q.Parameters.Prefill {
			prefill = nil
		}
		best, _ := g.Next(said)
		answerJSON(w, map[string]any{"generated_text": fmt.Sprintf(" t%d", best), "details": map[string]any{
			"finish_reason": "length", "generated_tokens": 1, "seed": nil, "prefill": prefill,
			"tokens": []any{map[string]any{"id": best, "text": fmt.Sprintf(" t%d", best), "logprob": -0.1,
				"special": false}}}})
	})
}

// Servers that score otherwise than vLLM pass where they are healthy, and all that is corrupted is found, and nothing
// else.
func TestAuditByOthersCalls(t *testing.T) {
	t.Parallel()
	ids := workload.RandomTokens{Seed: 3, Input: 12, Output: 12}
	for _, c := range []struct {
		name   string
		server func(*loadgentest.Greedy) http.Handler
		work   workload.Workload
		chat   openai.Endpoint
		method audit.Method
		says   string
	}{
		{"SGLang", sglang, ids, "", audit.Scored, ""},
		{"SGLang's chat", sglang, workload.RandomWords{Seed: 3, Input: 12, Output: 12}, openai.Chat, audit.Scored, ""},
		{"TGI", tgi, wordsOfIDs{ids}, "", audit.Prefilled, "weaker"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			level := loadgen.Level{Concurrency: 4, Requests: 60}
			config := openai.Config{Workload: c.work, Endpoint: c.chat}
			_, o := audited(t, c.server(&loadgentest.Greedy{Ties: 0.1}), level, config)
			if o.Verdict != audit.Passed || o.Method != c.method || o.Level.Answers != 60 || o.Level.Wrong != 0 ||
				o.Healthy.Answers != 40 || o.Control.Wrong != 20 || !strings.Contains(o.String(), c.says) {
				t.Fatalf("healthy: %v\n%+v", o, o)
			}
			proxy := &loadgentest.Corrupting{Handler: c.server(&loadgentest.Greedy{Ties: 0.1}), Rate: 0.1, Seed: 9}
			config.URL, config.Model, config.Audit = serve(t, proxy).URL, "greedy", &openai.Audit{}
			target := newTarget(t, config)
			measure(t, level, target)
			o = target.Audit(t.Context(), audit.Tally{Answers: audit.HealthyAnswers})
			if n := proxy.Counts().Corrupted; n < 3 || o.Verdict != audit.Spoiled || o.Level.Wrong != n {
				t.Fatalf("%d corrupted: %v\n%+v", n, o, o)
			}
			for _, f := range o.Faults {
				if f.Gap < 7 && f.Missing == 0 {
					t.Errorf("%v", f)
				}
			}
		})
	}
}

// llama tells neither ids nor what it thinks of a prompt, but the text that its template makes of a chat, which is
// continued as text then.
func llama(g *loadgentest.Greedy) http.Handler {
	g.NoTokenIDs, g.NoScores = true, true
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apply-template" {
			g.ServeHTTP(w, r)
			return
		}
		var q struct{ Messages []struct{ Content string } }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || len(q.Messages) == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var text []string
		for _, m := range q.Messages {
			text = append(text, m.Content)
		}
		answerJSON(w, map[string]any{"prompt": strings.Join(text, " ")})
	})
}

// A chat of a server that tells its template's text is checked by single tokens, of sessions too.
func TestAuditOfChatByItsTemplate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]openai.Config{
		"chat": {Endpoint: openai.Chat, Workload: workload.RandomWords{Seed: 3, Input: 12, Output: 12}},
		"sessions": {Conversations: workload.Talks{Seed: 3, Turns: workload.Fixed(3), Input: workload.Fixed(8),
			Output: workload.Fixed(10)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			level := loadgen.Level{Concurrency: 4, Requests: 24}
			if c.Conversations != nil {
				level = loadgen.Level{Concurrency: 4, Sessions: 8, Unit: loadgen.UnitSession}
			}
			for _, rate := range []float64{0, 0.3} {
				proxy := &loadgentest.Corrupting{Handler: llama(&loadgentest.Greedy{}), Rate: rate, Seed: 9}
				c.URL, c.Model, c.Audit = serve(t, proxy).URL, "greedy", &openai.Audit{}
				target := newTarget(t, c)
				measure(t, level, target)
				o := target.Audit(t.Context(), audit.Tally{Answers: audit.HealthyAnswers})
				n := proxy.Counts().Corrupted
				if want := map[bool]audit.Verdict{true: audit.Passed,
					false: audit.Spoiled}[rate == 0]; o.Verdict != want ||
					o.Method != audit.SingleTokens || o.Level.Answers != 24 || o.Level.Wrong > n || rate > 0 && n < 3 {
					t.Errorf("%d corrupted: %v\n%+v", n, o, o)
				}
			}
		})
	}
}

// A server that tells something else by /generate than what a score is made of is not checkable, and its reason says
// so.
func TestAuditByOthersCallsThatTellNothing(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		`{"meta_info":{}}`: "0 log-probabilities",
		`{"meta_info":{"input_token_logprobs":[[-1,5,null]],"input_top_logprobs":[]}}`: "1 log-probabilities and 0",
		`{"meta_info":{"input_token_logprobs":[1,2]}}`:                                 "not what was expected",
		`[]`: "not what was expected",
		``:   "503",
	} {
		g := &loadgentest.Greedy{NoScores: true, NoLogprobs: true}
		_, o := audited(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/generate" {
				g.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(map[bool]int{true: 503, false: 200}[said == ""])
			_, _ = w.Write([]byte(cmp.Or(said, "busy")))
		}), loadgen.Level{Concurrency: 2, Requests: 10}, openai.Config{})
		if o.Verdict != audit.NotCheckable || !strings.Contains(o.Reason, want) {
			t.Errorf("%s: %v", said, o)
		}
	}
}
