package loadgen

import (
	"fmt"
	"math"
	"slices"

	"github.com/servegauge/servegauge/stats"
)

// MaxExact is how many samples a [Distribution] keeps as they are: 800 KB. One more, and they become a histogram.
const MaxExact = 100_000

// MethodHDR is the [Figure.Method] of a quantile that was read from an HDR histogram.
const MethodHDR = "hdr"

// A Distribution holds the samples of a metric over one level, in bounded memory.
//
// Up to [MaxExact] samples it is exact: it keeps each one, and its quantiles are those of the samples. With one more it
// turns into an HDR histogram of 0.44 MB (0.88 MB where there are samples below 0), for good, and its quantiles differ
// from the exact ones by at most 0.05 % of the samples that they lie between, or by 1e-9 where that is more. Samples
// beyond ±4.6e9 (as milliseconds 53 days) then count as if they were there, unless they are the least or the greatest.
// The number of samples, the mean, the minimum and the maximum stay exact. [Distribution.Exact] says which it is.
//
// What goes in by [Distribution.Merge] and what goes in by [Distribution.Add] cannot be told apart afterwards: the
// quantiles of parts that are merged, in any order, are those of one Distribution that was given every sample.
//
// The zero Distribution is empty, exact and ready for use. It is not safe for concurrent use.
type Distribution struct {
	samples []float64
	sorted  bool

	histogram *histogram // nil while exact; then it has all the samples
}

// Add adds a sample. A sample that is not a finite number is refused, and Add returns false. Once a Distribution is a
// histogram, Add allocates nothing (but once more, for the first sample below 0).
func (d *Distribution) Add(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	x += 0 // makes −0 a 0
	if d.histogram == nil && len(d.samples) == MaxExact {
		d.condense()
	}
	if d.histogram != nil {
		d.histogram.add(x)
		return true
	}
	d.samples = append(d.samples, x)
	d.sorted = false
	return true
}

// Exact says whether every sample was kept, so that the quantiles are those of the samples. If not, they were read from
// a histogram.
func (d *Distribution) Exact() bool { return d.histogram == nil }

// Len is the number of samples.
func (d *Distribution) Len() int {
	if d.histogram != nil {
		return d.histogram.len()
	}
	return len(d.samples)
}

// Mean is the arithmetic mean of the samples themselves; and false when there is none, or their sum is too great for a
// number.
func (d *Distribution) Mean() (float64, bool) {
	n := d.Len()
	if n == 0 {
		return 0, false
	}
	var sum float64
	if d.histogram != nil {
		sum = d.histogram.sum
	} else {
		d.sort() // so that the order in which the samples came makes no difference, not even in the last bit
		for _, x := range d.samples {
			sum += x
		}
	}
	mean := sum / float64(n)
	return mean, !math.IsInf(mean, 0) && !math.IsNaN(mean)
}

// SD is the standard deviation of the samples as a population: their squares ÷ their number, as numpy and vLLM have it,
// and not ÷ one less. Of a histogram it is that of its buckets' middles. false when there is no sample, or the squares
// are too great for a number.
func (d *Distribution) SD() (float64, bool) {
	mean, ok := d.Mean()
	if !ok {
		return 0, false
	}
	sum := 0.0
	if d.histogram != nil {
		d.histogram.tabulate()
		var before int64
		for _, b := range d.histogram.bars {
			sum += float64(b.upTo-before) * float64((b.value-mean)*(b.value-mean))
			before = b.upTo
		}
	} else {
		for _, x := range d.samples {
			sum += float64((x - mean) * (x - mean))
		}
	}
	sd := math.Sqrt(sum / float64(d.Len()))
	return sd, !math.IsInf(sd, 0) && !math.IsNaN(sd)
}

// Quantile is the p-th percentile, 0 ≤ p ≤ 100, of type 7: linear between order statistics. It is false when there is
// no sample or no such p. A histogram interpolates likewise, between the middles of the buckets in which the two order
// statistics are.
func (d *Distribution) Quantile(p float64) (float64, bool) {
	if d.histogram != nil {
		return d.histogram.quantile(p)
	}
	d.sort()
	q, err := stats.Sorted(d.samples).Quantile(p / 100)
	return q, err == nil
}

// QuantileInterval is the interval of the p-th percentile, 0 < p < 100, by order statistics, see
// [stats.QuantileInterval]; unit names what a sample is. It is an error where there is no sample or no such p, and
// where the samples were not kept ([Distribution.Exact]).
func (d *Distribution) QuantileInterval(p, confidence float64, unit string) (stats.Interval, error) {
	if d.histogram != nil {
		return stats.Interval{}, &InvalidError{"distribution", fmt.Sprintf("of %d samples", d.Len()),
			fmt.Sprintf("%d samples at most: of more there are none left to be the bounds", MaxExact)}
	}
	d.sort()
	return stats.QuantileInterval(d.samples, p/100, confidence, unit)
}

func (d *Distribution) sort() {
	if !d.sorted {
		slices.Sort(d.samples)
		d.sorted = true
	}
}

// Merge adds all samples of other, which is left as it was, in value if not in order. Two exact Distributions stay
// exact while they have no more than [MaxExact] samples together; any other two become a histogram.
func (d *Distribution) Merge(other *Distribution) {
	if d.histogram == nil && other.histogram == nil && len(d.samples)+len(other.samples) <= MaxExact {
		d.samples = append(d.samples, other.samples...)
		d.sorted = false
		return
	}
	if d.histogram == nil && d != other {
		d.condense()
	}
	switch {
	case d == other:
		other = &Distribution{samples: slices.Clone(d.samples)}
		if d.histogram != nil {
			other.histogram = new(histogram)
			other.histogram.merge(d.histogram)
		}
		d.Merge(other)
	case other.histogram != nil:
		d.histogram.merge(other.histogram)
	default:
		for _, x := range other.samples {
			d.histogram.add(x)
		}
	}
}

// condense makes a histogram of the samples.
func (d *Distribution) condense() {
	d.histogram = new(histogram)
	for _, x := range d.samples {
		d.histogram.add(x)
	}
	d.samples, d.sorted = nil, false
}
