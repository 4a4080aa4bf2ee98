package loadgen

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestVerdict(t *testing.T) {
	second := time.Second
	half := 100 * time.Millisecond
	watch := func(change func(w *ClientWatch)) *ClientWatch {
		cpu := second / 2
		w := &ClientWatch{Elapsed: second, CPUTime: &cpu, CPUsAllowed: 2, SchedulingLag: &SchedulingLag{P99: 1, N: 100}}
		if change != nil {
			change(w)
		}
		return w
	}
	busy := func(w *ClientWatch) { used := 1900 * time.Millisecond; w.CPUTime = &used }
	late := func(ms float64) func(*ClientWatch) { return func(w *ClientWatch) { w.SchedulingLag.P99 = ms } }
	for name, c := range map[string]struct {
		client    *ClientWatch
		completed int
		stamps    Stamps
		open      bool
		figures   map[string]float64
		judged    bool
		reasons   []string // what each contains
		spoiled   []string
	}{
		"idle": {client: watch(nil), completed: 100, judged: true},
		"too short": {client: watch(func(w *ClientWatch) { busy(w); w.Elapsed = second - 1 }),
			completed: 100},
		"too few": {client: watch(busy), completed: 99},
		"CPU": {client: watch(busy), completed: 100, judged: true,
			reasons: []string{"this process used 1.9 of the 2 CPUs"}},
		"CPU not known": {client: watch(func(w *ClientWatch) { w.CPUTime = nil }), completed: 100,
			judged: true},
		"CPU of a quota": {client: watch(func(w *ClientWatch) { w.CPUsAllowed = 0.5 }), completed: 100,
			judged: true, reasons: []string{"0.5 of the 0.5 CPUs"}},
		"throttled": {client: watch(func(w *ClientWatch) { w.Throttled = &half }), completed: 100,
			judged: true, reasons: []string{"held it back for 100ms in 1s"}},
		"late, and the client's clock": {client: watch(late(30)), completed: 100, stamps: Stamps{Client: 9},
			judged: true, figures: map[string]float64{"ttft_p50": 200, "itl_p50": 20,
				"e2e_p50": 400}, reasons: []string{"30 ms late or more, over a tenth of the median (and 5 ms) of " +
				"ttft, itl, which"}, spoiled: []string{"ttft_p50", "ttft_mean", "itl_p99", Attainment, "attainment_ttft"}},
		"late, and the kernel's clock": {client: watch(late(300)), completed: 100, stamps: Stamps{Kernel: 9},
			judged: true, figures: map[string]float64{"ttft_p50": 200}},
		"late, in too few wakes": {client: watch(func(w *ClientWatch) { late(300)(w); w.SchedulingLag.N = 99 }),
			completed: 100, stamps: Stamps{Client: 9}, judged: true, figures: map[string]float64{"ttft_p50": 200}},
		"late by less than timers tell": {client: watch(late(5)), completed: 100, stamps: Stamps{Client: 9},
			judged: true, figures: map[string]float64{"itl_p50": 1}},
		"send lag": {client: watch(nil), completed: 100, judged: true,
			figures: map[string]float64{"send_lag_mean": 6, "e2e_mean": 94}, reasons: []string{"6 ms on average to be sent"}},
		"send lag of dials": {client: watch(func(w *ClientWatch) { n := 2; w.Reconnects = &n }),
			completed: 100, judged: true, figures: map[string]float64{"send_lag_mean": 6, "e2e_mean": 94}},
		"send lag, hardly of dials": {client: watch(func(w *ClientWatch) { n := 1; w.Reconnects = &n }),
			completed: 100, judged: true, figures: map[string]float64{"send_lag_mean": 6,
				"e2e_mean": 94}, reasons: []string{"6 ms on average to be sent"}},
		"little send lag": {client: watch(nil), completed: 100, judged: true,
			figures: map[string]float64{"send_lag_mean": 4, "e2e_mean": 96}},
		"send lag of an open loop": {client: watch(nil), completed: 100, judged: true, open: true,
			figures: map[string]float64{"send_lag_mean": 6, "e2e_mean": 94}},
		"read lag": {client: watch(nil), completed: 100, stamps: Stamps{Kernel: 9}, judged: true,
			figures: map[string]float64{"read_lag_p99": 3, "itl_p50": 20}, reasons: []string{"read 3 ms or more " +
				"after the kernel"}},
		"little read lag": {client: watch(nil), completed: 100, stamps: Stamps{Kernel: 9}, judged: true,
			figures: map[string]float64{"read_lag_p99": 0.9, "itl_p50": 0.01}},
		"two reasons": {client: watch(func(w *ClientWatch) { busy(w); w.Throttled = &half }),
			completed: 100, judged: true, reasons: []string{"CPUs", "quota"}},
	} {
		r := &Result{Client: c.client, Stamps: c.stamps, Accounting: Accounting{Issued: c.completed, Completed: c.completed}}
		if c.open {
			r.Open = &OpenLoop{}
		}
		r.Level.Objectives = []Objective{{TTFT, 300}, {E2E, 500}}
		for figure, x := range c.figures {
			r.Figures = append(r.Figures, Figure{Name: figure, Value: x, N: 100})
		}
		warnings := r.clientWarnings()
		v := r.Client.Verdict
		if v.Judged != c.judged || v.Bound != (len(c.reasons) > 0) || len(v.Reasons) != len(c.reasons) {
			t.Errorf("%s: %+v", name, v)
			continue
		}
		for i, want := range c.reasons {
			if !strings.Contains(v.Reasons[i], want) {
				t.Errorf("%s: %q does not say %q", name, v.Reasons[i], want)
			}
		}
		if !v.Bound {
			if len(warnings) > 0 {
				t.Errorf("%s: %v", name, warnings)
			}
			continue
		}
		if len(warnings) != 1 || warnings[0].Code != WarnClientBound || warnings[0].Invalidates() {
			t.Errorf("%s: %v", name, warnings)
			continue
		}
		if (len(c.spoiled) == 0) != (len(warnings[0].Spoils) == 0) || warnings[0].SpoilsFigure("e2e_p50") ||
			warnings[0].SpoilsFigure("attainment_e2e") || warnings[0].SpoilsFigure(RequestThroughput) {
			t.Errorf("%s: spoils %v", name, warnings[0].Spoils)
		}
		for _, figure := range c.spoiled {
			if !warnings[0].SpoilsFigure(figure) {
				t.Errorf("%s: does not spoil %s", name, figure)
			}
		}
	}
	for want, v := range map[string]ClientVerdict{
		"not judged": {}, "not client-bound": {Judged: true}, "client-bound: a; b": {Judged: true, Bound: true,
			Reasons: []string{"a", "b"}},
	} {
		if !strings.HasPrefix(v.String(), want) {
			t.Errorf("%+v: %q", v, v)
		}
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
			"ulimit -n") || !strings.Contains(w[0].Message, "1024 are allowed")) {
			t.Errorf("%+v: %v", c.d, w)
		}
	}
}

func TestHeadroom(t *testing.T) {
	level := func(makespan time.Duration, rate float64, chunks int) *Result {
		return &Result{Makespan: makespan, Stamps: Stamps{Kernel: chunks}, Figures: []Figure{{Name: RequestThroughput,
			Value: rate}}}
	}
	// 100 requests and 1,000 chunks in 10 s; 4,000 requests and 8,000 chunks in 2 s.
	a, b := level(10*time.Second, 10, 1000), level(2*time.Second, 2000, 8000)
	h, ok := a.Headroom(b)
	if want := (Headroom{Requests: 200, Chunks: 40}); !ok || h != want {
		t.Errorf("%+v, %v; want %+v", h, ok, want)
	}
	if h, ok := level(time.Second, 10, 0).Headroom(b); !ok || h.Chunks != 0 || h.Requests != 200 {
		t.Errorf("whole answers: %+v, %v", h, ok)
	}
	for _, pair := range [][2]*Result{{a, {}}, {{}, b}} {
		if h, ok := pair[0].Headroom(pair[1]); ok {
			t.Errorf("%+v of nothing", h)
		}
	}
}

// A hundredth of the arrivals by the client's own clock is in no percentile, and more is.
func TestOwnStamps(t *testing.T) {
	chunks := func(kernel, client int) *Result {
		return &Result{Stamps: Stamps{Kernel: kernel, Client: client}, Figures: []Figure{
			{Name: MeanName(TTFT), Value: 100, N: 10}, {Name: QuantileName(TTFT, 50), Value: 100, N: 10},
		}}
	}
	for _, c := range []struct {
		r    *Result
		want float64
	}{
		{chunks(100, 0), 0},
		{chunks(99, 1), 0.01},
		{chunks(97, 3), 0.03},
		{chunks(0, 100), 1},
		{&Result{}, 1}, // whole answers
	} {
		near(t, fmt.Sprint(c.r.Stamps), c.r.ownStamps(), c.want)
		c.r.Client = &ClientWatch{Elapsed: time.Second, SchedulingLag: &SchedulingLag{P99: 11, N: 100}}
		c.r.Accounting.Completed = 100
		_, streamed := c.r.Figure(MeanName(TTFT))
		if spoils := c.r.judge(); (len(spoils) > 0) != (c.want > 0.02 && streamed) {
			t.Errorf("%v of the arrivals: spoils %v", c.want, spoils)
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
		if diff := cmp.Diff(w, got); diff != "" || merged.Client != nil {
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
			w := startWatch(seed)
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
	a, b := startWatch(7), startWatch(7)
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
