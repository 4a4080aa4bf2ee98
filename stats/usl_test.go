package stats

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// wantError checks the kind of an error and a part of its text.
func wantError(t *testing.T, name string, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v; want %v with %q", name, err, kind, text)
	}
}

// curveVectors are fits by testdata/curves.py, which uses scipy.
type curveVectors struct {
	USL []struct {
		Name                     string
		Levels                   []float64
		Runs                     [][]float64
		Gamma, Sigma, Kappa, RSS float64
	}
	Shapes []struct {
		Name   string
		Levels []float64
		Runs   [][]float64
		Fits   []ShapeFit // in the order of AICc
	}
}

// The published vectors: one that follows the law to the digits given, and the data set specsdm91 as R's package usl
// fits it.
func TestFitUSLPublished(t *testing.T) {
	for _, c := range []struct {
		name                              string
		levels, y                         []float64
		gamma, sigma, kappa, peak, within float64
		warnings                          []string
	}{
		{"exact", []float64{1, 2, 4, 6, 8, 10}, []float64{1, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557}, 1, 0.02, 0.02, 7,
			1e-3, nil},
		{"specsdm91", []float64{1, 18, 36, 72, 108, 144, 216}, []float64{64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0,
			1702.2},
			89.9952, 0.0277285, 1.04365e-4, 96.5196, 1e-5, nil},
	} {
		u, err := FitUSL(c.levels, [][]float64{c.y})
		if err != nil {
			t.Fatal(err)
		}
		if !near(u.Gamma, c.gamma, c.within) || !near(u.Sigma, c.sigma, c.within) || !near(u.Kappa, c.kappa,
			c.within) ||
			!near(u.Peak, c.peak, c.within) || !u.Converged || u.N != len(c.levels) ||
			!slices.Equal(warned(u.Warnings), c.warnings) {
			t.Errorf("%s: %+v", c.name, u)
		}
		roundTrip(t, u)
	}
}

func TestFitUSLAgainstScipy(t *testing.T) {
	var v curveVectors
	readJSON(t, "testdata/curves.json", &v)
	if len(v.USL) == 0 {
		t.Fatal("no vectors")
	}
	for _, c := range v.USL {
		u, err := FitUSL(c.Levels, c.Runs)
		if err != nil {
			t.Fatal(err)
		}
		if !near(u.Gamma, c.Gamma, 1e-5) || math.Abs(u.Sigma-c.Sigma) > 1e-5 ||
			math.Abs(u.Kappa-c.Kappa) > 1e-5*(c.Kappa+1e-4) ||
			!near(u.RSS, c.RSS, 1e-7) || !u.Converged {
			t.Errorf("%s: %+v, want γ %v σ %v κ %v RSS %v", c.Name, u, c.Gamma, c.Sigma, c.Kappa, c.RSS)
		}
	}
}

// Where the law's parameters lie on the edge of their range.
func TestFitUSLEdges(t *testing.T) {
	law := func(gamma, sigma, kappa float64, levels []float64) [][]float64 {
		var run []float64
		for _, n := range levels {
			run = append(run, gamma*n/(1+sigma*(n-1)+kappa*n*(n-1)))
		}
		return [][]float64{run}
	}
	levels := []float64{1, 2, 4, 8, 16, 32}
	for _, c := range []struct {
		name                string
		gamma, sigma, kappa float64
		peak                float64
		warnings            []string
	}{
		{"a peak among the levels", 100, 0.05, 0.004, math.Sqrt(0.95 / 0.004), nil},
		{"a peak beyond", 1e9, 0.05, 1e-4, math.Sqrt(0.95 / 1e-4), []string{Extrapolated}},
		{"no crosstalk", 1e-9, 0.2, 0, math.Inf(1), []string{Extrapolated}},
		{"linear", 100, 0, 0, math.Inf(1), []string{Extrapolated}},
		{"falls from the start", 100, 1.5, 0.01, math.NaN(), []string{Extrapolated}},
	} {
		u, err := FitUSL(levels, law(c.gamma, c.sigma, c.kappa, levels))
		if err != nil {
			t.Fatal(err)
		}
		same := near(u.Peak, c.peak, 1e-5) || u.Peak == c.peak || math.IsNaN(u.Peak) && math.IsNaN(c.peak)
		if math.IsInf(c.peak, 1) && u.Peak > 1e4 { // κ is 0 to within rounding
			same = true
		}
		if !near(u.Gamma, c.gamma, 1e-5) || math.Abs(u.Sigma-c.sigma) > 1e-6 || math.Abs(u.Kappa-c.kappa) > 1e-8 ||
			!same ||
			!u.Converged || !slices.Equal(warned(u.Warnings), c.warnings) {
			t.Errorf("%s: %+v", c.name, u)
		}
		roundTrip(t, u)
	}

	// The issue's: throughput falls over all levels, and the law's peak lies below the lowest.
	for _, y := range [][]float64{{40, 30, 20, 10}, {400, 390, 350, 300}} {
		u, err := FitUSL([]float64{10, 20, 40, 80}, [][]float64{y})
		if err != nil || u.Peak >= 10 || !slices.Equal(warned(u.Warnings), []string{Extrapolated}) ||
			!strings.Contains(u.Warnings[0].Text, "below the lowest, 10") {
			t.Errorf("%v: %+v, %v", y, u, err)
		}
	}

	// Faster than linear would be σ < 0: held at 0, with what is left a straight line through the origin, Σxy/Σx² =
	// 8.5.
	u, err := FitUSL([]float64{1, 2, 4}, [][]float64{{5, 13, 36.875}})
	if err != nil || u.Sigma != 0 || u.Kappa != 0 || !near(u.Gamma, (5+26+147.5)/21, 1e-9) || !math.IsInf(u.Peak, 1) {
		t.Errorf("superlinear: %+v, %v", u, err)
	}
}

func TestFitUSLErrors(t *testing.T) {
	_, err := FitUSL([]float64{1, 2, 3}, nil)
	wantError(t, "no runs", err, ErrEmpty, "runs has length 0")
	_, err = FitUSL([]float64{1, 2}, repeat(5, 1, 2))
	wantError(t, "two levels", err, ErrTooFew, "levels has length 2")
	_, err = FitUSL([]float64{1, 2, 3}, [][]float64{{1, 2, math.NaN()}})
	wantError(t, "NaN", err, ErrNotFinite, "runs[0][2] = NaN")
	_, err = FitUSL([]float64{1, 2, 3}, [][]float64{{1e300, 1e308, 1}})
	wantError(t, "too large", err, ErrOverflow, "runs = 1e+308")
}

func TestLeastSquares(t *testing.T) {
	// Rosenbrock's valley: both residuals vanish at (1, 1).
	p, rss, converged := leastSquares(func(p, r []float64) { r[0], r[1] = 10*(p[1]-p[0]*p[0]), 1-p[0] },
		[]float64{-1.2, 1}, 2)
	if !converged || math.Abs(p[0]-1) > 1e-8 || math.Abs(p[1]-1) > 1e-8 || rss > 1e-16 {
		t.Errorf("Rosenbrock: %v, %v, %v", p, rss, converged)
	}
	// Freudenstein and Roth: from here least squares lead to the local minimum of 48.98, not to the 0 at (5, 4).
	p, rss, converged = leastSquares(func(p, r []float64) {
		x, y := p[0], p[1]
		r[0], r[1] = -13+x+((5-y)*y-2)*y, -29+x+((y+1)*y-14)*y
	}, []float64{0.5, -2}, 2)
	if !converged || !near(rss, 48.98425, 1e-5) {
		t.Errorf("Freudenstein and Roth: %v, %v, %v", p, rss, converged)
	}
	// What does not settle says so: here every look finds something better, for ever.
	looks := 0.0
	if _, _, converged := leastSquares(func(_, r []float64) { looks++; r[0] = 1 / looks }, []float64{1}, 1); converged {
		t.Error("an endless descent has converged")
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if _, _, converged := leastSquares(func(_, r []float64) { r[0] = bad }, []float64{1}, 1); converged {
			t.Errorf("%v from the start, and converged", bad)
		}
	}
}

func FuzzFitUSL(f *testing.F) {
	f.Add(uint8(6), seed(1, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557))
	f.Add(uint8(3), seed(1, math.MaxFloat64, math.SmallestNonzeroFloat64, 1, 1, 1))
	f.Add(uint8(3), seed(3, 2, 1))
	f.Fuzz(func(t *testing.T, m uint8, b []byte) {
		levels := make([]float64, m%9)
		for j := range levels {
			levels[j] = float64(j + 1)
		}
		var runs [][]float64
		if m%9 > 0 {
			runs = slices.Collect(slices.Chunk(samples(b), len(levels)))
		}
		if len(runs) > 20 {
			return
		}
		if u, err := FitUSL(levels, runs); err == nil {
			if !(u.Gamma >= 0 && u.Sigma >= 0 && u.Kappa >= 0) || !u.Converged && !slices.Contains(warned(u.Warnings),
				NotConverged) {
				t.Errorf("%+v", u)
			}
			roundTrip(t, u)
		}
		if s, err := FitShape(levels, runs); err == nil {
			for _, fit := range s.Fits {
				if !finite(fit.Parameters) || !finite([]float64{fit.RSS, fit.AICc}) {
					t.Errorf("%+v", s)
				}
			}
			roundTrip(t, s)
		}
	})
}
