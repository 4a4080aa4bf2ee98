package stats_test

import (
	"errors"
	"math"
	"testing"

	"github.com/servegauge/servegauge/stats"
)

// The lady who tasted tea, and sums over all tables by whole numbers.
func TestFisherGreater(t *testing.T) {
	for _, c := range []struct {
		a, na, b, nb int
		want         float64
	}{
		{3, 4, 1, 4, 17. / 70}, {4, 4, 0, 4, 1. / 70}, {0, 4, 4, 4, 1}, {0, 10, 0, 10, 1}, {10, 10, 10, 10, 1},
		{0, 0, 3, 4, 1}, {3, 4, 0, 0, 1},
		{5, 5, 0, 5, 1. / 252}, {2, 3, 0, 2, 0.3}, // 3 of 10 choices of two
	} {
		got, err := stats.FisherGreater(c.a, c.na, c.b, c.nb)
		if err != nil || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d of %d against %d of %d: %v, want %v (%v)", c.a, c.na, c.b, c.nb, got, c.want, err)
		}
	}
	// The tails of both directions share the table itself: their sum is 1 more than its probability.
	for _, n := range []int{40, 1000, 60_000} {
		k := n / 20
		up, _ := stats.FisherGreater(k+9, n, k, n)
		down, _ := stats.FisherGreater(k, n, k+9, n)
		next, _ := stats.FisherGreater(k+10, n, k-1, n)
		if table := up - next; math.Abs(up+down-1-table) > 1e-7 || up >= down {
			t.Errorf("%d: %v and %v", n, up, down)
		}
	}
	for _, c := range [][4]int{{-1, 4, 0, 4}, {5, 4, 0, 4}, {0, 4, 5, 4}, {0, -1, 0, 4}} {
		if _, err := stats.FisherGreater(c[0], c[1], c[2], c[3]); !errors.Is(err, stats.ErrOutOfRange) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
