package fleet

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Four workers are one generator: every request of the level once, the requests in flight held, its quantiles those of
// all samples together, and its observers told of each.
func TestOneLevelFromFourWorkers(t *testing.T) {
	t.Parallel()
	f := newField(t)
	var mu sync.Mutex
	var issued []int
	inFlight, most := 0, 0
	f.workers(4, func(ctx context.Context, i int, r *loadgen.Record) error {
		mu.Lock()
		issued = append(issued, i)
		inFlight++
		most = max(most, inFlight)
		mu.Unlock()
		err := takes(time.Duration(5+i%7)*time.Millisecond)(ctx, i, r)
		mu.Lock()
		inFlight--
		mu.Unlock()
		return err
	})
	c := f.coordinator(4)
	var e2e []float64
	var told []int
	var done *loadgen.Result
	g := &loadgen.Generator{Observers: []loadgen.Observer{{
		Record: func(r *loadgen.Record, err *loadgen.Error) {
			told = append(told, r.Index)
			if !r.Warmup && err == nil {
				e2e = append(e2e, float64(r.E2E())/1e6)
			}
			if r.ChunkCount() != 2 {
				t.Errorf("request %d has %d chunks", r.Index, r.ChunkCount())
			}
		},
		Done: func(r *loadgen.Result) { done = r },
	}}}
	// 11 slots of 4 shards, so that these are uneven.
	l := loadgen.Level{Concurrency: 11, Requests: 1100, Warmup: 13}
	r := f.measure(c, Job{Level: l}, g)
	for _, numbers := range [][]int{issued, told} {
		slices.Sort(numbers)
		if len(numbers) != 1113 {
			t.Fatalf("%d requests, want 1113", len(numbers))
		}
		for i, n := range numbers {
			if i != n {
				t.Fatalf("request %d is missing, or there twice", i)
			}
		}
	}
	if most != 11 || r.InFlight.Peak != 11 || r.Accounting.Completed != 1100 || r.Warmup.Completed != 13 {
		t.Errorf("%d in flight at most, said %d; %+v", most, r.InFlight.Peak, r.Accounting)
	}
	all := new(loadgen.Distribution)
	for _, x := range e2e {
		all.Add(x)
	}
	for _, p := range []float64{1, 50, 90, 99, 100} {
		want, _ := all.Quantile(p)
		if got, _ := r.Distributions[loadgen.E2E].Quantile(p); got != want {
			t.Errorf("p%v of E2E is %v, and of all samples %v", p, got, want)
		}
	}
	if done != r || r.Steady == nil || !r.Valid() || len(r.Parts) != 4 {
		t.Errorf("done %v, steady %v, parts %d, %v", done == r, r.Steady, len(r.Parts), r.Warnings)
	}
	for _, p := range r.Parts {
		if g := p.Generator; g == nil || g.Before == nil || g.After == nil || g.Build == "" || p.Client == nil {
			t.Errorf("%+v", p)
		}
	}
	if r.Worst() == nil {
		t.Error("no client is the worst")
	}
}
