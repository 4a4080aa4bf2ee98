package loadgentest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// servers are both of them, at their fastest: what they have in common is tested
// on both.
func servers() map[string]http.Handler {
	return map[string]http.Handler{
		"echo":      &Echo{Model: `m"1`},
		"flushing":  &Echo{Model: `m"1`, FlushEach: true},
		"simulated": &Simulated{Model: `m"1`, MaxModelLen: 4096, VocabSize: 4000},
		"batched":   &Simulated{Model: `m"1`, MaxSequences: 2, DecodeRate: 1e6, TokenBudget: 1024},
	}
}

func TestStream(t *testing.T) {
	const n = 300 // more than one pile
	for name, h := range servers() {
		for _, path := range []string{completions, chat} {
			for _, options := range []string{
				``,
				`"stream_options":{"include_usage":true},`,
				`"stream_options":{"include_usage":true,"continuous_usage_stats":true},`,
			} {
				t.Run(fmt.Sprintf("%s%s/%d", name, path, len(options)), func(t *testing.T) {
					body := fmt.Sprintf(`{"model":"m\"1","prompt":[1,2,3],"messages":[{"content":"a b c"}],%s"stream":true,"max_tokens":%d}`, options, n)
					r := post(t.Context(), h, path, body, &recorder{})
					if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
						t.Fatalf("status %d, header %v, %s", r.status, r.header, r.body())
					}
					es := events(t, r.body())
					object := "text_completion"
					if path == chat {
						object = "chat.completion.chunk"
						if d := es[0].Choices[0].Delta; d.Role != "assistant" || d.Content != "" || es[0].Stamp != nil {
							t.Errorf("a chat begins with %+v", es[0])
						}
					}
					if opening := es[0]; path == chat && (opening.Usage != nil) != strings.Contains(options,
						"continuous") ||
						path == chat && opening.Usage != nil &&
							(opening.Usage.Completion != 0 || opening.Usage.Total != 3) {
						t.Errorf("usage of the chunk that opens a chat is %+v", opening.Usage)
					}
					for i, e := range es {
						if e.Object != object || e.Model != `m"1` || e.ID != es[0].ID || e.Created != es[0].Created ||
							!strings.Contains(e.ID, "cmpl-") {
							t.Fatalf("chunk %d: %+v", i, e)
						}
					}
					if path == chat {
						es = es[1:]
					}
					if options != "" {
						last := es[len(es)-1]
						es = es[:len(es)-1]
						if last.Choices == nil || len(last.Choices) != 0 || last.Usage == nil || last.Stamp != nil ||
							last.Usage.Prompt != 3 || last.Usage.Completion != n || last.Usage.Total != n+3 {
							t.Errorf("the usage chunk is %+v, %+v", last, last.Usage)
						}
					}
					if len(es) != n {
						t.Fatalf("%d content chunks, want %d", len(es), n)
					}
					for i, e := range es {
						if !saidBy(name, e.content(), 1) || (e.Choices[0].FinishReason != nil) != (i == n-1) {
							t.Fatalf("chunk %d is %+v", i, e)
						}
						if e.Stamp == nil || e.Stamp.Received != es[0].Stamp.Received ||
							e.Stamp.Sent < e.Stamp.Received ||
							i > 0 && e.Stamp.Sent < es[i-1].Stamp.Sent {
							t.Fatalf("stamp of chunk %d is %+v", i, e.Stamp)
						}
						if continuous := strings.Contains(options, "continuous"); (e.Usage != nil) != continuous ||
							continuous && (e.Usage.Completion != i+1 || e.Usage.Total != i+4) {
							t.Fatalf("usage of chunk %d is %+v", i, e.Usage)
						}
					}
					if fr := es[n-1].Choices[0].FinishReason; *fr != "length" {
						t.Errorf("finish_reason is %q", *fr)
					}
				})
			}
		}
	}
}

// saidBy reports whether a text is one of n tokens, by an echo or by another.
func saidBy(server, text string, n int) bool {
	if server == "echo" || server == "flushing" {
		return text == strings.Repeat(token, n)
	}
	return len(text) == n*len(token) && len(strings.Fields(text)) == n && !strings.Contains(text, token)
}

func TestWhole(t *testing.T) {
	for name, h := range servers() {
		for _, path := range []string{completions, chat} {
			t.Run(name+path, func(t *testing.T) {
				r := post(t.Context(), h, path,
					`{"prompt":"a b","messages":[{"content":"a b"}],"max_completion_tokens":5}`,
					&recorder{})
				if r.status != 200 || r.header.Get("Content-Type") != "application/json" {
					t.Fatalf("status %d, header %v", r.status, r.header)
				}
				if got := r.header.Get("Content-Length"); got != fmt.Sprint(len(r.body())) {
					t.Errorf("Content-Length %s of %d", got, len(r.body()))
				}
				e := unmarshal(t, r.body())
				if !saidBy(name, e.content(), 5) || *e.Choices[0].FinishReason != "length" || e.Model != `m"1` {
					t.Errorf("answer is %+v", e)
				}
				if path == chat && (e.Choices[0].Message.Role != "assistant" || e.Object != "chat.completion") {
					t.Errorf("answer is %+v", e)
				}
				if e.Usage == nil || e.Usage.Prompt != 2 || e.Usage.Completion != 5 || e.Usage.Total != 7 {
					t.Errorf("usage is %+v", e.Usage)
				}
				if e.Stamp == nil || e.Stamp.Received == 0 || e.Stamp.Sent < e.Stamp.Received {
					t.Errorf("stamp is %+v", e.Stamp)
				}
			})
		}
	}
}

func TestIDsDiffer(t *testing.T) {
	for name, h := range servers() {
		seen := map[string]bool{}
		for range 5 {
			seen[unmarshal(t, post(t.Context(), h, completions, `{"prompt":[1]}`, &recorder{}).body()).ID] = true
		}
		if len(seen) != 5 {
			t.Errorf("%s: ids of 5 requests: %v", name, seen)
		}
	}
}

func TestErrors(t *testing.T) {
	const long = `{"prompt":[1,2,3],"max_tokens":4094}`
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		kind, param, message     string
		only                     string // "": both servers
	}{
		{"path", "GET", "/", "", 404, "NotFoundError", "", "Not Found", ""},
		{"deeper path", "POST", completions + "/x", "", 404, "NotFoundError", "", "Not Found", ""},
		{"method", "GET", completions, "", 405, "Method Not Allowed", "", "Method Not Allowed", ""},
		{"post models", "POST", "/v1/models", "", 405, "Method Not Allowed", "", "Method Not Allowed", ""},
		{"JSON", "POST", completions, `{"prompt":`, 400, "BadRequestError", "", "prompt: unexpected end of JSON", ""},
		{"prompt", "POST", chat, `{}`, 400, "BadRequestError", "", "messages are missing", ""},
		{"size", "POST", chat, `"` + strings.Repeat("x", maxBody) + `"`, 413, "Request Entity Too Large", "",
			"The request is larger than 16777216 bytes.", ""},
		{"model", "POST", completions, `{"model":"x","prompt":[1]}`, 404, "NotFoundError", "model",
			"The model `x` does not exist.", "simulated"},
		{"vocabulary", "POST", completions, `{"prompt":[1,4000]}`, 400, "BadRequestError", "",
			"Token id 4000 is out of vocabulary", "simulated"},
		{"length", "POST", completions, long, 400, "BadRequestError", "",
			"This model's maximum context length is 4096 tokens. However, you requested 4097 tokens (3 in the " +
				"prompt, 4094 " +
				"in the completion).", "simulated"},
	} {
		for name, h := range servers() {
			if tt.only != "" && tt.only != name {
				continue
			}
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				req := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req)
				if w.Code != tt.status {
					t.Fatalf("status %d, want %d: %s", w.Code, tt.status, w.Body)
				}
				e := unmarshal(t, w.Body.Bytes()).Error
				if e == nil || e.Code != tt.status || e.Type != tt.kind || e.Message != tt.message {
					t.Fatalf("error is %+v", e)
				}
				if (e.Param != nil) != (tt.param != "") || e.Param != nil && *e.Param != tt.param {
					t.Errorf("param is %v", e.Param)
				}
				if tt.status == 405 && w.Header().Get("Allow") == "" {
					t.Error("405 without Allow")
				}
				wantRejected := 0
				if tt.method == "POST" && (tt.path == completions || tt.path == chat) {
					wantRejected = 1
				}
				if c := h.(interface{ Counts() Counts }).Counts(); c != (Counts{Rejected: wantRejected}) {
					t.Errorf("counts are %+v", c)
				}
			})
		}
	}
}

// TestFit is the other side of the limits of TestErrors.
func TestFit(t *testing.T) {
	s := &Simulated{MaxModelLen: 10, VocabSize: 100}
	for _, body := range []string{
		`{"prompt":[1,99],"max_tokens":8}`, `{"prompt":"a b","max_tokens":8}`,
		`{"model":"simulated","prompt":[1],"max_tokens":1}`,
	} {
		if r := post(t.Context(), s, completions, body, &recorder{}); r.status != 200 {
			t.Errorf("%s: %d %s", body, r.status, r.body())
		}
	}
	if r := post(t.Context(), &Echo{}, completions, `{"model":"any","prompt":[123456789]}`,
		&recorder{}); r.status != 200 {
		t.Errorf("echo: %d %s", r.status, r.body())
	}
}

func TestInfo(t *testing.T) {
	get := func(h http.Handler, method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for name, h := range servers() {
		for _, path := range []string{"/health", "/version", "/v1/models"} {
			for _, method := range []string{"GET", "HEAD"} {
				if w := get(h, method, path); w.Code != 200 {
					t.Errorf("%s %s of %s: %d", method, path, name, w.Code)
				}
			}
		}
		var v struct{ Version string }
		if err := json.Unmarshal(get(h, "GET", "/version").Body.Bytes(), &v); err != nil || v.Version == "" {
			t.Errorf("%s: version %q, %v", name, v.Version, err)
		}
		var l struct {
			Object string
			Data   []struct {
				ID, Object, Root string
				OwnedBy          string `json:"owned_by"`
				Created          int64
				MaxModelLen      *int `json:"max_model_len"`
			}
		}
		if err := json.Unmarshal(get(h, "GET", "/v1/models").Body.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Object != "list" || len(l.Data) != 1 {
			t.Fatalf("%s: models are %+v", name, l)
		}
		m := l.Data[0]
		if m.ID != `m"1` || m.Root != m.ID || m.Object != "model" || m.OwnedBy == "" || m.Created == 0 {
			t.Errorf("%s: model is %+v", name, m)
		}
		if limited := name == "simulated"; (m.MaxModelLen != nil) != limited || limited && *m.MaxModelLen != 4096 {
			t.Errorf("%s: max_model_len is %v", name, m.MaxModelLen)
		}
		if c := h.(interface{ Counts() Counts }).Counts(); c != (Counts{}) {
			t.Errorf("%s: counted what is no completion: %+v", name, c)
		}
	}
}

func TestEchoFlushes(t *testing.T) {
	for _, tt := range []struct {
		name       string
		echo       *Echo
		output     int
		wantFirst  int // content chunks in the first Write
		wantWrites func(n int) bool
		wantFlush  int
	}{
		{"piles", &Echo{}, 1000, 1, func(n int) bool { return n > 3 && n < 20 }, 1},
		{"each", &Echo{FlushEach: true}, 1000, 1, func(n int) bool { return n == 1001 }, 1000},
		{"one", &Echo{}, 1, 1, func(n int) bool { return n == 2 }, 1},
		{"four a chunk", &Echo{TokensPerChunk: 4, FlushEach: true}, 10, 1, func(n int) bool { return n == 4 }, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t.Context(), tt.echo, chat, fmt.Sprintf(`{"messages":[{}],"stream":true,"max_tokens":%d}`,
				tt.output),
				&recorder{})
			if got := strings.Count(string(r.writes[0].data), `"servegauge"`); got != tt.wantFirst {
				t.Errorf("%d chunks in the first Write", got)
			}
			if !tt.wantWrites(len(r.writes)) || r.flushed != tt.wantFlush {
				t.Errorf("%d Writes, %d flushed", len(r.writes), r.flushed)
			}
			if !r.writes[0].flushed {
				t.Error("the first Write was not flushed")
			}
			tokens := 0
			for _, e := range events(t, r.body()) {
				tokens += strings.Count(e.content(), token)
			}
			if tokens != tt.output {
				t.Errorf("%d tokens of %d", tokens, tt.output)
			}
			if c := tt.echo.Counts(); c != (Counts{PeakRunning: 1, Served: 1}) {
				t.Errorf("counts are %+v", c)
			}
		})
	}
}

func TestEchoChunkSizes(t *testing.T) {
	r := post(t.Context(), &Echo{TokensPerChunk: 4}, completions, `{"prompt":[1],"stream":true,"max_tokens":10}`,
		&recorder{})
	var got []int
	for _, e := range events(t, r.body()) {
		got = append(got, strings.Count(e.content(), token))
	}
	if !slices.Equal(got, []int{4, 4, 2}) {
		t.Errorf("tokens per chunk: %v", got)
	}
}

// TestEchoStops checks that a client that goes away ends the answer.
func TestEchoStops(t *testing.T) {
	const body = `{"prompt":[1],"stream":true,"max_tokens":1000000}`
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		e := &Echo{}
		r := post(ctx, e, completions, body, &recorder{onWrite: func(n int) {
			if n == 3 {
				cancel()
			}
		}})
		if len(r.writes) != 3 || e.Counts() != (Counts{PeakRunning: 1, Cancelled: 1}) {
			t.Errorf("%d Writes, %+v", len(r.writes), e.Counts())
		}
	})
	for name, r := range map[string]*recorder{"write": {err: http.ErrHandlerTimeout},
		"flush": {flushErr: http.ErrHandlerTimeout}} {
		t.Run(name, func(t *testing.T) {
			e := &Echo{}
			post(t.Context(), e, completions, body, r)
			if e.Counts() != (Counts{PeakRunning: 1, Cancelled: 1}) {
				t.Errorf("%+v", e.Counts())
			}
		})
	}
}

func TestPutStamp(t *testing.T) {
	for ns, want := range map[int64]string{
		0:                   "                  0",
		946684800000000000:  " 946684800000000000",
		1767225600012345678: "1767225600012345678",
		1<<63 - 1:           "9223372036854775807",
	} {
		var room [stampWidth]byte
		if putStamp(room[:], ns); string(room[:]) != want {
			t.Errorf("%d is %q", ns, room)
		}
	}
}

func TestInvalidServer(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"echo": &Echo{TokensPerChunk: -1}, "simulated": &Simulated{MaxSequences: -1},
	} {
		r := post(t.Context(), h, completions, `{"prompt":[1]}`, &recorder{})
		if e := unmarshal(t, r.body()).Error; r.status != 500 || e == nil || e.Code != 500 ||
			!strings.Contains(e.Message,
				"-1") {
			t.Errorf("%s: status %d, %s", name, r.status, r.body())
		}
	}
}

// TestUnreadable has a body that breaks off, and one that is not there.
func TestUnreadable(t *testing.T) {
	for name, h := range servers() {
		for _, body := range []io.Reader{iotest.ErrReader(io.ErrUnexpectedEOF), nil} {
			req, err := http.NewRequest("POST", completions, body)
			if err != nil {
				t.Fatal(err)
			}
			r := &recorder{}
			h.ServeHTTP(r, req)
			if e := unmarshal(t, r.body()).Error; r.status != 400 || e == nil || e.Code != 400 {
				t.Errorf("%s: status %d, %s", name, r.status, r.body())
			}
		}
		if c := h.(interface{ Counts() Counts }).Counts(); c != (Counts{Rejected: 2}) {
			t.Errorf("%s: counts are %+v", name, c)
		}
	}
}
