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
			want, err2 := studentTail(x, df)
			if err := errors.Join(err, err2); err != nil || !near(got, want, 1e-12) {
				t.Errorf("t %v, df %v: %v, %v; want %v", x, df, got, err, want)
			}
		}
	}
}

// Where delta is large beside the spread of √(V/df) another rule takes over; against mpmath's quadrature, from
// testdata/noncentral_large.py.
func TestLargeNoncentralTailVectors(t *testing.T) {
	_, rows := readTable(t, "testdata/noncentral_large.csv", 20)
	for _, row := range rows {
		x, df, delta, want := row[0], row[1], row[2], row[3]
		got, err := noncentralTail(x, df, delta)
		if err != nil || !near(got, want, 1e-12) {
			t.Errorf("t %v, df %v, delta %v: %.17g, %v; want %.17g", x, df, delta, got, err, want)
		}
	}
}

// As t grows the bounds go to t·√(χ²/df): nothing is left of Z. Before, they were undefined from 1000 on, and took half
// a second just below.
func TestHedgesGFarOut(t *testing.T) {
	for _, by := range []float64{1e6, 1e9} {
		a, b := []float64{0, 1}, []float64{by, by + 1}
		v, err := HedgesG(a, b, 0.95, "run")
		if err != nil || !v.Defined() {
			t.Fatalf("%v, %v", v, err)
		}
		// By hand: χ² of 2 degrees of freedom is −2·ln(tail), and here SD is √½.
		d := by / math.Sqrt(0.5)
		low, high := d*math.Sqrt(-math.Log(0.975)), d*math.Sqrt(-math.Log(0.025))
		if !near(v.Low, low, 1e-10) || !near(v.High, high, 1e-10) {
			t.Errorf("%v, %v; want %v, %v", v.Low, v.High, low, high)
		}
	}
}

func TestNoncentralTailAtItsLimits(t *testing.T) {
	for _, c := range []struct{ t, df, delta, want float64 }{
		{1, 2, -41, 0}, {-1, 2, 41, 1}, {0, 2, 41, 1}, {0, 2, -41, 0},
		{1e-300, 2, 1e300, 1}, {1e300, 2, 41, 0}, {-1e300, 2, -41, 1}, {-1e-300, 2, -1e300, 0},
	} {
		if got, err := noncentralTail(c.t, c.df, c.delta); err != nil || math.Abs(got-c.want) > 1e-15 {
			t.Errorf("t %v, df %v, delta %v: %v, %v; want %v", c.t, c.df, c.delta, got, err, c.want)
		}
	}
	for _, delta := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if p, err := noncentralTail(1, 2, delta); !errors.Is(err, ErrNotFinite) {
			t.Errorf("%v: %v, %v", delta, p, err)
		}
	}
}
