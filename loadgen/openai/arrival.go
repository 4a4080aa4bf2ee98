package openai

import (
	"io"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// stamped notes when each read returned that brought something, and when the kernel had it. (A read that brings only
// the end says nothing of when the data before it came.)
type stamped struct {
	from io.Reader
	r    *loadgen.Record
	read arrived // of what was read last

	first uint64 // the number of the first read since it was set to 0
}

// arrived is when a read of the connection brought what it brought.
type arrived struct {
	at     time.Duration // when the client had it
	kernel time.Duration // when the kernel had the last of it, 0: not known
	since  time.Duration // nothing of it came before that, 0: nothing is known but that the request was sent before
	number uint64        // of the read. Several reads of an answer may be of one of the connection, as under TLS
}

func (s *stamped) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if n > 0 {
		s.read = s.arrived()
		if s.first == 0 {
			s.first = s.read.number
		}
	}
	return n, err
}

func (s *stamped) arrived() arrived {
	if x, ok := s.from.(exchange); ok {
		if a, ok := x.stamps().Arrival(); ok {
			return arrivedAs(a, s.r)
		}
	}
	// Nothing is known of the connection: it is the client of somebody else that has it, or others use it as well.
	return arrived{at: s.r.Now(), since: s.read.at, number: s.read.number + 1}
}

func arrivedAs(a netstamp.Arrival, r *loadgen.Record) arrived {
	read := arrived{at: r.At(a.Seen), number: a.Read}
	if a.Known {
		read.kernel = read.at - a.Lag
	}
	if !a.Since.IsZero() {
		read.since = max(r.At(a.Since), 0)
	}
	if read.since <= r.Sent {
		read.since = 0
	}
	return read
}

// A recorder records the chunks of a stream, one behind the latest: only what comes next tells whether a chunk shared
// its read with more content, and so has the stamp of that.
type recorder struct {
	r      *loadgen.Record
	latest loadgen.Chunk
	read   uint64        // that brought the end of it
	since  time.Duration // of that read
	at     time.Duration // when it came, by the best clock that there is
	full   bool          // there is a latest
}

// chunk records a chunk that came with a read, and whose first byte came with read number begun. It returns when it
// came.
func (h *recorder) chunk(c loadgen.Chunk, read arrived, begun uint64) time.Duration {
	if h.full {
		if h.latest.Shared = begun == h.read; h.latest.Shared {
			h.latest.Since = h.since
		}
		h.r.Chunk(h.latest)
	}
	c.Seen, c.Arrived = read.at, read.kernel
	if c.Arrived != 0 {
		c.Arrived = min(max(c.Arrived, h.r.Sent, h.at), c.Seen) // as Record.Chunk has it
	}
	h.latest, h.read, h.since, h.full = c, read.number, min(read.since, c.At()), true
	h.at = c.At()
	return h.at
}

// end records the last chunk, which shared its read with no content after it.
func (h *recorder) end() {
	if h.full {
		h.r.Chunk(h.latest)
	}
	h.full = false
}
