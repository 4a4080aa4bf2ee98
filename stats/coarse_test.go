package stats

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// What rounds is not to be believed: each interval holds the truth where all that varies is rounded to the same few
// values.
func TestCoarseSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	rounded := func(n int, mean, sd float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = math.Round(mean + sd*rng.NormFloat64())
		}
		return x
	}
	times := draws(300, 2000)
	for _, c := range []struct {
		name  string
		truth float64
		make  func() (Interval, error)
		even  bool
	}{
		{"the mean of a level", 5.49, func() (Interval, error) {
			m, err := MeanOfLevel(rounded(200, 5.49, 0.02), 4, 0.95, "request")
			return m.Mean, err
		}, false},
		{"an SD", 0.05, func() (Interval, error) { return SDInterval(rounded(5, 100.45, 0.05), 0.95, "run") }, false},
		{"an SD at the edge", 0.05, func() (Interval, error) { return SDInterval(rounded(6, 100.5, 0.05), 0.95, "run") }, false},
		{"an SD of logarithms", 0.0005, func() (Interval, error) { return LogSDInterval(rounded(5, 100.45, 0.05), 0.95, "run") }, false},
		{"a two-stage mean", 100.48, func() (Interval, error) {
			return SteinInterval(rounded(12, 100.48, 0.03), 5, 5, 0.95, "run")
		}, true},
		{"a standardised difference", 1.6, func() (Interval, error) {
			return HedgesG(rounded(5, 100.45, 0.05), rounded(5, 100.53, 0.05), 0.95, "run")
		}, false},
		{"drift", 0, func() (Interval, error) {
			var y [][]float64
			for _, v := range rounded(6, 10.5, 0.1) {
				y = append(y, []float64{v})
			}
			r, err := Drift(y, 0.95, "run")
			return r.Total, err
		}, true},
	} {
		defined, missed, silent := 0, 0, 0
		for range times {
			v, err := c.make()
			if err != nil {
				t.Fatal(err)
			}
			if !v.Defined() {
				continue
			}
			defined++
			if v.Low > c.truth || v.High < c.truth {
				missed++
			}
			if !hasWarning(v.Warnings, ResolutionLimited) {
				silent++
			}
		}
		if c.even { // half of them may be one value and half another, which is not more than half
			silent = 0
		}
		t.Logf("%s: %d of %d miss the truth", c.name, missed, defined)
		if defined < times/4 || float64(missed) > 0.05*float64(defined)+2 || silent > 0 {
			t.Errorf("%s: of %d intervals %d miss the truth, and %d have no warning", c.name, defined, missed, silent)
		}
	}
	// Samples that are not coarse have the interval that they had.
	x := []float64{98, 101, 99, 103, 100}
	v, err := SDInterval(x, 0.95, "run")
	if err != nil || len(v.Warnings) > 0 || !near(v.Low, 1.1524556, 1e-6) || !near(v.High, 5.5273946, 1e-6) {
		t.Errorf("%v, %.8g to %.8g, %v", v, v.Low, v.High, err)
	}
}

// Fisher's test against all tables by whole numbers, and where its first term is nothing.
func TestFisherGreaterEverywhere(t *testing.T) {
	choose := func(n, k int) *big.Int { return new(big.Int).Binomial(int64(n), int64(k)) }
	for n := range 8 {
		for m := range 8 {
			for a := range n + 1 {
				for b := range m + 1 {
					above := new(big.Int)
					for k := a; k <= min(n, a+b); k++ {
						above.Add(above, new(big.Int).Mul(choose(n, k), choose(m, a+b-k)))
					}
					want, _ := new(big.Rat).SetFrac(above, choose(n+m, a+b)).Float64()
					if got, err := FisherGreater(a, n, b, m); err != nil || math.Abs(got-want) > 1e-12 {
						t.Errorf("%d of %d against %d of %d: %v, want %v, %v", a, n, b, m, got, want, err)
					}
				}
			}
		}
	}
	for _, c := range [][4]int{{0, 2000, 1000, 2000}, {5, 100_000, 50_000, 100_000}, {1, 10, 999_000, 1_000_000}} {
		if p, err := FisherGreater(c[0], c[1], c[2], c[3]); err != nil || !(p > 0.999 && p <= 1) {
			t.Errorf("%v: %v, %v", c, p, err)
		}
		if p, err := FisherGreater(c[2], c[3], c[0], c[1]); err != nil || !(p >= 0 && p < 1e-3) {
			t.Errorf("%v, the other way: %v, %v", c, p, err)
		}
	}
}

// Two equal configurations whose second measurement is 2 % up, with more pairs in one order than in the other.
func TestMediansOfUnbalancedOrders(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	times := draws(400, 2000)
	for first := 1; first <= 5; first++ {
		wrong := 0
		for range times {
			a, b, order := make([]float64, 10), make([]float64, 10), make([]bool, 10)
			for i := range a {
				second := 0.02
				if order[i] = i < first; order[i] {
					second = -0.02
				}
				a[i] = math.Exp(0.01 * rng.NormFloat64())
				b[i] = math.Exp(0.01*rng.NormFloat64() + second)
			}
			v, err := CompareMedians(a, b, Comparison{Margin: 0.005, Paired: true, BFirst: order, Unit: "pair"})
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind != Undecided {
				wrong++
			}
		}
		t.Logf("%d of 10 with b first: %.2f %%", first, 100*float64(wrong)/float64(times))
		if wrong > 8*times/100 { // 5 % is nominal, two SDs are 2 %
			t.Errorf("%d of 10 with b first: %d of %d decided", first, wrong, times)
		}
	}
	// A difference that there is is found all the same, and is that of the configurations alone.
	var a, b []float64
	var order []bool
	for i := range 12 {
		second := 0.02
		bFirst := i%3 == 0
		if bFirst {
			second = -0.02
		}
		a, b, order = append(a, 100), append(b, 100*math.Exp(0.05+second+0.001*float64(i%5))), append(order, bFirst)
	}
	v, err := CompareMedians(a, b, Comparison{Margin: 0.005, Paired: true, BFirst: order, Unit: "pair"})
	if err != nil || v.Kind != Faster || math.Abs(v.Ratio.Estimate-math.Exp(0.052)) > 0.002 || v.Ratio.N != 12 {
		t.Errorf("%v, %+v, %v", v, v.Ratio, err)
	}
}

// One of many limits is broken by chance more often than one alone, and a level is not called broken for it.
func TestBrokenByOneOfManyLimits(t *testing.T) {
	var values [][]float64
	for _, z := range []float64{-1, -0.5, 0, 0.5, 1} {
		values = append(values, []float64{100 * math.Exp(0.1*z)})
	}
	// T is 3.1: beyond 2.78 for one objective, and not beyond 3.50 for four.
	limit := 100 * math.Exp(-3.1*0.1*math.Sqrt(0.625)/math.Sqrt(5))
	o := Objective{Name: "p99", Max: limit, Values: values}
	one, err := BestOperatingPoint([]float64{8}, values, o)
	if err != nil || len(one.Broken) != 1 {
		t.Errorf("one: %+v, %v", one, err)
	}
	four, err := BestOperatingPoint([]float64{8}, values, o, o, o, o)
	if err != nil || len(four.Broken) != 0 || len(four.Undecided) != 1 {
		t.Errorf("four: %+v, %v", four, err)
	}
}

// Unequal sizes have a warning at every interval that they widen or bend.
func TestFiellerOfUnequalSizes(t *testing.T) {
	a, b := []float64{101, 99, 100, 102, 98, 100}, []float64{110, 112, 111}
	v, err := FiellerInterval(a, b, 0.95, "run")
	if err != nil || !v.Defined() || !hasWarning(v.Warnings, UnlikeSides) {
		t.Errorf("%v, %v", v, err)
	}
	if v, err = FiellerInterval(a[:3], b, 0.95, "run"); err != nil || hasWarning(v.Warnings, UnlikeSides) {
		t.Errorf("%v, %v", v, err)
	}
}

// An offset that all samples share costs no digits, on logarithms too: the spread is then that of the samples over it.
func TestLogarithmsAtAnOffset(t *testing.T) {
	x := []float64{101, 99.5, 100.25, 98.75, 101.5}
	for _, offset := range []float64{1e9, 1e12, 1e14} {
		y := make([]float64, len(x))
		for i := range x {
			y[i] = x[i] + offset // exact
		}
		plain, err := SDInterval(x, 0.95, "run")
		if err != nil {
			t.Fatal(err)
		}
		logs, err := LogSDInterval(y, 0.95, "run")
		if err != nil || !near(logs.Estimate*(offset+100), plain.Estimate, 1e-4) ||
			!near(logs.High*(offset+100), plain.High, 1e-4) {
			t.Errorf("%g: %v, want %v over it, %v", offset, logs, plain, err)
		}
		mean, err := MeanInterval(x, 0.95, "run")
		if err != nil {
			t.Fatal(err)
		}
		geometric, err := LogMeanInterval(y, 0.95, "run")
		digit := 2 * lastDigit(offset)
		if err != nil || math.Abs(geometric.Low-offset-mean.Low) > digit+1e-6 ||
			math.Abs(geometric.High-offset-mean.High) > digit+1e-6 {
			t.Errorf("%g: %v, want %v, %v", offset, geometric, mean, err)
		}
	}
}

// Neighbours whose logarithms are one float64 have an interval, as they have for their mean.
func TestLogMeanOfNeighbours(t *testing.T) {
	x := []float64{1e300, math.Nextafter(1e300, math.Inf(1))}
	if v, err := LogMeanInterval(x, 0.95, "run"); err != nil || !v.Defined() || v.Low > x[0] || v.High < x[1] {
		t.Errorf("%v, %v", v, err)
	}
}

// What is too small to be squared is an error, as what is too large is, and not a spread of 0.
func TestSquaresThatUnderflow(t *testing.T) {
	var nested, runs [][]float64
	for _, v := range []float64{1, 1.1, 1.3} {
		nested = append(nested, []float64{v * 1e-200, v * 1.2e-200})
		runs = append(runs, []float64{v * 1e-200, v * 1.9e-200, v * 2.5e-200, v * 2.4e-200})
	}
	if _, err := VarianceComponents(nested, 0.95, "run", "request"); !errors.Is(err, ErrOutOfRange) {
		t.Errorf("components: %v", err)
	}
	if u, err := FitUSL([]float64{1, 2, 4, 8}, runs); !errors.Is(err, ErrOutOfRange) {
		t.Errorf("USL: %+v, %v", u, err)
	}
}

// A bound that is not 0 is not written as 0.
func TestBoundsThatAreNotZero(t *testing.T) {
	for want, v := range map[string]Interval{
		"1.00 [0.45, 22.60] at 95 %":         {Estimate: 1, Low: 0.446, High: 22.6, Confidence: 0.95},
		"1.00000 [0.00030, 1.00000] at 95 %": {Estimate: 1, Low: 0.0003, High: 1, Confidence: 0.95},
		"−5.000 [−10.000, −0.006] at 95 %":   {Estimate: -5, Low: -10, High: -0.006, Confidence: 0.95},
		"1.00 [0.00, 1.00] at 95 %":          {Estimate: 1, Low: 0, High: 1, Confidence: 0.95},
		"5.0 [1.0, 10.0] at 95 %":            {Estimate: 5, Low: 1, High: 10, Confidence: 0.95},
		"100.0 [98.0, 102.0] at 95 % (few-runs)": {Estimate: 100, Low: 98, High: 102, Confidence: 0.95,
			Warnings: []Warning{{Code: FewRuns}}},
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
