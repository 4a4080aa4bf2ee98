package loadgen

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func warning(r *Result, code string) (Warning, bool) {
	for _, w := range r.Warnings {
		if w.Code == code {
			return w, true
		}
	}
	return Warning{}, false
}

// counted is a target whose requests take a second, and have 3 output tokens.
func counted(ctx context.Context, i int, r *Record) error {
	time.Sleep(time.Second)
	r.Counted, r.Input, r.Output = true, 5, 3
	if i == 4 {
		return errors.New("no")
	}
	return nil
}

// Two in flight, a second each, request 4 fails. A tick and the end of a request fall on the same moment, so the
// requests take half a second less at first.
func TestTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks []Progress
		var order []string
		g := &Generator{Target: TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if i < 2 {
				time.Sleep(500 * time.Millisecond)
			}
			return counted(ctx, i, r)
		})}
		g.Observers = []Observer{{}, {
			Start: func(l Level) { order = append(order, "start "+l.Load()) },
			Tick:  func(p Progress) { ticks = append(ticks, p) },
			Done:  func(r *Result) { order = append(order, "done") },
		}}
		r, err := g.Measure(context.Background(), Level{Concurrency: 2, Requests: 6})
		if err != nil || r.Accounting != (Accounting{Issued: 6, Completed: 5, Failed: 1}) {
			t.Fatalf("%+v, %v", r.Accounting, err)
		}
		want := []Progress{
			{Elapsed: 1 * time.Second, Issued: 2, InFlight: 2},
			{Elapsed: 2 * time.Second, Issued: 4, InFlight: 2, Completed: 2, Tokens: 6},
			{Elapsed: 3 * time.Second, Issued: 6, InFlight: 2, Completed: 4, Tokens: 12},
		}
		if diff := cmp.Diff(want, ticks); diff != "" {
			t.Errorf("ticks (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"start concurrency 2", "done"}, order); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// Whatever a func of an observer does, the level goes on with the others, and its books close.
func TestObserverThatBreaks(t *testing.T) {
	level := Level{Concurrency: 2, Requests: 6}
	for how, breaks := range map[string]struct {
		do   func()
		text string
	}{
		"panic":          {func() { panic("at the disco") }, "panicked: at the disco"},
		"panic with nil": {func() { panic(nil) }, "panicked: "},
		"long panic":     {func() { panic(strings.Repeat("é", 1000)) }, " …"},
		"goexit":         {runtime.Goexit, "runtime.Goexit"},
	} {
		for in, broken := range map[string]func(calls *int) Observer{
			"Start":  func(calls *int) Observer { return Observer{Start: func(Level) { *calls++; breaks.do() }} },
			"Record": func(calls *int) Observer { return Observer{Record: func(*Record, *Error) { *calls++; breaks.do() }} },
			"Tick":   func(calls *int) Observer { return Observer{Tick: func(Progress) { *calls++; breaks.do() }} },
			"Done":   func(calls *int) Observer { return Observer{Done: func(*Result) { *calls++; breaks.do() }} },
		} {
			synctest.Test(t, func(t *testing.T) { // which fails where a goroutine is left
				calls, records, ticks, done := 0, 0, 0, 0
				g := &Generator{Target: TargetFunc(counted), Observers: []Observer{broken(&calls), {
					Record: func(*Record, *Error) { records++ }, Tick: func(Progress) { ticks++ }, Done: func(*Result) { done++ },
				}}}
				r, err := g.Measure(context.Background(), level)
				if err != nil || r.Accounting != (Accounting{Issued: 6, Completed: 5, Failed: 1}) {
					t.Fatalf("%s in %s: %+v, %v", how, in, r.Accounting, err)
				}
				if calls != 1 || records != 6 || ticks < 2 || done != 1 {
					t.Errorf("%s in %s: called %d times; the other %d, %d and %d times", how, in, calls, records, ticks, done)
				}
				w, ok := warning(r, WarnObserverPanic)
				if !ok || len(w.Spoils) > 0 || !strings.Contains(w.Message, "observer 0: "+in) || !strings.Contains(w.Message, breaks.text) {
					t.Errorf("%s in %s: warning %+v", how, in, w)
				}
				if len(w.Message) > 600 {
					t.Errorf("%s in %s: a warning of %d bytes", how, in, len(w.Message))
				}
			})
		}
	}
}

// A metric that breaks has no figures, and neither has what is made of it; the other metrics have theirs.
func TestMetricThatBreaks(t *testing.T) {
	for how, breaks := range map[string]func(){"panic": func() { panic("no such field") }, "goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			g := &Generator{Target: always(time.Second), Metrics: []Metric{
				{Name: "bad", Unit: "x", Better: LowerIsBetter, Of: func(r *Record) (float64, bool) {
					if calls++; r.Index == 3 {
						breaks()
					}
					return 1, true
				}},
				{Name: "good", Unit: "x", Of: func(r *Record) (float64, bool) { return float64(r.Index), true }},
			}}
			level := Level{Concurrency: 1, Requests: 10, Objectives: []Objective{{Metric: "bad", Limit: 2}}}
			r, err := g.Measure(context.Background(), level)
			if err != nil || r.Accounting != (Accounting{Issued: 10, Completed: 10}) {
				t.Fatalf("%s: %+v, %v", how, r.Accounting, err)
			}
			if calls != 4 {
				t.Errorf("%s: called %d times, want 4", how, calls)
			}
			if f, ok := r.Figure(MeanName("bad")); ok {
				t.Errorf("%s: there is %+v", how, f)
			}
			near(t, "mean of the other", figure(t, r, MeanName("good")), 4.5)
			w, ok := warning(r, WarnObserverPanic)
			if !ok || !strings.Contains(w.Message, "metric bad") {
				t.Fatalf("%s: warnings %v", how, r.Warnings)
			}
			for name, spoiled := range map[string]bool{
				QuantileName("bad", 99): true, Attainment: true, AttainmentName("bad"): true, GoodputThroughput: true,
				RequestThroughput: false, MeanName("good"): false,
			} {
				if w.SpoilsFigure(name) != spoiled {
					t.Errorf("%s: %s is spoiled: %v", how, name, !spoiled)
				}
			}
		})
	}
}

// A func that never returns is waited for until the context is done, and then left behind: what is in flight has been
// counted, and what it holds is not touched.
func TestObserverThatNeverReturns(t *testing.T) {
	another := false // the record that Record was called with has become another request's
	for how, then := range map[string]func(){"returns": func() {}, "panics": func() { panic("late") }, "exits": runtime.Goexit} {
		for in, stuck := range map[string]func(block func()) (Observer, []Metric){
			"Start": func(block func()) (Observer, []Metric) { return Observer{Start: func(Level) { block() }}, nil },
			"Tick":  func(block func()) (Observer, []Metric) { return Observer{Tick: func(Progress) { block() }}, nil },
			"Done":  func(block func()) (Observer, []Metric) { return Observer{Done: func(*Result) { block() }}, nil },
			"Record": func(block func()) (Observer, []Metric) {
				return Observer{Record: func(r *Record, _ *Error) {
					block()
					another = r.Index != 0 // with the race detector: nobody else may write to it now
				}}, nil
			},
			"Of": func(block func()) (Observer, []Metric) {
				return Observer{}, []Metric{{Name: "mine", Of: func(*Record) (float64, bool) { block(); return 1, true }}}
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				another = false
				observer, metrics := stuck(func() { <-release; then() })
				records := 0
				g := &Generator{Target: always(time.Second), Metrics: metrics, Observers: []Observer{observer, {Record: func(*Record, *Error) { records++ }}}}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				r, err := g.Measure(ctx, Level{Concurrency: 1, Duration: 100 * time.Second})
				if err == nil || r == nil {
					t.Fatalf("%s: %v, %v", in, r, err)
				}
				a := r.Accounting
				if records != a.Issued || a.Check() != nil {
					t.Errorf("%s: %d records, %+v", in, records, a)
				}
				if w, ok := warning(r, WarnObserverStuck); !ok || !strings.Contains(w.Message, in+" did not return") {
					t.Errorf("%s: warnings %v", in, r.Warnings)
				}
				mustMeasure(t, Level{Concurrency: 1, Requests: 20}, always(time.Second)) // which takes records that are free
				close(release)                                                           // the bubble fails if a goroutine is left for good
				synctest.Wait()
				if another {
					t.Errorf("%s: its record was given to another request", in)
				}
				if how == "panics" && hasWarning(r, WarnObserverPanic) {
					t.Errorf("%s: what was left behind changed the result", in)
				}
			})
		}
	}
}

// A slow observer is not a stuck one: it is waited for, and called with all there is, also when the level was
// cancelled.
func TestSlowObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := 0
		g := &Generator{Target: always(time.Second), Observers: []Observer{{Record: func(*Record, *Error) {
			time.Sleep(4 * time.Second)
			records++
		}}}}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		r, err := g.Measure(ctx, Level{Concurrency: 8, Requests: 100})
		if err == nil || records != r.Accounting.Issued || hasWarning(r, WarnObserverStuck) {
			t.Errorf("%d of %+v, %v: %v", records, r.Accounting, err, r.Warnings)
		}
	})
}
