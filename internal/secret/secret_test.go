package secret

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/internal/secret/secrettest"
)

// Nothing planted comes out of a text or of a list of arguments, and scrubbing twice is scrubbing once.
func TestNoSecretLeaves(t *testing.T) {
	if len(secrettest.Planted) < 40 {
		t.Fatalf("only %d kinds", len(secrettest.Planted))
	}
	for i, p := range secrettest.Planted {
		args := []string{"serve", "--max-model-len", "8192", p.Text, "model"}
		if !p.Shaped && strings.Contains(p.Text, " ") {
			args = append([]string{"serve"}, strings.Fields(p.Text)...)
		}
		if out := strings.Join(Args(args), " "); strings.Contains(out, p.Secret) {
			t.Errorf("%d: %q leaves in the arguments: %s", i, p.Text, out)
		}
		once := Scrub(p.Text)
		if strings.Contains(once, p.Secret) {
			t.Errorf("%d: %q leaves as %q", i, p.Text, once)
		}
		if twice := Scrub(once); twice != once {
			t.Errorf("%d: scrubbed once %q, twice %q", i, once, twice)
		}
		if p.Shaped && strings.Contains(Shapes("a "+p.Text), p.Secret) {
			t.Errorf("%d: %q has no shape", i, p.Text)
		}
	}
}

func TestNamed(t *testing.T) {
	for _, c := range []struct {
		name, value  string
		alone, named bool // what Name and Named say
	}{
		{"Authorization", "x", true, true},
		{"X-API-Key", "x", true, true},
		{"OPENAI_APIKEY", "x", true, true},
		{"HF_TOKEN", "x", true, true},
		{"HF_TOKEN_2", "x", true, true},
		{"sessionid", "x", true, true},
		{"db_passwd", "x", true, true},
		{"userpass", "x", true, true},
		{"PWD", "x", true, true},
		{"MY_CREDS", "x", true, true},
		{"cookie", "x", true, true},
		{"TOKENS", "x", true, true},
		{"token", "1234", true, true}, // a number under a secret's name
		{"password", "1234", true, true},
		{"max_tokens", "512", true, false},
		{"VLLM_MAX_TOKENS_PER_EXPERT_FP4_MOE", "163840", true, false},
		{"stop_token_ids", "1", true, false},
		{"stopTokenIds", "1", true, false},
		{"kv_cache_size_tokens", "278528", true, false}, // of a real vLLM
		{"cache_hit_alignment_tokens", "16", true, false},
		{"thinking_token_budget", "1024", true, false},
		{"long-prefill-token-threshold", "2048", true, false},
		{"token_usage", "0.7314159265358979", true, false},
		{"token_capacity", "1.5e6", true, false},
		{"token_threshold", "hunter2", true, true},
		{"sig", "x", true, true},
		{"signal", "9", false, false},
		{"num_key_value_heads", "8", true, false},
		{"max_auth_retries", "3", true, false},
		{"vllm_token_ratio_tokens", "0.75", true, false},
		{"min_password_length", "12", true, true}, // rather too much
		{"max_tokens", "-1", true, false},
		{"return_tokens_as_token_ids", "True", true, false},
		{"max_num_batched_tokens", "None", true, false},
		{"token", "None", true, true},
		{"password", "true", true, true},
		{"kv_cache_size_tokens", "hunter2", true, true},
		{"token_count", "x", true, true},
		{"max_tokens", "abc", true, true},
		{"max_tokens_password", "512", true, true},
		{"tokenizer-mode", "mistral", true, false},
		{"TOKENIZERS_PARALLELISM", "false", true, false},
		{"max-model-len", "8192", false, false},
		{"VLLM_KEEP_ALIVE", "1", false, false},
		{"bypass_rate", "1", false, false},
	} {
		if got := Name(c.name); got != c.alone {
			t.Errorf("Name(%q) = %v", c.name, got)
		}
		if got := Named(c.name, c.value); got != c.named {
			t.Errorf("Named(%q, %q) = %v", c.name, c.value, got)
		}
	}
}

func TestArgs(t *testing.T) {
	const w = "[withheld]"
	for _, test := range []struct{ in, want []string }{
		{[]string{"--api-key", "a", "b", "--port", "8000"}, []string{"--api-key", w, w, "--port", "8000"}},
		{[]string{"--api-key=a b c", "m"}, []string{"--api-key=" + w, "m"}},
		{[]string{"-H", "Authorization: token a b"}, []string{"-H", "Authorization:" + w}},
		{[]string{"-H", "X-Api-Key: a"}, []string{"-H", "X-Api-Key:" + w}},
		{[]string{"-e", "HF_TOKEN=a b", "-e", "NCCL_DEBUG=INFO"},
			[]string{"-e", "HF_TOKEN=" + w, "-e", "NCCL_DEBUG=INFO"}},
		{[]string{"-eHF_TOKEN=a"}, []string{"-eHF_TOKEN=" + w}},
		{[]string{"--env=HF_TOKEN=a"}, []string{"--env=HF_TOKEN=" + w}},
		{[]string{"-u", "me:pw"}, []string{"-u", w}},
		{[]string{"-u", "1000:1000"}, []string{"-u", "1000:1000"}},
		{[]string{"-ume:pw", "-u1000:1000"}, []string{"-u" + w, "-u1000:1000"}},
		{[]string{"--model", "https://h/c?sv=1&sig=a%3D&x=1"},
			[]string{"--model", "https://h/c?sv=1&sig=" + w + "&x=1"}},
		{[]string{"--long-prefill-token-threshold", "2048"}, []string{"--long-prefill-token-threshold", "2048"}},
		{[]string{"sh", "-c", "vllm serve m --api-key a --port 1"},
			[]string{"sh", "-c", "vllm serve m --api-key " + w + " --port 1"}},
		// What a measurement depends on stays.
		{[]string{"--max-num-batched-tokens", "8192", "--tokenizer-mode", "mistral", "--max-tokens=16"},
			[]string{"--max-num-batched-tokens", "8192", "--tokenizer-mode", "mistral", "--max-tokens=16"}},
		{[]string{"--tokens", "a"}, []string{"--tokens", w}},
		{[]string{"--kv-cache-dtype", "fp8", "-tp", "8"}, []string{"--kv-cache-dtype", "fp8", "-tp", "8"}},
	} {
		if got := Args(test.in); strings.Join(got, "|") != strings.Join(test.want, "|") {
			t.Errorf("Args(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestScrubKeeps(t *testing.T) {
	for _, s := range []string{
		"hf_transfer", "hf_overrides", "HF_HUB_CACHE=/data/hub", "/dev/disk/by-id/wwn-0x5000",
		"https://example.org/a@b", "basic information",
		"sha256:236900d5731f4a8dfe4a0ea1bdf1e22f4bfa0bc6ae2b6b7a8e6d3c4b5a697887", "git@example.org:x",
		"e9b33add76883f293d6bf61f6bd89b497e80e335",
		"iommu=pt numa_balancing=disable hugepages=1024", "task-sk-1", "max_tokens=512", "no key in the file",
	} {
		if got := Scrub(s); got != s {
			t.Errorf("Scrub(%q) = %q", s, got)
		}
	}
	if got := Scrub(strings.Repeat("a ", 40<<10)); got != "[withheld]" {
		t.Errorf("a text over the bound is %.40q", got)
	}
}

// Texts of nothing but beginnings, which a search that reads to the end from each of them would take minutes for.
func TestScrubOfBeginnings(t *testing.T) {
	for _, s := range []string{`a="`, `a="\`, "a://b", "--token a ", "--key ", "a:", "hf_", "eyJaaaaaa.aa",
		"basic aaaa ", "tokenizer="} {
		once := Scrub(strings.Repeat(s, 60<<10/len(s)))
		if len(once) > 256<<10 {
			t.Errorf("%q has become %d bytes", s, len(once))
		}
	}
}

func FuzzScrub(f *testing.F) {
	for _, p := range secrettest.Planted {
		f.Add(p.Text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<12 {
			return
		}
		if got := Args([]string{"--api-key", s, "-H", s}); len(got) != 4 {
			t.Errorf("%d arguments", len(got))
		}
		if out := Scrub("--password 0123456hidden " + s); strings.Contains(out, "0123456hidden") &&
			!strings.Contains(s, "0123456hidden") {
			t.Errorf("Scrub left the password before %q", s)
		}
	})
}
