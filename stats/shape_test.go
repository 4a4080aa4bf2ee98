package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFitShapeAgainstScipy(t *testing.T) {
	var v curveVectors
	readJSON(t, "testdata/curves.json", &v)
	if len(v.Shapes) == 0 {
		t.Fatal("no vectors")
	}
	for _, c := range v.Shapes {
		s, err := FitShape(c.Levels, c.Runs)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != c.Fits[0].Name || len(s.Fits) != len(c.Fits) {
			t.Errorf("%s: %s of %d, want %s of %d", c.Name, s.Name, len(s.Fits), c.Fits[0].Name, len(c.Fits))
		}
		for _, want := range c.Fits {
			i := slices.IndexFunc(s.Fits, func(f ShapeFit) bool { return f.Name == want.Name })
			if i < 0 || !near(s.Fits[i].RSS, want.RSS, 1e-6) || math.Abs(s.Fits[i].AICc-want.AICc) > 1e-4 {
				t.Errorf("%s, %s: %+v, want RSS %v, AICc %v", c.Name, want.Name, s.Fits, want.RSS, want.AICc)
			}
		}
		roundTrip(t, s)
	}
}

// Curves without noise are recognised, with their parameters; of shapes that can all be the curve, the simplest.
func TestFitShapeRecognises(t *testing.T) {
	levels := []float64{1, 2, 5, 10, 20, 50, 100}
	for _, c := range []struct {
		name  string
		want  []float64
		curve func(n float64) float64
	}{
		{ShapeFlat, []float64{300}, func(float64) float64 { return 300 }},
		{ShapeLinear, []float64{7}, func(n float64) float64 { return 7 * n }},
		{ShapeHockeyStick, []float64{7, 100}, func(n float64) float64 { return min(7*n, 100) }},
		{ShapeHyperbola, []float64{2000, 15}, func(n float64) float64 { return 2000 * n / (n + 15) }},
		{ShapeHyperbolaCapped, []float64{2000, 40, 900}, func(n float64) float64 { return min(2000*n/(n+40), 900) }},
		{ShapeUSL, []float64{50, 0.03, 0.0005}, func(n float64) float64 {
			return 50 * n / (1 + 0.03*(n-1) +
				0.0005*n*(n-1))
		}},
	} {
		var runs [][]float64
		for _, speed := range []float64{1, 1, 1} {
			var run []float64
			for _, n := range levels {
				run = append(run, speed*c.curve(n))
			}
			runs = append(runs, run)
		}
		s, err := FitShape(levels, runs)
		if err != nil || s.Name != c.name || s.N != 21 || s.Warnings != nil {
			t.Errorf("%s: %+v, %v", c.name, s, err)
			continue
		}
		for i, p := range s.Fits[0].Parameters {
			if !near(p, c.want[i], 1e-4) {
				t.Errorf("%s: parameters %v, want %v", c.name, s.Fits[0].Parameters, c.want)
			}
		}
		// A run's own speed changes neither the shape nor how it is ranked.
		for i := range runs {
			for j := range runs[i] {
				runs[i][j] *= []float64{1, 1.3, 1 / 1.3}[i]
			}
		}
		if again, err := FitShape(levels, runs); err != nil || again.Name != c.name {
			t.Errorf("%s: with runs of unlike speed %s, %v", c.name, again.Name, err)
		}
	}
}

func TestFitShapeFewPoints(t *testing.T) {
	s, err := FitShape([]float64{1, 2, 4, 8}, [][]float64{{1, 2.1, 3.9, 8}})
	if err != nil || s.Name != ShapeLinear || len(s.Fits) != 2 || !slices.Equal(warned(s.Warnings),
		[]string{TooFewPoints}) {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = FitShape([]float64{1}, [][]float64{{1}})
	if err != nil || s.Name != "" || s.Fits != nil || !slices.Equal(warned(s.Warnings), []string{TooFewPoints}) {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = FitShape(nil, nil)
	wantError(t, "no levels", err, ErrEmpty, "levels has length 0")
	_, err = FitShape([]float64{1}, nil)
	wantError(t, "no runs", err, ErrEmpty, "runs has length 0")
	_, err = FitShape([]float64{1}, [][]float64{{-1}})
	wantError(t, "negative", err, ErrOutOfRange, "runs[0][0] = -1")
}

// How often the true shape has the least AICc: a description that would name the wrong curve as often as the right one
// would not be worth printing. Where noise hides a kink, the smooth curve beside it is named: there no bound is set.
func TestFitShapeSimulation(t *testing.T) {
	size := draws(12, 1000)
	for s, shape := range kneeShapes {
		want := []string{ShapeFlat, ShapeLinear, ShapeHockeyStick, ShapeHyperbola, ShapeHyperbolaCapped, ShapeUSL}[s]
		means := make([]float64, len(kneeSweep))
		for j, l := range kneeSweep {
			means[j] = shape.curve(l)
		}
		for _, cov := range []float64{0.01, 0.04, 0.12} {
			rng := rand.New(rand.NewPCG(17, uint64(s)<<32+uint64(cov*1000)))
			runs := repeat(5, means...)
			var named, unsettled float64
			for range size {
				for _, run := range runs {
					drawRun(rng, run, means, cov, 0.5)
				}
				r, err := FitShape(kneeSweep, runs)
				if err != nil {
					t.Fatal(err)
				}
				if r.Name == want {
					named += 1 / float64(size)
				}
				if !r.Fits[0].Converged {
					unsettled += 1 / float64(size)
				}
			}
			t.Logf("simulation: shape: %s, CoV %g %%, n = 5: named %.3f, without convergence %.3f", shape.name,
				cov*100, named, unsettled)
			if cov < 0.1 && named < 0.8-slack(0.8, size) {
				t.Errorf("%s, CoV %v: named in %.3f", shape.name, cov, named)
			}
			if unsettled > 0.05+slack(0.05, size) {
				t.Errorf("%s, CoV %v: the best fit did not settle in %.3f", shape.name, cov, unsettled)
			}
		}
	}
}
