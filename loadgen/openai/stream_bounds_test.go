package openai

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
)

// An event may be longer than any buffer, and the one after it must not inherit anything.
func TestReadStreamLongEvents(t *testing.T) {
	for _, size := range []int{4 << 10, 32<<10 - 1, 32 << 10, 32<<10 + 1, 64<<10 + 1, 300 << 10} {
		pad := strings.Repeat("x", max(0, size-len(`data: {"choices":[{"text":""}]}`)))
		event := `data: {"choices":[{"text":"` + pad + `"}]}` + "\n"
		for how, read := range ways {
			r := new(loadgen.Record)
			err := readStream(read(strings.NewReader(text+event+event+text+usage+done)), nil, r)
			if g, want := summarize(r, err), (got{"", 4, true, true, 3, 5}); g != want {
				t.Errorf("%d bytes, %s: got %+v, %v", size, how, g, err)
			}
		}
	}
}

// endless is a server that never comes to the point.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

func TestAnswersAreBounded(t *testing.T) {
	for _, test := range []struct {
		name string
		read func(io.Reader, http.Header, *loadgen.Record) error
		body io.Reader
	}{
		{"event", readStream, io.MultiReader(strings.NewReader(text+"data: "), endless(strings.Repeat("x", 32<<10)))},
		{"comment", readStream, io.MultiReader(strings.NewReader(text+":"), endless(strings.Repeat("x", 32<<10)))},
		{"whole", readWhole, endless(strings.Repeat("[", 32<<10))},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := new(loadgen.Record)
			err := test.read(test.body, nil, r)
			if g := summarize(r, err); g.Class != loadgen.ClassProtocol ||
				!strings.Contains(err.Error(), "longer than") {
				t.Errorf("got %+v, %v", g, err)
			}
		})
	}
}

func TestReadWhole(t *testing.T) {
	for _, test := range []struct {
		name string
		body string
		end  error
		want got
		says string
	}{
		{"completions", `{"choices":[{"text":"a b","finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, nil, got{Counted: true, Input: 3, Output: 2}, ""},
		{"chat", `{"choices":[{"message":{"role":"assistant","content":"a b"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}` + "\n", nil, got{Counted: true, Input: 3, Output: 2}, ""},
		{"no usage", `{"choices":[{"text":"a b"}]}`, nil, got{}, ""},
		{"usage without counts", `{"choices":[{"text":"a b"}],"usage":{"total_tokens":5}}`, nil, got{}, ""},
		{"negative usage", `{"choices":[{"text":"a b"}],"usage":{"prompt_tokens":-3,"completion_tokens":2}}`, nil,
			got{}, ""},
		{"error", `{"error":{"message":"no"}}`, nil, got{Class: loadgen.ClassServer}, "no"},
		{"no choices", `{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, nil,
			got{Class: loadgen.ClassProtocol}, "no choices"},
		{"a stream", text + done, nil, got{Class: loadgen.ClassProtocol}, "not what was expected"},
		{"nothing", "", nil, got{Class: loadgen.ClassProtocol}, "not what was expected"},
		{"reset", `{"choices":[{"te`, errReset, got{Class: loadgen.ClassTruncated}, "reset by peer"},
		{"cut", `{"choices":[{"te`, io.ErrUnexpectedEOF, got{Class: loadgen.ClassTruncated}, "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, read := range ways {
				r := new(loadgen.Record)
				err := readWhole(read(body(test.body, test.end)), nil, r)
				if diff := cmp.Diff(test.want, summarize(r, err)); diff != "" {
					t.Errorf("%s: −want +got:\n%s%v", how, diff, err)
				}
				if err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: %q says nothing of %q", how, err, test.says)
				}
				if r.Done == 0 {
					t.Errorf("%s: the end was not stamped", how)
				}
			}
		})
	}
}

// What is no event stream is not read for ever.
func TestWhatIsNoStreamIsBounded(t *testing.T) {
	for _, line := range []string{"<p>\n", "\r\n<p>" + strings.Repeat("x", 20<<10) + "\r"} {
		err := readStream(endless(line), http.Header{"Content-Type": {"text/html"}}, new(loadgen.Record))
		if err == nil || !strings.Contains(err.Error(), "no event stream: Content-Type text/html, it begins with <p>") {
			t.Errorf("got %v", err)
		}
	}
}
