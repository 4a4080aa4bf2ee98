package loadgen

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// What the loop itself costs a request: the target returns at once.
func BenchmarkLoop(b *testing.B) {
	atOnce := TargetFunc(func(context.Context, int, *Record) error { return nil })
	for _, c := range []int{1, 64, 1000} {
		for name, timeout := range map[string]time.Duration{"": 0, "/timeout": time.Minute} {
			b.Run(fmt.Sprintf("closed%s/%d", name, c), func(b *testing.B) {
				b.ReportAllocs()
				r, err := Measure(b.Context(), Level{Concurrency: c, Requests: max(b.N, c), Timeout: timeout}, atOnce)
				if err != nil {
					b.Fatal(err)
				}
				if used, ok := r.Client.CPUs(); ok {
					b.ReportMetric(used*float64(r.Client.Elapsed)/float64(b.N), "cpu-ns/op")
				}
			})
		}
	}
	for name, observers := range map[string][]Observer{"none": nil, "one": {{Record: func(*Record, *Error) {}}}} {
		b.Run("observer/"+name, func(b *testing.B) {
			b.ReportAllocs()
			g := &Generator{Target: atOnce, Observers: observers}
			r, err := g.Measure(b.Context(), Level{Concurrency: 64, Requests: max(b.N, 64)})
			if err != nil {
				b.Fatal(err)
			}
			if used, ok := r.Client.CPUs(); ok {
				b.ReportMetric(used*float64(r.Client.Elapsed)/float64(b.N), "cpu-ns/op")
			}
		})
	}
}
