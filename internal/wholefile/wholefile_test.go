package wholefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/servegauge/servegauge/internal/wholefile"
)

func TestWriteIn(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"first", "second, which takes the place of the first"} {
		if err := wholefile.WriteIn(dir, "report.txt", []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "report.txt"))
		if err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("%v is left", entries)
	}
}

// A file that cannot take its place leaves what is there, and nothing beside it.
func TestWriteInFails(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "report.txt")
	if err := os.MkdirAll(filepath.Join(taken, "kept"), 0o777); err != nil {
		t.Fatal(err)
	}
	err := wholefile.WriteIn(dir, "report.txt", []byte("text"))
	failed, ok := errors.AsType[*fs.PathError](err)
	if !ok || failed.Path != taken {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(taken, "kept")); err != nil {
		t.Error(err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("%v is left", entries)
	}
	for _, outside := range []string{"../report.txt", "missing/report.txt"} {
		if err := wholefile.WriteIn(dir, outside, nil); err == nil {
			t.Errorf("%s was written", outside)
		}
	}
}
