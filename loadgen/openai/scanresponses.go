package openai

import "bytes"

// The events of /v1/responses, of which these say something here:
//
//	data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"delta":" token"}
//	data: {"type":"response.reasoning_text.delta","delta":"hm"}
//	data: {"type":"response.audio.delta","delta":"UklG"}
//	data: {"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":3,"output_tokens":2}}}
//	data: {"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"},"usage":{…}}}
//	data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"…"}}}
//	data: {"type":"error","message":"…"}
//
// A whole answer is what "response" holds, with the texts in its "output".

// kinds are what the type of an event comes to.
type responseKind int

const (
	otherEvent responseKind = iota
	textDelta
	reasoningDelta
	argumentsDelta
	otherDelta // of what a model says in ways that are not known here, as sounds and the arguments of other tools
	endOfResponse
	failedResponse
)

func kindOf(name []byte) responseKind {
	switch string(name) {
	case "response.output_text.delta", "response.refusal.delta":
		return textDelta
	case "response.reasoning_text.delta", "response.reasoning_summary_text.delta", "response.reasoning.delta":
		return reasoningDelta
	case "response.function_call_arguments.delta":
		return argumentsDelta
	case "response.completed", "response.incomplete", "response.done":
		return endOfResponse
	case "response.failed", "response.cancelled", "error":
		return failedResponse
	}
	switch {
	case !bytes.HasSuffix(name, []byte(".delta")):
		return otherEvent
	case bytes.HasPrefix(name, []byte("response.reasoning")):
		return reasoningDelta
	}
	return otherDelta
}

// scanResponse is scan for an event of a response.
func (s *scanner) scanResponse(data []byte, c *chunk) bool {
	s.data, s.at, s.depth, s.first, s.key = data, 0, 0, false, nil
	s.wanted, s.wrong, s.cut = "", 0, false
	s.mattered, s.noted = true, 0
	*c = chunk{}
	kind, named := otherEvent, false
	var delta []byte
	unread := false // it is no text
	var inside chunk
	for s.enter('{'); s.member(); {
		switch string(s.key) {
		case "type":
			kind, named = kindOf(s.word()), true
		case "delta":
			if s.next() == '"' {
				delta, _ = s.text()
			} else {
				unread = s.filled()
			}
		case "response":
			if s.object() {
				s.response(&inside)
			}
		case "error":
			if s.filled() {
				inside.failed = true
			}
		default:
			s.skip()
		}
	}
	if s.next(); s.at < len(s.data) {
		s.fail(s.at, "the end")
	}
	switch {
	case s.wanted != "":
		return false
	case kind == failedResponse || !named && inside.failed:
		c.failed = true
	case kind == textDelta || kind == reasoningDelta || kind == argumentsDelta || kind == otherDelta:
		c.choices, c.begun = 1, 1
		if c.content = len(delta) > 0 || unread; c.content {
			c.answer = kind != reasoningDelta
		}
		if len(delta) > 0 {
			if kind != otherDelta {
				c.texts = 1
			}
			s.words = append(s.words[:0], delta)
			c.said = s.words
			if kind == textDelta {
				s.heard.add(delta)
			}
		}
	case kind == endOfResponse:
		*c = inside
		// It is no chunk of its own: what the model said came before.
		c.choices, c.content, c.answer, c.texts, c.begun, c.finished = 0, false, false, 0, 1, 1
	}
	c.chosen = true // what is left says nothing, and is no complaint
	return true
}

// scanWholeResponse is scan for a response in one piece.
func (s *scanner) scanWholeResponse(data []byte, c *chunk) bool {
	s.data, s.at, s.depth, s.first, s.key = data, 0, 0, false, nil
	s.wanted, s.wrong, s.cut = "", 0, false
	s.mattered, s.noted = true, 0
	s.words = s.words[:0]
	*c = chunk{}
	s.response(c)
	if s.next(); s.at < len(s.data) {
		s.fail(s.at, "the end")
	}
	c.said = s.words
	return s.wanted == ""
}

// response reads a response.
func (s *scanner) response(c *chunk) {
	for s.enter('{'); s.member(); {
		switch string(s.key) {
		case "status":
			if word := s.word(); irregular(word) {
				c.failed = true
			} else if len(word) > 0 && c.finish == nil {
				c.finish = append([]byte(nil), word...)
			}
		case "incomplete_details":
			if !s.object() {
				continue
			}
			for s.enter('{'); s.member(); {
				if word := s.word(); string(s.key) == "reason" && len(word) > 0 {
					c.finish = append([]byte(nil), word...)
				}
			}
		case "error":
			s.failure(c)
		case "usage":
			if !s.object() {
				continue
			}
			for s.enter('{'); s.member(); {
				s.responseUsage(c)
			}
		case "output":
			if s.next() != '[' {
				s.skip()
				continue
			}
			c.choices, c.begun, c.finished = 1, 1, 1
			for s.enter('['); s.more(']'); {
				s.outputItem(c)
			}
		case "servegauge":
			c.stamped = true
			for s.enter('{'); s.member(); {
				if string(s.key) == "received" {
					s.integer(&c.stamp.received, 64)
				} else {
					s.skip()
				}
			}
		default:
			s.skip()
		}
	}
}

// outputItem reads one: {"type":"message","content":[{"type":"output_text","text":"yes"}]}.
func (s *scanner) outputItem(c *chunk) {
	if !s.object() {
		return
	}
	reasoning := false
	for s.enter('{'); s.member(); {
		switch string(s.key) {
		case "type":
			reasoning = thinks(s.word())
		case "content", "arguments", "summary":
			var one choice
			s.told(&one, reasoning)
			c.content = c.content || one.answer || one.reasoning
			c.answer = c.answer || one.answer
		default:
			s.skip()
		}
	}
}

func (s *scanner) responseUsage(c *chunk) {
	switch string(s.key) {
	case "input_tokens":
		s.count(&c.prompt, 0)
	case "output_tokens":
		s.count(&c.completion, 0)
	case "input_tokens_details":
		if !s.object() {
			return
		}
		for s.enter('{'); s.member(); {
			if string(s.key) == "cached_tokens" {
				s.count(&c.cached, 0)
			} else {
				s.skip()
			}
		}
	default:
		s.skip()
	}
}

// scanVectors is scan for embeddings, or for ranks: an array that is not empty, and how many tokens went in.
//
//	{"object":"list","data":[{"index":0,"embedding":[0.1,0.2]}],"usage":{"prompt_tokens":8,"total_tokens":8}}
//	{"results":[{"index":0,"relevance_score":0.9}],"usage":{"total_tokens":56}}
func (s *scanner) scanVectors(data []byte, c *chunk) bool {
	s.data, s.at, s.depth, s.first, s.key = data, 0, 0, false, nil
	s.wanted, s.wrong, s.cut = "", 0, false
	s.mattered, s.noted = true, 0
	*c = chunk{}
	var total count
	for s.enter('{'); s.member(); {
		switch string(s.key) {
		case "data", "results":
			if s.next() != '[' {
				s.skip()
				continue
			}
			for s.enter('['); s.more(']'); {
				s.skip()
				c.choices, c.begun, c.finished, c.content, c.answer = 1, 1, 1, true, true
			}
		case "usage":
			if !s.object() {
				continue
			}
			for s.enter('{'); s.member(); {
				if string(s.key) == "total_tokens" {
					s.count(&total, 0)
				} else {
					s.usage(c)
				}
			}
		default:
			s.top(c)
		}
	}
	if s.next(); s.at < len(s.data) {
		s.fail(s.at, "the end")
	}
	if !c.prompt.known {
		c.prompt = total
	}
	c.completion = count{0, c.prompt.known}
	c.finish = []byte("whole")
	return s.wanted == ""
}
