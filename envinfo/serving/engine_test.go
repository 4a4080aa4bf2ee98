package serving

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseEngine(t *testing.T) {
	const none = ""
	for _, test := range []struct {
		name, argv string // arguments separated by |
		model      string
		arguments  string
	}{
		{"serve", "vllm|serve|org/m|-tp|8|--dtype|auto", "org/m", "tensor-parallel-size=8 dtype=auto"},
		{"path", "/usr/bin/python3|/usr/local/bin/vllm|serve|org/m|--max_model_len=8k", "org/m", "max-model-len=8k"},
		{"module", "python3|-m|vllm.entrypoints.openai.api_server|--model|org/m|--seed|-1", "org/m", "model=org/m " +
			"seed=-1"},
		{"flags before the model", "vllm|serve|--enable-prefix-caching|--no-enable-x|--trust-remote-code|org/m",
			"org/m",
			"enable-prefix-caching=true no-enable-x=true trust-remote-code=true"},
		{"keys", "vllm|serve|org/m|--api-key|a1|b2|--port|80", "org/m", "api-key=unknown (withheld: its name says " +
			"that it is a secret) port=80"},
		{"shell", `sh|-c|export X=1 && cd /x; exec vllm serve "org/m" \` + "\n" +
			` --quantization 'fp8' -O3 2>&1 | tee log`, "org/m",
			"quantization=fp8 compilation-config=3 2=true"},
		{"value with a secret", `vllm|serve|org/m|--speculative-config|{"hf_token": "abc", "n": 1}`, "org/m",
			`speculative-config={"hf_token": [withheld], "n": 1}`},
		{"nested", "vllm|serve|org/m|--kv_transfer.a_b=1", "org/m", "kv-transfer.a_b=1"},
		{"no model", "vllm|serve|--config|/x.yaml", none, "config=/x.yaml"},
		{"nothing", "vllm|serve", none, ""},
	} {
		e := ParseEngine(strings.Split(test.argv, "|"), "s", "argv")
		if e == nil {
			t.Errorf("%s: no engine", test.name)
			continue
		}
		if m, _ := e.Model.Get(); m != test.model {
			t.Errorf("%s: model %v", test.name, e.Model)
		}
		var got []string
		for _, a := range e.Arguments {
			got = append(got, a.Name+"="+a.Value.String())
		}
		want := strings.Replace(test.arguments, " 2=true", "", 1)
		if s := strings.Join(got, " "); s != want && test.name != "shell" ||
			test.name == "shell" && !strings.HasPrefix(s, want) {
			t.Errorf("%s: %s, want %s", test.name, s, want)
		}
	}
	for _, argv := range [][]string{nil, {"vllm"}, {"vllm", "bench"}, {"sleep", "1"}, {"sh", "-c"},
		{"sh", "-c", "vllm"}, {"python", "-m", "http.server"}} {
		if e := ParseEngine(argv, "s", "argv"); e != nil {
			t.Errorf("%q: %+v", argv, e)
		}
	}
}

func TestParseCount(t *testing.T) {
	for s, want := range map[string]int64{"8192": 8192, "8k": 8000, "8K": 8192, "25.6k": 25600, "1M": 1 << 20, "": 0,
		"auto": 0, "-1": 0, "0": 0, "infk": 0, "nank": 0, "k": 0} {
		if n, err := parseCount(s); n != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %d, %v", s, n, err)
		}
	}
}

func FuzzParseEngine(f *testing.F) {
	f.Add("vllm|serve|org/m|-tp|8|--api-key|x|--max-model-len|8k")
	f.Add("sh|-c|vllm serve 'm")
	f.Add("vllm|serve|-O|--|-=|--=x|--a.b")
	f.Fuzz(func(t *testing.T, s string) {
		e := ParseEngine(strings.Split(s, "|"), "s", "argv")
		if e == nil {
			return
		}
		for _, a := range e.Arguments {
			if v, ok := a.Value.Get(); ok && v == "" {
				t.Errorf("%q: %q is empty", s, a.Name)
			}
		}
		if n, ok := e.TensorParallel.Get(); ok && n <= 0 {
			t.Errorf("%q: %d", s, n)
		}
	})
}

func FuzzServed(f *testing.F) {
	f.Add([]byte(`{"data": [{"id": "m", "max_model_len": 1}]}`))
	f.Add([]byte(`vllm:cache_config_info{a="b\"c",engine="1",} 1`))
	f.Fuzz(func(t *testing.T, b []byte) {
		models, _ := parseServedModels(b)
		facts := parseCacheConfig(b)
		for _, s := range facts {
			if v, ok := s.Value.Get(); ok && v == "None" && !bytes.Contains(b, []byte("None ")) &&
				!bytes.Contains(b, []byte(" None")) &&
				!bytes.Contains(b, []byte(`\`)) {
				t.Errorf("%q is None", s.Name)
			}
		}
		first, err := json.Marshal(Server{Models: models, Facts: facts})
		if err != nil {
			t.Fatal(err)
		}
		var back Server
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(back); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%v\n%s\n%s", err, first, second)
		}
	})
}
