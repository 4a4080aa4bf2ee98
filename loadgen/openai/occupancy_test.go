package openai_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// Requests that stall in the middle of their stream and die hold their slots until then. The load is not less for it,
// and the difference to what was in flight is theirs, to the microsecond.
func TestStalledRequestsHoldTheirSlots(t *testing.T) {
	server := serve(t, &loadgentest.Faults{
		Handler: &loadgentest.Echo{FirstToken: 5 * time.Millisecond, Gap: 2 * time.Millisecond},
		Order:   []loadgentest.Fault{{Kind: loadgentest.FaultStall, After: 2, Rate: 0.02}},
	})
	level := loadgen.Level{Concurrency: 8, Requests: 800, Timeout: time.Second}
	r, all := measure(t, level, newTarget(t, openai.Config{URL: server.URL}))
	held, stalled := time.Duration(0), 0
	for _, q := range all {
		if q.err != nil {
			held += min(q.Left, r.InFlight.To) - q.Done
			if stalled++; q.err.Class != loadgen.ClassStalled || q.Left-q.Sent < level.Timeout/2 {
				t.Errorf("request %d failed with %v, and left after %v", q.Index, q.err, q.Left-q.Sent)
			}
		}
	}
	f := r.InFlight
	if stalled == 0 || f.Occupied < 1.5*f.Mean {
		t.Fatalf("%d stalled; %+v", stalled, f)
	}
	if failed, want := f.Occupied-f.Mean-f.LateEnd, float64(held)/float64(f.To-f.From); math.Abs(failed-want) > 1e-6 {
		t.Errorf("%v slots held by what failed, and %v by its records", failed, want)
	}
	for _, w := range r.Warnings {
		if w.Code == loadgen.WarnLateEnd && strings.Contains(w.Message, "failed after their last chunk") {
			return
		}
	}
	t.Errorf("warnings %v", r.Warnings)
}
