package openai

import (
	"fmt"
	"strconv"
)

// This scan is written by hand because every chunk of every stream goes through it, and what it costs looks as if the
// server had been that much slower. Into a struct, encoding/json makes 11 allocations a chunk and takes some ten
// times as long. encoding/json/jsontext allocates nothing either and takes twice as long, but is an experiment, for
// which whoever imports this package would have to build Go programs with GOEXPERIMENT=jsonv2: where it becomes part of
// Go, it is worth another look. Other libraries make a tree, or strings that nobody reads, or take for JSON what is
// none; a client that calls an answer broken must be neither laxer than encoding/json nor stricter.

// maxDepth is how deep arrays and objects may be nested, as in encoding/json.
const maxDepth = 10_000

// A chunk is what an event of a stream, or an answer in one piece, says as far as it matters here. The texts
// themselves do not: only whether there are any.
type chunk struct {
	choices         int    // how many
	begun, finished uint64 // choices that are in it, and that have a finish_reason in it, a bit each, by their index
	content         bool   // a choice holds text, reasoning or a call of a tool
	answer          bool   // a choice holds text or a call of a tool

	prompt, completion, cached count // usage
	accepted, rejected         count // its completion_tokens_details, of speculative decoding
	draft, draftAccepted       count // metrics, of the same: all that was proposed

	failed  bool   // {"object":"error"}
	failure []byte // the value of "error", a part of what was scanned; nil: none

	stamped bool
	stamp   stamp
}

// A count is a number of tokens. A count that is not told is unknown, which is not 0.
type count struct {
	n     int
	known bool
}

// stamp is what a server with a known truth says of itself (package loadgentest), in Unix nanoseconds.
type stamp struct{ received, sent int64 }

// A choice is one of the answers that a chunk continues.
type choice struct {
	index                                      int64 // not 0 only where the user asked for several
	text, content, reasoningContent, reasoning bool
	toolCalls, finishReason                    bool
}

// hasContent tells a token from a chunk that only opens or closes the answer.
func (c *choice) hasContent() bool {
	return c.isAnswer() || c.reasoningContent || c.reasoning
}

// isAnswer tells the answer from the reasoning before it.
func (c *choice) isAnswer() bool { return c.text || c.content || c.toolCalls }

// A scanner reads JSON from front to back, once, and allocates nothing. It rejects what json.Unmarshal would reject
// that decodes into a struct of the members named here: other bytes than JSON, and other types than these members
// have. It differs in two ways. A member's name must be spelt exactly, as all servers do, where encoding/json ignores
// case. And of two "choices" the last is taken alone, where encoding/json mixes their elements. Of any other
// name that is there twice the last value counts and objects are merged, as in encoding/json; null leaves a text or a
// plain number as it was, and empties the rest.
//
// After a failure there is nothing left to read, so that each loop ends; what a chunk then says means nothing.
type scanner struct {
	data  []byte
	at    int
	depth int
	first bool   // the array or object at at was just opened
	key   []byte // the name of the latest member, without escapes

	wanted string // what was missing, empty unless the scan failed
	wrong  int    // where
	cut    bool   // the data ended too early; nothing else is wrong with it

	name [32]byte // a key that had escapes

	// The chunks of a stream begin alike: with its id, its model and more that does not matter here, up to the choices. So
	// data that begin as others did need not be read again as far as that, since the same bytes leave the same state.
	opening [256]byte
	known   int // bytes of opening, 0: none
}

// scan reads data into c and says whether it could.
func (s *scanner) scan(data []byte, c *chunk) bool {
	s.data, s.at, s.depth, s.first, s.key = data, 0, 0, false, nil
	s.wanted, s.wrong, s.cut = "", 0, false
	*c = chunk{}
	switch n := s.known; {
	case n > 0 && len(data) > n && string(data[:n]) == string(s.opening[:n]):
		s.at, s.depth, s.key = n, 1, choices
		for more := true; more; more = s.member() {
			s.top(c)
		}
	case !s.null():
		for s.enter('{'); s.member(); {
			s.remember(c)
			s.top(c)
		}
	}
	if s.next(); s.at < len(s.data) {
		s.fail(s.at, "the end")
	}
	return s.wanted == ""
}

var choices = []byte("choices")

// remember takes what has been read for the opening of the chunks to come, if the choices are next and nothing has mattered
// so far.
func (s *scanner) remember(c *chunk) {
	if string(s.key) == "choices" && s.at <= len(s.opening) && c.choices == 0 && c.failure == nil && !c.failed && !c.stamped &&
		!c.prompt.known && !c.completion.known && !c.cached.known && !c.accepted.known && !c.rejected.known &&
		!c.draft.known && !c.draftAccepted.known {
		s.known = copy(s.opening[:], s.data[:s.at])
	}
}

// err says why the latest scan failed.
func (s *scanner) err() error {
	return fmt.Errorf("%s wanted at byte %d", s.wanted, s.wrong)
}

func (s *scanner) top(c *chunk) {
	switch string(s.key) {
	case "choices":
		c.choices, c.begun, c.finished, c.content, c.answer = 0, 0, 0, false, false
		if s.null() {
			return
		}
		for s.enter('['); s.more(']'); {
			s.choice(c)
		}
	case "usage":
		if s.null() {
			c.prompt, c.completion, c.cached, c.accepted, c.rejected = count{}, count{}, count{}, count{}, count{}
			return
		}
		for s.enter('{'); s.member(); {
			s.usage(c)
		}
	case "error":
		c.failure = nil
		if s.null() {
			return
		}
		data, start := s.data, s.at // at the value: null has skipped the space before it
		s.skip()
		if s.wanted == "" {
			c.failure = data[start:s.at]
		}
	case "object":
		c.failed = false
		if s.next() != '"' {
			s.skip()
			return
		}
		c.failed = string(s.plain()) == "error"
	case "metrics":
		if s.null() {
			c.draft, c.draftAccepted = count{}, count{}
			return
		}
		if s.next() != '{' { // no standard says what a server has by that name
			s.skip()
			return
		}
		for s.enter('{'); s.member(); {
			s.metrics(c)
		}
	case "servegauge":
		if s.null() {
			c.stamped, c.stamp = false, stamp{}
			return
		}
		c.stamped = true
		for s.enter('{'); s.member(); {
			switch string(s.key) {
			case "received":
				s.integer(&c.stamp.received, 64)
			case "sent":
				s.integer(&c.stamp.sent, 64)
			default:
				s.skip()
			}
		}
	default:
		s.skip()
	}
}

func (s *scanner) choice(c *chunk) {
	var one choice
	if !s.null() {
		for s.enter('{'); s.member(); {
			switch string(s.key) {
			case "index":
				s.integer(&one.index, strconv.IntSize)
			case "text":
				s.filled(&one.text)
			case "finish_reason":
				s.filled(&one.finishReason)
			case "delta":
				if s.null() {
					continue
				}
				for s.enter('{'); s.member(); {
					s.delta(&one)
				}
			default:
				s.skip()
			}
		}
	}
	bit := uint64(1) << (one.index & 63)
	c.choices++
	c.begun |= bit
	c.content = c.content || one.hasContent()
	c.answer = c.answer || one.isAnswer()
	if one.finishReason {
		c.finished |= bit
	}
}

func (s *scanner) delta(one *choice) {
	switch string(s.key) {
	case "content":
		s.filled(&one.content)
	case "reasoning_content":
		s.filled(&one.reasoningContent)
	case "reasoning":
		s.filled(&one.reasoning)
	case "tool_calls":
		one.toolCalls = false
		if s.null() {
			return
		}
		for s.enter('['); s.more(']'); {
			one.toolCalls = true
			s.skip()
		}
	default:
		s.skip()
	}
}

func (s *scanner) usage(c *chunk) {
	switch string(s.key) {
	case "prompt_tokens":
		s.count(&c.prompt)
	case "completion_tokens":
		s.count(&c.completion)
	case "prompt_tokens_details":
		if s.null() {
			c.cached = count{}
			return
		}
		for s.enter('{'); s.member(); {
			if string(s.key) == "cached_tokens" {
				s.count(&c.cached)
			} else {
				s.skip()
			}
		}
	case "completion_tokens_details":
		if s.null() {
			c.accepted, c.rejected = count{}, count{}
			return
		}
		for s.enter('{'); s.member(); {
			switch string(s.key) {
			case "accepted_prediction_tokens":
				s.count(&c.accepted)
			case "rejected_prediction_tokens":
				s.count(&c.rejected)
			default:
				s.skip()
			}
		}
	default:
		s.skip()
	}
}

// metrics is where vLLM says how speculative decoding went.
func (s *scanner) metrics(c *chunk) {
	if string(s.key) != "speculative_decoding" {
		s.skip()
		return
	}
	if s.null() {
		c.draft, c.draftAccepted = count{}, count{}
		return
	}
	if s.next() != '{' {
		s.skip()
		return
	}
	for s.enter('{'); s.member(); {
		switch string(s.key) {
		case "num_draft_tokens":
			s.count(&c.draft)
		case "num_accepted_draft_tokens":
			s.count(&c.draftAccepted)
		default:
			s.skip()
		}
	}
}

// filled notes whether a string has anything in it.
func (s *scanner) filled(p *bool) {
	if s.null() {
		return
	}
	raw, _ := s.text()
	*p = len(raw) > 0
}

func (s *scanner) count(p *count) {
	*p = count{}
	if s.null() {
		return
	}
	var n int64
	s.integer(&n, strconv.IntSize)
	*p = count{int(n), true}
}

// integer takes what fits into so many bits. 1.0 and 1e3 are no integers to encoding/json either.
func (s *scanner) integer(p *int64, size int) {
	if s.null() {
		return
	}
	at := s.at
	raw := s.number()
	if n := len(raw); n > 0 && n <= 19 && raw[0] != '-' { // fits into 64 bits without a sign; ParseInt takes five times as long
		var u uint64
		for _, digit := range raw {
			if digit -= '0'; digit > 9 {
				s.fail(at, "an integer")
				return
			}
			u = 10*u + uint64(digit)
		}
		if u > 1<<(size-1)-1 {
			s.fail(at, "an integer")
		}
		*p = int64(u)
		return
	}
	n, err := strconv.ParseInt(string(raw), 10, size)
	if err != nil {
		s.fail(at, "an integer")
	}
	*p = n
}
