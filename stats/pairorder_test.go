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

// The order within pairs, known, unknown and always the same.
func TestPairOrder(t *testing.T) {
	a := []float64{100, 101, 99, 100, 100.5, 99.5}
	b := []float64{102, 103.2, 100.9, 102.1, 102.4, 101.6}
	c := Comparison{Margin: 0.01, Paired: true, Unit: "day"}
	const lessOrder = "paired t on logarithms, less the effect of the order"
	for _, o := range []struct {
		name   string
		bFirst []bool
		kind   VerdictKind
		df     float64
		want   []string
		method string
	}{
		{"unknown", nil, Faster, 5, []string{OrderUnknown}, "paired t on logarithms"},
		{"in turns", []bool{false, true, false, true, true, false}, Faster, 5, nil, "paired t on logarithms"},
		{"always a", make([]bool, 6), Undecided, math.NaN(), []string{OrderConfounded}, "paired t on logarithms"},
		{"always b", []bool{true, true, true, true, true, true}, Undecided, math.NaN(), []string{OrderConfounded},
			"paired t on logarithms"},
		{"four to two", []bool{false, true, false, false, true, false}, Faster, 4, nil, lessOrder},
		{"five to one", []bool{false, true, false, false, false, false}, Faster, 4, nil, lessOrder},
	} {
		c.BFirst = o.bFirst
		v, err := Compare(a, b, c)
		if err != nil || v.Kind != o.kind || !same64(v.Ratio.DF, o.df) || !slices.Equal(warned(v.Warnings),
			o.want) || v.Ratio.Method != o.method {
			t.Errorf("%s: %v, %+v, %v", o.name, v, v.Ratio, err)
		}
		if strings.Contains(fmt.Sprint(v.Ratio.Assumptions), "each side is drawn from one population") {
			t.Errorf("%s: what pairing removes is assumed: %q", o.name, v.Ratio.Assumptions)
		}
		roundTrip(t, v)
		m, err := CompareMedians(a, b, c)
		if o.method == lessOrder { // the ranks of four against two, or five against one, show nothing
			o.kind = Undecided
		}
		if err != nil || m.Kind != o.kind || o.method == lessOrder && !hasWarning(m.Warnings, FewRuns) ||
			slices.Contains(o.want, OrderConfounded) != hasWarning(m.Warnings,
				OrderConfounded) {
			t.Errorf("%s: medians: %v, %v", o.name, m, err)
		}
	}
	// By hand: ratios e^.03, e^.05, e^.01, e^.03 with a first and e^.01, e^.03 with b first have the means .03 and .02:
	// .025.
	d := []float64{0.03, 0.05, 0.01, 0.03, 0.01, 0.03}
	for i := range a {
		b[i] = a[i] * math.Exp(d[i])
	}
	c.BFirst = []bool{false, false, false, false, true, true}
	test, err := c.test(a, b)
	sd := math.Sqrt((0.0008 + 0.0002) / 4)
	if err != nil || !near(test.Difference, 0.025, 1e-12) || !near(test.SD, sd, 1e-10) || !near(test.SE,
		sd*math.Sqrt(1./4+1./2)/2, 1e-10) {
		t.Errorf("%+v, %v", test, err)
	}
	c.BFirst = []bool{true}
	if _, err := Compare(a, b, c); !errors.Is(err, ErrLengthMismatch) || !strings.Contains(err.Error(),
		"c.BFirst has length 1") {
		t.Error(err)
	}
}

// Two equal configurations under a drift of 2 % from one measurement to the next, in every order.
func TestPairOrderSimulation(t *testing.T) {
	size := draws(200, 10_000)
	for _, n := range []int{5, 10} {
		for _, sd := range []float64{0.002, 0.01, 0.04} {
			for _, order := range []string{"always a first", "unknown, always a first", "in turns",
				"one in five b first", "random"} {
				rng := rand.New(rand.NewPCG(7, uint64(n)))
				c := Comparison{Margin: 0.05, Paired: true, Unit: "block"}
				wrong, silent := 0, 0
				for range size {
					bFirst := make([]bool, n)
					for i := range bFirst {
						switch order {
						case "in turns":
							bFirst[i] = i%2 == 1
						case "one in five b first":
							bFirst[i] = i%5 == 1
						case "random":
							bFirst[i] = rng.IntN(2) == 1
						}
					}
					a, b := make([]float64, n), make([]float64, n)
					for i := range a {
						first, second := 0.02*float64(2*i), 0.02*float64(2*i+1)
						if bFirst[i] {
							first, second = second, first
						}
						a[i], b[i] = math.Exp(first+sd*rng.NormFloat64()), math.Exp(second+sd*rng.NormFloat64())
					}
					if c.BFirst = bFirst; strings.HasPrefix(order, "unknown") {
						c.BFirst = nil
					}
					v, test, err := c.compare(a, b)
					if err != nil {
						t.Fatal(err)
					}
					v.judge(test.Difference, 0.05)
					if v.Detected {
						wrong++
						if test.Warnings == nil {
							silent++
						}
					}
				}
				name := fmt.Sprintf("pairs %s, n %d, SD %v", order, n, sd)
				if strings.HasPrefix(order, "unknown") {
					t.Logf("simulation: false difference with a warning, %s: %.1f %%", name,
						100*float64(wrong)/float64(size))
					if silent > 0 {
						t.Errorf("%s: %d without a warning", name, silent)
					}
					continue
				}
				falseAtMost(t, "false difference, "+name, wrong, size, 0.05)
			}
		}
	}
}

// What unlike sides do to the error rates, and that it is said. Unequal numbers of runs alone keep them.
func TestUnlikeSidesSimulation(t *testing.T) {
	size := draws(200, 20_000)
	normal := func(r *rand.Rand) float64 { return r.NormFloat64() }
	exponential := func(r *rand.Rand) float64 { return r.ExpFloat64() - 1 }
	for _, c := range []struct {
		name             string
		n, m             int
		a, b             func(*rand.Rand) float64
		ratio            float64 // of the SDs, b over a
		direction, equal float64 // the bars
	}{
		{"10 against 3", 10, 3, normal, normal, 1, 0.03, 0.055},
		{"10 against 3, the fewer vary more", 10, 3, normal, normal, 2, 0.03, 0.055},
		{"10 against 3, the fewer vary four times as much", 10, 3, normal, normal, 4, 0.03, 0.055},
		{"10 against 3, the fewer vary less", 10, 3, normal, normal, 0.25, 0.03, 0.055},
		{"5 against 3", 5, 3, normal, normal, 2, 0.03, 0.055},
		{"6 against 5", 6, 5, normal, normal, 2, 0.03, 0.055},
		{"20 against 3", 20, 3, normal, normal, 2, 0.03, 0.055},
		{"both skewed", 5, 5, exponential, exponential, 1, 0.03, 0.055},
		{"one skewed", 3, 3, normal, exponential, 1, 0.05, 0.09},
		{"one skewed", 5, 5, normal, exponential, 1, 0.05, 0.09},
		{"one skewed", 10, 10, normal, exponential, 1, 0.05, 0.09},
		{"one skewed, 10 against 3", 10, 3, normal, exponential, 1, 0.05, 0.09},
		{"one skewed, which varies four times as much", 3, 3, normal, exponential, 4, 0.12, 0.17},
		{"one skewed, which varies four times as much", 5, 5, normal, exponential, 4, 0.12, 0.17},
		{"one skewed, which varies four times as much", 10, 10, normal, exponential, 4, 0.12, 0.17},
		{"one skewed, which varies four times as much, 10 against 3", 10, 3, normal, exponential, 4, 0.125, 0.175},
	} {
		rng := rand.New(rand.NewPCG(8, uint64(c.n)))
		comparison := Comparison{Margin: 0.05, Unit: "run"}
		draw := func(n int, of func(*rand.Rand) float64, shift, sd float64) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = math.Exp(shift + sd*of(rng))
			}
			return x
		}
		verdict := func(shift, sd float64) (Verdict, TTest) {
			v, test, err := comparison.compare(draw(c.n, c.a, 0, sd), draw(c.m, c.b, shift, sd*c.ratio))
			if err != nil {
				t.Fatal(err)
			}
			v.judge(test.Difference, 0.05)
			return v, test
		}
		var up, down, silent, equalUp, equalDown int
		for range size {
			v, test := verdict(0, 0.03)
			if v.Detected {
				if test.Difference > 0 {
					up++
				} else {
					down++
				}
				if test.Warnings == nil {
					silent++
				}
			}
			if v, _ := verdict(math.Log1p(comparison.Margin), 0.003); v.Kind == Equivalent {
				equalUp++
			}
			if v, _ := verdict(-math.Log1p(comparison.Margin), 0.003); v.Kind == Equivalent {
				equalDown++
			}
		}
		name := fmt.Sprintf("%s, n %d and %d", c.name, c.n, c.m)
		falseAtMost(t, "unlike sides: false difference in one direction, "+name, max(up, down), size, c.direction)
		falseAtMost(t, "unlike sides: false equivalence, "+name, max(equalUp, equalDown), size, c.equal)
		falseAtMost(t, "unlike sides: false difference without a warning, "+name, silent, size, 0.05)
		if c.n != c.m && silent > 0 {
			t.Errorf("%s: unequal numbers of runs without a warning", name)
		}
	}
}

// What the sides are warned of, where something is claimed of them.
func TestUnlikeSides(t *testing.T) {
	even := []float64{98, 99, 100, 101, 102}
	for _, c := range []struct {
		name string
		a, b []float64
		want string
	}{
		{"alike", even, []float64{87.5, 89.2, 90, 91, 92}, ""},
		{"sizes", even, []float64{88, 89, 90, 91}, "one side has more runs"},
		{"spread", even, []float64{50, 60, 70, 80, 90}, "one side varies more"},
		{"skew", even, []float64{79, 79.1, 79.2, 79.3, 85}, "b is skewed"},
		{"skew", []float64{79, 79.1, 79.2, 79.3, 85}, even, "a is skewed"},
		{"nothing claimed", even, []float64{99, 99.1, 99.2, 99.3, 110}, ""},
	} {
		v, err := Compare(c.a, c.b, Comparison{Margin: 0.01, Unit: "run"})
		if err != nil || (c.want == "") != (len(v.Warnings) == 0) ||
			c.want != "" && (!strings.HasPrefix(v.Warnings[0].Text, c.want) || !strings.Contains(v.String(),
				"(unlike-sides)")) {
			t.Errorf("%s: %v, %v, %v", c.name, v, v.Warnings, err)
		}
	}
}
