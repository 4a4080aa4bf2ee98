package loadgen

import (
	"math"
	"slices"
	"time"
)

// Unsure are the samples of a metric of which only an interval is known, because a chunk came in one read with later
// data ([Chunk.Shared]). The three distributions have a sample for each of them: as it is in the figures, and what it
// is with its chunks moved to the ends of their intervals. All other samples are as they are: what is kept grows with
// what is unsure, and not with the level.
//
// Chunks of one read have one interval. At the least the first of them came at its beginning, so that the gap before
// it is as small as it can be, and the others followed evenly; at the most all came at its end, as their stamp says,
// and the chunk before at the beginning of its own.
type Unsure struct {
	Told  Distribution `json:"told"`
	Least Distribution `json:"least"`
	Most  Distribution `json:"most"`

	// Sum is by how much the sum of all samples may be off, in the metric's unit: the intervals of the first and the
	// last chunk of each request, for those between move time from one gap to the next.
	Sum float64 `json:"sum"`
}

// Merge adds the samples of other.
func (u *Unsure) Merge(other *Unsure) {
	u.Told.Merge(&other.Told)
	u.Least.Merge(&other.Least)
	u.Most.Merge(&other.Most)
	u.Sum += other.Sum
}

func (u *Unsure) add(told, least, most time.Duration) {
	u.Told.Add(float64(told) / millisecond)
	u.Least.Add(float64(least) / millisecond)
	u.Most.Add(float64(most) / millisecond)
}

// unsureGaps follows when the chunks of a request came at the earliest.
type unsureGaps struct {
	into     *collector
	n        int
	earliest time.Duration // the chunk before came from then
	at       time.Duration // to then
	open     bool          // and in one read with later data: it is Shared
	within   int           // gaps so far inside that read
	ends     time.Duration // the interval of the first chunk
	seen     bool          // the first chunk that could be seen has come
}

// next takes the next chunk of r, which came at that time.
func (g *unsureGaps) next(r *Record, c *Chunk, at time.Duration) {
	if !c.Shared && !g.open && g.within == 0 { // as all but always
		g.n, g.at, g.earliest, g.seen = g.n+1, at, at, g.seen || !c.Hidden
		return
	}
	inside := g.n > 0 && g.open && at == g.at
	earliest := at
	if c.Shared {
		from := r.Sent
		if g.n > 0 {
			from = g.earliest // chunks come in order
		}
		earliest = min(max(c.Since, from), at)
	}
	switch {
	case inside:
		g.within++
		earliest = g.earliest
	case g.n > 0:
		g.end()
		if least, most := max(earliest-g.at, 0), at-g.earliest; least != most {
			g.into.unsureOf(ITL).add(at-g.at, least, most)
		}
	}
	if !g.seen && !c.Hidden {
		if g.seen = true; c.Shared && earliest != at {
			u := g.into.unsureOf(TTFT)
			u.add(at-r.Sent, earliest-r.Sent, at-r.Sent)
			u.Sum += float64(at-earliest) / millisecond
			g.into.unsureTPOT(r, at, at-earliest)
		}
	}
	if g.n == 0 && c.Shared {
		g.ends = at - earliest
	}
	g.n, g.at, g.earliest, g.open = g.n+1, at, earliest, c.Shared
}

// unsureTPOT adds that of a request whose first content came at that time, or so much earlier: the tokens behind it
// then had that much longer.
func (c *collector) unsureTPOT(r *Record, at, earlier time.Duration) {
	n, _ := r.tokensAfterFirst()
	if n < 1 {
		return
	}
	u, told, each := c.unsureOf(TPOT), float64(r.Done-at)/millisecond/float64(n),
		float64(earlier)/millisecond/float64(n)
	u.Told.Add(told) // as tpot has it, to the last bit
	u.Least.Add(told)
	u.Most.Add(told + each)
	u.Sum += each
}

// end closes the read that the last chunk came in, of which the last chunk is exact unless other data followed it.
func (g *unsureGaps) end() {
	if g.within > 0 {
		even := (g.at - g.earliest) / time.Duration(g.within)
		for range g.within {
			g.into.unsureOf(ITL).add(0, even, 0)
		}
		g.within = 0
	}
	if !g.open {
		g.earliest = g.at
	}
}

// over ends a request's chunks.
func (g *unsureGaps) over() {
	g.end()
	if off := g.ends + g.at - g.earliest; g.n > 1 && off > 0 {
		g.into.unsureOf(ITL).Sum += float64(off) / millisecond
	}
}

// derived are the metrics that stand and fall with one that may be unsure.
var derived = map[string][]string{TTFT: {FirstChoice, FirstAnswer}, TPOT: {Interactivity}}

const (
	unsureLimit = 0.1 // of a figure, that it may change
	unsureFloor = 1.0 // ms; below it, waking the client is what it takes
)

// replaced are the quantiles of d with others in the place of some of its samples.
func (d *Distribution) replaced(told, other *Distribution) (quantile func(p float64) float64) {
	n := d.Len()
	upTo := func(x float64) int { return d.upTo(x) - told.upTo(x) + other.upTo(x) }
	low, _ := other.Quantile(0)
	high, _ := other.Quantile(100)
	if x, ok := d.Quantile(0); ok {
		low = min(low, x)
	}
	if x, ok := d.Quantile(100); ok {
		high = max(high, x)
	}
	at := func(rank int) float64 { // the sample of that rank: the least number that more samples are at or below
		if upTo(low) > rank {
			return low
		}
		a, b := low, high
		for range 60 { // to the last bit
			if middle := a + (b-a)/2; upTo(middle) > rank {
				b = middle
			} else {
				a = middle
			}
		}
		return b
	}
	return func(p float64) float64 {
		rank := p / 100 * float64(n-1)
		below := int(rank)
		a, b := at(below), at(min(below+1, n-1))
		return a + (b-a)*(rank-float64(below))
	}
}

// upTo is how many samples are at or below x.
func (d *Distribution) upTo(x float64) int {
	if d.histogram != nil {
		return d.histogram.count(x)
	}
	d.sort()
	i, _ := slices.BinarySearch(d.samples, math.Nextafter(x, math.Inf(1)))
	return i
}

// count is how many samples are at or below x, as nearly as their buckets tell.
func (h *histogram) count(x float64) int {
	h.tabulate()
	i, _ := slices.BinarySearchFunc(h.bars, x, func(b bar, x float64) int {
		if b.value <= x {
			return -1
		}
		return 1
	})
	if i == 0 {
		return 0
	}
	return int(h.bars[i-1].upTo)
}

// unsureWarning names the figures that are another where the chunks that came in one read are moved inside their
// intervals.
func (r *Result) unsureWarning(warn func(code string, spoils []string, format string, args ...any)) {
	var spoils []string
	var worst Figure
	var worstLeast, worstMost float64
	chunks := 0
	for _, metric := range []string{TTFT, ITL, TPOT} {
		u, d := r.Unsure[metric], r.Distributions[metric]
		if u == nil || d == nil || u.Told.Len() == 0 {
			continue
		}
		if metric != TPOT { // whose chunks are those of TTFT
			chunks += u.Told.Len()
		}
		quantileLeast, quantileMost := d.replaced(&u.Told, &u.Least), d.replaced(&u.Told, &u.Most)
		spoiled := false
		check := func(name string, least, most float64) {
			f, ok := r.Figure(name)
			least, most = min(least, most), max(least, most)
			change := max(f.Value-least, most-f.Value)
			if !ok || change <= max(unsureLimit*f.Value, unsureFloor) {
				return
			}
			spoils, spoiled = append(spoils, name), true
			if change > max(math.Abs(worst.Value-worstLeast), math.Abs(worstMost-worst.Value)) {
				worst, worstLeast, worstMost = f, least, most
			}
		}
		if mean, ok := d.Mean(); ok {
			off := u.Sum / float64(d.Len())
			check(MeanName(metric), mean-off, mean+off)
		}
		for _, p := range r.Level.percentiles() {
			before := len(spoils)
			if check(QuantileName(metric, p), quantileLeast(p), quantileMost(p)); len(spoils) > before &&
				slices.Contains(issuedMetrics, metric) {
				spoils = append(spoils, IssuedName(metric, p))
			}
		}
		if spoiled {
			spoils = append(spoils, r.Level.goodputOf(metric)...)
			spoils = append(spoils, r.Level.spoiledWith(derived[metric]...)...)
		}
	}
	if len(spoils) > 0 {
		warn(WarnArrivalsUnsure, spoils,
			"%d chunks came in one read with later data, as when the client stood still or several are sent at "+
				"once, and may have come earlier: with them at the far ends of their intervals %s is %.3g to %.3g "+
				"ms, and not %.3g; figures that change by over a tenth (and 1 ms) must not be used",
			chunks, worst.Name, worstLeast, worstMost, worst.Value)
	}
}
