package openai

import "strconv"

// What a chunk says of tokens: {"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}.

// A count is a number of tokens. A count that is not told is unknown, which is not 0; one that cannot be (−2, 1.5, "a
// lot") is −1.
type count struct {
	n     int
	known bool
}

// possible reports whether a count was told that can be.
func (n count) possible() bool { return n.known && n.n >= 0 }

// usages reads the value of a member "usage".
func (s *scanner) usages(c *chunk) {
	if s.null() {
		c.prompt, c.completion, c.cached, c.accepted, c.rejected = count{}, count{}, count{}, count{}, count{}
		c.media = count{}
		return
	}
	s.mattered = true
	if s.object() {
		for s.enter('{'); s.member(); {
			s.usage(c)
		}
	}
}

func (s *scanner) usage(c *chunk) {
	switch string(s.key) {
	case "prompt_tokens":
		s.count(&c.prompt, 0)
	case "completion_tokens":
		s.count(&c.completion, gapOutput)
	case "total_tokens":
		var total count
		s.count(&total, gapTotal)
	case "prompt_tokens_details":
		if s.null() {
			c.cached, c.media = count{}, count{}
			return
		}
		if s.object() {
			for s.enter('{'); s.member(); {
				switch string(s.key) {
				case "cached_tokens":
					s.count(&c.cached, 0)
				case "image_tokens", "audio_tokens", "video_tokens":
					s.media(c)
				case "multimodal_tokens": // of vLLM by their kinds: {"image":64,"audio":12}
					if s.next() != '{' {
						s.media(c)
						continue
					}
					for s.enter('{'); s.member(); {
						s.media(c)
					}
				default:
					s.skip()
				}
			}
		}
	case "completion_tokens_details":
		if s.null() {
			c.accepted, c.rejected = count{}, count{}
			return
		}
		if s.object() {
			for s.enter('{'); s.member(); {
				switch string(s.key) {
				case "accepted_prediction_tokens":
					s.count(&c.accepted, 0)
				case "rejected_prediction_tokens":
					s.count(&c.rejected, 0)
				default:
					s.skip()
				}
			}
		}
	default:
		s.skip()
	}
}

// media adds a count of tokens that images, sounds or frames are.
func (s *scanner) media(c *chunk) {
	var n count
	if s.count(&n, 0); n.possible() {
		c.media = count{c.media.n + n.n, true}
	}
}

// metrics is where vLLM says how speculative decoding went:
// {"metrics":{"speculative_decoding":{"num_draft_tokens":129,"num_accepted_draft_tokens":10}}}.
func (s *scanner) metrics(c *chunk) {
	if string(s.key) != "speculative_decoding" {
		s.skip()
		return
	}
	if s.null() {
		c.draft, c.draftAccepted = count{}, count{}
		return
	}
	if !s.object() {
		return
	}
	for s.enter('{'); s.member(); {
		switch string(s.key) {
		case "num_draft_tokens":
			s.count(&c.draft, 0)
		case "num_accepted_draft_tokens":
			s.count(&c.draftAccepted, 0)
		default:
			s.skip()
		}
	}
}

// count takes over a count; kind is that of the gap that it leaves, 0: it does not vary from chunk to chunk.
func (s *scanner) count(p *count, kind gapKind) {
	*p = count{}
	switch b := s.next(); {
	case b == 'n':
		s.literal("null")
	case b == '-' || b-'0' <= 9:
		from := s.at
		*p = count{tokens(s.number()), true}
		if kind != 0 {
			s.note(kind, from)
		}
	default:
		s.skip()
		*p = count{-1, true}
	}
}

// tokens is a number of tokens as JSON may write it: 64, 64.0, 6.4e1. It is −1 for what is none.
func tokens(number []byte) int {
	if len(number) > 32 { // as long as a conversion allocates nothing
		return -1
	}
	n := 0
	for _, digit := range number {
		if digit -= '0'; digit > 9 || n > mostTokens {
			return decimalTokens(string(number))
		}
		n = 10*n + int(digit)
	}
	if n > mostTokens {
		return -1
	}
	return n
}

func decimalTokens(number string) int {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0 && f <= mostTokens) || f != float64(int(f)) {
		return -1
	}
	return int(f)
}

// integer takes what fits into so many bits. 1.0 and 1e3 are no integers to encoding/json either.
func (s *scanner) integer(p *int64, size int) {
	if s.null() {
		return
	}
	at := s.at
	raw := s.number()
	// What fits into 64 bits without a sign is faster so: ParseInt takes five times as long.
	if n := len(raw); n > 0 && n <= 19 && raw[0] != '-' {
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
