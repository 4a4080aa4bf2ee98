package openai

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Events whose data are spread over several lines.
func TestSpreadEvents(t *testing.T) {
	const spread = "data: {\ndata:  \"choices\": [\n: comment\ndata: {\"text\":\n\tdata: no field\nid: " +
		"1\ndata:\ndata:\"a\"}]\ndata: }\n\n"
	for _, test := range []struct {
		name, body string
		want       got
	}{
		{"between others", text + spread + spread + text + usage + done, got{"", 4, true, true, 3, 5}},
		{"CRLF", strings.ReplaceAll(text+spread+text+usage+done, "\n", "\r\n"), got{"", 3, true, true, 3, 5}},
		{"long", text + strings.ReplaceAll(spread, `"a"`, `"`+strings.Repeat("a", 100<<10)+`"`) + spread + done,
			got{"", 3,
				true, false, 0, 0}},
		{"inside a string", text + "data: {\"choices\":[{\"text\":\"a\ndata: b\"}]}\n\n" + done,
			got{loadgen.ClassProtocol,
				1, true, false, 0, 0}},
		{"garbage in a later line", text + "data: {\ndata: ]\n\n" + done,
			got{loadgen.ClassProtocol, 1, true, false, 0, 0}},
		{"without its end", text + "data: {\n\n" + done, got{loadgen.ClassProtocol, 1, true, false, 0, 0}},
		{"cut between its lines", text + "data: {\ndata: \"choices\"\n",
			got{loadgen.ClassTruncated, 1, true, false, 0, 0}},
		{"cut before its empty line", text + strings.TrimSuffix(spread, "\n"),
			got{loadgen.ClassTruncated, 2, true, false,
				0, 0}},
		{"cut after a reason to stop", text + stop + "data: {\ndata: \"choices\"\n", got{"", 1, true, false, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, read := range ways {
				r := new(loadgen.Record)
				if err := readStream(read(body(test.body, nil)), nil, r); summarize(r, err) != test.want {
					t.Errorf("%s: got %+v, %v; want %+v", how, summarize(r, err), err, test.want)
				}
			}
		})
	}
}

// A spread event was there when its last data line was, whenever the empty line came.
func TestSpreadEventsAreStampedByTheirData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		body := &pieces{{10 * ms, "data: {\n"}, {10 * ms, "data: \"choices\":[{\"text\":\"a\"}]}\n"}, {10 * ms, "\n"},
			{10 * ms, done}}
		if seen := arrivals(t, body); !slices.Equal(seen, []time.Duration{20 * ms}) {
			t.Errorf("seen %v", seen)
		}
	})
}

// Lines without an end, each of which could be the start of an event.
func TestSpreadEventsAreBounded(t *testing.T) {
	for _, line := range []string{"data: {\"a\":[" + strings.Repeat("1,", 512) + "\n", "data: {\"a\":[" +
		strings.Repeat("1,", 64<<10) + "\n"} {
		r := new(loadgen.Record)
		err := readStream(endless(line), nil, r)
		if g := summarize(r, err); g.Class != loadgen.ClassProtocol || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("got %+v, %v", g, err)
		}
	}
}

// Lines that just fit the buffer, and that just do not.
func TestLinesAroundTheBuffer(t *testing.T) {
	for size := lineBuffer - 3; size <= lineBuffer+3; size++ {
		for _, factor := range []int{1, 2} {
			event := `data: {"choices":[{"text":"` + strings.Repeat("x",
				factor*size-len(`data: {"choices":[{"text":""}]}`)) +
				`"}]}` + "\n"
			for how, read := range ways {
				r := new(loadgen.Record)
				err := readStream(read(strings.NewReader(text+event+event+usage+event+done)), nil, r)
				if g, want := summarize(r, err), (got{"", 4, true, true, 3, 5}); g != want {
					t.Errorf("%d bytes, %s: got %+v, %v", factor*size, how, g, err)
				}
			}
		}
	}
}

// standardEvents is what the standard of server-sent events makes of a body, line by line, and where we are laxer.
func standardEvents(body string) (all []string) {
	body = strings.TrimPrefix(body, "\ufeff")
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n"), "\n")
	var data []string
	var name, nameBefore string
	dispatch := func(name string) {
		failing := irregular([]byte(name)) && data != nil
		if text := strings.Join(data, "\n"); failing || strings.Trim(text, " \t\n\v\f\u0085\u00a0") != "" &&
			len(bytes.TrimSpace([]byte(text))) > 0 {
			all = append(all, fmt.Sprintf("%t %q", failing, text))
		}
		data = nil
	}
	for i, line := range lines {
		last := i == len(lines)-1 // it has no end
		if line == "" && !last {
			dispatch(name)
			name = ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			if len(data) > 0 { // laxer: no JSON goes on so
				before, next := strings.TrimRight(strings.Join(data, "\n"), " \t"), strings.TrimLeft(value, " \t")
				if strings.HasSuffix(before, "}") && next != "" && strings.Contains("{[", next[:1]) {
					dispatch(nameBefore)
					if name == nameBefore {
						name = ""
					}
				}
			}
			if data = append(data, value); len(data) == 1 {
				nameBefore = name
			}
			if len(data) == 1 && !last && isEnd([]byte(value)) { // laxer: nothing need follow
				dispatch(name)
				name = ""
			}
		case "error": // laxer: an event of its own
			if len(data) > 0 {
				dispatch(nameBefore)
				if name == nameBefore {
					name = ""
				}
			}
			if len(bytes.TrimSpace([]byte(value))) > 0 {
				all = append(all, fmt.Sprintf("reported %q", value))
			}
			name = ""
		}
	}
	dispatch(name) // laxer: what there is at the end
	return all
}

// ourEvents is what we make of it.
func ourEvents(body io.Reader) (all []string) {
	var e events
	e.open(body, new(loadgen.Record))
	defer e.close()
	for {
		data, err := e.next()
		switch {
		case e.reported && len(bytes.TrimSpace(data)) > 0:
			all = append(all, fmt.Sprintf("reported %q", data))
		case e.failing || len(bytes.TrimSpace(data)) > 0:
			all = append(all, fmt.Sprintf("%t %q", e.failing, data))
		}
		if err != nil {
			return all
		}
	}
}

// bodies are event streams by hand.
var bodies = []string{
	"", "\n", "\r", "\r\n", "data", "data:", "data\n\n", "data: a\n\n", "data:a\r\rdata:b\r\r",
	"data: a\r\n\r\ndata: b\r\n\r\n", "data: a\n\rdata: b\r\n\n",
	"\ufeffdata: a\n\n", "\ufeff\ufeffdata: a\n\n", "\ufeff", "\n\ufeffdata: a\n\n", "data: \ufeffa\n\n",
	"\xef\xbbdata: a\n\n",
	"data: a\ndata: b\n\n", "data:  a \ndata\ndata:\n\n", "data: {}\ndata: {}\n",
	"data: {}\ndata: [DONE]\ndata: {}\n\n",
	"data: {}\ndata: ,\n\n", "data: [DONE]\ndata: a\n\n",
	"event: error\ndata: a\n\ndata: b\n\n", "data: a\nevent: error\n\n", "event: error\n\ndata: a\n\n",
	"event: error\ndata:\n\n", "event: message\nevent: error\nevent\ndata: a\n\n",
	"data: {}\nevent: error\ndata: {}\n\n", "event: error\ndata: {}\ndata: {}\n\n",
	"event:error\ndata: {\nevent: x\ndata: }\n\n",
	"error: a\n", "data: {}\nerror: {\"a\":1}\ndata: b\n\n", "error\n\nerror:\n", "event: error\nerror: a\ndata: b\n\n",
	": c\n:\nid: 1\nid\nretry: 5\nfoo: bar\ndata : a\n data: a\nDATA: a\ndata: b\n\n",
	"data: a\n: c\nid: 1\ndata: b\n\n", "data: a", "data: a\n", "data: a\ndat", "data: a\nevent: error",
	"data: \x00\v\f\n\n", "data:\ta\n\n", "data: a:b: c\n\n", strings.Repeat("x", lineBuffer) + "\ndata: a\n\n",
	"data: a" + strings.Repeat("\r", lineBuffer) + "data: b\r",
}

func compareEvents(t *testing.T, body string) {
	t.Helper()
	want := standardEvents(body)
	for how, read := range ways {
		if got := ourEvents(read(strings.NewReader(body))); !slices.Equal(got, want) {
			t.Errorf("%q, %s:\n%s; want\n%s", body, how, got, want)
		}
	}
}

func TestEventsAreThoseOfTheStandard(t *testing.T) {
	for _, body := range bodies {
		compareEvents(t, body)
	}
	for _, stream := range answers {
		compareEvents(t, stream.body)
		for _, end := range []string{"\r", "\r\n"} {
			compareEvents(t, strings.ReplaceAll(stream.body, "\n", end))
		}
	}
}

func FuzzEvents(f *testing.F) {
	for _, body := range bodies {
		f.Add(body)
	}
	f.Fuzz(compareEvents)
}

// The same stream with each end of line, with a byte-order mark and without, cut into two reads wherever it can be.
func TestEndsOfLines(t *testing.T) {
	const stream = role + ": ping\n\n" + `data: {"choices":[{"text":"żółć 🙂"}]}` + "\n\n" + hello + stop + usage + done
	for _, mark := range []string{"", "\ufeff"} {
		for _, end := range []string{"\n", "\r", "\r\n"} {
			whole := mark + strings.ReplaceAll(stream, "\n", end)
			for at := range len(whole) {
				r := new(loadgen.Record)
				err := readStream(io.MultiReader(strings.NewReader(whole[:at]), strings.NewReader(whole[at:])), nil, r)
				if g, want := summarize(r, err), (got{"", 2, true, true, 3, 5}); g != want || r.Finish != "stop" {
					t.Fatalf("%q, cut at %d: got %+v, %v", end, at, g, err)
				}
			}
		}
	}
	// Two marks are one too many: the first line is then of a field that nobody knows, which is said.
	r := new(loadgen.Record)
	err := readStream(strings.NewReader("\ufeff\ufeff"+hello+hello+done), nil, r)
	if g, want := summarize(r, err), (got{loadgen.ClassProtocol, 1, true, false, 0, 0}); g != want {
		t.Errorf("two marks: got %+v, %v", g, err)
	}
}

// A line that ends in CR was complete when the CR came, whether or not a line feed follows.
func TestLinesThatEndInCR(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		line := strings.TrimSuffix(hello, "\n\n")
		body := &pieces{{10 * ms, line + "\r"}, {10 * ms, "\n"}, {10 * ms, "\r\n" + line + "\r\r"},
			{10 * ms, line + "\r"},
			{10 * ms, "\r" + done}}
		if seen, want := arrivals(t, body), []time.Duration{10 * ms, 30 * ms, 40 * ms}; !slices.Equal(seen, want) {
			t.Errorf("seen %v, want %v", seen, want)
		}
	})
}

// Without the empty line between them events are told apart, and are there when their lines are; [DONE] ends a stream
// though the server keeps the rest to itself.
func TestEventsWithoutEmptyLines(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		body := &pieces{{10 * ms, hello[:len(hello)-1]}, {10 * ms, hello[:len(hello)-1]}, {10 * ms, "data: [DONE]\n"},
			{time.Hour, "\n"}}
		if seen, want := arrivals(t, body), []time.Duration{10 * ms, 20 * ms}; !slices.Equal(seen, want) {
			t.Errorf("seen %v, want %v", seen, want)
		}
		if len(*body) != 1 {
			t.Error("it waited for what follows [DONE]")
		}
	})
}

// arrivals is when the chunks of a body were seen.
func arrivals(t *testing.T, body io.Reader) (seen []time.Duration) {
	t.Helper()
	target := loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
		err := readStream(body, nil, r)
		for chunk := range r.Chunks() {
			seen = append(seen, chunk.Seen)
		}
		return err
	})
	if result, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 1}, target); err != nil ||
		result.Accounting.Completed != 1 {
		t.Fatal(err, result.Errors)
	}
	return seen
}

// A chunk shares its read with the content that came after it in that read, wherever its empty line came.
func TestChunksThatShareARead(t *testing.T) {
	line := hello[:len(hello)-1]
	for _, test := range []struct {
		name   string
		pieces pieces
		want   []bool
	}{
		{"one a read", pieces{{1, hello}, {1, hello}, {1, hello}, {1, done}}, []bool{false, false, false}},
		{"two in a read", pieces{{1, hello + hello}, {1, hello + hello}, {1, done}}, []bool{true, false, true, false}},
		{"the end in the read of the last", pieces{{1, hello}, {1, hello + done}}, []bool{false, false}},
		{"the empty line comes with the next", pieces{{1, line}, {1, "\n" + line}, {1, "\n" + line}, {1, "\n" + done}},
			[]bool{false, false, false}},
		{"and with the next after that", pieces{{1, line}, {1, "\n" + hello + line}, {1, "\n" + done}},
			[]bool{false, true,
				false}},
		{"no empty lines", pieces{{1, line}, {1, line}, {1, line + line}, {1, done}},
			[]bool{false, false, true, false}},
		{"half of the next", pieces{{1, hello + hello[:9]}, {1, hello[9:]}, {1, done}}, []bool{true, false}},
		{"half of the next, without an empty line", pieces{{1, line + line[:9]}, {1, line[9:]}, {1, done}}, []bool{true,
			false}},
		{"CRLF cut in two", pieces{{1, line[:len(line)-1] + "\r"}, {1, "\n\r\n" + hello}, {1, done}},
			[]bool{false, false}},
	} {
		r := record(t, &test.pieces, nil)
		var shared []bool
		for c := range r.Chunks() {
			shared = append(shared, c.Shared)
		}
		if !slices.Equal(shared, test.want) {
			t.Errorf("%s: shared %v, want %v", test.name, shared, test.want)
		}
	}
}

// What follows an event without an empty line may still be of it, also where all before were read by their pattern.
func TestEventsWithoutEmptyLinesAreNotGuessed(t *testing.T) {
	line := hello[:len(hello)-1]
	many := strings.Repeat(line, 9)
	for _, test := range []struct {
		body   string
		class  loadgen.Class
		chunks int
	}{
		{many + line + "\n" + done, "", 10},
		{many + line + "event: error\n\n" + done, loadgen.ClassServer, 9},
		{many + line + "event: error\n" + line + done, loadgen.ClassServer, 10},
		{many + line + "data: ,\n" + line + done, loadgen.ClassProtocol, 9},
		{many + line + "error: no\n" + line + done, loadgen.ClassServer, 10},
		{many + line + "data: [DONE]\n" + line, "", 10},
	} {
		for how, read := range ways {
			r := new(loadgen.Record)
			err := readStream(read(strings.NewReader(test.body)), nil, r)
			if g := summarize(r, err); g.Class != test.class || g.Chunks != test.chunks {
				t.Errorf("…%q, %s: %+v, %v; want %s after %d", test.body[len(many):], how, g, err, test.class,
					test.chunks)
			}
		}
	}
}

// vLLM says so too.
func TestErrorObject(t *testing.T) {
	const event = `{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}`
	for how, read := range map[string]func() (got, error){
		"stream": func() (got, error) {
			r := new(loadgen.Record)
			err := readStream(strings.NewReader(text+"data: "+event+"\n\n"+done), nil, r)
			return summarize(r, err), err
		},
		"whole": func() (got, error) {
			r := new(loadgen.Record)
			err := readWhole(strings.NewReader(event), nil, r)
			return summarize(r, err), err
		},
	} {
		g, err := read()
		if g.Class != loadgen.ClassServer || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: got %+v, %v", how, g, err)
		}
	}
}

// A stream costs a few objects, and its chunks none.
func TestChunksAllocateNothing(t *testing.T) {
	allocs := func(chunks int) float64 {
		body := strings.NewReader("")
		whole := stream(chunks)
		return testing.AllocsPerRun(20, func() {
			body.Reset(whole)
			if err := readStream(body, nil, new(loadgen.Record)); err != nil {
				t.Fatal(err)
			}
		})
	}
	// The record of 1,000 times the chunks grows some 20 times, and a pool may be emptied.
	if few, many := allocs(1), allocs(1000); many > few+40 {
		t.Errorf("%v allocations for a chunk, %v for 1,000", few, many)
	}
}
