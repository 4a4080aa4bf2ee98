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
		Concurrency: 8, Requests: 200, Shards: 2,
		Objectives: []loadgen.Objective{{Metric: loadgen.E2E, Limit: 60_000}}, // ms
	}
	var parts [2]*loadgen.Result
	var generators sync.WaitGroup
	for k := range parts {
		generators.Go(func() {
			level := level
			level.Shard = k
			parts[k], _ = loadgen.Measure(context.Background(), level, server)
		})
	}
	generators.Wait()

	result, err := loadgen.MergeResults(parts[:]...)
	if err != nil {
		fmt.Println(err)
		return
	}
	attainment, _ := result.Figure(loadgen.Attainment)
	slowest, _ := result.Figure(loadgen.QuantileName(loadgen.E2E, 99))
	fmt.Printf("%d generators, %d in flight, %d requests completed\n", result.Generators, result.Level.Concurrency,
		result.Accounting.Completed)
	fmt.Printf("attainment %.0f %%, and the p99 is of %d requests\n", attainment.Value, slowest.N)
	// Output:
	// 2 generators, 8 in flight, 200 requests completed
	// attainment 100 %, and the p99 is of 200 requests
}

// Users who come when it is time to, and not when the server has time for them. This server takes one request at a
// time, and each of five arrivals finds it busy with the one before: what a user waits is the response, from when the
// request was due; from when it was sent, each seems to take no longer than the first.
func ExampleArrivals() {
	target := loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
		time.Sleep(30 * time.Millisecond)
		return nil
	})
	level := loadgen.Level{
		Arrivals:    loadgen.Arrivals{Process: loadgen.ConstantArrivals, Rate: 1000}, // or PoissonArrivals
		Concurrency: 1,                                                               // most in flight; 0: no bound
		Requests:    5,
	}
	result, err := loadgen.Measure(context.Background(), level, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(level.Load())
	fmt.Println(result.Accounting.Completed, "completed, some delayed:", result.Open.Delayed > 0)
	response, _ := result.Figure(loadgen.MeanName(loadgen.Response))
	e2e, _ := result.Figure(loadgen.MeanName(loadgen.E2E))
	fmt.Println("response is more than e2e:", response.Value > e2e.Value)
	for _, w := range result.Warnings {
		fmt.Println(w.Code, w.SpoilsFigure(e2e.Name))
	}
	// Output:
	// constant arrivals at 1000 requests/s, at most 1 in flight
	// 5 completed, some delayed: true
	// response is more than e2e: true
	// rate-not-reached true
	// delayed true
	// tokens-unknown false
}
