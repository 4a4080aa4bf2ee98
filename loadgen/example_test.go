package loadgen_test

import (
	"context"
	"fmt"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Users who come when it is time to, and not when the server has time for them. This server takes one request at a time,
// and each of five arrivals finds it busy with the one before: what a user waits is the response, from when the request
// was due; from when it was sent, each seems to take no longer than the first.
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
