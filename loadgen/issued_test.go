package loadgen

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/stats"
)

// The tail: 57 of 5,000 requests took 100 ms or more, 45 of them until their timeout. The p99 of those that
// completed is 2.85 ms, and that of all issued is over 100.
func TestCensoredTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := Level{Concurrency: 1, Requests: 5000, Timeout: time.Second, Objectives: []Objective{{E2E, 50}}}
		r := mustMeasure(t, level, TargetFunc(func(ctx context.Context, i int, r *Record) error {
			switch {
			case i%111 == 1 && i < 111*45: // 45 of them
				<-ctx.Done()
				return ctx.Err()
			case i%400 == 2 && i < 400*12: // 12 of them
				time.Sleep(120 * time.Millisecond)
			default:
				time.Sleep(2850 * time.Microsecond)
			}
			return nil
		}))
		if want := (Accounting{Issued: 5000, Completed: 4955, Failed: 45}); r.Accounting != want {
			t.Fatalf("%+v", r.Accounting)
		}
		near(t, "p99 of the completed", figure(t, r, "e2e_p99"), 2.85)
		near(t, "p99 of the issued", figure(t, r, "e2e_p99_issued"), 120)
		near(t, "p95 of the issued", figure(t, r, "e2e_p95_issued"), 2.85)
		near(t, "attainment", figure(t, r, AttainmentName(E2E)), 100*4943/5000.0)
		if f, _ := r.Figure("e2e_p99_issued"); f.N != 5000 || f.Unit != "ms" || f.Better != LowerIsBetter {
			t.Errorf("%+v", f)
		}
		w, _ := warning(r, WarnCensored)
		if !strings.Contains(w.Message, "45 of 5,000 requests issued did not complete") || !strings.Contains(w.Message,
			"e2e_p99 is 2.85 ms, and 120 ms") {
			t.Errorf("%q", w.Message)
		}
		checkSpoiled(t, r, nil, []string{"e2e_p99", "e2e_p99_issued"})
	})
}

// Past the end the percentile is not known, and there is none; without failures it is that of the completed.
func TestIssuedPercentiles(t *testing.T) {
	for _, c := range []struct {
		name         string
		fails        int // of 100
		known        []float64
		warned, open bool
	}{
		{"none fails", 0, []float64{50, 90, 95, 99}, false, false},
		{"one of 100 fails", 1, []float64{50, 90, 95}, true, false},
		{"7 of 100", 7, []float64{50, 90}, true, false},
		{"all but one", 99, nil, true, false},
		{"all", 100, nil, false, false},
		{"in an open loop", 7, []float64{50, 90}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				level := Level{Concurrency: 1, Requests: 100}
				if c.open {
					level.Arrivals = constant(1)
				}
				r := mustMeasure(t, level, TargetFunc(func(ctx context.Context, i int, r *Record) error {
					time.Sleep(100 * time.Millisecond)
					r.Chunk(Chunk{})
					if 99-i < c.fails {
						return errors.New("lost") // after its first token
					}
					time.Sleep(time.Duration(i) * time.Millisecond)
					r.Chunk(Chunk{})
					r.Counted, r.Output = true, 2
					return nil
				}))
				metrics := []string{TTFT, TPOT, E2E}
				if c.open {
					metrics = issuedMetrics
				}
				for _, metric := range metrics {
					for _, p := range quantiles {
						f, ok := r.Figure(IssuedName(metric, p))
						if known := slices.Contains(c.known, p); ok != known {
							t.Errorf("%s p%v: %+v", metric, p, f)
						}
						if c.fails > 0 && c.fails < 100 && slices.ContainsFunc(r.Warnings, func(w Warning) bool {
							return w.Code == WarnCensored && w.SpoilsFigure(IssuedName(metric, p))
						}) == ok {
							t.Errorf("%s p%v: there is one: %t, and the warning says otherwise", metric, p, ok)
						}
						if completed, _ := r.Figure(QuantileName(metric, p)); ok && c.fails == 0 &&
							(f.Value != completed.Value || f.N != completed.N) {
							t.Errorf("%s p%v: %+v, and %+v of the completed", metric, p, f, completed)
						}
					}
				}
				for _, metric := range []string{ITL, SendLag, FirstChoice} {
					if f, ok := r.Figure(IssuedName(metric, 50)); ok {
						t.Errorf("there is %+v", f)
					}
				}
				if got := hasWarning(r, WarnCensored); got != c.warned {
					t.Errorf("warned: %t, %v", got, r.Warnings)
				}
			})
		})
	}
}

// Whatever the numbers, the percentile is that of the samples with as many more very late ones, exact or from a
// histogram.
func TestIssuedQuantile(t *testing.T) {
	for _, n := range []int{0, 1, 2, 9, 100, 5000, MaxExact + 1000} {
		for _, lost := range []int{0, 1, 5, n / 50, n} {
			var d Distribution
			var all []float64
			for i := range n {
				x := 1 + math.Sqrt(float64(i))
				d.Add(x)
				all = append(all, x)
			}
			if n+lost == 0 {
				continue
			}
			for range lost {
				all = append(all, 1e300)
			}
			for _, p := range []float64{0, 50, 90, 99, 99.9, 100} {
				rank := p / 100 * float64(n+lost-1)
				known := n > 0 && int(math.Ceil(rank)) < n
				q, ok := d.issuedQuantile(p, lost)
				if ok != known {
					t.Errorf("p%v of %d and %d: %v %t, want known: %t", p, n, lost, q, ok, known)
					continue
				}
				if !ok {
					continue
				}
				if want, _ := stats.Sorted(all).Quantile(p / 100); math.Abs(q-want) > 1e-3*want {
					t.Errorf("p%v of %d and %d: %v, want %v", p, n, lost, q, want)
				}
			}
		}
	}
}

// A request without content has no first token, so that it is later than any that has one; an answer of one token is
// not late by its TPOT.
func TestIssuedOfWhatLacksIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 100}, TargetFunc(func(ctx context.Context, i int,
			r *Record) error {
			time.Sleep(100 * time.Millisecond)
			if r.Counted, r.Output = true, 1; i%10 == 0 {
				r.NoContent = true
				return nil
			}
			r.Chunk(Chunk{})
			if i%10 > 1 {
				time.Sleep(20 * time.Millisecond)
				r.Chunk(Chunk{})
				r.Output = 2
			}
			return nil
		}))
		for name, known := range map[string]bool{"ttft_p50_issued": true, "ttft_p95_issued": false,
			"tpot_p99_issued": true, "e2e_p99_issued": true} {
			if f, ok := r.Figure(name); ok != known {
				t.Errorf("%s: %+v %t", name, f, ok)
			}
		}
	})
}
