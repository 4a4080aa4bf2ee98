package loadgen

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
)

// dueTimes are the first n due times of a level that has at least so many.
func dueTimes(t *testing.T, l Level, n int) []time.Duration {
	t.Helper()
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	s := newSchedule(l)
	var out []time.Duration
	for range n {
		due, ok := s.draw()
		if !ok {
			t.Fatalf("the schedule ends after %d of %d", len(out), n)
		}
		out = append(out, due)
	}
	return out
}

// Request i of a constant rate is due at i ÷ rate to the nanosecond, also after many gaps that are no whole number of
// them.
func TestConstantArrivalsAreExact(t *testing.T) {
	const n = 3_000_001
	got := dueTimes(t, Level{Arrivals: Arrivals{Process: ConstantArrivals, Rate: 3}, Requests: n}, n)
	for _, i := range []int{0, 1, 2, 3, 1_000_000, 3_000_000} {
		if want := time.Duration(math.Round(float64(i) * 1e9 / 3)); got[i] != want {
			t.Errorf("request %d is due at %v, want %v", i, got[i], want)
		}
	}
}

// The gaps have the mean of the rate and the variation of the process. With 200,000 draws the mean's standard error is
// CoV/√n, at most 0.5 %; tolerances are 4 of them, and the seeds are fixed.
func TestGapsHaveTheirMoments(t *testing.T) {
	const n, rate = 200_000, 40.0
	for _, c := range []struct {
		name string
		a    Arrivals
		cov  float64
	}{
		{"poisson", Arrivals{Process: PoissonArrivals, Rate: rate}, 1},
		{"gamma 1", Arrivals{Process: GammaArrivals, Rate: rate, Burstiness: 1}, 1},
		{"gamma 0.25", Arrivals{Process: GammaArrivals, Rate: rate, Burstiness: 0.25}, 2},
		{"gamma 4", Arrivals{Process: GammaArrivals, Rate: rate, Burstiness: 4}, 0.5},
		{"gamma 100", Arrivals{Process: GammaArrivals, Rate: rate, Burstiness: 100}, 0.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			due := dueTimes(t, Level{Arrivals: c.a, Requests: n + 1, Seed: 7}, n+1)
			if due[0] != 0 || !slices.IsSorted(due) {
				t.Fatalf("due times start at %v, sorted %v", due[0], slices.IsSorted(due))
			}
			mean := due[n].Seconds() / n
			var squares float64
			for i := range n {
				squares += math.Pow((due[i+1]-due[i]).Seconds()-mean, 2)
			}
			if tolerance := 4 * c.cov / math.Sqrt(n); math.Abs(mean*rate-1) > tolerance {
				t.Errorf("mean gap %v s, want %v within %.2g", mean, 1/rate, tolerance)
			}
			if cov := math.Sqrt(squares/(n-1)) / mean; math.Abs(cov/c.cov-1) > 0.03 {
				t.Errorf("coefficient of variation %v, want %v", cov, c.cov)
			}
		})
	}
}

// A level's arrivals are those of its seed, and of no other.
func TestArrivalsAreThoseOfTheirSeed(t *testing.T) {
	for _, a := range []Arrivals{{Process: PoissonArrivals, Rate: 10},
		{Process: GammaArrivals, Rate: 10, Burstiness: 0.5}} {
		level := Level{Arrivals: a, Requests: 1000}
		first := dueTimes(t, level, 1000)
		if !slices.Equal(first, dueTimes(t, level, 1000)) {
			t.Errorf("%v: the same seed drew others", a)
		}
		level.Seed = 1
		if slices.Equal(first, dueTimes(t, level, 1000)) {
			t.Errorf("%v: another seed drew the same", a)
		}
	}
}

// A schedule ends with its bounds: of number, of time from the first measured request on, or with its trace.
func TestSchedulesEnd(t *testing.T) {
	second := Arrivals{Process: ConstantArrivals, Rate: 1}
	trace := Arrivals{Process: TraceArrivals, Trace: []time.Duration{5, 5, 7, 9}}
	for _, c := range []struct {
		name  string
		level Level
		want  int
	}{
		{"requests", Level{Arrivals: second, Requests: 10, Warmup: 3}, 13},
		{"duration", Level{Arrivals: second, Duration: 10 * time.Second}, 10},
		{"duration after a warmup", Level{Arrivals: second, Duration: 10 * time.Second, Warmup: 3}, 13},
		{"less than a gap", Level{Arrivals: second, Duration: 1, Warmup: 3}, 4},
		{"both", Level{Arrivals: second, Duration: 10 * time.Second, Requests: 4}, 4},
		{"a trace", Level{Arrivals: trace}, 4},
		{"a trace by number", Level{Arrivals: trace, Requests: 2, Warmup: 1}, 3},
		{"a trace by time", Level{Arrivals: trace, Duration: 3}, 3},
		{"slower than time itself", Level{Arrivals: Arrivals{Process: ConstantArrivals, Rate: MinRate},
			Requests: 100_000}, 100_000},
	} {
		s := newSchedule(c.level)
		n, last := 0, time.Duration(0)
		for due, ok := s.draw(); ok; due, ok = s.draw() {
			if n++; due < last {
				t.Fatalf("%s: request %d is due at %v, after %v", c.name, n-1, due, last)
			}
			last = due
		}
		if n != c.want {
			t.Errorf("%s: %d requests, want %d", c.name, n, c.want)
		}
	}
}

func TestOpenLevelValidate(t *testing.T) {
	poisson := Arrivals{Process: PoissonArrivals, Rate: 5}
	trace := Arrivals{Process: TraceArrivals, Trace: []time.Duration{0, 1, 1}}
	for _, c := range []struct {
		level Level
		field string
	}{
		{Level{Arrivals: poisson, Requests: 1}, ""},
		{Level{Arrivals: poisson, Requests: 1, Concurrency: MaxConcurrency}, ""},
		{Level{Arrivals: poisson, Requests: 1, Concurrency: -1}, "concurrency"},
		{Level{Arrivals: poisson, Requests: 1, Concurrency: MaxConcurrency + 1}, "concurrency"},
		{Level{Arrivals: poisson}, "requests"},
		{Level{Arrivals: Arrivals{Process: "uniform", Rate: 5}, Requests: 1}, "arrivals"},
		{Level{Arrivals: Arrivals{Rate: 5}, Concurrency: 1, Requests: 1}, "rate"},
		{Level{Arrivals: Arrivals{Process: ConstantArrivals}, Requests: 1}, "rate"},
		{Level{Arrivals: Arrivals{Process: ConstantArrivals, Rate: -1}, Requests: 1}, "rate"},
		{Level{Arrivals: Arrivals{Process: ConstantArrivals, Rate: math.NaN()}, Requests: 1}, "rate"},
		{Level{Arrivals: Arrivals{Process: ConstantArrivals, Rate: math.Inf(1)}, Requests: 1}, "rate"},
		{Level{Arrivals: Arrivals{Process: GammaArrivals, Rate: 5}, Requests: 1}, "burstiness"},
		{Level{Arrivals: Arrivals{Process: GammaArrivals, Rate: 5, Burstiness: math.NaN()}, Requests: 1}, "burstiness"},
		{Level{Arrivals: Arrivals{Process: GammaArrivals, Rate: 5, Burstiness: 2}, Requests: 1}, ""},
		{Level{Arrivals: Arrivals{Process: PoissonArrivals, Rate: 5, Burstiness: 2}, Requests: 1}, "burstiness"},
		{Level{Arrivals: trace}, ""},
		{Level{Arrivals: trace, Requests: 2, Warmup: 1}, ""},
		{Level{Arrivals: trace, Requests: 3, Warmup: 1}, "trace"},
		{Level{Arrivals: trace, Warmup: 3}, "trace"},
		{Level{Arrivals: Arrivals{Process: TraceArrivals}}, "trace"},
		{Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: []time.Duration{-1}}}, "trace[0]"},
		{Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: []time.Duration{2, 1}}}, "trace[1]"},
		{Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: []time.Duration{2}, Rate: 1}}, "rate"},
		{Level{Arrivals: Arrivals{Process: PoissonArrivals, Trace: []time.Duration{2}, Rate: 1}, Requests: 1}, "trace"},
	} {
		err := c.level.Validate()
		var invalid *InvalidError
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &invalid) || invalid.Field != c.field) {
			t.Errorf("%+v: %v, want an error about %q", c.level, err, c.field)
		}
	}
}

// A level is plain data: it comes back from JSON as it was, and a closed loop says nothing of arrivals.
func TestLevelAsJSON(t *testing.T) {
	for _, l := range []Level{
		{Concurrency: 4, Requests: 10},
		{Arrivals: Arrivals{Process: GammaArrivals, Rate: 2.5, Burstiness: 0.5}, Seed: math.MaxUint64,
			Duration: time.Minute},
		{Arrivals: Arrivals{Process: TraceArrivals, Trace: []time.Duration{0, 3, 5}}, Concurrency: 2},
	} {
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var back Level
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%s came back as %+v, %v", text, back, err)
		}
	}
	if text, _ := json.Marshal(Level{Concurrency: 4, Requests: 10}); string(text) != `{"concurrency":4,"requests":10}` {
		t.Errorf("a closed loop as JSON: %s", text)
	}
}

func TestLoadNames(t *testing.T) {
	for want, l := range map[string]Level{
		"concurrency 8": {Concurrency: 8},
		"poisson arrivals at 12.5 requests/s": {Arrivals: Arrivals{Process: PoissonArrivals,
			Rate: 12.5}},
		"constant arrivals at 2 requests/s, at most 3 in flight": {Arrivals: Arrivals{Process: ConstantArrivals,
			Rate: 2}, Concurrency: 3},
		"gamma arrivals of burstiness 0.5 at 2 requests/s": {Arrivals: Arrivals{Process: GammaArrivals, Rate: 2,
			Burstiness: 0.5}},
		"a trace of 2 arrivals": {Arrivals: Arrivals{Process: TraceArrivals,
			Trace: []time.Duration{1, 2}}},
	} {
		if got := l.Load(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A trend's quarters are those of all samples, however many there were.
func TestTrend(t *testing.T) {
	for _, n := range []int{0, 7, 8, 256, 257, 1000, 100_000} {
		var tr trend
		for i := range n {
			tr.add(float64(i))
		}
		second, last, ok := tr.quarters()
		if ok != (n >= 8) {
			t.Errorf("%d samples: ok %v", n, ok)
		}
		if len(tr.bins) > trendBins {
			t.Errorf("%d samples take %d bins", n, len(tr.bins))
		}
		// Of 0 … n−1 the means are 3/8 and 7/8 of n, but for the bins' edges.
		if edge := 0.02*float64(n) + 1; ok && (math.Abs(second-0.375*float64(n)) > edge ||
			math.Abs(last-0.875*float64(n)) > edge) {
			t.Errorf("%d samples: quarters %v and %v", n, second, last)
		}
	}
}
