package stats

import (
	"errors"
	"slices"
	"testing"
)

// Samples that differ in their last bit, and a confidence next to nothing: the bounds round to one number, and no
// interval is silent about that.
func TestNoSilentZeroWidth(t *testing.T) {
	near := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1 + 0x1p-52}
	for _, c := range []struct {
		name       string
		x          []float64
		confidence float64
	}{
		{"the last bit", near, 0.95},
		{"no confidence", sampleA, 1e-300},
	} {
		other := scaled(sampleB, 1)
		for name, interval := range map[string]func() (Interval, error){
			"mean":     func() (Interval, error) { return MeanInterval(c.x, c.confidence, "run") },
			"log-mean": func() (Interval, error) { return LogMeanInterval(c.x, c.confidence, "run") },
			"SD":       func() (Interval, error) { return SDInterval(c.x, c.confidence, "run") },
			"ratio":    func() (Interval, error) { return LogRatioInterval(c.x, other, c.confidence, "run") },
			"Fieller":  func() (Interval, error) { return FiellerInterval(c.x, other, c.confidence, "run") },
			"Hedges":   func() (Interval, error) { return HedgesG(c.x, other, c.confidence, "run") },
			"difference": func() (Interval, error) {
				w, err := Welch(c.x, other)
				if err != nil {
					return Interval{}, err
				}
				return w.Interval(c.confidence, "run")
			},
		} {
			v, err := interval()
			if err != nil || v.Low == v.High || !v.Defined() && !slices.Contains(warned(v.Warnings),
				ResolutionLimited) {
				t.Errorf("%s, %s: %+v, %v", c.name, name, v, err)
			}
		}
	}
}

// Ratios that no float64 holds come of different units. As 0 or +Inf they had bounds of no width, and a verdict.
func TestRatioBeyondFloat64(t *testing.T) {
	large, small := []float64{1e308, 1.1e308}, []float64{1e-307, 1.2e-307}
	for _, c := range [][2][]float64{{large, small}, {small, large}, {large[:1], small}} {
		_, err := Compare(c[0], c[1], Comparison{Margin: 0.03, Unit: "run"})
		checkPlace(t, err, ErrOverflow, "b", []int{0})
		_, err = CompareFamily([][]float64{sampleA, c[0]}, [][]float64{sampleB, c[1]}, Comparison{Margin: 0.03,
			Unit: "run"})
		checkPlace(t, err, ErrOverflow, "b", []int{1, 0})
		if _, err = LogRatioInterval(c[0], c[1], 0.95, "run"); !errors.Is(err, ErrOverflow) {
			t.Error(err)
		}
	}
	w, err := Welch([]float64{-1e308, 0}, []float64{0, 0.5e308})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := w.Interval(0.999, "run"); !errors.Is(err, ErrOverflow) {
		t.Errorf("%+v, %v", v, err)
	}
}
