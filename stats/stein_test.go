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

func TestSteinKnownAnswer(t *testing.T) {
	p, err := SteinRuns(sampleA, 100, 0.95)
	if err != nil || p.N != 58 || !near(p.Exact, 57.5563847182603, 1e-13) || p.PilotN != 5 || p.Warnings != nil {
		t.Errorf("%+v, %v", p, err)
	}
	roundTrip(t, p)
	for _, c := range readVariation(t).Stein {
		p, err := SteinRuns(c.X, c.HalfWidth, 0.95)
		if err != nil || !near(p.Exact, c.Exact, 1e-11) || p.N != max(len(c.X), int(math.Ceil(c.Exact))) {
			t.Errorf("%+v, %v; want %v", p, err, c.Exact)
		}
	}
}

func TestSteinInterval(t *testing.T) {
	// A half-width that A reaches: its own t interval is ± 339.28.
	v, err := SteinInterval(sampleA, 5, 340, 0.95, "run")
	if err != nil || !near(v.Low, 6395.91727212173, 1e-14) || v.Warnings != nil {
		t.Errorf("%+v, %v", v, err)
	}
	// The pilot of 4 has SD 284.6 and t 3.182; 12 runs give ± t·284.6/√12, whatever the others are.
	more := append(slices.Clone(sampleA[:4]), 6800, 6700, 6600, 6750, 6720, 6790, 6810, 6690)
	_, _, mean, _ := moments(more)
	_, _, _, sd := moments(sampleA[:4])
	v, err = SteinInterval(more, 4, 300, 0.95, "run")
	if err != nil || v.N != 12 || v.DF != 3 || v.Estimate != mean || !near(v.HalfWidth(),
		3.18244630528371*sd/math.Sqrt(12), 1e-12) {
		t.Errorf("%+v, %v", v, err)
	}
	if v.HalfWidth() > 300 || v.Method == "Student's t" || len(v.Assumptions) != 4 {
		t.Errorf("%+v", v)
	}

	// A budget that ended early.
	v, err = SteinInterval(more, 5, 100, 0.95, "")
	fixed, _ := MeanInterval(more, 0.95, "")
	if err != nil || v.Low != fixed.Low || v.High != fixed.High || v.DF != 11 || v.Method != "Student's t" ||
		!slices.Equal(warned(v.Warnings), []string{UnitUnnamed, PrecisionNotReached}) {
		t.Errorf("%+v, %v", v, err)
	}
	if want := fmt.Sprintf("%d more would", mustPlan(t, more[:5], 100).N-12); !strings.Contains(v.Warnings[1].Text,
		want) {
		t.Errorf("%q, want %q", v.Warnings[1].Text, want)
	}
}

func mustPlan(t *testing.T, pilot []float64, halfWidth float64) SteinPlan {
	t.Helper()
	p, err := SteinRuns(pilot, halfWidth, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSteinIdenticalPilot(t *testing.T) {
	p := mustPlan(t, []float64{3, 3, 3}, 0.1)
	if p.N != 3 || !slices.Equal(warned(p.Warnings), []string{ResolutionLimited}) {
		t.Errorf("%+v", p)
	}
	v, err := SteinInterval([]float64{3, 3, 3}, 3, 0.1, 0.95, "run")
	if err != nil || v.Defined() || !slices.Equal(warned(v.Warnings), []string{ResolutionLimited}) {
		t.Errorf("all identical: %+v, %v", v, err)
	}
	// An interval without width around 3.25 would be a lie.
	v, err = SteinInterval([]float64{3, 3, 3, 4}, 3, 0.1, 0.95, "run")
	if err != nil || !(v.HalfWidth() > 0.1) || !slices.Equal(warned(v.Warnings), []string{ResolutionLimited,
		ResolutionLimited, PrecisionNotReached}) {
		t.Errorf("later ones differ: %+v, %v", v, err)
	}
	v, err = SteinInterval([]float64{3, 3, 3, 4}, 3, 2, 0.95, "run")
	if err != nil || !slices.Equal(warned(v.Warnings), []string{ResolutionLimited, ResolutionLimited}) {
		t.Errorf("later ones differ, wide enough: %+v, %v", v, err)
	}
}

func TestSteinErrors(t *testing.T) {
	for _, c := range []struct {
		x                []float64
		half, confidence float64
		kind             error
		place            string
	}{
		{nil, 1, 0.95, ErrEmpty, "pilot has length 0"},
		{[]float64{1}, 1, 0.95, ErrTooFew, "pilot has length 1"},
		{[]float64{1, math.NaN()}, 1, 0.95, ErrNotFinite, "pilot[1] = NaN"},
		{[]float64{1, 2}, 0, 0.95, ErrOutOfRange, "halfWidth = 0"},
		{[]float64{1, 2}, -1, 0.95, ErrOutOfRange, "halfWidth = -1"},
		{[]float64{1, 2}, math.Inf(1), 0.95, ErrOutOfRange, "halfWidth = +Inf"},
		{[]float64{1, 2}, 1e-9, 0.95, ErrOutOfRange, "halfWidth = 1e-09"},
		{[]float64{1, 2}, 1, 1, ErrOutOfRange, "confidence = 1"},
	} {
		_, err := SteinRuns(c.x, c.half, c.confidence)
		if !errors.Is(err, c.kind) || !strings.HasPrefix(fmt.Sprint(err), "stats: "+c.place+":") {
			t.Errorf("%v, %v, %v: %v", c.x, c.half, c.confidence, err)
		}
	}
	for _, pilot := range []int{-1, 0, 1, 6} {
		if _, err := SteinInterval(sampleA, pilot, 1, 0.95, "run"); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("a pilot of %d: %v", pilot, err)
		}
	}
	if _, err := SteinInterval([]float64{1, 2, math.NaN()}, 2, 1, 0.95, "run"); !errors.Is(err, ErrNotFinite) {
		t.Error(err)
	}
}

func simulationSource(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// checkCoverage logs a share of n draws and holds it between two bounds, with 4 standard errors allowed for at the
// short size.
func checkCoverage(t *testing.T, name string, hits, n int, low, high float64) {
	t.Helper()
	share := float64(hits) / float64(n)
	t.Logf("simulation: %s: %.2f %% of %d", name, 100*share, n)
	var slack float64
	if !*long {
		slack = 4 * math.Sqrt(max(share*(1-share), 0.0005)/float64(n))
	}
	if share < low-slack || share > high+slack {
		t.Errorf("%s: %.2f %%, want %.2f to %.2f", name, 100*share, 100*low, 100*high)
	}
}

// The interval that two stages give holds its confidence, and the one that is looked at after every run does not.
func TestSteinSimulation(t *testing.T) {
	const half = 0.025 // of the mean, 1
	for _, c := range []struct {
		cov               float64
		meanN             float64
		lookLow, lookHigh float64
	}{
		{0.02, 6.5, 0.929, 0.939},
		{0.04, 20, 0.895, 0.905},
		{0.08, 80, 0.922, 0.932},
	} {
		r := simulationSource(502)
		n := draws(4000, 100000)
		var covered, looked, runs int
		for range n {
			x := make([]float64, 5, 100)
			for i := range x {
				x[i] = 1 + c.cov*r.NormFloat64()
			}
			p, err := SteinRuns(x, half, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			runs += p.N
			for len(x) < p.N {
				x = append(x, 1+c.cov*r.NormFloat64())
			}
			v, err := SteinInterval(x, 5, half, 0.95, "run")
			if err != nil || v.HalfWidth() > half*(1+1e-12) {
				t.Fatal(v, err)
			}
			if v.Low <= 1 && 1 <= v.High {
				covered++
			}

			x = x[:2]
			for {
				if len(x) < cap(x) && len(x) >= 2 {
					x = append(x, 1+c.cov*r.NormFloat64())
				}
				if v, err = MeanInterval(x, 0.95, "run"); err != nil {
					t.Fatal(err)
				}
				if v.HalfWidth()/v.Estimate < half || len(x) == 30 {
					break
				}
			}
			if v.Low <= 1 && 1 <= v.High {
				looked++
			}
		}
		name := fmt.Sprintf("CoV %g %%", 100*c.cov)
		checkCoverage(t, "Stein's two-stage, "+name, covered, n, 0.948, 0.952)
		checkCoverage(t, "stopped when narrow enough, "+name, looked, n, c.lookLow, c.lookHigh)
		mean := float64(runs) / float64(n)
		t.Logf("simulation: Stein's two-stage, %s: %.1f runs on average", name, mean)
		if math.Abs(mean/c.meanN-1) > 0.06 {
			t.Errorf("%s: %v runs on average, want about %v", name, mean, c.meanN)
		}
	}
}

func FuzzStein(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), 2, 1.0)
	}
	f.Add(seed(sampleA...), 5, 100.0)
	f.Add(seed(1e-76, 9e-72, 7e-43), 2, 1.0) // a pilot whose spread is lost in the mean
	f.Fuzz(func(t *testing.T, b []byte, pilot int, half float64) {
		x := samples(b)
		v, err := SteinInterval(x, pilot, half, 0.95, "run")
		if err != nil {
			return
		}
		if v.Defined() && !finite([]float64{v.Estimate, v.Low, v.High, v.DF}) {
			t.Errorf("%v: %+v", x, v)
		}
		if !v.Defined() && !slices.Contains(warned(v.Warnings), ResolutionLimited) {
			t.Errorf("%v: an interval without width: %+v", x, v)
		}
	})
}
