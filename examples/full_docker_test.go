//go:build docker && linux

package examples_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/servegauge/servegauge/protocol"
)

// A disk that fills up in the middle of an experiment is named, once; what was measured is kept, no server is left, and
// with room for it the experiment goes on. It takes no docker, but the rights to mount, as what is about docker does.
func TestDockerHostFullDisk(t *testing.T) {
	// How much there is to write depends on what the host tells of itself, so that a run without a limit shows it.
	whole := filepath.Join(t.TempDir(), "out")
	if p := run(t, "multirun", append([]string{"-client-check=false", "-out", whole}, shortPlan...)...); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	journal, err := os.ReadFile(filepath.Join(whole, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	start := bytes.Index(journal, []byte(`"measurement"`))
	if start < 0 {
		t.Fatalf("no measurement in a journal of %d bytes", len(journal))
	}
	// Room for the first measurements beside the other files of a start, and for less than all of them.
	full := start + (len(journal)-start)/2
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d", full)); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	out := filepath.Join(disk, "out")
	args := append([]string{"-client-check=false", "-out", out}, shortPlan...)
	p := run(t, "multirun", args...)
	line := p.errorLine(t)
	if p.code != 1 || strings.Count(line, "no space left on device") != 1 ||
		!strings.Contains(p.stderr, "go on with -resume") {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	before, err := protocol.ReadExperiment(out)
	if err != nil || len(before.Starts) == 0 {
		t.Fatalf("%v, %+v", err, before)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	if p := run(t, "multirun", "-client-check=false", "-resume", out); p.code != 0 {
		t.Fatalf("%d: %s", p.code, p.stderr)
	}
	e, steps := measured(t, out)
	if !e.Complete || len(steps) != 3*3 {
		t.Errorf("%d steps", len(steps))
	}
	entries, _ := os.ReadDir(out)
	for _, entry := range entries {
		if strings.Contains(entry.Name(), ".json.") {
			t.Errorf("%s is left", entry.Name())
		}
	}
}
