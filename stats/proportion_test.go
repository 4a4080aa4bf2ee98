package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestProportionKnownAnswers(t *testing.T) {
	type interval func(int, int, float64, string) (Interval, error)
	for _, c := range []struct {
		name              string
		of                interval
		successes, trials int
		low, high         float64
	}{
		{"Clopper-Pearson", ProportionInterval, 97, 100, .91482394702572, .993770028461694},
		// By hand: no failure in n trials has the probability pⁿ.
		{"Clopper-Pearson", ProportionInterval, 100, 100, math.Pow(0.025, 0.01), 1},
		{"Clopper-Pearson", ProportionInterval, 0, 100, 0, 1 - math.Pow(0.025, 0.01)},
		{"Clopper-Pearson", ProportionInterval, 1, 1, 0.025, 1},
	} {
		v, err := c.of(c.successes, c.trials, 0.95, "request")
		if err != nil || math.Abs(v.Low-c.low) > 1e-14 || math.Abs(v.High-c.high) > 1e-14 ||
			c.low == 0 && v.Low != 0 || c.high == 1 && v.High != 1 {
			t.Errorf("%s, %d of %d: [%.17g, %.17g], %v; want [%.17g, %.17g]", c.name, c.successes, c.trials, v.Low,
				v.High, err,
				c.low, c.high)
		}
		if v.Method != c.name || v.Estimate != float64(c.successes)/float64(c.trials) || v.N != c.trials ||
			!math.IsNaN(v.DF) ||
			v.Confidence != 0.95 || v.Unit != "request" || len(v.Assumptions) == 0 || v.Warnings != nil ||
			!v.Defined() {
			t.Errorf("%+v", v)
		}
		roundTrip(t, v)
	}
	v, err := ProportionInterval(1, 2, 0.95, "")
	if err != nil || !slices.Equal(warned(v.Warnings), []string{UnitUnnamed}) {
		t.Errorf("%+v, %v", v, err)
	}
}

// The exact coverage over all proportions, not a simulation: it is the nominal one or more.
func TestProportionCoverage(t *testing.T) {
	const n = 1000
	var exact [n + 1]Interval
	for k := range exact {
		var err error
		if exact[k], err = ProportionInterval(k, n, 0.95, "request"); err != nil {
			t.Fatal(err)
		}
	}
	coverage := func(all *[n + 1]Interval, p float64) float64 {
		covered := 0.0
		logP, logQ := math.Log(p), math.Log1p(-p)
		for k, v := range all {
			if v.Below(p) || v.Above(p) {
				continue
			}
			a, _ := math.Lgamma(n + 1)
			b, _ := math.Lgamma(float64(k) + 1)
			c, _ := math.Lgamma(float64(n-k) + 1)
			covered += math.Exp(a - b - c + float64(k)*logP + float64(n-k)*logQ)
		}
		return covered
	}
	lowest := 1.0
	for missing := 0.01; missing < 50; missing *= 1.01 { // the expected number of failures
		p := 1 - missing/n
		lowest = min(lowest, coverage(&exact, p))
		if missing < 3 && coverage(&exact, p) < 0.975-1e-9 {
			t.Errorf("Clopper-Pearson at %v: %v", p, coverage(&exact, p))
		}
	}
	if lowest < 0.95 {
		t.Errorf("Clopper-Pearson covers %.4f", lowest)
	}
}

func TestProportionErrors(t *testing.T) {
	for _, c := range []struct {
		successes, trials int
		confidence        float64
		arg               string
		kind              error
	}{
		{0, 0, 0.95, "trials", ErrEmpty},
		{1, 0, 0.95, "trials", ErrEmpty},
		{0, -1, 0.95, "trials", ErrOutOfRange},
		{-1, 5, 0.95, "successes", ErrOutOfRange},
		{6, 5, 0.95, "successes", ErrOutOfRange},
		{1, 5, 0, "confidence", ErrOutOfRange},
		{1, 5, 1, "confidence", ErrOutOfRange},
		{1, 5, 95, "confidence", ErrOutOfRange},
		{1, 5, math.NaN(), "confidence", ErrOutOfRange},
	} {
		v, err := ProportionInterval(c.successes, c.trials, c.confidence, "request")
		var value *ValueError
		if !errors.Is(err, c.kind) || !errors.As(err, &value) || value.Arg != c.arg || v.Defined() {
			t.Errorf("%d of %d at %v: %v", c.successes, c.trials, c.confidence, err)
		}
	}
}

func FuzzProportion(f *testing.F) {
	f.Add(97, 100, 0.95)
	f.Add(0, 1, math.SmallestNonzeroFloat64)
	f.Add(5, 5, 1-1e-16)
	f.Add(1<<40, 1<<41, 0.95)
	f.Fuzz(func(t *testing.T, successes, trials int, confidence float64) {
		v, err := ProportionInterval(successes, trials, confidence, "request")
		if err != nil {
			return
		}
		if !(0 <= v.Low && v.Low <= v.Estimate && v.Estimate <= v.High &&
			v.High <= 1) || v.Defined() != (v.Low < v.High) {
			t.Errorf("%d of %d at %v: %+v", successes, trials, confidence, v)
		}
		roundTrip(t, v)
	})
}
