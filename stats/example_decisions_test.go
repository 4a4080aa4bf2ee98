package stats_test

import (
	"fmt"
	"log"

	"github.com/servegauge/servegauge/stats"
)

// Up to which concurrency do 99 % of the requests meet their limits, and the p99 TTFT of the runs stays below 500 ms?
func ExampleCapacity() {
	concurrency := []float64{10, 20, 40}
	met := [][]stats.Count{ // of the requests that were issued, run by run
		{{Met: 1000, Issued: 1000}, {Met: 999, Issued: 1000}, {Met: 941, Issued: 1000}},
		{{Met: 1000, Issued: 1000}, {Met: 1000, Issued: 1000}, {Met: 928, Issued: 1000}},
		{{Met: 999, Issued: 1000}, {Met: 1000, Issued: 1000}, {Met: 950, Issued: 1000}},
	}
	p99 := [][]float64{{210, 305, 720}, {215, 311, 690}, {208, 298, 745}} // ms
	c, err := stats.Capacity(concurrency,
		stats.Objective{Name: "attainment", Min: 0.99, Counts: met},
		stats.Objective{Name: "p99 TTFT", Max: 500, Values: p99})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c, c.Next)
	// Output:
	// [20, 40) [28]
}

// Where is throughput highest while the p99 TTFT stays below 500 ms?
func ExampleBestOperatingPoint() {
	concurrency := []float64{10, 20, 40, 80}
	tokensPerSecond := [][]float64{{980, 1900, 2510, 2520}, {991, 1880, 2490, 2530}, {985, 1910, 2500, 2515}}
	p99 := [][]float64{{210, 305, 395, 720}, {215, 311, 388, 690}, {208, 298, 402, 745}} // ms
	p, err := stats.BestOperatingPoint(concurrency, tokensPerSecond, stats.Objective{Name: "p99 TTFT", Max: 500,
		Values: p99})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p)
	fmt.Println("kept at", p.Kept, "broken at", p.Broken)
	// Output:
	// 40, giving 2,500 [2,475, 2,525] at 95 %
	// kept at [10 20 40] broken at [80]
}

// Latencies of runs, one of which met something else: ranks do not mind.
func ExampleCompareMedians() {
	a := []float64{201, 204, 199, 203, 202, 350}
	b := []float64{188, 187, 190, 185, 189, 186}
	c := stats.Comparison{Margin: 0.03, LowerIsBetter: true, Unit: "run"}
	v, err := stats.CompareMedians(a, b, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	means, err := stats.Compare(a, b, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(means.Kind)
	// Output:
	// faster: B/A 0.926 [0.543, 0.940] at 95 %
	// undecided
}

// The p99 of the requests of two levels.
func ExampleCompareQuantiles() {
	var a, b []float64
	for i := range 3000 {
		latency := 100 + float64(i*7919%3000)/10 // ms, in no order
		a, b = append(a, latency), append(b, 1.2*latency)
	}
	v, err := stats.CompareQuantiles(a, b, 0.99, stats.Comparison{Margin: 0.05, LowerIsBetter: true, Unit: "request"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	// Output: slower: B/A 1.2000 [1.1925, 1.2076] at 95 %
}

// What a p99 of 1,000 requests may be quoted for, and one of 100.
func ExampleCertifyTail() {
	var latencies []float64
	for i := range 1000 {
		latencies = append(latencies, float64(i*7919%1000)) // ms
	}
	for _, n := range []int{1000, 100} {
		c, err := stats.CertifyTail(latencies[:n], 0.99)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c)
	}
	// Output:
	// p99 ≤ 997 at 99 % (1,000 samples, 2 over)
	// p99: too few samples, 100 of the 662 that it takes
}

// A percentile from too few samples is printed with what it lacks.
func ExampleTailWarnings() {
	fmt.Println(stats.TailFloor(0.95))
	for _, w := range stats.TailWarnings(100, 0.95) {
		fmt.Println(w.Code + ": " + w.Text)
	}
	// Output:
	// 130
	// few-samples: 100 samples are too few for a p95: it takes 130 to bound it
}

// A runner feeds the rule with one window after the other until it says that the server is warm.
func ExampleWarmup() {
	var w stats.Warmup
	for i := 0; i < 100 && w.SteadyAfter == 0; i++ {
		cold := 1 / (1 + 0.5*float64(i*i)) // what a window would measure
		noise := 0.01 * float64(i*5%7-3)
		state, err := w.Add(stats.WarmupWindow{Throughput: 2000 * (1 - 0.3*cold + noise),
			TTFT: 0.2 * (1 + 2*cold - 2*noise)})
		if err != nil {
			log.Fatal(err)
		}
		if state.Steady {
			fmt.Println("throughput changes by a factor of", state.Throughput)
		}
	}
	fmt.Println(w.SteadyAfter, "windows")
	// Output:
	// throughput changes by a factor of 1.003 [0.975, 1.031] at 90 %
	// 17 windows
}

// How small a difference can five runs of each find, if runs vary by 4 %?
func ExampleComparison_DetectableRatio() {
	ratio, err := stats.Comparison{Margin: 0.05}.DetectableRatio(5, 0.04)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f %%\n", 100*(ratio-1))
	// Output: 8.4 %
}
