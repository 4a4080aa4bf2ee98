package openai

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// maxEvent bounds, in bytes, a line of a stream and the data of an event. Past it the answer is no answer.
const maxEvent = 16 << 20

// lineBuffer is, in bytes, what each stream in flight keeps for its lines. It is some tens of chunks, and more gains
// nothing measurable; but 10,000 streams have 10,000 of them.
const lineBuffer = 4 << 10

var errLong = fmt.Errorf("an event is longer than %d MiB", maxEvent>>20)

// events reads the data of server-sent events. In the standard an event ends with an empty line, and its data are its
// data lines, joined by line feeds. But servers write one data line an event, some of them without the empty line,
// and a chunk is there when its line is. So a data line is taken for an event at once; only if it turns out to be the
// start of one, by [events.hold], the lines up to the empty one are joined.
type events struct {
	source stamped
	in     *bufio.Reader

	// When the latest data were complete: when the read returned that brought the end of their line, when the kernel had
	// it, 0 where that is not known, and since when it may have come; the number of that read, and of the one that brought
	// the start of their line.
	seen, arrived, since time.Duration
	number, begun        uint64

	long   []byte // a line that is longer than in's buffer
	held   []byte // the data of an event that is spread over lines
	joined bool   // the latest event was spread over lines
}

var eventsPool = sync.Pool{New: func() any { return new(events) }}

// buffers are for the heads of answers and for the lines of streams: one goes from the one use to the other.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, lineBuffer) }}

// readEvents returns the events of body, to be given back by close.
func readEvents(body io.Reader, r *loadgen.Record) *events {
	e := eventsPool.Get().(*events)
	e.source = stamped{from: body, r: r}
	e.in = buffers.Get().(*bufio.Reader)
	e.in.Reset(&e.source)
	return e
}

func (e *events) close() {
	e.source = stamped{}
	e.in.Reset(nil)
	buffers.Put(e.in)
	e.in = nil
	e.seen, e.arrived, e.since, e.number, e.begun, e.joined = 0, 0, 0, 0, 0, false
	if cap(e.long)+cap(e.held) > 1<<20 { // one server's long event is not to be kept for all others
		e.long, e.held = nil, nil
	}
	e.long, e.held = e.long[:0], e.held[:0]
	eventsPool.Put(e)
}

// came is when the latest data came, by the best clock that there is. As in a Record's chunks the kernel's clock, which
// may have been set meanwhile, does not say that it was before the request or after it was seen.
func (e *events) came() time.Duration {
	if e.arrived != 0 {
		return min(max(e.arrived, e.source.r.Sent), e.seen)
	}
	return e.seen
}

// stamp takes the latest data for what the latest read brought the end of.
func (e *events) stamp() {
	e.seen, e.arrived, e.since, e.number = e.source.at, e.source.arrived, e.source.since, e.source.number
}

// next returns the data of the next event, valid until the next call. Data may come with an error: then they are what
// there was of the last line.
func (e *events) next() ([]byte, error) {
	if e.joined {
		e.held, e.joined = e.held[:0], false
	}
	for {
		line, err := e.line()
		data := eventData(line)
		switch {
		case len(e.held) == 0:
			if len(data) > 0 || err != nil {
				e.stamp()
				e.begun = e.source.first
				return data, err
			}
		case err != nil: // an event without its end is none
			return nil, err
		case len(data) > 0:
			if err := e.hold(data); err != nil {
				return nil, err
			}
			e.stamp()
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			e.joined = true
			return e.held, nil
		}
	}
}

// hold says that data, the latest that next returned, are only the start of an event.
func (e *events) hold(data []byte) error {
	if len(e.held) > 0 {
		e.held = append(e.held, '\n')
	}
	if e.held = append(e.held, data...); len(e.held) > maxEvent {
		return errLong
	}
	return nil
}

// line returns the next line with its end, or what there is before an error.
func (e *events) line() ([]byte, error) {
	e.long = e.long[:0]
	e.source.first = 0
	if e.in.Buffered() > 0 {
		e.source.first = e.source.number
	}
	for {
		line, err := e.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if e.long = append(e.long, line...); len(e.long) > maxEvent {
				return nil, errLong
			}
			continue
		}
		if len(e.long) > 0 {
			e.long = append(e.long, line...)
			line = e.long
		}
		return line, err
	}
}

// eventData is the data of a line of an event stream, without the space around them. It is empty for a line that has
// none: a comment, an empty line, another field.
func eventData(line []byte) []byte {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return nil
	}
	return bytes.TrimSpace(data)
}
