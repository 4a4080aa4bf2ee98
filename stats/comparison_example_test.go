package stats_test

import (
	"fmt"
	"log"

	"github.com/servegauge/servegauge/stats"
)

// Five runs each, restarted in between. Measured independently they do not decide; measured in pairs, one of each on
// the same day, what the days have in common cancels.
func ExampleCompare() {
	a := []float64{6808, 6512, 7011, 6390, 6955} // tokens/s
	b := []float64{7102, 6890, 7335, 6744, 7218}
	independent, err := stats.Compare(a, b, stats.Comparison{Margin: 0.05, Unit: "run with restart"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(independent)
	paired, err := stats.Compare(a, b, stats.Comparison{Margin: 0.03, Paired: true, Unit: "day",
		BFirst: []bool{false, true, false, true, false}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(paired)
	// Output:
	// undecided: B/A 1.048 [0.992, 1.108] at 95 %; if the spread is as seen, 11 a side decide 4 times in 5
	// faster: B/A 1.048 [1.038, 1.059] at 95 %
}

// For a latency less is better. Here it is less by so little that it does not matter, though it was detected.
func ExampleCompare_lowerIsBetter() {
	v, err := stats.Compare(
		[]float64{201.1, 200.4, 202.0, 200.8, 201.5}, // median TTFT in ms
		[]float64{199.2, 198.7, 199.9, 199.5, 198.4},
		stats.Comparison{Margin: 0.03, LowerIsBetter: true, Unit: "run"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	// Output: equivalent within 3 %, difference detected: B/A 0.9900 [0.9864, 0.9935] at 90 %
}

func ExampleCompareFamily() {
	a := [][]float64{{200, 203, 198}, {880, 871, 884}, {1400, 1360, 1430}}
	b := [][]float64{{201, 199, 202}, {990, 1002, 985}, {1450, 1420, 1500}}
	f, err := stats.CompareFamily(a, b, stats.Comparison{Margin: 0.05, Unit: "run"})
	if err != nil {
		log.Fatal(err)
	}
	for i, v := range f.Verdicts {
		fmt.Println([]int{10, 50, 100}[i], v.Kind, v.Ratio)
	}
	// Output:
	// 10 equivalent 1.002 [0.976, 1.028] at 95 %
	// 50 faster 1.130 [1.109, 1.151] at 95 %
	// 100 undecided 1.043 [0.982, 1.108] at 95 %
}

// Before anything is measured: how many runs of each does it take, if runs vary by 4 %?
func ExampleComparison_RunsToDecide() {
	for _, margin := range []float64{0.10, 0.05, 0.03} {
		n, err := stats.Comparison{Margin: margin}.RunsToDecide(0.04)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("margin %.0f %%: %d runs a side\n", 100*margin, n)
	}
	// Output:
	// margin 10 %: 4 runs a side
	// margin 5 %: 13 runs a side
	// margin 3 %: 33 runs a side
}
