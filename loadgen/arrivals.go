package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Process says how the arrivals of an open loop follow each other.
type Process string

const (
	ConstantArrivals Process = "constant" // request i is due at i ÷ rate
	PoissonArrivals  Process = "poisson"  // exponential gaps: users who know nothing of each other
	GammaArrivals    Process = "gamma"    // gamma gaps: Poisson made more bursty or more even
	TraceArrivals    Process = "trace"    // request i is due at Trace[i]
)

// Bounds on [Arrivals], far beyond any sensible use.
const (
	MinRate       = 1e-6 // requests/s: one in eleven days
	MaxRate       = 1e6  // requests/s
	MinBurstiness = 0.01
	MaxBurstiness = 1e6
)

// Arrivals say when requests are due, whatever the server does with those before: an open loop, as users are who do
// not wait for each other. The zero Arrivals are a closed loop. The first request is due when the level starts,
// except in a trace; times are offsets from the start and not from the arrival before, so that no delay adds up.
type Arrivals struct {
	Process Process `json:"process,omitempty"` // "": a closed loop

	// Rate is the mean number of arrivals a second. 0 for a trace, which has its own.
	Rate float64 `json:"rate_per_s,omitempty"`

	// Burstiness is the shape of gamma gaps, whose scale is 1 ÷ (Rate · Burstiness): 1 is Poisson, less comes in
	// bursts, more goes towards constant. Their coefficient of variation is 1 ÷ √Burstiness. 0 for any other process.
	Burstiness float64 `json:"burstiness,omitempty"`

	// Trace holds when each request is due, in ascending order, for [TraceArrivals]; nil for any other process. The
	// level ends with it, or sooner where it is bounded otherwise.
	Trace []time.Duration `json:"trace_ns,omitempty"`

	// TraceSHA256 is the [HashTrace] of a Trace that is kept elsewhere: a journal stores a trace once, and its levels
	// refer to it. What reads a journal puts the Trace back; without it there is nothing to measure. "": Trace is all
	// there is.
	TraceSHA256 string `json:"trace_sha256,omitempty"`
}

// HashTrace identifies a trace: the SHA-256, in hexadecimal, of its offsets in nanoseconds, each as eight bytes, the
// highest first. "" for none.
func HashTrace(trace []time.Duration) string {
	if len(trace) == 0 {
		return ""
	}
	h := sha256.New()
	var block [8 << 10]byte
	for part := range slices.Chunk(trace, len(block)/8) {
		bytes := block[:0]
		for _, due := range part {
			bytes = binary.BigEndian.AppendUint64(bytes, uint64(due))
		}
		h.Write(bytes)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// String describes the arrivals: "poisson arrivals at 12.5 requests/s".
func (a Arrivals) String() string {
	switch a.Process {
	case "":
		return "a closed loop"
	case TraceArrivals:
		return fmt.Sprintf("a trace of %d arrivals", len(a.Trace))
	case GammaArrivals:
		return fmt.Sprintf("gamma arrivals of burstiness %g at %g requests/s", a.Burstiness, a.Rate)
	}
	return fmt.Sprintf("%s arrivals at %g requests/s", string(a.Process), a.Rate)
}

// validate returns an [*InvalidError] for the first field that cannot be, or nil.
func (a Arrivals) validate() error {
	rated, shaped := false, false
	switch a.Process {
	case "":
	case ConstantArrivals, PoissonArrivals:
		rated = true
	case GammaArrivals:
		rated, shaped = true, true
	case TraceArrivals:
		if len(a.Trace) == 0 && a.TraceSHA256 != "" {
			return &InvalidError{"trace", "only its SHA-256, " + a.TraceSHA256, "its offsets, which are kept elsewhere"}
		}
		if len(a.Trace) == 0 || len(a.Trace) > MaxRequests {
			return &InvalidError{"trace", len(a.Trace), "from 1 to 100,000,000 offsets"}
		}
		var last time.Duration
		for i, due := range a.Trace {
			if due < last {
				return &InvalidError{fmt.Sprintf("trace[%d]", i), due, "offsets from 0 up, in ascending order"}
			}
			last = due
		}
	default:
		return &InvalidError{"arrivals", string(a.Process), "constant, poisson, gamma or trace"}
	}
	switch { // written so that NaN is refused
	case rated && !(a.Rate >= MinRate && a.Rate <= MaxRate):
		return &InvalidError{"rate", a.Rate, "a number of requests/s from 0.000001 to 1,000,000"}
	case !rated && a.Rate != 0:
		return &InvalidError{"rate", a.Rate, "0, or arrivals that have a rate: constant, poisson or gamma"}
	case shaped && !(a.Burstiness >= MinBurstiness && a.Burstiness <= MaxBurstiness):
		return &InvalidError{"burstiness", a.Burstiness,
			"a number from 0.01 (bursts) to 1,000,000 (all but constant); 1 is Poisson"}
	case !shaped && a.Burstiness != 0:
		return &InvalidError{"burstiness", a.Burstiness, "0, or gamma arrivals"}
	case a.Process != TraceArrivals && (a.Trace != nil || a.TraceSHA256 != ""):
		return &InvalidError{"trace", len(a.Trace), "no offsets, or trace arrivals"}
	}
	return nil
}

// variation is the coefficient of variation of the gaps, as far as it is known beforehand.
func (a Arrivals) variation() float64 {
	switch a.Process {
	case ConstantArrivals:
		return 0
	case GammaArrivals:
		return 1 / math.Sqrt(a.Burstiness)
	}
	return 1
}

// A schedule yields when each request of an open loop is due. Arrivals are drawn as they are needed, because a level
// may last for long; the same seed draws the same ones.
type schedule struct {
	level    Level
	next     int            // number of the level's next request
	at       float64        // when it is due, but for the ramp-up
	gap      func() float64 // in mean gaps; nil where the number of a request gives its time
	measured time.Duration  // when the first measured request is due
}

func newSchedule(l Level) *schedule {
	s := &schedule{level: l}
	source := rand.NewPCG(l.Seed, 0x5e7b_e9a6_e000_0001) // another stream than that of prompts of the same seed
	switch b := l.Arrivals.Burstiness; {
	case l.Arrivals.Process == PoissonArrivals || l.Arrivals.Process == GammaArrivals && b == 1:
		s.gap = rand.New(source).ExpFloat64
	case l.Arrivals.Process == GammaArrivals:
		s.gap = distuv.Gamma{Alpha: b, Beta: b, Src: source}.Rand
	}
	return s
}

// draw returns the due time of the shard's next request, and false when the level has no more.
func (s *schedule) draw() (due time.Duration, ok bool) {
	for {
		i := s.next
		if due, ok = s.drawAny(); !ok || s.level.owns(i) {
			return due, ok
		}
	}
}

// drawAny returns the due time of the level's next request, whichever shard's it is.
func (s *schedule) drawAny() (due time.Duration, ok bool) {
	l, i := s.level, s.next
	if l.Requests > 0 && i >= l.Warmup+l.Requests {
		return 0, false
	}
	switch a := l.Arrivals; {
	case a.Process == TraceArrivals:
		if i >= len(a.Trace) {
			return 0, false
		}
		due = a.Trace[i]
	case s.gap == nil:
		due = seconds(l.ramped(float64(i) / a.Rate))
	default:
		if i > 0 {
			s.at += s.gap() / a.Rate
		}
		due = seconds(l.ramped(s.at))
	}
	if i == l.Warmup {
		s.measured = due
	}
	if l.Duration > 0 && i > l.Warmup && due-s.measured >= l.Duration {
		return 0, false
	}
	s.next++
	return due, true
}

// seconds is a duration to the nearest nanosecond. What does not fit into one is as good as never.
func seconds(s float64) time.Duration { return time.Duration(math.Round(min(s, 9e9) * 1e9)) }
