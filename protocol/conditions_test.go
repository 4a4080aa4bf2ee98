package protocol

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A percentile of all issued requests that is not known in one run of two is not the other's.
func TestIssuedPercentileOfSomeRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, err := runSteps(t, func(_ context.Context, s Step, i int) error {
			time.Sleep(time.Second)
			if s.Run == 2 && i%100 == 0 {
				return errors.New("lost")
			}
			return nil
		}, Step{Run: 1, Level: loadgen.Level{Concurrency: 1, Requests: 200}}, Step{Run: 2,
			Level: loadgen.Level{Concurrency: 1, Requests: 200}})
		if err != nil {
			t.Fatal(err)
		}
		p := &Analyze(e).Points[0]
		for name, spoiled := range map[string]bool{"e2e_p99_issued": true, "e2e_p95_issued": false, "e2e_p99": false} {
			estimate, err := p.Figure(name)
			var bad *SpoiledError
			if errors.As(err, &bad) != spoiled || !spoiled && len(estimate.Runs) != 2 {
				t.Errorf("%s: %v, runs %v", name, err, estimate.Runs)
			}
		}
	})
}
