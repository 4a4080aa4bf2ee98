package workload

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"github.com/servegauge/servegauge/loadgen"
)

// TalkFile is conversations that were read with [ReadTalks]. Conversation i is number i of the file; when a level has more
// sessions than there are, they begin again at the first. It is a small value; copies share what was read.
type TalkFile struct {
	// Output is how many tokens those turns ask for of which the file does not say. Zero: every one has to say.
	Output Distribution
	// Think is the time from the end of an answer to the next message, in seconds, where the file has none; zero: none.
	Think Distribution
	Seed  uint64 // of Output and Think
	// Recorded has the later turns hold the answers of the file, and not those that the server has given. A turn then is
	// the same whatever the server says.
	Recorded bool
	Name     string // what a [Description] calls the file

	talks []recorded
	order []int // of talks; nil: the file's
	turns int
	sum   string
}

// recorded is a conversation of a file: a linear one, or one of steps.
type recorded struct {
	line  int
	turns []recordedTurn
	steps []step // of a fan-out; nil: turns
}

// A recordedTurn is what comes before an answer, and the answer.
type recordedTurn struct {
	messages []json.RawMessage
	reply    string
	replied  bool // there was an answer
	output   int  // 0: not told
}

// Len is the number of conversations.
func (f TalkFile) Len() int { return len(f.talks) }

// Shuffled is the same conversations in an order that depends on the file's and on the seed alone, which is also the
// one of Output and Think.
func (f TalkFile) Shuffled(seed uint64) TalkFile {
	f.Seed = seed
	f.order = rand.New(rand.NewPCG(seed, uint64(len(f.talks)))).Perm(len(f.talks))
	return f
}

// Turns is the number of requests in all of them.
func (f TalkFile) Turns() int { return f.turns }

// ReadTalks reads conversations, one a line of JSON, or one an element of a JSON array, as ShareGPT's file is:
//
//	{"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}, {"from": "human", …}]}
//	{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "user", …}]}
//	{"requests": [{"id": "plan", …}, …]}
//
// A request is sent for each message of a user that an answer follows, or that is the last; messages of other roles that
// stand before it (system, tool, developer) go with it as they are. A message "max_tokens" or, beside the messages,
// "max_tokens" or "output_tokens" for all of them, says how many tokens to ask for. What ends with an answer ends there.
//
// The third shape fans out and joins: it is an agent's, see the type step, with "after", "continues" and "answers". Other fields are ignored. The error is a [*DatasetError] with the
// number of the first line, or element, that cannot be used; a conversation without a message of a user is one.
func ReadTalks(r io.Reader, limits DatasetLimits) (TalkFile, error) {
	limits, err := limits.filled()
	if err != nil {
		return TalkFile{}, err
	}
	sum := sha256.New()
	in := bufio.NewReaderSize(io.TeeReader(&boundedReader{r, limits.Bytes}, sum), 1<<16)
	f := TalkFile{}
	add := func(n int, text []byte) error {
		if n > limits.Lines {
			return &DatasetError{n, fmt.Errorf("more than %d conversations", limits.Lines)}
		}
		talk, err := parseTalk(text)
		if err != nil {
			return &DatasetError{n, err}
		}
		talk.line = n
		f.turns += len(talk.turns) + len(talk.steps)
		f.talks = append(f.talks, talk)
		return nil
	}
	if err := eachObject(in, limits, add); err != nil {
		return TalkFile{}, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return TalkFile{}, &DatasetError{0, err}
	}
	if len(f.talks) == 0 {
		return TalkFile{}, &DatasetError{0, errors.New("it has no conversations")}
	}
	f.sum = hex.EncodeToString(sum.Sum(nil))
	return f, nil
}

// eachObject calls add with each line of a file that is not empty, or with each element of the array that the file is.
func eachObject(in *bufio.Reader, limits DatasetLimits, add func(n int, text []byte) error) error {
	if first, err := firstByte(in); err == nil && first == '[' {
		elements := json.NewDecoder(in)
		_, _ = elements.Token() // the [
		for n := 1; elements.More(); n++ {
			var text json.RawMessage
			if err := elements.Decode(&text); err != nil {
				return &DatasetError{n, incomplete(err)}
			}
			if len(text) > limits.LineBytes {
				return &DatasetError{n, fmt.Errorf("longer than %d bytes", limits.LineBytes)}
			}
			if err := add(n, text); err != nil {
				return err
			}
		}
		if _, err := elements.Token(); err != nil {
			return &DatasetError{0, fmt.Errorf("the array does not end: %w", incomplete(err))}
		}
		return nil
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, limits.LineBytes+len("\r\n")+1)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			continue
		}
		if !utf8.Valid(line) {
			return &DatasetError{n, errors.New("not UTF-8")}
		}
		if err := add(n, line); err != nil {
			return err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return &DatasetError{n + 1, fmt.Errorf("longer than %d bytes", limits.LineBytes)}
	} else if err != nil {
		return &DatasetError{n + 1, err}
	}
	return nil
}

// firstByte is the first that is no space, which is left to be read, as are a mark before it.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch b {
		case ' ', '\t', '\r', '\n':
		default:
			return b, in.UnreadByte()
		}
	}
}

// message is what is read of one in a file.
type message struct {
	Role      string
	Content   json.RawMessage
	MaxTokens *int `json:"max_tokens"`
}

func parseTalk(text []byte) (recorded, error) {
	var line struct {
		Messages      []json.RawMessage
		Conversations []struct{ From, Value string }
		Requests      []json.RawMessage
		MaxTokens     *int `json:"max_tokens"`
		OutputTokens  *int `json:"output_tokens"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return recorded{}, incomplete(err)
	}
	output := 0
	for _, n := range []*int{line.MaxTokens, line.OutputTokens} {
		if n == nil {
			continue
		}
		if *n < 1 || *n > MaxTokens || output != 0 && output != *n {
			return recorded{}, errors.New("max_tokens: want a number from 1 to 10,000,000")
		}
		output = *n
	}
	switch {
	case line.Requests != nil:
		steps, err := parseFlow(line.Requests)
		return recorded{steps: steps}, err
	case line.Messages == nil && line.Conversations == nil:
		return recorded{}, errors.New("want one of messages, conversations, requests")
	}
	for _, m := range line.Conversations {
		line.Messages = append(line.Messages, shareGPT(m.From, m.Value))
	}
	var c recorded
	var t recordedTurn
	asked := false
	for i, raw := range line.Messages {
		var m message
		if err := json.Unmarshal(raw, &m); err != nil || m.Role == "" {
			return recorded{}, fmt.Errorf("message %d has no role", i)
		}
		if m.Role != "assistant" {
			t.messages = append(t.messages, raw)
			asked = asked || m.Role == "user"
			t.output = output
			if m.MaxTokens != nil {
				if t.output = *m.MaxTokens; t.output < 1 || t.output > MaxTokens {
					return recorded{}, fmt.Errorf("message %d: max_tokens: want a number from 1 to 10,000,000", i)
				}
			}
			continue
		}
		if !asked { // a greeting: it is part of what was said before
			t.messages = append(t.messages, raw)
			continue
		}
		t.replied = true
		if json.Unmarshal(m.Content, &t.reply) != nil { // parts, or null beside a tool's call: it stays as it is
			t.reply = string(m.Content)
		}
		c.turns = append(c.turns, t)
		t, asked = recordedTurn{}, false
	}
	if asked {
		c.turns = append(c.turns, t)
	}
	if len(c.turns) == 0 {
		return recorded{}, errors.New("the session has no turn of a user")
	}
	return c, nil
}

// shareGPT is a message of a ShareGPT file, {"from":"human","value":"hi"}, as one of OpenAI's.
func shareGPT(from, value string) json.RawMessage {
	role := map[string]string{"human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant",
		"bard": "assistant", "assistant": "assistant", "system": "system", "tool": "tool"}[from]
	var h history
	h.add(role, value)
	return json.RawMessage(h[1 : len(h)-1])
}

// Validate returns a [*DatasetError] for the first conversation that does not say how many tokens to ask for, where
// Output does not either.
func (f TalkFile) Validate() error {
	if len(f.talks) == 0 {
		return &loadgen.InvalidError{Field: "conversations", Value: "none", Want: "those of ReadTalks"}
	}
	if !f.Output.IsZero() {
		return f.Output.Counts()
	}
	for _, t := range f.talks {
		for k, turn := range t.turns {
			if turn.output == 0 {
				return &DatasetError{t.line, fmt.Errorf("turn %d has no max_tokens, and there is no Output", k+1)}
			}
		}
		for _, s := range t.steps {
			if s.MaxTokens == 0 {
				return &DatasetError{t.line, fmt.Errorf("request %q has no max_tokens, and there is no Output", s.ID)}
			}
		}
	}
	return nil
}

// Describe says what the conversations are, for [Describe].
func (f TalkFile) Describe(d *Description) {
	d.Prompts, d.File = FromFile, &File{Name: f.Name, SHA256: f.sum, Prompts: len(f.talks)}
	d.Sessions = &SessionShape{Recorded: f.Recorded}
	if !f.Output.IsZero() {
		d.Sessions.Output = f.Output.String()
	}
	if !f.Think.IsZero() {
		d.Sessions.Think = f.Think.String()
	}
	d.Files = append(f.Output.files(), f.Think.files()...)
}

// Conversation implements [Conversations]. The error is that of Validate.
func (f TalkFile) Conversation(i int) (Conversation, error) {
	if len(f.talks) == 0 {
		return nil, f.Validate()
	}
	at := i % len(f.talks)
	if f.order != nil {
		at = f.order[at]
	}
	of := &f.talks[at]
	var own source
	own.Seed(f.Seed, uint64(i))
	if of.steps != nil {
		return newFlow(f, of, own), nil
	}
	return &recordedTalk{file: f, of: of, own: own}, nil
}

// output draws how many tokens to ask for where the file says n, 0: nothing.
func (f TalkFile) output(n int, own *source) int {
	if n == 0 && !f.Output.IsZero() {
		n = f.Output.tokens(own)
	}
	return n
}

type recordedTalk struct {
	file    TalkFile
	of      *recorded
	own     source
	history history
}

func (c *recordedTalk) Next(k int, reply string) ([]Turn, error) {
	if k+1 == len(c.of.turns) {
		return nil, nil
	}
	var pause time.Duration
	if k >= 0 {
		if before := c.of.turns[k]; c.file.Recorded && before.replied {
			reply = before.reply
		}
		c.history.add("assistant", reply)
		pause = seconds(c.file.Think.Draw(&c.own))
	}
	turn := c.of.turns[k+1]
	for _, m := range turn.messages {
		c.history.addRaw(m)
	}
	p := Prompt{Messages: c.history.messages(), Output: c.file.output(turn.output, &c.own)}
	if p.Output == 0 {
		return nil, c.file.Validate()
	}
	return []Turn{{loadgen.FollowUp{Pause: pause, Turn: k + 2}, p}}, nil
}
