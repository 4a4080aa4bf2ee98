package stats

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// sampleCase is an entry of testdata/samples.json, made by testdata/vectors.py with numpy and scipy.
type sampleCase struct {
	X, P, Quantiles       []float64
	Confidence, Low, High float64
}

func readSamples(t *testing.T) []sampleCase {
	t.Helper()
	var cases []sampleCase
	readJSON(t, "testdata/samples.json", &cases)
	if len(cases) != 21 {
		t.Fatalf("%d samples", len(cases))
	}
	return cases
}

func TestQuantileNumpy(t *testing.T) {
	for _, c := range readSamples(t) {
		before := slices.Clone(c.X)
		sorted, err := NewSorted(c.X)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range c.P {
			got, err := Quantile(c.X, p)
			if err != nil || !near(got, c.Quantiles[i], 4e-16) {
				t.Errorf("n = %d, p = %v: %.17g, %v; want %.17g", len(c.X), p, got, err, c.Quantiles[i])
			}
			if again, err := sorted.Quantile(p); err != nil || again != got {
				t.Errorf("n = %d, p = %v: %v from sorted, %v; want %v", len(c.X), p, again, err, got)
			}
		}
		if !slices.Equal(before, c.X) {
			t.Fatal("the caller's samples were changed")
		}
	}
}

func TestQuantileEdges(t *testing.T) {
	for _, c := range []struct {
		name    string
		x       []float64
		p, want float64
	}{
		{"type 7, not type 4", []float64{4, 2, 1, 3}, 0.5, 2.5},
		{"one sample", []float64{7}, 0.99, 7},
		{"one sample, minimum", []float64{7}, 0, 7},
		{"minimum", []float64{2, 1}, 0, 1},
		{"maximum", []float64{2, 1}, 1, 2},
		{"ties", []float64{0.1, 0.1, 0.1, 5}, 0.3, 0.1},
		{"negative zero as p", []float64{2, 1}, math.Copysign(0, -1), 1},
		{"width overflows", []float64{math.MaxFloat64, -math.MaxFloat64}, 0.5, 0},
		{"subnormal", []float64{0, 4 * math.SmallestNonzeroFloat64}, 0.5, 2 * math.SmallestNonzeroFloat64},
	} {
		if got, err := Quantile(c.x, c.p); err != nil || got != c.want {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}

func TestQuantileErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name string
		call func() (float64, error)
		kind error
	}{
		{"no samples", func() (float64, error) { return Quantile(nil, 0.5) }, ErrEmpty},
		{"NaN", func() (float64, error) { return Quantile([]float64{1, nan}, 0) }, ErrNotFinite},
		{"a percentage", func() (float64, error) { return Quantile([]float64{1, 2}, 99) }, ErrOutOfRange},
		{"p below 0", func() (float64, error) { return Quantile([]float64{1, 2}, -1e-9) }, ErrOutOfRange},
		{"p NaN", func() (float64, error) { return Quantile([]float64{1, 2}, nan) }, ErrOutOfRange},
		{"none sorted", func() (float64, error) { return Sorted(nil).Quantile(0.5) }, ErrEmpty},
		{"NaN where sorting leaves it", func() (float64, error) { return Sorted{nan, 1, 2, 3}.Quantile(0.9) },
			ErrNotFinite},
		{"infinity where sorting leaves it", func() (float64, error) { return Sorted{0, 1, 2, inf}.Quantile(0.1) },
			ErrNotFinite},
		{"NaN in between", func() (float64, error) { return Sorted{0, nan, 2}.Quantile(0.5) }, ErrNotFinite},
		{"descending", func() (float64, error) { return Sorted{3, 2, 1}.Quantile(0) }, ErrNotSorted},
		{"neighbours swapped", func() (float64, error) { return Sorted{0, 2, 1, 3}.Quantile(0.4) }, ErrNotSorted},
	} {
		if got, err := c.call(); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.kind)
		}
	}
	// Errors name the argument as it is called in the signature.
	for _, c := range []struct {
		call func() (float64, error)
		want string
	}{
		{func() (float64, error) { return Quantile(nil, 0.5) }, "stats: x has length 0"},
		{func() (float64, error) { return Quantile([]float64{1, nan}, 0.5) }, "stats: x[1] = NaN"},
		{func() (float64, error) { return Sorted{}.Quantile(0.5) }, "stats: s has length 0"},
		{func() (float64, error) { return Sorted{1, nan}.Quantile(0.5) }, "stats: s[1] = NaN"},
		{func() (float64, error) { return Sorted{2, 1}.Quantile(0.5) }, "stats: s[1] = 1"},
	} {
		if _, err := c.call(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error is %v, want %s", err, c.want)
		}
	}
	_, err := Quantile([]float64{0, 1, 2, nan}, 0.5)
	var value *ValueError
	if !errors.As(err, &value) || !slices.Equal(value.Index, []int{3}) {
		t.Errorf("the index is that in the caller's order: %v", err)
	}
}

func TestSortedQuantileDoesNotAllocate(t *testing.T) {
	x := Sorted{1, 2, 3, 4}
	if n := testing.AllocsPerRun(100, func() { _, _ = x.Quantile(0.9) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzQuantile(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 0.5, 0.99)
	}
	f.Add(seed(sampleA...), 0.0, 1.0)
	f.Add(seed(0.1, 0.1, 0.1, 0.3), math.Nextafter(1, 0), math.NaN())
	f.Fuzz(func(t *testing.T, b []byte, p, q float64) {
		x := samples(b)
		low, errP := Quantile(x, min(p, q))
		high, errQ := Quantile(x, max(p, q))
		if errP == nil && errQ == nil {
			if !(slices.Min(x) <= low && low <= high && high <= slices.Max(x)) {
				t.Errorf("%v: %v at %v, %v at %v", x, low, min(p, q), high, max(p, q))
			}
		}
		// Whatever is claimed to be sorted: an error or a number, never NaN.
		if got, err := Sorted(x).Quantile(p); err == nil && (math.IsNaN(got) || math.IsInf(got, 0)) {
			t.Errorf("%v: %v at %v", x, got, p)
		}
	})
}
