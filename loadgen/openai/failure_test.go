package openai_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// answers is a handler that reads the request, as servers do before they answer.
func answers(answer func(w http.ResponseWriter, r *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, r)
	})
}

// sends writes text and sees that it is on its way.
func sends(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// breaks ends a connection without a word: by a reset, or by closing it.
func breaks(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if secure, ok := conn.(*tls.Conn); ok && reset { // which would say goodbye
		conn = secure.NetConn()
	}
	if reset {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
}

const someChoice = `{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`

// Every way to fail has its class, the books close, nothing hangs, and nothing is left behind.
func TestFailures(t *testing.T) {
	const requests = 2
	for _, test := range []struct {
		name    string
		answer  func(w http.ResponseWriter, r *http.Request)
		timeout time.Duration // long where content has to come before it
		want    loadgen.Class
		status  int
		says    string
		chunks  int
	}{
		{"no answer", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			50 * time.Millisecond, loadgen.ClassTimeout, 0, "deadline exceeded", 0},
		{"only a header", func(w http.ResponseWriter, r *http.Request) { sends(w, ""); <-r.Context().Done() },
			50 * time.Millisecond, loadgen.ClassTimeout, 200, "deadline exceeded", 0},
		{"a role and no content", func(w http.ResponseWriter, r *http.Request) {
			sends(w, "data: "+someChoice+"\n\n")
			<-r.Context().Done()
		}, 50 * time.Millisecond, loadgen.ClassTimeout, 200, "deadline exceeded", 0},
		{"a stall", func(w http.ResponseWriter, r *http.Request) { sends(w, event); <-r.Context().Done() },
			time.Second, loadgen.ClassStalled, 200, "deadline exceeded", 1},
		{"a stall inside an event", func(w http.ResponseWriter, r *http.Request) {
			sends(w,
				event+event[:20])
			<-r.Context().Done()
		},
			time.Second, loadgen.ClassStalled, 200, "deadline exceeded", 1},

		{"closed before the answer", func(w http.ResponseWriter, r *http.Request) { breaks(w, false) },
			0, loadgen.ClassTruncated, 0, "EOF", 0},
		{"reset before the answer", func(w http.ResponseWriter, r *http.Request) { breaks(w, true) },
			0, loadgen.ClassTruncated, 0, "connection reset by peer", 0},
		{"closed between events", func(w http.ResponseWriter, r *http.Request) { sends(w, event); breaks(w, false) },
			0, loadgen.ClassTruncated, 200, "unexpected EOF", 1},
		{"closed inside an event", func(w http.ResponseWriter, r *http.Request) {
			sends(w, event+event[:20])
			breaks(w,
				false)
		},
			0, loadgen.ClassTruncated, 200, "unexpected EOF", 1},
		{"aborted by the server's handler", func(w http.ResponseWriter, r *http.Request) {
			sends(w,
				event)
			panic(http.ErrAbortHandler)
		},
			0, loadgen.ClassTruncated, 200, "unexpected EOF", 1},
		{"ended in good order, but too soon", func(w http.ResponseWriter, r *http.Request) { sends(w, event) },
			0, loadgen.ClassTruncated, 200, "neither [DONE]", 1},
		{"error inside the stream", func(w http.ResponseWriter, r *http.Request) {
			sends(w, event+`data: {"error":{"message":"out of memory"}}`+"\n\ndata: [DONE]\n\n")
		}, 0, loadgen.ClassServer, 200, "out of memory", 1},
		{"no protocol", func(w http.ResponseWriter, r *http.Request) { sends(w, "data: hello\n\n") },
			0, loadgen.ClassProtocol, 200, "hello", 0},

		{"404 as vLLM", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			sends(w, `{"error":{"message":"The model x does not exist.","type":"NotFoundError","param":"model","code":404}}`)
		}, 0, loadgen.ClassStatus, 404, "status 404: The model x does not exist.", 0},
		{"422 as FastAPI", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(422)
			sends(w, `{"detail":[{"loc":["body","prompt"],"msg":"Field required"}]}`)
		}, 0, loadgen.ClassStatus, 422, "Field required", 0},
		{"500 as FastAPI", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			sends(w, `{"detail":"engine\ndied"}`)
		},
			0, loadgen.ClassStatus, 500, "status 500: engine died", 0},
		{"500 in plain text", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			sends(w, "Internal\r\n\tServer \x1b[31mError\x00 "+strings.Repeat("x", 100_000))
		}, 0, loadgen.ClassStatus, 500, "status 500: Internal Server [31mError xxx", 0},
		{"503 without a word", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) },
			0, loadgen.ClassStatus, 503, "status 503: no reason given", 0},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/v1/completions", http.StatusTemporaryRedirect)
		},
			0, loadgen.ClassStatus, 307, "redirected to /v1/completions", 0},
		{"no HTTP", func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(conn, strings.Repeat("SSH\x1b", 100_000)+"\r\n\r\n")
			conn.Close()
		}, 0, loadgen.ClassProtocol, 0, "malformed HTTP response", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			noGoroutineIsLeft(t, func() {
				server := httptest.NewServer(answers(test.answer))
				defer server.Close()
				target := newTarget(t, openai.Config{URL: server.URL})
				defer target.Close()
				result, all := measure(t, loadgen.Level{Concurrency: 2, Requests: requests, Timeout: test.timeout},
					target)
				if want := (loadgen.Accounting{Issued: requests, Failed: requests}); result.Accounting != want {
					t.Errorf("accounting %+v, want %+v", result.Accounting, want)
				}
				for _, q := range all {
					if q.err == nil {
						t.Fatal("completed")
					}
					if q.err.Class != test.want || q.Status != test.status || len(q.chunks) != test.chunks {
						t.Errorf("class %s, status %d, %d chunks: %v", q.err.Class, q.Status, len(q.chunks), q.err)
					}
					if test.want == loadgen.ClassStatus && q.err.Status != test.status {
						t.Errorf("the error's status is %d", q.err.Status)
					}
					checkText(t, q.err.Error(), test.says)
				}
			})
		})
	}
}

// checkText requires an error's text to say something, on one line, and not too much.
func checkText(t *testing.T, text, says string) {
	t.Helper()
	if !strings.Contains(text, says) {
		t.Errorf("%q says nothing of %q", text, says)
	}
	if len([]rune(text)) > 500 || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("%d characters: %q", len(text), text)
	}
}

// A reason to stop that a server makes up may hold what it was told, and a record may not.
func TestFinishHoldsNoSecret(t *testing.T) {
	server := serve(t, answers(func(w http.ResponseWriter, r *http.Request) {
		sends(w, strings.Replace(event, "null", `"quota of `+r.Header.Get("Authorization")+`"`, 1)+"data: [DONE]\n\n")
	}))
	q := measureOne(t, newTarget(t, openai.Config{URL: server.URL, APIKey: "hunter2"}))
	if q.err != nil || q.Finish != "quota of Bearer ***" {
		t.Errorf("finish %q, %v", q.Finish, q.err)
	}
}

func TestNoConnection(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	unknown := httptest.NewUnstartedServer(&loadgentest.Echo{})
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the client that we are
	unknown.StartTLS()
	defer unknown.Close()
	for _, test := range []struct {
		name, url, says string
		is              error
	}{
		{"nobody listens", "http://" + closed.Addr().String(), "connection refused", syscall.ECONNREFUSED},
		{"unknown certificate", unknown.URL, "certificate", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			noGoroutineIsLeft(t, func() {
				target := newTarget(t, openai.Config{URL: test.url})
				defer target.Close()
				// Without Open, which fails before the level begins: as for a server that goes later.
				result, all := measure(t, loadgen.Level{Concurrency: 2, Requests: 4}, loadgen.TargetFunc(target.Do))
				if want := (loadgen.Accounting{Issued: 4, Failed: 4}); result.Accounting != want {
					t.Errorf("accounting %+v, want %+v", result.Accounting, want)
				}
				for _, q := range all {
					if q.err == nil || q.err.Class != loadgen.ClassDial {
						t.Fatalf("got %v", q.err)
					}
					checkText(t, q.err.Error(), test.says)
					if test.is != nil && !errors.Is(q.err, test.is) {
						t.Errorf("%v is not %v", q.err, test.is)
					}
				}
			})
		})
	}
}

// A wrong model, from the servers that are used everywhere else.
func TestWrongModel(t *testing.T) {
	server := serve(t, &loadgentest.Simulated{Model: "right"})
	for _, endpoint := range []openai.Endpoint{openai.Completions, openai.Chat} {
		target := newTarget(t, openai.Config{URL: server.URL, Model: "wrong", Endpoint: endpoint,
			Workload: talk{"a", 1}})
		result, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 5}, target)
		want := loadgen.ErrorCount{Class: loadgen.ClassStatus, Status: 404, Count: 5,
			Example: "status 404: The model `wrong` does not exist."}
		if len(result.Errors) != 1 || result.Errors[0] != want {
			t.Errorf("%s: got %+v, want %+v", endpoint, result.Errors, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const noon = "Mon, 02 Jan 2006 12:00:00 GMT"
	for _, c := range []struct {
		header, date string
		want         time.Duration
	}{
		{"7", noon, 7 * time.Second},
		{"", noon, 0}, {"0", noon, 0}, {"-1", noon, 0}, {"soon", noon, 0}, {"1.5", noon, 0},
		{"99999999999", noon, 0}, {"9999999999999999999999", noon, 0},
		{"Mon, 02 Jan 2006 12:00:07 GMT", noon, 7 * time.Second}, // by the server's clock, whatever ours says
		{"Monday, 02-Jan-06 12:01:00 GMT", noon, time.Minute},
		{"Tue, 03 Jan 2006 12:00:00 GMT", noon, 24 * time.Hour},
		{"Tue, 03 Jan 2006 12:00:01 GMT", noon, 0},
		{noon, noon, 0}, {"Mon, 02 Jan 2006 11:59:59 GMT", noon, 0}, {noon, "", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", 0},
		{"Mon, 02 Jan 2006", noon, 0},
	} {
		server := serve(t, answers(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = []string{c.date}
			if c.date == "" {
				w.Header()["Date"] = nil // none at all
			}
			w.Header().Set("Retry-After", c.header)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		q := measureOne(t, newTarget(t, openai.Config{URL: server.URL}))
		if q.err == nil || q.err.Class != loadgen.ClassStatus || q.err.Status != 429 || q.err.RetryAfter != c.want {
			t.Errorf("%q at %q: got %+v, want %v", c.header, c.date, q.err, c.want)
		}
	}
	// A date without the server's own is held against ours.
	server := serve(t, answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	q := measureOne(t, newTarget(t, openai.Config{URL: server.URL}))
	if q.err == nil || q.err.RetryAfter <= 0 || q.err.RetryAfter > time.Hour {
		t.Errorf("got %+v, want an hour or less", q.err)
	}
}

// Redirects in a circle end, whoever follows them.
func TestRedirectLoopOfTheUsersClient(t *testing.T) {
	var ways atomic.Int64
	server := serve(t, answers(func(w http.ResponseWriter, r *http.Request) {
		ways.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}))
	client := server.Client()
	q := measureOne(t, newTarget(t, openai.Config{URL: server.URL, Client: client}))
	if q.err == nil || q.err.Class != loadgen.ClassStatus || q.err.Status != 307 || !strings.Contains(q.err.Error(),
		"stopped after 10 redirects") {
		t.Errorf("got %v", q.err)
	}
	if ways.Load() != 10 {
		t.Errorf("%d requests", ways.Load())
	}
}
