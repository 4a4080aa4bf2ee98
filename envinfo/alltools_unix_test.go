//go:build unix

package envinfo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// The tools of this machine say nothing about a tree from elsewhere.
func TestToolsOfATree(t *testing.T) {
	dir := t.TempDir()
	ran := filepath.Join(t.TempDir(), "ran")
	for _, name := range []string{"amd-smi", "rocm-smi", "nvidia-smi"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho x >> "+ran+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	for _, test := range []struct {
		name string
		opts Options
		runs bool
	}{
		{"tree", Options{FS: fstest.MapFS{}}, false},
		{"off", Options{Tools: Tools{Off: true, Path: dir}}, false},
		{"live", Options{}, true},
		{"tree with its tools", Options{FS: fstest.MapFS{}, Tools: Tools{Path: dir}}, true},
	} {
		_ = os.Remove(ran)
		if _, err := Capture(t.Context(), test.opts); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(ran); (err == nil) != test.runs || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: ran: %v, want %v", test.name, err == nil, test.runs)
		}
	}
}

// With every tool on PATH and none of them ending, files still say what they say.
func TestEveryToolHangs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"amd-smi", "rocm-smi", "nvidia-smi"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; "+
			"done\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env, err := Capture(t.Context(), Options{
		FS:          fstest.MapFS{"proc/sys/kernel/osrelease": {Data: []byte("6.8.0\n")}},
		ReadTimeout: time.Minute,
		Tools:       Tools{Path: dir, Timeout: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := env.Host.Kernel.Get(); v != "6.8.0" {
		t.Errorf("kernel is %v", env.Host.Kernel)
	}
	if r := env.NVIDIA.Count.Reason(); !strings.Contains(r, "nvidia-smi --query-gpu: was killed at the deadline") {
		t.Errorf("the count is unknown because %q", r)
	}
	for _, name := range []string{"amd-smi version --json", "amd-smi static --json", "rocm-smi"} {
		if !slices.ContainsFunc(env.Warnings, func(w fact.Warning) bool { return strings.Contains(w.Text, name) }) {
			t.Errorf("no warning names %s: %v", name, env.Warnings)
		}
	}
}
