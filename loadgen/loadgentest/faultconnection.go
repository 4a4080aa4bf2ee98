package loadgentest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Faults of connections rather than of answers.
const (
	// FaultClose answers in full, does not say that the answer is the last on its
	// connection, and closes that [Fault.Delay] later, as llama.cpp's server does
	// some 50 µs after each stream. A request that comes meanwhile is reset.
	FaultClose FaultKind = "close"

	// FaultEarly answers with [Fault.Status] when it has read the head of a
	// request, reads no more and keeps the connection for [Fault.Delay] (0: 1 s):
	// as a gateway does for which a request is too long.
	FaultEarly FaultKind = "early"
)

// ofConnection reports whether it is a fault of this file.
func (k FaultKind) ofConnection() bool { return k == FaultClose || k == FaultEarly }

// onConnection answers by itself on the connection of a request. It cannot where that
// is shared, as in HTTP/2, and aborts the handler.
func (o *Fault) onConnection(w http.ResponseWriter, r *http.Request, h http.Handler, struck func()) {
	if o.Kind == FaultClose {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	struck()
	answer := &takenOver{conn: conn, out: bufio.NewWriter(conn), header: http.Header{}}
	if o.Kind == FaultEarly {
		fail(answer, o.Status, "", "An error to order: "+http.StatusText(o.Status))
		answer.end()
		wait := o.Delay
		if wait == 0 {
			wait = time.Second
		}
		time.Sleep(wait)
		return
	}
	h.ServeHTTP(answer, r)
	answer.end()
	for begun := time.Now(); time.Since(begun) < o.Delay; { // exactly: a sleep takes up to a millisecond longer
		if left := o.Delay - time.Since(begun); left > 2*time.Millisecond {
			time.Sleep(left - 2*time.Millisecond)
		}
	}
}

// takenOver is a ResponseWriter over HTTP/1.1 on a connection that net/http has given
// up: in chunks, as a stream comes.
type takenOver struct {
	conn   net.Conn
	out    *bufio.Writer
	header http.Header
	begun  bool
}

func (t *takenOver) Header() http.Header { return t.header }

func (t *takenOver) WriteHeader(status int) {
	if t.begun {
		return
	}
	t.begun = true
	t.header.Del("Content-Length")
	t.header.Set("Transfer-Encoding", "chunked")
	fmt.Fprintf(t.out, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	_ = t.header.Write(t.out)
	_, _ = t.out.WriteString("\r\n")
}

func (t *takenOver) Write(p []byte) (int, error) {
	t.WriteHeader(http.StatusOK)
	if len(p) == 0 { // an empty chunk is the end
		return 0, nil
	}
	fmt.Fprintf(t.out, "%x\r\n", len(p))
	n, _ := t.out.Write(p)
	_, err := t.out.WriteString("\r\n")
	return n, err
}

// FlushError is for http.NewResponseController.
func (t *takenOver) FlushError() error {
	t.WriteHeader(http.StatusOK)
	return t.out.Flush()
}

func (t *takenOver) Flush() { _ = t.FlushError() }

func (t *takenOver) end() {
	t.WriteHeader(http.StatusOK)
	_, _ = t.out.WriteString("0\r\n\r\n")
	_ = t.out.Flush()
}
