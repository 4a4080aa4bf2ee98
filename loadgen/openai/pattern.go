package openai

// A pattern is a chunk of a stream as it was read, with the gaps in which the next one will differ: its text and, where
// the server tells them, its tokens and its stamp. Of
//
//	data: {"id":"cmpl-1","model":"m","choices":[{"index":0,"text":" token","finish_reason":null}],"usage":null}
//
// all is the same from one to the next but what is between the quotes of the text. What is the same leaves the same
// state of a scan, so that it need not be read again: comparing it costs a tenth of that. Whatever does not fit is
// scanned in full.
type pattern struct {
	event   []byte // with its name and its empty line; none: no pattern is known
	gaps    [maxGaps]gap
	n       int
	more    int    // bytes at its end that are of the next
	answer  bool   // its text is none of reasoning
	text    []byte // of the event that it fitted last, between its quotes
	missed  int    // shapes in a row that nothing fitted
	patient int    // how many events will be scanned before one is learnt again
}

// A gap is where in an event something varies.
type gap struct {
	kind     gapKind
	from, to uint32
}

type gapKind uint8

const (
	gapText   gapKind = iota + 1 // with its quotes
	gapOutput                    // completion_tokens
	gapTotal                     // total_tokens
	gapSent                      // the servegauge stamp, with the space before it
	gapIDs                       // token_ids, with their brackets
	gapString                    // another text of the outermost object, such as an id: where these differ, too
	gapNumber                    // another number of it
)

const (
	maxGaps    = 8
	maxLoose   = 4       // so many gaps leave no room for the last two kinds, only for the others
	maxPattern = 1 << 10 // bytes: 10,000 streams have 10,000 of them
	patience   = 32      // where each event differs from the one before in more than the gaps, learning is all cost
)

// note notes that a value that varies from chunk to chunk stood from from on.
func (s *scanner) note(kind gapKind, from int) {
	if s.noted < maxGaps {
		s.gaps[s.noted] = gap{kind, uint32(from), uint32(s.at)} // what is longer is no pattern
	}
	s.noted++
}

// noteOther notes a value that may vary from chunk to chunk, and means nothing.
func (s *scanner) noteOther() {
	switch b := s.next(); {
	case b == '"':
		from := s.at
		if s.text(); s.noted < maxLoose {
			s.note(gapString, from)
		}
	case b-'0' <= 9:
		from := s.at
		if s.number(); s.noted < maxLoose {
			s.note(gapNumber, from)
		}
	default:
		s.skip()
	}
}

// learn takes event, whose data begin at at and have just been scanned into c, for the pattern of those to come. Its
// last more bytes are of the next. It forgets the pattern where chunks to come may differ in more than the gaps.
func (p *pattern) learn(event []byte, at, more int, s *scanner, c *chunk) {
	if p.event = p.event[:0]; p.patient > 0 {
		p.patient--
		return
	}
	if len(event) == 0 || len(event) > maxPattern || s.noted > maxGaps ||
		c.choices != 1 || !c.content || c.finished != 0 || c.failed {
		return
	}
	var has [gapNumber + 1]int
	p.n = 0
	for _, g := range s.gaps[:s.noted] {
		if g.kind >= gapString && p.missed < 2 {
			continue // it is the same in all chunks, as far as is known
		}
		has[g.kind]++
		p.gaps[p.n] = gap{g.kind, g.from + uint32(at), g.to + uint32(at)}
		p.n++
	}
	if has[gapText] != 1 || has[gapOutput] > 1 || has[gapSent] > 1 || has[gapIDs] > 1 || c.texts != 1 ||
		(has[gapOutput] == 1) != c.completion.known || (has[gapSent] == 1) != c.stamped ||
		(has[gapIDs] == 1) != (c.saidIDs != nil) || c.promptIDs != nil {
		return
	}
	p.event, p.more, p.answer = append(p.event, event...), more, c.answer
	copied := *c
	if p.fits(event, s, &copied) != len(event)-more { // a number that is not as expected
		p.event = p.event[:0]
	}
	if p.missed++; p.missed > 5 {
		p.patient = patience
	}
}

// match is fits for a stream.
func (p *pattern) match(text []byte, s *scanner, c *chunk) int {
	n := p.fits(text, s, c)
	if n > 0 {
		p.missed = 0
		if s.heard != nil && c.answer {
			s.heard.add(p.text)
		}
	}
	return n
}

// fits reports of how many bytes the event is that text begins with, if it has this pattern, and changes c, which is of
// an event of this pattern, to what it says. Otherwise it returns 0, and c means nothing.
func (p *pattern) fits(text []byte, s *scanner, c *chunk) int {
	if len(p.event) == 0 || len(text) == 0 {
		return 0
	}
	at, in := 0, 0 // in the event, and in the text
	for i := range p.gaps[:p.n] {
		g := &p.gaps[i]
		same := p.event[at:g.from]
		if len(text)-in < len(same) || string(text[in:in+len(same)]) != string(same) {
			return 0
		}
		in += len(same)
		switch g.kind {
		case gapIDs:
			end := idsEnd(text, in)
			if end == 0 {
				return 0
			}
			c.saidIDs = text[in:end]
			in = end
		case gapText, gapString:
			if in == len(text) || text[in] != '"' {
				return 0
			}
			s.data, s.at, s.wanted = text, in, ""
			raw, _ := s.text()
			if s.wanted != "" {
				return 0
			}
			if g.kind == gapText {
				p.text = raw
				c.content = len(raw) > 0
				c.answer = c.content && p.answer
				c.texts, s.words = 0, s.words[:0]
				if c.content {
					c.texts, s.words = 1, append(s.words, raw)
				}
				c.said = s.words
			}
			in = s.at
		default:
			n, after := digits(text, in)
			if after == 0 {
				return 0
			}
			switch in = after; g.kind {
			case gapOutput:
				if c.completion = (count{int(n), true}); n > mostTokens {
					return 0
				}
			case gapSent:
				c.stamp.sent = n
			}
		}
		at = int(g.to)
	}
	same := p.event[at:]
	if len(text)-in < len(same) || string(text[in:in+len(same)]) != string(same) {
		return 0
	}
	return in + len(same) - p.more
}

// idsEnd is where an array of numbers ends that begins at at, 0 if there is none that is surely one.
func idsEnd(text []byte, at int) int {
	if at == len(text) || text[at] != '[' {
		return 0
	}
	for at++; at < len(text); at++ {
		_, end := digits(text, at)
		switch {
		case end == 0 || end == len(text):
			return 0
		case text[end] == ']':
			return end + 1
		case text[end] != ',':
			return 0
		}
		at = end
	}
	return 0
}

// digits reads those at at, which spaces may precede, and returns where they end, or 0 if there is no number that
// is surely one: digits without a needless zero that fit.
func digits(text []byte, at int) (n int64, end int) {
	for at < len(text) && text[at] == ' ' {
		at++
	}
	end = at
	for ; end < len(text) && text[end]-'0' <= 9; end++ {
		n = 10*n + int64(text[end]-'0')
	}
	switch length := end - at; {
	case length == 0, length > 19, length == 19 && text[at] != '1', length > 1 && text[at] == '0':
		return 0, 0
	}
	return n, end
}
