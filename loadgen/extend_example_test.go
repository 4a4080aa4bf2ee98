package loadgen_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Any system can be put under load: what a request is, the function says. Here every tenth one is refused.
func ExampleTargetFunc() {
	system := loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
		if i%10 == 9 {
			return errors.New("refused")
		}
		time.Sleep(time.Millisecond) // the work
		r.Chunk(loadgen.Chunk{})     // the first content has come: what TTFT ends with
		return nil
	})
	result, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 4, Requests: 100}, system)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, ttft := result.Figure(loadgen.QuantileName(loadgen.TTFT, 99))
	fmt.Printf("%d completed, %d failed; TTFT known: %v\n", result.Accounting.Completed, result.Accounting.Failed, ttft)
	fmt.Println("may be used:", result.Valid())
	// Output:
	// 90 completed, 10 failed; TTFT known: true
	// may be used: false
}

// A metric of one's own is reported as the built-in ones are, with its mean and percentiles, through merges, intervals
// and files. This one is how many output tokens each request had.
func ExampleMetric() {
	length := loadgen.Metric{
		Name: "answer", Unit: "tok", Better: loadgen.Neither,
		Of: func(r *loadgen.Record) (float64, bool) { return float64(r.Output), r.Counted },
	}
	answer := loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
		r.Input, r.Output, r.Counted = 8, 10+i%3, true // as the server's usage says
		return nil
	})
	generator := loadgen.Generator{Target: answer, Metrics: []loadgen.Metric{length}}
	result, err := generator.Measure(context.Background(), loadgen.Level{Concurrency: 2, Requests: 300})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"answer_mean", "answer_p50", "answer_p99"} {
		f, _ := result.Figure(name)
		fmt.Println(f.Name, f.Value, f.Unit)
	}
	// Output:
	// answer_mean 11 tok
	// answer_p50 11 tok
	// answer_p99 12 tok
}

// A generator has what Measure alone leaves out: observers, metrics, and a way to stop early without losing what there
// is.
func ExampleGenerator() {
	stop := make(chan struct{})
	seen := 0
	generator := loadgen.Generator{
		Target: loadgen.TargetFunc(func(context.Context, int, *loadgen.Record) error { return nil }),
		Observers: []loadgen.Observer{{Record: func(*loadgen.Record, *loadgen.Error) {
			if seen++; seen == 5 {
				close(stop)
			}
		}}},
		Stop: stop,
	}
	result, err := generator.Measure(context.Background(), loadgen.Level{Concurrency: 1, Requests: 1_000_000})
	fmt.Println(err, result.CutShort, result.Accounting.Issued < 1_000_000)
	// Output: <nil> true true
}
