package openai

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/servegauge/servegauge/loadgen"
)

func FuzzReadStream(f *testing.F) {
	for _, test := range answers {
		f.Add([]byte(test.body), byte(3))
	}
	f.Add([]byte(strings.Repeat(soFar(0, "a", 1), 3)+soFar(0, "", 2)+usageOf(4)+soFar(1, "b",
		9)+"event: error\ndata: {}\n\n"), byte(100))
	f.Add([]byte("\ufeff"+strings.ReplaceAll(strings.Repeat(hello[:len(hello)-1], 9), "\n", "\r")+"error: no"),
		byte(250))
	f.Fuzz(func(t *testing.T, text []byte, size byte) {
		read := func(body io.Reader) string {
			r := new(loadgen.Record)
			err := readStream(body, nil, r)
			if lines := strings.Count(string(text), "data:"); r.ChunkCount() > lines {
				t.Errorf("%d chunks from %d data lines", r.ChunkCount(), lines)
			}
			if err == nil && r.Opened == 0 {
				t.Error("completed without any choice")
			}
			if r.Input < 0 || r.Output < 0 || !r.Counted && r.Input+r.Output+r.Cached != 0 || r.Counted &&
				r.Contradicted {
				t.Errorf("counted %t: %d, %d", r.Counted, r.Input, r.Output)
			}
			hidden, tokens := 0, 0
			for c := range r.Chunks() {
				if c.Tokens < 0 || c.Hidden && c.Tokens == 0 {
					t.Errorf("a chunk of %d tokens, hidden: %t", c.Tokens, c.Hidden)
				}
				tokens += c.Tokens
				if c.Hidden {
					hidden++
				}
			}
			if r.Opened > r.Done || r.FirstAnswer > r.Done || r.Choices > 0 != (r.Opened != 0) || err == nil &&
				r.NoContent != (r.ChunkCount() == hidden) {
				t.Errorf("%d choices, opened %v, first answer %v, done %v", r.Choices, r.Opened, r.FirstAnswer, r.Done)
			}
			return fmt.Sprintf("%+v %v %d %d %d %q %t %t %t", summarize(r, err), err, hidden, tokens, r.Choices,
				r.Finish,
				r.NoContent, r.Contradicted, r.FirstAnswer != 0)
		}
		want := read(strings.NewReader(string(text)))
		cut := iotest.OneByteReader(strings.NewReader(string(text)))
		if size > 0 {
			cut = &fixed{strings.NewReader(string(text)), int(size)}
		}
		if got := read(cut); got != want {
			t.Errorf("in pieces of %d:\n%s\nat once:\n%s", size, got, want)
		}
	})
}

// fixed reads size bytes at a time.
type fixed struct {
	from io.Reader
	size int
}

func (f *fixed) Read(p []byte) (int, error) { return f.from.Read(p[:min(len(p), f.size)]) }

func FuzzComplaint(f *testing.F) {
	for _, seed := range []string{`{"error":{"message":"a\u001bb"}}`, `{"detail":[1]}`, `"x"`, "\xff\x1b",
		`{"error":{"error":"\u202e"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, s := range []string{complaint(text), excerpt(text)} {
			for _, c := range s {
				if c != ' ' && !strconv.IsPrint(c) {
					t.Errorf("%q holds %q", s, c)
				}
			}
			if strings.Trim(s, " ") != s || strings.Contains(s, "  ") {
				t.Errorf("%q has needless space", s)
			}
			if n := len([]rune(s)); n > mostQuoted+1 {
				t.Errorf("%d characters", n)
			}
			if again := excerpt([]byte(s)); again != s && len(text) < mostQuoted/4 {
				t.Errorf("excerpt of %q is %q", s, again)
			}
		}
	})
}
