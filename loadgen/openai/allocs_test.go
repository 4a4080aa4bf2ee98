package openai_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// canned is a server that allocates nothing for an answer: what it sends is always the same.
func canned(t testing.TB, chunks int) (url string) {
	t.Helper()
	events := strings.Repeat(event, chunks) + `data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":` +
		fmt.Sprint(chunks) + "}}\n\ndata: [DONE]\n\n"
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "+
		"chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(events), events)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	serve := func(conn net.Conn) {
		defer conn.Close()
		request := make([]byte, 4096)
		for {
			for n := 0; !bytes.HasSuffix(request[:n], []byte("}")); { // the end of the body
				m, err := conn.Read(request[n:])
				if err != nil {
					return
				}
				n += m
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return "http://" + listener.Addr().String()
}

// allocations is how many objects a request of a level makes, with a limit of time on it as levels have.
func allocations(t *testing.T, chunks int) float64 {
	t.Helper()
	target := newTarget(t, openai.Config{URL: canned(t, chunks), Workload: workload.RandomTokens{Input: 7,
		Output: chunks}})
	level := func(requests int) float64 {
		return testing.AllocsPerRun(2, func() {
			r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 2, Requests: requests,
				Timeout: time.Minute},
				target)
			if err != nil || r.Accounting.Completed != requests || r.Tokens.Mismatch > 0 {
				t.Fatal(err, r)
			}
		})
	}
	return (level(600) - level(100)) / 500
}

// A request makes as many objects as the package comment says, however many chunks its answer has: none is made for a
// chunk. Two or three are for the request's log of chunks as it grows, and under the race detector pools lose what they
// hold now and then; an object for one chunk in twenty is beyond both.
func TestAllocations(t *testing.T) {
	const stated = 30
	short, long := allocations(t, 10), allocations(t, 210)
	if perChunk := (long - short) / 200; perChunk > 0.05 {
		t.Errorf("%.1f objects for 10 chunks, %.1f for 210: %.3f for each chunk", short, long, perChunk)
	}
	if short > stated {
		t.Errorf("%.1f objects a request, more than %d", short, stated)
	}
	t.Logf("%.1f objects a request", short)
}
