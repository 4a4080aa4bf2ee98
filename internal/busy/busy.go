// Package busy is for tests that measure in real time, on machines that may be too busy for it.
package busy

import (
	"strings"
	"testing"
)

// tries is how often a measurement is made at most. Each takes its time, and a fault would be seen in every one.
const tries = 3

// Codes are those of warnings in which a client says that it, or the machine that it shares with the server of a test,
// was not there in time: what was measured is then not what the server did, whatever the code under test.
var Codes = []string{"arrivals-unsure", "bunched-arrivals", "client-bound"}

// Said is the first of the [Codes] that a text has, "" where it has none.
func Said(text string) string {
	for _, code := range Codes {
		if strings.Contains(text, code) {
			return code
		}
	}
	return ""
}

// Check makes a measurement and reports its faults. Where there are some, and the measurement itself has evidence that
// the machine was too busy for it, it is made again, three times at most. Faults without evidence are reported at once,
// and with it after the last time: evidence is no excuse.
func Check(t testing.TB, measure func() (faults []string, evidence string)) {
	t.Helper()
	for n := 1; ; n++ {
		faults, evidence := measure()
		if len(faults) > 0 && evidence != "" && n < tries {
			t.Logf("measured again, for the machine was busy (%s): %s", evidence, strings.Join(faults, "; "))
			continue
		}
		for _, fault := range faults {
			t.Error(fault)
		}
		return
	}
}
