package envinfo_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/envinfo"
)

func TestTooLarge(t *testing.T) {
	env := capture(t, cpuHost().with(tree{
		"proc/sys/kernel/osrelease": strings.Repeat("6", 1<<20),
		"proc/cpuinfo":              "processor : 0\n" + strings.Repeat("\n", 9<<20),
		"proc/meminfo":              "MemTotal: 1 kB\n" + strings.Repeat("x", 1<<20),
	}).fs())
	unknown(t, "kernel", env.Host.Kernel, "/proc/sys/kernel/osrelease: larger than 65536 bytes, refused")
	unknown(t, "threads", env.Host.CPUThreads, "larger than")
	unknown(t, "memory", env.Host.Memory, "larger than")
	known(t, "host name", env.Host.Hostname, "gpu-01")
}

// endless is a file that never ends, as a broken driver could offer.
type endless struct{ fs.File }

func (endless) Read(b []byte) (int, error) { return copy(b, bytes.Repeat([]byte("1"), len(b))), nil }

// opening is a tree in which one file is opened another way.
type opening struct {
	fs.FS
	name string
	open func(fs.File) (fs.File, error)
}

func (o opening) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil || name != o.name {
		return f, err
	}
	return o.open(f)
}

func (o opening) Stat(name string) (fs.FileInfo, error) { return fs.Stat(o.FS, name) }

func TestEndless(t *testing.T) {
	env := capture(t,
		opening{cpuHost().fs(), "proc/meminfo", func(f fs.File) (fs.File, error) { return endless{f}, nil }})
	unknown(t, "memory", env.Host.Memory, "/proc/meminfo: larger than 65536 bytes, refused")
}

func TestTooManyEntries(t *testing.T) {
	tr := mi325x()
	for i := range 5000 {
		tr[nodesDir+strings.Repeat("x", i%100)+string(rune('a'+i/100))] = ""
	}
	env := capture(t, opening{FS: tr.fs()}) // without links, which a MapFS of this size resolves slowly
	unknown(t, "count", env.AMD.Count, "larger than 4096 entries, refused")
}

// A read that never returns costs its own value and the time for one read, and no others.
func TestHangingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		hang := func(f fs.File) (fs.File, error) { <-release; return f, nil }
		start := time.Now()
		env, err := envinfo.Capture(t.Context(), envinfo.Options{
			FS: opening{cpuHost().fs(), "proc/meminfo", hang}, ReadTimeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		unknown(t, "memory", env.Host.Memory, "/proc/meminfo: the read did not return and was abandoned")
		known(t, "kernel", env.Host.Kernel, "6.8.0-60-generic")
		known(t, "open files", env.Process.OpenFiles, 1024) // read after it
		if got := time.Since(start); got != 3*time.Second { // of the bubble's clock
			t.Errorf("took %v", got)
		}
	})
}

// hanging is a tree of which nothing can be read.
type hanging chan struct{}

func (h hanging) Open(name string) (fs.File, error) {
	<-h
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func TestEverythingHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := make(hanging)
		defer close(h)
		start := time.Now()
		env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: h})
		if err != nil {
			t.Fatal(err)
		}
		checkLeaves(t, env)
		unknown(t, "count", env.AMD.Count, "earlier reads took all the time that there was")
		// two reads of a second, the rest of a third, and then no more
		if got := time.Since(start); got != 2900*time.Millisecond {
			t.Errorf("took %v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := make(hanging)
		defer close(h)
		start := time.Now()
		env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: h, ReadTimeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		unknown(t, "count", env.AMD.Count, "earlier reads did not return")
		// each abandoned read holds a thread, so four are enough
		if got := time.Since(start); got != 400*time.Millisecond {
			t.Errorf("took %v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := make(hanging)
		defer close(h)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		env, err := envinfo.Capture(ctx, envinfo.Options{FS: h})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		checkLeaves(t, env)
		if got := time.Since(start); got != time.Millisecond {
			t.Errorf("took %v", got)
		}
	})
}

// slow is a file system of which each file takes a while, and none too long.
type slow struct{ fs.FS }

func (s slow) Open(name string) (fs.File, error) {
	time.Sleep(50 * time.Millisecond)
	return s.FS.Open(name)
}

func TestEverythingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		env := captureWithin(t, slow{mi300xCPX(28).fs()}, 0)
		known(t, "kernel", env.Host.Kernel, "6.8.0-60-generic")
		unknown(t, "cards", env.AMD.Count, "earlier reads took all the time that there was")
		if got := time.Since(start); got > 3*time.Second {
			t.Errorf("took %v", got)
		}
		time.Sleep(time.Second) // for the read that was left behind
	})
}

func TestNotRegular(t *testing.T) {
	fsys := cpuHost().fs()
	fsys["proc/meminfo"] = &fstest.MapFile{Mode: fs.ModeNamedPipe | 0o644}
	fsys["proc/cpuinfo/dir"] = &fstest.MapFile{}
	delete(fsys, "proc/cpuinfo")
	env := capture(t, fsys)
	unknown(t, "memory", env.Host.Memory, "/proc/meminfo: not a regular file")
	unknown(t, "threads", env.Host.CPUThreads, "/proc/cpuinfo: not a regular file")
}

// In a copied tree an absolute link means the tree's root: this machine's files are not the other host's.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "version"), "9.9.9\n")
	dir := t.TempDir()
	for name, data := range cpuHost().with(tree{
		"opt/rocm-6.4.2/.info/version":                            "6.4.2-120\n",
		"sys/devices/virtual/kfd/kfd/topology/nodes/0/properties": "simd_count 0\ngfx_target_version 0\n",
	}) {
		write(t, filepath.Join(dir, name), data)
	}
	for name, target := range map[string]string{
		// absolute, as update-alternatives(1) makes it
		"etc/alternatives/rocm":      "/opt/rocm-6.4.2",
		"opt/rocm":                   "/etc/alternatives/rocm",               //
		"sys/class/kfd/kfd":          "../../devices/virtual/kfd/kfd",        // relative, as sysfs makes it
		"proc/sys/kernel/domainname": "domainname",                           // a loop
		"sys/module/amdgpu/version":  filepath.Join(outside, "version"),      // out of the tree
		"opt/rocm-6.4.2/include":     "../../../../../../../../etc/includes", // above the root is the root
		"etc/includes/rccl/rccl.h":   "../h",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "etc/includes/h"), "#define NCCL_VERSION_CODE 22606\n")
	env := capture(t, os.DirFS(dir))
	rocm := version(t, env, "ROCm")
	known(t, "ROCm", rocm, "6.4.2-120")
	if got := rocm.Source(); got != "/opt/rocm/.info/version" { // not by way of opt/rocm-6.4.2
		t.Errorf("source of ROCm is %q", got)
	}
	known(t, "RCCL", version(t, env, "RCCL"), "2.26.6")
	known(t, "count", env.AMD.Count, 0)
	if v, ok := version(t, env, "amdgpu").Get(); ok && strings.Contains(v, "9.9.9") {
		t.Errorf("the driver is %q, read from outside of the tree", v)
	}
}

func TestLinkLoop(t *testing.T) {
	fsys := link(link(cpuHost().fs(), "proc/meminfo", "vmstat"), "proc/vmstat", "meminfo")
	unknown(t, "memory", capture(t, fsys).Host.Memory, "/proc/meminfo: too many levels of symbolic links")
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}
