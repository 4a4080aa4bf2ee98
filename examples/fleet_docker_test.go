//go:build docker && linux

package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// The image of the Dockerfile is built as it says, and its containers are a fleet: as the user who may do nothing, on a
// file system that cannot be written.
func TestDockerFleet(t *testing.T) {
	t.Setenv("NATS_TOKEN", "hunter2")
	t.Setenv("DOCKER_BUILDKIT", "0")
	dir := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "fleet"), "./fleet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for from, name := range map[string]string{"/etc/ssl/certs/ca-certificates.crt": "ca-certificates.crt",
		"fleet/Dockerfile": "Dockerfile"} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const image = "servegauge-fleet-test"
	tool(t, "docker", "build", "--quiet", "--tag", image, dir)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "--force", image).Run() })
	size := tool(t, "docker", "image", "inspect", "--format", "{{.Size}}", image)
	t.Logf("the image has %s bytes", size)

	nats, to := natsHere(t), simulatedServer(t)
	for i := range 2 {
		id := tool(t, "docker", "run", "--detach", "--network=host", "--read-only", "--cap-drop=ALL", "--env",
			"NATS_TOKEN", image,
			"worker", "-nats", nats, "-fleet-token-env", "NATS_TOKEN", "-name", fmt.Sprint("container-", i), "-allow",
			to)
		t.Cleanup(func() {
			if log, err := exec.Command("docker", "logs", id).CombinedOutput(); t.Failed() && err == nil {
				t.Logf("%s", log)
			}
			_ = exec.Command("docker", "stop", "--time", "10", id).Run()
			if code := tool(t, "docker", "inspect", "--format", "{{.State.ExitCode}} {{.Config.User}}",
				id); code != "0 65532:65532" {
				t.Errorf("a container that was stopped ended with %s", code)
			}
			_ = exec.Command("docker", "rm", "--force", id).Run()
		})
	}
	p := run(t, "loadtest", "-fleet", nats, "-fleet-token-env", "NATS_TOKEN", "-workers", "2", "-url", to,
		"-concurrency", "6", "-requests",
		"120", "-json")
	var r loadgen.Result
	if err := json.Unmarshal([]byte(p.stdout), &r); err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
	if names := strings.Join(fleetOf(&r), " "); names != "container-0 container-1" || r.Accounting.Completed != 120 {
		t.Errorf("%s, %+v, %v", names, r.Accounting, r.Warnings)
	}
	for _, part := range r.Parts {
		if part.Generator.Sustained <= 0 {
			t.Errorf("%+v", part.Generator)
		}
	}
}
