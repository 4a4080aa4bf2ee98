package envinfo

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// inside reads the software and the model of the container: through the root of its first process, which needs the right to trace it
// and costs nothing, or else from the few files that the runtime copies out.
func (c *containerCapture) inside() {
	fsys, err := c.processRoot("/proc")
	if err != nil {
		var other error
		if fsys, other = c.copyOut(); other != nil {
			err = fmt.Errorf("%w; %w", err, other)
		} else {
			err = nil
		}
	}
	if err != nil {
		c.out.Software = []Component{{"software", Unknown[string]("", c.scope, err.Error())}}
	} else {
		if closer, ok := fsys.(io.Closer); ok {
			defer closer.Close()
		}
		rocm, python := "", ""
		if p := c.environ["ROCM_PATH"]; path.IsAbs(p) {
			rocm = p
		}
		if p := c.environ["VIRTUAL_ENV"]; path.IsAbs(p) {
			python = path.Clean(p)
		}
		inside := NewInventory(NewReader(c.ctx, fsys), c.scope, rocm, python)
		inside.ROCm()
		inside.RCCL()
		inside.CUDA()
		inside.NCCL()
		inside.Python()
		c.out.Software = inside.Found
		c.out.Warnings = append(c.out.Warnings, inside.Warnings...)
	}
	if c.out.Engine == nil {
		return
	}
	if err != nil {
		c.out.Model = unreadModel(c.out.Engine.Model, c.scope, err.Error())
		return
	}
	name, ok := c.out.Engine.Model.Get()
	if !ok {
		c.out.Model = unreadModel(c.out.Engine.Model, c.scope, c.out.Engine.Model.Reason())
		return
	}
	revision, _ := c.out.Engine.Revision.Get()
	opts := ModelOptions{FS: fsys, Variables: c.environ, Folder: c.workdir, Revision: revision, DownloadDir: c.out.Engine.downloadDir, Scope: c.scope}
	// The error is of the options, which come from the container's command line, or of the time.
	if c.out.Model, err = CaptureModel(c.ctx, name, opts); c.out.Model == nil {
		c.out.Model = unreadModel(c.out.Engine.Model, c.scope, err.Error())
	}
}

// rootFS is a container's root that must be closed. Opens do not leave it: the reader resolves links as the container would, and what
// the container changes in between is refused by os.Root.
type rootFS struct {
	fs.ReadLinkFS
	io.Closer
}

// processRoot is the root of the container's first process, in the proc filesystem at proc.
func (c *containerCapture) processRoot(proc string) (fs.FS, error) {
	switch {
	case c.id == "":
		return nil, errors.New("the container's id is unknown")
	case !c.local:
		return nil, errors.New("the runtime is not this machine's")
	case c.pid <= 0:
		return nil, errors.New("the runtime names no process of it on this machine")
	}
	dir := proc + "/" + strconv.Itoa(c.pid)
	r := &reader{ctx: c.ctx, wait: defaultWait}
	root, err := bounded(r, strings.TrimPrefix(dir, "/")+"/root", func() (*os.Root, error) { return os.OpenRoot(dir + "/root") })
	if err != nil {
		return nil, err
	}
	// The daemon may be on another machine (DOCKER_HOST) or in a virtual one, and the process of that number here another. Looked at
	// after the root is open: if the process had ended before that, this is not its group any more.
	r.fsys = os.DirFS(dir)
	ours := false
	for _, name := range []string{"cgroup", "mountinfo"} { // in a cgroup namespace the first may say "0::/"
		b, err := r.file(name, largeFile)
		ours = ours || err == nil && bytes.Contains(b, []byte(c.id))
	}
	fsys, ok := root.FS().(fs.ReadLinkFS)
	if !ours || !ok {
		root.Close()
		return nil, fmt.Errorf("%s: neither its control group nor its mounts name the container, so it may be another machine's", dir)
	}
	return rootFS{fsys, root}, nil
}

// insidePatterns are the files that are copied out of a container whose root cannot be read. Large libraries are not among them.
var insidePatterns = []string{
	"etc/os-release", "var/lib/dpkg/status",
	"usr/local/cuda/version.json", "usr/local/cuda/version.txt", "usr/include/nccl.h", "usr/local/cuda/include/nccl.h", "usr/local/include/nccl.h", "usr/local/nccl/include/nccl.h",
	"opt/rocm*/.info/version*", "opt/rocm*/include/rccl/rccl.h", "opt/rocm*/include/rccl.h", "opt/rocm/core/.info/version*",
}

// safePath is what may stand in a shell's pattern without quoting.
var safePath = regexp.MustCompile(`^[A-Za-z0-9._+/-]{1,512}$`)

// patterns are the files to copy out.
func (c *containerCapture) patterns() []string {
	out := slices.Clone(insidePatterns)
	prefixes := slices.Clone(pythonPrefixes)
	if p := strings.Trim(path.Clean(c.environ["VIRTUAL_ENV"]), "/"); safePath.MatchString(p) && p != "." {
		prefixes = append(prefixes, p)
	}
	for _, prefix := range prefixes {
		for _, kind := range []string{"site-packages", "dist-packages"} {
			lib := prefix + "/lib/python3*/" + kind + "/"
			for _, name := range pythonPackages {
				out = append(out, lib+strings.ReplaceAll(name, "-", "?")+"-*.dist-info/METADATA")
			}
			out = append(out, lib+"torch/version.py")
		}
	}
	if p := strings.Trim(path.Clean(c.environ["ROCM_PATH"]), "/"); safePath.MatchString(p) && p != "." {
		out = append(out, p+"/.info/version*", p+"/include/rccl/rccl.h", p+"/include/rccl.h")
	}
	if c.out.Engine == nil {
		return out
	}
	if name, ok := c.out.Engine.Model.Get(); ok {
		opts := ModelOptions{Variables: c.environ, Folder: c.workdir, DownloadDir: c.out.Engine.downloadDir}
		for _, p := range modelPatterns(name, opts) {
			if safePath.MatchString(strings.ReplaceAll(p, "*", "")) {
				out = append(out, p)
			}
		}
	}
	return out
}

// copyOut has the runtime run a shell in the container that writes a tar file: one call, where one for each file would take as many
// tenths of a second. docker cp, which needs no shell, copies whole folders and knows no patterns.
func (c *containerCapture) copyOut() (fs.FS, error) {
	if c.exec == nil {
		return nil, errors.New("no program can be run inside: it is not running")
	}
	patterns := c.patterns()
	script := `cd / && set -- && for f in ` + strings.Join(patterns, " ") +
		`; do if [ -f "$f" ]; then set -- "$@" "$f"; fi; done; if [ $# -gt 0 ]; then exec tar -chf - "$@"; fi`
	what := strings.Join(c.exec, " ") + " sh -c … tar"
	b, err := c.run(c.ctx, c.exec[0], append(slices.Clone(c.exec[1:]), "sh", "-c", script)...)
	if err != nil {
		text := strings.ReplaceAll(err.Error(), script, "…")
		return nil, errors.New(what + ": " + clip300(Scrub(text)))
	}
	files, err := untar(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return newCopied(files, patterns), nil
}

// untar returns the regular files of a tar file.
func untar(b []byte) (map[string][]byte, error) {
	if len(b) > maxContainerOutput {
		return nil, tooLarge{maxContainerOutput, "bytes"}
	}
	files := map[string][]byte{}
	t := tar.NewReader(bytes.NewReader(b))
	total := 0
	for {
		h, err := t.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not a tar file: %w", err)
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "/"))
		if h.Typeflag != tar.TypeReg || !fs.ValidPath(name) || name == "." {
			continue
		}
		// A sparse file is larger than what stands for it.
		data, err := io.ReadAll(io.LimitReader(t, int64(maxContainerOutput-total)+1))
		if err != nil {
			return nil, fmt.Errorf("not a tar file: %w", err)
		}
		if total += len(data); total > maxContainerOutput || len(files) == maxEntries {
			return nil, tooLarge{maxContainerOutput, "bytes"}
		}
		files[name] = data
	}
}

var errNotCopied = errors.New("not copied out of the container")

// copied is the files that were copied out of a container. Of what was not asked for it does not say that it is missing.
type copied struct {
	files    map[string][]byte
	dirs     map[string]map[string]copiedInfo // what is in each folder
	patterns []string
}

func newCopied(files map[string][]byte, patterns []string) *copied {
	c := &copied{files: files, dirs: map[string]map[string]copiedInfo{".": {}}, patterns: patterns}
	for name, data := range files {
		for child := name; child != "."; child = path.Dir(child) {
			dir, base := path.Dir(child), path.Base(child)
			if c.dirs[dir] == nil {
				c.dirs[dir] = map[string]copiedInfo{}
			}
			info := copiedInfo{base, 0, true}
			if child == name && !c.dirs[dir][base].dir { // a folder, where a broken archive says both
				info = copiedInfo{base, len(data), false}
			}
			c.dirs[dir][base] = info
		}
	}
	return c
}

// Open implements [fs.FS].
func (c *copied) Open(name string) (fs.File, error) {
	if names, ok := c.dirs[name]; ok {
		return &copiedFile{name: path.Base(name), names: names, Reader: bytes.NewReader(nil)}, nil
	}
	if data, ok := c.files[name]; ok {
		return &copiedFile{name: path.Base(name), size: len(data), Reader: bytes.NewReader(data)}, nil
	}
	err := errNotCopied
	depth := strings.Count(name, "/") + 1
	for _, p := range c.patterns {
		parts := strings.Split(p, "/")
		if len(parts) < depth {
			continue
		}
		if ok, _ := path.Match(strings.Join(parts[:depth], "/"), name); ok {
			err = fs.ErrNotExist
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: err}
}

// copiedFile is an open file or folder, and its own FileInfo.
type copiedFile struct {
	*bytes.Reader
	name   string
	size   int
	names  map[string]copiedInfo // nil: a file
	listed int                   // of the names, so far
}

func (f *copiedFile) Stat() (fs.FileInfo, error) {
	return copiedInfo{f.name, f.size, f.names != nil}, nil
}
func (f *copiedFile) Close() error { return nil }

// ReadDir implements [fs.ReadDirFile].
func (f *copiedFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if f.names == nil {
		return nil, errors.New("not a directory")
	}
	all := slices.Sorted(maps.Keys(f.names))[f.listed:]
	if n > 0 && len(all) == 0 {
		return nil, io.EOF
	}
	if n > 0 && n < len(all) {
		all = all[:n]
	}
	f.listed += len(all)
	out := make([]fs.DirEntry, len(all))
	for i, name := range all {
		out[i] = fs.FileInfoToDirEntry(f.names[name])
	}
	return out, nil
}

type copiedInfo struct {
	name string
	size int
	dir  bool
}

func (i copiedInfo) Name() string       { return i.name }
func (i copiedInfo) Size() int64        { return int64(i.size) }
func (i copiedInfo) ModTime() time.Time { return time.Time{} }
func (i copiedInfo) IsDir() bool        { return i.dir }
func (i copiedInfo) Sys() any           { return nil }

func (i copiedInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
