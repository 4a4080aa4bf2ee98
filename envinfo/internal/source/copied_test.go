package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
)

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
		files, err := Untar(b)
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
		if total > MaxContainerOutput {
			t.Errorf("%d bytes", total)
		}
		fsys := NewCopied(files, nil)
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
	if _, err := Untar(make([]byte, MaxContainerOutput+1)); !errors.As(err, new(TooLarge)) {
		t.Errorf("too many bytes: %v", err)
	}
}

func TestCopied(t *testing.T) {
	fsys := NewCopied(map[string][]byte{"opt/rocm/.info/version": []byte("7"), "etc/os-release": []byte("X")},
		[]string{"etc/os-release", "var/lib/dpkg/status", "opt/rocm*/.info/version*"})
	if err := fstest.TestFS(fsys, "opt/rocm/.info/version", "etc/os-release"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]error{
		"opt/rocm-6.4.2/.info/version": fs.ErrNotExist, "opt/rocm-6.4.2": fs.ErrNotExist, "var": fs.ErrNotExist,
		"var/lib/dpkg/status":     fs.ErrNotExist,
		"opt/rocm/lib/librccl.so": ErrNotCopied, "usr/bin/vllm": ErrNotCopied, "opt/rocm/.info/version/x": ErrNotCopied,
	} {
		if _, err := fsys.Open(name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}
