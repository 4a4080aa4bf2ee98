package loadgentest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// onDone is a recorder whose client sends its next request as soon as it sees the end of an answer, before the handler
// of that has returned.
type onDone struct {
	*httptest.ResponseRecorder
	next func()
}

func (r *onDone) Write(b []byte) (int, error) {
	n, err := r.ResponseRecorder.Write(b)
	if next := r.next; next != nil && (bytes.Contains(b, []byte("[DONE]")) || bytes.HasPrefix(b, []byte("{"))) {
		r.next = nil
		next()
	}
	return n, err
}

// Requests one after the other are alone, however late the handler of the one before returns.
func TestCorruptingSeesWhoIsAlone(t *testing.T) {
	proxy := &Corrupting{Handler: &Greedy{}, Rate: 1, InFlight: 1}
	asked := 0
	var ask func()
	ask = func() {
		if asked++; asked > 20 {
			return
		}
		body := fmt.Sprintf(`{"model":"greedy","prompt":[%d],"max_tokens":9,%s}`, asked,
			[]string{`"stream":true`, `"prompt_logprobs":1`, `"stream":false`}[asked%3])
		proxy.ServeHTTP(&onDone{httptest.NewRecorder(), ask},
			httptest.NewRequest(http.MethodPost, "/v1/completions", strings.NewReader(body)))
	}
	ask()
	if c := proxy.Counts(); c.Requests != 20 || c.Corrupted != 0 {
		t.Errorf("%+v", c)
	}
}
