package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const oneModel = `{"object":"list","data":[{"id":"m","object":"model","owned_by":"vllm","root":"org/m","parent":null,"max_model_len":32768}]}`

// answers is a server without a network: a function of method, host and path.
type answers func(*http.Request) (int, string, error)

func (f answers) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body, err := f(req)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: req}, nil
}

func (f answers) client() *http.Client { return &http.Client{Transport: f} }

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
	r := Readiness{FirstPause: time.Millisecond, LastPause: time.Millisecond, Progress: func(_ time.Duration, last error) {
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
		client := answers(func(r *http.Request) (int, string, error) {
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
		for _, words := range []string{"http://127.0.0.1:8000 ", "30m0s", "connection refused", "/health", "deadline exceeded", "server's log"} {
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
		client := answers(func(r *http.Request) (int, string, error) {
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
		client := answers(func(r *http.Request) (int, string, error) {
			probes++
			if probes < 3 {
				<-r.Context().Done()
				return 0, "", r.Context().Err()
			}
			return 200, oneModel, nil
		}).client()
		var last []string
		r := Readiness{RequestTimeout: 7 * time.Second, Progress: func(_ time.Duration, err error) { last = append(last, err.Error()) }}
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
	r := Readiness{RequestTimeout: 300 * time.Millisecond, FirstPause: time.Millisecond, Progress: func(_ time.Duration, err error) {
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
		client := answers(func(r *http.Request) (int, string, error) {
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
	client := answers(func(r *http.Request) (int, string, error) {
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
				client := answers(func(r *http.Request) (int, string, error) {
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
	if err := api(t, server.URL, nil, http.Header{"Authorization": {"Bearer sesame"}}).Wait(t.Context(), Readiness{}); err != nil {
		t.Error(err)
	}
}

func TestModels(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []Model
	}{
		"vLLM":           {oneModel, []Model{{ID: "m", Root: "org/m", MaxModelLen: 32768}}},
		"OpenAI":         {`{"object":"list","data":[{"id":"b","created":1},{"id":"a"}]}`, []Model{{ID: "b"}, {ID: "a"}}},
		"nulls":          {`{"data":[{"id":"m","root":null,"max_model_len":null}]}`, []Model{{ID: "m"}}},
		"another's idea": {`{"data":[{"id":"m","root":{"x":1},"max_model_len":"8k"}]}`, []Model{{ID: "m"}}},
		"no length":      {`{"data":[{"id":"m","max_model_len":-1}]}`, []Model{{ID: "m"}}},
		"none":           {`{"data":[]}`, []Model{}},
		"Together":       {`[{"id":"a","object":"model"},{"id":"b"}]`, []Model{{ID: "a"}, {ID: "b"}}},
		"llama.cpp":      {`{"models":[{"name":"x"}],"object":"list","data":[{"id":"m"}]}`, []Model{{ID: "m"}}},
		"Ollama":         {`{"models":[{"name":"a:latest","size":5},{"model":"b"}]}`, []Model{{ID: "a:latest"}, {ID: "b"}}},
		"names":          {`{"data":["a","b"]}`, []Model{{ID: "a"}, {ID: "b"}}},
		"names alone":    {`["a"]`, []Model{{ID: "a"}}},
	} {
		client := answers(func(*http.Request) (int, string, error) { return 200, c.body, nil }).client()
		got, err := api(t, "http://h", client, nil).Models(t.Context())
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestModelsErrors(t *testing.T) {
	refused := errors.New("connection refused")
	for name, c := range map[string]struct {
		status int
		body   string
		err    error
		is     error // what the error must wrap; nil: nothing
	}{
		"refused":  {0, "", refused, refused},
		"status":   {500, oneModel, nil, nil},
		"moved":    {304, oneModel, nil, nil},
		"HTML":     {200, "<html>", nil, ErrNotModelServer},
		"empty":    {200, "", nil, ErrNotModelServer},
		"null":     {200, "null", nil, ErrNotModelServer},
		"trailing": {200, oneModel + "x", nil, ErrNotModelServer},
		"numbers":  {200, `[1]`, nil, ErrNotModelServer},
		"no data":  {200, `{"detail":[]}`, nil, ErrNotModelServer},
		"no id":    {200, `{"data":[{"id":"m"},{"id":""}]}`, nil, ErrNotModelServer},
		"null id":  {200, `{"data":[{"id":null}]}`, nil, ErrNotModelServer},
		"id 1":     {200, `{"data":[{"id":1}]}`, nil, ErrNotModelServer},
	} {
		client := answers(func(*http.Request) (int, string, error) { return c.status, c.body, c.err }).client()
		got, err := api(t, "http://user:hunter2@h/v1?key=hunter2", client, nil).Models(t.Context())
		pe, ok := errors.AsType[*ProbeError](err)
		if !ok || pe.Status != c.status || pe.URL != "http://h/v1/models" || len(got) != 0 {
			t.Errorf("%s: %+v, %+v", name, got, err)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) || c.is == nil && pe.Err != nil {
			t.Errorf("%s: %v, want it to wrap %v", name, err, c.is)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the URL's secrets: %v", name, err)
		}
	}
}

// A server that sends without end must cost neither its client's memory nor its time.
func TestModelsHugeBody(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte(" "), 64<<10) // white space: valid at the beginning of any JSON, for as long as it lasts
		for {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer server.Close()
	_, err := api(t, server.URL, nil, nil).Models(t.Context())
	if !errors.Is(err, ErrNotModelServer) || !strings.Contains(err.Error(), "longer than 4 MiB") {
		t.Errorf("%v", err)
	}
	server.CloseClientConnections()
	if n := sent.Load(); n < maxAnswer || n > 16*maxAnswer {
		t.Errorf("the server got rid of %d bytes, the bound is %d", n, maxAnswer)
	}
	// The largest answer that is taken.
	client := answers(func(*http.Request) (int, string, error) {
		return 200, oneModel + strings.Repeat(" ", maxAnswer-len(oneModel)), nil
	}).client()
	if list, err := api(t, "http://h", client, nil).Models(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("at the bound: %+v, %v", list, err)
	}
}

func TestHeaderIsSentAndNotKept(t *testing.T) {
	header := http.Header{"Authorization": {"Bearer k"}}
	client := answers(func(r *http.Request) (int, string, error) {
		if r.Header.Get("Authorization") != "Bearer k" {
			t.Errorf("%s came with %v", r.URL, r.Header)
		}
		r.Header.Set("X-Transport", "added")
		if r.URL.Path == "/version" {
			return 200, `{"version":"0.14.1"}`, nil
		}
		return 200, oneModel, nil
	}).client()
	if err := api(t, "http://h", client, header).Wait(t.Context(), Readiness{}); err != nil {
		t.Error(err)
	}
	if v, err := api(t, "http://h/v1", client, header).Version(t.Context()); err != nil || v != "0.14.1" {
		t.Errorf("Version: %q, %v", v, err)
	}
	if len(header) != 1 {
		t.Errorf("the caller's header was changed: %v", header)
	}
}

func TestVersionErrors(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"absent":     {404, `{"detail":"Not Found"}`},
		"HTML":       {200, "<html>"},
		"other JSON": {200, `{"sha":"abc"}`},
		"a number":   {200, `{"version":14}`},
	} {
		client := answers(func(*http.Request) (int, string, error) { return c.status, c.body, nil }).client()
		v, err := api(t, "http://h", client, nil).Version(t.Context())
		pe, ok := errors.AsType[*ProbeError](err)
		if !ok || v != "" || pe.Status != c.status || pe.URL != "http://h/version" {
			t.Errorf("%s: %q, %v", name, v, err)
		} else if errors.Is(err, ErrNotModelServer) != (c.status == 200) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseModels(f *testing.F) {
	for _, s := range []string{oneModel, `{"data":[]}`, `{"data":null}`, `{"data":[{"id":"m","root":{},"max_model_len":1e9}]}`, `{"data":[{"id":"m"},{"ID":"n","max_model_len":99999999999999999999}]}`,
		"", "null", "[]", "<html>", `{"data":[{}]}`, "\xff", `{"data":[{"id":"\ud800"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := parseModels(body)
		if err != nil {
			if !errors.Is(err, ErrNotModelServer) || list != nil {
				t.Fatalf("%+v, %v", list, err)
			}
			return
		}
		if list == nil || !json.Valid(body) {
			t.Fatalf("took %q for a list: %+v", body, list)
		}
		for _, m := range list {
			if m.ID == "" || m.MaxModelLen < 0 {
				t.Fatalf("%+v in %q", m, body)
			}
		}
		// What was understood survives being said again.
		again, err := json.Marshal(map[string]any{"data": list})
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseModels(again); err != nil || !reflect.DeepEqual(back, list) {
			t.Fatalf("%+v became %+v, %v", list, back, err)
		}
	})
}
