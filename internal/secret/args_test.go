package secret

import (
	"strings"
	"testing"
)

func TestArgsAndTheirParts(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--api-key|planted|more|--port|80", "--api-key|[withheld]|[withheld]|--port|80"},
		{"--api-key=planted", "--api-key=[withheld]"},
		{"--max-num-batched-tokens|8192|--tokenizer|org/t", "--max-num-batched-tokens|8192|--tokenizer|org/t"},
		{"--tokens|planted", "--tokens|[withheld]"},
		{"-e|HF_TOKEN=planted", "-e|HF_TOKEN=[withheld]"},
		{"MY_password=planted x", "MY_password=[withheld]"}, // one argument
		{"https://u:planted@h/p", "https://[withheld]h/p"},
		{"https://h/p?token=planted&a=b", "https://h/p?token=[withheld]&a=b"},
		{"x hf_plantedplanted y", "x [withheld] y"},
		{"sk-plantedplanted", "[withheld]"},
		{"sh -c 'vllm serve m --api-key planted --port 80'", "sh -c 'vllm serve m --api-key [withheld] --port 80'"},
		{`--header|Authorization: Bearer planted`, `--header|Authorization:[withheld]`},
		{`{"api_key": "pl\"anted", "a": 1}`, `{"api_key": [withheld], "a": 1}`},
		{"--enable-auto-tool-choice|--dtype|auto", "--enable-auto-tool-choice|--dtype|auto"},
		{"org/Model-7B|--gpu-memory-utilization|0.9", "org/Model-7B|--gpu-memory-utilization|0.9"},
		{"the key is here", "the key is here"},
	} {
		if got := strings.Join(Args(strings.Split(test.args, "|")), "|"); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.args, got, test.want)
		}
	}
}

func FuzzArgs(f *testing.F) {
	f.Add("--api-key", "x")
	f.Add("a=b c: d", "token")
	f.Fuzz(func(t *testing.T, before, after string) {
		got := Args([]string{before, "--api-key", "Planted0Planted", "--x", after, "HF_TOKEN=Planted0Planted"})
		if s := strings.Join(got, "|"); strings.Contains(s, "Planted0Planted") &&
			!strings.Contains(before+after, "Planted0") {
			t.Errorf("%q", s)
		}
	})
}
