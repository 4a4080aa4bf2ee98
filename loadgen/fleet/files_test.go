package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// Files reach workers by their SHA-256: from their disks, whatever they are called there and through links, or from
// the coordinator; never another one.
func TestFiles(t *testing.T) {
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
			w.Target = func(ctx context.Context, j Job, files Files) (loadgen.Target, error) {
				var sum string
				if err := json.Unmarshal(j.Options, &sum); err != nil {
					return nil, err
				}
				file, err := files(ctx, sum)
				if err != nil {
					return nil, err
				}
				defer file.Close()
				d, err := workload.ReadDataset(file, workload.DatasetLimits{})
				return fromFile{takes(time.Millisecond), &d}, err
			}
			w.Told = func(s string) {
				mu.Lock()
				defer mu.Unlock()
				if strings.HasPrefix(s, "file") {
					told = append(told, name+": "+s)
				}
			}
			change(w)
		})
	}
	worker("disk", func(w *Worker) { w.Datasets = os.DirFS(dir) })
	c := f.coordinator(1)
	j := Job{URL: testURL, Level: loadgen.Level{Concurrency: 2, Requests: 10},
		Options: json.RawMessage(`"` + strings.Repeat("ab", 32) + `"`)}
	if _, err := c.Measure(t.Context(), j, nil); err == nil || !strings.Contains(err.Error(), "neither on this worker's disk") {
		t.Errorf("%v", err)
	}
	bad := j
	bad.Options = json.RawMessage(`"../../etc/passwd"`)
	if _, err := c.Measure(t.Context(), bad, nil); err == nil || !strings.Contains(err.Error(), "the SHA-256 of a file") {
		t.Errorf("%v", err)
	}
	wanted := hex.EncodeToString(sum[:])
	j.Options = json.RawMessage(`"` + wanted + `"`)
	f.measure(c, j, nil) // nobody has shared it
	shared, err := c.Share(t.Context(), "prompts.jsonl", func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	})
	if err != nil || shared != wanted {
		t.Fatalf("%s, %v", shared, err)
	}
	worker("store", func(*Worker) {})
	c.Workers = 2
	f.measure(c, j, nil) // one workload, although it is called otherwise on the one's disk
	want := []string{"disk: file mine.jsonl, from this worker's disk", "disk: file mine.jsonl, from this worker's disk",
		"store: file prompts.jsonl, from the fleet's store"}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(told) // each opens it for each level: whether it keeps what it has read is the target's affair
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
