package container

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/software"
)

// writeTree makes files below dir.
func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProcessRoot(t *testing.T) {
	id := strings.Repeat("3fa9c1d2", 8)
	proc := t.TempDir()
	writeTree(t, proc, map[string]string{
		"10/cgroup": "0::/system.slice/docker-" + id + ".scope\n", "10/root/srv/rocm-7/.info/version": "7.0.0\n",
		"10/root/etc/hostname": "inside\n",
		"11/cgroup":            "0::/\n",
		"11/mountinfo":         "1 2 0:1 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw\n",
		"11/root/x":            "",
		"12/cgroup":            "0::/system.slice/sshd.service\n", "12/mountinfo": "",
		"12/root/opt/rocm/.info/version": "9.9.9\n",
	})
	// An absolute link is the container's own, and one that climbs ends at its root.
	if err := os.MkdirAll(proc+"/10/root/opt", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"opt/rocm": "/srv/rocm-7", "opt/up": "../../../../../../etc/hostname"} {
		if err := os.Symlink(target, filepath.Join(proc, "10/root", name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, id string
		pid      int
		remote   bool
		want     string // in the error
	}{
		{name: "by its group", id: id, pid: 10},
		{name: "by its mounts", id: id, pid: 11},
		{name: "another process", id: id, pid: 12, want: "neither its control group nor its mounts name the container"},
		{name: "gone", id: id, pid: 13, want: "no such file"},
		{name: "not running", id: id, want: "names no process"},
		{name: "not told", pid: 10, want: "id is unknown"},
		{name: "elsewhere", id: id, pid: 10, remote: true, want: "not this machine's"},
	} {
		c := &capture{ctx: t.Context(), local: !test.remote, id: test.id, pid: test.pid}
		fsys, err := c.processRoot(proc)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", test.name, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if test.pid == 10 {
			in := software.New(source.NewReader(t.Context(), fsys), containerScope(id), "")
			in.ROCm()
			if v, _ := in.Found[0].Version.Get(); v != "7.0.0" ||
				in.Found[0].Version.Scope() != "container:3fa9c1d23fa9" {
				t.Errorf("ROCm is %v", in.Found[0].Version)
			}
			if b, err := in.File("opt/up", source.SmallFile); string(b) != "inside\n" {
				t.Errorf("a link that climbs leads to %q, %v", b, err)
			}
		}
		if err := fsys.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	}
}
