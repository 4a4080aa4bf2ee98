package protocol

import (
	"errors"
	"math"
	"testing"
	"time"
)

// power is a series of a power that is 100 + 50·t W, sampled every second.
func power(n int) Series {
	s := Series{Name: "gpu_power", Unit: "W", Of: "card 0", Start: time.Unix(1000, 0), Every: time.Second}
	for i := range n {
		s.At = append(s.At, time.Duration(i)*time.Second)
		s.Value = append(s.Value, 100+50*float64(i))
	}
	return s
}

// The trapezoid rule is exact for a straight line, wherever it is cut.
func TestIntegral(t *testing.T) {
	s := power(11)
	area := func(a, b float64) float64 { return 100*(b-a) + 25*(b*b-a*a) }
	at := func(x float64) time.Time { return s.Start.Add(time.Duration(x * float64(time.Second))) }
	for _, c := range [][2]float64{{0, 10}, {0.5, 9.25}, {3, 3}, {3.2, 3.4}, {2, 5}} {
		got, err := s.Integral(at(c[0]), at(c[1]))
		if want := area(c[0], c[1]); err != nil || math.Abs(got-want) > 1e-9*max(want, 1) {
			t.Errorf("from %v to %v: %v, %v; want %v", c[0], c[1], got, err, want)
		}
	}
	// Just outside it is what it was at its end.
	got, err := s.Integral(at(-1), at(11))
	if want := area(0, 10) + 100 + 600; err != nil || math.Abs(got-want) > 1e-6 {
		t.Errorf("a second more at either end: %v, %v; want %v", got, err, want)
	}
}

// What was not seen is not made up.
func TestIntegralOfWhatWasNotSeen(t *testing.T) {
	whole := power(11)
	at := func(x int) time.Time { return whole.Start.Add(time.Duration(x) * time.Second) }
	gap := power(11)
	gap.At, gap.Value = append(gap.At[:4:4], gap.At[7:]...), append(gap.Value[:4:4], gap.Value[7:]...)
	back := power(3)
	back.At[2] = back.At[1]
	nan := power(3)
	nan.Value[1] = math.NaN()
	for name, c := range map[string]struct {
		s        Series
		from, to int
	}{
		"a gap of 4 s":      {gap, 0, 10},
		"begins too late":   {whole, -4, 10},
		"ends too early":    {whole, 0, 14},
		"one sample":        {power(1), 0, 1},
		"none":              {Series{Name: "x"}, 0, 1},
		"times do not rise": {back, 0, 2},
		"no number":         {nan, 0, 2},
		"from after to":     {whole, 5, 4},
		"uneven":            {Series{At: whole.At, Value: whole.Value[:3]}, 0, 1},
	} {
		got, err := c.s.Integral(at(c.from), at(c.to))
		var why *SeriesError
		if !errors.As(err, &why) || got != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// A gap outside what is asked for does not matter, and one failed sample is bridged.
	if _, err := gap.Integral(at(7), at(10)); err != nil {
		t.Error(err)
	}
	one := power(11)
	one.At, one.Value = append(one.At[:4:4], one.At[5:]...), append(one.Value[:4:4], one.Value[5:]...)
	if _, err := one.Integral(at(0), at(10)); err != nil {
		t.Error(err)
	}
}
