//go:build docker

package envinfo_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/container"
)

// With the build tag docker a daemon must be there. An image is made of a program that sleeps and of what servers'
// images hold, so that nothing is pulled; a container of it is read as it is, and inside.
func TestDockerDaemon(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nimport \"time\"\n\nfunc main() { "+
		"time.Sleep(10 * time.Minute) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "sleep", "main.go")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	run(t, build)
	program, err := os.ReadFile(filepath.Join(dir, "sleep"))
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	w := tar.NewWriter(&image)
	for _, f := range []struct {
		name string
		mode int64
		data string
	}{
		{"bin/sleep", 0o755, string(program)},
		{"opt/rocm/.info/version", 0o644, "7.0.0-1\n"},
		{"usr/local/lib/python3.12/dist-packages/vllm-0.14.1.dist-info/METADATA", 0o644, "Name: vllm\nVersion: " +
			"0.14.1\n"},
	} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const name = "servegauge-test:1"
	load := exec.CommandContext(t.Context(), "docker", "import", "-", name)
	load.Stdin = &image
	imageID := run(t, load)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", name).Run() })
	id := run(
		t,
		exec.CommandContext(t.Context(), "docker", "run", "-d", "--shm-size", "128m", "--cpus", "0.5", "-e", "VLLM_X=1",
			"-e", "HF_TOKEN=planted", name, "sleep", "600"),
	)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", id).Run() })

	c := captureContainer(t, "docker", id, container.Options{})
	known(t, "id", c.ID, id)
	known(t, "image", c.Image, name)
	known(t, "image id", c.ImageID, imageID)
	known(t, "state", c.State, "running")
	known(t, "shm", c.ShmSize, 128<<20)
	known(t, "CPUs", c.CPULimit, 0.5)
	known(t, "command", c.Command, "sleep 600")
	for _, s := range c.Environment {
		switch value, ok := s.Value.Get(); {
		case s.Name == "VLLM_X" && value != "1", s.Name == "HF_TOKEN" && ok:
			t.Errorf("%s is %v", s.Name, s.Value)
		}
	}
	if len(c.Environment) != 2 || len(c.RepoDigests) != 0 { // an image that was made here has no digest
		t.Errorf("%v, %v", c.Environment, c.RepoDigests)
	}
	scope := "container:" + id[:12]
	for _, want := range []string{"ROCm " + scope + " 7.0.0-1", "vllm " + scope + "/python:/usr/local 0.14.1"} {
		found := false
		for _, s := range c.Software {
			found = found || s.Name+" "+string(s.Version.Scope())+" "+s.Version.String() == want
		}
		if !found {
			t.Errorf("no %s in %v", want, c.Software)
		}
	}
}

// run returns what a command prints.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, &complaint)
	}
	return strings.TrimSpace(string(out))
}
