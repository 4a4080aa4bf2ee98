package stats

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// upTo returns 1 … n, out of order: each order statistic is its rank.
func upTo(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[(i+n/2)%n] = float64(i + 1)
	}
	return x
}

func TestQuantileIntervalKnownAnswers(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		n                   int
		p, confidence       float64
		low, high, coverage float64
		method              string
		warning             string // words of the text, "" for none
	}{
		{100, 0.9, 0.95, 84, 96, .955690107191223, "order statistics 84 and 96 of 100", ""},
		{1000, 0.99, 0.95, 983, 997, .976094763497977, "order statistics 983 and 997 of 1000", ""},
		// By hand: of n samples all lie on one side of the median with probability 2⁻ⁿ.
		{3, 0.5, 0.75, 1, 3, .75, "order statistics 1 and 3 of 3", ""},
		{5, 0.5, 0.9375, 1, 5, .9375, "order statistics 1 and 5 of 5", ""},
		{5, 0.5, 0.95, nan, nan, 0, "order statistics none and none of 5",
			"a 95 % interval for the p50 takes 6 samples; [min, max] of these 5 has 93.75 %"},
		{1, 0.5, 0.95, nan, nan, 0, "order statistics none and none of 1",
			"a 95 % interval for the p50 takes 6 samples; [min, max] of these 1 has 0 %"},
		{6, 0.5, 0.95, 1, 6, 1 - 2./64, "order statistics 1 and 6 of 6", ""},
		{10, 0.5, 0.95, 2, 9, 1 - 22./1024, "order statistics 2 and 9 of 10", ""},
		// .99³⁶⁷ is .0250 and some, .99³⁶⁸ is less.
		{100, 0.99, 0.95, 97, inf, .98162596355535, "order statistics 97 and none of 100",
			"no upper bound for the p99 at 95 %: that takes 368"},
		{367, 0.99, 0.95, 359, inf, 0, "", "takes 368"},
		{368, 0.99, 0.95, 360, 368, 0, "", ""},
		{100, 0.01, 0.95, -inf, 4, .98162596355535, "order statistics none and 4 of 100",
			"no lower bound for the p1 at 95 %: that takes 368"},
		// A single sample is a bound, if hardly any are larger.
		{1, 0.999, 0.95, 1, inf, .999, "order statistics 1 and none of 1", "takes 3688"},
	} {
		x := upTo(c.n)
		v, err := QuantileInterval(x, c.p, c.confidence, "request")
		if err != nil || !same64(v.Low, c.low) || !same64(v.High, c.high) {
			t.Errorf("p%v of %d: [%v, %v], %v", 100*c.p, c.n, v.Low, v.High, err)
		}
		if c.method != "" && (v.Method != c.method || math.Abs(v.Coverage-c.coverage) > 2e-15) {
			t.Errorf("p%v of %d: %s, %.15g", 100*c.p, c.n, v.Method, v.Coverage)
		}
		switch {
		case c.warning == "":
			if v.Warnings != nil {
				t.Errorf("p%v of %d: %v", 100*c.p, c.n, v.Warnings)
			}
		case !slices.Equal(warned(v.Warnings), []string{TailUndersampled}) || !strings.Contains(v.Warnings[0].Text,
			c.warning):
			t.Errorf("p%v of %d: %v", 100*c.p, c.n, v.Warnings)
		}
		if want, _ := Quantile(x, c.p); v.Estimate != want || v.N != c.n || !math.IsNaN(v.DF) || v.Unit != "request" ||
			v.Confidence != c.confidence || len(v.Assumptions) == 0 {
			t.Errorf("%+v", v)
		}
		if v.Defined() != !math.IsNaN(c.low) || v.Below(c.high+1) != (c.high < inf) ||
			v.Above(c.low-1) != (c.low > -inf) {
			t.Errorf("%+v: defined %v, below %v, above %v", v, v.Defined(), v.Below(c.high+1), v.Above(c.low-1))
		}
		roundTrip(t, v)
	}
}

func TestMedianInterval(t *testing.T) {
	v, err := MedianInterval(upTo(6), 0.95, "run")
	w, errW := QuantileInterval(upTo(6), 0.5, 0.95, "run")
	if err != nil || errW != nil || v.Low != 1 || v.High != 6 || v.Estimate != 3.5 || v.Coverage != w.Coverage ||
		v.Method != w.Method {
		t.Errorf("%+v, %v", v, err)
	}
	v, err = MedianInterval(upTo(5), 0.95, "run")
	if err != nil || v.Defined() || v.Below(1e9) || v.Above(-1e9) {
		t.Errorf("%+v, %v", v, err)
	}
	if got := roundTrip(t, v); !strings.Contains(got, `"low":null,"high":null`) || strings.Contains(got, "coverage\"") {
		t.Error(got)
	}
}

func TestQuantileIntervalTies(t *testing.T) {
	for _, c := range []struct {
		x         []float64
		unit      string
		low, high float64
		want      []string
	}{
		{[]float64{7, 7, 7, 7, 7, 7}, "run", math.NaN(), math.NaN(), []string{ResolutionLimited}},
		// Ranks 3 and 10, moved out to the next different samples; or as far on one side as on the other, where there
		// is none.
		{[]float64{1, 2, 7, 7, 7, 7, 7, 7, 7, 7, 8, 9}, "run", 2, 8, []string{ResolutionLimited}},
		{[]float64{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 9}, "run", 6, 8, []string{ResolutionLimited}},
		{[]float64{1, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, "run", 5, 9, []string{ResolutionLimited}},
		{[]float64{1, 2, 6, 7, 7, 7, 7, 7, 7, 7, 8, 9}, "", 6, 7, []string{UnitUnnamed}},
	} {
		v, err := MedianInterval(c.x, 0.95, c.unit)
		if err != nil || !same64(v.Low, c.low) || !same64(v.High, c.high) || !slices.Equal(warned(v.Warnings), c.want) {
			t.Errorf("%v: %+v, %v", c.x, v, err)
		}
	}
}

// Whatever n and p, the pair of ranks covers as asked, the next pair inwards does not, and p and 1 − p mirror each
// other.
func TestRanks(t *testing.T) {
	for n := 1; n < 20000; n = n*3/2 + 1 {
		for _, p := range []float64{math.SmallestNonzeroFloat64, 1e-9, 0.1, 0.25, 0.5} {
			for _, tail := range []float64{1e-16, 0.005, 0.025, 0.05, 0.3, 0.5} {
				low, high, below, above := ranks(n, p, tail)
				if !(0 <= low && low < high && high <= n+1 && below >= 0 && above >= 0 && max(below,
					above) <= tail*(1+2e-12)) {
					t.Errorf("%d, %v, %v: %d, %d, %v, %v", n, p, tail, low, high, below, above)
				}
				if p < 0.1 { // 1 − p would be rounded
					continue
				}
				mLow, mHigh, mBelow, mAbove := ranks(n, 1-p, tail)
				if mLow != n+1-high || mHigh != n+1-low || math.Abs(mBelow-above) > 1e-12*above ||
					math.Abs(mAbove-below) > 1e-12*below {
					t.Errorf("%d, %v, %v: %d, %d, %v, %v mirrored %d, %d, %v, %v", n, p, tail, low, high, below, above,
						mLow, mHigh, mBelow, mAbove)
				}
			}
		}
	}
}

func TestQuantileIntervalErrors(t *testing.T) {
	testSampleErrors(t, MedianInterval)
	testSampleErrors(t, func(x []float64, confidence float64, unit string) (Interval, error) {
		return QuantileInterval(x, 0.9, confidence, unit)
	})
	for _, p := range []float64{0, 1, -1, 99, math.NaN(), math.Inf(1)} {
		_, err := QuantileInterval(sampleA, p, 0.95, "run")
		var value *ValueError
		if !errors.Is(err, ErrOutOfRange) || !errors.As(err, &value) || value.Arg != "p" {
			t.Errorf("p = %v: %v", p, err)
		}
	}
}

func FuzzQuantileInterval(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 0.5, 0.95)
	}
	f.Add(seed(upTo(100)...), 0.9, 0.95)
	f.Add(seed(upTo(20)...), math.Nextafter(1, 0), 1-1e-16)
	f.Add(seed(upTo(7)...), 0.5, math.SmallestNonzeroFloat64)
	f.Fuzz(func(t *testing.T, b []byte, p, confidence float64) {
		x := samples(b)
		v, err := QuantileInterval(x, p, confidence, "run")
		if err != nil {
			return
		}
		if !finite([]float64{v.Estimate}) || v.Defined() != (v.Coverage > 0) || v.Coverage > 1 ||
			v.Defined() && v.Coverage < confidence-2e-12 {
			t.Errorf("p%v of %v at %v: %+v", p, x, confidence, v)
		}
		fuzzInterval(t, x, v)
	})
}
