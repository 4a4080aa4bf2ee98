package loadgen

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// takes is a target whose requests take as long as the func says, and return early when their context is done.
func takes(d func(i int) time.Duration) TargetFunc {
	return func(ctx context.Context, i int, r *Record) error {
		select {
		case <-time.After(d(i)):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func always(d time.Duration) TargetFunc { return takes(func(int) time.Duration { return d }) }

func mustMeasure(t *testing.T, l Level, target Target) *Result {
	t.Helper()
	r, err := Measure(context.Background(), l, target)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func figure(t *testing.T, r *Result, name string) float64 {
	t.Helper()
	f, ok := r.Figure(name)
	if !ok {
		t.Fatalf("no figure %q in %v", name, r.Figures)
	}
	return f.Value
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// In virtual time the closed loop is exact: 4 in flight, a second each, 20 requests.
func TestClosedLoopIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inFlight, below atomic.Int64
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			inFlight.Add(1)
			defer inFlight.Add(-1)
			time.Sleep(500 * time.Millisecond)
			if inFlight.Load() != 4 {
				below.Add(1)
			}
			time.Sleep(500 * time.Millisecond)
			return nil
		})
		r := mustMeasure(t, Level{Concurrency: 4, Requests: 20}, target)
		if below.Load() != 0 {
			t.Errorf("%d requests found other than 4 in flight", below.Load())
		}
		if want := (Accounting{Issued: 20, Completed: 20}); r.Accounting != want {
			t.Errorf("accounting %+v, want %+v", r.Accounting, want)
		}
		if r.Makespan != 5*time.Second {
			t.Errorf("makespan %v, want 5 s", r.Makespan)
		}
		if r.InFlight.Peak != 4 {
			t.Errorf("peak %d, want 4", r.InFlight.Peak)
		}
		near(t, "mean in flight", r.InFlight.Mean, 4)
		near(t, "requests/s", figure(t, r, RequestThroughput), 4)
		near(t, "E2E mean", figure(t, r, MeanName(E2E)), 1000)
		near(t, "success rate", figure(t, r, SuccessRate), 100)
		if len(r.Errors) != 0 {
			t.Errorf("errors %v", r.Errors)
		}
	})
}

// Little's law holds over a drained closed loop: in flight = rate × E2E.
func TestLittlesLaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 7, Requests: 100}, takes(func(i int) time.Duration {
			return time.Duration(100+37*(i%11)) * time.Millisecond
		}))
		rate, latency := figure(t, r, RequestThroughput), figure(t, r, MeanName(E2E))/1000
		near(t, "L", rate*latency, r.InFlight.Mean)
	})
}

// The warmup hands its slots over: no measured request finds the server idle, and no drain lies between.
func TestWarmupHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Generator{Target: takes(func(i int) time.Duration { return time.Duration(1+i%4) * time.Second })}
		var warm, measured int
		g.Observers = []Observer{{Record: func(r *Record, err *Error) {
			if r.Warmup != (r.Index < 4) {
				t.Errorf("request %d: warmup %v", r.Index, r.Warmup)
			}
			if r.Warmup {
				warm++
			} else {
				measured++
			}
		}}}
		r, err := g.Measure(context.Background(), Level{Concurrency: 4, Requests: 40, Warmup: 4})
		if err != nil {
			t.Fatal(err)
		}
		if warm != 4 || measured != 40 {
			t.Errorf("%d warmup and %d measured requests, want 4 and 40", warm, measured)
		}
		if r.Warmup.Issued != 4 || r.Accounting.Issued != 40 || r.Accounting.Completed != 40 {
			t.Errorf("warmup %+v, measured %+v", r.Warmup, r.Accounting)
		}
		// The first warmup request ends after 1 s, and only then is the first measured one sent.
		if r.Steady == nil || r.Steady.From <= 0 {
			t.Fatalf("steady window %+v", r.Steady)
		}
		near(t, "in flight inside the window", r.Steady.InFlight, 4)
	})
}

func TestDurationEndsALevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 2, Duration: 10 * time.Second, Warmup: 2}, always(3*time.Second))
		// Measured from 3 s on; issued at 3, 6, 9 and 12 s, two each; 13 s is the end of the issuing.
		if want := (Accounting{Issued: 8, Completed: 8}); r.Accounting != want {
			t.Errorf("accounting %+v, want %+v", r.Accounting, want)
		}
		if r.CutShort {
			t.Error("a level that ran its duration is said to be cut short")
		}
	})
}

func TestFailuresHaveAClass(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name   string
		target TargetFunc
		want   Class
		text   string
	}{
		{"timeout before content", always(time.Hour), ClassTimeout, ""},
		{"timeout in stream", func(ctx context.Context, i int, r *Record) error {
			r.Chunk(Chunk{Seen: r.Now()})
			<-ctx.Done()
			return ctx.Err()
		}, ClassStalled, ""},
		{"the target's own class", func(context.Context, int, *Record) error {
			return &Error{Class: ClassStatus, Status: 503, Err: boom}
		}, ClassStatus, "503"},
		{"any other error", func(context.Context, int, *Record) error { return boom }, ClassTarget, "boom"},
		{"a panic", func(context.Context, int, *Record) error { panic("at the disco") }, ClassTarget, "at the disco"},
		{"done before it was sent", func(_ context.Context, _ int, r *Record) error {
			r.Sent, r.Done = r.Now()+2, r.Now()+1
			return nil
		}, ClassTarget, "was done at"},
		{"content before it was sent", func(_ context.Context, _ int, r *Record) error {
			time.Sleep(time.Millisecond)
			r.Chunk(Chunk{Seen: r.Sent - 1})
			return nil
		}, ClassTarget, "had chunk 0"},
		{"content out of order", func(_ context.Context, _ int, r *Record) error {
			time.Sleep(time.Millisecond)
			r.Chunk(Chunk{})
			r.Chunk(Chunk{Seen: r.Sent + 1})
			return nil
		}, ClassTarget, "had chunk 1"},
		{"content after it was done", func(_ context.Context, _ int, r *Record) error {
			r.Done = r.Now()
			r.Chunk(Chunk{Seen: r.Now() + 1})
			return nil
		}, ClassTarget, "was done at"},
		{"success after the time limit", func(_ context.Context, _ int, r *Record) error {
			time.Sleep(1001 * time.Millisecond)
			return nil
		}, ClassTimeout, "over the limit of 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := mustMeasure(t, Level{Concurrency: 2, Requests: 6, Timeout: time.Second}, c.target)
				if want := (Accounting{Issued: 6, Failed: 6}); r.Accounting != want {
					t.Errorf("accounting %+v, want %+v", r.Accounting, want)
				}
				if len(r.Errors) != 1 || r.Errors[0].Class != c.want || r.Errors[0].Count != 6 {
					t.Fatalf("errors %+v, want 6 of class %s", r.Errors, c.want)
				}
				if !strings.Contains(r.Errors[0].Example, c.text) {
					t.Errorf("example %q does not say %q", r.Errors[0].Example, c.text)
				}
				if f, ok := r.Figure(RequestThroughput); ok {
					t.Errorf("a level in which nothing completed has a throughput: %v", f)
				}
			})
		})
	}
}

// A Do that ignores its context is left behind: the level ends, its books close, and its figures do not touch the
// record that the target still holds.
func TestTargetThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if i == 3 {
				<-release
				r.Chunk(Chunk{Seen: r.Now()}) // with the race detector: nobody else may have it now
				return nil
			}
			return always(100*time.Millisecond)(ctx, i, r)
		})
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 10, Timeout: time.Second}, target)
		if want := (Accounting{Issued: 10, Completed: 9, Failed: 1}); r.Accounting != want {
			t.Errorf("accounting %+v, want %+v", r.Accounting, want)
		}
		if len(r.Errors) != 1 || r.Errors[0].Class != ClassTimeout {
			t.Errorf("errors %+v", r.Errors)
		}
		close(release) // the bubble fails if a goroutine is left for good
		synctest.Wait()
	})
}

func TestCancelCutsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		go func() {
			time.Sleep(2500 * time.Millisecond)
			cancel(why)
		}()
		r, err := Measure(ctx, Level{Concurrency: 3, Requests: 100}, always(time.Second))
		if !errors.Is(err, why) {
			t.Errorf("error %v, want the cause", err)
		}
		if r == nil {
			t.Fatal("no result")
		}
		if want := (Accounting{Issued: 9, Completed: 6, Cancelled: 3}); r.Accounting != want {
			t.Errorf("accounting %+v, want %+v", r.Accounting, want)
		}
		if !hasWarning(r, WarnCutShort) {
			t.Errorf("no %s in %v", WarnCutShort, r.Warnings)
		}
	})
}

func TestStopDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		go func() {
			time.Sleep(2500 * time.Millisecond)
			close(stop)
		}()
		g := &Generator{Target: always(time.Second), Stop: stop}
		r, err := g.Measure(context.Background(), Level{Concurrency: 3, Requests: 100})
		if err != nil {
			t.Fatal(err)
		}
		if want := (Accounting{Issued: 9, Completed: 9}); r.Accounting != want {
			t.Errorf("accounting %+v, want %+v", r.Accounting, want)
		}
		if !hasWarning(r, WarnCutShort) {
			t.Errorf("no %s in %v", WarnCutShort, r.Warnings)
		}
	})
}

func hasWarning(r *Result, code string) bool {
	for _, w := range r.Warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}

// The books are kept in two places, by the slots that issue and the collector that counts. A request that is lost
// between them is an error and not a smaller number.
func TestAccountingThatDoesNotClose(t *testing.T) {
	level := Level{Concurrency: 1, Requests: 3}
	s := newSlots(level)
	c := newCollector(&Generator{}, level, s.epoch, &hooks{})
	w := &worker{loop: &loop{level: level, slots: s, source: closedLoop{s}}}
	for a, ok := w.source.next(w); ok; a, ok = w.source.next(w) {
		w.present, w.record = a, new(Record)
		w.reset()
		w.record.Done = w.record.Now()
		w.record.Left = w.record.Done
		if v := w.source.end(w); a.i != 1 { // which is lost
			c.count(outcome{record: w.record, view: v})
		}
	}
	_, err := c.result(s, nil)
	var books *AccountingError
	if !errors.As(err, &books) {
		t.Fatalf("error %v, want an AccountingError", err)
	}
	if want := (Accounting{Issued: 3, Completed: 2}); books.Accounting != want {
		t.Errorf("%+v, want %+v", books.Accounting, want)
	}
}

func TestLevelValidate(t *testing.T) {
	for _, c := range []struct {
		level Level
		field string
	}{
		{Level{}, "concurrency"},
		{Level{Concurrency: -1, Requests: 1}, "concurrency"},
		{Level{Concurrency: MaxConcurrency + 1, Requests: 1}, "concurrency"},
		{Level{Concurrency: 1}, "requests"},
		{Level{Concurrency: 1, Requests: -1}, "requests"},
		{Level{Concurrency: 1, Requests: 1, Duration: -1}, "duration"},
		{Level{Concurrency: 1, Requests: 1, Warmup: -1}, "warmup"},
		{Level{Concurrency: 1, Requests: 1, Timeout: -1}, "timeout"},
		{Level{Concurrency: 1, Requests: 1, Retries: -1}, "retries"},
		{Level{Concurrency: 1, Requests: 1, Retries: MaxRetries + 1}, "retries"},
		{Level{Concurrency: 1, Requests: 1}, ""},
		{Level{Concurrency: 1, Duration: 1}, ""},
	} {
		err := c.level.Validate()
		var invalid *InvalidError
		switch {
		case c.field == "" && err != nil, c.field != "" && (!errors.As(err, &invalid) || invalid.Field != c.field):
			t.Errorf("%+v: %v, want an error about %q", c.level, err, c.field)
		}
		if _, measureErr := Measure(context.Background(), c.level, always(0)); (measureErr == nil) != (err == nil) {
			t.Errorf("%+v: Validate says %v, Measure says %v", c.level, err, measureErr)
		}
	}
	if _, err := Measure(context.Background(), Level{Concurrency: 1, Requests: 1}, nil); err == nil {
		t.Error("a nil target was measured")
	}
}

// A user's own metric has figures like the built-in ones.
func TestOwnMetric(t *testing.T) {
	g := &Generator{
		Target: TargetFunc(func(context.Context, int, *Record) error { return nil }),
		Metrics: []Metric{{Name: "even_index", Unit: "index", Of: func(r *Record) (float64, bool) {
			return float64(r.Index), r.Index%2 == 0
		}}},
	}
	r, err := g.Measure(context.Background(), Level{Concurrency: 3, Requests: 11})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", figure(t, r, MeanName("even_index")), 5)
	near(t, "p90", figure(t, r, QuantileName("even_index", 90)), 9)
	if f, _ := r.Figure(MeanName("even_index")); f.N != 6 {
		t.Errorf("%d samples, want 6", f.N)
	}
}

func TestMetricsThatCannotBe(t *testing.T) {
	of := func(*Record) (float64, bool) { return 1, true }
	for _, metrics := range [][]Metric{
		{{Name: "mine"}}, {{Of: of}}, {{Name: TTFT, Of: of}}, {{Name: ITL, Of: of}}, {{Name: "mine", Of: of},
			{Name: "mine", Of: of}},
	} {
		g := &Generator{Target: always(0), Metrics: metrics}
		var invalid *InvalidError
		if _, err := g.Measure(context.Background(), Level{Concurrency: 1, Requests: 1}); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v, want an InvalidError", metrics, err)
		}
	}
}
