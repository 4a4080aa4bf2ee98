package workload

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// RandomTokens is a workload of prompts of random token ids. Unless a Prefix is asked for, no two share a prefix worth
// caching, whether of one level or of levels with different seeds.
type RandomTokens struct {
	Seed          uint64
	Input, Output int // tokens of each prompt and of each answer, at least 1 each

	// InputMax and OutputMax let the lengths differ from request to request: uniformly from Input to InputMax and from
	// Output to OutputMax, both included and independent of each other. Zero: exactly Input, exactly Output.
	InputMax, OutputMax int

	// Lengths, where there are any, are drawn in the place of the four above.
	Lengths Lengths

	// Prefix is how many tokens at the start of a prompt, of its Input and not beside them, come from a prefix that
	// other prompts of the same Seed share, so that a prefix cache has something to find. Zero: none. The first prompt
	// of each prefix finds nothing yet.
	Prefix int

	// Prefixes is how many different prefixes there are, taken in turn: prompt i begins with number i mod Prefixes.
	// Zero: 1.
	Prefixes int

	// Low and High bound the ids, Low ≤ id < High. Zero: 1,000 and 4,000, which lie inside every vocabulary of 4,000
	// tokens or more, above the bytes and special tokens at the start and below the special tokens at the end. For
	// more, or for a smaller vocabulary: [SafeTokens].
	Low, High int
}

// SafeTokens are the Low and High of [RandomTokens] for a vocabulary of so many tokens: without its first 1,000 (of a
// small one its first quarter) and its last sixteenth, where bytes, special tokens and placeholders of images are. No
// tokenizer is read: a model that has special tokens elsewhere needs a range of its own.
func SafeTokens(vocabulary int) (low, high int) {
	return min(1000, vocabulary/4), vocabulary - vocabulary/16
}

// Validate returns a [*loadgen.InvalidError] for the first field that cannot be used.
func (w RandomTokens) Validate() error {
	if err := w.shape().validate("tokens"); err != nil {
		return err
	}
	if low, high := w.bounds(); low < 0 || high <= low {
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

func (w RandomTokens) shape() shape {
	return shape{w.Seed, w.Input, w.InputMax, w.Output, w.OutputMax, w.Prefix, w.Prefixes, w.Lengths}
}

// Prompt implements [Workload]. The error is that of Validate.
func (w RandomTokens) Prompt(i int, p *Prompt) error {
	if err := w.Validate(); err != nil {
		return err
	}
	low, high := w.bounds()
	shared, own := w.shape().draw(i, p)
	prefix := min(w.Prefix, p.Input)
	for range prefix {
		p.Tokens = append(p.Tokens, low+shared.below(high-low))
	}
	for range p.Input - prefix {
		p.Tokens = append(p.Tokens, low+own.below(high-low))
	}
	return nil
}

// RandomWords is a workload of text: short words at random, for endpoints that take no token ids. How many tokens that
// makes is the tokenizer's and the chat template's affair. With a Calibration prompts have as many tokens as they
// should; without, the server's count will differ from Input, and results say so.
type RandomWords struct {
	Seed          uint64
	Input, Output int // words of each prompt (with a Calibration: tokens) and tokens of each answer, at least 1 each

	// As in [RandomTokens], with words for the tokens of a prompt. What a chat template puts in front of the words
	// comes on top of a Prefix.
	InputMax, OutputMax int
	Lengths             Lengths
	Prefix, Prefixes    int

	// Calibration makes Input and InputMax numbers of tokens, of which all but its Overhead are words. Nil: of words.
	Calibration *Calibration
}

// Validate returns a [*loadgen.InvalidError] for the first field that cannot be used.
func (w RandomWords) Validate() error {
	c := w.Calibration
	if c == nil {
		return w.shape().validate("words")
	}
	if err := w.shape().validate("tokens"); err != nil {
		return err
	}
	switch {
	case len(c.Words) == 0 || c.Overhead < 0:
		return &loadgen.InvalidError{Field: "calibration", Value: fmt.Sprintf("%d words, overhead %d", len(c.Words),
			c.Overhead), Want: "what Calibrate returns"}
	case w.Lengths.IsZero() && w.Input <= c.Overhead:
		return &loadgen.InvalidError{Field: "input tokens", Value: w.Input,
			Want: fmt.Sprintf("more than the %d that every prompt has, such as the chat template's", c.Overhead)}
	case w.Lengths.IsZero() && w.Prefix > w.Input-c.Overhead:
		return &loadgen.InvalidError{Field: "prefix tokens", Value: w.Prefix,
			Want: fmt.Sprintf("no more than the input's without the %d that every prompt has", c.Overhead)}
	}
	return nil
}

func (w RandomWords) shape() shape {
	return shape{w.Seed, w.Input, w.InputMax, w.Output, w.OutputMax, w.Prefix, w.Prefixes, w.Lengths}
}

// Prompt implements [Workload]. The error is that of Validate.
func (w RandomWords) Prompt(i int, p *Prompt) error {
	if err := w.Validate(); err != nil {
		return err
	}
	shared, own := w.shape().draw(i, p)
	vocabulary, length := words, p.Input
	if c := w.Calibration; c != nil {
		vocabulary, length = c.Words, max(1, p.Input-c.Overhead)
	}
	var text strings.Builder
	text.Grow(6 * length)
	for n := range length {
		if n > 0 {
			text.WriteByte(' ')
		}
		from := &own
		if n < w.Prefix {
			from = &shared
		}
		text.WriteString(vocabulary[from.below(len(vocabulary))])
	}
	p.Text = text.String()
	return nil
}

// A shape is what random workloads have in common.
type shape struct {
	seed                uint64
	input, inputMax     int
	output, outputMax   int
	prefix, prefixCount int
	lengths             Lengths
}

func (s shape) validate(unit string) error {
	if !s.lengths.IsZero() {
		// a prompt shorter than the prefix has a part of it
		s.input, s.inputMax, s.output, s.outputMax = MaxTokens, 0, 1, 0
		if err := s.lengths.validate(); err != nil {
			return err
		}
	}
	switch {
	case s.input < 1 || s.input > MaxTokens:
		return &loadgen.InvalidError{Field: "input " + unit, Value: s.input, Want: "a number from 1 to 10,000,000"}
	case s.inputMax != 0 && (s.inputMax < s.input || s.inputMax > MaxTokens):
		return &loadgen.InvalidError{Field: "most input " + unit, Value: s.inputMax,
			Want: "0, or a number from the least to 10,000,000"}
	case s.output < 1 || s.output > MaxTokens:
		return &loadgen.InvalidError{Field: "output tokens", Value: s.output, Want: "a number from 1 to 10,000,000"}
	case s.outputMax != 0 && (s.outputMax < s.output || s.outputMax > MaxTokens):
		return &loadgen.InvalidError{Field: "most output tokens", Value: s.outputMax,
			Want: "0, or a number from the least to 10,000,000"}
	case s.prefix < 0 || s.prefix > s.input:
		return &loadgen.InvalidError{Field: "prefix " + unit, Value: s.prefix,
			Want: "a number from 0 to the input's, which it is part of"}
	case s.prefixCount < 0:
		return &loadgen.InvalidError{Field: "number of prefixes", Value: s.prefixCount, Want: "0 or more"}
	}
	return nil
}

// draw sets the lengths of prompt i, and returns the sources of its prefix and of the rest.
func (s shape) draw(i int, p *Prompt) (shared, own source) {
	own.Seed(s.seed, uint64(i))
	p.Input, p.Output = s.input, s.output
	if s.inputMax > s.input {
		p.Input += own.below(s.inputMax - s.input + 1)
	}
	if s.outputMax > s.output {
		p.Output += own.below(s.outputMax - s.output + 1)
	}
	if !s.lengths.IsZero() {
		p.Input, p.Output = s.drawLengths(i)
	}
	shared.Seed(s.seed, ^uint64(i%max(s.prefixCount, 1))) // prompts count up from 0, prefixes down from the end
	return shared, own
}

// drawLengths draws from a source of its own, which is on the heap: others need none.
func (s shape) drawLengths(i int) (input, output int) {
	from := new(source)
	from.Seed(s.seed+0x6c65_6e67, uint64(i))
	return s.lengths.Draw(from)
}

// A source gives random numbers. Unlike a [rand.Rand] it needs no memory of the heap.
type source struct{ rand.PCG }

// below is a number from 0 to n − 1. The odds differ by less than n in 2⁶⁴.
func (s *source) below(n int) int {
	high, _ := bits.Mul64(s.Uint64(), uint64(n))
	return int(high)
}
