package loadgentest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// Without stamps an answer is what it is with them, but for them.
func TestUnstamped(t *testing.T) {
	for _, stream := range []bool{false, true} {
		body := fmt.Sprintf(`{"model":"m","prompt":"a b","max_tokens":3,"stream":%v,"stream_options":{"include_usage":true}}`, stream)
		var said [2]string
		for i, unstamped := range []bool{false, true} {
			w := httptest.NewRecorder()
			(&Echo{Unstamped: unstamped}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/completions",
				strings.NewReader(body)))
			said[i] = regexp.MustCompile(`"created":\d+`).ReplaceAllString(w.Body.String(), "")
		}
		if want := regexp.MustCompile(`,"servegauge":\{[^}]*\}`).ReplaceAllString(said[0], ""); said[1] != want ||
			want == said[0] {
			t.Errorf("stream %v:\n%s\nwant\n%s", stream, said[1], want)
		}
	}
}
