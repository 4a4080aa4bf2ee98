package loadgen

// A trend is the course of a quantity over a level, in memory that does not grow with it: the sums of bins of as many
// samples each, which are joined two by two whenever there are too many. The zero trend is empty and ready for use.
type trend struct {
	bins   []float64
	size   int // samples in a bin, but for the last
	filled int // samples in the last bin
}

const (
	trendBins  = 256
	trendLeast = 8 // bins, below which there are no quarters to speak of
)

func (t *trend) add(x float64) {
	if t.size == 0 {
		t.size = 1
	}
	if len(t.bins) == 0 || t.filled == t.size {
		if len(t.bins) == trendBins {
			for i := range trendBins / 2 {
				t.bins[i] = t.bins[2*i] + t.bins[2*i+1]
			}
			t.bins = t.bins[:trendBins/2]
			t.size *= 2
		}
		t.bins = append(t.bins, 0)
		t.filled = 0
	}
	t.bins[len(t.bins)-1] += x
	t.filled++
}

// quarters returns the means over the second and the last quarter of the samples, but for those of an unfinished bin;
// false when there are too few.
func (t *trend) quarters() (second, last float64, ok bool) {
	bins := t.bins
	if t.filled < t.size && len(bins) > 0 {
		bins = bins[:len(bins)-1]
	}
	n := len(bins)
	if n < trendLeast {
		return 0, 0, false
	}
	mean := func(bins []float64) float64 {
		sum := 0.0
		for _, b := range bins {
			sum += b
		}
		return sum / float64(len(bins)*t.size)
	}
	return mean(bins[n/4 : n/2]), mean(bins[n-n/4:]), true
}
