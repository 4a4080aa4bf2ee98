package openai

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

const someStream = `data: {"choices":[{"index":0,"text":" a","finish_reason":null}]}` + "\n\ndata: [DONE]\n\n"

// serveWith serves someStream, and tells of each connection when it is there and when a request has come over it.
func serveWith(t *testing.T, secure bool) (*httptest.Server, Config, *connections) {
	t.Helper()
	var seen connections
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen.requests.Add(1)
		_, _ = io.WriteString(w, someStream)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of connections that the test closes
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			seen.made.Add(1)
			select {
			case seen.all <- c:
			default:
			}
		}
	}
	seen.all = make(chan net.Conn, 1000)
	config := Config{Model: "m", Workload: workload.RandomTokens{Input: 1, Output: 1}}
	if secure {
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert} // else the tickets come along with the handshake
		server.StartTLS()
		config.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		// Go's server sends them only to those who want them
		config.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	config.URL = server.URL
	return server, config, &seen
}

type connections struct {
	made, requests atomic.Int64
	all            chan net.Conn
}

func targetFor(t *testing.T, c Config) *Target {
	t.Helper()
	target, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	return target
}

// closing closes the server's end of a connection when a request is about to be written: when it is too late to see
// that.
type closing struct {
	net.Conn
	once *bool
	end  func()
}

func (c closing) Write(p []byte) (int, error) {
	if !*c.once {
		*c.once = true
		c.end()
	}
	return c.Conn.Write(p)
}

// A request that goes out over a connection that the server has closed before is sent over another, where the kernel
// proves that the server has taken in nothing of it: by HTTP and by TLS, for a connection that was made ahead and for
// one that has carried an answer.
func TestRequestsThatTheServerNeverGot(t *testing.T) {
	if !kernelLooks {
		t.Skip("the kernel is not asked on this system")
	}
	for _, secure := range []bool{false, true} {
		for _, used := range []bool{false, true} {
			t.Run(fmt.Sprintf("tls=%v/used=%v", secure, used), func(t *testing.T) {
				_, config, seen := serveWith(t, secure)
				target := targetFor(t, config)
				if err := target.Open(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				if used {
					if err := target.Do(t.Context(), 0, new(loadgen.Record)); err != nil {
						t.Fatal(err)
					}
				}
				l, server := target.lines.idle[0], <-seen.all
				l.conn = closing{l.conn, new(bool), func() {
					server.Close()
					for !l.stamped.Ended() {
						time.Sleep(time.Millisecond)
					}
				}}
				var r loadgen.Record
				if err := target.Do(t.Context(), 1, &r); err != nil || !r.NewConn {
					t.Errorf("new connection %v, %v", r.NewConn, err)
				}
				if n := target.lines.reuse.again.Load(); n != 1 {
					t.Errorf("%d requests were sent again", n)
				}
				if want := map[bool]int64{false: 1, true: 2}[used]; seen.requests.Load() != want {
					t.Errorf("the server got %d requests, want %d", seen.requests.Load(), want)
				}
			})
		}
	}
}

// Connections that were made ahead, and that the server has closed since, are not used, though under TLS there is
// something to read on those that are good as well.
func TestConnectionsClosedBeforeTheirUse(t *testing.T) {
	if !kernelLooks {
		t.Skip("the kernel is not asked on this system")
	}
	for _, secure := range []bool{false, true} {
		for _, reset := range []bool{false, true} {
			_, config, seen := serveWith(t, secure)
			target := targetFor(t, config)
			if err := target.Open(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				conn := <-seen.all
				if s, ok := conn.(*tls.Conn); ok && reset {
					conn = s.NetConn()
				}
				if tcp, ok := conn.(*net.TCPConn); ok && reset {
					_ = tcp.SetLinger(0)
				}
				conn.Close()
			}
			for n := 0; n != 3; {
				n = 0
				for _, l := range target.lines.idle {
					if l.stamped.Ended() {
						n++
					}
				}
				runtime.Gosched()
			}
			fresh := 0
			for i := range 4 {
				var r loadgen.Record
				if err := target.Do(t.Context(), i, &r); err != nil {
					t.Errorf("TLS %v, reset %v: %v", secure, reset, err)
				}
				if r.NewConn {
					fresh++
				}
			}
			if made := seen.made.Load(); made != 4 || fresh != 1 {
				t.Errorf("TLS %v, reset %v: %d connections, %d requests of 4 were the first on theirs", secure, reset,
					made, fresh)
			}
		}
	}
}

// slow is a server whose handshakes wait until they are let.
func slow(t *testing.T) (config Config, waiting *atomic.Int64, let chan struct{}, seen *connections) {
	t.Helper()
	seen, waiting, let = &connections{}, new(atomic.Int64), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, someStream)
	}))
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		seen.made.Add(1)
		waiting.Add(1)
		defer waiting.Add(-1)
		<-let
		return nil, nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	return Config{URL: server.URL, Model: "m", Workload: workload.RandomTokens{Input: 1, Output: 1}, TLS: trusted},
		waiting, let, seen
}

// Connections whose making takes longer than they may be idle are all there when the level begins.
func TestOpeningThatTakesLong(t *testing.T) {
	t.Parallel() // with what takes as long
	const n = dialsAtOnce + 36
	config, waiting, let, seen := slow(t)
	target := targetFor(t, config)
	opened := make(chan error)
	go func() { opened <- target.Open(t.Context(), n) }()
	for range n - 1 {
		let <- struct{}{}
	}
	for waiting.Load() != 1 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(idleLimit + 100*time.Millisecond)
	let <- struct{}{}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: n, Requests: n}, loadgen.TargetFunc(target.Do))
	if err != nil || r.Accounting.Completed != n {
		t.Fatal(err, r.Errors)
	}
	if made := seen.made.Load(); made != n {
		t.Errorf("%d handshakes for %d connections", made, n)
	}
}

// No more than so many connections are being made at a time, whether ahead or for requests that wait for them.
func TestDialsAtOnce(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		config, waiting, let, seen := slow(t)
		target := targetFor(t, config)
		const n = 2 * dialsAtOnce
		done := make(chan error)
		go func() {
			if ahead {
				done <- target.Open(t.Context(), n)
				return
			}
			_, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: n, Requests: n},
				loadgen.TargetFunc(target.Do))
			done <- err
		}()
		for waiting.Load() != dialsAtOnce {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond) // for more, if there were any
		if w, m := waiting.Load(), seen.made.Load(); w != dialsAtOnce || m != dialsAtOnce {
			t.Errorf("ahead %v: %d handshakes at once, of %d", ahead, w, m)
		}
		close(let)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
