package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A million latencies, in ms. What one costs is the time of an operation over a million.
func million() []float64 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, 1e6)
	for i := range x {
		x[i] = math.Exp(4 + 0.5*r.NormFloat64())
	}
	return x
}

var sink float64

// BenchmarkPlainSum is what the others are to be seen beside: the least that anything which reads all samples can take.
func BenchmarkPlainSum(b *testing.B) {
	x := million()
	for b.Loop() {
		sink = plainSum(x)
	}
}

// plainSum is a function of its own, because within b.Loop the sum is kept in memory and takes six times as long.
//
//go:noinline
func plainSum(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum
}

func BenchmarkSummarize(b *testing.B) {
	x := million()
	for b.Loop() {
		s, err := Summarize(x)
		if err != nil {
			b.Fatal(err)
		}
		sink = s.SD
	}
}

// BenchmarkMeanInterval computes the mean, the standard deviation and the interval.
func BenchmarkMeanInterval(b *testing.B) {
	x := million()
	for b.Loop() {
		v, err := MeanInterval(x, 0.95, "request")
		if err != nil {
			b.Fatal(err)
		}
		sink = v.High
	}
}

func BenchmarkLag1(b *testing.B) {
	x := million()
	for b.Loop() {
		r, err := Lag1(x)
		if err != nil {
			b.Fatal(err)
		}
		sink = r
	}
}

func BenchmarkAccumulator(b *testing.B) {
	x := million()
	for b.Loop() {
		var a Accumulator
		for _, v := range x {
			if err := a.Add(v); err != nil {
				b.Fatal(err)
			}
		}
		sink = float64(a.N())
	}
}

// BenchmarkSortedQuantiles computes the percentiles 1 … 99 and the extremes by each type, from one sort.
func BenchmarkSortedQuantiles(b *testing.B) {
	x := million()
	for b.Loop() {
		s, err := NewSorted(x)
		if err != nil {
			b.Fatal(err)
		}
		for p := range 101 {
			for _, q := range []QuantileType{Type1, Type7, Type8} {
				if sink, err = s.QuantileByType(float64(p)/100, q); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

func BenchmarkQuantilesUnderneath(b *testing.B) {
	for name, call := range map[string]func() (float64, error){
		"t, df 4":           func() (float64, error) { return studentQuantile(0.025, 4) },
		"t tail, df 7.9":    func() (float64, error) { return studentTail(1.98, 7.87) },
		"χ², df 4":          func() (float64, error) { return chiSquareUpperQuantile(0.025, 4) },
		"χ², df 1e6":        func() (float64, error) { return chiSquareUpperQuantile(1e-10, 1e6) },
		"F, df 4 and 20":    func() (float64, error) { return fQuantile(0.05, 4, 20) },
		"noncentral t tail": func() (float64, error) { return noncentralTail(2.3, 8, 3.16) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				v, err := call()
				if err != nil {
					b.Fatal(err)
				}
				sink = v
			}
		})
	}
}
