package openai_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// handmade is a server that writes what it is told on its connections, and counts them.
func handmade(t *testing.T, answer func(conn net.Conn, request *http.Request) (again bool)) (url string,
	made *atomic.Int64) {
	t.Helper()
	return sockets(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			request, err := http.ReadRequest(in)
			if err != nil || !answer(conn, request) {
				return
			}
		}
	})
}

// An answer may come in every way that HTTP/1.1 allows; after it the connection is used again where that is safe, and
// only there.
func TestAnswers(t *testing.T) {
	const stream = event + "data: [DONE]\n\n"
	chunked := func(parts ...string) string {
		out := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		for _, part := range append(parts, "") {
			out += fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
		}
		return out
	}
	long := strings.Repeat("x", 2<<20)
	for _, test := range []struct {
		name, answer string
		closes       bool // the server, after each answer
		want         loadgen.Class
		connections  int64 // for three requests, one after the other
	}{
		{"chunked", chunked(event, "data: [DONE]\n\n"), false, "", 1},
		{"chunked, with a trailer", strings.TrimSuffix(chunked(stream), "\r\n") + "X-Sum: 1\r\n\r\n", false, "", 1},
		{"chunked, an event in pieces", chunked(event[:9], event[9:], "data: [DONE]\n\n"), false, "", 1},
		{"of a stated length", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(stream), stream),
			false,
			"", 1},
		{"until the connection ends", "HTTP/1.1 200 OK\r\n\r\n" + stream, true, "", 3},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n" + stream, true, "", 3},
		{"the last on its connection", strings.Replace(chunked(stream), "\r\n", "\r\nConnection: close\r\n", 1), true,
			"", 3},
		{"announced", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + chunked(stream),
			false,
			"", 1},
		{"announced for ever", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000), true, loadgen.ClassProtocol,
			3},
		{"with more after it", chunked(stream) + "HTTP/1.1 200 OK\r\n\r\n", false, "", 3},
		{"without its end", strings.TrimSuffix(chunked(stream), "0\r\n\r\n"), false, "", 3},
		{"with half of its end", strings.TrimSuffix(chunked(stream), "\n\r\n"), false, "", 3},
		{"in another protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n", false, loadgen.ClassStatus, 3},
		{"refused", "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", false, loadgen.ClassStatus, 1},
		{"refused with a long complaint", "HTTP/1.1 500 Oops\r\nContent-Length: 2097152\r\n\r\n" + long, false,
			loadgen.ClassStatus, 3},
		{"with a head without an end", "HTTP/1.1 200 OK\r\nX-Long: " + long, true, loadgen.ClassProtocol, 3},
		{"with a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n" + stream, true,
			loadgen.ClassProtocol, 3},
		{"cut in its head", "HTTP/1.1 200 OK\r\nContent-", true, loadgen.ClassTruncated, 3},
		{"nothing", "", true, loadgen.ClassTruncated, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, made := handmade(t, func(conn net.Conn, request *http.Request) bool {
				if _, err := io.Copy(io.Discard, request.Body); err != nil {
					return false
				}
				_, err := io.WriteString(conn, test.answer)
				return err == nil && !test.closes
			})
			r, all := measure(t, loadgen.Level{Concurrency: 1, Requests: 3}, newTarget(t, openai.Config{URL: url}))
			for _, q := range all {
				if test.want == "" && q.err != nil || test.want != "" && (q.err == nil || q.err.Class != test.want) {
					t.Errorf("%v, want class %q", q.err, test.want)
				}
			}
			if n := made.Load(); n != test.connections || len(all) != 3 {
				t.Errorf("%d connections for %d requests, want %d: %v", n, len(all), test.connections, r.Errors)
			}
		})
	}
}

// A server that does not want to read all of a long request says so, and closes. It is heard.
func TestAnswerBeforeTheRequestIsRead(t *testing.T) {
	url, _ := handmade(t, func(conn net.Conn, request *http.Request) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo long")
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.CopyN(io.Discard, request.Body, 100<<10) // else the reset could overtake the answer
		return false
	})
	q := measureOne(t, newTarget(t, openai.Config{URL: url, Workload: long{}}))
	if q.err == nil || q.err.Status != 413 || !strings.Contains(q.err.Error(), "too long") {
		t.Errorf("%v", q.err)
	}
}

// What is sent is what net/http would send, but for the order of the fields.
func TestRequestHead(t *testing.T) {
	seen := make(chan *http.Request, 2)
	url, _ := handmade(t, func(conn net.Conn, request *http.Request) bool {
		_, _ = io.Copy(io.Discard, request.Body)
		seen <- request
		_, err := io.WriteString(conn,
			"HTTP/1.1 200 OK\r\nContent-Length: "+fmt.Sprint(len(event)+14)+"\r\n\r\n"+event+"data: [DONE]\n\n")
		return err == nil
	})
	config := openai.Config{URL: strings.Replace(url, "//", "//me:secret@", 1) + "/a%2Fb/v1", Header: http.Header{
		"X-Two": {"1", "2"}, "host": {"elsewhere:1"}, "content-length": {"7"}, "Transfer-Encoding": {"chunked"},
		"Trailer": {"X"}, "content-type": {"text/plain"},
	}}
	for _, client := range []*http.Client{nil, {}} {
		config.Client = client
		target := newTarget(t, config)
		if q := measureOne(t, target); q.err != nil {
			t.Fatal(q.err)
		}
		target.Close()
	}
	ours, theirs := <-seen, <-seen
	for _, r := range []*http.Request{ours, theirs} {
		r.Header.Del("User-Agent")
		r.Header.Del("Accept-Encoding")
	}
	if fmt.Sprint(ours.Method, ours.RequestURI, ours.Host, ours.Header, ours.ContentLength, ours.TransferEncoding) !=
		fmt.Sprint(theirs.Method, theirs.RequestURI, theirs.Host, theirs.Header, theirs.ContentLength,
			theirs.TransferEncoding) {
		t.Errorf("ours   %+v\ntheirs %+v", ours, theirs)
	}
}

// Who asks for the connection to be closed must not send another request over it, whatever the server makes of that.
func TestConnectionClose(t *testing.T) {
	url, made := handmade(t, func(conn net.Conn, request *http.Request) bool {
		_, _ = io.Copy(io.Discard, request.Body)
		_, err := io.WriteString(conn,
			"HTTP/1.1 200 OK\r\nContent-Length: "+fmt.Sprint(len(event)+14)+"\r\n\r\n"+event+"data: [DONE]\n\n")
		return err == nil
	})
	for _, c := range []struct {
		options []string
		want    int64 // connections for three requests
	}{{nil, 1}, {[]string{"closed"}, 1}, {[]string{"close"}, 3}, {[]string{"keep-alive", "x, Close"}, 3}} {
		made.Store(0)
		r, _ := measure(t, loadgen.Level{Concurrency: 1, Requests: 3}, newTarget(t, openai.Config{URL: url,
			Header: http.Header{"connection": c.options}}))
		if made.Load() != c.want || r.Accounting.Completed != 3 {
			t.Errorf("%q: %d connections, %+v", c.options, made.Load(), r.Accounting)
		}
	}
}
