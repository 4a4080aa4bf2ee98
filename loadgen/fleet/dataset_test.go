package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A target that tells of the file that its prompts are from.
type fromFile struct {
	loadgen.TargetFunc
	data *workload.Dataset
}

func (t fromFile) Sent() (d workload.Description) {
	t.data.Describe(&d)
	return d
}

// Datasets reach workers by their SHA-256: from their disks, whatever they are called there and through links, or from
// the coordinator; never another one.
func TestDatasets(t *testing.T) {
	t.Parallel()
	f := newField(t)
	text := `{"prompt": "one"}` + "\n" + `{"prompt": "two"}` + "\n"
	sum := sha256.Sum256([]byte(text))
	volume, dir := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{"mine.jsonl": text, "other.jsonl": `{"prompt": "three"}` + "\n"} {
		if err := os.WriteFile(filepath.Join(volume, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(volume, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []string
	worker := func(name string, change func(*Worker)) {
		f.worker(name, nil, func(w *Worker) {
			w.Target = func(_ context.Context, _ Job, d *workload.Dataset) (loadgen.Target, error) {
				return fromFile{takes(time.Millisecond), d}, nil
			}
			w.Told = func(s string) {
				mu.Lock()
				defer mu.Unlock()
				if strings.HasPrefix(s, "dataset") {
					told = append(told, name+": "+s)
				}
			}
			change(w)
		})
	}
	worker("disk", func(w *Worker) { w.Datasets = os.DirFS(dir) })
	c := f.coordinator(1)
	j := Job{URL: testURL, Level: loadgen.Level{Concurrency: 2, Requests: 10}, Dataset: strings.Repeat("ab", 32)}
	if _, err := c.Measure(t.Context(), j, nil); err == nil ||
		!strings.Contains(err.Error(), "neither on this worker's disk") {
		t.Errorf("%v", err)
	}
	j.Dataset = hex.EncodeToString(sum[:])
	f.measure(c, j, nil) // nobody has shared it
	shared, err := c.Share(t.Context(), "prompts.jsonl", func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	})
	if err != nil || shared != j.Dataset {
		t.Fatalf("%s, %v", shared, err)
	}
	worker("store", func(*Worker) {})
	c.Workers = 2
	f.measure(c, j, nil) // one workload, although it is called otherwise on the one's disk
	want := []string{"disk: dataset mine.jsonl, of 2 prompts, from this worker's disk",
		"store: dataset prompts.jsonl, of 2 prompts, from the fleet's store"}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
