package stats

import (
	"errors"
	"math"
	"testing"
)

// sampleB is sampleA's rival.
var sampleB = []float64{7102, 6890, 7335, 6744, 7218}

type tTestVector struct {
	T, DF, P, Low95, High95, Low90, High90 float64
}

// Values from scipy, by testdata/comparison.py.
type comparisonVectors struct {
	Cases []struct {
		A, B         []float64
		Welch        tTestVector
		WelchLogs    tTestVector  `json:"welch_logs"`
		Paired       *tTestVector `json:"paired"`
		PairedLogs   *tTestVector `json:"paired_logs"`
		Fieller      struct{ Ratio, DF, Low, High float64 }
		Hedges       struct{ G, Low, High float64 }
		MannWhitney  ExactTest  `json:"mann_whitney"`
		SignFlipTest *ExactTest `json:"sign_flip"`
	}
	Powers []struct {
		N                                                       int
		Effect, Confidence, Difference, Equivalence, Detectable float64
		Paired                                                  bool
	}
	Runs []struct {
		SD, Margin float64
		Paired     bool
		Runs       int
	}
}

func readComparisons(t *testing.T) comparisonVectors {
	t.Helper()
	var v comparisonVectors
	readJSON(t, "testdata/comparison.json", &v)
	if len(v.Cases) != 24 || len(v.Powers) != 80 || len(v.Runs) != 30 {
		t.Fatalf("%d cases, %d powers, %d runs", len(v.Cases), len(v.Powers), len(v.Runs))
	}
	return v
}

// close to a value of the order of scale, which may itself be near 0.
func close(got, want, scale, tol float64) bool {
	return math.Abs(got-want) <= tol*max(math.Abs(want), scale)
}

func checkTTest(t *testing.T, got TTest, err error, want tTestVector) {
	t.Helper()
	if err != nil || !close(got.T, want.T, 0.1, 1e-10) || !near(got.DF, want.DF, 1e-10) || !near(got.P, want.P, 1e-9) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
		return
	}
	for _, c := range []struct{ confidence, low, high float64 }{{0.95, want.Low95, want.High95}, {0.9, want.Low90,
		want.High90}} {
		v, err := got.Interval(c.confidence, "run")
		scale := c.high - c.low
		if err != nil || !close(v.Low, c.low, scale, 1e-10) || !close(v.High, c.high, scale, 1e-10) {
			t.Errorf("[%.17g, %.17g], %v; want [%.17g, %.17g]", v.Low, v.High, err, c.low, c.high)
		}
	}
}

func TestTTestVectors(t *testing.T) {
	for _, c := range readComparisons(t).Cases {
		got, err := Welch(c.A, c.B)
		checkTTest(t, got, err, c.Welch)
		got, err = WelchLogs(c.A, c.B)
		checkTTest(t, got, err, c.WelchLogs)
		if c.Paired != nil {
			got, err = PairedT(c.A, c.B)
			checkTTest(t, got, err, *c.Paired)
			got, err = PairedLogs(c.A, c.B)
			checkTTest(t, got, err, *c.PairedLogs)
		}
	}
}

func TestRatioAndEffectVectors(t *testing.T) {
	for _, c := range readComparisons(t).Cases {
		v, err := FiellerInterval(c.A, c.B, 0.95, "run")
		if err != nil || !near(v.Estimate, c.Fieller.Ratio, 1e-14) || !near(v.DF, c.Fieller.DF, 1e-11) ||
			!near(v.Low, c.Fieller.Low, 1e-11) || !near(v.High, c.Fieller.High, 1e-11) {
			t.Errorf("Fieller of %v and %v: %+v, %v; want %+v", c.A, c.B, v, err, c.Fieller)
		}
		v, err = HedgesG(c.A, c.B, 0.95, "run")
		scale := v.High - v.Low
		if err != nil || !close(v.Estimate, c.Hedges.G, 0.01, 1e-11) || !close(v.Low, c.Hedges.Low, scale, 1e-8) ||
			!close(v.High, c.Hedges.High, scale, 1e-8) {
			t.Errorf("Hedges of %v and %v: %+v, %v; want %+v", c.A, c.B, v, err, c.Hedges)
		}
	}
}

func TestExactVectors(t *testing.T) {
	for _, c := range readComparisons(t).Cases {
		got, err := MannWhitney(c.A, c.B)
		if err != nil || got.Extreme != c.MannWhitney.Extreme || got.Arrangements != c.MannWhitney.Arrangements {
			t.Errorf("Mann–Whitney of %v and %v: %+v, %v; want %+v", c.A, c.B, got, err, c.MannWhitney)
		}
		if c.SignFlipTest == nil {
			continue
		}
		d := make([]float64, len(c.A))
		for i := range d {
			d[i] = c.B[i] - c.A[i]
		}
		got, err = SignFlip(d)
		if err != nil || got.Extreme != c.SignFlipTest.Extreme || got.Arrangements != c.SignFlipTest.Arrangements {
			t.Errorf("sign flips of %v: %+v, %v; want %+v", d, got, err, c.SignFlipTest)
		}
	}
}

func TestPowerVectors(t *testing.T) {
	v := readComparisons(t)
	for _, c := range v.Powers {
		p := plan{n: c.N, confidence: c.Confidence, paired: c.Paired}
		got, err := p.difference(c.Effect)
		if err != nil || !near(got, c.Difference, 1e-9) {
			t.Errorf("%+v: power %.17g, %v", c, got, err)
		}
		got, err = p.equivalence(c.Effect)
		if err != nil || !close(got, c.Equivalence, 1e-3, 1e-9) {
			t.Errorf("%+v: power of equivalence %.17g, %v", c, got, err)
		}
		got, err = p.detectable(0.8)
		if err != nil || !near(got, c.Detectable, 1e-9) {
			t.Errorf("%+v: detectable %.17g, %v", c, got, err)
		}
	}
	for _, c := range v.Runs {
		got, err := Comparison{Margin: c.Margin, Paired: c.Paired}.RunsToDecide(c.SD)
		if err != nil || got != c.Runs {
			t.Errorf("%+v: %d runs, %v", c, got, err)
		}
	}
}

// The numbers of runs at CoV 1, 2, 4 and 12 %, which are to be planned with on logarithms.
func TestRunsToDecideKnownAnswers(t *testing.T) {
	for margin, want := range map[float64][]int{0.05: {3, 4, 13, 104}, 0.03: {4, 9, 33, 281}} {
		for i, cov := range []float64{0.01, 0.02, 0.04, 0.12} {
			got, err := Comparison{Margin: margin}.RunsToDecide(math.Sqrt(math.Log1p(cov * cov)))
			if err != nil || got != want[i] {
				t.Errorf("margin %v, CoV %v: %d, %v; want %d", margin, cov, got, err, want[i])
			}
		}
	}
	if got, err := (Comparison{Margin: 0.03}).RunsToDecide(0); err != nil || got != 2 {
		t.Errorf("without noise: %d, %v", got, err)
	}
	for _, sd := range []float64{-1, math.NaN(), math.Inf(1), 1e3} {
		if got, err := (Comparison{Margin: 0.03}).RunsToDecide(sd); !errors.Is(err, ErrOutOfRange) && !errors.Is(err,
			ErrNotFinite) {
			t.Errorf("SD %v: %d, %v", sd, got, err)
		}
	}
}

// R and scipy.
func TestComparisonKnownAnswers(t *testing.T) {
	check := func(what string, got, want, tol float64) {
		t.Helper()
		if !near(got, want, tol) {
			t.Errorf("%s: %.17g, want %.17g", what, got, want)
		}
	}
	w, err := Welch(sampleA, sampleB)
	if err != nil {
		t.Fatal(err)
	}
	check("Welch t", w.T, 1.9821955718376, 1e-13)
	check("Welch df", w.DF, 7.87191211498876, 1e-13)
	check("Welch p", w.P, 0.0833511142381262, 1e-12)
	p, err := PairedT(sampleA, sampleB)
	if err != nil {
		t.Fatal(err)
	}
	check("paired t", p.T, 15.7158440415914, 1e-13)
	check("paired p", p.P, 9.57564407673803e-5, 1e-12)

	l, err := WelchLogs(sampleA, sampleB)
	if err != nil {
		t.Fatal(err)
	}
	check("log Welch df", l.DF, 7.76161896761588, 1e-12)
	for confidence, want := range map[float64][2]float64{0.95: {0.991830270629667, 1.10757121630596},
		0.9: {1.00254523376018, 1.09573376065059}} {
		v, err := LogRatioInterval(sampleA, sampleB, confidence, "run")
		if err != nil {
			t.Fatal(err)
		}
		check("ratio", v.Estimate, 1.04810431695055, 1e-14)
		check("ratio's low", v.Low, want[0], 1e-13)
		check("ratio's high", v.High, want[1], 1e-13)
	}
	e, err := l.TOST(math.Log1p(0.10))
	if err != nil {
		t.Fatal(err)
	}
	check("TOST 10 % lower", e.Lower, 0.000186489084479982, 1e-11)
	check("TOST 10 % upper", e.Upper, 0.0389579553057518, 1e-11)
	check("TOST 10 %", e.P(), 0.0389579553057518, 1e-11)
	if e, err = l.TOST(math.Log1p(0.05)); err != nil {
		t.Fatal(err)
	}
	check("TOST 5 % upper", e.Upper, 0.470703741925287, 1e-11)

	f, err := FiellerInterval(sampleA, sampleB, 0.95, "run")
	if err != nil {
		t.Fatal(err)
	}
	check("Fieller", f.Estimate, 1.04789761254306, 1e-14)
	check("Fieller's low", f.Low, 0.992131020764381, 1e-13)
	check("Fieller's high", f.High, 1.10737810987684, 1e-13)
	check("Fieller's df", f.DF, 7.76679917772985, 1e-12)

	g, err := HedgesG(sampleA, sampleB, 0.95, "run")
	if err != nil {
		t.Fatal(err)
	}
	check("J", hedgesJ(8), 0.902703333676411, 1e-13)
	check("g", g.Estimate, 1.13167453524695, 1e-13)
	check("g's low", g.Low, -0.156163806984861, 1e-10)
	check("g's high", g.High, 2.60165083159692, 1e-11)

	// R's data set sleep, group 1 minus group 2.
	s, err := Welch([]float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}, []float64{0.7, -1.6, -0.2, -1.2,
		-0.1, 3.4, 3.7, 0.8, 0, 2})
	if err != nil {
		t.Fatal(err)
	}
	check("sleep t", s.T, -1.86081346748685, 1e-13)
	check("sleep df", s.DF, 17.7764735161785, 1e-13)
	check("sleep p", s.P, 0.0793941401873582, 1e-12)

	for i, n := range []int{3, 5, 10} {
		d, err := plan{n: n, confidence: 0.95}.detectable(0.8)
		if err != nil {
			t.Fatal(err)
		}
		check("detectable", d, []float64{3.07089226636369, 2.02443933938454, 1.32494739257923}[i], 1e-10)
		if d, err = (plan{n: n, confidence: 0.95, paired: true}).detectable(0.8); err != nil {
			t.Fatal(err)
		}
		check("detectable, paired", d, []float64{3.26404354962684, 1.68199696595556, 0.996001371455444}[i], 1e-10)
	}
	d, err := plan{n: 5, confidence: 0.95}.difference(2)
	if err != nil {
		t.Fatal(err)
	}
	check("power", d, 0.790542377972571, 1e-11)
}

func TestExactKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		a, b      []float64
		extreme   uint64
		arranging uint64
	}{
		{sampleA, sampleB, 38, 252},
		{[]float64{1, 2, 2, 4}, []float64{2, 3, 5, 6}, 14, 70},
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 2, 20},                              // p = 0.10, as small as it gets
		{[]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 2, 252},                // p = 0.0079
		{[]float64{7, 7}, []float64{7, 7, 7}, 10, 10},                                // nothing but ties
		{[]float64{1}, []float64{2}, 2, 2},                                           // by hand
		{make([]float64, 25), make([]float64, 25), 126410606437752, 126410606437752}, // 50 choose 25
	} {
		got, err := MannWhitney(c.a, c.b)
		if err != nil || got.Extreme != c.extreme || got.Arrangements != c.arranging ||
			got.P != float64(c.extreme)/float64(c.arranging) {
			t.Errorf("%v, %v: %+v, %v; want %d/%d", c.a, c.b, got, err, c.extreme, c.arranging)
		}
	}
	for _, c := range []struct {
		d         []float64
		extreme   uint64
		arranging uint64
	}{
		{[]float64{2, -1, 3, 5, -4, 6}, 20, 64},
		{[]float64{294, 378, 324, 354, 263}, 2, 32},
		{[]float64{0, 0}, 4, 4},
		{[]float64{-3}, 2, 2},
		{[]float64{0.1, 0.2, -0.3}, 8, 8}, // 0.1 + 0.2 − 0.3 is 0 but for rounding
		{[]float64{math.MaxFloat64, math.MaxFloat64}, 2, 4},
		{make([]float64, SignFlipMax), 1 << SignFlipMax, 1 << SignFlipMax},
	} {
		got, err := SignFlip(c.d)
		if err != nil || got.Extreme != c.extreme || got.Arrangements != c.arranging {
			t.Errorf("%v: %+v, %v; want %d/%d", c.d, got, err, c.extreme, c.arranging)
		}
	}
	if _, err := MannWhitney(make([]float64, 26), make([]float64, 25)); !errors.Is(err, ErrOutOfRange) {
		t.Error(err)
	}
	if _, err := SignFlip(make([]float64, SignFlipMax+1)); !errors.Is(err, ErrOutOfRange) {
		t.Error(err)
	}
}

func TestHolm(t *testing.T) {
	p := []float64{0.0001, 0.04, 0.012, 0.2, 0.012}
	got, err := Holm(p)
	want := []float64{0.0005, 0.08, 0.048, 0.2, 0.048}
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !near(got[i], want[i], 1e-15) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if p[1] != 0.04 {
		t.Errorf("the argument was changed: %v", p)
	}
	if got, _ := Holm([]float64{0.9, 0.8, 0}); got[0] != 1 || got[1] != 1 || got[2] != 0 {
		t.Error(got)
	}
	for _, bad := range [][]float64{{}, {0.1, math.NaN()}, {1.1}, {-0.1}} {
		if got, err := Holm(bad); err == nil {
			t.Errorf("%v: %v", bad, got)
		}
	}
}
