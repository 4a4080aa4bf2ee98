package loadgen

import (
	"fmt"
	"iter"
	"time"
)

// A Record is what happened to one request. A [Target] fills it in; observers and metrics read it. All times are
// offsets from [Result.Start] on the monotonic clock.
type Record struct {
	Index  int  // 0 for the first request of the level, warmup included
	Warmup bool // in no metric and no count, but in the load that the server had

	// Session is the number of the session that it is of, from 0, and Turn which of its turns, from 1; Turn is 0
	// where it is of none ([Level.Unit]). A Target that knows of turns without sessions may set it. Figures are by
	// turn too.
	Session, Turn int

	// Model is which of several models or adapters was asked, by whose name figures are told too. "": there is one.
	Model string

	Scheduled time.Duration // when the request was due: in a closed loop, when its slot was free
	Sent      time.Duration // when it went to the server, as nearly as the Target can tell; the first time, of several
	// last chunk of a stream that had a choice or whose usage grew, or the end of a whole answer
	Done time.Duration

	// Written is when the request had been written in full: from Sent to Written it was on its way up. 0: not known.
	Written time.Duration

	// Left is when the request left its slot, however it ended: the end of its body, or its error. [Measure] sets it.
	// From Sent to Left the request occupies its slot; from Sent to Done the server has it in flight.
	Left time.Duration

	// Opened is when the first chunk came that carried a choice, with or without content: what vLLM's own client
	// calls the first token. 0: not known.
	Opened time.Duration

	// FirstAnswer is when the first content came that was not reasoning: what a user of a model that thinks first waits
	// for. 0: not known, or there was none.
	FirstAnswer time.Duration

	// Choices is how many chunks of the stream carried a choice, those without content included.
	Choices int

	// Finish is why the answer ended, in the server's words: "stop", "length", "tool_calls"; of several answers the
	// last one's. "": it did not say.
	Finish string

	// NoContent says that the answer was complete, and that nothing in it was known as content.
	NoContent bool

	// Contradicted says that the server told counts of tokens that cannot be true of what came, such as fewer tokens
	// than chunks of content. They are not believed: Counted is false.
	Contradicted bool

	// Several says that the answer had several choices (n > 1). Their chunks come between one another, so that what is
	// between two of them is not the time of a token.
	Several bool

	// Received is the server's own clock, in Unix nanoseconds, when it began with the request. 0: not told. Test
	// servers tell it (package loadgentest), so that the error of a measurement can be known.
	Received int64

	// Counted says that the server told how many tokens it took in and gave out. Without it Input and Output are
	// unknown, which is not 0.
	Counted       bool
	Input, Output int // tokens, as the server counted them

	AskedInput, AskedOutput int // tokens that the request asked for, 0 where it did not say

	// CachedTold says that the server told how many of the Input tokens it found in its prefix cache. Without it Cached
	// is unknown, which is not 0.
	CachedTold bool
	Cached     int // tokens

	// DraftTold says that the server told how many of the tokens that speculative decoding proposed were accepted, and
	// how many were not. Without it both are unknown, which is not 0.
	DraftTold                    bool
	AcceptedDraft, RejectedDraft int // tokens

	// Prompt is a hash of what was asked, and Text one of the text that was answered: equal within a process where
	// what they are of is, and 0 where that is not known, or there was no text. Replaced says that the text has a
	// U+FFFD in it, the character that stands where bytes were no text.
	Prompt, Text uint64
	Replaced     bool
	// Media is how many images and sounds the request held, and Bytes how long its body was, where there were any.
	Media, Bytes int

	// MediaTokens is how many of the Input tokens the server says that these were; MediaTold: it says so.
	MediaTold   bool
	MediaTokens int

	Status  int  // the HTTP status, 0 where there is none
	NewConn bool // a connection was made for this request

	// Attempts is how many times it was tried: 1, or more where [Level.Retries] allows it. What else is in the record
	// is of the latest attempt, but for Scheduled and Sent.
	Attempts int

	epoch  time.Time
	chunks chunkLog
	order  error // of the first chunk that came before the one in front of it
}

// Now is the present moment as an offset from [Result.Start].
func (r *Record) Now() time.Duration { return time.Since(r.epoch) }

// At is a moment as an offset from [Result.Start]. t must have a reading of the monotonic clock, as time.Now's has.
func (r *Record) At(t time.Time) time.Duration { return t.Sub(r.epoch) }

// Chunk records an arrival of content, now if c.Seen is 0. Chunks are recorded in the order in which they came.
func (r *Record) Chunk(c Chunk) {
	if c.Seen == 0 {
		c.Seen = r.Now()
	}
	n, last := r.chunks.n, r.chunks.last
	if c.Arrived != 0 {
		// The kernel's stamp is of another clock, and pairing the two may be off by a microsecond: not so far,
		// though, that anything arrives before what was there earlier, or after it was seen.
		earliest := r.Sent
		if n > 0 {
			earliest = max(earliest, last.At())
		}
		c.Arrived = min(max(c.Arrived, earliest), c.Seen)
	}
	if n > 0 && c.At() < last.At() && r.order == nil {
		r.order = r.impossible(fmt.Sprintf("had chunk %d", n), c.At(), last.At())
	}
	r.chunks.add(c)
}

// LastArrival is when the latest chunk came, by the clock that latencies go by; 0 where there is none.
func (r *Record) LastArrival() time.Duration {
	return r.chunks.last.At()
}

// Chunks are the arrivals of content, in order. There is none for an answer that came whole.
func (r *Record) Chunks() iter.Seq[Chunk] { return r.chunks.all() }

// ChunkCount is the number of [Record.Chunks].
func (r *Record) ChunkCount() int { return r.chunks.n }

// TTFT is the time from Sent to the first content that could be seen, and whether there was a stream to have one.
func (r *Record) TTFT() (time.Duration, bool) {
	if r.chunks.seen == 0 {
		return 0, false
	}
	return r.chunks.visible.At() - r.Sent, true
}

// E2E is the time from Sent to Done.
func (r *Record) E2E() time.Duration { return r.Done - r.Sent }

// check returns an error for times that cannot be: of a request that was done before it was sent, or that had content
// before that, or after, or in another order than it came.
func (r *Record) check() error {
	last := r.Sent
	if r.chunks.n > 0 {
		if first := r.chunks.first.At(); first < last {
			return r.impossible("had chunk 0", first, last)
		}
		last = r.LastArrival()
	}
	if r.order != nil {
		return r.order
	}
	if r.Done < last {
		return r.impossible("was done", r.Done, last)
	}
	return nil
}

func (r *Record) impossible(what string, at, before time.Duration) error {
	return fmt.Errorf("the target says that request %d %s at %v, before %v", r.Index, what, at, before)
}

// reset makes r a new record of request i that keeps only the memory of the old one.
func (r *Record) reset(i int, warmup bool, epoch time.Time) {
	now := time.Since(epoch)
	r.chunks.reset()
	*r = Record{Index: i, Warmup: warmup, Scheduled: now, Sent: now, Attempts: 1, epoch: epoch, chunks: r.chunks}
}
