package openai

import (
	"bytes"
	"hash/maphash"
)

// A digest is a hash of an answer's text as it came, in whatever chunks: FNV-1a of 64 bits, a byte at a time, of the
// JSON between the quotes. A hash of each chunk, such as maphash's, was rejected: the same answer in other chunks
// would have another one.
type digest struct {
	hash     uint64 // 0: there was no text
	replaced bool   // it has a U+FFFD in it, which stands where bytes were no text
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// add continues the text.
func (d *digest) add(raw []byte) {
	h := d.hash
	if h == 0 {
		h = fnvOffset
	}
	odd := false
	for _, b := range raw {
		h = (h ^ uint64(b)) * fnvPrime
		odd = odd || b == 0xef || b == '\\'
	}
	d.hash = h
	if odd && !d.replaced {
		d.replaced = bytes.Contains(raw, replacement) || containsFold(raw, `\ufffd`)
	}
}

var replacement = []byte("\ufffd")

// promptSeed is of the hashes of what was asked, which are compared within one process alone.
var promptSeed = maphash.MakeSeed()
