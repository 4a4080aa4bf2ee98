package openai_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen/openai"
)

// Which chunks share a read with later content is known, by HTTP and by TLS, by our own connections and by net/http's:
// all but the last of those that come together. What else comes along, such as the end of the stream, makes none of
// them share.
func TestShared(t *testing.T) {
	const end = `data: {"choices":[{"index":0,"text":"","finish_reason":"length"}]}` + "\n\n" +
		`data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}` + "\n\n" + "data: [DONE]\n\n"
	const pause = 10 * time.Millisecond
	h := answers(func(w http.ResponseWriter, r *http.Request) {
		sends(w, event)
		time.Sleep(pause)
		sends(w, event+event+event)
		time.Sleep(pause)
		sends(w, event[:30])
		time.Sleep(pause)
		sends(w, event[30:]+end)
	})
	for _, secure := range []bool{false, true} {
		for _, own := range []bool{true, false} {
			t.Run(fmt.Sprintf("tls=%v/own=%v", secure, own), func(t *testing.T) {
				server := httptest.NewUnstartedServer(h)
				config := openai.Config{}
				if secure {
					server.StartTLS()
					config.TLS = trusts(server)
				} else {
					server.Start()
				}
				defer server.Close()
				if config.URL = server.URL; !own {
					config.Client, config.TLS = server.Client(), nil
				}
				q := measureOne(t, newTarget(t, config))
				if q.err != nil || len(q.chunks) != 5 {
					t.Fatalf("%d chunks, %v", len(q.chunks), q.err)
				}
				for i, shared := range []bool{false, true, true, false, false} {
					c := q.chunks[i]
					if c.Shared != shared {
						t.Errorf("chunk %d: shared %v", i, c.Shared)
					}
					if !shared && c.Since != 0 || shared && (c.Since < q.chunks[0].At() || c.Since > c.At()) {
						t.Errorf("chunk %d came at %v, since %v; the one before at %v", i, c.At(), c.Since,
							q.chunks[0].At())
					}
				}
				if q.Done < q.chunks[4].At() {
					t.Errorf("done at %v, before the last chunk at %v", q.Done, q.chunks[4].At())
				}
			})
		}
	}
}

// A chunk that came whole, before the next one's framing alone, has the stamp of its own read: it does not wait for
// the data that the framing announces, as it would with net/http's decoder.
func TestChunkBeforeTheNextOnesSize(t *testing.T) {
	const pause = 20 * time.Millisecond
	url, _ := handmade(t, func(conn net.Conn, request *http.Request) bool {
		_, _ = io.Copy(io.Discard, request.Body)
		size := fmt.Sprintf("%x\r\n", len(event))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+size)
		for range 3 {
			time.Sleep(pause)
			_, _ = io.WriteString(conn, event+"\r\n"+size)
		}
		time.Sleep(pause)
		_, err := io.WriteString(conn, event+"\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
		return err == nil
	})
	q := measureOne(t, newTarget(t, openai.Config{URL: url}))
	if q.err != nil || len(q.chunks) != 4 {
		t.Fatalf("%d chunks, %v", len(q.chunks), q.err)
	}
	for i := range 3 {
		if gap := q.chunks[i+1].At() - q.chunks[i].At(); gap < pause/2 || q.chunks[i].Shared {
			t.Errorf("%v after chunk %d, shared %v", gap, i, q.chunks[i].Shared)
		}
	}
}
