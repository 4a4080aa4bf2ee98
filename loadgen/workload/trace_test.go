package workload_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

const mooncake = `{"timestamp": 1000, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 3]}
{"timestamp": 1500, "input_length": 1536, "output_length": 6, "hash_ids": [1, 2, 9]}

{"timestamp": 1500, "input_length": 40, "output_length": 0, "hash_ids": [7]}
{"timestamp": 3000, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 3]}
`

func trace(t *testing.T, f workload.TraceFormat, text string) workload.Trace {
	t.Helper()
	tr, err := workload.ReadTrace(strings.NewReader(text), f, workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// Equal hash blocks are equal blocks of tokens, also in part, and what differs shares nothing.
func TestMooncake(t *testing.T) {
	tr := trace(t, workload.Mooncake, mooncake)
	var all []workload.Prompt
	for i := range tr.Len() {
		all = append(all, prompt(t, tr, i))
	}
	for i, want := range []int{1100, 1536, 40, 1100} {
		if len(all[i].Tokens) != want || all[i].Input != want {
			t.Errorf("prompt %d has %d tokens, want %d", i, len(all[i].Tokens), want)
		}
	}
	if all[2].Output != 1 || all[1].Output != 6 {
		t.Errorf("outputs %d, %d", all[2].Output, all[1].Output)
	}
	if n := common(all[0].Tokens, all[1].Tokens); n < 1024 || n > 1027 {
		t.Errorf("blocks 1 and 2 are the first 1,024 tokens of both, and %d are shared", n)
	}
	if !slices.Equal(all[0].Tokens, all[3].Tokens) || common(all[0].Tokens, all[2].Tokens) > 3 {
		t.Error("equal blocks differ, or different ones do not")
	}
	if shared, input := tr.Shared(); shared != 1024+1100 || input != 1100+1536+40+1100 {
		t.Errorf("%d of %d shared", shared, input)
	}
	want := []time.Duration{0, 500 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}
	if got := tr.Arrivals(); got.Process != loadgen.TraceArrivals || !slices.Equal(got.Trace, want) {
		t.Errorf("due at %v", got.Trace)
	}
	fast, err := tr.Faster(2)
	if err != nil || fast.Arrivals().Trace[3] != time.Second {
		t.Errorf("%v, %v", fast.Arrivals().Trace, err)
	}
	part, err := fast.Window(500*time.Millisecond, 2*time.Second) // by the trace's own time
	if err != nil || part.Len() != 2 || part.Arrivals().Trace[0] != 0 {
		t.Errorf("%d, %v", part.Len(), err)
	}
	if p := prompt(t, part, 0); len(p.Tokens) != 1536 {
		t.Errorf("the window begins with %d tokens", len(p.Tokens))
	}
	if err := part.Prompt(2, new(workload.Prompt)); err == nil {
		t.Error("a prompt beyond the trace")
	}
}

func TestTraceFormats(t *testing.T) {
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	fmt.Fprint(zip, `{"run":1,"seq":0,"index":0,"warmup":true,"scheduled_ns":5,"input_tokens":1,"output_tokens":1,"counted":true}
{"run":1,"seq":0,"index":2,"scheduled_ns":3000000000,"asked_input_tokens":30,"asked_output_tokens":3}
{"run":1,"seq":0,"index":1,"scheduled_ns":1000000000,"input_tokens":374,"output_tokens":40,"asked_output_tokens":44,"counted":true}
`)
	_ = zip.Close()
	for format, text := range map[workload.TraceFormat]string{
		workload.AzureLLM: "\ufeffTIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 " +
			"18:15:46.6805900,374,44\r\n2023-11-16 18:15:48.6805900,30,3\r\n",
		workload.BurstGPT: "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log " +
			"Type\n5,ChatGPT,374,44,418,Conversation log\n7,GPT-4,30,3,33,API log\n",
		workload.Mooncake: "{\"timestamp\":0,\"input_length\":374,\"output_length\":44}\n{\"timestamp\":2000,\"input_length\":30,\"output_length\":3}",
		workload.Requests: zipped.String(),
	} {
		tr := trace(t, format, text)
		a, b := prompt(t, tr, 0), prompt(t, tr, 1)
		if tr.Len() != 2 || a.Input != 374 || a.Output != 44 || b.Input != 30 || b.Output != 3 ||
			common(a.Tokens, b.Tokens) > 3 {
			t.Errorf("%s: %d requests, %d/%d, %d/%d", format, tr.Len(), a.Input, a.Output, b.Input, b.Output)
		}
		if due := tr.Arrivals().Trace; due[1] != 2*time.Second {
			t.Errorf("%s: due at %v", format, due)
		}
		tr.Text = true
		if p := prompt(t, tr, 0); len(strings.Fields(p.Text)) != 374 || p.Tokens != nil {
			t.Errorf("%s: as text %d words", format, len(strings.Fields(p.Text)))
		}
	}
}

func TestTracesThatCannotBeUsed(t *testing.T) {
	const good = `{"timestamp": 5, "input_length": 10, "output_length": 5}` + "\n"
	const azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n"
	for _, test := range []struct {
		format workload.TraceFormat
		text   string
		line   int
		say    string
	}{
		{workload.Mooncake, good + "\n" + `{"timestamp": 4, "input_length": 10, "output_length": 5}`, 3,
			"1ms before that of line 1"},
		{workload.Mooncake, good + `{"timestamp": 6, "input_length": 10`, 2, "unexpected end"},
		{workload.Mooncake, good + `{"timestamp": 6, "input_length": 0, "output_length": 5}`, 2, "tokens in"},
		{workload.Mooncake, good + `{"timestamp": 6, "input_length": 10, "output_length": -5}`, 2, "tokens in"},
		{workload.Mooncake, good + `{"timestamp": -6, "input_length": 10, "output_length": 5}`, 2, "timestamp"},
		{workload.Mooncake, good + `{"input_length": 10, "output_length": 5}`, 2, "want timestamp"},
		{workload.Mooncake, good + `{"timestamp": 6, "input_length": 512, "output_length": 5, "hash_ids":[1,2]}`, 2,
			"2 hash_ids"},
		{workload.Mooncake, "\n", 0, "no requests"},
		{workload.AzureLLM, azure + "2023-11-16 18:15:45.68,1,1\n", 3, "before"},
		{workload.AzureLLM, azure + "yesterday,1,1\n", 3, "want a time"},
		{workload.AzureLLM, azure + "2023-11-16 18:15:47,1\n", 3, "2 columns"},
		{workload.AzureLLM, azure + "2023-11-16 18:15:47,a,1\n", 3, "ContextTokens"},
		{workload.AzureLLM, "a,b\n", 1, "want TIMESTAMP"},
		{workload.AzureLLM, azure + "\"2023\n", 3, "CSV"},
		{workload.BurstGPT, "Timestamp,Request tokens,Response tokens\n-1,1,1", 2, "seconds"},
		{workload.Requests, `{"run":1,"seq":0,"scheduled_ns":1,"input_tokens":1}` + "\n" +
			`{"run":2,"seq":0,"scheduled_ns":1,"input_tokens":1}`, 2, "run 2"},
		{workload.Requests, `{"run":1}`, 1, "scheduled_ns"},
	} {
		_, err := workload.ReadTrace(strings.NewReader(test.text), test.format, workload.DatasetLimits{})
		var at *workload.DatasetError
		if !errors.As(err, &at) || at.Line != test.line || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s %q: %v, want line %d and %q", test.format, test.text, err, test.line, test.say)
		}
	}
	if _, err := workload.ReadTrace(strings.NewReader(good), "csv", workload.DatasetLimits{}); err == nil {
		t.Error("a format that there is not")
	}
	tr := trace(t, workload.Mooncake, mooncake)
	if _, err := tr.Window(time.Hour, 0); err == nil {
		t.Error("a window without requests")
	}
	if _, err := tr.Faster(math.NaN()); err == nil {
		t.Error("a speed of NaN")
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add(mooncake, 0)
	f.Add("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n", 1)
	f.Fuzz(func(t *testing.T, text string, format int) {
		formats := workload.TraceFormats()
		tr, err := workload.ReadTrace(strings.NewReader(text), formats[uint(format)%uint(len(formats))],
			workload.DatasetLimits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		if err := (loadgen.Level{Arrivals: tr.Arrivals()}).Validate(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
