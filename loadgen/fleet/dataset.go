package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/servegauge/servegauge/loadgen/workload"
)

// sharedFor is for how long a dataset is kept: longer than an experiment, in the middle of which a worker may be
// replaced.
const sharedFor = 14 * 24 * time.Hour

// mostDataset bounds a dataset, in bytes, as [workload.ReadDataset] does.
const mostDataset = 256 << 20

// datasets are those that a worker has. It keeps the latest.
type datasets struct {
	dir fs.FS // nil: none

	mu   sync.Mutex
	sum  string
	data *workload.Dataset

	sums map[string]string // of the files in dir, by name and what it is known by
}

// get is the dataset of a SHA-256: of the worker's disk, or of the fleet's store. "": nil. tell is told where it is from.
func (d *datasets) get(
	ctx context.Context, s *store, sum string, tell func(string, ...any),
) (*workload.Dataset, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case sum == "":
		return nil, nil
	case sum == d.sum:
		return d.data, nil
	}
	file, name, err := d.here(sum)
	where := "this worker's disk"
	if err == nil && file == nil {
		file, name, err = s.dataset(ctx, sum)
		where = "the fleet's store"
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	hash := sha256.New()
	data, err := workload.ReadDataset(io.TeeReader(io.LimitReader(file, mostDataset), hash), workload.DatasetLimits{})
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", name, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return nil, fmt.Errorf("dataset %s has the SHA-256 %s, and not %s", name, got, sum)
	}
	data.Name = name
	d.sum, d.data = sum, &data
	tell("dataset %s, of %d prompts, from %s", name, data.Len(), where)
	return d.data, nil
}

// here opens the file of the directory that has a SHA-256; nil: none has.
func (d *datasets) here(sum string) (io.ReadCloser, string, error) {
	name, err := d.find(sum)
	if name == "" || err != nil {
		return nil, "", err
	}
	file, err := d.dir.Open(name)
	return file, name, err
}

// dataset opens the one of a SHA-256 in the fleet's store.
func (s *store) dataset(ctx context.Context, sum string) (io.ReadCloser, string, error) {
	bucket, err := s.js.ObjectStore(ctx, s.names.datasets())
	var object jetstream.ObjectResult
	if err == nil {
		object, err = bucket.Get(ctx, sum)
	}
	if errors.Is(err, jetstream.ErrObjectNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) {
		err = fmt.Errorf("dataset %s is neither on this worker's disk nor in the fleet's store", sum)
	}
	if err != nil {
		return nil, "", err
	}
	name := sum
	if info, _ := object.Info(); info != nil && info.Description != "" {
		name = cutText(info.Description, mostName)
	}
	return object, name, nil
}

// find is the file of the directory that has a SHA-256; "": none. Files are read once each, as long as they look the
// same.
func (d *datasets) find(sum string) (string, error) {
	if d.dir == nil {
		return "", nil
	}
	entries, err := fs.ReadDir(d.dir, ".")
	if err != nil {
		return "", fmt.Errorf("datasets: %w", err)
	}
	if d.sums == nil {
		d.sums = map[string]string{}
	}
	for _, e := range entries {
		info, err := fs.Stat(d.dir, e.Name()) // of what a link leads to: volumes of Kubernetes are links
		if err != nil || !info.Mode().IsRegular() || info.Size() > mostDataset {
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

// share puts a dataset into the fleet's store, under its SHA-256, and returns that.
func (s *store) share(ctx context.Context, name string, open func() (io.ReadCloser, error)) (string, error) {
	hash := sha256.New()
	if err := copyTo(hash, open); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	bucket, err := s.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: s.names.datasets(),
		Description: "servegauge: datasets, by their SHA-256", TTL: sharedFor})
	if err != nil {
		return "", fmt.Errorf("the fleet's datasets: %w", err)
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
		return "", fmt.Errorf("dataset %s: %w", name, err)
	}
	return sum, nil
}

func copyTo(w io.Writer, open func() (io.ReadCloser, error)) error {
	from, err := open()
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(w, from)
	return err
}
