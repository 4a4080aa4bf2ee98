package stats_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"

	"github.com/servegauge/servegauge/stats"
)

func ExampleSummarize() {
	s, err := stats.Summarize([]float64{6808, 6512, 7011, 6390, 6955}) // tokens/s of five runs
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("mean %.1f, SD %.1f, CoV %.1f %%, n = %d\n", s.Mean, s.SD, 100*s.CoV, s.N)
	// Output: mean 6735.2, SD 273.2, CoV 4.1 %, n = 5
}

// A sample that is not a number is refused and named.
func ExampleSummarize_notFinite() {
	_, err := stats.Summarize([]float64{6808, math.NaN(), 7011})
	fmt.Println(err)
	var bad *stats.ValueError
	fmt.Println(errors.As(err, &bad), bad.Index)
	// Output:
	// stats: x[1] = NaN: not a finite number: find out why it was not measured; dropping it would bias the rest
	// true [1]
}

func ExampleMeanInterval() {
	v, err := stats.MeanInterval([]float64{6808, 6512, 7011, 6390, 6955}, 0.95, "run with restart")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f [%.0f, %.0f], ± %.0f\n", v.Estimate, v.Low, v.High, v.HalfWidth())
	fmt.Println("shown to be under 7100:", v.Below(7100))
	fmt.Println("shown to be over 6500:", v.Above(6500))
	// Output:
	// 6735 [6396, 7074], ± 339
	// shown to be under 7100: true
	// shown to be over 6500: false
}

// One run says nothing about the variation between runs: the interval is undefined and proves nothing.
func ExampleMeanInterval_oneRun() {
	v, err := stats.MeanInterval([]float64{6808}, 0.95, "run with restart")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Defined(), v.Below(1e9), v.Above(0))
	b, err := json.Marshal(v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.50s…\n", b)
	// Output:
	// false false false
	// {"estimate":6808,"low":null,"high":null,"method":"…
}

func ExampleQuantile() {
	latencies := []float64{41, 38, 97, 40, 44} // ms
	p90, err := stats.Quantile(latencies, 0.90)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("p90 %.1f ms, %s\n", p90, stats.Type7)
	// Output: p90 75.8 ms, type 7 (Hyndman & Fan 1996)
}

// Several quantiles need one sort.
func ExampleSorted() {
	sorted, err := stats.NewSorted([]float64{41, 38, 97, 40, 44})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range []float64{0.5, 0.9, 0.99} {
		q, err := sorted.Quantile(p)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("p%g %.1f\n", 100*p, q)
	}
	// Output:
	// p50 41.0
	// p90 75.8
	// p99 94.9
}

func ExampleKnee() {
	concurrency := []float64{10, 50, 100, 200, 400, 800}
	tokensPerSecond := [][]float64{
		{200, 840, 1405, 1760, 1835, 1790},
		{188, 880, 1330, 1850, 1760, 1835},
		{205, 815, 1440, 1705, 1810, 1745},
		{195, 905, 1365, 1800, 1870, 1815},
		{191, 850, 1420, 1835, 1785, 1850},
	}
	r, err := stats.Knee(concurrency, tokensPerSecond)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("knee:", r)
	fmt.Println("may be the peak:", r.Peak)
	r, err = stats.Knee(concurrency, tokensPerSecond[:3])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("from three runs:", r)
	// Output:
	// knee: (100, 400]
	// may be the peak: [200 400 800]
	// from three runs: > 100, saturation not shown
}

// Narrowing a knee: measure what Next says, and ask again with all stages, until Next is nil.
func ExampleRefineKnee() {
	concurrency := []float64{10, 100, 400, 800}
	tokensPerSecond := [][]float64{{100, 1000, 2000, 1990}, {101, 990, 2020, 2000}, {99, 1010, 1980, 2005}}
	noise := []float64{0.999, 1.002, 1, 0.998}
	measure := func(i int, levels []float64) []float64 { // run i; here a server that saturates at 200
		run := make([]float64, len(levels))
		for j, n := range levels {
			run[j] = (min(10*n, 2000) + n/100) * noise[(i+2*j)%4]
		}
		return run
	}
	var stages []stats.KneeStage
	for {
		f, err := stats.RefineKnee(concurrency, tokensPerSecond, stages...)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(f, f.Next)
		if f.Next == nil {
			break
		}
		stage := stats.KneeStage{Levels: f.Next}
		for i := range 3 {
			stage.Runs = append(stage.Runs, measure(i, f.Next))
		}
		stages = append(stages, stage)
	}
	// Output:
	// (100, 400] [200 400]
	// (100, 200] [141 400]
	// (141, 200] [168 400]
	// (168, 200] [183 400]
	// (183, 200] [191 400]
	// (183, 191] [187 400]
	// (187, 191] [189 400]
	// (187, 191] []
}

// Published throughputs of SPEC SDM, described by the Universal Scalability Law.
func ExampleFitUSL() {
	load := []float64{1, 18, 36, 72, 108, 144, 216}
	run := []float64{64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2}
	u, err := stats.FitUSL(load, [][]float64{run})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("γ %.1f, σ %.4f, κ %.6f, highest at load %.1f\n", u.Gamma, u.Sigma, u.Kappa, u.Peak)
	// Output: γ 90.0, σ 0.0277, κ 0.000104, highest at load 96.5
}

// Generators that ran side by side, each with its own Accumulator.
func ExampleAccumulator() {
	var first, second stats.Accumulator // TTFT in ms
	for _, v := range []float64{41, 38, 97} {
		if err := first.Add(v); err != nil {
			log.Fatal(err)
		}
	}
	for _, v := range []float64{40, 44} {
		if err := second.Add(v); err != nil {
			log.Fatal(err)
		}
	}
	first.Merge(second)
	s, err := first.Summary()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("mean %.1f, SD %.1f, up to %.0f ms, n = %d\n", s.Mean, s.SD, s.Max, s.N)
	// Output: mean 52.0, SD 25.2, up to 97 ms, n = 5
}

func ExampleSorted_QuantileByType() {
	sorted, err := stats.NewSorted([]float64{41, 38, 97, 40, 44}) // ms
	if err != nil {
		log.Fatal(err)
	}
	for _, q := range []stats.QuantileType{stats.Type1, stats.Type7, stats.Type8} {
		p75, err := sorted.QuantileByType(0.75, q)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("p75 %.2f ms, %v\n", p75, q)
	}
	// Output:
	// p75 44.00 ms, type 1 (Hyndman & Fan 1996)
	// p75 44.00 ms, type 7 (Hyndman & Fan 1996)
	// p75 61.67 ms, type 8 (Hyndman & Fan 1996)
}

// How many requests a p99 needs before anything can be said about how large it may be.
func ExampleQuantileFloor() {
	oneSided, err := stats.QuantileFloor(0.99, 0.95, 0)
	if err != nil {
		log.Fatal(err)
	}
	twoSided, err := stats.QuantileFloor(0.99, 0.975, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(oneSided, twoSided)
	// Output: 299 368
}
