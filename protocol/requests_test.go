package protocol

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// answering is a target whose requests have two tokens each, and of which every fifth fails.
var answering = loadgen.TargetFunc(func(_ context.Context, i int, r *loadgen.Record) error {
	r.Chunk(loadgen.Chunk{Tokens: 1})
	r.Chunk(loadgen.Chunk{Tokens: 1})
	r.Counted, r.Input, r.Output, r.AskedInput, r.AskedOutput, r.Finish = true, 7, 2, 7, 2, "length"
	r.Done = r.LastArrival()
	if i%5 == 4 {
		return &loadgen.Error{Class: loadgen.ClassServer, Err: errors.New("out of order")}
	}
	return nil
})

func measureInto(t *testing.T, log *requestLog, s Step) int64 {
	t.Helper()
	g := &loadgen.Generator{Target: answering, Observers: []loadgen.Observer{log.observer(s)}}
	if _, err := g.Measure(context.Background(), s.Level); err != nil {
		t.Fatal(err)
	}
	size, err := log.end()
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func readAll(t *testing.T, text []byte) (out []Request, err error) {
	t.Helper()
	err = ReadRequests(bytes.NewReader(text), func(q Request) error { out = append(out, q); return nil })
	return out, err
}

// Every request of every step is in the file, and what a crash left of a step goes when the experiment goes on.
func TestRequests(t *testing.T) {
	dir := t.TempDir()
	log, err := openRequests(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	level := loadgen.Level{Concurrency: 2, Requests: 20, Warmup: 3}
	one := measureInto(t, log, Step{Run: 1, Level: level})
	measureInto(t, log, Step{Run: 1, Seq: 1, Level: level})
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, RequestsFile))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(t, text)
	if err != nil || len(got) != 46 {
		t.Fatalf("%d requests, %v", len(got), err)
	}
	seen := map[[2]int]bool{}
	for _, q := range got {
		seen[[2]int{q.Seq, q.Index}] = true
		failed := q.Index%5 == 4
		if q.Run != 1 || q.Warmup != (q.Index < 3) || q.Chunks != 2 || q.Input != 7 || q.Output != 2 ||
			q.Finish != "length" ||
			q.First < q.Sent || q.Done < q.First || failed != (q.Class == loadgen.ClassServer) {
			t.Errorf("%+v", q)
		}
	}
	if len(seen) != 46 {
		t.Errorf("%d different requests", len(seen))
	}

	// Cut anywhere in the second step the file still has the first, and all whole lines.
	for _, n := range []int64{one, one + 1, one + 20, int64(len(text)) - 1} {
		got, err := readAll(t, text[:n])
		if len(got) < 23 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d of %d: %d requests, %v", n, len(text), len(got), err)
		}
	}
	if log, err = openRequests(dir, one); err != nil {
		t.Fatal(err)
	}
	measureInto(t, log, Step{Run: 2, Level: level})
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	text, _ = os.ReadFile(filepath.Join(dir, RequestsFile))
	if got, err = readAll(t, text); err != nil || len(got) != 46 || got[45].Run != 2 || got[22].Run != 1 {
		t.Errorf("%d requests, %v", len(got), err)
	}
	if _, err := openRequests(dir, 1<<20); err == nil {
		t.Error("a file that is shorter than the journal says was opened")
	}
}

func TestReadBadRequests(t *testing.T) {
	if _, err := readAll(t, []byte("no gzip")); err == nil {
		t.Error("no error")
	}
	if got, err := readAll(t, nil); err != nil || got != nil {
		t.Error(got, err)
	}
	stop := errors.New("enough")
	log, err := openRequests(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	measureInto(t, log, Step{Level: loadgen.Level{Concurrency: 1, Requests: 3, Timeout: time.Minute}})
	text, _ := os.ReadFile(log.file.Name())
	if err := ReadRequests(bytes.NewReader(text), func(Request) error { return stop }); err != stop {
		t.Error(err)
	}
}
