package openai

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// A piece of the answer that a reader of events has to drop is not dropped in silence.
func TestPiecesOutsideOfEvents(t *testing.T) {
	for name, line := range map[string]string{
		"a space before the field":   " " + hello,
		"another case":               strings.Replace(hello, "data", "Data", 1),
		"a space before the colon":   strings.Replace(hello, "data", "data ", 1),
		"no field":                   strings.TrimPrefix(hello, "data: "),
		"a byte-order mark within":   "\ufeff" + hello,
		"another field":              strings.Replace(hello, "data", "chunk", 1),
		"a line that should be data": strings.Replace(hello, "data: ", "message: ", 1),
	} {
		for how, read := range ways {
			r := new(loadgen.Record)
			err := readStream(read(strings.NewReader(hello+line+hello+stop+done)), nil, r)
			if e, _ := errors.AsType[*loadgen.Error](err); e == nil || e.Class != loadgen.ClassProtocol ||
				!strings.Contains(err.Error(), "in no event") {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
	for name, line := range map[string]string{
		"a comment":            ": " + strings.TrimPrefix(hello, "data: "),
		"a field of their own": "sequence: 7\n\n",
		"an object":            `{"progress":0.5}` + "\n",
		"broken":               `{"choices":[{"index":0` + "\n",
	} {
		if r := record(t, strings.NewReader(hello+line+hello+stop+done), nil); r.ChunkCount() != 2 {
			t.Errorf("%s: %d chunks", name, r.ChunkCount())
		}
	}
}

// A stream of other events than those asked for was not cut: it is another protocol.
func TestOtherProtocols(t *testing.T) {
	head := http.Header{"Content-Type": {"text/event-stream"}}
	for body, class := range map[string]loadgen.Class{
		`data:{"token":{"id":1,"text":"a"},"generated_text":null}` + "\n\n" +
			`data:{"token":{"id":2,"text":"b"},"generated_text":"ab"}` + "\n\n": loadgen.ClassProtocol, // TGI's own
		`data: {"content":"a","stop":false}` + "\n\n" +
			`data: {"content":"","stop":true}` + "\n\n": loadgen.ClassProtocol, // llama.cpp's
		`data: {"text_output":"a"}` + "\n\n" + `data: {"text_output":"b"}` + "\n\n": loadgen.ClassProtocol, // Triton's
		`data: {"type":"ping"}` + "\n\n" + `data: {"type":"ping"}` + "\n\n":         loadgen.ClassTruncated,
		`data: {"id":"x"}` + "\n\n": loadgen.ClassTruncated,
	} {
		err := readStream(strings.NewReader(body), head, new(loadgen.Record))
		e, _ := errors.AsType[*loadgen.Error](err)
		if e == nil || e.Class != class || !strings.Contains(err.Error(), "having said") {
			t.Errorf("%s: %v, want %s", body, err, class)
		}
	}
}

// An answer that goes on after its finish_reason had not finished, and of several choices each has to.
func TestFinishThatIsNone(t *testing.T) {
	second := func(event string) string { return strings.Replace(event, `"index":0`, `"index":1`, 1) }
	for _, test := range []struct {
		name, body, finish string
		truncated, several bool
	}{
		{"it goes on, and is cut", hello + stop + hello + hello, "stop", true, false},
		{"it goes on, and ends", hello + stop + hello + stop, "stop", false, false},
		{"it goes on without another", hello + stop + hello + done, "", false, false},
		{"twice", hello + stop + stop, "stop", false, false},
		{"an annotation behind it", hello + stop +
			`data: {"choices":[{"index":0,"content_filter_offsets":{"check_offset":1}}]}` + "\n\n", "stop", false,
			false},
		{"one of two", hello + second(hello) + stop + done, "", false, true},
		{"one of two, and cut", hello + second(hello) + stop, "", true, true},
		{"both", hello + second(hello) + stop + second(stop), "stop", false, true},
	} {
		for how, read := range ways {
			r := new(loadgen.Record)
			err := readStream(read(strings.NewReader(test.body)), nil, r)
			e, _ := errors.AsType[*loadgen.Error](err)
			if truncated := e != nil && e.Class == loadgen.ClassTruncated; truncated != test.truncated ||
				!truncated && (err != nil || r.Finish != test.finish) || r.Several != test.several {
				t.Errorf("%s, %s: %v, finish %q, several %t", test.name, how, err, r.Finish, r.Several)
			}
		}
	}
	r := new(loadgen.Record)
	if err := readWhole(strings.NewReader(`{"choices":[{"text":"a","finish_reason":"stop"},{"index":1,"text":"b"}]}`),
		nil,
		r); err != nil || r.Finish != "" || !r.Several {
		t.Errorf("whole: %v, finish %q, several %t", err, r.Finish, r.Several)
	}
}

// What is written unusually and means the usual is read as that.
func TestUnusualWriting(t *testing.T) {
	answer := hello + hello + stop + usageOf(2)
	for name, read := range map[string]func(r *loadgen.Record) error{
		"[DONE] as JSON": func(r *loadgen.Record) error {
			return readStream(strings.NewReader(answer+"data: \"[DONE]\"\n\n"), nil, r)
		},
		"[done]": func(r *loadgen.Record) error {
			return readStream(strings.NewReader(answer+"data: [done]\n\n"), nil, r)
		},
		"no encoding by name": func(r *loadgen.Record) error {
			return readStream(strings.NewReader(answer+done), http.Header{"Content-Encoding": {"none"}}, r)
		},
		"a character set for an encoding": func(r *loadgen.Record) error {
			return readStream(strings.NewReader(answer+done), http.Header{"Content-Encoding": {"UTF-8"}}, r)
		},
		"usage in a corner": func(r *loadgen.Record) error {
			return readStream(strings.NewReader(hello+hello+stop+
				`data: {"choices":[],"x_groq":{"id":"x","usage":{"prompt_tokens":12,"completion_tokens":2}}}`+"\n\n"+done), nil, r)
		},
	} {
		r := new(loadgen.Record)
		if err := read(r); err != nil || r.ChunkCount() != 2 || r.Finish != "stop" || !r.Counted || r.Output != 2 {
			t.Errorf("%s: %v, %d chunks, finish %q, %d tokens", name, err, r.ChunkCount(), r.Finish, r.Output)
		}
	}
}

// Whatever a response says piece by piece is content.
func TestOtherDeltasOfResponses(t *testing.T) {
	end := `data: {"type":"response.completed","response":{"status":"completed"}}` + "\n\n"
	for event, want := range map[string]struct{ content, answer bool }{
		`{"type":"response.audio.delta","delta":"UklG"}`:                      {true, true},
		`{"type":"response.custom_tool_call_input.delta","delta":"x"}`:        {true, true},
		`{"type":"response.mcp_call_arguments.delta","delta":{"a":1}}`:        {true, true},
		`{"type":"response.code_interpreter_call_code.delta","delta":"1+1"}`:  {true, true},
		`{"type":"response.reasoning_details.delta","delta":"hm"}`:            {true, false},
		`{"type":"response.audio.delta","delta":""}`:                          {false, false},
		`{"type":"response.output_item.added","item":{"type":"message"}}`:     {false, false},
		`{"type":"response.output_text.done","text":"it is told once again"}`: {false, false},
	} {
		r := new(loadgen.Record)
		err := reading{endpoint: Responses}.stream(strings.NewReader("data: "+event+"\n\n"+end), nil, r)
		if err != nil || (r.ChunkCount() == 1) != want.content || r.NoContent == want.content ||
			(r.FirstAnswer != 0) != want.answer {
			t.Errorf("%s: %v, %d chunks, first answer at %v", event, err, r.ChunkCount(), r.FirstAnswer)
		}
	}
}
