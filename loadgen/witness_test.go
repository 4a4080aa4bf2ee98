package loadgen

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

// A witness keeps what a level's records said, so that its figures can be computed again in another way: from all
// requests together at the end, where the level counts each as it ends and keeps none.
type witness struct {
	mu   sync.Mutex
	seen []seenRequest
}

type seenRequest struct {
	index                       int
	warmup, counted             bool
	scheduled, sent, done, left time.Duration
	chunks                      []Chunk
	input, output               int
	failure                     *Error
}

func (w *witness) observer() Observer {
	return Observer{Record: func(r *Record, failure *Error) {
		s := seenRequest{r.Index, r.Warmup, r.Counted, r.Scheduled, r.Sent, r.Done, r.Left,
			slices.Collect(r.Chunks()), r.Input, r.Output, failure}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, s)
	}}
}

// inside is how much of from to to is between the two others.
func inside(from, to, least, most time.Duration) float64 {
	return max(0, (min(to, most) - max(from, least)).Seconds())
}

func (w *witness) check(t *testing.T, r *Result) {
	t.Helper()
	slices.SortFunc(w.seen, func(a, b seenRequest) int { return cmp.Compare(a.index, b.index) })
	w.checkBooks(t, r)
	w.checkInFlight(t, r)
	w.checkWindow(t, r)
	w.checkTimeline(t, r)
	w.checkIssued(t, r)
	w.checkOpen(t, r)
}

func (w *witness) checkBooks(t *testing.T, r *Result) {
	var books, warmup Accounting
	for i, s := range w.seen {
		if s.index != i || s.sent > s.done || s.done > s.left || s.scheduled > s.sent {
			t.Errorf("record %d: %+v", i, s)
		}
		to := &books
		if s.warmup {
			to = &warmup
		}
		to.Issued++
		switch {
		case s.failure == nil:
			to.Completed++
		case s.failure.Class == ClassCancelled:
			to.Cancelled++
		default:
			to.Failed++
		}
	}
	if r.Accounting != books || r.Warmup != warmup {
		t.Errorf("%+v and %+v, want %+v and %+v", r.Accounting, r.Warmup, books, warmup)
	}
}

func (w *witness) checkInFlight(t *testing.T, r *Result) {
	f := r.InFlight
	var busy, measured, taken, takenMeasured, late float64
	var last time.Duration
	for _, s := range w.seen {
		last = max(last, s.done)
		own := inside(s.sent, s.done, f.From, f.To)
		slot := inside(s.sent, s.left, f.From, f.To)
		if busy, taken = busy+own, taken+slot; !s.warmup {
			measured, takenMeasured = measured+own, takenMeasured+slot
		}
		if s.failure == nil {
			late += inside(s.done, s.left, f.From, f.To)
		}
	}
	if r.Accounting.Issued == 0 {
		return
	}
	if f.To != last {
		t.Errorf("in flight until %v, and the last was done at %v", f.To, last)
	}
	span := (f.To - f.From).Seconds()
	near(t, "in flight", f.Mean, busy/span)
	near(t, "in flight, measured", f.Measured, measured/span)
	near(t, "occupied", f.Occupied, taken/span)
	near(t, "occupied, measured", f.OccupiedMeasured, takenMeasured/span)
	near(t, "late end", f.LateEnd, late/span)
	if r.Open != nil || r.Generators > 0 {
		return
	}
	var events [][2]int64 // of slots: when, and how many more
	for _, s := range w.seen {
		events = append(events, [2]int64{int64(s.scheduled), 1}, [2]int64{int64(s.left), -1})
	}
	slices.SortFunc(events, func(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	n, peak := 0, 0
	for _, e := range events {
		n += int(e[1])
		peak = max(peak, n)
	}
	if f.Peak != peak {
		t.Errorf("at most %d in flight, want %d", f.Peak, peak)
	}
}

func (w *witness) checkWindow(t *testing.T, r *Result) {
	if r.Open != nil {
		if r.Steady != nil {
			t.Errorf("an open loop has %+v", r.Steady)
		}
		return
	}
	c := r.Level.Concurrency
	var ends, warmups, issues []time.Duration
	for _, s := range w.seen {
		ends, issues = append(ends, s.left), append(issues, s.scheduled)
		if s.warmup {
			warmups = append(warmups, s.left)
		}
	}
	slices.Sort(ends)
	slices.Sort(issues)
	var want Window
	if len(ends) < c || r.InFlight.Peak < c || len(warmups) < r.Level.Warmup {
		if r.Steady != nil {
			t.Errorf("there is %+v of %d requests", r.Steady, len(ends))
		}
		return
	}
	want.From, want.To = ends[c-1], issues[len(issues)-1]
	if len(warmups) > 0 {
		want.From = max(want.From, slices.Max(warmups))
	}
	if started := r.Level.slotStart(c - 1); want.From < started { // the first end after all slots have started
		i, _ := slices.BinarySearch(ends, started+1)
		want.From = ends[min(i, len(ends)-1)]
	}
	if want.To <= want.From {
		if r.Steady != nil {
			t.Errorf("there is %+v, and it would be %+v", r.Steady, want)
		}
		return
	}
	in := func(at time.Duration) bool { return at > want.From && at <= want.To }
	for _, s := range w.seen {
		want.InFlight += inside(s.sent, s.done, want.From, want.To) / want.Length().Seconds()
		want.Occupied += inside(s.sent, s.left, want.From, want.To) / want.Length().Seconds()
		if s.failure == nil && in(s.done) {
			want.Completions++
		}
		if !s.counted {
			continue
		}
		first := s.done
		if len(s.chunks) > 0 {
			first = s.chunks[0].At()
		} else if in(s.done) {
			want.Output += float64(s.output)
		}
		if in(first) {
			want.Input += float64(s.input)
		}
		told := 0
		for _, k := range s.chunks {
			told += k.Tokens
		}
		for _, k := range s.chunks {
			switch {
			case !in(k.At()):
			case told == s.output:
				want.Output += float64(k.Tokens)
			default:
				want.Output += float64(s.output) / float64(len(s.chunks))
			}
		}
	}
	got := r.Steady
	if got == nil {
		t.Fatalf("no window, want %+v", want)
	}
	if got.From != want.From || got.To != want.To || got.Completions != want.Completions {
		t.Errorf("%+v, want %+v", *got, want)
	}
	near(t, "in flight in the window", got.InFlight, want.InFlight)
	near(t, "occupied in the window", got.Occupied, want.Occupied)
	near(t, "input in the window", got.Input, want.Input)
	near(t, "output in the window", got.Output, want.Output)
}

func (w *witness) checkTimeline(t *testing.T, r *Result) {
	line := r.Timeline
	for i := range line.Len() {
		from := line.From + time.Duration(i)*line.Width
		to := from + line.Width
		in := func(at time.Duration) bool { return at >= from && at < to }
		var busy, taken float64
		var completed, failed, chunks, output int
		for _, s := range w.seen {
			busy += inside(s.sent, s.done, from, to) / line.Width.Seconds()
			taken += inside(s.sent, s.left, from, to) / line.Width.Seconds()
			if in(s.done) && s.failure == nil {
				completed++
			} else if in(s.done) && s.failure.Class != ClassCancelled {
				failed++
			}
			told := 0
			for _, k := range s.chunks {
				told += k.Tokens
			}
			for j, k := range s.chunks {
				if !in(k.At()) {
					continue
				}
				if chunks++; s.counted && told != s.output {
					output += s.output*(j+1)/len(s.chunks) - s.output*j/len(s.chunks)
				} else {
					output += k.Tokens
				}
			}
			if len(s.chunks) == 0 && s.counted && in(s.done) {
				output += s.output
			}
		}
		near(t, fmt.Sprintf("in flight in bin %d", i), line.InFlight[i], busy)
		near(t, fmt.Sprintf("occupied in bin %d", i), line.Occupied[i], taken)
		got := [4]int{line.Completed[i], line.Failed[i], line.Chunks[i], line.Output[i]}
		if want := [4]int{completed, failed, chunks, output}; got != want {
			t.Errorf("bin %d: %v, want %v", i, got, want)
		}
	}
}

// checkIssued computes the percentiles of all issued: the samples, and later than any of them those that were lost.
func (w *witness) checkIssued(t *testing.T, r *Result) {
	values := map[string][]float64{}
	for _, s := range w.seen {
		if s.warmup {
			continue
		}
		e2e, response, ttft := math.Inf(1), math.Inf(1), math.Inf(1)
		if s.failure == nil {
			e2e, response = (s.done-s.sent).Seconds()*1000, (s.done-s.scheduled).Seconds()*1000
		}
		if s.failure == nil && len(s.chunks) > 0 {
			ttft = (s.chunks[0].At() - s.sent).Seconds() * 1000
		}
		values[E2E], values[Response] = append(values[E2E], e2e), append(values[Response], response)
		if s.failure != nil || len(s.chunks) > 0 { // a whole answer has no first token to be late
			values[TTFT] = append(values[TTFT], ttft)
		}
	}
	if r.Open == nil {
		delete(values, Response)
	}
	for metric, all := range values {
		slices.Sort(all)
		for _, p := range quantiles {
			rank := p / 100 * float64(len(all)-1)
			a, b := all[int(rank)], all[int(math.Ceil(rank))]
			f, ok := r.Figure(IssuedName(metric, p))
			if ok == math.IsInf(b, 1) {
				t.Errorf("%s: there is one: %t, and it is between %v and %v", IssuedName(metric, p), ok, a, b)
			} else if ok {
				near(t, f.Name, f.Value, a+(b-a)*(rank-math.Floor(rank)))
			}
		}
	}
}

func (w *witness) checkOpen(t *testing.T, r *Result) {
	if r.Open == nil || r.Accounting.Issued < 3 {
		return
	}
	var measured []seenRequest
	for _, s := range w.seen {
		if !s.warmup {
			measured = append(measured, s)
		}
	}
	off := 0.0
	first, last := measured[0].sent, measured[0].sent
	for i, s := range measured[1:] {
		off += math.Abs((s.sent - measured[i].sent - s.scheduled + measured[i].scheduled).Seconds())
		first, last = min(first, s.sent), max(last, s.sent)
	}
	n := float64(len(measured) - 1)
	near(t, "offered", r.Open.Offered, n/(measured[len(measured)-1].scheduled-measured[0].scheduled).Seconds())
	near(t, "achieved", r.Open.Achieved, n/(last-first).Seconds())
	near(t, "uneven", r.Open.Uneven, off/n*r.Open.Offered)
}

func (w *witness) checkMergedWindow(t *testing.T, r *Result) {
	if r.Steady == nil {
		return
	}
	var busy, taken float64
	completions := 0
	for _, s := range w.seen {
		busy += inside(s.sent, s.done, r.Steady.From, r.Steady.To)
		taken += inside(s.sent, s.left, r.Steady.From, r.Steady.To)
		if s.failure == nil && s.done >= r.Steady.From && s.done < r.Steady.To {
			completions++
		}
	}
	near(t, "in flight in the window", r.Steady.InFlight, busy/r.Steady.Length().Seconds())
	near(t, "occupied in the window", r.Steady.Occupied, taken/r.Steady.Length().Seconds())
	if r.Steady.Completions != completions {
		t.Errorf("%d completions in the window, want %d", r.Steady.Completions, completions)
	}
}
