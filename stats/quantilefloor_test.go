package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestQuantileFloor(t *testing.T) {
	for _, c := range []struct {
		name          string
		p, confidence float64
		spare, want   int
	}{
		{"p99, one-sided 95 %", 0.99, 0.95, 0, 299},
		{"p99, two-sided 95 %", 0.99, 0.975, 0, 368},
		{"median, two-sided 95 %", 0.5, 0.975, 0, 6},
		{"p1 is as far out as p99", 0.01, 0.95, 0, 299},
		{"MLPerf p90", 0.90, 0.99, 1, 64},
		{"MLPerf p95", 0.95, 0.99, 1, 130},
		{"MLPerf p99", 0.99, 0.99, 1, 662},
		{"MLPerf p99.9", 0.999, 0.99, 1, 6636},
		{"powers that meet the confidence exactly", 0.5, 0.75, 0, 2},
		{"by hand, (n + 1)/2ⁿ ≤ 1/4 from 5 on", 0.5, 0.75, 1, 5},
		{"one sample is enough", 0.5, 0.3, 0, 1},
		{"never fewer than the spare ones and the bound", 0.5, 1e-9, 7, 8},
	} {
		if got, err := QuantileFloor(c.p, c.confidence, c.spare); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", c.name, got, err, c.want)
		}
	}
}

// binomialAtMost sums the binomial probabilities term by term.
func binomialAtMost(k, n int, probability float64) float64 {
	term := math.Pow(1-probability, float64(n))
	sum := term
	for i := 1; i <= k; i++ {
		term *= float64(n-i+1) / float64(i) * probability / (1 - probability)
		sum += term
	}
	return sum
}

// The floor satisfies its definition and one sample fewer does not, the binomial probability being summed term by term.
func TestQuantileFloorIsLeast(t *testing.T) {
	for _, p := range []float64{0.3, 0.5, 0.77, 0.9, 0.985} {
		for _, confidence := range []float64{0.5, 0.9, 0.95, 0.999} {
			for spare := range 6 {
				n, err := QuantileFloor(p, confidence, spare)
				if err != nil {
					t.Fatal(err)
				}
				beyond := min(p, 1-p)
				if risk := binomialAtMost(spare, n, beyond); risk > (1-confidence)*(1+1e-9) {
					t.Errorf("p %v, confidence %v, spare %d: %d samples leave a risk of %v", p, confidence, spare, n,
						risk)
				}
				if n-1 > spare {
					if risk := binomialAtMost(spare, n-1, beyond); risk <= (1-confidence)*(1-1e-9) {
						t.Errorf("p %v, confidence %v, spare %d: %d samples would do, with a risk of %v", p,
							confidence, spare, n-1, risk)
					}
				}
			}
		}
	}
}

func TestQuantileFloorErrors(t *testing.T) {
	for _, c := range []struct {
		p, confidence float64
		spare         int
		text          string
	}{
		{1, 0.95, 0, "p = 1"}, {0, 0.95, 0, "p = 0"}, {99, 0.95, 0, "p = 99"}, {math.NaN(), 0.95, 0, "p = NaN"},
		{0.99, 1, 0, "confidence = 1"}, {0.99, math.NaN(), 0, "confidence = NaN"},
		{0.99, 0.95, -1, "spare = -1"},
		{math.SmallestNonzeroFloat64, 0.95, 1, "p = 5e-324"},
	} {
		if got, err := QuantileFloor(c.p, c.confidence, c.spare); got != 0 || !errors.Is(err,
			ErrOutOfRange) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %d, %v", c, got, err)
		}
	}
}

// How often the order statistic at the floor is above the true quantile: at least the confidence, and not much more.
func TestQuantileFloorSimulation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	for _, c := range []struct {
		p, confidence float64
		spare         int
	}{{0.99, 0.95, 0}, {0.99, 0.975, 0}, {0.9, 0.99, 1}, {0.99, 0.99, 1}, {0.5, 0.975, 0}} {
		n, err := QuantileFloor(c.p, c.confidence, c.spare)
		if err != nil {
			t.Fatal(err)
		}
		total := draws(10_000, 1_000_000)
		covered := 0
		for range total {
			above := 0
			for range n {
				if r.Float64() > c.p {
					above++
				}
			}
			if above > c.spare {
				covered++
			}
		}
		coverage := float64(covered) / float64(total)
		t.Logf("simulation: bound on p%g from %d samples, %d spare: coverage %.2f %%, at least %g %% is claimed",
			100*c.p, n, c.spare, 100*coverage, 100*c.confidence)
		// The largest excess is that of the median, whose floor of 6 covers 98.4 %.
		if slack := 4 * math.Sqrt(c.confidence*(1-c.confidence)/float64(total)); coverage < c.confidence-slack ||
			coverage > c.confidence+0.01+slack {
			t.Errorf("p %v, spare %d: coverage %v of %v from %d samples", c.p, c.spare, coverage, c.confidence, n)
		}
	}
}
