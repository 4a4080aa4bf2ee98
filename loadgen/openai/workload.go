package openai

import (
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/servegauge/servegauge/loadgen"
)

// A Workload makes the prompts of a level. It is seeded when it is built; from then on prompt i is always the same.
type Workload interface {
	// Prompt writes prompt i into p, which is empty but may bring memory along. It is called from many goroutines
	// at once, and must not keep p.
	Prompt(i int, p *Prompt) error
}

// A Prompt is what one request asks for.
type Prompt struct {
	Tokens []int  // token ids, to be appended to; empty: Text
	Text   string // used where Tokens is empty
	Input  int    // tokens that the server should count in the prompt, 0: not known beforehand
	Output int    // tokens to generate
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

// RandomTokens is a workload of prompts that are Input random token ids long and ask for Output tokens. No two share
// a prefix worth caching, whether of one level or of levels with different seeds.
type RandomTokens struct {
	Seed          uint64
	Input, Output int // tokens, at least 1 each

	// Low and High bound the ids, Low ≤ id < High. Zero: 1,000 and 4,000, which lie inside every vocabulary of 4,000
	// tokens or more, above the bytes and special tokens at the start and below the special tokens at the end.
	Low, High int
}

// Validate returns a [*loadgen.InvalidError] for the first field that cannot be used.
func (w RandomTokens) Validate() error {
	low, high := w.bounds()
	switch {
	case w.Input < 1 || w.Input > 10_000_000:
		return &loadgen.InvalidError{Field: "input tokens", Value: w.Input, Want: "a number from 1 to 10,000,000"}
	case w.Output < 1 || w.Output > 10_000_000:
		return &loadgen.InvalidError{Field: "output tokens", Value: w.Output, Want: "a number from 1 to 10,000,000"}
	case low < 0 || high <= low:
		return &loadgen.InvalidError{Field: "token ids", Value: [2]int{low, high}, Want: "0 ≤ low < high"}
	}
	return nil
}

func (w RandomTokens) bounds() (low, high int) {
	if w.Low == 0 && w.High == 0 {
		return 1000, 4000
	}
	return w.Low, w.High
}

// Prompt implements [Workload].
func (w RandomTokens) Prompt(i int, p *Prompt) error {
	if err := w.Validate(); err != nil {
		return err
	}
	low, high := w.bounds()
	random := rand.New(rand.NewPCG(w.Seed, uint64(i)))
	for range w.Input {
		p.Tokens = append(p.Tokens, low+random.IntN(high-low))
	}
	p.Input, p.Output = w.Input, w.Output
	return nil
}

// RandomWords is a workload of text: Input short words at random, for endpoints that take no token ids. How many
// tokens that makes is the tokenizer's and the chat template's affair, so the server's count will differ from Input,
// and results say so.
type RandomWords struct {
	Seed          uint64
	Input, Output int // words and tokens, at least 1 each
}

// Validate returns a [*loadgen.InvalidError] for the first field that cannot be used.
func (w RandomWords) Validate() error {
	if w.Input < 1 || w.Input > 10_000_000 {
		return &loadgen.InvalidError{Field: "input words", Value: w.Input, Want: "a number from 1 to 10,000,000"}
	}
	return RandomTokens{Input: w.Input, Output: w.Output}.Validate()
}

// Prompt implements [Workload].
func (w RandomWords) Prompt(i int, p *Prompt) error {
	if err := w.Validate(); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(w.Seed, uint64(i)))
	var text strings.Builder
	for n := range w.Input {
		if n > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(words[random.IntN(len(words))])
	}
	p.Text, p.Input, p.Output = text.String(), w.Input, w.Output
	return nil
}

// words are common enough to be one token each for most tokenizers.
var words = strings.Fields(`time year day man woman child world life hand part place case week work home water room
	fact month book eye job word side kind head house page night point city line name team hour game car body back
	door art war party end law air force power money road light heart form music food state north south east west`)
