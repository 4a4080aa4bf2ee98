package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/servegauge/servegauge/loadgen/audit"
)

// generateLogprobs is SGLang's way: its own call, /generate, tells of a prompt what its OpenAI endpoints do not. Of
// each position from logprob_start_len on it tells the log-probability, the id and the text of the given token, and
// the same of the most probable ones:
//
//	{"meta_info":{"input_token_logprobs":[[null,7,null],[-0.1,512,null]],
//	 "input_top_logprobs":[null,[[-0.1,512,null]]]}}
//
// Of the first it has none, so that the prompt's last token is asked for too.
func generateLogprobs(ctx context.Context, s *scorer, prompt, answer []int32) (score audit.Score, err error) {
	ids := make([]int32, 0, len(prompt)+len(answer))
	ids = append(append(ids, prompt...), answer...)
	body := map[string]any{
		"input_ids":      ids,
		"return_logprob": true, "logprob_start_len": max(len(prompt)-1, 0), "top_logprobs_num": 1,
		"sampling_params": map[string]any{"temperature": 0, "max_new_tokens": 1},
	}
	// SGLang names adapters "model:adapter" to its OpenAI endpoints
	if _, adapter, ok := strings.Cut(s.model, ":"); ok {
		body["lora_path"] = adapter
	}
	var said struct {
		Meta struct {
			Given []generated   `json:"input_token_logprobs"`
			Tops  [][]generated `json:"input_top_logprobs"`
		} `json:"meta_info"`
	}
	if err := s.beside(ctx, "/generate", body, &said); err != nil {
		return score, err
	}
	given, tops := said.Meta.Given, said.Meta.Tops
	if len(given) < len(answer) || len(tops) != len(given) {
		return score, fmt.Errorf("%w: it tells %d log-probabilities and %d of best tokens for %d tokens",
			errCannotScore, len(given), len(tops), len(answer))
	}
	given, tops = given[len(given)-len(answer):], tops[len(tops)-len(answer):]
	score.Gaps = make([]float64, len(answer))
	for i, id := range answer {
		if given[i].id != id {
			return score, fmt.Errorf("%w: it tells of token %d where %d was given", errCannotScore, given[i].id, id)
		}
		own, best := given[i].logprob, math.Inf(-1)
		for _, one := range tops[i] {
			best = max(best, one.logprob)
		}
		if math.IsInf(best, -1) {
			best = math.NaN()
		}
		score.Gaps[i] = max(best, own) - own // NaN where either is none
		if best == own {
			score.Tops++
		}
	}
	return score, nil
}

// A generated token is one of which SGLang tells: [-0.1,512," a"].
type generated struct {
	logprob float64 // NaN: not told
	id      int32
}

// UnmarshalJSON implements [json.Unmarshaler].
func (g *generated) UnmarshalJSON(text []byte) error {
	g.logprob, g.id = math.NaN(), -1
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil || len(parts) < 2 {
		return err // null: nothing is told
	}
	var logprob *float64
	if err := json.Unmarshal(parts[0], &logprob); err != nil {
		return err
	}
	if logprob != nil {
		g.logprob = *logprob
	}
	return json.Unmarshal(parts[1], &g.id)
}
