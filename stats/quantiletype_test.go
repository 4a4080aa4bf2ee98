package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// numpy's values, from testdata/quantiles.py.
func TestQuantileByTypeNumpy(t *testing.T) {
	var cases []struct{ X, P, Type1, Type7, Type8 []float64 }
	readJSON(t, "testdata/quantile_types.json", &cases)
	if len(cases) != 8 {
		t.Fatalf("%d samples", len(cases))
	}
	for _, c := range cases {
		s, err := NewSorted(c.X)
		if err != nil {
			t.Fatal(err)
		}
		for q, want := range map[QuantileType][]float64{Type1: c.Type1, Type7: c.Type7, Type8: c.Type8} {
			for i, p := range c.P {
				if got, err := s.QuantileByType(p, q); err != nil || !near(got, want[i], 1e-14) {
					t.Errorf("n = %d, p = %v, %v: %.17g, %v; want %.17g", len(s), p, q, got, err, want[i])
				}
			}
		}
	}
}

func TestQuantileByTypeByHand(t *testing.T) {
	toFive := Sorted{1, 2, 3, 4, 5}
	toHundred := make(Sorted, 100)
	for i := range toHundred {
		toHundred[i] = float64(i + 1)
	}
	for _, c := range []struct {
		s                   Sorted
		p                   float64
		type1, type7, type8 float64
	}{
		{Sorted{1, 2, 3, 4}, 0.5, 2, 2.5, 2.5},
		{toFive, 0, 1, 1, 1},
		{toFive, 0.1, 1, 1.4, 1},
		{toFive, 0.4, 2, 2.6, 37.0 / 15},
		{toFive, 0.75, 4, 4, 13.0 / 3},
		{toFive, 0.9, 5, 4.6, 5},
		{toFive, 1, 5, 5, 5},
		{Sorted{7}, 0.99, 7, 7, 7},
		{toHundred, 0.07, 7, 7.93, 7 + 0.07/3 + 1.0/3},    // 100 · 0.07 is more than 7 in float64
		{toHundred, 0.29, 29, 29.71, 29 + 0.29/3 + 1.0/3}, // and 100 · 0.29 less than 29
		{toHundred, 0.99, 99, 99.01, 99 + 0.99/3 + 1.0/3},
		{Sorted{-math.MaxFloat64, math.MaxFloat64}, 0.5, -math.MaxFloat64, 0, 0},
	} {
		for q, want := range map[QuantileType]float64{Type1: c.type1, Type7: c.type7, Type8: c.type8} {
			got, err := c.s.QuantileByType(c.p, q)
			if err != nil || !(got == want || near(got, want, 1e-14)) || q == Type1 && got != want {
				t.Errorf("n = %d, p = %v, %v: %v, %v; want %v", len(c.s), c.p, q, got, err, want)
			}
		}
	}
}

// Rank k of n is the k/n quantile of type 1, however k/n is rounded, and the next one above it.
func TestRankOfIsExact(t *testing.T) {
	for _, n := range []int{1, 3, 7, 100, 999, 1000, 99999} {
		for k := 1; k <= n; k++ {
			p := float64(k) / float64(n)
			if got := rankOf(p, n); got != k {
				t.Fatalf("rank of %d/%d: %d", k, n, got)
			}
			if got := rankOf(math.Nextafter(p, 2), n); got != min(k+1, n) {
				t.Fatalf("rank just above %d/%d: %d", k, n, got)
			}
		}
	}
}

func TestQuantileTypeNames(t *testing.T) {
	if Type7.String() != "type 7 (Hyndman & Fan 1996)" || Type1.String() != "type 1 (Hyndman & Fan 1996)" {
		t.Errorf("%v, %v", Type7, Type1)
	}
}

func TestQuantileByTypeErrors(t *testing.T) {
	for _, c := range []struct {
		s    Sorted
		p    float64
		q    QuantileType
		kind error
		arg  string
	}{
		{Sorted{1, 2}, 0.5, 0, ErrOutOfRange, "q"},
		{Sorted{1, 2}, 0.5, 4, ErrOutOfRange, "q"},
		{Sorted{1, 2}, 50, Type8, ErrOutOfRange, "p"},
		{Sorted{1, 2}, math.NaN(), Type1, ErrOutOfRange, "p"},
		{Sorted{1, math.NaN()}, 0.5, Type1, ErrNotFinite, "s"},
		{Sorted{2, 1}, 0.5, Type8, ErrNotSorted, "s"},
	} {
		got, err := c.s.QuantileByType(c.p, c.q)
		var value *ValueError
		if got != 0 || !errors.Is(err, c.kind) || !errors.As(err, &value) || value.Arg != c.arg {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	if _, err := (Sorted{}).QuantileByType(0.5, Type1); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}

func FuzzQuantileByType(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 0.5, 0.99)
	}
	f.Add(seed(sampleA...), 0.2, math.Nextafter(0.2, 1))
	f.Fuzz(func(t *testing.T, b []byte, p, r float64) {
		s, err := NewSorted(samples(b))
		if err != nil {
			return
		}
		for _, q := range []QuantileType{Type1, Type7, Type8} {
			low, errP := s.QuantileByType(min(p, r), q)
			high, errR := s.QuantileByType(max(p, r), q)
			if errP == nil && errR == nil && !(s[0] <= low && low <= high && high <= s[len(s)-1]) {
				t.Errorf("%v, %v: %v at %v, %v at %v", s, q, low, min(p, r), high, max(p, r))
			}
			if q == Type1 && errP == nil && !slices.Contains(s, low) {
				t.Errorf("%v: %v was not measured", s, low)
			}
		}
	})
}
