package stats

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestMeanIntervalKnownAnswer(t *testing.T) {
	v, err := MeanInterval(sampleA, 0.95, "run with restart")
	if err != nil {
		t.Fatal(err)
	}
	// R: t.test(c(6808, 6512, 7011, 6390, 6955))
	if !near(v.Estimate, 6735.2, 1e-15) || !near(v.Low, 6395.91727212173, 1e-14) || !near(v.High, 7074.48272787827,
		1e-14) {
		t.Errorf("%.17g [%.17g, %.17g]", v.Estimate, v.Low, v.High)
	}
	if v.N != 5 || v.DF != 4 || v.Confidence != 0.95 || v.Unit != "run with restart" || v.Method == "" ||
		len(v.Assumptions) == 0 {
		t.Errorf("%+v", v)
	}
	if v.Warnings != nil {
		t.Errorf("warnings %v", v.Warnings)
	}
	if got := v.HalfWidth(); !near(got, 339.28272787827, 1e-13) {
		t.Errorf("half-width %.17g", got)
	}
	roundTrip(t, v)
}

// Samples and bounds from scipy, by testdata/vectors.py.
func TestMeanIntervalScipy(t *testing.T) {
	for _, c := range readSamples(t) {
		v, err := MeanInterval(c.X, c.Confidence, "run")
		if err != nil || !near(v.Low, c.Low, 1e-12) || !near(v.High, c.High, 1e-12) {
			t.Errorf("n = %d, %v: [%.17g, %.17g], %v; want [%.17g, %.17g]", len(c.X), c.Confidence, v.Low, v.High, err,
				c.Low, c.High)
		}
	}
}

func TestMeanIntervalWarnings(t *testing.T) {
	for _, c := range []struct {
		name, unit string
		x          []float64
		defined    bool
		want       []string
	}{
		{"one sample", "run", []float64{3}, false, []string{SingleSample}},
		{"identical", "run", []float64{3, 3, 3}, false, []string{ResolutionLimited}},
		{"no unit", "", []float64{3, 4}, true, []string{UnitUnnamed}},
		{"one sample, no unit", "", []float64{3}, false, []string{SingleSample, UnitUnnamed}},
	} {
		v, err := MeanInterval(c.x, 0.95, c.unit)
		if err != nil || v.Estimate < 3 || v.Defined() != c.defined || !slices.Equal(warned(v.Warnings), c.want) {
			t.Errorf("%s: %+v, %v", c.name, v, err)
		}
	}
}

// Every confidence between 0 and 1 has an interval, up to the float64s next to them; but where it is so small that the
// bounds round to the mean, the interval is undefined and not of zero width.
func TestMeanIntervalExtremeConfidence(t *testing.T) {
	for n := 2; n < 3000; n = n*3/2 + 1 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i)
		}
		for _, confidence := range []float64{math.SmallestNonzeroFloat64, 1e-16, math.Nextafter(1, 0)} {
			v, err := MeanInterval(x, confidence, "run")
			if err != nil || !v.Defined() && (confidence > 0.5 || !hasWarning(v.Warnings, ResolutionLimited)) {
				t.Errorf("n = %d, confidence %v: %+v, %v", n, confidence, v, err)
			}
		}
	}
}

func TestIntervalAnswers(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	at := func(low, high float64) Interval { return Interval{Low: low, High: high, Confidence: 0.95} }
	for _, c := range []struct {
		name           string
		v              Interval
		defined        bool
		below5, above5 bool
		half           float64
	}{
		{"below", at(1, 4), true, true, false, 1.5},
		{"above", at(6, 7), true, false, true, 0.5},
		{"around", at(4, 6), true, false, false, 1},
		{"touching from below", at(4, 5), true, false, false, 0.5},
		{"touching from above", at(5, 6), true, false, false, 0.5},
		{"zero width", at(4, 4), false, false, false, nan},
		{"no upper bound", at(6, inf), true, false, true, inf},
		{"no lower bound", at(-inf, 4), true, true, false, inf},
		{"wide", at(-math.MaxFloat64, math.MaxFloat64), true, false, false, math.MaxFloat64},
		{"undefined", at(nan, nan), false, false, false, nan},
		{"half defined below", at(nan, 4), false, false, false, nan},
		{"half defined above", at(6, nan), false, false, false, nan},
		{"reversed", at(4, 1), false, false, false, nan},
		{"zero", Interval{}, false, false, false, nan},
		{"no confidence", Interval{Low: 1, High: 4}, false, false, false, nan},
	} {
		if c.v.Defined() != c.defined || c.v.Below(5) != c.below5 || c.v.Above(5) != c.above5 {
			t.Errorf("%s: defined %v, below %v, above %v", c.name, c.v.Defined(), c.v.Below(5), c.v.Above(5))
		}
		if c.v.Below(nan) || c.v.Above(nan) {
			t.Errorf("%s: lies beside NaN", c.name)
		}
		if got := c.v.HalfWidth(); got != c.half && !(math.IsNaN(got) && math.IsNaN(c.half)) {
			t.Errorf("%s: half-width %v, want %v", c.name, got, c.half)
		}
	}
}

func TestMeanIntervalErrors(t *testing.T) {
	for _, confidence := range []float64{0, 1, -0.5, 95, math.NaN(), math.Inf(1)} {
		_, err := MeanInterval(sampleA, confidence, "run")
		var value *ValueError
		if !errors.Is(err, ErrOutOfRange) || !errors.As(err, &value) || value.Arg != "confidence" {
			t.Errorf("confidence %v: %v", confidence, err)
		}
	}
	if _, err := MeanInterval(nil, 0.95, "run"); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	if _, err := MeanInterval([]float64{1, math.NaN()}, 0.95, "run"); !errors.Is(err, ErrNotFinite) {
		t.Error(err)
	}
	if _, err := MeanInterval([]float64{1e308, 1.7e308}, 0.95, "run"); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
}

func TestIntervalJSON(t *testing.T) {
	v, err := MeanInterval([]float64{7}, 0.95, "run")
	if err != nil {
		t.Fatal(err)
	}
	if got := roundTrip(t, v); !strings.Contains(got, `"estimate":7,"low":null,"high":null`) {
		t.Error(got)
	}
	open := Interval{Estimate: 7, Low: 6, High: math.Inf(1), DF: math.NaN(), Confidence: 0.95}
	if got := roundTrip(t, open); !strings.Contains(got, `"low":6,"high":null`) || !strings.Contains(got,
		`"df":null`) || !strings.Contains(got, `"unbounded":{"high":"above"}`) {
		t.Error(got)
	}
	open.Low, open.High = math.Inf(-1), 8
	roundTrip(t, open)
	b, err := json.Marshal(Interval{})
	if err != nil || !strings.Contains(string(b), `"low":null,"high":null`) {
		t.Errorf("%s, %v", b, err)
	}
	if err := json.Unmarshal([]byte(`{"estimate":1,"confidence":0.95}`), &v); err != nil || v.Defined() || v.Below(5) {
		t.Errorf("bounds that are absent must be undefined: %+v, %v", v, err)
	}
}

func FuzzMeanInterval(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 0.95)
	}
	f.Add(seed(sampleA...), 1-1e-16)
	f.Add(seed(sampleA...), math.NaN())
	f.Fuzz(func(t *testing.T, b []byte, confidence float64) {
		x := samples(b)
		v, err := MeanInterval(x, confidence, "run")
		if err != nil {
			return
		}
		if !finite([]float64{v.Estimate, v.DF}) || !v.Defined() && len(x) > 1 && !hasWarning(v.Warnings,
			ResolutionLimited) {
			t.Errorf("%v, %v: %+v", x, confidence, v)
		}
		if v.Defined() && !(v.Low <= v.Estimate && v.Estimate <= v.High && finite([]float64{v.Low, v.High})) {
			t.Errorf("%v, %v: %+v", x, confidence, v)
		}
		roundTrip(t, v)
	})
}
