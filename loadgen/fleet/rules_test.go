package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A target that tells what it sends.
type telling struct {
	loadgen.TargetFunc
	fingerprint string
}

func (t telling) Fingerprint() string { return t.fingerprint }

// Whoever is not like the others is named, and nothing is measured.
func TestOddWorkersAreNamed(t *testing.T) {
	t.Parallel()
	f := newField(t)
	var loaded atomic.Int64
	for _, name := range []string{"a", "b", "c"} {
		f.worker(name, nil, func(w *Worker) {
			w.Target = func(context.Context, Job, Files) (loadgen.Target, error) {
				prompts := "the same"
				if name == "b" {
					prompts = "others"
				}
				return telling{func(context.Context, int, *loadgen.Record) error { loaded.Add(1); return nil }, prompts}, nil
			}
		})
	}
	j := Job{URL: testURL, Level: loadgen.Level{Concurrency: 4, Requests: 40}}
	c := f.coordinator(3)
	_, err := c.Measure(t.Context(), j, nil)
	odd, ok := errors.AsType[*DisagreementError](err)
	if !ok || odd.What != "workload" || len(odd.Odd) != 1 || !strings.HasPrefix(odd.Odd[0], "b ") {
		t.Errorf("%v", err)
	}
	// The coordinator's own target counts as well.
	c.Workers = 1
	_, err = c.Measure(t.Context(), j, &loadgen.Generator{Target: telling{nil, "others"}})
	if odd, ok := errors.AsType[*DisagreementError](err); !ok || odd.What != "workload" {
		t.Errorf("%v", err)
	}
	// Programs of another build are made up here: their beats are all that is known of them.
	for _, b := range []beat{
		{Instance: "x", Name: "x", Version: protocolVersion, Program: version(), Build: "another"},
		{Instance: "y", Name: "y", Version: protocolVersion, Program: "v9", Build: build()},
		{Instance: "z", Name: "z", Version: protocolVersion + 1, Program: version(), Build: build()},
	} {
		b.Phase, b.Term = idle, c.lead.order.Term
		conn := f.connect()
		done := make(chan struct{})
		f.wait.Go(func() {
			for {
				select {
				case <-done:
					b.Seq, b.Left = b.Seq+1, true
					text, _ := json.Marshal(b)
					_ = conn.Publish(c.lead.names.beat(b.Instance), text)
					return
				case <-time.After(50 * time.Millisecond):
					b.Seq++
					text, _ := json.Marshal(b)
					_ = conn.Publish(c.lead.names.beat(b.Instance), text)
				}
			}
		})
		c.Workers = 4
		_, err := c.Measure(t.Context(), j, nil)
		close(done)
		odd, ok := errors.AsType[*DisagreementError](err)
		if !ok || len(odd.Odd) != 1 || !strings.HasPrefix(odd.Odd[0], b.Name+" ") {
			t.Errorf("%s: %v", b.Name, err)
		}
		if err := c.lead.wait(t.Context(), 20*time.Second, func() (bool, error) {
			return c.lead.workers[b.Instance] == nil, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if loaded.Load() != 0 {
		t.Errorf("%d requests were sent", loaded.Load())
	}
}

// A level that has less to do than there are workers is split among as many as have something to do.
func TestMoreWorkersThanRequestsInFlight(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.workers(3, takes(30*time.Millisecond))
	c := f.coordinator(3)
	for _, concurrency := range []int{1, 2, 3, 7} {
		r := f.measure(c, Job{Level: loadgen.Level{Concurrency: concurrency, Requests: 10 * concurrency}}, nil)
		if r.Generators != min(concurrency, 3) || r.Accounting.Completed != 10*concurrency ||
			r.InFlight.Peak != concurrency {
			t.Errorf("%d in flight: %d generators, %+v", concurrency, r.Generators, r.Accounting)
		}
	}
}

// Two of one name, and fewer than there should be, are no fleet.
func TestWorkersThatAreMissing(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.worker("one", takes(30*time.Millisecond), nil)
	c := f.coordinator(1)
	j := Job{URL: testURL, Level: loadgen.Level{Concurrency: 2, Requests: 20}}
	f.measure(c, j, nil) // it is there
	c.Workers, c.Gather = 2, time.Second
	_, err := c.Measure(t.Context(), j, nil)
	if missing, ok := errors.AsType[*MissingError](err); !ok || !slices.Equal(missing.Have, []string{"one"}) {
		t.Errorf("%v", err)
	}
	f.worker("one", takes(30*time.Millisecond), nil)
	c.Gather = 4 * time.Second // it may take its time to be there
	_, err = c.Measure(t.Context(), j, nil)
	if odd, ok := errors.AsType[*DisagreementError](err); !ok || !strings.Contains(odd.Error(), `two are called "one"`) {
		t.Errorf("%v", err)
	}
}

// Nobody else can coordinate a fleet while somebody does; afterwards anybody may, and its workers follow.
func TestOneCoordinatorAtATime(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.workers(2, takes(30*time.Millisecond))
	j := Job{Level: loadgen.Level{Concurrency: 2, Requests: 20}}
	first, second := f.coordinator(2), f.coordinator(2)
	f.measure(first, j, nil)
	_, err := second.Measure(t.Context(), Job{URL: testURL, Level: j.Level}, nil)
	if busy, ok := errors.AsType[*BusyError](err); !ok || busy.Holder == "" {
		t.Errorf("%v", err)
	}
	other := f.coordinator(1)
	other.Fleet = "another"
	f.worker("theirs", takes(time.Millisecond), func(w *Worker) { w.Fleet = "another" })
	f.measure(other, j, nil)
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	f.measure(second, j, nil)
}

// A coordinator that was not heard of for so long that another has taken its place is obeyed no more, and says so.
func TestReplacedCoordinator(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.workers(1, takes(time.Millisecond))
	j := Job{URL: testURL, Level: loadgen.Level{Concurrency: 1, Requests: 20}}
	first, second := f.coordinator(1), f.coordinator(1)
	f.measure(first, j, nil)
	kv := first.lead.lease.kv
	if _, err := kv.Put(t.Context(), leaseKey, []byte(`{"holder":"third","nonce":"x","term":1}`)); err != nil { // as if it had lapsed
		t.Fatal(err)
	}
	err := first.lead.wait(t.Context(), time.Minute, func() (bool, error) { return false, nil })
	if _, replaced := errors.AsType[*BusyError](err); !replaced {
		t.Errorf("%v", err)
	}
	if _, err := first.Measure(t.Context(), j, nil); err == nil {
		t.Error("a coordinator that was replaced goes on")
	}
	if err := kv.Purge(t.Context(), leaseKey); err != nil { // the third has gone
		t.Fatal(err)
	}
	f.measure(second, j, nil)
}

// A worker loads the servers that its owner allows, and nothing else; what it says of it reaches the coordinator.
func TestOnlyAllowedServers(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.worker("w", takes(time.Millisecond), func(w *Worker) { w.Allow = []string{"https://inside.example:8443/v1"} })
	c := f.coordinator(1)
	for url, allowed := range map[string]bool{
		"https://inside.example:8443": true, "https://INSIDE.example:8443/v1/chat/completions": true,
		"http://inside.example:8443": false, "https://inside.example": false, "https://inside.example.org:8443": false,
		"https://inside.example:8443@elsewhere.example": false, "https://elsewhere.example/#inside.example:8443": false,
	} {
		_, err := c.Measure(t.Context(), Job{URL: url, Level: loadgen.Level{Concurrency: 1, Requests: 10}}, nil)
		if allowed != (err == nil) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := c.Measure(t.Context(), Job{URL: "http://u:hunter2@h", Level: loadgen.Level{Concurrency: 1, Requests: 10}},
		nil); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// Stopped once, the level drains and says that it was cut short; cancelled, it ends with what there is.
func TestStopAndCancel(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.workers(2, takes(50*time.Millisecond))
	c := f.coordinator(2)
	long := Job{URL: testURL, Level: loadgen.Level{Concurrency: 4, Duration: time.Hour}}
	stop := make(chan struct{})
	r, err := c.Measure(t.Context(), long, underWay(&loadgen.Generator{Stop: stop}, func() { close(stop) }))
	if err != nil || !r.CutShort || r.Accounting.Cancelled != 0 || r.Accounting.Completed == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err = c.Measure(ctx, long, underWay(&loadgen.Generator{}, func() { cancel(cause) }))
	if !errors.Is(err, cause) || r == nil || !r.CutShort || r.Accounting.Cancelled == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	f.measure(c, Job{Level: loadgen.Level{Concurrency: 2, Requests: 20}}, nil)
}

// A worker that leaves in an orderly way in the middle of a level is lost to it.
func TestWorkerThatLeaves(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.worker("stays", takes(20*time.Millisecond), nil)
	leave := f.worker("leaves", takes(20*time.Millisecond), nil)
	c := f.coordinator(2)
	began := time.Now()
	r := f.measure(c, Job{Level: loadgen.Level{Concurrency: 4, Duration: time.Hour}}, underWay(&loadgen.Generator{}, func() {
		go leave()
	}))
	if !codes(r)[WarnWorkerLost] || r.Valid() || time.Since(began) > 40*time.Second {
		t.Errorf("%v after %v", r.Warnings, time.Since(began))
	}
	lost := 0
	for _, p := range r.Parts {
		if p.Generator.Lost {
			lost++
		}
	}
	if lost != 1 || r.Accounting.Completed == 0 {
		t.Errorf("%d lost, %+v", lost, r.Accounting)
	}
}
