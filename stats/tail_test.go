package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestTailFloor(t *testing.T) {
	for _, c := range []struct {
		p    float64
		want int
		// MLPerf's
	}{{0.9, 64}, {0.95, 130}, {0.99, 662}, {0.999, 6636}, {0.1, 64}, {0, 0}, {1, 0}, {99, 0}, {math.NaN(), 0}} {
		if got := TailFloor(c.p); got != c.want {
			t.Errorf("p %v: %d, want %d", c.p, got, c.want)
		}
		if c.want == 0 {
			continue
		}
		if few, enough := TailWarnings(c.want-1, c.p), TailWarnings(c.want, c.p); !slices.Equal(warned(few),
			[]string{FewSamples}) || enough != nil {
			t.Errorf("p %v: %v and %v", c.p, few, enough)
		}
	}
	if got := TailWarnings(100, 0.99); len(got) != 1 ||
		got[0].Text != "100 samples are too few for a p99: it takes 662 to bound it" {
		t.Error(got)
	}
	if got := TailWarnings(0, 1); got != nil {
		t.Errorf("the maximum has no floor: %v", got)
	}
}

func TestCertifyTail(t *testing.T) {
	rising := make([]float64, 10000)
	for i := range rising {
		rising[len(rising)-1-i] = float64(i + 1)
	}
	for _, c := range []struct {
		n     int
		p     float64
		over  int
		bound float64
		want  string
	}{
		{661, 0.99, 0, math.NaN(), "p99: too few samples, 661 of the 662 that it takes"},
		{662, 0.99, 1, 661, "p99 ≤ 661 at 99 % (662 samples, 1 over)"},
		{64, 0.9, 1, 63, "p90 ≤ 63 at 99 % (64 samples, 1 over)"},
		{6636, 0.999, 1, 6635, "p99.9 ≤ 6,635 at 99 % (6,636 samples, 1 over)"},
	} {
		got, err := CertifyTail(rising[len(rising)-c.n:], c.p)
		if err != nil || got.Over != c.over || !same64(got.Bound, c.bound) || got.String() != c.want || got.N != c.n {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
		if (c.over == 0) != hasWarning(got.Warnings, FewSamples) || got.Below(1e9) == (c.over == 0) ||
			got.Below(c.bound) {
			t.Errorf("%+v: %+v", c, got)
		}
		roundTrip(t, got)
	}
	// The next one over would be one too many, by the binomial sum itself.
	got, err := CertifyTail(rising, 0.99)
	if err != nil || binomialAtMost(got.Over, 10000, 0.01) > 0.01 || binomialAtMost(got.Over+1, 10000, 0.01) <= 0.01 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, c := range []struct {
		x    []float64
		p    float64
		kind error
		text string
	}{
		{nil, 0.99, ErrEmpty, "x has length 0"}, {[]float64{1, math.NaN()}, 0.99, ErrNotFinite, "x[1] = NaN"},
		{rising, 1, ErrOutOfRange, "p = 1"}, {rising, 0.1, ErrOutOfRange, "p = 0.1"}, {rising, 99, ErrOutOfRange,
			"p = 99"},
		{rising, math.NaN(), ErrOutOfRange, "p = NaN"},
	} {
		if _, err := CertifyTail(c.x, c.p); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	zero := TailCertificate{}
	if zero.Below(1) || !strings.Contains(zero.String(), "too few") {
		t.Errorf("the zero certificate: %v", zero)
	}
}

// With 99 % confidence the bound is not below the true quantile, whatever the distribution.
func TestCertifyTailSimulation(t *testing.T) {
	size := draws(200, 20_000)
	for _, c := range []struct {
		p float64
		n int
	}{{0.9, 64}, {0.9, 300}, {0.99, 662}, {0.99, 2000}} {
		rng := rand.New(rand.NewPCG(11, uint64(c.n)))
		below := 0
		x := make([]float64, c.n)
		for range size {
			for i := range x {
				x[i] = rng.ExpFloat64()
			}
			v, err := CertifyTail(x, c.p)
			if err != nil {
				t.Fatal(err)
			}
			if v.Below(-math.Log1p(-c.p)) {
				below++
			}
		}
		falseAtMost(t, "tail certificate below the truth", below, size, 0.01)
	}
}

func FuzzCertifyTail(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(slices.Repeat(x, 40)...), 0.9)
	}
	f.Fuzz(func(t *testing.T, b []byte, p float64) {
		x := samples(b)
		c, err := CertifyTail(x, p)
		if err != nil {
			return
		}
		if few := len(x) < c.Needed; few != math.IsNaN(c.Bound) || few != hasWarning(c.Warnings,
			FewSamples) || c.Over < 0 || c.Over >= len(x) {
			t.Errorf("%v: %+v", x, c)
		}
		roundTrip(t, c)
	})
}
