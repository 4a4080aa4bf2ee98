package loadgen

import (
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
)

// A ClientVerdict says whether the client itself was the limit of a level, or bent what it measured. It is about the
// process and the machine that it runs on: a server that shares either can be the cause.
type ClientVerdict struct {
	// Judged is whether the level was long enough to know: a second, and 100 requests. Unjudged is not unbound.
	Judged bool `json:"judged"`

	Bound   bool     `json:"bound"`             // there is at least one reason
	Reasons []string `json:"reasons,omitempty"` // in words, with the numbers
}

func (v ClientVerdict) String() string {
	switch {
	case !v.Judged:
		return "not judged, in less than 1 s or 100 requests"
	case !v.Bound:
		return "not client-bound"
	}
	return WarnClientBound + ": " + strings.Join(v.Reasons, "; ")
}

// Codes of the warnings that the client's watch over itself can give rise to.
const (
	WarnClientBound    = "client-bound"    // the client, or a machine that it shares, was the limit, or bent latencies
	WarnFewDescriptors = "few-descriptors" // not as many file descriptors are allowed as the level may need
)

const (
	judgedFrom     = time.Second // and
	judgedRequests = 100         // below either, one delay decides

	cpuLimit = 0.9 // of the CPUs allowed; from there on work waits for a CPU, as any queue does near its capacity

	// throttleLimit is a share of the level's time. Each time a quota is used up the process stands still until the next
	// period, 100 ms as a rule: at a twentieth, that is once in 2 s.
	throttleLimit = 0.05

	lagWakes       = 100  // at least, 10 s of them; of fewer a p99 is the worst one
	lagOfLatency   = 0.1  // of a median latency; the client must be no more of what it measures than that
	sendLagOfSlot  = 0.05 // of a slot's time; with it less than inFlightFloor of the concurrency is in flight
	reconnectLimit = 0.01 // of the requests; with more of them the mean of their send lags tells of dials
	readLagFloor   = 1.0  // ms; below it, waking a goroutine is what it takes
	ownStampLimit  = 0.01 // of the arrivals; with fewer of them by the client's own clock no percentile is theirs
)

// judge gives the verdict on the client in r.Client, and the figures that it has spoiled.
//
// Figures are spoiled only where it is shown that they are bent: where the process had to wait to be scheduled, and
// its own clock stamped more than a few of the arrivals. The kernel's stamps do not wait for the client. A busy
// process alone proves nothing: it may be a server in it that is busy, and a client that is just fast enough measures
// well. Whether the load was the one that was asked for has gates of its own, by the requests in flight.
func (r *Result) judge() (spoils []string) {
	w := r.Client
	w.Verdict = ClientVerdict{Judged: w.Elapsed >= judgedFrom && r.Accounting.Completed >= judgedRequests}
	if !w.Verdict.Judged {
		return nil
	}
	because := func(format string, args ...any) {
		w.Verdict.Bound = true
		w.Verdict.Reasons = append(w.Verdict.Reasons, number.Sprintf(format, args...))
	}
	if used, ok := w.CPUs(); ok && used > cpuLimit*w.CPUsAllowed {
		because("this process used %.3g of the %.3g CPUs that it may use", used, w.CPUsAllowed)
	}
	if w.Throttled != nil {
		if share := w.Throttled.Seconds() / w.Elapsed.Seconds(); share > throttleLimit {
			because("its cgroup held it back for %v in %v, its CPU quota being used up",
				w.Throttled.Round(time.Millisecond), w.Elapsed.Round(time.Millisecond))
		}
	}
	if r.ownStamps() > ownStampLimit && w.SchedulingLag != nil && w.SchedulingLag.N >= lagWakes {
		lag := w.SchedulingLag.P99
		var bent []string
		for _, metric := range []string{TTFT, FirstChoice, FirstAnswer, ITL, E2E, Response} {
			median, ok := r.Figure(QuantileName(metric, 50))
			if ok && lag > max(lagOfLatency*median.Value, float64(timerSlack)/millisecond) {
				bent = append(bent, metric)
			}
		}
		if len(bent) > 0 {
			spoils = r.Level.spoiledWith(bent...)
			because("1 %% of its wakes were %.3g ms late or more, over a tenth of the median (and 5 ms) of %s, "+
				"which its own clock stamped", lag, strings.Join(bent, ", "))
		}
	}
	sendLag, sent := r.Figure(MeanName(SendLag))
	e2e, done := r.Figure(MeanName(E2E))
	// An open loop's has a gate of its own. Where connections were made for more than a few of the requests, as for a
	// server that drops them, it has the dials in it, which are the network's and the server's.
	dialled := w.Reconnects != nil && float64(*w.Reconnects) > reconnectLimit*float64(r.Accounting.Issued)
	if r.Open == nil && !dialled && sent && done && sendLag.Value > sendLagOfSlot*(sendLag.Value+e2e.Value) {
		because("requests took %.3g ms on average to be sent, beside %.3g ms until they were answered",
			sendLag.Value, e2e.Value)
	}
	readLag, read := r.Figure(QuantileName(ReadLag, 99))
	itl, streamed := r.Figure(QuantileName(ITL, 50))
	if read && streamed && readLag.Value > max(lagOfLatency*itl.Value, readLagFloor) {
		because("1 %% of the chunks were read %.3g ms or more after the kernel had them, over a tenth of the median "+
			"gap of %.3g ms (and 1 ms)", readLag.Value, itl.Value)
	}
	return spoils
}

// ownStamps is the share of the arrivals that the client's own clock stamped: of the chunks, or, where none came in a
// stream, of the answers.
func (r *Result) ownStamps() float64 {
	n := r.Stamps.Chunks()
	if n == 0 {
		return 1
	}
	return float64(r.Stamps.Client) / float64(n)
}

// clientWarnings are those that follow from the client's watch over itself. They are no part of warnings, because a
// merged result has no watch: it keeps those of its parts.
func (r *Result) clientWarnings() (out []Warning) {
	if r.Client == nil {
		return nil
	}
	if spoils := r.judge(); r.Client.Verdict.Bound {
		out = append(out, Warning{Code: WarnClientBound, Spoils: spoils,
			Message: strings.Join(r.Client.Verdict.Reasons, "; ") +
				": the client, or what shares its process or machine, may be the limit here, and not the server; see " +
				"what it sustains with clientcheck, or use a machine of its own or more generators"})
	}
	if step := r.Client.ClockStep; step != 0 {
		out = append(out, r.clockStepWarning(step))
	}
	if d := r.Client.Descriptors; d.few() {
		out = append(out, Warning{Code: WarnFewDescriptors, Message: d.String()})
	}
	return out
}

// A Headroom is how many times as much as in a level the client has shown that it can do; at 1 or below, the client
// was the level's limit.
type Headroom struct {
	Requests float64 `json:"requests"` // × the level's requests/s
	Chunks   float64 `json:"chunks"`   // × its chunks/s; 0: one of the two did not stream
}

// Least is the smaller of the two that are known.
func (h Headroom) Least() float64 {
	if h.Chunks > 0 {
		return min(h.Requests, h.Chunks)
	}
	return h.Requests
}

// Headroom compares r with a calibration: a level of the same shape (input and output tokens, streaming, connections)
// against a server that answers at once, such as loadgentest's Echo, on the same machine, and at the concurrency at
// which that is fastest, for it need not be r's. Both go by what completed in the makespan. false where either has no
// throughput.
func (r *Result) Headroom(calibration *Result) (h Headroom, ok bool) {
	level, most := r.chunksPerSecond(), calibration.chunksPerSecond()
	if level > 0 && most > 0 {
		h.Chunks = most / level
	}
	rate, measured := r.Figure(RequestThroughput)
	sustained, calibrated := calibration.Figure(RequestThroughput)
	if !measured || !calibrated || rate.Value <= 0 {
		return Headroom{}, false
	}
	h.Requests = sustained.Value / rate.Value
	return h, true
}

// chunksPerSecond is over the makespan.
func (r *Result) chunksPerSecond() float64 {
	if r.Makespan <= 0 {
		return 0
	}
	return float64(r.Stamps.Chunks()) / r.Makespan.Seconds()
}
