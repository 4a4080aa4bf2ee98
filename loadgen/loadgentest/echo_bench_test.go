package loadgentest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// null is a ResponseWriter that costs nothing.
type null struct {
	header http.Header
	bytes  int
}

func (n *null) Header() http.Header         { return n.header }
func (n *null) WriteHeader(int)             {}
func (n *null) Write(b []byte) (int, error) { n.bytes += len(b); return len(b), nil }
func (n *null) Flush()                      {}

// shape is a request of 128 token ids, the kind of load that a client overhead
// validation applies.
func shape(output int) string {
	return fmt.Sprintf(`{"model":"m","prompt":[1000%s],"stream":true,"max_tokens":%d,"ignore_eos":true,"temperature":0,"stream_options":{"include_usage":true}}`,
		strings.Repeat(",1000", 127), output)
}

func report(b *testing.B, output int) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(b.N*output)/b.Elapsed().Seconds(), "chunks/s")
}

// BenchmarkEchoHandler is the handler alone, on one core.
func BenchmarkEchoHandler(b *testing.B) {
	for _, flushEach := range []bool{false, true} {
		for _, output := range []int{1, 128, 1024} {
			b.Run(fmt.Sprintf("each=%v/output=%d", flushEach, output), func(b *testing.B) {
				e := &Echo{FlushEach: flushEach}
				body := strings.NewReader("")
				req := &http.Request{Method: "POST", URL: &url.URL{Path: completions}, Body: io.NopCloser(body)}
				text := shape(output)
				w := &null{header: http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					body.Reset(text)
					e.ServeHTTP(w, req)
				}
				report(b, output)
			})
		}
	}
}

// BenchmarkEchoLoopback is the server behind real connections, one for each of
// the clients, which do no more than look for the end of the answer.
func BenchmarkEchoLoopback(b *testing.B) {
	for _, flushEach := range []bool{false, true} {
		for _, output := range []int{1, 128, 1024} {
			b.Run(fmt.Sprintf("each=%v/output=%d", flushEach, output), func(b *testing.B) {
				server := httptest.NewServer(&Echo{FlushEach: flushEach})
				defer server.Close()
				body := shape(output)
				request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: echo\r\nContent-Type: "+
					"application/json\r\nContent-Length: %d\r\n\r\n%s", completions, len(body), body)
				b.ReportAllocs()
				b.SetParallelism(8)
				b.RunParallel(func(pb *testing.PB) {
					c, err := net.Dial("tcp", server.Listener.Addr().String())
					if err != nil {
						b.Error(err)
						return
					}
					defer c.Close()
					buf := make([]byte, 64<<10)
					for pb.Next() {
						if _, err := c.Write(request); err != nil {
							b.Error(err)
							return
						}
						if err := readAnswer(c, buf); err != nil {
							b.Error(err)
							return
						}
					}
				})
				report(b, output)
			})
		}
	}
}

// readAnswer reads to the last chunk of a chunked body, the end of which may be
// torn between two reads.
func readAnswer(c net.Conn, buf []byte) error {
	const last = "\r\n0\r\n\r\n"
	kept := 0
	for {
		n, err := c.Read(buf[kept:])
		if err != nil {
			return err
		}
		n += kept
		if bytes.HasSuffix(buf[:n], []byte(last)) {
			return nil
		}
		kept = copy(buf, buf[max(0, n-len(last)):n])
	}
}

// BenchmarkParse is the reading of a request of 1,000 token ids.
func BenchmarkParse(b *testing.B) {
	body := []byte(`{"model":"m","prompt":[1000` + strings.Repeat(",1000", 999) + `],"max_tokens":128}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var q request
		if err := q.parse(body); err != nil {
			b.Fatal(err)
		}
	}
}
