package openai

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// A line is a connection that carries one exchange at a time, written and read by the goroutine that asks. net/http's
// transport gives each connection two goroutines of its own: that is 80 allocations and four handovers a request, 20
// KB more for each stream in flight, a write that begins when the scheduler comes round to it, and stamps of which the
// last belongs now and then to the next request. All of it would be taken for the server's. The head of an answer is
// still parsed by net/http, which has met more servers than we shall.
type line struct {
	of      *lines
	conn    net.Conn       // plain, or TLS
	stamped *netstamp.Conn // what it goes over
	since   time.Time      // when it was last set aside
	answers int            // that it has carried
	used    bool           // it has been asked for one

	request netstamp.Exchange
	writing chan written // a long request, nil: nothing is being written
	stopped bool         // nothing can be written any more
	record  *loadgen.Record
	release func() bool // from the context of the request, which may abort it; false: it has

	// the answer's head and what came with it, as long as it is needed; nil: all of that has been read
	head *bufio.Reader
	room int  // bytes that may still be read of the head
	cut  bool // the connection ended while it was read
	body answerBody

	behind bool  // the last read brought as much as it had room for
	gulp   *gulp // what was read beyond that; nil: nothing
}

const (
	mostHead = 1 << 20 // bytes of an answer's head

	// unhurried is, in bytes, what the buffers of a connection take at once, whether the server reads or not.
	unhurried = 16 << 10
)

// heads are for the heads of answers, each as long as there is something in it that has not been read.
var heads = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, headBuffer) }}

// headBuffer holds, in bytes, any usual head.
const headBuffer = 2 << 10

var errHead = fmt.Errorf("the head of the answer is longer than %d MiB", mostHead>>20)

var errNoAnswer = errors.New("the server announced an answer ten times and gave none")

// A headReader reads of an answer's head no more than there is room for.
type headReader struct{ *line }

func (l headReader) Read(p []byte) (int, error) {
	if l.room <= 0 {
		return 0, errHead
	}
	n, err := l.conn.Read(p[:min(len(p), l.room)])
	l.room -= n
	l.cut = err != nil
	return n, err
}

// asPost is the request that all answers are for, as far as reading them goes.
var asPost = &http.Request{Method: http.MethodPost}

// ask writes a request and reads the head of its answer. An error is a *failure.
func (l *line) ask(ctx context.Context, request []byte, r *loadgen.Record) (*http.Response, error) {
	r.NewConn, l.used, l.record = !l.used, true, r
	l.release = context.AfterFunc(ctx, l.abort)
	l.stamped.Begin(&l.request)
	r.Sent = r.Now()
	writeErr := l.write(request)
	l.head, l.room, l.cut = heads.Get().(*bufio.Reader), mostHead, false
	l.head.Reset(headReader{l})
	// A server may answer before it has read everything, a body that it finds too long for example, and close.
	if _, err := l.head.Peek(1); err != nil {
		return nil, &failure{connected: true, ended: true, err: errors.Join(writeErr, err)}
	}
	for range 10 { // more announcements than that announce nothing
		response, err := http.ReadResponse(l.head, asPost)
		if err != nil {
			return nil, &failure{connected: true, answered: true, ended: l.cut, err: err}
		}
		switched := response.StatusCode == http.StatusSwitchingProtocols // what follows is no HTTP
		if response.StatusCode < 100 || response.StatusCode > 199 || switched {
			again := writeErr == nil && !switched
			if response.StatusCode/100 != 2 { // the server has decided
				again = l.stopWriting() && again
			}
			l.room = math.MaxInt // bodies are bounded where they are read
			l.body = newBody(response, again)
			l.answers++
			return response, nil
		}
	}
	return nil, &failure{connected: true, answered: true, err: errNoAnswer}
}

// written is how the writing of a request ended.
type written struct {
	at  time.Duration
	err error
}

// write writes a request, and a long one while its answer may be read already: a server that says 413 after the head
// and reads no more would else be waited for, as it waits for its answer to be read.
func (l *line) write(request []byte) error {
	r := l.record
	if len(request) <= unhurried {
		_, err := l.conn.Write(request)
		if err == nil {
			r.Written = r.Now()
		}
		return err
	}
	done := make(chan written, 1)
	go func() {
		_, err := l.conn.Write(request)
		done <- written{r.Now(), err}
	}()
	l.writing = done
	return nil
}

// stopWriting waits until nothing more is written, which is at once, and reports whether all of the request was.
func (l *line) stopWriting() bool {
	if l.writing == nil {
		return true
	}
	var w written
	select {
	case w = <-l.writing:
	default:
		l.stopped = true
		_ = l.conn.SetWriteDeadline(time.Unix(1, 0))
		w = <-l.writing
	}
	l.writing = nil
	if w.err == nil {
		l.record.Written = w.at
	}
	return w.err == nil
}

// Read reads of the answer's body.
func (l *line) Read(p []byte) (int, error) {
	return l.body.read(l, p)
}

// raw reads what comes next on the connection: at first what came along with the head. ahead says that more may be
// read than fits into p.
func (l *line) raw(p []byte, ahead bool) (int, error) {
	switch {
	case l.head != nil && l.head.Buffered() > 0:
		n, err := l.head.Read(p)
		if l.head.Buffered() == 0 {
			l.letGoOfHead()
		}
		return n, err
	case l.head != nil:
		l.letGoOfHead()
	case l.gulp != nil:
		return l.sip(p), nil
	case l.behind && ahead:
		l.gulp = gulps.Get().(*gulp)
		n, err := l.conn.Read(l.gulp.room[:])
		l.gulp.left, l.behind = l.gulp.room[:n], n == len(l.gulp.room)
		return l.sip(p), err
	}
	n, err := l.conn.Read(p)
	l.behind = n == len(p) && n >= lineBuffer/2
	return n, err
}

// A gulp is what a connection has when more is waiting on it than its reader has room for: read in one go, it costs a
// fifth less than in pieces. No stream that waits has one.
type gulp struct {
	room [32 << 10]byte
	left []byte
}

var gulps = sync.Pool{New: func() any { return new(gulp) }}

// sip takes from the gulp, and lets go of it with the last of it.
func (l *line) sip(p []byte) int {
	n := copy(p, l.gulp.left)
	if l.gulp.left = l.gulp.left[n:]; len(l.gulp.left) == 0 {
		gulps.Put(l.gulp)
		l.gulp = nil
	}
	return n
}

// letGo lets go of what was read and not wanted, and reports whether there was nothing.
func (l *line) letGo() bool {
	read := l.letGoOfHead() && l.gulp == nil
	if l.gulp != nil {
		gulps.Put(l.gulp)
		l.gulp = nil
	}
	l.behind = false
	return read
}

// letGoOfHead reports whether all of it had been read.
func (l *line) letGoOfHead() bool {
	if l.head == nil {
		return true
	}
	read := l.head.Buffered() == 0
	l.head.Reset(nil)
	heads.Put(l.head)
	l.head = nil
	return read
}

func (l *line) stamps() *netstamp.Exchange { return &l.request }

// end sets the connection aside for another request, or closes it.
func (l *line) end(whole bool) {
	written, read := l.stopWriting(), l.letGo()
	again := whole && written && read && l.body.again
	l.record = nil
	switch {
	case !l.release():
		l.drop()
	case again && l.of.reuse.keeps(l):
		if l.stopped { // in vain, since it had been written
			_ = l.conn.SetWriteDeadline(time.Time{})
			l.stopped = false
		}
		l.of.put(l)
	default:
		l.close()
	}
}

func (l *line) over() bool { return l.body.ended == io.EOF }

// abort makes whatever is read or written end at once.
func (l *line) abort() { _ = l.conn.SetDeadline(time.Unix(1, 0)) }

// alive reports whether the connection can be expected to work. One under TLS that was made ahead has something to
// read in any case: many servers send tickets after the handshake, to clients that want none too, and TLS takes them
// out when it reads the first answer. Whether it has ended is then for the kernel to say.
func (l *line) alive() bool {
	return time.Since(l.since) < idleLimit && (l.stamped.Quiet() || !l.used && l.secure() && !l.stamped.Ended())
}

func (l *line) secure() bool { return l.conn != net.Conn(l.stamped) }

func (l *line) close() { _ = l.conn.Close() }

// drop closes the connection without a goodbye, which under TLS waits up to 5 s for a server that reads nothing.
func (l *line) drop() { _ = l.stamped.Close() }
