package openai

import (
	"bytes"
	"encoding/json"
	"slices"
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
	`{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9},"metrics":{"time_to_first_token_ms":1.5,"speculative_decoding":{"mean_acceptance_length":1.5,"acceptance_histogram":[39,1],"num_accepted_draft_tokens":10,"num_draft_tokens":129}}}`,
	`{"choices":[{"text":"a"}],"servegauge":{"received":1767225600000000001,"sent":1767225600000000002}}`,
	`{"error":{"message":"no \"x\"","type":"BadRequestError","param":null,"code":400}}`,
	`{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}`,
	`{"error":null,"object":"x"}`,

	// Strings.
	`{"choices":[{"text":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude42\ud83d\uDEAD"}]}`,
	`{"choices":[{"text":"żółć 🙂 ` + "\x7f\xff\xc3" + `"}]}`,
	`{"choices":[{"text":"` + strings.Repeat("é", 40) + `\\"}],"` + strings.Repeat("k", 70) + `":"\\\""}`,
	`{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, `{"a":"\`, `{"a":"` + "\n" + `"}`, `{"a":"` + "1234567\x1f" + `"}`, `{"a":"b`, `{"a":'b'}`,
	`{"object":"\u0065rror"}`, `{"object":"\u0165rror"}`, `{"object":"error\n"}`, `{"object":["error"]}`, `{"object":"Error"}`, `{"object":null}`,

	// Names.
	`{"\u0063hoices":[{"\u0074ex\u0074":"a"}]}`, `{"choices":[{"delta":{"reasoning\u005fcontent":"a"}}]}`,
	`{"\u0163hoices":[{"text":"a"}]}`, `{"cho\/ices":7,"\bchoices":7,"":7,"\ud83d":7,"\ud83d\ude42":7,"é":7}`,
	`{"` + strings.Repeat(`\u0063`, 40) + `":7}`, `{"error\u0000":7}`, `{"choices\\":7}`,

	// Numbers.
	`{"a":[0,-0,1,-1,10,1.5,-0.5e+10,1E5,1e-5,0e0,123456789012345678901234567890]}`,
	`{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1.e5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":-}`, `{"a":-a}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":1_0}`, `{"a":--1}`,
	`{"usage":{"prompt_tokens":-0,"completion_tokens":-5}}`, `{"usage":{"prompt_tokens":1e3}}`, `{"usage":{"prompt_tokens":1.0}}`,
	`{"usage":{"prompt_tokens":9223372036854775807}}`, `{"usage":{"prompt_tokens":9223372036854775808}}`, `{"usage":{"prompt_tokens":"5"}}`,
	`{"usage":{"completion_tokens":true}}`, `{"usage":{"prompt_tokens_details":{"cached_tokens":[]}}}`, `{"usage":{"prompt_tokens_details":7}}`,
	`{"choices":[{"index":0.5}]}`, `{"choices":[{"index":-1}]}`, `{"choices":[{"index":64,"finish_reason":"a"}]}`, `{"choices":[{"index":null}]}`,
	`{"servegauge":{"sent":1.5}}`, `{"servegauge":{"sent":null,"received":-7}}`,

	// Types.
	`null`, ` null `, `nul`, `nulll`, `true`, `7`, `"a"`, `[]`, `{}`, ` { } `, ``, ` `, "\x00", "{}\x00", `{}{}`, `{},`, `{`, `}`, `[`, "\ufeff{}", "\v{}",
	`{"choices":null,"usage":null,"error":null,"servegauge":null,"object":null}`, `{"choices":{}}`, `{"choices":""}`, `{"choices":[null]}`, `{"choices":[[]]}`, `{"choices":[7]}`,
	`{"choices":[{"text":7}]}`, `{"choices":[{"text":{}}]}`, `{"choices":[{"text":false}]}`, `{"choices":[{"delta":[]}]}`, `{"choices":[{"delta":null,"text":null,"finish_reason":null}]}`,
	`{"choices":[{"delta":{"tool_calls":{}}}]}`, `{"choices":[{"delta":{"tool_calls":[]}}]}`, `{"choices":[{"delta":{"tool_calls":[null]}}]}`, `{"choices":[{"finish_reason":7}]}`, `{"choices":[{"finish_reason":""}]}`,
	`{"usage":[]}`, `{"usage":""}`, `{"servegauge":[]}`, `{"error":""}`, `{"error":false}`, `{"error": [ 1 , 2 ] , "a":1}`, `{"error":nul}`,

	// Punctuation.
	`{"choices":[{]}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{"a":1 "b":2}`, `{a:1}`, `{1:1}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[1}`, `{"a":{]}`, `{"a":tru}`, `{"a":truee}`, `{"a":fals`, `{"a":True}`,
	" {\n\t\"choices\" :\r\n[ { \"text\" : \"a\" , \"index\" : 1 } , { } ] } \r\n", `{"a":[[],{},[[{"choices":7}]],{"choices":[{"text":7}]}]}`,
	"{\"a\":\u00a01}", `{"a":1/*c*/}`,

	// Names that are there twice.
	`{"choices":[{"text":"a","text":""}]}`, `{"choices":[{"text":"a","text":null}]}`, `{"choices":[{"delta":{"content":"a"},"delta":{}}]}`, `{"choices":[{"delta":{"tool_calls":[1],"tool_calls":[]}}]}`,
	`{"choices":[{"index":1,"index":2,"finish_reason":"a","finish_reason":""}]}`, `{"usage":{"prompt_tokens":1},"usage":{"completion_tokens":2}}`, `{"usage":{"prompt_tokens":1},"usage":null}`,
	`{"usage":{"prompt_tokens":1,"prompt_tokens":null,"completion_tokens":1,"completion_tokens":2}}`, `{"error":1,"error":null}`, `{"error":null,"error":1}`, `{"object":"error","object":7}`,
	`{"servegauge":{"sent":1},"servegauge":{"received":2}}`, `{"servegauge":{"sent":1},"servegauge":null}`, `{"usage":{"prompt_tokens_details":{"cached_tokens":1},"prompt_tokens_details":null}}`,
	`{"usage":{"prompt_tokens":"a","prompt_tokens":1}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1},"completion_tokens_details":{"rejected_prediction_tokens":2}}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1,"rejected_prediction_tokens":null},"completion_tokens_details":null}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1.5}}}`, `{"usage":{"completion_tokens_details":[]}}`,
	`{"usage":{"completion_tokens_details":{"accepted_prediction_tokens":1}},"usage":null}`,
	`{"metrics":null}`, `{"metrics":7}`, `{"metrics":[{}]}`, `{"metrics":"a"}`, `{"metrics":{"speculative_decoding":null}}`, `{"metrics":{"speculative_decoding":true}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1.5}}}`, `{"metrics":{"speculative_decoding":{"num_draft_tokens":null,"num_accepted_draft_tokens":-3}}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1}},"metrics":7}`, `{"metrics":{"speculative_decoding":{"num_draft_tokens":1}},"metrics":null}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1}},"metrics":{"speculative_decoding":{"num_accepted_draft_tokens":2}}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":1},"speculative_decoding":[]}}`, `{"metrics":{"speculative_decoding":{"num_draft_tokens":1},"speculative_decoding":null}}`,
	`{"metrics":{"speculative_decoding":{"num_draft_tokens":}}}`, `{"metrics":{"speculative_decoding":{"num_draft_tokens":1}`,
}

// oracle is a chunk as encoding/json knows it.
type oracle struct {
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
		PromptTokens        *int `json:"prompt_tokens"`
		CompletionTokens    *int `json:"completion_tokens"`
		PromptTokensDetails *struct {
			CachedTokens *int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		CompletionTokensDetails *struct {
			Accepted *int `json:"accepted_prediction_tokens"`
			Rejected *int `json:"rejected_prediction_tokens"`
		} `json:"completion_tokens_details"`
	}
	Metrics ifObject[struct {
		SpeculativeDecoding ifObject[struct {
			Draft    *int `json:"num_draft_tokens"`
			Accepted *int `json:"num_accepted_draft_tokens"`
		}] `json:"speculative_decoding"`
	}]
	Error      json.RawMessage
	Object     json.RawMessage
	Servegauge *struct{ Received, Sent int64 }
}

// ifObject is a value that may be of any type, and says something only where it is an object.
type ifObject[T any] struct{ is T }

func (o *ifObject[T]) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case 'n': // null
		*o = ifObject[T]{}
	case '{':
		return json.Unmarshal(text, &o.is)
	}
	return nil
}

func (o *oracle) chunk() (c chunk) {
	c.choices = len(o.Choices)
	for _, one := range o.Choices {
		bit := uint64(1) << (one.Index & 63)
		c.begun |= bit
		if one.FinishReason != "" {
			c.finished |= bit
		}
		d := one.Delta
		c.content = c.content || one.Text+d.Content+d.ReasoningContent+d.Reasoning != "" || len(d.ToolCalls) > 0
	}
	told := func(p *int) count {
		if p == nil {
			return count{}
		}
		return count{*p, true}
	}
	if u := o.Usage; u != nil {
		c.prompt, c.completion = told(u.PromptTokens), told(u.CompletionTokens)
		if u.PromptTokensDetails != nil {
			c.cached = told(u.PromptTokensDetails.CachedTokens)
		}
		if d := u.CompletionTokensDetails; d != nil {
			c.accepted, c.rejected = told(d.Accepted), told(d.Rejected)
		}
	}
	draft := o.Metrics.is.SpeculativeDecoding.is
	c.draft, c.draftAccepted = told(draft.Draft), told(draft.Accepted)
	if string(o.Error) != "null" {
		c.failure = o.Error
	}
	var object string
	c.failed = json.Unmarshal(o.Object, &object) == nil && object == "error"
	if o.Servegauge != nil {
		c.stamped, c.stamp = true, stamp{o.Servegauge.Received, o.Servegauge.Sent}
	}
	return c
}

// differs says that encoding/json and the scanner are known to differ on text: a name that is spelt otherwise, or
// choices that are there twice. (It says so of some more texts, because it takes values for names.)
func differs(text []byte) bool {
	if !json.Valid(text) {
		return false
	}
	names := []string{"choices", "index", "text", "delta", "content", "reasoning_content", "reasoning", "tool_calls", "finish_reason", "usage", "prompt_tokens",
		"completion_tokens", "prompt_tokens_details", "cached_tokens", "completion_tokens_details", "accepted_prediction_tokens", "rejected_prediction_tokens",
		"metrics", "speculative_decoding", "num_draft_tokens", "num_accepted_draft_tokens", "error", "object", "servegauge", "received", "sent"}
	choices := 0
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil {
			return choices > 1
		}
		s, ok := token.(string)
		if !ok {
			continue
		}
		if s == "choices" {
			choices++
		}
		if !slices.Contains(names, s) && slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, s) }) {
			return true
		}
	}
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
		if wanted != had || fresh.cut != knowing.cut || fresh.wrong != knowing.wrong || wanted && (flat(want) != flat(got) || !bytes.Equal(want.failure, got.failure)) {
			t.Errorf("%q, after %q: %+v, %v; want %+v, %v", text[:n], knowing.opening[:knowing.known], flat(got), knowing.err(), flat(want), fresh.err())
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
	if differs(text) {
		return
	}
	var o oracle
	err := json.Unmarshal(text, &o)
	if ok != (err == nil) {
		t.Fatalf("%q: %t, %v; encoding/json: %v", text, ok, s.err(), err)
	}
	if !ok {
		return
	}
	want := o.chunk()
	if (c.failure == nil) != (want.failure == nil) || !bytes.Equal(c.failure, want.failure) {
		t.Errorf("%q: failure %q, encoding/json: %q", text, c.failure, want.failure)
	}
	c.failure, want.failure = nil, nil
	if got, want := flat(c), flat(want); got != want {
		t.Errorf("%q: got\n%+v, encoding/json\n%+v", text, got, want)
	}
}

// flatChunk is a chunk that can be compared.
type flatChunk struct {
	choices                    int
	begun, finished            uint64
	content, failed, stamped   bool
	prompt, completion, cached count
	accepted, rejected         count
	draft, draftAccepted       count
	stamp                      stamp
}

func flat(c chunk) flatChunk {
	return flatChunk{c.choices, c.begun, c.finished, c.content, c.failed, c.stamped, c.prompt, c.completion, c.cached,
		c.accepted, c.rejected, c.draft, c.draftAccepted, c.stamp}
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

// Where it is known to differ from encoding/json.
func TestScanDiffers(t *testing.T) {
	for _, test := range []struct {
		text string
		want flatChunk
	}{
		{`{"Choices":7,"USAGE":7,"choices":[{"Text":"a","teXt":7}]}`, flatChunk{choices: 1, begun: 1}},
		{`{"choices":[{"text":"a","finish_reason":"b","index":1},{}],"choices":[{}]}`, flatChunk{choices: 1, begun: 1}},
		{`{"choices":[{"text":"a"}],"choices":null}`, flatChunk{}},
	} {
		if !differs([]byte(test.text)) {
			t.Errorf("%s: why not", test.text)
		}
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
				var o oracle
				if err := json.Unmarshal(data, &o); err != nil || len(o.Choices) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
