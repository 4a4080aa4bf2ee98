package workload

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/internal/jsontext"
)

// Conversations are a workload of sessions: the requests of one user, of which one holds the answer to another. A
// [Workload] is the case of one request each, and needs no more than it does.
//
// One that has a method Describe(*[Description]) says there what it is made of, as a Workload does.
type Conversations interface {
	// Conversation begins conversation i. It is always the same, as far as the answers are; it is called from many
	// goroutines at once.
	Conversation(i int) (Conversation, error)
}

// A Conversation is one session. Its requests are numbered from 0 in the order in which Next has named them.
type Conversation interface {
	// Next names the requests that follow from request k, now that reply is its answer; −1 and "" at the beginning, where
	// there has to be one at least. None: the conversation is over with k, or waits for others of its requests. What
	// goes on alone names one, what fans out several. It is called from one goroutine at a time. An error fails
	// request k.
	Next(k int, reply string) ([]Turn, error)
}

// A Turn is a request of a conversation.
type Turn struct {
	loadgen.FollowUp
	Prompt Prompt // kept until the answer is there
}

// Talks are synthetic conversations: of each, all that is its user's is random words, and the answers in between are
// the server's own. Turn k + 1 begins with all of turn k and its answer, so that a prefix cache finds it; sessions share
// no more than the system prompt. They go to chat, or to responses.
type Talks struct {
	Seed uint64

	Turns  Distribution // of a session, at least 1; zero: 1
	System int          // words of the system prompt, the same in all sessions of a Seed; zero: none
	First  Distribution // words of the user's first message; zero: as Input
	Input  Distribution // words of each message of the user
	Output Distribution // tokens of each answer

	// Think is the time from the end of an answer to the next message, in seconds; zero: none.
	Think Distribution

	// Calibration has the words that are one token each; nil: common words, whose number is not that of tokens.
	Calibration *Calibration
}

// Validate returns a [*loadgen.InvalidError] for the first field that cannot be used.
func (t Talks) Validate() error {
	switch {
	case t.Input.IsZero():
		return &loadgen.InvalidError{Field: "input words", Value: t.Input, Want: "a distribution, such as Fixed(64)"}
	case t.Output.IsZero():
		return &loadgen.InvalidError{Field: "output tokens", Value: t.Output, Want: "a distribution, such as Fixed(64)"}
	case t.System < 0 || t.System > MaxTokens:
		return &loadgen.InvalidError{Field: "system words", Value: t.System, Want: "a number from 0 to 10,000,000"}
	case t.Calibration != nil && len(t.Calibration.Words) == 0:
		return &loadgen.InvalidError{Field: "calibration", Value: "without words", Want: "what Calibrate returns"}
	}
	return cmp.Or(t.Turns.Counts(), t.First.Counts(), t.Input.Counts(), t.Output.Counts())
}

// Describe says what the prompts are, for [Describe].
func (t Talks) Describe(d *Description) {
	d.Prompts, d.InputIn, d.Prefix = Words, InWords, t.System
	if t.Calibration != nil {
		d.InputIn = InTokens
	}
	d.Sessions = &SessionShape{Turns: t.Turns.String(), Input: t.Input.String(), Output: t.Output.String(), Think: t.Think.String()}
	if !t.First.IsZero() {
		d.Sessions.First = t.First.String()
	}
	for _, of := range []Distribution{t.Turns, t.First, t.Input, t.Output, t.Think} {
		d.Files = append(d.Files, of.files()...)
	}
}

// Conversation implements [Conversations]. The error is that of Validate.
func (t Talks) Conversation(i int) (Conversation, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	c := &talk{of: t}
	c.own.Seed(t.Seed, uint64(i))
	c.turns = 1
	if !t.Turns.IsZero() {
		c.turns = t.Turns.tokens(&c.own)
	}
	return c, nil
}

type talk struct {
	of      Talks
	own     source
	turns   int
	history history
}

func (c *talk) Next(k int, reply string) ([]Turn, error) {
	var pause time.Duration
	length := c.of.Input
	switch {
	case k+1 == c.turns:
		return nil, nil
	case k < 0:
		if !c.of.First.IsZero() {
			length = c.of.First
		}
		if c.of.System > 0 {
			var shared source
			shared.Seed(c.of.Seed, ^uint64(0))
			c.history.add("system", c.words(&shared, c.of.System))
		}
	default:
		c.history.add("assistant", reply)
		pause = seconds(c.of.Think.Draw(&c.own))
	}
	c.history.add("user", c.words(&c.own, length.tokens(&c.own)))
	p := Prompt{Messages: c.history.messages(), Output: c.of.Output.tokens(&c.own)}
	return []Turn{{loadgen.FollowUp{Pause: pause, Turn: k + 2}, p}}, nil
}

func (c *talk) words(from *source, n int) string {
	vocabulary := words
	if c.of.Calibration != nil {
		vocabulary = c.of.Calibration.Words
	}
	var text strings.Builder
	text.Grow(6 * n)
	for i := range n {
		if i > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(vocabulary[from.below(len(vocabulary))])
	}
	return text.String()
}

// seconds is a time of so many.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// A history is the messages of a conversation so far, as JSON that grows at its end.
type history []byte

// add adds a message. The texts of messages before must not be in use any more.
func (h *history) add(role, content string) {
	h.open()
	*h = append(*h, `{"role":`...)
	*h = jsontext.AppendString(*h, role)
	*h = append(*h, `,"content":`...)
	*h = jsontext.AppendString(*h, content)
	*h = append(*h, "}]"...)
}

// addRaw adds a message as it is written.
func (h *history) addRaw(message json.RawMessage) {
	h.open()
	*h = append(append(*h, message...), ']')
}

func (h *history) open() {
	if n := len(*h); n > 0 {
		*h = append((*h)[:n-1], ',')
		return
	}
	*h = append(*h, '[')
}

// messages are the messages, good until another is added.
func (h *history) messages() json.RawMessage { return json.RawMessage((*h)[:len(*h):len(*h)]) }
