package workload_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func dataset(t testing.TB, lines ...string) workload.Dataset {
	t.Helper()
	d, err := workload.ReadDataset(strings.NewReader(strings.Join(lines, "\n")), workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestDatasetShapes(t *testing.T) {
	for _, test := range []struct {
		line string
		want workload.Prompt // the dataset's Output is 5
	}{
		{`{"prompt":"a \"b\" é"}`, workload.Prompt{Text: `a "b" é`, Output: 5}},
		{` { "prompt" : "a" , "max_tokens" : 7, "id": "x", "more": {"prompt": "b"} } `,
			workload.Prompt{Text: "a", Output: 7}},
		{`{"output_tokens":8,"prompt":"a","model":"b"}`, workload.Prompt{Text: "a", Output: 8, Model: "b"}},
		{`{"output_tokens":8,"prompt":"a","max_tokens":8}`, workload.Prompt{Text: "a", Output: 8}},
		{`{"prompt_token_ids":[3,1,2]}`, workload.Prompt{Tokens: []int{3, 1, 2}, Input: 3, Output: 5}},
		{`{"messages":[ {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}`,
			workload.Prompt{Messages: raw(`[ {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]`), Output: 5}},
		{`{"id":"s","conversations":[{"from":"system","value":"x"},{"from":"human","value":"a"},{"from":"gpt","value":"b"},{"from":"human","value":"c"}]}`, workload.Prompt{Text: "a", Output: 5}},
		{`{"conversations":[{"from":"user","value":"a"}]}`, workload.Prompt{Text: "a", Output: 5}},
		{`{"body":{"prompt": "a", "cache_salt":"<é>" }}`,
			workload.Prompt{Body: raw(`{"prompt": "a", "cache_salt":"<é>" }`)}},
		{`{"body":{"stream":true,"prompt": "a" ,"stream_options":{},"model":"b","x": 1.0e0}}`,
			workload.Prompt{Body: raw(`{"prompt":"a","x":1.0e0}`), Model: "b"}},
		{`{"body":{"prompt":"a","max_tokens":9}}`, workload.Prompt{Body: raw(`{"prompt":"a","max_tokens":9}`)}},
		{`{"body":{"prompt":"a","max_tokens":9,"ignore_eos":true}}`,
			workload.Prompt{Body: raw(`{"prompt":"a","max_tokens":9,"ignore_eos":true}`), Output: 9}},
		{`{"body":{"max_completion_tokens":8,"max_tokens":9,"ignore_eos":true}}`,
			workload.Prompt{Body: raw(`{"max_completion_tokens":8,"max_tokens":9,"ignore_eos":true}`), Output: 8}},
		{`{"body":{"max_completion_tokens":null,"max_tokens":9,"ignore_eos":true}}`,
			workload.Prompt{Body: raw(`{"max_completion_tokens":null,"max_tokens":9,"ignore_eos":true}`), Output: 9}},
	} {
		d := dataset(t, test.line)
		d.Output = 5
		got := prompt(t, d, 0)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: −want +got:\n%s", test.line, diff)
		}
	}
}

func TestDatasetLinesThatCannotBeUsed(t *testing.T) {
	for _, test := range []struct{ line, say string }{
		{`{`, "not complete"},
		{`{"prompt":"a"`, "not complete"},
		{`{"prompt":"a"}}`, "more than one JSON value"},
		{`{"prompt":"a"} {"prompt":"b"}`, "more than one JSON value"},
		{`[{"prompt":"a"}]`, "want a JSON object"},
		{`null`, "want a JSON object"},
		{`"a"`, "want a JSON object"},
		{`a`, "invalid character"},
		{`{"prompt":"` + "\xff" + `"}`, "UTF-8"},
		{`{}`, "want one of prompt, prompt_token_ids"},
		{`{"Prompt":"a"}`, "want one of"},
		{`{"prompt":"a","messages":[{"role":"user"}]}`, "both prompt and messages"},
		{`{"prompt":"a","prompt":"b"}`, "both prompt and prompt"},
		{`{"prompt":""}`, "prompt: want a text"},
		{`{"prompt":["a"]}`, "prompt: want a text"},
		{`{"prompt":null}`, "prompt: want a text"},
		{`{"prompt_token_ids":[]}`, "token ids"},
		{`{"prompt_token_ids":[1,-1]}`, "token ids"},
		{`{"prompt_token_ids":[2147483648]}`, "token ids"},
		{`{"prompt_token_ids":[1.5]}`, "token ids"},
		{`{"prompt_token_ids":"1"}`, "token ids"},
		{`{"messages":[]}`, "want an array of messages"},
		{`{"messages":{"role":"user"}}`, "want an array of messages"},
		{`{"messages":["a"]}`, "want an array of messages"},
		{`{"messages":[{"role":"user"},{"content":"a"}]}`, "message 1 has no role"},
		{`{"conversations":[{"from":"gpt","value":"a"},{"from":"human","value":""}]}`, "no turn of human"},
		{`{"conversations":"a"}`, "array of turns"},
		{`{"body":[]}`, "want a JSON object"},
		{`{"body":{"max_tokens":"9"}}`, "max_tokens: want a number"},
		{`{"body":{"model":""}}`, "model: want a name"},
		{`{"body":{},"max_tokens":9}`, "want it in the body"},
		{`{"prompt":"a","max_tokens":0}`, "max_tokens: want a number"},
		{`{"prompt":"a","max_tokens":10000001}`, "max_tokens: want a number"},
		{`{"prompt":"a","max_tokens":1e3}`, "max_tokens: want a number"},
		{`{"prompt":"a","max_tokens":1,"output_tokens":2}`, "not the same"},
		{`{"prompt":"a","model":7}`, "model: want a name"},
		{`{"prompt":"a"` + strings.Repeat(`,"x":0`, 1000) + `}`, "more than 1000 fields"},
		{strings.Repeat(`{"a":`, 20_000), "depth"},
		{strings.Repeat(`[`, 1_000_000), "want a JSON object"},
	} {
		file := "{\"prompt\":\"good\"}\n\n" + test.line + "\n{\"prompt\":\"good\"}\n"
		_, err := workload.ReadDataset(strings.NewReader(file), workload.DatasetLimits{})
		var line *workload.DatasetError
		if !errors.As(err, &line) || line.Line != 3 || !strings.Contains(err.Error(), "line 3") ||
			!strings.Contains(err.Error(), test.say) {
			t.Errorf("%.80s: got %v, want an error in line 3 that says %q", test.line, err, test.say)
		}
	}
}

func TestDatasetFiles(t *testing.T) {
	const a, b = `{"prompt":"a"}`, `{"prompt":"b"}`
	boom := errors.New("boom")
	for _, test := range []struct {
		name, file string
		limits     workload.DatasetLimits
		len        int
		line       int // of the error
		say        string
	}{
		{name: "no end of line", file: a + "\n" + b, len: 2},
		{name: "CRLF, empty lines and a mark", file: "\ufeff" + a + "\r\n\r\n \t\n" + b + "\r\n", len: 2},
		{name: "at the limits", file: a + "\n" + b + "\n", limits: workload.DatasetLimits{Lines: 2, LineBytes: 14,
			Bytes: 30}, len: 2},
		{name: "at the limits with CRLF", file: a + "\r\n" + b + "\r\n",
			limits: workload.DatasetLimits{Lines: 2, LineBytes: 14, Bytes: 32}, len: 2},
		{name: "lines", file: a + "\n\n" + b, limits: workload.DatasetLimits{Lines: 2}, line: 3,
			say: "more than 2 lines"},
		{name: "a long line", file: a + "\n" + b, limits: workload.DatasetLimits{LineBytes: 13}, line: 1,
			say: "longer than 13 bytes"},
		{name: "a very long line", file: a + "\n" + strings.Repeat(" ", 1000),
			limits: workload.DatasetLimits{LineBytes: 20}, line: 2, say: "longer than 20 bytes"},
		{name: "bytes", file: a + "\n" + b + "\n", limits: workload.DatasetLimits{Bytes: 29}, line: 1,
			say: "larger than the limit"},
		{name: "empty", say: "no prompts"},
		{name: "empty lines", file: "\n\n", say: "no prompts"},
	} {
		d, err := workload.ReadDataset(iotest.HalfReader(strings.NewReader(test.file)), test.limits)
		var line *workload.DatasetError
		switch {
		case test.say == "" && (err != nil || d.Len() != test.len):
			t.Errorf("%s: %d prompts, %v; want %d", test.name, d.Len(), err, test.len)
		case test.say != "" && (!errors.As(err, &line) || test.line != 0 && line.Line < test.line ||
			!strings.Contains(err.Error(), test.say)):
			t.Errorf("%s: got %v, want an error in line %d that says %q", test.name, err, test.line, test.say)
		}
	}
	if _, err := workload.ReadDataset(iotest.ErrReader(boom), workload.DatasetLimits{}); !errors.Is(err, boom) {
		t.Errorf("got %v, want what the reader said", err)
	}
	for _, limits := range []workload.DatasetLimits{{Lines: -1}, {LineBytes: -1}, {LineBytes: 1 << 40}, {Bytes: -1}} {
		var invalid *loadgen.InvalidError
		if _, err := workload.ReadDataset(strings.NewReader(a), limits); !errors.As(err, &invalid) {
			t.Errorf("%+v: got %v, want an InvalidError", limits, err)
		}
	}
}

func texts(t *testing.T, d workload.Dataset, n int) []string {
	var all []string
	for i := range n {
		all = append(all, prompt(t, d, i).Text)
	}
	return all
}

func TestDatasetOrder(t *testing.T) {
	var lines []string
	for i := range 20 {
		lines = append(lines, fmt.Sprintf(`{"prompt":"%c"}`, 'a'+i))
	}
	d := dataset(t, lines...)
	d.Output = 1
	order := strings.Join(texts(t, d, 45), "")
	if order != "abcdefghijklmnopqrstabcdefghijklmnopqrstabcde" {
		t.Errorf("in order %s", order)
	}
	one, other := texts(t, d.Shuffled(1), 20), texts(t, d.Shuffled(2), 20)
	if slices.Equal(one, other) || slices.IsSorted(one) {
		t.Errorf("shuffled: %v and %v", one, other)
	}
	if again := texts(t, d.Shuffled(1), 40); !slices.Equal(again, slices.Concat(one, one)) {
		t.Errorf("shuffled by the same seed: %v and %v", one, again)
	}
	slices.Sort(one)
	if sorted := texts(t, d, 20); !slices.Equal(one, sorted) {
		t.Errorf("shuffling %v made %v, or changed the original", sorted, one)
	}
}

func TestDatasetValidate(t *testing.T) {
	text := dataset(t, `{"body":{}}`, `{"prompt":"a","max_tokens":1}`, ``, `{"prompt":"b"}`)
	var line *workload.DatasetError
	if err := text.Validate(); !errors.As(err, &line) || line.Line != 4 {
		t.Errorf("got %v, want an error in line 4", err)
	}
	if err := text.Prompt(2, new(workload.Prompt)); !errors.As(err, &line) || line.Line != 4 {
		t.Errorf("got %v, want an error in line 4", err)
	}
	for _, d := range []workload.Dataset{{}, {Output: 3}, func() workload.Dataset { text.Output = -1; return text }(),
		func() workload.Dataset { text.Output = 10_000_001; return text }()} {
		var invalid *loadgen.InvalidError
		for how, err := range map[string]error{"Validate": d.Validate(), "Prompt": d.Prompt(0, new(workload.Prompt))} {
			if !errors.As(err, &invalid) {
				t.Errorf("%s: got %v, want an InvalidError", how, err)
			}
		}
	}
}

func FuzzReadDataset(f *testing.F) {
	for _, seed := range []string{
		`{"prompt":"a","max_tokens":3}`, `{"prompt_token_ids":[1,2]}`, `{"messages":[{"role":"user","content":"a"}]}`,
		`{"conversations":[{"from":"human","value":"a"}]}`,
		"{\"body\":{\"model\":\"a\",\"stream\":1,\"x\":[1, 2],\"\\u0000\":{}}}\n\r\n{\"body\":{}}",
		`{"body":{"stream":0}}`, "\ufeff{}", "{\"prompt\":\"a\"}\n{", `{"a":1,"a":2,"body":{"a":1,"a":2}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		limits := workload.DatasetLimits{Lines: 20, LineBytes: 1000, Bytes: 5000}
		d, err := workload.ReadDataset(strings.NewReader(string(file)), limits)
		if err != nil {
			var line *workload.DatasetError
			if !errors.As(err, &line) || line.Line < 0 || line.Line > limits.Lines+1 {
				t.Fatalf("got %v, want a DatasetError", err)
			}
			return
		}
		if d.Len() < 1 || d.Len() > limits.Lines {
			t.Fatalf("%d prompts", d.Len())
		}
		d.Output = 9
		if err := d.Validate(); err != nil {
			t.Fatal(err)
		}
		for i := range d.Len() {
			p := prompt(t, d, i)
			kinds := 0
			for _, there := range []bool{p.Text != "", len(p.Tokens) > 0, len(p.Messages) > 0, len(p.Body) > 0} {
				if there {
					kinds++
				}
			}
			if kinds != 1 || p.Output < 0 || p.Output > 10_000_000 || len(p.Body) == 0 && p.Output == 0 {
				t.Errorf("prompt %d: %+v", i, p)
			}
			for _, text := range []json.RawMessage{p.Messages, p.Body} {
				if len(text) > 0 && !json.Valid(text) {
					t.Errorf("prompt %d is no JSON: %s", i, text)
				}
			}
			if len(p.Body) > 0 {
				var fields map[string]json.RawMessage
				if err := json.Unmarshal(p.Body, &fields); err != nil || fields["stream"] != nil ||
					fields["stream_options"] != nil || fields["model"] != nil {
					t.Errorf("body %d: %v: %s", i, err, p.Body)
				}
			}
		}
	})
}
