package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestBootstrapInterval(t *testing.T) {
	// By hand: the 27 resamples of 0, 3, 9 have the sums 0 ×1, 3 ×3, 6 ×3, 9 ×(1 + 3), 12 ×6, 15 ×3, 18 ×3, 21 ×3, 27 ×1.
	for _, c := range []struct {
		confidence, low, high float64
	}{
		{0.95, 0, 9},           // .675 of 27: the first
		{1 - 2*0.99/27, 0, 9},  // one resample is just enough
		{1 - 2*1.01/27, 1, 7},  // and one is not
		{1 - 2*3.99/27, 1, 7},  // 4 with the 3 that have the sum 3
		{1 - 2*4.01/27, 2, 6},  // and no longer
		{1 - 2*7.01/27, 3, 5},  // 1 + 3 + 3 below, 1 + 3 + 3 above: 18 is 7, 15 is 10
		{1 - 2*10.99/27, 3, 4}, // as many as 11 below with the sum 9, 10 above with 15
	} {
		v, err := BootstrapInterval([]float64{9, 0, 3}, c.confidence, "run")
		if err != nil || v.Low != c.low || v.High != c.high || v.Estimate != 4 {
			t.Errorf("%v: %v [%v, %v], %v; want [%v, %v]", c.confidence, v.Estimate, v.Low, v.High, err, c.low, c.high)
		}
		if v.N != 3 || !math.IsNaN(v.DF) || v.Unit != "run" || v.Confidence != c.confidence || v.Method == "" || len(v.Assumptions) == 0 ||
			!slices.Equal(warned(v.Warnings), []string{PoorCoverage}) {
			t.Errorf("%+v", v)
		}
		roundTrip(t, v)
	}
}

func TestBootstrapResamples(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 3, 3: 10, 4: 35, 5: 126, 6: 462, 7: 1716} {
		all := resampledMeans(upTo(n))
		ways, sum := 0, 0.0
		for _, r := range all {
			ways += r.ways
			sum += float64(r.ways) * r.mean
		}
		if len(all) != want || ways != int(math.Pow(float64(n), float64(n))) {
			t.Errorf("n = %d: %d resamples of %d ways", n, len(all), ways)
		}
		if got := sum / float64(ways); !near(got, float64(n+1)/2, 1e-13) {
			t.Errorf("n = %d: the resamples have the mean %v", n, got)
		}
	}
}

func TestBootstrapIntervalEdges(t *testing.T) {
	for _, c := range []struct {
		name, unit          string
		x                   []float64
		estimate, low, high float64
		want                []string
	}{
		{"one sample", "run", []float64{3}, 3, math.NaN(), math.NaN(), []string{SingleSample, PoorCoverage}},
		{"identical", "run", []float64{0.1, 0.1, 0.1}, 0.1, 0.1, 0.1, []string{ResolutionLimited, PoorCoverage}},
		{"no unit", "", []float64{3, 4}, 3.5, 3, 4, []string{PoorCoverage, UnitUnnamed}},
		{"largest", "run", []float64{math.MaxFloat64, -math.MaxFloat64}, 0, -math.MaxFloat64, math.MaxFloat64, []string{PoorCoverage}},
	} {
		v, err := BootstrapInterval(c.x, 0.95, c.unit)
		if err != nil || v.Estimate != c.estimate || !same64(v.Low, c.low) || !same64(v.High, c.high) ||
			!slices.Equal(warned(v.Warnings), c.want) {
			t.Errorf("%s: %+v, %v", c.name, v, err)
		}
		roundTrip(t, v)
	}
	// Half of the resamples of two have the one mean.
	v, err := BootstrapInterval([]float64{3, 4}, 0.49, "run")
	if err != nil || v.Defined() || !slices.Equal(warned(v.Warnings), []string{PoorCoverage, PoorCoverage}) {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err = BootstrapInterval([]float64{3, 4}, 0.51, "run"); err != nil || v.Low != 3 || v.High != 4 {
		t.Errorf("%+v, %v", v, err)
	}
	testSampleErrors(t, BootstrapInterval)
	_, err = BootstrapInterval(upTo(8), 0.95, "run")
	var length *LengthError
	if !errors.Is(err, ErrOutOfRange) || !errors.As(err, &length) || length.Len != 8 {
		t.Error(err)
	}
}

func FuzzBootstrapInterval(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 0.95)
	}
	f.Add(seed(sampleA...), math.SmallestNonzeroFloat64)
	f.Add(seed(upTo(7)...), 1-1e-16)
	f.Add(seed(1, 2), 0.3)
	f.Fuzz(func(t *testing.T, b []byte, confidence float64) {
		x := samples(b)
		v, err := BootstrapInterval(x, confidence, "run")
		if err != nil {
			return
		}
		if len(x) == 1 && v.Defined() || len(x) > 1 && confidence > 0.5 && !v.Defined() || !slices.Contains(warned(v.Warnings), PoorCoverage) {
			t.Errorf("%v, %v: %+v", x, confidence, v)
		}
		if v.Defined() && !(slices.Min(x) <= v.Low && v.Low <= v.Estimate && v.Estimate <= v.High && v.High <= slices.Max(x)) {
			t.Errorf("%v, %v: %+v", x, confidence, v)
		}
		fuzzInterval(t, x, v)
	})
}
