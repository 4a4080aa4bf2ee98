package probe

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// mostPoints bounds what is kept of a quantity. Beyond it neighbours are joined two by two, into their mean.
const mostPoints = 2048

// A track is a series in the making, in bounded memory: the points, and beside them what must not suffer from joining
// them, the peak and the time-weighted mean.
type track struct {
	name, unit, of string

	at     []time.Duration
	value  []float64
	stride int

	pendingAt, pending float64 // sums of the samples that are not yet a point
	pendingN           int

	n           int
	last        time.Duration
	lastValue   float64
	first, peak float64
	area        float64 // value × s, over the intervals without a gap
	covered     time.Duration
	gaps        int
}

// add adds a sample; most is the longest time since the one before that is no gap.
func (t *track) add(at time.Duration, v float64, most time.Duration) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		t.gaps++
		return
	}
	if t.n == 0 {
		t.first, t.peak = v, v
	} else if step := at - t.last; step <= 0 {
		return // the last sample of a level may be due with one of the others
	} else if step <= most {
		t.area += (t.lastValue + v) / 2 * step.Seconds()
		t.covered += step
	}
	t.peak = max(t.peak, v)
	t.n++
	t.last, t.lastValue = at, v
	t.keep(at, v)
}

func (t *track) keep(at time.Duration, v float64) {
	t.stride = max(t.stride, 1)
	t.pendingAt += float64(at)
	t.pending += v
	if t.pendingN++; t.pendingN < t.stride {
		return
	}
	t.at = append(t.at, time.Duration(t.pendingAt/float64(t.pendingN)))
	t.value = append(t.value, t.pending/float64(t.pendingN))
	t.pendingAt, t.pending, t.pendingN = 0, 0, 0
	if len(t.at) < mostPoints {
		return
	}
	for i := range len(t.at) / 2 {
		t.at[i] = (t.at[2*i] + t.at[2*i+1]) / 2
		t.value[i] = (t.value[2*i] + t.value[2*i+1]) / 2
	}
	t.at, t.value = t.at[:len(t.at)/2], t.value[:len(t.value)/2]
	t.stride *= 2
}

// mean is over the time that was seen; of a single sample that sample.
func (t *track) mean() (float64, bool) {
	switch {
	case t.n == 0:
		return 0, false
	case t.covered == 0:
		return t.lastValue, true
	}
	return t.area / t.covered.Seconds(), true
}

func (t *track) series(start time.Time, every time.Duration) protocol.Series {
	s := protocol.Series{Name: t.name, Unit: t.unit, Of: t.of, Start: start, Every: every, At: t.at, Value: t.value,
		Gaps: t.gaps}
	if t.stride > 1 {
		s.Stride = t.stride
	}
	return s
}

// sortedNames are the names of what a map holds, so that its order is the same each time.
func sortedNames[M ~map[string]float64](m M) []string { return slices.Sorted(maps.Keys(m)) }
