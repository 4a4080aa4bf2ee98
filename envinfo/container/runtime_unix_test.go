//go:build unix

package container

import (
	"os"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// The runtime is found on PATH, and ends with the capture.
func TestContainerTools(t *testing.T) {
	dir := t.TempDir()
	id := strings.Repeat("3fa9c1d2", 8)
	writeTree(
		t,
		dir,
		map[string]string{
			"docker": "#!/bin/sh\ncase \"$1\" in\ninspect) echo '[{\"Id\": \"" + id + "\", \"Name\": \"/c\"}]';;\n" +
				"*) echo refused >&2; exit 1;;\nesac\n",
		},
	)
	if err := os.Chmod(dir+"/docker", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	c, err := Capture(t.Context(), "docker", "c", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := c.ID.Get(); v != id {
		t.Errorf("id is %v", c.ID)
	}
	if v := c.Versions[0].Version; !strings.HasSuffix(v.Reason(), "refused") || v.Scope() != fact.ScopeHost {
		t.Errorf("version is %v", v)
	}
	c, err = Capture(t.Context(), "podman", "c", Options{})
	if err != nil || !strings.Contains(c.ID.Reason(), "not found on PATH") {
		t.Errorf("without podman: %v, %v", c, err)
	}
}
