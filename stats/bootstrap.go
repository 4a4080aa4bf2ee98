package stats

import (
	"fmt"
	"math"
	"slices"
)

// maxBootstrap bounds the enumeration: C(2n − 1, n) resamples are 1,716 for seven samples and 6,435 for eight.
const maxBootstrap = 7

// bootstrapCoverage is that of the nominal 95 % interval for the mean of a normal population, at n = 2 … 7.
var bootstrapCoverage = [...]float64{2: 50, 3: 75, 4: 80, 5: 84, 6: 86, 7: 87.5}

// BootstrapInterval returns the percentile bootstrap's two-sided interval for the mean of the population that x is a sample of
// (Efron 1979), computed and not drawn: all nⁿ resamples of n samples are enumerated as the C(2n − 1, n) different ones
// there are (10, 126 and 1,716 at n = 3, 5 and 7) with how often each occurs, so that no random number is in the result.
// The bounds are the innermost means that fewer than (1 − confidence)/2 of the resamples lie beyond, on either side. They are
// in the unit of x; unit names what each x is, see [Interval].
//
// It is here to compare with what other tools print, never as the default: at a nominal 95 % it covers 75 % at n = 3 and
// 84 % at n = 5 where [MeanInterval] covers 95 %, and every result has the warning PoorCoverage.
//
// One sample gives its value and an undefined interval. Identical samples give an interval of zero width with the
// warning ResolutionLimited; other ties are as good as other samples. A confidence so small that both bounds are one
// resample's mean (under 0.5 for two samples) leaves the interval undefined. More than seven samples are ErrOutOfRange, and a
// confidence not strictly between 0 and 1 is too; no samples is ErrEmpty, NaN or an infinity ErrNotFinite with its index.
func BootstrapInterval(x []float64, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	if len(x) > maxBootstrap {
		return Interval{}, &LengthError{Arg: "x", Len: len(x), Err: ErrOutOfRange,
			Remedy: fmt.Sprintf("all resamples are enumerated for %d samples at most; use MeanInterval", maxBootstrap)}
	}
	sorted, err := NewSorted(x) // in order, so that the answer does not depend on it by a rounding
	if err != nil {
		return Interval{}, err
	}
	lo, hi, mean, _ := moments(sorted)
	v := Interval{
		Estimate: mean, Low: math.NaN(), High: math.NaN(),
		Method: "percentile bootstrap, enumerated", N: len(x), DF: math.NaN(), Confidence: confidence, Unit: unit,
		Assumptions: assumptions("the samples are so many that they stand for the population"),
	}
	switch {
	case v.N == 1:
		v.Warnings = []Warning{singleSample()}
	case lo == hi:
		v.Warnings = []Warning{resolutionLimited()}
	}
	v.Warnings = unitWarning(append(v.Warnings, bootstrapWarning(v.N)), unit)
	if v.N == 1 {
		return v, nil
	}
	means := resampledMeans(sorted)
	slices.SortFunc(means, func(a, b resampledMean) int {
		switch {
		case a.mean < b.mean:
			return -1
		case a.mean > b.mean:
			return 1
		}
		return 0
	})
	tail := (1 - confidence) / 2 * math.Pow(float64(v.N), float64(v.N))
	// Not further in than the mean, which the two ends pass each other at when confidence is next to nothing.
	v.Low = min(percentile(means, tail), mean)
	slices.Reverse(means)
	v.High = max(percentile(means, tail), mean)
	if v.Low == v.High && lo < hi {
		v.Low, v.High = math.NaN(), math.NaN()
		v.Warnings = append(v.Warnings, poorCoverage("both bounds are the same mean: the resamples are too few for this confidence"))
	}
	return v, nil
}

// resampledMean is the mean of a resample and how many of the nⁿ ordered ones have the same samples.
type resampledMean struct {
	mean float64
	ways int
}

// resampledMeans lists the different resamples of x.
func resampledMeans(x []float64) []resampledMean {
	n := len(x)
	var all []resampledMean
	resample := make([]float64, 0, n)
	// From x[i] on, with so many ways to have ordered those that were taken before.
	var from func(i, ways int)
	from = func(i, ways int) {
		if i == n-1 {
			taken := len(resample)
			for range n - taken {
				resample = append(resample, x[i])
			}
			_, _, mean, _ := moments(resample)
			all = append(all, resampledMean{mean, ways})
			resample = resample[:taken]
			return
		}
		taken := len(resample)
		from(i+1, ways)
		for times := 1; taken+times <= n; times++ {
			resample = append(resample, x[i])
			ways = ways * (n - taken - times + 1) / times // the places of the next one among those left: C(n − taken, times)
			from(i+1, ways)
		}
		resample = resample[:taken]
	}
	from(0, 1)
	return all
}

// percentile returns the first of the means, in the order given, that is beyond no more than tail of the ways.
func percentile(means []resampledMean, tail float64) float64 {
	ways := 0
	for _, m := range means {
		if ways += m.ways; float64(ways) >= tail {
			return m.mean
		}
	}
	return means[len(means)-1].mean
}

func bootstrapWarning(n int) Warning {
	if n == 1 {
		return poorCoverage("a bootstrap of one sample has no spread to resample")
	}
	return poorCoverage(fmt.Sprintf("the percentile bootstrap of %d samples covers about %v %% where 95 %% is nominal; "+
		"Student's t covers 95 %%", n, bootstrapCoverage[n]))
}
