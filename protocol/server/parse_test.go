package server

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/internal/strictjson"
	"github.com/servegauge/servegauge/protocol"
)

func TestParse(t *testing.T) {
	t.Setenv("HF_HOME", "/models")
	for text, want := range map[string]string{
		"docker:vllm":                         "docker vllm",
		"podman:vllm":                         "podman vllm",
		"docker:run --name a image":           "docker run --name a image",
		"podman:run image 'a b'":              "podman run image a b",
		"compose:vllm":                        "compose vllm",
		"kubectl:ns/deploy/vllm":              "kubectl ns deploy vllm 0",
		"kubectl:ns/statefulset/vllm=4":       "kubectl ns sts vllm 4",
		"systemd:vllm@8.service":              "systemd vllm@8.service",
		"process:vllm serve 'a b'":            "process [vllm serve a b]",
		"cmd: stop it ;start it; and more":    "cmd stop it|start it; and more",
		"cmd:;serve":                          "cmd |serve",
		"none":                                "none http://host:9",
		"preset:llama-3.1-405b":               "--port 9",
		"preset:Llama 3.1 405B A=1":           "--env A=1",
		"preset:kimi-k2.5 image=x/y:1":        "x/y:1 vllm serve",
		"preset:kimi-k2.5 A=1 --max-len=1 B=": "--max-len=1 B=",
	} {
		s, err := Parse(text, Options{URL: "http://host:9"})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got string
		switch s := s.(type) {
		case controlled:
			got = s.Kind + " " + s.Name
		case Run:
			got = strings.Join(s.Argv, " ")
		case *workload:
			got = strings.Join([]string{"kubectl", s.namespace, s.kind, s.name, string(rune('0' + s.replicas))}, " ")
		case Process:
			got = "process [" + strings.Join(s.Argv, " ") + "]"
		case Commands:
			got = "cmd " + s.StopCommand + "|" + s.StartCommand
		case None:
			got = "none " + string(s)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %T %q, want %q", text, s, got, want)
		}
	}
	for text, say := range map[string]string{
		"":                      "docker:NAME",
		"docker":                "docker:NAME",
		"docker:--privileged":   "--privileged",
		"docker:run":            "docker run",
		"docker:run 'a":         "not closed",
		"kubectl:ns/vllm":       "three parts",
		"kubectl:ns/deploy/a=0": "at least 1",
		"kubectl:-n/deploy/a":   "names",
		"systemd:-H":            "-H",
		"cmd:stop":              "STOP;START",
		"process:":              "a command",
		"none":                  "-url",
		"preset:":               "preset",
		"preset:gpt":            "kimi-k2.5",
		"preset:kimi-k2.5 x":    "kimi-k2.5",
		"nothing.json":          "nothing.json",
	} {
		if _, err := Parse(text, Options{}); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, want an error that says %q", text, err, say)
		}
	}
}

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                            nil,
		"  a  b\tc\n":                 {"a", "b", "c"},
		`'a b' "c d"e f\ g`:           {"a b", "c de", "f g"},
		`'' "" x`:                     {"", "", "x"},
		`'a"b' "c'd" "\"\\\x"`:        {`a"b`, `c'd`, `"\\x`},
		`-e 'A={"x": [1]}' $HOME * ;`: {"-e", `A={"x": [1]}`, "$HOME", "*", ";"},
	} {
		if got, err := split(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`'a`, `"a`, `a\`} {
		if _, err := split(line); err == nil {
			t.Errorf("%s has no error", line)
		}
	}
}

const whole = `{
  "name": "mine", "image": "vllm/vllm-openai:v0.11.0",
  "flags": ["--network=host", "--device", "/dev/kfd"],
  "env": {"B": "2", "A": "1"}, "pass_env": ["HF_TOKEN"],
  "command": ["vllm", "serve"], "model": "org/model", "revision": "abc",
  "args": ["--max-model-len", "4096"], "port": 8001
}`

func TestConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.json")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(whole)
	s, err := Parse(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "docker run --name mine --network=host --device /dev/kfd --env HF_TOKEN --env A=1 --env B=2 " +
		"vllm/vllm-openai:v0.11.0 vllm serve org/model --revision abc --max-model-len 4096 --port 8001"
	if r := s.(Run); strings.Join(r.Argv, " ") != want || r.URL != "http://127.0.0.1:8001" {
		t.Errorf("%q at %s", r.Argv, r.URL)
	}
	digest := "sha256:" + strings.Repeat("0f", 32)
	write(strings.Replace(whole, `"flags"`, `"digest": "`+digest+`", "flags"`, 1))
	s, err = Parse(file, Options{})
	r, ok := s.(Run)
	if err != nil || !ok || r.Pinned != digest || !strings.Contains(strings.Join(r.Argv, " "), "v0.11.0@"+digest) {
		t.Errorf("%+v %v", s, err)
	}
	for _, c := range []struct{ text, say string }{
		{strings.Replace(whole, `"args"`, `"arguments"`, 1), `mine.json:6:3: there is no member "arguments"`},
		{strings.Replace(whole, `8001`, `"8001"`, 1), `mine.json:6:53: port of Configuration`},
		{strings.Replace(whole, `"2", "A"`, `2, "A"`, 1), `mine.json:4:16: env of Configuration`},
		{strings.Replace(whole, `"serve"]`, `"serve"`, 1), "mine.json:5:"},
		{whole + "x", "mine.json:7:2: something follows"},
		{"[]", "mine.json:1:1: "},
		{"", "mine.json:1:1: the text ends"},
		{"{", "mine.json:1:2"},
		{"{}", "image"},
		{`{"image": "-v", "model": "m"}`, `image "-v"`},
		{`{"image": "a", "model": "--help"}`, `model "--help"`},
		{`{"image": "a", "model": "m", "digest": "sha256:12"}`, `digest "sha256:12"`},
		{`{"image": "a", "model": "m", "runtime": "rkt"}`, `runtime "rkt"`},
		{`{"image": "a", "model": "m", "env": {"HF_TOKEN": "x"}}`, "secret"},
		{strings.Repeat(" ", maxConfiguration+1), "longer than"},
	} {
		write(c.text)
		_, err := Parse(file, Options{})
		var bad *ConfigurationError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), file) {
			t.Errorf("%.60q: %v, want an error that names the file and says %q", c.text, err, c.say)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"image": {"a": [1, null]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		err := strictjson.Unmarshal(text, &Configuration{})
		if at, ok := errors.AsType[*strictjson.Error](err); err != nil && (!ok || at.Line < 1 || at.Column < 1) {
			t.Fatalf("%v", err)
		}
	})
}

func TestUnitIdentity(t *testing.T) {
	const text = "MainPID=4711\nResult=success\nExecMainStatus=0\nLoadState=loaded\nActiveState=active\nInvocationID=9f0c\n"
	id, err := unitIdentity([]byte(text))
	if err != nil || id.Proof != "invocation 9f0c" || !reflect.DeepEqual(id.PIDs, []int{4711}) {
		t.Errorf("%+v %v", id, err)
	}
	for _, c := range []struct{ from, to, state, say string }{
		{"ActiveState=active", "ActiveState=failed", "failed", "exit code 1: exit-code"},
		{"ActiveState=active", "ActiveState=inactive", "inactive", "inactive"},
		{"loaded\nActiveState=active", "not-found\nActiveState=inactive", absent, absent},
		{text, "", absent, absent},
	} {
		changed := strings.Replace(text, c.from, c.to, 1)
		if c.state == "failed" {
			changed = strings.NewReplacer("success", "exit-code", "ExecMainStatus=0",
				"ExecMainStatus=1").Replace(changed)
		}
		_, err := unitIdentity([]byte(changed))
		var ended *EndedError
		if !errors.As(err, &ended) || ended.State != c.state || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%q: %v", c.to, err)
		}
	}
	_, err = unitIdentity([]byte(strings.NewReplacer("success", "oom-kill", "=active", "=failed").Replace(text)))
	if ended := (*EndedError)(nil); !errors.As(err, &ended) || !ended.OOMKilled {
		t.Errorf("%v", err)
	}
}

const pods = `{"items": [
 {"metadata": {"name": "vllm-6c9f-b", "uid": "u2", "labels": {"pod-template-hash": "6c9f"},
   "ownerReferences": [{"kind": "ReplicaSet", "name": "vllm-6c9f"}]}, "spec": {"nodeName": "gpu-1"},
  "status": {"containerStatuses": [{"containerID": "containerd://b", "state": {"running": {}}}]}},
 {"metadata": {"name": "vllm-6c9f-a", "uid": "u1", "labels": {"pod-template-hash": "6c9f"},
   "ownerReferences": [{"kind": "ReplicaSet", "name": "vllm-6c9f"}]}, "spec": {"nodeName": "gpu-2"},
  "status": {"containerStatuses": [{"containerID": "containerd://a", "state": {"running": {}}}]}},
 {"metadata": {"name": "vllm-web-1-x", "uid": "u3", "labels": {"pod-template-hash": "1"},
   "ownerReferences": [{"kind": "ReplicaSet", "name": "vllm-web-1"}]},
  "status": {"containerStatuses": []}}]}`

func TestPodIdentity(t *testing.T) {
	id, err := podIdentity([]byte(pods), "deploy", "vllm", 2)
	want := protocol.Identity{
		Kind: "kubectl", Container: "vllm-6c9f-a vllm-6c9f-b", Host: "gpu-1 gpu-2",
		Proof: "pod u1 containerd://a, pod u2 containerd://b",
	}
	if err != nil || !reflect.DeepEqual(id, want) {
		t.Errorf("%+v %v", id, err)
	}
	for _, c := range []struct {
		name     string
		replicas int
		text     string
		state    string
	}{
		{"vllm", 3, pods, pending},
		{"vllm", 2, strings.Replace(pods, `"running"`, `"waiting"`, 1), pending},
		{"vllm-web", 1, pods, pending},
		{"other", 1, pods, absent},
		{"vllm", 1, `{"items": []}`, absent},
	} {
		_, err := podIdentity([]byte(c.text), "deploy", c.name, c.replicas)
		if ended := (*EndedError)(nil); !errors.As(err, &ended) || ended.State != c.state {
			t.Errorf("%s of %d: %v, want %s", c.name, c.replicas, err, c.state)
		}
	}
	if _, err := podIdentity([]byte("error"), "sts", "vllm", 1); err == nil {
		t.Error("no JSON is no error")
	}
}
