package loadgen

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever a level has is possible, by the same name, unit and direction.
func TestPossibleFigures(t *testing.T) {
	own := Metric{Name: "length", Unit: "tok", Better: Neither,
		Of: func(r *Record) (float64, bool) { return float64(r.Index), true }}
	goals := []Objective{{Metric: TTFT, Limit: 1000}, {Metric: E2E, Limit: 1000}}
	for name, l := range map[string]Level{
		"closed":     {Concurrency: 2, Requests: 16},
		"objectives": {Concurrency: 2, Requests: 16, Objectives: goals},
		"open":       {Requests: 16, Arrivals: Arrivals{Process: ConstantArrivals, Rate: 10}, Objectives: goals},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := Generator{Metrics: []Metric{own}, Target: TargetFunc(func(_ context.Context, _ int,
					r *Record) error {
					for range 4 {
						time.Sleep(10 * time.Millisecond)
						r.Chunk(Chunk{})
					}
					r.Counted, r.Input, r.Output = true, 8, 4
					return nil
				})}
				r, err := g.Measure(t.Context(), l)
				if err != nil {
					t.Fatal(err)
				}
				possible := PossibleFigures(l, own)
				if len(r.Figures) < 30 {
					t.Fatalf("the level has %d figures", len(r.Figures))
				}
				for _, f := range r.Figures {
					f.Value, f.N, f.Method = 0, 0, ""
					if !slices.Contains(possible, f) {
						t.Errorf("%+v is not possible", f)
					}
				}
				for _, f := range possible {
					if f.Value != 0 || f.N != 0 {
						t.Errorf("%+v has a value", f)
					}
				}
				if has := slices.ContainsFunc(possible,
					func(f Figure) bool { return f.Name == Attainment }); has != (len(l.Objectives) > 0) {
					t.Errorf("attainment is possible: %v", has)
				}
			})
		})
	}
}
