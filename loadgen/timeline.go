package loadgen

import (
	"fmt"
	"math"
	"time"
)

// A Timeline is the load over a level's time, in bins of equal width from [Result.Start] on, warmup, ramp-up and drain
// included; the last bin reaches past the end of the level. A level of any length has at most 240 bins, and one that was
// not over at once at least 120: they begin with 1 ms, and are joined two by two whenever there are too many.
//
// Every column has a value for each bin. A bin begins with its first moment and ends before the next one's, so that the
// columns of counts close: their sums are those of all of the level's requests.
//
// A bin has means and sums over its width, and no peaks: the requests in flight during a bin, each counted in full,
// would be more than there ever were at once. [InFlight.Peak] has the true peak.
type Timeline struct {
	Width time.Duration `json:"width_ns"`

	// InFlight is the mean number of requests in flight: what there is of Sent to Done of all requests in the bin, ÷
	// Width.
	InFlight []float64 `json:"in_flight"`

	// Output are the tokens that arrived in the bin, chunk by chunk, whichever request they belong to and however it
	// ended; of an answer that came whole with its Done. Where the server tells a request's tokens and not a chunk's,
	// they are spread over its chunks evenly, in whole tokens. Input are those of the requests whose first content
	// arrived in the bin.
	Output []int `json:"output_tokens"`
	Input  []int `json:"input_tokens"`

	// Chunks are the arrivals of content. Uncounted are those of them, and the whole answers, that the server told no
	// tokens of: a request without [Record.Counted] has them in Output where its chunks tell, and its input tokens are
	// not known. Where there are any, Output and Input lack them.
	Chunks    []int `json:"chunks"`
	Uncounted []int `json:"uncounted"`

	// Completed and Failed are the requests that were over in the bin. Those that were cancelled are in neither.
	Completed []int `json:"completed"`
	Failed    []int `json:"failed"`
}

// Len is the number of bins.
func (t *Timeline) Len() int { return len(t.InFlight) }

const (
	timelineBins  = 240
	timelineWidth = time.Millisecond // of a bin, to begin with

	// timelineEnd bounds what a Target may say of time: 73 years, so that nothing overflows.
	timelineEnd time.Duration = 1 << 61
)

// A timeline is a Timeline in the making.
type timeline struct {
	width time.Duration
	used  int // bins up to the last in which anything was
	bins  [timelineBins]timeBin
}

type timeBin struct {
	busy                             time.Duration // Σ of the time in flight inside the bin
	output, input, chunks, uncounted int
	completed, failed                int
}

func newTimeline() timeline { return timeline{width: timelineWidth} }

// bin is the one that at is in, for which room is made. It is good until room is made again.
func (t *timeline) bin(at time.Duration) *timeBin {
	at = min(max(at, 0), timelineEnd)
	for at/t.width >= timelineBins {
		for i := range timelineBins / 2 {
			t.bins[i] = t.bins[2*i]
			t.bins[i].add(t.bins[2*i+1])
		}
		clear(t.bins[timelineBins/2:])
		t.width *= 2
		t.used = (t.used + 1) / 2
	}
	i := int(at / t.width)
	t.used = max(t.used, i+1)
	return &t.bins[i]
}

func (b *timeBin) add(c timeBin) {
	b.busy += c.busy
	b.output += c.output
	b.input += c.input
	b.chunks += c.chunks
	b.uncounted += c.uncounted
	b.completed += c.completed
	b.failed += c.failed
}

// add adds a request that is over.
func (t *timeline) add(r *Record, failure *Error) {
	t.addBusy(r.Sent, r.Done)
	switch done := t.bin(r.Done); {
	case failure == nil:
		done.completed++
	case failure.Class != ClassCancelled:
		done.failed++
	}
	n := r.ChunkCount()
	if n == 0 {
		switch done := t.bin(r.Done); {
		case r.Counted:
			done.input += r.Input
			done.output += r.Output
		case failure == nil:
			done.uncounted++
		}
		return
	}
	told := r.chunks.tokens
	i := 0
	for c := range r.Chunks() {
		b := t.bin(c.At())
		b.chunks++
		switch {
		case r.Counted && told != r.Output:
			b.output += r.Output*(i+1)/n - r.Output*i/n
		case c.Tokens > 0 || r.Counted:
			b.output += c.Tokens
		default:
			b.uncounted++
		}
		if i == 0 && r.Counted {
			b.input += r.Input
		}
		i++
	}
}

// addBusy adds a request's time in flight.
func (t *timeline) addBusy(from, to time.Duration) {
	from, to = max(from, 0), min(to, timelineEnd)
	if to <= from {
		return
	}
	t.bin(to - 1) // makes room for the whole of it: the end is not in it
	for from < to {
		end := min((from/t.width+1)*t.width, to)
		t.bin(from).busy += end - from
		from = end
	}
}

// columns is what the timeline says.
func (t *timeline) columns() *Timeline {
	out := &Timeline{
		Width: t.width, InFlight: make([]float64, t.used), Output: make([]int, t.used), Input: make([]int, t.used),
		Chunks: make([]int, t.used), Uncounted: make([]int, t.used), Completed: make([]int, t.used), Failed: make([]int, t.used),
	}
	for i, b := range t.bins[:t.used] {
		out.InFlight[i] = float64(b.busy) / float64(t.width)
		out.Output[i], out.Input[i] = b.output, b.input
		out.Chunks[i], out.Uncounted[i] = b.chunks, b.uncounted
		out.Completed[i], out.Failed[i] = b.completed, b.failed
	}
	return out
}

// check returns an [*InvalidError] for a timeline that no level can have had, as a file might hold.
func (t *Timeline) check() error {
	n := len(t.InFlight)
	if n > timelineBins || t.Width <= 0 || t.Width > 2*timelineEnd/timelineBins {
		return &InvalidError{"timeline", fmt.Sprintf("of %d bins of %v", n, t.Width), "at most 240 bins of some width"}
	}
	for _, column := range [][]int{t.Output, t.Input, t.Chunks, t.Uncounted, t.Completed, t.Failed} {
		if len(column) != n {
			return &InvalidError{"timeline", fmt.Sprintf("with %d values", len(column)), fmt.Sprintf("one for each of %d bins", n)}
		}
	}
	return nil
}

// mergeTimelines adds up what each of the parts saw, whose Start is later than the first one's by so much. The bins are
// the widest that any of them has, or wider. What was in a bin that falls into two of these goes into both, in
// proportion: as if it had been even over the bin, and in whole numbers of what is counted.
func mergeTimelines(parts []*Result) *Timeline {
	merged := newTimeline()
	for _, r := range parts {
		if r.Timeline == nil {
			return nil
		}
		merged.width = max(merged.width, r.Timeline.Width)
	}
	for _, r := range parts {
		t, later := r.Timeline, r.Start.Sub(parts[0].Start)
		if t.Len() > 0 {
			merged.bin(later + time.Duration(t.Len())*t.Width - 1) // makes room for all of it
		}
		for i, inFlight := range t.InFlight {
			whole := timeBin{
				busy: time.Duration(math.Round(inFlight * float64(t.Width))), output: t.Output[i], input: t.Input[i],
				chunks: t.Chunks[i], uncounted: t.Uncounted[i], completed: t.Completed[i], failed: t.Failed[i],
			}
			from := later + time.Duration(i)*t.Width
			edge := min((from/merged.width+1)*merged.width, from+t.Width)
			head, tail := whole.split(float64(edge-from) / float64(t.Width))
			merged.bin(from).add(head)
			if tail != (timeBin{}) {
				merged.bin(edge).add(tail)
			}
		}
	}
	return merged.columns()
}

// split divides what is in b, so that the head has a share of it.
func (b timeBin) split(share float64) (head, tail timeBin) {
	part := func(n int) int { return int(math.Round(share * float64(n))) }
	head = timeBin{
		busy: time.Duration(math.Round(share * float64(b.busy))), output: part(b.output), input: part(b.input),
		chunks: part(b.chunks), uncounted: part(b.uncounted), completed: part(b.completed), failed: part(b.failed),
	}
	tail = timeBin{
		b.busy - head.busy, b.output - head.output, b.input - head.input, b.chunks - head.chunks, b.uncounted - head.uncounted,
		b.completed - head.completed, b.failed - head.failed,
	}
	return head, tail
}
