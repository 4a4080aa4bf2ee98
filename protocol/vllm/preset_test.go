package vllm

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func Example() {
	p, err := Find("Kimi-K2.5")
	if err != nil {
		log.Fatal(err)
	}
	// One arm of an ablation: the same server with AITER on.
	argv, err := p.DockerRun(RunOptions{HFCache: "/data/hf", Env: map[string]string{"VLLM_ROCM_USE_AITER": "1"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Precision)
	fmt.Println(argv) // exec.Command(argv[0], argv[1:]...) would run it
	// Output:
	// INT4 QAT (compressed-tensors)
	// docker run --name servegauge-kimi-k2.5 --device /dev/kfd --device /dev/dri --group-add video --ipc=host --cap-add=SYS_PTRACE --security-opt seccomp=unconfined -v /data/hf:/root/.cache/huggingface --network=host --group-add render --cap-add CAP_SYS_ADMIN --env HF_TOKEN --env VLLM_ROCM_USE_AITER=1 --env VLLM_USE_TRITON_FLASH_ATTN=0 rocm/vllm-dev:nightly vllm serve moonshotai/Kimi-K2.5 --tensor-parallel-size 4 --trust-remote-code --max-model-len 32768 --block-size 1
}

func ExampleFind() {
	_, err := Find("llama-3.1-8b")
	fmt.Println(err)
	// Output:
	// vllm: no preset "llama-3.1-8b"; use one of deepseek-v3.2, llama-3.1-405b, qwen3-vl-235b, kimi-k2.5
}

// The page once more, typed from it and not from presets.go: name, checkpoint, revision, image, digest as far as
// printed, version, table.
var page = []struct {
	name, repo, revision, image, digest, version string
	table                                        [][2]string
}{
	{
		"DeepSeek V3.2", "deepseek-ai/DeepSeek-V3-0324", "e9b33add76883f293d6bf61f6bd89b497e80e335",
		"vllm/vllm-openai-rocm:latest", "sha256:236900d573...", "0.14.1",
		[][2]string{{"Precision", "FP8"}, {"Tensor Parallelism", "8"}, {"VLLM_ROCM_USE_AITER", "1 (required)"},
			{"--block-size", "1 (required for MLA)"}},
	},
	{
		"Llama-3.1-405B", "meta-llama/Llama-3.1-405B-Instruct", "be673f326cab4cd22ccfef76109faf68e41aa5f1",
		"vllm/vllm-openai-rocm:latest", "sha256:236900d573...", "0.14.1",
		[][2]string{{"Precision", "FP8"}, {"Tensor Parallelism", "8"}, {"AITER", "Toggle-able (used for ablation)"}},
	},
	{
		"Qwen3-VL-235B", "Qwen/Qwen3-VL-235B-A22B-Instruct", "710c13861be6c466e66de3f484069440b8f31389",
		"vllm/vllm-openai-rocm:latest", "sha256:236900d573...", "0.14.1",
		[][2]string{{"Precision", "BF16 (FP8 incompatible with ViT)"}, {"Tensor Parallelism", "8"},
			{"KV Offloading", "64 GB to system RAM"}},
	},
	{
		"Kimi-K2.5", "moonshotai/Kimi-K2-Instruct", "1cbe779b5c9d45782861647236f67e2e1aab55f0",
		"rocm/vllm-dev:nightly", "sha256:e8ce7f6d74...", "0.16.0rc1 (nightly)",
		[][2]string{
			{"Precision", "INT4 QAT (compressed-tensors)"},
			{"Tensor Parallelism", "4 (not 8)"},
			{"VLLM_ROCM_USE_AITER", "0 (MXFP4 unavailable on MI325X)"},
			{"--block-size", "1 (required for MLA)"},
			{"Container", "rocm/vllm-dev:nightly"},
		},
	},
}

func TestPresetsAreThePage(t *testing.T) {
	presets := Presets()
	if len(presets) != len(page) {
		t.Fatalf("%d presets, the page has %d models", len(presets), len(page))
	}
	for i, want := range page {
		p := presets[i]
		t.Run(want.name, func(t *testing.T) {
			for _, c := range [][3]string{
				{"name", p.Name, want.name},
				{"repo", p.Checkpoint.Repo, want.repo},
				{"revision", p.Checkpoint.Revision, want.revision},
				{"image", p.Image.Reference, want.image},
				{"digest", p.Image.DigestPrefix + "...", want.digest},
				{"version", p.Image.VLLM, want.version},
				{"ROCm", p.Stack.ROCm, "6.4.2-120"},
				{"RCCL", p.Stack.RCCL, "2.26.6"},
				{"Docker", p.Stack.Docker, "29.1.5"},
			} {
				if c[1] != c[2] {
					t.Errorf("%s is %q, the page prints %q", c[0], c[1], c[2])
				}
			}
			var table [][2]string
			for _, r := range p.Table {
				table = append(table, [2]string{r.Setting, r.Value})
			}
			if !reflect.DeepEqual(table, want.table) {
				t.Errorf("table is\n%q, the page prints\n%q", table, want.table)
			}
		})
	}
}

// What a preset does must be what its table says, and whatever claims to come from the page must be in the table.
func TestSettingsAgreeWithTable(t *testing.T) {
	remarked := func(value, note string) string {
		if note == "" {
			return value
		}
		return value + " (" + note + ")"
	}
	for _, p := range Presets() {
		t.Run(p.ID, func(t *testing.T) {
			done := map[string]string{
				"Precision":          p.Precision,
				"Tensor Parallelism": remarked(strconv.Itoa(p.TensorParallel), p.TensorParallelNote),
			}
			if p.Image != Presets()[0].Image { // the page prints the image of the exception only
				done["Container"] = p.Image.Reference
			}
			for _, s := range slices.Concat(p.Env, p.Args, p.DockerFlags) {
				switch {
				case s.Source == SourceGuide:
				case s.Source != SourcePage:
					t.Errorf("%s has source %q", s.Name, s.Source)
				case s.Name == "--kv-offloading-size":
					done["KV Offloading"] = s.Note
					if !strings.HasPrefix(s.Note, s.Value+" GB ") {
						t.Errorf("%s is %s, its note is %q", s.Name, s.Value, s.Note)
					}
				default:
					done[s.Name] = remarked(s.Value, s.Note)
				}
			}
			for _, s := range p.Toggles {
				if s.Name != "VLLM_ROCM_USE_AITER" {
					t.Errorf("unknown toggle %q", s.Name)
				}
				done["AITER"] = remarked("Toggle-able", s.Note)
			}
			printed := map[string]string{}
			for _, r := range p.Table {
				printed[r.Setting] = r.Value
			}
			if !reflect.DeepEqual(done, printed) {
				t.Errorf("the settings say\n%q, the table says\n%q", done, printed)
			}
		})
	}
}

func TestDiscrepanciesAreTold(t *testing.T) {
	for id, words := range map[string][]string{
		"deepseek-v3.2": {"DeepSeek V3.2", "deepseek-ai/DeepSeek-V3-0324", "deepseek-ai/DeepSeek-V3.2"},
		"kimi-k2.5":     {"Kimi-K2.5", "moonshotai/Kimi-K2-Instruct", "moonshotai/Kimi-K2.5"},
	} {
		p, err := Find(id)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(p.Discrepancies, "\n")
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the discrepancies do not mention %q:\n%s", id, w, text)
			}
		}
	}
	// Conversely, a preset that serves something else than the page's checkpoint must say so.
	for _, p := range Presets() {
		if p.Model != p.Checkpoint.Repo && !strings.Contains(strings.Join(p.Discrepancies, "\n"), p.Model) {
			t.Errorf("%s serves %s and has %s, and says nothing about it", p.ID, p.Model, p.Checkpoint.Repo)
		}
	}
}

func TestPresetsAreCopies(t *testing.T) {
	want := Presets()
	got := Presets()
	for i := range got {
		p := &got[i]
		for _, s := range [][]Setting{p.Env, p.Toggles, p.Args, p.DockerFlags} {
			for j := range s {
				s[j] = Setting{}
			}
		}
		clear(p.Table)
		clear(p.Discrepancies)
		*p = Preset{}
	}
	if !reflect.DeepEqual(Presets(), want) {
		t.Error("changing what Presets returned changed what it returns next")
	}
}

func TestPresetsAreJSON(t *testing.T) {
	data, err := json.Marshal(Presets())
	if err != nil {
		t.Fatal(err)
	}
	var back []Preset
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, Presets()) {
		t.Errorf("presets differ after JSON and back:\n%s", data)
	}
}

func TestFind(t *testing.T) {
	for want, names := range map[string][]string{
		"deepseek-v3.2": {"deepseek-v3.2", "DeepSeek V3.2", "DEEPSEEK_V3.2", "deepseek-ai/DeepSeek-V3-0324",
			"deepseek-v3-0324"},
		"llama-3.1-405b": {"llama-3.1-405b", "Llama 3.1 405B", "meta-llama/Llama-3.1-405B-Instruct",
			"llama-3.1-405b-instruct"},
		"qwen3-vl-235b": {"qwen3-vl-235b", "Qwen3-VL-235B", " qwen3vl235b ", "Qwen/Qwen3-VL-235B-A22B-Instruct"},
		"kimi-k2.5":     {"kimi-k2.5", "Kimi-K2.5", "moonshotai/kimi-k2.5", "moonshotai/Kimi-K2-Instruct"},
	} {
		for _, name := range names {
			p, err := Find(name)
			if err != nil || p.ID != want {
				t.Errorf("Find(%q) = %q, %v; want %q", name, p.ID, err, want)
			}
		}
	}
	for _, name := range []string{"", " ", "-", "llama", "llama-3.1", "deepseek", "kimi-k2", "someone/Kimi-K2.5",
		"gpt-4"} {
		p, err := Find(name)
		ue, ok := errors.AsType[*UnknownPresetError](err)
		if !ok {
			t.Errorf("Find(%q) = %q, %v; want an UnknownPresetError", name, p.ID, err)
			continue
		}
		if ue.Name != name || !slices.Equal(ue.Known, []string{"deepseek-v3.2", "llama-3.1-405b", "qwen3-vl-235b",
			"kimi-k2.5"}) {
			t.Errorf("Find(%q): %+v", name, ue)
		}
	}
}

const goldenHost = "--device /dev/kfd --device /dev/dri --group-add video --ipc=host --cap-add=SYS_PTRACE" +
	" --security-opt seccomp=unconfined -v /data/hf:/root/.cache/huggingface --network=host "

var golden = map[string]string{
	"deepseek-v3.2": "docker run --name servegauge-deepseek-v3.2 " + goldenHost +
		"--env HF_TOKEN --env VLLM_ROCM_USE_AITER=1 --env AITER_ENABLE_VSKIP=0 vllm/vllm-openai-rocm:latest" +
		" deepseek-ai/DeepSeek-V3-0324 --revision e9b33add76883f293d6bf61f6bd89b497e80e335 --tensor-parallel-size 8" +
		" --quantization fp8 --block-size 1",
	"llama-3.1-405b": "docker run --name servegauge-llama-3.1-405b " + goldenHost +
		"--env HF_TOKEN vllm/vllm-openai-rocm:latest" +
		" meta-llama/Llama-3.1-405B-Instruct --revision be673f326cab4cd22ccfef76109faf68e41aa5f1 " +
		"--tensor-parallel-size 8" +
		" --quantization fp8 --kv-cache-dtype fp8 --max-model-len 32768",
	"qwen3-vl-235b": "docker run --name servegauge-qwen3-vl-235b " + goldenHost +
		"--env HF_TOKEN --env VLLM_USE_TRITON_FLASH_ATTN=0 vllm/vllm-openai-rocm:latest" +
		" Qwen/Qwen3-VL-235B-A22B-Instruct --revision 710c13861be6c466e66de3f484069440b8f31389 " +
		"--tensor-parallel-size 8" +
		" --max-model-len 32768 --kv-offloading-backend native --kv-offloading-size 64 " +
		"--disable-hybrid-kv-cache-manager",
	"kimi-k2.5": "docker run --name servegauge-kimi-k2.5 " + goldenHost +
		"--group-add render --cap-add CAP_SYS_ADMIN --env HF_TOKEN --env VLLM_ROCM_USE_AITER=0 --env " +
		"VLLM_USE_TRITON_FLASH_ATTN=0" +
		" rocm/vllm-dev:nightly vllm serve moonshotai/Kimi-K2.5 --tensor-parallel-size 4" +
		" --trust-remote-code --max-model-len 32768 --block-size 1",
}

func TestDockerRunGolden(t *testing.T) {
	for _, p := range Presets() {
		argv, err := p.DockerRun(RunOptions{HFCache: "/data/hf"})
		if err != nil {
			t.Fatal(err)
		}
		if got := argv.String(); got != golden[p.ID] {
			t.Errorf("%s:\n got %s\nwant %s", p.ID, got, golden[p.ID])
		}
		// Nothing in them needs quoting, so that the printed line is the list itself.
		if got := strings.Join(argv, " "); got != argv.String() {
			t.Errorf("%s is quoted: %s", p.ID, argv)
		}
	}
}

func TestDockerRunKeepsSecretsAndDigestsOut(t *testing.T) {
	t.Setenv("HF_TOKEN", "hf_sentinelSentinel")
	t.Setenv("VLLM_API_KEY", "sk-sentinelSentinel")
	for _, p := range Presets() {
		argv, err := p.DockerRun(RunOptions{HFCache: "/data/hf", PassEnv: []string{"VLLM_API_KEY", "HF_TOKEN"}})
		if err != nil {
			t.Fatal(err)
		}
		line := argv.String()
		for _, bad := range []string{"entinel", "sha256", strings.TrimPrefix(p.Image.DigestPrefix, "sha256:"),
			"HF_TOKEN=", "VLLM_API_KEY="} {
			if strings.Contains(line, bad) {
				t.Errorf("%s: %q is in %s", p.ID, bad, line)
			}
		}
		for _, name := range []string{"HF_TOKEN", "VLLM_API_KEY"} {
			if n := strings.Count(line, "--env "+name+" "); n != 1 {
				t.Errorf("%s: %s is passed %d times, want once: %s", p.ID, name, n, line)
			}
		}
	}
}

func TestRevisionOnlyWithItsCheckpoint(t *testing.T) {
	for _, p := range Presets() {
		for _, model := range []string{p.Model, p.Checkpoint.Repo, "deepseek-ai/DeepSeek-V3.2"} {
			p.Model = model
			argv, err := p.DockerRun(RunOptions{HFCache: "/data/hf"})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.Index(argv, "--revision")
			if model != p.Checkpoint.Repo {
				if i >= 0 || slices.Contains(argv, p.Checkpoint.Revision) {
					t.Errorf("%s serves %s with the revision of %s: %s", p.ID, model, p.Checkpoint.Repo, argv)
				}
				continue
			}
			if i < 0 || argv[i+1] != p.Checkpoint.Revision || argv[i-1] != model {
				t.Errorf("%s serves its checkpoint without the revision: %s", p.ID, argv)
			}
		}
	}
}

func TestDockerRunOptions(t *testing.T) {
	p, err := Find("deepseek-v3.2")
	if err != nil {
		t.Fatal(err)
	}
	o := RunOptions{
		Name:    "arm-b",
		HFCache: "/data/hugging face",
		Port:    9000,
		Detach:  true,
		Env:     map[string]string{"ZED": "1", "VLLM_ROCM_USE_AITER": "0", "ALPHA": "a b"},
		PassEnv: []string{"VLLM_API_KEY"},
		Args:    []string{"--max-num-seqs", "512"},
		// A volume in which compile caches survive.
		DockerArgs: []string{"-v", "vllm-cache:/root/.cache/vllm"},
	}
	argv, err := p.DockerRun(o)
	if err != nil {
		t.Fatal(err)
	}
	want := "docker run --detach --name arm-b --device /dev/kfd --device /dev/dri --group-add video --ipc=host " +
		"--cap-add=SYS_PTRACE" +
		" --security-opt seccomp=unconfined -v '/data/hugging face:/root/.cache/huggingface' --network=host" +
		" --env HF_TOKEN --env VLLM_API_KEY --env VLLM_ROCM_USE_AITER=0 --env AITER_ENABLE_VSKIP=0 --env 'ALPHA=a " +
		"b' --env ZED=1" +
		" -v vllm-cache:/root/.cache/vllm vllm/vllm-openai-rocm:latest deepseek-ai/DeepSeek-V3-0324" +
		" --revision e9b33add76883f293d6bf61f6bd89b497e80e335 --tensor-parallel-size 8 --quantization fp8 " +
		"--block-size 1" +
		" --port 9000 --max-num-seqs 512"
	if argv.String() != want {
		t.Errorf("\n got %s\nwant %s", argv, want)
	}
	if len(o.Env) != 3 || len(o.Args) != 2 {
		t.Errorf("the caller's options were changed: %+v", o)
	}
}

// The arms of the page's ablation differ in the one variable that the preset says may be toggled.
func TestToggleIsTheOnlyDifference(t *testing.T) {
	p, err := Find("llama-3.1-405b")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Toggles) != 1 {
		t.Fatalf("toggles: %+v", p.Toggles)
	}
	name := p.Toggles[0].Name
	arm := func(value string) Argv {
		argv, err := p.DockerRun(RunOptions{HFCache: "/data/hf", Env: map[string]string{name: value}})
		if err != nil {
			t.Fatal(err)
		}
		return argv
	}
	a, b := arm("0"), arm("1")
	var diff []string
	for i := range a {
		if a[i] != b[i] {
			diff = append(diff, a[i], b[i])
		}
	}
	if len(a) != len(b) || !slices.Equal(diff, []string{"VLLM_ROCM_USE_AITER=0", "VLLM_ROCM_USE_AITER=1"}) {
		t.Errorf("the arms differ in %q", diff)
	}
}

func TestRunOptionsValidate(t *testing.T) {
	if err := (RunOptions{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	const secret = "hunter2hunter2"
	for _, c := range []struct {
		option, value string
		o             RunOptions
	}{
		{"Name", "-x", RunOptions{Name: "-x"}},
		{"Name", "a b", RunOptions{Name: "a b"}},
		{"HFCache", "hf", RunOptions{HFCache: "hf"}},
		{"HFCache", "~/.cache", RunOptions{HFCache: "~/.cache"}},
		{"HFCache", "/a:/etc", RunOptions{HFCache: "/a:/etc"}},
		{"HFCache", "/a\nb", RunOptions{HFCache: "/a\nb"}},
		{"Port", "-1", RunOptions{Port: -1}},
		{"Port", "65536", RunOptions{Port: 65536}},
		{"Env", "A=B", RunOptions{Env: map[string]string{"A=B": "c"}}},
		{"Env", "", RunOptions{Env: map[string]string{"": "c"}}},
		{"Env", "HF_TOKEN", RunOptions{Env: map[string]string{"HF_TOKEN": secret}}},
		{"Env", "VLLM_API_KEY", RunOptions{Env: map[string]string{"VLLM_API_KEY": secret}}},
		{"Env", "db_password", RunOptions{Env: map[string]string{"db_password": secret}}},
		{"Env", "REGISTRY_AUTH", RunOptions{Env: map[string]string{"REGISTRY_AUTH": secret}}},
		{"Env", "HF_TOKEN_2", RunOptions{Env: map[string]string{"HF_TOKEN_2": secret}}},
		{"Env", "MY_CREDS", RunOptions{Env: map[string]string{"MY_CREDS": secret}}},
		{"Env", "API_KEYS", RunOptions{Env: map[string]string{"API_KEYS": secret}}},
		{"Env", "OPENAI_APIKEY", RunOptions{Env: map[string]string{"OPENAI_APIKEY": secret}}},
		{"Env", "SESSION_COOKIE", RunOptions{Env: map[string]string{"SESSION_COOKIE": secret}}},
		{"Env", "TOKENS", RunOptions{Env: map[string]string{"TOKENS": secret}}},
		{"Env", "AWS_ACCESS_KEY_ID", RunOptions{Env: map[string]string{"AWS_ACCESS_KEY_ID": secret}}},
		{"Env", "S3_SECRET_ACCESS_KEY", RunOptions{Env: map[string]string{"S3_SECRET_ACCESS_KEY": secret}}},
		{"Env", "A", RunOptions{Env: map[string]string{"A": secret + "\x00"}}},
		{"PassEnv", "HF_TOKEN", RunOptions{PassEnv: []string{"HF_TOKEN=" + secret}}},
		{"Args", "--api-key", RunOptions{Args: []string{"--api-key", secret}}},
		{"Args", "--api-key", RunOptions{Args: []string{"--api_key=" + secret}}},
		{"Args", "--hf-token", RunOptions{Args: []string{"--hf-token=" + secret}}},
		{"Args", "--port", RunOptions{Args: []string{"--port", "1"}}},
		{"Args", "a\nb", RunOptions{Args: []string{"a\nb"}}},
		{"DockerArgs", "--env", RunOptions{DockerArgs: []string{"--env=HF_TOKEN=" + secret}}},
		{"DockerArgs", "-eHF_TOKEN", RunOptions{DockerArgs: []string{"-eHF_TOKEN=" + secret}}},
		{"DockerArgs", "-e", RunOptions{DockerArgs: []string{"-e", "HF_TOKEN=" + secret}}},
		{"DockerArgs", "-ieHF", RunOptions{DockerArgs: []string{"-ieHF=" + secret}}},
		{"DockerArgs", "-qitPde", RunOptions{DockerArgs: []string{"-qitPde", "HF_TOKEN=" + secret}}},
		{"DockerArgs", "a\x1b", RunOptions{DockerArgs: []string{"a\x1b"}}},
	} {
		err := c.o.Validate()
		oe, ok := errors.AsType[*OptionError](err)
		if !ok || oe.Option != c.option || oe.Value != c.value {
			t.Errorf("%+v: %v; want an OptionError for %s %q", c.o, err, c.option, c.value)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the secret: %v", err)
		}
		if argv, err := Presets()[0].DockerRun(c.o); err == nil {
			t.Errorf("DockerRun took what Validate refused: %s", argv)
		}
	}
	for _, o := range []RunOptions{
		{Env: map[string]string{"HF_TOKEN_PATH": "/run/token", "DB_PASSWORD_FILE": "/run/password", "EMPTY": ""}},
		{Env: map[string]string{ // neither secret nor worth hiding from the record of a run
			"VLLM_TOKENIZER_POOL": "4", "TOKENIZERS_PARALLELISM": "false",
			"VLLM_MAX_TOKENS_PER_EXPERT_FP4_MOE": "163840",
			"MAX_NUM_BATCHED_TOKENS":             "8192", "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "1", "VLLM_ROCM_USE_AITER": "1",
		}},
		{DockerArgs: []string{"-it", "-v", "/e:/e", "-v/e:/e", "--expose", "9"}},
		{DockerArgs: []string{"--env-file", "/etc/vllm.env", "--entrypoint", "x"}},
		{Port: 65535},
	} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestHFCacheIsFoundAsTheClientDoes(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct{ hfHome, xdg, want string }{
		{"", "", filepath.Join(home, ".cache", "huggingface")},
		{"", "/xdg", "/xdg/huggingface"},
		{"/hf", "/xdg", "/hf"},
		{"hf", "", ""}, // relative: docker would take it for a volume
	} {
		t.Setenv("HOME", home)
		t.Setenv("HF_HOME", c.hfHome)
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		argv, err := Presets()[0].DockerRun(RunOptions{})
		if c.want == "" {
			if _, ok := errors.AsType[*OptionError](err); !ok {
				t.Errorf("%+v: %s, %v; want an OptionError", c, argv, err)
			}
			continue
		}
		if err != nil || !slices.Contains(argv, c.want+":/root/.cache/huggingface") {
			t.Errorf("%+v: %s, %v", c, argv, err)
		}
	}
}

func TestMatchesDigest(t *testing.T) {
	i := Presets()[0].Image
	whole := i.DigestPrefix + strings.Repeat("a", 64+len("sha256:")-len(i.DigestPrefix))
	for digest, want := range map[string]bool{
		whole:                                true,
		"vllm/vllm-openai-rocm@" + whole:     true,
		i.DigestPrefix:                       false, // no more than what is known already
		whole + "a":                          false,
		"sha256:" + strings.Repeat("a", 64):  false,
		strings.TrimPrefix(whole, "sha256:"): false,
		"":                                   false,
	} {
		if got := i.MatchesDigest(digest); got != want {
			t.Errorf("MatchesDigest(%q) = %v", digest, got)
		}
	}
	if (Image{}).MatchesDigest(whole) {
		t.Error("an image without a pinned digest matches one")
	}
}

func TestArgvString(t *testing.T) {
	for _, c := range []struct {
		argv Argv
		want string
	}{
		{nil, ""},
		{Argv{"a", "--b=c", "d/e:f@g,h+i%j_k"}, "a --b=c d/e:f@g,h+i%j_k"},
		{Argv{"a", ""}, "a ''"},
		{Argv{"A=B", "A=B"}, "'A=B' A=B"},
		{Argv{"a", "it's", "$HOME", "~", "a;b"}, `a 'it'\''s' '$HOME' '~' 'a;b'`},
	} {
		if got := c.argv.String(); got != c.want {
			t.Errorf("%q: got %s, want %s", []string(c.argv), got, c.want)
		}
	}
}

// Whatever shell metacharacter there is, the shell itself must read the line as the list that it was.
func TestArgvStringThroughShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"", " ", "a b", "'", "''", `"`, `\`, "$HOME", "$(id)", "`id`", "~", "*", "?", "[a]", "{a,b}",
		"!", "#x", "a#b", "&", "|", ";", "<", ">", "(", ")",
		"a\nb", "\n", "\t", "A=B", "é", "日本", "\xff\xfe", "-n", "--", "%s"}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := make([]byte, rng.IntN(12))
		for i := range b {
			b[i] = byte(1 + rng.IntN(255)) // no NUL: it cannot be in an argument
		}
		args = append(args, string(b))
	}
	line := append(Argv{"printf", `%s\0`}, args...).String()
	out, err := exec.Command(sh, "-c", line).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(got) != len(args) {
		t.Fatalf("the shell saw %d arguments, want %d", len(got), len(args))
	}
	for i := range args {
		if got[i] != args[i] {
			t.Errorf("argument %d: the shell saw %q, want %q", i, got[i], args[i])
		}
	}
}

// Facts have forms: a typo in a revision must not wait for a download to fail.
func TestPresetForms(t *testing.T) {
	ids := map[string]bool{}
	for _, p := range Presets() {
		for what, ok := range map[string]bool{
			"ID":       regexp.MustCompile(`^[a-z0-9][a-z0-9.-]+$`).MatchString(p.ID) && !ids[p.ID],
			"revision": regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(p.Checkpoint.Revision),
			"repo":     strings.Count(p.Checkpoint.Repo, "/") == 1,
			"model":    strings.Count(p.Model, "/") == 1,
			"digest":   regexp.MustCompile(`^sha256:[0-9a-f]{10}$`).MatchString(p.Image.DigestPrefix),
			"source":   p.ModelSource == SourcePage || p.ModelSource == SourceGuide,
			"guide":    strings.HasPrefix(p.Guide, "https://"),
		} {
			if !ok {
				t.Errorf("%s: bad %s", p.ID, what)
			}
		}
		ids[p.ID] = true
	}
}
