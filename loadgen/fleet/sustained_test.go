package fleet

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// What workers do of a level whose server is no limit is what they sustain from then on: a level that asks for as much
// says so, and one that asks for little does not.
func TestWorkersAreGauged(t *testing.T) {
	t.Parallel()
	f := newField(t)
	var pause atomic.Int64
	for _, name := range []string{"a", "b"} {
		f.worker(name, nil, func(w *Worker) {
			w.Target = func(context.Context, Job, Files) (loadgen.Target, error) {
				return takes(time.Duration(pause.Load())), nil
			}
		})
	}
	c := f.coordinator(2)
	measure := func(gauge bool, takes time.Duration, requests int) *loadgen.Result {
		pause.Store(int64(takes))
		return f.measure(c, Job{Gauge: gauge, Level: loadgen.Level{Concurrency: 4, Requests: requests}}, nil)
	}
	for _, p := range measure(false, time.Millisecond, 40).Parts {
		if h, known := p.Headroom(); known {
			t.Errorf("before: %+v", h)
		}
	}
	gauged := measure(true, 40*time.Millisecond, 80)
	for _, p := range gauged.Parts {
		if p.Generator.Sustained != 0 { // it presented itself before
			t.Errorf("%+v", p.Generator)
		}
	}
	little := measure(false, time.Second, 4)
	for i, p := range little.Parts {
		done := gauged.Parts[i]
		want := float64(done.Accounting.Completed) / done.Makespan.Seconds()
		h, known := p.Headroom()
		if p.Generator.Sustained != want || p.Generator.SustainedChunks != 2*want || !known || h.Requests != h.Chunks {
			t.Errorf("%+v, want %v requests/s; %+v", p.Generator, want, h)
		}
	}
	if codes(little)[WarnHeadroom] {
		t.Errorf("%v", little.Warnings)
	}
	if much := measure(false, time.Millisecond, 80); !codes(much)[WarnHeadroom] {
		t.Errorf("no warning: %+v", much.Parts)
	}
}
