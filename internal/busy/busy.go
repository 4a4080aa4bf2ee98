// Package busy is for tests that measure in real time, on machines that may be too busy for it.
package busy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	tries = 3                    // each takes its time, and a fault would be seen in every one
	every = time.Millisecond     // how often the watch is to be woken,
	late  = 5 * time.Millisecond // and how late it is where the machine is busy; an idle one's is a millisecond or so
)

// Check makes a measurement, which notes what is wrong with it. Where something is, and this process was woken late
// meanwhile, the machine was too busy for it, and it is made again, three times at most. Faults without that evidence
// are reported at once, and with it after the last time: it is no excuse.
func Check(t testing.TB, measure func(f *Faults)) {
	t.Helper()
	check(t, measure, watch)
}

func check(t testing.TB, measure func(f *Faults), watch func() (latest func() time.Duration)) {
	t.Helper()
	for n := 1; ; n++ {
		latest := watch()
		var faults Faults
		measure(&faults)
		if lag := latest(); len(faults) > 0 && lag >= late && n < tries {
			t.Logf("measured again, for the machine was busy, and woke this process %v late: %s", lag,
				strings.Join(faults, "; "))
			continue
		}
		for _, fault := range faults {
			t.Error(fault)
		}
		return
	}
}

// watch sees how late this process is woken, until it is asked for the latest time.
func watch() (latest func() time.Duration) {
	stop, most := make(chan struct{}), make(chan time.Duration)
	go func() {
		worst := time.Duration(0)
		for {
			due := time.Now().Add(every)
			select {
			case <-time.After(every):
				worst = max(worst, time.Since(due))
			case <-stop:
				most <- max(worst, time.Since(due))
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-most
	}
}

// Faults is what is wrong with a measurement.
type Faults []string

// Addf adds a fault, as [testing.T.Errorf] reports one.
func (f *Faults) Addf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }
