package openai_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// counting is a server that counts its connections.
func counting(t *testing.T, handler http.Handler) (url string, opened, closed *atomic.Int64) {
	t.Helper()
	opened, closed = new(atomic.Int64), new(atomic.Int64)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			closed.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, opened, closed
}

// A level's connections are there before its clock starts, and its requests use them.
func TestOpen(t *testing.T) {
	url, opened, closed := counting(t, &loadgentest.Simulated{Model: "m", DecodeRate: 1000})
	target := newTarget(t, openai.Config{URL: url})
	if err := target.Open(context.Background(), 200); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connections are accepted", func() bool { return opened.Load() == 200 })
	if err := target.Open(context.Background(), 150); err != nil { // there have been as many already
		t.Fatal(err)
	}
	r, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 200, Requests: 400}, target)
	if err != nil || r.Accounting.Completed != 400 {
		t.Fatalf("%+v %v", r.Accounting, err)
	}
	if n := opened.Load(); n != 200 {
		t.Errorf("%d connections for 200 requests at once", n)
	}
	if err := target.Open(context.Background(), 220); err != nil { // 20 that are not handed out to anybody
		t.Fatal(err)
	}
	eventually(t, "the connections are accepted", func() bool { return opened.Load() == 220 })
	target.Close()
	eventually(t, "the connections are closed", func() bool { return closed.Load() == 220 })
}

// Where nobody listens a level does not begin.
func TestOpenToNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	target := newTarget(t, openai.Config{URL: "http://" + listener.Addr().String()})
	r, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 4, Requests: 8}, target)
	var failure *loadgen.Error
	if r != nil || !errors.As(err, &failure) || failure.Class != loadgen.ClassDial {
		t.Errorf("%+v %v", r, err)
	}
}
