package openai

import (
	"bytes"
	"strconv"
)

// What the choices of a chunk hold. Servers have put what a model says into many members:
//
//	{"index":0,"text":" token","finish_reason":null}
//	{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"hm"}}
//	{"index":0,"delta":{"content":[{"type":"thinking","thinking":"hm"}]}}
//	{"index":0,"message":{"role":"assistant","content":"yes","tool_calls":null},"finish_reason":"stop"}
//
// So any member of a delta that is not empty is content, but for the role: it need not be known to be counted.

// A choice is one of the answers that a chunk continues.
type choice struct {
	index             int64 // not 0 only where the user asked for several
	answer, reasoning bool  // there is any
	text              bool  // there is a text, as the tokens of a model are
	finish            []byte
	ids               []byte // of the tokens that were said
}

func (s *scanner) choice(c *chunk) {
	var one choice
	if !s.null() {
		for s.enter('{'); s.member(); {
			switch string(s.key) {
			case "index":
				s.integer(&one.index, strconv.IntSize)
			case "text":
				s.told(&one, false)
			case "finish_reason":
				s.finish(&one)
			case "delta", "message":
				if s.null() {
					continue
				}
				for s.enter('{'); s.member(); {
					s.delta(&one, c)
				}
			case "token_ids":
				one.ids = s.ids(gapIDs)
			case "prompt_token_ids":
				c.promptIDs = s.ids(0)
			case "error":
				s.failure(c)
			default:
				s.skip()
			}
		}
	}
	if one.index == 0 {
		c.saidIDs = one.ids
	}
	bit := uint64(1) << (one.index & 63)
	c.choices++
	c.begun |= bit
	c.content = c.content || one.answer || one.reasoning
	c.answer = c.answer || one.answer
	if one.text {
		c.texts++
	}
	if len(one.finish) > 0 {
		c.finished |= bit
		if !irregular(c.finish) { // of several, one that went wrong goes before the last
			c.finish = one.finish
		}
	}
}

// ids passes over what servers tell token ids as, and returns the array: {"token_ids":[512,7]}. Anything else, such as
// null, is nil. kind is that of the gap that it leaves, 0: it does not vary from chunk to chunk.
func (s *scanner) ids(kind gapKind) []byte {
	if s.next() != '[' {
		s.skip()
		return nil
	}
	data, from := s.data, s.at
	if s.skip(); s.wanted != "" {
		return nil
	}
	if kind != 0 {
		s.note(kind, from)
	}
	return data[from:s.at]
}

// finish takes over a finish_reason. Some servers write the absence of one as a text.
func (s *scanner) finish(one *choice) {
	if s.null() {
		return
	}
	raw, _ := s.text()
	for _, word := range unfinished {
		if len(raw) == len(word) && bytes.EqualFold(raw, word) {
			return
		}
	}
	one.finish = raw
}

// unfinished are the words in which servers say that there is no finish_reason yet, whatever the case.
var unfinished = [][]byte{[]byte("null"), []byte("none"), []byte("nil"), []byte("unfinished"), []byte("not_finished"),
	[]byte("unspecified"), []byte("finish_reason_unspecified")}

// failure takes over what a choice says went wrong.
func (s *scanner) failure(c *chunk) {
	s.next()
	data, start := s.data, s.at
	if s.filled() && s.wanted == "" {
		c.failed, c.failure = true, data[start:s.at]
	}
}

// delta reads a member of a delta, or of a message.
func (s *scanner) delta(one *choice, c *chunk) {
	switch string(s.key) {
	case "role":
		s.skip()
	case "content":
		s.told(one, false)
	case "reasoning_content", "reasoning":
		s.told(one, true)
	case "tool_calls":
		if s.next() != '[' {
			s.said(one, false)
			return
		}
		for s.enter('['); s.more(']'); {
			one.answer = true
			s.skip()
		}
	case "error":
		s.failure(c)
	case "refusal":
		if s.next() == '"' {
			s.told(one, false)
		} else {
			s.said(one, false)
		}
	default:
		// Reasoning is text by whatever name. Of what is not known, such as sounds, a chunk need not be a token.
		reasoning := thinks(s.key)
		found := s.said(one, reasoning)
		one.text = one.text || found && reasoning
	}
}

// told reads what is a text or, in place of one, parts of it.
func (s *scanner) told(one *choice, reasoning bool) {
	switch s.next() {
	case '"':
		from := s.at + 1
		found := s.said(one, reasoning)
		if one.text = found || one.text; s.heard != nil && found && !reasoning && s.wanted == "" {
			s.heard.add(s.data[from : s.at-1])
		}
	case '[', '{', 'n':
		one.text = s.said(one, reasoning) || one.text
	default:
		s.fail(s.at, "a text")
	}
}

// said reads a value of any kind that a model has said, and notes whether there is anything in it.
func (s *scanner) said(one *choice, reasoning bool) (found bool) {
	switch s.next() {
	case '"':
		from := s.at
		raw, _ := s.text()
		if found = len(raw) > 0; found {
			s.note(gapText, from)
			s.words = append(s.words, raw)
		}
	case '[':
		for s.enter('['); s.more(']'); {
			found = s.said(one, reasoning) || found
		}
		return found
	case '{':
		return s.part(one, reasoning)
	default:
		found = s.filled()
	}
	one.reasoning = one.reasoning || found && reasoning
	one.answer = one.answer || found && !reasoning
	return found
}

// part reads a typed part: {"type":"text","text":"yes"}. Its type, its number and its name are no content.
func (s *scanner) part(one *choice, reasoning bool) (found bool) {
	var inside choice
	for s.enter('{'); s.member(); {
		switch string(s.key) {
		case "type":
			reasoning = thinks(s.word()) || reasoning
		case "index", "id", "role":
			s.skip()
		default:
			s.said(&inside, thinks(s.key))
		}
	}
	found = inside.answer || inside.reasoning
	one.reasoning = one.reasoning || inside.reasoning || found && reasoning
	one.answer = one.answer || inside.answer && !reasoning
	return found
}

// thinks reports whether a member or a type is that of reasoning: reasoning_details, thinking, thought.
func thinks(name []byte) bool {
	return bytes.HasPrefix(name, []byte("reasoning")) || bytes.HasPrefix(name, []byte("thinking")) ||
		bytes.HasPrefix(name, []byte("thought"))
}
