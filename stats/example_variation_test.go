package stats_test

import (
	"fmt"
	"log"

	"github.com/servegauge/servegauge/stats"
)

// A pilot of three restarts with two runs each, two requests in each run: where the variation arises, and what to
// repeat when a restart costs 100 s, a run 20 s and a request 3 s.
func ExampleVarianceComponents() {
	pilot := [][][]float64{{{10, 12}, {11, 15}}, {{20, 22}, {19, 25}}, {{31, 30}, {36, 33}}}
	c, err := stats.VarianceComponents(pilot, 0.95, "restart", "run", "request")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("mean %.1f ± %.1f over %d restarts\n", c.Mean.Estimate, c.Mean.HalfWidth(), c.Mean.N)
	for _, level := range c.Levels {
		fmt.Printf("%s: S² %.2f, T² %.2f\n", level.Unit, level.S2, level.T2)
	}
	p, err := c.Plan([]float64{100, 20, 3}, 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("for ± 10: %v at %.0f s, or continue the pilot to %v at %.0f s\n",
		p.Best.Repetitions, p.Best.Cost, p.AsPilot.Repetitions, p.AsPilot.Cost)
	// Output:
	// mean 22.0 ± 25.5 over 3 restarts
	// restart: S² 105.25, T² 103.50
	// run: S² 3.50, T² 0.58
	// request: S² 5.83, T² 5.83
	// for ± 10: [20 1 9] at 2940 s, or continue the pilot to [20 2 2] at 3040 s
}

// A pilot of five runs decides once how many are needed.
func ExampleSteinRuns() {
	p, err := stats.SteinRuns([]float64{6808, 6512, 7011, 6390, 6955}, 100, 0.95)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("± %.0f tokens/s takes %d runs in all\n", p.HalfWidth, p.N)
	// Output: ± 100 tokens/s takes 58 runs in all
}

// The budget ended after the pilot.
func ExampleSteinInterval() {
	v, err := stats.SteinInterval([]float64{6808, 6512, 7011, 6390, 6955}, 5, 100, 0.95, "run with restart")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f ± %.0f\n%s\n", v.Estimate, v.HalfWidth(), v.Warnings[0].Text)
	// Output:
	// 6735 ± 339
	// 5 samples were not enough for ± 100: 53 more would; this is the interval of what there is
}

// A level is steady if neither the start nor the slope says otherwise.
func ExampleMSER5() {
	latencies := make([]float64, 200) // ms: 20 requests against a cold cache, then every third takes longer
	for i := range latencies {
		latencies[i] = 50 + 10*float64(i%3)
		if i < 20 {
			latencies[i] += 400
		}
	}
	start, err := stats.MSER5(latencies)
	if err != nil {
		log.Fatal(err)
	}
	ramp, err := stats.RampInterval(latencies[start.Samples:], 1, 0.95, "request")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("leave out", start.Samples)
	fmt.Println("steady:", !start.AtLimit && !ramp.Above(0) && !ramp.Below(0))
	// Output:
	// leave out 20
	// steady: true
}

func ExampleMeanOfLevel() {
	latencies := make([]float64, 400) // ms: 20 waves of 20 requests, which share how long their wave takes
	for i := range latencies {
		latencies[i] = 100 + 5*float64(i/20*7%10) + float64(i%4)
	}
	b, err := stats.MeanOfLevel(latencies, 20, 0.95, "request")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f ± %.1f ms, %d requests worth %.0f\n", b.Mean.Estimate, b.Mean.HalfWidth(), len(latencies), b.ESS)
	// Output: 124.0 ± 5.3 ms, 400 requests worth 37
}

// Five runs at three levels, each run a bit slower than the one before.
func ExampleDrift() {
	tokensPerSecond := [][]float64{{840, 1405, 1760}, {835, 1390, 1755}, {820, 1385, 1730}, {822, 1370, 1725}, {810,
		1362, 1706}}
	d, err := stats.Drift(tokensPerSecond, 0.95, "run")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f %% [%.1f, %.1f] from first to last\n", 100*d.Total.Estimate, 100*d.Total.Low, 100*d.Total.High)
	fmt.Printf("trend p = %.4f\n", d.Trend.P)
	d, err = stats.Drift(tokensPerSecond[:3], 0.95, "run")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Total.Warnings[0].Text)
	// Output:
	// -3.3 % [-4.1, -2.5] from first to last
	// trend p = 0.0167
	// drift cannot be assessed from fewer than 5 runs, and there are 3
}

func ExampleMannKendall() {
	k, err := stats.MannKendall([]float64{1, 3, 2, 4, 5})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("S = %d, p = %.3f\n", k.S, k.P)
	// Output: S = 8, p = 0.083
}

func ExampleFlagOutliers() {
	f, err := stats.FlagOutliers([]float64{6808, 6512, 7011, 6390, 2100}, 3.5)
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range f.Flagged {
		fmt.Printf("run %d: %g, score %.1f: keep it, and find out why\n", o.Index, o.Value, o.Score)
	}
	// Output: run 4: 2100, score -10.1: keep it, and find out why
}
