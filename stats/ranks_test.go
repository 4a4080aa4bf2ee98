package stats

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// By a second implementation that goes through all arrangements.
func TestCompareMediansKnownAnswers(t *testing.T) {
	a, b := append(slices.Clone(sampleA), 6700), append(slices.Clone(sampleB), 7000)
	for _, c := range []struct {
		name                          string
		a, b                          []float64
		paired                        bool
		estimate, low, high, coverage float64
		low90, high90                 float64
	}{
		{"5 and 5", sampleA, sampleB, false, 1.0462130937098857, 0.9827414063614318, 1.1263820638820647,
			0.9682539682539683,
			0.9906542056074769, 1.1084152334152344},
		{"4 and 4", sampleA[:4], sampleB[:4], false, 1.05079603955368, 0.9619169875909283, 1.1478873239436618,
			0.9714285714285714, 0, 0},
		{"3 and 3", sampleA[:3], sampleB[:3], false, 1.0462130937098857, math.NaN(), math.NaN(), 0, 0, 0},
		{"5 and 3", sampleA, sampleB[:3], false, 1.054636951833215, 0, 0, 0, 0.9906542056074769, 1.1263820638820647},
		{"5 pairs", sampleA, sampleB, true, 1.0478817741244453, math.NaN(), math.NaN(), 0, 1.037814521926673,
			1.0580466830466826},
		{"6 pairs", a, b, true, 1.0465698600512436, 1.037814521926673, 1.0580466830466826, 0.96875, 0, 0},
	} {
		v, err := CompareMedians(c.a, c.b, Comparison{Margin: 0.05, Unit: "run", Paired: c.paired})
		same := func(got, want float64) bool {
			return want == 0 || near(got, want, 1e-12) || math.IsNaN(got) && math.IsNaN(want)
		}
		if err != nil || !same(v.Ratio.Estimate, c.estimate) || !same(v.Ratio.Low, c.low) || !same(v.Ratio.High,
			c.high) ||
			!same(v.Ratio.Coverage, c.coverage) || !same(v.EquivalenceRatio.Low,
			c.low90) || !same(v.EquivalenceRatio.High, c.high90) {
			t.Errorf("%s: %+v, %v", c.name, v.Ratio, err)
		}
		if math.IsNaN(c.low) && (v.Kind != Undecided || !hasWarning(v.Warnings, FewRuns) || !strings.Contains(v.Reason,
			"at most")) {
			t.Errorf("%s: %v, %v", c.name, v, v.Reason)
		}
		roundTrip(t, v)
	}
}

// Beyond 50 values the ranks are normal, and near it the two agree.
func TestRankDistributions(t *testing.T) {
	for _, c := range []struct{ n, m int }{{1, 1}, {2, 5}, {5, 5}, {25, 25}, {26, 25}, {60, 3}} {
		var sum, mean float64
		p := rankSums(c.n, c.m)
		for u := range c.n*c.m + 1 {
			sum += p(u)
			mean += float64(u) * p(u)
		}
		if !near(sum, 1, 2e-3) || !near(mean, float64(c.n*c.m)/2, 5e-3) {
			t.Errorf("%+v: %v, mean %v", c, sum, mean)
		}
	}
	for _, n := range []int{1, 2, 6, 60, 61} {
		var sum, mean float64
		p := signedRanks(n)
		for w := range n*(n+1)/2 + 1 {
			sum += p(w)
			mean += float64(w) * p(w)
		}
		if !near(sum, 1, 1e-9) || !near(mean, float64(n*(n+1))/4, 1e-6) {
			t.Errorf("%d: %v, mean %v", n, sum, mean)
		}
	}
	exact, approximate := rankSums(25, 25), normalSteps(312.5, math.Sqrt(25*25*51./12))
	for u := 200; u <= 312; u++ {
		if !near(approximate(u), exact(u), 0.03) {
			t.Errorf("U = %d: %v, normal %v", u, exact(u), approximate(u))
		}
	}
}

func TestCompareQuantiles(t *testing.T) {
	count := func(n int, by float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = by * float64(i+1)
		}
		return x
	}
	c := Comparison{Margin: 0.05, LowerIsBetter: true, Unit: "request"}
	v, err := CompareQuantiles(count(1000, 1), count(1000, 1.5), 0.9, c)
	each, err2 := QuantileInterval(count(1000, 1), 0.9, math.Sqrt(0.95), "request")
	if err != nil || err2 != nil || v.Kind != Slower || !near(v.Ratio.Low, 1.5*each.Low/each.High, 1e-13) ||
		!near(v.Ratio.High, 1.5*each.High/each.Low, 1e-13) || v.Ratio.Method != "ratio of the p90 by order statistics" {
		t.Errorf("%v, %+v, %v", v, v.Ratio, err)
	}
	roundTrip(t, v)
	if v, err = CompareQuantiles(count(100000, 1), count(100000, 1.001), 0.5,
		c); err != nil || v.Kind != Equivalent || v.Detected {
		t.Errorf("%v, %v", v, err)
	}
	v, err = CompareQuantiles(count(300, 1), count(300, 2), 0.99, c)
	if err != nil || v.Kind != Undecided || !hasWarning(v.Warnings, TailUndersampled) || !strings.Contains(v.Reason,
		"that takes") {
		t.Errorf("%v: %s, %v", v, v.Reason, err)
	}
	c.Paired = true
	_, err = CompareQuantiles(count(9, 1), count(9, 1), 0.5, c)
	checkPlace(t, err, ErrOutOfRange, "c.Paired", nil)
}

func TestRankErrors(t *testing.T) {
	good := Comparison{Margin: 0.05, Unit: "run"}
	for name, compare := range map[string]func(a, b []float64, c Comparison) (Verdict, error){
		"medians": CompareMedians,
		"p90":     func(a, b []float64, c Comparison) (Verdict, error) { return CompareQuantiles(a, b, 0.9, c) },
	} {
		for _, c := range []struct {
			a, b  []float64
			c     Comparison
			kind  error
			arg   string
			index []int
		}{
			{nil, sampleB, good, ErrEmpty, "a", nil},
			{sampleA, nil, good, ErrEmpty, "b", nil},
			{sampleA, []float64{1, math.NaN()}, good, ErrNotFinite, "b", []int{1}},
			{[]float64{0, 1}, sampleB, good, ErrOutOfRange, "a", []int{0}},
			{sampleA, sampleB, Comparison{}, ErrOutOfRange, "c.Margin", nil},
		} {
			_, err := compare(c.a, c.b, c.c)
			if err == nil {
				t.Errorf("%s: %+v: no error", name, c)
				continue
			}
			checkPlace(t, err, c.kind, c.arg, c.index)
		}
	}
	_, err := CompareMedians(make([]float64, 3000), sampleB, good)
	checkPlace(t, err, ErrOutOfRange, "a", []int{0})
	many := slices.Repeat([]float64{1}, 3000)
	if _, err = CompareMedians(many, many, good); !errors.Is(err, ErrOutOfRange) || !strings.Contains(err.Error(),
		"CompareQuantiles") {
		t.Error(err)
	}
	if _, err = CompareMedians(sampleA, sampleB[:4], Comparison{Margin: 0.05, Paired: true}); !errors.Is(err,
		ErrLengthMismatch) {
		t.Error(err)
	}
}

// False verdicts of the two, with the populations that Compare cannot do, and coverage of the ratio of quantiles.
func TestRankSimulation(t *testing.T) {
	size := draws(300, 10_000)
	normal := func(r *rand.Rand) float64 { return r.NormFloat64() }
	exponential := func(r *rand.Rand) float64 { return r.ExpFloat64() - math.Ln2 } // around the median
	outliers := func(r *rand.Rand) float64 {
		if r.IntN(10) == 0 {
			return 10 * r.NormFloat64()
		}
		return r.NormFloat64()
	}
	for _, c := range []struct {
		name string
		a, b func(*rand.Rand) float64
		bar  float64
	}{
		{"normal", normal, normal, 0.025}, {"exponential", exponential, exponential, 0.025},
		{"outliers", outliers, outliers, 0.025}, {"one skewed", normal, exponential, 0.06},
	} {
		for _, n := range [][2]int{{4, 4}, {5, 5}, {10, 10}, {10, 4}} {
			rng := rand.New(rand.NewPCG(9, uint64(n[0])))
			var up, down int
			for range size {
				a, b := make([]float64, n[0]), make([]float64, n[1])
				for i := range a {
					a[i] = math.Exp(0.05 * c.a(rng))
				}
				for i := range b {
					b[i] = math.Exp(0.05 * c.b(rng))
				}
				v, err := CompareMedians(a, b, Comparison{Margin: 0.05, Unit: "run"})
				if err != nil {
					t.Fatal(err)
				}
				if v.Ratio.Above(1) {
					up++
				}
				if v.Ratio.Below(1) {
					down++
				}
			}
			falseAtMost(t, fmt.Sprintf("medians: false difference in one direction, %s, n %d and %d", c.name, n[0],
				n[1]), max(up, down), size, c.bar)
		}
	}
	for _, c := range []struct {
		p float64
		n int
	}{{0.5, 100}, {0.9, 500}, {0.99, 2000}} {
		rng := rand.New(rand.NewPCG(10, uint64(c.n)))
		count := max(size/10, 100)
		hits := 0
		for range count {
			a, b := make([]float64, c.n), make([]float64, c.n)
			for i := range a {
				a[i], b[i] = math.Exp(0.5*rng.NormFloat64()), 1.2*math.Exp(0.5*rng.NormFloat64())
			}
			v, err := CompareQuantiles(a, b, c.p, Comparison{Margin: 0.05, Unit: "request"})
			if err != nil {
				t.Fatal(err)
			}
			if v.Ratio.Low <= 1.2 && 1.2 <= v.Ratio.High {
				hits++
			}
		}
		falseAtMost(t, fmt.Sprintf("quantiles: ratio of the p%g not covered, n %d", 100*c.p, c.n), count-hits, count,
			0.05)
	}
}
