package loadgentest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	defaultOutput = 16      // tokens, OpenAI's default for completions
	maxOutput     = 1 << 20 // tokens: an answer that is not streamed is held in memory
)

// request is what an answer depends on.
type request struct {
	prefix

	kind        kind   // which endpoint; set by whoever routes
	chat        bool   // the prompt is messages
	model       []byte // unquoted; may alias the body
	input       int    // prompt tokens, at least 1
	maxID       int64  // the largest token id of the prompt, −1 if it has none
	output      int    // tokens, 1 … maxOutput
	stream      bool
	usage       bool // a chunk with the usage at the end of a stream
	continuous  bool // the usage so far in each chunk
	constrained bool // the answer is to have a form
	tellIDs     bool // the token ids of prompt and answer
	scored      bool // how probable the prompt's tokens are

	said      []span // messages that the model is to have said
	documents int    // of rerank
	media     int    // tokens of images and sounds

	begins uint64 // the hash of no prompt, which an adapter changes
	says   uint64 // what is answered: the hash of the prompt; 0: a token after the other
}

// parse reads body into q, keeping q.chat and how much of the prompt is to be
// noted. Its errors are the client's fault.
func (q *request) parse(body []byte) error {
	*q = request{kind: q.kind, chat: q.chat, maxID: -1, said: q.said[:0],
		prefix: prefix{most: q.most, vocab: q.vocab, tokens: q.prefix.tokens[:0]}}
	s := scanner{data: body}
	if s.peek() != '{' {
		if err := s.skip(); err != nil {
			return err
		}
		return errors.New("the request must be a JSON object")
	}
	maxTokens, maxCompletionTokens := int64(-1), int64(-1)
	var prompted bool
	// As in encoding/json, and Python's json, the last of equal keys wins.
	err := s.object(func(key []byte) error {
		switch name := unquote(key); string(name) {
		case "model":
			q.model = nil
			if s.literal("null") {
				return nil
			}
			raw, err := s.str()
			if err != nil {
				return fmt.Errorf("model: %w", err)
			}
			q.model = unquote(raw)
			return nil
		case "prompt":
			if q.chat || q.kind != text {
				return s.skip()
			}
			prompted = true
			if err := q.prompt(&s); err != nil {
				return fmt.Errorf("prompt: %w", err)
			}
			return nil
		case "messages":
			if !q.chat {
				return s.skip()
			}
			prompted = true
			if err := q.messages(&s); err != nil {
				return fmt.Errorf("messages: %w", err)
			}
			return nil
		case "input": // of responses, a text or messages; of embeddings, a text or token ids
			if q.kind != responses && q.kind != embeddings {
				return s.skip()
			}
			prompted = true
			var err error
			if q.kind == responses && s.peek() == '[' {
				err = q.messages(&s)
			} else {
				err = q.prompt(&s)
			}
			if err != nil {
				return fmt.Errorf("input: %w", err)
			}
			return nil
		case "query", "documents": // of rerank: each is text, one after the other
			if q.kind != rerank {
				return s.skip()
			}
			if !prompted {
				q.input, q.maxID = 0, -1
				q.cut(0)
			}
			prompted = true
			return q.texts(&s)
		case "max_output_tokens":
			if q.kind != responses {
				return s.skip()
			}
			return s.tokens("max_output_tokens", &maxTokens)
		case "max_tokens":
			return s.tokens("max_tokens", &maxTokens)
		case "max_completion_tokens":
			return s.tokens("max_completion_tokens", &maxCompletionTokens)
		case "n":
			n := int64(1)
			if s.literal("null") {
				return nil
			}
			if err := s.integer("n", &n); err != nil {
				return err
			}
			if n != 1 {
				return fmt.Errorf("n must be 1, got %d", n)
			}
			return nil
		case "cache_salt":
			q.salt = 0
			if s.literal("null") {
				return nil
			}
			raw, err := s.str()
			if err != nil {
				return fmt.Errorf("cache_salt: %w", err)
			}
			q.salt = hashOf(unquote(raw))
			return nil
		case "stream":
			return s.boolean("stream", &q.stream)
		case "response_format":
			q.constrained = false
			if s.peek() != '{' {
				return s.skip()
			}
			return s.object(func(key []byte) error {
				if name := unquote(key); string(name) != "type" || s.peek() != '"' {
					return s.skip()
				}
				raw, err := s.str()
				q.constrained = err == nil && string(unquote(raw)) != "text"
				return err
			})
		case "return_token_ids":
			return s.boolean("return_token_ids", &q.tellIDs)
		case "prompt_logprobs":
			q.scored = false
			if s.literal("null") {
				return nil
			}
			var tops int64
			q.scored = true
			return s.integer("prompt_logprobs", &tops)
		case "stream_options":
			q.usage, q.continuous = false, false
			if s.literal("null") {
				return nil
			}
			return s.object(func(key []byte) error {
				switch name := unquote(key); string(name) {
				case "include_usage":
					return s.boolean("include_usage", &q.usage)
				case "continuous_usage_stats":
					return s.boolean("continuous_usage_stats", &q.continuous)
				}
				return s.skip()
			})
		}
		return s.skip()
	})
	if err != nil {
		return err
	}
	if s.peek(); s.pos != len(s.data) {
		return s.unexpected("after the request")
	}
	if !prompted {
		if q.chat {
			return errors.New("messages are missing")
		}
		if q.kind != text {
			return errors.New("the input is missing")
		}
		return errors.New("prompt is missing")
	}
	q.continuous = q.continuous && q.usage // as in vLLM
	output := int64(defaultOutput)
	if maxTokens >= 0 {
		output = maxTokens
	}
	if maxCompletionTokens >= 0 {
		output = maxCompletionTokens
	}
	if q.kind == embeddings || q.kind == rerank {
		output, q.stream = 1, false // what the model computes is one step
	}
	if output > maxOutput {
		return fmt.Errorf("max_tokens must be at most %d, got %d", maxOutput, output)
	}
	q.output = int(output)
	return nil
}

// prompt reads a text, an array of token ids, or an array with one of either.
func (q *request) prompt(s *scanner) error {
	q.input, q.maxID = 0, -1
	q.cut(0)
	if s.peek() == '"' {
		return q.text(s)
	}
	elements, batch := 0, false
	err := s.array(func() error {
		c := s.peek()
		elements++
		batch = batch || c == '"' || c == '['
		if batch && elements > 1 {
			return errors.New("more than one prompt in a request")
		}
		switch c {
		case '"':
			return q.text(s)
		case '[':
			return s.array(func() error { return q.id(s) })
		}
		return q.id(s)
	})
	if err == nil && q.input == 0 {
		return errors.New("it is empty")
	}
	return err
}

// id reads one token id.
func (q *request) id(s *scanner) error {
	var id int64
	if err := s.integer("a token id", &id); err != nil {
		return err
	}
	if id < 0 {
		return fmt.Errorf("token id %d is negative", id)
	}
	q.maxID = max(q.maxID, id)
	q.note(uint64(id))
	q.input++
	return nil
}

// text reads a text prompt.
func (q *request) text(s *scanner) error {
	raw, err := s.str()
	q.input = max(1, q.words(raw))
	return err
}

// texts adds a text, or an array of texts.
func (q *request) texts(s *scanner) error {
	if s.peek() != '[' {
		raw, err := s.str()
		q.input += q.words(raw)
		return err
	}
	return s.array(func() error {
		raw, err := s.str()
		q.input += q.words(raw)
		q.documents++
		return err
	})
}

// messages reads a chat: a text in each message's content, or in its parts.
func (q *request) messages(s *scanner) error {
	q.input = 0
	q.cut(0)
	q.said = q.said[:0]
	n := 0
	err := s.array(func() error {
		n++
		content, before, own := 0, len(q.prefix.tokens), false
		err := s.object(func(key []byte) error {
			switch name := unquote(key); {
			case string(name) == "role" && s.peek() == '"':
				raw, err := s.str()
				own = err == nil && string(unquote(raw)) == "assistant"
				return err
			case string(name) != "content":
				return s.skip()
			}
			content = 0
			q.cut(before)
			switch s.peek() {
			case '"':
				raw, err := s.str()
				content = q.words(raw)
				return err
			case '[':
				return s.array(func() error {
					part, before := 0, len(q.prefix.tokens)
					err := s.object(func(key []byte) error {
						switch name := unquote(key); {
						case string(name) == "image_url" && s.peek() == '{', string(name) == "input_audio" &&
							s.peek() == '{':
							n, err := q.medium(s)
							part += n
							return err
						case string(name) != "text" || s.peek() != '"':
							return s.skip()
						}
						raw, err := s.str()
						q.cut(before)
						part = q.words(raw)
						return err
					})
					content += part
					return err
				})
			}
			if !s.literal("null") {
				return s.unexpected("where a message's content should begin")
			}
			return nil
		})
		q.input += content
		if own {
			q.said = append(q.said, span{before, len(q.prefix.tokens)})
		}
		return err
	})
	if err == nil && n == 0 {
		return errors.New("there are none")
	}
	q.input = max(1, q.input)
	return err
}

// integer reads an integer into n.
func (s *scanner) integer(name string, n *int64) error {
	if c := s.peek(); c != '-' && c-'0' > 9 {
		return s.unexpected("where " + name + ", an integer, should begin")
	}
	raw, err := s.number()
	if err != nil {
		return err
	}
	digits, negative := bytes.CutPrefix(raw, []byte("-"))
	v := int64(0)
	for _, c := range digits {
		if c-'0' > 9 || len(digits) > 18 {
			return fmt.Errorf("%s must be an integer, got %s", name, raw)
		}
		v = v*10 + int64(c-'0')
	}
	if negative {
		v = -v
	}
	*n = v
	return nil
}

// tokens reads a number of tokens to generate into n; null means not given, −1.
func (s *scanner) tokens(name string, n *int64) error {
	*n = -1
	if s.literal("null") {
		return nil
	}
	if err := s.integer(name, n); err != nil {
		return err
	}
	if *n < 1 {
		return fmt.Errorf("%s must be at least 1, got %d", name, *n)
	}
	return nil
}

// boolean reads a boolean into b; null means false.
func (s *scanner) boolean(name string, b *bool) error {
	switch {
	case s.literal("true"):
		*b = true
	case s.literal("false"), s.literal("null"):
		*b = false
	default:
		return s.unexpected("where " + name + ", a boolean, should begin")
	}
	return nil
}

// unquote returns the content of a raw JSON string: a part of raw where it
// holds neither escapes nor anything beyond ASCII, which is all but always.
func unquote(raw []byte) []byte {
	for _, c := range raw {
		if c == '\\' || c >= 0x80 {
			var s string
			_ = json.Unmarshal(raw, &s) // cannot fail: the scanner has accepted it
			return []byte(s)
		}
	}
	return raw[1 : len(raw)-1]
}
