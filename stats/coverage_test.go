package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A population is what the simulations of coverage draw from, with its truth.
type population struct {
	name                   string
	draw                   func(*rand.Rand) float64
	mean, median, sd, sdLn float64 // median is the geometric mean too; sdLn is NaN for one that has no logarithms
}

var normalPopulation = population{
	"normal", func(r *rand.Rand) float64 { return 100 + 10*r.NormFloat64() }, 100, 100, 10, math.NaN(),
}

// lognormalPopulation has the spread of a noisy throughput, σ = 0.12.
var lognormalPopulation = population{
	"lognormal 0.12", func(r *rand.Rand) float64 { return math.Exp(0.12 * r.NormFloat64()) },
	math.Exp(0.0072), 1, math.Exp(0.0072) * math.Sqrt(math.Expm1(0.0144)), 0.12,
}

// byFactors is an interval whose bounds are its estimate by two factors that depend on n alone, as those of an SD are:
// its own for the first sample, and those factors for the next ones, because most of its time goes into the quantiles
// of χ².
func byFactors(of func([]float64, float64, string) (Interval, error)) func([]float64, float64, string) (Interval,
	error) {
	var first Interval
	return func(x []float64, confidence float64, unit string) (Interval, error) {
		if !first.Defined() || first.N != len(x) {
			var err error
			first, err = of(x, confidence, unit)
			return first, err
		}
		if first.Method == "χ² on logarithms" {
			var err error
			if x, err = logarithms("x", x); err != nil {
				return Interval{}, err
			}
		}
		s, err := Summarize(x)
		v := first
		v.Estimate = s.SD
		v.Low, v.High = s.SD*first.Low/first.Estimate, s.SD*first.High/first.Estimate
		return v, err
	}
}

// The coverages that the documentation states, in per cent, each within bar of the simulated one: as it is from 100,000
// draws on, and with four standard errors of the simulation beside it below.
func TestIntervalCoverageSimulation(t *testing.T) {
	mean := func(p population) float64 { return p.mean }
	median := func(p population) float64 { return p.median }
	sd := func(p population) float64 { return p.sd }
	sdLn := func(p population) float64 { return p.sdLn }
	p90 := func(p population) float64 { return math.Exp(p.sdLn * 1.2815515655446004) }
	p90Interval := func(x []float64, confidence float64, unit string) (Interval, error) {
		return QuantileInterval(x, 0.9, confidence, unit)
	}
	for _, c := range []struct {
		name          string
		of            func([]float64, float64, string) (Interval, error)
		truth         func(population) float64
		from          population
		n             int
		confidence    float64
		want, bar     float64
		short, longer int
	}{
		{"MeanInterval", MeanInterval, mean, normalPopulation, 3, 0.95, 95, 0.2, 100_000, 1_000_000},
		{"MeanInterval", MeanInterval, mean, normalPopulation, 5, 0.95, 95, 0.2, 100_000, 1_000_000},
		{"MeanInterval", MeanInterval, mean, normalPopulation, 10, 0.95, 95, 0.2, 100_000, 1_000_000},
		{"MeanInterval", MeanInterval, mean, lognormalPopulation, 3, 0.95, 94.8, 0.2, 100_000, 1_000_000},
		{"MeanInterval", MeanInterval, mean, lognormalPopulation, 5, 0.95, 94.8, 0.2, 100_000, 1_000_000},
		{"MeanInterval", MeanInterval, mean, lognormalPopulation, 10, 0.95, 94.8, 0.2, 100_000, 1_000_000},
		{"LogMeanInterval", LogMeanInterval, median, lognormalPopulation, 3, 0.95, 95, 0.5, 20_000, 1_000_000},
		{"LogMeanInterval", LogMeanInterval, median, lognormalPopulation, 5, 0.95, 95, 0.5, 20_000, 1_000_000},
		{"LogMeanInterval", LogMeanInterval, median, lognormalPopulation, 10, 0.95, 95, 0.5, 20_000, 1_000_000},
		{"SDInterval", byFactors(SDInterval), sd, normalPopulation, 5, 0.95, 95, 0.5, 100_000, 1_000_000},
		{"SDInterval", byFactors(SDInterval), sd, lognormalPopulation, 3, 0.95, 94.7, 0.5, 100_000, 1_000_000},
		{"SDInterval", byFactors(SDInterval), sd, lognormalPopulation, 5, 0.95, 94.5, 0.5, 100_000, 1_000_000},
		{"SDInterval", byFactors(SDInterval), sd, lognormalPopulation, 10, 0.95, 94.1, 0.5, 100_000, 1_000_000},
		{"LogSDInterval", byFactors(LogSDInterval), sdLn, lognormalPopulation, 3, 0.95, 95, 0.5, 100_000, 1_000_000},
		{"LogSDInterval", byFactors(LogSDInterval), sdLn, lognormalPopulation, 5, 0.95, 95, 0.5, 100_000, 1_000_000},
		{"LogSDInterval", byFactors(LogSDInterval), sdLn, lognormalPopulation, 10, 0.95, 95, 0.5, 100_000, 1_000_000},
		// From the smallest to the largest; 95 % would leave n = 3 and 5 undefined.
		{"MedianInterval", MedianInterval, median, lognormalPopulation, 3, 0.75, 75, 0.5, 20_000, 1_000_000},
		{"MedianInterval", MedianInterval, median, lognormalPopulation, 5, 0.9375, 93.75, 0.5, 20_000, 1_000_000},
		{"MedianInterval", MedianInterval, median, lognormalPopulation, 10, 0.95, 97.85, 0.5, 20_000, 1_000_000},
		{"QuantileInterval p90", p90Interval, p90, lognormalPopulation, 100, 0.95, 95.57, 0.5, 10_000, 200_000},
	} {
		rng := rand.New(rand.NewPCG(1, uint64(c.n)))
		truth, count := c.truth(c.from), draws(c.short, c.longer)
		covered := 0
		x := make([]float64, c.n)
		for range count {
			for i := range x {
				x[i] = c.from.draw(rng)
			}
			v, err := c.of(x, c.confidence, "draw")
			if err != nil {
				t.Fatal(err)
			}
			if v.Defined() && !v.Below(truth) && !v.Above(truth) {
				covered++
			}
		}
		got := 100 * float64(covered) / float64(count)
		t.Logf("simulation: %s, %s, n = %d, nominal %v %%: %.2f %% of %d, stated %v %%",
			c.name, c.from.name, c.n, 100*c.confidence, got, count, c.want)
		bar := c.bar
		if count < 100_000 {
			bar += 4 * math.Sqrt(c.want*(100-c.want)/float64(count))
		}
		if math.Abs(got-c.want) > bar {
			t.Errorf("%s, %s, n = %d: coverage %.2f %%, want %v ± %.2f %%", c.name, c.from.name, c.n, got, c.want, bar)
		}
	}
}
