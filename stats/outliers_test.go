package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestFlagOutliers(t *testing.T) {
	for _, c := range []struct {
		name    string
		x       []float64
		flagged []int
		scores  []float64 // by hand
		median  float64
		mad     float64
		warned  []string
	}{
		{"none", []float64{1, 2, 3, 4, 5}, nil, nil, 3, 1, nil},
		{"one of five, where |z| is 1.788", []float64{10, 11, 12, 13, 500}, []int{4}, []float64{0.6745 * 488}, 12, 1,
			nil},
		{"both sides", []float64{-40, 10, 11, 12, 13, 14, 60}, []int{0, 6}, []float64{-0.6745 * 26, 0.6745 * 24}, 12,
			2, nil},
		// The MAD is 0; the mean absolute deviation is 8/8.
		{"more than half equal", []float64{5, 5, 5, 5, 13, 5, 5, 5}, []int{4}, []float64{8 / 1.253314}, 5, 0, nil},
		{"identical", []float64{5, 5, 5}, nil, nil, 5, 0, []string{ResolutionLimited}},
		{"two", []float64{5, 500}, nil, nil, 252.5, 247.5, nil},
		{"one", []float64{5}, nil, nil, 5, 0, []string{ResolutionLimited}},
	} {
		before := slices.Clone(c.x)
		f, err := FlagOutliers(c.x, 3.5)
		if err != nil || f.N != len(c.x) || f.Median != c.median || f.MAD != c.mad || f.Method == "" ||
			!slices.Equal(warned(f.Warnings), c.warned) {
			t.Errorf("%s: %+v, %v", c.name, f, err)
		}
		if !slices.Equal(before, c.x) {
			t.Errorf("%s: the samples were changed", c.name)
		}
		if len(f.Flagged) != len(c.flagged) {
			t.Errorf("%s: %+v", c.name, f.Flagged)
			continue
		}
		for i, o := range f.Flagged {
			if o.Index != c.flagged[i] || o.Value != c.x[o.Index] || !near(o.Score, c.scores[i], 1e-14) {
				t.Errorf("%s: %+v", c.name, o)
			}
		}
		roundTrip(t, f)
	}
}

func TestFlagOutliersErrors(t *testing.T) {
	for _, c := range []struct {
		x      []float64
		cutoff float64
		kind   error
	}{
		{nil, 3.5, ErrEmpty}, {[]float64{1, math.NaN()}, 3.5, ErrNotFinite}, {sampleA, 0, ErrOutOfRange}, {sampleA,
			math.NaN(), ErrOutOfRange},
		{sampleA, math.Inf(1), ErrOutOfRange},
	} {
		if _, err := FlagOutliers(c.x, c.cutoff); !errors.Is(err, c.kind) {
			t.Errorf("%v, %v: %v", c.x, c.cutoff, err)
		}
	}
}

// No sample is more than (n − 1)/√n standard deviations from the mean, 1.789 for five, however far away it is.
func TestZScoreIsBounded(t *testing.T) {
	s, err := Summarize([]float64{1, 1, 1, 1, 1e6})
	if err != nil {
		t.Fatal(err)
	}
	if z := (s.Max - s.Mean) / s.SD; !near(z, 1.789, 1e-3) || !near(z, 4/math.Sqrt(5), 1e-12) {
		t.Error(z)
	}
}

func FuzzFlagOutliers(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...))
	}
	f.Add(seed(10, 11, 12, 13, 500))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := samples(b)
		flags, err := FlagOutliers(x, 3.5)
		if err != nil {
			return
		}
		if !finite([]float64{flags.Median, flags.MAD}) || flags.MAD < 0 || len(flags.Flagged) > len(x)/2 {
			t.Errorf("%v: %+v", x, flags)
		}
		for _, o := range flags.Flagged {
			if !(math.Abs(o.Score) > 3.5) || !finite([]float64{o.Score}) || o.Value != x[o.Index] {
				t.Errorf("%v: %+v", x, o)
			}
		}
		roundTrip(t, flags)
	})
}
