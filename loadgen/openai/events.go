package openai

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// maxEvent bounds, in bytes, a line of a stream and the data of an event. Past it the answer is no answer.
const maxEvent = 16 << 20

// lineBuffer is, in bytes, what each stream in flight keeps for its lines. It is a dozen chunks, and more gains nothing
// measurable; but 10,000 streams have 10,000 of them: with 4 KiB each they took 254 MB, with 3 KiB 232 MB.
const lineBuffer = 3 << 10

// mostEmptyReads is how often in a row a body may bring nothing, as in bufio.
const mostEmptyReads = 100

// mostOdd bounds, in bytes, what is kept of a body that is no event stream, so that an error can say what it is.
const mostOdd = mostQuoted

var (
	errLong = fmt.Errorf("an event is longer than %d MiB", maxEvent>>20)
	errOdd  = errors.New("no events in what could be kept of the body")
)

var byteOrderMark = []byte("\ufeff")

// events reads server-sent events as their standard has them (WHATWG HTML, "Server-sent events"): lines end in CR LF,
// in LF or in CR; one byte-order mark may stand before them; an event ends with an empty line, and its data are its
// data lines, joined by line feeds:
//
//	event: error
//	data: {"message":
//	data:  "out of memory"}
//
// It is laxer than the standard where servers are, each time without any doubt of what is meant. Some leave out the
// empty line: data that end in } are an event of their own where the next data line begins with { or [, since no JSON
// goes on so. Data at the end of the body are an event though no empty line follows. [DONE] ends a stream at once,
// because a server may keep the rest, and the connection, to itself. A line "error: {…}" is an event that says so.
type events struct {
	source stamped
	buffer []byte
	from   int // buffer[from:to] has been read and not been used
	to     int
	err    error // of the latest read

	begun    bool   // the first line has been read
	afterCR  bool   // the latest line ended in CR, of which a line feed may be the other half
	latest   []byte // the latest line, where it comes again
	lineAt   int    // where in the buffer, −1: it is not there
	lineFrom uint64 // the number of the read that brought its start
	backTo   uint64 // that of a line which comes again, 0: none does
	again    bool   // it is the first of the next event
	long     []byte // a line that is longer than the buffer

	// The event that is being read.
	start    int    // where in the buffer it begins, −1: it is not there in one piece
	lines    int    // of data
	data     []byte // in the buffer, or held
	dataAt   int    // where in the buffer
	onward   int    // bytes of the next event that showed the end of this, which has no empty line
	held     []byte // data that are in several lines, or that left the buffer
	named    bool   // its name says that something went wrong
	renamed  bool   // it was named after its data
	failing  bool   // of the latest event: its name says that something went wrong
	reported bool   // of the latest event: it was a line "error: …"

	// When the latest data came: the read that brought the end of their line, and the number of the one that brought
	// the start of the first.
	read     arrived
	readFrom uint64

	understood bool   // there was a field that the standard knows
	odd        []byte // the lines that have none: a body that is no event stream, or what broke into one
}

// open begins with the events of body.
func (e *events) open(body io.Reader, r *loadgen.Record) {
	if e.buffer == nil {
		e.buffer = make([]byte, lineBuffer)
	}
	e.source = stamped{from: body, r: r}
}

// close forgets the body, and all but the memory for the next.
func (e *events) close() {
	if cap(e.long)+cap(e.held) > 1<<20 { // one server's long event is not to be kept for all others
		e.long, e.held = nil, nil
	}
	*e = events{buffer: e.buffer, long: e.long[:0], held: e.held[:0]}
}

// came is when the latest data came, by the best clock that there is. As in a Record's chunks the kernel's clock, which
// may have been set meanwhile, does not say that it was before the request or after it was seen.
func (e *events) came() time.Duration {
	if e.read.kernel != 0 {
		return min(max(e.read.kernel, e.source.r.Sent), e.read.at)
	}
	return e.read.at
}

// ahead is what has been read and not been used, from the beginning of an event on. It reads on if there is nothing.
func (e *events) ahead() []byte {
	if e.again || e.renamed { // a line of it is not there, or was before it
		return nil
	}
	if e.from == e.to && e.err == nil {
		e.lines = 0 // the event before need not be kept
		e.fill()
	}
	return e.buffer[e.from:e.to]
}

// take uses the first n bytes of what is ahead, which are a whole event.
func (e *events) take(n int) {
	e.from += n
	e.read, e.readFrom = e.source.read, e.source.read.number // all that is ahead of an event's end came with the latest
}

// whole is the latest event as it was read, its empty line included, and where in it its data begin. Without an empty
// line it goes on for so many bytes more, into the next, as showed that it had ended. It is empty where that is not at
// hand, and valid until the next call.
func (e *events) whole() (event []byte, data, more int) {
	if e.start < 0 || e.lines != 1 || e.again || e.failing {
		return nil, 0, 0
	}
	return e.buffer[e.start : e.from+e.onward], e.dataAt - e.start, e.onward
}

// next returns the data of the next event that has any, valid until the next call. Data may come with an error: then
// they are what there was before it.
func (e *events) next() ([]byte, error) {
	for {
		e.data, e.held, e.lines = nil, e.held[:0], 0
		if !e.renamed {
			e.named = false
		}
		e.renamed, e.failing, e.reported, e.onward = false, false, false, 0
		err := e.event()
		if !blank(e.data) || e.failing || err != nil {
			return e.data, err
		}
	}
}

// blank reports whether there is nothing in data.
func blank(data []byte) bool {
	return len(data) == 0 || data[0] <= ' ' && len(bytes.TrimSpace(data)) == 0
}

// event reads up to the end of an event.
func (e *events) event() error {
	for first := true; ; first = false {
		line, err := e.line()
		if err == errLong {
			e.data = nil
			return err
		}
		if first {
			e.start = e.lineAt
		}
		name, value := field(line)
		switch string(name) {
		case "data":
			if e.lines > 0 && ends(e.data, value) {
				e.before(line)
				e.onward = len(line) - len(bytes.TrimLeft(value, " \t")) + 1
				return nil
			}
			e.understood = true
			if long := e.hold(line, value); long != nil {
				return long
			}
			if err == nil && e.lines == 1 && isEnd(value) {
				e.failing = e.named
				return nil
			}
		case "error":
			if e.lines > 0 {
				e.before(line)
				e.start = -1
				return nil
			}
			e.understood, e.reported = true, true
			if long := e.hold(line, value); long != nil {
				return long
			}
			return err
		case "event":
			e.understood = true
			e.named, e.renamed = irregular(value), e.lines > 0
		case "id", "retry":
			e.understood = true
		case "":
			if len(line) == 0 && err == nil { // else a comment, or the end
				e.failing, e.renamed = e.named && e.lines > 0, false
				return nil
			}
		default:
			room := max(mostOdd-len(e.odd), 0)
			e.odd = append(append(e.odd, line[:min(len(line), room)]...), '\n')
			if room <= len(line) && !e.understood {
				return errOdd
			}
		}
		if err != nil {
			e.failing = e.named && e.lines > 0
			return err
		}
	}
}

// before ends the event before line, which is the first of the next.
func (e *events) before(line []byte) {
	if e.lineAt >= 0 {
		e.from, e.afterCR, e.backTo = e.lineAt, false, e.lineFrom
	} else {
		e.latest, e.again = line, true
	}
	e.failing = e.named && !e.renamed
}

// field divides a line as the standard does: the name ends at the first colon, and a space after that is left out. A
// comment has no name, and so has an empty line.
func field(line []byte) (name, value []byte) {
	colon := bytes.IndexByte(line[:min(len(line), len("event:"))], ':') // no longer name means anything
	if colon < 0 {
		return line, nil
	}
	value = line[colon+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return line[:colon], value
}

// ends reports whether data end before a further data line although no empty line stands between them.
func ends(data, next []byte) bool {
	data, next = bytes.TrimRight(data, " \t"), bytes.TrimLeft(next, " \t")
	return len(data) > 0 && data[len(data)-1] == '}' && len(next) > 0 && (next[0] == '{' || next[0] == '[')
}

// isEnd reports whether data are the end that servers write: [DONE], in quotes where they write all as JSON.
func isEnd(data []byte) bool {
	if len(data) >= 16 {
		return false
	}
	data = bytes.TrimSpace(data)
	return string(data) == "[DONE]" || string(data) == `"[DONE]"` || string(data) == "[done]"
}

// hold takes the value of a line into the data of the event.
func (e *events) hold(line, value []byte) error {
	e.read = e.source.read
	if e.lines == 0 {
		e.readFrom = e.lineFrom
	}
	if e.lines++; e.lines == 1 && e.lineAt >= 0 {
		e.data, e.dataAt = value, e.lineAt+len(line)-len(value)
		return nil
	}
	if e.lines > 1 {
		e.keep()
		e.held = append(e.held, '\n')
	}
	e.held = append(e.held, value...)
	e.data = e.held
	if len(e.data) > maxEvent {
		e.data = nil
		return errLong
	}
	return nil
}

// keep saves the data of the event from a change of the buffer.
func (e *events) keep() {
	if e.lines > 0 && len(e.held) == 0 {
		e.held = append(e.held, e.data...)
		e.data = e.held
	}
}

// line returns the next line without its end, or what there is before an error.
func (e *events) line() ([]byte, error) {
	if e.again {
		e.again, e.lineAt = false, -1
		return e.latest, nil
	}
	e.long = e.long[:0]
	e.source.first = 0
	switch {
	case e.backTo != 0: // it is read again
		e.source.first, e.backTo = e.backTo, 0
	case e.from < e.to: // what is left after the end of a line came with the latest read
		e.source.first = e.source.read.number
	}
	defer func() { e.lineFrom = e.source.first }()
	for looked := 0; ; {
		e.otherHalf()
		ahead := e.buffer[e.from:e.to]
		if n := lineEnd(ahead[looked:]); n >= 0 {
			n += looked
			line := ahead[:n]
			e.lineAt = e.from
			e.from += n + 1
			e.afterCR = ahead[n] == '\r'
			e.otherHalf()
			return e.ended(line), nil
		}
		if e.err != nil {
			e.lineAt = e.from
			e.from = e.to
			return e.ended(ahead), e.err
		}
		if len(ahead) == len(e.buffer) {
			if e.long = append(e.long, ahead...); len(e.long) > maxEvent {
				return nil, errLong
			}
			e.from = e.to
			ahead = nil
		}
		looked = len(ahead)
		e.fill()
	}
}

// otherHalf uses the line feed after a CR, as soon as that is known.
func (e *events) otherHalf() {
	if e.afterCR && e.from < e.to {
		if e.afterCR = false; e.buffer[e.from] == '\n' {
			e.from++
		}
	}
}

// ended is the line of which the latest part is at hand.
func (e *events) ended(part []byte) []byte {
	if len(e.long) > 0 {
		e.long = append(e.long, part...)
		part, e.lineAt = e.long, -1
	}
	if !e.begun {
		e.begun = true
		if line, marked := bytes.CutPrefix(part, byteOrderMark); marked {
			part, e.lineAt = line, -1
		}
	}
	return part
}

// lineEnd is where the first line ends, −1: not here.
func lineEnd(text []byte) int {
	feed := bytes.IndexByte(text, '\n')
	if feed >= 0 {
		text = text[:feed]
	}
	if cr := bytes.IndexByte(text, '\r'); cr >= 0 {
		return cr
	}
	return feed
}

// fill reads more into the buffer, which has room once what was used is gone.
func (e *events) fill() {
	e.keep()
	e.start = -1
	e.to = copy(e.buffer, e.buffer[e.from:e.to])
	e.from = 0
	for range mostEmptyReads {
		n, err := e.source.Read(e.buffer[e.to:])
		e.to += n
		if e.err = err; n > 0 || err != nil {
			return
		}
	}
	e.err = io.ErrNoProgress
}
