package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/loadgen"
)

// Who says more than a shard can have done, or something else, is taken for lost: what it says is in no result.
func TestResultsThatLie(t *testing.T) {
	t.Parallel()
	level := loadgen.Level{Concurrency: 2, Requests: 20, Warmup: 2}
	part := func(t *testing.T) *loadgen.Result { // what shard 1 of 2 had
		l := level
		l.Shard, l.Shards = 1, 2
		r, err := loadgen.Measure(t.Context(), l, takes(time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for what, lie := range map[string]func(*loadgen.Result){
		"nothing":            func(*loadgen.Result) {},
		"more failed":        func(r *loadgen.Result) { r.Accounting.Issued++; r.Accounting.Failed++ },
		"more completed":     func(r *loadgen.Result) { r.Accounting.Issued++; r.Accounting.Completed++ },
		"more of the warmup": func(r *loadgen.Result) { r.Warmup.Issued++; r.Warmup.Completed++ },
		"fewer":              func(r *loadgen.Result) { r.Warmup.Issued--; r.Warmup.Completed-- },
		"less than nothing":  func(r *loadgen.Result) { r.Accounting.Issued -= 30; r.Accounting.Failed -= 30 },
		"more samples":       func(r *loadgen.Result) { r.Distributions[loadgen.E2E].Add(1) },
		"no samples":         func(r *loadgen.Result) { r.Distributions = nil },
		"another shard":      func(r *loadgen.Result) { r.Level.Shard = 0 },
		"another level":      func(r *loadgen.Result) { r.Level.Concurrency = 4 },
		"another number":     func(r *loadgen.Result) { r.Level.Requests = 4000 },
		"another moment":     func(r *loadgen.Result) { r.Start = r.Start.Add(30 * time.Second) },
		"another day":        func(r *loadgen.Result) { r.Start = r.Start.AddDate(0, 0, 1) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			f.workers(2, takes(5*time.Millisecond))
			liar := f.connect()
			n, _ := namesOf("")
			var once sync.Once
			if _, err := liar.Subscribe(n.order(), func(m *nats.Msg) { // before the worker itself has a result
				var o order
				if decode(m.Data, &o) != nil || o.Phase != run {
					return
				}
				once.Do(func() {
					r := part(t)
					r.Start = time.Unix(0, o.At)
					if lie(r); what == "nothing" {
						return
					}
					s, err := openStore(f.ctx, liar, n, false, false)
					if err == nil {
						err = s.put(f.ctx, n.result(o.Session, 1), r)
					}
					if err != nil {
						t.Error(err)
					}
				})
			}); err != nil {
				t.Fatal(err)
			}
			r := f.measure(f.coordinator(2), Job{Level: level}, nil)
			if want := what != "nothing"; codes(r)[WarnWorkerLost] != want || r.Valid() == want ||
				r.Parts[1].Generator.Lost != want {
				t.Errorf("%+v, %v", r.Accounting, r.Warnings)
			}
			if err := r.Accounting.Check(); err != nil || r.Accounting.Issued > 20 || r.Warmup.Issued > 2 {
				t.Errorf("%v, %+v %+v", err, r.Accounting, r.Warmup)
			}
		})
	}
}

// What nobody says who means well is heard by nobody, whatever its size, and nothing that is shown does anything to a
// terminal.
func TestBeatsThatNobodySays(t *testing.T) {
	n, _ := namesOf("")
	good := beat{Version: protocolVersion, Instance: "x", Name: "w", Program: "v1", Build: "b", Phase: idle}
	long := strings.Repeat("x", mostName+1)
	for what, c := range map[string]struct {
		change func(*beat)
		valid  bool
	}{
		"as it should be": {func(*beat) {}, true},
		"no name":         {func(b *beat) { b.Name = "" }, false},
		"a long name":     {func(b *beat) { b.Name = long }, false},
		"a long program":  {func(b *beat) { b.Program = long }, false},
		"a long workload": {func(b *beat) { b.Workload = long }, false},
		"an escape":       {func(b *beat) { b.Name = "w\x1b[2J" }, false},
		"a C1 escape":     {func(b *beat) { b.Name = "w\u009b2J" }, false},
		"a line":          {func(b *beat) { b.Build = "a\nb" }, false},
		"another's":       {func(b *beat) { b.Instance = "y" }, false},
		"no version":      {func(b *beat) { b.Version = 0 }, false},
		"a long reason":   {func(b *beat) { b.Why = strings.Repeat("x", mostWhy+1) }, false},
	} {
		b := good
		if c.change(&b); b.valid(n.beat("x"), n) != c.valid {
			t.Errorf("%s: %v", what, !c.valid)
		}
	}
	b := good
	b.Why = "it failed\n\x1b[31mred"
	if !b.valid(n.beat("x"), n) || b.Why != "it failed  [31mred" {
		t.Errorf("%q", b.Why)
	}
	// One of another version may have other fields, and is known by them.
	if err := decode([]byte(`{"version": 9, "instance": "x", "name": "w", "phase": "idle", "new": 1}`),
		&b); err != nil || b.Version != 9 {
		t.Errorf("%v, %+v", err, b)
	}
}

// Jobs that a worker's owner would not want come to nothing but a reason; there is no password in it.
func TestHostileJobs(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.worker("w", takes(time.Millisecond), func(w *Worker) { w.Allow = nil })
	c := f.coordinator(1)
	level := loadgen.Level{Concurrency: 1, Requests: 10}
	for _, j := range []Job{
		{URL: testURL, Level: level}, // a worker that may load nothing
		{URL: "http://u:hunter2@h", Level: level},
		{URL: "http://u:hunter2@h:port", Level: level},
		{URL: "u:hunter2@h", Level: level},
		{URL: "http://h\r\nX: hunter2@", Level: level},
		{URL: "file:///etc/passwd", Level: level},
		{URL: "//h", Level: level},
		{URL: testURL, Level: loadgen.Level{Concurrency: math.MaxInt, Requests: math.MaxInt}},
		{URL: testURL, Level: loadgen.Level{Concurrency: 1, Requests: 10, Shard: 1, Shards: 3}},
		{URL: testURL, Level: level, Options: json.RawMessage(`{`)},
	} {
		r, err := c.Measure(t.Context(), j, nil)
		if err == nil || r != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", j, err)
		}
	}
}

// A secret in a server's URL would lie on the NATS server's disk: it is not sent there, nor is it in the error.
func TestSecretsDoNotTravel(t *testing.T) {
	t.Parallel()
	f := newField(t)
	c := f.coordinator(1)
	c.InMemory = false
	_, err := c.Measure(t.Context(), Job{URL: testURL + "/v1?api_key=hunter2",
		Level: loadgen.Level{Concurrency: 1, Requests: 10}}, nil)
	if invalid, ok := errors.AsType[*loadgen.InvalidError](err); !ok || invalid.Field != "url" ||
		strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// Beyond 100,000 samples a distribution is of HDR counts: these are merged, and no quantile of the parts. 2 workers
// have 60,000 gaps each, so that only both together are too many, or 120,000 each.
func TestMergeOfManySamples(t *testing.T) {
	t.Parallel()
	for _, requests := range []int{1200, 2400} {
		t.Run(fmt.Sprint(requests), func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			f.workers(2, func(_ context.Context, i int, r *loadgen.Record) error {
				time.Sleep(time.Millisecond) // so that no worker is done before another begins
				r.Sent = r.Now()
				for k := range 101 {
					at := r.Sent + time.Duration(k)*time.Millisecond
					if k > 50 {
						at += time.Duration(i) * time.Microsecond * time.Duration(k-50)
					}
					r.Chunk(loadgen.Chunk{Seen: at, Tokens: 1})
				}
				r.Counted, r.Input, r.Output, r.Done = true, 1, 101, r.LastArrival()
				return nil
			})
			var gaps []float64
			c := f.coordinator(2)
			g := &loadgen.Generator{Observers: []loadgen.Observer{{Record: func(r *loadgen.Record, _ *loadgen.Error) {
				before := time.Duration(0)
				for c := range r.Chunks() {
					if before > 0 {
						gaps = append(gaps, float64(c.At()-before)/1e6)
					}
					before = c.At()
				}
			}}}}
			var r *loadgen.Result
			for range 3 { // a machine that stands still loses workers, and rightly
				gaps = nil
				if r = f.measure(c, Job{Level: loadgen.Level{Concurrency: 2, Requests: requests}},
					g); !codes(r)[WarnWorkerLost] {
					break
				}
			}
			itl := r.Distributions[loadgen.ITL]
			if itl.Len() != 100*requests || len(gaps) != itl.Len() {
				t.Fatalf("%d gaps, %d heard of, want %d", itl.Len(), len(gaps), 100*requests)
			}
			slices.Sort(gaps)
			for _, p := range []float64{1, 25, 50, 75, 90, 99, 99.9} {
				got, _ := itl.Quantile(p)
				want := gaps[int(math.Ceil(p/100*float64(len(gaps))))-1]
				if math.Abs(got/want-1) > 0.001 {
					t.Errorf("p%v is %v, and of all samples %v", p, got, want)
				}
			}
		})
	}
}

// Nothing is left of a fleet that has ended: no goroutine of a worker, a session or a coordinator.
func TestNothingIsLeft(t *testing.T) {
	f := newField(t)
	stop := f.worker("w", takes(time.Millisecond), nil)
	c := f.coordinator(1)
	f.measure(c, Job{Level: loadgen.Level{Concurrency: 1, Requests: 10}}, &loadgen.Generator{Stop: make(chan struct{}),
		Observers: []loadgen.Observer{{Record: func(*loadgen.Record, *loadgen.Error) {}}}})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	stop()
	left := ""
	for range 500 {
		buffer := make([]byte, 4<<20)
		left = ""
		for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
			ours := strings.Contains(stack, "loadgen/fleet.(*working)") ||
				strings.Contains(stack, "loadgen/fleet.(*session)") ||
				strings.Contains(stack, "loadgen/fleet.(*lead)") ||
				strings.Contains(stack, "loadgen/fleet.unlessStopped")
			if ours {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error(left)
}
