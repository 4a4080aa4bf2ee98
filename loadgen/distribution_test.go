package loadgen

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/servegauge/servegauge/stats"
)

// Expected values are numpy.percentile's, whose default is type 7.
func TestDistribution(t *testing.T) {
	var d Distribution
	if _, ok := d.Quantile(50); ok {
		t.Error("an empty distribution has a median")
	}
	if _, ok := d.Mean(); ok {
		t.Error("an empty distribution has a mean")
	}
	for _, x := range []float64{3, 1, 4, 1, 5, 9, 2, 6} {
		d.Add(x)
	}
	for p, want := range map[float64]float64{0: 1, 50: 3.5, 90: 6.9, 95: 7.95, 99: 8.79, 100: 9} {
		if got, ok := d.Quantile(p); !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("p%v: %v %v, want %v", p, got, ok, want)
		}
	}
	var other Distribution
	other.Add(100)
	d.Merge(&other)
	if got, _ := d.Quantile(100); got != 100 || d.Len() != 9 || other.Len() != 1 {
		t.Errorf("after the merge: maximum %v of %d", got, d.Len())
	}
	if d.Add(math.NaN()) || d.Add(math.Inf(1)) || d.Len() != 9 {
		t.Error("a sample that is no number was taken")
	}
	for _, p := range []float64{-1, 101, math.NaN()} {
		if _, ok := d.Quantile(p); ok {
			t.Errorf("there is a p%v", p)
		}
	}
}

// shapes are samples of many kinds: n of each.
var shapes = map[string]func(r *rand.Rand) float64{
	"latencies":    func(r *rand.Rand) float64 { return math.Exp(3 + r.NormFloat64()) },
	"whole ns":     func(r *rand.Rand) float64 { return float64(r.Int64N(5e9)) / 1e6 },
	"long tail":    func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -2) },
	"two humps":    func(r *rand.Rand) float64 { return []float64{0.02, 900}[r.IntN(2)] * (1 + r.Float64()) },
	"both signs":   func(r *rand.Rand) float64 { return r.NormFloat64() },
	"below zero":   func(r *rand.Rand) float64 { return -1000 * r.Float64() },
	"mostly zeros": func(r *rand.Rand) float64 { return max(0, r.NormFloat64()-2) },
	"constant":     func(r *rand.Rand) float64 { return 12.345678 },
	"tiny":         func(r *rand.Rand) float64 { return 1e-6 * (1 + r.Float64()) },
	"huge":         func(r *rand.Rand) float64 { return 1e9 * r.Float64() },
}

func samplesOf(shape string, n int) []float64 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float64, n)
	for i := range x {
		x[i] = shapes[shape](r)
	}
	return x
}

func distributionOf(x []float64) *Distribution {
	d := new(Distribution)
	for _, x := range x {
		d.Add(x)
	}
	return d
}

// asHistogram is a histogram of x, few as they may be.
func asHistogram(x []float64) *Distribution {
	d := distributionOf(x)
	if d.Exact() {
		d.condense()
	}
	return d
}

var someQuantiles = []float64{0, 0.1, 1, 5, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100}

// A histogram's quantiles are within the stated error of the exact ones: 0.05 % of the samples that they lie between.
func TestHistogramError(t *testing.T) {
	for shape := range shapes {
		for _, n := range []int{1, 2, 3, 10, 1000, 50_000} {
			x := samplesOf(shape, n)
			h := asHistogram(x)
			sorted, err := stats.NewSorted(x)
			if err != nil {
				t.Fatal(err)
			}
			if h.Exact() || h.Len() != n {
				t.Fatalf("%s: exact %v, %d samples", shape, h.Exact(), h.Len())
			}
			for _, p := range someQuantiles {
				want, _ := sorted.Quantile(p / 100)
				i := int(p / 100 * float64(n-1))
				between := max(math.Abs(sorted[i]), math.Abs(sorted[min(i+1, n-1)]))
				if got, ok := h.Quantile(p); !ok || math.Abs(got-want) > 0.0005*between+1e-9 {
					t.Errorf("%s, n = %d: p%v is %v %v, and exactly %v", shape, n, p, got, ok, want)
				}
			}
			exact := distributionOf(x)
			want, _ := exact.Mean()
			if got, ok := h.Mean(); !ok || math.Abs(got-want) > 1e-9*(1+math.Abs(want)) {
				t.Errorf("%s: the mean is %v, and exactly %v", shape, got, want)
			}
		}
	}
}

// The bound: the last exact sample, and the first that is one too many.
func TestDistributionBound(t *testing.T) {
	x := samplesOf("latencies", MaxExact+1)
	d := distributionOf(x[:MaxExact])
	if !d.Exact() || d.Len() != MaxExact {
		t.Fatalf("%d samples: exact %v", d.Len(), d.Exact())
	}
	d.Add(x[MaxExact])
	if d.Exact() || d.Len() != MaxExact+1 || d.samples != nil {
		t.Fatalf("%d samples: exact %v", d.Len(), d.Exact())
	}
	if d.Add(math.NaN()) || d.Add(math.Inf(-1)) || d.Len() != MaxExact+1 {
		t.Error("a sample that is no number was taken")
	}
	for _, p := range []float64{-1, 101, math.NaN()} {
		if _, ok := d.Quantile(p); ok {
			t.Errorf("there is a p%v", p)
		}
	}
}

// Samples that come after a quantile was asked for count in the next.
func TestQuantileThenAdd(t *testing.T) {
	for _, d := range []*Distribution{distributionOf([]float64{1}), asHistogram([]float64{1})} {
		for x := 2.0; x < 6; x++ {
			before, _ := d.Quantile(50)
			if x < 5 {
				d.Add(x)
			} else {
				d.Merge(distributionOf([]float64{x}))
			}
			if after, _ := d.Quantile(50); math.Abs(after-before-0.5) > 0.005 {
				t.Errorf("exact %v: the median was %v and is %v after %v", d.Exact(), before, after, x)
			}
		}
	}
}

// Beyond the range samples count at its end, but the extremes are what they were.
func TestHistogramRange(t *testing.T) {
	d := asHistogram([]float64{-1e300, -7e9, 0, 7e9, 1e12, 1e300})
	for p, want := range map[float64]float64{0: -1e300, 20: -4.611e9, 40: 0, 60: 4.611e9, 80: 4.611e9, 100: 1e300} {
		if got, ok := d.Quantile(p); !ok || math.Abs(got-want) > 0.001*math.Abs(want) {
			t.Errorf("p%v: %v %v, want %v", p, got, ok, want)
		}
	}
	far := asHistogram([]float64{1e12, 2e12, 3e12})
	if got, _ := far.Quantile(50); got < 1e12 || got > 3e12 {
		t.Errorf("the median of samples from 1e12 to 3e12 is %v", got)
	}
	d.Add(math.MaxFloat64)
	d.Add(math.MaxFloat64)
	if mean, ok := d.Mean(); ok {
		t.Errorf("a sum that is too great has a mean of %v", mean)
	}
}

// However samples are cut into parts, and in whatever order the parts are merged, the quantiles are the same.
func TestMergeIsAdd(t *testing.T) {
	for shape := range shapes {
		for _, n := range []int{10, 1000, MaxExact, MaxExact + 1, MaxExact + 5000} {
			if n > 1000 && shape != "latencies" && shape != "both signs" {
				continue
			}
			x := samplesOf(shape, n)
			whole := distributionOf(x)
			r := rand.New(rand.NewPCG(2, uint64(n)))
			for range 3 {
				cuts := []int{0, r.IntN(n + 1), r.IntN(n + 1), n}
				slices.Sort(cuts)
				var merged Distribution
				for _, i := range r.Perm(3) {
					part := distributionOf(x[cuts[i]:cuts[i+1]])
					before := part.Len()
					merged.Merge(part)
					if part.Len() != before {
						t.Fatal("the merge changed what was merged")
					}
				}
				sameDistribution(t, &merged, whole)
			}
			// A part that was a histogram before its time makes the whole one.
			mixed := asHistogram(x[:n/2])
			mixed.Merge(distributionOf(x[n/2:]))
			other := distributionOf(x[n/2:])
			other.Merge(asHistogram(x[:n/2]))
			sameDistribution(t, mixed, asHistogram(x))
			sameDistribution(t, other, mixed)
			twice := distributionOf(x)
			twice.Merge(twice)
			sameDistribution(t, twice, distributionOf(append(slices.Clone(x), x...)))
		}
	}
	empty, d := asHistogram(nil), distributionOf([]float64{-5, 3})
	empty.Merge(d)
	sameDistribution(t, empty, asHistogram([]float64{-5, 3}))
	d.Merge(asHistogram(nil))
	sameDistribution(t, d, asHistogram([]float64{-5, 3}))
}

func sameDistribution(t *testing.T, got, want *Distribution) {
	t.Helper()
	if got.Exact() != want.Exact() || got.Len() != want.Len() {
		t.Fatalf("exact %v with %d samples, want %v and %d", got.Exact(), got.Len(), want.Exact(), want.Len())
	}
	for _, p := range someQuantiles {
		a, okA := got.Quantile(p)
		b, okB := want.Quantile(p)
		if a != b || okA != okB {
			t.Errorf("p%v: %v %v, want %v %v", p, a, okA, b, okB)
		}
	}
	a, okA := got.Mean()
	b, okB := want.Mean()
	if math.Abs(a-b) > 1e-9*(1+math.Abs(b)) || okA != okB {
		t.Errorf("mean %v %v, want %v %v", a, okA, b, okB)
	}
}

// Whatever the samples are, both kinds hold them, agree with each other, and merge.
func FuzzDistribution(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 50.0)
	f.Add(-1.0, 0.0, 1e300, 99.0)
	f.Add(1e-12, -1e-9, 4.7e9, 0.0)
	f.Fuzz(func(t *testing.T, x, y, z, p float64) {
		exact := distributionOf([]float64{x, y, z})
		h := asHistogram([]float64{x, y, z})
		a, okA := exact.Quantile(p)
		b, okB := h.Quantile(p)
		most := max(math.Abs(x), math.Abs(y), math.Abs(z))
		if okA != okB || exact.Len() != h.Len() || okA && most < 4.6e9 && math.Abs(a-b) > 0.0005*most+1e-9 {
			t.Fatalf("exact %v %v, histogram %v %v", a, okA, b, okB)
		}
		merged := asHistogram([]float64{z})
		merged.Merge(distributionOf([]float64{x, y}))
		if c, ok := merged.Quantile(p); c != b || ok != okB {
			t.Fatalf("merged %v %v, whole %v %v", c, ok, b, okB)
		}
	})
}

func TestAddAllocatesNothing(t *testing.T) {
	d := asHistogram([]float64{-1, 1})
	x := 0.5
	if n := testing.AllocsPerRun(1000, func() { x *= -1.01; d.Add(x) }); n != 0 {
		t.Errorf("%v allocations for each sample of a histogram", n)
	}
	exact := Distribution{samples: make([]float64, 0, 2000)}
	if n := testing.AllocsPerRun(1000, func() { x *= -1.01; exact.Add(x) }); n != 0 {
		t.Errorf("%v allocations for each exact sample", n)
	}
}

func BenchmarkDistributionAdd(b *testing.B) {
	for name, n := range map[string]int{"exact": 0, "hdr": MaxExact + 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			x := samplesOf("latencies", 1<<10)
			d := distributionOf(samplesOf("latencies", n))
			if n == 0 {
				d.samples = make([]float64, 0, MaxExact)
			}
			for i := range b.N {
				if n == 0 && len(d.samples) == MaxExact {
					d.samples = d.samples[:0]
				}
				d.Add(x[i%len(x)])
			}
		})
	}
}

func TestSDIsThatOfThePopulation(t *testing.T) {
	var none, few, one, many Distribution
	if _, ok := none.SD(); ok {
		t.Error("an SD of no samples")
	}
	one.Add(5)
	if sd, ok := one.SD(); !ok || sd != 0 {
		t.Errorf("SD of one sample %g, %v", sd, ok)
	}
	for _, x := range []float64{2, 4, 4, 4, 5, 5, 7, 9} { // the textbook's: 2 as a population, 2.14 as a sample
		few.Add(x)
	}
	if sd, ok := few.SD(); !ok || sd != 2 {
		t.Errorf("SD %g, %v; want 2", sd, ok)
	}
	for i := range 3 * MaxExact { // uniform over 0 to 1: √(1/12)
		many.Add((float64(i) + 0.5) / (3 * MaxExact))
	}
	if sd, ok := many.SD(); many.Exact() || !ok || math.Abs(sd*math.Sqrt(12)-1) > 0.001 {
		t.Errorf("SD %g, %v; want %g", sd, ok, 1/math.Sqrt(12))
	}
}
