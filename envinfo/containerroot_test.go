package envinfo

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
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
		"10/cgroup": "0::/system.slice/docker-" + id + ".scope\n", "10/root/srv/rocm-7/.info/version": "7.0.0\n", "10/root/etc/hostname": "inside\n",
		"11/cgroup": "0::/\n", "11/mountinfo": "1 2 0:1 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw\n", "11/root/x": "",
		"12/cgroup": "0::/system.slice/sshd.service\n", "12/mountinfo": "", "12/root/opt/rocm/.info/version": "9.9.9\n",
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
		c := &containerCapture{ctx: t.Context(), local: !test.remote, id: test.id, pid: test.pid}
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
			in := NewInventory(NewReader(t.Context(), fsys), containerScope(id), "")
			in.ROCm()
			if v, _ := in.Found[0].Version.Get(); v != "7.0.0" || in.Found[0].Version.Scope() != "container:3fa9c1d23fa9" {
				t.Errorf("ROCm is %v", in.Found[0].Version)
			}
			if b, err := in.file("opt/up", smallFile); string(b) != "inside\n" {
				t.Errorf("a link that climbs leads to %q, %v", b, err)
			}
		}
		if err := fsys.(rootFS).Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCopied(t *testing.T) {
	fsys := newCopied(map[string][]byte{"opt/rocm/.info/version": []byte("7"), "etc/os-release": []byte("X")}, insidePatterns)
	if err := fstest.TestFS(fsys, "opt/rocm/.info/version", "etc/os-release"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]error{
		"opt/rocm-6.4.2/.info/version": fs.ErrNotExist, "opt/rocm-6.4.2": fs.ErrNotExist, "var": fs.ErrNotExist, "var/lib/dpkg/status": fs.ErrNotExist,
		"opt/rocm/lib/librccl.so": errNotCopied, "usr/bin/vllm": errNotCopied, "opt/rocm/.info/version/x": errNotCopied,
	} {
		if _, err := fsys.Open(name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func FuzzUntar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"./a/b", "/abs", "../up", "a"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 1, Typeflag: tar.TypeReg}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("not tar"))
	f.Fuzz(func(t *testing.T, b []byte) {
		files, err := untar(b)
		if err != nil {
			return
		}
		total := 0
		for name, data := range files {
			if !fs.ValidPath(name) {
				t.Errorf("name %q", name)
			}
			total += len(data)
		}
		if total > maxContainerOutput {
			t.Errorf("%d bytes", total)
		}
		fsys := newCopied(files, nil)
		for name := range files {
			if f, err := fsys.Open(name); err != nil {
				t.Errorf("%q: %v", name, err)
			} else {
				f.Close()
			}
		}
	})
}

func TestUntarBounds(t *testing.T) {
	if _, err := untar(make([]byte, maxContainerOutput+1)); !errors.As(err, new(tooLarge)) {
		t.Errorf("too many bytes: %v", err)
	}
}

func TestPython(t *testing.T) {
	fsys := fstest.MapFS{}
	for name, data := range map[string]string{
		"opt/venv/lib/python3.12/site-packages/vllm-0.14.1.dist-info/METADATA":          "Name: vllm\r\nVersion: 0.14.1\r\n\r\n",
		"usr/lib/python3/dist-packages/NumPy-1.26.4.dist-info/METADATA":                 "Name: numpy\nversion: 1.26.4\n",
		"usr/lib/python3/dist-packages/unrelated-1.0.dist-info/METADATA":                "Version: 1.0\n",
		"usr/local/lib/python3.11/dist-packages/amd_aiter-0.1.5.dist-info/INSTALLER":    "pip\n",
		"usr/local/lib/python3.11/dist-packages/huggingface_hub-1.0.dist-info/METADATA": "Name: x\n\nVersion: 1.0\n",
		"usr/local/lib/python3.11/dist-packages/torch-2.9.0+cu130.dist-info/METADATA":   "Version: 2.9.0+cu130\n",
		"usr/local/lib/python3.11/dist-packages/torch/version.py":                       "cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n",
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(data)}
	}
	env, err := Capture(t.Context(), Options{FS: fsys})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range env.Software {
		got[s.Name] = string(s.Version.Scope()) + " " + s.Version.String()
	}
	const local = "usr/local/lib/python3.11/dist-packages/"
	for name, want := range map[string]string{
		"vllm": "python:/opt/venv 0.14.1", "numpy": "python:/usr 1.26.4", "unrelated": "", "torch": "python:/usr/local 2.9.0+cu130",
		"torch, built for CUDA": "python:/usr/local 13.0", "torch, built for HIP": "",
		"amd-aiter":       "python:/usr/local unknown (/" + local + "amd_aiter-0.1.5.dist-info/METADATA: no such file)",
		"huggingface-hub": "python:/usr/local unknown (/" + local + "huggingface_hub-1.0.dist-info/METADATA: no Version)",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}
