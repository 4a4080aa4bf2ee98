package envinfo

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"testing"
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
