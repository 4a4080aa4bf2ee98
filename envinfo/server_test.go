package envinfo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/serving"
)

// The answers are made of the fields that vLLM documents; values are made up.
func TestServer(t *testing.T) {
	mux := http.NewServeMux()
	answer := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer planted" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, body)
		})
	}
	answer("/version", `{"version":"0.14.1"}`)
	answer(
		"/v1/models",
		`{"object":"list","data":[{"id":"m","root":"/models/m","max_model_len":32768},`+
			`{"id":"lora","root":null,"parent":"m"}]}`,
	)
	answer("/metrics", "# TYPE vllm:cache_config_info gauge\nvllm:other{a=\"b\"} 1\n"+
		`vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",num_cpu_blocks="None",`+
		`num_gpu_blocks="9271",odd="a\"b,c}"} 1.0`+"\n")
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, url := range []string{srv.URL, srv.URL + "/v1",
		strings.Replace(srv.URL, "http://", "http://u:planted@", 1) + "/?key=planted"} {
		s, err := serving.Capture(t.Context(), srv.Client(), url,
			serving.Options{Header: http.Header{"Authorization": {"Bearer planted"}}})
		if err != nil {
			t.Fatal(err)
		}
		env := capture(t, cpuHost().fs())
		env.Server = s
		checkLeaves(t, env)
		known(t, "URL", s.URL, srv.URL)
		known(t, "version", s.Version, "0.14.1")
		known(t, "id", s.Models[0].ID, "m")
		known(t, "root", s.Models[0].Root, "/models/m")
		known(t, "context", s.Models[0].MaxModelLen, 32768)
		unknown(t, "no root", s.Models[1].Root, "not there")
		unknown(t, "no context", s.Models[1].MaxModelLen, "not there")
		facts := map[string]fact.Value[string]{}
		for _, f := range s.Facts {
			facts[f.Name] = f.Value
		}
		known(t, "blocks", facts["num_gpu_blocks"], "9271")
		known(t, "escapes", facts["odd"], `a"b,c}`)
		unknown(t, "None", facts["num_cpu_blocks"], "None")
		if len(facts) != 5 || facts["block_size"].Source() != "GET /metrics: vllm:cache_config_info{engine=0}" {
			t.Errorf("facts %v", s.Facts)
		}
		if b, err := json.Marshal(env); err != nil || strings.Contains(string(b), "planted") {
			t.Errorf("a secret is in it: %v %s", err, b)
		}
	}
}

func TestServerUnread(t *testing.T) {
	elsewhere := httptest.NewServer(
		http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a redirect was followed with %v", r.Header) },
		),
	)
	defer elsewhere.Close()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		why     string
	}{
		"not found": {http.NotFound, "status 404"},
		"nonsense": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
			"not a JSON object"},
		"empty": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, "not there"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for chunk := strings.Repeat("x\n", 1<<15); ; {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}, "larger than"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL,
				http.StatusFound)
		}, "status 302"},
		"silent": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "context deadline " +
			"exceeded"},
		"dropped": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(test.handler)
			defer srv.Close()
			opts := serving.Options{}
			if name == "silent" {
				opts.Timeout = 10 * time.Millisecond
			}
			s, err := serving.Capture(t.Context(), nil, srv.URL, opts)
			if err != nil {
				t.Fatal(err)
			}
			unknown(t, "version", s.Version, test.why)
			env := capture(t, cpuHost().fs())
			env.Server = s
			checkLeaves(t, env)
			if len(s.Models) != 1 || len(s.Facts) != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
	for _, url := range []string{"", "localhost:8000", "ftp://h", "http://", "http://u:planted@h:x"} {
		s, err := serving.Capture(t.Context(), nil, url, serving.Options{})
		if s != nil || err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%q: %v, %v", url, s, err)
		}
	}
}
