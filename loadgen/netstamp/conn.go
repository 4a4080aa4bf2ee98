package netstamp

import (
	"context"
	"net"
	"sync"
	"time"
)

// A Dialer makes connections that stamp. The zero Dialer is ready for use.
type Dialer struct {
	net.Dialer
}

// DialContext connects, like the net.Dialer's. For TCP the result is a [*Conn]; connections of other networks are
// handed through as they are.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		return newConn(tcp), nil
	}
	return c, nil
}

// A Conn is a TCP connection that stamps what is written to it and read from it. As with any connection, one goroutine
// may read while another writes; the stamps may be asked for by others.
type Conn struct {
	net.Conn // the interface, so that nothing reads or writes past the stamps, as io.Copy does with a *net.TCPConn
	tcp      *net.TCPConn
	receiver receiver

	last Arrival // of what was read last, whichever exchange it belonged to; the reader's alone

	mu       sync.Mutex // of exchange, and of the stamps in it
	exchange *Exchange  // the latest, nil: none has begun
}

// An Arrival is when the data of a read came.
type Arrival struct {
	Seen  time.Time     // when the read returned
	Lag   time.Duration // how long before that the kernel had the last of the data, where it is known
	Known bool          // the kernel stamped it

	// Since is when none of the data had come yet. A read has one stamp, that of the last of its data; whatever else it
	// brought came between Since and that. Where the read had to wait for data, Since is when the read before it
	// returned; else it is the stamp of the read before it, for what was there already may have come while that one was
	// dealt with. Where the read before left some of what was there, it is that one's Since: the kernel joins segments
	// that wait, and keeps the last one's stamp for all of them. Zero: not known, as for the first read of all.
	Since time.Time

	// Read says which read it was, from 1. Reads that take turns at what was there at once count as one.
	Read uint64

	full bool // the read took as much as it could: there may have been more
}

// An Exchange is a request and its answer on a connection. The zero Exchange has no stamps, until [Conn.Begin]. From
// then on it must not be copied.
//
// The stamps are the exchange's own, and not the connection's: the read that ends an answer sets the connection free,
// and the next request, or the one after it, may be on it before the reader of the last one comes to ask. Its last
// chunks would go by the client's clock, and be late by what that adds.
type Exchange struct {
	conn    *Conn     // nil: it has not begun
	sent    time.Time // the first write, zero: none yet
	written int       // bytes that the kernel took
	arrival Arrival   // of what was read last
}

// Begin starts an exchange: what is written and read from now on stamps e, until another begins. An exchange that has
// begun before, as one does that is tried again on another connection, begins anew.
func (c *Conn) Begin(e *Exchange) {
	if before := e.conn; before != nil {
		before.mu.Lock()
		if before.exchange == e {
			before.exchange = nil
		}
		before.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	*e = Exchange{conn: c}
	c.exchange = e
}

// Sent is when the first write of the exchange was begun; false when nothing has been written.
func (e *Exchange) Sent() (time.Time, bool) {
	if e.conn == nil {
		return time.Time{}, false
	}
	e.conn.mu.Lock()
	defer e.conn.mu.Unlock()
	return e.sent, !e.sent.IsZero()
}

// Arrival is that of what the exchange read last; false when it has read nothing.
func (e *Exchange) Arrival() (Arrival, bool) {
	if e.conn == nil {
		return Arrival{}, false
	}
	e.conn.mu.Lock()
	defer e.conn.mu.Unlock()
	return e.arrival, !e.arrival.Seen.IsZero()
}

// Write stamps and writes.
func (c *Conn) Write(p []byte) (int, error) {
	now := time.Now()
	c.mu.Lock()
	if e := c.exchange; e != nil && e.sent.IsZero() {
		e.sent = now
	}
	c.mu.Unlock()
	n, err := c.tcp.Write(p)
	c.mu.Lock()
	if e := c.exchange; e != nil {
		e.written += n
	}
	c.mu.Unlock()
	return n, err
}

// Read reads what is there and stamps it.
func (c *Conn) Read(p []byte) (int, error) {
	n, kernel, waited, err := c.receiver.read(c.tcp, p)
	if n > 0 {
		now := time.Now()
		a := c.last.next(waited)
		a.Seen, a.full = now, n == len(p)
		if kernel != 0 {
			a.Lag = time.Duration(now.UnixNano() - kernel)
			// Less than nothing, or more than any scheduler takes, is a clock that was stepped.
			a.Known = a.Lag >= 0 && a.Lag < time.Minute
		}
		c.last = a
		c.mu.Lock()
		if c.exchange != nil {
			c.exchange.arrival = a
		}
		c.mu.Unlock()
	}
	return n, err
}

// next is what is known of the read after that of a before it returns. waited says that there was nothing to read when
// it began.
func (a Arrival) next(waited bool) Arrival {
	switch {
	case waited:
		return Arrival{Since: a.Seen, Read: a.Read + 1}
	case a.full:
		return Arrival{Since: a.Since, Read: a.Read}
	case a.Known:
		return Arrival{Since: a.Seen.Add(-a.Lag), Read: a.Read + 1}
	}
	return Arrival{Since: a.Since, Read: a.Read + 1}
}

// Quiet reports whether there is nothing to read: no data that nobody asked for, and no end, which a peer sends that
// drops the connection. It does not wait, and must not be called while another goroutine reads. Where the system does
// not stamp it does not look either, and says true.
func (c *Conn) Quiet() bool { return c.receiver.isQuiet() }

// Ended reports whether the peer has ended the connection, or has reset it, even where data wait to be read before
// that. Where the system does not stamp it is not known, and false.
func (c *Conn) Ended() bool { return c.receiver.hasEnded() }

// Untaken reports whether it is certain that the peer has taken in nothing of what was written: not a byte of it has
// been acknowledged by its kernel. That is the case where the peer had closed the connection before. False where it is
// not known.
func (e *Exchange) Untaken() bool {
	c := e.conn
	if c == nil {
		return false
	}
	c.mu.Lock()
	written := e.written
	c.mu.Unlock()
	unacknowledged, ok := c.receiver.unacknowledged()
	return ok && unacknowledged >= written
}
