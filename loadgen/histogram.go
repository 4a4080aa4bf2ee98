package loadgen

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The geometry of every histogram is the same, so that any two of them merge without loss: counts of the samples in
// billionths of their unit, in buckets no wider than a thousandth of what they hold.
const (
	histogramUnit   = 1e-9
	histogramMax    = 1 << 62 // units: 4.6e9
	histogramDigits = 3
)

// A histogram is what a [Distribution] is when it has many samples. The library's own quantiles round the rank to the
// next sample and give the upper end of its bucket; ours interpolate, as type 7 does, from the buckets' middles.
type histogram struct {
	positive, negative *hdrhistogram.Histogram // of the samples' magnitudes; nil while there is none. 0 is positive

	sum, min, max float64 // of the samples themselves

	// bars are the buckets that have samples, in increasing order, as far as they have been asked for since the last
	// sample; empty when they have not.
	bars []bar
}

// A bar is a bucket that has samples.
type bar struct {
	value float64 // its middle
	upTo  int64   // how many samples are in it and those before it
}

func newHDR() *hdrhistogram.Histogram { return hdrhistogram.New(1, histogramMax, histogramDigits) }

func (h *histogram) len() int {
	n := 0
	for _, part := range []*hdrhistogram.Histogram{h.positive, h.negative} {
		if part != nil {
			n += int(part.TotalCount())
		}
	}
	return n
}

// add counts x, which is finite.
func (h *histogram) add(x float64) {
	if h.positive == nil && h.negative == nil {
		h.min, h.max = x, x
	}
	h.min, h.max = min(h.min, x), max(h.max, x)
	h.sum += x
	h.bars = h.bars[:0]
	units := int64(histogramMax)
	if magnitude := math.Round(math.Abs(x) / histogramUnit); magnitude < histogramMax {
		units = int64(magnitude)
	}
	part := &h.positive
	if x < 0 {
		part = &h.negative
	}
	if *part == nil {
		*part = newHDR()
	}
	_ = (*part).RecordValue(units) // always in the range
}

// merge adds the samples of other, which is another one.
func (h *histogram) merge(other *histogram) {
	if other.len() == 0 {
		return
	}
	if h.len() == 0 {
		h.min, h.max = other.min, other.max
	}
	h.min, h.max = min(h.min, other.min), max(h.max, other.max)
	h.sum += other.sum
	h.bars = h.bars[:0]
	for _, parts := range [][2]**hdrhistogram.Histogram{{&h.positive, &other.positive},
		{&h.negative, &other.negative}} {
		into, from := parts[0], *parts[1]
		if from == nil {
			continue
		}
		if *into == nil {
			*into = newHDR()
		}
		(*into).Merge(from) // drops nothing: the geometry is the same
	}
}

// tabulate makes the bars.
func (h *histogram) tabulate() {
	if len(h.bars) > 0 {
		return
	}
	list := func(part *hdrhistogram.Histogram, sign float64) {
		if part == nil {
			return
		}
		for _, b := range part.Distribution() {
			if b.Count > 0 {
				middle := float64(b.From) + float64(b.To-b.From)/2
				h.bars = append(h.bars, bar{value: sign * middle * histogramUnit, upTo: b.Count})
			}
		}
	}
	list(h.negative, -1)
	list(h.positive, 1)
	slices.SortFunc(h.bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) })
	var n int64
	for i := range h.bars {
		n += h.bars[i].upTo
		h.bars[i].upTo = n
	}
}

// quantile is [Distribution.Quantile].
func (h *histogram) quantile(p float64) (float64, bool) {
	n := h.len()
	if n == 0 || !(p >= 0 && p <= 100) {
		return 0, false
	}
	h.tabulate()
	rank := float64(p / 100 * float64(n-1)) // the conversion: no fusing into rank − below
	below := int64(rank)
	a := h.at(below)
	b := h.at(min(below+1, int64(n)-1))
	g := rank - float64(below)
	if width := b - a; !math.IsInf(width, 1) {
		return a + float64(g*width), true
	}
	return float64((1-g)*a) + float64(g*b), true
}

// at is the sample of that rank, from 0, as nearly as its bucket tells. The bars are there.
func (h *histogram) at(rank int64) float64 {
	last := len(h.bars) - 1
	switch {
	case rank <= 0:
		return h.min
	case rank >= h.bars[last].upTo-1:
		return h.max
	}
	i := sort.Search(last, func(i int) bool { return h.bars[i].upTo > rank })
	return min(max(h.bars[i].value, h.min), h.max)
}
