package openai_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A listing is a server with a list of models of its own; everything else is an Echo's.
type listing struct {
	loadgentest.Echo
	list   func(w http.ResponseWriter, r *http.Request) // nil: none
	health int                                          // zero: 404
	posts  func(n int) int                              // status of each POST, from 1; nil or 0: an Echo's
	n      atomic.Int32
}

func (l *listing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v1/models" && l.list != nil:
		l.list(w, r)
		return
	case r.URL.Path == "/v1/models" || r.URL.Path == "/health" && l.health == 0 || r.URL.Path == "/tokenize":
		http.NotFound(w, r)
		return
	case r.URL.Path == "/health":
		w.WriteHeader(l.health)
		return
	case l.posts != nil:
		if status := l.posts(int(l.n.Add(1))); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	l.Echo.ServeHTTP(w, r)
}

func says(status int, text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// drops closes the connection without an answer.
func drops(w http.ResponseWriter, r *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// Lists of models that do not have the one that was given, each in its own way.
var otherLists = map[string]func(http.ResponseWriter, *http.Request){
	"absent":            nil,
	"empty":             says(200, `{"object":"list","data":[]}`),
	"null":              says(200, `{"data":null}`),
	"a web page":        says(200, "<!doctype html>"),
	"other JSON":        says(200, `{"status":"ok"}`),
	"a gateway's":       says(200, `{"data":[{"id":"openai/*"},{"id":"gpt-4"}]}`),
	"a bare list":       says(200, `["other"]`),
	"forbidden":         says(403, `{"detail":"no"}`),
	"wants another key": says(401, ""),
	"broken":            says(500, ""),
	"not implemented":   says(501, ""),
	"nothing at all":    says(204, ""),
	"dropped":           drops,
	"redirected to away": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	},
	"hanging": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
}

// No list of models keeps a server from being measured whose model is given; what is the matter with it is a warning.
// Without a model there is nothing to ask for, and the error says what to do.
func TestClientNeedsNoList(t *testing.T) {
	for name, list := range otherLists {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, &listing{list: list})
			var warnings []loadgen.Warning
			client := &openai.Client{
				Config: openai.Config{Model: "m"}, Running: true,
				Warn:      func(w loadgen.Warning) { warnings = append(warnings, w) },
				Readiness: openai.Readiness{RequestTimeout: 500 * time.Millisecond},
			}
			if err := client.Ready(t.Context(), server.URL); err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(2) {
				target, err := client.Target(t.Context(), server.URL, workload.Spec{Input: 5, Output: 3, Seed: seed})
				if err != nil {
					t.Fatal(err)
				}
				defer target.(*openai.Target).Close()
				if r, _ := measure(t, loadgen.Level{Concurrency: 1, Requests: 2}, target); r.Accounting.Completed != 2 {
					t.Errorf("%v", r.Errors)
				}
			}
			if len(warnings) != 1 || warnings[0].Code != openai.WarnModelNotListed ||
				!strings.Contains(warnings[0].Message, `"m"`) || len(warnings[0].Spoils) > 0 {
				t.Errorf("warnings %+v, want one about the model", warnings)
			}
			switch name {
			case "a gateway's", "a bare list":
				return // these name another
			}
			client = &openai.Client{Running: true, Readiness: openai.Readiness{RequestTimeout: 500 * time.Millisecond}}
			err := client.Ready(t.Context(), server.URL)
			if e, ok := errors.AsType[*openai.ProbeError](err); !ok || !strings.Contains(err.Error(), "/v1/models") ||
				e.Status != 0 && e.Status != 401 && e.Status != 403 && !strings.Contains(err.Error(), "-model") {
				t.Errorf("without a model: %v", err)
			}
		})
	}
}

// A server that is not there is not ready, whether or not a model is given.
func TestClientOfNoServer(t *testing.T) {
	server := serve(t, &loadgentest.Echo{})
	server.Close()
	untrusted := httptest.NewUnstartedServer(&loadgentest.Echo{})
	untrusted.Config.ErrorLog = quiet()
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for _, model := range []string{"", "m"} {
		client := &openai.Client{Config: openai.Config{Model: model}, Running: true}
		if err := client.Ready(t.Context(), untrusted.URL); err == nil || !strings.Contains(err.Error(), "-ca-file") {
			t.Errorf("model %q, not trusted: %v", model, err)
		}
		client = &openai.Client{Config: openai.Config{Model: model, TLS: trusts(untrusted)}, Running: true}
		if err := client.Ready(t.Context(), untrusted.URL); err != nil {
			t.Errorf("model %q, trusted: %v", model, err)
		}
	}
	for _, model := range []string{"", "m"} {
		client := &openai.Client{Config: openai.Config{Model: model}, Running: true}
		err := client.Ready(t.Context(), server.URL)
		if _, ok := errors.AsType[*openai.ProbeError](err); !ok ||
			!strings.Contains(err.Error(), "is the server running there?") {
			t.Errorf("model %q: %v", model, err)
		}
		if _, err := client.Target(t.Context(), server.URL, workload.Spec{Input: 1, Output: 1}); err == nil {
			t.Errorf("model %q: a target", model)
		}
	}
}

// What a Client waits for where a model is given: that the server lists it, or takes requests for it.
func TestClientWaits(t *testing.T) {
	other := says(200, `{"data":[{"id":"other"}]}`)
	loading := func(n int) int {
		if n < 3 {
			return 503
		}
		return 0
	}
	always := func(status int) func(int) int { return func(int) int { return status } }
	for _, test := range []struct {
		name   string
		server *listing
		posts  int    // that are sent
		says   string // by the error; "": it is ready
	}{
		{"listed", &listing{list: says(200, `{"data":[{"id":"m"}]}`), health: 200}, 0, ""},
		{"no list", &listing{health: 200}, 1, ""},
		{"neither list nor health", &listing{}, 1, ""},
		{"an empty list, of a router", &listing{list: says(200, `{"data":[]}`), posts: loading}, 3, ""},
		{"no list while it loads", &listing{posts: loading}, 3, ""},
		{"an alias", &listing{list: other}, 1, ""},
		{"health that wants a key", &listing{list: other, health: 401}, 1, ""},
		{"a request that is refused for what it is", &listing{posts: always(422)}, 1, ""},
		{"too busy", &listing{posts: always(429)}, 1, ""},
		{"no such model", &listing{list: other, posts: always(404)}, 1,
			`model "m": the server lists others, it has other`},
		{"no key", &listing{posts: always(401)}, 1, "check the API key"},
		{"never", &listing{posts: always(503)}, 0, "status 503"},
		{"health says no", &listing{health: 503}, 0, "/health: 503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, test.server)
			client := &openai.Client{Config: openai.Config{Model: "m"},
				Readiness: openai.Readiness{FirstPause: time.Millisecond, LastPause: 10 * time.Millisecond}}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			err := client.Ready(ctx, server.URL)
			if test.says == "" && err != nil || test.says != "" &&
				(err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if _, ok := errors.AsType[*openai.NotReadyError](err); err != nil && !ok {
				t.Errorf("%T", err)
			}
			if got := int(test.server.n.Load()); test.server.posts != nil && test.posts > 0 && got != test.posts {
				t.Errorf("%d requests for a token, want %d", got, test.posts)
			}
		})
	}
}
