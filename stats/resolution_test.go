package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCoarseness(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		x    []float64
		near []float64
		want float64
	}{
		{[]float64{10}, nil, 0},
		{[]float64{10, 11}, nil, 0},
		{[]float64{10, 10, 11}, nil, 0.5},
		{[]float64{10, 10, 11, 12}, nil, 0}, // half of them is not more than half
		{[]float64{10, 10, 10, 14}, nil, 2},
		{[]float64{10, 10, 10, 14}, []float64{10.5, 30}, 0.25},
		{[]float64{10, 10}, nil, inf},
		{[]float64{10, 10}, []float64{8}, 1},
		{[]float64{12, 10, 11, 10, 10}, nil, 0.5},
	} {
		if got := coarseness(c.x, c.near); got != c.want {
			t.Errorf("%v near %v: %v, want %v", c.x, c.near, got, c.want)
		}
	}
	if got := logCoarseness([]float64{10, 10, 11}); !near(got, math.Log(10/9.5), 1e-14) {
		t.Errorf("on logarithms: %v", got)
	}
}

// No function decides on samples without spread, whichever way they are compared.
func TestZeroSpreadDecidesNothing(t *testing.T) {
	same, other := []float64{5, 5, 5, 5, 5, 5}, []float64{7, 7, 7, 7, 7, 7}
	undecided := func(name string, v Interval, err error) {
		t.Helper()
		if err != nil || v.Defined() || v.Above(0) || v.Below(1e9) || !hasWarning(v.Warnings, ResolutionLimited) ||
			!strings.HasSuffix(v.String(), "no interval (resolution-limited)") {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		roundTrip(t, v)
	}
	many := slices.Repeat([]float64{5}, 60)
	v, err := MeanInterval(same, 0.95, "run")
	undecided("mean", v, err)
	v, err = LogMeanInterval(same, 0.95, "run")
	undecided("log mean", v, err)
	v, err = SDInterval(same, 0.95, "run")
	undecided("SD", v, err)
	v, err = MedianInterval(many, 0.95, "run")
	undecided("median", v, err)
	v, err = SteinInterval(same, 2, 1, 0.95, "run")
	undecided("Stein", v, err)
	v, err = LogRatioInterval(same, other, 0.95, "run")
	undecided("ratio", v, err)
	v, err = PairedLogRatioInterval(same, other, 0.95, "run")
	undecided("ratio of pairs", v, err)
	v, err = FiellerInterval(same, other, 0.95, "run")
	undecided("Fieller", v, err)
	v, err = HedgesG(same, other, 0.95, "run")
	if err != nil || v.Defined() || !hasWarning(v.Warnings, ResolutionLimited) {
		t.Errorf("Hedges: %v, %v", v, err)
	}
	v, err = RampInterval(many, 1, 0.95, "request")
	undecided("ramp", v, err)
	m, err := MeanOfLevel(many, 2, 0.95, "request")
	undecided("level", m.Mean, err)
	d, err := Drift([][]float64{same, same, same, same, same}, 0.95, "run")
	undecided("drift", d.Total, err)
	for _, c := range []Comparison{{Margin: 0.05, Unit: "run"}, {Margin: 0.05, Unit: "run", Paired: true,
		BFirst: []bool{false, true, false, true, false, true}}} {
		for _, b := range [][]float64{same, other} {
			for name, compare := range map[string]func(a, b []float64, c Comparison) (Verdict, error){"means": Compare,
				"medians": CompareMedians} {
				r, err := compare(same, b, c)
				if err != nil || r.Kind != Undecided || r.Detected || !hasWarning(r.Warnings, ResolutionLimited) ||
					!strings.Contains(r.String(), ResolutionLimited) {
					t.Errorf("%s, %+v, %v: %v, %v", name, c, b, r, err)
				}
			}
		}
	}
	r, err := CompareQuantiles(many, slices.Repeat([]float64{7}, 60), 0.5, Comparison{Margin: 0.05, Unit: "request"})
	if err != nil || r.Kind != Undecided || !hasWarning(r.Warnings, ResolutionLimited) {
		t.Errorf("quantiles: %v, %v", r, err)
	}
}

// Samples of which most are one value know the mean no better than to half a step.
func TestMeanOfCoarseSamples(t *testing.T) {
	v, err := MeanInterval([]float64{10, 10, 10, 10, 10, 10, 10, 10, 10, 11}, 0.95, "run")
	// By hand: 10.1 ± 2.2622·0.31623/√10, that is ± 0.2262, and half of 1.
	if err != nil || !near(v.Low, 10.1-0.72622, 1e-5) || !near(v.High, 10.1+0.72622, 1e-5) || !hasWarning(v.Warnings,
		ResolutionLimited) {
		t.Errorf("%v, %v", v, err)
	}
	if v, err = MeanInterval([]float64{10, 10, 10, 11, 11, 12}, 0.95, "run"); err != nil || v.Warnings != nil {
		t.Errorf("%v, %v", v, err)
	}
}

// Units change no answer, and offsets no difference.
func TestUnitsAndOffsets(t *testing.T) {
	a, b := []float64{1e15, 1.1e15, 1.2e15}, []float64{2, 3, 4}
	for _, by := range []float64{1, 1e-15, 1e-30, 1e100} {
		v, err := FiellerInterval(scaled(a, by), b, 0.95, "run")
		w, err2 := FiellerInterval(scaled(a, 1e-15), b, 0.95, "run")
		if err != nil || err2 != nil || !v.Defined() || !near(v.Low*by*1e15, w.Low, 1e-12) || !near(v.High*by*1e15,
			w.High, 1e-12) {
			t.Errorf("Fieller, a × %v: %v and %v, %v", by, v, w, err)
		}
		v, err = FiellerInterval(b, scaled(a, by), 0.95, "run")
		if err != nil || !v.Defined() {
			t.Errorf("Fieller, b × %v: %v, %v", by, v, err)
		}
	}
	for _, offset := range []float64{0, 1e6, 1e15, -1e15} {
		x, y := []float64{0, 1, 2}, []float64{10, 11, 12}
		u, w := []float64{0, 5, 3}, []float64{10, 16, 12} // differences 10, 11, 9
		for _, s := range [][]float64{x, y, u, w} {
			for i := range s {
				s[i] += offset
			}
		}
		test, err := Welch(x, y)
		if err != nil || !near(test.T, 10/math.Sqrt(2./3), 1e-14) || test.Difference != 10 { // 12.247
			t.Errorf("Welch at %v: %+v, %v", offset, test, err)
		}
		test, err = PairedT(u, w)
		if err != nil || !near(test.T, 10*math.Sqrt(3), 1e-14) || test.Difference != 10 {
			t.Errorf("paired t at %v: %+v, %v", offset, test, err)
		}
		ramp := make([]float64, 100)
		for i := range ramp {
			ramp[i] = offset + float64(i) + 8*float64(i%2)
		}
		v, err := RampInterval(ramp, 1, 0.95, "request")
		if err != nil || v.Estimate != 100 {
			t.Errorf("ramp at %v: %v, %v", offset, v, err)
		}
	}
	for _, by := range []float64{1, 0x1p-900, 0x1p900, 1e15, 1e-15} {
		v, err := LogRatioInterval(scaled(sampleA, by), scaled(sampleB, by), 0.95, "run")
		if err != nil || !near(v.Low, 0.991830270629667, 1e-12) || !near(v.High, 1.10757121630596, 1e-12) {
			t.Errorf("ratio × %v: %v, %v", by, v, err)
		}
		d, err := Drift([][]float64{{by}, {1.01 * by}, {1.03 * by}, {1.02 * by}, {1.05 * by}}, 0.95, "run")
		if err != nil || !near(d.Total.Estimate, 4*(math.Log(1.02/1.01)+2*math.Log(1.05))/10, 1e-12) {
			t.Errorf("drift × %v: %v, %v", by, d.Total, err)
		}
	}
	// Decimals that differ in their last digit have no spread, in any unit.
	for _, by := range []float64{1, 1e15, 1e-300} {
		test, err := PairedT(scaled([]float64{1, 2, 3}, by), scaled([]float64{1.1, 2.1, 3.1}, by))
		if err != nil || !math.IsNaN(test.T) || !hasWarning(test.Warnings, ResolutionLimited) {
			t.Errorf("× %v: %+v, %v", by, test, err)
		}
	}
}

// What a float64 so near to 0 has left of its digits is no measurement.
func TestSubnormalsHaveNoLogarithm(t *testing.T) {
	tiny := []float64{1, 5e-324}
	_, err := LogMeanInterval(tiny, 0.95, "run")
	checkPlace(t, err, ErrOutOfRange, "x", []int{1})
	_, err = Compare(tiny, sampleB, Comparison{Margin: 0.05})
	checkPlace(t, err, ErrOutOfRange, "a", []int{1})
	_, err = LogRatioInterval(sampleA, []float64{1e-310, 1}, 0.95, "run")
	checkPlace(t, err, ErrOutOfRange, "b", []int{0})
	_, err = Knee([]float64{1, 2}, [][]float64{{1, 2}, {1e-310, 2}})
	checkPlace(t, err, ErrOutOfRange, "runs", []int{1, 0})
	_, err = Drift([][]float64{{1}, {1e-310}}, 0.95, "run")
	checkPlace(t, err, ErrOutOfRange, "y", []int{1, 0})
	if _, err = LogMeanInterval([]float64{0x1p-1022, 0x1p-1021}, 0.95, "run"); err != nil {
		t.Error(err) // the smallest that has them all
	}
	if v, err := MeanInterval([]float64{5e-324, 2e-323}, 0.95, "run"); err != nil || !v.Defined() {
		t.Errorf("%v, %v", v, err) // without logarithms they are numbers like others
	}
}

func TestIntervalString(t *testing.T) {
	inf := math.Inf(1)
	at := func(estimate, low, high float64) Interval {
		return Interval{Estimate: estimate, Low: low, High: high, Confidence: 0.95}
	}
	for _, c := range []struct {
		v    Interval
		want string
	}{
		{at(6735.2, 6395.917, 7074.483), "6,735 [6,396, 7,074] at 95 %"},
		{at(1.0004, 1.0001, 1.0008), "1.00040 [1.00010, 1.00080] at 95 %"},
		{at(0.0123456, 0.0119, 0.0127), "0.01235 [0.01190, 0.01270] at 95 %"},
		{at(1e9, 0.99e9, 1.01e9), "1,000,000,000 [990,000,000, 1,010,000,000] at 95 %"},
		{at(1e300, 0.5e300, 2e300), "1e+300 [5e+299, 2e+300] at 95 %"},
		{at(1e-300, 0.5e-300, 2e-300), "1e−300 [5e−301, 2e−300] at 95 %"},
		{at(7, 6, inf), "7 [6, ∞] at 95 %"},
		{at(7, -inf, 8.25), "7 [−∞, 8.25] at 95 %"},
		{at(7, math.NaN(), math.NaN()), "7, no interval"},
		{Interval{Estimate: 7, Confidence: 0.9, Low: 6, High: 8, Warnings: []Warning{{NotSteady, ""}, {UnitUnnamed,
			""}, {NotSteady, ""}}},
			"7.0 [6.0, 8.0] at 90 % (not-steady, unit-unnamed)"},
		{Interval{}, "0, no interval"},
	} {
		if got := c.v.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	// However near a bound is to a number that matters, it does not look like it.
	for _, low := range []float64{1.01, 1.0001, 1.0000003, 1 + 1e-12} {
		got := at(1.02, low, 1.03).bounds(1)
		var shown float64
		if _, err := fmt.Sscanf(strings.Split(got, "[")[1], "%g,", &shown); err != nil || shown == 1 {
			t.Errorf("low %v: %s, %v", low, got, err)
		}
	}
}

// Rounded figures of two configurations, at the edge of the margin and without a difference.
func TestRoundedComparisonSimulation(t *testing.T) {
	size := draws(40, 4_000)
	rng := rand.New(rand.NewPCG(6, 1))
	for _, mean := range []float64{9.6, 10, 10.4, 100} {
		for _, runs := range []int{3, 5, 10} {
			for _, sd := range []float64{0.002, 0.01, 0.04} {
				var equivalent, faster, slower int
				rounded := func(shift float64) []float64 {
					x := make([]float64, runs)
					for i := range x {
						x[i] = math.Round(mean * math.Exp(shift+sd*rng.NormFloat64()))
					}
					return x
				}
				c := Comparison{Margin: 0.05, Unit: "run"}
				for range size {
					v, err := Compare(rounded(0), rounded(math.Log1p(c.Margin)), c)
					if err != nil {
						t.Fatal(err)
					}
					if v.Kind == Equivalent {
						equivalent++
					}
					if v, err = Compare(rounded(0), rounded(0), c); err != nil {
						t.Fatal(err)
					}
					switch {
					case v.Detected && v.Ratio.Estimate > 1:
						faster++
					case v.Detected:
						slower++
					}
				}
				name := fmt.Sprintf("rounded to 1 at %v, n %d, SD %v", mean, runs, sd)
				falseAtMost(t, "false equivalent, "+name, equivalent, size, 0.055)
				falseAtMost(t, "false faster, "+name, faster, size, 0.03)
				falseAtMost(t, "false slower, "+name, slower, size, 0.03)
			}
		}
	}
}
