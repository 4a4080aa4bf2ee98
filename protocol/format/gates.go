package format

import (
	"math"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// Codes of the warnings about results of other tools, beside those of package loadgen where they mean the same.
const (
	WarnInFlightUnknown      = "in-flight-unknown"      // nothing tells how many requests there really were at once
	WarnInFlightContradicted = "in-flight-contradicted" // throughput × latency is more than there can have been at once
	WarnFailuresUnknown      = "failures-unknown"       // the file does not say how many requests failed
	WarnTokensByClient       = "tokens-by-client"       // tokens are as the client's tokenizer counts
	WarnRateContradicted     = "rate-contradicted"      // a rate is not what the file's counts and duration make
	WarnRequestsCutOff       = "requests-cut-off"       // requests were under way at the end, and are in no figure
	WarnBurst                = "burst"                  // all requests were sent at once
	WarnToolDefinitions      = "tool-definitions"       // what a tool's figures mean where it is not what ours do
	WarnShapeInferred        = "shape-inferred"         // tokens asked for are told by the averages alone
	WarnDuplicate            = "duplicate-result"       // one measurement lies in the folder more than once
	WarnPassedOver           = "passed-over"            // results or files that could not be read
)

const (
	inFlightFloor   = 0.95 // of the concurrency, as for our own levels
	inFlightCeiling = 1.05 // of the concurrency: above it the file's figures contradict each other
	failureLimit    = 0.01 // share of failed requests above which the rest is not a measurement of this load
	rateTolerance   = 0.01 // between two counts of one thing, or two rates: tools round both
)

var makespanThroughputs = []string{
	loadgen.RequestThroughput, loadgen.OutputThroughput, loadgen.TotalThroughput, loadgen.GoodputThroughput,
}

// judge holds a result against what was asked for, as far as the file tells, by the rules of our own levels.
func (f *found) judge() {
	f.judgeCounts()
	f.judgeTokens()
	held, how := f.held()
	if held = f.within("in flight", held, maxCount, "throughput and latency that can be of one level"); held.known {
		n := f.issued.or(f.completed)
		f.figure(loadgen.MeanInFlight, "requests", loadgen.Neither, held, n)
	}
	closed := f.level.Arrivals.Process == ""
	if closed {
		f.judgeConcurrency(held, how)
	} else {
		f.judgeRate()
	}
}

func (f *found) judgeCounts() {
	issued := f.issued.or(f.completed.plus(f.failed)).or(f.completed)
	switch {
	case !f.failed.known:
		f.warn(WarnFailuresUnknown, nil, "the file does not say how many requests failed, or how many were sent: it "+
			"has those that completed")
	case f.failed.v > 0:
		share := f.failed.v / max(issued.v, 1)
		var spoils []string
		if share > failureLimit {
			spoils = []string{loadgen.All}
		}
		f.warn(loadgen.WarnFailedRequests, spoils, "%.0f of %.0f requests (%.3g %%) failed; over 1 %% no figure "+
			"must be used",
			f.failed.v, issued.v, 100*share)
	}
	if issued.known && issued.v > 0 && f.failed.known {
		f.figure(loadgen.SuccessRate, "%", loadgen.HigherIsBetter, known(100*f.completed.v/issued.v), issued)
	}
	if f.cutOff.known && f.cutOff.v > 0 {
		f.warn(WarnRequestsCutOff, nil,
			"%.0f requests were under way when the level ended, and are in no figure: the throughputs lack their "+
				"tokens", f.cutOff.v)
	}
	if f.wasCut {
		f.warn(loadgen.WarnCutShort, []string{loadgen.All}, "the run was cancelled before its end, as the file says")
	}
}

// held is how many requests there were in flight, on average over the makespan: as the tool says, or else by Little's
// law of its throughput and its mean latency, for which TTFT + TPOT × the tokens after the first will do.
func (f *found) held() (mean num, how string) {
	if f.inFlight.known {
		return f.inFlight, "as the tool counted"
	}
	rate := f.value(loadgen.RequestThroughput)
	if e2e := f.value(loadgen.MeanName(loadgen.E2E)); e2e.known {
		return rate.times(e2e).over(known(1000)), "throughput × mean latency"
	}
	ttft, tpot := f.value(loadgen.MeanName(loadgen.TTFT)), f.value(loadgen.MeanName(loadgen.TPOT))
	after := f.output.over(f.completed).minus(known(1))
	return rate.times(ttft.plus(tpot.times(after))).over(known(1000)),
		"throughput × (mean TTFT + mean TPOT × the tokens after the first)"
}

func (f *found) judgeConcurrency(held num, how string) {
	c := float64(f.level.Concurrency)
	sent := f.asked.or(f.issued).or(f.completed.plus(f.failed)).or(f.completed)
	switch {
	case sent.known && sent.v < c:
		f.warn(loadgen.WarnPromptCapped, []string{loadgen.All},
			"%.0f requests cannot keep %.0f in flight: this is not a measurement at concurrency %.0f; use at least "+
				"%.0f requests",
			sent.v, c, c, 10*c)
	case !held.known:
		f.warn(WarnInFlightUnknown, nil, "nothing in the file tells how many requests there really were in flight, "+
			"so that nobody knows whether there were %.0f", c)
	case held.v < inFlightFloor*c:
		f.warn(loadgen.WarnRampDominated, makespanThroughputs,
			"%.4g requests of %.0f were in flight on average over the makespan (%s), below 95 %%: its throughput is "+
				"that of the start and the drain, or of the client, as well; use more requests",
			held.v, c, how)
	case held.v > inFlightCeiling*c:
		f.warn(WarnInFlightContradicted, makespanThroughputs,
			"%.4g requests would have been in flight on average (%s), and no more than %.0f can have been: the "+
				"file's throughput and latencies are not of the same requests, or not of the same time",
			held.v, how, c)
	}
}

// judgeRate holds the completions of an open loop against its rate. The last requests' latency is in the makespan, so
// that a short level has fewer a second although the server kept up.
func (f *found) judgeRate() {
	rate, x := f.level.Arrivals.Rate, f.value(loadgen.RequestThroughput)
	if !x.known || x.v >= inFlightFloor*rate || f.completed.v == 0 {
		return
	}
	drain := f.value(loadgen.MeanName(loadgen.E2E)).v / 1000
	drained := f.completed.v / (f.completed.v/rate + drain)
	if drained >= inFlightFloor*rate && x.v >= inFlightFloor*drained {
		return
	}
	f.warn(loadgen.WarnRateNotReached, makespanThroughputs,
		"%.4g requests/s completed, below 95 %% of the %.4g/s that were to be sent: the client did not send them, "+
			"or the server did not keep up, or the level was too short for its drain not to matter",
		x.v, rate)
}

// judgeTokens holds the tokens against what was asked for, and the rates against the counts.
func (f *found) judgeTokens() {
	for _, t := range []struct {
		what         string
		asked, total num
	}{{"input", f.askedInput, f.input}, {"output", f.askedOutput, f.output}} {
		mean := t.total.over(f.completed)
		if t.asked.known && mean.known && math.Abs(mean.v-t.asked.v) > 0.01*max(t.asked.v, 1) {
			f.warn(loadgen.WarnTokenMismatch, nil,
				"%.0f %s tokens a request were asked for, and %.4g were counted on average; figures are of what was "+
					"counted",
				t.asked.v, t.what, mean.v)
		}
	}
	var spoils, why []string
	for _, r := range []struct {
		name  string
		count num
	}{
		{loadgen.RequestThroughput, f.completed},
		{loadgen.OutputThroughput, f.output},
		{loadgen.TotalThroughput, f.input.plus(f.output)},
	} {
		printed, made := f.value(r.name), r.count.over(f.seconds)
		spoiled := slices.ContainsFunc(f.warnings, func(w loadgen.Warning) bool { return w.SpoilsFigure(r.name) })
		if !spoiled && printed.known && made.known && !near(printed.v, made.v) {
			spoils = append(spoils, r.name)
			why = append(why, number.Sprintf("%s is %.6g, and counts over duration make %.6g", r.name, printed.v, made.v))
		}
	}
	if len(why) > 0 {
		f.warn(WarnRateContradicted, spoils, "the file contradicts itself: %s", strings.Join(why, "; "))
	}
}

// tokensByClient says that nobody knows what the server counted.
func (f *found) tokensByClient(what string) {
	f.warn(WarnTokensByClient, nil,
		"%s tokens are as the client's tokenizer counts, and what the server counted is not in the file: "+
			"throughputs of them are only as good as that", what)
}

// retokenised says that tokens were made of the answer's text again, which does not give those that the server made.
func (f *found) retokenised(format string, args ...any) {
	f.warn(loadgen.WarnTokensUnknown, []string{
		loadgen.OutputThroughput, loadgen.TotalThroughput, loadgen.TPOT + "_*", loadgen.ITL + "_*",
	}, format, args...)
}

// near reports whether two counts of one thing are the same but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= rateTolerance*b }
