package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
)

// got is what became of an answer, without its times.
type got struct {
	Class         loadgen.Class // empty: it completed
	Chunks        int           // with content
	Opened        bool          // a choice came
	Counted       bool
	Input, Output int
}

func summarize(r *loadgen.Record, err error) got {
	g := got{Chunks: r.ChunkCount(), Opened: r.Opened != 0, Counted: r.Counted, Input: r.Input, Output: r.Output}
	var e *loadgen.Error
	switch {
	case errors.As(err, &e):
		g.Class = e.Class
	case err != nil:
		g.Class = "no class: " + loadgen.Class(err.Error())
	}
	return g
}

// Pieces of streams.
const (
	text    = `data: {"choices":[{"index":0,"text":" a","finish_reason":null}]}` + "\n\n"
	role    = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"
	hello   = `data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}` + "\n\n"
	stop    = `data: {"choices":[{"index":0,"text":"","finish_reason":"stop"}]}` + "\n\n"
	usage   = `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}` + "\n\n"
	done    = "data: [DONE]\n\n"
	garbage = "data: {\"choices\":[{]}\n\n"
)

var errReset = errors.New("connection reset by peer")

// answers are bodies by hand, with what is to be made of them. end is how they end, io.EOF where nil; says is in the
// error's text.
var answers = []struct {
	name string
	body string
	end  error
	want got
	says string
}{
	{"completions", text + text + stop + usage + done, nil, got{"", 2, true, true, 3, 5}, ""},
	{"chat", role + hello + hello + usage + done, nil, got{"", 2, true, true, 3, 5}, ""},
	{"no space after the colon", strings.ReplaceAll(text+usage+done, "data: ", "data:"), nil, got{"", 1, true, true, 3, 5}, ""},
	{"CRLF", strings.ReplaceAll(text+usage+done, "\n", "\r\n"), nil, got{"", 1, true, true, 3, 5}, ""},
	{"one line feed between events", strings.ReplaceAll(text+usage+done, "\n\n", "\n"), nil, got{"", 1, true, true, 3, 5}, ""},
	{"comments and other fields", ": ping\n\nevent: message\nid: 7\nretry: 10\n" + text + "\n\n: data: {\ndatum: 1\n data: {\n" + usage + done, nil, got{"", 1, true, true, 3, 5}, ""},
	{"empty data", "data:\n\ndata: \n\n" + text + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"what follows the end", text + done + garbage, nil, got{"", 1, true, false, 0, 0}, ""},

	{"a role alone is no content", role + role + done, nil, got{"", 0, true, false, 0, 0}, ""},
	{"an empty text is no content", stop + done, nil, got{"", 0, true, false, 0, 0}, ""},
	{"null content", `data: {"choices":[{"delta":{"role":"assistant","content":null,"reasoning":null,"reasoning_content":null,"tool_calls":null},"text":null,"finish_reason":null}],"usage":null,"error":null}` + "\n\n" + done, nil, got{"", 0, true, false, 0, 0}, ""},
	{"no tool calls", `data: {"choices":[{"delta":{"tool_calls":[]}}]}` + "\n\n" + done, nil, got{"", 0, true, false, 0, 0}, ""},
	{"reasoning_content", `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"reasoning", `data: {"choices":[{"delta":{"content":"","reasoning":"hm"}}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"tool calls", `data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"white space is content", `data: {"choices":[{"text":"\n"}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"UTF-8 and escapes", `data: {"choices":[{"text":"żółć 🙂 \ud83d\ude42 \u2028"}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},

	{"several choices in a chunk", `data: {"choices":[{"index":0,"text":""},{"index":1,"text":"b"}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"several choices in turn", text + strings.ReplaceAll(text, `"index":0`, `"index":1`) + done, nil, got{"", 2, true, false, 0, 0}, ""},

	{"no usage", text + stop + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"usage so far, the last counts", `data: {"choices":[{"text":"a"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}` + "\n\n" + usage + done, nil, got{"", 1, true, true, 3, 5}, ""},
	{"usage without counts is unknown", text + `data: {"choices":[],"usage":{"prompt_tokens":3}}` + "\n\n" + `data: {"choices":[],"usage":{}}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"usage of nothing is known", stop + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}` + "\n\n" + done, nil, got{"", 0, true, true, 3, 0}, ""},
	{"negative usage", text + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":-2}}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"negative input", text + `data: {"choices":[],"usage":{"prompt_tokens":-3,"completion_tokens":2}}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},

	{"no [DONE], but a reason to stop", text + stop, nil, got{"", 1, true, false, 0, 0}, ""},
	{"no [DONE], a reason and usage", text + stop + usage, nil, got{"", 1, true, true, 3, 5}, ""},
	{"reset after the reason to stop", text + stop + usage, errReset, got{"", 1, true, true, 3, 5}, ""},
	{"neither", text + text, nil, got{loadgen.ClassTruncated, 2, true, false, 0, 0}, "neither [DONE] nor a finish_reason"},
	{"usage is no end", text + usage, nil, got{loadgen.ClassTruncated, 1, true, true, 3, 5}, "neither"},
	{"one of two choices stopped", text + strings.ReplaceAll(text, `"index":0`, `"index":1`) + stop, nil, got{loadgen.ClassTruncated, 2, true, false, 0, 0}, "neither"},
	{"both of two choices stopped", text + strings.ReplaceAll(text+stop, `"index":0`, `"index":1`) + stop, nil, got{"", 2, true, false, 0, 0}, ""},
	{"nothing at all", "", nil, got{loadgen.ClassTruncated, 0, false, false, 0, 0}, "neither"},
	{"reset at once", "", errReset, got{loadgen.ClassTruncated, 0, false, false, 0, 0}, "reset by peer"},
	{"reset between events", text, errReset, got{loadgen.ClassTruncated, 1, true, false, 0, 0}, "reset by peer"},
	{"reset inside an event", text + text[:30], errReset, got{loadgen.ClassTruncated, 1, true, false, 0, 0}, "reset by peer"},
	{"closed inside an event", text + text[:30], nil, got{loadgen.ClassTruncated, 1, true, false, 0, 0}, "neither"},
	{"closed inside [DONE]", text + "data: [DO", nil, got{loadgen.ClassTruncated, 1, true, false, 0, 0}, "neither"},
	{"closed after the last brace", strings.TrimRight(text+stop, "\n"), nil, got{"", 1, true, false, 0, 0}, ""},
	{"closed after [DONE]", text + "data: [DONE]", nil, got{"", 1, true, false, 0, 0}, ""},

	{"[DONE] alone is no answer", done, nil, got{loadgen.ClassProtocol, 0, false, false, 0, 0}, "without any choice"},
	{"usage alone is no answer", usage + done, nil, got{loadgen.ClassProtocol, 0, false, true, 3, 5}, "without any choice"},
	{"garbage", text + garbage + done, nil, got{loadgen.ClassProtocol, 1, true, false, 0, 0}, `{"choices":[{]}`},
	{"garbage after the reason to stop", text + stop + garbage, nil, got{loadgen.ClassProtocol, 1, true, false, 0, 0}, "not what was expected"},
	{"a number", "data: 7\n\n" + done, nil, got{loadgen.ClassProtocol, 0, false, false, 0, 0}, "not what was expected"},
	{"two events in a line", strings.TrimSpace(text) + strings.TrimPrefix(text, "data: ") + done, nil, got{loadgen.ClassProtocol, 0, false, false, 0, 0}, "not what was expected"},
	{"text that is none", `data: {"choices":[{"text":7}]}` + "\n\n" + done, nil, got{loadgen.ClassProtocol, 0, false, false, 0, 0}, "not what was expected"},

	{"error", `data: {"error":{"message":"out of\nmemory","type":"x","code":500}}` + "\n\n" + done, nil, got{loadgen.ClassServer, 0, false, false, 0, 0}, "out of memory"},
	{"error after content", text + `data: {"error":"the engine died"}` + "\n\n" + done, nil, got{loadgen.ClassServer, 1, true, false, 0, 0}, "the engine died"},
	{"error of another shape", `data: {"error":{"detail":["a"]}}` + "\n\n" + done, nil, got{loadgen.ClassServer, 0, false, false, 0, 0}, `["a"]`},
	{"no error", `data: {"error":null,"choices":[{"text":"a"}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
}

func TestReadStream(t *testing.T) {
	for _, test := range answers {
		t.Run(test.name, func(t *testing.T) {
			for how, read := range ways {
				r := new(loadgen.Record)
				err := readStream(read(body(test.body, test.end)), nil, r)
				if diff := cmp.Diff(test.want, summarize(r, err)); diff != "" {
					t.Errorf("%s: −want +got:\n%s%v", how, diff, err)
				}
				if err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: %q says nothing of %q", how, err, test.says)
				}
				if completed := err == nil; completed && r.Done == 0 {
					t.Errorf("%s: completed, but not done", how)
				}
			}
		})
	}
}

// body reads text and then end.
func body(text string, end error) io.Reader {
	if end == nil {
		end = io.EOF
	}
	return io.MultiReader(strings.NewReader(text), iotest.ErrReader(end))
}

// ways are how the same bytes may arrive.
var ways = map[string]func(io.Reader) io.Reader{
	"at once":               func(r io.Reader) io.Reader { return r },
	"byte by byte":          iotest.OneByteReader,
	"half of what is asked": iotest.HalfReader,
	"end with the data":     iotest.DataErrReader,
	"pieces": func(r io.Reader) io.Reader {
		return &ragged{r, rand.New(rand.NewPCG(1, 2))}
	},
}

// ragged reads 0 to 39 bytes at a time.
type ragged struct {
	from   io.Reader
	random *rand.Rand
}

func (r *ragged) Read(p []byte) (int, error) { return r.from.Read(p[:min(len(p), r.random.IntN(40))]) }

// Every place at which a stream can be cut into two reads, multi-byte characters included.
func TestReadStreamCutInTwo(t *testing.T) {
	whole := role + ": ping\r\n\r\n" + `data: {"choices":[{"text":"żółć 🙂"}]}` + "\r\n\r\n" + stop + usage + done
	want := got{"", 1, true, true, 3, 5}
	for at := range len(whole) {
		r := new(loadgen.Record)
		err := readStream(io.MultiReader(strings.NewReader(whole[:at]), strings.NewReader(whole[at:])), nil, r)
		if g := summarize(r, err); g != want {
			t.Errorf("cut at %d, before %.20q: got %+v, %v", at, whole[at:], g, err)
		}
	}
}

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
			if g := summarize(r, err); g.Class != loadgen.ClassProtocol || !strings.Contains(err.Error(), "longer than") {
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
		{"negative usage", `{"choices":[{"text":"a b"}],"usage":{"prompt_tokens":-3,"completion_tokens":2}}`, nil, got{}, ""},
		{"error", `{"error":{"message":"no"}}`, nil, got{Class: loadgen.ClassServer}, "no"},
		{"no choices", `{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, nil, got{Class: loadgen.ClassProtocol}, "no choices"},
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

// pieces is a connection on which each text arrives so long after the one before it.
type pieces []piece

type piece struct {
	after time.Duration
	text  string
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	next := &(*p)[0]
	time.Sleep(next.after)
	next.after = 0
	n := copy(b, next.text)
	if next.text = next.text[n:]; next.text == "" {
		*p = (*p)[1:]
	}
	return n, nil
}

// In virtual time, a chunk's stamp is exactly the time of the read that ended it.
func TestChunksAreStampedByTheReadThatEndedThem(t *testing.T) {
	const ms = time.Millisecond
	long := `data: {"choices":[{"text":"` + strings.Repeat("x", 40<<10) + `"}]}` + "\n\n"
	for _, test := range []struct {
		name         string
		pieces       pieces
		seen         []time.Duration
		opened, done time.Duration
	}{
		{"one event a read", pieces{{10 * ms, text}, {20 * ms, text}, {5 * ms, done}}, []time.Duration{10 * ms, 30 * ms}, 10 * ms, 30 * ms},
		{"two events in a read", pieces{{10 * ms, text + text}, {5 * ms, done}}, []time.Duration{10 * ms, 10 * ms}, 10 * ms, 10 * ms},
		{"an event in two reads", pieces{{10 * ms, text[:20]}, {20 * ms, text[20:]}, {0, done}}, []time.Duration{30 * ms}, 30 * ms, 30 * ms},
		{"the line feed comes later", pieces{{10 * ms, text[:len(text)-2]}, {7 * ms, "\n"}, {0, "\n" + done}}, []time.Duration{17 * ms}, 17 * ms, 17 * ms},
		{"the empty line comes later", pieces{{10 * ms, text[:len(text)-1]}, {7 * ms, "\n" + done}}, []time.Duration{10 * ms}, 10 * ms, 10 * ms},
		{"one and a half", pieces{{10 * ms, text + text[:20]}, {20 * ms, text[20:] + text + done}}, []time.Duration{10 * ms, 30 * ms, 30 * ms}, 10 * ms, 30 * ms},
		{"the role opens, and the finish ends", pieces{{10 * ms, role}, {10 * ms, hello}, {10 * ms, stop}, {10 * ms, usage}, {10 * ms, done}}, []time.Duration{20 * ms}, 10 * ms, 30 * ms},
		{"comments open nothing", pieces{{10 * ms, ": ping\n\n"}, {10 * ms, usage}, {10 * ms, text}, {10 * ms, done}}, []time.Duration{30 * ms}, 30 * ms, 30 * ms},
		{"no content: the last choice ends it", pieces{{10 * ms, role}, {10 * ms, stop}, {10 * ms, usage}, {10 * ms, done}}, nil, 10 * ms, 20 * ms},
		{"longer than the buffer", pieces{{10 * ms, long[:35<<10]}, {10 * ms, long[35<<10:]}, {10 * ms, done}}, []time.Duration{20 * ms}, 20 * ms, 20 * ms},
		{"no line feed, and a late end", pieces{{10 * ms, text}, {10 * ms, stop}, {10 * ms, strings.TrimSpace(text)}, {50 * ms, ""}}, []time.Duration{10 * ms, 30 * ms}, 10 * ms, 30 * ms},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen []time.Duration
				var opened, ended time.Duration
				g := loadgen.Generator{
					Target: loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
						return readStream(&test.pieces, nil, r)
					}),
					Observers: []loadgen.Observer{{Record: func(r *loadgen.Record, err *loadgen.Error) {
						if err != nil {
							t.Error(err)
						}
						for chunk := range r.Chunks() {
							seen = append(seen, chunk.Seen)
						}
						opened, ended = r.Opened, r.Done
					}}},
				}
				if _, err := g.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 1}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(seen, test.seen) || opened != test.opened || ended != test.done {
					t.Errorf("seen %v, opened %v, done %v; want %v, %v, %v", seen, opened, ended, test.seen, test.opened, test.done)
				}
			})
		})
	}
}

// What the server says of its own clock is passed on as it is.
func TestStamps(t *testing.T) {
	r := new(loadgen.Record)
	stamped := func(sent int) string {
		return fmt.Sprintf(`data: {"choices":[{"text":"a"}],"servegauge":{"received":70,"sent":%d}}`+"\n\n", sent)
	}
	if err := readStream(strings.NewReader(stamped(80)+stamped(90)+text+done), nil, r); err != nil {
		t.Fatal(err)
	}
	var sent []int64
	for chunk := range r.Chunks() {
		sent = append(sent, chunk.Sent)
	}
	if want := []int64{80, 90, 0}; r.Received != 70 || !slices.Equal(sent, want) {
		t.Errorf("received %d, sent %v; want 70, %v", r.Received, sent, want)
	}
}

func TestComplaint(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"error":{"message":"The model ` + "`x`" + ` does not exist.","type":"NotFoundError","param":"model","code":404}}`, "The model `x` does not exist."},
		{`{"object":"error","message":"too long","type":"BadRequestError","code":400}`, "too long"},
		{`{"detail":"Not Found"}`, "Not Found"},
		{`{"code":500,"msg":"no GPU"}`, "no GPU"},
		{`{"text":"no GPU","error_code":50001}`, "no GPU"},
		{`{"error":{"code":500,"msg":"no GPU"}}`, "no GPU"},
		{`{"detail":[{"loc":["body"],"msg":"Field required"}]}`, `[{"loc":["body"],"msg":"Field required"}]`},
		{`{"error":"overloaded","error_type":"overloaded"}`, "overloaded"},
		{`{"error":null,"detail":"busy"}`, "busy"},
		{`{"error":{"message":"","code":7}}`, `{"message":"","code":7}`},
		{`{"error":""}`, `{"error":""}`},
		{`{"error":{"message":null}}`, `{"message":null}`},
		{`{"message":{"en":"no"}}`, `{"message":{"en":"no"}}`},
		{`{"message":" \n ","detail":"busy"}`, "busy"},
		{`"plain"`, "plain"},
		{`Internal Server Error`, "Internal Server Error"},
		{"<html>\r\n  <body>\r\n\t502 Bad Gateway\r\n", "<html> <body> 502 Bad Gateway"},
		{`{"message":"a\u001b[31mb\u0000c\u009bd\u202ee\u2028f"}`, "a [31mb c d e f"},
		{"\xff\xfea", "�a"},
		{`null`, "null"},
		{`""`, `""`},
		{``, ""},
	} {
		if got := complaint([]byte(test.text)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.text, got, test.want)
		}
	}
}

// What a server sends must neither flood an error nor be passed off as the whole of it.
func TestExcerptIsBounded(t *testing.T) {
	long := strings.Repeat("ż ", mostQuoted)
	if got := excerpt([]byte(long)); len(got) > mostQuoted+len("…") || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-10:])
	}
	number := strings.Repeat("1", 1<<20)
	for name, read := range map[string]func(io.Reader, http.Header, *loadgen.Record) error{"stream": readStream, "whole": readWhole} {
		body := `{"usage":{"prompt_tokens":` + number + `}}`
		if name == "stream" {
			body = "data: " + body + "\n\n"
		}
		err := read(strings.NewReader(body), nil, new(loadgen.Record))
		if err == nil || len(err.Error()) > 3*mostQuoted {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
		if text := (secrets{}).clean(err).Error(); len([]rune(text)) > longestError+1 {
			t.Errorf("%s: cleaned, %d bytes", name, len(text))
		}
	}
}

func FuzzReadStream(f *testing.F) {
	for _, test := range answers {
		f.Add([]byte(test.body), byte(3))
	}
	f.Add([]byte(strings.Repeat(soFar(0, "a", 1), 3)+soFar(0, "", 2)+usageOf(4)+soFar(1, "b", 9)+"event: error\ndata: {}\n\n"), byte(100))
	f.Add([]byte("\ufeff"+strings.ReplaceAll(strings.Repeat(hello[:len(hello)-1], 9), "\n", "\r")+"error: no"), byte(250))
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
			if r.Input < 0 || r.Output < 0 || !r.Counted && r.Input+r.Output+r.Cached != 0 || r.Counted && r.Contradicted {
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
			if r.Opened > r.Done || r.FirstAnswer > r.Done || r.Choices > 0 != (r.Opened != 0) || err == nil && r.NoContent != (r.ChunkCount() == hidden) {
				t.Errorf("%d choices, opened %v, first answer %v, done %v", r.Choices, r.Opened, r.FirstAnswer, r.Done)
			}
			return fmt.Sprintf("%+v %v %d %d %d %q %t %t %t", summarize(r, err), err, hidden, tokens, r.Choices, r.Finish, r.NoContent, r.Contradicted, r.FirstAnswer != 0)
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
	for _, seed := range []string{`{"error":{"message":"a\u001bb"}}`, `{"detail":[1]}`, `"x"`, "\xff\x1b", `{"error":{"error":"\u202e"}}`} {
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

// stream is a whole stream of n content chunks, as vLLM sends them.
func stream(n int) string {
	var s strings.Builder
	for range n {
		s.WriteString(`data: {"id":"cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f","object":"text_completion","created":1767225600,"model":"meta-llama/Llama-3.1-8B-Instruct",` +
			`"choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null}` + "\n\n")
	}
	return s.String() + stop + usage + done
}

// Records come from a level, as in use, so that their memory is reused.
func BenchmarkReadStream(b *testing.B) {
	const chunks = 500
	for _, test := range []struct {
		name  string
		chunk func(i int) string
		end   string
		write int // bytes a read brings
	}{
		{"alike", func(int) string { return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f", "null") }, "\n\n", 1 << 20},
		{"alike, one a read", func(int) string { return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f", "null") }, "\n\n", 1},
		{"with usage", func(i int) string {
			return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f", fmt.Sprintf(`{"prompt_tokens":7,"total_tokens":%d,"completion_tokens":%d}`, 8+i, 1+i))
		}, "\n\n", 1 << 20},
		{"CRLF", func(int) string { return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f", "null") }, "\r\n\r\n", 1 << 20},
		{"each differs", func(i int) string { return fmt.Sprintf(benchChunk, fmt.Sprintf("cmpl-%032d", i), "null") }, "\n\n", 1 << 20},
		{"without empty lines", func(int) string { return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f", "null") }, "\n", 1 << 20},
	} {
		b.Run(strings.ReplaceAll(test.name, " ", "-"), func(b *testing.B) {
			var text strings.Builder
			for i := range chunks {
				text.WriteString("data: " + test.chunk(i) + test.end)
			}
			text.WriteString(stop + strings.Replace(usage, `"completion_tokens":5`, `"completion_tokens":500`, 1) + done)
			body := text.String()
			target := loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
				from := io.Reader(strings.NewReader(body))
				if test.write == 1 {
					from = &lineReader{body}
				}
				return readStream(from, nil, r)
			})
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			result, err := loadgen.Measure(b.Context(), loadgen.Level{Concurrency: 1, Requests: b.N}, target)
			if err != nil || result.Accounting.Completed != b.N {
				b.Fatal(err, result.Errors)
			}
			b.ReportMetric(float64(chunks*b.N)/b.Elapsed().Seconds(), "chunks/s")
		})
	}
}

const benchChunk = `{"id":"%s","object":"text_completion","created":1767225600,"model":"meta-llama/Llama-3.1-8B-Instruct",` +
	`"choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":%s}`

// lineReader reads an event at a time.
type lineReader struct{ rest string }

func (l *lineReader) Read(p []byte) (int, error) {
	if l.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, l.rest[:strings.Index(l.rest, "\n\n")+2])
	l.rest = l.rest[n:]
	return n, nil
}

// The first answer is the first content that is no reasoning, by whatever name that comes.
func TestFirstAnswer(t *testing.T) {
	chunk := func(delta string) string {
		return `data: {"choices":[{"index":0,"delta":{` + delta + `}}]}` + "\n\n"
	}
	const end = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + "data: [DONE]\n\n"
	for name, test := range map[string]struct {
		body string
		want int // which chunk it is, from 0; -1: none
	}{
		"reasoning first":  {chunk(`"reasoning_content":"hm"`) + chunk(`"reasoning":"so"`) + chunk(`"content":"yes"`) + chunk(`"content":"!"`), 2},
		"none but answers": {chunk(`"content":"yes"`) + chunk(`"content":"!"`), 0},
		"a call of a tool": {chunk(`"reasoning_content":"hm"`) + chunk(`"tool_calls":[{"index":0}]`), 1},
		"only reasoning":   {chunk(`"reasoning_content":"hm"`), -1},
	} {
		t.Run(name, func(t *testing.T) {
			var r *loadgen.Record
			target := loadgen.TargetFunc(func(_ context.Context, _ int, record *loadgen.Record) error {
				// A byte a read, so that each chunk comes at a time of its own.
				err := readStream(iotest.OneByteReader(strings.NewReader(test.body+end)), nil, record)
				kept := *record
				r = &kept
				var came []time.Duration
				for c := range record.Chunks() {
					came = append(came, c.At())
				}
				want := time.Duration(0)
				if test.want >= 0 {
					want = came[test.want]
				}
				if record.FirstAnswer != want {
					t.Errorf("first answer at %v, want %v of %v", record.FirstAnswer, want, came)
				}
				return err
			})
			if _, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 1, Requests: 1}, target); err != nil || r == nil {
				t.Fatal(err)
			}
		})
	}
}
