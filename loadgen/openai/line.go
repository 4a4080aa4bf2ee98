package openai

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// A line is a connection that carries one exchange at a time, written and read by the goroutine that asks. net/http's
// transport gives each connection two goroutines of its own: that is 80 allocations and four handovers a request, 20 KB
// more for each stream in flight, a write that begins when the scheduler comes round to it, and stamps of which the last
// belongs now and then to the next request. All of it would be taken for the server's. What is read is still parsed by
// net/http, which has met more servers than we shall.
type line struct {
	conn     net.Conn       // plain, or TLS
	stamps   *netstamp.Conn // what it goes over
	exchange netstamp.Exchange
	in       *bufio.Reader
	room     int       // bytes that may still be read of an answer's head
	ended    error     // why nothing more can be read; nil: it can
	since    time.Time // when it was last set aside
	used     bool      // it has carried a request before
	ending   bool      // only the end of an answer is wanted
	limited  bool      // and the time for that runs
	rest     [64]byte  // for what nobody wants
}

const (
	answerBuffer = 4 << 10         // bytes, as in net/http
	mostHead     = 1 << 20         // bytes of an answer's head
	mostRest     = 4 << 10         // bytes after the end of a stream
	idleLimit    = 4 * time.Second // uvicorn drops an idle connection after 5 s
)

// restLimit is how long the end of an answer may be in coming after the last event of its stream.
const restLimit = 250 * time.Millisecond

func newLine(conn net.Conn, stamps *netstamp.Conn) *line {
	l := &line{conn: conn, stamps: stamps}
	l.in = bufio.NewReaderSize(l, answerBuffer)
	return l
}

var errHead = fmt.Errorf("the head of the answer is longer than %d MiB", mostHead>>20)

// Read reads of an answer's head no more than there is room for.
func (l *line) Read(p []byte) (int, error) {
	if l.room <= 0 {
		return 0, errHead
	}
	if l.ending && !l.limited { // here, since nearly always the end is in the buffer and needs no timer
		l.limited = true
		_ = l.conn.SetReadDeadline(time.Now().Add(restLimit))
	}
	n, err := l.conn.Read(p[:min(len(p), l.room)])
	l.room -= n
	l.ended = err
	return n, err
}

// post is the request that all answers are for, as far as reading them goes.
var post = &http.Request{Method: http.MethodPost}

// errUnanswered says that a connection ended before any of the answer had come.
var errUnanswered = errors.New("the connection ended before an answer came")

// ask writes a request and reads the head of its answer. With an error that is errUnanswered nothing had come.
func (l *line) ask(request []byte) (*http.Response, error) {
	_, writeErr := l.conn.Write(request)
	// A server may answer before it has read everything, a body that it finds too long for example, and close.
	l.room = mostHead
	if _, err := l.in.Peek(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnanswered, errors.Join(writeErr, err))
	}
	for range 10 { // more announcements than that announce nothing
		response, err := http.ReadResponse(l.in, post)
		if err != nil {
			return nil, err
		}
		switched := response.StatusCode == http.StatusSwitchingProtocols // what follows is no HTTP
		if response.StatusCode < 100 || response.StatusCode > 199 || switched {
			l.room = int(^uint(0) >> 1) // bodies are bounded where they are read
			response.Close = response.Close || writeErr != nil || switched
			return response, nil
		}
	}
	return nil, errors.New("the server announced an answer ten times and gave none")
}

// finish reads what follows the last event, and reports whether the connection can be used again. There should be
// nothing but the end; a server that keeps that to itself loses the connection, and must not hold up the next request.
func (l *line) finish(response *http.Response) bool {
	if response.Close {
		return false
	}
	l.ending = true
	defer func() {
		if l.limited {
			_ = l.conn.SetReadDeadline(time.Time{})
		}
		l.ending, l.limited = false, false
	}()
	for n := 0; n < mostRest; {
		m, err := response.Body.Read(l.rest[:])
		if err != nil {
			return err == io.EOF && l.in.Buffered() == 0 && l.ended == nil
		}
		n += m
	}
	return false
}

// abort makes whatever is read or written end at once.
func (l *line) abort() { _ = l.conn.SetDeadline(time.Unix(1, 0)) }

// alive reports whether the connection can be expected to work. One under TLS that was made ahead has something to read
// in any case: many servers send tickets after the handshake, to clients that want none too, and TLS takes them out when
// it reads the first answer.
func (l *line) alive() bool {
	return time.Since(l.since) < idleLimit && (l.stamps.Quiet() || !l.used && l.secure())
}

func (l *line) secure() bool { return l.conn != net.Conn(l.stamps) }

func (l *line) close() { _ = l.conn.Close() }

// drop closes the connection without a goodbye, which under TLS waits up to 5 s for a server that reads nothing.
func (l *line) drop() { _ = l.stamps.Close() }
