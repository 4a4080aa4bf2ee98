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
	from    io.Reader
	r       *loadgen.Record
	at      time.Duration // when the client had it
	arrived time.Duration // when the kernel had it, 0: not known
}

func (s *stamped) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if n > 0 {
		s.at, s.arrived = s.r.Now(), 0
		if body, ok := s.from.(*stampedBody); ok {
			s.arrived = body.arrival(s.r)
		}
	}
	return n, err
}

// stampedBody is the body of an answer whose connection knows when the kernel received it.
type stampedBody struct {
	io.Reader
	exchange *netstamp.Exchange
}

// arrival is when the kernel had what was read last, 0 where it is not known.
func (b *stampedBody) arrival(r *loadgen.Record) time.Duration {
	a, ok := b.exchange.Arrival()
	if !ok || !a.Known {
		return 0
	}
	return r.At(a.Seen) - a.Lag
}
