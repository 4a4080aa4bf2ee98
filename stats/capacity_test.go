package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// threeAround gives three runs whose logarithms have the mean ln m and the SD 0.01 at each level: the 95 % interval is
// m·exp(± 4.3027·0.01/√3) = m·exp(± 0.02484); that of 1 − 0.05/4, with t(0.00625) = 8.86 on 2 degrees of freedom,
// m·exp(± 0.05115).
func threeAround(means ...float64) [][]float64 {
	var runs [][]float64
	for _, d := range []float64{-0.01, 0, 0.01} {
		var run []float64
		for _, m := range means {
			run = append(run, m*math.Exp(d))
		}
		runs = append(runs, run)
	}
	return runs
}

func TestCapacity(t *testing.T) {
	levels := []float64{10, 20, 40, 80}
	hardlyMet, hardlyMissed := 100*math.Exp(-0.0249), 100*math.Exp(0.0512)
	for _, c := range []struct {
		name   string
		runs   [][]float64
		below  string // at most 100
		above  string // at least 100
		next   []float64
		reason string
	}{
		{"both ends", threeAround(50, 90, 110, 200), "[20, 40)", "< 10", []float64{28},
			"of the tested levels, with 95 % confidence: up to 20 every level keeps TTFT ≤ 100; 40 does not"},
		{"hardly met, hardly missed", threeAround(50, hardlyMet, hardlyMissed, 200), "[20, 40)", "< 10", []float64{28},
			""},
		{"hardly not", threeAround(50, 100*math.Exp(-0.0248), 100*math.Exp(0.0511), 200), "[10, 80)", "< 10",
			[]float64{28}, ""},
		{"all met", threeAround(50, 60, 70, 80), "≥ 80, limit not reached", "< 10", []float64{160}, ""},
		{"none met", threeAround(150, 160, 170, 180), "< 10", "≥ 80, limit not reached", []float64{5},
			"of the tested levels, with 95 % confidence: the lowest level, 10, is not shown to keep TTFT ≤ 100; " +
				"10 does"},
		{"lowest at the limit", threeAround(100, 160, 170, 180), "< 20", "not resolved", []float64{5}, ""},
		{"one that does well beyond does not count", threeAround(50, 150, 50, 50), "[10, 20)", "< 10", []float64{14},
			""},
		{"all at the limit", threeAround(100, 100, 100, 100), "not resolved", "not resolved", nil, ""},
		{"one run", repeat(1, 50, 60, 150, 160), "not resolved (single-sample)", "not resolved (single-sample)", nil,
			""},
		// Zero spread decides nothing, neither for nor against.
		{"no spread", repeat(3, 50, 60, 150, 160), "not resolved (resolution-limited)",
			"not resolved (resolution-limited)", nil, ""},
		{"no spread at one", [][]float64{{49, 60, 150, 160}, {50, 60, 151, 161}, {51, 60, 152, 165}},
			"[10, 40) (resolution-limited)",
			"< 10 (resolution-limited)", []float64{20}, ""},
	} {
		b, err := Capacity(levels, Objective{Name: "TTFT", Max: 100, Values: c.runs})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if b.String() != c.below || !slices.Equal(b.Next, c.next) || !strings.HasPrefix(b.Reason,
			c.reason) || len(b.Intervals[0]) != 4 {
			t.Errorf("%s: %v, next %v, %q", c.name, b, b.Next, b.Reason)
		}
		a, err := Capacity(levels, Objective{Min: 100, Values: c.runs})
		if err != nil || a.String() != c.above {
			t.Errorf("%s: at least: %v, %v; want %s", c.name, a, err, c.above)
		}
		roundTrip(t, b)
		roundTrip(t, a)
	}
	if got := (CapacityResult{}).String(); got != "not resolved" {
		t.Errorf("the zero result is %q", got)
	}
}

// Several objectives: all must be met, one missed is enough.
func TestCapacityOfSeveral(t *testing.T) {
	levels := []float64{10, 20, 40}
	all, half := Count{2000, 2000}, Count{1000, 2000}
	counts := func(c ...Count) [][]Count { return [][]Count{c, c, c, c, c} }
	values := [][]float64{{1, 1, 1}, {1.01, 1.02, 1.01}, {1.02, 1, 1.03}, {1.03, 1.01, 1.01}, {1, 1.02, 1}}
	for _, c := range []struct {
		counts [][]Count
		max    float64
		want   string
	}{
		{counts(all, all, all), 2, "≥ 40, limit not reached"},
		{counts(all, all, half), 2, "[20, 40)"},
		{counts(all, half, all), 2, "[10, 20)"},
		{counts(all, all, all), 1.01, "not resolved"},
		{counts(all, all, half), 0.5, "< 10"},
	} {
		r, err := Capacity(levels, Objective{Name: "attainment", Min: 0.99, Counts: c.counts}, Objective{Max: c.max,
			Values: values})
		if err != nil || r.String() != c.want || len(r.Intervals) != 2 {
			t.Errorf("%v, %v; want %s", r, err, c.want)
		}
		roundTrip(t, r)
	}
}

// Shares are counts. Five runs of 20 requests that all met are five times 1.000, and show no more than that one in ten
// or so may not; the ratios themselves, given as values, have no spread and decide nothing either.
func TestCapacityOfCounts(t *testing.T) {
	for _, c := range []struct {
		name  string
		runs  []Count
		share float64
		want  string
	}{
		{"the issue's: 2 × 20", []Count{{20, 20}, {20, 20}}, 0.99, "not resolved"},
		{"3 × 20", []Count{{20, 20}, {20, 20}, {20, 20}}, 0.99, "not resolved"},
		{"3 × 20 at a low share", []Count{{20, 20}, {20, 20}, {20, 20}}, 0.7, "≥ 10, limit not reached"},
		{"3 × 1000", []Count{{1000, 1000}, {1000, 1000}, {1000, 1000}}, 0.99, "≥ 10, limit not reached"},
		{"5 × 100", []Count{{100, 100}, {100, 100}, {100, 100}, {100, 100}, {100, 100}}, 0.99, "not resolved"},
		{"missed", []Count{{80, 100}, {82, 100}, {79, 100}}, 0.99, "< 10"},
		{"runs that disagree", []Count{{1000, 1000}, {1000, 1000}, {950, 1000}}, 0.97, "not resolved"},
		{"one run", []Count{{5000, 5000}}, 0.99, "not resolved (single-sample)"},
	} {
		var runs [][]Count
		var ratios [][]float64
		for _, n := range c.runs {
			runs = append(runs, []Count{n})
			ratios = append(ratios, []float64{float64(n.Met) / float64(n.Issued)})
		}
		r, err := Capacity([]float64{10}, Objective{Min: c.share, Counts: runs})
		if err != nil || r.String() != c.want {
			t.Errorf("%s: %v %v, %v; want %s", c.name, r, r.Intervals, err, c.want)
		}
		if !strings.HasPrefix(c.name, "the issue's") {
			continue
		}
		if r, err = Capacity([]float64{10}, Objective{Min: c.share,
			Values: ratios}); err != nil || r.String() != "not resolved (resolution-limited)" {
			t.Errorf("%s as ratios: %v, %v", c.name, r, err)
		}
	}
	// By hand: shares .8, .9, 1 of 100 have the variance 0.01, their mean 0.01/3, so 0.9·0.1/(0.01/3) = 27 requests,
	// less (1.9679/4.3027)² of them.
	v, err := ShareInterval([]Count{{80, 100}, {90, 100}, {100, 100}}, 0.95, "run")
	effective := 27 * math.Pow(1.96793/4.30265, 2)
	low, high, err2 := clopperPearson(0.9*effective, effective, 0.025)
	if err != nil || err2 != nil || !near(v.Low, low, 1e-4) || !near(v.High, high, 1e-4) {
		t.Errorf("%v, %v; want [%v, %v]", v, err, low, high)
	}
}

func TestCapacityErrors(t *testing.T) {
	ok := repeat(3, 1)
	for _, c := range []struct {
		name      string
		levels    []float64
		objective Objective
		kind      error
		text      string
	}{
		{"no levels", nil, Objective{Max: 1, Values: ok}, ErrEmpty, "levels has length 0"},
		{"no runs", []float64{1}, Objective{Max: 1}, ErrLengthMismatch, "objectives[0].Values has length 0"},
		{"both", []float64{1}, Objective{Max: 0.5, Values: ok, Counts: [][]Count{{{1, 1}}}}, ErrLengthMismatch,
			"objectives[0].Values"},
		{"levels fall", []float64{2, 1}, Objective{Max: 1, Values: ok}, ErrNotSorted, "levels[1] = 1"},
		{"limit NaN", []float64{1}, Objective{Max: math.NaN(), Values: ok}, ErrNotFinite, "objectives[0].Max = NaN"},
		{"no limit", []float64{1}, Objective{Values: ok}, ErrOutOfRange, "objectives[0].Max = 0"},
		{"crossed", []float64{1}, Objective{Min: 2, Max: 1, Values: ok}, ErrOutOfRange, "objectives[0].Max = 1"},
		{"a share in per cent", []float64{1}, Objective{Min: 99, Counts: [][]Count{{{1, 1}}}}, ErrOutOfRange,
			"objectives[0].Min = 99"},
		{"incomplete", []float64{1, 2}, Objective{Max: 1, Values: [][]float64{{1, 2}, {1}}}, ErrLengthMismatch,
			"objectives[0].Values[1] has"},
		{"infinite", []float64{1, 2}, Objective{Max: 1, Values: [][]float64{{1, math.Inf(1)}}}, ErrNotFinite,
			"Values[0][1] = +Inf"},
		{"zero", []float64{1}, Objective{Max: 1, Values: [][]float64{{0}}}, ErrOutOfRange, "Values[0][0] = 0"},
		{"none issued", []float64{1}, Objective{Min: 0.9, Counts: [][]Count{{{0, 0}}}}, ErrOutOfRange,
			"Counts[0][0] = 0"},
		{"more met than issued", []float64{1}, Objective{Min: 0.9, Counts: [][]Count{{{3, 2}}}}, ErrOutOfRange,
			"Counts[0][0] = 3"},
		{"counts incomplete", []float64{1, 2}, Objective{Min: 0.9, Counts: [][]Count{{{3, 3}}}}, ErrLengthMismatch,
			"Counts[0] has length 1"},
	} {
		_, err := Capacity(c.levels, c.objective)
		wantError(t, c.name, err, c.kind, c.text)
		_, err = BestOperatingPoint(c.levels, repeat(max(1, c.objective.runs()), c.levels...), c.objective)
		wantError(t, c.name+", operating point", err, c.kind, c.text)
	}
	_, err := Capacity([]float64{1})
	wantError(t, "no objective", err, ErrEmpty, "objectives has length 0")
	_, err = Capacity([]float64{1}, Objective{Max: 1, Values: ok}, Objective{Max: 1, Values: repeat(2, 1)})
	wantError(t, "other runs", err, ErrLengthMismatch, "objectives[1] has length 2")
	_, err = BestOperatingPoint([]float64{1}, nil)
	wantError(t, "no runs", err, ErrEmpty, "throughput has length 0")
	_, err = BestOperatingPoint([]float64{1}, repeat(2, 1), Objective{Max: 1, Values: ok})
	wantError(t, "runs of the limit", err, ErrLengthMismatch, "objectives[0] has length 3")
}

// The claim of the comment on Capacity, with the truths that are hardest: levels at the limit or a trace beyond; and
// figures that are as skewed as the p99 of a run may be.
func TestCapacitySimulation(t *testing.T) {
	size := draws(200, 10000)
	levels := []float64{10, 20, 40, 80, 160, 320}
	for _, c := range []struct {
		name  string
		means []float64
		truth int // the index of the largest level up to which all meet 100
	}{
		{"rising steeply", []float64{20, 30, 50, 80, 150, 500}, 3},
		{"one at the limit", []float64{20, 30, 50, 100, 150, 500}, 3},
		{"one beyond by a trace", []float64{20, 30, 50, 100.001, 150, 500}, 2},
		{"all at the limit", []float64{100, 100, 100, 100, 100, 100}, 5},
		{"all beyond by a trace", []float64{100.001, 100.001, 100.001, 100.001, 100.001, 100.001}, -1},
		{"falling again", []float64{20, 30, 110, 80, 80, 80}, 1},
	} {
		for _, spread := range []struct {
			name string
			draw func(*rand.Rand) float64
		}{
			{"normal, CoV 1 %", func(r *rand.Rand) float64 { return 1 + 0.01*r.NormFloat64() }},
			{"lognormal, σ 0.12", func(r *rand.Rand) float64 { return math.Exp(0.12 * r.NormFloat64()) }},
			{"lognormal, σ 0.5", func(r *rand.Rand) float64 { return math.Exp(0.5 * r.NormFloat64()) }},
		} {
			for _, n := range []int{3, 5, 10} {
				rng := rand.New(rand.NewPCG(13, uint64(n)))
				runs := repeat(n, c.means...)
				var high, low, both int
				for range size {
					for _, run := range runs {
						for j, m := range c.means {
							run[j] = m * spread.draw(rng)
						}
					}
					r, err := Capacity(levels, Objective{Max: 100, Values: runs})
					if err != nil {
						t.Fatal(err)
					}
					if c.truth < 0 && r.Low > 0 || c.truth >= 0 && r.Low > levels[c.truth] {
						high++
					}
					if c.truth >= 0 && r.High <= levels[c.truth] {
						low++
					}
					if r.Low < r.High {
						both++
					}
				}
				cell := fmt.Sprintf("%s, %s, n = %d", c.name, spread.name, n)
				t.Logf("simulation: capacity: %s: both ends %.4f", cell, float64(both)/float64(size))
				falseAtMost(t, "capacity too high, "+cell, high, size, 0.028)
				falseAtMost(t, "capacity too low, "+cell, low, size, 0.028)
			}
		}
	}
}

// False "met" and "missed" by counts, at a true share of the limit, for requests that are independent and for runs that
// differ: shares drawn from beta distributions with this correlation between the requests of a run.
func TestCapacityCountsSimulation(t *testing.T) {
	size := draws(60, 4000)
	for _, share := range []float64{0.99, 0.95} {
		for _, c := range []struct{ truth, correlation float64 }{{share, 0}, {share, 0.01}, {share, 0.05}, {0.98, 0}} {
			for _, n := range []int{3, 5, 10} {
				for _, issued := range []int{20, 100, 1000} {
					if c.truth > share { // met in truth
						continue
					}
					rng := rand.New(rand.NewPCG(14, uint64(n*issued)))
					met, missed := 0, 0
					for range size {
						runs := make([][]Count, n)
						for i := range runs {
							p := c.truth
							if c.correlation > 0 {
								scale := 1/c.correlation - 1
								p = betaDraw(rng, c.truth*scale, (1-c.truth)*scale)
							}
							runs[i] = []Count{{issued - misses(rng, issued, 1-p), issued}}
						}
						o := Objective{Min: share, Counts: runs}
						v, err := o.interval(0, 0.95, "run")
						if err != nil {
							t.Fatal(err)
						}
						if o.kept(v) {
							met++
						}
						if o.broken(v) && c.truth >= share {
							missed++
						}
					}
					cell := fmt.Sprintf("share %v of %v wanted, %d runs of %d, correlation %v", c.truth, share, n,
						issued, c.correlation)
					falseAtMost(t, "counts: falsely met, "+cell, met, size, countsBar(c.correlation))
					falseAtMost(t, "counts: falsely missed, "+cell, missed, size, 0.025)
				}
			}
		}
	}
}

// countsBar is what the comment on Capacity claims.
func countsBar(correlation float64) float64 {
	return map[float64]float64{0: 0.025, 0.01: 0.06, 0.05: 0.25}[correlation]
}

// misses draws how many of n independent events happen, by skipping from one to the next.
func misses(r *rand.Rand, n int, probability float64) int {
	if probability <= 0 {
		return 0
	}
	k := 0
	for at := 0.0; ; k++ {
		if at += math.Floor(math.Log(r.Float64())/math.Log1p(-probability)) + 1; !(at <= float64(n)) {
			return k
		}
	}
}

// betaDraw draws from the beta distribution as the ratio of two gamma variables (Marsaglia & Tsang 2000).
func betaDraw(r *rand.Rand, a, b float64) float64 {
	x, y := gammaDraw(r, a), gammaDraw(r, b)
	return x / (x + y)
}

func gammaDraw(r *rand.Rand, a float64) float64 {
	if a < 1 {
		return gammaDraw(r, a+1) * math.Pow(r.Float64(), 1/a)
	}
	d := a - 1.0/3
	for {
		z := r.NormFloat64()
		v := math.Pow(1+z/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(r.Float64()) < z*z/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func FuzzCapacity(f *testing.F) {
	f.Add(uint8(3), 10.0, seed(1, 2, 30, 1, 2, 31, 1, 3, 33))
	f.Add(uint8(1), 1.0, seed(hostile[4]...))
	f.Fuzz(func(t *testing.T, m uint8, limit float64, b []byte) {
		levels := make([]float64, m%9)
		for j := range levels {
			levels[j] = float64(j + 1)
		}
		var runs [][]float64
		if m%9 > 0 {
			runs = slices.Collect(slices.Chunk(samples(b), len(levels)))
		}
		for _, o := range []Objective{{Max: limit, Values: runs}, {Min: limit, Values: runs}} {
			r, err := Capacity(levels, o)
			if err == nil && (r.Reason == "" || r.Low >= r.High || len(r.Intervals[0]) != len(levels)) {
				t.Errorf("%+v", r)
			}
			p, perr := BestOperatingPoint(levels, runs, o)
			if (err == nil) != (perr == nil) || perr == nil && (p.Reason == "" || (len(p.Best) > 0) != (p.Level > 0) ||
				len(p.Kept)+len(p.Broken)+len(p.Undecided) != len(levels)) {
				t.Errorf("%+v, %v, %v", p, err, perr)
			}
			if err == nil {
				roundTrip(t, r)
				roundTrip(t, p)
			}
		}
	})
}
