package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// MaxContainerOutput is the most that is taken of what a runtime writes.
const MaxContainerOutput = 16 << 20

// Untar returns the regular files of a tar file.
func Untar(b []byte) (map[string][]byte, error) {
	if len(b) > MaxContainerOutput {
		return nil, TooLarge{MaxContainerOutput, "bytes"}
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
		data, err := io.ReadAll(io.LimitReader(t, int64(MaxContainerOutput-total)+1))
		if err != nil {
			return nil, fmt.Errorf("not a tar file: %w", err)
		}
		if total += len(data); total > MaxContainerOutput || len(files) == MaxEntries {
			return nil, TooLarge{MaxContainerOutput, "bytes"}
		}
		files[name] = data
	}
}

// ErrNotCopied is that a file was not among those that were asked for, so that nothing is known of it.
var ErrNotCopied = errors.New("not copied out of the container")

// Copied is the files that were copied out of a container. Of what was not asked for it does not say that it is
// missing.
type Copied struct {
	files    map[string][]byte
	dirs     map[string]map[string]copiedInfo // what is in each folder
	patterns []string
}

// NewCopied is a file system of files that were copied out, of those that patterns ask for.
func NewCopied(files map[string][]byte, patterns []string) *Copied {
	c := &Copied{files: files, dirs: map[string]map[string]copiedInfo{".": {}}, patterns: patterns}
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
func (c *Copied) Open(name string) (fs.File, error) {
	if names, ok := c.dirs[name]; ok {
		return &copiedFile{name: path.Base(name), names: names, Reader: bytes.NewReader(nil)}, nil
	}
	if data, ok := c.files[name]; ok {
		return &copiedFile{name: path.Base(name), size: len(data), Reader: bytes.NewReader(data)}, nil
	}
	err := ErrNotCopied
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

func (i copiedInfo) Name() string { return i.name }

func (i copiedInfo) Size() int64 { return int64(i.size) }

func (i copiedInfo) ModTime() time.Time { return time.Time{} }

func (i copiedInfo) IsDir() bool { return i.dir }

func (i copiedInfo) Sys() any { return nil }

func (i copiedInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
