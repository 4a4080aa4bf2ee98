package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/internal/jsontext"
)

const (
	usualShare = 0.01
	mostShare  = 0.05
)

// An asker asks questions whose answers are known beside a level's requests, one at a time, and no more than its share
// of them: so that the load is what it is but for that share. They are in none of the level's figures. nil asks none.
type asker struct {
	questions []audit.Question
	every     int // requests of the level for each question
	api       *API
	chat      bool
	model     string

	ctx    context.Context // of what is in flight
	cancel context.CancelFunc
	flight sync.WaitGroup

	mu       sync.Mutex
	beside   int // requests of the level
	next     int
	busy     bool
	closed   bool
	answered []answered
	failed   int
}

// answered is a question that was, and with what.
type answered struct {
	question int
	text     string
}

func newAsker(c *Config) (*asker, error) {
	if c.Audit == nil || len(c.Audit.Questions) == 0 {
		return nil, nil
	}
	share := c.Audit.Share
	if share == 0 {
		share = usualShare
	}
	api, err := NewAPI(*c)
	if err != nil {
		return nil, err
	}
	if !c.Endpoint.generates() {
		return nil, &loadgen.InvalidError{Field: "questions with known answers", Value: c.Endpoint,
			Want: "an endpoint that generates text"}
	}
	a := &asker{questions: c.Audit.Questions, every: int(1/share + 0.5), api: api, chat: c.Endpoint == Chat,
		model: c.Models[0]}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a, nil
}

// beganOne is told of each measured request of the level. Where it is time for a question, it is asked meanwhile; one
// that is still in flight has the next left out.
func (a *asker) beganOne() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.beside++; a.beside%a.every != 0 || a.busy || a.closed {
		return
	}
	a.busy = true
	n := a.next % len(a.questions)
	a.next++
	a.flight.Go(func() {
		text, err := a.ask(a.ctx, n)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.busy = false; err != nil {
			a.failed++
			return
		}
		a.answered = append(a.answered, answered{n, text})
	})
}

// ask asks a question, for the most probable answer.
func (a *asker) ask(ctx context.Context, n int) (string, error) {
	q := &a.questions[n]
	body := map[string]any{"max_tokens": q.Tokens, "temperature": 0}
	endpoint := Completions
	if body["prompt"] = q.Prompt; a.chat {
		delete(body, "prompt")
		body["messages"] = json.RawMessage(append(jsontext.AppendString([]byte(`[{"role":"user","content":`),
			q.Prompt), "}]"...))
		endpoint = Chat
	}
	var said struct {
		Choices []struct {
			Text    string
			Message struct{ Content string }
		}
	}
	s := scorer{a.api, a.model}
	if err := s.ask(ctx, endpoint, body, &said); err != nil {
		return "", err
	}
	if len(said.Choices) == 0 {
		return "", errors.New("the answer has no choices")
	}
	return said.Choices[0].Text + said.Choices[0].Message.Content, nil
}

// close ends what is in flight, and waits for it.
func (a *asker) close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.flight.Wait()
}

// rest waits for what is in flight; the end of ctx ends that.
func (a *asker) rest(ctx context.Context) {
	defer context.AfterFunc(ctx, a.cancel)()
	a.flight.Wait()
}

// reset drops the answers of a level before.
func (a *asker) reset(ctx context.Context) {
	if a == nil {
		return
	}
	a.rest(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.beside, a.next, a.answered, a.failed = 0, 0, nil, 0
}

// outcome waits for the last answer and judges all. Those that are wrong are asked again, alone: what is wrong then too
// is none that the model knows.
func (a *asker) outcome(ctx context.Context) (*audit.Known, error) {
	if a == nil {
		return nil, nil
	}
	a.rest(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	k := &audit.Known{Answers: len(a.answered), Failed: a.failed, Beside: a.beside}
	for i, one := range a.answered {
		other := &a.questions[(one.question+1+i/len(a.questions))%len(a.questions)]
		if other.Prompt != a.questions[one.question].Prompt {
			k.Control.Answers++
			if !other.Right(one.text) {
				k.Control.Wrong++
			}
		}
		if a.questions[one.question].Right(one.text) {
			continue
		}
		alone, err := a.ask(ctx, one.question)
		if err != nil {
			return nil, fmt.Errorf("question %d, again: %w", one.question+1, err)
		}
		if a.questions[one.question].Right(alone) {
			k.Wrong++
		} else {
			k.Unknown++
		}
	}
	return k, nil
}

func (a *Audit) validateQuestions() error {
	switch {
	case !(a.Share >= 0 && a.Share <= mostShare):
		return &loadgen.InvalidError{Field: "share of known answers", Value: a.Share,
			Want: "0 (0.01) to 0.05 of the level's requests"}
	case a.Share > 0 && len(a.Questions) == 0:
		return &loadgen.InvalidError{Field: "share of known answers", Value: a.Share, Want: "questions with it"}
	}
	for i, q := range a.Questions {
		if q.Prompt == "" || q.Accept == nil || q.Tokens < 1 {
			return &loadgen.InvalidError{Field: fmt.Sprintf("question %d", i+1), Value: q.Prompt,
				Want: "a prompt, a pattern and a number of tokens, as ReadQuestions makes them"}
		}
	}
	return nil
}
