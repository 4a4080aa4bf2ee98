package protocol

import (
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// WarnGivenUp is the code of the warning that a level was ended because nothing in it worked.
const WarnGivenUp = "given-up"

// A LevelError says that no request completed in a level, nor in any other on the same start of the server, so that it
// is not the load that is at fault. A level in which none completed on a server that has answered before, or answers
// later, is kept, and the next one follows.
type LevelError struct {
	Step   Step
	Errors []loadgen.ErrorCount
}

func (e *LevelError) Error() string {
	what := number.Sprintf("%s of run %d", e.Step.Level.Load(), e.Step.Run)
	if e.Step.Discard {
		what = number.Sprintf("the warmup of run %d", e.Step.Run)
		if e.Step.Run == 0 {
			what = "the priming start"
		}
	}
	if len(e.Errors) == 0 {
		return what + ": no request completed"
	}
	return number.Sprintf("%s: no request completed: %s", what, e.Errors[0])
}

// hopelessness ends a level in which nothing works: the rest would only take long to fail as well. That is so when as
// many requests as the concurrency, and at least ten, have failed, none has completed, and all that were in flight at
// that moment have failed since. Requests that a server has admitted are slower than those that it refuses at once:
// while one of them is in flight, it may still succeed.
type hopelessness struct {
	level     loadgen.Level
	ended     []uint64 // a bit for each request that has failed, by its number
	low       int      // all requests before this one have failed
	highest   int      // that has
	failed    int
	until     int // give up when low gets there; 0: not enough have failed
	completed bool
	gaveUp    bool
	stop      chan struct{}
}

func newHopelessness(l loadgen.Level) *hopelessness {
	return &hopelessness{level: l, stop: make(chan struct{})}
}

const hopelessFailures = 10 // at least, before a level is given up

func (h *hopelessness) record(r *loadgen.Record, err *loadgen.Error) {
	switch {
	case h.completed || h.gaveUp:
		return
	case err == nil:
		h.completed, h.ended = true, nil
		return
	}
	i := r.Index / max(h.level.Shards, 1) // a shard's own requests are so far apart
	for len(h.ended) <= i/64 {
		h.ended = append(h.ended, 0)
	}
	h.ended[i/64] |= 1 << (i % 64)
	for h.low/64 < len(h.ended) && h.ended[h.low/64]&(1<<(h.low%64)) != 0 {
		h.low++
	}
	h.highest = max(h.highest, i)
	h.failed++
	inFlight := max(h.level.Concurrency, hopelessFailures)
	if h.until == 0 && h.failed >= inFlight {
		h.until = h.highest + 1 + inFlight // no more than so many have been issued
	}
	if h.until > 0 && h.low >= h.until {
		h.gaveUp = true
		close(h.stop)
	}
}

// givenUp says what is true of a level that was given up: requests that were in flight then may have completed after
// all.
func givenUp(r *loadgen.Result) loadgen.Warning {
	a := r.Accounting
	a.Add(r.Warmup)
	var how []string
	for _, e := range r.Errors {
		how = append(how, e.String())
	}
	return loadgen.Warning{Code: WarnGivenUp, Spoils: []string{loadgen.All}, Message: number.Sprintf(
		"the level was given up, because so many requests had failed and none had completed: %d were issued, %d completed, %d failed (%s)",
		a.Issued, a.Completed, a.Failed, strings.Join(how, "; "))}
}
