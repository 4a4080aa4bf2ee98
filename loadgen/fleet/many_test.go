package fleet

import (
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A hundred workers begin as one: all of them are there, each request is one's, and they start close together. How close
// is in docs/validation/fleet.md; here it is only that the warning about it says what is so.
func TestHundredWorkers(t *testing.T) {
	t.Parallel()
	f := newField(t)
	const n = 100
	f.workers(n, takes(200*time.Millisecond))
	c := f.coordinator(n)
	c.Gather = time.Minute
	r := f.measure(c, Job{Level: loadgen.Level{Concurrency: 2 * n, Requests: 8 * n}}, nil)
	if r.Generators != n || r.Accounting.Completed != 8*n || len(r.Parts) != n {
		t.Errorf("%d generators, %+v, %v", r.Generators, r.Accounting, r.Warnings)
	}
	least, most, off := r.Parts[0].Start, r.Parts[0].Start, time.Duration(0)
	for _, p := range r.Parts {
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
