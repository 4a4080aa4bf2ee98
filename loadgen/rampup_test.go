package loadgen

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// Slot k of 3 starts at k·10 s ÷ 3, to the nanosecond, and all three are in flight from then on.
func TestRampUpOfSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, seen := observed(t, Level{Concurrency: 3, Requests: 3, RampUp: 10 * time.Second}, always(time.Minute))
		for i, want := range []time.Duration{0, 3_333_333_333, 6_666_666_666} {
			if seen[i].Sent != want || seen[i].Scheduled != want {
				t.Errorf("request %d: scheduled %v, sent %v, want %v", i, seen[i].Scheduled, seen[i].Sent, want)
			}
		}
		if r.InFlight.Peak != 3 {
			t.Errorf("peak %d, want 3", r.InFlight.Peak)
		}
	})
	// No overflow in a ramp of centuries.
	if got := (Level{Concurrency: MaxConcurrency,
		RampUp: math.MaxInt64}).slotStart(MaxConcurrency / 2); got != math.MaxInt64/2 {
		t.Errorf("the middle slot starts at %v, want the middle", got)
	}
}

// Four slots start at 0, 2.1, 4.2 and 6.3 s, and each sends a request a second. Before the last of them starts, the
// others have issued 7, 5 and 3. With these as the warmup, its first request is the first that is measured, and the
// steady window opens when the last request of the warmup, which was sent at 6.2 s, is over.
func TestSteadyWindowAfterRampUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := Level{Concurrency: 4, Requests: 200, Warmup: 15, RampUp: 8400 * ms,
			Objectives: []Objective{{E2E, 2000}}}
		r := mustMeasure(t, level, always(time.Second))
		if r.FirstSent != 6300*ms || r.Steady == nil || r.Steady.From != 7200*ms {
			t.Fatalf("measured from %v, steady %+v: want 6.3 s and 7.2 s", r.FirstSent, r.Steady)
		}
		near(t, "in flight inside the window", r.Steady.InFlight, 4)
		if got := openCodes(r); len(got) != 0 {
			t.Errorf("warnings %v", r.Warnings)
		}

		// Latencies are of the ramp's load from more than 1 % of the requests on, however long the level.
		for warmup, want := range map[int]int{12: 3, 13: 2} {
			level.Warmup = warmup
			r = mustMeasure(t, level, always(time.Second))
			if r.InFlight.InRamp != want || hasWarning(r, WarnRampDominated) != (want == 3) {
				t.Errorf("%d in the ramp, want %d; warnings %v", r.InFlight.InRamp, want, r.Warnings)
			}
			if want == 3 {
				checkSpoiled(t, r, []string{"e2e_p99", Attainment, "attainment_e2e"},
					[]string{RequestThroughput, SteadyRequestThroughput, MeanInFlight})
			}
		}

		// A ramp without a warmup is measured, and told.
		level.Warmup, level.Requests = 0, 60
		r = mustMeasure(t, level, always(time.Second))
		if r.FirstSent != 0 || r.InFlight.InRamp != 15 || !hasWarning(r, WarnRampDominated) {
			t.Errorf("measured from %v, %d in the ramp, warnings %v", r.FirstSent, r.InFlight.InRamp, r.Warnings)
		}
		checkSpoiled(t, r, []string{RequestThroughput, "e2e_p99", Attainment},
			[]string{SteadyRequestThroughput, MeanInFlight})
		if r.Steady == nil || r.Steady.From < 6300*ms {
			t.Errorf("steady %+v: want it after all slots have started", r.Steady)
		}
	})
}

// Whatever ends a level ends the wait of the slots that have not started.
func TestRampUpEndsWithTheLevel(t *testing.T) {
	why := errors.New("enough")
	for _, c := range []struct {
		name string
		l    Level
		end  string
		want Accounting
		took time.Duration
	}{
		{"stop", Level{Concurrency: 2, Requests: 100}, "stop", Accounting{Issued: 1, Completed: 1}, 10 * time.Second},
		{"cancel", Level{Concurrency: 2, Requests: 100}, "cancel", Accounting{Issued: 1, Cancelled: 1}, time.Second},
		{"all requests", Level{Concurrency: 2, Requests: 3}, "", Accounting{Issued: 3, Completed: 3}, 30 * time.Second},
		{"time", Level{Concurrency: 2, Duration: 15 * time.Second}, "", Accounting{Issued: 2, Completed: 2},
			20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.l.RampUp = 2 * time.Hour
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				stop := make(chan struct{})
				time.AfterFunc(time.Second, func() {
					switch c.end {
					case "stop":
						close(stop)
					case "cancel":
						cancel(why)
					}
				})
				begun := time.Now()
				r, err := (&Generator{Target: always(10 * time.Second), Stop: stop}).Measure(ctx, c.l)
				if errors.Is(err, why) != (c.end == "cancel") || r.Accounting != c.want || r.CutShort != (c.end != "") {
					t.Errorf("%v, %+v, cut short %v; want %+v", err, r.Accounting, r.CutShort, c.want)
				}
				if took := time.Since(begun); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
			})
		})
	}
}

// At 2/s, ramped up over 8 s, the i-th request of a constant rate is due when t²/8 = i, until 8 of them have come at 8
// s; from there on every half a second.
func TestRampUpOfARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, seen := observed(t, Level{Arrivals: constant(2), Requests: 12, RampUp: 8 * time.Second}, always(time.Hour))
		want := []time.Duration{0, 2_828_427_125, 4_000_000_000, 4_898_979_486, 5_656_854_249, 6_324_555_320,
			6_928_203_230, 7_483_314_774,
			8_000_000_000, 8_500_000_000, 9_000_000_000, 9_500_000_000}
		for i, q := range seen {
			if q.Scheduled != want[i] || q.Sent != want[i] {
				t.Errorf("request %d: scheduled %v, sent %v, want %v", i, q.Scheduled, q.Sent, want[i])
			}
		}
	})
}

// With random gaps a ramp-up of 100 s to 1000/s has half of the requests of the full rate, a quarter of these in its
// first half, and the full rate afterwards. The gaps are those of the level without a ramp, of the same seed.
func TestRampUpOfRandomArrivals(t *testing.T) {
	for _, a := range []Arrivals{
		constant(1000),
		{Process: PoissonArrivals, Rate: 1000},
		{Process: GammaArrivals, Rate: 1000, Burstiness: 4},
		{Process: GammaArrivals, Rate: 1000, Burstiness: 0.5},
	} {
		level := Level{Arrivals: a, Requests: 100_000, Seed: 3}
		flat := dueTimes(t, level, 100_000)
		level.RampUp = 100 * time.Second
		due := dueTimes(t, level, 100_000)
		count := func(from, to time.Duration) float64 {
			n := 0
			for _, d := range due {
				if d >= from && d < to {
					n++
				}
			}
			return float64(n)
		}
		for _, c := range []struct {
			from, to time.Duration
			want     float64
		}{
			{0, 50 * time.Second, 12_500},
			{50 * time.Second, 100 * time.Second, 37_500},
			{100 * time.Second, 140 * time.Second, 40_000},
		} {
			// Five standard deviations of the least even process: √(2n).
			if got := count(c.from, c.to); math.Abs(got-c.want) > 5*math.Sqrt(2*c.want) {
				t.Errorf("%v: %v arrivals from %v to %v, want %v", a, got, c.from, c.to, c.want)
			}
		}
		for i, d := range due {
			// As much of the rate has gone by at d as at the full rate at flat[i].
			at := d.Seconds()
			gone := at*at/200 + max(0, at-100) - max(0, at*at-100*100)/200
			if math.Abs(gone-flat[i].Seconds()) > 1e-6 {
				t.Fatalf("%v: request %d is due at %v, when the ramp has %v s of the full rate, want %v", a, i, d,
					gone, flat[i])
			}
		}
	}
}

// Arrivals of the ramp that are measured are told, and those of a ramp that the warmup covers are not: at 10/s over 10
// s 50 are due before its end, the 51st at it.
func TestRampUpGate(t *testing.T) {
	for warmup, want := range map[int]int{50: 0, 49: 1, 40: 10, 0: 50} {
		synctest.Test(t, func(t *testing.T) {
			r := mustMeasure(t, Level{Arrivals: constant(10), Requests: 200, Warmup: warmup,
				RampUp: 10 * time.Second}, always(3*time.Second))
			if r.Open.InRamp != want {
				t.Errorf("warmup of %d: %d measured in the ramp, want %d", warmup, r.Open.InRamp, want)
			}
			var codes []string
			if want > 2 { // over 1 % of 200
				codes = []string{WarnRampDominated}
			}
			if got := openCodes(r); !slices.Equal(got, codes) {
				t.Errorf("warmup of %d: warnings %v, want %v", warmup, r.Warnings, codes)
			}
		})
	}
}

func TestRampUpValidate(t *testing.T) {
	for _, l := range []Level{
		{Concurrency: 1, Requests: 1, RampUp: -1},
		{Arrivals: Arrivals{Process: TraceArrivals, Trace: []time.Duration{0, 1}}, RampUp: 1},
	} {
		var invalid *InvalidError
		if err := l.Validate(); !errors.As(err, &invalid) || invalid.Field != "ramp-up" {
			t.Errorf("%+v: %v, want an error about the ramp-up", l, err)
		}
	}
}
