package stats

import (
	"encoding/json"
	"fmt"
	"math"
)

const (
	mostBatches   = 10
	fewestBatches = 5
)

// BatchMeans is the interval for the mean within one level of one run, with what the correlation of its samples costs.
type BatchMeans struct {
	Mean    Interval // over the batches; N is their number
	Batches int      // B = min(10, ⌊n/2C⌋)
	// ESS is the effective sample size, s²/(s_B²/B), at most n: how many independent samples would know the mean as well. It
	// is NaN where the interval is undefined, and for identical samples.
	ESS float64
}

// BatchMeansInterval returns the interval for the mean of samples that are correlated, in the order of time: those of
// requests answered in waves, as a server that batches does with a closed loop of the given concurrency C. The samples are
// cut into B = min(10, ⌊n/2C⌋) successive batches, of two waves or more each, and the interval is x̄ ± t·s_B/√B with s_B
// the SD of the batch means and t on B − 1 degrees of freedom. Estimate, Low and High are in the unit of the samples.
//
// At a nominal 95 % it covers 92 to 95 % in the package's simulation of waves, where an interval from all samples as if
// they were independent covers 20 to 90 %. It covers the variation within this level and run, and none between runs.
//
// Fewer than 5 batches, n < 10C, leave the interval undefined, with the warning TooFewBatches: so does one sample. No
// samples is ErrEmpty. NaN or an infinity is ErrNotFinite with its index, a concurrency under 1 ErrOutOfRange, and so is a
// confidence not strictly between 0 and 1. Identical samples give an interval of zero width with the warning
// ResolutionLimited. unit names what each sample is, see [Interval].
func BatchMeansInterval(x []float64, concurrency int, confidence float64, unit string) (BatchMeans, error) {
	if err := checkConfidence(confidence); err != nil {
		return BatchMeans{}, err
	}
	if concurrency < 1 {
		return BatchMeans{}, &ValueError{Arg: "concurrency", Value: float64(concurrency), Err: ErrOutOfRange,
			Remedy: "give how many requests were in flight, at least 1"}
	}
	if err := checkSample("x", x); err != nil {
		return BatchMeans{}, err
	}
	lo, hi, mean, sd := moments(x)
	b := BatchMeans{Batches: min(mostBatches, len(x)/2/concurrency), ESS: math.NaN()} // this order cannot overflow
	b.Mean = Interval{
		Estimate: mean, Low: math.NaN(), High: math.NaN(),
		Method: "batch means", N: b.Batches, DF: float64(b.Batches - 1), Confidence: confidence, Unit: unit,
		Assumptions: []string{
			"the level is steady",
			"correlation does not reach beyond the next batch",
			"the batch means are approximately normal",
		},
		Warnings: unitWarning(nil, unit),
	}
	if b.Batches < fewestBatches {
		b.Mean.DF = math.NaN()
		b.Mean.Warnings = append(b.Mean.Warnings, Warning{TooFewBatches, fmt.Sprintf(
			"%d samples at concurrency %d make %d batches of two waves, and an interval within the level needs %d: measure %.0f samples",
			len(x), concurrency, b.Batches, fewestBatches, 2*fewestBatches*float64(concurrency))})
		return b, nil
	}
	low, high, _, between := moments(batchMeans(x, b.Batches))
	switch {
	case lo == hi:
		b.Mean.Warnings = append(b.Mean.Warnings, resolutionLimited())
	case low == high:
		b.ESS = float64(len(x))
		b.Mean.Warnings = append(b.Mean.Warnings, Warning{ResolutionLimited,
			"the means of all batches are identical: the spread between them is below the resolution of the measurement"})
	default:
		ratio := sd / between
		b.ESS = min(float64(len(x)), float64(float64(ratio*ratio)*float64(b.Batches)))
	}
	if err := b.Mean.around(between / math.Sqrt(float64(b.Batches))); err != nil {
		return BatchMeans{}, err
	}
	if !b.Mean.Defined() || math.IsInf(b.Mean.Low, 0) || math.IsInf(b.Mean.High, 0) || math.IsInf(sd, 0) {
		return BatchMeans{}, overflowError(x)
	}
	return b, nil
}

type batchMeansJSON struct {
	Mean    Interval `json:"mean"`
	Batches int      `json:"batches"`
	ESS     number   `json:"ess"`
}

// MarshalJSON writes the result with null for what is undefined.
func (b BatchMeans) MarshalJSON() ([]byte, error) {
	return json.Marshal(batchMeansJSON{b.Mean, b.Batches, number(b.ESS)})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (b *BatchMeans) UnmarshalJSON(text []byte) error {
	j := batchMeansJSON{ESS: undefined}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*b = BatchMeans{j.Mean, j.Batches, float64(j.ESS)}
	return nil
}
