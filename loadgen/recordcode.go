package loadgen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// recordCode is the version of what AppendBinary writes. It goes from one machine to another within one level, whose
// generators are all of one build, and is kept nowhere.
const recordCode = 3

// Flags of a record, in the order of their bits.
func (r *Record) flags() []*bool {
	return []*bool{&r.Warmup, &r.NoContent, &r.Contradicted, &r.Counted, &r.CachedTold, &r.DraftTold, &r.NewConn,
		&r.Replaced, &r.MediaTold, &r.Several}
}

// numbers and times are what a record has beside flags, texts and chunks.
func (r *Record) numbers() []*int {
	return []*int{&r.Index, &r.Choices, &r.Input, &r.Output, &r.AskedInput, &r.AskedOutput, &r.Cached, &r.AcceptedDraft,
		&r.RejectedDraft, &r.Status, &r.Attempts, &r.chunks.n, &r.chunks.tokens, &r.chunks.seen, &r.chunks.tokensUntil,
		&r.Session, &r.Turn, &r.Media, &r.Bytes, &r.MediaTokens}
}

func (r *Record) times() []*time.Duration {
	c := &r.chunks
	return []*time.Duration{&r.Scheduled, &r.Sent, &r.Done, &r.Written, &r.Left, &r.Opened, &r.FirstAnswer,
		(*time.Duration)(&r.Received), &c.first.Seen, &c.first.Arrived, &c.first.Since, (*time.Duration)(&c.first.Sent),
		&c.last.Seen, &c.last.Arrived, &c.last.Since, (*time.Duration)(&c.last.Sent),
		&c.visible.Seen, &c.visible.Arrived, &c.visible.Since, (*time.Duration)(&c.visible.Sent)}
}

// AppendBinary appends r to b, with all of its chunks, for an observer on another machine ([Record.UnmarshalBinary]).
// It takes some 100 bytes, and 4 to 9 for each chunk. Prompt and Text, which mean nothing in another process, are left
// out. The error is always nil.
func (r *Record) AppendBinary(b []byte) ([]byte, error) {
	var flags uint64
	for i, f := range r.flags() {
		if *f {
			flags |= 1 << i
		}
	}
	b = append(b, recordCode)
	b = binary.AppendUvarint(b, flags)
	for _, n := range r.numbers() {
		b = binary.AppendVarint(b, int64(*n))
	}
	for _, t := range r.times() {
		b = binary.AppendVarint(b, int64(*t))
	}
	for _, c := range []*Chunk{&r.chunks.first, &r.chunks.last, &r.chunks.visible} {
		b = binary.AppendVarint(b, int64(c.Tokens))
		var has byte
		if c.Shared {
			has |= isShared
		}
		if c.Hidden {
			has |= isHidden
		}
		b = append(b, has)
	}
	b = appendText(b, []byte(r.Finish))
	b = appendText(b, []byte(r.Model))
	return appendText(b, r.chunks.code), nil
}

// UnmarshalBinary makes r the record that AppendBinary wrote. Its times are still offsets from the start of the
// generator that measured it, and [Record.Now] and [Record.At] have no meaning. An error says that it is none.
func (r *Record) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || b[0] != recordCode {
		return errNoRecord
	}
	in := reader{b: b[1:]}
	*r = Record{}
	flags := in.uvarint()
	for i, f := range r.flags() {
		*f = flags&(1<<i) != 0
	}
	for _, n := range r.numbers() {
		*n = int(in.varint())
	}
	for _, t := range r.times() {
		*t = time.Duration(in.varint())
	}
	for _, c := range []*Chunk{&r.chunks.first, &r.chunks.last, &r.chunks.visible} {
		c.Tokens = int(in.varint())
		has := in.byte()
		c.Shared, c.Hidden = has&isShared != 0, has&isHidden != 0
	}
	r.Finish = string(in.text())
	r.Model = string(in.text())
	r.chunks.code = append([]byte(nil), in.text()...)
	if in.failed || len(in.b) > 0 {
		return errNoRecord
	}
	return r.chunks.check()
}

var errNoRecord = errors.New("this is no record of a request, or one of another version")

// check returns an error for a log whose code does not hold the chunks that it says it has.
func (l *chunkLog) check() error {
	n, code := min(l.n, 1), reader{b: l.code}
	for len(code.b) > 0 && !code.failed {
		has := code.byte()
		code.varint()
		for _, flag := range []byte{hasArrived, hasTokens, hasSent, hasSince} {
			if has&flag != 0 {
				code.varint()
			}
		}
		n++
	}
	if code.failed || n != l.n {
		return fmt.Errorf("%w: it has %d chunks, and says %d", errNoRecord, n, l.n)
	}
	return nil
}

func appendText(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// A reader takes apart what was appended; once something is missing it has failed, and gives zeros.
type reader struct {
	b      []byte
	failed bool
}

func (in *reader) uvarint() uint64 {
	x, n := binary.Uvarint(in.b)
	return took(in, x, n)
}

func (in *reader) varint() int64 {
	x, n := binary.Varint(in.b)
	return took(in, x, n)
}

func took[T int64 | uint64](in *reader, x T, n int) T {
	if n <= 0 {
		in.failed, in.b = true, nil
		return 0
	}
	in.b = in.b[n:]
	return x
}

func (in *reader) byte() byte {
	if len(in.b) == 0 {
		in.failed = true
		return 0
	}
	first := in.b[0]
	in.b = in.b[1:]
	return first
}

func (in *reader) text() []byte {
	n := in.uvarint()
	if n > uint64(len(in.b)) {
		in.failed = true
		return nil
	}
	text := in.b[:n]
	in.b = in.b[n:]
	return text
}
