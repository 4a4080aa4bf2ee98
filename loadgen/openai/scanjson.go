package openai

import (
	"encoding/binary"
	"math/bits"
)

// What is here knows JSON and nothing of servers.

// fail ends the scan: wanted should have stood at at. Only the first failure counts.
func (s *scanner) fail(at int, wanted string) {
	if s.wanted == "" {
		s.wanted, s.wrong, s.cut = wanted, at, at >= len(s.data)
	}
	s.data, s.at, s.first = nil, 0, false
}

// next is the next byte that is no space, 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.data); s.at++ {
		switch b := s.data[s.at]; b {
		case ' ', '\t', '\r', '\n':
		default:
			return b
		}
	}
	return 0
}

// enter opens an array or an object.
func (s *scanner) enter(open byte) {
	if s.next() != open {
		s.fail(s.at, "another type")
		return
	}
	if s.depth++; s.depth > maxDepth {
		s.fail(s.at, "a flatter value")
		return
	}
	s.at++
	s.first = true
}

// more goes to the next element of an array or an object, or closes it and is false.
func (s *scanner) more(closing byte) bool {
	b := s.next()
	first := s.first
	s.first = false
	switch {
	case b == closing:
		s.at++
		s.depth--
		return false
	case first:
		return true
	case b == ',':
		s.at++
		return true
	}
	s.fail(s.at, "a comma or the end of a list")
	return false
}

// member goes to the value of an object's next member, or closes the object and is false.
func (s *scanner) member() bool {
	if !s.more('}') {
		return false
	}
	s.key = s.plain()
	if s.next() != ':' {
		s.fail(s.at, "a colon")
		return false
	}
	s.at++
	return true
}

// skip passes over a value of any kind.
func (s *scanner) skip() {
	switch s.next() {
	case '"':
		s.text()
	case '{':
		for s.enter('{'); s.member(); {
			s.skip()
		}
	case '[':
		for s.enter('['); s.more(']'); {
			s.skip()
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}

// null passes over a null, and is false where there is something else.
func (s *scanner) null() bool {
	if s.next() != 'n' {
		return false
	}
	s.literal("null")
	return true
}

func (s *scanner) literal(word string) {
	for i := range len(word) {
		if s.at+i >= len(s.data) || s.data[s.at+i] != word[i] {
			s.fail(s.at+i, word)
			return
		}
	}
	s.at += len(word)
}

// number passes over a number. What may follow it is for the caller to say.
func (s *scanner) number() []byte {
	s.next()
	start := s.at
	s.oneOf("-")
	if !s.oneOf("0") && !s.digits() {
		return nil
	}
	if s.oneOf(".") && !s.digits() {
		return nil
	}
	if s.oneOf("eE") {
		s.oneOf("+-")
		if !s.digits() {
			return nil
		}
	}
	return s.data[start:s.at]
}

// oneOf passes over a byte if it is one of those in set.
func (s *scanner) oneOf(set string) bool {
	if s.at < len(s.data) {
		for i := range len(set) {
			if s.data[s.at] == set[i] {
				s.at++
				return true
			}
		}
	}
	return false
}

// digits passes over one digit or more, and fails if there is none.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.data) && s.data[s.at]-'0' <= 9 {
		s.at++
	}
	if s.at == start {
		s.fail(s.at, "a value")
		return false
	}
	return true
}

// text passes over a string and returns what is between its quotes, and whether there are escapes in it. It need not
// be UTF-8.
func (s *scanner) text() (raw []byte, escaped bool) {
	if s.next() != '"' {
		s.fail(s.at, "a string")
		return nil, false
	}
	data := s.data
	start := s.at + 1
	for i := start; ; {
		for i+8 <= len(data) {
			if m := special(binary.LittleEndian.Uint64(data[i:])); m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		switch {
		case i >= len(data):
			s.fail(i, "the end of a string")
			return nil, false
		case data[i] == '"':
			s.at = i + 1
			return data[start:i], escaped
		case data[i] == '\\':
			escaped = true
			if i = s.escape(i); i < 0 {
				return nil, false
			}
		case data[i] < ' ':
			s.fail(i, "an escape for a control character")
			return nil, false
		default:
			i++
		}
	}
}

// special has the highest bit of a byte set where w has a byte that is a quote, a backslash or a control character.
// Only the lowest one that is set can be relied upon, because the subtractions borrow from the bytes above.
func special(w uint64) uint64 {
	const each = 0x0101010101010101
	quote, backslash := w^each*'"', w^each*'\\'
	return ((quote-each)&^quote | (backslash-each)&^backslash | (w-each*' ')&^w) & (each * 0x80)
}

// escape returns what follows the escape at i, or fails and returns −1.
func (s *scanner) escape(i int) int {
	i++
	if i < len(s.data) {
		switch s.data[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return i + 1
		case 'u':
			for range 4 {
				if i++; i >= len(s.data) || hex(s.data[i]) < 0 {
					s.fail(i, "a hexadecimal digit")
					return -1
				}
			}
			return i + 1
		}
	}
	s.fail(i, "an escape")
	return -1
}

// hex is the value of a hexadecimal digit, −1 if b is none.
func hex(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

// plain passes over a string and returns it without escapes, or nothing where it cannot be one of the names that are
// looked for: those are short and printable ASCII.
func (s *scanner) plain() []byte {
	raw, escaped := s.text()
	if !escaped {
		return raw
	}
	name := s.name[:0]
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		if b == '\\' {
			i++
			switch b = raw[i]; b {
			case 'b', 'f', 'n', 'r', 't':
				return nil
			case 'u':
				c := hex(raw[i+1])<<12 | hex(raw[i+2])<<8 | hex(raw[i+3])<<4 | hex(raw[i+4])
				if c > '~' {
					return nil
				}
				b = byte(c)
				i += 4
			}
		}
		if len(name) == cap(name) {
			return nil
		}
		name = append(name, b)
	}
	return name
}
