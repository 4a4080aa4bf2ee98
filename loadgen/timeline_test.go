package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// sums are the sums of a timeline's columns of counts.
func sums(t *Timeline) map[string]int {
	out := map[string]int{}
	for name, column := range map[string][]int{
		"output": t.Output, "input": t.Input, "chunks": t.Chunks, "uncounted": t.Uncounted,
		"completed": t.Completed, "failed": t.Failed,
	} {
		for _, n := range column {
			out[name] += n
		}
	}
	return out
}

func recordOf(sent, done time.Duration, change func(r *Record), chunks ...Chunk) *Record {
	r := &Record{Sent: sent, Done: done}
	for _, c := range chunks {
		r.Chunk(c)
	}
	if change != nil {
		change(r)
	}
	return r
}

// By hand, in bins of a second.
func TestTimelineByHand(t *testing.T) {
	const s = time.Second
	counted := func(input, output int) func(r *Record) {
		return func(r *Record) { r.Counted, r.Input, r.Output = true, input, output }
	}
	cancelled, failed := &Error{Class: ClassCancelled}, &Error{Class: ClassServer}
	for _, c := range []struct {
		name    string
		records []*Record
		failure *Error
		want    Timeline
	}{
		{"nothing", nil, nil, Timeline{
			InFlight: []float64{}, Output: []int{}, Input: []int{}, Chunks: []int{}, Uncounted: []int{},
			Completed: []int{}, Failed: []int{}}},
		{
			"tokens count when they arrive, input with the first; a bin begins with its first moment",
			[]*Record{
				recordOf(s/2, 5*s/2, counted(7, 6), Chunk{Seen: 1 * s, Tokens: 1}, Chunk{Seen: 3 * s / 2, Tokens: 2},
					Chunk{Seen: 5 * s / 2, Tokens: 3}),
				recordOf(0, 2*s, counted(9, 4)), // a whole answer
			}, nil,
			Timeline{InFlight: []float64{1.5, 2, 0.5}, Output: []int{0, 3, 7}, Input: []int{0, 7, 9},
				Chunks:    []int{0, 2, 1},
				Uncounted: []int{0, 0, 0}, Completed: []int{0, 0, 2}, Failed: []int{0, 0, 0}},
		},
		{
			// 8 tokens in 3 chunks: 2, 5 and 8 of them by then.
			"tokens that no chunk tells are spread in whole ones",
			[]*Record{recordOf(0, 5*s/2, counted(1, 8), Chunk{Seen: s / 2}, Chunk{Seen: 3 * s / 2},
				Chunk{Seen: 5 * s / 2})}, nil,
			Timeline{InFlight: []float64{1, 1, 0.5}, Output: []int{2, 3, 3}, Input: []int{1, 0, 0},
				Chunks:    []int{1, 1, 1},
				Uncounted: []int{0, 0, 0}, Completed: []int{0, 0, 1}, Failed: []int{0, 0, 0}},
		},
		{
			"what is not told is not 0",
			[]*Record{recordOf(0, s/2, nil, Chunk{Seen: s / 4}, Chunk{Seen: s / 2}), recordOf(0, s, nil)}, nil,
			Timeline{InFlight: []float64{1.5, 0}, Output: []int{0, 0}, Input: []int{0, 0}, Chunks: []int{2, 0},
				Uncounted: []int{2, 1}, Completed: []int{1, 1}, Failed: []int{0, 0}},
		},
		{
			"of a request that is cut off there is what its chunks told",
			[]*Record{recordOf(0, s/2, nil, Chunk{Seen: s / 4, Tokens: 3}, Chunk{Seen: s / 2}), recordOf(0, s, nil)},
			cancelled,
			Timeline{InFlight: []float64{1.5, 0}, Output: []int{3, 0}, Input: []int{0, 0}, Chunks: []int{2, 0},
				Uncounted: []int{1, 0}, Completed: []int{0, 0}, Failed: []int{0, 0}},
		},
		{
			"times that cannot be make no bin that is not there",
			[]*Record{recordOf(-s, -s/2, nil), recordOf(s, s/2, nil)}, failed,
			Timeline{InFlight: []float64{0}, Output: []int{0}, Input: []int{0}, Chunks: []int{0},
				Uncounted: []int{0}, Completed: []int{0}, Failed: []int{2}},
		},
	} {
		line := timeline{width: s}
		for _, r := range c.records {
			line.add(r, c.failure)
		}
		c.want.Width, c.want.Occupied = s, make([]float64, c.want.Len()) // these records do not say when they left
		if diff := gocmp.Diff(&c.want, line.columns()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	// Nor do they overflow.
	line := newTimeline(0)
	line.add(recordOf(0, 1<<63-1, nil), nil)
	if got := line.columns(); got.Len() > timelineBins || got.check() != nil {
		t.Errorf("%d bins of %v: %v", got.Len(), got.Width, got.check())
	}
}

// A level of all sorts of requests: every column is what the records say, request by request, in the bins that it ended
// up with, and closes.
func TestTimelineOfALevel(t *testing.T) {
	for _, l := range []Level{
		{Concurrency: 7, Requests: 900, Warmup: 30},
		{Concurrency: 7, Duration: time.Minute},
		{Arrivals: Arrivals{Process: PoissonArrivals, Rate: 10}, Requests: 500, RampUp: 5 * time.Second, Warmup: 25},
	} {
		synctest.Test(t, func(t *testing.T) {
			target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				told := 0
				for range random.IntN(9) {
					time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
					c := Chunk{Tokens: (i % 2) * (1 + random.IntN(3))}
					told += c.Tokens
					r.Chunk(c)
				}
				time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
				if r.Counted = i%5 != 0; r.Counted {
					r.Input, r.Output = 10+i%7, max(told, 11)
				}
				if i%31 == 0 {
					return errors.New("no")
				}
				return nil
			})
			var seen []Record
			g := &Generator{Target: target, Observers: []Observer{{Record: func(r *Record, _ *Error) {
				kept := *r
				kept.chunks.code = slices.Clone(r.chunks.code)
				seen = append(seen, kept)
			}}}}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second) // some are cut off
			defer cancel()
			r, err := g.Measure(ctx, l)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			got := r.Timeline
			if n := got.Len(); n < timelineBins/2 || n > timelineBins {
				t.Errorf("%d bins", n)
			}

			want := &Timeline{Width: got.Width, InFlight: make([]float64, got.Len()),
				Occupied: make([]float64, got.Len())}
			for _, column := range []*[]int{&want.Output, &want.Input, &want.Chunks, &want.Uncounted, &want.Completed,
				&want.Failed} {
				*column = make([]int, got.Len())
			}
			output, told := 0, 0
			for _, q := range seen {
				for i := range want.InFlight {
					from, to := time.Duration(i)*got.Width, time.Duration(i+1)*got.Width
					if overlap := min(to, q.Done) - max(from, q.Sent); overlap > 0 {
						want.InFlight[i] += float64(overlap) / float64(got.Width)
					}
				}
				for c := range q.Chunks() {
					want.Chunks[c.At()/got.Width]++
					if !q.Counted {
						told += c.Tokens
					}
				}
				if q.Counted {
					output += q.Output
					at := q.Done
					if q.chunks.n > 0 {
						at = q.chunks.first.At()
					}
					want.Input[at/got.Width] += q.Input
				}
			}
			for i, x := range got.InFlight {
				near(t, "in flight", x, want.InFlight[i])
			}
			if diff := gocmp.Diff(want.Chunks, got.Chunks); diff != "" {
				t.Errorf("chunks: %s", diff)
			}
			if diff := gocmp.Diff(want.Input, got.Input); diff != "" {
				t.Errorf("input: %s", diff)
			}
			have := sums(got)
			if have["output"] != output+told {
				t.Errorf("%d output tokens, want those of all requests, %d, and what chunks of uncounted ones told, "+
					"%d", have["output"], output, told)
			}
			if n := r.Accounting.Completed + r.Warmup.Completed; have["completed"] != n ||
				have["failed"] != r.Accounting.Failed+r.Warmup.Failed || have["failed"] == 0 {
				t.Errorf("%v, want %d completed, and %+v %+v", have, n, r.Accounting, r.Warmup)
			}
			text, err := json.Marshal(r)
			var back Result
			if err = errors.Join(err, json.Unmarshal(text, &back)); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(got, back.Timeline); diff != "" {
				t.Errorf("by JSON: %s", diff)
			}
		})
	}
}

// begun is by how much each part is later than the first.
func begun(parts ...*Result) (later []time.Duration) {
	for _, r := range parts {
		later = append(later, r.Start.Sub(parts[0].Start))
	}
	return later
}

// By hand: bins of 2 s, and of 1 s from 1 s on, of a shard that started half a second after that. They make up those
// of 2 s. Without the multiples, from 1.5 s on, each goes to where its middle is.
func TestTimelinesMergeByHand(t *testing.T) {
	zero := func() []int { return []int{0, 0} }
	start := time.Unix(1e9, 0)
	a := &Result{Start: start, Timeline: &Timeline{Width: 2 * time.Second, InFlight: []float64{1, 2},
		Occupied: []float64{2, 2}, Output: []int{10, 20},
		Input: zero(), Chunks: zero(), Uncounted: zero(), Completed: []int{0, 1}, Failed: zero()}}
	b := &Result{Start: start.Add(1500 * time.Millisecond), Timeline: &Timeline{Width: time.Second,
		From:     -500 * time.Millisecond,
		InFlight: []float64{4, 1}, Occupied: []float64{4, 3}, Output: []int{5, 7},
		Input: zero(), Chunks: zero(), Uncounted: zero(), Completed: []int{2, 3}, Failed: zero()}}
	want := &Timeline{Width: 2 * time.Second, InFlight: []float64{1 + 2, 2 + 0.5}, Occupied: []float64{4, 3.5},
		Output: []int{15, 27}, Input: zero(),
		Chunks: zero(), Uncounted: zero(), Completed: []int{2, 4}, Failed: zero()}
	if diff := gocmp.Diff(want, mergeTimelines([]*Result{a, b}, begun(a, b))); diff != "" {
		t.Error(diff)
	}
	b.Timeline.From, b.Timeline.Occupied = 0, nil // as in a result of before there were any
	want = &Timeline{Width: 2 * time.Second, InFlight: []float64{1, 2 + 2.5}, Output: []int{10, 32}, Input: zero(),
		Chunks: zero(), Uncounted: zero(), Completed: []int{0, 6}, Failed: zero()}
	if diff := gocmp.Diff(want, mergeTimelines([]*Result{a, b}, begun(a, b))); diff != "" {
		t.Error(diff)
	}
	b.Timeline = nil // a part that is not known is not 0
	if got := mergeTimelines([]*Result{a, b}, begun(a, b)); got != nil {
		t.Errorf("%+v", got)
	}
}

// Whatever the offsets and the widths, the sums of the merged timeline are those of its parts, and the time in flight
// as well.
func TestMergedTimelinesClose(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		var parts []*Result
		want, busy := map[string]int{}, 0.0
		for range 1 + random.IntN(4) {
			start := time.Unix(1e9, random.Int64N(int64(time.Minute)))
			if len(parts) == 0 {
				start = time.Unix(1e9, 0)
			}
			line := newTimeline(start.UnixNano() * random.Int64N(2)) // some lie on multiples, and some do not
			length := int64(time.Millisecond) << random.IntN(24)
			for range random.IntN(50) {
				sent := time.Duration(random.Int64N(length))
				first := sent + time.Duration(random.Int64N(length))
				done := first + time.Duration(random.Int64N(length))
				line.add(recordOf(sent, done, func(r *Record) {
					r.Counted, r.Input, r.Output = true, 3,
						1+random.IntN(9)
				}, Chunk{Seen: first}, Chunk{Seen: done}), nil)
				busy += (done - sent).Seconds()
			}
			r := &Result{Start: start, Timeline: line.columns()}
			parts = append(parts, r)
			for name, n := range sums(r.Timeline) {
				want[name] += n
			}
		}
		got := mergeTimelines(parts, begun(parts...))
		if diff := gocmp.Diff(want, sums(got)); diff != "" {
			t.Fatal(diff)
		}
		if err := got.check(); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, x := range got.InFlight {
			sum += x * got.Width.Seconds()
		}
		near(t, "time in flight", sum, busy)
	}
}

// What is added takes no memory, however long the level.
func TestTimelineAllocatesNothing(t *testing.T) {
	line := newTimeline(0)
	r := recordOf(0, 0, func(r *Record) { r.Counted, r.Output = true, 100 })
	for range 100 {
		r.Chunk(Chunk{Seen: 1})
	}
	if n := testing.AllocsPerRun(1000, func() {
		r.Done += time.Minute
		line.add(r, nil)
	}); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}
