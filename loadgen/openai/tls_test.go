package openai_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// kernelStamps says whether this system's kernel stamps what arrives.
const kernelStamps = runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64")

// secured is a server under TLS that speaks HTTP/2 where it is asked to. It counts the handshakes that were begun, and
// the requests by their version of HTTP.
type secured struct {
	*httptest.Server
	handshakes atomic.Int64
	mu         sync.Mutex
	versions   map[int]int
}

func newSecured(t *testing.T, handler http.Handler, clients tls.ClientAuthType) *secured {
	t.Helper()
	s := &secured{versions: map[int]int{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.versions[r.ProtoMajor]++
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	s.EnableHTTP2 = true
	s.Server.TLS = &tls.Config{ClientAuth: clients, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config,
		error) {
		s.handshakes.Add(1)
		return nil, nil
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *secured) requests(version int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.versions[version]
}

// Handshakes are over before a level's clock starts, and its requests go over HTTP/1.1 although the server has HTTP/2.
func TestOpenUnderTLS(t *testing.T) {
	server := newSecured(t, &loadgentest.Simulated{Model: "m", DecodeRate: 1000}, tls.NoClientCert)
	target := newTarget(t, openai.Config{URL: server.URL, TLS: trusts(server.Server)})
	if err := target.Open(context.Background(), 20); err != nil {
		t.Fatal(err)
	}
	if n := server.handshakes.Load(); n != 20 || server.requests(1) != 0 {
		t.Fatalf("%d handshakes, %d requests", n, server.requests(1))
	}
	// One request for each connection: of more, one may find that its slot's connection was given up (see drain).
	r, _ := measure(t, loadgen.Level{Concurrency: 20, Requests: 20}, target)
	if r.Accounting.Completed != 20 || server.requests(1) != 20 || server.requests(2) != 0 {
		t.Errorf("%+v, %d requests over HTTP/1, %d over HTTP/2: %v", r.Accounting, server.requests(1),
			server.requests(2),
			r.Errors)
	}
	if n := server.handshakes.Load(); n != 20 {
		t.Errorf("%d handshakes after the level had begun", n-20)
	}
}

// A server may ask for a client's certificate. One that nobody vouches for ends Open, and no level begins.
func TestTLSConfig(t *testing.T) {
	server := newSecured(t, &loadgentest.Echo{}, tls.RequireAnyClientCert)
	server.Config.ErrorLog = quiet()
	config := trusts(server.Server)
	config.Certificates = server.Server.TLS.Certificates
	config.NextProtos = []string{"h2"} // is not the user's to say
	target := newTarget(t, openai.Config{URL: server.URL, TLS: config})
	config.Certificates, config.RootCAs = nil, nil // nor of any effect once the target is there
	if r, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 4}, target); r.Accounting.Completed != 4 ||
		server.requests(1) != 4 {
		t.Errorf("%+v %v", r.Accounting, r.Errors)
	}
	stranger := newTarget(t, openai.Config{URL: server.URL})
	_, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 2, Requests: 4}, stranger)
	if class(err) != loadgen.ClassDial {
		t.Errorf("got %v", err)
	}
	if _, err := openai.New(openai.Config{URL: server.URL, Model: "m", Workload: workload.RandomTokens{Input: 1,
		Output: 1}, Client: server.Client(), TLS: config}); err == nil {
		t.Error("a client and a TLS configuration at once")
	}
}

// Under TLS too the kernel stamps what arrives. A chunk has the stamp of its own record: it arrived after the server
// wrote it, and before the server wrote the next, 20 ms later.
func TestClockUnderTLS(t *testing.T) {
	server := newSecured(t, &loadgentest.Simulated{Model: "m", DecodeRate: 50}, tls.NoClientCert)
	target := newTarget(t, openai.Config{URL: server.URL, TLS: trusts(server.Server),
		Workload: workload.RandomTokens{Input: 4, Output: 5}})
	var r *loadgen.Result
	var all []request
	for range 20 { // the kernel begins to stamp in the background, after the first connection asked for it
		r, all = measure(t, loadgen.Level{Concurrency: 2, Requests: 4}, target)
		if !kernelStamps || r.Stamps.Client == 0 {
			break
		}
	}
	if kernelStamps != (r.Stamps.Client == 0) || r.Stamps.Chunks() != 20 {
		t.Fatalf("stamps %+v", r.Stamps)
	}
	const slack = 5 * time.Millisecond // what the pairing of the clocks may be off by, and more
	wall := func(at time.Duration) int64 { return r.Start.Add(at).UnixNano() }
	for _, q := range all {
		if q.err != nil || len(q.chunks) != 5 {
			t.Fatalf("%d chunks, %v", len(q.chunks), q.err)
		}
		if wall(q.Sent) > q.Received+int64(slack) {
			t.Errorf("sent %v after the server had it", time.Duration(wall(q.Sent)-q.Received))
		}
		for i, c := range q.chunks {
			if late := time.Duration(wall(c.At()) - c.Sent); late < -slack {
				t.Errorf("chunk %d arrived %v before it was written", i, -late)
			}
		}
	}
}

// Over HTTP/2, under TLS or not, requests share connections, and the clock is the client's.
func TestHTTP2(t *testing.T) {
	handler := &loadgentest.Simulated{Model: "m", DecodeRate: 1000}
	server := newSecured(t, handler, tls.NoClientCert)
	var plainRequests, plainConnections atomic.Int64
	plain := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			plainRequests.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Config.ConnState = connecting(&plainConnections)
	plain.Start()
	defer plain.Close()
	for _, c := range []struct {
		name        string
		config      openai.Config
		requests    func() int64
		connections *atomic.Int64
	}{
		{"under TLS", openai.Config{URL: server.URL, TLS: trusts(server.Server), HTTP2: true},
			func() int64 { return int64(server.requests(2)) }, &server.handshakes},
		{"without", openai.Config{URL: plain.URL, HTTP2: true}, plainRequests.Load, &plainConnections},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := newTarget(t, c.config)
			if err := target.Open(context.Background(), 10); err != nil || c.connections.Load() != 0 {
				t.Fatalf("%d connections, %v", c.connections.Load(), err)
			}
			measure(t, loadgen.Level{Concurrency: 1, Requests: 1}, target)
			r, all := measure(t, loadgen.Level{Concurrency: 20, Requests: 60}, target)
			if r.Accounting.Completed != 60 || c.requests() != 61 || r.Stamps.Kernel != 0 || r.Stamps.Client != 300 {
				t.Errorf("%+v, %d requests over HTTP/2, stamps %+v: %v", r.Accounting, c.requests(), r.Stamps, r.Errors)
			}
			if n := c.connections.Load(); n != 1 {
				t.Errorf("%d connections, want the one that was there", n)
			}
			if slices.ContainsFunc(all, func(q request) bool { return q.NewConn || q.Sent < q.Scheduled }) {
				t.Error("a request on a connection of its own, or sent before it was due")
			}
		})
	}
}

// A server without HTTP/2 fails requests that are to go over it, and is not asked in another way.
func TestHTTP2ToAServerWithoutIt(t *testing.T) {
	for _, secure := range []bool{false, true} {
		server := httptest.NewUnstartedServer(&loadgentest.Echo{})
		server.Config.ErrorLog = quiet()
		config := openai.Config{HTTP2: true}
		if secure {
			server.StartTLS()
			config.TLS = trusts(server)
		} else {
			server.Start()
		}
		config.URL = server.URL
		r, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 4, Timeout: 10 * time.Second}, newTarget(t, config))
		if r.Accounting.Failed != 4 {
			t.Errorf("TLS %v: %+v", secure, r.Accounting)
		}
		server.Close()
	}
}
