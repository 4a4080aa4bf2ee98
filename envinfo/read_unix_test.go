//go:build unix

package envinfo_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Opening a FIFO for reading blocks until somebody writes; it must not be opened.
func TestFIFO(t *testing.T) {
	dir := t.TempDir()
	for name, data := range cpuHost() {
		write(t, filepath.Join(dir, name), data)
	}
	name := filepath.Join(dir, "proc/meminfo")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(name, 0o644); err != nil {
		t.Fatal(err)
	}
	env := capture(t, os.DirFS(dir))
	unknown(t, "memory", env.Host.Memory, "/proc/meminfo: not a regular file")
	known(t, "kernel", env.Host.Kernel, "6.8.0-60-generic")
}
