package openai

import (
	"io"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// stamped notes when each read returned that brought something, and when the kernel had it. (A read that brings only the
// end says nothing of when the data before it came.)
type stamped struct {
	from io.Reader
	r    *loadgen.Record

	at      time.Duration // when the client had it
	arrived time.Duration // when the kernel had the last of it, 0: not known
	since   time.Duration // none of it came before that, 0: nothing is known but that the request had been sent
	number  uint64        // of the read. Several reads of an answer may be of one of the connection, as under TLS
	first   uint64        // the number of the first read since this was set to 0
}

func (s *stamped) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if n > 0 {
		s.stamp()
		if s.first == 0 {
			s.first = s.number
		}
	}
	return n, err
}

func (s *stamped) stamp() {
	var a netstamp.Arrival
	x, known := s.from.(exchange)
	if known {
		a, known = x.stamps().Arrival()
	}
	if !known { // the client of somebody else has the connection, or others use it as well
		s.since, s.at, s.number = s.at, s.r.Now(), s.number+1
		return
	}
	s.at, s.arrived, s.since, s.number = s.r.At(a.Seen), 0, 0, a.Read
	if a.Known {
		s.arrived = s.at - a.Lag
	}
	if since := s.r.At(a.Since); !a.Since.IsZero() && since > s.r.Sent {
		s.since = since
	}
}

// A recorder records the chunks of a stream, one behind the latest: only what comes next tells whether a chunk shared
// its read with more content, and so has the stamp of that.
type recorder struct {
	r      *loadgen.Record
	latest loadgen.Chunk // as if it were shared
	read   uint64        // that brought the end of it
	full   bool          // there is a latest
}

// chunk records a chunk whose last byte came with one read and whose first with another, or the same. Its Since is that
// of the read. It returns when the chunk came, by the best clock that there is.
func (h *recorder) chunk(c loadgen.Chunk, read, begun uint64) time.Duration {
	before := h.latest.At() // 0 for the first
	h.record(begun == h.read)
	if c.Arrived != 0 {
		c.Arrived = min(max(c.Arrived, h.r.Sent, before), c.Seen) // as Record.Chunk has it
	}
	c.Since = min(c.Since, c.At())
	h.latest, h.read, h.full = c, read, true
	return c.At()
}

// end records the last chunk, which shared its read with no content after it.
func (h *recorder) end() { h.record(false) }

func (h *recorder) record(shared bool) {
	if !h.full {
		return
	}
	if h.latest.Shared = shared; !shared {
		h.latest.Since = 0
	}
	h.r.Chunk(h.latest)
	h.full = false
}
