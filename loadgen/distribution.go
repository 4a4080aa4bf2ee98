package loadgen

import (
	"math"
	"slices"

	"github.com/servegauge/servegauge/stats"
)

// A Distribution holds every sample of a metric over one level: 8 bytes a sample. The zero Distribution is empty
// and ready for use. It is not safe for concurrent use.
type Distribution struct {
	samples []float64
	sorted  bool
	sum     float64
}

// Add adds a sample. A sample that is not a finite number is refused, and Add returns false.
func (d *Distribution) Add(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	d.samples = append(d.samples, x)
	d.sorted = false
	d.sum += x
	return true
}

// Len is the number of samples.
func (d *Distribution) Len() int { return len(d.samples) }

// Mean is the arithmetic mean, and false when there is no sample.
func (d *Distribution) Mean() (float64, bool) {
	if len(d.samples) == 0 {
		return 0, false
	}
	return d.sum / float64(len(d.samples)), true
}

// Quantile is the p-th percentile, 0 ≤ p ≤ 100, of type 7, exact; and false when there is no sample or no such p.
func (d *Distribution) Quantile(p float64) (float64, bool) {
	if !d.sorted {
		slices.Sort(d.samples)
		d.sorted = true
	}
	q, err := stats.Sorted(d.samples).Quantile(p / 100)
	return q, err == nil
}

// Merge adds all samples of other, which is left as it was.
func (d *Distribution) Merge(other *Distribution) {
	d.samples = append(d.samples, other.samples...)
	d.sorted = false
	d.sum += other.sum
}
