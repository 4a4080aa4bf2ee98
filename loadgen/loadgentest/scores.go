package loadgentest

import "strconv"

// What a [Simulated] tells of tokens, as vLLM does: under return_token_ids the ids of prompt and answer, and under
// prompt_logprobs how probable it finds the tokens of a prompt, each beside the most probable one, which is what it
// would have said there itself:
//
//	{"9131":{"logprob":-0.1,"rank":1,"decoded_token":" bcdfg"},"7":{"logprob":-8,"rank":2,"decoded_token":" w7"}}
//
// So it stands by its own answers, and by no others. An [Echo], whose answers mean nothing, tells none of it.

// tells reports whether token ids are told.
func (x *exchange) tells() bool { return x.tellIDs && x.says != 0 }

// promptIDs appends the member that has the ids of the prompt, where they are told.
func (x *exchange) promptIDs(b []byte) []byte {
	if !x.tells() {
		return b
	}
	return appendIDs(append(b, `,"prompt_token_ids":`...), x.promptTokens())
}

// promptTokens are those of the prompt alone: a prefix cache notes the answer's behind them.
func (x *exchange) promptTokens() []uint64 {
	return x.prefix.tokens[:min(x.input, len(x.prefix.tokens))]
}

func appendIDs(b []byte, ids []uint64) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, id, 10)
	}
	return append(b, ']')
}

// scores appends the member that says how probable each token of the prompt is after those before it, where that was
// asked for. Before the first there is nothing.
func (x *exchange) scores(b []byte) []byte {
	if !x.scored || x.says == 0 {
		return b
	}
	b = append(b, `,"prompt_logprobs":[null`...)
	v := voice{x.begins, x.vocab}
	var word [len(token)]byte
	for i, given := range x.promptTokens() {
		if i > 0 {
			own := voice{max(1, v.said), v.vocab}
			said, best := own.next(word[:0])
			b = append(b, ',', '{')
			b = appendScore(b, best, 1, said)
			if given != best {
				b = append(b, ',')
				b = appendScore(b, given, 2, strconv.AppendUint(append(word[:0], " w"...), given, 10))
			}
			b = append(b, '}')
		}
		v.hear(given)
	}
	return append(b, ']')
}

// appendScore appends how probable a token is by its rank: the first one, or any other.
func appendScore(b []byte, id uint64, rank int, text []byte) []byte {
	logprob := bestLogprob
	if rank > 1 {
		logprob = restLogprob
	}
	b = append(b, '"')
	b = strconv.AppendUint(b, id, 10)
	b = append(b, `":{"logprob":`...)
	b = strconv.AppendFloat(b, logprob, 'g', -1, 64)
	b = append(b, `,"rank":`...)
	b = strconv.AppendInt(b, int64(rank), 10)
	b = append(b, `,"decoded_token":`...)
	return append(appendString(b, string(text)), '}')
}
