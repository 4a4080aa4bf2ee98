package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A Calibration is what makes a text of so many words a prompt of so many tokens, for one model behind one endpoint.
// It is found by [Calibrate], for [RandomWords].
type Calibration struct {
	// Words are of one token each, in whichever order and wherever in a text they stand, the space in front included.
	Words []string

	// Overhead is how many tokens a prompt has beside those of its words: what the chat template adds, or a token at the
	// start.
	Overhead int
}

// An UncalibratedError says why the prompts for a server cannot be made to measure, although it answers. Text then has
// as many tokens as it has; results say how many.
type UncalibratedError struct{ Reason string }

func (e *UncalibratedError) Error() string {
	return "text of a known number of tokens cannot be made: " + e.Reason
}

const (
	calibrationTime = 2 * time.Minute // in all, of some 70 to 300 short requests
	enoughWords     = 32              // are looked for
	fewestWords     = 16              // will do: prompts of any length still differ from their first words on

	repetitions = 8 // of a word tell what it takes from what is around it
)

// Calibrate finds words that are one token each for the model of c, and what else its prompts have. There is no tokenizer
// in this library that could know; so the server is asked, word by word: at /tokenize, where it has that as vLLM does,
// or else by requests for one token, whose usage tells. Whichever it was, two such requests with words at random then
// prove the result, so that it holds for the usage that a measurement goes by.
//
// Of c, Workload, Whole and ContinuousUsage do not count. There must be one model, whose tokenizer it is: more, or what
// else is wrong with c, is a [*loadgen.InvalidError]. If the server answers, but no such words are found, the error is an
// [*UncalibratedError]. Any other is that of the request that failed. It takes two minutes at most.
func Calibrate(ctx context.Context, c Config) (*Calibration, error) {
	if len(c.Models) > 1 {
		return nil, &loadgen.InvalidError{Field: "models", Value: c.Models, Want: "one: each has its own tokens"}
	}
	ctx, cancel := context.WithTimeout(ctx, calibrationTime)
	defer cancel()
	q := &counting{}
	c.Workload, c.Whole, c.ContinuousUsage = q, true, false
	var err error
	if q.target, err = New(c); err != nil {
		return nil, err
	}
	defer q.target.Close()
	if q.client = q.target.client; q.client == nil {
		transport := newTransport(newTLS(c.TLS), http.ProxyFromEnvironment, false)
		defer transport.CloseIdleConnections()
		q.client = newClient(transport)
	}

	words, err := q.singles(ctx)
	if err != nil {
		return nil, err
	}
	found := &Calibration{Words: words}
	const fewer, more = 24, 72
	var has [2]int
	for i, n := range []int{fewer, more} {
		var p Prompt
		if err := (RandomWords{Seed: uint64(i), Input: n, Output: 1, Calibration: found}).Prompt(i, &p); err != nil {
			return nil, err
		}
		if has[i], err = q.byUsage(ctx, p.Text); err != nil {
			return nil, err
		}
	}
	if has[1]-has[0] != more-fewer || has[0] < fewer {
		return nil, &UncalibratedError{fmt.Sprintf("of words that are one token each, %d had %d tokens and %d had %d", fewer, has[0], more, has[1])}
	}
	found.Overhead = has[0] - fewer
	return found, nil
}

// A counting asks a server how many tokens texts have, one text at a time. It is the workload of its own target.
type counting struct {
	target *Target
	client *http.Client // for what the target does not ask
	text   string
}

// Prompt implements [Workload].
func (q *counting) Prompt(_ int, p *Prompt) error {
	p.Text, p.Output = q.text, 1
	return nil
}

// singles are the words of one token each, all of which have the same number of tokens where they begin a text.
func (q *counting) singles(ctx context.Context) ([]string, error) {
	count := q.byTokenize
	var found []string           // the largest group
	groups := map[int][]string{} // of words that have as many tokens where they begin a text
	for i, word := range append(words[:len(words):len(words)], moreWords...) {
		once, err := count(ctx, word)
		if err != nil && i == 0 {
			count = q.byUsage
			once, err = count(ctx, word)
		}
		if err != nil {
			return nil, err
		}
		again, err := count(ctx, word+strings.Repeat(" "+word, repetitions))
		if err != nil {
			return nil, err
		}
		if again-once != repetitions {
			continue
		}
		groups[once] = append(groups[once], word)
		if len(groups[once]) > len(found) {
			found = groups[once]
		}
		if len(found) == enoughWords {
			break
		}
	}
	if len(found) < fewestWords {
		return nil, &UncalibratedError{fmt.Sprintf("only %d of %d common words seem to be one token each, and %d are needed", len(found), len(words)+len(moreWords), fewestWords)}
	}
	return found, nil
}

// byUsage is how many tokens a request with the text has.
func (q *counting) byUsage(ctx context.Context, text string) (int, error) {
	q.text = text
	r := new(loadgen.Record)
	if err := q.target.Do(ctx, 0, r); err != nil {
		return 0, err
	}
	if !r.Counted {
		return 0, &UncalibratedError{"the server does not tell how many tokens a request has"}
	}
	return r.Input, nil
}

// byTokenize is how many tokens the server's /tokenize counts in the text. What a chat template makes of it there may
// differ from what it makes of a request, always by the same.
func (q *counting) byTokenize(ctx context.Context, text string) (int, error) {
	t := q.target
	ask := map[string]any{"model": t.config.Models[0]}
	path := "/v1/completions"
	if t.config.Endpoint == Chat {
		path = "/v1/chat/completions"
		ask["messages"] = []map[string]string{{"role": "user", "content": text}}
	} else {
		ask["prompt"] = text
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(t.url, path)+"/tokenize", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = t.header.Clone()
	request.Host = request.Header.Get("Host")
	response, err := q.client.Do(request)
	if err != nil {
		return 0, t.secrets.clean(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, t.secrets.clean(statusError(response))
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxCounted))
	if err != nil {
		return 0, t.secrets.clean(err)
	}
	var said struct{ Count int }
	if err := json.Unmarshal(answer, &said); err != nil || said.Count < 1 || said.Count > mostTokens {
		return 0, t.secrets.clean(errors.New("/tokenize does not count: " + excerpt(answer)))
	}
	return said.Count, nil
}

const maxCounted = 1 << 20 // bytes of an answer of /tokenize, which lists the tokens of some ten words

// moreWords are tried where a small vocabulary has too few of the words: the commonest of the language, which are among
// the first that are merged into tokens.
var moreWords = strings.Fields(`the of and to in is that for it as with on by at from or an be this are not but his her they
	we you all which one had have has was were will more when who so no if out up about into than them can only other new
	some could these two may then do first any my now such like our over me most made after also did many must under
	a b c d e f g h i j k l m n o p q r s t u v w x y z`)
