package loadgen

import (
	"fmt"
	"strings"
	"time"
)

// Bounds on a [Level], far above any sensible use: a value past one is a slip of the hand, and is refused rather
// than tried.
const (
	MaxConcurrency = 100_000
	MaxRequests    = 100_000_000
	MaxRetries     = 100
)

// A Level is one condition of load: a closed loop that keeps Concurrency requests in flight, or an open loop that
// issues requests when Arrivals say, until Requests have been issued or Duration has gone by, whichever comes first. It
// is plain data; the zero Level is not valid.
type Level struct {
	// Concurrency is the number of requests kept in flight while requests last, at least 1. In an open loop it is the
	// most that may be in flight, and an arrival beyond it waits ([OpenLoop.Delayed]); 0: no bound but
	// [MaxConcurrency].
	Concurrency int `json:"concurrency"`

	// Arrivals say when requests are due. Zero: a closed loop, in which one is due as soon as another is over.
	Arrivals Arrivals `json:"arrivals,omitzero"`

	// Seed chooses among the possible arrivals: levels that differ in nothing have the same ones. 0 is a seed like any
	// other.
	Seed uint64 `json:"seed,omitempty"`

	// Requests ends the issuing after so many measured requests. 0: no such bound, Duration ends it.
	Requests int `json:"requests,omitempty"`

	// Unit says that the level is of sessions, of a Target that has [Sessions], and what Concurrency counts: sessions
	// or their requests. "": of single requests.
	Unit Unit `json:"unit,omitempty"`

	// Sessions ends the beginning of sessions after so many measured ones; those that have begun are carried on to
	// their end. 0: no such bound, Duration ends it. Only with a Unit, in the place of Requests.
	Sessions int `json:"sessions,omitempty"`

	// Duration ends the issuing so long after the first measured request; what is in flight then is drained and
	// counted. 0: no such bound, Requests ends it. In an open loop it bounds when requests are due: each that is due
	// before it is issued, however late.
	Duration time.Duration `json:"duration_ns,omitempty"`

	// Warmup is how many requests, in addition to the measured ones, are issued first and discarded. They hand
	// their slots over one by one, without a drain, so that the first measured request meets a busy server.
	// Requests are numbered from 0 through both, so that no prompt is sent twice.
	Warmup int `json:"warmup,omitempty"`

	// RampUp is the time over which the load rises, from the start of the level. 0: it is all there at once.
	//
	// In a closed loop slot k of Concurrency takes its first request at k·RampUp ÷ Concurrency, instead of all of them
	// at 0: without that the first wave comes as one burst, which no later one is. In an open loop the rate rises from
	// 0 in a straight line, and has reached Arrivals.Rate at RampUp; arrivals keep the gaps of their process,
	// stretched. A trace has none: it is its own.
	//
	// A ramp is load that the level is not named after, so that Warmup should cover it: RampUp × Rate ÷ 2 requests of
	// an open loop, and as many as are issued in it of a closed one. Those that it does not cover are measured like any
	// other, and [WarnRampDominated] says so where they are more than 1 % ([InFlight.InRamp], [OpenLoop.InRamp]). The
	// steady window never has a part of it: it opens when all slots have been in use.
	RampUp time.Duration `json:"ramp_up_ns,omitempty"`

	// Shards is how many generators drive the level together, on machines of their own perhaps; 0, or 1: it is driven
	// by one. Shard says which of them this is, from 0 to Shards − 1; everything else in the Level is the whole
	// level's, and the same for all. [MergeResults] makes the level's result of theirs.
	//
	// Shard k of n keeps Concurrency ÷ n in flight (the first Concurrency mod n shards one more): of the level's
	// slots, those whose number is k modulo n. The level's requests, those of the warmup included, go to its slots in
	// turn, so that no prompt is sent twice, and shards of several sizes keep the load up to one moment; in an open
	// loop without a bound they go to the shards in turn. An open loop has one schedule, of which each shard takes
	// the arrivals of its requests, so that the shards together have just the arrivals of the whole. Each counts time
	// from its own start: they should be started at the same moment. Duration is from the shard's own first measured
	// request in a closed loop, and from the level's in an open one.
	Shard  int `json:"shard,omitempty"`
	Shards int `json:"shards,omitempty"`

	// Timeout is how long one request may take, with all its retries and the waits between them, before it is cancelled
	// and counted as failed. A wait for its turn is no part of it. 0: no limit.
	Timeout time.Duration `json:"timeout_ns,omitempty"`

	// Retries is how many more times a request is tried that failed in a way that may pass: no connection
	// ([ClassDial], [ClassStale]), or an answer with status 429, 502, 503 or 504. Before each the request waits for
	// as long as the server asked for ([Error.RetryAfter]), or else 100 ms, and twice as long each time, up to 10 s.
	// It is not tried again where that wait would go beyond the Timeout (without one, the server alone says how long
	// it may be), nor once the level is stopped ([Generator.Stop]).
	//
	// All latencies count from the first Sent, as a user waits, and the request holds its place among those in flight
	// while it waits. [Result.Retries] counts what was retried. 0: nothing is, and a failure is a failure.
	Retries int `json:"retries,omitempty"`

	// Objectives are what a request must meet, all of them, to count in the goodput. None: no goodput.
	Objectives []Objective `json:"objectives,omitempty"`

	// Percentiles are those that each metric reports beside the median and the 99th, which gates go by: numbers between
	// 0 and 100, such as 99.9. None: 90 and 95.
	Percentiles []float64 `json:"percentiles,omitempty"`
}

// Validate returns an [*InvalidError] for the first field whose value cannot be measured, or nil.
func (l Level) Validate() error {
	if err := l.Arrivals.validate(); err != nil {
		return err
	}
	if err := l.validatePercentiles(); err != nil {
		return err
	}
	trace := len(l.Arrivals.Trace)
	switch {
	case l.open() && (l.Concurrency < 0 || l.Concurrency > MaxConcurrency):
		return &InvalidError{"concurrency", l.Concurrency, "the most in flight, a number from 0 (no bound) to 100,000"}
	case !l.open() && (l.Concurrency < 1 || l.Concurrency > MaxConcurrency):
		return &InvalidError{"concurrency", l.Concurrency, "a number from 1 to 100,000"}
	case l.Requests < 0 || l.Requests > MaxRequests:
		return &InvalidError{"requests", l.Requests, "a number from 0 (bounded by duration) to 100,000,000"}
	case l.Duration < 0:
		return &InvalidError{"duration", l.Duration, "0 (bounded by requests) or more"}
	case l.bound() == 0 && l.Duration == 0 && trace == 0:
		return &InvalidError{"requests", l.Requests, "at least 1, or a duration: a level must end"}
	case l.Warmup < 0 || l.Warmup > MaxRequests:
		return &InvalidError{"warmup", l.Warmup, "a number from 0 to 100,000,000"}
	case l.RampUp < 0:
		return &InvalidError{"ramp-up", l.RampUp, "0 (none) or more"}
	case l.RampUp > 0 && trace > 0:
		return &InvalidError{"ramp-up", l.RampUp, "0 with a trace, whose arrivals have their times"}
	case l.Timeout < 0:
		return &InvalidError{"timeout", l.Timeout, "0 (none) or more"}
	case l.Retries < 0 || l.Retries > MaxRetries:
		return &InvalidError{"retries", l.Retries, "a number from 0 (none) to 100"}
	case trace > 0 && l.Warmup+max(l.bound(), 1) > trace:
		return &InvalidError{"trace", trace, fmt.Sprintf("at least %d offsets, for the warmup and the requests",
			l.Warmup+max(l.bound(), 1))}
	}
	if err := l.validateSessions(); err != nil {
		return err
	}
	if err := l.validateShards(); err != nil {
		return err
	}
	return validateObjectives(l.Objectives)
}

// Load names the load: "concurrency 8", or "poisson arrivals at 12.5 requests/s, at most 8 in flight, ramped up over
// 10s".
func (l Level) Load() string {
	load := l.Arrivals.String()
	if l.Unit != "" {
		load = strings.Replace(load, "requests/s", "sessions/s", 1)
	}
	switch {
	case !l.open():
		load = fmt.Sprintf("concurrency %d", l.Concurrency)
		if l.Unit != "" {
			load += " of " + l.unit()
		}
	case l.Concurrency > 0:
		load += fmt.Sprintf(", at most %d in flight", l.Concurrency)
		if l.Unit == UnitSession {
			load = strings.TrimSuffix(load, "in flight") + "under way"
		}
	}
	if l.RampUp > 0 {
		load += fmt.Sprintf(", ramped up over %v", l.RampUp)
	}
	if l.Shards > 1 {
		load += fmt.Sprintf(" (shard %d/%d)", l.Shard, l.Shards)
	}
	return load
}
