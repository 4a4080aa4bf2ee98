package protocol

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/servegauge/servegauge/loadgen"
)

// loads are the loads of a plan as they stand: concurrencies of a closed loop, or rates of an open one, or a trace.
func (p Plan) loads() (out []loadgen.Level) {
	for _, c := range p.Levels {
		out = append(out, loadgen.Level{Concurrency: c, Unit: p.Unit})
	}
	if p.replays() {
		out = append(out, loadgen.Level{Concurrency: p.MaxInFlight, Arrivals: p.Arrivals, Unit: p.Unit})
	}
	for _, rate := range p.Rates {
		arrivals := p.Arrivals
		arrivals.Process = cmp.Or(arrivals.Process, loadgen.PoissonArrivals)
		arrivals.Rate = rate
		out = append(out, loadgen.Level{Concurrency: p.MaxInFlight, Arrivals: arrivals, Unit: p.Unit})
	}
	return out
}

// replays reports whether the plan's load is a trace.
func (p Plan) replays() bool {
	return p.Arrivals.Process == loadgen.TraceArrivals && len(p.Levels) == 0 && len(p.Rates) == 0
}

// bound has a load end after what the plan says, and be led in.
func (p Plan) bound(l *loadgen.Level) {
	l.Warmup = p.handover(*l)
	if l.Unit != "" {
		l.Sessions = p.requests(*l)
		return
	}
	l.Requests = p.requests(*l)
}

// byLoad orders loads of one kind, the least first.
func byLoad(a, b loadgen.Level) int {
	return cmp.Or(cmp.Compare(a.Arrivals.Rate, b.Arrivals.Rate), cmp.Compare(a.Concurrency, b.Concurrency))
}

// AtRate is the number of requests at a rate of arrivals, in requests/s: Count, or PerConcurrency times the rate, which
// is as many as come in so many seconds; at least 1.
func (p Prompts) AtRate(rate float64) int {
	if p.PerConcurrency > 0 {
		return max(int(min(math.Ceil(float64(p.PerConcurrency)*rate), 2*loadgen.MaxRequests)), 1)
	}
	return p.Count
}

// requests is how many are measured at a load; of a Unit sessions.
func (p Plan) requests(l loadgen.Level) int {
	switch {
	case l.Arrivals.Process == loadgen.TraceArrivals && p.Prompts.Count == 0:
		return len(l.Arrivals.Trace)
	case l.Arrivals.Process != "":
		return p.Prompts.AtRate(l.Arrivals.Rate)
	}
	return p.Prompts.At(l.Concurrency)
}

// handover is how many requests lead a load in. A closed loop is full after as many as it keeps in flight. How many an
// open one has in flight is its answer; a tenth of what is measured is taken.
func (p Plan) handover(l loadgen.Level) int {
	switch {
	case !p.Handover || p.replays(): // of a trace each request is measured
		return 0
	case l.Arrivals.Process != "":
		return max(p.requests(l)/10, 1)
	}
	return l.Concurrency
}

// warmupLevel is what a run begins with, at its first load: a number of requests, or until steady.
func (p Plan) warmupLevel(first loadgen.Level) (l loadgen.Level, untilSteady bool) {
	if p.WarmUntilSteady > 0 {
		l = first
		l.Duration, l.Timeout = p.warmBound(), p.Timeout
		return l, true
	}
	inFlight := first.Concurrency
	requests := p.Warmup
	if first.Arrivals.Process != "" { // its requests need no schedule
		inFlight = max(int(first.Arrivals.Rate), 1)
	}
	if n := len(first.Arrivals.Trace); n > 0 { // it has no more prompts than that
		requests = min(requests, n)
	}
	return loadgen.Level{Concurrency: min(requests, inFlight), Requests: requests, Timeout: p.Timeout}, false
}

// validateLoads returns what is wrong with the loads of a plan.
func (p Plan) validateLoads() error {
	invalid := func(field string, value any, want string) error {
		return &loadgen.InvalidError{Field: field, Value: value, Want: want}
	}
	loads := p.loads()
	switch {
	case len(p.Levels) > 0 && len(p.Rates) > 0:
		return invalid("rates", p.Rates, fmt.Sprintf("either rates or levels, which are %v", p.Levels))
	case p.replays() && p.Unit != "":
		return invalid("unit", string(p.Unit), "none with a trace, which is of single requests")
	case p.replays() && p.WarmUntilSteady > 0:
		return invalid("warming until steady", p.WarmUntilSteady, "a number of requests with a trace, whose load is not steady")
	case len(loads) == 0 || len(loads) > 1000:
		return invalid("levels", p.Levels, "from 1 to 1,000 concurrencies, or as many rates")
	case len(p.Rates) == 0 && p.Arrivals.Process != "" && !p.replays():
		return invalid("arrivals", p.Arrivals, "rates with them; levels are of a closed loop")
	case len(p.Rates) == 0 && p.MaxInFlight != 0 && !p.replays():
		return invalid("most in flight", p.MaxInFlight, "rates with it; levels say themselves how many are in flight")
	case p.Arrivals.Rate != 0 || !p.replays() && (p.Arrivals.Process == loadgen.TraceArrivals || len(p.Arrivals.Trace) > 0):
		return invalid("arrivals", p.Arrivals, "constant, poisson or gamma, without a rate, which is in rates; or a trace "+
			"without rates and levels")
	case p.replays() && len(p.Arrivals.Trace) == 0 && p.Arrivals.TraceSHA256 != "":
		return nil // as an experiment keeps it: its offsets are in the journal
	}
	for i, l := range loads {
		if slices.ContainsFunc(loads[:i], func(o loadgen.Level) bool { return byLoad(o, l) == 0 }) {
			if len(p.Rates) > 0 {
				return invalid("rates", l.Arrivals.Rate, "each rate once; more runs repeat it")
			}
			return invalid("levels", l.Concurrency, "each level once; more runs repeat it")
		}
		p.bound(&l)
		l.Objectives, l.Percentiles = p.Objectives, p.Percentiles
		if err := l.Validate(); err != nil {
			return fmt.Errorf("%s: %w", loadOf(Step{Level: l}).levelList([]float64{loadOf(Step{Level: l}).value()}), err)
		}
	}
	return nil
}

// Steps are those of the plan, in their order, without what a [Retry] adds.
func (p Plan) Steps() (steps []Step) {
	for n := 0; ; n++ {
		s, err := p.at(n)
		if err != nil {
			return steps
		}
		steps = append(steps, s)
	}
}
