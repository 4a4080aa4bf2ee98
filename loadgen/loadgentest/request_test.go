package loadgentest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const p = `"prompt":[1]`
	for _, tt := range []struct {
		name, body string
		chat       bool
		want       request // chat is filled in
		err        string
	}{
		{name: "ids", body: `{"model":"m","prompt":[5,0,3999,7],"max_tokens":9}`,
			want: request{model: []byte("m"), input: 4, maxID: 3999, output: 9}},
		{name: "defaults", body: `{"prompt":[1]}`, want: request{input: 1, maxID: 1, output: 16}},
		{name: "batch of one", body: `{"prompt":[[4,5]]}`, want: request{input: 2, maxID: 5, output: 16}},
		{name: "text", body: `{"prompt":" one  two\tthree\u000afour "}`,
			want: request{input: 4, maxID: -1, output: 16}},
		{name: "text in array", body: `{"prompt":["a b"]}`, want: request{input: 2, maxID: -1, output: 16}},
		{name: "empty text", body: `{"prompt":""}`, want: request{input: 1, maxID: -1, output: 16}},
		{name: "other spaces", body: `{"prompt":"a` + "\u2003" + `b"}`, want: request{input: 2, maxID: -1, output: 16}},
		{name: "escaped key and model", body: `{"\u0070rompt":[1],"model":"m\"\u00e9"}`,
			want: request{model: []byte(`m"é`), input: 1, maxID: 1, output: 16}},
		{name: "nulls", body: `{"prompt":[1],"model":null,"max_tokens":null,"max_completion_tokens":null,"n":null,"stream":null,"stream_options":null}`,
			want: request{input: 1, maxID: 1, output: 16}},
		{name: "completion tokens win", body: `{"max_completion_tokens":3,` + p + `,"max_tokens":9}`,
			want: request{input: 1, maxID: 1, output: 3}},
		{name: "stream", body: `{` + p + `,"stream":true,"stream_options":{"include_usage":true,"x":[]}}`,
			want: request{input: 1, maxID: 1, output: 16, stream: true, usage: true}},
		{name: "continuous", body: `{` + p + `,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}`,
			want: request{input: 1, maxID: 1, output: 16, usage: true, continuous: true}},
		{name: "continuous alone", body: `{` + p + `,"stream_options":{"continuous_usage_stats":true}}`,
			want: request{input: 1, maxID: 1, output: 16}},
		{name: "unknown fields", body: `{"ignore_eos":true,"a":{"b":[1,{"c":null}]},"t":-0.5e+3,` + p + `} `,
			want: request{input: 1, maxID: 1, output: 16}},
		{name: "last key wins", body: `{"prompt":[1,2,3],"prompt":[1]}`, want: request{input: 1, maxID: 1, output: 16}},
		{name: "chat", chat: true,
			body: `{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"why?"}],"prompt":3}`,
			want: request{input: 3, maxID: -1, output: 16}},
		{name: "chat parts", chat: true,
			body: `{"messages":[{"content":[{"type":"text","text":"a b"},{"type":"image_url","image_url":{"url":"http://127.0.0.1/x.png"}},{"text":"c"}]},{"content":null}]}`,
			want: request{input: 259, media: 256, maxID: -1, output: 16}},
		{name: "chat of nothing", chat: true, body: `{"messages":[{}]}`,
			want: request{input: 1, maxID: -1, output: 16}},

		{name: "empty", body: ``, err: "unexpected end"},
		{name: "no JSON", body: `{"prompt":[1]`, err: "unexpected end"},
		{name: "bad literal", body: `{"x":nul,"prompt":[1]}`, err: "invalid character"},
		{name: "bad escape", body: `{"x":"\x","prompt":[1]}`, err: "in an escape"},
		{name: "bad unicode", body: `{"x":"\u12g4","prompt":[1]}`, err: "in a \\u escape"},
		{name: "control character", body: "{\"x\":\"\t\"}", err: "in a string"},
		{name: "torn string", body: `{"x":"`, err: "unexpected end"},
		{name: "torn escape", body: `{"x":"\`, err: "unexpected end"},
		{name: "torn unicode", body: `{"x":"\u12`, err: "unexpected end"},
		{name: "no colon", body: `{"x" 1}`, err: "after an object's key"},
		{name: "no comma", body: `{"x":1 "y":1}`, err: "after an element"},
		{name: "key", body: `{x:1}`, err: "where a string should begin"},
		{name: "sign", body: `{"x":-}`, err: "in a number"},
		{name: "leading zero", body: `{"x":01}`, err: "after an element"},
		{name: "point", body: `{"x":1.}`, err: "after a decimal point"},
		{name: "exponent", body: `{"x":1e+}`, err: "in an exponent"},
		{name: "options", body: `{"stream_options":1}`, err: "where an object should begin"},
		{name: "prompt as number", body: `{"prompt":1}`, err: "where an array should begin"},
		{name: "trailing", body: `{"prompt":[1]}}`, err: "after the request"},
		{name: "no object", body: `[1]`, err: "must be a JSON object"},
		{name: "no prompt", body: `{"messages":[{"content":"x"}]}`, err: "prompt is missing"},
		{name: "no messages", chat: true, body: `{"prompt":[1]}`, err: "messages are missing"},
		{name: "messages of nobody", chat: true, body: `{"messages":[]}`, err: "there are none"},
		{name: "empty prompt", body: `{"prompt":[]}`, err: "empty"},
		{name: "empty inner prompt", body: `{"prompt":[[]]}`, err: "empty"},
		{name: "two prompts", body: `{"prompt":[[1],[2]]}`, err: "more than one prompt"},
		{name: "two texts", body: `{"prompt":["a","b"]}`, err: "more than one prompt"},
		{name: "mixed", body: `{"prompt":[1,"b"]}`, err: "more than one prompt"},
		{name: "mixed after empty", body: `{"prompt":[[],1]}`, err: "more than one prompt"},
		{name: "prompt null", body: `{"prompt":null}`, err: "prompt"},
		{name: "negative id", body: `{"prompt":[1,-2]}`, err: "negative"},
		{name: "fractional id", body: `{"prompt":[1.5]}`, err: "integer"},
		{name: "huge id", body: `{"prompt":[9223372036854775808]}`, err: "integer"},
		{name: "no tokens", body: `{"prompt":[1],"max_tokens":0}`, err: "max_tokens must be at least 1, got 0"},
		{name: "tokens as text", body: `{"prompt":[1],"max_tokens":"9"}`, err: "max_tokens, an integer"},
		{name: "too many tokens", body: `{"prompt":[1],"max_tokens":1048577}`, err: "at most 1048576"},
		{name: "two choices", body: `{"prompt":[1],"n":2}`, err: "n must be 1"},
		{name: "stream as number", body: `{"prompt":[1],"stream":1}`, err: "boolean"},
		{name: "model as number", body: `{"prompt":[1],"model":1}`, err: "model"},
		{name: "content as number", chat: true, body: `{"messages":[{"content":1}]}`, err: "content"},
		{name: "too deep", body: `{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) +
			`,"prompt":[1]}`,
			err: "depth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := request{chat: tt.chat, usage: true, stream: true, input: 77} // of the request before
			err := q.parse([]byte(tt.body))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error is %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.chat = tt.chat
			if got, want := fmt.Sprintf("%+v", show(q)), fmt.Sprintf("%+v", show(tt.want)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// show makes a request comparable and readable.
func show(q request) any {
	model := string(q.model)
	q.model = nil
	return struct {
		request
		name string
	}{q, model}
}

// FuzzParse compares the parser with the same rules on top of encoding/json.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"model":"m","prompt":[5,0,3999,7],"max_tokens":9,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}`,
		`{"prompt":[[1,2]],"max_completion_tokens":3,"n":1}`,
		`{"prompt":["a\u0020b\n c"],"max_tokens":null}`,
		`{"messages":[{"role":"user","content":"a b"},{"content":[{"text":"c"},{"text":1}]},{"content":null}]}`,
		`{"\u0070rompt":"\ud800 \udc00\/","x":[-0.5e-3,1E+9,true,false,null,{}]}`,
		`{"prompt":[1,2,3],"prompt":[],"n":2}`, `[1]`, `"`, `{"prompt":[01]}`, "{\"prompt\":\"\x80 \xe2\x80\x83\x00\"}",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, chat bool) {
		before := bytes.Clone(body)
		got := request{chat: chat}
		err := got.parse(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the parser changed the body")
		}
		want, wantErr := reference(body, chat)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("parser: %v\nreference: %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if got, want := fmt.Sprintf("%+v", show(got)), fmt.Sprintf("%+v", show(want)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// member is one member of an object, in the order of the text: a map would lose
// the errors of all but the last of equal keys.
type member struct {
	key   string
	value json.RawMessage
}

func members(b []byte) (ms []member, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("no object")
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: k.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

func elements(b []byte) (es []json.RawMessage, err error) {
	if b[0] != '[' {
		return nil, errors.New("no array")
	}
	return es, json.Unmarshal(b, &es)
}

func reference(body []byte, chat bool) (request, error) {
	q := request{chat: chat, maxID: -1, output: -1}
	if !json.Valid(body) {
		return q, errors.New("no JSON")
	}
	ms, err := members(body)
	if err != nil {
		return q, err
	}
	null := func(b []byte) bool { return string(b) == "null" }
	boolean := func(b []byte, v *bool) error {
		*v = false
		if null(b) {
			return nil
		}
		return json.Unmarshal(b, v)
	}
	integer := func(b []byte) (int64, error) {
		if len(bytes.TrimPrefix(b, []byte("-"))) > 18 {
			return 0, errors.New("too long")
		}
		return strconv.ParseInt(string(b), 10, 64)
	}
	tokens, completionTokens, prompted := int64(-1), int64(-1), false
	for _, m := range ms {
		b := []byte(m.value)
		var err error
		switch m.key {
		case "model":
			var s *string
			err = json.Unmarshal(b, &s)
			q.model = nil
			if s != nil {
				q.model = []byte(*s)
			}
		case "prompt":
			if !chat {
				prompted = true
				err = q.referencePrompt(b, integer)
			}
		case "messages":
			if chat {
				prompted = true
				err = q.referenceMessages(b)
			}
		case "max_tokens", "max_completion_tokens":
			v := int64(-1)
			if !null(b) {
				if v, err = integer(b); err == nil && v < 1 {
					err = errors.New("too few")
				}
			}
			if m.key == "max_tokens" {
				tokens = v
			} else {
				completionTokens = v
			}
		case "n":
			if v, e := integer(b); !null(b) && (e != nil || v != 1) {
				err = errors.New("n")
			}
		case "stream":
			err = boolean(b, &q.stream)
		case "stream_options":
			q.usage, q.continuous = false, false
			if null(b) {
				break
			}
			var os []member
			os, err = members(b)
			for _, o := range os {
				switch o.key {
				case "include_usage":
					err = errors.Join(err, boolean(o.value, &q.usage))
				case "continuous_usage_stats":
					err = errors.Join(err, boolean(o.value, &q.continuous))
				}
			}
		}
		if err != nil {
			return q, err
		}
	}
	if !prompted {
		return q, errors.New("no prompt")
	}
	q.continuous = q.continuous && q.usage
	output := int64(16)
	if tokens > 0 {
		output = tokens
	}
	if completionTokens > 0 {
		output = completionTokens
	}
	if output > maxOutput {
		return q, errors.New("too many")
	}
	q.output = int(output)
	return q, nil
}

func (q *request) referencePrompt(b []byte, integer func([]byte) (int64, error)) error {
	q.input, q.maxID = 0, -1
	var text string
	if json.Unmarshal(b, &text) == nil && b[0] == '"' {
		q.input = max(1, len(strings.Fields(text)))
		return nil
	}
	es, err := elements(b)
	if err != nil {
		return err
	}
	if len(es) == 0 {
		return errors.New("empty")
	}
	if c := es[0][0]; c == '"' || c == '[' {
		if len(es) > 1 {
			return errors.New("batch")
		}
		if c == '"' {
			return q.referencePrompt(es[0], integer)
		}
		if es, err = elements(es[0]); err != nil || len(es) == 0 {
			return errors.New("empty")
		}
	}
	for _, e := range es {
		id, err := integer(e)
		if err != nil || id < 0 {
			return errors.New("no id")
		}
		q.input++
		q.maxID = max(q.maxID, id)
	}
	return nil
}

func (q *request) referenceMessages(b []byte) error {
	es, err := elements(b)
	if err != nil {
		return err
	}
	if len(es) == 0 {
		return errors.New("empty")
	}
	q.input = 0
	for _, e := range es {
		ms, err := members(e)
		if err != nil {
			return err
		}
		content := 0
		for _, m := range ms {
			if m.key != "content" {
				continue
			}
			content = 0
			var text string
			switch m.value[0] {
			case '"':
				_ = json.Unmarshal(m.value, &text)
				content = len(strings.Fields(text))
			case '[':
				ps, _ := elements(m.value)
				for _, p := range ps {
					ms, err := members(p)
					if err != nil {
						return err
					}
					part := 0
					for _, m := range ms {
						if m.key == "text" && m.value[0] == '"' {
							_ = json.Unmarshal(m.value, &text)
							part = len(strings.Fields(text))
						}
					}
					content += part
				}
			case 'n':
			default:
				return errors.New("content")
			}
		}
		q.input += content
	}
	q.input = max(1, q.input)
	return nil
}
