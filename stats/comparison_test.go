package stats

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func scaled(x []float64, by float64) []float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] *= by
	}
	return y
}

func TestCompare(t *testing.T) {
	steady := []float64{100, 101, 99, 100, 100.5}
	for _, c := range []struct {
		name     string
		a, b     []float64
		c        Comparison
		kind     VerdictKind
		detected bool
		runs     int
		reason   string
	}{
		// R's interval, [.9918, 1.1076]: 1 is inside, 1.05 too. SD of the logarithms .0376; scipy plans 11.
		{"the page's A and B", sampleA, sampleB, Comparison{Margin: 0.05}, Undecided, false, 11, "includes 1"},
		{"within 10 %", sampleA, sampleB, Comparison{Margin: 0.1}, Equivalent, false, 0,
			"is inside the margin, 0.90909 to 1.1"},
		{"paired", sampleA, sampleB, Comparison{Margin: 0.03, Paired: true}, Faster, true, 0, "excludes 1"},
		{"paired the other way round", sampleB, sampleA, Comparison{Margin: 0.03, Paired: true}, Slower, true, 0,
			"excludes 1"},
		{"paired latency", sampleA, sampleB, Comparison{Margin: 0.03, Paired: true, LowerIsBetter: true}, Slower, true,
			0, ""},
		{"latency", steady, scaled(steady, 0.9), Comparison{Margin: 0.03, LowerIsBetter: true}, Faster, true, 0, ""},
		{"throughput", steady, scaled(steady, 0.9), Comparison{Margin: 0.03}, Slower, true, 0, ""},
		{"too small to matter", steady, scaled(steady, 1.015), Comparison{Margin: 0.03}, Equivalent, true, 0,
			"too small to matter"},
		{"the same runs", steady, steady, Comparison{Margin: 0.03}, Equivalent, false, 0, ""},
		{"confidence 0.9", sampleA, sampleB, Comparison{Margin: 0.03, Confidence: 0.9}, Faster, true, 0,
			"the 90 % interval"},
		{"enough runs, still between", steady, scaled(steady, 1.006), Comparison{Margin: 0.006}, Undecided, false, 28,
			""},
		{"one run", []float64{7}, sampleB, Comparison{Margin: 0.05}, Undecided, false, 0, "one of a side"},
		{"one pair", []float64{7}, []float64{8}, Comparison{Margin: 0.05, Paired: true}, Undecided, false, 0,
			"one of a side"},
		{"no spread", []float64{7, 7}, []float64{8, 8, 8}, Comparison{Margin: 0.05}, Undecided, false, 0, "no spread"},
		{"no spread in the ratios", []float64{1, 2, 4}, []float64{2, 4, 8}, Comparison{Margin: 0.05, Paired: true},
			Undecided, false, 0, "no spread"},
		{"spread in one", []float64{7, 7, 7}, []float64{8, 8.1, 8.2}, Comparison{Margin: 0.05}, Faster, true, 0, ""},
		{"two runs", []float64{100, 101}, []float64{99, 103}, Comparison{Margin: 0.05}, Undecided, false, 4, ""},
		{"hopeless", []float64{1, 1e9}, []float64{1, 1e9}, Comparison{Margin: 0.01}, Undecided, false, 0,
			"more than 1000000 would"},
	} {
		c.c.Unit = "run"
		v, err := Compare(c.a, c.b, c.c)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if v.Kind != c.kind || v.Detected != c.detected || v.RunsToDecide != c.runs || !strings.Contains(v.Reason,
			c.reason) {
			t.Errorf("%s: %v, detected %v, %d runs: %s", c.name, v, v.Detected, v.RunsToDecide, v.Reason)
		}
		if c.detected != (v.Ratio.Below(1) || v.Ratio.Above(1)) {
			t.Errorf("%s: detected %v, and the interval is %+v", c.name, v.Detected, v.Ratio)
		}
		inside := v.EquivalenceRatio.Above(1/(1+c.c.Margin)) && v.EquivalenceRatio.Below(1+c.c.Margin)
		if inside != (c.kind == Equivalent) {
			t.Errorf("%s: %v, and the interval is %+v", c.name, v, v.EquivalenceRatio)
		}
		roundTrip(t, v)
	}
	roundTrip(t, Verdict{P: math.NaN(), EquivalenceP: math.NaN(), AdjustedP: math.NaN(),
		AdjustedEquivalenceP: math.NaN(),
		Ratio:                Interval{Low: math.NaN(), High: math.NaN()},
		EquivalenceRatio:     Interval{Low: math.NaN(), High: math.NaN()}})
}

// What is planned depends on the spread alone: a shift of b changes no number of runs.
func TestRunsToDecideIgnoresTheEffect(t *testing.T) {
	for _, by := range []float64{0.96, 1, 1.02, 1.04} {
		v, err := Compare(sampleA, scaled(sampleA, by), Comparison{Margin: 0.03})
		if err != nil || v.Kind != Undecided || v.RunsToDecide != 34 {
			t.Errorf("%v: %v, %v", by, v, err)
		}
	}
}

func TestCompareWarnsOfWhatItLacks(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		unit string
		want []string
	}{
		{sampleA, sampleB, "run", nil},
		{sampleA, sampleB, "", []string{UnitUnnamed}},
		{[]float64{7}, sampleB, "run", []string{SingleSample}},
		{[]float64{7, 7}, sampleB, "run", []string{ResolutionLimited}},
		{sampleA, []float64{7, 7}, "run", []string{ResolutionLimited}},
		{[]float64{7, 7}, []float64{8, 8}, "run", []string{ResolutionLimited}},
	} {
		v, err := Compare(c.a, c.b, Comparison{Margin: 0.05, Unit: c.unit})
		if err != nil || !slices.Equal(warned(v.Warnings), c.want) {
			t.Errorf("%v, %v: %v, %v; want %v", c.a, c.b, v.Warnings, err, c.want)
		}
	}
}

func TestComparisonErrors(t *testing.T) {
	good := Comparison{Margin: 0.03, Unit: "run"}
	with := func(f func(*Comparison)) Comparison { c := good; f(&c); return c }
	for _, c := range []struct {
		a, b  []float64
		c     Comparison
		kind  error
		arg   string
		index []int
	}{
		{nil, sampleB, good, ErrEmpty, "a", nil},
		{sampleA, nil, good, ErrEmpty, "b", nil},
		{[]float64{7}, nil, good, ErrEmpty, "b", nil},
		{sampleA, []float64{1, 2, math.NaN()}, good, ErrNotFinite, "b", []int{2}},
		{[]float64{1, math.Inf(1)}, sampleB, good, ErrNotFinite, "a", []int{1}},
		{[]float64{1, 0}, sampleB, good, ErrOutOfRange, "a", []int{1}},
		{sampleA, []float64{-1, 2}, good, ErrOutOfRange, "b", []int{0}},
		{[]float64{-1}, sampleB, good, ErrOutOfRange, "a", []int{0}},
		{sampleA, sampleB[:4], with(func(c *Comparison) { c.Paired = true }), ErrLengthMismatch, "b", nil},
		{sampleA[:1], sampleB, with(func(c *Comparison) { c.Paired = true }), ErrLengthMismatch, "b", nil},
		{sampleA, sampleB, Comparison{}, ErrOutOfRange, "c.Margin", nil},
		{sampleA, sampleB, with(func(c *Comparison) { c.Margin = math.NaN() }), ErrOutOfRange, "c.Margin", nil},
		{sampleA, sampleB, with(func(c *Comparison) { c.Margin = math.Inf(1) }), ErrOutOfRange, "c.Margin", nil},
		{sampleA, sampleB, with(func(c *Comparison) { c.Confidence = 0.5 }), ErrOutOfRange, "c.Confidence", nil},
		{sampleA, sampleB, with(func(c *Comparison) { c.Confidence = 95 }), ErrOutOfRange, "c.Confidence", nil},
		{sampleA, sampleB, with(func(c *Comparison) { c.Confidence = math.NaN() }), ErrOutOfRange, "c.Confidence", nil},
	} {
		_, err := Compare(c.a, c.b, c.c)
		checkPlace(t, err, c.kind, c.arg, c.index)
		if c.arg == "a" || c.arg == "b" {
			_, err = CompareFamily([][]float64{sampleA, c.a}, [][]float64{sampleB, c.b}, c.c)
			index := append([]int{1}, c.index...)
			if c.kind == ErrLengthMismatch && c.index == nil && !errors.Is(err, ErrLengthMismatch) {
				t.Errorf("family: %v", err)
			}
			checkPlace(t, err, c.kind, c.arg, index)
		}
	}
	for _, tests := range []func(a, b []float64) (TTest, error){Welch, WelchLogs, PairedT, PairedLogs} {
		_, err := tests([]float64{1}, []float64{2})
		checkPlace(t, err, ErrTooFew, "a", nil)
	}
	_, err := Welch([]float64{-math.MaxFloat64, -math.MaxFloat64}, []float64{math.MaxFloat64, 1e308})
	checkPlace(t, err, ErrOverflow, "a", []int{0})
	_, err = CompareFamily(nil, nil, good)
	checkPlace(t, err, ErrEmpty, "a", nil)
	_, err = CompareFamily([][]float64{sampleA}, nil, good)
	checkPlace(t, err, ErrLengthMismatch, "b", nil)
	for _, f := range []func() (float64, error){
		func() (float64, error) { return good.DetectableRatio(1, 0.04) },
		func() (float64, error) { return good.DetectableRatio(5, -1) },
		func() (float64, error) { return Comparison{}.DetectableRatio(5, 0.04) },
		func() (float64, error) { return plan{n: 5, confidence: 0.95}.detectable(0.05) },
		func() (float64, error) { return plan{n: 5, confidence: 0.95}.detectable(1) },
	} {
		if v, err := f(); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%v, %v", v, err)
		}
	}
	if v, err := good.DetectableRatio(5, math.NaN()); !errors.Is(err, ErrNotFinite) {
		t.Errorf("%v, %v", v, err)
	}
}

func checkPlace(t *testing.T, err, kind error, arg string, index []int) {
	t.Helper()
	var value *ValueError
	var length *LengthError
	switch {
	case !errors.Is(err, kind):
	case errors.As(err, &value) && value.Arg == arg && reflect.DeepEqual(value.Index, index):
		return
	case errors.As(err, &length) && length.Arg == arg && reflect.DeepEqual(length.Index, index):
		return
	}
	t.Errorf("%v; want %v at %s%v", err, kind, arg, index)
}

// Three levels: p for a difference and p for equivalence are adjusted apart, and all equivalent needs no adjustment.
func TestCompareFamily(t *testing.T) {
	steady := []float64{100, 101, 99, 100, 100.5}
	a := [][]float64{steady, steady, sampleA, {7}}
	b := [][]float64{steady, scaled(steady, 0.9), sampleB, {7}}
	f, err := CompareFamily(a, b, Comparison{Margin: 0.1, Unit: "run"})
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, f)
	var kinds []VerdictKind
	for _, v := range f.Verdicts {
		kinds = append(kinds, v.Kind)
	}
	// Alone the third is equivalent within 10 % with p = .039; as one of four it is not.
	if !slices.Equal(kinds, []VerdictKind{Equivalent, Slower, Undecided, Undecided}) || f.AllEquivalent {
		t.Errorf("%v, %v", kinds, f.AllEquivalent)
	}
	if v := f.Verdicts[2]; v.AdjustedEquivalenceP <= v.EquivalenceP || v.RunsToDecide <= 5 ||
		!strings.Contains(v.Reason, ": 0.05 or less would decide") {
		t.Errorf("%+v", v)
	}
	f, err = CompareFamily([][]float64{sampleA, sampleA}, [][]float64{sampleB, sampleB}, Comparison{Margin: 0.1,
		Unit: "run"})
	if err != nil || !f.AllEquivalent || f.Verdicts[0].Kind != Undecided {
		t.Errorf("%+v, %v", f, err)
	}
}

// By hand, over three levels: .01 × 3, .012 × 3; the first level is then decided in both, and .02 × 2, .3 × 2, .5 × 2,
// 1.
func TestAdjustTogether(t *testing.T) {
	difference, equivalence := []float64{0.01, 0.02, 0.5}, []float64{0.012, 1, 0.3}
	adjustTogether(difference, equivalence)
	for i, want := range []float64{0.03, 0.04, 1} {
		if !near(difference[i], want, 1e-15) {
			t.Errorf("difference %d: %v, want %v", i, difference[i], want)
		}
	}
	for i, want := range []float64{0.036, 1, 0.6} {
		if !near(equivalence[i], want, 1e-15) {
			t.Errorf("equivalence %d: %v, want %v", i, equivalence[i], want)
		}
	}
}

func TestVerdictKindNames(t *testing.T) {
	for k := Undecided; k <= Equivalent; k++ {
		roundTrip(t, k)
	}
	if _, err := VerdictKind(9).MarshalText(); err == nil || VerdictKind(-1).String() != "VerdictKind(-1)" {
		t.Error("a kind that there is not has a name")
	}
	var k VerdictKind
	if err := k.UnmarshalText([]byte("better")); err == nil {
		t.Error("a name that there is not is a kind")
	}
}

// Intervals without bounds, each for its reason.
func TestRatioWithoutBounds(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval func(a, b []float64, confidence float64, unit string) (Interval, error)
		a, b     []float64
		want     string
	}{
		{"one of a", LogRatioInterval, []float64{1}, sampleB, SingleSample},
		{"one pair", PairedLogRatioInterval, []float64{1}, []float64{2}, SingleSample},
		{"no spread", LogRatioInterval, []float64{1, 1}, []float64{2, 2}, ResolutionLimited},
		{"Fieller, one of b", FiellerInterval, sampleA, []float64{2}, SingleSample},
		{"Fieller, no spread", FiellerInterval, []float64{1, 1}, []float64{2, 2}, ResolutionLimited},
		{"Fieller, mean 0", FiellerInterval, []float64{1, -1}, []float64{2, 3}, DenominatorNearZero},
		{"Fieller, mean near 0", FiellerInterval, []float64{2, -1}, []float64{2, 3}, DenominatorNearZero},
		{"Hedges, one of a", HedgesG, []float64{2}, []float64{2, 3}, SingleSample},
		{"Hedges, no spread", HedgesG, []float64{2, 2}, []float64{3, 3}, ResolutionLimited},
	} {
		v, err := c.interval(c.a, c.b, 0.95, "run")
		if err != nil || v.Defined() || !slices.Contains(warned(v.Warnings),
			c.want) || !math.IsNaN(v.Low) || !math.IsNaN(v.High) {
			t.Errorf("%s: %+v, %v", c.name, v, err)
		}
		if _, err := c.interval(c.a, c.b, 95, "run"); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%s: %v", c.name, err)
		}
		roundTrip(t, v)
	}
	w, err := Welch([]float64{1, 1}, []float64{2, 2})
	if err != nil || !math.IsNaN(w.P) || w.Difference != 1 {
		t.Errorf("%+v, %v", w, err)
	}
	roundTrip(t, w)
	e, err := w.TOST(1)
	if err != nil || !math.IsNaN(e.P()) {
		t.Errorf("%+v, %v", e, err)
	}
	roundTrip(t, e)
	if _, err := w.TOST(0); !errors.Is(err, ErrOutOfRange) {
		t.Error(err)
	}
}

func FuzzCompare(f *testing.F) {
	for _, a := range hostile {
		f.Add(seed(a...), seed(sampleB...), 0.03, false)
		f.Add(seed(sampleA...), seed(a...), 0.5, true)
		f.Add(seed(a...), seed(a...), 1e-9, true)
	}
	f.Fuzz(func(t *testing.T, rawA, rawB []byte, margin float64, pairs bool) {
		a, b := samples(rawA), samples(rawB)
		beforeA, beforeB := string(rawA), string(rawB)
		v, err := Compare(a, b, Comparison{Margin: margin, Paired: pairs, Unit: "run"})
		if err == nil {
			if !finite(a) || !finite(b) || v.Reason == "" || v.String() == "" {
				t.Errorf("%v, %v: %+v", a, b, v)
			}
			if math.IsNaN(v.P) && (v.Kind != Undecided || len(v.Warnings) == 0) {
				t.Errorf("%v, %v: decided on nothing: %+v", a, b, v)
			}
			if math.IsNaN(v.Ratio.Estimate) {
				t.Errorf("%v, %v: %+v", a, b, v)
			}
			roundTrip(t, v)
		}
		for _, test := range []func(a, b []float64) (TTest, error){Welch, WelchLogs, PairedT, PairedLogs} {
			w, err := test(a, b)
			if err == nil && math.IsNaN(w.P) && len(w.Warnings) == 0 || err == nil && !math.IsNaN(w.P) && !(w.P >= 0 &&
				w.P <= 1) {
				t.Errorf("%v, %v: %+v", a, b, w)
			}
		}
		for _, interval := range []func(a, b []float64, confidence float64, unit string) (Interval, error){
			LogRatioInterval, PairedLogRatioInterval, FiellerInterval, HedgesG} {
			v, err := interval(a, b, 0.95, "run")
			if err == nil && !v.Defined() && len(v.Warnings) == 0 || err == nil && v.Defined() &&
				!(v.Low <= v.Estimate && v.Estimate <= v.High) &&
				v.Method != "Hedges' g, bounds by noncentral t" {
				t.Errorf("%v, %v: %+v", a, b, v)
			}
		}
		if len(a) <= 8 && len(b) <= 8 {
			if e, err := MannWhitney(a, b); err == nil && !(e.P > 0 && e.P <= 1) {
				t.Errorf("%v, %v: %+v", a, b, e)
			}
			if e, err := SignFlip(a); err == nil && !(e.P > 0 && e.P <= 1) {
				t.Errorf("%v: %+v", a, e)
			}
		}
		if p, err := Holm(a); err == nil && !finite(p) {
			t.Errorf("%v: %v", a, p)
		}
		if string(seed(a...)) != beforeA[:8*len(a)] || string(seed(b...)) != beforeB[:8*len(b)] {
			t.Error("an argument was changed")
		}
	})
}
