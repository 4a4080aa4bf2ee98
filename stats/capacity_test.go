package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCapacity(t *testing.T) {
	levels := []float64{10, 20, 40, 80}
	// Three runs with mean m and SD 1 at each level: the 95 % interval is m ± 4.3027/√3 = ± 2.484; that of 1 − 0.05/4,
	// with t(0.00625) = 8.86 on 2 degrees of freedom, is m ± 5.115.
	around := func(means ...float64) [][]float64 {
		var runs [][]float64
		for _, d := range []float64{-1, 0, 1} {
			var run []float64
			for _, m := range means {
				run = append(run, m+d)
			}
			runs = append(runs, run)
		}
		return runs
	}
	for _, c := range []struct {
		name   string
		runs   [][]float64
		below  string // at most 100
		above  string // at least 100
		next   []float64
		reason string
	}{
		{"both ends", around(50, 90, 110, 200), "[20, 40)", "< 10", []float64{28}, "up to 20 every level gives at most 100; 40 does not"},
		{"hardly met, hardly missed", around(50, 97.51, 105.12, 200), "[20, 40)", "< 10", []float64{28}, "up to 20"},
		{"hardly not", around(50, 97.52, 105.11, 200), "[10, 80)", "< 10", []float64{28}, "up to 10"},
		{"all met", around(50, 60, 70, 80), "≥ 80, limit not reached", "< 10", []float64{160}, "up to 80 every level gives at most 100; no level is"},
		{"none met", around(150, 160, 170, 180), "< 10", "≥ 80, limit not reached", []float64{5}, "the lowest level, 10, is not shown to give at most 100; 10 does"},
		{"lowest at the limit", around(100, 160, 170, 180), "< 20", "not resolved", []float64{5}, "the lowest level, 10"},
		{"one that does well beyond does not count", around(50, 150, 50, 50), "[10, 20)", "< 10", []float64{14}, "up to 10"},
		{"all at the limit", around(100, 100, 100, 100), "not resolved", "not resolved", nil, "the lowest level, 10"},
		{"one run", repeat(1, 50, 60, 150, 160), "not resolved", "not resolved", nil, "the lowest level"},
	} {
		b, err := CapacityBelow(levels, c.runs, 100)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if b.String() != c.below || !slices.Equal(b.Next, c.next) || !strings.HasPrefix(b.Reason, c.reason) || len(b.Levels) != 4 {
			t.Errorf("%s: %v, next %v, %q", c.name, b, b.Next, b.Reason)
		}
		a, err := CapacityAbove(levels, c.runs, 100)
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

func TestCapacityErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		levels []float64
		runs   [][]float64
		limit  float64
		kind   error
		text   string
	}{
		{"no levels", nil, nil, 1, ErrEmpty, "levels has length 0"},
		{"no runs", []float64{1}, nil, 1, ErrEmpty, "runs has length 0"},
		{"levels fall", []float64{2, 1}, nil, 1, ErrNotSorted, "levels[1] = 1"},
		{"limit NaN", []float64{1}, repeat(3, 1), math.NaN(), ErrNotFinite, "limit = NaN"},
		{"incomplete", []float64{1, 2}, [][]float64{{1, 2}, {1}}, 1, ErrLengthMismatch, "runs[1] has length 1"},
		{"infinite", []float64{1, 2}, [][]float64{{1, math.Inf(1)}}, 1, ErrNotFinite, "runs[0][1] = +Inf"},
		{"overflow", []float64{1}, [][]float64{{math.MaxFloat64}, {-math.MaxFloat64}}, 1, ErrOverflow, ""},
	} {
		_, err := CapacityBelow(c.levels, c.runs, c.limit)
		wantError(t, c.name, err, c.kind, c.text)
	}
}

// The claim of the comment on CapacityBelow, with the truths that are hardest: levels at the limit or a trace beyond.
func TestCapacitySimulation(t *testing.T) {
	size := draws(500, 40000)
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
		for _, cov := range []float64{0.01, 0.12} {
			for _, n := range []int{3, 5, 10} {
				rng := rand.New(rand.NewPCG(13, uint64(n)<<32+uint64(cov*1000)))
				runs := repeat(n, c.means...)
				var covered, both float64
				for range size {
					for _, run := range runs {
						for j, m := range c.means {
							run[j] = m * (1 + cov*rng.NormFloat64())
						}
					}
					r, err := CapacityBelow(levels, runs, 100)
					if err != nil {
						t.Fatal(err)
					}
					tooHigh := c.truth < 0 && r.Low > 0 || c.truth >= 0 && r.Low > levels[c.truth]
					tooLow := c.truth >= 0 && r.High <= levels[c.truth]
					if !tooHigh && !tooLow {
						covered += 1 / float64(size)
					}
					if r.Low < r.High {
						both += 1 / float64(size)
					}
				}
				cell := fmt.Sprintf("%s, CoV %g %%, n = %d", c.name, cov*100, n)
				t.Logf("simulation: capacity: %s: covered %.4f, both ends %.4f", cell, covered, both)
				if covered < 0.95-slack(0.95, size) {
					t.Errorf("%s: the truth is covered in %.4f", cell, covered)
				}
			}
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
		for _, of := range []func([]float64, [][]float64, float64) (CapacityResult, error){CapacityBelow, CapacityAbove} {
			r, err := of(levels, runs, limit)
			if err != nil {
				continue
			}
			if r.Reason == "" || r.Low >= r.High || len(r.Levels) != len(levels) {
				t.Errorf("%+v", r)
			}
			roundTrip(t, r)
		}
	})
}
