package design_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/protocol/server"
)

// simulated is a server of so many requests at once, which the runner restarts. In its place stands one of package
// server's: a container, a unit, a process.
func simulated(sequences int) protocol.Server {
	return server.Handler(func(start int) http.Handler {
		return &loadgentest.Simulated{MaxSequences: sequences, DecodeRate: 1000, Noise: 0.05, Seed: uint64(start)}
	})
}

// Does a change to the server matter? Here b runs twice as many requests at once.
func ExampleAblation() {
	d := design.Ablation{
		Plan: protocol.Plan{
			Name: "twice the sequences", Runs: 4, Restart: true, Warmup: 4, Input: 8, Output: 4, Levels: []int{8},
			Prompts: protocol.Prompts{PerConcurrency: 10}, Handover: true, Seed: 1,
		},
		Margin: 0.05, // 5 % would not matter
	}
	runner := protocol.Runner{
		Arms:   map[string]protocol.Server{design.ArmA: simulated(2), design.ArmB: simulated(4)},
		Client: &openai.Client{},
	}
	experiment, err := runner.Run(context.Background(), d)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range protocol.Conclude(experiment, d).Findings {
		fmt.Println(finding.Name) // finding.Answer is "faster: B/A 1.97 [1.93, 2.02] at 95 %" or thereabouts
	}
	// Output:
	// b against a, steady_total_tokens_per_s at concurrency 8
}

// Where does throughput stop rising? Without Levels a pilot finds those of the sweep.
func ExampleAdaptiveSweep() {
	d := design.AdaptiveSweep{
		Plan: protocol.Plan{
			Name: "knee", Runs: 3, Restart: true, Warmup: 4, Input: 8, Output: 4, Levels: []int{1, 4, 16},
			Prompts: protocol.Prompts{PerConcurrency: 20}, Handover: true, Seed: 1,
			Budget: time.Minute, // the refinement ends with it
		},
	}
	runner := protocol.Runner{Server: simulated(4), Client: &openai.Client{}}
	experiment, err := runner.Run(context.Background(), d)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range protocol.Conclude(experiment, d).Findings {
		fmt.Println(finding.Name) // finding.Answer is "(3, 4]", or wider where the machine was busy
	}
	// Output:
	// saturation knee
}

// What is the most that users can send while all of this holds? Before it is run, a design says what it will do.
func ExampleSLO() {
	limits, err := protocol.ParseLimits("ttft_p99<500ms,attainment>=99%")
	if err != nil {
		fmt.Println(err)
		return
	}
	d := design.SLO{
		Plan: protocol.Plan{
			Name: "capacity", Runs: 5, Restart: true, Warmup: 10, Input: 256, Output: 64, Rates: []float64{1, 2, 4, 8},
			Prompts: protocol.Prompts{PerConcurrency: 60}, Handover: true, Seed: 1, // 60 s of arrivals
			Objectives: []loadgen.Objective{{Metric: loadgen.TPOT, Limit: 50}},
		},
		Limits: limits,
	}
	if _, err := d.Check(); err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range d.Outline().Lines {
		fmt.Println(line)
	}
	fmt.Println("takes about", d.Estimate(10_000).Round(time.Minute))
	// Output:
	// limits: ttft_p99<500ms, attainment>=99%
	// refinement: up to 3 steps of 5 runs at one level each
	// takes about 39m0s
}

// How many runs does ± 2 % take? A pilot of five says it.
func ExampleUntilPrecise() {
	d := design.UntilPrecise{
		Plan: protocol.Plan{
			Name: "precise", Runs: 5, Restart: true, Warmup: 10, Input: 256, Output: 64, Levels: []int{16, 64},
			Prompts: protocol.Prompts{PerConcurrency: 10}, Handover: true, Seed: 1,
		},
		Precision: 0.02,
	}
	for _, line := range d.Outline().Lines {
		fmt.Println(line)
	}
	// Output:
	// until: steady_total_tokens_per_s is known to ±2 % at every level; a pilot of 5 runs says how many that takes, 100 at most
}

// Every shape of requests, at every level, in every run.
func ExampleGrid() {
	d := design.Grid{
		Plan: protocol.Plan{
			Name: "shapes", Runs: 3, Restart: true, Warmup: 10, Levels: []int{8, 32},
			Prompts: protocol.Prompts{PerConcurrency: 10}, Handover: true, Seed: 1,
		},
		Shapes: []design.Shape{{Input: 128, Output: 128}, {Input: 2048, Output: 128}},
	}
	var done []protocol.Measurement
	for range 5 { // of the first run
		step, err := d.Next(done)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d in, %d out, %s, discarded %v\n", step.Input, step.Output, step.Level.Load(), step.Discard)
		done = append(done, protocol.Measurement{Step: step})
	}
	// Output:
	// 128 in, 128 out, concurrency 8, discarded true
	// 128 in, 128 out, concurrency 8, discarded false
	// 128 in, 128 out, concurrency 32, discarded false
	// 2048 in, 128 out, concurrency 8, discarded false
	// 2048 in, 128 out, concurrency 32, discarded false
}
