package protocol

import (
	"math"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// WarnCold is the code of the warning that a level was measured on a server that was not warm. It spoils all figures. A
// level is cold
//
//   - where the warming before it came to its bound in time and not to a steady state ([Warming.Steady]),
//   - where its own course is that of a server that warms, see below, and
//   - after such a level on the same start, until one shows by its own course that the server is not warming any more.
//
// The course of a level are windows of as many requests as its concurrency, in the order of issue, without the first
// wave and the last. It takes at least five of them, that is seven prompts for each request in flight, and a closed
// loop of single requests without a ramp (turns of a session differ among themselves, and all sessions begin with their
// first ones); of other levels, such as the page's from 50 on, only what the levels before them showed is
// known. A server warms where latency fell by 10 % or more, from the first quarter of the windows to the second half,
// and that is no chance: latency or TTFT fell all along (Mann–Kendall, at 1 %), or began above what the other windows
// predict (at 1 %). Latency stands for throughput, which is concurrency ÷ latency and noisier in waves. TTFT alone
// shows nothing: a closed loop begins with a burst, which spreads over its first waves on a warm server too. So a
// start whose TTFT alone is bad is not found.
//
// Of 21,600 levels of warm simulated servers none was flagged, and so in each of 72 conditions (4 to 32 in flight,
// ten prompts for each, requests on their own, queued or in a batch, noise of 2 or 10 % a step, answers of one length
// or of 8 to 24 tokens; 300 levels each). Where everything took three times as long at first, with half of that gone
// after two waves of requests, all levels were flagged; twice as long, half gone after one to five waves, 96 to 97 %
// of them; 1.5 times, 68 to 87 %; 1.2 times, 5 %. What is missed is in the conditions with few requests of several
// lengths in flight.
const WarnCold = "cold"

const (
	coldLeast = 5    // windows
	coldP     = 0.01 // of each test, one-sided
	coldSize  = 0.1  // of the latency
)

// judgeWarmth says whether a level was measured on a server that was warming, and keeps in mind what that means for
// the next.
func (r *running) judgeWarmth(m *Measurement, c *course) (loadgen.Warning, bool) {
	l := m.Step.Level
	if m.Step.Discard || m.Result.CutShort || m.GaveUp || l.Arrivals.Process != "" || l.Unit != "" || l.RampUp > 0 {
		return r.stillCold()
	}
	warms, judged := c.warming()
	switch {
	case warms != "":
		r.cold, r.unproven = number.Sprintf("%s was measured while the server warmed", l.Load()), true
		return coldWarning("%s: the server was warming; warm it until it is steady", warms), true
	case r.unproven && judged:
		r.cold, r.unproven = "", false
	}
	w, cold := r.stillCold()
	r.unproven = cold
	return w, cold
}

// stillCold is what speaks against the server's being warm from before.
func (r *running) stillCold() (loadgen.Warning, bool) {
	if r.cold == "" {
		return loadgen.Warning{}, false
	}
	return coldWarning("%s, and nothing has shown since that it is warm", r.cold), true
}

func coldWarning(format string, args ...any) loadgen.Warning {
	return loadgen.Warning{Code: WarnCold, Spoils: []string{loadgen.All}, Message: number.Sprintf(format, args...)}
}

// warming says in words how a course is that of a server that warms, "" where it is not; judged, whether that can be
// told.
func (c *course) warming() (how string, judged bool) {
	ttft, e2e := c.steady()
	if len(e2e) < coldLeast {
		return "", false
	}
	fall := func(x []float64) float64 { return mean(early(x)) - mean(x[len(x)/2:]) }
	if !(fall(e2e) >= math.Log1p(coldSize)) || !falls(e2e) && !falls(ttft) {
		return "", true
	}
	return number.Sprintf("over %d windows of %d requests latency fell from %v by a factor of %.2f, and TTFT from %v by %.2f",
		len(e2e), c.size, seconds(math.Exp(mean(early(e2e)))), math.Exp(fall(e2e)),
		seconds(math.Exp(mean(early(ttft)))), math.Exp(fall(ttft))), true
}

// early is the first quarter.
func early(x []float64) []float64 { return x[:max(1, len(x)/4)] }

// falls reports whether x, logarithms of windows in their order, falls all along, or begins too high for chance.
func falls(x []float64) bool {
	if trend, err := stats.MannKendall(x); err == nil && trend.S < 0 && trend.P <= 2*coldP {
		return true
	}
	first, rest := early(x), x[len(early(x)):]
	v, err := stats.MeanInterval(rest, 1-2*coldP, "window")
	if err != nil || !v.Defined() {
		return false
	}
	n, k := float64(len(rest)), float64(len(first))
	return mean(first) > v.Estimate+(v.High-v.Estimate)*math.Sqrt(1+n/k) // the prediction of the mean of k more
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond / 10)
}
