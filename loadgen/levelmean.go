package loadgen

import (
	"math"

	"github.com/servegauge/servegauge/stats"
)

// meanMetrics are those whose mean has an interval of its own: one value a request. Gaps between chunks are several
// of a request, and alike.
var meanMetrics = []string{TTFT, FirstAnswer, TPOT, E2E, Response}

// meanConfidence is that of the interval of a mean.
const meanConfidence = 0.95

// UnitWave is what the interval of a level's mean is over.
const UnitWave = "batch of successive requests of one run"

// means are the means of the level with intervals of their own, from the order in which requests ended; nil where no
// metric has one. It is called before anything sorts the samples.
func (r *Result) means() map[string]stats.LevelMean {
	concurrency := r.Level.own().Concurrency
	if r.Level.open() {
		// what is in flight at once shares what the server does meanwhile
		concurrency = int(math.Round(r.InFlight.Mean))
	}
	var out map[string]stats.LevelMean
	for _, metric := range meanMetrics {
		d := r.Distributions[metric]
		if d == nil || d.histogram != nil || d.sorted {
			continue
		}
		m, err := stats.MeanOfLevel(d.samples, max(concurrency, 1), meanConfidence, UnitWave)
		if err != nil || !m.Mean.Defined() {
			continue
		}
		if out == nil {
			out = map[string]stats.LevelMean{}
		}
		out[metric] = m
	}
	return out
}
