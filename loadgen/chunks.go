package loadgen

import (
	"encoding/binary"
	"iter"
	"time"
)

// A Chunk is one arrival of content.
type Chunk struct {
	Seen time.Duration // when the client had it, before it was parsed; zero when it is recorded: now

	// Arrived is when the kernel had received it, where that is known: what Seen has beyond it is the client's own
	// doing. 0: not known. Latencies go by Arrived where there is one, and by Seen elsewhere; [Result.Stamps] says
	// which.
	Arrived time.Duration

	// Shared says that it came in one read with data after it, and so has the stamp of that. It came no earlier than
	// Since, which is when the read before had got all that was there, and no later than its stamp. The last content
	// of a read is exact, and is not Shared. Since is 0 where nothing is known but that it came after the request was
	// sent.
	Shared bool
	Since  time.Duration

	// Hidden says that there was nothing to see in it: only the server's count of output tokens grew, as it does for
	// tokens that decode to nothing or that a parser keeps to itself. It is an arrival like any other, but not a
	// first token.
	Hidden bool

	Tokens int   // how many tokens it holds, 0 where the server did not say
	Sent   int64 // the server's own clock when it wrote the chunk, in Unix nanoseconds, 0: not told
}

// At is when the chunk came, by the best clock that there is.
func (c Chunk) At() time.Duration {
	if c.Arrived != 0 {
		return c.Arrived
	}
	return c.Seen
}

// chunkLog keeps the chunks of a request as differences from one to the next: some 9 bytes each where a Chunk has 40,
// which at 10,000 streams of 500 chunks is 45 MB for 200.
type chunkLog struct {
	first, last Chunk
	n, tokens   int
	code        []byte // all but the first

	visible     Chunk // the first that was not hidden
	seen        int   // how many were not hidden
	tokensUntil int   // tokens up to the first that was not hidden, its own included
}

// What a chunk has beside the difference of its Seen.
const (
	hasArrived = 1 << iota
	isShared
	hasTokens
	hasSent
	hasSince
	isHidden
)

func (l *chunkLog) add(c Chunk) {
	l.tokens += c.Tokens
	if !c.Hidden {
		if l.seen++; l.seen == 1 {
			l.visible, l.tokensUntil = c, l.tokens
		}
	}
	if l.n++; l.n == 1 {
		l.first, l.last = c, c
		return
	}
	var has byte
	if c.Arrived != 0 {
		has |= hasArrived
	}
	if c.Shared {
		has |= isShared
	}
	if c.Tokens != 0 {
		has |= hasTokens
	}
	if c.Sent != 0 {
		has |= hasSent
	}
	if c.Since != 0 {
		has |= hasSince
	}
	if c.Hidden {
		has |= isHidden
	}
	l.code = append(l.code, has)
	l.code = binary.AppendVarint(l.code, int64(c.Seen-l.last.Seen))
	if c.Arrived != 0 {
		l.code = binary.AppendVarint(l.code, int64(c.Seen-c.Arrived))
	}
	if c.Tokens != 0 {
		l.code = binary.AppendVarint(l.code, int64(c.Tokens))
	}
	if c.Sent != 0 {
		l.code = binary.AppendVarint(l.code, c.Sent-l.last.Sent)
	}
	if c.Since != 0 {
		l.code = binary.AppendVarint(l.code, int64(c.Seen-c.Since))
	}
	l.last = c
}

// all are the chunks in order.
func (l *chunkLog) all() iter.Seq[Chunk] {
	return func(yield func(Chunk) bool) {
		if l.n == 0 || !yield(l.first) {
			return
		}
		c := l.first
		for code := l.code; len(code) > 0; {
			has := code[0]
			code = code[1:]
			next := func() int64 {
				x, n := binary.Varint(code)
				code = code[n:]
				return x
			}
			c = Chunk{Seen: c.Seen + time.Duration(next()), Shared: has&isShared != 0, Hidden: has&isHidden != 0,
				Sent: c.Sent}
			if has&hasArrived != 0 {
				c.Arrived = c.Seen - time.Duration(next())
			}
			if has&hasTokens != 0 {
				c.Tokens = int(next())
			}
			if has&hasSent != 0 {
				c.Sent += next()
			} else {
				c.Sent = 0
			}
			if has&hasSince != 0 {
				c.Since = c.Seen - time.Duration(next())
			}
			if !yield(c) {
				return
			}
		}
	}
}

// reset empties the log, and keeps its memory unless one long answer has made it large for all others.
func (l *chunkLog) reset() {
	const most = 64 << 10
	code := l.code[:0]
	if cap(code) > most {
		code = nil
	}
	*l = chunkLog{code: code}
}
