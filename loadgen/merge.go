package loadgen

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// MergeResults makes one result of two that generators measured at the same time against one server, with none of their
// percentiles lost. Neither is changed; for more than two, merge again.
//
// The levels must be the same but for their shares: Concurrency, Requests and Warmup, of which the merged level has the
// sums. (Give each generator's workload another seed, or they send the same prompts.) What is exact, given clocks that
// agree: the accounting, tokens, errors and goodput; the makespan, from the first Sent of all to the last Done of all, and
// with it the throughputs; and the distributions, as [Distribution.Merge] has it. Offsets are from the earlier Start;
// where the results were measured on two machines, their clocks' difference goes into these and into the makespan.
//
// What cannot be had from two results, and what there is instead:
//   - InFlight.Peak is the sum of the peaks, which it never was below, and may not have reached.
//   - InFlight.Mean is over the time from the first measured issue of all to the last Done of all. Requests of a warmup
//     that one generator was still at when the other had begun to measure are missing from it where they ended before.
//   - Steady is nil: what of each steady window happened in the part that both share is not known. [WarnMergedWindow]
//     says so.
//   - Warnings follow from what was merged; those that do not are kept from both.
//
// An [*InvalidError] names what does not fit: an open loop, a level that is another one, times that do not overlap, books that do not
// close, or distributions that are missing, as they are in results that were imported from another tool.
func MergeResults(a, b *Result) (*Result, error) {
	if b.Start.Before(a.Start) {
		a, b = b, a
	}
	level, err := mergeLevels(a.Level, b.Level)
	if err != nil {
		return nil, err
	}
	for _, r := range []*Result{a, b} {
		if err := r.mergeable(); err != nil {
			return nil, err
		}
	}
	later := b.Start.Sub(a.Start)
	r := &Result{
		Level:         level,
		Start:         a.Start,
		Generators:    max(a.Generators, 1) + max(b.Generators, 1),
		CutShort:      a.CutShort || b.CutShort,
		Accounting:    a.Accounting,
		Warmup:        a.Warmup,
		Tokens:        a.Tokens,
		Stamps:        a.Stamps,
		Errors:        mergeErrors(a.Errors, b.Errors),
		Distributions: map[string]*Distribution{},
	}
	if r.InFlight, err = mergeInFlight(a.InFlight, b.InFlight, later); err != nil {
		return nil, err
	}
	r.Accounting.Add(b.Accounting)
	r.Warmup.Add(b.Warmup)
	r.Tokens.Add(b.Tokens)
	r.Stamps.Add(b.Stamps)
	switch {
	case a.Accounting.Completed == 0 && b.Accounting.Completed > 0:
		r.FirstSent, r.Makespan = later+b.FirstSent, b.Makespan
	case b.Accounting.Completed == 0:
		r.FirstSent, r.Makespan = a.FirstSent, a.Makespan
	default:
		r.FirstSent = min(a.FirstSent, later+b.FirstSent)
		r.Makespan = max(a.FirstSent+a.Makespan, later+b.FirstSent+b.Makespan) - r.FirstSent
	}
	if a.Goodput != nil {
		r.Goodput = &Goodput{Met: a.Goodput.Met + b.Goodput.Met, Objectives: slices.Clone(a.Goodput.Objectives)}
		for i, n := range b.Goodput.Objectives {
			r.Goodput.Objectives[i] += n
		}
	}
	for _, part := range []*Result{a, b} {
		for name, d := range part.Distributions {
			if r.Distributions[name] == nil {
				r.Distributions[name] = new(Distribution)
			}
			r.Distributions[name].Merge(d)
		}
	}
	r.Figures = r.figures(ownMetrics(r.Distributions, a.Figures, b.Figures))
	r.Warnings = r.warnings()
	for _, w := range slices.Concat(a.Warnings, b.Warnings) {
		if !w.recomputed() {
			r.Warnings = append(r.Warnings, w)
		}
	}
	return r, nil
}

// mergeLevels adds the shares of one level.
func mergeLevels(a, b Level) (Level, error) {
	if a.Arrivals.Process != "" || b.Arrivals.Process != "" {
		return Level{}, &InvalidError{"arrivals", a.Arrivals, "a closed loop: open loops cannot be merged, whose rates and backlogs do not add up"}
	}
	rest := func(l Level) Level {
		l.Concurrency, l.Requests, l.Warmup = 0, min(l.Requests, 1), 0 // whether it has a number of requests is no share
		if len(l.Objectives) == 0 {
			l.Objectives = nil
		}
		return l
	}
	if !reflect.DeepEqual(rest(a), rest(b)) {
		return Level{}, &InvalidError{"level", fmt.Sprintf("%+v", b), fmt.Sprintf("a share of the same level as %+v", a)}
	}
	a.Concurrency += b.Concurrency
	a.Requests += b.Requests
	a.Warmup += b.Warmup
	a.Objectives = slices.Clone(a.Objectives)
	return a, nil
}

// mergeable returns an error for a result that does not have what a merged one is made of.
func (r *Result) mergeable() error {
	for _, books := range []Accounting{r.Accounting, r.Warmup} {
		if err := books.Check(); err != nil {
			return &InvalidError{"accounting", fmt.Sprintf("%+v", books), "books that close"}
		}
	}
	n := 0
	if d := r.Distributions[E2E]; d != nil {
		n = d.Len()
	}
	if n != r.Accounting.Completed {
		return &InvalidError{"distributions", fmt.Sprintf("with %d requests", n), fmt.Sprintf("those of all %d that completed", r.Accounting.Completed)}
	}
	for name, d := range r.Distributions {
		if d == nil {
			return &InvalidError{"distributions", name, "its samples"}
		}
	}
	return r.Goodput.check(r.Level.Objectives, r.Accounting.Completed)
}

// mergeInFlight merges the second, which started later, into the first.
func mergeInFlight(a, b InFlight, later time.Duration) (InFlight, error) {
	peak := a.Peak + b.Peak
	spanA, spanB := a.To-a.From, b.To-b.From
	b.From, b.To = b.From+later, b.To+later
	switch {
	case spanB <= 0:
		a.Peak = peak
		return a, nil
	case spanA <= 0:
		b.Peak = peak
		return b, nil
	case a.From >= b.To || b.From >= a.To:
		return InFlight{}, &InvalidError{"start", fmt.Sprintf("%v later", later), fmt.Sprintf(
			"results that were measured at the same time: one is from %v to %v, the other from %v to %v", a.From, a.To, b.From, b.To)}
	}
	m := InFlight{Peak: peak, From: min(a.From, b.From), To: max(a.To, b.To)}
	span := float64(m.To - m.From)
	m.Mean = (a.Mean*float64(spanA) + b.Mean*float64(spanB)) / span
	m.Measured = (a.Measured*float64(spanA) + b.Measured*float64(spanB)) / span
	return m, nil
}

func mergeErrors(a, b []ErrorCount) []ErrorCount {
	out := slices.Clone(a)
	for _, e := range b {
		i := slices.IndexFunc(out, func(known ErrorCount) bool { return known.Class == e.Class && known.Status == e.Status })
		if i < 0 {
			out = append(out, e)
			continue
		}
		out[i].Count += e.Count
	}
	return out
}

// ownMetrics are the metrics that are not built in, as far as their figures tell: they have no Of.
func ownMetrics(distributions map[string]*Distribution, figures ...[]Figure) []Metric {
	var own []Metric
	known := slices.Concat(perRequest, pooled)
	for _, f := range slices.Concat(figures...) {
		name, mean := strings.CutSuffix(f.Name, MeanName(""))
		if mean && distributions[name] != nil && !slices.ContainsFunc(slices.Concat(known, own), func(m Metric) bool { return m.Name == name }) {
			own = append(own, Metric{Name: name, Unit: f.Unit, Better: f.Better})
		}
	}
	return own
}
