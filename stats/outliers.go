package stats

import (
	"math"
	"slices"
)

// OutlierFlags names the samples that lie far from the others, by [FlagOutliers]. It is a list to look at, and to show
// beside the results; none of the samples is to be deleted for it.
type OutlierFlags struct {
	Method string  `json:"method"`
	N      int     `json:"n"`
	Median float64 `json:"median"` // in the unit of the samples
	// MAD is the median absolute deviation from the median, in the unit of the samples.
	MAD     float64   `json:"mad"`
	Cutoff  float64   `json:"cutoff"`  // the |score| above which a sample is flagged
	Flagged []Outlier `json:"flagged"` // in the order of the samples
	// Warnings: ResolutionLimited for identical samples, of which none is flagged.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Outlier is one flagged sample.
type Outlier struct {
	Index int     `json:"index"` // in the samples
	Value float64 `json:"value"` // in their unit
	Score float64 `json:"score"` // about the number of SDs from the median; its sign says on which side
}

// FlagOutliers names the samples whose modified z score, 0.6745·(x − median)/MAD (Iglewicz & Hoaglin 1993), exceeds
// cutoff in size; 3.5 is usual. If more than half of the samples are equal the MAD is 0, and the scores are (x −
// median)/(1.253314·mean absolute deviation) in its place, as there. A score larger than the largest float64 is that.
//
// It flags and never deletes, and nothing in this package leaves out a sample because of what it is: a slow run is what
// the system does from time to time, until somebody finds the cause outside of the numbers. A rule of 3 standard
// deviations would see nothing here, because a sample inflates the SD that judges it: |z| cannot exceed (n − 1)/√n,
// which is 1.789 for n = 5, and below 3 up to n = 10.
//
// One or two samples are never flagged. No samples is ErrEmpty, NaN or an infinity ErrNotFinite with its index, a
// cutoff that is not positive and finite ErrOutOfRange, a MAD beyond the largest float64 ErrOverflow.
func FlagOutliers(x []float64, cutoff float64) (OutlierFlags, error) {
	if !(cutoff > 0 && cutoff <= math.MaxFloat64) {
		return OutlierFlags{}, &ValueError{Arg: "cutoff", Value: cutoff, Err: ErrOutOfRange,
			Remedy: "give the score above which a sample is flagged, such as 3.5"}
	}
	if err := checkSample("x", x); err != nil {
		return OutlierFlags{}, err
	}
	y, exp := nearOne(x) // so that no difference overflows
	median := medianOf(y)
	deviations := make([]float64, len(y))
	for i, v := range y {
		deviations[i] = math.Abs(v - median)
	}
	mad := medianOf(deviations)
	f := OutlierFlags{
		Method: "modified z score from the median absolute deviation (Iglewicz & Hoaglin 1993)",
		N:      len(x), Median: math.Ldexp(median, exp), MAD: math.Ldexp(mad, exp), Cutoff: cutoff,
	}
	if math.IsInf(f.MAD, 0) {
		return OutlierFlags{}, overflowError(x)
	}
	sd := mad / 0.6745
	if mad == 0 {
		f.Method = "modified z score from the mean absolute deviation, as the median one is 0 (Iglewicz & Hoaglin 1993)"
		_, _, mean, _ := moments(deviations)
		sd = 1.253314 * mean
	}
	switch {
	case sd == 0:
		f.Warnings = []Warning{resolutionLimited()}
		return f, nil
	case len(x) <= 2:
		return f, nil
	}
	for i, v := range y {
		score := (v - median) / sd
		score = min(max(score, -math.MaxFloat64), math.MaxFloat64)
		if math.Abs(score) > cutoff {
			f.Flagged = append(f.Flagged, Outlier{Index: i, Value: x[i], Score: score})
		}
	}
	return f, nil
}

// medianOf is for finite samples whose sums do not overflow, at least one.
func medianOf(x []float64) float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	middle := len(s) / 2
	if len(s)%2 == 1 {
		return s[middle]
	}
	return s[middle-1] + float64((s[middle]-s[middle-1])/2)
}
