package stats_test

import (
	"fmt"
	"log"
	"math"

	"github.com/servegauge/servegauge/stats"
)

// Latencies vary by a factor: their geometric mean, and the SD of their logarithms as such a factor.
func ExampleLogMeanInterval() {
	latencies := []float64{41, 38, 97, 40, 44} // ms
	v, err := stats.LogMeanInterval(latencies, 0.95, "run with restart")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("geometric mean %.1f ms [%.1f, %.1f]\n", v.Estimate, v.Low, v.High)
	s, err := stats.LogSDInterval(latencies, 0.95, "run with restart")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("varies by a factor of %.2f [%.2f, %.2f]\n", math.Exp(s.Estimate), math.Exp(s.Low), math.Exp(s.High))
	// Output:
	// geometric mean 48.4 ms [29.8, 78.8]
	// varies by a factor of 1.48 [1.26, 3.09]
}

func ExampleSDInterval() {
	v, err := stats.SDInterval([]float64{6808, 6512, 7011, 6390, 6955}, 0.95, "run with restart") // tokens/s
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("SD %.0f [%.0f, %.0f], %s on %v degrees of freedom\n", v.Estimate, v.Low, v.High, v.Method, v.DF)
	// Output:
	// SD 273 [164, 785], χ² on 4 degrees of freedom
}

// Five samples do not bound their median at 95 %.
func ExampleMedianInterval() {
	v, err := stats.MedianInterval([]float64{6808, 6512, 7011, 6390, 6955}, 0.95, "run with restart")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Defined(), v.Above(0))
	fmt.Println(v.Warnings[0].Text)
	// Output:
	// false false
	// a 95 % interval for the p50 takes 6 samples; [min, max] of these 5 has 93.75 %
}

// A hundred samples bound their p90 on both sides, their p99 from below only.
func ExampleQuantileInterval() {
	latencies := make([]float64, 100) // ms
	for i := range latencies {
		latencies[i] = 100 + float64(i)
	}
	for _, p := range []float64{0.9, 0.99} {
		v, err := stats.QuantileInterval(latencies, p, 0.95, "request")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("p%v %.1f [%v, %v] %s, covers %.2f %%\n", 100*p, v.Estimate, v.Low, v.High, v.Method, 100*v.Coverage)
		for _, w := range v.Warnings {
			fmt.Println(w.Text)
		}
	}
	// Output:
	// p90 189.1 [183, 195] order statistics 84 and 96 of 100, covers 95.57 %
	// p99 198.0 [196, +Inf] order statistics 97 and none of 100, covers 98.16 %
	// 100 samples have no upper bound for the p99 at 95 %: that takes 368
}

func ExampleProportionInterval() {
	v, err := stats.ProportionInterval(1000, 1000, 0.95, "request")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f %% succeeded; %s [%.2f, %.2f] %%\n", 100*v.Estimate, v.Method, 100*v.Low, 100*v.High)
	fmt.Println("shown to be over 99.9 %:", v.Above(0.999))
	// Output:
	// 100.0 % succeeded; Clopper-Pearson [99.63, 100.00] %
	// shown to be over 99.9 %: false
}
