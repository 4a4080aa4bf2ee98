package state

import (
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// The series stays within its bound however long it goes on, evenly spaced, and the sums are of all samples.
func TestSeriesIsBounded(t *testing.T) {
	a := &accumulator{index: map[string]int{}}
	const n = 100_000
	for i := range n {
		a.at = float64(i)
		a.take("x", fact.Reading{Value: int64(i), Unit: "B", Scope: fact.ScopeHost, Source: "/x"})
	}
	q := a.quantities()[0]
	if q.N != n || q.Stride != 128 || len(q.Series) != (n+127)/128 || cap(q.Series) > 2*maxSeries {
		t.Errorf("%d samples, stride %d, %d points", q.N, q.Stride, len(q.Series))
	}
	for i, p := range q.Series {
		if p != (Point{float64(i * q.Stride), float64(i * q.Stride)}) {
			t.Fatalf("point %d is %v", i, p)
		}
	}
	if mean, _ := q.Mean.Get(); mean < (n-1)/2.0-1e-6 || mean > (n-1)/2.0+1e-6 {
		t.Errorf("mean is %v", q.Mean)
	}
	for i := range 2 * maxQuantities {
		a.take(string(rune('a'+i%26))+string(rune(i)), fact.Reading{Value: 1.0, Scope: fact.ScopeHost, Source: "/x"})
	}
	if len(a.all) != maxQuantities {
		t.Errorf("%d quantities", len(a.all))
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte("ue: 0\nce: 0\n"))
	f.Add([]byte("4100 (a) b) S 4000 4000"))
	f.Add([]byte("MemFree: 1 kB\ncpu MHz : 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if ue, ce, err := parseErrorCount(b); err == nil && (ue < 0 || ce < 0) {
			t.Errorf("%d, %d errors", ue, ce)
		}
		if parent, ok := parseParent(b); ok && parent < 0 {
			t.Errorf("parent %d", parent)
		}
		if n, err := parseMeminfo(b, "MemFree"); err == nil && n < 0 {
			t.Errorf("%d B", n)
		}
		for _, x := range parseCPUClocks(b) {
			if !(x > 0) {
				t.Errorf("%v MHz", x)
			}
		}
	})
}
