package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestLag1ReachesNISTCertifiedValues(t *testing.T) {
	for _, c := range nistSets(t) {
		got, err := Lag1(c.x)
		if d := digits(got, c.lag1); err != nil || d < c.lag1Digits {
			t.Errorf("%s: %.17g, %v, agrees to %.1f digits with %.15g, want %.1f", c.name, got, err, d, c.lag1,
				c.lag1Digits)
		}
	}
}

func TestLag1Edges(t *testing.T) {
	for _, c := range []struct {
		name string
		x    []float64
		want float64
	}{
		{"one sample", []float64{7}, math.NaN()},
		{"identical", []float64{0.1, 0.1, 0.1}, math.NaN()},
		{"two", []float64{3, 8}, -0.5},
		{"by hand", []float64{1, 2, 3, 4}, 0.25}, // (1.5·0.5 − 0.5² + 0.5·1.5)/5
		{"by hand, with ties", []float64{1, 1, 4}, -1.0 / 6},
		{"alternating", []float64{-1, 1, -1, 1}, -0.75},
		{"squares overflow", []float64{1e308, -1e308, 1e308, -1e308}, -0.75},
		{"squares underflow", []float64{1e-300, -1e-300, 1e-300, -1e-300}, -0.75},
		{"far from 0", []float64{0x1p52, 0x1p52 + 1, 0x1p52 + 2, 0x1p52 + 3}, 0.25},
	} {
		before := slices.Clone(c.x)
		got, err := Lag1(c.x)
		if err != nil || !(near(got, c.want, 1e-15) || math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%s: %.17g, %v; want %.17g", c.name, got, err, c.want)
		}
		if !slices.Equal(before, c.x) {
			t.Errorf("%s: the samples were changed", c.name)
		}
	}
	if _, err := Lag1(nil); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	if _, err := Lag1([]float64{1, math.Inf(1)}); !errors.Is(err, ErrNotFinite) {
		t.Error(err)
	}
}

func FuzzLag1(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x := samples(b)
		got, err := Lag1(x)
		if err != nil {
			return
		}
		if math.IsNaN(got) != (slices.Min(x) == slices.Max(x)) || got < -1 || got > 1 {
			t.Errorf("%v: %v", x, got)
		}
	})
}
