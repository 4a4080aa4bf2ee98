package openai

import (
	"encoding/json"
	"strings"
	"testing"
)

// documents are what a server may send, and what none should.
var documents = []string{
	// As servers write them.
	`{"id":"cmpl-1","object":"text_completion","created":1767225600,"model":"m","choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null}`,
	`{"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}`,
	`{"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`,
	`{"choices":[{"index":0,"delta":{"reasoning_content":"hm","content":null}},{"index":3,"delta":{"reasoning":"hm"},"finish_reason":"stop"}]}`,
	`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\": [1, 2]}"}}]},"finish_reason":"tool_calls"}]}`,
	`{"choices":[],"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":null}}`,
	`{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":1,"accepted_prediction_tokens":4,"rejected_prediction_tokens":2}}}`,
	`{"choices":[],"usage":{"prompt_tokens":90,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":0,"multimodal_tokens":{"image":64,"audio":12}}}}`,
	`{"usage":{"prompt_tokens":90,"prompt_tokens_details":{"image_tokens":64,"audio_tokens":null,"video_tokens":[],"multimodal_tokens":3}}}`,
	`{"usage":{"prompt_tokens_details":{"image_tokens":-1,"multimodal_tokens":{"image":null,"a":{"b":1},"b":[7]}}}}`,
	`{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9},"metrics":{"time_to_first_token_ms":1.5,"speculative_decoding":{"mean_acceptance_length":1.5,"acceptance_histogram":[39,1],"num_accepted_draft_tokens":10,"num_draft_tokens":129}}}`,
	`{"choices":[{"text":"a"}],"servegauge":{"received":1767225600000000001,"sent":1767225600000000002}}`,
	`{"error":{"message":"no \"x\"","type":"BadRequestError","param":null,"code":400}}`,
	`{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}`,
	`{"error":null,"object":"x"}`,

	// Strings.
	`{"choices":[{"text":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude42\ud83d\uDEAD"}]}`,
	`{"choices":[{"text":"żółć 🙂 ` + "\x7f\xff\xc3" + `"}]}`,
	`{"choices":[{"text":"` + strings.Repeat("é", 40) + `\\"}],"` + strings.Repeat("k", 70) + `":"\\\""}`,
	`{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, `{"a":"\`, `{"a":"` + "\n" + `"}`, `{"a":"` + "1234567\x1f" + `"}`,
	`{"a":"b`, `{"a":'b'}`,
	`{"object":"\u0065rror"}`, `{"object":"\u0165rror"}`, `{"object":"error\n"}`, `{"object":["error"]}`,
	`{"object":"Error"}`, `{"object":null}`,

	// Names.
	`{"\u0063hoices":[{"\u0074ex\u0074":"a"}]}`, `{"choices":[{"delta":{"reasoning\u005fcontent":"a"}}]}`,
	`{"\u0163hoices":[{"text":"a"}]}`, `{"cho\/ices":7,"\bchoices":7,"":7,"\ud83d":7,"\ud83d\ude42":7,"é":7}`,
	`{"` + strings.Repeat(`\u0063`, 40) + `":7}`, `{"error\u0000":7}`, `{"choices\\":7}`,

	// Numbers.
	`{"a":[0,-0,1,-1,10,1.5,-0.5e+10,1E5,1e-5,0e0,123456789012345678901234567890]}`,
	`{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1.e5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":-}`, `{"a":-a}`,
	`{"a":0x1}`, `{"a":NaN}`, `{"a":1_0}`, `{"a":--1}`,
	`{"usage":{"prompt_tokens":-0,"completion_tokens":-5}}`, `{"usage":{"prompt_tokens":1e3}}`,
	`{"usage":{"prompt_tokens":1.0}}`,
	`{"usage":{"prompt_tokens":9223372036854775807}}`, `{"usage":{"prompt_tokens":9223372036854775808}}`,
	`{"usage":{"prompt_tokens":"5"}}`,
	`{"usage":{"completion_tokens":true}}`, `{"usage":{"prompt_tokens_details":{"cached_tokens":[]}}}`,
	`{"usage":{"prompt_tokens_details":7}}`,
	`{"choices":[{"index":0.5}]}`, `{"choices":[{"index":-1}]}`, `{"choices":[{"index":64,"finish_reason":"a"}]}`,
	`{"choices":[{"index":null}]}`,
	`{"servegauge":{"sent":1.5}}`, `{"servegauge":{"sent":null,"received":-7}}`,

	// Types.
	`null`, ` null `, `nul`, `nulll`, `true`, `7`, `"a"`, `[]`, `{}`, ` { } `, ``, ` `, "\x00", "{}\x00", `{}{}`, `{},`,
	`{`, `}`, `[`, "\ufeff{}", "\v{}",
	`{"choices":null,"usage":null,"error":null,"servegauge":null,"object":null}`, `{"choices":{}}`, `{"choices":""}`,
	`{"choices":[null]}`, `{"choices":[[]]}`, `{"choices":[7]}`,
	`{"choices":[{"text":7}]}`, `{"choices":[{"text":{}}]}`, `{"choices":[{"text":false}]}`,
	`{"choices":[{"delta":[]}]}`, `{"choices":[{"delta":null,"text":null,"finish_reason":null}]}`,
	`{"choices":[{"delta":{"tool_calls":{}}}]}`, `{"choices":[{"delta":{"tool_calls":[]}}]}`,
	`{"choices":[{"delta":{"tool_calls":[null]}}]}`, `{"choices":[{"finish_reason":7}]}`,
	`{"choices":[{"finish_reason":""}]}`,
	`{"usage":[]}`, `{"usage":""}`, `{"servegauge":[]}`, `{"error":""}`, `{"error":false}`,
	`{"error": [ 1 , 2 ] , "a":1}`, `{"error":nul}`,

	// Punctuation.
	`{"choices":[{]}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{"a":1 "b":2}`, `{a:1}`, `{1:1}`, `{"a":[1,]}`,
	`{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[1}`, `{"a":{]}`, `{"a":tru}`, `{"a":truee}`, `{"a":fals`, `{"a":True}`,
	" {\n\t\"choices\" :\r\n[ { \"text\" : \"a\" , \"index\" : 1 } , { } ] } \r\n",
	`{"a":[[],{},[[{"choices":7}]],{"choices":[{"text":7}]}]}`,
	"{\"a\":\u00a01}", `{"a":1/*c*/}`,

	// Names that are there twice.
	`{"choices":[{"text":"a","text":""}]}`, `{"choices":[{"text":"a","text":null}]}`,
	`{"choices":[{"delta":{"content":"a"},"delta":{}}]}`, `{"choices":[{"delta":{"tool_calls":[1],"tool_calls":[]}}]}`,
	`{"choices":[{"index":1,"index":2,"finish_reason":"a","finish_reason":""}]}`,
	`{"usage":{"prompt_tokens":1},"usage":{"completion_tokens":2}}`, `{"usage":{"prompt_tokens":1},"usage":null}`,
	`{"usage":{"prompt_tokens":1,"prompt_tokens":null,"completion_tokens":1,"completion_tokens":2}}`,
	`{"error":1,"error":null}`, `{"error":null,"error":1}`, `{"object":"error","object":7}`,
	`{"servegauge":{"sent":1},"servegauge":{"received":2}}`, `{"servegauge":{"sent":1},"servegauge":null}`,
	`{"usage":{"prompt_tokens_details":{"cached_tokens":1},"prompt_tokens_details":null}}`,
	`{"usage":{"prompt_tokens":"a","prompt_tokens":1}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1},"completion_tokens_details":{"rejected_prediction_tokens":2}}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1,"rejected_prediction_tokens":null},"completion_tokens_details":null}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1.5}}}`,
	`{"usage":{"completion_tokens_details":[]}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1}},"usage":null}`,
	`{"metrics":null}`, `{"metrics":7}`, `{"metrics":[{}]}`, `{"metrics":"a"}`,
	`{"metrics":{"speculative_decoding":null}}`, `{"metrics":{"speculative_decoding":true}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1.5}}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":null,"num_accepted_draft_tokens":-3}}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1}},"metrics":7}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1}},"metrics":null}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1}},"metrics":{"speculative_decoding":{"num_accepted_draft_tokens":2}}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1},"speculative_decoding":[]}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1},"speculative_decoding":null}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":}}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1}`,
}

// compareScan holds the scanner against encoding/json.
func compareScan(t *testing.T, text []byte) {
	t.Helper()
	var s scanner
	var c chunk
	ok := s.scan(text, &c)
	if !ok && s.wrong > len(text) {
		t.Errorf("%q is wrong at %d", text, s.wrong)
	}
	// A scanner that knows how chunks begin says the same of each, whole or cut, as one that does not.
	knowing := s
	for n := max(0, len(text)-1000); n <= len(text); n++ {
		var fresh scanner
		var want, got chunk
		wanted, had := fresh.scan(text[:n], &want), knowing.scan(text[:n], &got)
		if wanted != had || fresh.cut != knowing.cut || fresh.wrong != knowing.wrong || wanted &&
			flat(want) != flat(got) {
			t.Errorf("%q, after %q: %+v, %v; want %+v, %v", text[:n], knowing.opening[:knowing.known], flat(got),
				knowing.err(), flat(want), fresh.err())
		}
	}
	if ok {
		// What lacks only its end is never taken for wrong.
		var start scanner
		for n := range len(text) {
			if n > 1000 {
				break
			}
			if !start.scan(text[:n], new(chunk)) && !start.cut {
				t.Errorf("%q is the start of an event: %v", text[:n], start.err())
			}
		}
	}
	want, err := oracle(text)
	if ok != (err == nil) {
		t.Fatalf("%q: %t, %v; encoding/json: %v", text, ok, s.err(), err)
	}
	if !ok {
		return
	}
	if c.failure != nil && !c.failed {
		t.Errorf("%q: what went wrong, if nothing did: %s", text, c.failure)
	}
	c.failure = nil // where it says so: see TestComplaints
	if got, want := flat(c), flat(want); got != want {
		t.Errorf("%q: got\n%+v, encoding/json\n%+v", text, got, want)
	}
}

// flatChunk is a chunk that can be compared.
type flatChunk struct {
	choices                    int
	begun, finished            uint64
	content, answer            bool
	texts                      int
	finish                     string
	failed                     bool
	failure                    string
	stamped                    bool
	prompt, completion, cached count
	media                      count
	accepted, rejected         count
	draft, draftAccepted       count
	stamp                      stamp
}

func flat(c chunk) flatChunk {
	return flatChunk{c.choices, c.begun, c.finished, c.content, c.answer, c.texts, finishText(c.finish), c.failed,
		string(c.failure), c.stamped,
		c.prompt, c.completion, c.cached, c.media, c.accepted, c.rejected, c.draft, c.draftAccepted, c.stamp}
}

func TestScanAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range documents {
		compareScan(t, []byte(text))
	}
	for _, deep := range []int{maxDepth - 1, maxDepth} { // and one for the object around it
		compareScan(t, []byte(`{"a":`+strings.Repeat("[", deep)+strings.Repeat("]", deep)+"}"))
		compareScan(t, []byte(strings.Repeat(`{"a":`, deep+1)+"1"+strings.Repeat("}", deep+1)))
	}
}

func FuzzScan(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	f.Fuzz(compareScan)
}

// Where it differs from encoding/json into a struct: the case of names, choices that are there twice, and what is there
// if any of the values has it.
func TestScanDiffers(t *testing.T) {
	for _, test := range []struct {
		text string
		want flatChunk
	}{
		{`{"Choices":7,"USAGE":7,"choices":[{"Text":"a","teXt":7}]}`, flatChunk{choices: 1, begun: 1}},
		{`{"choices":[{"text":"a","finish_reason":"b","index":1},{}],"choices":[{}]}`, flatChunk{choices: 1, begun: 1}},
		{`{"choices":[{"text":"a"}],"choices":null}`, flatChunk{}},
		{`{"choices":[{"text":"a","text":"","text":null}]}`,
			flatChunk{choices: 1, begun: 1, content: true, answer: true,
				texts: 1}},
		{`{"error":"a","error":null}`, flatChunk{failed: true}},
	} {
		var s scanner
		var c chunk
		if !s.scan([]byte(test.text), &c) || flat(c) != test.want {
			t.Errorf("%s: got %+v, %v; want %+v", test.text, flat(c), s.err(), test.want)
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	var s scanner
	var c chunk
	for _, text := range documents {
		data := []byte(text)
		if !s.scan(data, &c) {
			continue // and so is the stream at its end
		}
		if n := testing.AllocsPerRun(10, func() { s.scan(data, &c) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// Every place in a word of eight bytes at which a string can end.
func TestSpecial(t *testing.T) {
	for _, b := range []byte{0, 1, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', 0x7f, 0x80, 0x9f, 0xa2, 0xdc, 0xff} {
		for pad := range 20 {
			for _, fill := range []string{"a", "\x80", "\xff", "!", "]"} {
				text := `{"a":"` + strings.Repeat(fill, pad) + string([]byte{b}) + strings.Repeat(fill, 20-pad) + `"}`
				compareScan(t, []byte(text))
			}
		}
	}
}

// plainChunk is what a client would decode with encoding/json.
type plainChunk struct {
	Choices []struct {
		Index int
		Text  string
		Delta struct {
			Content          string
			ReasoningContent string `json:"reasoning_content"`
			Reasoning        string
			ToolCalls        []json.RawMessage `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Usage *struct {
		PromptTokens     *int `json:"prompt_tokens"`
		CompletionTokens *int `json:"completion_tokens"`
	}
	Error      json.RawMessage
	Object     json.RawMessage
	Servegauge *stamp
}

// The scan beside encoding/json, on the same bytes.
func BenchmarkScan(b *testing.B) {
	for _, test := range []struct{ name, text string }{
		{"completions", documents[0]},
		{"chat", documents[2]},
		{"long", `{"choices":[{"text":"` + strings.Repeat("token ", 700) + `"}]}`},
	} {
		data := []byte(test.text)
		b.Run(test.name+"/by=scan", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var s scanner
			var c chunk
			for b.Loop() {
				if !s.scan(data, &c) || !c.content {
					b.Fatal(s.err())
				}
			}
		})
		b.Run(test.name+"/by=json", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var p plainChunk
				if err := json.Unmarshal(data, &p); err != nil || len(p.Choices) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
