package loadgen

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// Requests of 100 ms on average, 8 at once, of which 8 in a row share what the server did: the mean's interval is
// that of batches, and wider than that of independent requests. Fewer than ten for each one in flight have none.
func TestMeansOfALevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		measure := func(requests int) *Result {
			random := rand.New(rand.NewPCG(3, 4))
			waves := make([]time.Duration, requests)
			for i := range waves {
				if i%8 == 0 {
					waves[i] = time.Duration((1 + 0.2*random.NormFloat64()) * float64(100*time.Millisecond))
				} else {
					waves[i] = waves[i-1]
				}
			}
			return mustMeasure(t, Level{Concurrency: 8, Requests: requests},
				TargetFunc(func(_ context.Context, i int, r *Record) error {
					time.Sleep(waves[i])
					return nil
				}))
		}
		r := measure(800)
		m, ok := r.Means[E2E]
		f, _ := r.Figure(MeanName(E2E))
		if !ok || math.Abs(m.Mean.Estimate-f.Value) > 1e-6*f.Value || m.Mean.N != 10 || m.Mean.Unit != UnitWave {
			t.Fatalf("the mean is %+v, and the figure %+v", m.Mean, f)
		}
		sd, _ := r.Distributions[E2E].SD()
		if independent := 1.96 * sd / math.Sqrt(800); m.Mean.HalfWidth() < 1.5*independent {
			t.Errorf("the half width is %v, where independent requests had %v", m.Mean.HalfWidth(), independent)
		}
		if _, ok := measure(79).Means[E2E]; ok {
			t.Error("79 requests at 8 in flight have an interval")
		}
	})
}
