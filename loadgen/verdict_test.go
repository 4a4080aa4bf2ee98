package loadgen

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

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
				"ttft, itl, which"}, spoiled: []string{"ttft_p50", "ttft_mean", "itl_p99", Attainment,
				"attainment_ttft"}},
		"late, and the kernel's clock": {client: watch(late(300)), completed: 100, stamps: Stamps{Kernel: 9},
			judged: true, figures: map[string]float64{"ttft_p50": 200}},
		"late, in too few wakes": {client: watch(func(w *ClientWatch) { late(300)(w); w.SchedulingLag.N = 99 }),
			completed: 100, stamps: Stamps{Client: 9}, judged: true, figures: map[string]float64{"ttft_p50": 200}},
		"late by less than timers tell": {client: watch(late(5)), completed: 100, stamps: Stamps{Client: 9},
			judged: true, figures: map[string]float64{"itl_p50": 1}},
		"send lag": {client: watch(nil), completed: 100, judged: true,
			figures: map[string]float64{"send_lag_mean": 6, "e2e_mean": 94},
			reasons: []string{"6 ms on average to be sent"}},
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
		r := &Result{Client: c.client, Stamps: c.stamps, Accounting: Accounting{Issued: c.completed,
			Completed: c.completed}}
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
