package openai_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

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
		"status, JSON string": func(w http.ResponseWriter, r *http.Request) {
			say(w, r, 401,
				`{"error":{"message":%q}}`)
		},
		"status, plain": func(w http.ResponseWriter, r *http.Request) { say(w, r, 401, "%s") },
		"status, detail": func(w http.ResponseWriter, r *http.Request) {
			say(w, r, 401,
				`{"detail":[{"input":%q}]}`)
		},
		"status, cut": func(w http.ResponseWriter, r *http.Request) {
			say(w, r, 401,
				strings.Repeat("x", 390)+"%s")
		},
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
		"key": {func(c *openai.Config) { c.APIKey, c.Header = key, header }, []string{key, "live", "+9", "%2B9", cookie,
			token}},
		"nested": {func(c *openai.Config) { c.APIKey, c.Header = "gateway", header }, []string{"t0ken-of", "gateway"}},
		"jwt":    {func(c *openai.Config) { c.APIKey, c.Header = jwt, header }, []string{"eyJhbGci", cookie, token}},
		"basic": {func(c *openai.Config) { c.Header = http.Header{"Authorization": {"Basic " + basic}} },
			[]string{basic,
				"dXNlcjpvcGVu", "open-sesame"}},
		"bearer": {func(c *openai.Config) { c.Header = http.Header{"authorization": {"Bearer " + token}} },
			[]string{token}},
		"URL": {func(c *openai.Config) { c.URL = strings.Replace(c.URL, "//", "//user:open-sesame@", 1) },
			[]string{"open-sesame", "dXNlcjpvcGVu"}},
		"URL, key as user": {func(c *openai.Config) { c.URL = strings.Replace(c.URL, "//", "//"+token+"@", 1) },
			[]string{token}},
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
		c := openai.Config{URL: "http://127.0.0.1:1", APIKey: key,
			Workload: refuses{fmt.Errorf("cannot open\n%s: %w", key,
				fs.ErrPermission)}}
		q := measureOne(t, loadgen.TargetFunc(newTarget(t, c).Do)) // nothing is there to be opened
		if q.err == nil || strings.Contains(q.err.Error(), key) ||
			!strings.Contains(q.err.Error(), "cannot open ***") ||
			!errors.Is(q.err, fs.ErrPermission) {
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
