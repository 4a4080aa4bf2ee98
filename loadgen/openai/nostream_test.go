package openai

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// A complaint that stands between the events of a stream, in no field, is one of the server all the same; and other
// words there are quoted where the stream ends too soon.
func TestStrayComplaints(t *testing.T) {
	for lines, says := range map[string]string{
		`{"error":"an error was encountered while running the model: unexpected EOF"}` + "\n": "unexpected EOF",
		"{\"error\":{\"message\":\"boom\"}}\n\n":                                              "boom",
		"{\n\"error\": {\n\"message\": \"in lines\"\n}\n}\n":                                  "in lines",
		"oops\n{\"detail\":\"worker died\"}\n":                                                "worker died",
	} {
		for _, rest := range []string{"", done, stop, hello + stop + done} {
			for _, begin := range []string{"", hello} {
				if begin+rest == "" {
					continue // that is no stream at all
				}
				err := readStream(strings.NewReader(begin+lines+rest), nil, new(loadgen.Record))
				e, _ := errors.AsType[*loadgen.Error](err)
				if e == nil || e.Class != loadgen.ClassServer || !strings.Contains(err.Error(), says) {
					t.Errorf("%q: %v, want %s", begin+lines+rest, err, says)
				}
			}
		}
	}
	err := readStream(strings.NewReader(hello+"Internal Server Error"), nil, new(loadgen.Record))
	if e, _ := errors.AsType[*loadgen.Error](err); e == nil || e.Class != loadgen.ClassTruncated ||
		!strings.Contains(err.Error(), "Internal Server Error") {
		t.Errorf("words in the end: %v", err)
	}
	long := strings.Repeat("words that mean nothing\n", 2*mostOdd/20)
	if r := record(t, strings.NewReader(hello+long+hello+stop+done), nil); r.ChunkCount() != 2 {
		t.Errorf("many lines of none: %d chunks", r.ChunkCount())
	}
}

// An answer of no bytes is none that was cut, where it says that it has none.
func TestEmptyAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		head   http.Header
		status int
		want   loadgen.Class
	}{
		"of a stated length": {http.Header{"Content-Length": {"0"}}, 200, loadgen.ClassProtocol},
		"no content":         {nil, 204, loadgen.ClassProtocol},
		"cut":                {nil, 200, loadgen.ClassTruncated},
	} {
		err := readStream(strings.NewReader(""), test.head, &loadgen.Record{Status: test.status})
		if e, _ := errors.AsType[*loadgen.Error](err); e == nil || e.Class != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := http.Header{"Content-Encoding": {"identity", "gzip"}}
	if err := readStream(strings.NewReader("x"), twice, new(loadgen.Record)); err == nil ||
		!strings.Contains(err.Error(), "gzip") {
		t.Errorf("two encodings: %v", err)
	}
}

// A 200 that is no event stream fails as what it is.
func TestNoEventStream(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, hello+done)
	_ = z.Close()
	const whole = `{"id":"cmpl-1","choices":[{"text":"a b","finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`
	for _, test := range []struct {
		name, kind, encoding, body string
		class                      loadgen.Class
		says                       []string
	}{
		{"one JSON body", "application/json", "", whole, loadgen.ClassProtocol, []string{"one JSON body",
			"application/json", `{"id":"cmpl-1"`}},
		{"one JSON body, indented", "application/json", "", strings.ReplaceAll(whole, ",", ",\n  ") + "\n",
			loadgen.ClassProtocol, []string{"one JSON body"}},
		{"a JSON error", "application/json", "", "{\n\"error\":{\"message\":\"no GPU\"}}\n", loadgen.ClassServer,
			[]string{"no GPU"}},
		{"HTML", "text/html; charset=utf-8", "", "<!DOCTYPE html>\r\n<html><body>Please log in</body></html>",
			loadgen.ClassProtocol, []string{"no event stream", "text/html",
				"<!DOCTYPE html> <html><body>Please log in"}},
		{"HTML that is called a stream", "text/event-stream", "", "<html>\n", loadgen.ClassProtocol,
			[]string{"no event stream", "<html>"}},
		{"HTML with what looks like fields", "text/html", "", "<style>\ndata: x\nid: 5\n</style>Please log in",
			loadgen.ClassProtocol, []string{"no event stream", "text/html", "Please log in"}},
		{"plain words", "text/plain", "", "upstream connect error", loadgen.ClassProtocol, []string{"text/plain",
			"upstream connect error"}},
		{"lines of JSON", "application/x-ndjson", "", whole + "\n" + whole + "\n", loadgen.ClassProtocol,
			[]string{"no event stream", "x-ndjson", `{"id"`}},
		{"nothing", "text/html", "", "", loadgen.ClassProtocol, []string{"text/html", "it is empty"}},
		{"nothing of a stream", "text/event-stream", "", "", loadgen.ClassTruncated, []string{"neither [DONE]"}},
		{"gzip", "text/event-stream", "gzip", zipped.String(), loadgen.ClassProtocol, []string{"Content-Encoding gzip",
			"text/event-stream", "1f 8b 08"}},
		{"gzip that is not called so", "text/event-stream", "", zipped.String(), loadgen.ClassProtocol,
			[]string{"no event stream", "1f 8b 08"}},
		{"another encoding", "text/event-stream", "br", "\x0b\x02\x80", loadgen.ClassProtocol,
			[]string{"Content-Encoding br", "0b 02 80"}},
		{"an identity", "text/event-stream", "identity", hello + done, "", nil},
		{"a stream by another name", "text/plain", "", hello + stop, "", nil},
		{"a stream without a name", "", "", hello + stop, "", nil},
		{"events of which none is understood", "text/event-stream", "",
			"data: {\"id\":\"x\",\"token\":{\"text\":\"a\"}}\n\ndata: [DONE]\n\n", loadgen.ClassProtocol,
			[]string{"without any choice", `"token":{"text":"a"}`}},
		{"such events, cut", "text/event-stream", "", "data: {\"token\":{\"text\":\"a\"}}\n\n", loadgen.ClassTruncated,
			[]string{`"token":{"text":"a"}`}},
	} {
		head := http.Header{}
		if test.kind != "" {
			head.Set("Content-Type", test.kind)
		}
		if test.encoding != "" {
			head.Set("Content-Encoding", test.encoding)
		}
		for how, read := range ways {
			err := readStream(read(strings.NewReader(test.body)), head, new(loadgen.Record))
			e, _ := errors.AsType[*loadgen.Error](err)
			if test.class == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", test.name, how, err)
				}
				continue
			}
			if e == nil || e.Class != test.class {
				t.Errorf("%s, %s: %v", test.name, how, err)
				continue
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%s, %s: %q says nothing of %q", test.name, how, err, says)
				}
			}
		}
	}
	// The same of an answer in one piece.
	for body, says := range map[string]string{"<html>": "text/html", zipped.String(): "1f 8b 08"} {
		err := readWhole(strings.NewReader(body), http.Header{"Content-Type": {"text/html"}}, new(loadgen.Record))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", body, err)
		}
	}
	if err := readWhole(strings.NewReader("\ufeff"+whole), nil, new(loadgen.Record)); err != nil {
		t.Errorf("a byte-order mark: %v", err)
	}
}
