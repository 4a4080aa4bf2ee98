package workload

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// A Tree is prompts that share their beginnings as those of an application do: all the same system prompt, many the same
// block of tools, and of these some the same document. Each prompt takes one way through the levels, by chance and the
// Seed, and goes on with tokens of its own. How much of them a prefix cache can find is known beforehand:
// [Tree.Shared].
type Tree struct {
	Seed   uint64
	Levels []TreeLevel
	Own    Distribution // tokens of the prompt that it shares with none, at least 1
	Output Distribution // tokens of the answer

	// Low and High bound the token ids, as in [RandomTokens]; zero: 1,000 and 4,000.
	Low, High int
	Text      bool // words in the place of token ids, as in [Trace]
}

// A TreeLevel is one level of a [Tree].
type TreeLevel struct {
	Tokens   int // of each node
	Branches int // how many different nodes each node of the level above has, at least 1
}

// ParseTree reads the levels of a tree, tokens and branches: "1000x1,400x8,200x16".
func ParseTree(text string) ([]TreeLevel, error) {
	var levels []TreeLevel
	for part := range strings.SplitSeq(text, ",") {
		tokens, branches, ok := strings.Cut(strings.TrimSpace(part), "x")
		n, err1 := strconv.Atoi(tokens)
		b, err2 := strconv.Atoi(branches)
		if !ok || err1 != nil || err2 != nil {
			return nil, &loadgen.InvalidError{Field: "tree", Value: strconv.Quote(text), Want: "TOKENSxBRANCHES of each level, " +
				"with commas between, such as 1000x1,400x8"}
		}
		levels = append(levels, TreeLevel{n, b})
	}
	return levels, Tree{Levels: levels, Own: Fixed(1), Output: Fixed(1)}.Validate()
}

// Validate returns a [*loadgen.InvalidError] for the first field that cannot be used.
func (t Tree) Validate() error {
	for i, l := range t.Levels {
		if l.Tokens < 1 || l.Tokens > MaxTokens || l.Branches < 1 || l.Branches > 1<<30 {
			return &loadgen.InvalidError{Field: fmt.Sprintf("level %d of the tree", i), Value: l,
				Want: "tokens from 1 to 10,000,000 and branches from 1 to 2³⁰"}
		}
	}
	switch {
	case len(t.Levels) == 0:
		return &loadgen.InvalidError{Field: "levels of the tree", Value: 0, Want: "at least 1"}
	case t.Own.IsZero() || t.Output.IsZero():
		return &loadgen.InvalidError{Field: "lengths of the tree", Value: fmt.Sprint(t.Own, ", ", t.Output), Want: "distributions of " +
			"the prompt's own tokens and of the answer's"}
	}
	return cmp.Or(t.Own.Counts(), t.Output.Counts())
}

// AsText is the tree in words: for endpoints that take no token ids.
func (t Tree) AsText() Workload {
	t.Text = true
	return t
}

// way draws the nodes that prompt i goes through, by their streams of numbers, and its lengths.
func (t Tree) way(i int, nodes []uint64) (way []uint64, own, output int) {
	var by source
	by.Seed(t.Seed, uint64(i))
	h := uint64(0x7265_6500)
	for _, l := range t.Levels {
		h = h*0x9e3779b97f4a7c15 + uint64(by.below(l.Branches)) + 1
		nodes = append(nodes, h)
	}
	return nodes, t.Own.tokens(&by), t.Output.tokens(&by)
}

// Prompt implements [Workload]. The error is that of Validate.
func (t Tree) Prompt(i int, p *Prompt) error {
	if err := t.Validate(); err != nil {
		return err
	}
	var room [8]uint64
	nodes, own, output := t.way(i, room[:0])
	p.Output = output
	low, high := t.Low, t.High
	if low == 0 && high == 0 {
		low, high = 1000, 4000
	}
	var text strings.Builder
	put := func(from *source, n int) {
		p.Input += n
		for range n {
			if t.Text {
				text.WriteString(words[from.below(len(words))])
				text.WriteByte(' ')
			} else {
				p.Tokens = append(p.Tokens, low+from.below(high-low))
			}
		}
	}
	for k, node := range nodes {
		var shared source
		shared.Seed(t.Seed, ^node)
		put(&shared, t.Levels[k].Tokens)
	}
	var rest source
	rest.Seed(t.Seed+1, uint64(i))
	put(&rest, own)
	if t.Text {
		p.Text, p.Input = strings.TrimSpace(text.String()), 0
	}
	return nil
}

// Shared is how many input tokens the first n prompts have, and how many of these a prefix cache finds that has all
// room, keeps whole blocks of so many tokens, and has ended with each prompt before the next one comes: the most that it
// can find. The prompts' own tokens are taken to have nothing in common.
func (t Tree) Shared(n, block int) (shared, input int) {
	block = max(block, 1)
	known := map[uint64]bool{}
	var room [8]uint64
	for i := range n {
		nodes, own, _ := t.way(i, room[:0])
		found, whole, at := true, 0, 0
		for k, node := range nodes {
			at += t.Levels[k].Tokens
			if found = found && known[node]; found {
				whole = at
			}
			known[node] = true
		}
		input += at + own
		shared += whole / block * block
	}
	return shared, input
}

// Describe says what the prompts are, for [Describe].
func (t Tree) Describe(d *Description) {
	d.Prompts, d.InputIn = TokenIDs, InTokens
	if t.Text {
		d.Prompts, d.InputIn = Words, InWords
	}
	for _, l := range t.Levels {
		d.Tree = append(d.Tree, fmt.Sprintf("%dx%d", l.Tokens, l.Branches))
	}
	d.Lengths = fmt.Sprintf("own %v, output %v", t.Own, t.Output)
	d.Files = append(t.Own.files(), t.Output.files()...)
}
