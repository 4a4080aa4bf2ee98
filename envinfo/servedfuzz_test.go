package envinfo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/serving"
)

// Whatever a runtime writes, the container prints and reads back as it was.
func FuzzContainer(f *testing.F) {
	id := strings.Repeat("3fa9c1d2", 8)
	f.Add(
		[]byte(
			`[{"Id": "` + id + `", "Path": "vllm", "Args": ["serve", "m"], "State": {"Status": "running"},
			"Image": "x", "Config": {"Image": "a@b", "Env": ["HF_HOME=/x"]},
		"HostConfig": {"NanoCpus": 1, "Memory": -1, "DeviceRequests": [{}]}, "Mounts": [{}], "RepoDigests": ["a@b"]}]`,
		),
	)
	f.Add(
		[]byte(
			`{"Server": {"Components": [{}]}, "spec": {"nodeName": "n", "containers": [{"name": "a", "args": ["x"],
			"resources": {"limits": {"cpu": 1, "a/b": {}}}, "volumeMounts": [{}]}]},
		"status": {"containerStatuses": [{"name": "a", "imageID": "docker://x", "containerID": "a://` + id + `",
		"state": {"running": null}}]}}`,
		),
	)
	f.Fuzz(func(t *testing.T, b []byte) {
		run := func(context.Context, string, ...string) ([]byte, error) { return b, nil }
		for _, runtime := range []string{"docker", "podman", "kubernetes"} {
			c, err := container.Capture(t.Context(), runtime, "c", container.Options{Run: run})
			if err != nil {
				continue // a pod with several containers
			}
			checkRoundTrip(t, &Environment{Containers: []container.Container{*c}})
			if shm, ok := c.ShmSize.Get(); ok && shm < 0 {
				t.Errorf("shm %d", shm)
			}
			for _, l := range []fact.Value[fact.Limit]{c.CPULimit, c.MemoryLimit} {
				if n, ok := l.Get(); ok && !(n >= 0) {
					t.Errorf("limit %v", l)
				}
			}
		}
	})
}

func checkRoundTrip(t *testing.T, env *Environment) {
	t.Helper()
	if err := env.WriteText(io.Discard); err != nil {
		t.Fatal(err)
	}
	first, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	var back Environment
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	if second, err := json.Marshal(&back); err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
}

func FuzzModel(f *testing.F) {
	f.Add(
		[]byte(
			`{"architectures": ["A"], "dtype": "bfloat16", "text_config": {"num_hidden_layers": 2},
			"quantization_config": {"quant_method": "fp8", "bits": 8}}`,
		),
	)
	f.Add([]byte(strings.Repeat("a0", 20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := fstest.MapFS{}
		const model = "root/.cache/huggingface/hub/models--m/"
		for _, name := range []string{model + "refs/main",
			model + "snapshots/" + strings.Repeat("a0", 20) + "/config.json"} {
			fsys[name] = &fstest.MapFile{Data: b}
		}
		m, err := serving.CaptureModel(t.Context(), "m", serving.ModelOptions{FS: fsys})
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, &Environment{Model: m})
		if n, ok := m.Layers.Get(); ok && n < 0 {
			t.Errorf("%d layers", n)
		}
	})
}
