package loadgen

import (
	"context"
	"slices"
	"time"
)

// Retries counts what was tried again, warmup included. The accounting counts requests, however often they were tried.
type Retries struct {
	Requests int `json:"requests"` // that were tried more than once
	Attempts int `json:"attempts"` // after each one's first, together

	// Errors are how the attempts failed that another followed, as many as Attempts. How a request failed in the end
	// is in [Result.Errors].
	Errors []ErrorCount `json:"errors"`
}

// passing are the statuses that may be another the next time: too many requests, and a gateway without a server
// behind it that is ready. 500 is not among them: inference servers answer it when the request itself, or the engine,
// is broken, and the next answer would be the same. Nor is anything that failed after the server had begun to answer,
// or had the time to: it would do the work twice, at a load that no figure is named after.
var passing = []int{429, 502, 503, 504}

const (
	firstBackoff   = 100 * time.Millisecond
	longestBackoff = 10 * time.Second
)

// request performs the present request, as often as the level says; mine is false where the goroutine was left behind.
func (w *worker) request() (failure *Error, mine bool) {
	ctx, l := w.limits.own, w.level
	if l.Timeout > 0 {
		c := w.limits.begin(w.slots.epoch.Add(w.begun+l.Timeout), l.Timeout)
		defer w.limits.end(c)
		ctx = c
	}
	r, sent := w.record, time.Duration(0)
	for {
		failure, mine := w.attempt(ctx)
		if !mine {
			return nil, false
		}
		if r.Attempts == 1 {
			sent = r.Sent
		}
		r.Sent = sent
		if failure == nil || !l.again(failure, r) {
			return failure, true
		}
		wait := failure.pause(r.Attempts)
		// In this order, for a wait may be as long as a Duration can be.
		if l.Timeout > 0 && wait >= l.Timeout-(r.Now()-w.begun) {
			return failure, true
		}
		if !sleep(ctx, w.stop, wait) {
			r.Done = r.Now() // it was in flight until now
			r.Left = r.Done
			if ctx.Err() != nil {
				failure = classify(failure, w.ctx.Err() != nil, true, false)
			}
			return failure, true
		}
		w.retried = append(w.retried, failure)
		r.again()
	}
}

// again reports whether a request that failed is to be tried once more.
func (l Level) again(e *Error, r *Record) bool {
	if r.Attempts > l.Retries || r.chunks.n > 0 {
		return false
	}
	switch e.Class {
	case ClassDial, ClassStale:
		return true
	case ClassStatus:
		return slices.Contains(passing, e.Status)
	}
	return false
}

// pause is how long to wait after so many attempts. There is no chance in it: what a level does is to depend on the
// level and the server alone. The price is that requests which failed together come back together.
func (e *Error) pause(attempts int) time.Duration {
	if e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return min(firstBackoff<<min(attempts-1, 10), longestBackoff)
}

// sleep returns true after d, or false when ctx is done or stop is closed before.
func sleep(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}

// again makes r the record of another attempt at its request.
func (r *Record) again() {
	scheduled, attempts := r.Scheduled, r.Attempts
	r.reset(r.Index, r.Warmup, r.epoch)
	r.Scheduled, r.Attempts = scheduled, attempts+1
}

// add counts a request and how its attempts failed that another followed, if there were any.
func (c *Retries) add(before []*Error) {
	if len(before) == 0 {
		return
	}
	c.Requests++
	c.Attempts += len(before)
	for _, e := range before {
		c.Errors = countError(c.Errors, e)
	}
}

func countError(counts []ErrorCount, e *Error) []ErrorCount {
	i := slices.IndexFunc(counts, func(known ErrorCount) bool {
		return known.Class == e.Class && known.Status == e.Status
	})
	if i < 0 {
		i = len(counts)
		counts = append(counts, ErrorCount{Class: e.Class, Status: e.Status, Example: e.Error()})
	}
	counts[i].Count++
	return counts
}

func mergeRetries(a, b *Retries) *Retries {
	if a == nil {
		a = &Retries{}
	}
	if b == nil {
		b = &Retries{}
	}
	if a.Requests+b.Requests == 0 {
		return nil
	}
	return &Retries{Requests: a.Requests + b.Requests, Attempts: a.Attempts + b.Attempts,
		Errors: mergeErrors(a.Errors, b.Errors)}
}

// retryWarning says that the load was not all of requests that the server took at once. It spoils nothing: the
// latencies are what users waited.
func (r *Result) retryWarning(warn func(code string, spoils []string, format string, args ...any)) {
	c := r.Retries
	if c == nil {
		return
	}
	issued := r.Accounting.Issued + r.Warmup.Issued
	such := ""
	if len(c.Errors) > 0 { // there is none in what somebody else wrote
		such = ", after failures such as: " + c.Errors[0].Example
	}
	warn(WarnRetried, nil,
		"%d of %d requests (%.3g %%, warmup included) were retried, %d times together%s; latencies count from "+
			"the first time that they were sent, and requests that waited to be retried count as in flight, although "+
			"the server did not have them then",
		c.Requests, issued, 100*float64(c.Requests)/float64(issued), c.Attempts, such)
}
