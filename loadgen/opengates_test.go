package loadgen

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Each gate of the open loop fires on the condition it is for, spoils what it says, and on nothing else.
func TestOpenGates(t *testing.T) {
	// server takes one request after the other, each for so long, like a server with a queue.
	server := func(each time.Duration) TargetFunc {
		var mu sync.Mutex // never held while it sleeps
		var free time.Time
		return func(ctx context.Context, i int, r *Record) error {
			mu.Lock()
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(each)
			wait := time.Until(free)
			mu.Unlock()
			time.Sleep(wait)
			return nil
		}
	}
	lateBy := func(late func(i int) time.Duration) TargetFunc {
		return func(ctx context.Context, i int, r *Record) error {
			time.Sleep(late(i))
			r.Sent = r.Now()
			time.Sleep(time.Second)
			return nil
		}
	}
	poisson := Arrivals{Process: PoissonArrivals, Rate: 10}
	for _, c := range []struct {
		name    string
		level   Level
		target  TargetFunc
		want    []string
		spoiled []string
		intact  []string
	}{
		{
			name: "nothing, constant", level: Level{Arrivals: constant(10), Requests: 200},
			target: always(3 * time.Second),
			intact: []string{RequestThroughput, "e2e_p99", "response_p99"},
		},
		{
			name: "nothing, poisson", level: Level{Arrivals: poisson, Requests: 1000}, target: always(3 * time.Second),
			intact: []string{RequestThroughput, "e2e_p99", "response_p99"},
		},
		{
			name: "nothing, a bound that is not reached", level: Level{Arrivals: constant(10), Requests: 200,
				Concurrency: 31}, target: always(3 * time.Second),
		},
		{
			name: "a queue that is well used", level: Level{Arrivals: poisson,
				Requests: 2000}, target: server(70 * time.Millisecond),
		},
		{
			name: "a server of 8 requests/s at 10", target: server(125 * time.Millisecond),
			level: Level{Arrivals: constant(10), Requests: 300, Objectives: []Objective{{E2E, 1000}, {SendLag, 10}}},
			want:  []string{WarnOverloaded},
			spoiled: []string{"e2e_p99", "ttft_mean", "first_answer_p50", "interactivity_p50", "response_p50",
				MeanInFlight,
				AttainmentName(E2E), Attainment, GoodputThroughput},
			intact: []string{RequestThroughput, "send_lag_p99", OfferedRate, AttainmentName(SendLag)},
		},
		{
			name: "the same, poisson", level: Level{Arrivals: poisson, Requests: 600},
			target: server(125 * time.Millisecond),
			want:   []string{WarnOverloaded},
		},
		{
			name: "a level that is over before its first request is", level: Level{Arrivals: constant(10),
				Requests: 100}, target: always(time.Minute),
			want: []string{WarnOverloaded},
		},
		{
			// 2.95 s of 10/s need 30 in flight: one request that takes longer keeps the bound for a moment.
			name: "the bound is met once", level: Level{Arrivals: constant(10), Requests: 2000, Concurrency: 30},
			target: takes(func(i int) time.Duration {
				if i == 500 {
					return 3500 * time.Millisecond
				}
				return 2950 * time.Millisecond
			}),
			want:   []string{WarnDelayed},
			intact: []string{"e2e_p99", "response_p99"},
		},
		{
			name: "the bound is met now and then", target: always(3 * time.Second),
			level: Level{Arrivals: poisson, Requests: 1000, Concurrency: 36, Objectives: []Objective{{E2E, 4000}}},
			want:  []string{WarnDelayed},
			spoiled: []string{"e2e_p50", "ttft_p99", "first_choice_mean", "first_answer_p99", AttainmentName(E2E),
				Attainment, GoodputThroughput},
			intact: []string{"response_p99", RequestThroughput, "tpot_mean"},
		},
		{
			name: "always late by more than a tenth of a gap", level: Level{Arrivals: constant(10), Requests: 200},
			target:  lateBy(func(int) time.Duration { return 11 * time.Millisecond }),
			want:    []string{WarnRateNotReached},
			spoiled: []string{"e2e_p99", RequestThroughput},
		},
		{
			name: "late by less", level: Level{Arrivals: constant(10), Requests: 200},
			target: lateBy(func(int) time.Duration { return 9 * time.Millisecond }),
		},
		{
			name: "late by what timers take, at a high rate", level: Level{Arrivals: constant(1000), Requests: 5000},
			target: lateBy(func(int) time.Duration { return 4 * time.Millisecond }),
		},
		{
			name: "ever later", level: Level{Arrivals: constant(10), Requests: 200},
			target:  lateBy(func(i int) time.Duration { return time.Duration(i) * 10 * time.Millisecond }),
			want:    []string{WarnRateNotReached},
			spoiled: []string{"e2e_p99", RequestThroughput},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := mustMeasure(t, c.level, c.target)
				if !slices.Equal(openCodes(r), c.want) {
					t.Errorf("warnings %v, want %v; %+v", r.Warnings, c.want, r.Open)
				}
				checkSpoiled(t, r, c.spoiled, c.intact)
			})
		})
	}
}

// A burst has no rate, and a single request none either: there are no such figures, rather than some that are 0.
func TestRatesThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, trace := range [][]time.Duration{{0, 0, 0}, {5}} {
			r := mustMeasure(t, Level{Arrivals: Arrivals{Process: TraceArrivals, Trace: trace}}, always(time.Second))
			for _, name := range []string{OfferedRate, AchievedRate} {
				if f, ok := r.Figure(name); ok {
					t.Errorf("%v has %v", trace, f)
				}
			}
			if len(openCodes(r)) != 0 || r.Accounting.Completed != len(trace) {
				t.Errorf("%v: %v %+v", trace, r.Warnings, r.Accounting)
			}
		}
	})
}
