package fleet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// moments is at how many random moments processes are killed: 2, or as many as SERVEGAUGE_FLEET_KILLS says.
func moments(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("SERVEGAUGE_FLEET_KILLS"))
	if err != nil {
		return 2
	}
	t.Logf("%d moments", n)
	return n
}

// killed is a level whose books close, and that is spoiled unless it is whole.
func checkKilled(t *testing.T, r *loadgen.Result, requests int) (lost bool) {
	t.Helper()
	lost = codes(r)[WarnWorkerLost]
	if err := r.Accounting.Check(); err != nil {
		t.Error(err)
	}
	switch {
	case lost && r.Valid():
		t.Errorf("a level that lost a worker is valid: %v", r.Warnings)
	case !lost && (r.Accounting.Completed != requests || !r.Valid()):
		t.Errorf("no worker was lost, and %+v; %v", r.Accounting, r.Warnings)
	}
	if r.Accounting.Issued > requests {
		t.Errorf("%d requests, of a level of %d", r.Accounting.Issued, requests)
	}
	return lost
}

// A worker that is killed, whenever that is, costs the level and nothing else: nothing hangs, and the next level is
// measured with the one that comes in its place.
func TestWorkersAreKilled(t *testing.T) {
	t.Parallel()
	n := moments(t)
	side := min(n, 4) // fleets at once: a kill is mostly waited for
	for k := range side {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			job := Job{URL: testURL, Level: loadgen.Level{Concurrency: 6, Requests: 300}} // 50 rounds of 20 ms
			fleet := make([]*process, 3)
			start := func(i int) {
				fleet[i] = f.process(role{Worker: fmt.Sprint("w", i),
					Takes: 20 * time.Millisecond})
			}
			for i := range fleet {
				start(i)
			}
			c := f.coordinator(3)
			lost := 0
			for range (n + side - 1) / side {
				at := time.Duration(rand.Int64N(int64(2 * time.Second)))
				victim := rand.IntN(3)
				killed := make(chan struct{})
				time.AfterFunc(at, func() { fleet[victim].kill(); close(killed) })
				began := time.Now()
				r, err := c.Measure(t.Context(), job, nil)
				if missing, ok := errors.AsType[*MissingError](err); ok { // it was killed before the level began
					<-killed
					start(victim)
					if len(missing.Have) != 2 {
						t.Errorf("%v", missing)
					}
					continue
				}
				if err != nil {
					t.Fatalf("killed after %v: %v", at, err)
				}
				if took := time.Since(began); took > time.Minute {
					t.Errorf("killed after %v: it took %v", at, took)
				}
				if checkKilled(t, r, 300) {
					lost++
				}
				<-killed
				start(victim)
			}
			r, err := c.Measure(t.Context(), job, nil)
			if err != nil {
				t.Fatal(err)
			}
			if checkKilled(t, r, 300) {
				t.Error("nobody was killed, and somebody lost")
			}
			t.Logf("%d levels lost a worker", lost)
		})
	}
}

// A level that is longer than a coordinator's lease is under way all the time until another one has it, which takes
// it up.
func TestLongLevelIsTakenUp(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.workers(2, takes(20*time.Millisecond))
	watched, err := f.connect().SubscribeSync("servegauge.default.beat.>")
	if err != nil {
		t.Fatal(err)
	}
	leader := role{Workers: 2, Job: Job{ID: "long", Level: loadgen.Level{Concurrency: 2, Requests: 1000}}} // 10 s
	first := f.process(leader)
	for progress := 0; progress < 20; {
		m, err := watched.NextMsg(30 * time.Second)
		var b beat
		if err != nil || decode(m.Data, &b) != nil {
			t.Fatalf("%v", err)
		}
		progress = b.Progress.Completed
	}
	first.kill()
	r := f.process(leader).result(t, time.Minute)
	if checkKilled(t, r, 1000) || !codes(r)[WarnTakenUp] {
		t.Errorf("%+v, %v", r.Accounting, r.Warnings)
	}
}

// A coordinator that is killed, whenever that is, and started again ends with one whole level: the one that it had
// begun, where that was under way, and else another.
func TestCoordinatorsAreKilled(t *testing.T) {
	t.Parallel()
	n := moments(t)
	side := min(n, 4)
	for k := range side {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			f.workers(2, takes(20*time.Millisecond))
			taken := 0
			for i := range (n + side - 1) / side {
				leader := role{Workers: 2, Job: Job{ID: fmt.Sprint("level ", i),
					Level: loadgen.Level{Concurrency: 4, Requests: 200}}}
				at := time.Duration(rand.Int64N(int64(2500 * time.Millisecond)))
				first := f.process(leader)
				time.Sleep(at)
				first.kill()
				r := f.process(leader).result(t, time.Minute)
				if checkKilled(t, r, 200) {
					t.Errorf("killed after %v: no worker was lost: %v", at, r.Warnings)
				}
				if codes(r)[WarnTakenUp] {
					taken++
				}
			}
			t.Logf("%d levels were taken up", taken)
		})
	}
}
