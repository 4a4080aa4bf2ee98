package fleet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/servegauge/servegauge/loadgen"
)

// sharedFor is for how long a file is kept: longer than an experiment, in the middle of which a worker may be replaced.
const sharedFor = 14 * 24 * time.Hour

// mostFile bounds a file that reaches workers, in bytes, as [workload.DatasetLimits] do.
const mostFile = 256 << 20

// Files open the files that a job's requests come from, by their SHA-256 in hexadecimal: on the worker's disk, or in the
// fleet's store. What is read is checked: another content, or more than 256 MiB, is an error in the place of the end.
type Files func(ctx context.Context, sha256 string) (io.ReadCloser, error)

// files are those that a worker has on its disk.
type files struct {
	dir fs.FS // nil: none

	mu   sync.Mutex
	sums map[string]string // of the files in dir, by name and what it is known by
}

// from opens files of the disk, and else of the store. tell is told where each is from.
func (d *files) from(s *store, tell func(string, ...any)) Files {
	return func(ctx context.Context, sum string) (io.ReadCloser, error) {
		if !sha256Text.MatchString(sum) {
			return nil, &loadgen.InvalidError{Field: "file", Value: fmt.Sprintf("%.80q", sum),
				Want: "the SHA-256 of a file, in hexadecimal"}
		}
		name, err := d.find(sum)
		if err != nil {
			return nil, err
		}
		if name != "" {
			file, err := d.dir.Open(name)
			if err != nil {
				return nil, err
			}
			tell("file %s, from this worker's disk", name)
			return &checked{ReadCloser: file, want: sum, hash: sha256.New(), left: mostFile}, nil
		}
		bucket, err := s.js.ObjectStore(ctx, s.names.files())
		var object jetstream.ObjectResult
		if err == nil {
			object, err = bucket.Get(ctx, sum)
		}
		if errors.Is(err, jetstream.ErrObjectNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) {
			return nil, fmt.Errorf("file %s is neither on this worker's disk nor in the fleet's store", sum)
		}
		if err != nil {
			return nil, err
		}
		if info, _ := object.Info(); info != nil && info.Description != "" {
			name = info.Description
		}
		tell("file %s, from the fleet's store", cutText(cmp.Or(name, sum), mostName))
		return &checked{ReadCloser: object, want: sum, hash: sha256.New(), left: mostFile}, nil
	}
}

// A checked file ends only where it is the one that was wanted.
type checked struct {
	io.ReadCloser
	want string
	hash hash.Hash
	left int64
}

func (c *checked) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.hash.Write(b[:n])
	if c.left -= int64(n); c.left < 0 {
		return 0, fmt.Errorf("file %s is longer than %d MiB", c.want, mostFile>>20)
	}
	if errors.Is(err, io.EOF) {
		if got := hex.EncodeToString(c.hash.Sum(nil)); got != c.want {
			return 0, fmt.Errorf("a file has the SHA-256 %s, and not %s", got, c.want)
		}
	}
	return n, err
}

// find is the file of the directory that has a SHA-256; "": none. Files are read once each, as long as they look the
// same.
func (d *files) find(sum string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir == nil {
		return "", nil
	}
	entries, err := fs.ReadDir(d.dir, ".")
	if err != nil {
		return "", fmt.Errorf("files: %w", err)
	}
	if d.sums == nil {
		d.sums = map[string]string{}
	}
	for _, e := range entries {
		info, err := fs.Stat(d.dir, e.Name()) // of what a link leads to: volumes of Kubernetes are links
		if err != nil || !info.Mode().IsRegular() || info.Size() > mostFile {
			continue
		}
		key := fmt.Sprintf("%s %d %d", e.Name(), info.Size(), info.ModTime().UnixNano())
		if d.sums[key] == "" {
			file, err := d.dir.Open(e.Name())
			if err != nil {
				continue
			}
			hash := sha256.New()
			_, err = io.Copy(hash, file)
			_ = file.Close()
			if err != nil {
				continue
			}
			d.sums[key] = hex.EncodeToString(hash.Sum(nil))
		}
		if d.sums[key] == sum {
			return e.Name(), nil
		}
	}
	return "", nil
}

// share puts a file into the fleet's store, under its SHA-256, and returns that.
func (s *store) share(ctx context.Context, name string, open func() (io.ReadCloser, error)) (string, error) {
	hash := sha256.New()
	size, err := copyTo(hash, open)
	if err != nil {
		return "", err
	}
	if size > mostFile {
		return "", fmt.Errorf("%s has %d bytes: want at most %d MiB for it to reach workers", name, size, mostFile>>20)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	bucket, err := s.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: s.names.files(),
		Description: "servegauge: files that requests come from, by their SHA-256", TTL: sharedFor})
	if err != nil {
		return "", fmt.Errorf("the fleet's files: %w", err)
	}
	if _, err := bucket.GetInfo(ctx, sum); err == nil {
		return sum, nil
	}
	from, err := open()
	if err != nil {
		return "", err
	}
	defer from.Close()
	_, err = bucket.Put(ctx, jetstream.ObjectMeta{Name: sum, Description: name}, from)
	if err != nil {
		return "", fmt.Errorf("file %s: %w", name, err)
	}
	return sum, nil
}

func copyTo(w io.Writer, open func() (io.ReadCloser, error)) (int64, error) {
	from, err := open()
	if err != nil {
		return 0, err
	}
	defer from.Close()
	return io.Copy(w, from)
}
