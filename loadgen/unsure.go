package loadgen

import (
	"math"
	"slices"
	"time"
)

// Unsure are the samples of a metric of which only an interval is known, because a chunk came in one read with later data
// ([Chunk.Shared]). The three distributions have a sample for each of them: as it is in the figures, and what it is at the
// least and at the most with its chunks moved to the ends of their intervals. Chunks of one read share an interval, so that
// the gaps between them are at the most even parts of it. All other samples are as they are: what is kept grows with
// what is unsure, and not with the level.
type Unsure struct {
	Told  Distribution `json:"told"`
	Least Distribution `json:"least"`
	Most  Distribution `json:"most"`
}

// Merge adds the samples of other.
func (u *Unsure) Merge(other *Unsure) {
	u.Told.Merge(&other.Told)
	u.Least.Merge(&other.Least)
	u.Most.Merge(&other.Most)
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
	seen     bool          // the first chunk that could be seen has come
}

// next takes the next chunk of r.
func (g *unsureGaps) next(r *Record, c Chunk) {
	at := c.At()
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
			g.into.addUnsure(ITL, at-g.at, least, most)
		}
	}
	if !g.seen && !c.Hidden {
		if g.seen = true; c.Shared && earliest != at {
			g.into.addUnsure(TTFT, at-r.Sent, earliest-r.Sent, at-r.Sent)
		}
	}
	g.n, g.at, g.earliest, g.open = g.n+1, at, earliest, c.Shared
}

// end closes the read that the last chunk came in, of which the last chunk is exact unless other data followed it.
func (g *unsureGaps) end() {
	if g.within > 0 {
		even := (g.at - g.earliest) / time.Duration(g.within)
		for range g.within {
			g.into.addUnsure(ITL, 0, 0, even)
		}
		g.within = 0
	}
	if !g.open {
		g.earliest = g.at
	}
}

const (
	unsureLimit = 0.1 // of a figure, that it may change
	unsureFloor = 1.0 // ms; below it, waking the client is what it takes
)

// replaced is the mean and the quantiles of d with some of its samples in the place of others of them.
func (d *Distribution) replaced(told, other *Distribution) (mean float64, quantile func(p float64) float64) {
	n := d.Len()
	if all, ok := d.Mean(); ok {
		a, _ := told.Mean()
		b, _ := other.Mean()
		mean = all + (b-a)*float64(told.Len())/float64(n)
	}
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
	return mean, func(p float64) float64 {
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

// unsureWarning names the figures that are another where the chunks that came in one read are moved inside their intervals.
func (r *Result) unsureWarning(warn func(code string, spoils []string, format string, args ...any)) {
	var spoils []string
	var worst Figure
	var worstLeast, worstMost float64
	chunks := 0
	for _, metric := range []string{TTFT, ITL} {
		u, d := r.Unsure[metric], r.Distributions[metric]
		if u == nil || d == nil || u.Told.Len() == 0 {
			continue
		}
		chunks += u.Told.Len()
		meanLeast, quantileLeast := d.replaced(&u.Told, &u.Least)
		meanMost, quantileMost := d.replaced(&u.Told, &u.Most)
		spoiled := false
		check := func(name string, least, most float64) {
			f, ok := r.Figure(name)
			change := max(math.Abs(f.Value-least), math.Abs(most-f.Value))
			if !ok || change <= max(unsureLimit*f.Value, unsureFloor) {
				return
			}
			spoils, spoiled = append(spoils, name), true
			if change > max(math.Abs(worst.Value-worstLeast), math.Abs(worstMost-worst.Value)) {
				worst, worstLeast, worstMost = f, least, most
			}
		}
		check(MeanName(metric), meanLeast, meanMost)
		for _, p := range quantiles {
			check(QuantileName(metric, p), quantileLeast(p), quantileMost(p))
		}
		if spoiled {
			spoils = append(spoils, r.Level.goodputOf(metric)...)
		}
	}
	if len(spoils) > 0 {
		warn(WarnArrivalsUnsure, spoils,
			"%d chunks came in one read with later data, as when the client stood still or several are sent at once, and may have come earlier: with them at the far ends of their intervals %s is %.3g to %.3g ms, and not %.3g; figures that change by over a tenth (and 1 ms) must not be used",
			chunks, worst.Name, worstLeast, worstMost, worst.Value)
	}
}
