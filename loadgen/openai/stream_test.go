package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
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
	{"no space after the colon", strings.ReplaceAll(text+usage+done, "data: ", "data:"), nil, got{"", 1, true, true, 3,
		5}, ""},
	{"CRLF", strings.ReplaceAll(text+usage+done, "\n", "\r\n"), nil, got{"", 1, true, true, 3, 5}, ""},
	{"one line feed between events", strings.ReplaceAll(text+usage+done, "\n\n", "\n"), nil, got{"", 1, true, true, 3,
		5}, ""},
	{"comments and other fields", ": ping\n\nevent: message\nid: 7\nretry: 10\n" + text +
		"\n\n: data: {\ndatum: 1\n data: {\n" + usage + done, nil, got{"", 1, true, true, 3, 5}, ""},
	{"empty data", "data:\n\ndata: \n\n" + text + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"what follows the end", text + done + garbage, nil, got{"", 1, true, false, 0, 0}, ""},

	{"a role alone is no content", role + role + done, nil, got{"", 0, true, false, 0, 0}, ""},
	{"an empty text is no content", stop + done, nil, got{"", 0, true, false, 0, 0}, ""},
	{"null content", `data: {"choices":[{"delta":{"role":"assistant","content":null,"reasoning":null,"reasoning_content":null,"tool_calls":null},"text":null,"finish_reason":null}],"usage":null,"error":null}` + "\n\n" + done, nil, got{"", 0, true, false, 0, 0}, ""},
	{"no tool calls", `data: {"choices":[{"delta":{"tool_calls":[]}}]}` + "\n\n" + done, nil, got{"", 0, true, false, 0,
		0}, ""},
	{"reasoning_content", `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}` + "\n\n" + done, nil, got{"", 1,
		true, false, 0, 0}, ""},
	{"reasoning", `data: {"choices":[{"delta":{"content":"","reasoning":"hm"}}]}` + "\n\n" + done, nil, got{"", 1, true,
		false, 0, 0}, ""},
	{"tool calls", `data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}` + "\n\n" +
		done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"white space is content", `data: {"choices":[{"text":"\n"}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0},
		""},
	{"UTF-8 and escapes", `data: {"choices":[{"text":"żółć 🙂 \ud83d\ude42 \u2028"}]}` + "\n\n" + done, nil, got{"", 1,
		true, false, 0, 0}, ""},

	{"several choices in a chunk", `data: {"choices":[{"index":0,"text":""},{"index":1,"text":"b"}]}` + "\n\n" + done,
		nil, got{"", 1, true, false, 0, 0}, ""},
	{"several choices in turn", text + strings.ReplaceAll(text, `"index":0`, `"index":1`) + done, nil, got{"", 2, true,
		false, 0, 0}, ""},

	{"no usage", text + stop + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"usage so far, the last counts",
		`data: {"choices":[{"text":"a"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}` + "\n\n" + usage + done,
		nil,
		got{"", 1, true, true, 3, 5}, ""},
	{"usage without counts is unknown", text + `data: {"choices":[],"usage":{"prompt_tokens":3}}` + "\n\n" +
		`data: {"choices":[],"usage":{}}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0}, ""},
	{"usage of nothing is known", stop + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}` +
		"\n\n" + done, nil, got{"", 0, true, true, 3, 0}, ""},
	{"negative usage", text + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":-2}}` + "\n\n" + done,
		nil, got{"", 1, true, false, 0, 0}, ""},
	{"negative input", text + `data: {"choices":[],"usage":{"prompt_tokens":-3,"completion_tokens":2}}` + "\n\n" + done,
		nil, got{"", 1, true, false, 0, 0}, ""},

	{"no [DONE], but a reason to stop", text + stop, nil, got{"", 1, true, false, 0, 0}, ""},
	{"no [DONE], a reason and usage", text + stop + usage, nil, got{"", 1, true, true, 3, 5}, ""},
	{"reset after the reason to stop", text + stop + usage, errReset, got{"", 1, true, true, 3, 5}, ""},
	{"neither", text + text, nil, got{loadgen.ClassTruncated, 2, true, false, 0, 0},
		"neither [DONE] nor a finish_reason"},
	{"usage is no end", text + usage, nil, got{loadgen.ClassTruncated, 1, true, true, 3, 5}, "neither"},
	{"one of two choices stopped", text + strings.ReplaceAll(text, `"index":0`, `"index":1`) + stop, nil,
		got{loadgen.ClassTruncated, 2, true, false, 0, 0}, "neither"},
	{"both of two choices stopped", text + strings.ReplaceAll(text+stop, `"index":0`, `"index":1`) + stop, nil, got{"",
		2, true, false, 0, 0}, ""},
	{"nothing at all", "", nil, got{loadgen.ClassTruncated, 0, false, false, 0, 0}, "neither"},
	{"reset at once", "", errReset, got{loadgen.ClassTruncated, 0, false, false, 0, 0}, "reset by peer"},
	{"reset between events", text, errReset, got{loadgen.ClassTruncated, 1, true, false, 0, 0}, "reset by peer"},
	{"reset inside an event", text + text[:30], errReset, got{loadgen.ClassTruncated, 1, true, false, 0, 0},
		"reset by peer"},
	{"closed inside an event", text + text[:30], nil, got{loadgen.ClassTruncated, 1, true, false, 0, 0}, "neither"},
	{"closed inside [DONE]", text + "data: [DO", nil, got{loadgen.ClassTruncated, 1, true, false, 0, 0}, "neither"},
	{"closed after the last brace", strings.TrimRight(text+stop, "\n"), nil, got{"", 1, true, false, 0, 0}, ""},
	{"closed after [DONE]", text + "data: [DONE]", nil, got{"", 1, true, false, 0, 0}, ""},

	{"[DONE] alone is no answer", done, nil, got{loadgen.ClassProtocol, 0, false, false, 0, 0}, "without any choice"},
	{"usage alone is no answer", usage + done, nil, got{loadgen.ClassProtocol, 0, false, true, 3, 5},
		"without any choice"},
	{"garbage", text + garbage + done, nil, got{loadgen.ClassProtocol, 1, true, false, 0, 0}, `{"choices":[{]}`},
	{"garbage after the reason to stop", text + stop + garbage, nil, got{loadgen.ClassProtocol, 1, true, false, 0, 0},
		"not what was expected"},
	{"a number", "data: 7\n\n" + done, nil, got{loadgen.ClassProtocol, 0, false, false, 0, 0}, "not what was expected"},
	{"two events in a line", strings.TrimSpace(text) + strings.TrimPrefix(text, "data: ") + done, nil,
		got{loadgen.ClassProtocol, 0, false, false, 0, 0}, "not what was expected"},
	{"text that is none", `data: {"choices":[{"text":7}]}` + "\n\n" + done, nil, got{loadgen.ClassProtocol, 0, false,
		false, 0, 0}, "not what was expected"},

	{"error", `data: {"error":{"message":"out of\nmemory","type":"x","code":500}}` + "\n\n" + done, nil,
		got{loadgen.ClassServer, 0, false, false, 0, 0}, "out of memory"},
	{"error after content", text + `data: {"error":"the engine died"}` + "\n\n" + done, nil, got{loadgen.ClassServer, 1,
		true, false, 0, 0}, "the engine died"},
	{"error of another shape", `data: {"error":{"detail":["a"]}}` + "\n\n" + done, nil, got{loadgen.ClassServer, 0,
		false, false, 0, 0}, `["a"]`},
	{"no error", `data: {"error":null,"choices":[{"text":"a"}]}` + "\n\n" + done, nil, got{"", 1, true, false, 0, 0},
		""},
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
		{"one event a read", pieces{{10 * ms, text}, {20 * ms, text}, {5 * ms, done}},
			[]time.Duration{10 * ms, 30 * ms},
			10 * ms, 30 * ms},
		{"two events in a read", pieces{{10 * ms, text + text}, {5 * ms, done}}, []time.Duration{10 * ms, 10 * ms},
			10 * ms,
			10 * ms},
		{"an event in two reads", pieces{{10 * ms, text[:20]}, {20 * ms, text[20:]}, {0, done}},
			[]time.Duration{30 * ms},
			30 * ms, 30 * ms},
		{"the line feed comes later", pieces{{10 * ms, text[:len(text)-2]}, {7 * ms, "\n"}, {0, "\n" + done}},
			[]time.Duration{17 * ms}, 17 * ms, 17 * ms},
		{"the empty line comes later", pieces{{10 * ms, text[:len(text)-1]}, {7 * ms, "\n" + done}},
			[]time.Duration{10 * ms}, 10 * ms, 10 * ms},
		{"one and a half", pieces{{10 * ms, text + text[:20]}, {20 * ms, text[20:] + text + done}},
			[]time.Duration{10 * ms,
				30 * ms, 30 * ms}, 10 * ms, 30 * ms},
		{"the role opens, and the finish ends", pieces{{10 * ms, role}, {10 * ms, hello}, {10 * ms, stop},
			{10 * ms, usage},
			{10 * ms, done}}, []time.Duration{20 * ms}, 10 * ms, 30 * ms},
		{"comments open nothing", pieces{{10 * ms, ": ping\n\n"}, {10 * ms, usage}, {10 * ms, text}, {10 * ms, done}},
			[]time.Duration{30 * ms}, 30 * ms, 30 * ms},
		{"no content: the last choice ends it", pieces{{10 * ms, role}, {10 * ms, stop}, {10 * ms, usage},
			{10 * ms, done}},
			nil, 10 * ms, 20 * ms},
		{"longer than the buffer", pieces{{10 * ms, long[:35<<10]}, {10 * ms, long[35<<10:]}, {10 * ms, done}},
			[]time.Duration{20 * ms}, 20 * ms, 20 * ms},
		{"no line feed, and a late end", pieces{{10 * ms, text}, {10 * ms, text}, {10 * ms, strings.TrimSpace(stop)},
			{50 * ms, ""}}, []time.Duration{10 * ms, 20 * ms}, 10 * ms, 30 * ms},
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
					t.Errorf("seen %v, opened %v, done %v; want %v, %v, %v", seen, opened, ended, test.seen,
						test.opened, test.done)
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
		"reasoning first": {chunk(`"reasoning_content":"hm"`) + chunk(`"reasoning":"so"`) + chunk(`"content":"yes"`) +
			chunk(`"content":"!"`), 2},
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
			if _, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 1, Requests: 1},
				target); err != nil || r == nil {
				t.Fatal(err)
			}
		})
	}
}
