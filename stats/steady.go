package stats

import (
	"fmt"
	"math"
)

const (
	mserBatch      = 5  // the five of MSER-5
	mserMinBatches = 10 // fewer, and half of them would too often look steadiest by chance
)

// Truncation is where a level becomes steady, by [MSER5].
type Truncation struct {
	Batches int `json:"batches"` // k: batches of five samples
	Cut     int `json:"cut"`     // d: of those, how many to leave out at the start
	Samples int `json:"samples"` // the same in samples: 5d
	// Limit is ⌊k/2⌋, the largest d tried.
	Limit int `json:"limit"`
	// AtLimit says that d reached the limit: the level was not steady, and Samples is not where it begins to be.
	AtLimit  bool      `json:"at_limit"`
	Warnings []Warning `json:"warnings,omitempty"`
}

// MSER5 finds how many samples to leave out at the start of a level, such as the latencies of its requests in the order
// in which they were sent, for the rest to be steady. It is the marginal standard error rule of White (1997) on batches
// of five: with z the means of k batches, d minimises Σ(z − z̄)²/(k − d)² over the batches from d on, d ≤ ⌊k/2⌋. A tie
// goes to the least cut.
//
// The limit is part of the rule. If d is at the limit the level was not steady: discard it and measure longer. Without
// a limit d = k − 1 always wins, because one batch has no variance.
//
// The rule finds a warm-up and misses a slow ramp, of which it lets all but 1 to 15 % pass: use [RampInterval] as well.
//
// Samples after the last whole batch are not looked at. Fewer than 50 samples is ErrTooFew and none ErrEmpty. NaN or an
// infinity is ErrNotFinite with its index. Identical samples are steady, with the warning ResolutionLimited.
func MSER5(x []float64) (Truncation, error) {
	if err := checkSample("x", x); err != nil {
		return Truncation{}, err
	}
	k := len(x) / mserBatch
	if k < mserMinBatches {
		return Truncation{}, &LengthError{Arg: "x", Len: len(x), Err: ErrTooFew,
			Remedy: fmt.Sprintf("give at least %d samples, %d batches of %d", mserMinBatches*mserBatch, mserMinBatches,
				mserBatch)}
	}
	t := Truncation{Batches: k, Limit: k / 2}
	z := batchMeans(fromFirst(x[:k*mserBatch]), k)
	scores := mserScores(z)
	for d, score := range scores {
		if score < scores[t.Cut] {
			t.Cut = d
		}
	}
	t.Samples = t.Cut * mserBatch
	t.AtLimit = t.Cut == t.Limit
	if lo, hi := extremes(x); lo == hi {
		t.Warnings = []Warning{resolutionLimited()}
	}
	return t, nil
}

// mserScores returns Σ(z − z̄)²/(k − d)² for d = 0 … ⌊k/2⌋, of z in units of a power of two near the largest. It runs
// from the end with Welford's update, which needs one pass for all d.
func mserScores(z []float64) []float64 {
	z, _ = nearOne(z)
	k := len(z)
	scores := make([]float64, k/2+1)
	var mean, squares float64
	for i := k - 1; i >= 0; i-- {
		n := float64(k - i)
		delta := z[i] - mean
		mean += delta / n
		squares += float64(delta * (z[i] - mean))
		if i < len(scores) {
			scores[i] = squares / float64(n*n)
		}
	}
	return scores
}

// RampInterval returns the interval for how much the samples of a level rise from its start to its end, along a
// straight line: the slope of the means of B = min(10, ⌊n/2C⌋) successive batches, times B, in the unit of the samples.
// x is in the order of time, and C the concurrency: batches shorter than two waves of C requests are correlated, and a
// steady level then looks like a ramp (10 batches of 200 samples at C = 64 in 45 % of the cases). It is ordinary least
// squares with Student's t on B − 2 degrees of freedom. A level of which the interval does not contain 0, that is
// Above(0) or Below(0), was not steady.
//
// It shows at least 99.9 % of ramps of 2 SD of the samples, from 200 independent samples on, of which [MSER5] shows
// few. Leave out first what MSER5 says. unit names what each sample is, see [Interval]; N is the number of batches.
//
// Batches differ in size by one sample at most, and every sample is in one. Fewer than 5 batches, n < 10C, leave the
// interval undefined with the warning TooFewBatches, batch means that lie on a straight line with ResolutionLimited. No
// samples is ErrEmpty. NaN or an infinity is ErrNotFinite with its index, a concurrency under 1 and a confidence not
// strictly between 0 and 1 ErrOutOfRange, an overflow ErrOverflow.
func RampInterval(x []float64, concurrency int, confidence float64, unit string) (Interval, error) {
	b, err := newBatches(x, concurrency, confidence)
	if err != nil {
		return Interval{}, err
	}
	if concurrency == 1 { // one after the other makes no waves: a batch may be a single sample
		b.means = batchMeans(fromFirst(x), min(mostBatches, len(x)))
	}
	return b.ramp(x, confidence, unit)
}

func (b batches) ramp(x []float64, confidence float64, unit string) (Interval, error) {
	v := Interval{
		Estimate: math.NaN(), Low: math.NaN(), High: math.NaN(),
		Method: "least squares on batch means",
		N:      len(b.means), DF: math.NaN(), Confidence: confidence, Unit: unit,
		Assumptions: []string{
			"the batch means are independent, but for the ramp",
			"the batch means are approximately normal",
		},
		Warnings: unitWarning(nil, unit),
	}
	if b.tooFew() {
		v.Warnings = append(v.Warnings, b.warning())
		return v, nil
	}
	line, count := fitLine(b.means, lastDigit(largestOf(x))), float64(len(b.means))
	v.Estimate, v.DF = float64(line.slope*count), count-2
	if math.IsInf(v.Estimate, 0) || math.IsNaN(v.Estimate) || math.IsInf(line.slopeError, 0) {
		return Interval{}, overflowError(x)
	}
	if line.residualSD == 0 {
		v.Warnings = append(v.Warnings, onALine())
	}
	if err := v.around(float64(line.slopeError * count)); err != nil {
		return Interval{}, err
	}
	if math.IsInf(v.Low, 0) || math.IsInf(v.High, 0) {
		return Interval{}, overflowError(x)
	}
	return v, nil
}

func onALine() Warning {
	return Warning{ResolutionLimited,
		"the values lie on a straight line: the spread around it is below the resolution of the measurement"}
}

// Lag1Band returns the bounds between which the lag-1 autocorrelation of n independent samples lies with this
// confidence, approximately: −1/n ± z/√n, with z the normal quantile, 1.96 for 95 %.
//
// It is a diagnostic, to be held beside [Lag1]. Outside of it the samples are correlated, as they are when requests are
// answered in waves; an interval that treats them as independent is then too narrow. Counting them as n(1 − r)/(1 + r)
// covers 91 to 95 % with 4 requests in flight, 76 to 80 % with 16 and 44 to 54 % with 64, because the correlation of
// waves does not decay from one to the next; [MeanOfLevel] is the remedy.
//
// An n under 2 is ErrOutOfRange, and so is a confidence not strictly between 0 and 1.
func Lag1Band(n int, confidence float64) (low, high float64, err error) {
	if err := checkConfidence(confidence); err != nil {
		return 0, 0, err
	}
	if n < 2 {
		return 0, 0, &ValueError{Arg: "n", Value: float64(n), Err: ErrOutOfRange,
			Remedy: "give the number of samples, at least 2"}
	}
	z, err := studentQuantile((1-confidence)/2, math.Inf(1))
	if err != nil {
		return 0, 0, err
	}
	half := z / math.Sqrt(float64(n))
	return -1/float64(n) - half, -1/float64(n) + half, nil
}

// fromFirst returns x less its first sample, so that an offset which all share costs the means no digits; or x itself,
// where that overflows.
func fromFirst(x []float64) []float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		if d[i] = v - x[0]; math.IsInf(d[i], 0) {
			return x
		}
	}
	return d
}

// batchMeans returns the means of b successive batches of x, b ≤ len(x), that differ in size by one at most.
func batchMeans(x []float64, b int) []float64 {
	z := make([]float64, b)
	for i := range z {
		_, _, z[i], _ = moments(x[i*len(x)/b : (i+1)*len(x)/b])
	}
	return z
}
