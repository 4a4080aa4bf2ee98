package fleet

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// fromEnvironment is a number that somebody has asked for, or else the usual one.
func fromEnvironment(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return usual
}

// Many workers begin as one: all of them are there, each request is one's, and they start close together. How close a
// hundred do (SERVEGAUGE_FLEET_WORKERS=100 SERVEGAUGE_FLEET_STARTS=20) is in docs/validation/fleet.md; here it is only
// that the warning about it says what is so.
func TestManyWorkers(t *testing.T) {
	t.Parallel()
	f := newField(t)
	n, starts := fromEnvironment("SERVEGAUGE_FLEET_WORKERS", 20), fromEnvironment("SERVEGAUGE_FLEET_STARTS", 1)
	f.workers(n, takes(200*time.Millisecond))
	c := f.coordinator(n)
	c.Gather = time.Minute
	var spreads []time.Duration
	for len(spreads) < starts && !t.Failed() {
		var r *loadgen.Result
		for range 3 { // a machine that stands still for Lost loses workers, and rightly
			if r = f.measure(c, Job{Level: loadgen.Level{Concurrency: 2 * n, Requests: 8 * n}},
				nil); !codes(r)[WarnWorkerLost] {
				break
			}
		}
		spreads = append(spreads, checkStart(t, r, n))
	}
	slices.Sort(spreads)
	t.Logf("%d starts of %d workers: %v apart in the median, %v at worst; load average %s", len(spreads), n,
		spreads[len(spreads)/2], spreads[len(spreads)-1], loadAverage())
	if len(spreads) > 1 {
		t.Logf("all: %v", spreads)
	}
}

// loadAverage is the machine's, as far as it tells.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg") // 2.20 1.04 1.21 3/412 4711
	if err != nil {
		return "not known"
	}
	return string(text[:min(len(text), 14)])
}

// checkStart is how far apart n workers began a level of 8 requests for each.
func checkStart(t *testing.T, r *loadgen.Result, n int) time.Duration {
	t.Helper()
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
	window := r.Makespan
	if r.Steady != nil {
		window = min(window, r.Steady.Length())
	}
	if want := float64(most-least+off) > 0.01*float64(window); codes(r)[WarnStartSpread] != want {
		t.Errorf("warned of the spread: %v, want %v (window %v): %v", !want, want, window, r.Warnings)
	}
	return most - least
}
