package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// maxReply bounds, in bytes, the text of an answer that a conversation goes on from.
const maxReply = 16 << 20

// A session is a conversation with the server.
type session struct {
	target *Target
	i      int

	mu    sync.Mutex
	of    workload.Conversation // nil: a request of the workload, by itself
	named int
	asks  map[int]*ask // those that are not over
}

// An ask is a request of a conversation, and then its answer.
type ask struct {
	prompt workload.Prompt
	turn   int
	reply  string
}

// Session implements [loadgen.Sessions]: conversation i. All of its requests ask the same model. Without Conversations
// it is of the one request that is prompt i.
func (t *Target) Session(i int) (loadgen.Session, error) {
	s := &session{target: t, i: i, asks: map[int]*ask{}}
	if t.config.Conversations == nil {
		return s, nil
	}
	of, err := t.config.Conversations.Conversation(i)
	if err != nil {
		return nil, err
	}
	s.of = of
	return s, nil
}

// begins performs the first request of conversation i, and no other: what a level of single requests has of sessions.
func (t *Target) begins(ctx context.Context, i int, r *loadgen.Record, keeps *kept) error {
	s, err := t.Session(i)
	if err != nil {
		return err
	}
	if _, err := s.Next(-1); err != nil {
		return err
	}
	return s.(*session).ask(ctx, 0, r, keeps)
}

// Next implements [loadgen.Session].
func (s *session) Next(k int) ([]loadgen.FollowUp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		if k < 0 {
			return []loadgen.FollowUp{{Turn: 1}}, nil
		}
		return nil, nil
	}
	var reply string
	if a := s.asks[k]; a != nil {
		reply = a.reply
		delete(s.asks, k)
	}
	turns, err := s.of.Next(k, reply)
	if err != nil {
		return nil, err
	}
	named := make([]loadgen.FollowUp, len(turns))
	for n, turn := range turns {
		s.asks[s.named] = &ask{prompt: turn.Prompt, turn: turn.Turn}
		named[n] = turn.FollowUp
		s.named++
	}
	return named, nil
}

// Do implements [loadgen.Session].
func (s *session) Do(ctx context.Context, k int, r *loadgen.Record) error {
	if s.of == nil {
		return s.target.Do(ctx, s.i, r)
	}
	return s.target.keeping(s.i, k+1, r, func(keeps *kept) error { return s.target.told(s.ask(ctx, k, r, keeps), r) })
}

// ask is Do, with what is kept of the answer in keeps; nil: nothing is.
func (s *session) ask(ctx context.Context, k int, r *loadgen.Record, keeps *kept) error {
	s.mu.Lock()
	a := s.asks[k]
	s.mu.Unlock()
	if a == nil {
		return fmt.Errorf("request %d of session %d was not named", k, s.i)
	}
	body, err := s.target.prepare(&a.prompt, s.i, r, keeps)
	if err != nil {
		return fmt.Errorf("session %d, request %d: %w", s.i, k, err)
	}
	defer body.release()
	var text spoken
	body.heard = &text
	if err = body.advise(s.target.post(ctx, body, r)); err != nil {
		return err
	}
	keeps.ask(body.json)
	a.reply, err = text.text()
	return err
}

// spoken is the text of an answer as it is wanted for what follows from it, in JSON between its quotes: half a
// character at the end of a chunk is whole with the next.
type spoken struct {
	raw  []byte
	long bool
}

// add adds what a chunk says. Nobody who does not want it hears it.
func (h *spoken) add(raw []byte) {
	if h == nil {
		return
	}
	if len(h.raw)+len(raw) > maxReply {
		h.long = true
		return
	}
	h.raw = append(h.raw, raw...)
}

// text is all that was heard.
func (h *spoken) text() (text string, err error) {
	if h.long {
		return "", protocolError("the answer is longer than the %d MiB that a conversation can go on from",
			maxReply>>20)
	}
	quoted := append(append([]byte{'"'}, h.raw...), '"')
	if err := json.Unmarshal(quoted, &text); err != nil {
		return "", protocolError("the answer's text: %v", err)
	}
	return text, nil
}
