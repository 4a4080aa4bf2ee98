package fleet

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Many workers begin as one: all of them are there, each request is one's, and they start close together. How close a
// hundred do (SERVEGAUGE_FLEET_WORKERS=100) is in docs/validation/fleet.md; here it is only that the warning about it
// says what is so.
func TestManyWorkers(t *testing.T) {
	t.Parallel()
	f := newField(t)
	n, err := strconv.Atoi(os.Getenv("SERVEGAUGE_FLEET_WORKERS"))
	if err != nil {
		n = 20
	}
	f.workers(n, takes(200*time.Millisecond))
	c := f.coordinator(n)
	c.Gather = time.Minute
	var r *loadgen.Result
	for range 3 { // a machine that stands still for Lost loses workers, and rightly
		if r = f.measure(c, Job{Level: loadgen.Level{Concurrency: 2 * n, Requests: 8 * n}}, nil); !codes(r)[WarnWorkerLost] {
			break
		}
	}
	if r.Generators != n || r.Accounting.Completed != 8*n || len(r.Parts) != n {
		t.Errorf("%d generators, %+v, %v", r.Generators, r.Accounting, r.Warnings)
	}
	least, most, off := r.Parts[0].Start, r.Parts[0].Start, time.Duration(0)
	for _, p := range r.Parts {
		if p.Clock == nil {
			t.Fatalf("worker %d has no clock: %v", p.Shard, r.Warnings)
		}
		least, most, off = min(least, p.Start), max(most, p.Start), max(off, p.Clock.Error)
	}
	t.Logf("%d workers started %v apart, by clocks known to ± %v", n, most-least, off)
	window := r.Makespan
	if r.Steady != nil {
		window = min(window, r.Steady.Length())
	}
	if want := float64(most-least+off) > 0.01*float64(window); codes(r)[WarnStartSpread] != want {
		t.Errorf("warned of the spread: %v, want %v (window %v): %v", !want, want, window, r.Warnings)
	}
}
