package loadgentest

import "hash/fnv"

// What a [Simulated] server says is a function of the prompt: each token of the answer is a word of five letters that
// depends on all tokens before it, of the prompt and of the answer, as from a model that is asked for its most
// probable ones. Whoever has a prompt can tell the answer, [Answer]; the server itself tells of a chat whether the
// answers in it are those that it gives there ([Counts.Turns]), and of any prompt how probable it finds its tokens
// (see scores.go). An answer that went to another's session, or a turn that is missing, is seen.

// letters of the words. None of them makes a word of a language.
const letters = "bcdfghjklmnpqrstvwxz"

// defaultVocab is the size of the vocabulary of which words have ids where the server has no limit.
const defaultVocab = 32000

// wordID is the token id of a word, the same wherever it stands.
func wordID(word []byte, vocab int) uint64 {
	if vocab == 0 {
		vocab = defaultVocab
	}
	h := fnv.New32a()
	_, _ = h.Write(word) // a hash's Write cannot fail
	return uint64(h.Sum32()) % uint64(vocab)
}

// A voice is what the model would say next.
type voice struct {
	said  uint64 // the hash of all that was said; 0: it says the same token again and again
	vocab int
}

// next appends the most probable word, with the space that separates it, and goes on from there. id is its token id.
func (v *voice) next(b []byte) (said []byte, id uint64) {
	if v.said == 0 {
		return append(b, token...), 0
	}
	from := len(b) + 1
	b = append(b, ' ')
	x := mix(v.said)
	for range len(token) - 1 {
		b = append(b, letters[x%uint64(len(letters))])
		x /= uint64(len(letters))
	}
	id = wordID(b[from:], v.vocab)
	v.hear(id)
	return b, id
}

// hear goes on from a token that was said.
func (v *voice) hear(id uint64) { v.said = mix(v.said ^ mix(id)) }

// hashTokens goes on with the hash of a prompt, which begins with 0.
func hashTokens(h uint64, tokens []uint64) uint64 {
	v := voice{said: h}
	for _, t := range tokens {
		v.hear(t)
	}
	return v.said
}

// Answer is what a [Simulated], without a VocabSize, answers in so many tokens to a text, or to the texts of a chat's
// messages one after the other.
func Answer(prompt string, tokens int) string {
	p := prefix{most: maxBody}
	p.text([]byte(prompt))
	v := voice{said: max(1, hashTokens(0, p.tokens))}
	var b []byte
	for range tokens {
		b, _ = v.next(b)
	}
	return string(b)
}

// A span is a part of the noted tokens of a prompt: a message that the model is to have said.
type span struct{ from, to int }

// ownWords reports how many messages of a chat the model is to have said, and how many of these it would have said
// otherwise.
func (q *request) ownWords() (turns, strange int) {
	v, at := voice{q.begins, q.vocab}, 0
	var word [len(token)]byte
	for _, m := range q.said {
		if m.to > len(q.prefix.tokens) {
			break
		}
		v.said, at = hashTokens(v.said, q.prefix.tokens[at:m.from]), m.from
		turns++
		for own, i := (voice{max(1, v.said), q.vocab}), m.from; i < m.to; i++ {
			if _, id := own.next(word[:0]); id != q.prefix.tokens[i] {
				strange++
				break
			}
		}
	}
	return turns, strange
}

// voice is the one that answers.
func (q *request) voice() voice { return voice{q.says, q.vocab} }

// noteAnswer notes what will be answered as a cache has it: a number for each token.
func (q *request) noteAnswer() {
	var word [len(token)]byte
	v := q.voice()
	for range q.output {
		_, id := v.next(word[:0])
		q.note(id)
	}
}
