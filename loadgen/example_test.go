package loadgen_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Two generators, here in one program, drive one level of 8 requests in flight, and what they saw is merged.
func ExampleMergeResults() {
	server := loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
		time.Sleep(10 * time.Millisecond) // a real one would ask a server
		return nil
	})
	level := loadgen.Level{
		Concurrency: 4, Requests: 100,
		Objectives: []loadgen.Objective{{Metric: loadgen.E2E, Limit: 60_000}}, // ms
	}
	var parts [2]*loadgen.Result
	var generators sync.WaitGroup
	for k := range parts {
		generators.Go(func() {
			parts[k], _ = loadgen.Measure(context.Background(), level, server)
		})
	}
	generators.Wait()

	result, err := loadgen.MergeResults(parts[0], parts[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	attainment, _ := result.Figure(loadgen.Attainment)
	slowest, _ := result.Figure(loadgen.QuantileName(loadgen.E2E, 99))
	fmt.Printf("%d generators, %d in flight, %d requests completed\n", result.Generators, result.Level.Concurrency, result.Accounting.Completed)
	fmt.Printf("attainment %.0f %%, and the p99 is of %d requests\n", attainment.Value, slowest.N)
	// Output:
	// 2 generators, 8 in flight, 200 requests completed
	// attainment 100 %, and the p99 is of 200 requests
}
