package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestMannKendallKnownAnswers(t *testing.T) {
	k, err := MannKendall([]float64{1, 3, 2, 4, 5})
	if err != nil || k.S != 8 || !near(k.P, 10./120, 1e-14) || !k.Exact || k.N != 5 {
		t.Errorf("%+v, %v", k, err)
	}
	roundTrip(t, k)
	k, err = MannKendall([]float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8})
	if err != nil || k.S != 25 || k.Variance != 207 || !near(k.Z, 1.6681153124566, 1e-13) {
		t.Errorf("%+v, %v", k, err)
	}
	// The smallest p there is, of a sequence that only rises.
	for n, want := range map[int]float64{3: 1. / 3, 4: 1. / 12, 5: 1. / 60} {
		if got := kendallP(n*(n-1)/2, slices.Repeat([]int{1}, n)); !near(got, want, 1e-14) {
			t.Errorf("n = %d: smallest p %v, want %v", n, got, want)
		}
	}
}

func TestMannKendallScipy(t *testing.T) {
	v := readVariation(t)
	for _, c := range append(slices.Clone(v.Kendall), v.KendallNormal...) {
		k, err := MannKendall(c.X)
		if err != nil || k.S != c.S || !near(k.P, c.P, 1e-11) || k.Exact != (len(c.X) <= 20) {
			t.Errorf("%v: %+v, %v; want S %d, p %v", c.X, k, err, c.S, c.P)
		}
	}
	if len(v.Kendall) != 9 || len(v.KendallNormal) != 2 {
		t.Error("vectors are missing")
	}
}

func TestMannKendallEdges(t *testing.T) {
	for _, n := range []int{5, 30} {
		k, err := MannKendall(slices.Repeat([]float64{7}, n))
		if err != nil || k.S != 0 || k.P != 1 || k.Z != 0 || k.Variance != 0 || !slices.Equal(warned(k.Warnings),
			[]string{ResolutionLimited}) {
			t.Errorf("%d identical: %+v, %v", n, k, err)
		}
	}
	for _, c := range []struct {
		x    []float64
		kind error
	}{
		{nil, ErrEmpty}, {[]float64{1, 2, 3, 4}, ErrTooFew}, {[]float64{1, 2, 3, 4, math.NaN()}, ErrNotFinite},
	} {
		if _, err := MannKendall(c.x); !errors.Is(err, c.kind) {
			t.Errorf("%v: %v", c.x, err)
		}
	}
}

func FuzzMannKendall(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(slices.Repeat(x, 3)...))
	}
	f.Add(seed(sampleA...))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := samples(b)
		k, err := MannKendall(x)
		if err != nil {
			return
		}
		if !(k.P > 0 || !k.Exact) || !(k.P >= 0 && k.P <= 1+1e-12) || math.IsNaN(k.Z) || k.Variance < 0 {
			t.Errorf("%v: %+v", x, k)
		}
		back := slices.Clone(x)
		slices.Reverse(back)
		if r, err := MannKendall(back); err != nil || r.S != -k.S || r.P != k.P {
			t.Errorf("%v: %+v, and backwards %+v, %v", x, k, r, err)
		}
	})
}
