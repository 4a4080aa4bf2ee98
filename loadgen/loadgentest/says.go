package loadgentest

// What a [Simulated] server says is a function of the prompt: token j of the answer is a word of five letters that
// depends on all tokens of the prompt and on j. Whoever has a prompt can tell the answer, [Answer]; the server itself
// tells of a chat whether the answers in it are those that it gives there ([Counts.Turns]). An answer that went to
// another's session, or a turn that is missing, is seen.

// letters of the words. None of them makes a word of a language.
const letters = "bcdfghjklmnpqrstvwxz"

// appendToken appends token j of the answer to a prompt of that hash, with the space that separates it.
func appendToken(b []byte, prompt uint64, j int) []byte {
	x := mix(prompt + uint64(j)*0x9e3779b97f4a7c15)
	b = append(b, ' ')
	for range len(token) - 1 {
		b = append(b, letters[x%uint64(len(letters))])
		x /= uint64(len(letters))
	}
	return b
}

// hashTokens goes on with the hash of a prompt, which begins with 0.
func hashTokens(h uint64, tokens []uint64) uint64 {
	for _, t := range tokens {
		h = mix(h ^ mix(t))
	}
	return h
}

// Answer is what a [Simulated] answers in so many tokens to a text, or to the texts of a chat's messages one after the
// other.
func Answer(prompt string, tokens int) string {
	p := prefix{most: maxBody}
	p.text([]byte(prompt))
	h := hashTokens(0, p.tokens)
	var b []byte
	for j := range tokens {
		b = appendToken(b, h, j)
	}
	return string(b)
}

// A span is a part of the noted tokens of a prompt: a message that the model is to have said.
type span struct{ from, to int }

// ownWords reports how many messages of a chat the model is to have said, and how many of these it would have said
// otherwise.
func (q *request) ownWords() (turns, strange int) {
	h, at := q.begins, 0
	var word [len(token)]byte
	for _, m := range q.said {
		if m.to > len(q.prefix.tokens) {
			break
		}
		h, at = hashTokens(h, q.prefix.tokens[at:m.from]), m.from
		turns++
		for j, t := range q.prefix.tokens[m.from:m.to] {
			if hashOf(appendToken(word[:0], h, j)[1:]) != t {
				strange++
				break
			}
		}
	}
	return turns, strange
}

// answerHashes notes what will be answered as a cache has it: a number for each token.
func (q *request) noteAnswer() {
	var word [len(token)]byte
	for j := range q.output {
		q.note(hashOf(appendToken(word[:0], q.says, j)[1:]))
	}
}
