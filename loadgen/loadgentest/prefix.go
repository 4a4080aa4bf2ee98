package loadgentest

import (
	"bytes"
	"hash/fnv"
)

// prefix is what a prompt is made of, for a cache that finds again what begins as
// another did: the id of each token. Words count as tokens do where the
// prompt is a text. The zero prefix notes nothing: only a server with a prefix cache
// pays for it.
type prefix struct {
	most   int // tokens to note; a prompt of more is refused anyway
	vocab  int // of words; 0: the default
	salt   uint64
	tokens []uint64
}

// note appends a token.
func (p *prefix) note(token uint64) {
	if len(p.tokens) < p.most {
		p.tokens = append(p.tokens, token)
	}
}

// word appends a word of a text.
func (p *prefix) word(w []byte) {
	if p.most > 0 {
		p.note(wordID(w, p.vocab))
	}
}

// cut takes back all but the first n tokens noted.
func (p *prefix) cut(n int) { p.tokens = p.tokens[:min(n, len(p.tokens))] }

// hashes returns the hash of each full block of so many tokens, chained: equal ones
// stand for equal blocks after equal blocks. It is nil where nothing was noted to
// be, and empty for a prompt of less than a block. An exchange is used again while
// an engine may still look at its last job, so that the slice is new.
func (p *prefix) hashes(size int) []uint64 {
	if p.most == 0 {
		return nil
	}
	hs := make([]uint64, 0, len(p.tokens)/size)
	h := p.salt
	for i, token := range p.tokens {
		h = mix(h ^ mix(token))
		if (i+1)%size == 0 {
			hs = append(hs, h)
		}
	}
	return hs
}

// mix spreads a number over all bits: splitmix64's step. It need not withstand
// those who look for collisions, who would only deceive themselves.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hashOf(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b) // a hash's Write cannot fail
	return h.Sum64()
}

// words counts and notes the words of a raw JSON string that white space
// separates. A raw string of nil, from a scanner that failed, has none.
func (p *prefix) words(raw []byte) int {
	if raw == nil {
		return 0
	}
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') >= 0 { // \n and \t are white space too
		text = unquote(raw)
	}
	return p.text(text)
}

// text counts and notes the words of a text.
func (p *prefix) text(text []byte) int {
	n := 0
	for w := range bytes.FieldsSeq(text) {
		p.word(w)
		n++
	}
	return n
}
