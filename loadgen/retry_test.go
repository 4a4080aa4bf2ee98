package loadgen

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func status(code int) *Error { return &Error{Class: ClassStatus, Status: code, Err: errors.New("no")} }

// failing is a target whose attempts take a second each. The first n of a request fail with the error.
func failing(n int, err error) TargetFunc {
	half := always(500 * time.Millisecond)
	return func(ctx context.Context, i int, r *Record) error {
		if e := half(ctx, i, r); e != nil {
			return e
		}
		if r.Attempts > n {
			r.Chunk(Chunk{})
			r.Counted, r.Input, r.Output = true, 1, 1
		}
		if e := half(ctx, i, r); e != nil {
			return e
		}
		if r.Attempts <= n {
			return err
		}
		return nil
	}
}

// By hand: two attempts of a second fail, with 0.1 and 0.2 s after them, and the third has content after half a
// second. All of it is what a user waits, and the place in flight is held all the time.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Generator{Target: failing(2, status(503)), Observers: []Observer{{Record: func(r *Record, err *Error) {
			if r.Attempts != 3 || err != nil {
				t.Errorf("request %d: %d attempts, %v", r.Index, r.Attempts, err)
			}
		}}}}
		r, err := g.Measure(context.Background(), Level{Concurrency: 2, Requests: 4, Warmup: 2, Retries: 2})
		if err != nil {
			t.Fatal(err)
		}
		if want := (Accounting{Issued: 4, Completed: 4}); r.Accounting != want || len(r.Errors) != 0 {
			t.Errorf("accounting %+v, want %+v; %v", r.Accounting, want, r.Errors)
		}
		want := &Retries{Requests: 6, Attempts: 12, Errors: []ErrorCount{{ClassStatus, 503, 12, "status 503: no"}}}
		if diff := gocmp.Diff(want, r.Retries); diff != "" {
			t.Error(diff)
		}
		if !hasWarning(r, WarnRetried) || hasWarning(r, WarnFailedRequests) || !r.Valid() {
			t.Errorf("warnings %v", r.Warnings)
		}
		near(t, "TTFT", figure(t, r, MeanName(TTFT)), 2800)
		near(t, "E2E", figure(t, r, MeanName(E2E)), 3300)
		near(t, "send lag", figure(t, r, MeanName(SendLag)), 0)
		near(t, "in flight", r.InFlight.Mean*float64(r.InFlight.To-r.InFlight.From), 2*2*3.3e9)
		if r.InFlight.Peak != 2 {
			t.Errorf("%d in flight", r.InFlight.Peak)
		}
	})
}

// What a failure is worth trying again for, how long after it, and what is left of it in the end. Each attempt takes
// a second.
func TestWhatIsRetried(t *testing.T) {
	asked := func(code int, wait time.Duration) *Error {
		return &Error{Class: ClassStatus, Status: code, RetryAfter: wait, Err: errors.New("later")}
	}
	of := func(class Class) *Error { return &Error{Class: class, Err: errors.New("no")} }
	for _, c := range []struct {
		name     string
		err      error
		retries  int
		timeout  time.Duration
		attempts int
		after    time.Duration // Done − Sent
		class    Class         // "": it completes
	}{
		{"429", status(429), 5, 0, 2, 2100 * time.Millisecond, ""},
		{"502", status(502), 5, 0, 2, 2100 * time.Millisecond, ""},
		{"504", status(504), 5, 0, 2, 2100 * time.Millisecond, ""},
		{"dial", of(ClassDial), 5, 0, 2, 2100 * time.Millisecond, ""},
		{"stale", of(ClassStale), 5, 0, 2, 2100 * time.Millisecond, ""},
		{"wrapped", errors.Join(errors.New("so"), status(429)), 5, 0, 2, 2100 * time.Millisecond, ""},
		{"when the server says", asked(429, 7*time.Second), 1, 0, 2, 9 * time.Second, ""},
		{"within the limit", asked(503, 7*time.Second), 1, 10 * time.Second, 2, 9 * time.Second, ""},
		{"not where the wait is beyond the limit", asked(503, 9*time.Second), 1, 10 * time.Second, 1, time.Second,
			ClassStatus},
		{"not where the server says never", asked(503, math.MaxInt64), 1, 10 * time.Second, 1, time.Second,
			ClassStatus},
		{"for one limit over all attempts", asked(503, 7*time.Second), 1, 8400 * time.Millisecond, 2,
			8400 * time.Millisecond, ClassTimeout},
		{"not unless the level says so", status(503), 0, 0, 1, time.Second, ClassStatus},
		{"not a broken engine", status(500), 5, 0, 1, time.Second, ClassStatus},
		{"not a wrong request", asked(400, time.Second), 5, 0, 1, time.Second, ClassStatus},
		{"not a truncation", of(ClassTruncated), 5, 0, 1, time.Second, ClassTruncated},
		{"not an error event", of(ClassServer), 5, 0, 1, time.Second, ClassServer},
		{"not any other error", errors.New("no"), 5, 0, 1, time.Second, ClassTarget},
		{"not a timeout", of(ClassTimeout), 5, 0, 1, time.Second, ClassTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &Generator{Target: failing(1, c.err), Observers: []Observer{{Record: func(r *Record, err *Error) {
					class := Class("")
					if err != nil {
						class = err.Class
					}
					if got := r.E2E(); r.Attempts != c.attempts || class != c.class || got != c.after {
						t.Errorf("%d attempts, %v, class %q; want %d, %v, %q", r.Attempts, got, class, c.attempts,
							c.after, c.class)
					}
				}}}}
				r, err := g.Measure(context.Background(), Level{Concurrency: 1, Requests: 2, Retries: c.retries,
					Timeout: c.timeout})
				if err != nil {
					t.Fatal(err)
				}
				tried := 0
				if r.Retries != nil {
					tried = r.Retries.Attempts
				}
				if tried != 2*(c.attempts-1) || hasWarning(r, WarnRetried) != (c.attempts > 1) {
					t.Errorf("%+v, %v", r.Retries, r.Warnings)
				}
			})
		})
	}
}

// A request that fails to the last attempt has failed once, in the way of the last.
func TestRetriesRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if r.Attempts == 1 {
				return &Error{Class: ClassDial, Err: errors.New("nobody there")}
			}
			return status(503)
		})
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 6, Retries: 3}, target)
		if want := (Accounting{Issued: 6, Failed: 6}); r.Accounting != want {
			t.Errorf("accounting %+v, want %+v", r.Accounting, want)
		}
		if diff := gocmp.Diff([]ErrorCount{{ClassStatus, 503, 6, "status 503: no"}}, r.Errors); diff != "" {
			t.Error(diff)
		}
		want := &Retries{6, 18, []ErrorCount{{ClassDial, 0, 6, "dial: nobody there"},
			{ClassStatus, 503, 12, "status 503: no"}}}
		if diff := gocmp.Diff(want, r.Retries); diff != "" {
			t.Error(diff)
		}
	})
}

// Nothing of a failed attempt is in the record of the next, but when the request was due.
func TestRecordOfARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if r.Attempts == 1 {
				time.Sleep(time.Second)
				r.Sent = r.Now()
				time.Sleep(time.Second)
				r.Status, r.NewConn, r.Opened, r.Counted, r.Output, r.AskedOutput, r.Done = 503, true, 1, true, 5, 5,
					r.Now()
				return status(503)
			}
			due := time.Duration(i) * 10 * time.Second
			want := Record{Index: i, Scheduled: due, Sent: due + 2100*time.Millisecond, Attempts: 2, epoch: r.epoch}
			got := *r
			got.chunks = chunkLog{}
			if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(Record{}, chunkLog{})); diff != "" {
				t.Error(diff)
			}
			r.Sent += time.Millisecond
			time.Sleep(time.Second)
			return nil
		})
		level := Level{Arrivals: Arrivals{Process: ConstantArrivals, Rate: 0.1}, Requests: 3, Retries: 1}
		r := mustMeasure(t, level, target)
		if r.Accounting.Completed != 3 {
			t.Fatal(r.Errors)
		}
		near(t, "E2E", figure(t, r, MeanName(E2E)), 2100)           // from the first Sent
		near(t, "response", figure(t, r, MeanName(Response)), 3100) // from when it was due
		near(t, "send lag", figure(t, r, MeanName(SendLag)), 1000)
	})
}

// An attempt that brought content is not made again, whatever it says of itself: a user has seen it.
func TestContentIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 2, Retries: 3},
			TargetFunc(func(ctx context.Context, i int, r *Record) error {
				r.Chunk(Chunk{})
				return status(503)
			}))
		if r.Retries != nil || r.Accounting.Failed != 2 {
			t.Errorf("%+v %+v", r.Retries, r.Accounting)
		}
	})
}

// A level that is cut short does not wait for what was to be retried.
func TestCancelWhileWaitingToRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		g := &Generator{Target: failing(9, &Error{Class: ClassStatus, Status: 429, RetryAfter: time.Hour,
			Err: errors.New("busy")})}
		g.Observers = []Observer{{Record: func(r *Record, err *Error) {
			if r.Attempts != 1 || r.Done != 5*time.Second || err.Class != ClassCancelled ||
				!strings.Contains(err.Error(), "busy") {
				t.Errorf("%d attempts, done at %v, %v", r.Attempts, r.Done, err)
			}
		}}}
		r, err := g.Measure(ctx, Level{Concurrency: 3, Requests: 10, Retries: 9})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if want := (Accounting{Issued: 3, Cancelled: 3}); r.Accounting != want || r.Retries != nil {
			t.Errorf("accounting %+v, want %+v; %+v", r.Accounting, want, r.Retries)
		}
	})
}

// A target that hangs in an attempt is left behind, and what it took until then is counted.
func TestRetryThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if r.Attempts == 1 {
				return status(503)
			}
			<-release
			r.Chunk(Chunk{}) // with the race detector: nobody else may have it now
			return nil
		})
		var attempts []int
		g := &Generator{Target: target, Observers: []Observer{{Record: func(r *Record,
			err *Error) {
			attempts = append(attempts, r.Attempts)
		}}}}
		r, err := g.Measure(context.Background(), Level{Concurrency: 1, Requests: 1, Retries: 5, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if r.Accounting.Failed != 1 || len(r.Errors) != 1 || r.Errors[0].Class != ClassTimeout ||
			!slices.Equal(attempts, []int{2}) || r.Retries.Attempts != 1 {
			t.Errorf("%+v %v, attempts %v, %+v", r.Accounting, r.Errors, attempts, r.Retries)
		}
		close(release)
		synctest.Wait()
	})
}

// The pauses are a rule without chance.
func TestPause(t *testing.T) {
	var got []time.Duration
	for attempts := 1; attempts <= 9; attempts++ {
		got = append(got, status(503).pause(attempts)/time.Millisecond)
	}
	if want := []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000}; !slices.Equal(got, want) {
		t.Errorf("%d ms, want %d", got, want)
	}
	if d := status(503).pause(MaxRetries); d != 10*time.Second {
		t.Errorf("%v at last", d)
	}
}

func TestMergeRetries(t *testing.T) {
	merge := func(targets ...Target) *Result {
		parts := make([]*Result, len(targets))
		synctest.Test(t, func(t *testing.T) {
			var generators sync.WaitGroup
			for i, target := range targets {
				level := Level{Concurrency: 3, Requests: 9, Retries: 2, Shard: i, Shards: len(targets)}
				generators.Go(func() { parts[i] = mustMeasure(t, level, target) })
			}
			generators.Wait()
		})
		return mustMerge(t, parts...)
	}
	merged := merge(failing(1, status(503)), failing(2, status(429)), failing(0, nil))
	if r := merged.Retries; r == nil || r.Requests != 6 || r.Attempts != 9 || len(r.Errors) != 2 ||
		!hasWarning(merged, WarnRetried) {
		t.Errorf("%+v, %v", r, merged.Warnings)
	}
	if merged := merge(failing(0, nil), failing(0, nil)); merged.Retries != nil || hasWarning(merged, WarnRetried) {
		t.Errorf("%+v of two without", merged.Retries)
	}
}

// Retries that somebody else wrote may have no example.
func TestMergeRetriesWithoutErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, _ := shards(t)
		parts[1].Retries = &Retries{Requests: 2, Attempts: 3}
		w, ok := warning(mustMerge(t, parts...), WarnRetried)
		if !ok || !strings.Contains(w.Message, "2 of ") || !strings.Contains(w.Message,
			"retried, 3 times together; latencies") {
			t.Errorf("%v", w)
		}
	})
}

// A level that is stopped does not wait for what a server asked to be left alone for.
func TestStopEndsTheWaitForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		time.AfterFunc(5*time.Second, func() { close(stop) })
		begun := time.Now()
		g := &Generator{Stop: stop, Target: TargetFunc(func(context.Context, int, *Record) error {
			return &Error{Class: ClassStatus, Status: 429, RetryAfter: 24 * time.Hour, Err: errors.New("busy")}
		})}
		r, err := g.Measure(t.Context(), Level{Concurrency: 2, Requests: 4, Retries: 1})
		if err != nil || time.Since(begun) != 5*time.Second {
			t.Fatalf("after %v: %v", time.Since(begun), err)
		}
		if want := (Accounting{Issued: 2, Failed: 2}); r.Accounting != want || !r.CutShort || r.Retries != nil {
			t.Errorf("%+v, %+v", r.Accounting, r.Retries)
		}
	})
}
