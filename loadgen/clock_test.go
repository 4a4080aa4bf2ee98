package loadgen

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Two generators whose clocks differ by 80 ms drive one level of 2 s: where they start by their own clocks, one is 4
// % of the time alone, and the merged result says so, from the offsets that the results carry.
func TestClocksThatDiffer(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		clocks [2]*ClockOffset
		apart  time.Duration // that they started in truth
		warns  bool
		spoils []string
		intact []string
	}{
		{"nobody compared them", [2]*ClockOffset{}, 0, false, nil, []string{RequestThroughput}},
		{"they agree", [2]*ClockOffset{{}, {Offset: 2 * ms, Error: ms}}, 2 * ms, false, nil,
			[]string{RequestThroughput}},
		{"80 ms, by their own clocks", [2]*ClockOffset{{}, {Offset: 80 * ms, Error: ms}}, 80 * ms, true,
			[]string{RequestThroughput}, []string{SteadyRequestThroughput, "e2e_p99"}},
		{"80 ms, by that of the other", [2]*ClockOffset{nil, {Offset: 80 * ms, Error: ms}}, 80 * ms, true,
			[]string{RequestThroughput}, nil},
		{"80 ms behind", [2]*ClockOffset{{Error: ms}, {Offset: -80 * ms, Error: ms}}, 80 * ms, true,
			[]string{RequestThroughput}, []string{SteadyRequestThroughput}},
		{"80 ms, and started together", [2]*ClockOffset{{}, {Offset: 80 * ms, Error: ms}}, 0, true, nil,
			[]string{RequestThroughput, SteadyRequestThroughput}},
		{"it is hardly known", [2]*ClockOffset{{Error: ms}, {Offset: 2 * ms, Error: 30 * ms}}, 0, true,
			[]string{RequestThroughput, SteadyRequestThroughput}, []string{"e2e_p99"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := Level{Concurrency: 4, Requests: 80, Shards: 2}
				parts, done := make([]*Result, 2), make(chan struct{})
				for k := range parts {
					go func() {
						defer func() { done <- struct{}{} }()
						time.Sleep(c.apart * time.Duration(k))
						l := l
						l.Shard = k
						var err error
						if parts[k], err = (&Generator{Target: always(100 * ms),
							Clock: c.clocks[k]}).Measure(t.Context(), l); err != nil {
							t.Error(err)
						}
						if clock := parts[k].Clock; clock != nil {
							parts[k].Start = parts[k].Start.Add(clock.Offset) // what such a clock says
						}
					}()
				}
				<-done
				<-done
				slices.Reverse(parts)
				r := mustMerge(t, parts...)
				if r.Makespan != 2*time.Second+c.apart {
					t.Errorf("makespan %v, want 2 s and %v", r.Makespan, c.apart)
				}
				if hasWarning(r, WarnClockOffset) != c.warns {
					t.Errorf("warnings %v", r.Warnings)
				}
				checkSpoiled(t, r, c.spoils, c.intact)
			})
		})
	}
}

// What no comparison of clocks says is refused before anything is measured.
func TestClockOffsetValidate(t *testing.T) {
	for _, c := range []*ClockOffset{{Error: -1}, {Offset: 1<<63 - 1}, {Offset: -1 << 63}} {
		var invalid *InvalidError
		g := &Generator{Target: always(0), Clock: c}
		if err := g.Validate(Level{Concurrency: 1, Requests: 1}); !errors.As(err, &invalid) ||
			invalid.Field != "clock offset" {
			t.Errorf("%+v: %v, want an error of the clock offset", c, err)
		}
	}
}
