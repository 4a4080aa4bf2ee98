package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
)

func TestModels(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []Model
	}{
		"vLLM": {oneModel, []Model{{ID: "m", Root: "org/m", MaxModelLen: 32768}}},
		"OpenAI": {`{"object":"list","data":[{"id":"b","created":1},{"id":"a"}]}`,
			[]Model{{ID: "b"}, {ID: "a"}}},
		"nulls":          {`{"data":[{"id":"m","root":null,"max_model_len":null}]}`, []Model{{ID: "m"}}},
		"another's idea": {`{"data":[{"id":"m","root":{"x":1},"max_model_len":"8k"}]}`, []Model{{ID: "m"}}},
		"no length":      {`{"data":[{"id":"m","max_model_len":-1}]}`, []Model{{ID: "m"}}},
		"none":           {`{"data":[]}`, []Model{}},
		"Together":       {`[{"id":"a","object":"model"},{"id":"b"}]`, []Model{{ID: "a"}, {ID: "b"}}},
		"llama.cpp":      {`{"models":[{"name":"x"}],"object":"list","data":[{"id":"m"}]}`, []Model{{ID: "m"}}},
		"Ollama": {`{"models":[{"name":"a:latest","size":5},{"model":"b"}]}`,
			[]Model{{ID: "a:latest"}, {ID: "b"}}},
		"names":         {`{"data":["a","b"]}`, []Model{{ID: "a"}, {ID: "b"}}},
		"some nameless": {`{"data":[{"object":"x"},{"id":"m"},null]}`, []Model{{ID: "m"}}},
		"names alone":   {`["a"]`, []Model{{ID: "a"}}},
	} {
		client := offline(func(*http.Request) (int, string, error) { return 200, c.body, nil }).client()
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
		"no id":    {200, `{"data":[{"id":""},{}]}`, nil, ErrNotModelServer},
		"null id":  {200, `{"data":[{"id":null}]}`, nil, ErrNotModelServer},
		"id 1":     {200, `{"data":[{"id":1}]}`, nil, ErrNotModelServer},
	} {
		client := offline(func(*http.Request) (int, string, error) { return c.status, c.body, c.err }).client()
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
		// white space: valid at the beginning of any JSON, for as long as it lasts
		chunk := bytes.Repeat([]byte(" "), 64<<10)
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
	client := offline(func(*http.Request) (int, string, error) {
		return 200, oneModel + strings.Repeat(" ", maxAnswer-len(oneModel)), nil
	}).client()
	if list, err := api(t, "http://h", client, nil).Models(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("at the bound: %+v, %v", list, err)
	}
}

func TestHeaderIsSentAndNotKept(t *testing.T) {
	header := http.Header{"Authorization": {"Bearer k"}}
	client := offline(func(r *http.Request) (int, string, error) {
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
		client := offline(func(*http.Request) (int, string, error) { return c.status, c.body, nil }).client()
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
	for _, s := range []string{oneModel, `{"data":[]}`, `{"data":null}`,
		`{"data":[{"id":"m","root":{},"max_model_len":1e9}]}`,
		`{"data":[{"id":"m"},{"ID":"n","max_model_len":99999999999999999999}]}`,
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
