package loadgen

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A level that ends ends the wait for an arrival that is far away, and one that is near.
func TestPacerEndsWithTheLevel(t *testing.T) {
	for _, due := range []time.Duration{time.Hour, 1500 * time.Microsecond} {
		s := newSlots(Level{Concurrency: 1, Requests: 1})
		p := newPacer(s, true)
		ended := make(chan bool, 1)
		if due < fineFrom {
			s.close()
		}
		go func() { ended <- p.sleepUntil(due) }()
		s.close()
		select {
		case <-ended: // true where the moment had come by then
		case <-time.After(time.Minute):
			t.Fatalf("it waits for what is due at %v", due)
		}
		p.close()
	}
}

// In a bubble time is virtual, and a wait for the kernel would stand still.
func TestPacerInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(Level{Concurrency: 1, Requests: 1})
		p := newPacer(s, true)
		defer p.close()
		if p.fine != nil {
			t.Error("a fine timer in virtual time")
		}
		if !p.sleepUntil(time.Hour) || time.Since(s.epoch) != time.Hour {
			t.Errorf("woken at %v", time.Since(s.epoch))
		}
	})
}

// What an open loop of 10,000/s costs, and how late it is: the median of Sent − Scheduled, by a target that returns
// at once.
func BenchmarkOpenLoop(b *testing.B) {
	var lags []time.Duration
	g := &Generator{
		Target:    TargetFunc(func(context.Context, int, *Record) error { return nil }),
		Observers: []Observer{{Record: func(r *Record, _ *Error) { lags = append(lags, r.Sent-r.Scheduled) }}},
	}
	r, err := g.Measure(b.Context(), Level{Arrivals: constant(10_000), Requests: b.N})
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(lags)
	b.ReportMetric(float64(lags[len(lags)/2])/1e3, "µs-late-p50")
	b.ReportMetric(float64(lags[len(lags)*99/100])/1e3, "µs-late-p99")
	b.ReportMetric(r.Open.Uneven, "uneven")
	if used, ok := r.Client.CPUs(); ok {
		b.ReportMetric(100*used, "%cpu")
	}
}
