package netstamp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"runtime"
	"testing"
	"time"
)

// stamps says whether this system's kernel is asked for stamps.
const stamps = runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64")

// pair is a stamping connection and the other end of it, on a kernel that has begun to stamp: it does so in the
// background after the first connection asked for it.
func pair(t *testing.T) (*Conn, net.Conn) {
	t.Helper()
	for range 1000 {
		c, other := newPair(t)
		var e Exchange
		c.Begin(&e)
		_, _ = other.Write([]byte("x"))
		_, _ = c.Read(make([]byte, 1))
		if a, _ := e.Arrival(); a.Known == stamps {
			return c, other
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the kernel stamps nothing")
	return nil, nil
}

func newPair(t *testing.T) (*Conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := listener.Accept()
		accepted <- c
	}()
	c, err := (&Dialer{}).DialContext(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other := <-accepted
	t.Cleanup(func() { c.Close(); other.Close() })
	return c.(*Conn), other
}

// What waits in the kernel before it is read was there all that time, and the stamp says so.
func TestArrivalIsTheKernels(t *testing.T) {
	c, other := pair(t)
	var e Exchange
	c.Begin(&e)
	if _, ok := e.Arrival(); ok {
		t.Error("an arrival before anything was read")
	}
	before := time.Now()
	if _, err := other.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	const idle = 50 * time.Millisecond
	time.Sleep(idle)
	buffer := make([]byte, 100)
	n, err := c.Read(buffer)
	if err != nil || string(buffer[:n]) != "hello" {
		t.Fatalf("%q %v", buffer[:n], err)
	}
	a, ok := e.Arrival()
	if !ok || a.Known != stamps {
		t.Fatalf("%+v %v", a, ok)
	}
	if !stamps {
		return
	}
	// A busy kernel takes a while for what is sent within a host.
	if a.Lag < idle/2 || a.Lag > time.Since(before) {
		t.Errorf("it was read %v after the kernel had it, want from %v to %v", a.Lag, idle/2, time.Since(before))
	}
}

func TestSentIsTheFirstWrite(t *testing.T) {
	c, other := pair(t)
	go func() { _, _ = io.Copy(io.Discard, other) }()
	var e Exchange
	c.Begin(&e)
	if _, ok := e.Sent(); ok {
		t.Error("sent before anything was written")
	}
	before := time.Now()
	for range 3 {
		if _, err := c.Write([]byte("part")); err != nil {
			t.Fatal(err)
		}
	}
	after := time.Now()
	time.Sleep(time.Millisecond)
	_, _ = c.Write([]byte("late"))
	sent, ok := e.Sent()
	if !ok || sent.Before(before) || sent.After(after) {
		t.Errorf("sent %v %v, want from %v to %v", sent, ok, before, after)
	}
}

// An exchange keeps its stamps, however many have begun on the connection since: whoever asks may come late. None has
// those of another.
func TestStampsBelongToTheirExchange(t *testing.T) {
	c, other := pair(t)
	var zero, first, second, third Exchange
	c.Begin(&first)
	_, _ = c.Write([]byte("x"))
	_, _ = other.Write([]byte("y"))
	_, _ = c.Read(make([]byte, 1))
	sent, wasSent := first.Sent()
	arrival, arrived := first.Arrival()
	if !wasSent || !arrived || arrival.Known != stamps {
		t.Fatalf("sent %v %v, arrival %+v %v", sent, wasSent, arrival, arrived)
	}
	c.Begin(&second)
	c.Begin(&third)
	for name, e := range map[string]*Exchange{"second": &second, "third": &third, "zero": &zero} {
		if _, ok := e.Sent(); ok {
			t.Errorf("the %s exchange has a write", name)
		}
		if _, ok := e.Arrival(); ok {
			t.Errorf("the %s exchange has an arrival", name)
		}
	}
	_, _ = c.Write([]byte("x"))
	_, _ = other.Write([]byte("y"))
	_, _ = c.Read(make([]byte, 1))
	if at, _ := first.Sent(); at != sent {
		t.Errorf("the first exchange was sent at %v, and then at %v", sent, at)
	}
	if a, _ := first.Arrival(); a != arrival {
		t.Errorf("the first exchange had %+v, and then %+v", arrival, a)
	}
	if _, ok := second.Sent(); ok {
		t.Error("the second exchange has the third's write")
	}
	if a, ok := third.Arrival(); !ok || a == arrival {
		t.Errorf("the third exchange has %+v %v", a, ok)
	}
}

// A request that is tried again on another connection has the stamps of that one alone.
func TestExchangeOnAnotherConnection(t *testing.T) {
	stale, _ := newPair(t)
	c, other := pair(t)
	var e Exchange
	stale.Begin(&e)
	_, _ = stale.Write([]byte("x"))
	c.Begin(&e)
	_, _ = stale.Write([]byte("x"))
	if at, ok := e.Sent(); ok {
		t.Errorf("it was sent at %v, on the connection that it has left", at)
	}
	_, _ = c.Write([]byte("x"))
	if _, ok := e.Sent(); !ok {
		t.Error("it was not sent")
	}
	_, _ = other.Write([]byte("y"))
	_, _ = c.Read(make([]byte, 1))
	if a, ok := e.Arrival(); !ok || a.Known != stamps {
		t.Errorf("arrival %+v %v", a, ok)
	}
}

func TestEndsAndDeadlines(t *testing.T) {
	c, other := pair(t)
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("a read of nothing: %d %v", n, err)
	}
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("after the deadline: %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})
	other.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the other end closed: %v", err)
	}
	c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after our end closed: %v", err)
	}
	if _, err := (&Dialer{}).DialContext(context.Background(), "tcp", c.RemoteAddr().String()); err == nil {
		t.Error("a dial to nobody succeeded")
	}
}

func TestReset(t *testing.T) {
	c, other := pair(t)
	_ = other.(*net.TCPConn).SetLinger(0)
	other.Close()
	_, err := c.Read(make([]byte, 1))
	if err == nil || err == io.EOF {
		t.Errorf("after a reset: %v", err)
	}
}

// Under net/http, with connections that are used again, every answer has its own stamps.
func TestHTTP(t *testing.T) {
	pair(t) // the kernel stamps
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 3 {
			_, _ = io.WriteString(w, "chunk")
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	defer server.Close()
	transport := &http.Transport{DialContext: new(Dialer).DialContext}
	defer transport.CloseIdleConnections()
	for range 20 {
		var exchange Exchange
		var got time.Time
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
			got = time.Now()
			info.Conn.(*Conn).Begin(&exchange)
		}}
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace),
			http.MethodPost,
			server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		sent, ok := exchange.Sent()
		if !ok || sent.Before(got) {
			t.Errorf("sent %v %v, and the connection was had at %v", sent, ok, got)
		}
		last := sent
		for buffer := make([]byte, 100); ; {
			n, err := response.Body.Read(buffer)
			if a, ok := exchange.Arrival(); ok && n > 0 {
				if a.Known != stamps || a.Seen.Add(-a.Lag).Before(last.Add(-time.Millisecond)) {
					t.Errorf("arrival %+v, before %v", a, last)
				}
				last = a.Seen.Add(-a.Lag)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		response.Body.Close()
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	c, other := pair(t)
	c.Begin(new(Exchange))
	buffer, message := make([]byte, 10), []byte("x")
	if n := testing.AllocsPerRun(200, func() {
		_, _ = other.Write(message)
		_, _ = c.Read(buffer)
	}); n > 0 {
		t.Errorf("%v allocations a read", n)
	}
}

func BenchmarkRead(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				for message := make([]byte, 200); ; {
					if _, err := c.Write(message); err != nil {
						return
					}
				}
			}()
		}
	}()
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"plain": new(net.Dialer).DialContext, "stamped": new(Dialer).DialContext,
	} {
		b.Run(name, func(b *testing.B) {
			c, err := dial(context.Background(), "tcp", listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			buffer := make([]byte, 200)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Read(buffer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
