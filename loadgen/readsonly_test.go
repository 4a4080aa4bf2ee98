package loadgen

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Of answers without output tokens, which come whole, the throughput is that of the input tokens, in the steady window
// too, and what spoils a throughput spoils it.
func TestThroughputOfInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := func(requests int) *Result {
			g := Generator{Target: TargetFunc(func(_ context.Context, i int, r *Record) error {
				time.Sleep(10*time.Millisecond + time.Duration(i%2)) // no two at once, or windows would have no length
				r.Done = r.Now()
				r.Counted, r.Input, r.Model = true, 8, []string{"a", "b"}[i%2]
				return nil
			})}
			r, err := g.Measure(t.Context(), Level{Concurrency: 2, Requests: requests})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := level(400)
		for name, want := range map[string]float64{InputThroughput: 1600, SteadyInputThroughput: 1600,
			TotalThroughput:               1600,
			InputThroughput + "{model=a}": 800} {
			f, ok := r.Figure(name)
			if !ok || f.Value < 0.98*want || f.Value > 1.02*want {
				t.Errorf("%s: %v, %v; want %v", name, f.Value, ok, want)
			}
			if possible := PossibleFigures(r.Level); f.Name != InputThroughput+"{model=a}" &&
				!slices.ContainsFunc(possible, func(p Figure) bool { return p.Name == f.Name }) {
				t.Errorf("%s is not possible", name)
			}
		}
		for _, name := range []string{OutputThroughput, SteadyOutputThroughput, OutputThroughput + "{model=a}"} {
			if f, ok := r.Figure(name); ok {
				t.Errorf("there is %+v", f)
			}
		}
		short := level(3)
		for _, name := range []string{InputThroughput, TotalThroughput} {
			if !slices.ContainsFunc(short.Warnings, func(w Warning) bool { return w.SpoilsFigure(name) }) {
				t.Errorf("%s of 3 requests is not spoiled: %v", name, short.Warnings)
			}
		}
	})
}
