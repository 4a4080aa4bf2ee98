package stats

import (
	"errors"
	"math"
	"testing"
)

// Values by mpmath's own quadrature from testdata/tails.py.
func TestNoncentralTailVectors(t *testing.T) {
	largest := 0.0
	_, rows := readTable(t, "testdata/noncentral_t.csv", 378)
	for _, row := range rows {
		x, df, delta, want := row[0], row[1], row[2], row[3]
		got, err := noncentralTail(x, df, delta)
		e := math.Abs(got-want) / want
		largest = max(largest, e)
		if err != nil || !(e <= 1e-11) {
			t.Errorf("t %v, df %v, delta %v: %.17g, %v; want %.17g, off by %.2g", x, df, delta, got, err, want, e)
		}
	}
	t.Logf("noncentral t tails: relative error at most %.1e", largest)
}

// Without noncentrality it is Student's t, also where the degrees of freedom are beyond counting.
func TestNoncentralTailWithoutDeltaIsStudents(t *testing.T) {
	for _, df := range []float64{0.5, 1, 7, 300, 1e6, 1e12, 1e300} {
		for _, x := range []float64{-3, 0, 0.1, 2.5, 12} {
			got, err := noncentralTail(x, df, 0)
			want, err2 := StudentTail(x, df)
			if err := errors.Join(err, err2); err != nil || !near(got, want, 1e-12) {
				t.Errorf("t %v, df %v: %v, %v; want %v", x, df, got, err, want)
			}
		}
	}
}
