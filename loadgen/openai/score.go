package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen/audit"
)

// errCannotScore says that a server does not tell what a score is made of.
var errCannotScore = errors.New("the server does not tell the log-probabilities of a prompt (prompt_logprobs)")

// A refusedError is an answer with a bad status to a request for a score.
type refusedError struct {
	status int
	said   string
}

func (e *refusedError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.said) }

// scoreLimit bounds one request for a score: a prefill, and one token.
const scoreLimit = 5 * time.Minute

// A scorer asks a server what it thinks of answers.
type scorer struct {
	api   *API
	model string
}

// call asks for a token behind a prompt, the most probable one, and reads what is said into answer.
func (s *scorer) call(ctx context.Context, body map[string]any, answer any) error {
	body["temperature"], body["max_tokens"] = 0, 1
	return s.ask(ctx, Completions, body, answer)
}

// ask asks the model for an answer in one piece, and reads it.
func (s *scorer) ask(ctx context.Context, endpoint Endpoint, body map[string]any, answer any) error {
	body["model"], body["stream"] = s.model, false
	return s.post(ctx, s.api.address.call(endpoint), body, answer)
}

// beside asks one of the server's own calls, which stand at its root.
func (s *scorer) beside(ctx context.Context, path string, body map[string]any, answer any) error {
	return s.post(ctx, below(s.api.address.root, path), body, answer)
}

func (s *scorer) post(ctx context.Context, to *url.URL, body map[string]any, answer any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, scoreLimit, fmt.Errorf("no score within %v", scoreLimit))
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(text))
	if err != nil {
		return s.api.secrets.clean(err)
	}
	request.Header = s.api.header.Clone()
	request.Header.Set("Content-Type", "application/json")
	request.Host = request.Header.Get("Host")
	response, err := s.api.client.Do(request)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // without the URL
		}
		return s.api.secrets.clean(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, maxWhole+1))
	switch {
	case response.StatusCode != http.StatusOK:
		words := s.api.secrets.hide(complaint(said[:min(len(said), mostQuoted)]))
		if quotes(words, body) {
			words = "(what the server said quotes the request, and is not shown)"
		}
		return &refusedError{response.StatusCode, words}
	case err != nil:
		return fmt.Errorf("the score broke off: %w", err)
	case len(said) > maxWhole:
		return fmt.Errorf("the score is longer than %d MiB", maxWhole>>20)
	}
	if !json.Valid(said) {
		// Python writes what is no number as it calls it, which is no JSON. In a text it does not matter.
		for _, word := range []string{"-Infinity", "Infinity", "NaN"} {
			said = bytes.ReplaceAll(said, []byte(word), []byte("null"))
		}
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return fmt.Errorf("the score is not what was expected: %w", err)
	}
	return nil
}

// quotes reports whether what a server said repeats a part of the texts, or a list of the token ids, of a request: these
// may be private, and what is said goes to files.
func quotes(said string, request any) bool {
	const part = 12 // bytes; whoever repeats twice as many repeats one of these whole
	switch v := request.(type) {
	case map[string]any:
		for name, of := range v {
			if name != "model" && quotes(said, of) { // by which servers say that they do not have it
				return true
			}
		}
	case []any:
		for _, of := range v {
			if quotes(said, of) {
				return true
			}
		}
	case json.RawMessage:
		var of any
		return json.Unmarshal(v, &of) == nil && quotes(said, of)
	case string:
		for at := 0; at+part <= len(said); at += part {
			if strings.Contains(v, said[at:at+part]) {
				return true
			}
		}
	case []int32, []int:
		return listOfIDs.MatchString(said)
	}
	return false
}

var listOfIDs = regexp.MustCompile(`(\d+\s*,\s*){8}`)

// An entry is what a server says of one position of a prompt, by token id: the given token and the most probable one.
//
//	{"512":{"logprob":-0.1,"rank":1,"decoded_token":" a"},"7":{"logprob":-4.2,"rank":9,"decoded_token":" b"}}
type entry map[string]*struct {
	Logprob *float64 `json:"logprob"`
}

// gap is the gap of the token that was given, NaN where it cannot be told, and whether it is the most probable one.
func (e entry) gap(given int32) (gap float64, top bool) {
	one := e[strconv.Itoa(int(given))]
	if one == nil || one.Logprob == nil {
		return math.NaN(), false
	}
	best := math.Inf(-1)
	for _, other := range e {
		if other == nil || other.Logprob == nil { // it was no number
			return math.NaN(), false
		}
		best = max(best, *other.Logprob)
	}
	return best - *one.Logprob, best == *one.Logprob
}

// score asks in one of the ways of servers for the gaps of an answer behind a prompt. Where prompt and answer fill the
// model's context to its end, so that there is no room for the one token that has to be asked for, the last one goes
// without.
func score(ctx context.Context, s *scorer, prompt, answer []int32, way scoring) (audit.Score, error) {
	score, err := way(ctx, s, prompt, answer)
	if _, refused := errors.AsType[*refusedError](err); refused && len(answer) > 1 {
		if shorter, again := way(ctx, s, prompt, answer[:len(answer)-1]); again == nil {
			return shorter, nil
		}
	}
	return score, err
}

// A scoring is how a server tells what it thinks of an answer behind a prompt.
type scoring func(ctx context.Context, s *scorer, prompt, answer []int32) (audit.Score, error)

// promptLogprobs is vLLM's: a field of completions has it tell of the prompt as well.
func promptLogprobs(ctx context.Context, s *scorer, prompt, answer []int32) (score audit.Score, err error) {
	ids := make([]int32, 0, len(prompt)+len(answer))
	ids = append(append(ids, prompt...), answer...)
	var said struct {
		Choices []struct {
			PromptLogprobs []entry `json:"prompt_logprobs"`
		} `json:"choices"`
	}
	if err := s.call(ctx, map[string]any{"prompt": ids, "prompt_logprobs": 1}, &said); err != nil {
		return score, err
	}
	if len(said.Choices) == 0 || len(said.Choices[0].PromptLogprobs) == 0 {
		return score, errCannotScore
	}
	entries := said.Choices[0].PromptLogprobs
	if len(entries) != len(ids) {
		return score, fmt.Errorf("%w: it tells %d for %d tokens", errCannotScore, len(entries), len(ids))
	}
	score.Gaps = make([]float64, len(answer))
	for i, given := range answer {
		var top bool
		if score.Gaps[i], top = entries[len(prompt)+i].gap(given); top {
			score.Tops++
		}
	}
	return score, nil
}
