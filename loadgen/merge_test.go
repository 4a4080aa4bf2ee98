package loadgen

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// share measures a level in which request i takes as long as the generator's own seed says; some fail.
func share(t *testing.T, l Level, seed uint64, seen func(ms float64)) *Result {
	g := &Generator{
		Metrics: []Metric{{Name: "index", Unit: "1", Better: LowerIsBetter, Of: func(r *Record) (float64, bool) { return float64(r.Index), true }}},
		Target: TargetFunc(func(ctx context.Context, i int, r *Record) error {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
			r.Chunk(Chunk{})
			time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
			r.Chunk(Chunk{})
			r.Counted, r.Input, r.Output = true, 5, 2
			if random.IntN(300) == 0 {
				return &Error{Class: ClassServer, Err: fmt.Errorf("of generator %d", seed)}
			}
			return nil
		}),
		Observers: []Observer{{Record: func(r *Record, err *Error) {
			if err == nil && !r.Warmup {
				seen(float64(r.E2E()) / millisecond)
			}
		}}},
	}
	r, err := g.Measure(t.Context(), l)
	if err != nil {
		t.Error(err)
	}
	return r
}

// shares are the results of three generators that drive one level, which start one after the other, and the samples of
// E2E that they saw together.
func shares(t *testing.T) (parts []*Result, seen []float64) {
	var generators sync.WaitGroup
	var mu sync.Mutex
	parts = make([]*Result, 3)
	for k := range parts {
		generators.Go(func() {
			time.Sleep(time.Duration(k) * 700 * time.Millisecond)
			l := Level{Concurrency: 4 + k, Requests: 400 + k, Warmup: k, Objectives: []Objective{{TTFT, 500}, {E2E, 1200}}}
			parts[k] = share(t, l, uint64(k), func(ms float64) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, ms)
			})
		})
	}
	generators.Wait()
	return parts, seen
}

func mustMerge(t *testing.T, a, b *Result) *Result {
	t.Helper()
	r, err := MergeResults(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The merged result of three generators has the percentiles of all their requests, and books that close; in whatever order
// it was made, and after a journey as JSON.
func TestMergeResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, seen := shares(t)
		a, b, c := parts[0], parts[1], parts[2]
		before, _ := json.Marshal(b)
		r := mustMerge(t, mustMerge(t, a, b), c)
		if after, _ := json.Marshal(b); string(before) != string(after) {
			t.Error("the merge changed what was merged")
		}

		for _, p := range quantiles {
			want, _ := distributionOf(seen).Quantile(p)
			if got := figure(t, r, QuantileName(E2E, p)); got != want {
				t.Errorf("p%v of E2E is %v, and of all the requests %v", p, got, want)
			}
		}
		if r.Generators != 3 || r.Level.Concurrency != 15 || r.Level.Requests != 1203 || r.Level.Warmup != 3 {
			t.Errorf("%d generators, level %+v", r.Generators, r.Level)
		}
		if want := a.Stamps.Client + b.Stamps.Client + c.Stamps.Client; want == 0 || r.Stamps != (Stamps{Client: want}) {
			t.Errorf("stamps %+v, want %d of the client", r.Stamps, want)
		}
		failed := 0
		for _, e := range r.Errors {
			failed += e.Count
		}
		if err := r.Accounting.Check(); err != nil || r.Accounting.Issued != 1203 || r.Accounting.Failed == 0 || len(r.Errors) != 1 || failed != r.Accounting.Failed+r.Warmup.Failed {
			t.Errorf("%v %+v, errors %v", err, r.Accounting, r.Errors)
		}
		if r.Start != a.Start || r.FirstSent != a.FirstSent {
			t.Errorf("from %v + %v, want %v + %v", r.Start, r.FirstSent, a.Start, a.FirstSent)
		}
		var end time.Time
		var busy, span float64
		for _, part := range parts {
			if done := part.Start.Add(part.FirstSent + part.Makespan); done.After(end) {
				end = done
			}
			busy += part.InFlight.Mean * float64(part.InFlight.To-part.InFlight.From)
			span = max(span, float64(part.Start.Add(part.InFlight.To).Sub(a.Start)-a.InFlight.From))
		}
		if got := r.Start.Add(r.FirstSent + r.Makespan); !got.Equal(end) {
			t.Errorf("until %v, want %v", got, end)
		}
		near(t, "in flight", r.InFlight.Mean, busy/span)
		near(t, "requests/s", figure(t, r, RequestThroughput), float64(r.Accounting.Completed)/r.Makespan.Seconds())
		near(t, "output tokens/s", figure(t, r, OutputThroughput), 2*float64(r.Accounting.Completed)/r.Makespan.Seconds())
		near(t, "goodput", figure(t, r, GoodputThroughput), float64(a.Goodput.Met+b.Goodput.Met+c.Goodput.Met)/r.Makespan.Seconds())
		near(t, "attainment", figure(t, r, AttainmentName(TTFT)), 100*float64(a.Goodput.Objectives[0]+b.Goodput.Objectives[0]+c.Goodput.Objectives[0])/1203)
		if f, ok := r.Figure(QuantileName("index", 50)); !ok || f.Unit != "1" || f.Better != LowerIsBetter {
			t.Errorf("a metric of one's own: %+v %v", f, ok)
		}
		if !hasWarning(r, WarnMergedWindow) || r.Steady != nil {
			t.Errorf("steady %v, warnings %v", r.Steady, r.Warnings)
		}

		sent := func(r *Result) *Result {
			text, err := json.Marshal(r)
			var back Result
			if err = errors.Join(err, json.Unmarshal(text, &back)); err != nil {
				t.Fatal(err)
			}
			return &back
		}
		approximately := gocmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b)) })
		for name, other := range map[string]*Result{
			"in another order": mustMerge(t, c, mustMerge(t, b, a)),
			"grouped":          mustMerge(t, a, mustMerge(t, c, b)),
			"by JSON":          mustMerge(t, sent(mustMerge(t, sent(a), sent(b))), sent(c)),
		} {
			if diff := gocmp.Diff(sorted(r.Figures), sorted(other.Figures), approximately); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if diff := gocmp.Diff(r.Accounting, other.Accounting); diff != "" || r.Makespan != other.Makespan || len(r.Warnings) != len(other.Warnings) {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// By hand: the first generator warms up for 3 s and measures from 3 to 8 s, one request at a time; the second starts at 1 s
// and measures until 10 s.
func TestMergeByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first, second *Result
		var generators sync.WaitGroup
		generators.Go(func() { first = mustMeasure(t, Level{Concurrency: 1, Requests: 5, Warmup: 3}, always(time.Second)) })
		generators.Go(func() {
			time.Sleep(time.Second)
			second = mustMeasure(t, Level{Concurrency: 1, Requests: 9}, always(time.Second))
		})
		generators.Wait()
		for _, r := range []*Result{mustMerge(t, first, second), mustMerge(t, second, first)} {
			if r.Start != first.Start || r.FirstSent != time.Second || r.Makespan != 9*time.Second {
				t.Errorf("from %v for %v, want from 1 s for 9 s", r.FirstSent, r.Makespan)
			}
			if r.InFlight.From != time.Second || r.InFlight.To != 10*time.Second || r.InFlight.Peak != 2 {
				t.Errorf("%+v", r.InFlight)
			}
			near(t, "in flight", r.InFlight.Mean, 14.0/9) // not the warmup's, of which the second knows nothing
			near(t, "requests/s", figure(t, r, RequestThroughput), 14.0/9)
		}
	})
}

func sorted(figures []Figure) []Figure {
	return slices.SortedFunc(slices.Values(figures), func(a, b Figure) int { return cmp.Compare(a.Name, b.Name) })
}

// Shares whose distributions are too large to be exact together say that they were not.
func TestMergeToHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, _ := shares(t)
		a, b := parts[0], parts[1]
		for i := range MaxExact - 100 {
			a.Distributions[ITL].Add(float64(i))
		}
		r := mustMerge(t, a, b)
		median, _ := r.Figure(QuantileName(ITL, 50))
		mean, _ := r.Figure(MeanName(ITL))
		other, _ := r.Figure(QuantileName(E2E, 50))
		if median.Method != MethodHDR || mean.Method != "" || other.Method != "" {
			t.Errorf("%+v %+v %+v", median, mean, other)
		}
	})
}

// What is no share of the same level, or is not whole, is refused, and what is wrong is named.
func TestMergeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, _ := shares(t)
		for name, c := range map[string]struct {
			change func(r *Result)
			field  string
		}{
			"another timeout":       {func(r *Result) { r.Level.Timeout = time.Hour }, "level"},
			"bounded by time":       {func(r *Result) { r.Level.Requests, r.Level.Duration = 0, time.Hour }, "level"},
			"without requests":      {func(r *Result) { r.Level.Requests = 0 }, "level"},
			"other objectives":      {func(r *Result) { r.Level.Objectives = []Objective{{TTFT, 501}, {E2E, 1200}} }, "level"},
			"at another time":       {func(r *Result) { r.Start = r.Start.Add(time.Hour) }, "start"},
			"long before":           {func(r *Result) { r.Start = r.Start.Add(-time.Hour) }, "start"},
			"open books":            {func(r *Result) { r.Accounting.Failed++ }, "accounting"},
			"open books of warmup":  {func(r *Result) { r.Warmup.Issued++ }, "accounting"},
			"without distributions": {func(r *Result) { r.Distributions = nil }, "distributions"},
			"one is missing":        {func(r *Result) { r.Distributions[E2E] = new(Distribution) }, "distributions"},
			"one is null":           {func(r *Result) { r.Distributions["x"] = nil }, "distributions"},
			"without goodput":       {func(r *Result) { r.Goodput = nil }, "goodput"},
			"impossible goodput":    {func(r *Result) { r.Goodput.Met = 1 << 40 }, "goodput"},
			"too few objectives":    {func(r *Result) { r.Goodput.Objectives = r.Goodput.Objectives[:1] }, "goodput"},
		} {
			text, _ := json.Marshal(parts[1])
			var changed Result
			if err := json.Unmarshal(text, &changed); err != nil {
				t.Fatal(err)
			}
			c.change(&changed)
			for _, pair := range [][2]*Result{{parts[0], &changed}, {&changed, parts[0]}} {
				_, err := MergeResults(pair[0], pair[1])
				var invalid *InvalidError
				if !errors.As(err, &invalid) || invalid.Field != c.field {
					t.Errorf("%s: %v, want an error of the %s", name, err, c.field)
				}
			}
		}
	})
}

// A generator that completed nothing adds its requests, and nothing else.
func TestMergeWithNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Level{Concurrency: 2, Requests: 20}
		works := mustMeasure(t, l, always(time.Second))
		works.Warnings = append(works.Warnings, Warning{Code: "of-another-package", Message: "kept"})
		fails := mustMeasure(t, l, TargetFunc(func(ctx context.Context, i int, r *Record) error {
			time.Sleep(time.Second)
			return errors.New("no")
		}))
		fails.Start = works.Start.Add(2 * time.Second)
		for _, r := range []*Result{mustMerge(t, works, fails), mustMerge(t, fails, works)} {
			if want := (Accounting{Issued: 40, Completed: 20, Failed: 20}); r.Accounting != want || r.Makespan != works.Makespan || r.Valid() {
				t.Errorf("%+v in %v, warnings %v", r.Accounting, r.Makespan, r.Warnings)
			}
			near(t, "success", figure(t, r, SuccessRate), 50)
			near(t, "in flight", r.InFlight.Mean, 40.0/12)
			if !hasWarning(r, "of-another-package") {
				t.Errorf("a warning was lost: %v", r.Warnings)
			}
		}
	})
}

// Two halves of an open loop are not its whole, and are not taken for it.
func TestOpenLoopsAreNotMerged(t *testing.T) {
	level := Level{Arrivals: Arrivals{Process: ConstantArrivals, Rate: 1000}, Requests: 5}
	r := mustMeasure(t, level, always(0))
	var invalid *InvalidError
	if _, err := MergeResults(r, r); !errors.As(err, &invalid) || invalid.Field != "arrivals" {
		t.Errorf("error %v, want one about the arrivals", err)
	}
}
