package loadgen_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// counting is a target that answers at once, and sees how many goroutines there are.
type counting struct {
	atOnce
	most *atomic.Int64
}

func (c counting) see() {
	n := int64(runtime.NumGoroutine())
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
}

func (c counting) Do(_ context.Context, _ int, r *loadgen.Record) error {
	c.see()
	r.Chunk(loadgen.Chunk{})
	return nil
}

func (c counting) Session(i int) (loadgen.Session, error) {
	c.see()
	return c.atOnce.Session(i)
}

// On one core, where a worker that was started may take long to come to its turn, there are still no more of them than
// the load needs: a server that answers at once has one request in flight.
func TestNoMoreWorkersThanNeeded(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	burst := loadgen.Arrivals{Process: loadgen.ConstantArrivals, Rate: loadgen.MaxRate}
	for name, level := range map[string]loadgen.Level{
		"a burst":         {Arrivals: burst, Requests: 3000},
		"sessions":        {Unit: loadgen.UnitSession, Concurrency: 4, Sessions: 3000},
		"a burst of them": {Unit: loadgen.UnitSession, Arrivals: burst, Sessions: 3000},
	} {
		most, before := new(atomic.Int64), int64(runtime.NumGoroutine())
		if _, err := loadgen.Measure(t.Context(), level, counting{atOnce{2, 0}, most}); err != nil {
			t.Fatal(name, err)
		}
		t.Logf("%s: at most %d goroutines", name, most.Load()-before)
		if n := most.Load() - before; n > 100 {
			t.Errorf("%s: at most %d goroutines", name, n)
		}
	}
}
