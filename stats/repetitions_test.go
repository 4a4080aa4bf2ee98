package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestPlanKnownAnswer(t *testing.T) {
	p, err := components(t, nestedPositive).Plan([]float64{100, 20, 3}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(p.Optimal[0]) || !near(p.Optimal[1], .167870051728445, 1e-13) || !near(p.Optimal[2],
		8.16496580927726, 1e-13) {
		t.Errorf("%.16g", p.Optimal)
	}
	// By hand: t² = 18.51282; T² 103.5 + .58333 + 5.83333/9 = 104.73148, so n = ⌈18.51282 · 1.0473148⌉ = ⌈19.39⌉; a
	// restart costs 100 + 20 + 9 · 3. As the pilot: S² 105.25, ⌈19.48⌉, and 100 + 2 · 20 + 4 · 3.
	if !slices.Equal(p.Best.Repetitions, []int{20, 1, 9}) || p.Best.Cost != 20*147 {
		t.Errorf("best %+v", p.Best)
	}
	if !slices.Equal(p.AsPilot.Repetitions, []int{20, 2, 2}) || p.AsPilot.Cost != 20*152 {
		t.Errorf("as the pilot %+v", p.AsPilot)
	}
	if got := roundTrip(t, p); !strings.HasPrefix(got, `{"optimal":[null,0.1678`) {
		t.Error(got)
	}
	// A pilot that is precise enough is enough, and never shortened.
	p, err = components(t, nestedPositive).Plan([]float64{100, 20, 3}, 1000)
	if err != nil || p.AsPilot.Repetitions[0] != 3 || p.Best.Repetitions[0] != 2 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestPlanDroppedComponents(t *testing.T) {
	// T² 2.2708, dropped, 16.5: the single run of a restart makes it cost 120, r = √(120/3 · 16.5/2.2708) = 17.05.
	p, err := components(t, nestedNegative).Plan([]float64{100, 20, 3}, 2)
	if err != nil || !math.IsNaN(p.Optimal[1]) || !near(p.Optimal[2], math.Sqrt(40*16.5/2.2708333333333333), 1e-13) ||
		!slices.Equal(p.Best.Repetitions[1:], []int{1, 18}) {
		t.Errorf("the middle dropped: %+v, %v", p, err)
	}
	// Restarts are alike, runs are not: T² of runs is 50 − .5/2, and (49.75 + .5)/2 · 161.45 / 2² = 1014.1.
	outer := [][][]float64{{{1, 2}, {11, 12}}, {{2, 1}, {12, 11}}}
	p, err = components(t, outer).Plan([]float64{100, 20, 3}, 2)
	if err != nil || !math.IsInf(p.Optimal[1], 1) || !slices.Equal(p.Best.Repetitions, []int{1015, 2, 1}) {
		t.Errorf("the outermost dropped: %+v, %v", p, err)
	}
	roundTrip(t, p)
	// The innermost does not vary: one of it is enough, and a run costs 23 with it.
	inner := [][][]float64{{{1, 1}, {2, 2}}, {{5, 5}, {7, 7}}}
	p, err = components(t, inner).Plan([]float64{100, 20, 3}, 2)
	if err != nil || !math.IsNaN(p.Optimal[2]) || p.Best.Repetitions[2] != 1 || !near(p.Optimal[1],
		math.Sqrt(100./23*1.25/9.5), 1e-13) {
		t.Errorf("the innermost dropped: %+v, %v", p, err)
	}
	// Nothing varies at all.
	p, err = components(t, [][][]float64{{{1, 1}, {1, 1}}, {{1, 1}, {1, 1}}}).Plan([]float64{100, 20, 3}, 2)
	if err != nil || !slices.Equal(p.Best.Repetitions, []int{2, 1, 1}) || p.Best.Cost != 246 {
		t.Errorf("all dropped: %+v, %v", p, err)
	}
}

func TestPlanErrors(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		costs     []float64
		halfWidth float64
		kind      error
		place     string
	}{
		{[]float64{1, 2}, 1, ErrLengthMismatch, "costs has length 2"},
		{[]float64{1, 0, 2}, 1, ErrOutOfRange, "costs[1] = 0"},
		{[]float64{-1, 1, 2}, 1, ErrOutOfRange, "costs[0] = -1"},
		{[]float64{1, 1, inf}, 1, ErrOutOfRange, "costs[2] = +Inf"},
		{[]float64{1, 1, math.NaN()}, 1, ErrOutOfRange, "costs[2] = NaN"},
		{[]float64{1, 1, 1}, 0, ErrOutOfRange, "halfWidth = 0"},
		{[]float64{1, 1, 1}, math.NaN(), ErrOutOfRange, "halfWidth = NaN"},
		{[]float64{1, 1, 1}, 1e-9, ErrOutOfRange, "halfWidth = 1e-09"},
		{[]float64{1, 1, 1e-30}, 1, ErrOutOfRange, "costs[2] = 1e-30"},
		{[]float64{1e308, 1e308, 1e308}, 1, ErrOverflow, "costs[0] = 1e+308"},
	} {
		_, err := components(t, nestedPositive).Plan(c.costs, c.halfWidth)
		if !errors.Is(err, c.kind) || !strings.HasPrefix(fmt.Sprint(err), "stats: "+c.place+":") {
			t.Errorf("%v, %v: %v", c.costs, c.halfWidth, err)
		}
	}
	if _, err := (Components{}).Plan(nil, 1); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}
