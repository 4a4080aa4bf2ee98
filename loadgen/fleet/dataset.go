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

	"github.com/nats-io/nats.go/jetstream"

	"github.com/servegauge/servegauge/loadgen/workload"
)

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

// get is the dataset of a SHA-256: of the worker's disk, or of the fleet's store. "": nil.
func (d *datasets) get(ctx context.Context, s *store, sum string) (*workload.Dataset, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case sum == "":
		return nil, nil
	case sum == d.sum:
		return d.data, nil
	}
	read := func(from io.ReadCloser, name string) error {
		defer from.Close()
		hash := sha256.New()
		data, err := workload.ReadDataset(io.TeeReader(io.LimitReader(from, mostDataset), hash), workload.DatasetLimits{})
		if err != nil {
			return fmt.Errorf("dataset %s: %w", name, err)
		}
		if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
			return fmt.Errorf("dataset %s has the SHA-256 %s, and not %s", name, got, sum)
		}
		data.Name = name
		d.sum, d.data = sum, &data
		return nil
	}
	name, err := d.find(sum)
	if err != nil {
		return nil, err
	}
	if name != "" {
		file, err := d.dir.Open(name)
		if err == nil {
			err = read(file, name)
		}
		if err != nil {
			return nil, err
		}
		return d.data, nil
	}
	bucket, err := s.js.ObjectStore(ctx, s.names.datasets())
	if err == nil {
		var object jetstream.ObjectResult
		if object, err = bucket.Get(ctx, sum); err == nil {
			info, _ := object.Info()
			name := sum
			if info != nil && info.Description != "" {
				name = info.Description
			}
			err = read(object, name)
		}
	}
	if errors.Is(err, jetstream.ErrObjectNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, fmt.Errorf("dataset %s is neither on this worker's disk nor in the fleet's store", sum)
	}
	if err != nil {
		return nil, err
	}
	return d.data, nil
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
		info, err := e.Info()
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
		Description: "servegauge: datasets, by their SHA-256", TTL: keptFor})
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
