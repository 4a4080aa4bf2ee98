package stats

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// numAcc builds NIST's NumAcc2, 3 and 4: base + 0.2, then base + 0.1 and base + 0.3 in turn, each the float64 nearest
// to the published decimal.
func numAcc(first, low, high float64) []float64 {
	x := []float64{first}
	for range 500 {
		x = append(x, low, high)
	}
	return x
}

// piDigits computes the first n digits of π, 3 included, by Machin's formula with ten guard digits.
func piDigits(n int) []float64 {
	one := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n+9)), nil)
	arctan := func(inverse int64) *big.Int { // of 1/inverse
		power := new(big.Int).Div(one, big.NewInt(inverse))
		sum := new(big.Int).Set(power)
		square := big.NewInt(inverse * inverse)
		for k, sign := int64(3), int64(-1); power.Sign() != 0; k, sign = k+2, -sign {
			power.Div(power, square)
			sum.Add(sum, new(big.Int).Div(power, big.NewInt(sign*k)))
		}
		return sum
	}
	pi := new(big.Int).Mul(big.NewInt(16), arctan(5))
	pi.Sub(pi, new(big.Int).Mul(big.NewInt(4), arctan(239)))
	var x []float64
	for _, c := range pi.String()[:n] {
		x = append(x, float64(c-'0'))
	}
	return x
}

// nistPiDigits is NIST's PiDigits, the first 5000 digits of π but for the 957th, which is 8 in π and 3 in the dataset.
// Its certified values, the lag-1 autocorrelation too, are those of the dataset: π itself has the mean 4.5358.
func nistPiDigits(t *testing.T) []float64 {
	t.Helper()
	x := piDigits(5000)
	if x[956] != 8 {
		t.Fatalf("the 957th digit of π came out as %v", x[956])
	}
	x[956] = 3
	return x
}

// A nistSet is one of NIST's Statistical Reference Datasets, univariate summary statistics, with its certified values.
// digits is how many of the standard deviation must agree, and lag1Digits of the lag-1 autocorrelation; for NumAcc3 and
// 4 no more can, because the decimals are not float64s.
type nistSet struct {
	name                               string
	x                                  []float64
	n                                  int
	mean, sd, digits, lag1, lag1Digits float64
}

func nistSets(t *testing.T) []nistSet {
	return []nistSet{
		{"Lottery", readColumn(t, "testdata/strd/Lottery.txt"), 218, 518.958715596330, 291.699727470969, 15,
			-0.120948622967393, 13},
		{"Lew", readColumn(t, "testdata/strd/Lew.txt"), 200, -177.435, 277.332168044316, 15, -0.307304800605679, 13},
		{"Mavro", readColumn(t, "testdata/strd/Mavro.txt"), 50, 2.001856, 0.000429123454003053, 13, 0.937989183438248,
			13},
		{"Michelso", readColumn(t, "testdata/strd/Michelso.txt"), 100, 299.8524, 0.0790105478190518, 13,
			0.535199668621283, 13},
		{"PiDigits", nistPiDigits(t), 5000, 4.5348, 2.86733906028871, 14, -0.00355099287237972, 13},
		{"NumAcc1", []float64{10000001, 10000003, 10000002}, 3, 10000002, 1, 15, -0.5, 15},
		{"NumAcc2", numAcc(1.2, 1.1, 1.3), 1001, 1.2, 0.1, 15, -0.999, 13},
		{"NumAcc3", numAcc(1000000.2, 1000000.1, 1000000.3), 1001, 1000000.2, 0.1, 9.4, -0.999, 12.2},
		{"NumAcc4", numAcc(10000000.2, 10000000.1, 10000000.3), 1001, 10000000.2, 0.1, 8.2, -0.999, 11.0},
	}
}

func TestSummarizeReachesNISTCertifiedValues(t *testing.T) {
	for _, c := range nistSets(t) {
		t.Run(c.name, func(t *testing.T) {
			s, err := Summarize(c.x)
			if err != nil {
				t.Fatal(err)
			}
			if s.N != c.n {
				t.Errorf("N = %d, want %d", s.N, c.n)
			}
			if got := digits(s.Mean, c.mean); got < 14.7 { // 15 published digits, the last one rounded
				t.Errorf("mean %.17g agrees to %.1f digits with %.15g", s.Mean, got, c.mean)
			}
			if got := digits(s.SD, c.sd); got < c.digits {
				t.Errorf("SD %.17g agrees to %.1f digits with %.15g, want %.1f", s.SD, got, c.sd, c.digits)
			}
			if want := s.SD / math.Abs(s.Mean); s.CoV != want {
				t.Errorf("CoV = %v, want %v", s.CoV, want)
			}
			if s.Min != slices.Min(c.x) || s.Max != slices.Max(c.x) {
				t.Errorf("range [%v, %v]", s.Min, s.Max)
			}
		})
	}
}

func TestSummarizeExactNumAcc1(t *testing.T) {
	s, err := Summarize([]float64{10000001, 10000003, 10000002})
	if err != nil || s.Mean != 10000002 || s.SD != 1 {
		t.Errorf("mean %v, SD %v, %v; want exactly 10000002 and 1", s.Mean, s.SD, err)
	}
}

func TestSummarizeEdges(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name          string
		x             []float64
		mean, sd, cov float64
		warnings      []string
	}{
		{name: "one sample", x: []float64{7}, mean: 7, sd: nan, cov: nan, warnings: []string{SingleSample}},
		{name: "identical", x: []float64{0.1, 0.1, 0.1}, mean: 0.1, sd: 0, cov: 0,
			warnings: []string{ResolutionLimited}},
		{name: "all zero", x: []float64{0, 0}, mean: 0, sd: 0, cov: nan, warnings: []string{ResolutionLimited}},
		{name: "zeros of both signs", x: []float64{math.Copysign(0, -1), 0}, mean: 0, sd: 0, cov: nan,
			warnings: []string{ResolutionLimited}},
		{name: "mean zero", x: []float64{-1, 1}, mean: 0, sd: math.Sqrt2, cov: nan},
		{name: "mean near zero", x: []float64{-1, 1, 0.003}, mean: 0.001, sd: math.Sqrt(1.000003), cov: nan},
		{name: "both signs, mean beyond its error", x: []float64{-1, 9, 10}, mean: 6, sd: math.Sqrt(37),
			cov: math.Sqrt(37) / 6},
		{name: "negative", x: []float64{-1, -3}, mean: -2, sd: math.Sqrt2, cov: math.Sqrt2 / 2},
		{name: "one sign, largest possible CoV", x: []float64{0, 0, 0, 1}, mean: 0.25, sd: 0.5, cov: 2},
		{name: "squares overflow", x: []float64{1e308, 1.2e308}, mean: 1.1e308, sd: 1.4142135623730951e307,
			cov: 1.4142135623730951e307 / 1.1e308},
		{name: "squares underflow", x: []float64{1e-200, 3e-200}, mean: 2e-200, sd: math.Sqrt2 * 1e-200,
			cov: math.Sqrt2 / 2},
		{name: "a term beyond the sum", x: []float64{1, 1e100, 1, -1e100}, mean: 0.5, sd: math.Sqrt(2.0/3) * 1e100,
			cov: nan},
		{name: "mean between float64s", x: []float64{0x1p53, 0x1p53 + 2}, mean: 0x1p53, sd: math.Sqrt2,
			cov: math.Sqrt2 / 0x1p53},
		{name: "subnormal", x: []float64{0, 8 * math.SmallestNonzeroFloat64}, mean: 4 * math.SmallestNonzeroFloat64,
			sd: 6 * math.SmallestNonzeroFloat64, cov: 1.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.x)
			s, err := Summarize(c.x)
			if err != nil {
				t.Fatal(err)
			}
			same := func(got, want float64) bool {
				return math.IsNaN(want) && math.IsNaN(got) || got == want || near(got, want, 1e-15)
			}
			if !same(s.Mean, c.mean) || !same(s.SD, c.sd) || !same(s.CoV, c.cov) {
				t.Errorf("mean %v, SD %v, CoV %v; want %v, %v, %v", s.Mean, s.SD, s.CoV, c.mean, c.sd, c.cov)
			}
			if got := warned(s.Warnings); !slices.Equal(got, c.warnings) {
				t.Errorf("warnings %q, want %q", got, c.warnings)
			}
			if !slices.Equal(before, c.x) {
				t.Error("the samples were changed")
			}
			roundTrip(t, s)
		})
	}
}

func TestSummarizeErrors(t *testing.T) {
	var length *LengthError
	if _, err := Summarize(nil); !errors.Is(err, ErrEmpty) || !errors.As(err, &length) || length.Arg != "x" {
		t.Errorf("no samples: %v", err)
	}
	for _, c := range []struct {
		x     []float64
		index int
		kind  error
		text  string
	}{
		{[]float64{1, math.NaN(), math.Inf(1)}, 1, ErrNotFinite, "x[1] = NaN"},
		{[]float64{1, 2, math.Inf(-1)}, 2, ErrNotFinite, "x[2] = -Inf"},
		{[]float64{1e308, -math.MaxFloat64, math.MaxFloat64}, 1, ErrOverflow, "use a larger unit"},
	} {
		_, err := Summarize(c.x)
		var value *ValueError
		if !errors.Is(err, c.kind) || !errors.As(err, &value) || !slices.Equal(value.Index, []int{c.index}) ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %v; want %v at %d, saying %q", c.x, err, c.kind, c.index, c.text)
		}
	}
}

// Moving and scaling by powers of two is exact, so the moments must move and scale with it to the last bit.
func TestSummarizeScales(t *testing.T) {
	base, err := Summarize(sampleA)
	if err != nil {
		t.Fatal(err)
	}
	for _, exp := range []int{-900, -300, -1, 1, 300, 900} {
		x := make([]float64, len(sampleA))
		for i, v := range sampleA {
			x[i] = math.Ldexp(v, exp)
		}
		s, err := Summarize(x)
		if err != nil {
			t.Fatal(err)
		}
		if s.Mean != math.Ldexp(base.Mean, exp) || s.SD != math.Ldexp(base.SD, exp) || s.CoV != base.CoV {
			t.Errorf("2^%d: %+v", exp, s)
		}
	}
}

func TestSummaryJSON(t *testing.T) {
	one, err := Summarize([]float64{7})
	if err != nil {
		t.Fatal(err)
	}
	if got := roundTrip(t, one); !strings.Contains(got, `"n":1,"mean":7,"sd":null,"cov":null,"min":7,"max":7`) {
		t.Error(got)
	}
	b, err := json.Marshal(Summary{})
	if want := `{"n":0,"mean":null,"sd":null,"cov":null,"min":null,"max":null}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	var s Summary
	if err := json.Unmarshal([]byte(`{"n":3,"mean":1}`), &s); err != nil || s.Mean != 1 || !math.IsNaN(s.SD) ||
		!math.IsNaN(s.Min) {
		t.Errorf("what is absent must be undefined: %+v, %v", s, err)
	}
	if err := json.Unmarshal([]byte(`{"mean":"7"}`), &s); err == nil {
		t.Error("a number in quotes was read")
	}
}

func FuzzSummarize(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...))
	}
	f.Add(seed(sampleA...))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := samples(b)
		s, err := Summarize(x)
		if err != nil {
			return
		}
		if len(x) == 0 || !finite(x) {
			t.Fatalf("%v was accepted", x)
		}
		if s.N != len(x) || !(s.Min <= s.Mean && s.Mean <= s.Max) || s.Min != slices.Min(x) || s.Max != slices.Max(x) {
			t.Errorf("%v: %+v", x, s)
		}
		if s.N == 1 {
			if !math.IsNaN(s.SD) || !math.IsNaN(s.CoV) {
				t.Errorf("%v: one sample has a spread: %+v", x, s)
			}
			return
		}
		// No standard deviation exceeds range · √(n/(n−1))/2, and no CoV √n.
		n := float64(s.N)
		if limit := (s.Max/2 - s.Min/2) * math.Sqrt(n/(n-1)); !(s.SD >= 0 &&
			s.SD/(1+1e-12) <= limit+4*math.SmallestNonzeroFloat64) {
			t.Errorf("%v: SD %v, at most %v is possible", x, s.SD, limit)
		}
		if s.Min == s.Max && s.SD != 0 {
			t.Errorf("%v: identical samples, SD %v", x, s.SD)
		}
		if s.CoV > math.Sqrt(n)*(1+1e-12) && s.Max > 1e-300 {
			t.Errorf("%v: CoV %v", x, s.CoV)
		}
		roundTrip(t, s)
	})
}
