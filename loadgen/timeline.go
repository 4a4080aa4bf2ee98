package loadgen

import (
	"fmt"
	"math"
	"time"
)

// A Timeline is the load over a level's time, in bins of equal width, warmup, ramp-up and drain included; the last
// bin reaches past the end of the level. A level of any length has at most 240 bins, and one that was not over at
// once at least 120: they begin with 1 ms, and are joined two by two whenever there are too many.
//
// Bins begin at [Result.Start]. Those of a shard ([Level.Shards]) lie on multiples of their width in Unix time
// instead, by the clock that all shards go by ([Generator.Clock]), and the first reaches back to before the start; so
// bins of all shards coincide, or make up each other.
//
// Every column has a value for each bin. A bin begins with its first moment and ends before the next one's, so that
// the columns of counts close: their sums are those of all of the level's requests.
//
// A bin has means and sums over its width, and no peaks: the requests in flight during a bin, each counted in full,
// would be more than there ever were at once. [InFlight.Peak] has the true peak.
type Timeline struct {
	Width time.Duration `json:"width_ns"`
	From  time.Duration `json:"from_ns,omitempty"` // when the first bin begins: 0, or before that

	// InFlight is the mean number of requests in flight: what there is of Sent to Done of all requests in the bin, ÷
	// Width.
	InFlight []float64 `json:"in_flight"`

	// Occupied is the same of Sent to Left: the slots that were taken. nil in results of older versions.
	Occupied []float64 `json:"occupied,omitempty"`

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
	width  time.Duration
	anchor int64         // bins lie on multiples of their width from so many ns before the start
	from   time.Duration // when the first bin begins
	used   int           // bins up to the last in which anything was
	bins   [timelineBins]timeBin
}

type timeBin struct {
	busy, taken                      time.Duration // Σ of the time in flight, and in a slot, inside the bin
	output, input, chunks, uncounted int
	completed, failed                int
}

// anchor is where the bins of a level lie that began at epoch; see [Timeline].
func (g *Generator) anchor(l Level, epoch time.Time) int64 {
	if l.Shards < 2 {
		return 0
	}
	return g.Clock.common(epoch).UnixNano()
}

func newTimeline(anchor int64) timeline {
	t := timeline{width: timelineWidth, anchor: anchor}
	t.from = -t.past()
	return t
}

// past is by how much the start lies after the beginning of the bin that it is in.
func (t *timeline) past() time.Duration {
	w := int64(t.width)
	return time.Duration((t.anchor%w + w) % w)
}

// bin is the one that at is in, for which room is made. It is good until room is made again.
func (t *timeline) bin(at time.Duration) *timeBin {
	at = min(max(at, t.from), timelineEnd)
	for (at-t.from)/t.width >= timelineBins {
		t.width *= 2
		odd := 0 // the first bin is the second half of the one that it is joined to
		if from := -t.past(); from < t.from {
			t.from, odd = from, 1
		}
		var joined [timelineBins]timeBin
		for i, b := range t.bins {
			joined[(i+odd)/2].add(b)
		}
		t.bins, t.used = joined, (t.used+odd+1)/2
	}
	i := int((at - t.from) / t.width)
	t.used = max(t.used, i+1)
	return &t.bins[i]
}

func (b *timeBin) add(c timeBin) {
	b.busy += c.busy
	b.taken += c.taken
	b.output += c.output
	b.input += c.input
	b.chunks += c.chunks
	b.uncounted += c.uncounted
	b.completed += c.completed
	b.failed += c.failed
}

// add adds a request that is over.
func (t *timeline) add(r *Record, failure *Error) {
	t.spread(r.Sent, r.Done, func(b *timeBin, d time.Duration) { b.busy += d })
	t.spread(r.Sent, r.Left, func(b *timeBin, d time.Duration) { b.taken += d })
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

// spread adds a time to the bins that it goes through, to each what is in it.
func (t *timeline) spread(from, to time.Duration, add func(b *timeBin, d time.Duration)) {
	from, to = max(from, 0), min(to, timelineEnd)
	if to <= from {
		return
	}
	t.bin(to - 1) // makes room for the whole of it: the end is not in it
	for from < to {
		end := min(t.from+((from-t.from)/t.width+1)*t.width, to)
		add(t.bin(from), end-from)
		from = end
	}
}

// columns is what the timeline says.
func (t *timeline) columns() *Timeline {
	out := &Timeline{
		Width: t.width, From: t.from, InFlight: make([]float64, t.used), Occupied: make([]float64, t.used),
		Output: make([]int, t.used), Input: make([]int, t.used),
		Chunks: make([]int, t.used), Uncounted: make([]int, t.used),
		Completed: make([]int, t.used), Failed: make([]int, t.used),
	}
	for i, b := range t.bins[:t.used] {
		out.InFlight[i], out.Occupied[i] = float64(b.busy)/float64(t.width), float64(b.taken)/float64(t.width)
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
	if t.From > 0 || t.From <= -t.Width {
		return &InvalidError{"timeline", fmt.Sprintf("from %v", t.From), "a first bin that has the start in it"}
	}
	if t.Occupied != nil && len(t.Occupied) != n {
		return &InvalidError{"timeline", fmt.Sprintf("with %d values", len(t.Occupied)),
			fmt.Sprintf("one for each of %d bins", n)}
	}
	for _, column := range [][]int{t.Output, t.Input, t.Chunks, t.Uncounted, t.Completed, t.Failed} {
		if len(column) != n {
			return &InvalidError{"timeline", fmt.Sprintf("with %d values", len(column)),
				fmt.Sprintf("one for each of %d bins", n)}
		}
	}
	return nil
}

// mergeTimelines adds up what each of the parts saw, which began later than the first one by so much. The bins are
// the widest that any of them has, or wider, and lie on multiples of their width, as those of the parts do; where
// these do not (their clocks were compared afterwards), a bin goes as a whole into the one that its middle is in.
func mergeTimelines(parts []*Result, later []time.Duration) *Timeline {
	occupied := true
	for _, r := range parts {
		if r.Timeline == nil {
			return nil
		}
		occupied = occupied && len(r.Timeline.Occupied) == r.Timeline.Len()
	}
	first := parts[0].Timeline
	merged := newTimeline(parts[0].Clock.common(parts[0].Start).UnixNano())
	// The part is of a whole level, or of a version that knew no multiples.
	if merged.width = first.Width; merged.past() != -first.From {
		merged.anchor = -int64(first.From)
	}
	for _, r := range parts {
		merged.width = max(merged.width, r.Timeline.Width)
	}
	merged.from = -merged.past()
	for k, r := range parts {
		t := r.Timeline
		for i, inFlight := range t.InFlight {
			whole := timeBin{
				busy: time.Duration(math.Round(inFlight * float64(t.Width))), output: t.Output[i], input: t.Input[i],
				chunks: t.Chunks[i], uncounted: t.Uncounted[i], completed: t.Completed[i], failed: t.Failed[i],
			}
			if occupied {
				whole.taken = time.Duration(math.Round(t.Occupied[i] * float64(t.Width)))
			}
			merged.bin(later[k] + t.From + time.Duration(i)*t.Width + t.Width/2).add(whole)
		}
	}
	out := merged.columns()
	if !occupied {
		out.Occupied = nil
	}
	return out
}
