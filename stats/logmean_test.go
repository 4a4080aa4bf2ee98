package stats

import (
	"math"
	"slices"
	"testing"
)

func TestLogMeanInterval(t *testing.T) {
	x := []float64{1, 10, 100}
	v, err := LogMeanInterval(x, 0.95, "run")
	if err != nil {
		t.Fatal(err)
	}
	// Decades: the logarithms have the mean ln 10 and the SD ln 10, and t(.975, 2) is √(2·.95²/(1 − .95²)), in closed
	// form.
	factor := math.Pow(10, math.Sqrt(2*0.95*0.95/(1-0.95*0.95))/math.Sqrt(3))
	if !near(v.Estimate, 10, 1e-15) || !near(v.Low, 10/factor, 1e-13) || !near(v.High, 10*factor, 1e-13) {
		t.Errorf("%.17g [%.17g, %.17g], want a factor of %v", v.Estimate, v.Low, v.High, factor)
	}
	if v.N != 3 || v.DF != 2 || v.Confidence != 0.95 || v.Unit != "run" || v.Method != "Student's t on logarithms" ||
		len(v.Assumptions) == 0 || v.Warnings != nil {
		t.Errorf("%+v", v)
	}
	roundTrip(t, v)
}

func TestLogMeanIntervalEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name                string
		x                   []float64
		confidence          float64
		estimate, low, high float64
		want                []string
	}{
		{"one sample", []float64{3}, 0.95, 3, nan, nan, []string{SingleSample}},
		{"identical", []float64{3, 3, 3}, 0.95, 3, nan, nan, []string{ResolutionLimited}},
		{"largest", []float64{math.MaxFloat64, math.MaxFloat64}, 0.95, math.MaxFloat64, nan, nan,
			[]string{ResolutionLimited}},
		{"unbounded", []float64{1e-200, 1e200}, 0.95, 1, 0, inf, nil},
	} {
		v, err := LogMeanInterval(c.x, c.confidence, "run")
		if err != nil || !near(v.Estimate, c.estimate, 1e-13) || !same64(v.Low, c.low) || !same64(v.High, c.high) ||
			!slices.Equal(warned(v.Warnings), c.want) {
			t.Errorf("%s: %+v, %v", c.name, v, err)
		}
		roundTrip(t, v)
	}
	testSampleErrors(t, LogMeanInterval)
}

func FuzzLogMeanInterval(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 0.95)
	}
	f.Add(seed(sampleA...), 1-1e-16)
	f.Add(seed(1e-200, 1e200), 0.95)
	f.Fuzz(func(t *testing.T, b []byte, confidence float64) {
		x := samples(b)
		v, err := LogMeanInterval(x, confidence, "run")
		if err != nil {
			return
		}
		if !(slices.Min(x) <= v.Estimate && v.Estimate <= slices.Max(x)) || !v.Defined() && len(x) > 1 &&
			!hasWarning(v.Warnings, ResolutionLimited) {
			t.Errorf("%v, %v: %+v", x, confidence, v)
		}
		if v.Defined() && !(0 <= v.Low && v.Low <= v.Estimate && v.Estimate <= v.High) {
			t.Errorf("%v, %v: %+v", x, confidence, v)
		}
		fuzzInterval(t, x, v)
	})
}
