package openai_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// The body says whether the cache was emptied, and not the status.
func TestResetCache(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.Handler
		want    string
	}{
		"it was":          {resets(200, `{"success":true}`), ""},
		"no body":         {resets(200, ""), ""},
		"blocks are held": {resets(200, `{"success": false}`), `the server says {"success": false}`},
		"no such page":    {resets(404, "Not Found"), "not emptied"},
		"an error":        {resets(500, "boom"), "not emptied"},
		"simulated": {&loadgentest.Simulated{MaxSequences: 1, DecodeRate: 1, KVBlocks: 10, PrefixCache: true},
			""},
		"without a cache": {&loadgentest.Simulated{}, "not emptied"},
	} {
		server := httptest.NewServer(c.handler)
		api, err := openai.NewAPI(openai.Config{URL: server.URL + "/v1"})
		if err != nil {
			t.Fatal(err)
		}
		err = api.ResetCache(t.Context())
		if got := ""; err != nil {
			got = err.Error()
			if c.want == "" || !strings.Contains(got, c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		} else if c.want != "" {
			t.Errorf("%s: no error, want %q", name, c.want)
		}
		server.Close()
	}
}

func resets(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/reset_prefix_cache" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}
