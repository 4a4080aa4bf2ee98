//go:build docker && linux

package examples_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/protocol/server"
)

// An image's digest from a registry is recorded, and one that differs from the pinned one is flagged; and the command
// line of each preset runs as it stands, with the simulated image in the place of the page's.
func TestDockerDigestsAndPresets(t *testing.T) {
	buildImage(t)
	registry := "127.0.0.1:" + startRegistry(t)
	pushed := registry + "/simulated:1"
	tool(t, "docker", "tag", image, pushed)
	tool(t, "docker", "push", "--quiet", pushed)
	var digests []string
	text := tool(t, "docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image)
	if err := json.Unmarshal([]byte(text), &digests); err != nil || len(digests) != 1 {
		t.Fatalf("%v %v", digests, err)
	}
	_, digest, _ := strings.Cut(digests[0], "@")
	port := freeport.Get(t)
	file := filepath.Join(t.TempDir(), "mine.json")
	configuration := fmt.Sprintf(`{"image": %q, "digest": %q, "model": "some/model", "revision": "abc",
		"flags": ["--network=host"], "port": %s}`, pushed, digest, port)
	if err := os.WriteFile(file, []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	out, args := quickly(t, port, "-runs", "1", "-server", file)
	if p := run(t, "multirun", args...); p.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	s := read(t, out).Starts[0]
	c := s.Server.Containers[0]
	got, _ := c.RepoDigests[0].Get()
	if !strings.HasSuffix(got, digest) || hasCode(s.Warnings, server.WarnImageDiffers) ||
		!strings.Contains(string(s.Asked), digest) {
		t.Errorf("digests %v, warnings %v, asked %s", c.RepoDigests, s.Warnings, s.Asked)
	}
	devices(t)
	for preset, reference := range map[string]string{
		"llama-3.1-405b": "vllm/vllm-openai-rocm:latest", "kimi-k2.5": "rocm/vllm-dev:nightly",
	} {
		if preset == "kimi-k2.5" { // this image has no entry point
			entry := imageContext(t)
			from := []byte("FROM " + image + "\nENTRYPOINT []\n")
			if err := os.WriteFile(filepath.Join(entry, "Dockerfile"), from, 0o644); err != nil {
				t.Fatal(err)
			}
			tool(t, "docker", "build", "--quiet", "--tag", reference, entry)
		} else {
			tool(t, "docker", "tag", image, reference)
		}
		t.Cleanup(func() { _ = exec.Command("docker", "rmi", reference).Run() })
		out, args := quickly(t, port, "-runs", "2", "-server",
			"preset:"+preset+" VLLM_ROCM_USE_AITER=1 hf-cache="+t.TempDir()+" --max-num-seqs 256")
		if p := run(t, "multirun", args...); p.code != 0 {
			t.Fatalf("%s: exit code %d\n%s\n%s", preset, p.code, p.stdout, p.stderr)
		}
		e := read(t, out)
		s := e.Starts[1]
		if !hasCode(s.Warnings, server.WarnImageDiffers) || len(e.Starts) != 2 || e.Starts[0].Instance == s.Instance {
			t.Errorf("%s: warnings %v, %d starts", preset, s.Warnings, len(e.Starts))
		}
		for _, setting := range s.Server.Containers[0].Environment {
			if v, _ := setting.Value.Get(); setting.Name == "VLLM_ROCM_USE_AITER" && v != "1" {
				t.Errorf("%s: %s is %s", preset, setting.Name, v)
			}
		}
		if s.Server.Containers[0].Engine == nil || !strings.Contains(string(s.Asked), "--max-num-seqs") {
			t.Errorf("%s: engine %v, asked %s", preset, s.Server.Containers[0].Engine, s.Asked)
		}
	}
}

// startRegistry starts Debian's docker-registry, and returns its port.
func startRegistry(t *testing.T) string {
	t.Helper()
	port, dir := freeport.Get(t), t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: 127.0.0.1:%s\n",
		dir, port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-registry", "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 500 {
		if response, err := http.Get("http://127.0.0.1:" + port + "/v2/"); err == nil {
			response.Body.Close()
			return port
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the registry does not answer")
	return ""
}

// devices makes what the presets' --device needs, where it is not there: nodes that are /dev/null.
func devices(t *testing.T) {
	t.Helper()
	for _, name := range []string{"/dev/kfd", "/dev/dri/renderD128"} {
		if _, err := os.Stat(name); err == nil {
			continue
		}
		if dir := filepath.Dir(name); dir != "/dev" {
			if err := os.Mkdir(dir, 0o755); err == nil {
				t.Cleanup(func() { _ = os.Remove(dir) })
			}
		}
		if err := syscall.Mknod(name, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(func() { _ = os.Remove(name) })
	}
}
