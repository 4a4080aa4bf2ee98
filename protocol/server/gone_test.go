//go:build unix

package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
)

// fullQueue is the URL of a listener that takes no connection, and whose queue is full.
func fullQueue(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 64 { // until one has to wait
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return "http://" + address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue does not fill")
	return ""
}

// Gone is a refused connection, or a gateway that says so; a server that is slow, busy or broken is there.
func TestLook(t *testing.T) {
	status := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	hangsUp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hangsUp.Close()
	go func() { // as kubectl port-forward does whose pod has gone
		for {
			conn, err := hangsUp.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(502)
	}))
	defer secure.Close()
	for _, c := range []struct {
		name, url string
		want      presence
	}{
		{"nobody", freeport.URL(t), refused},
		{"no URL", "nonsense", refused},
		{"200", status(200), present},
		{"404", status(404), present},
		{"500", status(500), present},
		{"502", status(502), forwarded},
		{"503", status(503), forwarded},
		{"504", status(504), forwarded},
		{"hangs up", "http://" + hangsUp.Addr().String(), forwarded},
		{"TLS that we need not trust", secure.URL, forwarded},
		{"a full queue", fullQueue(t), present},
	} {
		if got := look(t.Context(), c.url); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Behind a gateway a server is gone when the gateway goes on saying so, and not when it says it for a moment.
func TestAwaitGoneBehindAGateway(t *testing.T) {
	var asked atomic.Int64
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n == 1 || n >= 5 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer gateway.Close()
	by, err := awaitGone(t.Context(), gateway.URL, 20*time.Second)
	if err != nil || !by || asked.Load() < 10 {
		t.Errorf("%v %v after %d questions", by, err, asked.Load())
	}
	if _, err := awaitGone(t.Context(), fullQueue(t), 50*time.Millisecond); err == nil {
		t.Error("a server whose queue is full is said to have gone")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := awaitGone(over, gateway.URL, time.Minute); err == nil {
		t.Error("a context that is over is no error")
	}
}

func TestNone(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	i, err := None(server.URL).Start(t.Context())
	if err != nil || i.Stop != nil {
		t.Fatal(err)
	}
	id, err := i.Identity(t.Context())
	if err != nil || id.Proof != "" || runtime.GOOS == "linux" && (len(id.PIDs) != 1 || id.PIDs[0] != os.Getpid()) {
		t.Errorf("%+v %v", id, err)
	}
	if p := i.Path(t.Context()); p.Via != "" || p.RoundTrip <= 0 || p.Known != (runtime.GOOS == "linux") {
		t.Errorf("%+v", p)
	}
}

func TestHandler(t *testing.T) {
	s := Handler(func(start int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, start) })
	})
	proofs := map[string]bool{}
	for want := range 3 {
		i, err := s.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := pidAt(t, i.URL); got != want+1 {
			t.Errorf("start %d answers %d", want+1, got)
		}
		proofs[proof(t, i)] = true
		if _, err := i.Stop(t.Context()); err != nil || look(t.Context(), i.URL) != refused {
			t.Errorf("%v", err)
		}
	}
	if len(proofs) != 3 {
		t.Errorf("%v", proofs)
	}
}
