package stats

import (
	"math"
	"slices"
	"testing"
)

func TestKneeNext(t *testing.T) {
	// Three runs of one curve with a speed of their own and a little noise, which no level shares with another.
	runsOf := func(noise float64, curve ...float64) [][]float64 {
		var runs [][]float64
		for i, speed := range []float64{1, 1.1, 0.9} {
			var run []float64
			for j, y := range curve {
				run = append(run, speed*y*(1+noise*float64((i*(j+2)+j)%3-1)))
			}
			runs = append(runs, run)
		}
		return runs
	}
	for _, c := range []struct {
		name     string
		levels   []float64
		runs     [][]float64
		want     string
		next     []float64
		nextRuns int
	}{
		{"bracketed: the geometric middle", []float64{10, 40, 160}, runsOf(0.001, 20, 95, 96), "(10, 40]",
			[]float64{20}, 0},
		{"rounded to a whole number", []float64{10, 50, 100}, runsOf(0.001, 20, 95, 96), "(10, 50]", []float64{22}, 0},
		{"rates are not whole", []float64{2.5, 10, 20}, runsOf(0.001, 20, 95, 96), "(2.5, 10]", []float64{5}, 0},
		{"whole neighbours", []float64{7, 8, 9}, runsOf(0.001, 50, 95, 96), "(7, 8]", nil, 0},
		{"whole, one between", []float64{1, 3, 9}, runsOf(0.001, 50, 95, 96), "(1, 3]", []float64{2}, 0},
		{"between whole numbers, where levels are rates", []float64{7, 8, 9.5}, runsOf(0.001, 50, 95, 96), "(7, 8]",
			[]float64{7 * math.Sqrt(8./7)}, 0},
		{"still rising", []float64{1, 2, 4}, runsOf(0.001, 10, 20, 40), "> 2, saturation not shown", []float64{8}, 0},
		{"saturated from the lowest", []float64{5, 10, 20}, runsOf(0.001, 40, 40, 40), "≤ 5", []float64{3}, 0},
		{"nothing below the lowest", []float64{1, 2, 4}, runsOf(0.001, 40, 40, 40), "≤ 1", nil, 0},
		{"rates go on below", []float64{0.5, 2, 4}, runsOf(0.001, 40, 40, 40), "≤ 0.5", []float64{0.25}, 0},
		// The two highest levels of the worked example's first three runs differ by SD 0.0444 of their log ratio:
		// (1.645 + 0.842)² · (0.0444/0.0513)² + 1.645²/2 = 5.97.
		{"more runs may do", kneeLevels, kneeRuns[:3], "> 100, saturation not shown", []float64{1600}, 6},
		// ln(140/100), ln(90/150), ln(120/70): SD 0.5569; 6.183 · (0.5569/0.05129)² + 1.353 = 730.2.
		{"noise", []float64{1, 2}, [][]float64{{100, 140}, {150, 90}, {70, 120}}, "not resolved", nil, 731},
		// The statistic is neither below −4.85 nor above 2.92, and 2 runs would show two equal levels.
		{"too near each other", []float64{4, 8}, [][]float64{{95, 100}, {95.1, 100}, {94.9, 100}}, "not resolved",
			[]float64{2, 16}, 0},
		{"two runs", kneeLevels, kneeRuns[:2], "not resolved", nil, 3},
		{"one level", []float64{8}, repeat(5, 100), "not resolved", []float64{16}, 0},
		{"one level, one run", []float64{8}, repeat(1, 100), "not resolved", []float64{16}, 3},
		{"nothing", nil, nil, "not resolved", nil, 0},
		{"beyond the largest number", []float64{1, 1e308}, runsOf(0.001, 1, 40), "> 1, saturation not shown", nil, 0},
	} {
		r, err := Knee(c.levels, c.runs)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if r.bracket() != c.want || !slices.Equal(r.Next, c.next) || r.NextRuns != c.nextRuns {
			t.Errorf("%s: %v, next %v, runs %d; want %s, %v, %d", c.name, r, r.Next, r.NextRuns, c.want, c.next,
				c.nextRuns)
		}
		roundTrip(t, r)
	}
}

// By hand: ⌈6.1826·(SD/0.051293)² + 1.3528⌉, and 0 where that is not more than the three runs at hand.
func TestKneeNextRuns(t *testing.T) {
	two := func(sd float64) *pairs { // whose log ratios, −c, 0 and c, have that SD
		return &pairs{z: [][]float64{{-sd, 0}, {0, 0}, {sd, 0}}, d: make([]float64, 3)}
	}
	for _, c := range []struct {
		sd   float64
		want int
	}{
		{0, 0}, {0.01, 0}, {0.0264, 0}, {0.03, 4}, {0.0513, 8}, {0.1, 25}, {1e6, math.MaxInt32},
	} {
		if got := two(c.sd).moreRuns(); got != c.want {
			t.Errorf("SD %v: %d runs, want %d", c.sd, got, c.want)
		}
	}
}
