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

// measureShard measures a level in which request i takes as long as its number says; some fail.
func measureShard(t *testing.T, l Level, seen func(ms float64)) *Result {
	g := &Generator{
		Metrics: []Metric{{Name: "index", Unit: "1", Better: LowerIsBetter, Of: func(r *Record) (float64,
			bool) {
			return float64(r.Index), true
		}}},
		Target: TargetFunc(func(ctx context.Context, i int, r *Record) error {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
			r.Chunk(Chunk{})
			time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
			r.Chunk(Chunk{})
			r.Counted, r.Input, r.Output = true, 5, 2
			if random.IntN(300) == 0 {
				return &Error{Class: ClassServer, Err: fmt.Errorf("in request %d", i)}
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

// shards are the results of three generators that drive one level, which start one after the other, and the samples of
// E2E that they saw together.
func shards(t *testing.T) (parts []*Result, seen []float64) {
	var generators sync.WaitGroup
	var mu sync.Mutex
	parts = make([]*Result, 3)
	for k := range parts {
		generators.Go(func() {
			time.Sleep(time.Duration(k) * 700 * time.Millisecond)
			l := Level{Concurrency: 14, Requests: 1202, Warmup: 4, Objectives: []Objective{{TTFT, 500}, {E2E, 1200}},
				Shard: k, Shards: 3}
			parts[k] = measureShard(t, l, func(ms float64) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, ms)
			})
		})
	}
	generators.Wait()
	return parts, seen
}

func mustMerge(t *testing.T, parts ...*Result) *Result {
	t.Helper()
	r, err := MergeResults(parts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The merged result of three generators has the percentiles of all their requests, and books that close; in whatever
// order it was made, and after a journey as JSON.
func TestMergeResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, seen := shards(t)
		a, b, c := parts[0], parts[1], parts[2]
		before, _ := json.Marshal(b)
		r := mustMerge(t, a, b, c)
		if after, _ := json.Marshal(b); string(before) != string(after) {
			t.Error("the merge changed what was merged")
		}

		for _, p := range quantiles {
			want, _ := distributionOf(seen).Quantile(p)
			if got := figure(t, r, QuantileName(E2E, p)); got != want {
				t.Errorf("p%v of E2E is %v, and of all the requests %v", p, got, want)
			}
		}
		whole := Level{Concurrency: 14, Requests: 1202, Warmup: 4, Objectives: a.Level.Objectives}
		if diff := gocmp.Diff(whole, r.Level); r.Generators != 3 || diff != "" {
			t.Errorf("%d generators, level %s", r.Generators, diff)
		}
		if chunks := r.Parts[0].Chunks + r.Parts[1].Chunks + r.Parts[2].Chunks; chunks != r.Stamps.Chunks() {
			t.Errorf("%d chunks in the parts, want %d", chunks, r.Stamps.Chunks())
		}
		if want := a.Stamps.Client + b.Stamps.Client + c.Stamps.Client; want == 0 ||
			r.Stamps != (Stamps{Client: want}) {
			t.Errorf("stamps %+v, want %d of the client", r.Stamps, want)
		}
		failed := 0
		for _, e := range r.Errors {
			failed += e.Count
		}
		if err := r.Accounting.Check(); err != nil || r.Accounting.Issued != 1202 || r.Warmup.Issued != 4 ||
			r.Accounting.Failed == 0 || len(r.Errors) != 1 || failed != r.Accounting.Failed+r.Warmup.Failed {
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
		near(t, "output tokens/s", figure(t, r, OutputThroughput),
			2*float64(r.Accounting.Completed)/r.Makespan.Seconds())
		near(t, "goodput", figure(t, r, GoodputThroughput),
			float64(a.Goodput.Met+b.Goodput.Met+c.Goodput.Met)/r.Makespan.Seconds())
		near(t, "attainment", figure(t, r, AttainmentName(TTFT)),
			100*float64(a.Goodput.Objectives[0]+b.Goodput.Objectives[0]+c.Goodput.Objectives[0])/1202)
		if f, ok := r.Figure(QuantileName("index", 50)); !ok || f.Unit != "1" || f.Better != LowerIsBetter {
			t.Errorf("a metric of one's own: %+v %v", f, ok)
		}
		if w := r.Steady; w == nil || math.Abs(w.Occupied-14) > 1e-9 || hasWarning(r, WarnMergedWindow) {
			t.Errorf("steady %+v, warnings %v", w, r.Warnings)
		}

		sent := func(r *Result) *Result {
			text, err := json.Marshal(r)
			var back Result
			if err = errors.Join(err, json.Unmarshal(text, &back)); err != nil {
				t.Fatal(err)
			}
			return &back
		}
		approximately := gocmp.Comparer(func(a, b float64) bool {
			return math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a),
				math.Abs(b))
		})
		for name, other := range map[string]*Result{
			"in another order": mustMerge(t, c, a, b),
			"by JSON":          mustMerge(t, sent(b), sent(a), sent(c)),
		} {
			if diff := gocmp.Diff(sorted(r.Figures), sorted(other.Figures), approximately); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if diff := gocmp.Diff(r.Accounting, other.Accounting); diff != "" || r.Makespan != other.Makespan ||
				len(r.Warnings) != len(other.Warnings) {
				t.Errorf("%s: %s", name, diff)
			}
			if diff := gocmp.Diff(r.Timeline, other.Timeline, approximately); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// By hand: the first generator warms up for 3 s and measures from 3 to 11 s, one request at a time; the second starts
// at 1 s, takes half the time for each, warms up until 2.5 s and measures until 6.5 s.
func TestMergeByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first, second *Result
		var generators sync.WaitGroup
		l := Level{Concurrency: 2, Requests: 16, Warmup: 6, Shards: 2}
		generators.Go(func() { first = mustMeasure(t, l, always(time.Second)) })
		generators.Go(func() {
			time.Sleep(time.Second)
			l := l
			l.Shard = 1
			second = mustMeasure(t, l, always(time.Second/2))
		})
		generators.Wait()
		for _, r := range []*Result{mustMerge(t, first, second), mustMerge(t, second, first)} {
			if r.Start != first.Start || r.FirstSent != 2500*time.Millisecond || r.Makespan != 8500*time.Millisecond {
				t.Errorf("from %v for %v, want from 2.5 s for 8.5 s", r.FirstSent, r.Makespan)
			}
			if r.InFlight.From != 2500*time.Millisecond || r.InFlight.To != 11*time.Second || r.InFlight.Peak != 2 {
				t.Errorf("%+v", r.InFlight)
			}
			// not the first one's warmup, of which the second knows nothing
			near(t, "in flight", r.InFlight.Mean, 12/8.5)
			near(t, "requests/s", figure(t, r, RequestThroughput), 16/8.5)
		}
	})
}

func sorted(figures []Figure) []Figure {
	return slices.SortedFunc(slices.Values(figures), func(a, b Figure) int { return cmp.Compare(a.Name, b.Name) })
}

// Shards whose distributions are too large to be exact together say that they were not.
func TestMergeToHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, _ := shards(t)
		for i := range MaxExact - 100 {
			parts[0].Distributions[ITL].Add(float64(i))
		}
		r := mustMerge(t, parts...)
		median, _ := r.Figure(QuantileName(ITL, 50))
		mean, _ := r.Figure(MeanName(ITL))
		other, _ := r.Figure(QuantileName(E2E, 50))
		if median.Method != MethodHDR || mean.Method != "" || other.Method != "" {
			t.Errorf("%+v %+v %+v", median, mean, other)
		}
	})
}

// What is no shard of the same level, or is not whole, is refused, and what is wrong is named.
func TestMergeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, _ := shards(t)
		for name, c := range map[string]struct {
			change func(r *Result)
			field  string
		}{
			"another timeout": {func(r *Result) { r.Level.Timeout = time.Hour }, "level"},
			"bounded by time": {func(r *Result) { r.Level.Requests, r.Level.Duration = 0, time.Hour }, "level"},
			"of more shards":  {func(r *Result) { r.Level.Shards = 4 }, "level"},
			"no level at all": {func(r *Result) { r.Level.Requests = 0 }, "requests"},
			"no shard at all": {func(r *Result) { r.Level.Shard = 3 }, "shard"},
			"there already":   {func(r *Result) { r.Level.Shard = 0 }, "shards"},
			"other objectives": {func(r *Result) { r.Level.Objectives = []Objective{{TTFT, 501}, {E2E, 1200}} },
				"level"},
			"at another time":        {func(r *Result) { r.Start = r.Start.Add(time.Hour) }, "start"},
			"in another century":     {func(r *Result) { r.Start = r.Start.AddDate(200, 0, 0) }, "start"},
			"long before":            {func(r *Result) { r.Start = r.Start.Add(-time.Hour) }, "start"},
			"open books":             {func(r *Result) { r.Accounting.Failed++ }, "accounting"},
			"open books of warmup":   {func(r *Result) { r.Warmup.Issued++ }, "accounting"},
			"without distributions":  {func(r *Result) { r.Distributions = nil }, "distributions"},
			"one is missing":         {func(r *Result) { r.Distributions[E2E] = new(Distribution) }, "distributions"},
			"one is null":            {func(r *Result) { r.Distributions["x"] = nil }, "distributions"},
			"without goodput":        {func(r *Result) { r.Goodput = nil }, "goodput"},
			"of an open loop":        {func(r *Result) { r.Open = new(OpenLoop) }, "open"},
			"an impossible clock":    {func(r *Result) { r.Clock = &ClockOffset{Error: -1} }, "clock offset"},
			"bins that begin late":   {func(r *Result) { r.Timeline.From = 1 }, "timeline"},
			"bins that begin before": {func(r *Result) { r.Timeline.From = -r.Timeline.Width }, "timeline"},
			"bins without slots":     {func(r *Result) { r.Timeline.Occupied = r.Timeline.Occupied[1:] }, "timeline"},
			"bins without width":     {func(r *Result) { r.Timeline.Width = 0 }, "timeline"},
			"too many bins":          {func(r *Result) { r.Timeline.InFlight = make([]float64, 241) }, "timeline"},
			"bins without tokens":    {func(r *Result) { r.Timeline.Output = nil }, "timeline"},
			"impossible goodput":     {func(r *Result) { r.Goodput.Met = 1 << 40 }, "goodput"},
			"too few objectives":     {func(r *Result) { r.Goodput.Objectives = r.Goodput.Objectives[:1] }, "goodput"},
		} {
			text, _ := json.Marshal(parts[1])
			var changed Result
			if err := json.Unmarshal(text, &changed); err != nil {
				t.Fatal(err)
			}
			c.change(&changed)
			for _, all := range [][]*Result{{parts[0], &changed, parts[2]}, {&changed, parts[2], parts[0]}} {
				_, err := MergeResults(all...)
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
		l := Level{Concurrency: 4, Requests: 40, Shards: 2}
		works := mustMeasure(t, l, always(time.Second))
		works.Warnings = append(works.Warnings, Warning{Code: "of-another-package", Message: "kept"})
		l.Shard = 1
		fails := mustMeasure(t, l, TargetFunc(func(ctx context.Context, i int, r *Record) error {
			time.Sleep(time.Second)
			return errors.New("no")
		}))
		fails.Start = works.Start.Add(2 * time.Second)
		for _, r := range []*Result{mustMerge(t, works, fails), mustMerge(t, fails, works)} {
			if want := (Accounting{Issued: 40, Completed: 20, Failed: 20}); r.Accounting != want ||
				r.Makespan != works.Makespan || r.Valid() {
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

// Parts of a level are not its whole, and are not taken for it: what is missing is named.
func TestMergeWantsAllShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, _ := shards(t)
		whole := mustMeasure(t, Level{Concurrency: 2, Requests: 20}, always(time.Second))
		for _, c := range []struct {
			parts []*Result
			want  string
		}{
			{nil, "results 0: want those of all shards of a level, and none that is nil"},
			// as of a level that could not be measured
			{[]*Result{nil}, "results 1: want those of all shards of a level, and none that is nil"},
			{[]*Result{whole, whole}, "shards 0: want results of the shards of a level: whole levels do not add up " +
				"to one (Level.Shards)"},
			{[]*Result{parts[2]}, "shards [2]: want each of 0 to 2 once; 2 are missing: [0 1]"},
			{[]*Result{parts[2], parts[0]}, "shards [0 2]: want each of 0 to 2 once; 1 are missing: [1]"},
			{[]*Result{parts[2], parts[0], parts[1], parts[0]}, "shards [0 0 1 2]: want each of 0 to 2 once"},
		} {
			_, err := MergeResults(c.parts...)
			var invalid *InvalidError
			if !errors.As(err, &invalid) || err.Error() != c.want {
				t.Errorf("%v, want %q", err, c.want)
			}
		}
	})
}
