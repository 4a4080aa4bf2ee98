package protocol

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// A Spread says where the variation of a point's steady throughput arises, between the runs and within them, and what
// to repeat how often if its mean is to be known better.
type Spread struct {
	Figure  string `json:"figure"`  // whose variation it is
	Batches int    `json:"batches"` // equal parts of each run's steady window
	// Batch is how long one of them is, on average over the runs.
	Batch time.Duration `json:"batch_ns"`
	// Components are those of runs and of batches in them. Batches of a window that are short for how the load swings
	// are correlated, and then some of what is within a run is counted as between.
	Components stats.Components `json:"components"`
	// Plan is what it takes to know the mean to ± Precision; nil where that cannot be told.
	Plan      *stats.RepetitionPlan `json:"plan,omitempty"`
	Precision float64               `json:"precision"` // relative
	// Restart is what a run costs beside its batches, on average: the rest before it, the start, and what leads it in.
	Restart time.Duration `json:"restart_ns,omitempty"`
}

const (
	spreadBatches   = 8    // of each run: enough to know their variance, and long enough to be nearly independent
	spreadBins      = 4    // of the timeline in each batch, at least
	spreadPrecision = 0.01 // of the mean
)

// newSpread is nil where fewer than two runs have a steady window of enough bins.
func newSpread(group []Measurement, restart time.Duration, unit string) *Spread {
	var runs [][]float64
	var length time.Duration
	for _, m := range group {
		batches, each := steadyBatches(&m.Result)
		if batches == nil {
			return nil
		}
		runs = append(runs, batches)
		length += each
	}
	if len(runs) < 2 {
		return nil
	}
	components, err := stats.VarianceComponents(runs, Confidence, unit, "batch of the steady window")
	if err != nil {
		return nil // such as a level without any token
	}
	s := &Spread{
		Figure: loadgen.SteadyTotalThroughput, Batches: spreadBatches, Batch: length / time.Duration(len(runs)),
		Components: components, Precision: spreadPrecision, Restart: restart,
	}
	costs := []float64{max(restart, time.Millisecond).Seconds(), max(s.Batch, time.Millisecond).Seconds()}
	if plan, err := components.Plan(costs, spreadPrecision*components.Mean.Estimate); err == nil {
		s.Plan = &plan
	}
	return s
}

// steadyBatches are the throughputs of equal parts of a level's steady window, in tokens/s, and how long a part is;
// nil where the window has too few of the timeline's bins. A bin that reaches out of the window is no part of it.
func steadyBatches(r *loadgen.Result) (batches []float64, each time.Duration) {
	w, t := r.Steady, r.Timeline
	if w == nil || t == nil || t.Width <= 0 || r.Tokens.Uncounted > 0 {
		return nil, 0
	}
	from := int((w.From + t.Width - 1) / t.Width)
	to := min(int(w.To/t.Width), t.Len())
	bins := (to - from) / spreadBatches
	if bins < spreadBins {
		return nil, 0
	}
	each = time.Duration(bins) * t.Width
	for k := range spreadBatches {
		tokens := 0
		for i := from + k*bins; i < from+(k+1)*bins; i++ {
			tokens += t.Input[i] + t.Output[i]
		}
		batches = append(batches, float64(tokens)/each.Seconds())
	}
	return batches, each
}

// restartCost is what a run took beside its levels, on average over the starts that there were: the rest and the
// readiness.
func restartCost(e *Experiment) time.Duration {
	var sum time.Duration
	for _, s := range e.Starts {
		sum += s.Ready
	}
	for _, m := range e.Measurements {
		sum += m.Step.Cooldown
	}
	return sum / time.Duration(max(len(e.Starts), 1))
}

// WarnRunDrift is the code of the warning that the figures changed over the order of the runs.
const WarnRunDrift = "run-drift"

// runDrift says whether a figure drifted from run to run, over the points that all runs have whole; nil where that
// cannot be told. The throughput of an open loop is what was offered, and tells nothing.
func runDrift(a *Analysis, figure string, confidence float64) *stats.DriftResult {
	var runs []int
	var rows [][]float64
	for i := range a.Points {
		p := &a.Points[i]
		e, err := p.Figure(figure)
		if err != nil || p.Open() && figure == a.KneeOf {
			continue
		}
		if runs == nil {
			runs = e.Runs
			rows = make([][]float64, len(runs))
		}
		if !slices.Equal(runs, e.Runs) {
			continue
		}
		for j, v := range e.Values {
			rows[j] = append(rows[j], v)
		}
	}
	if len(runs) < 2 {
		return nil
	}
	d, err := stats.Drift(rows, confidence, a.Unit)
	if err != nil {
		return nil
	}
	return &d
}

// drifts looks for drift in the throughput and in TTFT: a queue that grows from run to run, or memory that is in
// pieces, moves TTFT long before it moves the throughput. Either is warned of at half of the error that one alone would
// be allowed, so that an experiment without drift has a warning in one of twenty.
func (a *Analysis) drifts() {
	throughput := "the steady throughput"
	if a.Imported != "" {
		throughput = a.KneeOf + " over the makespan"
	}
	var what []string
	for _, d := range []struct {
		result       **stats.DriftResult
		figure, name string
	}{
		{&a.Drift, a.KneeOf, throughput},
		{&a.TTFTDrift, loadgen.MeanName(loadgen.TTFT), "mean TTFT"},
	} {
		*d.result = runDrift(a, d.figure, Confidence)
		strict := runDrift(a, d.figure, (1+Confidence)/2)
		if strict == nil || !strict.Assessed || !(strict.Total.Low > 0 || strict.Total.High < 0) {
			continue
		}
		t := (*d.result).Total
		what = append(what, number.Sprintf("%s changed by %s (95 %%: %s to %s)",
			d.name, change(t.Estimate), change(t.Low), change(t.High)))
	}
	if len(what) > 0 {
		a.warn(WarnRunDrift, "from the first run to the last %s: what changed with the time, or the server's uptime, "+
			"is in all intervals; look for it, or have the order of the levels change from run to run",
			strings.Join(what, ", and "))
	}
}

// change is what a change of a logarithm is in percent: 0.7 is "+101 %".
func change(log float64) string { return percent(math.Expm1(log)) }

// percent is a small change as a share: "+2.1 %".
func percent(x float64) string {
	if math.Abs(x) >= 0.1 {
		return number.Sprintf("%+.0f %%", 100*x)
	}
	return number.Sprintf("%+.2g %%", 100*x)
}
