package fleet

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// result is that of the level: its shards' merged, where those of the lost have nothing in them.
func (m *measuring) result(ctx context.Context) (*loadgen.Result, error) {
	if err := m.deposed(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	m.level.after = map[string]loadgen.ClockOffset{}
	if !m.level.takenUp { // or the clocks were compared with another machine's, perhaps
		_ = m.compareClocks(ctx, m.level.after) // of one that has gone since it is not known
	}
	parts := make([]*loadgen.Result, len(m.level.Members))
	for i, w := range m.level.Members {
		if m.level.lost[w.Instance] != "" {
			continue
		}
		part, err := m.part(ctx, w)
		if err != nil {
			m.level.lost[w.Instance] = number.Sprintf("its result: %v", err)
			continue
		}
		parts[i] = part
	}
	r, err := m.merge(parts)
	if err != nil {
		// What is short, or was cut short soon, may have been measured by one before another began: then the larger part is
		// what there is.
		most := 0
		for i, p := range parts {
			if p != nil && (parts[most] == nil || p.Accounting.Issued > parts[most].Accounting.Issued) {
				most = i
			}
		}
		for i, w := range m.level.Members {
			if i != most && parts[i] != nil {
				parts[i], m.level.lost[w.Instance] = nil, number.Sprintf("what it measured does not fit the rest: %v", err)
			}
		}
		r, err = m.merge(parts)
	}
	if err != nil {
		return nil, fmt.Errorf("merging the results of %d workers: %w", len(parts), err)
	}
	m.identify(r)
	m.warn(r)
	return r, nil
}

// merge merges the members' results, with nothing in the place of those that are nil.
func (m *measuring) merge(parts []*loadgen.Result) (*loadgen.Result, error) {
	whole := slices.DeleteFunc(slices.Clone(parts), func(p *loadgen.Result) bool { return p == nil })
	for i, part := range parts {
		if part == nil {
			whole = append(whole, m.nothing(m.level.Members[i], whole))
		}
	}
	return loadgen.MergeResults(whole...)
}

// identify says whose each part was.
func (m *measuring) identify(r *loadgen.Result) {
	for i, w := range m.level.Members {
		id := w.Identity
		id.Lost = m.level.lost[w.Instance] != ""
		if before, ok := m.level.Clocks[w.Instance]; ok {
			id.Before = &before
			if after, ok := m.level.after[w.Instance]; ok {
				id.After, id.Drift = &after, after.Offset-before.Offset
			}
		}
		r.Parts[i].Generator = &id
	}
}

// mostLate is by how much a member may have begun late, or early, and still be a part of the level: on a machine that is
// so busy the spread of the starts says enough.
const mostLate = time.Minute

// part is a member's result.
func (m *measuring) part(ctx context.Context, w member) (*loadgen.Result, error) {
	var r loadgen.Result
	if err := m.store.get(ctx, m.names.result(m.level.Session, w.Shard), &r); err != nil {
		return nil, err
	}
	want := m.shard(w)
	if got := r.Level; got.Shard != want.Shard || got.Shards != want.Shards || got.Concurrency != want.Concurrency ||
		got.Requests != want.Requests || !reflect.DeepEqual(got.Arrivals, want.Arrivals) {
		return nil, fmt.Errorf("it is of another level: %.200s", got.Load())
	}
	if err := r.Mergeable(); err != nil {
		return nil, err
	}
	began := r.Start
	if r.Clock != nil {
		began = began.Add(-r.Clock.Offset)
	}
	if off := began.Sub(time.Unix(0, m.level.At)); off.Abs() > mostLate {
		return nil, fmt.Errorf("it began %v after the others were told to, by the clock that it had", off)
	}
	before, known := m.level.Clocks[w.Instance]
	if r.Clock != nil && known {
		if after, ok := m.level.after[w.Instance]; ok { // in between the truth was somewhere between the two
			r.Clock.Error = max(before.Error, after.Error) + (after.Offset - before.Offset).Abs()
		}
	}
	return &r, nil
}

func (m *measuring) shard(w member) loadgen.Level {
	level := m.job.Level
	level.Shard, level.Shards = w.Shard, len(m.level.Members)
	return level
}

// nothing stands for the result of one that was lost, beside what the others have.
func (m *measuring) nothing(w member, others []*loadgen.Result) *loadgen.Result {
	r := &loadgen.Result{Level: m.shard(w), Start: time.Unix(0, m.level.At), CutShort: true,
		Timeline: &loadgen.Timeline{Width: time.Millisecond, Occupied: []float64{}}}
	if len(others) > 0 {
		r.Level, r.Start, r.Clock = others[0].Level, others[0].Start, others[0].Clock
		r.Level.Shard = w.Shard
		for _, o := range others {
			if o.Timeline == nil {
				r.Timeline = nil
			}
		}
	}
	if r.Level.Arrivals.Process != "" {
		r.Open = &loadgen.OpenLoop{}
	}
	if n := len(r.Level.Objectives); n > 0 {
		r.Goodput = &loadgen.Goodput{Objectives: make([]int, n)}
	}
	return r
}

// spreadLimit is a share of the window: what a figure over it may be off by because not all workers were there.
const spreadLimit = 0.01

const enoughHeadroom = 2 // × what a worker's part needed, as package protocol has it for one client

// warn adds what only the fleet knows.
func (m *measuring) warn(r *loadgen.Result) {
	warn := func(code string, spoils []string, format string, args ...any) {
		r.Warnings = append(r.Warnings, loadgen.Warning{Code: code, Message: number.Sprintf(format, args...), Spoils: spoils})
	}
	var lost []string
	for _, w := range m.level.Members {
		if why := m.level.lost[w.Instance]; why != "" {
			lost = append(lost, number.Sprintf("%.128s (%s)", w.Name, cutText(why, mostError)))
		}
	}
	if len(lost) > 0 {
		warn(WarnWorkerLost, []string{loadgen.All},
			"%d of %d workers were lost: %s; the level was stopped everywhere, and what they had measured is not in it",
			len(lost), len(m.level.Members), strings.Join(lost, ", "))
	}
	if m.level.takenUp {
		warn(WarnTakenUp, nil, "the level was begun by a coordinator that has gone, and its result was read afterwards: what "+
			"was watched beside the load meanwhile is not of it")
	}
	spread, off := time.Duration(0), time.Duration(0)
	least := time.Duration(-1)
	for _, p := range r.Parts {
		if p.Generator.Lost {
			continue
		}
		if least < 0 {
			least = p.Start
		}
		least, spread = min(least, p.Start), max(spread, p.Start)
		if p.Clock != nil {
			off = max(off, p.Clock.Error)
		}
	}
	spread -= max(least, 0)
	window := r.Makespan
	if r.Steady != nil {
		window = min(window, r.Steady.Length())
	}
	if window > 0 && float64(spread+off) > spreadLimit*float64(window) {
		warn(WarnStartSpread, []string{loadgen.Steady, loadgen.RequestThroughput, loadgen.InputThroughput, loadgen.OutputThroughput,
			loadgen.TotalThroughput, loadgen.GoodputThroughput, loadgen.AchievedRate, loadgen.AchievedSessions},
			"the workers started %v apart, by clocks that are known to ± %v, over 1 %% of a window of %v: latencies are "+
				"each machine's own and stand; figures over a time do not", spread, off, window)
	}
	for _, p := range r.Parts {
		if h, known := p.Headroom(); known && h.Least() < enoughHeadroom {
			warn(WarnHeadroom, nil, "worker %.128s was seen to sustain %.2g times what it needed here: use more workers, or "+
				"machines of their own", p.Generator.Name, h.Least())
		}
	}
	if m.hears == nil {
		return
	}
	want := r.Accounting.Issued + r.Warmup.Issued
	for until := time.Now().Add(hearLimit); m.hears.count() < want && time.Now().Before(until) && !m.level.takenUp; {
		time.Sleep(10 * time.Millisecond)
	}
	heard, broken := m.hears.close()
	if heard < want && len(lost) == 0 && !m.level.takenUp {
		warn(WarnRecordsLost, nil, "observers of the coordinator were told of %d of %d requests; the result has all of them",
			heard, want)
	}
	for _, in := range broken {
		r.Warnings = append(r.Warnings, observerWarning(in))
	}
}

func observerWarning(in string) loadgen.Warning {
	return loadgen.Warning{Code: loadgen.WarnObserverPanic, Message: "an observer's " + in + " panicked; it was called no more"}
}
