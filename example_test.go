package servegauge_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// A plan in the shape of the published one, at a tenth of its size: 20 prompts at each level. Levels above 20 cannot be
// reached with so few, and the analysis refuses to conclude anything from them.
func Example() {
	plan := protocol.MultiRun()
	plan.Runs, plan.Cooldown = 3, 0
	plan.Levels, plan.Prompts = []int{1, 5, 10, 50, 100}, protocol.Prompts{Count: 20}
	plan.Input, plan.Output = 32, 8

	warnings, err := plan.Check()
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range warnings {
		fmt.Println("before:", w.Code)
	}

	// The server is started anew for each run. Here it is a simulated one that runs up to 4 requests at once; for a
	// real one see server.Parse, and the kinds that it knows.
	runner := &protocol.Runner{
		Server: server.Handler(func(start int) http.Handler {
			return &loadgentest.Simulated{MaxSequences: 4, DecodeRate: 300, Seed: uint64(start)}
		}),
		Client: &openai.Client{},
	}
	experiment, err := runner.Run(context.Background(), plan)
	if err != nil {
		log.Fatal(err)
	}

	analysis := protocol.Analyze(experiment)
	fmt.Println("replicate:", analysis.Unit)
	one, err := analysis.Point(protocol.Load{Concurrency: 1})
	if err != nil {
		log.Fatal(err)
	}
	throughput, err := one.Figure(loadgen.RequestThroughput)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("interval over", throughput.Interval.N, "runs by", throughput.Interval.Method)
	capped, err := analysis.Point(protocol.Load{Concurrency: 100})
	if err != nil {
		log.Fatal(err)
	}
	_, err = capped.Figure(loadgen.QuantileName(loadgen.E2E, 50))
	fmt.Println("at 100:", err)
	// Output:
	// before: prompt-capped
	// before: one-condition
	// before: few-prompts
	// replicate: run with restart
	// interval over 3 runs by Student's t
	// at 100: e2e_p50 at concurrency 100 must not be used: prompt-capped
}
