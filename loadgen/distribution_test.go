package loadgen

import (
	"math"
	"testing"
)

// Expected values are numpy.percentile's, whose default is type 7.
func TestDistribution(t *testing.T) {
	var d Distribution
	if _, ok := d.Quantile(50); ok {
		t.Error("an empty distribution has a median")
	}
	if _, ok := d.Mean(); ok {
		t.Error("an empty distribution has a mean")
	}
	for _, x := range []float64{3, 1, 4, 1, 5, 9, 2, 6} {
		d.Add(x)
	}
	for p, want := range map[float64]float64{0: 1, 50: 3.5, 90: 6.9, 95: 7.95, 99: 8.79, 100: 9} {
		if got, ok := d.Quantile(p); !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("p%v: %v %v, want %v", p, got, ok, want)
		}
	}
	var other Distribution
	other.Add(100)
	d.Merge(&other)
	if got, _ := d.Quantile(100); got != 100 || d.Len() != 9 || other.Len() != 1 {
		t.Errorf("after the merge: maximum %v of %d", got, d.Len())
	}
	if d.Add(math.NaN()) || d.Add(math.Inf(1)) || d.Len() != 9 {
		t.Error("a sample that is no number was taken")
	}
	for _, p := range []float64{-1, 101, math.NaN()} {
		if _, ok := d.Quantile(p); ok {
			t.Errorf("there is a p%v", p)
		}
	}
}
