package protocol

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A TracePart is a part of a trace of arrivals, which a journal has once, however many levels were measured with it:
// they refer to it by its hash ([loadgen.Arrivals.TraceSHA256]), as the design does. Its parts stand before the first
// of them, in their order.
//
//	{"schema":1,"time":"…","trace":{"sha256":"5891b5b5…","left":0,"offsets":"wIQ9gIl6"}}
type TracePart struct {
	SHA256  string `json:"sha256"`  // [loadgen.HashTrace] of the whole
	Left    int    `json:"left"`    // offsets in the parts that follow; 0: it is the last one
	Offsets []byte `json:"offsets"` // each a varint: nanoseconds since the one before, the first since 0
}

// partOffsets is how many offsets a part has at most: some 5 MB of text, far below what a line may have.
const partOffsets = 1 << 20

// partsOf divides a trace. Its offsets are ascending, for it has been measured or is about to be refused.
func partsOf(sha256 string, trace []time.Duration) (parts []TracePart) {
	left, before := len(trace), time.Duration(0)
	for part := range slices.Chunk(trace, partOffsets) {
		left -= len(part)
		p := TracePart{SHA256: sha256, Left: left}
		for _, due := range part {
			p.Offsets = binary.AppendVarint(p.Offsets, int64(due-before))
			before = due
		}
		parts = append(parts, p)
	}
	return parts
}

// traces are those that a journal has told so far, and the one whose parts are being told.
type traces struct {
	whole   map[string][]time.Duration
	reading []time.Duration
	of      string
}

// add takes the next part.
func (t *traces) add(p TracePart) error {
	if t.of != p.SHA256 {
		t.reading, t.of = nil, p.SHA256
	}
	before := time.Duration(0)
	if n := len(t.reading); n > 0 {
		before = t.reading[n-1]
	}
	for data := p.Offsets; len(data) > 0; {
		gap, size := binary.Varint(data)
		if size <= 0 || len(t.reading) >= loadgen.MaxRequests {
			return fmt.Errorf("trace %.12s…: its offsets cannot be read, or are more than %d", p.SHA256, loadgen.MaxRequests)
		}
		data = data[size:]
		before += time.Duration(gap)
		t.reading = append(t.reading, before)
	}
	if p.Left > 0 {
		return nil
	}
	trace := t.reading
	t.reading, t.of = nil, ""
	if hash := loadgen.HashTrace(trace); hash != p.SHA256 {
		return fmt.Errorf("trace %.12s…: it is another one, whose hash is %.12s…", p.SHA256, hash)
	}
	if t.whole == nil {
		t.whole = map[string][]time.Duration{}
	}
	t.whole[p.SHA256] = trace
	return nil
}

// restore puts the trace back that a level refers to. Levels of one trace share it.
func (t *traces) restore(l *loadgen.Level) error {
	a := &l.Arrivals
	if a.TraceSHA256 == "" || a.Trace != nil {
		return nil
	}
	trace := t.whole[a.TraceSHA256]
	if trace == nil {
		return fmt.Errorf("trace %.12s…: it is not in the journal before the level that refers to it", a.TraceSHA256)
	}
	a.Trace, a.TraceSHA256 = trace, ""
	return nil
}

// refer takes the trace out of a level, and returns it with its hash, which the level then has in its place.
func refer(l *loadgen.Level) (sha256 string, trace []time.Duration) {
	trace = l.Arrivals.Trace
	if len(trace) > 0 {
		sha256 = loadgen.HashTrace(trace)
		l.Arrivals.Trace, l.Arrivals.TraceSHA256 = nil, sha256
	}
	return sha256, trace
}

// WithoutTrace is the plan as an experiment keeps it: with the hash of its trace in the place of the trace.
func (p Plan) WithoutTrace() Plan {
	if len(p.Arrivals.Trace) > 0 {
		p.Arrivals.TraceSHA256 = loadgen.HashTrace(p.Arrivals.Trace)
		p.Arrivals.Trace = nil
	}
	return p
}

// traceMember begins a trace in JSON as encoding/json writes it. In a string its quotes would be escaped.
const traceMember = `"trace_ns":[`

// withoutTraces replaces the traces in a design, which is compact JSON, by their hashes, and returns them.
func withoutTraces(design []byte) (short []byte, found map[string][]time.Duration, err error) {
	for {
		before, rest, ok := bytes.Cut(design, []byte(traceMember))
		short = append(short, before...)
		if !ok {
			return short, found, nil
		}
		numbers, after, ok := bytes.Cut(rest, []byte("]"))
		var trace []time.Duration
		if err := json.Unmarshal(slices.Concat([]byte("["), numbers, []byte("]")), &trace); err != nil || !ok {
			return nil, nil, errors.Join(errors.New("design: a member trace_ns that is no array of nanoseconds"), err)
		}
		sha256 := loadgen.HashTrace(trace)
		if found == nil {
			found = map[string][]time.Duration{}
		}
		found[sha256] = trace
		short = append(short, `"trace_sha256":"`+sha256+`"`...)
		design = after
	}
}
