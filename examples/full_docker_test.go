//go:build docker && linux

package examples_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// What is about full disks takes no docker, but the rights to mount, as what is about docker does.

// mountDisk mounts a disk of so many bytes.
func mountDisk(t *testing.T, size int64) string {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	return disk
}

// fillOnce fills a disk to its last page once a file has some text in it, and keeps it full until empty is called,
// whatever the host tells of itself and however fast it is. empty fails the test where the disk was never full.
func fillOnce(t *testing.T, disk, name, text string) (empty func()) {
	t.Helper()
	ballast, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan bool, 1)
	go func() {
		defer ballast.Close()
		full := false
		page := make([]byte, 4096)
		for {
			select {
			case <-stop:
				done <- full
				return
			case <-time.After(time.Millisecond):
			}
			if there, _ := os.ReadFile(name); !full && !bytes.Contains(there, []byte(text)) {
				continue
			}
			for {
				if _, err := ballast.Write(page); err != nil {
					full = full || errors.Is(err, syscall.ENOSPC)
					break
				}
			}
		}
	}()
	return func() {
		t.Helper()
		close(stop)
		if !<-done {
			t.Fatalf("the disk was never full: no %s in %s", text, name)
		}
		if err := os.Remove(ballast.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// noParts fails where a part of a file is left below a folder.
func noParts(t *testing.T, dir string) {
	t.Helper()
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		for _, ending := range []string{".json.", ".svg.", ".png.", ".html.", ".md.", ".txt.", ".csv."} {
			if strings.Contains(entry.Name(), ending) {
				t.Errorf("%s is left", entry.Name())
			}
		}
	}
}

// A disk that fills up in the middle of an experiment is named, once; what was measured is kept, no server is left, and
// with room for it the experiment goes on.
func TestDockerHostFullDisk(t *testing.T) {
	disk := mountDisk(t, 32<<20)
	out := filepath.Join(disk, "out")
	empty := fillOnce(t, disk, filepath.Join(out, protocol.JournalFile), `"measurement"`)
	p := run(t, "multirun", append([]string{"-out", out}, shortPlan...)...)
	empty()
	line := p.errorLine(t)
	if p.code != 1 || strings.Count(line, "no space left on device") != 1 ||
		!strings.Contains(p.stderr, "go on with -resume") {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	before, err := protocol.ReadExperiment(out)
	if err != nil || before.Complete || len(before.Starts) == 0 || len(before.Measurements) == 0 {
		t.Fatalf("%v, %+v", err, before)
	}
	noParts(t, out)
	if p := run(t, "multirun", "-resume", out); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	e, steps := measured(t, out)
	if !e.Complete || len(steps) != 3*3 {
		t.Errorf("%d steps", len(steps))
	}
	noParts(t, out)
}

// So it is where there is one level, whose results do not fit either: and once there is room, the same command measures
// it, since nothing was.
func TestDockerHostFullDiskOfALevel(t *testing.T) {
	disk := mountDisk(t, 32<<20)
	out := filepath.Join(disk, "out")
	level := []string{"-concurrency", "1", "-requests", "60", "-input", "16", "-output", "16", "-out", out}
	empty := fillOnce(t, disk, filepath.Join(out, protocol.EnvironmentFile), "{")
	p := run(t, "loadtest", level...)
	empty()
	if line := p.errorLine(t); p.code != 1 || strings.Count(line, "no space left on device") != 1 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	noParts(t, out)
	if p := run(t, "loadtest", level...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
}

// However much of a report fits on a disk, each of its files is whole or not there.
func TestDockerHostFullDiskOfAReport(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	if p := run(t, "multirun", append([]string{"-out", source}, shortPlan...)...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if p := run(t, "report", source, "-out", whole); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	size := int64(0)
	files := map[string][]byte{}
	err := filepath.WalkDir(whole, func(name string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			inside, _ := filepath.Rel(whole, name)
			files[inside], err = os.ReadFile(name)
			size += int64(len(files[inside]))
		}
		return err
	})
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for part := range int64(5) {
		disk := mountDisk(t, max(size*part/5, 4096))
		out := filepath.Join(disk, "out")
		p := run(t, "report", source, "-out", out)
		if line := p.errorLine(t); p.code != 1 || strings.Count(line, "no space left on device") != 1 {
			t.Errorf("%d/5: %d: %s", part, p.code, p.stderr)
		}
		err := filepath.WalkDir(out, func(name string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			inside, _ := filepath.Rel(out, name)
			text, err := os.ReadFile(name)
			if want, known := files[inside]; !known || !bytes.Equal(text, want) {
				t.Errorf("%d/5: %s is %d bytes of %d", part, inside, len(text), len(want))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
