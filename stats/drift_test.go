package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDriftScipy(t *testing.T) {
	for i, c := range readVariation(t).Drift {
		r, err := Drift(c.Y, 0.95, "run")
		if err != nil || !sameInterval(r.Total, c.Total, 1e-9) {
			t.Errorf("%d: %+v, %v; want %v", i, r, err, c.Total)
			continue
		}
		if !near(r.Total.HalfWidth(), r.Factor*r.ResidualSD, 1e-12) || r.Assessed != (len(c.Y) >= 5) ||
			(r.Trend != nil) != r.Assessed {
			t.Errorf("%d: %+v", i, r)
		}
		roundTrip(t, r)
	}
}

func TestDriftFactors(t *testing.T) {
	for _, c := range []struct {
		n        int
		want     float64
		assessed bool
	}{{3, 17.97, false}, {4, 5.77, false}, {5, 4.03, true}, {10, 2.285, true}} {
		y := make([][]float64, c.n)
		for i := range y {
			y[i] = []float64{100 + float64(i*i%4), 50}
		}
		r, err := Drift(y, 0.95, "run")
		if err != nil || math.Abs(r.Factor-c.want) > 0.005 || r.Assessed != c.assessed {
			t.Errorf("n = %d: %v, %v, %v", c.n, r.Factor, r.Assessed, err)
		}
		if got := slices.Contains(warned(r.Total.Warnings), DriftNotAssessed); got == c.assessed {
			t.Errorf("n = %d: %v", c.n, r.Total.Warnings)
		}
	}
}

func TestDriftFewRuns(t *testing.T) {
	one, err := Drift([][]float64{{100, 50}}, 0.95, "run")
	if err != nil || !math.IsNaN(one.Total.Estimate) || one.Total.Defined() || one.Assessed || one.Trend != nil {
		t.Errorf("%+v, %v", one, err)
	}
	roundTrip(t, one)
	two, err := Drift([][]float64{{100, 50}, {110, 55}}, 0.95, "run")
	if err != nil || !near(two.Total.Estimate, math.Log(1.1), 1e-12) || two.Total.Defined() || two.Assessed {
		t.Errorf("%+v, %v", two, err)
	}
	roundTrip(t, two)
	same, err := Drift([][]float64{{100, 50}, {100, 50}, {100, 50}, {100, 50}, {100, 50}}, 0.95, "run")
	if err != nil || same.Total.Defined() || !slices.Equal(warned(same.Total.Warnings),
		[]string{ResolutionLimited}) || same.Trend.P != 1 {
		t.Errorf("%+v, %v", same, err)
	}
}

func TestDriftErrors(t *testing.T) {
	for _, c := range []struct {
		y          [][]float64
		confidence float64
		kind       error
		place      string
	}{
		{nil, 0.95, ErrEmpty, "y has length 0"},
		{[][]float64{{1}, {}}, 0.95, ErrEmpty, "y[1] has length 0"},
		{[][]float64{{1, 2}, {3}}, 0.95, ErrLengthMismatch, "y[1] has length 1"},
		{[][]float64{{1, 2}, {3, 0}}, 0.95, ErrOutOfRange, "y[1][1] = 0"},
		{[][]float64{{1, -2}, {3, 4}}, 0.95, ErrOutOfRange, "y[0][1] = -2"},
		{[][]float64{{1, math.NaN()}, {3, 4}}, 0.95, ErrNotFinite, "y[0][1] = NaN"},
		{[][]float64{{1}}, 0, ErrOutOfRange, "confidence = 0"},
	} {
		if _, err := Drift(c.y, c.confidence, "run"); !errors.Is(err, c.kind) || !strings.HasPrefix(fmt.Sprint(err),
			"stats: "+c.place+":") {
			t.Errorf("%v: %v", c.y, err)
		}
	}
}

func TestDriftSimulation(t *testing.T) {
	for _, runs := range []int{3, 5, 10} {
		r := simulationSource(505)
		n := draws(3000, 100000)
		var covered int
		y := make([][]float64, runs)
		for range n {
			for i := range y {
				z := 0.1*float64(i)/float64(runs-1) + 0.04*r.NormFloat64() // 0.1 in all
				y[i] = []float64{100 * math.Exp(z), 500 * math.Exp(z)}
			}
			d, err := Drift(y, 0.95, "run")
			if err != nil {
				t.Fatal(err)
			}
			if d.Total.Low <= 0.1 && 0.1 <= d.Total.High {
				covered++
			}
		}
		checkCoverage(t, fmt.Sprintf("drift over %d runs", runs), covered, n, 0.947, 0.953)
	}
}

func FuzzDrift(f *testing.F) {
	for _, x := range hostile {
		f.Add(uint8(2), seed(x...))
	}
	f.Add(uint8(1), seed(sampleA...))
	f.Fuzz(func(t *testing.T, levels uint8, b []byte) {
		flat := samples(b)
		var y [][]float64
		for m := int(levels%8) + 1; len(flat) >= m; flat = flat[m:] {
			y = append(y, flat[:m])
		}
		r, err := Drift(y, 0.95, "run")
		if err != nil {
			return
		}
		if defined := r.Total.Defined(); len(y) >= 3 && !defined && !hasWarning(r.Total.Warnings, ResolutionLimited) ||
			defined && (len(y) < 3 || !finite([]float64{r.Total.Low, r.Total.High, r.ResidualSD, r.Factor})) {
			t.Errorf("%v: %+v", y, r)
		}
		roundTrip(t, r)
	})
}
