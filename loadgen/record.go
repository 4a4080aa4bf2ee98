package loadgen

import (
	"fmt"
	"iter"
	"slices"
	"time"
)

// A Record is what happened to one request. A [Target] fills it in; observers and metrics read it. All times are
// offsets from [Result.Start] on the monotonic clock.
type Record struct {
	Index  int  // 0 for the first request of the level, warmup included
	Warmup bool // in no metric and no count, but in the load that the server had

	Scheduled time.Duration // when the request was due: in a closed loop, when its slot was free
	Sent      time.Duration // when it went to the server, as nearly as the Target can tell
	Done      time.Duration // last content of a stream, or the end of a whole answer

	// Opened is when the first chunk came that carried a choice, with or without content: what vLLM's own client
	// calls the first token. 0: not known.
	Opened time.Duration

	// FirstAnswer is when the first content came that was not reasoning: what a user of a model that thinks first waits
	// for. 0: not known, or there was none.
	FirstAnswer time.Duration

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

	Status  int  // the HTTP status, 0 where there is none
	NewConn bool // a connection was made for this request

	epoch  time.Time
	chunks []Chunk
}

// A Chunk is one arrival of content.
type Chunk struct {
	Seen time.Duration // when the client had it, before it was parsed; zero when it is recorded: now

	// Arrived is when the kernel had received it, where that is known: what Seen has beyond it is the client's own doing.
	// 0: not known. Latencies go by Arrived where there is one, and by Seen elsewhere; [Result.Clock] says which.
	Arrived time.Duration

	Tokens int   // how many tokens it holds, 0 where the server did not say
	Sent   int64 // the server's own clock when it wrote the chunk, in Unix nanoseconds, 0: not told
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
	if c.Arrived != 0 {
		// The kernel's stamp is of another clock, and pairing the two may be off by a microsecond: not so far, though, that
		// anything arrives before what was there earlier, or after it was seen.
		earliest := r.Sent
		if n := len(r.chunks); n > 0 {
			earliest = max(earliest, r.chunks[n-1].At())
		}
		c.Arrived = min(max(c.Arrived, earliest), c.Seen)
	}
	r.chunks = append(r.chunks, c)
}

// At is when the chunk came, by the best clock that there is.
func (c Chunk) At() time.Duration {
	if c.Arrived != 0 {
		return c.Arrived
	}
	return c.Seen
}

// LastArrival is when the latest chunk came, by the clock that latencies go by; 0 where there is none.
func (r *Record) LastArrival() time.Duration {
	if n := len(r.chunks); n > 0 {
		return r.chunks[n-1].At()
	}
	return 0
}

// Chunks are the arrivals of content, in order. There is none for an answer that came whole.
func (r *Record) Chunks() iter.Seq[Chunk] { return slices.Values(r.chunks) }

// ChunkCount is the number of [Record.Chunks].
func (r *Record) ChunkCount() int { return len(r.chunks) }

// TTFT is the time from Sent to the first content, and whether there was a stream to have one.
func (r *Record) TTFT() (time.Duration, bool) {
	if len(r.chunks) == 0 {
		return 0, false
	}
	return r.chunks[0].At() - r.Sent, true
}

// E2E is the time from Sent to Done.
func (r *Record) E2E() time.Duration { return r.Done - r.Sent }

// check returns an error for times that cannot be: of a request that was done before it was sent, or that had content
// before that, or after, or in another order than it came.
func (r *Record) check() error {
	last := r.Sent
	for i, c := range r.chunks {
		if c.At() < last {
			return fmt.Errorf("the target says that request %d had chunk %d at %v, before %v", r.Index, i, c.At(), last)
		}
		last = c.At()
	}
	if r.Done < last {
		return fmt.Errorf("the target says that request %d was done at %v, before %v", r.Index, r.Done, last)
	}
	return nil
}

// reset makes r a new record of request i that keeps only the memory of the old one.
func (r *Record) reset(i int, warmup bool, epoch time.Time) {
	now := time.Since(epoch)
	*r = Record{Index: i, Warmup: warmup, Scheduled: now, Sent: now, epoch: epoch, chunks: r.chunks[:0]}
}
