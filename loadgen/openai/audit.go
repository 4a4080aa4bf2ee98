package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
)

// Audit checks the answers that were kept of the latest level ([Config.Audit]) by what the server says of them now,
// alone and one after the other: see package audit. It is to be called once the level is over, and nothing else loads
// the server. A level of 300 answers is some 320 prefills of a prompt and its answer, and 40 more answers for the
// healthy sample, unless healthy has one, of an earlier level of the same server and shape.
//
// The outcome is nil where nothing is to be checked. Whatever keeps answers from being checked, such as a server that
// does not tell token ids or log-probabilities, or an answer that is not greedy, is the outcome's reason; so is the
// end of ctx.
func (t *Target) Audit(ctx context.Context, healthy audit.Tally) *audit.Outcome {
	if t.config.Audit == nil {
		return nil
	}
	began := time.Now()
	a := &auditing{target: t, evidence: audit.Evidence{Healthy: healthy}}
	var tooLong int
	a.sample, a.next, tooLong = t.keeper.sample() // none of a nil keeper
	keptAnswers := len(a.sample)
	known, err := t.asker.outcome(ctx)
	outcome := a.outcome(ctx)
	switch {
	case err != nil:
		outcome.Reason = strings.TrimPrefix(outcome.Reason+"; known answers: "+err.Error(), "; ")
	case known != nil:
		outcome.Consider(known)
	}
	outcome.Kept, outcome.TooLong, outcome.Took = keptAnswers, tooLong, time.Since(began)
	outcome.Empty = keptAnswers - len(a.sample)
	return outcome
}

// Audits reports whether answers are to be checked ([Config.Audit]).
func (t *Target) Audits() bool { return t.config.Audit != nil }

// An auditing is one audit.
type auditing struct {
	target   *Target
	api      *API
	sample   []*kept
	next     int // requests from here on were not in the level
	evidence audit.Evidence
	refused  int // scores in a row that the server would not give

	// templated is the latest prompt that was asked for: it is needed for each position of an answer.
	templated struct {
		of     *kept
		prompt json.RawMessage
	}
}

// fewestAnswers is of how many answers 20 can be put behind another's prompt.
const fewestAnswers = 5

func (a *auditing) outcome(ctx context.Context) *audit.Outcome {
	if why := a.target.config.Endpoint.uncheckable(); why != "" {
		return audit.Impossible("%s", why)
	}
	a.sample = slices.DeleteFunc(a.sample, func(k *kept) bool { return len(k.answer) == 0 && len(k.text) == 0 })
	if len(a.sample) < fewestAnswers {
		return audit.Impossible("%d answers were kept, and it takes %d", len(a.sample), fewestAnswers)
	}
	for _, k := range a.sample {
		why, err := a.unfit(k)
		if err != nil {
			return audit.Impossible("%s cannot be made again: %v", k.name(), err)
		}
		if why != "" {
			return audit.Impossible("%s is not checkable: %s", k.name(), why)
		}
	}
	var err error
	if a.api, err = NewAPI(a.target.config); err != nil {
		return audit.Impossible("%v", err)
	}
	if transport, ok := a.api.client.Transport.(*http.Transport); ok && a.api.own {
		transport.DisableKeepAlives = false // some hundreds of requests follow
		defer transport.CloseIdleConnections()
	}
	var check checker
	if check, err = a.checker(ctx); err == nil {
		err = a.check(ctx, check)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		o := a.evidence.Judge() // what there is of it
		o.Verdict, o.Reason = audit.NotCheckable, err.Error()
		return o
	}
	o := a.evidence.Judge()
	a.examples(o)
	return o
}

// unfit says why an answer cannot be checked, by what was asked; "": it can.
func (a *auditing) unfit(k *kept) (why string, err error) {
	if k.several {
		return "its answer has several choices, or token ids that are none", nil
	}
	err = a.asked(k, func(body []byte) error {
		why = notGreedy(body)
		return nil
	})
	return why, err
}

// asked shows use the body of the request whose answer is k.
func (a *auditing) asked(k *kept, use func(body []byte) error) error {
	if len(k.asked) > 0 {
		return use(k.asked)
	}
	body, err := a.target.request(k.index, new(loadgen.Record), nil)
	if err != nil {
		return err
	}
	defer body.release()
	return use(body.json)
}

// model is the model that gave an answer.
func (a *auditing) model(k *kept) (string, error) {
	var said struct{ Model string }
	err := a.asked(k, func(body []byte) error { return json.Unmarshal(body, &said) })
	return said.Model, err
}

// A checker looks at an answer behind the prompt of another, or of its own.
type checker func(ctx context.Context, s *scorer, prompt, answer *kept) (audit.Score, error)

// checker finds out how this server's answers can be checked, by the first of them: the strongest way first.
func (a *auditing) checker(ctx context.Context) (checker, error) {
	var ways []wayToCheck
	failed := errors.New("the server does not tell token ids (return_token_ids)")
	if told := func(k *kept) bool { return len(k.answer) > 0 && len(k.prompt) > 0 }; all(a.sample, told) {
		failed = errCannotScore
		ways = append(ways, wayToCheck{audit.Scored, "prompt_logprobs", by(promptLogprobs)},
			wayToCheck{audit.Scored, "/generate", by(generateLogprobs)})
	} else {
		ways = append(ways, wayToCheck{audit.Prefilled, "decoder_input_details", a.prefilled})
	}
	ways = append(ways, wayToCheck{audit.SingleTokens, "single tokens", a.singles})
	for _, way := range ways {
		var err error
		for _, k := range a.sample[:3] { // the first may be one that no server would score
			var s *scorer
			if s, err = a.scorer(k); err != nil {
				return nil, err
			}
			if _, err = way.check(ctx, s, k, k); err == nil {
				a.evidence.Method = way.method
				return way.check, nil
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
		if e, ok := errors.AsType[*refusedError](err); ok && e.status == http.StatusNotFound {
			continue // there is no such call
		}
		failed = fmt.Errorf("%w; by %s: %w", failed, way.name, err)
	}
	return nil, failed
}

// A wayToCheck is one of those in which servers can be asked what they think of an answer.
type wayToCheck struct {
	method audit.Method
	name   string
	check  checker
}

func all(sample []*kept, is func(*kept) bool) bool {
	return !slices.ContainsFunc(sample, func(k *kept) bool { return !is(k) })
}

func (a *auditing) scorer(k *kept) (*scorer, error) {
	model, err := a.model(k)
	return &scorer{a.api, model}, err
}

// by checks all of an answer's tokens at once.
func by(way scoring) checker {
	return func(ctx context.Context, s *scorer, prompt, answer *kept) (audit.Score, error) {
		return score(ctx, s, prompt.prompt, answer.answer, way)
	}
}

// check gathers the evidence: first the control, since without it the rest means nothing.
func (a *auditing) check(ctx context.Context, check checker) error {
	for i := range len(a.sample) * (len(a.sample) - 1) {
		if len(a.evidence.Control) == audit.ControlAnswers {
			break
		}
		answer := a.sample[i%len(a.sample)]
		prompt := a.sample[(i+1+i/len(a.sample))%len(a.sample)]
		if slices.Equal(prompt.prompt, answer.prompt) && prompt.chance != answer.chance && len(prompt.prompt) > 0 {
			continue // the same question twice
		}
		score, err := a.one(ctx, check, prompt, answer)
		if err != nil {
			return err
		}
		a.evidence.Control = append(a.evidence.Control, score)
	}
	if caught := a.evidence.Judge(); caught.Control.Answers == audit.ControlAnswers &&
		float64(caught.Control.Wrong) < audit.ControlShare*audit.ControlAnswers {
		return nil
	}
	if err := a.healthy(ctx, check); err != nil {
		return err
	}
	for _, k := range a.sample {
		score, err := a.one(ctx, check, k, k)
		if err != nil {
			return err
		}
		a.evidence.Level = append(a.evidence.Level, score)
	}
	return nil
}

// mostRefused is how many answers in a row a server may refuse to score before that is taken for its own state, and not
// for theirs.
const mostRefused = 3

// one checks one answer. One that the server will not take, as with token ids that it does not know, is wrong; one that
// it has no score for, once and again, is too.
func (a *auditing) one(ctx context.Context, check checker, prompt, answer *kept) (audit.Score, error) {
	s, err := a.scorer(answer)
	if err != nil {
		return audit.Score{}, err
	}
	var score audit.Score
	for range 2 {
		score, err = check(ctx, s, prompt, answer)
		e, refused := errors.AsType[*refusedError](err)
		if err == nil || !refused || e.status/100 != 5 {
			break
		}
	}
	score.Index, score.Request = answer.index, answer.request
	e, refused := errors.AsType[*refusedError](err)
	if !refused {
		a.refused = 0
		return score, err
	}
	if a.refused++; a.refused >= mostRefused {
		return score, fmt.Errorf("%d answers in a row could not be scored: %w", a.refused, err)
	}
	score.Refused = e.Error()
	return score, nil
}

// healthy asks for answers at one in flight, unless there is such a sample already, and checks them. Their prompts are
// ones that the level did not have, so that nothing of it is found in a cache.
func (a *auditing) healthy(ctx context.Context, check checker) error {
	h := &a.evidence.Healthy
	if h.Answers >= audit.HealthyAnswers {
		return nil
	}
	*h = audit.Tally{}
	err := a.target.alone(ctx, a.next, func(k *kept) (more bool, err error) {
		score, err := a.one(ctx, check, k, k)
		if err == nil {
			h.Add(&score)
			if score.Wrong() {
				a.evidence.Odd = &score
			}
		}
		return h.Answers < audit.HealthyAnswers, err
	})
	if err != nil {
		return fmt.Errorf("an answer at one in flight: %w", a.target.secrets.clean(err))
	}
	return nil
}

// alone asks for answers at one in flight, by request i and those after it, or the requests of session i and of those
// after it, one after the other and without the pauses of their users, for as long as each wants more.
func (t *Target) alone(ctx context.Context, i int, each func(*kept) (more bool, err error)) error {
	for ; ; i++ {
		if t.config.Conversations == nil {
			k := &kept{index: i}
			if err := t.ask(ctx, i, new(loadgen.Record), k); err != nil {
				return err
			}
			if more, err := each(k); !more || err != nil {
				return err
			}
			continue
		}
		s, err := t.Session(i)
		if err != nil {
			return err
		}
		named, err := s.Next(-1)
		if err == nil && len(named) == 0 {
			err = fmt.Errorf("session %d has no request", i)
		}
		for at := 0; at < len(named) && err == nil; at++ {
			k := &kept{index: i, request: at + 1}
			if err := s.(*session).ask(ctx, at, new(loadgen.Record), k); err != nil {
				return err
			}
			if more, err := each(k); !more || err != nil {
				return err
			}
			var next []loadgen.FollowUp
			next, err = s.Next(at)
			named = append(named, next...)
		}
		if err != nil {
			return err
		}
	}
}

// name is what people call the request that an answer is of.
func (k *kept) name() string {
	if k.request == 0 {
		return fmt.Sprintf("request %d", k.index)
	}
	return fmt.Sprintf("request %d of session %d", k.request, k.index)
}

// examples shows the beginnings of two wrong answers, where that was asked for.
func (a *auditing) examples(o *audit.Outcome) {
	const most, length = 2, 200 // examples, and characters
	if !a.target.config.Audit.Examples {
		return
	}
	for _, f := range o.Faults[:min(len(o.Faults), most)] {
		i := slices.IndexFunc(a.sample, func(k *kept) bool { return k.index == f.Index && k.request == f.Request })
		text := []rune(a.target.secrets.hide(unquoted(a.sample[i].text)))
		if len(text) > length {
			text = append(text[:length], '…')
		}
		o.Examples = append(o.Examples, audit.Example{Index: f.Index, Request: f.Request, Answer: string(text),
			First: f.First})
	}
}

// unquoted is a text as it stands in JSON between quotes.
func unquoted(raw []byte) string {
	var text string
	if json.Unmarshal(slices.Concat([]byte{'"'}, raw, []byte{'"'}), &text) != nil {
		text = string(bytes.ToValidUTF8(raw, replacement))
	}
	return text
}
