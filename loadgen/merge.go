package loadgen

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// MergeResults makes the result of a level of those that its shards had ([Level.Shards]), measured at the same time
// against one server, with none of their percentiles lost. The parts may come in any order, and none is changed.
//
// There must be one of each shard, and the levels must differ in nothing else; the merged level is the whole. What is
// exact, given clocks that agree: the accounting, tokens, errors and goodput; the makespan, from the first Sent of
// all to the last Done of all, and with it the throughputs; the offered and the achieved rate, and what was delayed;
// the distributions, as [Distribution.Merge] has it; and the timeline, bin by bin. Offsets are from the earliest
// Start. Where the results were measured on several machines, their clocks' difference is taken out as far as they
// carry it ([Result.Clock], [WarnClockOffset]); what is not known of it goes into the offsets, the makespan and the
// achieved rate.
//
// What cannot be had from the parts, and what there is instead:
//   - InFlight.Peak is the sum of the peaks, which it never was above, and may not have reached.
//   - InFlight.Mean is over the time from the first measured issue of all to the last Done of all. Requests of a warmup
//     that one generator was still at when another had begun to measure are missing from it where they ended before,
//     and so is, of InFlight.Occupied, what a generator's last requests held their slots for after its own last Done.
//   - Steady is the whole bins of the merged timeline that lie in the steady windows of all parts: it begins later than
//     it might, and ends sooner, by up to a bin, and tokens of requests that were not counted are in it as far as
//     chunks told. It is nil, and [WarnMergedWindow] says so, where there is no such bin.
//   - Open.Early and Open.Late are the sums of what each generator's arrivals found of its own. Those of the others
//     that came between are missing, in both: up to one for each other generator.
//   - Warnings follow from what was merged; those that do not are kept from all.
//
// An [*InvalidError] names what does not fit: a shard that is missing or there twice, a level that is another one,
// times that do not overlap, books that do not close, or distributions that are missing, as they are in results that
// were imported from another tool.
func MergeResults(parts ...*Result) (*Result, error) {
	level, err := mergeLevels(parts)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if err := part.Mergeable(); err != nil {
			return nil, err
		}
	}
	parts = slices.SortedStableFunc(slices.Values(parts), func(a,
		b *Result) int {
		return a.start().Compare(b.start())
	})
	r := &Result{Level: level, Start: parts[0].start(), Generators: len(parts), FirstSent: math.MaxInt64,
		Distributions: map[string]*Distribution{}}
	if len(level.Objectives) > 0 {
		r.Goodput = &Goodput{Objectives: make([]int, len(level.Objectives))}
	}
	var lastDone time.Duration
	var figures []Figure
	var begun []time.Duration // of each part, by how much it was later
	for _, part := range parts {
		later := part.start().Sub(r.Start)
		if later > timelineEnd {
			return nil, &InvalidError{"start", part.Start, "results that were measured at the same time"}
		}
		begun = append(begun, later)
		if r.InFlight, err = mergeInFlight(r.InFlight, part.InFlight, later); err != nil {
			return nil, err
		}
		if part.Accounting.Completed > 0 {
			r.FirstSent = min(r.FirstSent, later+part.FirstSent)
			lastDone = max(lastDone, later+part.FirstSent+part.Makespan)
		}
		r.Parts = append(r.Parts, Part{Shard: part.Level.Shard, Start: later, Accounting: part.Accounting,
			Makespan: part.Makespan, Chunks: part.Stamps.Chunks(), Client: part.Client, Clock: part.Clock})
		r.CutShort = r.CutShort || part.CutShort
		r.Accounting.Add(part.Accounting)
		r.Warmup.Add(part.Warmup)
		r.Tokens.Add(part.Tokens)
		r.Stamps.Add(part.Stamps)
		r.Answers.Add(part.Answers)
		r.Texts.Add(part.Texts)
		r.TPOT.Add(part.TPOT)
		r.Bunching.Add(part.Bunching)
		r.Gaps.Add(part.Gaps)
		for name, u := range part.Unsure {
			if r.Unsure == nil {
				r.Unsure = map[string]*Unsure{}
			}
			if r.Unsure[name] == nil {
				r.Unsure[name] = new(Unsure)
			}
			r.Unsure[name].Merge(u)
		}
		r.Errors = mergeErrors(r.Errors, part.Errors)
		r.Retries = mergeRetries(r.Retries, part.Retries)
		if r.Goodput != nil {
			r.Goodput.Met += part.Goodput.Met
			for i, n := range part.Goodput.Objectives {
				r.Goodput.Objectives[i] += n
			}
		}
		for name, d := range part.Distributions {
			if r.Distributions[name] == nil {
				r.Distributions[name] = new(Distribution)
			}
			r.Distributions[name].Merge(d)
		}
		figures = append(figures, part.Figures...)
	}
	slices.SortFunc(r.Parts, func(a, b Part) int { return a.Shard - b.Shard })
	r.FinishReasons = mergeReasons(parts)
	r.FirstSent = min(r.FirstSent, lastDone) // 0 where none completed
	r.Makespan = lastDone - r.FirstSent
	r.Timeline = mergeTimelines(parts, begun)
	r.Steady = mergeWindows(parts, begun, r.Timeline)
	r.Sessions = mergeSessions(parts, r.InFlight, r.Steady)
	r.Groups = mergeGroups(parts)
	r.Open = mergeOpen(parts, begun, r.arrivals())
	r.Figures = r.figures(ownMetrics(r.Distributions, figures))
	r.Warnings = append(r.warnings(), r.clockWarnings(parts)...)
	for _, part := range parts {
		for _, w := range part.Warnings {
			if !w.recomputed() {
				r.Warnings = append(r.Warnings, w)
			}
		}
	}
	return r, nil
}

// mergeLevels is the level that the parts are all the shards of.
func mergeLevels(parts []*Result) (Level, error) {
	if len(parts) == 0 || slices.Contains(parts, nil) {
		return Level{}, &InvalidError{"results", len(parts), "those of all shards of a level, and none that is nil"}
	}
	whole := func(l Level) Level {
		l.Shard, l.Shards = 0, 0
		if len(l.Objectives) == 0 {
			l.Objectives = nil
		}
		return l
	}
	first := parts[0].Level
	for _, part := range parts {
		if err := part.Level.Validate(); err != nil {
			return Level{}, err
		}
		if part.Level.Shards != first.Shards || !reflect.DeepEqual(whole(part.Level), whole(first)) {
			return Level{}, &InvalidError{"level", fmt.Sprintf("%+v", part.Level),
				fmt.Sprintf("a shard of the same level as %+v", first)}
		}
	}
	if first.Shards == 0 {
		return Level{}, &InvalidError{"shards", 0,
			"results of the shards of a level: whole levels do not add up to one (Level.Shards)"}
	}
	var have, missing []int
	for _, part := range parts {
		have = append(have, part.Level.Shard)
	}
	slices.Sort(have)
	for k := range first.Shards {
		if _, ok := slices.BinarySearch(have, k); !ok {
			missing = append(missing, k)
		}
	}
	switch n := len(missing); {
	case n > 0:
		return Level{}, &InvalidError{"shards", have, fmt.Sprintf("each of 0 to %d once; %d are missing: %v",
			first.Shards-1, n, missing[:min(n, 10)])}
	case len(have) > first.Shards:
		return Level{}, &InvalidError{"shards", have, fmt.Sprintf("each of 0 to %d once", first.Shards-1)}
	}
	level := whole(first)
	level.Objectives = slices.Clone(level.Objectives)
	level.Arrivals.Trace = slices.Clone(level.Arrivals.Trace)
	return level, nil
}

// mergeOpen says how the arrivals of all parts went, which began later than the first by so much and of which n were
// measured; nil for a closed loop. When they were
// due is by the one schedule that they share, and when they were sent by the common clock: a generator that started
// late sent late.
func mergeOpen(parts []*Result, begun []time.Duration, n int) *OpenLoop {
	if !parts[0].Level.open() {
		return nil
	}
	o := &OpenLoop{}
	first := true
	for k, part := range parts {
		if part.Accounting.Issued == 0 {
			continue
		}
		p, later := part.Open, begun[k]
		if first {
			o.FirstDue, o.FirstSent = p.FirstDue, later+p.FirstSent
			first = false
		}
		o.FirstDue, o.LastDue = min(o.FirstDue, p.FirstDue), max(o.LastDue, p.LastDue)
		o.FirstSent, o.LastSent = min(o.FirstSent, later+p.FirstSent), max(o.LastSent, later+p.LastSent)
		o.Delayed += p.Delayed
		o.InRamp += p.InRamp
		o.Early += p.Early
		o.Late += p.Late
		o.Uneven += p.Uneven * float64(p.Gaps)
		o.Spread += p.Spread * float64(p.Gaps)
		o.Gaps += p.Gaps
	}
	if n := float64(o.Gaps); n > 0 {
		o.Uneven, o.Spread = o.Uneven/n, o.Spread/n
	}
	o.setRates(n)
	return o
}

// Mergeable returns the [*InvalidError] that [MergeResults] would have for r by itself: a result that does not have
// what a merged one is made of, or more requests than its shard has. nil: it may be merged.
func (r *Result) Mergeable() error {
	if err := r.Level.Validate(); err != nil {
		return err
	}
	for _, books := range []Accounting{r.Accounting, r.Warmup} {
		if err := books.Check(); err != nil {
			return &InvalidError{"accounting", fmt.Sprintf("%+v", books), "books that close"}
		}
	}
	if own := r.Level.own(); own.Unit == "" { // a session may be several
		if r.Warmup.Issued > own.Warmup || own.Requests > 0 && r.Accounting.Issued > own.Requests ||
			own.Requests > 0 && !r.CutShort && (r.Accounting.Issued < own.Requests || r.Warmup.Issued < own.Warmup) {
			return &InvalidError{"accounting", fmt.Sprintf("%d requests after %d of a warmup", r.Accounting.Issued,
				r.Warmup.Issued),
				fmt.Sprintf("the %d after %d that the shard has, or fewer where it was cut short", own.Requests,
					own.Warmup)}
		}
	}
	n := 0
	if d := r.Distributions[E2E]; d != nil {
		n = d.Len()
	}
	if n != r.Accounting.Completed {
		return &InvalidError{"distributions", fmt.Sprintf("with %d requests", n),
			fmt.Sprintf("those of all %d that completed", r.Accounting.Completed)}
	}
	for name, d := range r.Distributions {
		if d == nil {
			return &InvalidError{"distributions", name, "its samples"}
		}
	}
	if err := r.Clock.validate(); err != nil {
		return err
	}
	for name, u := range r.Unsure {
		if d := r.Distributions[name]; u == nil || d == nil || u.Told.Len() > d.Len() ||
			u.Least.Len() != u.Told.Len() || u.Most.Len() != u.Told.Len() {
			return &InvalidError{"unsure", name, "as many samples of each kind, and no more than the metric has"}
		}
	}
	if (r.Open != nil) != r.Level.open() {
		return &InvalidError{"open", r.Open, "how the arrivals went, of an open loop and of no other"}
	}
	if r.Timeline != nil {
		if err := r.Timeline.check(); err != nil {
			return err
		}
	}
	return r.Goodput.check(r.Level.Objectives, r.Accounting.Completed)
}

// mergeInFlight merges the second, which started later, into the first.
func mergeInFlight(a, b InFlight, later time.Duration) (InFlight, error) {
	peak, inRamp := a.Peak+b.Peak, a.InRamp+b.InRamp
	spanA, spanB := a.To-a.From, b.To-b.From
	b.From, b.To = b.From+later, b.To+later
	switch {
	case spanB <= 0:
		a.Peak, a.InRamp = peak, inRamp
		return a, nil
	case spanA <= 0:
		b.Peak, b.InRamp = peak, inRamp
		return b, nil
	case a.From >= b.To || b.From >= a.To:
		return InFlight{}, &InvalidError{"start", fmt.Sprintf("%v later", later), fmt.Sprintf(
			"results that were measured at the same time: one is from %v to %v, the other from %v to %v",
			a.From, a.To, b.From, b.To)}
	}
	m := InFlight{Peak: peak, InRamp: inRamp, From: min(a.From, b.From), To: max(a.To, b.To)}
	span := float64(m.To - m.From)
	for _, mean := range []struct{ of, a, b *float64 }{
		{&m.Mean, &a.Mean, &b.Mean}, {&m.Measured, &a.Measured, &b.Measured}, {&m.Occupied, &a.Occupied, &b.Occupied},
		{&m.OccupiedMeasured, &a.OccupiedMeasured, &b.OccupiedMeasured}, {&m.LateEnd, &a.LateEnd, &b.LateEnd},
	} {
		*mean.of = (*mean.a*float64(spanA) + *mean.b*float64(spanB)) / span
	}
	return m, nil
}

func mergeErrors(a, b []ErrorCount) []ErrorCount {
	out := slices.Clone(a)
	for _, e := range b {
		i := slices.IndexFunc(out, func(known ErrorCount) bool {
			return known.Class == e.Class &&
				known.Status == e.Status
		})
		if i < 0 {
			out = append(out, e)
			continue
		}
		out[i].Count += e.Count
	}
	return out
}

// ownMetrics are the metrics that are not built in, as far as their figures tell: they have no Of.
func ownMetrics(distributions map[string]*Distribution, figures []Figure) []Metric {
	var own []Metric
	known := slices.Concat(perRequest, pooled, perSession, perMedia)
	for _, f := range figures {
		name, mean := strings.CutSuffix(f.Name, MeanName(""))
		if mean && distributions[name] != nil && !slices.ContainsFunc(slices.Concat(known, own),
			func(m Metric) bool { return m.Name == name }) {
			own = append(own, Metric{Name: name, Unit: f.Unit, Better: f.Better})
		}
	}
	return own
}
