package envinfo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
)

// planted is a kind of secret: what it looks like where it stands, and the part of it that must not come out. All are made up.
type planted struct {
	text, secret string
	shaped       bool // a secret by its shape, whatever is around it
}

var plantedSecrets = []planted{
	{"hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345678", "AbCdEfGh", true},
	{"hf_Short1x", "Short1x", true},
	{"sk-AbCdEf0123456789", "AbCdEf0123", true},
	{"sk-proj-AbCd_Ef-0123456789", "AbCd_Ef", true},
	{"sk-ant-api03-AbCdEf0123", "api03-AbCdEf", true},
	{"ghp_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "AbCdEfGh", true},
	{"gho_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "AbCdEfGh", true},
	{"ghs_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "AbCdEfGh", true},
	{"github_pat_11AbCdEf0_GhIjKl", "AbCdEf0", true},
	{"glpat-AbCdEf0123456789_xyz", "AbCdEf01", true},
	{"xoxb-123456789012-AbCdEfGh", "123456789012", true},
	{"nvapi-AbCdEf0123456789AbCdEf", "AbCdEf01", true},
	{"dckr_pat_AbCdEf0123456789AbC", "AbCdEf01", true},
	{"npm_AbCdEf0123456789AbCdEf0123456789", "AbCdEf01", true},
	{"gsk_AbCdEf0123456789AbCdEf", "AbCdEf01", true},
	{"AKIAABCDEFGHIJKLMNOP", "ABCDEFGHIJ", true},
	{"ASIAABCDEFGHIJKLMNOP", "ABCDEFGHIJ", true},
	{"AIzaSyAbCdEf0123456789AbCdEf0123456789", "SyAbCdEf", true},
	{"sk_live_AbCdEf0123456789", "AbCdEf01", true},
	{"SG.AbCdEf0123456789AbCd.AbCdEf0123456789AbCd", "AbCdEf01", true},
	{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJoaWRkZW4ifQ.c2lnbmF0dXJl", "eyJzdWIi", true},
	{"Bearer AbCdEf0123456789", "AbCdEf01", true},
	{"Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy", true},
	{"https://user:hunter2@example.org/x", "hunter2", true},
	{"redis://:hunter2@10.0.0.1:6379/0", "hunter2", true},
	{"http://proxyuser:hun@ter2@proxy:3128", "ter2", true},
	{"-----BEGIN RSA PRIVATE KEY-----MIIEhunter2-----END RSA PRIVATE KEY-----", "MIIEhunter2", true},
	{"-----BEGIN OPENSSH PRIVATE KEY-----b3Blhunter2", "b3Blhunter2", true},
	{"Authorization:hunter2", "hunter2", true},
	{"Proxy-Authorization:hunter2", "hunter2", true},

	{"token=hunter2", "hunter2", false},
	{"my.api_key=hunter2", "hunter2", false},
	{"PASSWORD=hunter2", "hunter2", false},
	{"db_passwd=hunter2", "hunter2", false},
	{"client-secret=hunter2", "hunter2", false},
	{"aws_credentials=hunter2", "hunter2", false},
	{"rd.luks.key=hunter2", "hunter2", false},
	{"auth=hunter2", "hunter2", false},
	{"x-api-key:hunter2", "hunter2", false},
	{`{"token":"hunter2"}`, "hunter2", false},
	{`token="hunter2`, "hunter2", false}, // and never closed
	{"https://example.org/?access_token=hunter2&n=1", "hunter2", false},
	{"systemd.setenv=HF_TOKEN=hunter2", "hunter2", false},
	{"--api-key=hunter2", "hunter2", false},
	{"--api-key hunter2", "hunter2", false},
	{"--api-key other hunter2", "hunter2", false},
	{"--password -hunter2", "hunter2", false},
}

// Each kind in each place that is read, one at a time, so that one does not hide another.
func TestNoSecretLeaves(t *testing.T) {
	if len(plantedSecrets) < 40 {
		t.Fatalf("only %d kinds", len(plantedSecrets))
	}
	for i, p := range plantedSecrets {
		places := tree{
			"proc/cmdline": "BOOT_IMAGE=/vmlinuz iommu=pt " + p.text + " quiet -- " + p.text + "\n",
			"proc/self/environ": "HOME=" + p.secret + "\x00SECRET=" + p.secret + "\x00HF_TOKEN=" + p.secret + "\x00VLLM_API_KEY=" + p.secret +
				"\x00NCCL_DEBUG=INFO\x00VLLM_ARGS=--max-model-len 8192 " + p.text + "\x00HF_ENDPOINT=" + p.text + "\x00VLLM_" + p.text + "=1",
		}
		if p.shaped {
			for name := range mi325x() {
				if strings.HasPrefix(name, nodesDir) && !strings.HasPrefix(name, nodesDir+"2/") {
					continue // they are alike, and the fewer the faster
				}
				places[name] = p.text + "\n"
			}
			places["proc/cmdline"] = p.text
			places["etc/os-release"] = fmt.Sprintf("NAME=%s\nPRETTY_NAME=\"%s\"\n", p.text, p.text)
			places["proc/cpuinfo"] = "processor : 0\nmodel name : " + p.text + "\n"
			places["proc/self/limits"] = "Max open files " + p.text
			places["sys/module/amdgpu/version"] = p.text
			places["opt/rocm/.info/version"] = "6.4.2-" + p.text
		}
		for _, tr := range []tree{mi325x().with(places), {"proc/self/environ": places["proc/self/environ"]}} {
			env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: tr.fs()})
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(env)
			if err != nil {
				t.Fatal(err)
			}
			for form, out := range map[string]string{"JSON": string(b), "text": text(t, env)} {
				if at := strings.Index(out, p.secret); at >= 0 {
					t.Errorf("%d: %q leaves in %s: …%.150s…", i, p.text, form, out[max(0, at-60):])
				}
			}
		}
		args := []string{"serve", "--max-model-len", "8192", p.text, "model"}
		if !p.shaped && strings.Contains(p.text, " ") {
			args = append([]string{"serve"}, strings.Fields(p.text)...)
		}
		if out := strings.Join(envinfo.ScrubArgs(args), " "); strings.Contains(out, p.secret) {
			t.Errorf("%d: %q leaves in the arguments: %s", i, p.text, out)
		}
		once := envinfo.Scrub(p.text)
		if twice := envinfo.Scrub(once); twice != once {
			t.Errorf("%d: scrubbed once %q, twice %q", i, once, twice)
		}
	}
}

// What is a secret by the name before it alone, in files that hold one text.
func TestNoSecretOfAText(t *testing.T) {
	for _, p := range plantedSecrets {
		dmi := "sys/class/dmi/id/"
		env := capture(t, cpuHost().with(tree{dmi + "sys_vendor": p.text, dmi + "product_name": p.text, dmi + "bios_version": p.text}).fs())
		b, err := json.Marshal(env)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), p.secret) {
			t.Errorf("%q leaves", p.text)
		}
	}
}

func TestScrubArgs(t *testing.T) {
	const w = "[withheld]"
	for _, test := range []struct{ in, want []string }{
		{[]string{"--api-key", "a", "b", "--port", "8000"}, []string{"--api-key", w, w, "--port", "8000"}},
		{[]string{"--api-key=a b c", "m"}, []string{"--api-key=" + w, "m"}},
		{[]string{"-H", "Authorization: token a b"}, []string{"-H", "Authorization:" + w}},
		{[]string{"-H", "X-Api-Key: a"}, []string{"-H", "X-Api-Key:" + w}},
		{[]string{"-e", "HF_TOKEN=a b", "-e", "NCCL_DEBUG=INFO"}, []string{"-e", "HF_TOKEN=" + w, "-e", "NCCL_DEBUG=INFO"}},
		{[]string{"-eHF_TOKEN=a"}, []string{"-eHF_TOKEN=" + w}},
		{[]string{"--env=HF_TOKEN=a"}, []string{"--env=HF_TOKEN=" + w}},
		{[]string{"-u", "me:pw"}, []string{"-u", w}},
		{[]string{"-u", "1000:1000"}, []string{"-u", "1000:1000"}},
		{[]string{"sh", "-c", "vllm serve m --api-key a --port 1"}, []string{"sh", "-c", "vllm serve m --api-key " + w + " --port 1"}},
		// What a measurement depends on stays.
		{[]string{"--max-num-batched-tokens", "8192", "--tokenizer-mode", "mistral", "--max-tokens=16"},
			[]string{"--max-num-batched-tokens", "8192", "--tokenizer-mode", "mistral", "--max-tokens=16"}},
		{[]string{"--tokens", "a"}, []string{"--tokens", w}},
		{[]string{"--kv-cache-dtype", "fp8", "-tp", "8"}, []string{"--kv-cache-dtype", "fp8", "-tp", "8"}},
	} {
		if got := envinfo.ScrubArgs(test.in); strings.Join(got, "|") != strings.Join(test.want, "|") {
			t.Errorf("ScrubArgs(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestScrubKeeps(t *testing.T) {
	for _, s := range []string{
		"hf_transfer", "hf_overrides", "HF_HUB_CACHE=/data/hub", "/dev/disk/by-id/wwn-0x5000", "https://example.org/a@b", "basic information",
		"sha256:236900d5731f4a8dfe4a0ea1bdf1e22f4bfa0bc6ae2b6b7a8e6d3c4b5a697887", "git@example.org:x", "e9b33add76883f293d6bf61f6bd89b497e80e335",
		"iommu=pt numa_balancing=disable hugepages=1024", "task-sk-1", "max_tokens=512", "no key in the file",
	} {
		if got := envinfo.Scrub(s); got != s {
			t.Errorf("Scrub(%q) = %q", s, got)
		}
	}
	if got := envinfo.Scrub(strings.Repeat("a ", 40<<10)); got != "[withheld]" {
		t.Errorf("a text over the bound is %.40q", got)
	}
}

// Texts of nothing but beginnings, which a search that reads to the end from each of them would take minutes for.
func TestScrubOfBeginnings(t *testing.T) {
	for _, s := range []string{`a="`, `a="\`, "a://b", "--token a ", "--key ", "a:", "hf_", "eyJaaaaaa.aa", "basic aaaa ", "tokenizer="} {
		once := envinfo.Scrub(strings.Repeat(s, 60<<10/len(s)))
		if len(once) > 256<<10 {
			t.Errorf("%q has become %d bytes", s, len(once))
		}
	}
}

func TestVariables(t *testing.T) {
	env := capture(t, cpuHost().with(tree{"proc/self/environ": "PATH=/bin\x00NCCL_DEBUG=INFO\x00HF_TOKEN=x\x00NCCL_DEBUG=WARN\x00VLLM_PORT=\x00" +
		"VLLM_MAX_TOKENS_PER_EXPERT=65536\x00NCCL_\x00"}).fs())
	known(t, "count", env.Variables.Count, 4)
	list := env.Variables.List
	known(t, list[0].Name, list[0].Value, "INFO")
	unknown(t, list[1].Name, list[1].Value, "withheld")
	unknown(t, list[2].Name, list[2].Value, "empty")
	known(t, list[3].Name, list[3].Value, "65536")
	env = capture(t, tree{}.fs())
	unknown(t, "count", env.Variables.Count, "/proc/self/environ: no such file")
}

func FuzzScrub(f *testing.F) {
	for _, p := range plantedSecrets {
		f.Add(p.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<12 {
			return
		}
		if got := envinfo.ScrubArgs([]string{"--api-key", s, "-H", s}); len(got) != 4 {
			t.Errorf("%d arguments", len(got))
		}
		if out := envinfo.Scrub("--password 0123456hidden " + s); strings.Contains(out, "0123456hidden") && !strings.Contains(s, "0123456hidden") {
			t.Errorf("Scrub left the password before %q", s)
		}
	})
}
