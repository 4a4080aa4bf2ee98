package stats

import (
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
