package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen/audit"
)

// positions are up to 8 of so many, spread evenly over them from the first on.
func positions(n int) []int {
	const most = 8
	at := make([]int, 0, most)
	for i := range min(n, most) {
		at = append(at, i*n/min(n, most))
	}
	return at
}

var errNoTop = errors.New("the server does not tell the log-probabilities of the first few tokens (logprobs)")

// singles asks at some positions of an answer which token comes next, and how probable the first few are.
func (a *auditing) singles(ctx context.Context, s *scorer, prompt, answer *kept) (audit.Score, error) {
	score := audit.Score{At: positions(len(answer.ends))}
	if told := len(answer.answer) > 0 && len(prompt.prompt) > 0; told {
		score.At = positions(len(answer.answer))
	}
	for _, at := range score.At {
		before, given, err := a.upTo(ctx, s, prompt, answer, at)
		if err != nil {
			return score, err
		}
		gap, top, err := s.next(ctx, before, given, false)
		if err != nil {
			return score, err
		}
		if !(gap <= audit.GapLimit) {
			// llama.cpp computes a prompt from what it has of others, and comes to other probabilities now and then:
			// on a healthy server a gap of 2.5 nats was seen that was none when asked for again. A wrong answer stays
			// one.
			if again, atop, err := s.next(ctx, before, given, true); err == nil && again <= audit.GapLimit {
				gap, top = again, atop
			}
		}
		score.Gaps = append(score.Gaps, gap)
		if top {
			score.Tops++
		}
	}
	return score, nil
}

// A token is what was given at a position: by its id, or by its text where no id was told.
type token struct {
	id   int32 // −1: not told
	text string
}

// upTo is the prompt up to a position of the answer, and what was given there.
func (a *auditing) upTo(ctx context.Context, s *scorer, prompt, answer *kept, at int) (before any, given token,
	err error) {
	if len(prompt.prompt) > 0 && at < len(answer.answer) {
		return slices.Concat(prompt.prompt, answer.answer[:at]), token{id: answer.answer[at]}, nil
	}
	asked, err := a.prompt(ctx, s, prompt)
	if err != nil {
		return nil, given, err
	}
	from := 0
	if at > 0 {
		from = int(answer.ends[at-1])
	}
	given = token{id: -1, text: unquoted(answer.text[from:])}
	said := unquoted(answer.text[:from])
	var text string
	var ids []int
	switch {
	case json.Unmarshal(asked, &text) == nil:
		return text + said, given, nil
	case json.Unmarshal(asked, &ids) == nil && said == "":
		return ids, given, nil
	case json.Unmarshal(asked, &ids) == nil: // as llama.cpp takes them: [512,7," a"]
		mixed := make([]any, 0, len(ids)+1)
		for _, id := range ids {
			mixed = append(mixed, id)
		}
		return append(mixed, said), given, nil
	}
	return nil, given, errors.New("its prompt is neither a text nor token ids")
}

// prompt is what was asked, as completions take it: a text or token ids. Of a chat it is the text that the model's
// template makes of it, where the server tells that as llama.cpp does:
//
//	POST /apply-template {"messages":[{"role":"user","content":"hi"}]}
//	{"prompt":"<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"}
func (a *auditing) prompt(ctx context.Context, s *scorer, k *kept) (json.RawMessage, error) {
	if a.templated.of == k {
		return a.templated.prompt, nil
	}
	var asked struct {
		Prompt, Messages, Tools json.RawMessage
		Kwargs                  json.RawMessage `json:"chat_template_kwargs"`
	}
	if err := a.asked(k, func(body []byte) error { return json.Unmarshal(body, &asked) }); err != nil {
		return nil, err
	}
	if len(asked.Prompt) == 0 {
		body := map[string]any{"messages": asked.Messages}
		if len(asked.Tools) > 0 {
			body["tools"] = asked.Tools
		}
		if len(asked.Kwargs) > 0 {
			body["chat_template_kwargs"] = asked.Kwargs
		}
		if err := s.beside(ctx, "/apply-template", body, &asked); err != nil {
			return nil, fmt.Errorf("where token ids are not told, an answer of chat cannot be continued: "+
				"/apply-template: %v", err)
		}
		if len(asked.Prompt) == 0 {
			return nil, errors.New("where token ids are not told, an answer of chat cannot be continued: " +
				"/apply-template " +
				"tells no prompt")
		}
	}
	a.templated.of, a.templated.prompt = k, asked.Prompt
	return asked.Prompt, nil
}

// next is the gap of what was given, if the server were to say its next token, and whether that is the most probable
// one. A token beyond the few that the server tells has the gap of the least probable of those, at least. afresh asks
// llama.cpp to compute all of the prompt.
func (s *scorer) next(ctx context.Context, before any, given token, afresh bool) (gap float64, top bool, err error) {
	const tops = 20 // as many as vLLM tells unless it is started to tell others
	body := map[string]any{"prompt": before, "logprobs": tops}
	if given.id >= 0 {
		body["return_tokens_as_token_ids"] = true
	}
	if afresh {
		body["cache_prompt"] = false
	}
	var said struct {
		Choices []struct {
			Logprobs *fewTokens `json:"logprobs"`
		} `json:"choices"`
	}
	if err := s.call(ctx, body, &said); err != nil {
		return 0, false, err
	}
	if len(said.Choices) == 0 || said.Choices[0].Logprobs == nil {
		return 0, false, errNoTop
	}
	few := said.Choices[0].Logprobs.all()
	if len(few) == 0 {
		return 0, false, errNoTop
	}
	best, least, own := math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, one := range few {
		best, least = max(best, one.logprob), min(least, one.logprob)
		if one.is(given) {
			own = max(own, one.logprob)
		}
	}
	if math.IsInf(own, -1) {
		return best - least, false, nil
	}
	return best - own, own == best, nil
}

// fewTokens are the most probable tokens of one position, in either of the shapes that servers have:
//
//	{"tokens":[" a"],"top_logprobs":[{" a":-0.1," b":-3.2}]}                                completions; vLLM
//	{"content":[{"top_logprobs":[{"id":512,"token":" a","bytes":[32,97],"logprob":-0.1}]}]}  chat's; llama.cpp
type fewTokens struct {
	Tops    []map[string]*float64 `json:"top_logprobs"`
	Content []struct {
		Tops []struct {
			ID      *int32   `json:"id"`
			Token   string   `json:"token"`
			Bytes   []int    `json:"bytes"`
			Logprob *float64 `json:"logprob"`
		} `json:"top_logprobs"`
	} `json:"content"`
}

// A likely token is one of them.
type likely struct {
	token
	logprob float64
}

// is reports whether it is what was given. Of a text it is the beginning.
func (l likely) is(given token) bool {
	if given.id >= 0 {
		return l.id == given.id
	}
	return l.text != "" && strings.HasPrefix(given.text, l.text)
}

// all are those of the first position. One that has no number is left out.
func (f *fewTokens) all() (few []likely) {
	if len(f.Tops) > 0 {
		for name, logprob := range f.Tops[0] {
			if logprob == nil {
				continue
			}
			one := likely{token{id: -1, text: name}, *logprob}
			if digits, ok := strings.CutPrefix(name, "token_id:"); ok {
				if n, err := strconv.ParseInt(digits, 10, 32); err == nil {
					one.id = int32(n)
				}
			}
			few = append(few, one)
		}
	}
	if len(f.Content) > 0 {
		for _, t := range f.Content[0].Tops {
			if t.Logprob == nil {
				continue
			}
			one := likely{token{id: -1, text: t.Token}, *t.Logprob}
			if t.ID != nil {
				one.id = *t.ID
			}
			if len(t.Bytes) > 0 {
				one.text = ""
				for _, b := range t.Bytes {
					one.text += string([]byte{byte(b)})
				}
			}
			few = append(few, one)
		}
	}
	return few
}
