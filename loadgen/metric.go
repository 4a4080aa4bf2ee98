package loadgen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Direction says which way a figure is better.
type Direction int

const (
	Neither        Direction = iota // a condition, such as requests in flight
	HigherIsBetter                  // a throughput
	LowerIsBetter                   // a latency
)

var directions = [...]string{"neither", "higher", "lower"}

func (d Direction) String() string {
	if d < 0 || int(d) >= len(directions) {
		return "Direction(" + strconv.Itoa(int(d)) + ")"
	}
	return directions[d]
}

// MarshalText writes "higher", "lower" or "neither".
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [Direction.MarshalText] writes.
func (d *Direction) UnmarshalText(text []byte) error {
	for i, name := range directions {
		if name == string(text) {
			*d = Direction(i)
			return nil
		}
	}
	return fmt.Errorf("direction %q: want higher, lower or neither", text)
}

// A Metric is a number that each request has, or lacks. A level reports its mean and its quantiles.
type Metric struct {
	Name   string // in figure names: "ttft" gives "ttft_mean", "ttft_p99"
	Unit   string // "ms"
	Better Direction

	// Of is the metric of one completed request, and false where the request has none. It is called once a request, one
	// at a time, and must not keep r. Where it panics the metric has no figures, and the result says so.
	Of func(r *Record) (float64, bool)
}

// A Figure is one number about one level of one run.
type Figure struct {
	Name   string    `json:"name"` // "ttft_p99"
	Unit   string    `json:"unit"`
	Better Direction `json:"better"`
	Value  float64   `json:"value"`
	N      int       `json:"n"` // samples behind it: requests, or gaps for ITL

	// Method says how it was had where that is not exactly: [MethodHDR] for a quantile within 0.05 %, of more samples
	// than are kept. "": exactly.
	Method string `json:"method,omitempty"`
}

// Names of the figures that every level has, where its requests have what they need.
const (
	RequestThroughput = "requests_per_s"      // completed ÷ makespan
	OutputThroughput  = "output_tokens_per_s" // output tokens ÷ makespan
	// input tokens ÷ makespan, of a level that generates none: embeddings
	InputThroughput         = "input_tokens_per_s"
	TotalThroughput         = "total_tokens_per_s"        // (input + output tokens) ÷ makespan
	SteadyRequestThroughput = "steady_requests_per_s"     // completions in the steady window ÷ its length
	SteadyInputThroughput   = "steady_input_tokens_per_s" // input tokens that arrived in it ÷ its length, likewise
	// output tokens that arrived in the steady window ÷ its length
	SteadyOutputThroughput = "steady_output_tokens_per_s"
	SteadyTotalThroughput  = "steady_total_tokens_per_s" // the same, with the input tokens
	MeanInFlight           = "in_flight_mean"            // over the makespan
	PeakInFlight           = "in_flight_peak"
	MeanOccupied           = "occupied_mean" // slots that were taken, Sent to Left: [InFlight.Occupied]
	SuccessRate            = "success_rate"  // completed ÷ issued, in percent

	// Input tokens found in the prefix cache ÷ input tokens, in percent, of the requests whose server told.
	CachedShare     = "cached_share"
	DraftAcceptance = "draft_acceptance" // draft tokens accepted ÷ proposed, in percent, likewise: speculative decoding
	// output tokens ÷ chunks of content, of the streamed requests that were counted
	TokensPerChunk = "tokens_per_chunk"

	OfferedRate  = "offered_requests_per_s"  // open loop: [OpenLoop.Offered], by the schedule
	AchievedRate = "achieved_requests_per_s" // open loop: [OpenLoop.Achieved], as they were sent

	OfferedSessions  = "offered_sessions_per_s" // the same where sessions arrive
	AchievedSessions = "achieved_sessions_per_s"
)

// Names of the figures that a level with [Level.Objectives] has.
const (
	GoodputThroughput = "goodput_requests_per_s" // requests that met all objectives ÷ makespan
	Attainment        = "attainment"             // requests that met all objectives ÷ issued, in percent
)

// AttainmentName is the name of the figure of one objective: requests that met it ÷ issued, in percent.
func AttainmentName(metric string) string { return Attainment + "_" + metric }

// The built-in metrics, by the names that start their figures.
const (
	TTFT        = "ttft"         // first content that can be seen − Sent
	FirstChoice = "first_choice" // first chunk of any kind with a choice − Sent: vLLM's TTFT
	FirstAnswer = "first_answer" // first content that is not reasoning − Sent
	TPOT        = "tpot"         // (E2E − TTFT) / (output tokens after the first content seen): [TPOTBasis]
	// 1000 / TPOT: tokens/s as one user sees them, where they took time. Its p50 and below are the bad half.
	Interactivity = "interactivity"
	ITL           = "itl" // gaps between content chunks, which may hold several tokens: [TokensPerChunk]
	E2E           = "e2e" // Done − Sent
	// open loop: Done − Scheduled, the client's delays and the wait for a turn included
	Response      = "response"
	SendLag       = "send_lag"       // Sent − Scheduled
	Upload        = "upload"         // Written − Sent of requests with images or sounds, which is part of their TTFT
	RequestBytes  = "request_bytes"  // of the bodies of these
	MediaTokens   = "media_tokens"   // input tokens of their images and sounds, where the server tells
	TTFTError     = "ttft_error"     // TTFT − the server's own, where the server stamps its chunks
	ITLError      = "itl_error"      // |gap − the server's own gap|, likewise
	ChunkLateness = "chunk_lateness" // arrival − the server's stamp, likewise: what is between the two clocks
	ReadLag       = "read_lag"       // Seen − Arrived, where known: what the client added after the kernel had a chunk
)

// quantiles are the percentiles that every metric reports where the level names none.
var quantiles = []float64{50, 90, 95, 99}

// maxPercentiles is more than anybody reads.
const maxPercentiles = 32

// percentiles are those that the level's metrics report, in their order. The gates go by the median and the 99th, so
// that these are always there.
func (l Level) percentiles() []float64 {
	if len(l.Percentiles) == 0 {
		return quantiles
	}
	all := append([]float64{50, 99}, l.Percentiles...)
	slices.Sort(all)
	return slices.Compact(all)
}

// validatePercentiles returns an [*InvalidError] for the first percentile that is none, or nil.
func (l Level) validatePercentiles() error {
	if len(l.Percentiles) > maxPercentiles {
		return &InvalidError{"percentiles", len(l.Percentiles), fmt.Sprintf("%d at most", maxPercentiles)}
	}
	for i, p := range l.Percentiles {
		if !(p > 0 && p < 100) {
			return &InvalidError{"percentiles", p, "numbers between 0 and 100, such as 50, 99 and 99.9"}
		}
		if slices.Contains(l.Percentiles[:i], p) {
			return &InvalidError{"percentiles", p, "each of them once"}
		}
	}
	return nil
}

// QuantileName is the name of the figure of a metric's p-th percentile: QuantileName("ttft", 99) is "ttft_p99".
func QuantileName(metric string, p float64) string {
	return metric + "_p" + strconv.FormatFloat(p, 'g', -1, 64)
}

// QuantileOf is which percentile of which metric the figure called name is, of those completed or of all issued: of
// "ttft_p99" and "ttft_p99_issued" the 99th of "ttft". false: it is none.
func QuantileOf(name string) (metric string, p float64, ok bool) {
	name = strings.TrimSuffix(name, "_issued")
	i := strings.LastIndex(name, "_p")
	if i <= 0 {
		return "", 0, false
	}
	p, err := strconv.ParseFloat(name[i+2:], 64)
	if err != nil || !(p > 0 && p < 100) || QuantileName(name[:i], p) != name {
		return "", 0, false
	}
	return name[:i], p, true
}

// MeanName is the name of the figure of a metric's mean.
func MeanName(metric string) string { return metric + "_mean" }

const millisecond = 1e6 // nanoseconds

// perRequest are the built-in metrics with one value a request.
var perRequest = []Metric{
	{TTFT, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		d, ok := r.TTFT()
		return float64(d) / millisecond, ok
	}},
	{FirstChoice, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		return float64(r.Opened-r.Sent) / millisecond, r.Opened != 0
	}},
	{FirstAnswer, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		return float64(r.FirstAnswer-r.Sent) / millisecond, r.FirstAnswer != 0
	}},
	{TPOT, "ms", LowerIsBetter, tpot},
	{Interactivity, "tok/s", HigherIsBetter, interactivity},
	{E2E, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		return float64(r.E2E()) / millisecond, true
	}},
	{SendLag, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		return float64(r.Sent-r.Scheduled) / millisecond, true
	}},
	{TTFTError, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		first, ok := r.TTFT()
		// The server knows of the last attempt alone.
		if !ok || r.Received == 0 || r.chunks.visible.Sent == 0 || r.Attempts > 1 {
			return 0, false
		}
		return (float64(first) - float64(r.chunks.visible.Sent-r.Received)) / millisecond, true
	}},
}

// perArrival are perRequest and, after E2E, what an open loop has beside it. In a closed loop no request waits for its
// turn, so that response would be e2e under a name that promises more.
var perArrival = slices.Insert(slices.Clone(perRequest),
	1+slices.IndexFunc(perRequest, func(m Metric) bool { return m.Name == E2E }),
	Metric{Response, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		return float64(r.Done-r.Scheduled) / millisecond, true
	}})

// metrics are the built-in metrics of l with one value a request.
func (l Level) metrics() []Metric {
	if l.open() {
		return perArrival
	}
	return perRequest
}

// pooled are the built-in metrics with one value a chunk or a gap, over all requests of the level together.
var pooled = []Metric{
	{Name: ITL, Unit: "ms", Better: LowerIsBetter},
	{Name: ReadLag, Unit: "ms", Better: LowerIsBetter},
	{Name: ITLError, Unit: "ms", Better: LowerIsBetter},
	{Name: ChunkLateness, Unit: "ms", Better: LowerIsBetter},
}

// perMedia are the built-in metrics of requests with images or sounds.
var perMedia = []Metric{
	{Upload, "ms", LowerIsBetter, func(r *Record) (float64, bool) {
		return float64(r.Written-r.Sent) / millisecond, r.Media > 0 && r.Written >= r.Sent && r.Written != 0
	}},
	{RequestBytes, "B", Neither, func(r *Record) (float64, bool) { return float64(r.Bytes), r.Media > 0 }},
	{MediaTokens, "tok", Neither, func(r *Record) (float64, bool) {
		return float64(r.MediaTokens), r.MediaTold &&
			r.Media > 0
	}},
}

// perSession is the built-in metric with one value a session that completed.
var perSession = []Metric{{Name: SessionDuration, Unit: "ms", Better: LowerIsBetter}}

// checkMetrics returns an error for a metric that could not be told from another, or not be computed.
func checkMetrics(own []Metric) error {
	taken := map[string]bool{}
	for _, m := range slices.Concat(perArrival, pooled, perSession, perMedia) {
		taken[m.Name] = true
	}
	for _, m := range own {
		if m.Name == "" || taken[m.Name] || m.Of == nil {
			return &InvalidError{"metric", strconv.Quote(m.Name), "a name that no other metric has, and a func Of"}
		}
		taken[m.Name] = true
	}
	return nil
}
