package loadgen

import (
	"slices"
	"testing"
	"time"
)

// Beside the runtime's timers, in one and the same run, the fine ones are late by a fraction: in one of several runs,
// for a machine that is busy with something else wakes nobody in time.
func TestFineTimer(t *testing.T) {
	late := func(fine bool) time.Duration {
		s := newSlots(Level{Concurrency: 1, Requests: 1})
		p := newPacer(s, fine)
		defer p.close()
		var late []time.Duration
		for i := range 400 {
			due := time.Duration(i) * 300 * time.Microsecond
			if early := due <= time.Since(s.epoch); early {
				continue // it was not waited for
			}
			if !p.sleepUntil(due) {
				t.Fatal("it has not ended")
			}
			if late = append(late, time.Since(s.epoch)-due); late[len(late)-1] < 0 {
				t.Fatalf("%v early", -late[len(late)-1])
			}
		}
		slices.Sort(late)
		return late[len(late)/4]
	}
	for range 5 {
		coarse, fine := late(false), late(true)
		t.Logf("three of four are late by more than %v, and %v with the runtime's timers", fine, coarse)
		if fine < coarse/2 {
			return
		}
	}
	t.Error("the fine timer is not half as late as the runtime's")
}
