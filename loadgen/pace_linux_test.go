package loadgen

import (
	"slices"
	"testing"
	"time"
)

// Beside the runtime's timers, in one and the same run, the fine ones are late by a fraction.
func TestFineTimer(t *testing.T) {
	if virtualTime() {
		t.Fatal("this is the system's time")
	}
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
		return late[len(late)/2]
	}
	coarse, fine := late(false), late(true)
	if fine > coarse/2 {
		t.Errorf("the median is %v late with the fine timer, and %v without", fine, coarse)
	}
	t.Logf("late by %v, and %v with the runtime's timers", fine, coarse)
}
