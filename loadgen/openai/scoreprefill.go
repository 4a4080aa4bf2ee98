package openai

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/servegauge/servegauge/loadgen/audit"
)

// mostUnlikely is how many tokens of an answer, the least probable ones, are compared with the best one by a request
// each.
const mostUnlikely = 8

// prefilled is TGI's way: /generate tells of each token of a text how probable it is, and not which one was the best;
// and /tokenize which part of the text it is, as bytes from and to:
//
//	{"details":{"prefill":[{"id":1,"text":"<s>","logprob":null},{"id":512,"text":" a","logprob":-0.1}],
//	 "tokens":[{"id":7,"text":" b","logprob":-0.2,"special":false}]}}
//	[{"id":1,"text":"","start":0,"stop":0},{"id":512,"text":"a","start":0,"stop":1}]
//
// A token of a probability over 1/e cannot be a nat below another. The others are compared with what the server says
// there itself.
func (a *auditing) prefilled(ctx context.Context, s *scorer, prompt, answer *kept) (score audit.Score, err error) {
	asked, err := a.prompt(ctx, s, prompt)
	if err != nil {
		return score, err
	}
	var before string
	if json.Unmarshal(asked, &before) != nil {
		return score, errors.New("its prompt is no text")
	}
	text := before + unquoted(answer.text)
	var tokens []struct {
		ID          int32
		Start, Stop int
	}
	if err := s.beside(ctx, "/tokenize", map[string]any{"inputs": text}, &tokens); err != nil {
		return score, err
	}
	told, err := s.details(ctx, text, true)
	if err != nil {
		return score, err
	}
	if len(told.Prefill) == 0 {
		return score, fmt.Errorf("%w (decoder_input_details)", errCannotScore)
	}
	if len(tokens) != len(told.Prefill) {
		return score, fmt.Errorf("%w: it tells %d for %d tokens", errCannotScore, len(told.Prefill), len(tokens))
	}
	type position struct {
		of, at  int // among the answer's tokens, and in the text
		logprob float64
	}
	var unlikely []position
	looked := map[int]float64{} // gaps by position
	n := 0                      // tokens of the answer
	for i, t := range tokens {
		one := told.Prefill[i]
		if one.ID != t.ID {
			return score, fmt.Errorf("%w: it tells of token %d where %d was given", errCannotScore, one.ID, t.ID)
		}
		if t.Start < len(before) || t.Stop <= t.Start { // the prompt's, or of both; or it has no text
			continue
		}
		n++
		switch {
		case one.Logprob == nil:
			looked[n-1] = math.NaN()
		case -*one.Logprob <= math.Ln2: // no other can be as probable
			looked[n-1] = 0
			score.Tops++
		case -*one.Logprob > audit.GapLimit && t.Start <= len(text) && utf8.ValidString(text[:t.Start]):
			unlikely = append(unlikely, position{n - 1, t.Start, *one.Logprob})
		}
	}
	slices.SortStableFunc(unlikely, func(a, b position) int { return cmp.Compare(a.logprob, b.logprob) })
	for _, p := range unlikely[:min(len(unlikely), mostUnlikely)] {
		next, err := s.details(ctx, text[:p.at], false)
		if err != nil {
			return score, err
		}
		if len(next.Tokens) == 0 || next.Tokens[0].Logprob == nil {
			return score, fmt.Errorf("%w: nor that of its own token", errCannotScore)
		}
		best := *next.Tokens[0].Logprob
		looked[p.of] = max(best-p.logprob, 0)
		if best <= p.logprob {
			score.Tops++
		}
	}
	score.At = slices.Sorted(maps.Keys(looked))
	for _, at := range score.At {
		score.Gaps = append(score.Gaps, looked[at])
	}
	return score, nil
}

// tgiDetails are what TGI tells of the tokens of a text and of what it says after it.
type tgiDetails struct {
	Prefill, Tokens []struct {
		ID      int32
		Logprob *float64
	}
}

// details asks TGI for one token, the most probable one, behind a text.
func (s *scorer) details(ctx context.Context, text string, prefill bool) (told tgiDetails, err error) {
	var said struct{ Details tgiDetails }
	err = s.beside(ctx, "/generate", map[string]any{"inputs": text, "parameters": map[string]any{
		"max_new_tokens": 1, "do_sample": false, "details": true, "decoder_input_details": prefill}}, &said)
	return said.Details, err
}
