package openai

import (
	"iter"
	"sync"

	"github.com/servegauge/servegauge/loadgen/workload"
)

// pooled is a Prompt with memory for token ids. A workload may as well point Tokens at ids of its own, which must not
// be handed to the next prompt to write into; so it is the memory that is kept, not what a prompt came back with.
type pooled struct {
	workload.Prompt
	memory []int
}

var prompts = sync.Pool{New: func() any { return new(pooled) }}

// reset empties the prompt, with room for as many token ids as the former one had.
func (p *pooled) reset() {
	if cap(p.memory) < len(p.Tokens) {
		p.memory = make([]int, 0, len(p.Tokens))
	}
	p.Prompt = workload.Prompt{Tokens: p.memory}
}

// checkPrompts checks the prompts that are known beforehand, those of a [workload.Dataset]: whether they can be used,
// and whether the endpoint takes their kind.
func checkPrompts(w workload.Workload, endpoint Endpoint) error {
	known, ok := w.(interface {
		Validate() error
		All() iter.Seq2[int, *workload.Prompt]
	})
	if !ok {
		return nil
	}
	if err := known.Validate(); err != nil {
		return err
	}
	for line, p := range known.All() {
		switch {
		case endpoint.inText() && len(p.Tokens) > 0:
			return &workload.DatasetError{Line: line, Err: errTokensToChat}
		case endpoint != Chat && endpoint != Responses && len(p.Messages) > 0:
			return &workload.DatasetError{Line: line, Err: errMessagesToCompletions}
		}
	}
	return nil
}
