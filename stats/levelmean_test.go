package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestMeanOfLevelNumpy(t *testing.T) {
	for i, c := range readVariation(t).Batches {
		b, err := MeanOfLevel(c.X, c.Concurrency, 0.95, "request")
		if err != nil || b.Mean.N != c.Batches || !sameInterval(b.Mean, c.Mean, 1e-12) || !near(b.ESS, c.ESS, 1e-11) {
			t.Errorf("%d: %+v, %v; want %+v", i, b, err, c)
		}
		if b.Mean.N != c.Batches || b.Mean.DF != float64(c.Batches-1) || b.Steady == hasWarning(b.Mean.Warnings,
			NotSteady) {
			t.Errorf("%d: %+v", i, b.Mean)
		}
		roundTrip(t, b)
	}
}

func TestMeanOfLevelEdges(t *testing.T) {
	x := make([]float64, 100)
	for i := range x {
		x[i] = float64(i * 7 % 10)
	}
	for _, c := range []struct {
		name        string
		x           []float64
		concurrency int
		batches     int
		ess         float64
		want        []string
	}{
		{"five batches", x, 10, 5, 100, []string{ResolutionLimited}}, // each batch holds 0 … 9 twice
		{"four", x[:99], 10, 4, math.NaN(), []string{TooFewBatches}},
		{"more in flight than an int doubled", x, math.MaxInt, 0, math.NaN(), []string{TooFewBatches}},
		{"one sample", x[:1], 1, 0, math.NaN(), []string{TooFewBatches}},
		{"identical", make([]float64, 40), 2, 10, math.NaN(), []string{ResolutionLimited, NotSteady}},
	} {
		b, err := MeanOfLevel(c.x, c.concurrency, 0.95, "request")
		sameESS := b.ESS == c.ess || math.IsNaN(b.ESS) && math.IsNaN(c.ess)
		if err != nil || b.Mean.N != c.batches || !sameESS || !slices.Equal(warned(b.Mean.Warnings), c.want) {
			t.Errorf("%s: %+v, %v", c.name, b, err)
		}
		if enough := c.batches >= 5; b.Mean.Defined() || math.IsNaN(b.Mean.DF) == enough {
			t.Errorf("%s: %+v", c.name, b.Mean)
		}
		roundTrip(t, b)
	}
	for _, c := range []struct {
		x           []float64
		concurrency int
		confidence  float64
		kind        error
	}{
		{nil, 1, 0.95, ErrEmpty}, {x, 0, 0.95, ErrOutOfRange}, {x, -1, 0.95, ErrOutOfRange}, {x, 1, 0, ErrOutOfRange},
		{[]float64{1, math.NaN()}, 1, 0.95, ErrNotFinite},
		{slices.Repeat([]float64{math.MaxFloat64, -math.MaxFloat64}, 30), 1, 0.95, ErrOverflow},
	} {
		if _, err := MeanOfLevel(c.x, c.concurrency, c.confidence, "request"); !errors.Is(err, c.kind) {
			t.Errorf("%d samples, %d, %v: %v", len(c.x), c.concurrency, c.confidence, err)
		}
	}
}

// A level is called steady, or it is said why not, and its mean stays that of all samples.
func TestMeanOfLevelSteady(t *testing.T) {
	rng := simulationSource(506)
	level := func(n int, off func(i int) float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = 100 + rng.NormFloat64() + off(i)
		}
		return x
	}
	for _, c := range []struct {
		name   string
		x      []float64
		steady bool
		why    string
	}{
		{"steady", level(400, func(int) float64 { return 0 }), true, ""},
		{"ramp", level(400, func(i int) float64 { return float64(i) / 100 }), false,
			"from its start to its end it moves by"},
		{"two halves", level(400, func(i int) float64 { return 3 * float64(i/200%2) }), false, "moves by"},
		{"few", level(45, func(int) float64 { return 0 }), false, "45 samples are too few to say whether it is"},
	} {
		m, err := MeanOfLevel(c.x, 4, 0.95, "request")
		if err != nil || m.Steady != c.steady || hasWarning(m.Mean.Warnings,
			NotSteady) == c.steady || !m.Mean.Defined() {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
		if !c.steady && !strings.Contains(m.Mean.Warnings[0].Text, c.why) {
			t.Errorf("%s: %v", c.name, m.Mean.Warnings)
		}
		roundTrip(t, m)
	}
}

// Waves: all requests that are in flight together share what the server does meanwhile. Sizes that the batches divide
// and sizes that cut through waves.
func TestMeanOfLevelSimulation(t *testing.T) {
	for _, c := range []struct {
		concurrency, size int
		shared            float64 // of the SD, beside 1 of each request's own
	}{
		{4, 40, 2}, {4, 100, 2}, {4, 400, 0.5}, {16, 160, 2}, {16, 250, 2}, {16, 900, 0.5}, {64, 1000, 2}, {64, 3200,
			1},
	} {
		r := simulationSource(504)
		n := draws(1200, 40000)
		var batches, naive, corrected int
		x := make([]float64, c.size)
		for range n {
			var wave float64
			for i := range x {
				if i%c.concurrency == 0 {
					wave = c.shared * r.NormFloat64()
				}
				x[i] = 10 + wave + r.NormFloat64()
			}
			b, err := MeanOfLevel(x, c.concurrency, 0.95, "request")
			if err != nil {
				t.Fatal(err)
			}
			v, err := MeanInterval(x, 0.95, "request")
			if err != nil {
				t.Fatal(err)
			}
			if b.Mean.Low <= 10 && 10 <= b.Mean.High {
				batches++
			}
			if v.Low <= 10 && 10 <= v.High {
				naive++
			}
			lag1, err := Lag1(x)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(v.Estimate-10) <= v.HalfWidth()*math.Sqrt((1+lag1)/(1-lag1)) {
				corrected++
			}
		}
		name := fmt.Sprintf("C = %d, n = %d, shared SD %g", c.concurrency, c.size, c.shared)
		checkCoverage(t, "batch means, "+name, batches, n, 0.92, 0.953)
		checkCoverage(t, "as if independent, "+name, naive, n, 0, 0.92)
		most := 0.95
		if c.concurrency >= 16 {
			most = 0.81
		}
		checkCoverage(t, "corrected by lag 1, "+name, corrected, n, 0.43, most)
	}
}

func FuzzMeanOfLevel(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(slices.Repeat(x, 20)...), 2)
	}
	f.Fuzz(func(t *testing.T, data []byte, concurrency int) {
		x := samples(data)
		b, err := MeanOfLevel(x, concurrency, 0.95, "request")
		if err != nil {
			return
		}
		if b.Mean.Defined() && b.Mean.N < 5 || b.ESS < 0 || b.ESS > float64(len(x)) || math.IsNaN(b.Mean.Estimate) {
			t.Errorf("%v, %d: %+v", x, concurrency, b)
		}
		if b.Mean.Defined() && !finite([]float64{b.Mean.Low, b.Mean.High}) {
			t.Errorf("%v, %d: %+v", x, concurrency, b)
		}
		roundTrip(t, b)
	})
}
