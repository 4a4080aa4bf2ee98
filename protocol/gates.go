package protocol

import (
	"math"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// WarnLevelDrift is the code of the warning that a level's throughput changed while it was measured.
const WarnLevelDrift = "level-drift"

const (
	driftP    = 0.01 // of the rank test over the batches of the steady window: one level in a hundred that does not drift
	driftSize = 0.05 // of the throughput, from the first batch to the last: less does not matter
)

// driftWarning says that the throughput rose or fell over the steady window: the mean is then of no state that the
// server was in. It takes a trend of ranks, which a swing is not, and one that is large enough to matter.
func driftWarning(r *loadgen.Result) (loadgen.Warning, bool) {
	batches, each := steadyBatches(r)
	if batches == nil {
		return loadgen.Warning{}, false
	}
	trend, err := stats.MannKendall(batches)
	if err != nil || trend.P > driftP {
		return loadgen.Warning{}, false
	}
	half := len(batches) / 2
	early, late := mean(batches[:half]), mean(batches[half:])
	change := (late - early) / ((late + early) / 2) * float64(len(batches)) / float64(half) // of a line through both halves
	if math.IsNaN(change) || math.Abs(change) < driftSize {
		return loadgen.Warning{}, false
	}
	return loadgen.Warning{Code: WarnLevelDrift, Spoils: []string{loadgen.Steady}, Message: number.Sprintf(
		"the throughput changed by %s over the steady window, of %d parts of %v (Mann–Kendall p = %.2g): the server was not in a steady state; warm it longer, or measure for longer",
		percent(change), len(batches), each, trend.P)}, true
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
