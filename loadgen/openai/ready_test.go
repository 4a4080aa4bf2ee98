package openai

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const oneModel = `{"object":"list","data":[{"id":"m","object":"model","owned_by":"vllm","root":"org/m","parent":null,"max_model_len":32768}]}`

// offline is a server without a network: a function of method, host and path.
type offline func(*http.Request) (int, string, error)

func (f offline) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body, err := f(req)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{},
		Request: req}, nil
}

func (f offline) client() *http.Client { return &http.Client{Transport: f} }

// api asks the server at a URL by a client, nil for one of its own.
func api(t testing.TB, url string, client *http.Client, header http.Header) *API {
	t.Helper()
	a, err := NewAPI(Config{URL: url, Client: client, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestWaitUntilReady(t *testing.T) {
	var asked atomic.Int32 // /health, so far
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /sub/health":
			if asked.Add(1) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case "GET /sub/v1/models":
			if asked.Load() < 4 {
				io.WriteString(w, `{"object":"list","data":[]}`) // up, but nothing to serve yet
				return
			}
			io.WriteString(w, oneModel)
		default:
			t.Errorf("unexpected %s %s", r.Method, r.URL)
		}
	}))
	defer server.Close()
	var seen []string
	r := Readiness{FirstPause: time.Millisecond, LastPause: time.Millisecond,
		Progress: func(_ time.Duration, last error) {
			seen = append(seen, strings.TrimPrefix(last.Error(), "GET "+server.URL))
		}}
	if err := api(t, server.URL+"/sub/v1/", nil, nil).Wait(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/sub/health: 503 Service Unavailable",
		"/sub/health: 503 Service Unavailable",
		"/sub/v1/models: 200, but it lists no models yet",
	}
	if !slices.Equal(seen, want) || asked.Load() != 4 {
		t.Errorf("%d probes, progress %q; want 4, %q", asked.Load(), seen, want)
	}
}

// The clock is synctest's: the pauses are exact, and the half hour takes no time.
func TestWaitPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		refused := errors.New("dial tcp 127.0.0.1:8000: connect: connection refused")
		client := offline(func(r *http.Request) (int, string, error) {
			at = append(at, time.Since(start))
			return 0, "", refused
		}).client()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		err := api(t, "http://user:hunter2@127.0.0.1:8000/v1?key=hunter2", client, nil).Wait(ctx, Readiness{})

		ms := time.Millisecond
		if want := []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms, 2750 * ms}; !slices.Equal(at[:len(want)], want) {
			t.Errorf("probes at %v, want %v", at[:len(want)], want)
		}
		nr, ok := errors.AsType[*NotReadyError](err)
		if !ok {
			t.Fatalf("%v, want a NotReadyError", err)
		}
		if nr.Waited != 30*time.Minute || nr.Probes != len(at) || nr.URL != "http://127.0.0.1:8000" {
			t.Errorf("%+v; %d probes were made", nr, len(at))
		}
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(nr.Last, refused) {
			t.Errorf("%v does not wrap the deadline, or %v not the refusal", err, nr.Last)
		}
		for _, words := range []string{"http://127.0.0.1:8000 ", "30m0s", "connection refused", "/health",
			"deadline exceeded", "server's log"} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("the error does not say %q: %v", words, err)
			}
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "user") {
			t.Errorf("the error shows the URL's secrets: %v", err)
		}
	})
}

func TestWaitCustomPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		client := offline(func(r *http.Request) (int, string, error) {
			at = append(at, time.Since(start))
			return 503, "", nil
		}).client()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		// A last pause that is shorter than the first is no pause at all to go down to.
		_ = api(t, "http://h", client, nil).Wait(ctx, Readiness{FirstPause: 3 * time.Second, LastPause: time.Second})
		if want := []time.Duration{0, 3 * time.Second, 6 * time.Second, 9 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("probes at %v, want %v", at, want)
		}
	})
}

// A server that accepts and never answers costs one request timeout per probe, and the error says so rather than
// "deadline exceeded".
func TestWaitOnServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes := 0
		client := offline(func(r *http.Request) (int, string, error) {
			probes++
			if probes < 3 {
				<-r.Context().Done()
				return 0, "", r.Context().Err()
			}
			return 200, oneModel, nil
		}).client()
		var last []string
		r := Readiness{RequestTimeout: 7 * time.Second, Progress: func(_ time.Duration, err error) {
			last = append(last,
				err.Error())
		}}
		start := time.Now()
		if err := api(t, "http://h", client, nil).Wait(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start), 14*time.Second+750*time.Millisecond; got != want {
			t.Errorf("ready after %v, want %v", got, want)
		}
		if want := "GET http://h/health: no answer within 7s"; !slices.Equal(last, []string{want, want}) {
			t.Errorf("progress: %q, want %q twice", last, want)
		}
	})
}

// The same with a real connection, where the answer stops in the middle of its body.
func TestWaitOnBodyThatStops(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/models" && asked.Add(1) == 1 {
			io.WriteString(w, `{"data":[`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		io.WriteString(w, oneModel)
	}))
	defer server.Close()
	var last error
	// Long enough for a slow machine to answer the second time.
	r := Readiness{RequestTimeout: 300 * time.Millisecond, FirstPause: time.Millisecond, Progress: func(_ time.Duration,
		err error) {
		if last == nil {
			last = err
		}
	}}
	if err := api(t, server.URL, nil, nil).Wait(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if last == nil || !strings.Contains(last.Error(), "no answer within 300ms") {
		t.Errorf("first probe: %v, want that no answer came within 300ms", last)
	}
}

func TestWaitCancelledWithCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exited := errors.New("container exited with code 137")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(exited) })
		// The second probe hangs until the cancel; what is reported is the first one's answer, not that the second was
		// cut off.
		n := 0
		client := offline(func(r *http.Request) (int, string, error) {
			if n++; n > 1 {
				<-r.Context().Done()
				return 0, "", r.Context().Err()
			}
			return 502, "", nil
		}).client()
		err := api(t, "http://h", client, nil).Wait(ctx, Readiness{RequestTimeout: time.Hour})
		nr, ok := errors.AsType[*NotReadyError](err)
		if !ok || !errors.Is(err, exited) || nr.Waited != time.Minute || nr.Probes != 2 {
			t.Fatalf("%+v", err)
		}
		if pe, ok := errors.AsType[*ProbeError](nr.Last); !ok || pe.Status != 502 {
			t.Errorf("last answer: %v, want 502", nr.Last)
		}
		if !strings.Contains(err.Error(), "502 Bad Gateway") || !strings.Contains(err.Error(), "code 137") {
			t.Errorf("%v", err)
		}
	})
}

func TestWaitOnDeadContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := offline(func(r *http.Request) (int, string, error) {
		t.Error("asked although the context was over")
		return 200, oneModel, nil
	}).client()
	for range 20 { // select chooses by chance
		err := api(t, "http://h", client, nil).Wait(ctx, Readiness{})
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no answer yet") {
			t.Fatalf("%v", err)
		}
	}
}

// What counts as ready: health as 200 or absent, and at least one model named.
func TestWaitWhatIsReady(t *testing.T) {
	for name, c := range map[string]struct {
		health, models int
		body           string
		ready          bool
	}{
		"vLLM":                  {200, 200, oneModel, true},
		"no health":             {404, 200, oneModel, true},
		"health for POST":       {405, 200, oneModel, true},
		"loading":               {503, 200, oneModel, false},
		"proxy without server":  {200, 502, "", false},
		"proxy of a web page":   {200, 200, "<!doctype html><p>hello", false},
		"health says 204":       {204, 200, oneModel, false},
		"neither page":          {404, 404, "", false},
		"router without worker": {200, 200, `{"data":[]}`, false},
		"list is null":          {200, 200, `{"data":null}`, false},
		"JSON of something":     {200, 200, `{"status":"ok"}`, false},
		"model without a name":  {200, 200, `{"data":[{"object":"model"}]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := offline(func(r *http.Request) (int, string, error) {
					switch r.URL.Path {
					case "/health":
						return c.health, "", nil
					case "/v1/models":
						return c.models, c.body, nil
					}
					t.Errorf("asked for %s", r.URL)
					return 500, "", nil
				}).client()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := api(t, "http://h", client, nil).Wait(ctx, Readiness{})
				if c.ready != (err == nil) {
					t.Fatalf("Wait: %v, want ready: %v", err, c.ready)
				}
				if _, ok := errors.AsType[*NotReadyError](err); err != nil && !ok {
					t.Errorf("%T, want a NotReadyError", err)
				}
			})
		})
	}
}

func TestWaitGivesUpWhereAKeyIsWanted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return // vLLM asks for the key below /v1 only
		}
		if r.Header.Get("Authorization") != "Bearer sesame" {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"bad key `+r.Header.Get("Authorization")+`"}`)
			return
		}
		io.WriteString(w, oneModel)
	}))
	defer server.Close()
	err := api(t, server.URL, nil, http.Header{"Authorization": {"Bearer wrong-key"}}).Wait(t.Context(), Readiness{})
	nr, ok := errors.AsType[*NotReadyError](err)
	if !ok || nr.Err != nil || nr.Probes != 1 {
		t.Fatalf("%+v, want to give up at the first probe", err)
	}
	if pe, ok := errors.AsType[*ProbeError](err); !ok || pe.Status != http.StatusUnauthorized {
		t.Errorf("%v does not wrap the 401", err)
	}
	if !strings.Contains(err.Error(), "check the API key") || strings.Contains(err.Error(), "wrong-key") {
		t.Errorf("%v", err)
	}
	if err := api(t, server.URL, nil, http.Header{"Authorization": {"Bearer sesame"}}).Wait(t.Context(),
		Readiness{}); err != nil {
		t.Error(err)
	}
}
