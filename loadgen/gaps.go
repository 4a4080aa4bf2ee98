package loadgen

import (
	"math"
	"strings"
	"time"
)

// WarnBursty says that the arrivals of an open loop did not follow each other as they were scheduled: several were
// sent at once, and nothing in between.
const WarnBursty = "bursty"

const (
	burstyFrom = 100 // gaps; of fewer one delay decides

	// unevenLimit is of the mean gap. Arrivals that are sent two by two come to 1, in bursts of many to 2, and drawn
	// ones (Poisson) in place of even ones to 0.74: half of a gap is the least that is not as scheduled.
	unevenLimit = 0.5
)

// gaps compares the gaps between arrivals as they were sent with those as they were due, an arrival with the one
// after it, in whatever order requests are over. Of a gap whose two requests were over with thousands of others in
// between nothing is known, so that it takes no more memory however long the level.
type gaps struct {
	lags [4096]struct {
		nth int // of the generator's arrivals, from 1 on
		lag time.Duration
	}
	n            int
	off          time.Duration // Σ |gap sent − gap due|
	requests     int
	sum, squares float64 // of the lags, ms
}

// add adds the n-th arrival, from 1 on.
func (g *gaps) add(nth int, lag time.Duration) {
	of := func(nth int) int { return nth % len(g.lags) }
	g.lags[of(nth)].nth, g.lags[of(nth)].lag = nth, lag
	for _, neighbour := range []int{nth - 1, nth + 1} {
		if other := g.lags[of(neighbour)]; neighbour > 0 && other.nth == neighbour {
			g.n++
			g.off += (lag - other.lag).Abs()
		}
	}
	x := float64(lag) / millisecond
	g.requests++
	g.sum += x
	g.squares += x * x
}

// tell sets what is known of the gaps.
func (g *gaps) tell(o *OpenLoop) {
	if g == nil || g.n == 0 || o.Offered == 0 {
		return
	}
	n := float64(g.requests)
	o.Gaps = g.n
	o.Uneven = (g.off.Seconds() / float64(g.n)) * o.Offered
	o.Spread = math.Sqrt(max(0, g.squares/n-g.sum/n*g.sum/n))
}

// burstyWarning is the gate on the gaps. Where arrivals were held back the gaps are the server's, and another gate
// tells.
func (r *Result) burstyWarning(warn func(code string, spoils []string, format string, args ...any)) {
	o := r.Open
	if o.Delayed > 0 || o.Gaps < burstyFrom || !(o.Uneven > unevenLimit) {
		return
	}
	var bent []string
	for _, metric := range []string{TTFT, FirstChoice, FirstAnswer, E2E, Response} {
		if median, ok := r.Figure(QuantileName(metric, 50)); ok && o.Spread > lagOfLatency*median.Value {
			bent = append(bent, metric)
		}
	}
	of := ""
	if len(bent) > 0 {
		of = "; that is over a tenth of the median " + strings.Join(bent, ", ") + ", which is that of a burst's queue"
	}
	warn(WarnBursty, r.Level.spoiledWith(bent...),
		"the gaps between requests as they were sent are %.2g mean gaps off those that were scheduled (bursts of "+
			"many come "+
			"to 2), and the times of sending vary by %.3g ms: they came in bursts; use more generators, or a "+
			"client with "+
			"CPUs of its own%s", o.Uneven, o.Spread, of)
}
