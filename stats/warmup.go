package stats

import (
	"fmt"
	"math"
)

// The constants of the rule that Warmup follows, found by simulation together: its error and its cost are of all of
// them.
const (
	warmupWindows         = 16     // at least, before it says steady
	warmupLast            = 2. / 3 // of the windows are looked at
	warmupTail            = 0.05   // of the test that the change is within the tolerance
	warmupTrendTail       = 0.2    // of the test that there is a change at all
	warmupThroughputShare = 0.05
	warmupTTFTShare       = 0.10
)

// Warmup is the rule "warm until steady": it is fed with one window of a warmup after the other, keeps them, and says
// when throughput and TTFT have stopped moving. The zero Warmup is ready. It reads no clock, so that feeding the
// windows of one to another gives the same answer after each; marshalled to JSON it can go on later. It is not safe for
// concurrent use.
//
// After each window, from the 16th on, it looks at the last two thirds of the windows, and compares the second half of
// these with the first on logarithms. The warmup is steady when for throughput and TTFT alike
//
//   - the 90 % interval of the change is inside the tolerance, and
//   - no change is shown, not even at a one-sided 20 %: a slow change whose remainder would be larger than the
//     tolerance is small from half to half, and this is how it shows.
//
// Once steady it remains so: the server is then to be loaded without a pause. That all windows are alike to the last
// digit decides nothing.
//
// In the package's simulations it said steady while one of the two was further from its final value than the tolerance
// in at most 2.5 % of the warmups of any course: 37 of them, warm from the start, or exponential (time constants of up
// to 16 windows), in a step (after up to 8) or along a ramp (over up to 20), 10 to 60 % below for throughput and three
// times as much above for TTFT, with a noise of 1, 3 or 5 % from window to window and three times that for TTFT. That
// costs time: after both were within the tolerance it took another 18 to 28 windows in the median with a noise of 1 and
// 3 % and 56 to 61 with 5 %, more than 52 to 107 in one warmup of ten, and in 0.9 % at most more than 300 in all, so
// that a runner needs a bound of its own. What it cannot see is what is slow beside the windows so far: of a change of
// 10 % with a time constant of 32 windows it was too early in up to 52 %, and of a server that stayed as cold as it was
// for 20 windows in up to 68 %.
//
// A window is as long as the runner makes it; it should hold as many requests as are in flight, or more, because the
// noise of its throughput is what it costs to be sure.
type Warmup struct {
	// Windows are those fed so far, in order.
	Windows []WarmupWindow `json:"windows"`
	// ThroughputTolerance and TTFTTolerance are how far from their final values the two may be, as shares: 0 is 0.05
	// for throughput and 0.1 for TTFT.
	ThroughputTolerance float64 `json:"throughput_tolerance,omitempty"`
	TTFTTolerance       float64 `json:"ttft_tolerance,omitempty"`
	// SteadyAfter is how many windows it took; 0: not yet.
	SteadyAfter int `json:"steady_after,omitempty"`
}

// WarmupWindow is what one window of a warmup showed. A window in which nothing was finished has zeros; it is kept, and
// the warmup cannot be steady before it is out of sight.
type WarmupWindow struct {
	Throughput float64 `json:"throughput"` // in any unit
	TTFT       float64 `json:"ttft"`       // the mean or median of the window's requests, in any unit
}

// Warmth is the answer of [Warmup.Add].
type Warmth struct {
	Steady bool `json:"steady"`
	// Reason says in words what is still moving, or how little.
	Reason string `json:"reason"`
	// Throughput and TTFT are the change over what was looked at, second half over first, at 90 %; undefined while
	// there are too few windows.
	Throughput Interval `json:"throughput"`
	TTFT       Interval `json:"ttft"`
}

// Add takes the next window and says whether the warmup is steady now. NaN, infinities and values below 0 are errors,
// and so is a tolerance that is not from 0 to 1; the window is then not kept.
func (w *Warmup) Add(o WarmupWindow) (Warmth, error) {
	for _, v := range []struct {
		arg   string
		value float64
	}{{"o.Throughput", o.Throughput}, {"o.TTFT", o.TTFT}} {
		if v.value != 0 {
			if err := checkLoggable(v.arg, v.value); err != nil {
				return Warmth{}, err
			}
		}
	}
	throughput, err := tolerance("w.ThroughputTolerance", w.ThroughputTolerance, warmupThroughputShare)
	if err != nil {
		return Warmth{}, err
	}
	ttft, err := tolerance("w.TTFTTolerance", w.TTFTTolerance, warmupTTFTShare)
	if err != nil {
		return Warmth{}, err
	}
	w.Windows = append(w.Windows, o)
	state, err := w.look(throughput, ttft)
	switch {
	case err != nil:
		w.Windows = w.Windows[:len(w.Windows)-1]
		return Warmth{}, err
	case w.SteadyAfter > 0:
		state.Steady, state.Reason = true, fmt.Sprintf("steady after %d windows", w.SteadyAfter)
	case state.Steady:
		w.SteadyAfter = len(w.Windows)
	}
	return state, nil
}

func tolerance(arg string, v, usual float64) (float64, error) {
	switch {
	case v == 0:
		return usual, nil
	case !(v > 0 && v < 1):
		return 0, &ValueError{Arg: arg, Value: v, Err: ErrOutOfRange,
			Remedy: "give a share such as 0.05, or 0 for the usual one"}
	}
	return v, nil
}

// look applies the rule to the windows there are.
func (w *Warmup) look(throughput, ttft float64) (Warmth, error) {
	none := Interval{Estimate: math.NaN(), Low: math.NaN(), High: math.NaN()}
	state := Warmth{Throughput: none, TTFT: none}
	n := len(w.Windows)
	if n < warmupWindows {
		state.Reason = fmt.Sprintf("%d windows of the %d that it takes at least", n, warmupWindows)
		return state, nil
	}
	half := int(warmupLast*float64(n)) / 2
	last := w.Windows[n-2*half:]
	x, y := make([]float64, len(last)), make([]float64, len(last))
	for i, o := range last {
		if o.Throughput == 0 || o.TTFT == 0 {
			state.Reason = fmt.Sprintf("nothing was finished in window %d", n-2*half+i+1)
			return state, nil
		}
		x[i], y[i] = o.Throughput, o.TTFT
	}
	moving := ""
	for _, figure := range []struct {
		name      string
		values    []float64
		tolerance float64
		change    *Interval
	}{{"throughput", x, throughput, &state.Throughput}, {"TTFT", y, ttft, &state.TTFT}} {
		settled, change, err := settled(figure.values, figure.tolerance)
		if err != nil {
			return Warmth{}, err
		}
		*figure.change = change
		state.Reason += fmt.Sprintf("%s changes by a factor of %s; ", figure.name, change)
		if !settled && moving == "" {
			moving = figure.name
		}
	}
	if state.Steady = moving == ""; state.Steady {
		state.Reason += "steady"
	} else {
		state.Reason += moving + " is not shown to be steady"
	}
	return state, nil
}

// settled compares the second half of x with the first.
func settled(x []float64, tolerance float64) (bool, Interval, error) {
	t, err := WelchLogs(x[:len(x)/2], x[len(x)/2:])
	if err != nil {
		return false, Interval{}, err
	}
	change, err := t.ratio(1-2*warmupTail, "window")
	if err != nil || !change.Defined() {
		return false, change, err
	}
	trend, err := studentTail(math.Abs(t.T), t.DF)
	if err != nil {
		return false, change, err
	}
	return change.Above(1/(1+tolerance)) && change.Below(1+tolerance) && trend > warmupTrendTail, change, nil
}
