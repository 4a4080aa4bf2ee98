package openai

import (
	"encoding/json"
	"sync"
)

// A Workload makes the prompts of a level. It is seeded when it is built; from then on prompt i is always the same.
type Workload interface {
	// Prompt writes prompt i into p, which is empty but may bring memory along. It is called from many goroutines
	// at once, and must not keep p.
	Prompt(i int, p *Prompt) error
}

// A Prompt is what one request asks for. Its content is the first of Body, Tokens, Messages and Text that is not empty.
type Prompt struct {
	Tokens   []int           // token ids, to be appended to; for Completions
	Text     string          // for Chat it is the one message, of the user
	Messages json.RawMessage // a JSON array of messages, sent as it is; for Chat

	// Body is a whole request, a JSON object without "stream" and "stream_options", sent as it is: no max_tokens,
	// temperature or ignore_eos is added, whatever Output says. Only what the measurement needs is put in front of its
	// fields: the model, where it names none, stream and stream_options; and [Config].Body is applied as to any other.
	Body json.RawMessage

	Model  string // which model is asked; "": the one that the [Config] has for this request
	Input  int    // tokens that the server should count in the prompt, 0: not known beforehand
	Output int    // tokens to generate; in a Body that leaves the end to the model, 0: not known beforehand
}

// pooled is a Prompt with memory for token ids. A workload may as well point Tokens at ids of its own, which must not
// be handed to the next prompt to write into; so it is the memory that is kept, not what a prompt came back with.
type pooled struct {
	Prompt
	memory []int
}

var prompts = sync.Pool{New: func() any { return new(pooled) }}

// reset empties the prompt, with room for as many token ids as the former one had.
func (p *pooled) reset() {
	if cap(p.memory) < len(p.Tokens) {
		p.memory = make([]int, 0, len(p.Tokens))
	}
	p.Prompt = Prompt{Tokens: p.memory}
}
