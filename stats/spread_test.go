package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestSDIntervalKnownAnswer(t *testing.T) {
	v, err := SDInterval(sampleA, 0.95, "run with restart")
	if err != nil || !near(v.Estimate, 273.248421770374, 1e-14) || !near(v.Low, 163.712184698734, 1e-14) ||
		!near(v.High, 785.194541881239, 1e-14) {
		t.Errorf("%.17g [%.17g, %.17g], %v", v.Estimate, v.Low, v.High, err)
	}
	if v.N != 5 || v.DF != 4 || v.Confidence != 0.95 || v.Unit != "run with restart" || v.Method != "χ²" ||
		len(v.Assumptions) == 0 || v.Warnings != nil || v.Coverage != 0 {
		t.Errorf("%+v", v)
	}
	roundTrip(t, v)
	// A change of the unit changes the SD of the logarithms nowhere, and that of the samples by its factor.
	small := make([]float64, len(sampleA))
	for i, x := range sampleA {
		small[i] = x / 1000
	}
	scaled, err := SDInterval(small, 0.95, "run")
	if err != nil || !near(scaled.High, v.High/1000, 1e-13) {
		t.Errorf("%+v, %v", scaled, err)
	}
	logs, err := LogSDInterval(sampleA, 0.95, "run")
	logsSmall, errSmall := LogSDInterval(small, 0.95, "run")
	if err != nil || errSmall != nil || !near(logs.Low, logsSmall.Low, 1e-12) || logs.Method != "χ² on logarithms" {
		t.Errorf("%+v, %+v, %v, %v", logs, logsSmall, err, errSmall)
	}
	roundTrip(t, logs)
}

func TestSDIntervalWarnings(t *testing.T) {
	type interval func([]float64, float64, string) (Interval, error)
	for name, of := range map[string]interval{"SD": SDInterval, "log SD": LogSDInterval} {
		for _, c := range []struct {
			name, unit string
			x          []float64
			estimate   float64
			want       []string
		}{
			{"one sample", "run", []float64{3}, math.NaN(), []string{SingleSample}},
			{"identical", "run", []float64{3, 3, 3}, 0, []string{ResolutionLimited}},
			{"identical, no unit", "", []float64{3, 3, 3}, 0, []string{ResolutionLimited, UnitUnnamed}},
		} {
			v, err := of(c.x, 0.95, c.unit)
			if err != nil || !same64(v.Estimate, c.estimate) || v.Defined() || v.Below(1e300) || v.Above(-1) ||
				!slices.Equal(warned(v.Warnings), c.want) {
				t.Errorf("%s, %s: %+v, %v", name, c.name, v, err)
			}
			roundTrip(t, v)
		}
	}
}

func TestLogIntervalErrors(t *testing.T) {
	type interval func([]float64, float64, string) (Interval, error)
	for name, of := range map[string]interval{"mean": LogMeanInterval, "SD": LogSDInterval} {
		for _, bad := range []float64{0, -1} {
			_, err := of([]float64{1, 2, bad}, 0.95, "run")
			var value *ValueError
			if !errors.Is(err, ErrOutOfRange) || !errors.As(err, &value) || value.Arg != "x" ||
				!slices.Equal(value.Index, []int{2}) {
				t.Errorf("%s of %v: %v", name, bad, err)
			}
		}
	}
}

func TestSDIntervalErrors(t *testing.T) {
	testSampleErrors(t, SDInterval)
	testSampleErrors(t, LogSDInterval)
	if v, err := SDInterval([]float64{1e308, -1e308}, 0.95, "run"); !errors.Is(err, ErrOverflow) {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := SDInterval([]float64{1e308, 1.1e308}, 0.9999, "run"); !errors.Is(err, ErrOverflow) {
		t.Errorf("a bound that overflows: %+v, %v", v, err)
	}
}

// testSampleErrors checks what every interval of a sample refuses.
func testSampleErrors(t *testing.T, of func([]float64, float64, string) (Interval, error)) {
	t.Helper()
	x := []float64{3, 1, 2}
	for _, confidence := range []float64{0, 1, -0.5, 95, math.NaN(), math.Inf(1)} {
		_, err := of(x, confidence, "run")
		var value *ValueError
		if !errors.Is(err, ErrOutOfRange) || !errors.As(err, &value) || value.Arg != "confidence" {
			t.Errorf("confidence %v: %v", confidence, err)
		}
	}
	if _, err := of(nil, 0.95, "run"); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := of([]float64{1, bad}, 0.95, "run")
		var value *ValueError
		if !errors.Is(err, ErrNotFinite) || !errors.As(err, &value) || value.Arg != "x" || !slices.Equal(value.Index,
			[]int{1}) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if v, err := of(x, 0.8, "run"); err != nil || !slices.Equal(x, []float64{3, 1, 2}) {
		t.Errorf("the samples are now %v: %+v, %v", x, v, err)
	}
}

// fuzzInterval checks what holds of every interval of a sample: an estimate that is a number, bounds that are in order
// or undefined, no width of 0 without a warning, and a round trip through JSON.
//
// Without a warning a width of 0 is rounding, of a confidence or of values next to 0.
func fuzzInterval(t *testing.T, x []float64, v Interval) {
	t.Helper()
	switch {
	case v.Low > v.High, math.IsNaN(v.Low) != math.IsNaN(v.High):
		t.Errorf("%v: %+v", x, v)
	case !v.Defined() && len(v.Warnings) == 0 && v.Estimate != 0: // an SD may underflow
		t.Errorf("undefined without a word for %v: %+v", x, v)
	case v.Low == v.High && !slices.Contains(warned(v.Warnings),
		ResolutionLimited) && math.Abs(v.Low) > 1e-300 && v.Confidence > 1e-9:
		t.Errorf("no width without a word for %v: %+v", x, v)
	}
	roundTrip(t, v)
}

func FuzzSDInterval(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 0.95)
	}
	f.Add(seed(sampleA...), math.Nextafter(1, 0))
	f.Add(seed(sampleA...), math.SmallestNonzeroFloat64)
	f.Fuzz(func(t *testing.T, b []byte, confidence float64) {
		x := samples(b)
		for _, of := range []func([]float64, float64, string) (Interval, error){SDInterval, LogSDInterval} {
			v, err := of(x, confidence, "run")
			if err != nil {
				continue
			}
			if len(x) > 1 && !finite([]float64{v.Estimate}) || math.IsInf(v.High, 0) {
				t.Errorf("%v, %v: %+v", x, confidence, v)
			}
			fuzzInterval(t, x, v)
		}
	})
}
