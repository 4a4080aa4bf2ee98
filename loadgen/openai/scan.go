package openai

import (
	"bytes"
	"fmt"
)

// This scan is written by hand because every chunk of every stream goes through it, and what it costs looks as if the
// server had been that much slower. Into a struct, encoding/json makes 11 allocations a chunk and takes some ten
// times as long. encoding/json/jsontext allocates nothing either and takes twice as long, but is an experiment, for
// which whoever imports this package would have to build Go programs with GOEXPERIMENT=jsonv2: where it becomes part of
// Go, it is worth another look. Other libraries make a tree, or strings that nobody reads, or take for JSON what is
// none; a client that calls an answer broken must be neither laxer than encoding/json nor stricter.

// maxDepth is how deep arrays and objects may be nested, as in encoding/json.
const maxDepth = 10_000

// A chunk is what an event of a stream, or an answer in one piece, says as far as it matters here.
type chunk struct {
	choices         int    // how many
	begun, finished uint64 // choices that are in it, and that have a finish_reason in it, a bit each, by their index
	content, answer bool   // a choice holds anything; and anything that is not reasoning
	texts           int    // choices that hold a text, which is at least a token each
	finish          []byte // the last finish_reason, as it stands between its quotes

	// What was said, in its order, as it stands between quotes; and arrays of token ids, of the prompt and of what the
	// first choice said, nil where they are not told. All are parts of what was scanned.
	said               [][]byte
	promptIDs, saidIDs []byte

	prompt, completion, cached count // usage
	media                      count // image, audio and multimodal tokens of its prompt_tokens_details
	accepted, rejected         count // its completion_tokens_details, of speculative decoding
	draft, draftAccepted       count // metrics, of the same: all that was proposed

	failed  bool   // it says that something went wrong
	failure []byte // where it says what, a part of what was scanned; nil: anywhere

	// What an event without any choice may be a complaint by: {"code":500,"message":"…"}, {"detail":"…"}.
	chosen bool // there is a member "choices", which may be empty
	says   bool // there is a message
	notice bool // it is of a kind that is no error: {"type":"status","message":"queued"}, {"code":0,"msg":"success"}

	stamped bool
	stamp   stamp
}

// stamp is what a server with a known truth says of itself (package loadgentest), in Unix nanoseconds.
type stamp struct{ received, sent int64 }

// A scanner reads JSON from front to back, once, and allocates nothing. It takes for JSON what encoding/json takes for
// it. Of what the members that are named here may be, it is strict only where nothing could be made of another type:
// choices, their text, delta, message and finish_reason, and the servegauge stamp. A member's name must be
// spelt exactly, as all servers do.
//
// Of a name that is there twice the last value counts, objects are merged, and null leaves a plain value as it was and
// empties an object; but content, complaints and errors are there if any of the values has them.
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

	// The chunks of a stream begin alike: with its id, its model and more that does not matter here, up to the choices.
	// So data that begin as others did need not be read again as far as that, since the same bytes leave the same
	// state.
	opening  [256]byte
	known    int  // bytes of opening, 0: none
	mattered bool // something has been read that matters

	words [][]byte // memory for what a chunk said
	heard *spoken  // what takes the text of the answer; nil: nobody wants it

	gaps  [maxGaps]gap // where the latest data held what varies from chunk to chunk
	noted int          // how many there were, also those that found no room
}

// scan reads data into c and says whether it could.
func (s *scanner) scan(data []byte, c *chunk) bool {
	s.data, s.at, s.depth, s.first, s.key = data, 0, 0, false, nil
	s.wanted, s.wrong, s.cut = "", 0, false
	s.mattered, s.noted = false, 0
	s.words = s.words[:0]
	*c = chunk{}
	switch n := s.known; {
	case n > 0 && len(data) > n && string(data[:n]) == string(s.opening[:n]):
		s.at, s.depth, s.key = n, 1, choices
		for more := true; more; more = s.member() {
			s.top(c)
		}
	case !s.null():
		for s.enter('{'); s.member(); {
			if !s.mattered && string(s.key) == "choices" && s.at <= len(s.opening) {
				s.known = copy(s.opening[:], s.data[:s.at])
			}
			s.top(c)
		}
	}
	if s.next(); s.at < len(s.data) {
		s.fail(s.at, "the end")
	}
	c.said = s.words
	if c.choices == 0 && !c.completion.known && c.says && !c.notice {
		c.failed = true
	}
	return s.wanted == ""
}

var choices = []byte("choices")

// err says why the latest scan failed.
func (s *scanner) err() error {
	return fmt.Errorf("%s wanted at byte %d", s.wanted, s.wrong)
}

// top reads a member of the outermost object.
func (s *scanner) top(c *chunk) {
	switch string(s.key) {
	case "choices":
		s.mattered, c.chosen = true, true
		c.choices, c.begun, c.finished, c.content, c.answer, c.texts = 0, 0, 0, false, false, 0
		c.finish = nil
		if s.null() {
			return
		}
		for s.enter('['); s.more(']'); {
			s.choice(c)
		}
	case "usage":
		s.usages(c)
	case "error", "errors", "error_code": // {"error":{"message":"…"}}, {"text":"…","error_code":50001}
		if s.filled() {
			s.mattered, c.failed = true, true
		}
	case "object", "type": // {"object":"error","message":"…"}, {"type":"invalid_request_error"}
		switch word := s.word(); {
		case isError(word):
			s.mattered, c.failed = true, true
		case len(word) > 0:
			c.notice = true
		}
	case "status", "event": // {"status":"failed"}, {"event":"response.cancelled"}
		switch word := s.word(); {
		case irregular(word):
			s.mattered, c.failed = true, true
		case len(word) > 0:
			c.notice = true
		}
	case "code": // {"code":0,"msg":"success"}, {"code":200,"msg":"OK"}
		if b := s.next(); b-'0' > 9 {
			s.skip()
		} else if n := tokens(s.number()); n == 0 || n/100 == 2 {
			c.notice = true
		}
	case "message", "detail", "msg", "error_message", "error_msg":
		if s.filled() {
			s.mattered, c.says = true, true
		}
	case "x_groq": // {"x_groq":{"id":"req_1","error":"over capacity"}}, {"x_groq":{"usage":{"prompt_tokens":3,…}}}
		if s.mattered = true; s.object() {
			for s.enter('{'); s.member(); {
				switch string(s.key) {
				case "error":
					s.failure(c)
				case "usage":
					s.usages(c)
				default:
					s.skip()
				}
			}
		}
	case "metrics":
		if s.null() {
			c.draft, c.draftAccepted = count{}, count{}
			return
		}
		s.mattered = true
		if s.object() { // no standard says what a server has by that name
			for s.enter('{'); s.member(); {
				s.metrics(c)
			}
		}
	case "prompt_token_ids": // of a chat; completions have it in the choice
		s.mattered = true
		c.promptIDs = s.ids(0)
	case "servegauge":
		s.mattered = true
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
				from := s.at
				s.integer(&c.stamp.sent, 64)
				s.note(gapSent, from)
			default:
				s.skip()
			}
		}
	case "success", "ok": // {"success":false,"reason":"no worker"}
		if s.next() == 'f' {
			c.says = true
		}
		s.skip()
	default:
		if !saysError(s.key) {
			s.noteOther()
		} else if s.filled() {
			s.mattered, c.says = true, true
		}
	}
}

// saysError reports whether a member is one by which gateways say what went wrong, however they write it:
// internalServerException, Error, errorMessage, err, fault. Beside choices it may mean anything.
func saysError(name []byte) bool {
	if len(name) < len("err") || len(name) > 32 {
		return false
	}
	if first, last := name[0]|0x20, name[len(name)-1]|0x20; first != 'e' && last != 'r' && last != 'n' &&
		!(last == 't' && len(name) == len("fault")) {
		return false // as id, created, model and system_fingerprint
	}
	err := name[0]|0x20 == 'e' && bytes.EqualFold(name[:len("err")], []byte("err"))
	if !err && !isError(name) && !bytes.EqualFold(name, []byte("fault")) {
		return false
	}
	for _, b := range name {
		if (b|0x20 < 'a' || b|0x20 > 'z') && b != '_' && b != '-' {
			return false
		}
	}
	return true
}

// isError reports whether the type or object of an event is that of an error: error, BadRequestError,
// InternalException.
func isError(kind []byte) bool {
	if len(kind) == 0 || kind[len(kind)-1]|0x20 != 'r' && kind[len(kind)-1]|0x20 != 'n' {
		return false // as most are
	}
	return endsIn(kind, "error") || endsIn(kind, "exception")
}

// endsIn is bytes.HasSuffix for ASCII, whatever the case.
func endsIn(word []byte, end string) bool {
	return len(word) >= len(end) && bytes.EqualFold(word[len(word)-len(end):], []byte(end))
}

// object passes over a value unless it is an object, of which it says so.
func (s *scanner) object() bool {
	if s.next() == '{' {
		return true
	}
	s.skip()
	return false
}

// nothing reports whether a text where servers say what went wrong says that nothing did.
func nothing(text []byte) bool {
	for _, word := range nothings {
		if len(text) == len(word) && bytes.EqualFold(text, word) {
			return true
		}
	}
	return false
}

var nothings = [][]byte{[]byte("null"), []byte("none"), []byte("nil"), []byte("0"), []byte("ok"), []byte("success"),
	[]byte("false")}

// word passes over a value of any kind and returns it if it is a text that could be one of ours: short and plain.
func (s *scanner) word() []byte {
	if s.next() == '"' {
		return s.plain()
	}
	s.skip()
	return nil
}

// filled passes over a value of any kind and says whether there is anything in it: a text, a number other than 0, true,
// or an array or object that holds such. A text that says that there is nothing is none: "error":"None",
// "error":{"code":"0","message":"success"}.
func (s *scanner) filled() bool {
	found := false
	switch s.next() {
	case '"':
		from := s.at
		word := s.plain()
		return s.at > from+2 && !nothing(word)
	case '{':
		for s.enter('{'); s.member(); {
			found = s.filled() || found
		}
		return found
	case '[':
		for s.enter('['); s.more(']'); {
			found = s.filled() || found
		}
		return found
	case 't':
		s.literal("true")
		return true
	case 'f', 'n':
		s.skip()
		return false
	}
	raw := s.number()
	for _, b := range raw {
		if '1' <= b && b <= '9' {
			return true
		}
		if b == 'e' || b == 'E' {
			break
		}
	}
	return false
}
