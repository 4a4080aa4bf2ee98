//go:build docker

package envinfo_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
)

// With the build tag docker a daemon must be there, and a container of a small image (SERVEGAUGE_DOCKER_IMAGE) is read as it is.
func TestDockerDaemon(t *testing.T) {
	image := os.Getenv("SERVEGAUGE_DOCKER_IMAGE")
	if image == "" {
		image = "busybox"
	}
	out, err := exec.CommandContext(t.Context(), "docker", "run", "-d", "--shm-size", "128m", "--cpus", "0.5", "-e", "VLLM_X=1", image, "sleep", "600").CombinedOutput()
	if err != nil {
		t.Fatalf("docker run: %v: %s", err, out)
	}
	id := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", id).Run() })
	c := captureContainer(t, "docker", id, envinfo.ContainerOptions{})
	known(t, "id", c.ID, id)
	known(t, "state", c.State, "running")
	known(t, "shm", c.ShmSize, 128<<20)
	known(t, "CPUs", c.CPULimit, 0.5)
	known(t, "command", c.Command, "sleep 600")
	known(t, "VLLM_X", c.Environment[0].Value, "1")
}
