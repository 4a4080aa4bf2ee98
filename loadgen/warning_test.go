package loadgen

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func codes(r *Result) []string {
	var out []string
	for _, w := range r.Warnings {
		out = append(out, w.Code)
	}
	return out
}

// checkSpoiled checks which figures the warnings of a result forbid, and which they leave.
func checkSpoiled(t *testing.T, r *Result, spoiled, intact []string) {
	t.Helper()
	spoils := func(name string) bool {
		return slices.ContainsFunc(r.Warnings, func(w Warning) bool { return w.SpoilsFigure(name) })
	}
	for _, name := range spoiled {
		if !spoils(name) {
			t.Errorf("%s is not spoiled", name)
		}
	}
	for _, name := range intact {
		if spoils(name) {
			t.Errorf("%s is spoiled", name)
		}
	}
}

// Each gate fires on the condition it is for, spoils what it says, and on nothing else.
func TestGates(t *testing.T) {
	counted := func(d time.Duration, asked int) TargetFunc {
		return func(ctx context.Context, i int, r *Record) error {
			time.Sleep(d)
			r.Counted, r.Input, r.Output = true, 4, 4
			r.AskedOutput = asked
			return nil
		}
	}
	varying := func(ctx context.Context, i int, r *Record) error {
		time.Sleep(time.Duration(1+i%5) * time.Second)
		r.Counted, r.Input, r.Output = true, 4, 4
		return nil
	}
	for _, c := range []struct {
		name    string
		level   Level
		target  TargetFunc
		want    []string
		spoiled []string
		intact  []string
	}{
		{
			name: "nothing", level: Level{Concurrency: 4, Requests: 40}, target: counted(time.Second, 4),
			intact: []string{TotalThroughput, SteadyTotalThroughput, "e2e_p99"},
		},
		{
			name: "fewer requests than the concurrency", level: Level{Concurrency: 50,
				Requests: 20}, target: counted(time.Second, 4),
			want:    []string{WarnPromptCapped, WarnNoSteadyWindow},
			spoiled: []string{TotalThroughput, SteadyTotalThroughput, "e2e_p99", PeakInFlight},
		},
		{
			name:  "fewer requests than the concurrency, hidden by a warmup",
			level: Level{Concurrency: 50, Requests: 20, Warmup: 50}, target: counted(time.Second, 4),
			want:    []string{WarnPromptCapped, WarnNoSteadyWindow},
			spoiled: []string{TotalThroughput, "e2e_p99"},
		},
		{
			// 4 at a time but the requests are of uneven length, and at the end the long ones are alone.
			name: "the drain weighs in the makespan", level: Level{Concurrency: 4, Requests: 17}, target: varying,
			want:    []string{WarnRampDominated, WarnShortWindow},
			spoiled: []string{TotalThroughput, RequestThroughput, SteadyTotalThroughput},
			intact:  []string{"e2e_p99", MeanInFlight},
		},
		{
			// A target that takes half of its time before its request is sent holds slots, and loads the server half.
			name: "the client is slow", level: Level{Concurrency: 4, Requests: 40},
			target: func(ctx context.Context, i int, r *Record) error {
				time.Sleep(time.Second)
				r.Sent = r.Now()
				return counted(time.Second, 4)(ctx, i, r)
			},
			want:    []string{WarnRampDominated, WarnConcurrencyNotReached},
			spoiled: []string{TotalThroughput, SteadyTotalThroughput},
			intact:  []string{"e2e_p99"},
		},
		{
			name: "counts other than asked for", level: Level{Concurrency: 4, Requests: 40},
			target: counted(time.Second, 5),
			want:   []string{WarnTokenMismatch},
			intact: []string{TotalThroughput},
		},
		{
			name: "no counts", level: Level{Concurrency: 4, Requests: 40}, target: always(time.Second),
			want:    []string{WarnTokensUnknown},
			spoiled: []string{TotalThroughput, SteadyOutputThroughput},
			intact:  []string{RequestThroughput, SteadyRequestThroughput},
		},
		{
			name: "some fail", level: Level{Concurrency: 4, Requests: 400},
			target: func(ctx context.Context, i int, r *Record) error {
				if i%80 == 0 { // 5 of 400
					time.Sleep(time.Second)
					return &Error{Class: ClassStatus, Status: 500, Err: context.Canceled}
				}
				return counted(time.Second, 4)(ctx, i, r)
			},
			want:    []string{WarnFailedRequests, WarnCensored},
			spoiled: []string{RequestThroughput, "e2e_p99"},
		},
		{
			name: "one in a hundred fails", level: Level{Concurrency: 4, Requests: 400},
			target: func(ctx context.Context, i int, r *Record) error {
				if i%100 == 0 {
					time.Sleep(time.Second)
					return &Error{Class: ClassStatus, Status: 500, Err: context.Canceled}
				}
				return counted(time.Second, 4)(ctx, i, r)
			},
			want:   []string{WarnFailedRequests, WarnCensored},
			intact: []string{RequestThroughput, "e2e_p99"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := mustMeasure(t, c.level, c.target)
				if got := codes(r); !slices.Equal(got, c.want) {
					t.Fatalf("warnings %v, want %v\n%+v\n%+v", got, c.want, r.InFlight, r.Steady)
				}
				checkSpoiled(t, r, c.spoiled, c.intact)
				for _, name := range c.intact {
					if _, ok := r.Figure(name); !ok {
						t.Errorf("there is no figure %s", name)
					}
				}
			})
		})
	}
}

// A share of all is 100 %, and not 1e+02.
func TestWarningsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 16}, TargetFunc(func(context.Context, int, *Record) error {
			return &Error{Class: ClassDial, Err: context.Canceled}
		}))
		i := slices.IndexFunc(r.Warnings, func(w Warning) bool { return w.Code == WarnFailedRequests })
		if i < 0 || !strings.HasPrefix(r.Warnings[i].Message, "16 of 16 requests (100 %, warmup included) failed") {
			t.Errorf("%v", r.Warnings)
		}
	})
}

func TestSpoilsFigure(t *testing.T) {
	for _, c := range []struct {
		spoils []string
		figure string
		want   bool
	}{
		{nil, TotalThroughput, false},
		{[]string{All}, "anything", true},
		{[]string{Steady}, SteadyTotalThroughput, true},
		{[]string{Steady}, TotalThroughput, false},
		{[]string{TotalThroughput}, TotalThroughput, true},
		{[]string{"total"}, TotalThroughput, false},
	} {
		if got := (Warning{Spoils: c.spoils}).SpoilsFigure(c.figure); got != c.want {
			t.Errorf("%v spoils %s: %v, want %v", c.spoils, c.figure, got, c.want)
		}
	}
}
