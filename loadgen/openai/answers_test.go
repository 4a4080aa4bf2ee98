package openai

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// record is what a stream made of a body, which must have been complete.
func record(t *testing.T, body io.Reader, head http.Header) *loadgen.Record {
	t.Helper()
	r := new(loadgen.Record)
	if err := readStream(body, head, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// read reads what a server said, as an event of a stream that goes on or as an answer in one piece.
func readBoth(event string) map[string]func(r *loadgen.Record) error {
	return map[string]func(r *loadgen.Record) error{
		"streamed": func(r *loadgen.Record) error {
			return readStream(strings.NewReader(hello+"data: "+event+"\n\n"+hello+stop+done), nil, r)
		},
		"whole": func(r *loadgen.Record) error { return readWhole(strings.NewReader(event), nil, r) },
	}
}

// What servers say when something went wrong is an error of the server, with what they said, streamed and whole alike.
func TestComplaints(t *testing.T) {
	for event, says := range map[string]string{
		`{"choices":[{"index":0,"text":"","finish_reason":"abort"}]}`:                                        `finish_reason "abort"`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`:                                       `finish_reason "error"`,
		`{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"Cancelled"}]}`:                    `finish_reason "Cancelled"`,
		`{"choices":[{"text":"a","finish_reason":"insufficient_system_resource"}]}`:                          `finish_reason "insufficient_system_resource"`,
		`{"choices":[{"text":"a","finish_reason":"internal_server_error\n\u0041"}]}`:                         `finish_reason "internal_server_error A"`,
		`{"choices":[{"text":"a","finish_reason":"abort"},{"index":1,"text":"a","finish_reason":"stop"}]}`:   `finish_reason "abort"`,
		`{"choices":[{"text":"a","finish_reason":"stop"},{"index":1,"text":"a","finish_reason":"timeout"}]}`: `finish_reason "timeout"`,
		`{"choices":[{"index":0,"text":"","finish_reason":"error","error":{"message":"lost a GPU"}}]}`:       `lost a GPU (finish_reason "error")`,
		`{"choices":[{"index":0,"error":"no \"more\""}]}`:                                                    `no "more"`,
		`{"choices":[{"index":0,"delta":{"content":"","error":{"code":502,"message":"upstream"}}}]}`:         "upstream",
		`{"choices":[{"index":0,"text":"a"}],"error":{"message":"beside a choice"}}`: "beside a " +
			"choice",
		`{"choices":[{"index":0,"text":"a"}],"error":{"code":500}}`: `{"code":500}`,
		`{"error":true,"message":"engine"}`:                         "engine",
		`{"errors":["a","b"]}`:                                      `["a","b"]`,
		`{"text":"**NETWORK ERROR**","error_code":50001}`: "**NETWORK " +
			"ERROR**",
		`{"error_code":"E7"}`:                     `{"error_code":"E7"}`,
		`{"type":"error","message":"overloaded"}`: "overloaded",
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`:          "Overloaded",
		`{"object":"error","message":"too long","code":400}`:                                   "too long",
		`{"type":"InternalServerError","message":"x"}`:                                         "x",
		`{"code":500,"message":"Internal"}`:                                                    "Internal",
		`{"code":1301,"msg":"sensitive"}`:                                                      "sensitive",
		`{"detail":"Not authenticated"}`:                                                       "Not authenticated",
		`{"message":"model is loading"}`:                                                       "model is loading",
		`{"status":"failed","choices":[]}`:                                                     "failed",
		`{"event":"run.cancelled","data":"by admin"}`:                                          "cancelled",
		`{"choices":[],"code":429,"message":"queue"}`:                                          "queue",
		`{"choices":null,"msg":"quota"}`:                                                       "quota",
		`{"choices":[{"index":0,"delta":{}}],"x_groq":{"id":"req_1","error":"over capacity"}}`: "over capacity",
		`{"choices":[{"text":"a","finish_reason":"deadline_exceeded"}]}`:                       "deadline_exceeded",
		`{"choices":[{"text":"a","finish_reason":"OOM"}]}`:                                     "OOM",
		`{"choices":[{"text":"a","finish_reason":"connection_lost"}]}`:                         "connection_lost",
		`{"choices":[{"text":"a","finish_reason":"rate_limited"}]}`:                            "rate_limited",
		`{"internalServerException":{"message":"boom"}}`:                                       "boom",
		`{"Error":{"Message":"boom"}}`:                                                         "boom",
		`{"errorMessage":"boom","requestId":"x"}`:                                              "boom",
		`{"fault":{"faultstring":"Gateway timeout"}}`:                                          "Gateway timeout",
		`{"err":"boom"}`:                            "boom",
		`{"success":false,"reason":"no worker"}`:    "no worker",
		`{"error":{"code":"500","message":"None"}}`: "500",
	} {
		for how, read := range readBoth(event) {
			r := new(loadgen.Record)
			err := read(r)
			if e, ok := errors.AsType[*loadgen.Error](err); !ok || e.Class != loadgen.ClassServer ||
				!strings.Contains(err.Error(), says) {
				t.Errorf("%s, %s: got %v, want %s", event, how, err, says)
			}
		}
	}
}

// What looks like it and is none.
func TestNoComplaints(t *testing.T) {
	for _, beside := range []string{`"error":null`, `"error":""`, `"error":{}`, `"error":[]`, `"error":false`,
		`"error":{"message":"","code":0,"param":null}`, `"error_code":0`, `"errors":[]`,
		`"error":"None"`, `"error":"null"`, `"error_code":"0","error_msg":"success"`,
		`"error":{"code":0,"message":"success"}`,
		`"error":{"message":"ok","code":"0"}`, `"Error":"x"`, `"success":false`, `"errorMessage":"beside a choice"`,
		`"message":"hello"`, `"type":"chunk"`, `"object":"chat.completion.chunk"`, `"code":200`} {
		event := `{"choices":[{"index":0,"delta":{"content":"a","error":null},"error":{},"finish_reason":"stop"}],` +
			beside + `}`
		for how, read := range readBoth(event) {
			r := new(loadgen.Record)
			if err := read(r); err != nil || r.NoContent || r.Finish != "stop" {
				t.Errorf("%s, %s: %v, %+v", event, how, err, r)
			}
		}
	}
	for _, event := range []string{`{"type":"ping"}`, `{"type":"status","message":"queued"}`,
		`{"code":0,"msg":"success"}`, `{"status":"ok","message":"warm"}`, `{"event":"heartbeat","msg":"5"}`,
		`{"choices":[],"code":0,"message":"ok"}`, `{"choices":[],"usage":{"completion_tokens":1},"message":"billed"}`,
		`{"status":"in_progress","choices":[]}`, `{"x_groq":{"id":"req_1"}}`, `{"success":true}`, `{"err":null}`,
		`{"Error":""}`, `{"id":"x","error_count":0}`, `{}`, `null`, `{"id":"x"}`} {
		if err := readBoth(event)["streamed"](new(loadgen.Record)); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
}

// Events that are errors by their name or by their field, wherever in the stream they come.
func TestErrorEvents(t *testing.T) {
	for event, says := range map[string]string{
		"event: error\ndata: {\"message\":\"out of memory\"}\n\n":    "out of memory",
		"data: {\"message\":\"out of memory\"}\nevent: error\n\n":    "out of memory",
		"event: error\ndata: plain words\n\n":                        "plain words",
		"event: error\ndata: {\ndata: \"message\":\"spread\"}\n\n":   "spread",
		"event: error\ndata: {}\n\n":                                 "no reason",
		"event: error\ndata:\n\n":                                    "no reason",
		"event: error\ndata: {\"choices\":[{\"text\":\"a\"}]}\n\n":   "choices",
		"event: server_error\ndata: {\"detail\":\"x\"}\n\n":          "x",
		"event: response.failed\ndata: {\"response\":{}}\n\n":        "no reason",
		"event:error\rdata:{\"error\":\"in CR\"}\r\r":                "in CR",
		"error: {\"code\":500,\"message\":\"slot unavailable\"}\n\n": "slot unavailable",
		"error: {\"error\":{\"message\":\"nested\"}}\n\n":            "nested",
		"error: out of words\n":                                      "out of words",
		"error:{\"message\":\"cut":                                   `{"message":"cut`,
	} {
		for how, read := range ways {
			r := new(loadgen.Record)
			err := readStream(read(strings.NewReader(hello+hello+event+hello+stop+done)), nil, r)
			if e, ok := errors.AsType[*loadgen.Error](err); !ok || e.Class != loadgen.ClassServer ||
				!strings.Contains(err.Error(), says) || r.ChunkCount() != 2 {
				t.Errorf("%q, %s: got %v and %d chunks, want %s", event, how, err, r.ChunkCount(), says)
			}
		}
	}
	for _, event := range []string{"error: {}\n\n", "error: \"\"\n\n", "error: null\n", "error:\n\n", "error\n\n",
		"event: error\n\n", "event: message\ndata: {}\n\n", ": error: no\n\n", "errors: x\n\n"} {
		if r := record(t, strings.NewReader(hello+event+hello+stop+done), nil); r.ChunkCount() != 2 {
			t.Errorf("%q: %d chunks", event, r.ChunkCount())
		}
	}
}

// Why an answer ended: in the server's words, the last one's of several, and the absence of a reason however it is
// written.
func TestFinish(t *testing.T) {
	chunk := func(finish string) string {
		return `{"choices":[{"index":0,"text":"a","finish_reason":` + finish + `}]}`
	}
	for finish, want := range map[string]string{
		`"stop"`: "stop", `"length"`: "length", `"tool_calls"`: "tool_calls", `"function_call"`: "function_call",
		`"content_filter"`: "content_filter", `"eos"`: "eos", `"eos_token"`: "eos_token",
		`"stop_sequence"`: "stop_sequence", `"max_tokens"`: "max_tokens", `"MAX_TOKENS"`: "MAX_TOKENS",
		`"repetition"`: "repetition", `"max_time"`: "max_time", `"model_length"`: "model_length", `"room"`: "room",
		`"\u0073top"`: "stop", `"two\nlines"`: "two lines",
		`null`: "", `""`: "", `"null"`: "", `"None"`: "", `"NULL"`: "", `"not_finished"`: "",
		`"FINISH_REASON_UNSPECIFIED"`: "", `"nullify"`: "nullify",
	} {
		var whole, streamed loadgen.Record
		if err := readWhole(strings.NewReader(chunk(finish)), nil, &whole); err != nil || whole.Finish != want {
			t.Errorf("%s, whole: %q, %v", finish, whole.Finish, err)
		}
		if err := readStream(strings.NewReader(hello+"data: "+chunk(finish)+"\n\n"+done), nil, &streamed); err != nil ||
			streamed.Finish != want {
			t.Errorf("%s, streamed: %q, %v", finish, streamed.Finish, err)
		}
		// Without [DONE] it takes a reason to be complete.
		cut := readStream(strings.NewReader("data: "+chunk(finish)+"\n\n"), nil, new(loadgen.Record))
		if e, _ := errors.AsType[*loadgen.Error](cut); (want == "") != (e != nil && e.Class == loadgen.ClassTruncated) {
			t.Errorf("%s, cut in good order: %v", finish, cut)
		}
	}
	for reason, want := range map[string]string{"": "", "stop": "stop", "quota of hunter2 spent": "quota of *** spent",
		strings.Repeat("x", 100): strings.Repeat("x", longestFinish) + "…"} {
		if got := (secrets{"hunter2"}).finish(reason); got != want {
			t.Errorf("for a record, %q: got %q, want %q", reason, got, want)
		}
	}
	r := record(t, strings.NewReader(strings.Replace(hello, "null", `"length"`,
		1)+strings.Replace(strings.Replace(hello,
		"null", `"stop"`, 1), `"index":0`, `"index":1`, 1)+done), nil)
	if r.Finish != "stop" {
		t.Errorf("of two answers: %q", r.Finish)
	}
}

// Whatever a delta holds is content, but for the role and for what is empty; reasoning is told apart where it is known.
func TestContent(t *testing.T) {
	type kind int
	const (
		none kind = iota
		answer
		reasoning
	)
	for choice, want := range map[string]kind{
		`"text":"a"`: answer, `"text":""`: none, `"text":null`: none, `"text":[{"type":"text","text":"a"}]`: answer,
		`"text":{"type":"text","text":""}`: none,
		`"delta":{"content":"a"}`:          answer, `"message":{"content":"a"}`: answer,
		`"message":{"role":"assistant","content":null,"tool_calls":[]}`:                          none,
		`"delta":{"function_call":{"name":"f","arguments":""}}`:                                  answer,
		`"delta":{"function_call":{"name":"","arguments":""}}`:                                   none,
		`"delta":{"refusal":"I cannot"}`:                                                         answer,
		`"delta":{"role":"assistant","content":"","refusal":null}`:                               none,
		`"delta":{"reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]}`:        reasoning,
		`"delta":{"reasoning_details":[]}`:                                                       none,
		`"delta":{"reasoning_details":[{"type":"reasoning.text","text":"","index":0,"id":"x"}]}`: none,
		`"delta":{"thinking":"hm"}`:                                                              reasoning,
		`"delta":{"thinking":{"content":"hm"}}`:                                                  reasoning,
		`"delta":{"thinking_blocks":[{"type":"thinking","thinking":"hm"}]}`:                      reasoning,
		`"delta":{"thought":"hm"}`:                                                               reasoning,
		`"delta":{"content":[{"type":"text","text":"a"}]}`:                                       answer,
		`"delta":{"content":[{"type":"text","text":""}]}`:                                        none,
		`"delta":{"content":[]}`:                                                                 none, `"delta":{"content":{"type":"text","text":"a"}}`: answer,
		`"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}`:   reasoning,
		`"delta":{"content":[{"text":"hm","type":"thinking"}]}`:                                reasoning,
		`"delta":{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}]}`: answer,
		`"delta":{"audio":{"id":"x","data":"UklG"}}`:                                           answer,
		`"delta":{"images":[{"image_url":{"url":"data:"}}]}`:                                   answer,
		`"delta":{"something_new":7}`:                                                          answer,
		`"delta":{"something_new":[[{"a":null}]]}`:                                             none,
		`"delta":{"annotations":[],"flag":false,"n":0,"x":{}}`:                                 none, `"delta":{"tool_calls":[{"index":0}]}`: answer,
		`"delta":{"tool_calls":{"name":"f"}}`: answer, `"delta":{"tool_calls":{}}`: none,
		`"delta":{"tool_calls":"f()"}`: answer,
		`"delta":{}`:                   none, `"delta":null`: none, `"logprobs":{"content":["a"]}`: none,
	} {
		event := `{"choices":[{"index":0,` + choice + `}]}`
		for how, read := range map[string]func(r *loadgen.Record) error{
			"streamed": func(r *loadgen.Record) error {
				return readStream(strings.NewReader("data: "+event+"\n\n"+done), nil, r)
			},
			"whole": func(r *loadgen.Record) error { return readWhole(strings.NewReader(event), nil, r) },
		} {
			r := new(loadgen.Record)
			err := read(r)
			if err != nil || r.NoContent != (want == none) {
				t.Errorf("%s, %s: %v, no content: %t", choice, how, err, r.NoContent)
			}
			if how == "streamed" && ((r.ChunkCount() == 1) != (want != none) ||
				(r.FirstAnswer != 0) != (want == answer)) {
				t.Errorf("%s: %d chunks, first answer at %v", choice, r.ChunkCount(), r.FirstAnswer)
			}
		}
	}
}

// A usage that contradicts what came is not believed; one that is only written unusually is.
func TestUsageThatContradicts(t *testing.T) {
	many := func(n int) string { return strings.Repeat(hello, n) }
	total := func(completion string) string {
		return `data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":` + completion +
			`,"prompt_tokens_details":{"cached_tokens":4}}}` + "\n\n"
	}
	think := strings.Replace(hello, "content", "reasoning_content", 1)
	call := `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}` + "\n\n"
	for _, test := range []struct {
		name, body   string
		output       int // −1: unknown
		contradicted bool
	}{
		{"as many as chunks", many(16) + stop + total("16"), 16, false},
		{"more than chunks", many(16) + stop + total("40"), 40, false},
		{"none after 16 chunks", many(16) + stop + total("0"), -1, true},
		{"20 in 40 chunks", many(40) + stop + total("20"), -1, true},
		{"one less", many(16) + stop + total("15"), -1, true},
		{"the same in each chunk", strings.Repeat(soFar(0, "a", 1), 16) + stop + usageOf(1), -1, true},
		{"a smaller one last", soFar(0, "a", 4) + soFar(0, "b", 9) + stop + usageOf(5), -1, true},
		{"a smaller one underway", soFar(0, "a", 5) + soFar(0, "b", 3) + stop + usageOf(5), 5, false},
		{"none, and no chunks", role + stop + total("0"), 0, false},
		{"64.0", many(16) + stop + total("64.0"), 64, false},
		{"6.4e1", many(16) + stop + total("6.4e1"), 64, false},
		{"64.5", many(16) + stop + total("64.5"), -1, true},
		{"negative", many(2) + stop + total("-2"), -1, true},
		{"absurd", many(2) + stop + total("1e30"), -1, true},
		{"absurd and plain", many(2) + stop + total("99999999999999999999"), -1, true},
		{"a text", many(2) + stop + total(`"64"`), -1, true},
		{"null", many(2) + stop + total("null"), -1, false},
		{"no object", many(2) + stop + `data: {"choices":[],"usage":[]}` + "\n\n", -1, false},
		{"impossible, then possible", many(2) + stop + total("-2") + total("5"), 5, false},
		{"a token cut in two where reasoning ends", think + hello + stop + total("1"), 1, false},
		{"more than one", think + think + hello + hello + stop + total("2"), -1, true},
		{"reasoning by another name", strings.Repeat(strings.Replace(hello, "content", "thinking", 1), 4) + stop +
			total("2"), -1, true},
		{"a refusal", strings.Repeat(strings.Replace(hello, "content", "refusal", 1), 4) + stop + total("2"), -1, true},
		{"calls of tools, which a parser cuts as it likes", call + call + call + stop + total("2"), 2, false},
		{"two answers", hello + strings.Replace(hello, `"index":0`, `"index":1`, 1) + stop + strings.Replace(stop,
			`"index":0`, `"index":1`, 1) + total("1"), -1, true},
	} {
		r := record(t, strings.NewReader(test.body+done), nil)
		if test.output < 0 && (r.Counted || r.Input+r.Output+r.Cached != 0 || r.CachedTold) || test.output >= 0 &&
			(!r.Counted || r.Output != test.output || r.Input != 12) || r.Contradicted != test.contradicted {
			t.Errorf("%s: counted %t, %d in, %d out, contradicted %t", test.name, r.Counted, r.Input, r.Output,
				r.Contradicted)
		}
	}
	for completion, contradicted := range map[string]bool{"0": true, "2": false, "2.0": false, "-1": true,
		"true": true} {
		r := new(loadgen.Record)
		err := readWhole(strings.NewReader(`{"choices":[{"text":"a b"}],"usage":{"prompt_tokens":3,"completion_tokens":`+completion+`}}`), nil, r)
		if err != nil || r.Contradicted != contradicted || r.Counted == contradicted {
			t.Errorf("whole, %s: %v, %+v", completion, err, r)
		}
	}
}
