package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func accumulate(t *testing.T, x []float64) Accumulator {
	t.Helper()
	var a Accumulator
	for _, v := range x {
		if err := a.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func TestAccumulatorReachesNISTCertifiedValues(t *testing.T) {
	for _, c := range nistSets(t) {
		t.Run(c.name, func(t *testing.T) {
			whole := accumulate(t, c.x)
			parts := accumulate(t, c.x[:1])
			for chunk := range slices.Chunk(c.x[1:], 37) {
				parts.Merge(accumulate(t, chunk))
			}
			for name, a := range map[string]Accumulator{"added": whole, "merged": parts} {
				s, err := a.Summary()
				if err != nil || s.N != c.n || a.N() != c.n || s.Min != slices.Min(c.x) || s.Max != slices.Max(c.x) {
					t.Errorf("%s: %+v, %v", name, s, err)
				}
				if got := digits(s.Mean, c.mean); got < 14.7 {
					t.Errorf("%s: mean %.17g agrees to %.1f digits with %.15g", name, s.Mean, got, c.mean)
				}
				if got := digits(s.SD, c.sd); got < c.digits {
					t.Errorf("%s: SD %.17g agrees to %.1f digits with %.15g, want %.1f", name, s.SD, got, c.sd,
						c.digits)
				}
			}
		})
	}
}

// A million samples far from 0 and close to each other, and their exact variance (n·(n + 1)/12 of 1 … n).
func TestAccumulatorLongStream(t *testing.T) {
	const n = 1 << 20
	var whole, even, odd Accumulator
	for i := range n {
		v := 1e12 + float64(i)
		half := &even
		if i%2 == 1 {
			half = &odd
		}
		if err := errors.Join(whole.Add(v), half.Add(v)); err != nil {
			t.Fatal(err)
		}
	}
	even.Merge(odd)
	for _, a := range []Accumulator{whole, even} {
		s, err := a.Summary()
		if want := math.Sqrt(n * (n + 1) / 12.0); err != nil || !near(s.SD, want, 4e-16) || s.Mean != 1e12+(n-1)/2.0 {
			t.Errorf("mean %v, SD %.17g, %v; want %.17g", s.Mean, s.SD, err, want)
		}
	}
}

func TestAccumulatorEdges(t *testing.T) {
	var a Accumulator
	var length *LengthError
	if _, err := a.Summary(); !errors.Is(err, ErrEmpty) || !errors.As(err, &length) {
		t.Errorf("no samples: %v", err)
	}
	for _, c := range []struct {
		v    float64
		kind error
	}{{math.NaN(), ErrNotFinite}, {math.Inf(-1), ErrNotFinite}, {1e146, ErrOutOfRange}, {-1e-146, ErrOutOfRange}} {
		var value *ValueError
		if err := a.Add(c.v); !errors.Is(err, c.kind) || !errors.As(err, &value) || a != (Accumulator{}) {
			t.Errorf("%v: %v, and %+v", c.v, err, a)
		}
	}
	a.Merge(Accumulator{})
	for _, x := range [][]float64{{7}, {0.1, 0.1, 0.1}, {0, 0}, {-1, 1}, {-1, 1, 0.003}, {-1, 9, 10}, {-1, -3}, {0, 0,
		0, 1},
		{1e135, -1e135, 1e135}, {1e-135, 0}, {-5, 1e100, 1, -1e100}, sampleA} {
		want, err := Summarize(x)
		if err != nil {
			t.Fatal(err)
		}
		b := accumulate(t, x)
		var empty Accumulator
		empty.Merge(b)
		if empty != b {
			t.Errorf("%v: merged into an empty one: %+v, want %+v", x, empty, b)
		}
		s, err := b.Summary()
		same := func(got, want float64) bool {
			return got == want || math.IsNaN(got) && math.IsNaN(want) || near(got, want, 4e-16)
		}
		if err != nil || s.N != want.N || !same(s.Mean, want.Mean) || !same(s.SD, want.SD) || !same(s.CoV,
			want.CoV) || s.Min != want.Min ||
			s.Max != want.Max || !slices.Equal(warned(s.Warnings), warned(want.Warnings)) {
			t.Errorf("%v: %+v, %v; want %+v", x, s, err, want)
		}
	}
	twice := accumulate(t, sampleA)
	twice.Merge(twice)
	got, err := twice.Summary()
	want, err2 := Summarize(append(slices.Clone(sampleA), sampleA...))
	if err := errors.Join(err, err2); err != nil || !near(got.SD, want.SD, 4e-16) || got.Mean != want.Mean {
		t.Errorf("merged with itself: %+v, %v; want %+v", got, err, want)
	}
}

func TestAccumulatorDoesNotAllocate(t *testing.T) {
	var a Accumulator
	if n := testing.AllocsPerRun(100, func() { _ = a.Add(3) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAccumulator(f *testing.F) {
	for _, x := range hostile {
		f.Add(seed(x...), uint8(1))
	}
	f.Add(seed(sampleA...), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		var taken []float64
		var parts [2]Accumulator
		for i, v := range samples(b) {
			half := &parts[0]
			if i >= int(cut) {
				half = &parts[1]
			}
			if half.Add(v) == nil {
				taken = append(taken, v)
			}
		}
		a := parts[0]
		a.Merge(parts[1])
		s, err := a.Summary()
		want, err2 := Summarize(taken)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v, but Summarize: %v", err, err2)
		}
		if err != nil {
			return
		}
		size := max(math.Abs(s.Min), math.Abs(s.Max))
		if s.N != want.N || s.Min != want.Min || s.Max != want.Max || !(s.Min <= s.Mean && s.Mean <= s.Max) ||
			math.Abs(s.Mean-want.Mean) > 1e-15*size {
			t.Errorf("%v: %+v, want %+v", taken, s, want)
		}
		if s.N > 1 && !(math.Abs(s.SD-want.SD) <= 1e-14*want.SD+1e-13*size) {
			t.Errorf("%v: SD %v, want %v", taken, s.SD, want.SD)
		}
		roundTrip(t, s)
	})
}

// n·Σx² is formed on the way: at the ends of the range it must hold for more samples than anyone adds.
func TestAccumulatorOfManyLargeSamples(t *testing.T) {
	var a Accumulator
	for _, v := range []float64{accumulatorRange, -accumulatorRange} {
		if err := a.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	for range 59 { // 2⁶⁰ samples
		a.Merge(a)
	}
	s, err := a.Summary()
	if err != nil || s.N != 1<<60 || s.Mean != 0 || !near(s.SD, accumulatorRange, 1e-15) {
		t.Errorf("%+v, %v", s, err)
	}
}

// An offset that all samples share costs no digits, however large, nor does merging what begins at other places.
func TestAccumulatorFarFromZero(t *testing.T) {
	for _, c := range []struct {
		first, second []float64
		mean, sd      float64
	}{
		{[]float64{1.7e18, 1.7e18 + 256}, nil, 1.7e18 + 128, 256 / math.Sqrt2},
		{[]float64{1.7e18}, []float64{1.7e18 + 256}, 1.7e18 + 128, 256 / math.Sqrt2},
		{[]float64{1e15, 1e15 + 1}, []float64{1e15 + 4, 1e15 + 3, 1e15 + 2}, 1e15 + 2, math.Sqrt(2.5)},
		{[]float64{-1.7e18, -1.7e18 - 512}, []float64{-1.7e18 - 1024}, -1.7e18 - 512, 512},
		{[]float64{0, 1e15 + 2}, []float64{1e15 + 1}, 2e15/3 + 1, 0}, // a first sample that is none of theirs
	} {
		var a, b Accumulator
		for _, v := range c.first {
			if err := a.Add(v); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range c.second {
			if err := b.Add(v); err != nil {
				t.Fatal(err)
			}
		}
		a.Merge(b)
		got, err := a.Summary()
		want, err2 := Summarize(append(slices.Clone(c.first), c.second...))
		if err != nil || err2 != nil || !near(got.Mean, c.mean, 1e-15) || !near(got.SD, want.SD,
			1e-14) || c.sd > 0 && !near(got.SD, c.sd, 1e-14) {
			t.Errorf("%v and %v: %+v, %v; want %+v", c.first, c.second, got, err, want)
		}
	}
}
