package loadgen

import (
	"context"
	"encoding/json"
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/servegauge/servegauge/loadgen/internal/procstat"
)

// What is fed to a watch comes out by hand: wakes 0 … 100 ms late, a second of CPU time in four, and so on.
func TestWatchArithmetic(t *testing.T) {
	buckets := []float64{math.Inf(-1), 0.001, 0.002, 0.004, math.Inf(1)}
	w := &watch{
		usage: usage{cpu: 3 * time.Second, hasCPU: true, throttled: time.Second, hasThrottl: true, cycles: 7,
			pauses: &metrics.Float64Histogram{Counts: []uint64{1, 0, 4, 0}, Buckets: buckets}, heap: 10},
		heapPeak: 30,
	}
	for late := range 101 {
		w.woke(time.Duration(late) * time.Millisecond)
	}
	w.woke(-time.Millisecond) // a clock's rounding: not late
	now := usage{cpu: 4 * time.Second, hasCPU: true, throttled: 1100 * time.Millisecond, hasThrottl: true, cycles: 9,
		pauses: &metrics.Float64Histogram{Counts: []uint64{1, 3, 5, 0}, Buckets: buckets}, heap: 20}
	c := w.saw(4*time.Second, now)
	if used, ok := c.CPUs(); !ok || used != 0.25 {
		t.Errorf("%v CPUs", used)
	}
	if c.Throttled == nil || *c.Throttled != 100*time.Millisecond {
		t.Errorf("throttled for %v", c.Throttled)
	}
	// 0, 0, 1, …, 100: the mean is 5050/102, and rank 99.99 of 0 … 101 is 98.99.
	near(t, "mean lag", c.SchedulingLag.Mean, 5050.0/102)
	near(t, "p99 lag", c.SchedulingLag.P99, 98.99)
	if c.SchedulingLag.Max != 100 || c.SchedulingLag.N != 102 {
		t.Errorf("lag %+v", c.SchedulingLag)
	}
	// Three pauses of up to 2 ms and one of up to 4 ms.
	if want := (GC{Cycles: 2, Pauses: 10 * time.Millisecond, LongestPause: 4 * time.Millisecond,
		HeapPeak: 30}); c.GC != want {
		t.Errorf("GC %+v, want %+v", c.GC, want)
	}
}

// A pause beyond the last bound is at least that long.
func TestPauseWithoutBound(t *testing.T) {
	buckets := []float64{0, 0.5, math.Inf(1)}
	total, longest := pauses(&metrics.Float64Histogram{Counts: []uint64{0, 0}, Buckets: buckets},
		&metrics.Float64Histogram{Counts: []uint64{1, 2}, Buckets: buckets})
	if total != 1500*time.Millisecond || longest != 500*time.Millisecond {
		t.Errorf("%v, longest %v", total, longest)
	}
}

// What is not known is not there, and not 0.
func TestWatchUnknown(t *testing.T) {
	c := new(watch).saw(time.Second, usage{})
	if _, ok := c.CPUs(); ok || c.CPUTime != nil || c.Throttled != nil || c.SchedulingLag != nil ||
		c.Descriptors != nil || c.Reconnects != nil {
		t.Errorf("%+v", c)
	}
	text, err := json.Marshal(c)
	if err != nil || strings.Contains(string(text), "null") || strings.Contains(string(text), "cpu_time") {
		t.Errorf("%s, %v", text, err)
	}
	if _, ok := (*ClientWatch)(nil).CPUs(); ok {
		t.Error("no watch knows the CPU time")
	}
}

func TestCPUsAllowed(t *testing.T) {
	all := float64(min(runtime.GOMAXPROCS(0), runtime.NumCPU()))
	for quota, want := range map[float64]float64{0.5: 0.5, all + 1: all} {
		if got := (&watch{has: true, quota: procstat.Quota{CPUs: quota}}).allowed(); got != want {
			t.Errorf("quota %v: %v CPUs, want %v", quota, got, want)
		}
	}
	if got := new(watch).allowed(); got != all {
		t.Errorf("no quota: %v CPUs, want %v", got, all)
	}
}

// The watch lasts as long as the level, and wakes ten times a second; in virtual time it is never late.
func TestWatchOfALevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 20}, always(time.Second))
		c := r.Client
		if c == nil || c.Elapsed != 10*time.Second || c.CPUsAllowed <= 0 {
			t.Fatalf("%+v", c)
		}
		if lag := c.SchedulingLag; lag == nil || lag.Max != 0 || lag.N < 90 || lag.N > 110 {
			t.Errorf("lag %+v, want some hundred wakes on time", lag)
		}
		if c.Verdict.Judged {
			t.Error("20 requests were enough to judge")
		}
		if d := c.Descriptors; d != nil && (d.Open <= 0 || d.Limit <= 0 || d.Needed != 2) {
			t.Errorf("%+v", d)
		}
	})
}

type opened struct{ TargetFunc }

func (opened) Open(context.Context, int) error { return nil }

// The first connection of a slot is needed, and another one is a reconnect; a warmup's is not measured.
func TestReconnects(t *testing.T) {
	connecting := func(at ...int) TargetFunc {
		return func(ctx context.Context, i int, r *Record) error {
			time.Sleep(time.Second)
			r.NewConn = slices.Contains(at, i)
			return nil
		}
	}
	for name, c := range map[string]struct {
		target Target
		want   int // -1: not known
	}{
		"not told":               {connecting(), -1},
		"opened before":          {opened{connecting()}, 0},
		"one a slot":             {connecting(0, 1), 0},
		"two more":               {connecting(0, 1, 5, 8), 2},
		"one more in the warmup": {connecting(0, 1, 2, 8), 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := mustMeasure(t, Level{Concurrency: 2, Requests: 10, Warmup: 4}, c.target)
			got := -1
			if r.Client.Reconnects != nil {
				got = *r.Client.Reconnects
			}
			if got != c.want {
				t.Errorf("%s: %d reconnects, want %d", name, got, c.want)
			}
		})
	}
}

func TestFewDescriptors(t *testing.T) {
	for _, c := range []struct {
		d   *Descriptors
		few bool
	}{
		{nil, false}, {&Descriptors{Open: 24, Needed: 1000, Limit: 1024}, false}, {&Descriptors{Open: 25, Needed: 1000,
			Limit: 1024}, true},
	} {
		r := &Result{Client: &ClientWatch{Descriptors: c.d}}
		w := r.clientWarnings()
		if (len(w) == 1) != c.few || c.few && (w[0].Code != WarnFewDescriptors || !strings.Contains(w[0].Message,
			"ulimit -n") || !strings.Contains(w[0].Message, "1,024 are allowed")) {
			t.Errorf("%+v: %v", c.d, w)
		}
	}
}

// A merged result has no one client, and keeps what each warned of.
func TestMergeKeepsTheClientsWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, _ := sharded(t, Level{Concurrency: 2, Requests: 20}, 2, always(time.Second))
		a, b := parts[0], parts[1]
		w := Warning{Code: WarnClientBound, Message: "busy"}
		b.Warnings = append(b.Warnings, w)
		merged, err := MergeResults(a, b)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := warning(merged, WarnClientBound)
		if diff := gocmp.Diff(w, got); diff != "" || merged.Client != nil {
			t.Errorf("%+v: %s", merged.Client, diff)
		}
	})
}

// A process that stands still for the last 40 of every 100 ms, as a quota makes it, is seen to in the share of wakes
// that fall into that, wherever in the period the watch began, and whatever the seed. With wakes every 100 ms it
// would be all or none.
func TestWakesDoNotFollowAPeriod(t *testing.T) {
	for _, period := range []time.Duration{100 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond} {
		for seed := range uint64(20) {
			w := newWatch(seed).ready().begin()
			w.end()
			at, late, n := time.Duration(seed)*7*time.Millisecond, 0, 2000
			for range n {
				at += w.pause()
				if stall := at%period - period*6/10; stall >= 0 {
					late++
					at += period*4/10 - stall
				}
			}
			if share := float64(late) / float64(n); share < 0.3 || share > 0.5 {
				t.Errorf("period %v, seed %d: %.3f of the wakes were late, want 0.4", period, seed, share)
			}
		}
	}
	a, b := newWatch(7).ready().begin(), newWatch(7).ready().begin()
	a.end()
	b.end()
	if a.pause() != b.pause() {
		t.Error("the same seed had other wakes")
	}
}

// A step of the system's clock is seen, whichever way and however it is hidden among readings that are off for a
// moment; slewing is none.
func TestClockSteps(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		readings []time.Duration // of the system's clock against the monotonic one, one after the other; the last one stays
		looks    int
		want     time.Duration
	}{
		"none":                       {[]time.Duration{0}, 5, 0},
		"forwards":                   {[]time.Duration{0, 80 * ms}, 5, 80 * ms},
		"backwards":                  {[]time.Duration{0, 0, -2 * time.Second}, 5, -2 * time.Second},
		"there and back":             {[]time.Duration{0, 5 * ms, 5 * ms, 5 * ms, 5 * ms, -3 * ms}, 5, -8 * ms},
		"the largest of two":         {[]time.Duration{10 * ms, 10 * ms, 10 * ms, 10 * ms, 13 * ms}, 5, 10 * ms},
		"slewed, 500 ppm":            {[]time.Duration{0, 75_000, 150_000, 225_000, 300_000}, 5, 0},
		"a delay between two clocks": {[]time.Duration{0, 4 * ms, 0}, 5, 0},
		"two such delays":            {[]time.Duration{0, 4 * ms, 7 * ms, 0, -5 * ms, 0}, 5, 0},
		"just not":                   {[]time.Duration{0, ms}, 5, 0},
	} {
		next := 0
		w := &watch{ahead: func() time.Duration {
			off := c.readings[min(next, len(c.readings)-1)]
			next++
			return off
		}}
		for range c.looks {
			w.lookAtClock()
		}
		if got := w.saw(time.Second, usage{}).ClockStep; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) { // in which the clocks are one
		if r := mustMeasure(t, Level{Concurrency: 2, Requests: 20}, always(time.Second)); r.Client.ClockStep != 0 ||
			hasWarning(r, WarnClockStep) {
			t.Errorf("%v", r.Warnings)
		}
	})
}

// What a step spoils is what goes by the kernel's stamps, if there are any.
func TestClockStepSpoils(t *testing.T) {
	for kernel, spoiled := range map[int]map[string]bool{
		0: {"chunk_lateness_p99": true, "ttft_p50": false, "itl_mean": false, RequestThroughput: false},
		9: {"chunk_lateness_p99": true, "ttft_p50": true, "itl_mean": true, "e2e_p99": true, Attainment: true,
			"send_lag_p99": false, RequestThroughput: false},
	} {
		r := &Result{Level: Level{Concurrency: 1, Requests: 9, Objectives: []Objective{{TTFT, 100}}},
			Client: &ClientWatch{ClockStep: -time.Second}, Stamps: Stamps{Client: 3, Kernel: kernel}}
		warnings := r.clientWarnings()
		if len(warnings) != 1 || warnings[0].Code != WarnClockStep || !strings.Contains(warnings[0].Message, "-1s") {
			t.Fatalf("%v", warnings)
		}
		for name, want := range spoiled {
			if warnings[0].SpoilsFigure(name) != want {
				t.Errorf("%d stamps of the kernel: %s is spoiled: %v", kernel, name, !want)
			}
		}
	}
}
