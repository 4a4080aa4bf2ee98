package loadgentest

import (
	"math"
	"strconv"
	"sync/atomic"
	"time"
)

// The upper bounds of vLLM's buckets, in seconds.
var (
	ttftBounds = [...]float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
		20, 40, 80, 160, 640, 2560}
	itlBounds = [...]float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20,
		40, 80}
	e2eBounds = [...]float64{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920,
		7680}
)

// histogram counts durations by upper bounds that whoever uses it knows, and
// always passes the same. Atomics, not a lock: each token of each stream comes here.
type histogram struct {
	counts [len(ttftBounds) + 1]atomic.Int64 // the longest there is, and one for what is above the last bound
	sum    atomic.Int64                      // ns
}

// observe counts d. What is equal to a bound is below it, as in Prometheus.
func (h *histogram) observe(d time.Duration, bounds []float64) {
	i := 0
	for i < len(bounds) && d > duration(bounds[i]*1e9) {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// render calls line with each series' suffix, further label and value: the buckets,
// each with all below it, sum and count. The count is that of the last bucket by
// construction; what is observed meanwhile may be in the sum and not in it.
func (h *histogram) render(bounds []float64, line func(suffix, label string, v float64)) {
	n := int64(0)
	for i := range len(bounds) + 1 {
		le := "+Inf"
		if i < len(bounds) {
			le = number(bounds[i])
		}
		n += h.counts[i].Load()
		line("_bucket", `,le="`+le+`"`, float64(n))
	}
	line("_sum", "", float64(h.sum.Load())/1e9)
	line("_count", "", float64(n))
}

// number renders a float as Prometheus' Python client does, on which vLLM's page
// rests: a whole one with its ".0".
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// latencies is what a server knows of its own: by the times at which tokens were
// due, not by those at which a late timer, or a slow client, had them sent.
type latencies struct {
	ttft, itl, e2e, queue histogram
}

// latency is one request's part in it.
type latency struct {
	all            *latencies
	received, last time.Time
	begun          bool
}

// token notes that a token was due.
func (l *latency) token(at time.Time) {
	if l.begun {
		l.all.itl.observe(at.Sub(l.last), itlBounds[:])
	} else {
		l.all.ttft.observe(max(0, at.Sub(l.received)), ttftBounds[:])
	}
	l.last, l.begun = at, true
}

// served notes that there were all tokens, after a wait in the queue until then.
func (l *latency) served(queued time.Time) {
	l.all.e2e.observe(max(0, l.last.Sub(l.received)), e2eBounds[:])
	l.all.queue.observe(max(0, queued.Sub(l.received)), e2eBounds[:])
}
