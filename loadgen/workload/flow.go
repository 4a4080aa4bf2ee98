package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A step is a request of a session that fans out and joins, such as an agent's, which asks for a plan, has parts of it
// done at the same time, each with a tool that takes its time, and asks for what they come to:
//
//	{"requests": [
//	  {"id": "plan", "messages": [{"role": "user", "content": "…"}], "max_tokens": 50},
//	  {"id": "a", "continues": "plan", "messages": […], "pause_ms": 200, "max_tokens": 50},
//	  {"id": "b", "continues": "plan", "messages": […], "pause_ms": 900, "max_tokens": 50},
//	  {"id": "sum", "after": ["a", "b"], "continues": "plan", "answers": ["a", "b"], "messages": […], "max_tokens": 90}]}
//
// A request is due "pause_ms" after all that it comes "after" are over, and the one that it "continues", whose
// messages and answer it begins with; the answers of others that it names in "answers" follow, each as a message of
// the user, and then its own messages. It may name only requests that stand before it, so that there is no circle.
type step struct {
	ID        string            `json:"id"`
	After     []string          `json:"after"`
	Continues string            `json:"continues"`
	Answers   []string          `json:"answers"`
	Messages  []json.RawMessage `json:"messages"`
	MaxTokens int               `json:"max_tokens"`
	PauseMS   float64           `json:"pause_ms"`

	waits []int // all that it comes after, by their place
	from  int   // what it continues; −1: nothing
	turn  int   // the longest way to it, from 1
}

func parseFlow(requests []json.RawMessage) ([]step, error) {
	var steps []step
	at := map[string]int{}
	for i, raw := range requests {
		s := step{from: -1, turn: 1}
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("request %d: %w", i, err)
		}
		_, twice := at[s.ID]
		switch {
		case s.ID == "" || twice:
			return nil, fmt.Errorf("request %d: want an id of its own, not %q", i, s.ID)
		case s.MaxTokens < 0 || s.MaxTokens > MaxTokens:
			return nil, fmt.Errorf("request %q: max_tokens: want a number from 1 to 10,000,000", s.ID)
		case !(s.PauseMS >= 0 && s.PauseMS <= 1e9):
			return nil, fmt.Errorf("request %q: pause_ms: want a number from 0 to 1e9", s.ID)
		case len(s.Messages) == 0 && len(s.Answers) == 0:
			return nil, fmt.Errorf("request %q has no messages", s.ID)
		}
		for j, m := range s.Messages {
			var known message
			if json.Unmarshal(m, &known) != nil || known.Role == "" {
				return nil, fmt.Errorf("request %q: message %d has no role", s.ID, j)
			}
		}
		named := slices.Concat(s.After, s.Answers)
		if s.Continues != "" {
			named = append(named, s.Continues)
		}
		for _, id := range named {
			k, known := at[id]
			if !known {
				return nil, fmt.Errorf("request %q names %q, which does not stand before it", s.ID, id)
			}
			if !slices.Contains(s.waits, k) {
				s.waits = append(s.waits, k)
			}
			s.turn = max(s.turn, steps[k].turn+1)
			if id == s.Continues {
				s.from = k
			}
		}
		at[s.ID] = i
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, errors.New("the session has no requests")
	}
	return steps, nil
}

// A flow is a session of steps under way.
type flow struct {
	file    TalkFile
	steps   []step
	own     source
	replies []string
	over    []bool
	named   []int     // of each request by its number in the session, the step
	history []history // of each step, as it was sent
}

func newFlow(f TalkFile, of *recorded, own source) *flow {
	n := len(of.steps)
	return &flow{file: f, steps: of.steps, own: own, replies: make([]string, n), over: make([]bool, n),
		history: make([]history, n)}
}

// Next implements [Conversation].
func (c *flow) Next(k int, reply string) ([]Turn, error) {
	done := -1
	if k >= 0 {
		done = c.named[k]
		c.replies[done], c.over[done] = reply, true
	}
	var turns []Turn
	for i := range c.steps {
		s := &c.steps[i]
		due := done < 0 && len(s.waits) == 0 || slices.Contains(s.waits, done)
		for _, w := range s.waits {
			due = due && c.over[w]
		}
		if !due {
			continue
		}
		p := Prompt{Messages: c.messages(i), Output: c.file.output(s.MaxTokens, &c.own)}
		if p.Output == 0 {
			return nil, c.file.Validate()
		}
		c.named = append(c.named, i)
		pause := time.Duration(s.PauseMS * float64(time.Millisecond))
		turns = append(turns, Turn{loadgen.FollowUp{Pause: pause, Turn: s.turn}, p})
	}
	return turns, nil
}

func (c *flow) messages(i int) json.RawMessage {
	s := &c.steps[i]
	var h history
	if s.from >= 0 {
		h = slices.Clone(c.history[s.from])
		h.add("assistant", c.replies[s.from])
	}
	for _, id := range s.Answers {
		h.add("user", c.replies[slices.IndexFunc(c.steps, func(o step) bool { return o.ID == id })])
	}
	for _, m := range s.Messages {
		h.addRaw(m)
	}
	c.history[i] = h
	return h.messages()
}
