package openai

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Events whose data are spread over several lines.
func TestSpreadEvents(t *testing.T) {
	const spread = "data: {\ndata:  \"choices\": [\n: comment\ndata: {\"text\":\n\tdata: no field\nid: 1\ndata:\ndata:\"a\"}]\ndata: }\n\n"
	for _, test := range []struct {
		name, body string
		want       got
	}{
		{"between others", text + spread + spread + text + usage + done, got{"", 4, true, true, 3, 2}},
		{"CRLF", strings.ReplaceAll(text+spread+text+usage+done, "\n", "\r\n"), got{"", 3, true, true, 3, 2}},
		{"long", text + strings.ReplaceAll(spread, `"a"`, `"`+strings.Repeat("a", 100<<10)+`"`) + spread + done, got{"", 3, true, false, 0, 0}},
		{"inside a string", text + "data: {\"choices\":[{\"text\":\"a\ndata: b\"}]}\n\n" + done, got{loadgen.ClassProtocol, 1, true, false, 0, 0}},
		{"garbage in a later line", text + "data: {\ndata: ]\n\n" + done, got{loadgen.ClassProtocol, 1, true, false, 0, 0}},
		{"without its end", text + "data: {\n\n" + done, got{loadgen.ClassProtocol, 1, true, false, 0, 0}},
		{"cut between its lines", text + "data: {\ndata: \"choices\"\n", got{loadgen.ClassTruncated, 1, true, false, 0, 0}},
		{"cut before its empty line", text + strings.TrimSuffix(spread, "\n"), got{loadgen.ClassTruncated, 1, true, false, 0, 0}},
		{"cut after a reason to stop", text + stop + "data: {\ndata: \"choices\"\n", got{"", 1, true, false, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, read := range ways {
				r := new(loadgen.Record)
				if err := readStream(read(body(test.body, nil)), r); summarize(r, err) != test.want {
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
		body := &pieces{{10 * ms, "data: {\n"}, {10 * ms, "data: \"choices\":[{\"text\":\"a\"}]}\n"}, {10 * ms, "\n"}, {10 * ms, done}}
		var seen []time.Duration
		target := loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
			err := readStream(body, r)
			for chunk := range r.Chunks() {
				seen = append(seen, chunk.Seen)
			}
			return err
		})
		result, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 1}, target)
		if err != nil || result.Accounting.Completed != 1 || !slices.Equal(seen, []time.Duration{20 * ms}) {
			t.Errorf("seen %v, %v, %v", seen, err, result.Errors)
		}
	})
}

// Lines without an end, each of which could be the start of an event.
func TestSpreadEventsAreBounded(t *testing.T) {
	for _, line := range []string{"data: {\"a\":[" + strings.Repeat("1,", 512) + "\n", "data: {\"a\":[" + strings.Repeat("1,", 64<<10) + "\n"} {
		r := new(loadgen.Record)
		err := readStream(endless(line), r)
		if g := summarize(r, err); g.Class != loadgen.ClassProtocol || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("got %+v, %v", g, err)
		}
	}
}

// Lines that just fit the buffer, and that just do not.
func TestLinesAroundTheBuffer(t *testing.T) {
	for size := lineBuffer - 3; size <= lineBuffer+3; size++ {
		for _, factor := range []int{1, 2} {
			event := `data: {"choices":[{"text":"` + strings.Repeat("x", factor*size-len(`data: {"choices":[{"text":""}]}`)) + `"}]}` + "\n"
			for how, read := range ways {
				r := new(loadgen.Record)
				err := readStream(read(strings.NewReader(text+event+event+usage+event+done)), r)
				if g, want := summarize(r, err), (got{"", 4, true, true, 3, 2}); g != want {
					t.Errorf("%d bytes, %s: got %+v, %v", factor*size, how, g, err)
				}
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
			err := readStream(strings.NewReader(text+"data: "+event+"\n\n"+done), r)
			return summarize(r, err), err
		},
		"whole": func() (got, error) {
			r := new(loadgen.Record)
			err := readWhole(strings.NewReader(event), r)
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
			if err := readStream(body, new(loadgen.Record)); err != nil {
				t.Fatal(err)
			}
		})
	}
	// The record of 1,000 times the chunks grows some 20 times, and a pool may be emptied.
	if few, many := allocs(1), allocs(1000); many > few+40 {
		t.Errorf("%v allocations for a chunk, %v for 1,000", few, many)
	}
}
