package openai_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
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
		{"a stall inside an event", func(w http.ResponseWriter, r *http.Request) { sends(w, event+event[:20]); <-r.Context().Done() },
			time.Second, loadgen.ClassStalled, 200, "deadline exceeded", 1},

		{"closed before the answer", func(w http.ResponseWriter, r *http.Request) { breaks(w, false) },
			0, loadgen.ClassTruncated, 0, "EOF", 0},
		{"reset before the answer", func(w http.ResponseWriter, r *http.Request) { breaks(w, true) },
			0, loadgen.ClassTruncated, 0, "connection reset by peer", 0},
		{"closed between events", func(w http.ResponseWriter, r *http.Request) { sends(w, event); breaks(w, false) },
			0, loadgen.ClassTruncated, 200, "unexpected EOF", 1},
		{"closed inside an event", func(w http.ResponseWriter, r *http.Request) { sends(w, event+event[:20]); breaks(w, false) },
			0, loadgen.ClassTruncated, 200, "unexpected EOF", 1},
		{"aborted by the server's handler", func(w http.ResponseWriter, r *http.Request) { sends(w, event); panic(http.ErrAbortHandler) },
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
				result, all := measure(t, loadgen.Level{Concurrency: 2, Requests: requests, Timeout: test.timeout}, target)
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
		target := newTarget(t, openai.Config{URL: server.URL, Model: "wrong", Endpoint: endpoint, Workload: talk{"a", 1}})
		result, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 5}, target)
		want := loadgen.ErrorCount{Class: loadgen.ClassStatus, Status: 404, Count: 5, Example: "status 404: The model `wrong` does not exist."}
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
	if q.err == nil || q.err.Class != loadgen.ClassStatus || q.err.Status != 307 || !strings.Contains(q.err.Error(), "stopped after 10 redirects") {
		t.Errorf("got %v", q.err)
	}
	if ways.Load() != 10 {
		t.Errorf("%d requests", ways.Load())
	}
}

// The level's end cuts short what is in flight.
func TestCancelled(t *testing.T) {
	noGoroutineIsLeft(t, func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		server := httptest.NewServer(answers(func(w http.ResponseWriter, r *http.Request) {
			sends(w, event)
			cancel()
			<-r.Context().Done()
		}))
		defer server.Close()
		target := newTarget(t, openai.Config{URL: server.URL})
		defer target.Close()
		result, err := loadgen.Measure(ctx, loadgen.Level{Concurrency: 1, Requests: 5}, target)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if want := (loadgen.Accounting{Issued: 1, Cancelled: 1}); result.Accounting != want {
			t.Errorf("accounting %+v, want %+v", result.Accounting, want)
		}
	})
}

// connections counts what a server sees.
type connections struct {
	mu         sync.Mutex
	made, open int
}

func (c *connections) watch(_ net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.made++
		c.open++
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
}

func (c *connections) counts() (made, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made, c.open
}

// A level at concurrency C makes C connections and no more, whatever the answers are, and Close drops them.
func TestConnectionsAreKept(t *testing.T) {
	const concurrency, requests = 5, 40
	for _, test := range []struct {
		name   string
		config openai.Config
		h      http.Handler
	}{
		{"streamed", openai.Config{}, &loadgentest.Echo{}},
		{"whole", openai.Config{Whole: true}, &loadgentest.Echo{}},
		{"refused", openai.Config{Model: "wrong"}, &loadgentest.Simulated{}},
		{"refused without a word", openai.Config{}, answers(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })},
		{"the end comes in pieces", openai.Config{}, answers(func(w http.ResponseWriter, r *http.Request) {
			sends(w, event+"data: [DONE]\n")
			time.Sleep(2 * time.Millisecond) // for the client to have seen that
			sends(w, "\n")
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			// The requests of a level's first wave wait for each other, so that none has a connection to leave to another.
			var waves [2]sync.WaitGroup
			waves[0].Add(concurrency)
			waves[1].Add(concurrency)
			var arrived atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if i := arrived.Add(1) - 1; i%requests < concurrency {
					waves[i/requests].Done()
					waves[i/requests].Wait()
				}
				test.h.ServeHTTP(w, r)
			}))
			var seen connections
			server.Config.ConnState = seen.watch
			server.Start()
			defer server.Close()
			test.config.URL = server.URL
			target := newTarget(t, test.config)
			for _, want := range []int{concurrency, 0} { // the second level finds them all idle
				_, all := measure(t, loadgen.Level{Concurrency: concurrency, Requests: requests}, target)
				fresh := 0
				for _, q := range all {
					if q.NewConn {
						fresh++
					}
				}
				if made, _ := seen.counts(); made != concurrency || fresh != want || len(all) != requests {
					t.Errorf("%d connections, %d requests of %d on new ones; want %d, %d", made, fresh, len(all), concurrency, want)
				}
			}
			target.Close()
			eventually(t, "all connections closed", func() bool { _, open := seen.counts(); return open == 0 })
		})
	}
}

// A connection that the server has dropped has a class of its own: it is not the server's answer that was cut. Once there
// is a byte of an answer, it is.
func TestStaleConnection(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks func(w http.ResponseWriter)
		want   loadgen.Class
		is     error
	}{
		{"reset", func(w http.ResponseWriter) { breaks(w, true) }, loadgen.ClassStale, syscall.ECONNRESET},
		{"closed", func(w http.ResponseWriter) { breaks(w, false) }, loadgen.ClassStale, io.EOF},
		{"closed inside the header", func(w http.ResponseWriter) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 200")
			conn.Close()
		}, loadgen.ClassTruncated, io.ErrUnexpectedEOF},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%v", c.name, secure), func(t *testing.T) {
				var arrived atomic.Int64
				server := httptest.NewUnstartedServer(answers(func(w http.ResponseWriter, r *http.Request) {
					if arrived.Add(1) > 1 {
						c.breaks(w)
						return
					}
					sends(w, event+"data: [DONE]\n\n")
				}))
				config := openai.Config{}
				if secure {
					server.StartTLS()
					config.TLS = trusts(server)
				} else {
					server.Start()
				}
				defer server.Close()
				config.URL = server.URL
				_, all := measure(t, loadgen.Level{Concurrency: 1, Requests: 2}, newTarget(t, config))
				if all[0].err != nil {
					t.Fatal(all[0].err)
				}
				if q := all[1]; q.err == nil || q.NewConn || q.err.Class != c.want || !errors.Is(q.err, c.is) {
					t.Errorf("got %v", q.err)
				}
			})
		}
	}
}

// A server that says [DONE] and then keeps the answer open must not keep the slot: the request is over.
func TestAnswerLeftOpen(t *testing.T) {
	noGoroutineIsLeft(t, func() {
		server := httptest.NewServer(answers(func(w http.ResponseWriter, r *http.Request) {
			sends(w, event+"data: [DONE]\n\n")
			<-r.Context().Done() // until the client goes away
		}))
		defer server.Close()
		target := newTarget(t, openai.Config{URL: server.URL})
		defer target.Close()
		result, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 3}, target) // without a timeout
		if want := (loadgen.Accounting{Issued: 3, Completed: 3}); result.Accounting != want {
			t.Errorf("accounting %+v, want %+v; %v", result.Accounting, want, result.Errors)
		}
	})
}

// Servers echo what they refuse. Whatever they say, and wherever an error comes from, the key is not in it.
func TestErrorsHoldNoSecret(t *testing.T) {
	const (
		key    = `sk-live/4f+9"<q>\e`
		cookie = "5e551on-1d"
		token  = "t0ken-of-the-gateway"
	)
	basic := "dXNlcjpvcGVuLXNlc2FtZQ==" // user:open-sesame
	jwt := strings.Repeat("eyJhbGciOiJIUzI1NiJ9.", 60)
	say := func(w http.ResponseWriter, r *http.Request, status int, shape string) {
		w.WriteHeader(status)
		var all []string
		for name, values := range r.Header {
			all = append(all, name+": "+strings.Join(values, ", "))
		}
		sends(w, fmt.Sprintf(shape, strings.Join(all, "\n")))
	}
	handlers := map[string]func(w http.ResponseWriter, r *http.Request){
		"status, JSON string": func(w http.ResponseWriter, r *http.Request) { say(w, r, 401, `{"error":{"message":%q}}`) },
		"status, plain":       func(w http.ResponseWriter, r *http.Request) { say(w, r, 401, "%s") },
		"status, detail":      func(w http.ResponseWriter, r *http.Request) { say(w, r, 401, `{"detail":[{"input":%q}]}`) },
		"status, cut":         func(w http.ResponseWriter, r *http.Request) { say(w, r, 401, strings.Repeat("x", 390)+"%s") },
		"status, slashes": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(401)
			sends(w, `{"detail":[{"input":"`+strings.ReplaceAll(r.Header.Get("Authorization"), "/", `\/`)+`"}]}`)
		},
		"status, password": func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			w.WriteHeader(401)
			sends(w, "wrong password: "+password)
		},
		"status, JSON of a list": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(401)
			_ = json.NewEncoder(w).Encode(map[string]any{"detail": []string{r.Header.Get("Authorization")}})
		},
		"query": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/?key="+url.QueryEscape(r.Header.Get("Authorization")))
			w.WriteHeader(302)
		},
		"path": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/"+url.PathEscape(r.Header.Get("Authorization")))
			w.WriteHeader(302)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/?key="+r.Header.Get("X-Api-Token"))
			w.WriteHeader(302)
		},
		"event":        func(w http.ResponseWriter, r *http.Request) { say(w, r, 200, "data: {\"error\":%q}\n\n") },
		"garbage":      func(w http.ResponseWriter, r *http.Request) { say(w, r, 200, "data: {{%q\n\n") },
		"whole":        func(w http.ResponseWriter, r *http.Request) { say(w, r, 200, `{"choices":[],"echo":%q}`) },
		"whole, error": func(w http.ResponseWriter, r *http.Request) { say(w, r, 200, `{"error":%q}`) },
		"no HTTP": func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(conn, r.Header.Get("Authorization")+" "+r.Header.Get("Cookie")+"\r\n\r\n")
			conn.Close()
		},
	}
	header := http.Header{"Cookie": {"a=1; session=" + cookie}, "x-api-token": {token}}
	configs := map[string]struct {
		change  func(*openai.Config)
		secrets []string
	}{
		"key":    {func(c *openai.Config) { c.APIKey, c.Header = key, header }, []string{key, "live", "+9", "%2B9", cookie, token}},
		"nested": {func(c *openai.Config) { c.APIKey, c.Header = "gateway", header }, []string{"t0ken-of", "gateway"}},
		"jwt":    {func(c *openai.Config) { c.APIKey, c.Header = jwt, header }, []string{"eyJhbGci", cookie, token}},
		"basic":  {func(c *openai.Config) { c.Header = http.Header{"Authorization": {"Basic " + basic}} }, []string{basic, "dXNlcjpvcGVu", "open-sesame"}},
		"bearer": {func(c *openai.Config) { c.Header = http.Header{"authorization": {"Bearer " + token}} }, []string{token}},
		"URL": {func(c *openai.Config) { c.URL = strings.Replace(c.URL, "//", "//user:open-sesame@", 1) },
			[]string{"open-sesame", "dXNlcjpvcGVu"}},
		"URL, key as user": {func(c *openai.Config) { c.URL = strings.Replace(c.URL, "//", "//"+token+"@", 1) }, []string{token}},
	}
	for how, answer := range handlers {
		server := serve(t, answers(answer))
		for what, config := range configs {
			t.Run(how+"/"+what, func(t *testing.T) {
				c := openai.Config{URL: server.URL, Whole: strings.HasPrefix(how, "whole")}
				config.change(&c)
				q := measureOne(t, newTarget(t, c))
				if q.err == nil {
					t.Fatal("completed")
				}
				for err := error(q.err); err != nil; err = errors.Unwrap(err) {
					if secret, found := containsAny(err.Error(), config.secrets); found {
						t.Errorf("%q is in %q", secret, err)
					}
				}
			})
		}
	}
	t.Run("prompt", func(t *testing.T) {
		c := openai.Config{URL: "http://127.0.0.1:1", APIKey: key, Workload: refuses{fmt.Errorf("cannot open\n%s: %w", key, fs.ErrPermission)}}
		q := measureOne(t, loadgen.TargetFunc(newTarget(t, c).Do)) // nothing is there to be opened
		if q.err == nil || strings.Contains(q.err.Error(), key) || !strings.Contains(q.err.Error(), "cannot open ***") || !errors.Is(q.err, fs.ErrPermission) {
			t.Errorf("got %v", q.err)
		}
	})
}

// refuses is a workload without prompts.
type refuses struct{ err error }

func (w refuses) Prompt(int, *workload.Prompt) error { return w.err }

// Connections and goroutines are gone after a level that went well, too.
func TestNothingIsLeftBehind(t *testing.T) {
	noGoroutineIsLeft(t, func() {
		server := httptest.NewServer(&loadgentest.Echo{})
		defer server.Close()
		target := newTarget(t, openai.Config{URL: server.URL})
		measure(t, loadgen.Level{Concurrency: 8, Requests: 50}, target)
		if runtime.NumGoroutine() < 8 {
			t.Error("there were no connections")
		}
		target.Close()
	})
}
