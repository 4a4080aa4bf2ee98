package probe

import (
	"math"
	"testing"
	"time"
)

// A track of any length keeps its mean, its peak and its area, in bounded memory.
func TestTrack(t *testing.T) {
	for _, n := range []int{1, 2, 10, mostPoints - 1, mostPoints, 3*mostPoints + 7, 40 * mostPoints} {
		tr := track{name: "x", unit: "W"}
		for i := range n {
			v := 100 + 50*math.Sin(float64(i)/300)
			if i == n/2 {
				v = 1000
			}
			tr.add(time.Duration(i)*time.Second, v, 2*time.Second)
		}
		s := tr.series(time.Unix(0, 0), time.Second)
		if len(s.At) >= mostPoints || len(s.At) != len(s.Value) || tr.peak != 1000 && n > 1 {
			t.Errorf("%d: %d points, %d values, peak %v", n, len(s.At), len(s.Value), tr.peak)
		}
		if n < 1000 {
			continue
		}
		area, err := s.Integral(s.Start, s.Start.Add(time.Duration(n-1)*time.Second))
		if err != nil || math.Abs(area/tr.area-1) > .005 {
			t.Errorf("%d: the series has an area of %v (%v), all samples of %v", n, area, err, tr.area)
		}
	}
}

// The mean is over what was seen: a gap counts for neither side of it.
func TestTrackWithGap(t *testing.T) {
	var tr track
	for _, at := range []int{0, 1, 2, 50, 51} {
		v := 10.0
		if at >= 50 {
			v = 40
		}
		tr.add(time.Duration(at)*time.Second, v, 2500*time.Millisecond)
	}
	if mean, ok := tr.mean(); !ok || math.Abs(mean-20) > 1e-9 {
		t.Errorf("mean %v, want 20: 2 s of 10 and 1 s of 40", mean)
	}
	tr.add(52*time.Second, math.NaN(), time.Second)
	if tr.gaps != 1 {
		t.Errorf("%d gaps", tr.gaps)
	}
}
