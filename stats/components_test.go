package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// variationVectors are testdata/variation.json, by testdata/variation.py.
type variationVectors struct {
	Components    []nestedVector[[][][]float64]
	ComponentsTwo []nestedVector[[][]float64] `json:"components_two"`
	Stein         []struct {
		X         []float64
		HalfWidth float64 `json:"half_width"`
		Exact     float64
	}
	Mser []struct {
		X   []float64
		Cut int
	}
	Ramp []struct {
		X    []float64
		Ramp []float64
	}
	Batches []struct {
		X           []float64
		Concurrency int
		Batches     int
		Mean        []float64
		ESS         float64
	}
	Drift []struct {
		Y     [][]float64
		Total []float64
	}
	Kendall       []kendallVector
	KendallNormal []kendallVector `json:"kendall_normal"`
}

type nestedVector[T any] struct {
	X    T
	S2   []float64
	Mean []float64
}

type kendallVector struct {
	X []float64
	S int
	P float64
}

func readVariation(t *testing.T) variationVectors {
	t.Helper()
	var v variationVectors
	readJSON(t, "testdata/variation.json", &v)
	return v
}

// sameInterval compares with an estimate, a low and a high.
func sameInterval(v Interval, want []float64, tol float64) bool {
	return near(v.Estimate, want[0], tol) && near(v.Low, want[1], tol) && near(v.High, want[2], tol)
}

var (
	nestedNegative = [][][]float64{{{9, 5}, {8, 3}}, {{10, 6}, {7, 11}}, {{1, 12}, {2, 4}}}
	nestedPositive = [][][]float64{{{10, 12}, {11, 15}}, {{20, 22}, {19, 25}}, {{31, 30}, {36, 33}}}
)

func components(t *testing.T, x [][][]float64) Components {
	t.Helper()
	c, err := VarianceComponents(x, 0.95, "run with restart", "run", "request")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVarianceComponentsKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name         string
		x            [][][]float64
		mean, half   float64
		s2, unbiased [3]float64 // the outermost first
		dropped      string
	}{
		{"a negative component", nestedNegative, 6.5, 4.6887,
			[3]float64{3.5625, 2.5833333333333333, 16.5}, [3]float64{2.2708333333333333, -5.6666666666666667, 16.5},
			"run"},
		{"none negative", nestedPositive, 22, 25.4851221890626,
			[3]float64{105.25, 3.5, 5.83333333333333}, [3]float64{103.5, .583333333333333, 5.83333333333333}, ""},
	} {
		got := components(t, c.x)
		if !near(got.Mean.Estimate, c.mean, 1e-14) || !near(got.Mean.HalfWidth(), c.half, 1e-5) {
			t.Errorf("%s: %v ± %.15g", c.name, got.Mean.Estimate, got.Mean.HalfWidth())
		}
		if got.Mean.N != 3 || got.Mean.DF != 2 || got.Mean.Unit != "run with restart" || got.Mean.Warnings != nil {
			t.Errorf("%s: %+v", c.name, got.Mean)
		}
		for d, level := range got.Levels {
			if !near(level.S2, c.s2[d], 1e-14) || !near(level.Unbiased, c.unbiased[d],
				1e-13) || level.T2 != max(level.Unbiased, 0) {
				t.Errorf("%s: %+v", c.name, level)
			}
			if level.Dropped != (level.Unit == c.dropped) || level.Repetitions != []int{3, 2, 2}[d] {
				t.Errorf("%s: %+v", c.name, level)
			}
		}
		switch {
		case c.dropped == "" && got.Warnings != nil:
			t.Errorf("%s: %v", c.name, got.Warnings)
		case c.dropped != "" && (!slices.Equal(warned(got.Warnings), []string{ComponentDropped}) ||
			!strings.Contains(got.Warnings[0].Text, `"`+c.dropped+`" is estimated as -5.667`)):
			t.Errorf("%s: %v", c.name, got.Warnings)
		}
		roundTrip(t, got)
	}
	if got := components(t, nestedPositive).Mean.HalfWidth(); !near(got, 25.4851221890626, 1e-14) {
		t.Errorf("± %.16g", got)
	}
}

func TestVarianceComponentsNumpy(t *testing.T) {
	vectors := readVariation(t)
	check := func(c Components, err error, s2, mean []float64) {
		t.Helper()
		if err != nil || !sameInterval(c.Mean, mean, 1e-12) {
			t.Errorf("%+v, %v; want %v", c.Mean, err, mean)
			return
		}
		for d, level := range c.Levels {
			if !near(level.S2, s2[d], 1e-11) {
				t.Errorf("level %d: %+v, want %v", d, level, s2)
			}
		}
	}
	for _, v := range vectors.Components {
		c, err := VarianceComponents(v.X, 0.95, "a", "b", "c")
		check(c, err, v.S2, v.Mean)
	}
	for _, v := range vectors.ComponentsTwo {
		c, err := VarianceComponents(v.X, 0.95, "a", "b")
		check(c, err, v.S2, v.Mean)
	}
	if len(vectors.Components) != 3 || len(vectors.ComponentsTwo) != 2 {
		t.Error("vectors are missing")
	}
}

func TestVarianceComponentsErrors(t *testing.T) {
	nan := math.NaN()
	three := []string{"a", "b", "c"}
	for _, c := range []struct {
		name  string
		x     [][][]float64
		conf  float64
		units []string
		kind  error
		place string
	}{
		{"nothing", nil, 0.95, three, ErrEmpty, "x has length 0"},
		{"no run", [][][]float64{{}, {{1, 2}}}, 0.95, three, ErrEmpty, "x[0] has length 0"},
		{"no request", [][][]float64{{{1, 2}, {}}, {{1, 2}, {1, 2}}}, 0.95, three, ErrEmpty, "x[0][1] has length 0"},
		{"one restart", nestedPositive[:1], 0.95, three, ErrTooFew, "x has length 1"},
		{"one run", [][][]float64{{{1, 2}}, {{1, 3}}}, 0.95, three, ErrTooFew, "x[0] has length 1"},
		{"one request", [][][]float64{{{1}, {2}}, {{1}, {3}}}, 0.95, three, ErrTooFew, "x[0][0] has length 1"},
		{"ragged runs", [][][]float64{{{1, 2}, {3, 4}}, {{1, 2}, {3, 4}, {5, 6}}}, 0.95, three, ErrLengthMismatch,
			"x[1] has length 3"},
		{"ragged requests", [][][]float64{{{1, 2}, {3, 4}}, {{1, 2}, {3, 4, 5}}}, 0.95, three, ErrLengthMismatch,
			"x[1][1] has length 3"},
		{"all of a restart longer", [][][]float64{{{1, 2}, {3, 4}}, {{1, 2, 3}, {3, 4, 5}}}, 0.95, three,
			ErrLengthMismatch, "x[1][0] has length 3"},
		{"NaN", [][][]float64{{{1, 2}, {3, 4}}, {{1, 2}, {nan, 4}}}, 0.95, three, ErrNotFinite, "x[1][1][0] = NaN"},
		{"overflow", [][][]float64{{{1, 2}, {3, 4}}, {{1, -1e200}, {3, 4}}}, 0.95, three, ErrOverflow,
			"x[1][0][1] = -1e+200"},
		{"confidence", nestedPositive, 95, three, ErrOutOfRange, "confidence = 95"},
		{"units", nestedPositive, 0.95, []string{"run"}, ErrLengthMismatch, "units has length 1"},
	} {
		_, err := VarianceComponents(c.x, c.conf, c.units...)
		if !errors.Is(err, c.kind) || !strings.HasPrefix(fmt.Sprint(err), "stats: "+c.place+":") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := VarianceComponents([][]float64{{1, 2}, {3}}, 0.95, "a", "b"); !errors.Is(err, ErrTooFew) {
		t.Error(err)
	}
	if _, err := VarianceComponents([][]float64{{1, 2}, {3, 4, 5}}, 0.95, "a", "b"); !errors.Is(err,
		ErrLengthMismatch) {
		t.Error(err)
	}
}

// The components that the samples were drawn with come back.
func TestVarianceComponentsSimulation(t *testing.T) {
	r := simulationSource(501)
	n := draws(2000, 50000)
	want := [3]float64{4, 1, 9} // variances: restart, run, request
	var sum [3]float64
	var covered int
	for range n {
		x := make([][][]float64, 4)
		for i := range x {
			restart := 100 + 2*r.NormFloat64()
			x[i] = make([][]float64, 3)
			for j := range x[i] {
				run := restart + r.NormFloat64()
				x[i][j] = make([]float64, 5)
				for k := range x[i][j] {
					x[i][j][k] = run + 3*r.NormFloat64()
				}
			}
		}
		c, err := VarianceComponents(x, 0.95, "restart", "run", "request")
		if err != nil {
			t.Fatal(err)
		}
		for d, level := range c.Levels {
			sum[d] += level.Unbiased
		}
		if c.Mean.Low <= 100 && 100 <= c.Mean.High {
			covered++
		}
	}
	for d := range want {
		got := sum[d] / float64(n)
		t.Logf("simulation: variance component %d: %.3f, true %g", d, got, want[d])
		if math.Abs(got/want[d]-1) > 10/math.Sqrt(float64(n)) {
			t.Errorf("component %d: %v, want %v", d, got, want[d])
		}
	}
	checkCoverage(t, "mean of nested samples, 4 restarts", covered, n, 0.945, 0.955)
}

func FuzzVarianceComponents(f *testing.F) {
	for _, x := range hostile {
		f.Add(uint8(2), uint8(2), seed(x...))
	}
	f.Add(uint8(2), uint8(2), seed(9, 5, 8, 3, 10, 6, 7, 11, 1, 12, 2, 4))
	f.Fuzz(func(t *testing.T, runs, requests uint8, b []byte) {
		flat := samples(b)
		var x [][][]float64
		for a, c := int(runs%4)+1, int(requests%4)+1; len(flat) >= a*c; flat = flat[a*c:] {
			var restart [][]float64
			for j := range a {
				restart = append(restart, flat[j*c:(j+1)*c])
			}
			x = append(x, restart)
		}
		c, err := VarianceComponents(x, 0.95, "a", "b", "c")
		if err != nil {
			return
		}
		if !c.Mean.Defined() || !finite([]float64{c.Mean.Low, c.Mean.High}) {
			t.Errorf("%v: %+v", x, c.Mean)
		}
		for _, level := range c.Levels {
			if !finite([]float64{level.S2, level.T2, level.Unbiased}) || level.S2 < 0 || level.T2 < 0 {
				t.Errorf("%v: %+v", x, level)
			}
		}
		p, err := c.Plan([]float64{100, 20, 3}, 1)
		if err != nil {
			return
		}
		for _, d := range []Design{p.Best, p.AsPilot} {
			if !(d.Cost > 0) || math.IsInf(d.Cost, 0) || slices.Min(d.Repetitions) < 1 || d.Repetitions[0] < 2 {
				t.Errorf("%v: %+v", x, p)
			}
		}
		roundTrip(t, p)
	})
}
