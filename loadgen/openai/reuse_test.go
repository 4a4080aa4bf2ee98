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
	"time"

	"github.com/servegauge/servegauge/internal/busy"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// kept is an answer that says that its connection stays.
func kept(text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\nTransfer-Encoding: "+
		"chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(text), text)
}

// llama.cpp's server says keep-alive and closes some 50 µs after each stream. No request is lost to that: each
// connection is used once, and the result says so. Where connections are kept, or end for another reason, they are
// used again.
func TestConnectionsThatEndRightAfterAnswers(t *testing.T) {
	const requests = 200
	for _, c := range []struct {
		name   string
		after  time.Duration                       // between the answer and the end
		reset  bool                                // the end is one
		ends   func(connection, answer int64) bool // which of them end, counted from 1
		most   int64                               // connections
		fails  int                                 // requests at most: those that tell, on a busy machine
		warned bool
	}{
		{"at once", 0, false, func(_, _ int64) bool { return true }, requests + 8, 0, true},
		{"50 µs later", 50 * time.Microsecond, false, func(_, _ int64) bool { return true }, requests + 8, 0, true},
		{"50 µs later, by a reset", 50 * time.Microsecond, true, func(_, _ int64) bool { return true }, requests + 8, 0,
			true},
		{"500 µs later", 500 * time.Microsecond, false, func(_, _ int64) bool { return true }, requests + 8, 1, true},
		{"never", 0, false, func(_, _ int64) bool { return false }, 8, 0, false},
		{"after 40 answers", 0, false, func(_, n int64) bool { return n == 40 }, 8 + requests/40, 8, false},
		{"half of the connections, when one was kept", 50 * time.Microsecond, false,
			func(c, _ int64) bool { return c%2 == 0 }, requests + 8, 8, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var connections atomic.Int64
			url, made := sockets(t, func(conn net.Conn) {
				number := connections.Add(1)
				for n := int64(1); ; n++ {
					if !readRequest(conn) {
						return
					}
					_, _ = io.WriteString(conn, kept(event+"data: [DONE]\n\n"))
					if c.ends(number, n) {
						for begun := time.Now(); time.Since(begun) < c.after; { // a sleep takes a millisecond
						}
						if c.reset {
							_ = conn.(*net.TCPConn).SetLinger(0)
						}
						return
					}
				}
			})
			r, all := measure(t, loadgen.Level{Concurrency: 8, Requests: requests},
				newTarget(t, openai.Config{URL: url}))
			if r.Accounting.Failed > c.fails {
				t.Errorf("%+v: %v", r.Accounting, r.Errors)
			}
			for _, q := range all {
				if q.err != nil && q.err.Class != loadgen.ClassStale {
					t.Errorf("%v", q.err)
				}
			}
			if n := made.Load(); n > c.most {
				t.Errorf("%d connections, want %d at most", n, c.most)
			}
			if hasWarning(r, openai.WarnConnectionsNotKept) != c.warned {
				t.Errorf("warnings %v, of this one: %v", r.Warnings, c.warned)
			}
		})
	}
}

// sockets serves each connection by itself, and counts them.
func sockets(t *testing.T, serve func(conn net.Conn)) (url string, made *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	made = new(atomic.Int64)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			made.Add(1)
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return "http://" + listener.Addr().String(), made
}

// readRequest reads a short request, whose body is an object.
func readRequest(conn net.Conn) bool {
	request := make([]byte, 4096)
	for n := 0; !strings.HasSuffix(string(request[:n]), "}"); {
		m, err := conn.Read(request[n:])
		if err != nil {
			return false
		}
		n += m
	}
	return true
}

// A server that has decided before it has read a long request is heard at once, though it neither reads on nor closes,
// and what is left of the request is not sent. One that answers while it reads gets all of it. It is the same by
// net/http.
func TestAnswerWhileTheRequestIsWritten(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		reads        bool // the server reads on
		status       int
		class        loadgen.Class
		written      bool
	}{
		{"too long", "HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo long", false, 413, loadgen.ClassStatus,
			false},
		{"nobody is let in", "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", false, 401,
			loadgen.ClassStatus, false},
		{"an answer, and no more is read", kept(event + "data: [DONE]\n\n"), false, 200, "", false},
		{"an answer to what is still read", kept(event + "data: [DONE]\n\n"), true, 200, "", true},
	} {
		for name, client := range map[string]*http.Client{"lines": nil, "net/http": {Transport: &http.Transport{}}} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				over := make(chan int64, 1)
				url, _ := sockets(t, func(conn net.Conn) {
					in := bufio.NewReader(conn)
					request, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					const last = len("0\r\n\r\n")
					if !c.reads {
						_, _ = io.WriteString(conn, c.answer)
						time.Sleep(300 * time.Millisecond) // for it to be heard
						n, _ := io.Copy(io.Discard, in)
						over <- n
						return
					}
					_, _ = io.WriteString(conn, c.answer[:len(c.answer)-last])
					n, _ := io.Copy(io.Discard, request.Body)
					time.Sleep(300 * time.Millisecond) // for the client to know that all is written
					_, _ = io.WriteString(conn, c.answer[len(c.answer)-last:])
					over <- n
				})
				target := newTarget(t, openai.Config{URL: url, Client: client, Workload: huge{}})
				q := measureOne(t, target)
				target.Close()
				if client != nil {
					client.CloseIdleConnections()
				}
				if q.Status != c.status || c.class == "" && q.err != nil || c.class != "" && (q.err == nil ||
					q.err.Class != c.class) {
					t.Errorf("status %d: %v", q.Status, q.err)
				}
				if client == nil && (q.Written > 0) != c.written {
					t.Errorf("written at %v", q.Written)
				}
				if n := <-over; (n > 32<<20) != c.written && client == nil && !c.reads {
					t.Errorf("the server got %d bytes", n)
				}
			})
		}
	}
}

// huge is a prompt of some 32 MB, which no buffer takes.
type huge struct{}

func (huge) Prompt(_ int, p *workload.Prompt) error {
	p.Text, p.Output = strings.Repeat("a", 32<<20), 1
	return nil
}

// From Sent to Written a request is on its way up, which is no part of the server's own time to the first token.
func TestWritten(t *testing.T) {
	const pause = 30 * time.Millisecond
	for name, client := range map[string]*http.Client{"lines": nil, "net/http": {Transport: &http.Transport{}}} {
		t.Run(name, func(t *testing.T) {
			url, _ := handmade(t, func(conn net.Conn, request *http.Request) bool {
				if request.ContentLength > 1<<20 {
					time.Sleep(pause) // before the body is read, which no buffer takes
				}
				_, _ = io.Copy(io.Discard, request.Body)
				time.Sleep(pause)
				_, err := io.WriteString(conn, kept(event+"data: [DONE]\n\n"))
				return err == nil
			})
			for _, long := range []bool{false, true} {
				config := openai.Config{URL: url, Client: client}
				if long {
					config.Workload = huge{}
				}
				busy.Check(t, func(f *busy.Faults) {
					q := measureOne(t, newTarget(t, config))
					if q.err != nil {
						t.Fatal(q.err)
					}
					first := q.chunks[0].At()
					if q.Written < q.Sent || q.Written > first-pause/2 || long && q.Written-q.Sent < pause/2 {
						f.Addf("long %v: sent at %v, written at %v, first chunk at %v", long, q.Sent, q.Written, first)
					}
				})
			}
		})
	}
}

// What goes wrong is called the same, and said in the same words, by whichever way the request went.
func TestBothWaysSayTheSame(t *testing.T) {
	const ok = event + "data: [DONE]\n\n"
	for name, answers := range map[string][]string{ // to each request on a connection; then it ends
		"nothing":           {""},
		"nothing, later":    {kept(ok), ""},
		"half a head":       {"HTTP/1.1 200 OK\r\nContent-"},
		"half a head later": {kept(ok), "HTTP/1.1 200"},
		"no HTTP":           {"SSH-2.0\r\n\r\n"},
		"half a stream":     {strings.TrimSuffix(kept(event), "0\r\n\r\n")},
		"half an event":     {strings.Split(kept(event), "index")[0]},
		"refused":           {"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"},
		"no stream":         {kept("data: hello\n\n")},
	} {
		t.Run(name, func(t *testing.T) {
			var said [2]string
			for i, proxied := range []bool{false, true} {
				url, _ := sockets(t, func(conn net.Conn) {
					for _, answer := range answers {
						if !readRequest(conn) {
							return
						}
						_, _ = io.WriteString(conn, answer)
					}
				})
				config := openai.Config{URL: url}
				if proxied {
					config.Client = &http.Client{Transport: &http.Transport{}}
				}
				_, all := measure(t, loadgen.Level{Concurrency: 1, Requests: len(answers)}, newTarget(t, config))
				q := all[len(all)-1]
				if q.err == nil {
					t.Fatal("no error")
				}
				said[i] = strings.NewReplacer("recvmsg", "read", "net/http: HTTP/1.x transport connection broken: ",
					"").Replace(q.err.Error())
			}
			if name == "half a head" { // a user's own client does not tell that it was cut
				said[1] = strings.Replace(said[1], string(loadgen.ClassProtocol), string(loadgen.ClassTruncated), 1)
			}
			if said[0] != said[1] {
				t.Errorf("by lines: %s\nby net/http: %s", said[0], said[1])
			}
		})
	}
}
