package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/probe"
	"github.com/servegauge/servegauge/protocol/server"
)

// What is watched while a level runs is a function that is asked now and then. Its series goes into the journal, its
// mean and peak become figures of the level, with an interval across runs.
func ExampleSampled() {
	temperature := probe.Sampled("coolant", 10*time.Millisecond,
		func(ctx context.Context, i *protocol.Instance) ([]probe.Sample, error) {
			return []probe.Sample{{Name: "coolant", Unit: "°C", Value: 31}}, nil // a real one would ask a sensor
		})
	runner := protocol.Runner{
		Server: server.Handler(func(int) http.Handler {
			return &loadgentest.Simulated{MaxSequences: 4, DecodeRate: 400}
		}),
		Client: &openai.Client{},
		Probes: []protocol.Probe{temperature},
	}
	experiment, err := runner.Run(context.Background(), protocol.Plan{
		Runs: 2, Restart: true, Input: 8, Output: 20, Levels: []int{4}, Prompts: protocol.Prompts{Count: 20},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	point, err := protocol.Analyze(experiment).Point(protocol.Load{Concurrency: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range point.Estimates {
		if e.Name == "coolant_peak" {
			fmt.Println(e.Name, e.Interval.Estimate, e.Unit, "in", e.Interval.N, "runs")
		}
	}
	// Output: coolant_peak 31 °C in 2 runs
}
