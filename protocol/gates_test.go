package protocol

import (
	"math/rand/v2"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// A throughput that drifts within a level is flagged; noise and a swing are not, but for one level in a hundred.
func TestLevelDrift(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	level := func(shape func(x float64) float64, noise float64) *loadgen.Result {
		m := steadyRun(1, 10_000, 0, random)
		for i := range m.Result.Timeline.Output {
			x := float64(i) / float64(len(m.Result.Timeline.Output))
			m.Result.Timeline.Output[i] = int(1000 * (shape(x) + noise*random.NormFloat64()))
		}
		return &m.Result
	}
	flat := func(float64) float64 { return 1 }
	false_, n := 0, 1000
	for range n {
		if _, ok := driftWarning(level(flat, .2)); ok {
			false_++
		}
	}
	if false_ > 25 { // 1 %, and chance
		t.Errorf("%d of %d levels that do not drift are flagged", false_, n)
	}
	for name, c := range map[string]struct {
		shape func(float64) float64
		noise float64
		want  bool
	}{
		"warming up":     {func(x float64) float64 { return .8 + .4*x }, .05, true},
		"slowing down":   {func(x float64) float64 { return 1.1 - .2*x }, .02, true},
		"a little":       {func(x float64) float64 { return 1 + .02*x }, .001, false},
		"up and down":    {func(x float64) float64 { return 1 + .2*(x-.5)*(x-.5) }, .001, false},
		"quite constant": {flat, 0, false},
	} {
		w, ok := driftWarning(level(c.shape, c.noise))
		if ok != c.want || ok && !w.SpoilsFigure(loadgen.SteadyTotalThroughput) {
			t.Errorf("%s: %v %v", name, ok, w)
		}
	}
	if _, ok := driftWarning(&loadgen.Result{}); ok {
		t.Error("a level without a steady window drifts")
	}
}
