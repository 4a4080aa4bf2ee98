package protocol

import (
	"math"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// unitRequest is the replicate unit of an interval within one run.
const unitRequest = "request of one run"

// shares are the counts behind a figure that is a share of the requests issued, of each run that has it; nil for any
// other figure, and where a run does not say of how many requests it is.
func shares(name string, group []Measurement) (counts []stats.Count) {
	if name != loadgen.SuccessRate && name != loadgen.Attainment &&
		!strings.HasPrefix(name, loadgen.AttainmentName("")) {
		return nil
	}
	for _, m := range group {
		f, ok := figureOf(m, name)
		switch met := math.Round(f.Value * float64(f.N) / 100); {
		case !ok:
		case f.N < 1 || !(met >= 0 && met <= float64(f.N)):
			return nil
		default:
			counts = append(counts, stats.Count{Met: int(met), Issued: f.N})
		}
	}
	return counts
}

func figureOf(m Measurement, name string) (loadgen.Figure, bool) {
	all := m.figures()
	i := slices.IndexFunc(all, func(f loadgen.Figure) bool { return f.Name == name })
	if i < 0 {
		return loadgen.Figure{}, false
	}
	return all[i], true
}

// share is the interval of a share over runs, in percent; nil where the figure is none.
func share(name string, group []Measurement, unit string) *stats.Interval {
	counts := shares(name, group)
	if len(counts) < 2 {
		return nil
	}
	v, err := stats.ShareInterval(counts, Confidence, unit)
	if err != nil {
		return nil
	}
	return inPercent(v)
}

func inPercent(v stats.Interval) *stats.Interval {
	v.Estimate, v.Low, v.High = 100*v.Estimate, 100*v.Low, 100*v.High
	return &v
}

// within is the interval of a figure of one run by that run alone; nil where there is none: for means without one,
// for percentiles of what one request has several of, such as the gaps between its chunks, for those of more samples
// than are kept, and for other throughputs than that of the steady window.
func within(name string, m Measurement) *stats.Interval {
	if counts := shares(name, []Measurement{m}); len(counts) == 1 {
		v, err := stats.ProportionInterval(counts[0].Met, counts[0].Issued, Confidence, unitRequest)
		if err != nil {
			return nil
		}
		return inPercent(v)
	}
	if name == loadgen.SteadyTotalThroughput || name == loadgen.SteadyInputThroughput {
		return withinWindow(&m.Result)
	}
	if metric, mean := strings.CutSuffix(name, "_mean"); mean {
		if m, known := m.Result.Means[metric]; known && loadgen.MeanName(metric) == name {
			return &m.Mean
		}
		return nil
	}
	metric, p, ok := loadgen.QuantileOf(name)
	if !ok || slices.Contains(pooledMetrics, metric) {
		return nil
	}
	d := m.Result.Distributions[metric]
	all := strings.HasSuffix(name, "_issued")
	if d == nil || all && m.Result.Accounting.Failed+m.Result.Accounting.Cancelled > 0 {
		return nil // of those that were lost it is not known how late they would have been
	}
	v, err := d.QuantileInterval(p, Confidence, unitRequest)
	if err != nil || !v.Defined() {
		return nil
	}
	return &v
}

// withinWindow is the interval of the throughput over the steady window of one run, of the means of equal parts of it;
// nil where these are shorter than two waves of requests: neighbours would then be alike, as in [stats.MeanOfLevel].
func withinWindow(r *loadgen.Result) *stats.Interval {
	batches, _ := steadyBatches(r)
	if batches == nil || r.Steady.Completions < 2*r.Level.Concurrency*len(batches) {
		return nil
	}
	v, err := stats.MeanInterval(batches, Confidence, "part of the steady window of one run")
	if err != nil || !v.Defined() {
		return nil
	}
	return &v
}

// pooledMetrics have several samples a request, which are alike: an interval that took them for independent would be
// several times too narrow.
var pooledMetrics = []string{loadgen.ITL, loadgen.ITLError, loadgen.ReadLag, loadgen.ChunkLateness}
