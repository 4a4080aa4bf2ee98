package loadgen

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// ticks is a target that sends only at whole multiples of a tick, as a client does whose timers are no finer, and has
// an answer after so long.
func ticks(tick, answer time.Duration) TargetFunc {
	return func(ctx context.Context, i int, r *Record) error {
		if past := r.Now() % tick; past > 0 {
			time.Sleep(tick - past)
		}
		r.Sent = r.Now()
		time.Sleep(answer)
		return nil
	}
}

// A schedule that was sent in bursts is told, at the mean rate that it has all the same; one that was sent as
// scheduled, or evenly late, is not.
func TestBursts(t *testing.T) {
	for _, c := range []struct {
		name    string
		a       Arrivals
		target  TargetFunc
		want    []string
		least   float64 // of Uneven,
		most    float64
		spoiled []string
		intact  []string
	}{
		{"10,000/s as scheduled", constant(10_000), always(time.Millisecond), nil, 0, 0, nil, nil},
		{"the same, poisson", poisson(10_000), always(time.Millisecond), nil, 0, 0, nil, nil},
		{"10,000/s by ticks of 1 ms", constant(10_000), ticks(time.Millisecond, 2*time.Millisecond),
			[]string{WarnBursty}, 1.7, 1.9,
			[]string{"e2e_p50", "response_p99"}, []string{RequestThroughput, AchievedRate}},
		{"the same, and it is little beside what is measured", constant(10_000), ticks(time.Millisecond,
			50*time.Millisecond), []string{WarnBursty}, 1.7, 1.9,
			nil, []string{"e2e_p50", RequestThroughput}},
		{"poisson by ticks", poisson(10_000), ticks(time.Millisecond, 2*time.Millisecond), []string{WarnBursty}, 1.5, 2,
			[]string{"e2e_p50"}, []string{RequestThroughput}},
		{"1000/s two by two", constant(1000), ticks(2*time.Millisecond, time.Second), []string{WarnBursty}, 0.99, 1.01,
			nil, []string{"e2e_p50"}},
		{"1000/s by ticks of 1.3 ms", constant(1000), ticks(1300*time.Microsecond, time.Second), nil, 0.3, 0.5, nil,
			nil},
		{"100/s by ticks of 1 ms", poisson(100), ticks(time.Millisecond, time.Second), nil, 0, 0.1, nil, nil},
		{"evenly late by four gaps", constant(1000), func(ctx context.Context, i int, r *Record) error {
			time.Sleep(4 * time.Millisecond)
			r.Sent = r.Now()
			return nil
		}, nil, 0, 0, nil, nil},
		{"a client that stands still for 4 of every 20 ms", constant(10_000), func(ctx context.Context, i int,
			r *Record) error {
			if past := r.Now() % (20 * time.Millisecond); past < 4*time.Millisecond {
				time.Sleep(4*time.Millisecond - past)
			}
			r.Sent = r.Now()
			time.Sleep(time.Second)
			return nil
		}, nil, 0.3, 0.45, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := Level{Arrivals: c.a, Duration: time.Duration(max(200/c.a.Rate, 0.5) * 1e9), Warmup: 10}
				r := mustMeasure(t, l, c.target)
				// in so short a time the server hardly fills
				got := slices.DeleteFunc(openCodes(r), func(code string) bool { return code == WarnOverloaded })
				if !slices.Equal(got, c.want) {
					t.Errorf("warnings %v, want %v", r.Warnings, c.want)
				}
				if o := r.Open; o.Uneven < c.least || o.Uneven > c.most || o.Gaps < 150 ||
					o.Gaps >= r.Accounting.Issued {
					t.Errorf("%+v, want from %v to %v", o, c.least, c.most)
				}
				w, _ := warning(r, WarnBursty)
				for name, want := range map[bool][]string{true: c.spoiled, false: c.intact} {
					for _, figure := range want {
						if w.SpoilsFigure(figure) != name {
							t.Errorf("%s is spoiled: %v", figure, !name)
						}
					}
				}
			})
		})
	}
}

// Gaps are between arrivals, in whatever order their requests are over, and those of a generator its own.
func TestGapsInAnyOrder(t *testing.T) {
	order := []int{3, 1, 2, 5, 4, 9, 8, 7, 6, 10}
	g := new(gaps)
	for _, nth := range order {
		g.add(nth, time.Duration(nth%2)*time.Millisecond) // two by two
	}
	o := &OpenLoop{Offered: 1000}
	if g.tell(o); o.Gaps != 9 || o.Uneven != 1 || o.Spread != 0.5 {
		t.Errorf("%+v, want 9 gaps, each off by as much as it is long", o)
	}
	synctest.Test(t, func(t *testing.T) {
		l := Level{Arrivals: constant(3000), Requests: 6000}
		parts, _ := sharded(t, l, 3, ticks(4*time.Millisecond, 20*time.Millisecond)) // 1000/s of each, four by four
		r := mustMerge(t, parts...)
		for _, part := range append(parts, r) {
			if part.Open.Uneven < 1.49 || part.Open.Uneven > 1.51 || !hasWarning(part, WarnBursty) {
				t.Errorf("%+v, %v", part.Open, part.Warnings)
			}
		}
	})
}
